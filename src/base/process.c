#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAT_LINE_BYTES 1024
// Numbers of the fields, as proc(5) counts them.
enum {
	FIELD_NAME = 2,
	FIELD_PARENT = 4,
	FIELD_GROUP = 5,
	FIELD_SESSION = 6,
	FIELD_TERMINAL = 7,
	FIELD_FOREGROUND = 8,
	FIELD_START = 22
};

ssize_t process_file_read(const char *proc, pid_t pid, const char *file, char *out, size_t out_bytes)
{
	char path[4096];
	int bytes = snprintf(path, sizeof(path), "%s/%d/%s", proc, pid, file);
	if (bytes < 0 || (size_t)bytes >= sizeof(path))
		return -1;
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = 0;
	while (fd >= 0 && len + 1 < out_bytes) {
		ssize_t n = read(fd, out + len, out_bytes - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	out[len] = 0;
	return fd < 0 ? -1 : (ssize_t)len;
}

// Behind the name, fields are separated by one blank and the first is number 3.
static const char *field_find(const char *rest, int number)
{
	for (int field = FIELD_NAME + 1; rest && field < number; field++) {
		rest = strchr(rest, ' ');
		rest = rest ? rest + 1 : NULL;
	}
	return rest;
}

static bool field_ends(const char *end)
{
	return *end == ' ' || *end == '\n' || *end == 0;
}

static bool field_read(const char *rest, int number, uint64_t max, uint64_t *out)
{
	rest = field_find(rest, number);
	if (!rest || !byte_is_digit((uint8_t)rest[0]))
		return false;
	char *end = NULL;
	errno = 0;
	unsigned long long value = strtoull(rest, &end, 10);
	if (errno != 0 || value > max || !field_ends(end))
		return false;
	*out = value;
	return true;
}

// A number that may be negative.
static bool field_read_signed(const char *rest, int number, int32_t *out)
{
	rest = field_find(rest, number);
	if (!rest || !byte_is_digit((uint8_t)rest[rest[0] == '-']))
		return false;
	char *end = NULL;
	errno = 0;
	long long value = strtoll(rest, &end, 10);
	if (errno != 0 || value < INT32_MIN || value > INT32_MAX || !field_ends(end))
		return false;
	*out = (int32_t)value;
	return true;
}

bool process_parse(const char *line, struct process *out)
{
	// The name may hold ')' itself; behind its end come numbers and one letter only, so the last one ends it.
	const char *name = strchr(line, '('), *end = strrchr(line, ')');
	if (!name || !end || end < name || end[1] != ' ')
		return false;
	struct process process = {.is_dead = end[2] == 'Z' || end[2] == 'X'};
	snprintf(process.name, sizeof(process.name), "%.*s", (int)(end - name - 1), name + 1);
	uint64_t parent, group, session;
	int32_t terminal, foreground;
	if (!field_read(end + 2, FIELD_PARENT, INT32_MAX, &parent) || !field_read(end + 2, FIELD_GROUP, INT32_MAX, &group) ||
	    !field_read(end + 2, FIELD_SESSION, INT32_MAX, &session) ||
	    !field_read_signed(end + 2, FIELD_TERMINAL, &terminal) ||
	    !field_read_signed(end + 2, FIELD_FOREGROUND, &foreground) ||
	    !field_read(end + 2, FIELD_START, UINT64_MAX, &process.start))
		return false;
	process.parent = (pid_t)parent;
	process.group = (pid_t)group;
	process.session = (pid_t)session;
	// The kernel prints an unsigned number as a signed one.
	process.terminal = (uint32_t)terminal;
	process.foreground = foreground;
	*out = process;
	return true;
}

bool process_read(const char *proc, pid_t pid, struct process *out)
{
	char line[STAT_LINE_BYTES];
	if (process_file_read(proc, pid, "stat", line, sizeof(line)) <= 0 || !process_parse(line, out))
		return false;
	out->pid = pid;
	return true;
}

// What of /proc/PID/status and uid_map tells of confinement.
struct confinement {
	long filters;       // -1: the kernel does not tell
	size_t namespaces;  // PID namespaces that it is seen in from here
	char map[256];      // of user numbers, as seen from here
};

static const char *line_find(const char *status, const char *name)
{
	const char *line = strstr(status, name);
	return line ? line + strlen(name) : NULL;
}

static size_t numbers_count(const char *line)
{
	size_t count = 0;
	for (; line && *line && *line != '\n'; line++)
		count += byte_is_digit((uint8_t)line[0]) && !byte_is_digit((uint8_t)line[-1]);
	return count;
}

static bool confinement_read(const char *proc, pid_t pid, struct confinement *out)
{
	char status[4096];
	if (process_file_read(proc, pid, "status", status, sizeof(status)) <= 0 ||
	    process_file_read(proc, pid, "uid_map", out->map, sizeof(out->map)) < 0)
		return false;
	const char *filters = line_find(status, "\nSeccomp_filters:");
	out->filters = filters ? strtol(filters, NULL, 10) : -1;
	out->namespaces = numbers_count(line_find(status, "\nNSpid:"));
	return true;
}

bool process_is_confined(const char *proc, pid_t pid)
{
	struct confinement own, other;
	if (!confinement_read(proc, getpid(), &own))
		return false;
	return !confinement_read(proc, pid, &other) || other.filters > own.filters || other.namespaces != own.namespaces ||
	       strcmp(other.map, own.map) != 0;
}

void process_reap(pid_t pid)
{
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
