#include "face/face.h"

#include <stdlib.h>
#include <string.h>

void envseal_redactor_free(struct envseal_redactor *redactor)
{
	if (!redactor)
		return;
	redactor_free(redactor->tables);
	for (size_t i = 0; i < redactor->name_count; i++)
		free(redactor->names[i]);
	free(redactor->names);
	free(redactor);
}

static void face_redactor_free_ptr(struct envseal_redactor **redactor)
{
	envseal_redactor_free(*redactor);
}

// The tables borrow the names, and the caller may free the values: the redactor has copies of its own.
static int redactor_copy_names(struct envseal_redactor *redactor, const struct envseal_values *values)
{
	redactor->names = calloc(values->count + 1, sizeof(char *));
	if (!redactor->names)
		return ENVSEAL_ERR_MEMORY;
	for (; redactor->name_count < values->count; redactor->name_count++) {
		char *name = strdup(values->list[redactor->name_count].name);
		if (!name)
			return ENVSEAL_ERR_MEMORY;
		redactor->names[redactor->name_count] = name;
	}
	return 0;
}

static int redactor_build(struct envseal_redactor *redactor, const struct envseal_values *values,
			  struct envseal_error *error)
{
	_cleanup_free_ struct redact_value *list = calloc(values->count + 1, sizeof(*list));
	if (!list)
		return face_fail(error, ENVSEAL_ERR_MEMORY, "out of memory for the tables of redaction");
	for (size_t i = 0; i < values->count; i++)
		list[i] = (struct redact_value){redactor->names[i], values->list[i].bytes};
	struct err err;
	int r = redactor_new(list, values->count, &redactor->tables, &err);
	return r < 0 ? face_fail_err(error, r, &err) : 0;
}

int envseal_redactor_new(const struct envseal_values *values, struct envseal_redactor **out,
			 struct envseal_error *error)
{
	if (face_check_given(values, out, error) < 0)
		return ENVSEAL_ERR_INVALID;
	_cleanup_(face_redactor_free_ptr) struct envseal_redactor *redactor = calloc(1, sizeof(*redactor));
	if (!redactor || redactor_copy_names(redactor, values) < 0)
		return face_fail(error, ENVSEAL_ERR_MEMORY, "out of memory for the names of values");
	int r = redactor_build(redactor, values, error);
	if (r < 0)
		return r;
	redactor->is_locked = values->is_locked && redactor_is_locked(redactor->tables);
	*out = TAKE_PTR(redactor);
	return 0;
}

bool envseal_redactor_is_locked(const struct envseal_redactor *redactor)
{
	return redactor && redactor->is_locked;
}

size_t envseal_redactor_bytes(const struct envseal_redactor *redactor)
{
	return redactor ? redactor_bytes(redactor->tables) : 0;
}
