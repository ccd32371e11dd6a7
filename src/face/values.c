#include "face/face.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 * 1024)

_Static_assert(ENVSEAL_VALUE_BYTES_MAX == SECRET_VALUE_BYTES_MAX, "the library takes what a vault takes");

int envseal_values_new(struct envseal_values **out, struct envseal_error *error)
{
	if (face_check_given(out, out, error) < 0)
		return ENVSEAL_ERR_INVALID;
	struct envseal_values *values = calloc(1, sizeof(*values));
	if (!values)
		return face_fail(error, ENVSEAL_ERR_MEMORY, "out of memory");
	values->is_locked = true;
	*out = values;
	return 0;
}

void envseal_values_free(struct envseal_values *values)
{
	if (!values)
		return;
	for (size_t i = 0; i < values->count; i++)
		free(values->list[i].name);
	for (size_t i = 0; i < values->block_count; i++)
		secret_free(values->blocks[i]);
	free(values->list);
	free(values->blocks);
	free(values);
}

static bool name_fits(const char *name)
{
	size_t len = strnlen(name, ENVSEAL_NAME_BYTES_MAX + 1);
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == ',' || name[i] == '[' || name[i] == ']')
			return false;
	return len > 0 && len <= ENVSEAL_NAME_BYTES_MAX;
}

int face_check_value(const void *bytes, size_t len, struct envseal_error *error)
{
	if (!bytes || len == 0)
		return face_fail(error, ENVSEAL_ERR_INVALID, "an empty value cannot be looked for; leave it out");
	if (len > ENVSEAL_VALUE_BYTES_MAX)
		return face_fail(error, ENVSEAL_ERR_LIMIT, "a value has more than 1048576 bytes, which is the limit");
	return 0;
}

// Room for one more in the list. There is a place in `blocks` for each value, since none takes more than one block.
static int values_reserve(struct envseal_values *values, struct envseal_error *error)
{
	if (values->count < values->capacity)
		return 0;
	size_t capacity = values->capacity ? 2 * values->capacity : 16;
	struct face_value *list = reallocarray(values->list, capacity, sizeof(*list));
	if (list)
		values->list = list;
	struct secret **blocks = reallocarray(values->blocks, capacity, sizeof(struct secret *));
	if (blocks)
		values->blocks = blocks;
	if (!list || !blocks)
		return face_fail(error, ENVSEAL_ERR_MEMORY, "out of memory for another value");
	values->capacity = capacity;
	return 0;
}

// A place of `len` bytes, in the last block or in a new one.
static int values_place(struct envseal_values *values, size_t len, uint8_t **out, struct envseal_error *error)
{
	struct secret *last = values->block_count > 0 ? values->blocks[values->block_count - 1] : NULL;
	if (!last || secret_len(last) - values->block_used < len) {
		struct err err;
		int r = secret_new(len > BLOCK_BYTES ? len : BLOCK_BYTES, SECRET_LOCK_PREFERRED, &last, &err);
		if (r < 0)
			return face_fail_err(error, r, &err);
		values->blocks[values->block_count++] = last;
		values->block_used = 0;
		values->is_locked = values->is_locked && secret_is_locked(last);
	}
	*out = secret_data(last) + values->block_used;
	values->block_used += len;
	return 0;
}

int envseal_values_add(struct envseal_values *values, const char *name, const void *bytes, size_t len,
		       struct envseal_error *error)
{
	if (face_check_given(values, values, error) < 0)
		return ENVSEAL_ERR_INVALID;
	if (!name || !name_fits(name))
		return face_fail(error, ENVSEAL_ERR_INVALID,
				 "the name of a value must be 1 to 255 bytes of printable ASCII without blank, comma "
				 "and square brackets");
	int r = face_check_value(bytes, len, error);
	if (r == 0)
		r = values_reserve(values, error);
	if (r < 0)
		return r;
	_cleanup_free_ char *own_name = strdup(name);
	if (!own_name)
		return face_fail(error, ENVSEAL_ERR_MEMORY, "out of memory for another value");
	uint8_t *place = NULL;
	r = values_place(values, len, &place, error);
	if (r < 0)
		return r;
	memcpy(place, bytes, len);
	values->list[values->count++] = (struct face_value){TAKE_PTR(own_name), span_of(place, len)};
	return 0;
}

bool envseal_value_is_weak(const void *bytes, size_t len, const char **ret_reason)
{
	return (bytes || len == 0) && redact_value_is_weak(span_of(bytes, len), ret_reason);
}

int envseal_value_coverage(const void *bytes, size_t len,
			   void (*each)(void *context, const struct envseal_coverage *coverage), void *context,
			   struct envseal_error *error)
{
	int r = face_check_value(bytes, len, error);
	if (r < 0 || !each)
		return r < 0 ? r : face_check_given(bytes, NULL, error);
	struct redact_coverage rows[REDACT_FORM_COUNT];
	struct err err;
	r = redact_coverage(span_of(bytes, len), rows, &err);
	if (r < 0)
		return face_fail_err(error, r, &err);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct envseal_coverage row = {redact_form_name(rows[i].form), rows[i].needle_count, rows[i].reason};
		each(context, &row);
	}
	return 0;
}
