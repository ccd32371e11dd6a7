#include "redact_oracle.h"

#include <stdlib.h>
#include <string.h>

static void *must(void *ptr)
{
	if (!ptr)
		abort();
	return ptr;
}

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

static void result_text(struct oracle_result *result, struct span text)
{
	struct err err;
	if (buf_append(&result->text, text, &err) != 0)
		abort();
}

static void result_leak(struct oracle_result *result, const struct redact_leak *leak)
{
	result->leaks = must(reallocarray(result->leaks, result->leak_count + 1, sizeof(*leak)));
	memset(&result->leaks[result->leak_count], 0, sizeof(*leak));
	result->leaks[result->leak_count++] = *leak;
}

static int recorder_write(void *context, struct span bytes, struct err *err)
{
	struct oracle_result *result = context;
	(void)err;
	result_text(result, bytes);
	if (!result->mask_next && result->position + bytes.len > result->length) {
		result->wrong = "the length: more is shown than there was";
	} else if (!result->mask_next) {
		memset(result->shown + result->position, 1, bytes.len);
		result->position += bytes.len;
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
	result_leak(result, leak);
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

// ------------------------------------------------------------------------------------------------------------ oracle

struct match {
	size_t from;
	size_t to;
	const struct needle *needle;
	bool cut;
};

struct matches {
	struct match *list;
	size_t count;
	uint8_t *covered; // by byte
	uint8_t *joined;  // by byte: in one match with the byte behind it
};

static void matches_done(struct matches *m)
{
	free(m->list);
	free(m->covered);
	free(m->joined);
}

static void matches_add(struct matches *m, struct match match)
{
	m->list = must(reallocarray(m->list, m->count + 1, sizeof(match)));
	m->list[m->count++] = match;
	memset(m->covered + match.from, 1, match.to - match.from);
	memset(m->joined + match.from, 1, match.to - match.from - 1);
}

static bool is_word(uint8_t byte)
{
	return byte != 0 && strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", byte) != NULL;
}

static bool fits_left(const struct needle *needle, struct span stream, size_t from)
{
	return !needle->weak || from == 0 || !is_word(stream.data[from - 1]);
}

static bool fits_right(const struct needle *needle, struct span stream, size_t to, bool more_may_come)
{
	if (!needle->weak)
		return true;
	return to == stream.len ? !more_may_come : !is_word(stream.data[to]);
}

static void matches_find(struct matches *m, const struct oracle_needles *needles, struct span stream,
			 bool more_may_come)
{
	*m = (struct matches){.covered = must(calloc(stream.len + 1, 1)), .joined = must(calloc(stream.len + 1, 1))};
	for (size_t i = 0; i < needles->count; i++) {
		const struct needle *needle = &needles->list[i];
		struct span s = needle->bytes;
		for (size_t from = 0; from + s.len <= stream.len; from++) {
			if (stream.data[from] == s.data[0] && memcmp(stream.data + from, s.data, s.len) == 0 &&
			    fits_left(needle, stream, from) && fits_right(needle, stream, from + s.len, more_may_come))
				matches_add(m, (struct match){from, from + s.len, needle, false});
		}
	}
}

static bool is_cut(const struct needle *needle, struct span stream, size_t len)
{
	return len < needle->bytes.len && memcmp(stream.data + stream.len - len, needle->bytes.data, len) == 0;
}

// The rule for the end of the stream.
static void matches_find_end(struct matches *m, const struct oracle_needles *needles, struct span stream)
{
	for (size_t len = stream.len; len > 0; len--) {
		const struct needle *first = NULL;
		size_t shortest = SIZE_MAX;
		for (size_t i = 0; i < needles->count; i++) {
			const struct needle *needle = &needles->list[i];
			if (!is_cut(needle, stream, len) || !fits_left(needle, stream, stream.len - len))
				continue;
			first = first ? first : needle;
			shortest = needle->bytes.len < shortest ? needle->bytes.len : shortest;
		}
		if (first && (len >= 6 || len * 2 >= shortest)) {
			matches_add(m, (struct match){stream.len - len, stream.len, first, true});
			return;
		}
	}
}

struct found {
	bool is_found;
	struct redact_leak leak;
	size_t longest;
};

// What stands in the mask of from..to: each secret with a match in it.
static void mask_add(const struct oracle_needles *needles, const struct matches *m, size_t from, size_t to,
		     struct oracle_result *out)
{
	struct found *found = must(calloc(needles->value_count, sizeof(*found)));
	for (size_t i = 0; i < m->count; i++) {
		const struct match *match = &m->list[i];
		struct found *f = &found[match->needle->value];
		size_t len = match->to - match->from;
		if (match->from < from || match->from >= to)
			continue;
		if (!f->is_found || len > f->longest || (len == f->longest && match->needle->form < f->leak.form)) {
			f->leak.form = match->needle->form;
			f->longest = len;
		}
		f->leak.partial |= match->cut;
		f->is_found = true;
	}
	const char *before = "[ENVSEAL:REDACTED ";
	for (size_t value = 0; value < needles->value_count; value++) {
		struct found *f = &found[value];
		if (!f->is_found)
			continue;
		f->leak.offset = from;
		f->leak.len = to - from;
		f->leak.value_index = value;
		result_leak(out, &f->leak);
		result_text(out, span_text(before));
		result_text(out, span_text(needles->names[value]));
		if (f->leak.form != REDACT_FORM_RAW) {
			result_text(out, span_text(" "));
			result_text(out, span_text(redact_form_name(f->leak.form)));
		}
		before = ", ";
	}
	result_text(out, span_text("]"));
	free(found);
}

void oracle_run(const struct oracle_needles *needles, struct span stream, struct oracle_result *out)
{
	struct matches m;
	matches_find(&m, needles, stream, false);
	matches_find_end(&m, needles, stream);
	oracle_result_init(out, stream.len);
	for (size_t i = 0; i < stream.len;) {
		size_t end = i + 1;
		if (!m.covered[i]) {
			out->shown[i] = 1;
			result_text(out, span_of(stream.data + i, 1));
		} else {
			while (m.joined[end - 1])
				end++;
			mask_add(needles, &m, i, end, out);
		}
		i = end;
	}
	out->position = stream.len;
	matches_done(&m);
}

size_t oracle_held(const struct oracle_needles *needles, struct span stream)
{
	size_t longest = 0;
	for (size_t i = 0; i < needles->count; i++) {
		const struct needle *needle = &needles->list[i];
		size_t max = needle->bytes.len < stream.len ? needle->bytes.len : stream.len;
		for (size_t len = max; len > longest; len--) {
			bool is_whole = len == needle->bytes.len;
			bool waits = is_whole && needle->weak && fits_left(needle, stream, stream.len - len);
			const uint8_t *suffix = stream.data + stream.len - len;
			if ((!is_whole || waits) && memcmp(suffix, needle->bytes.data, len) == 0)
				longest = len;
		}
	}
	struct matches m;
	matches_find(&m, needles, stream, true);
	size_t held = 0;
	for (size_t i = stream.len - longest; i < stream.len; i++)
		held += !m.covered[i];
	matches_done(&m);
	return held;
}

bool oracle_budget_is_kept(const struct oracle_needles *needles, struct span stream, const struct oracle_result *got)
{
	struct matches m;
	matches_find(&m, needles, stream, false);
	matches_find_end(&m, needles, stream);
	bool ok = !got->wrong && got->position == stream.len;
	for (size_t i = 0; i < m.count; i++) {
		size_t shown = 0;
		for (size_t at = m.list[i].from; at < m.list[i].to; at++)
			shown += got->shown[at];
		ok = ok && shown <= 3 && 4 * shown <= m.list[i].needle->bytes.len;
	}
	for (size_t i = 0; i < stream.len; i++)
		ok = ok && (m.covered[i] || got->shown[i]);
	matches_done(&m);
	return ok;
}
