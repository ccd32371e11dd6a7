// engine/radius: which programs got a value, as a pure function over the records of the audit log.
//
// Invariants
//  - Every text that leaves here is printable ASCII: a log can be written by anybody who can write the file.
//  - Memory is bounded by distinct programs, not by runs: RADIUS_PROGRAMS_MAX rows, what is beyond is counted.
#pragma once

#include "engine/life.h"

#define RADIUS_PROGRAMS_MAX 10000
// Distinct entries of one list in a row (variables, leaks); a row with more says so.
#define RADIUS_LIST_MAX 128
// Runs without an outcome yet. Of those that never get one, the oldest are forgotten first.
#define RADIUS_OPEN_MAX 1024

struct radius {
	const struct life_history *history; // borrowed; ended
	struct life life;                   // the second reading
	bool *wanted;                       // by value, for the values of the first reading
	size_t wanted_end;
	json_t *programs; // key -> row
	json_t *own;      // what envseal did -> row
	json_t *open;     // runs that have not ended, oldest first
	uint64_t programs_left_out;
	uint64_t names_left_out; // records that do not tell all their names
};

// For the value that `name` has, or had last; with `all` for every value that it ever had. `name` is of the history.
int radius_init(struct radius *radius, const struct life_history *history, const struct life_name *name, bool all,
		struct err *err);
void radius_done(struct radius *radius);
#define _cleanup_radius_ _cleanup_(radius_done)
// The records in order, the same as history got; later ones are passed over.
int radius_add(struct radius *radius, json_t *record, struct err *err);
// {"programs": […], "programs_left_out", "opened": […]}, members as in envseal-audit(1). NULL when out of memory.
json_t *radius_json(const struct radius *radius);

// The text as a JSON string in printable ASCII; null for none.
json_t *shown_json(const char *text);
