// policy/rule_json: what parsing, checking and formatting share: fields read by type.
#pragma once

#include "policy/rule.h"

#include <jansson.h>

#define RULES_VERSION 1

int field_refuse(struct err *err, const char *field, const char *what); // ERR_INPUT: "the field 'FIELD' WHAT"

// A JSON value of the type that the name says; NULL is a field that is missing. ERR_INPUT and ERR_LIMIT name the field.
int field_read_text(const json_t *json, const char *field, char **out, struct err *err); // to be freed
int field_read_word(const json_t *json, const char *field, char *out, size_t out_bytes, struct err *err); // not empty
int field_read_number(const json_t *json, const char *field, int64_t *out, struct err *err); // not negative
int field_read_choice(const json_t *json, const char *field, const char *const names[], size_t count, size_t *out,
		      struct err *err);
// Of text. What was read before an error is in `out`, to be freed with the rule.
int field_read_list(const json_t *json, const char *field, size_t most, struct text_list *out, struct err *err);
// An object with no other members than those.
int field_check_object(json_t *json, const char *field, const char *const known[], size_t count, struct err *err);
// The first member that has none of the names, made printable; NULL when there is none.
const char *field_find_unknown(json_t *json, const char *const known[], size_t count, char *out, size_t out_bytes);

// Sorts by id. ERR_INPUT when one stands twice.
int rules_sort(struct rule_set *set, struct err *err);
