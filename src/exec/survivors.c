// Other processes: those that outlive the program and hold its output open, those of its session, those of a group.
#include "exec/exec_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROCESSES_MAX (1u << 20)
#define ANCESTORS_MAX 4096
#define KILL_ROUNDS_MAX 64

struct process_list {
	struct process *rows;
	size_t count;
	size_t room;
};

static void process_list_done(struct process_list *list)
{
	free(list->rows);
}

static bool process_list_add(struct process_list *list, const struct process *process)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 256;
		struct process *rows = room > PROCESSES_MAX ? NULL : reallocarray(list->rows, room, sizeof(*rows));
		if (!rows)
			return false;
		list->rows = rows;
		list->room = room;
	}
	list->rows[list->count++] = *process;
	return true;
}

static void dir_close(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}
#define _cleanup_dir_ _cleanup_(dir_close)

static int process_compare(const void *a, const void *b)
{
	const struct process *left = a;
	const struct process *right = b;
	return (left->pid > right->pid) - (left->pid < right->pid);
}

static bool process_list_read(struct process_list *list)
{
	_cleanup_dir_ DIR *dir = opendir("/proc");
	if (!dir)
		return false;
	const struct dirent *entry;
	while ((entry = readdir(dir))) {
		struct process process;
		long pid = strtol(entry->d_name, NULL, 10);
		if (pid > 0 && process_read("/proc", (pid_t)pid, &process) && !process_list_add(list, &process))
			break;
	}
	if (list->count > 0)
		qsort(list->rows, list->count, sizeof(*list->rows), process_compare);
	return list->count > 0;
}

static const struct process *process_find(const struct process_list *list, pid_t pid)
{
	const struct process key = {.pid = pid};
	return list->count == 0 ? NULL : bsearch(&key, list->rows, list->count, sizeof(key), process_compare);
}

// Of the session, or a descendant of this process. The list is no snapshot, so parents could even form a ring: the
// way up is bounded.
static bool process_is_ours(const struct process_list *list, const struct process *process, pid_t session)
{
	pid_t self = getpid();
	for (int depth = 0; process && depth < ANCESTORS_MAX; depth++) {
		if (process->session == session || process->parent == self)
			return true;
		process = process_find(list, process->parent);
	}
	return false;
}

static bool is_source(const struct survivors *survivors, int dir_fd, const char *entry, const char *link)
{
	struct stat status;
	char name[48];
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		int fd = survivors->relays[i].source_fd;
		if (fd < 0 || survivors->relays[i].is_terminal || fstat(fd, &status) < 0)
			continue;
		snprintf(name, sizeof(name), "pipe:[%llu]", (unsigned long long)status.st_ino);
		if (strcmp(name, link) == 0)
			return true;
	}
	// Devices only: a question to a file system that does not answer would hang.
	if (strncmp(link, "/dev/", strlen("/dev/")) != 0)
		return false;
	bool is_known = fstatat(dir_fd, entry, &status, 0) == 0;
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		if (survivors->relays[i].source_fd < 0 || !survivors->relays[i].is_terminal)
			continue;
		if (!is_known || strcmp(link, "/dev/tty") == 0 || status.st_rdev == survivors->consoles[i].slave_device)
			return true;
	}
	return false;
}

// A process that may not be looked into (undumpable, other credentials) counts as one that holds the output.
static bool may_hold_output(pid_t pid, const struct survivors *survivors)
{
	char path[48];
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	_cleanup_dir_ DIR *dir = opendir(path);
	if (!dir)
		return errno != ENOENT;
	const struct dirent *entry;
	while ((entry = readdir(dir))) {
		char link[64];
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		link[len > 0 ? len : 0] = 0;
		if (len > 0 && is_source(survivors, dirfd(dir), entry->d_name, link))
			return true;
	}
	return false;
}

// The process may end and its number go to another one at any moment. The descriptor is opened first and the process
// looked at afterwards: whatever was seen, the signal reaches the process of the descriptor or nobody. Without
// `survivors` it need not hold any output.
static void process_signal(const struct process *seen, const struct survivors *survivors, int number)
{
	_cleanup_fd_ int pidfd = (int)syscall(SYS_pidfd_open, seen->pid, 0);
	struct process now;
	if (!process_read("/proc", seen->pid, &now) || now.is_dead || now.session != seen->session || now.parent != seen->parent)
		return;
	if (survivors && !may_hold_output(seen->pid, survivors))
		return;
	// A filter around envseal may refuse either call.
	bool is_refused = pidfd < 0 || (syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 && errno != ESRCH);
	if (is_refused)
		kill(seen->pid, number);
}

void survivors_signal(const struct survivors *survivors, int number)
{
	_cleanup_(process_list_done) struct process_list list = {0};
	if (!process_list_read(&list)) {
		// Without /proc the program's group is all that is known.
		kill(-survivors->group, number);
		return;
	}
	for (size_t i = 0; i < list.count; i++)
		if (!list.rows[i].is_dead && list.rows[i].pid != survivors->spared &&
		    process_is_ours(&list, &list.rows[i], survivors->session))
			process_signal(&list.rows[i], survivors, number);
}

bool group_has_others(pid_t group, pid_t member)
{
	_cleanup_(process_list_done) struct process_list list = {0};
	bool is_known = process_list_read(&list);
	for (size_t i = 0; i < list.count; i++)
		if (!list.rows[i].is_dead && list.rows[i].group == group && list.rows[i].pid != member)
			return true;
	return !is_known;
}

// Returns how many there were.
static size_t processes_kill(pid_t session, pid_t spared)
{
	_cleanup_(process_list_done) struct process_list list = {0};
	size_t count = 0;
	if (!process_list_read(&list))
		return 0;
	for (size_t i = 0; i < list.count; i++) {
		const struct process *process = &list.rows[i];
		if (process->is_dead || process->pid == spared || process->pid == getpid() ||
		    !process_is_ours(&list, process, session))
			continue;
		process_signal(process, NULL, SIGKILL);
		count++;
	}
	return count;
}

void survivors_kill(pid_t session, pid_t spared)
{
	// One that was just born is in no list yet; and who forks faster than this can look is not caught by it.
	for (int round = 0; round < KILL_ROUNDS_MAX && processes_kill(session, spared) > 0; round++)
		;
}
