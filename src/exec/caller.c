// The process in whose place the program stands: this one (NULL), or another.
//
// Of a terminal that is not its own controlling one a process is told neither session nor foreground (tty_ioctl(4)), so
// another's place is read in its line of /proc.
#include "exec/exec_internal.h"

#include <unistd.h>

bool caller_controls(const struct exec_caller *caller, int fd)
{
	struct process process;
	pid_t session = 0;
	if (!caller)
		return ioctl(fd, TIOCGSID, &session) == 0 && session == getsid(0);
	return process_read("/proc", caller->pid, &process) && process.terminal != 0 && process.terminal == console_device(fd);
}

bool caller_is_foreground(const struct exec_caller *caller, int fd)
{
	struct process process = {.group = getpgrp()};
	if (!caller)
		process.foreground = tcgetpgrp(fd);
	else if (!process_read("/proc", caller->pid, &process) || process.is_dead)
		return false;
	return process.foreground < 0 || process.foreground == process.group;
}

bool caller_has_company(const struct exec_caller *caller)
{
	struct process process = {.pid = getpid(), .group = getpgrp()};
	if (caller && !process_read("/proc", caller->pid, &process))
		return true;
	return group_has_others(process.group, process.pid);
}

void caller_tell_group(const struct exec_caller *caller, int number)
{
	if (caller)
		caller->tell_group(caller->context, number);
	else
		kill(0, number);
}
