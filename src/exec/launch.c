// From the fork to the program's first instruction. Everything the child does here is async-signal-safe and takes its
// data from memory prepared before.
#include "exec/exec_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct launch_report {
	int step;   // row of steps[] that failed
	int error;  // errno
	int detail; // for the sandbox: the mechanism
};

// ------------------------------------------------------------------------------------------------------------ steps
// Each returns 0 or an errno.

static int step_session(const struct launch *launch, int *ret_detail)
{
	(void)ret_detail;
	if (!launch->leads_group)
		return setsid() < 0 ? errno : 0;
	// Before the program runs, or its first read could meet the background. Allowed from the background, since the
	// monitor ignores SIGTTOU and this process still does.
	if (setpgid(0, 0) < 0)
		return errno;
	return launch->foreground_fd >= 0 && tcsetpgrp(launch->foreground_fd, getpid()) < 0 ? errno : 0;
}

static int step_parent(const struct launch *launch, int *ret_detail)
{
	(void)ret_detail;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return errno;
	// The parent may have died before the request stood; then nobody would send the signal.
	return getppid() == launch->parent ? 0 : ESRCH;
}

static int step_streams(const struct launch *launch, int *ret_detail)
{
	(void)ret_detail;
	for (int fd = 0; fd <= 2; fd++) {
		if (launch->std_fds[fd] >= 0 && dup2(launch->std_fds[fd], fd) < 0)
			return errno;
		// A placeholder goes away with the exec, so that the program finds closed what the caller had closed.
		if (launch->std_fds[fd] < 0 && launch->plan->inherited->std_closed[fd])
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	return 0;
}

static int step_descriptors(const struct launch *launch, int *ret_detail)
{
	(void)ret_detail;
	// Marked rather than closed: the report pipe and the program's own descriptor are needed up to the exec, which then
	// closes all of them at once.
	fd_mark_range(STDERR_FILENO + 1, INT_MAX);
	for (size_t i = 0; i < launch->delivery->file_count; i++)
		if (fcntl(launch->delivery->file_fds[i], F_SETFD, 0) < 0)
			return errno;
	if (launch->argv->script_fd >= 0 && fcntl(launch->argv->script_fd, F_SETFD, 0) < 0)
		return errno;
	return 0;
}

// As the caller of another process has them; never more than this process may have.
static int step_limits(const struct launch *launch, int *ret_detail)
{
	(void)ret_detail;
	const struct exec_limits *limits = launch->plan->limits;
	if (!limits)
		return 0;
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit own;
		struct rlimit row = limits->rows[i];
		if (getrlimit(i, &own) < 0)
			return errno;
		if (row.rlim_max > own.rlim_max)
			row.rlim_max = own.rlim_max;
		if (row.rlim_cur > row.rlim_max)
			row.rlim_cur = row.rlim_max;
		bool is_same = row.rlim_cur == own.rlim_cur && row.rlim_max == own.rlim_max;
		if (!is_same && setrlimit(i, &row) < 0)
			return errno;
	}
	umask(limits->umask);
	return 0;
}

static int step_hold(const struct launch *launch, int *ret_detail)
{
	struct sandbox_failure failure = sandbox_hold(launch->sandbox);
	*ret_detail = (int)failure.mechanism;
	return failure.error;
}

static int step_sandbox(const struct launch *launch, int *ret_detail)
{
	int terminal_fds[3];
	for (int fd = 0; fd <= 2; fd++)
		terminal_fds[fd] = launch->leads_group && launch->std_fds[fd] >= 0 && isatty(fd) ? fd : -1;
	struct sandbox_failure failure = sandbox_enter(launch->sandbox, terminal_fds);
	*ret_detail = (int)failure.mechanism;
	return failure.error;
}

