// approve/stat: the fields of /proc/PID/stat that say who a process is (proc(5)).
#pragma once

#include <sys/types.h>

#include "base/base.h"

#define STAT_NAME_BYTES 32

struct process_stat {
	char name[STAT_NAME_BYTES]; // field 2; may hold anything, blanks and parentheses too
	pid_t parent;               // 4
	pid_t session;              // 6
	uint64_t start;             // 22: clock ticks since boot
};

// False for what is not such a line.
bool process_stat_parse(const char *line, struct process_stat *out);
// False when the process is gone or cannot be examined.
bool process_stat_read(const char *proc, pid_t pid, struct process_stat *out);
// The beginning of /proc/PID/FILE, with a NUL behind it; -1 when it cannot be read.
ssize_t process_file_read(const char *proc, pid_t pid, const char *file, char *out, size_t out_bytes);
