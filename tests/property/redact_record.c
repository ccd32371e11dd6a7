#include "redact_oracle.h"

#include "redact_lanes.h"

#include <stdlib.h>
#include <string.h>

void oracle_needles_done(struct oracle_needles *needles)
{
	for (size_t i = 0; i < needles->count; i++)
		free((void *)(uintptr_t)needles->list[i].bytes.data);
	free(needles->list);
	needles->list = NULL;
	needles->count = 0;
}

void oracle_needles_add(struct oracle_needles *needles, struct needle needle)
{
	uint8_t *copy = must(malloc(needle.bytes.len));
	memcpy(copy, needle.bytes.data, needle.bytes.len);
	needle.bytes.data = copy;
	needles->list = must(reallocarray(needles->list, needles->count + 1, sizeof(needle)));
	needles->list[needles->count++] = needle;
}

static int take_needle(void *context, const struct needle *needle, struct err *err)
{
	(void)err;
	oracle_needles_add(context, *needle);
	return 0;
}

void oracle_needles_add_value(struct oracle_needles *needles, struct span value, uint32_t index)
{
	_cleanup_secret_ struct secret *room = NULL;
	struct err err;
	if (secret_new(form_room_bytes(value.len), SECRET_LOCK_PREFERRED, &room, &err) != 0 ||
	    form_each_needle(value, index, room, take_needle, needles, &err) != 0)
		abort();
}

// ----------------------------------------------------------------------------------------------------------- results

void oracle_result_init(struct oracle_result *result, size_t stream_bytes)
{
	*result = (struct oracle_result){.text = BUF_INIT((size_t)1 << 32), .length = stream_bytes};
	result->shown = must(calloc(stream_bytes + 1, 1));
}

void oracle_result_done(struct oracle_result *result)
{
	buf_done(&result->text);
	free(result->leaks);
	free(result->shown);
	*result = (struct oracle_result){0};
}

void oracle_result_text(struct oracle_result *result, struct span text)
{
	struct err err;
	if (buf_append(&result->text, text, &err) != 0)
		abort();
}

void oracle_result_leak(struct oracle_result *result, const struct redact_leak *leak)
{
	result->leaks = must(reallocarray(result->leaks, result->leak_count + 1, sizeof(*leak)));
	memset(&result->leaks[result->leak_count], 0, sizeof(*leak));
	result->leaks[result->leak_count++] = *leak;
}

static int recorder_write(void *context, struct span bytes, struct err *err)
{
	struct oracle_result *result = context;
	(void)err;
	oracle_result_text(result, bytes);
	if (!result->mask_next && result->position + bytes.len > result->length) {
		result->wrong = "the length: more is shown than there was";
	} else if (!result->mask_next) {
		memset(result->shown + result->position, 1, bytes.len);
		result->position += bytes.len;
		result->shown_count += bytes.len;
	}
	result->mask_next = false;
	return 0;
}

// Each byte of the stream is given out once and in order, as itself or under a mask; a mask may have several leaks.
static void recorder_leak(void *context, const struct redact_leak *leak)
{
	struct oracle_result *result = context;
	uint64_t end = leak->offset + leak->len;
	if (leak->len == 0 || (result->mask_next ? end != result->position : leak->offset != result->position))
		result->wrong = "the place of a leak: it is empty or not where the stream is";
	result->mask_next = true;
	result->position = end;
	oracle_result_leak(result, leak);
}

struct redact_sink oracle_recorder(struct oracle_result *result)
{
	return (struct redact_sink){recorder_write, recorder_leak, result};
}

const char *oracle_compare(const struct oracle_result *want, const struct oracle_result *got)
{
	if (got->wrong)
		return got->wrong;
	if (want->leak_count != got->leak_count)
		return "the number of leaks";
	for (size_t i = 0; i < want->leak_count; i++) {
		const struct redact_leak *w = &want->leaks[i];
		const struct redact_leak *g = &got->leaks[i];
		if (w->offset != g->offset || w->len != g->len)
			return "the place of a leak";
		if (w->value_index != g->value_index || w->form != g->form || w->partial != g->partial)
			return "the secret, form or partiality of a leak";
	}
	if (want->position != got->position || want->length != got->length)
		return "the length";
	if (memcmp(want->shown, got->shown, want->length) != 0)
		return "which bytes are shown";
	return span_is_equal(buf_span(&want->text), buf_span(&got->text)) ? NULL : "the text";
}
