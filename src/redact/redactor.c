#include "redact/redactor.h"

#include <stdlib.h>
#include <string.h>

struct redactor *redactor_free(struct redactor *redactor)
{
	if (!redactor)
		return NULL;
	matcher_free(redactor->matcher);
	free(redactor->names);
	free(redactor);
	return NULL;
}

void redactor_free_ptr(struct redactor **redactor)
{
	*redactor = redactor_free(*redactor);
}

bool redactor_is_locked(const struct redactor *redactor)
{
	return matcher_is_locked(redactor->matcher);
}

size_t redactor_bytes(const struct redactor *redactor)
{
	return matcher_bytes(redactor->matcher);
}

int redactor_new_needles(const struct needle *needles, size_t count, const char *const *names, size_t value_count,
			 struct redactor **out, struct err *err)
{
	_cleanup_redactor_ struct redactor *redactor = calloc(1, sizeof(*redactor));
	if (redactor)
		redactor->names = calloc(value_count + 1, sizeof(*redactor->names));
	if (!redactor || !redactor->names)
		return err_set(err, ERR_MEMORY, "out of memory for %zu secrets", value_count);
	for (size_t i = 0; i < value_count; i++)
		redactor->names[i] = names[i];
	redactor->value_count = value_count;
	int r = matcher_new(needles, count, &redactor->matcher, err);
	if (r < 0)
		return r;
	*out = TAKE_PTR(redactor);
	return 0;
}

// The needles of all values: first counted, so that secret memory of the right size can be made once, then collected.
struct collection {
	struct secret *room; // owned by redactor_new, as all else
	struct needle *needles;
	uint8_t *text;
	size_t count;
	size_t bytes;
};

static int collection_count(void *context, const struct needle *needle, struct err *err)
{
	struct collection *c = context;
	if (needle->bytes.len > UINT32_MAX - c->bytes)
		return err_set(err, ERR_LIMIT, "the secrets are too large to look for in output; use fewer in one run");
	c->count++;
	c->bytes += needle->bytes.len;
	return 0;
}

static int collection_take(void *context, const struct needle *needle, struct err *err)
{
	struct collection *c = context;
	(void)err;
	struct needle *own = &c->needles[c->count++];
	*own = *needle;
	own->bytes.data = c->text + c->bytes;
	memcpy(c->text + c->bytes, needle->bytes.data, needle->bytes.len);
	c->bytes += needle->bytes.len;
	return 0;
}

static int collection_run(struct collection *c, needle_take take, const struct redact_value *values, size_t count,
			  struct err *err)
{
	int r = 0;
	c->count = 0;
	c->bytes = 0;
	for (size_t i = 0; i < count && r == 0; i++)
		r = form_each_needle(values[i].value, (uint32_t)i, c->room, take, c, err);
	return r;
}

static int collection_make_room(const struct redact_value *values, size_t count, struct secret **out, struct err *err)
{
	size_t longest = 0;
	for (size_t i = 0; i < count; i++)
		longest = values[i].value.len > longest ? values[i].value.len : longest;
	return secret_new(form_room_bytes(longest), SECRET_LOCK_PREFERRED, out, err);
}

static void names_fill(const char **names, const struct redact_value *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		names[i] = values[i].name;
}

int redactor_new(const struct redact_value *values, size_t count, struct redactor **out, struct err *err)
{
	if (count > UINT32_MAX)
		return err_set(err, ERR_LIMIT, "too many secrets to look for them in output; use fewer in one run");
	_cleanup_secret_ struct secret *room = NULL;
	_cleanup_secret_ struct secret *text = NULL;
	int r = collection_make_room(values, count, &room, err);
	if (r < 0)
		return r;
	struct collection c = {.room = room};
	r = collection_run(&c, collection_count, values, count, err);
	if (r == 0)
		r = secret_new(c.bytes, SECRET_LOCK_PREFERRED, &text, err);
	if (r < 0)
		return r;
	_cleanup_free_ struct needle *needles = calloc(c.count + 1, sizeof(*needles));
	_cleanup_free_ const char **names = calloc(count + 1, sizeof(*names));
	if (!needles || !names)
		return err_set(err, ERR_MEMORY, "out of memory for %zu secrets", count);
	names_fill(names, values, count);
	c.needles = needles;
	c.text = secret_data(text);
	r = collection_run(&c, collection_take, values, count, err);
	if (r < 0)
		return r;
	return redactor_new_needles(needles, c.count, names, count, out, err);
}
