// engine/radius: its rows. A row is the JSON object that is printed in the end.
#pragma once

#include "engine/radius.h"

// Adds to a number of the object; what is not above 0 adds nothing, and the sum does not wrap.
void count_add(json_t *object, const char *key, json_int_t more);
// Counts an entry (taken over; NULL is out of memory) in a list of the row.
int row_tally(json_t *row, const char *list_name, json_t *entry, json_int_t count, struct err *err);
// The record's time becomes the row's last, and where there is none yet its first.
void row_times(json_t *row, const json_t *record);
// The row of the record's program, borrowed, made where it is new. NULL with 0: no more of them are kept.
int program_row(struct radius *radius, const json_t *record, json_t **out, struct err *err);
// The row of what envseal opened a value for, borrowed.
int own_row(struct radius *radius, const char *reason, json_t **out, struct err *err);
