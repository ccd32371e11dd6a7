#include "base/base.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Numbers of the fields, as proc(5) counts them.
enum { FIELD_PARENT = 4, FIELD_GROUP = 5, FIELD_SESSION = 6, FIELD_START = 22 };

// The text has a name in parentheses that may hold anything, so the fields count from the last one.
static bool stat_parse(char *text, struct process *out)
{
	char *name = strchr(text, '('), *end = strrchr(text, ')');
	if (!name || !end || end < name || strlen(end) < strlen(") S 1"))
		return false;
	*end = 0;
	long long fields[FIELD_START + 1];
	char *at = end + strlen(") S");
	for (size_t i = FIELD_PARENT; i <= FIELD_START; i++) {
		char *next;
		fields[i] = strtoll(at, &next, 10);
		if (next == at)
			return false;
		at = next;
	}
	out->parent = (pid_t)fields[FIELD_PARENT];
	out->group = (pid_t)fields[FIELD_GROUP];
	out->session = (pid_t)fields[FIELD_SESSION];
	out->start = (uint64_t)fields[FIELD_START];
	out->is_dead = end[2] == 'Z' || end[2] == 'X';
	snprintf(out->name, sizeof(out->name), "%s", name + 1);
	return true;
}

bool process_read(const char *proc, pid_t pid, struct process *out)
{
	char path[256], text[1024];
	int bytes = snprintf(path, sizeof(path), "%s/%d/stat", proc, (int)pid);
	_cleanup_fd_ int fd = bytes < 0 || (size_t)bytes >= sizeof(path) ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len] = 0;
	struct process process = {.pid = pid};
	if (!stat_parse(text, &process))
		return false;
	*out = process;
	return true;
}
