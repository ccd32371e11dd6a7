#include "broker/front.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

// What a call's argument must be, with the bits of `mask`; no mask: any.
struct row {
	int call;
	unsigned argument;
	uint64_t mask;
	uint64_t value;
};

// What the loop and its memory need. No new connection, no file, no process, no other process's memory.
static const struct row rows[] = {
	{SCMP_SYS(epoll_wait), 0, 0, 0},
	{SCMP_SYS(epoll_pwait), 0, 0, 0},
	{SCMP_SYS(epoll_ctl), 0, 0, 0},
	{SCMP_SYS(accept4), 0, 0, 0},
	{SCMP_SYS(getsockopt), 1, UINT64_MAX, SOL_SOCKET},
	{SCMP_SYS(recvmsg), 0, 0, 0},
	{SCMP_SYS(sendmsg), 0, 0, 0},
	{SCMP_SYS(sendto), 4, UINT64_MAX, 0}, // to nobody but the other end
	{SCMP_SYS(socketpair), 0, UINT64_MAX, AF_UNIX},
	{SCMP_SYS(close), 0, 0, 0},
	{SCMP_SYS(clock_gettime), 0, 0, 0},
	{SCMP_SYS(mmap), 2, PROT_EXEC, 0},
	{SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
	{SCMP_SYS(mremap), 0, 0, 0},
	{SCMP_SYS(munmap), 0, 0, 0},
	{SCMP_SYS(madvise), 0, 0, 0},
	{SCMP_SYS(brk), 0, 0, 0},
	{SCMP_SYS(rt_sigreturn), 0, 0, 0},
	{SCMP_SYS(exit_group), 0, 0, 0},
};

static int rows_add(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct scmp_arg_cmp must = {row->argument, SCMP_CMP_MASKED_EQ, row->mask, row->value};
		int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, row->call, row->mask != 0, &must);
		if (r < 0)
			return r;
	}
	return 0;
}

int front_confine(struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return err_set(err, ERR_MEMORY, "no memory for the broker's system call filter");
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = rows_add(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r < 0)
		return err_set_errno(err, ERR_SYSTEM, -r, "the kernel takes no system call filter for the broker");
	return 0;
}
