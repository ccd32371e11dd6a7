#include "exec/exec_internal.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static void replacement_done(struct program_argv *argv)
{
	program_argv_done(argv);
}

int exec_replace(const struct exec_plan *plan, struct err *err)
{
	_cleanup_(delivery_done) struct delivery delivery = DELIVERY_INIT;
	_cleanup_(replacement_done) struct program_argv argv = {.script_fd = -1};
	_cleanup_(program_image_done) struct program_image image = PROGRAM_IMAGE_INIT;
	_cleanup_sandbox_ struct sandbox *sandbox = NULL;
	int r = delivery_prepare(plan, &delivery, err);
	if (r == 0)
		r = program_argv_build(plan->program, plan->argv, &argv, err);
	if (r == 0)
		r = sandbox_prepare(plan->sandbox, &sandbox, err);
	if (r == 0)
		r = sandbox_without_init(sandbox, err);
	if (r < 0)
		return r;
	image = launch_image(plan, sandbox);
	const struct launch launch = {
		.plan = plan,
		.delivery = &delivery,
		.argv = &argv,
		.image = &image,
		.sandbox = sandbox,
		.std_fds = {delivery.stdin_fd, -1, -1},
		.child_fd = -1,
		.report_fd = -1,
	};
	return launch_here(&launch, err);
}

int exec_become(const char *path, char *const argv[], char *const environment[], const struct exec_inherited *inherited)
{
	for (int fd = 0; fd <= 2; fd++)
		if (inherited->std_closed[fd])
			close(fd);
	inherited_restore(inherited);
	execve(path, argv, environment);
	int error = errno;
	inherited_override();
	return error;
}

_Noreturn void exec_end_like(const struct exec_outcome *outcome)
{
	if (outcome->signal != 0) {
		sigset_t one;
		sigemptyset(&one);
		sigaddset(&one, outcome->signal);
		signal(outcome->signal, SIG_DFL);
		kill(getpid(), outcome->signal);
		sigprocmask(SIG_UNBLOCK, &one, NULL);
	}
	// Still here: an ordinary end, or a signal that does not end this process (init of a container, for one).
	_exit(outcome->status);
}
