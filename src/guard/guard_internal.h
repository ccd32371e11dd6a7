// guard's own pieces: how a check looks and how it answers.
#pragma once

#include "guard/guard.h"

// A check fills severity, text and remedy by finding_set, exactly once, never more severe than its row says; id and
// category are those of its row.
struct guard_check {
	const char *id;
	const char *category;
	enum finding_severity worst;
	void (*run)(const struct guard_source *source, struct finding *finding);
};

// One table a file, in the order in which they are shown.
extern const struct guard_check guard_process_checks[];
extern const size_t guard_process_check_count;
extern const struct guard_check guard_memory_checks[];
extern const size_t guard_memory_check_count;
extern const struct guard_check guard_kernel_checks[];
extern const size_t guard_kernel_check_count;
extern const struct guard_check guard_namespace_checks[];
extern const size_t guard_namespace_check_count;
extern const struct guard_check guard_terminal_checks[];
extern const size_t guard_terminal_check_count;
extern const struct guard_check guard_input_checks[];
extern const size_t guard_input_check_count;
extern const struct guard_check guard_files_checks[];
extern const size_t guard_files_check_count;

// `remedy` is "" when nothing is needed. Both are cut to FINDING_TEXT_BYTES.
void finding_set(struct finding *finding, enum finding_severity severity, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
// The note of a check that cannot look.
void finding_unknown(struct finding *finding, const char *path);

// Reads root/path into `out` without its last newline. False when it is not there, cannot be read, or is larger than
// `out` takes (buf's max).
bool guard_read(const char *root, const char *path, struct buf *out);
// The same for a file that holds one number.
bool guard_read_number(const char *root, const char *path, long long *out);
// The value of an environment variable that is set and not empty, or NULL.
const char *guard_variable(const struct guard_source *source, const char *name);
// The first of them that is set and not empty, or NULL.
const char *guard_variable_set(const struct guard_source *source, const char *const names[], size_t count);
// Takes the next entry off a PATH, which may be empty; `*rest` is NULL behind the last one. False when there is none.
bool guard_path_next(const char **rest, struct span *out);

// --- guard_trial.c: what only trying tells, since a call may be let through and what it gives be worth nothing. A try is a
// process that ends at once, and with it what it made.

// What stood in the way: a system call, and errno. error 0: nothing.
struct trial_answer {
	int error;
	const char *call;
};
// Of a call that answers a negative number and sets errno.
struct trial_answer trial_step(const char *call, long result);
// Runs `act` (NULL: nothing) in a process of new namespaces (CLONE_NEW...; 0: in none), as process 1 of a PID namespace.
struct trial_answer trial_run(int namespaces, struct trial_answer (*act)(void));

struct trial_cause {
	char why[96];
	char remedy[128];
};
// Why, as far as a setting tells it.
struct trial_cause trial_cause_find(const struct guard_source *source, struct trial_answer answer);
