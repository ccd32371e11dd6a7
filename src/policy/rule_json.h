// policy/rule_json: what parsing, checking and formatting share.
#pragma once

#include "policy/rule.h"

#define RULES_VERSION 1

extern const char *const rule_binding_names[3];  // by enum rule_binding_kind
extern const char *const rule_argv_names[3];     // by enum rule_argv_mode
extern const char *const rule_delivery_names[3]; // by bit number
int field_refuse(struct err *err, const char *field, const char *what); // ERR_INPUT: "the field 'FIELD' WHAT"
// Sorts by id. ERR_INPUT when one stands twice.
int rules_sort(struct rule_set *set, struct err *err);
