#include "secmem/secmem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

bool process_is_traced(void)
{
	_cleanup_fd_ int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	char status[2048];
	ssize_t len = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
	if (len <= 0)
		return false;
	status[len] = 0;
	const char *line = strstr(status, "\nTracerPid:");
	return line && strtol(line + strlen("\nTracerPid:"), NULL, 10) != 0;
}

// Not every kernel has the file (CONFIG_COREDUMP), and without it there are no dumps to filter.
static void core_filter_clear(void)
{
	_cleanup_fd_ int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "0", 1) != 1)
		return;
}

int process_harden(struct err *err)
{
	// The filter first: once undumpable, /proc/self belongs to root and cannot be opened for writing.
	core_filter_clear();
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make this process undumpable");
	// Lowering never needs privilege; the hard limit may already be below 1.
	struct rlimit limit;
	if (getrlimit(RLIMIT_CORE, &limit) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot read the core limit");
	rlim_t one = limit.rlim_max < 1 ? limit.rlim_max : 1;
	limit = (struct rlimit){one, one};
	if (setrlimit(RLIMIT_CORE, &limit) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot limit core dumps");
	if (process_is_traced())
		return err_set(err, ERR_UNSAFE, "a debugger or tracer is attached to envseal and could read every secret; "
						"run it without one");
	return 0;
}
