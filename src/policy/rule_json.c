#include "policy/rule_json.h"

#include <stdlib.h>
#include <string.h>

int field_refuse(struct err *err, const char *field, const char *what)
{
	return err_set(err, ERR_INPUT, "the field '%s' %s", field, what);
}

int field_read_text(const json_t *json, const char *field, char **out, struct err *err)
{
	if (!json_is_string(json))
		return field_refuse(err, field, json ? "must be text" : "is missing");
	char *copy = strdup(json_string_value(json));
	if (!copy)
		return err_set(err, ERR_MEMORY, "out of memory for a rule");
	*out = copy;
	return 0;
}

int field_read_word(const json_t *json, const char *field, char *out, size_t out_bytes, struct err *err)
{
	if (!json_is_string(json))
		return field_refuse(err, field, json ? "must be text" : "is missing");
	if (json_string_length(json) == 0)
		return field_refuse(err, field, "is empty");
	if (json_string_length(json) >= out_bytes)
		return err_set(err, ERR_LIMIT, "the field '%s' is too long (%zu bytes at most)", field, out_bytes - 1);
	memcpy(out, json_string_value(json), json_string_length(json) + 1);
	return 0;
}

int field_read_number(const json_t *json, const char *field, int64_t *out, struct err *err)
{
	if (!json_is_integer(json))
		return field_refuse(err, field, json ? "must be a whole number" : "is missing");
	if (json_integer_value(json) < 0)
		return field_refuse(err, field, "must not be negative");
	*out = json_integer_value(json);
	return 0;
}

int field_read_choice(const json_t *json, const char *field, const char *const names[], size_t count, size_t *out,
		      struct err *err)
{
	if (!json_is_string(json))
		return field_refuse(err, field, json ? "must be text" : "is missing");
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], json_string_value(json)) == 0) {
			*out = i;
			return 0;
		}
	return field_refuse(err, field, "is none of the words that it may be (docs/format-policy.md)");
}

// `most` is looked at before anything is allocated.
int field_read_list(const json_t *json, const char *field, size_t most, struct text_list *out, struct err *err)
{
	if (!json_is_array(json))
		return field_refuse(err, field, json ? "must be a list of text" : "is missing");
	if (json_array_size(json) > most)
		return err_set(err, ERR_LIMIT, "the field '%s' has too many members (%zu at most)", field, most);
	out->items = calloc(json_array_size(json) + 1, sizeof(*out->items));
	if (!out->items)
		return err_set(err, ERR_MEMORY, "out of memory for a rule");
	int r = 0;
	for (size_t i = 0; r == 0 && i < json_array_size(json); i++) {
		r = field_read_text(json_array_get(json, i), field, &out->items[i], err);
		out->count += r == 0;
	}
	return r;
}

const char *field_find_unknown(json_t *json, const char *const known[], size_t count, char *out, size_t out_bytes)
{
	const char *key;
	json_t *value;
	json_object_foreach(json, key, value) {
		size_t i = 0;
		while (i < count && strcmp(known[i], key) != 0)
			i++;
		if (i == count)
			return text_brief(span_text(key), out, out_bytes);
	}
	return NULL;
}

int field_check_object(json_t *json, const char *field, const char *const known[], size_t count, struct err *err)
{
	if (!json_is_object(json))
		return field_refuse(err, field, json ? "must be an object" : "is missing");
	char brief[64];
	const char *unknown = field_find_unknown(json, known, count, brief, sizeof(brief));
	return unknown ? err_set(err, ERR_INPUT, "the field '%s' holds '%s', which is not known", field, unknown) : 0;
}
