// queue: rows that come at one end of a list and go at the other, private to redact/.
#pragma once

#include "base/base.h"

// Makes room for `more` rows of `row_bytes` behind rows *head .. *head + count - 1 of a list that has room for *cap rows;
// NULL, 0 and 0 at the beginning. The places of rows that have gone are used again before the list grows. Returns the
// list, which may be another one then; NULL when out of memory: then everything is as before.
void *queue_room(void *list, size_t *head, size_t count, size_t *cap, size_t more, size_t row_bytes);
