#include "approve/ancestry.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "approve/agent.h"

#define CMDLINE_BYTES 4096

static void ancestor_add(const char *proc, pid_t pid, const struct process *stat, struct ancestry *out)
{
	struct ancestor *ancestor = &out->items[out->count++];
	char cmdline[CMDLINE_BYTES];
	ssize_t len = process_file_read(proc, pid, "cmdline", cmdline, sizeof(cmdline));
	const char *script = len > 0 ? agent_script(stat->name, cmdline, (size_t)len) : NULL;
	*ancestor = (struct ancestor){.pid = pid};
	// A process name has 15 bytes, those of kernel threads some more.
	snprintf(ancestor->name, sizeof(ancestor->name), "%.31s%s%.31s", stat->name, script ? " " : "",
		 script ? path_base(script) : "");
	if (!out->agent)
		out->agent = agent_name(stat->name, script);
}

// The parent of a process, as it was while the process had it: a parent that ends gives its children to another one, and
// its number to a new process. So the child is read again behind it, and must be what it was.
static bool parent_read(const char *proc, pid_t child, const struct process *child_stat, struct process *out)
{
	struct process again;
	return process_read(proc, child_stat->parent, out) && process_read(proc, child, &again) &&
	       again.parent == child_stat->parent && again.start == child_stat->start;
}

void ancestry_find(const char *proc, pid_t of, struct ancestry *out)
{
	*out = (struct ancestry){0};
	struct process stat, parent;
	if (!process_read(proc, of, &stat)) {
		out->items[out->count++] = (struct ancestor){.pid = of, .name = "?"};
		return;
	}
	ancestor_add(proc, of, &stat, out);
	pid_t pid = of;
	while (pid > 1 && stat.parent > 0 && out->count < ANCESTRY_STEPS_MAX && parent_read(proc, pid, &stat, &parent)) {
		pid = stat.parent;
		stat = parent;
		ancestor_add(proc, pid, &stat, out);
	}
}

static bool is_alive(int pidfd)
{
	struct pollfd ended = {pidfd, POLLIN, 0};
	return poll(&ended, 1, 0) == 0;
}

int session_leader_find(pid_t of, struct rule_session *out, struct err *err)
{
	struct process asker, leader;
	if (!process_read("/proc", of, &asker))
		return err_set(err, ERR_SYSTEM, "cannot examine process %d, which asks", of);
	struct rule_session session = {0};
	if (asker.session > 0 && asker.session != getpid()) {
		_cleanup_fd_ int pidfd = (int)syscall(SYS_pidfd_open, asker.session, 0U);
		if (pidfd < 0 && errno != ESRCH)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine the session of process %d", of);
		// Alive behind the reading: what was read is of the process that the descriptor holds, not of a later one with its
		// number.
		if (pidfd >= 0 && process_read("/proc", asker.session, &leader) && leader.session == asker.session &&
		    is_alive(pidfd))
			session = (struct rule_session){.pid = asker.session, .start = leader.start};
	}
	*out = session;
	return 0;
}