static void signal_unblock(int number)
{
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, number);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static int step_signals(const struct launch *launch, int *ret_detail)
{
	(void)ret_detail;
	inherited_restore(launch->plan->inherited);
	if (sandbox_is_held(launch->sandbox))
		signal_unblock(SIGTRAP);
	if (!launch->stops_by_terminal)
		return 0;
	signal(SIGTTIN, SIG_DFL);
	signal(SIGTTOU, SIG_DFL);
	signal_unblock(SIGTTIN);
	signal_unblock(SIGTTOU);
	return 0;
}

static int step_exec(const struct launch *launch, int *ret_detail)
{
	(void)ret_detail;
	program_exec(launch->plan->program, launch->image, launch->argv, launch->delivery->environment);
	return errno;
}

struct launch_step {
	const char *what;     // "cannot prepare <what> for <program>"
	bool supervised_only; // not when the program replaces envseal
	int (*run)(const struct launch *launch, int *ret_detail);
};

// In the order in which they must happen: the sandbox may take away what the steps before it need, and a signal that
// waited may end the process as soon as the mask is restored.
static const struct launch_step steps[] = {
	{"a session", true, step_session},
	{"the parent-death signal", true, step_parent},
	{"the standard descriptors", false, step_streams},
	{"the descriptors", false, step_descriptors},
	{"the limits", false, step_limits},
	{"the hold", true, step_hold},
	{"the sandbox", false, step_sandbox},
	{"the signals", false, step_signals},
	{"the program", false, step_exec},
};

// Returns only when a step failed; says which.
static struct launch_report launch_steps(const struct launch *launch, bool is_supervised)
{
	struct launch_report report = {0};
	for (size_t i = 0; i < ARRAY_COUNT(steps) && report.error == 0; i++) {
		if (steps[i].supervised_only && !is_supervised)
			continue;
		report.step = (int)i;
		report.error = steps[i].run(launch, &report.detail);
	}
	return report;
}

// ------------------------------------------------------------------------------------------------------------ errors

static int exec_error(const char *path, int error, struct err *err)
{
	switch (error) {
	case ENOENT:
		return err_set(err, ERR_NO_PROGRAM, "cannot start %s: it, its interpreter or its loader is missing",
			       path);
	case E2BIG:
		return err_set(err, ERR_NO_EXEC,
			       "cannot start %s: its arguments and environment are too large (one of them may have 128 "
			       "KiB); give large values as a file (-s NAME=VAR:file)",
			       path);
	case ENOSYS:
		return err_set(err, ERR_NO_EXEC,
			       "cannot start %s: a sandbox around envseal takes execveat(2) away; start envseal outside of it, or a "
			       "program of the system by its path (--no-shield)",
			       path);
	default:
		return err_set_errno(err, ERR_NO_EXEC, error, "cannot start %s", path);
	}
}

static int report_error(const struct launch *launch, const struct launch_report *report, struct err *err)
{
	char path[256];
	text_brief(span_text(launch->plan->program->path), path, sizeof(path));
	const struct launch_step *step = &steps[report->step];
	if (step->run == step_exec)
		return exec_error(path, report->error, err);
	if (step->run == step_sandbox || step->run == step_hold)
		return sandbox_failure_say(path, (struct sandbox_failure){(enum sandbox_mechanism)report->detail, report->error},
					   err);
	return err_set_errno(err, ERR_SYSTEM, report->error, "cannot prepare %s for %s", step->what, path);
}

// ------------------------------------------------------------------------------------------------------------- image

// Closed to the owner of the user namespace too, which every process of the user is. False: there is no such copy.
static bool image_place(struct program_image *image, const struct program *program, struct sandbox *sandbox)
{
	int folder_fd = -1, file_fd = -1;
	if (sandbox_image_open(sandbox, program_image_source(program), program_usual_name(program), &folder_fd, &file_fd) != 0)
		return false;
	program_image_place(image, program, folder_fd, file_fd);
	return true;
}

