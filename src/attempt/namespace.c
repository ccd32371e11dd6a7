#include "attempt/attempt_internal.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct attempt_result try_unshare(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)scene;
	return result_of(unshare(attempt->number));
}

static struct attempt_result child_gone(long child)
{
	if (child == 0)
		_exit(0);
	struct attempt_result result = result_of(child);
	if (child > 0)
		waitpid((pid_t)child, NULL, 0);
	return result;
}

// clone(2) without a stack of its own is a fork into namespaces.
struct attempt_result try_clone(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)scene;
	return child_gone(syscall(SYS_clone, (unsigned)attempt->number | SIGCHLD, NULL, NULL, NULL, NULL));
}

// A filter cannot look into what clone3 points to, and answers that there is none: a refusal on every kernel that has
// Landlock (5.13), which has clone3 too.
struct attempt_result try_clone3(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)scene;
	struct clone_args args = {.flags = (unsigned)attempt->number, .exit_signal = SIGCHLD};
	long child = syscall(SYS_clone3, &args, sizeof(args));
	return child < 0 ? result_refused(errno) : child_gone(child);
}

struct attempt_result try_mount(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	return result_of(mount("none", "/mnt", "tmpfs", 0, NULL));
}

struct attempt_result try_mount_new(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	return result_of_fd((int)syscall(SYS_fsopen, "tmpfs", 1U /* FSOPEN_CLOEXEC */));
}

struct attempt_result try_chroot(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	return result_of(chroot("/"));
}
