// guard: read-only findings about the environment envseal runs in. Nothing here changes anything, and nothing here
// decides. What only trying can tell (namespaces, mounts) is tried in a process that ends at once.
#pragma once

#include "base/base.h"

enum finding_severity { FINDING_OK, FINDING_NOTE, FINDING_WARN, FINDING_BAD };
const char *finding_severity_name(enum finding_severity severity); // "ok", "note", "warn", "bad"

#define FINDING_TEXT_BYTES 256

struct finding {
	const char *id;       // stable, "core-pattern"
	const char *category; // "process", "kernel", "memory", "terminal", "files"
	enum finding_severity severity;
	char text[FINDING_TEXT_BYTES];   // what is so here, and what it means
	char remedy[FINDING_TEXT_BYTES]; // what to do, or "" when nothing is needed
};

// What there is to find: an id, and the most severe that it can be.
struct finding_kind {
	const char *id;
	enum finding_severity worst;
};
// In the order in which findings are shown. False behind the last one.
bool finding_kind_at(size_t index, struct finding_kind *out);
bool finding_kind_find(struct span id, struct finding_kind *out);

// Where a check looks; tests point it at a prepared tree. Zeros: the real system.
struct guard_source {
	const char *proc; // "/proc"
	const char *sys;  // "/sys"
	const char *etc;  // "/etc"
	const char *dev;  // "/dev"
	char *const *environment; // the caller's, NULL-terminated; environ
	pid_t pid;                // the process that asks, where that is another one: its tracer and terminal count; 0: this one
	// What the layers above know; without it the checks that need it say so. Borrowed.
	const char *vault_dir; // absolute; it need not exist
	bool (*variable_is_steering)(struct span name);
	bool (*path_entry_is_safe)(struct span entry);
	// Which checks to run; NULL: all.
	bool (*is_wanted)(const void *context, const struct finding_kind *kind);
	const void *wanted_context;
};

// Each check in the table that is wanted answers one finding; a check that cannot look says so as a note. Never fails
// for the state of the machine. `each` returning non-zero stops and is returned.
int guard_check(const struct guard_source *source, int (*each)(void *context, const struct finding *finding),
		void *context);