struct program_image launch_image(const struct exec_plan *plan, struct sandbox *sandbox)
{
	const enum sandbox_need *needs = plan->sandbox->needs;
	struct program_image image = PROGRAM_IMAGE_INIT;
	if (needs[SANDBOX_SHIELD] != SANDBOX_UNUSED)
		image.shield = program_shield_judge(plan->program);
	bool is_placed = image.shield == PROGRAM_SHIELD_APPLIED && needs[SANDBOX_USER_NAMESPACE] != SANDBOX_UNUSED &&
			 image_place(&image, plan->program, sandbox);
	if (!is_placed)
		program_image_copy(&image, plan->program);
	// Root has, where the tier leaves it, the privilege to read everything.
	bool is_applied = image.shield == PROGRAM_SHIELD_APPLIED &&
			  (needs[SANDBOX_CAPABILITIES] != SANDBOX_UNUSED || program_image_is_closed(&image));
	if (image.shield == PROGRAM_SHIELD_APPLIED && !is_applied)
		image.shield = PROGRAM_SHIELD_UNAVAILABLE;
	sandbox_note_shield(sandbox, is_applied);
	_cleanup_fd_ int own_fd = -1;
	// A name is for people; a machine that cannot give it runs the program nevertheless.
	if (image.folder_fd >= 0)
		return image;
	if (image.fd >= 0 && plan->names_fd >= 0)
		program_image_name(&image, plan->program, plan->names_fd);
	else if (image.fd >= 0 && sandbox_folder_open(&own_fd) == 0)
		program_image_name(&image, plan->program, own_fd);
	return image;
}

// ------------------------------------------------------------------------------------------------------------ launch

static _Noreturn void child_run(const struct launch *launch)
{
	struct launch_report report = launch_steps(launch, true);
	// Shorter than PIPE_BUF, so it arrives whole; when the parent is gone there is nobody to tell.
	ssize_t n = write(launch->report_fd, &report, sizeof(report));
	_exit(n == (ssize_t)sizeof(report) ? 126 : 125);
}

// A program that is held is stopped by each signal; what comes before its exec must not keep it from there.
static void report_await(const struct launch *launch, int fd, pid_t program)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = launch->child_fd, .events = POLLIN}};
	struct signalfd_siginfo ignored;
	while (poll(fds, ARRAY_COUNT(fds), -1) < 0 || fds[0].revents == 0) {
		while (read(launch->child_fd, &ignored, sizeof(ignored)) > 0)
			;
		// Once more: the stop may be that of the exec, which has closed the other end before.
		if (poll(fds, 1, 0) == 0)
			sandbox_pass_on(launch->sandbox, program);
	}
}

// End of file without a report: the exec has closed the other end.
static bool report_read(int fd, struct launch_report *ret_report)
{
	ssize_t n;
	do
		n = read(fd, ret_report, sizeof(*ret_report));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*ret_report);
}

int launch_start(struct launch *launch, pid_t *ret_pid, struct err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pipe");
	_cleanup_fd_ int report_fd = ends[0];
	_cleanup_fd_ int child_fd = ends[1];
	launch->report_fd = child_fd;
	launch->parent = getpid();
	// The child never returns, and this process has nothing to do until the program's image is in place, but where it is
	// held. NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
	pid_t pid = sandbox_holds(launch->sandbox) ? fork() : vfork();
	if (pid < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a process");
	if (pid == 0)
		child_run(launch);
	// NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
	fd_close(&child_fd);
	struct launch_report report;
	if (launch->child_fd >= 0)
		report_await(launch, report_fd, pid);
	if (report_read(report_fd, &report)) {
		waitpid(pid, NULL, 0);
		return report_error(launch, &report, err);
	}
	*ret_pid = pid;
	return 0;
}

int launch_here(const struct launch *launch, struct err *err)
{
	struct launch_report report = launch_steps(launch, false);
	// The error is still to be written, perhaps to a pipe without a reader.
	inherited_override();
	return report_error(launch, &report, err);
}
