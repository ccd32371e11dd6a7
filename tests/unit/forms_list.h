// The needles of one value, copied into a list for tests to look at.
#pragma once

#include <string.h>

#include "redact/forms.h"

#define FORMS_LIST_MAX 4096

struct forms_list {
	struct needle list[FORMS_LIST_MAX];
	size_t count;
	uint8_t *bytes; // owned: what the needles point into
	size_t used;
	size_t room;
};

static inline int forms_list_take(void *context, const struct needle *needle, struct err *err)
{
	struct forms_list *forms = context;
	(void)err;
	assert_true(forms->count < FORMS_LIST_MAX && needle->bytes.len <= forms->room - forms->used);
	struct needle *own = &forms->list[forms->count++];
	*own = *needle;
	own->bytes.data = forms->bytes + forms->used;
	memcpy(forms->bytes + forms->used, needle->bytes.data, needle->bytes.len);
	forms->used += needle->bytes.len;
	return 0;
}

static inline void forms_list_done(struct forms_list *forms)
{
	free(forms->bytes);
	free(forms);
}

// Checks what holds for all needles on the way.
static inline struct forms_list *forms_list_of(struct span value)
{
	struct err err;
	struct forms_list *forms = calloc(1, sizeof(*forms));
	_cleanup_secret_ struct secret *room = NULL;
	assert_non_null(forms);
	forms->room = 2000 + 1200 * value.len;
	forms->bytes = malloc(forms->room);
	assert_non_null(forms->bytes);
	assert_int_equal(secret_new(form_room_bytes(value.len), SECRET_LOCK_PREFERRED, &room, &err), 0);
	assert_int_equal(form_each_needle(value, 7, room, forms_list_take, forms, &err), 0);
	for (size_t i = 0; i < forms->count; i++) {
		const struct needle *needle = &forms->list[i];
		assert_int_equal(needle->value, 7);
		assert_true(needle->bytes.len > 0);
		assert_true(i == 0 || needle->form >= forms->list[i - 1].form);
		assert_true(!needle->weak || needle->form == REDACT_FORM_RAW);
		assert_true(needle->form == REDACT_FORM_RAW || needle->bytes.len >= REDACT_ENCODED_BYTES_MIN);
		for (size_t j = 0; j < i && forms->count < 500; j++)
			assert_false(span_is_equal(needle->bytes, forms->list[j].bytes));
	}
	return forms;
}

static inline const struct needle *forms_list_find(const struct forms_list *forms, struct span bytes)
{
	for (size_t i = 0; i < forms->count; i++)
		if (span_is_equal(forms->list[i].bytes, bytes))
			return &forms->list[i];
	return NULL;
}

static inline size_t forms_list_count(const struct forms_list *forms, enum redact_form form)
{
	size_t count = 0;
	for (size_t i = 0; i < forms->count; i++)
		count += forms->list[i].form == form;
	return count;
}
