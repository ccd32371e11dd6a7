// engine/record: plans and outcomes as audit records. Names, digests and printable text; values of the run's own secrets
// are masked where an argument, a folder or a program's name holds one; with a redactor of NULL nothing is.
#pragma once

#include "engine/engine_internal.h"

// Longest printable argument and all of them together that a record keeps, in bytes. The argument digest covers the whole.
#define RECORD_ARGUMENT_BYTES_MAX 8192
#define RECORD_ARGV_BYTES_MAX 32768
// Of each list of paths.
#define RECORD_PATHS_BYTES_MAX 16384
// All names of a record together, in bytes: a record has a limit, and a vault has none on its names.
#define RECORD_NAMES_BYTES_MAX 65536

// NULL when memory runs out; the caller owns the object.
json_t *plan_json(const struct plan *plan, const struct redactor *redactor);
json_t *paths_json(const struct redactor *redactor, char *const *paths, size_t count); // cut at RECORD_PATHS_BYTES_MAX
json_t *sandbox_json(const struct plan *plan, const struct redactor *redactor); // the plan's, as data
json_t *outcome_json(const struct plan *plan, const struct redactor *redactor, const struct exec_outcome *outcome);
json_t *failure_json(const struct plan *plan, const struct redactor *redactor, const struct err *failure);
json_t *program_json(const struct program *program, const struct redactor *redactor);
json_t *strings_json(const char *const *strings, size_t count);
// The first of the names, as far as RECORD_NAMES_BYTES_MAX goes, and how many more there are.
json_t *names_json_bounded(const char *const names[], size_t count, size_t *ret_left_out);
// What the run is said to be for; NULL when that was not said.
json_t *plan_reason_json(const struct plan *plan, const struct redactor *redactor);
// "system", "copy", "by-path"
const char *program_binding(const struct program *program);
const char *delivery_name(enum exec_delivery delivery);

// Leaks beside the names that their secret_index counts in; all borrowed.
struct leak_list {
	const char *const *names;
	const struct exec_leaks *leaks;
};
// What exec_leak.stream is for `envseal redact`.
#define LEAK_STREAM_STDIN 3
json_t *leaks_json(const struct leak_list *list);
// `names` is the room that `out` points into.
void leak_list_of(const struct plan *plan, const struct exec_outcome *outcome, const char *names[ENGINE_SECRETS_MAX],
		  struct leak_list *out);
