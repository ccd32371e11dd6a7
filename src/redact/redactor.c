#include "redact/redactor.h"
#include "redact/shadow.h"

#include <stdlib.h>
#include <string.h>

struct redactor *redactor_free(struct redactor *redactor)
{
	if (!redactor)
		return NULL;
	matcher_free(redactor->strong);
	matcher_free(redactor->weak);
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
	return matcher_is_locked(redactor->strong) && matcher_is_locked(redactor->weak);
}

size_t redactor_bytes(const struct redactor *redactor)
{
	return matcher_bytes(redactor->strong) + matcher_bytes(redactor->weak);
}

void redactor_disable_shadow(struct redactor *redactor)
{
	redactor->has_shadow = false;
}

// What keeps a needle from being found without its white space, and in which views it must be looked for instead.
static void redactor_note(struct redactor *redactor, const struct needle *needle)
{
	struct span text = needle->bytes;
	if (text.len > SHADOW_NEEDLE_MAX || memchr(text.data, 0x1b, text.len))
		redactor->needs_stream = true;
	if (!span_has_space(text))
		return;
	size_t run = 0;
	size_t longest_run = 0;
	for (size_t i = 0; i < text.len; i++) {
		run = byte_is_space(text.data[i]) ? run + 1 : 0;
		longest_run = run > longest_run ? run : longest_run;
	}
	bool has_edge = byte_is_space(text.data[0]) || byte_is_space(text.data[text.len - 1]);
	if (!needle->has_twin || has_edge || longest_run > SHADOW_GAP_MAX)
		redactor->needs_stream = redactor->needs_clean = true;
}

static int redactor_matcher(const struct needle *needles, size_t count, bool weak, struct matcher **out, struct err *err)
{
	_cleanup_free_ struct needle *some = calloc(count + 1, sizeof(*some));
	if (!some)
		return err_set(err, ERR_MEMORY, "out of memory for the forms of secrets");
	size_t some_count = 0;
	for (size_t i = 0; i < count; i++)
		if (needles[i].weak == weak)
			some[some_count++] = needles[i];
	return matcher_new(some, some_count, weak ? MATCHER_WORDS : MATCHER_FREE, out, err);
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
	redactor->has_shadow = true;
	for (size_t i = 0; i < count; i++)
		if (!needles[i].weak)
			redactor_note(redactor, &needles[i]);
	int r = redactor_matcher(needles, count, false, &redactor->strong, err);
	if (r == 0)
		r = redactor_matcher(needles, count, true, &redactor->weak, err);
	if (r < 0)
		return r;
	*out = TAKE_PTR(redactor);
	return 0;
}

// The needles of all values. Their text is kept in blocks of secret memory, each for a part of it as large as is sensible
// by what there is already: to know the size beforehand, all forms would have to be made twice.
struct text_block {
	struct secret *secret;
	struct text_block *before;
};

struct collection {
	struct secret *room; // owned by redactor_new
	struct needle *needles;
	size_t count;
	size_t cap;
	size_t bytes;
	struct text_block *block;
	size_t block_used;
};

#define BLOCK_BYTES_MIN ((size_t)32 * 1024)
#define NEEDLES_MIN 64

static void collection_done(struct collection *c)
{
	while (c->block) {
		struct text_block *block = c->block;
		c->block = block->before;
		secret_free(block->secret);
		free(block);
	}
	free(c->needles);
}
#define _cleanup_collection_ _cleanup_(collection_done)

static int collection_grow_text(struct collection *c, size_t len, struct err *err)
{
	if (c->block && secret_len(c->block->secret) - c->block_used >= len)
		return 0;
	struct text_block *block = calloc(1, sizeof(*block));
	if (!block)
		return err_set(err, ERR_MEMORY, "out of memory for the forms of secrets");
	size_t size = c->bytes / 8 > BLOCK_BYTES_MIN ? c->bytes / 8 : BLOCK_BYTES_MIN;
	int r = secret_new(size > len ? size : len, SECRET_LOCK_PREFERRED, &block->secret, err);
	if (r < 0) {
		free(block);
		return r;
	}
	block->before = c->block;
	c->block = block;
	c->block_used = 0;
	return 0;
}

static int collection_grow_needles(struct collection *c, struct err *err)
{
	if (c->count < c->cap)
		return 0;
	size_t cap = c->cap ? 2 * c->cap : NEEDLES_MIN;
	struct needle *needles = reallocarray(c->needles, cap, sizeof(*needles));
	if (!needles)
		return err_set(err, ERR_MEMORY, "out of memory for the forms of secrets");
	c->needles = needles;
	c->cap = cap;
	return 0;
}

static int collection_take(void *context, const struct needle *needle, struct err *err)
{
	struct collection *c = context;
	size_t len = needle->bytes.len;
	if (len > UINT32_MAX - c->bytes)
		return err_set(err, ERR_LIMIT, "the secrets are too large to look for in output; use fewer in one run");
	int r = collection_grow_text(c, len, err);
	if (r == 0)
		r = collection_grow_needles(c, err);
	if (r < 0)
		return r;
	struct needle *own = &c->needles[c->count++];
	uint8_t *text = secret_data(c->block->secret) + c->block_used;
	*own = *needle;
	own->bytes.data = memcpy(text, needle->bytes.data, len);
	c->block_used += len;
	c->bytes += len;
	return 0;
}

static int collection_run(struct collection *c, const struct redact_value *values, size_t count, struct err *err)
{
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++)
		r = form_each_needle(values[i].value, (uint32_t)i, c->room, collection_take, c, err);
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
	int r = collection_make_room(values, count, &room, err);
	if (r < 0)
		return r;
	_cleanup_free_ const char **names = calloc(count + 1, sizeof(*names));
	if (!names)
		return err_set(err, ERR_MEMORY, "out of memory for %zu secrets", count);
	names_fill(names, values, count);
	_cleanup_collection_ struct collection c = {.room = room};
	r = collection_run(&c, values, count, err);
	if (r < 0)
		return r;
	return redactor_new_needles(c.needles, c.count, names, count, out, err);
}
