#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/keeper.h"

#define FILES_MIN 128

// What the daemon says to the process that was typed: a code and a sentence, or a code of 0 when it is ready.
struct ready_report {
	int code;
	struct err err;
};

static void report_send(int fd, int code, const struct err *err)
{
	struct ready_report report = {.code = code};
	if (err)
		report.err = *err;
	ssize_t n = write(fd, &report, sizeof(report));
	(void)n;
}

static void daemon_ready(void *context)
{
	int *fd = context;
	report_send(*fd, 0, NULL);
	fd_close(fd);
}

static void foreground_ready(void *context)
{
	(void)context;
}

#define REPORT_FD 3

// Nothing of the terminal, the folder or the shell that it was started from, nor of what that had open. *report_fd
// becomes REPORT_FD.
static int daemon_settle(int *report_fd, struct err *err)
{
	if (*report_fd != REPORT_FD && dup3(*report_fd, REPORT_FD, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot leave the descriptors");
	*report_fd = REPORT_FD;
	closefrom(REPORT_FD + 1);
	_cleanup_fd_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (setsid() < 0 || chdir("/") < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot leave the session");
	umask(077);
	for (int fd = 0; fd <= 2; fd++)
		if (null_fd < 0 || dup2(null_fd, fd) < 0)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot leave the standard descriptors");
	return 0;
}

// Here, and not before: clients see the process that listens as the one they talk to (socket.h).
static int keeper_listen(struct keeper *keeper, struct err *err)
{
	const struct home *home = engine_home(keeper->setup->engine);
	keeper->listen_fd = service_socket();
	if (keeper->listen_fd >= 0)
		return socket_take_over(home, keeper->listen_fd, &keeper->lock_fd, err);
	int r = socket_listen(home, &keeper->listen_fd, &keeper->lock_fd, err);
	return r == 0 ? socket_name_read(home, &keeper->name, err) : r;
}

static int keeper_serve(struct keeper *keeper, void (*ready)(void *context), void *context, struct err *err)
{
	int r = keeper_listen(keeper, err);
	if (r < 0)
		return r;
	engine_prepare_names(keeper->setup->engine);
	return keeper_run(keeper, ready, context, err);
}

static _Noreturn void daemon_child(struct keeper *keeper, int report_fd)
{
	struct err err;
	engine_hold_here(keeper->setup->engine);
	int r = daemon_settle(&report_fd, &err);
	if (r == 0)
		r = keeper_serve(keeper, daemon_ready, &report_fd, &err);
	if (r < 0)
		report_send(report_fd, r, &err);
	_exit(r < 0 ? 1 : 0);
}

static int daemon_leave(struct keeper *keeper, struct err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pipe");
	_cleanup_fd_ int report_fd = ends[0];
	_cleanup_fd_ int child_fd = ends[1];
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a process");
	if (pid == 0) {
		fd_close(&report_fd);
		daemon_child(keeper, child_fd);
	}
	fd_close(&child_fd);
	struct ready_report report;
	ssize_t n;
	do
		n = read(report_fd, &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(report))
		return err_set(err, ERR_SYSTEM, "the broker ended before it was ready");
	if (report.code < 0)
		*err = report.err;
	return report.code;
}

// With fewer the front could let nobody in.
static int files_check(struct err *err)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot read the limit on open files");
	if (limit.rlim_max >= FILES_MIN)
		return 0;
	return err_set(err, ERR_LIMIT, "a broker needs %d open files, and here there may be %llu; raise the limit (`ulimit -Hn`)", FILES_MIN,
		       (unsigned long long)limit.rlim_max);
}

int broker_start(const struct broker_setup *setup, struct err *err)
{
	if (files_check(err) < 0)
		return err->code;
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	if (!keeper)
		return err_set(err, ERR_MEMORY, "out of memory");
	*keeper = (struct keeper){.setup = setup, .listen_fd = -1, .lock_fd = -1, .front_fd = -1, .signal_fd = -1, .clock_fd = -1,
				  .lifeline = {-1, -1}, .words = {-1, -1}};
	inbox_init(&keeper->inbox);
	int r = setup->foreground ? keeper_serve(keeper, foreground_ready, NULL, err) : daemon_leave(keeper, err);
	keeper_done(keeper);
	free(keeper);
	return r;
}
