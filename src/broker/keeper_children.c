#include "broker/keeper.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// One that is killed leaves its own children to this process, so they are looked for again.
#define KILL_ROUNDS_MAX 4096
#define KILL_WAIT_MS 1000
// For the process of a killed worker that gives its client's terminal back, and ends the program itself (exec:
// monitor). One deadline for all: a program can call itself so.
#define MONITOR_WAIT_MS 300
#define PIDS_MAX (1u << 20)

void pid_list_done(struct pid_list *list)
{
	free(list->items);
	*list = (struct pid_list){0};
}

static size_t pid_list_find(const struct pid_list *list, pid_t pid)
{
	size_t low = 0, high = list->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (list->items[middle] < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool pid_list_has(const struct pid_list *list, pid_t pid)
{
	size_t at = pid_list_find(list, pid);
	return at < list->count && list->items[at] == pid;
}

int pid_list_add(struct pid_list *list, pid_t pid, struct err *err)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		pid_t *items = room > PIDS_MAX ? NULL : reallocarray(list->items, room, sizeof(*items));
		if (!items)
			return err_set(err, ERR_MEMORY, "out of memory");
		list->items = items;
		list->room = room;
	}
	size_t at = pid_list_find(list, pid);
	memmove(list->items + at + 1, list->items + at, (list->count - at) * sizeof(*list->items));
	list->items[at] = pid;
	list->count++;
	return 0;
}

bool pid_list_remove(struct pid_list *list, pid_t pid)
{
	size_t at = pid_list_find(list, pid);
	if (at == list->count || list->items[at] != pid)
		return false;
	memmove(list->items + at, list->items + at + 1, (list->count - at - 1) * sizeof(*list->items));
	list->count--;
	return true;
}

// ------------------------------------------------------------------------------------------------------ what was left behind

static bool is_known(const struct keeper *keeper, pid_t pid)
{
	return pid == keeper->front || pid == keeper->anchor || pid_list_has(&keeper->workers, pid) || pid_list_has(&keeper->survivors, pid);
}

typedef void stranger_fn(struct keeper *keeper, const struct process *stranger, int64_t deadline_ms);

// Calls `each` for every child of this process that is neither front nor worker nor a survivor. Returns how many there were.
static size_t strangers_visit(struct keeper *keeper, int64_t deadline_ms, stranger_fn *each)
{
	size_t count = 0;
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		struct process process;
		long pid = strtol(entry->d_name, NULL, 10);
		if (pid <= 0 || !process_read("/proc", (pid_t)pid, &process) || process.parent != getpid() ||
		    process.is_dead || is_known(keeper, process.pid))
			continue;
		each(keeper, &process, deadline_ms);
		count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

bool pidfd_await(int pidfd, int64_t deadline_ms)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};
	int64_t left_ms = deadline_ms - clock_monotonic_ms();
	return pidfd >= 0 && poll(&ended, 1, left_ms > 0 ? (int)left_ms : 0) > 0;
}

static void monitor_await(struct keeper *keeper, const struct process *stranger, int64_t deadline_ms)
{
	(void)keeper;
	_cleanup_fd_ int pidfd = (int)syscall(SYS_pidfd_open, stranger->pid, 0U);
	if (strcmp(stranger->name, WORKER_NAME) == 0)
		pidfd_await(pidfd, deadline_ms);
}

static void stranger_kill(struct keeper *keeper, const struct process *stranger, int64_t deadline_ms)
{
	struct err ignored;
	(void)deadline_ms;
	// Held before it is killed and awaited: one that hangs in the kernel must not hold this process up.
	_cleanup_fd_ int pidfd = (int)syscall(SYS_pidfd_open, stranger->pid, 0U);
	kill(stranger->pid, SIGKILL);
	if (pidfd >= 0 && !pidfd_await(pidfd, clock_monotonic_ms() + KILL_WAIT_MS))
		pid_list_add(&keeper->survivors, stranger->pid, &ignored);
	waitpid(stranger->pid, NULL, WNOHANG);
}

static void stranger_keep(struct keeper *keeper, const struct process *stranger, int64_t deadline_ms)
{
	struct err err;
	if (pid_list_add(&keeper->survivors, stranger->pid, &err) < 0)
		stranger_kill(keeper, stranger, deadline_ms);
}

static void strangers_kill(struct keeper *keeper)
{
	int64_t deadline_ms = clock_monotonic_ms() + MONITOR_WAIT_MS;
	strangers_visit(keeper, deadline_ms, monitor_await);
	for (int round = 0; round < KILL_ROUNDS_MAX && strangers_visit(keeper, deadline_ms, stranger_kill) > 0; round++)
		;
}

// ------------------------------------------------------------------------------------------------------------------ ends

// The next child that has ended; false: none. What it has said is heard while it is still known.
static bool child_reap(struct keeper *keeper, siginfo_t *out)
{
	*out = (siginfo_t){0};
	if (waitid(P_ALL, 0, out, WEXITED | WNOHANG | WNOWAIT) < 0 || out->si_pid == 0)
		return false;
	words_take(keeper);
	return waitpid(out->si_pid, NULL, WNOHANG) == out->si_pid;
}

bool children_reap(struct keeper *keeper)
{
	bool has_failed = false, has_left = false, has_front = true;
	for (;;) {
		siginfo_t info;
		if (!child_reap(keeper, &info))
			break;
		bool is_worker = pid_list_remove(&keeper->workers, info.si_pid);
		if (pid_list_remove(&keeper->permitted, info.si_pid))
			keeper->hold.active_ms = clock_boottime_ms();
		bool is_survivor = !is_worker && pid_list_remove(&keeper->survivors, info.si_pid);
		bool exited = info.si_code == CLD_EXITED;
		if (info.si_pid == keeper->front) {
			keeper->front = -1;
			has_front = false;
		}
		// Its number may become a program's.
		if (info.si_pid == keeper->anchor)
			keeper->anchor = -1;
		has_left |= is_worker && exited && info.si_status == WORKER_LEFT_SURVIVORS;
		has_failed |= is_worker && !(exited && (info.si_status == 0 || info.si_status == WORKER_LEFT_SURVIVORS));
		// What a survivor leaves behind may go on like it.
		has_left |= is_survivor;
	}
	// A worker that failed together with one that did not takes the other's survivors along: the sure side.
	if (has_failed)
		strangers_kill(keeper);
	else if (has_left)
		strangers_visit(keeper, 0, stranger_keep);
	return has_front;
}
