// What can be had of namespaces and mounts, by trying: a namespace may well be given where nothing can be mounted in it
// afterwards (AppArmor). Tried is what the sandbox does, call by call, so that what is missing has a name.
#include "guard/guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define MOUNTS_BYTES_MAX (1u << 20)

// ----------------------------------------------------------------------------------------------------------------- tries

static struct trial_answer private_try(void)
{
	struct mount_attr attributes = {.propagation = MS_PRIVATE};
	return trial_step("mount_setattr", mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof(attributes)));
}

// A mount that lies nowhere is laid on a place.
static struct trial_answer lay_try(int fd, const char *path)
{
	return trial_step("move_mount", move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH));
}

static struct trial_answer clone_try(int *ret_fd)
{
	*ret_fd = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	return trial_step("open_tree", *ret_fd);
}

static struct trial_answer memory_try(void)
{
	return trial_step("mount", mount("tmpfs", "/", "tmpfs", 0, NULL));
}

static struct trial_answer mounts_try(void)
{
	_cleanup_fd_ int tree = -1;
	struct trial_answer answer = private_try();
	if (answer.error == 0)
		answer = clone_try(&tree);
	if (answer.error == 0)
		answer = lay_try(tree, "/");
	return answer.error == 0 ? memory_try() : answer;
}

static struct trial_answer proc_open_try(int *ret_fd)
{
	_cleanup_fd_ int context = fsopen("proc", FSOPEN_CLOEXEC);
	struct trial_answer answer = trial_step("fsopen", context);
	if (answer.error == 0)
		answer = trial_step("fsconfig", fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	if (answer.error != 0)
		return answer;
	*ret_fd = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return trial_step("fsmount", *ret_fd);
}

// And the namespace's tree is left for a copy of it.
static struct trial_answer proc_try(void)
{
	_cleanup_fd_ int proc = -1, tree = -1;
	struct trial_answer answer = proc_open_try(&proc);
	if (answer.error == 0)
		answer = lay_try(proc, "/proc");
	if (answer.error == 0)
		answer = clone_try(&tree);
	if (answer.error == 0)
		answer = trial_step("fchdir", fchdir(tree));
	return answer.error == 0 ? trial_step("chroot", chroot(".")) : answer;
}

static struct trial_answer helper_try(void)
{
	struct trial_answer answer = trial_step("unshare", unshare(CLONE_NEWUSER));
	if (answer.error == 0)
		answer = trial_step("unshare", unshare(CLONE_NEWNS));
	return answer.error == 0 ? memory_try() : answer;
}

static struct trial_answer join_try(void)
{
	_cleanup_fd_ int fd = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC);
	struct trial_answer answer = trial_step("open", fd);
	return answer.error == 0 ? trial_step("setns", setns(fd, CLONE_NEWIPC)) : answer;
}

// ---------------------------------------------------------------------------------------------------------------- checks

static const struct row {
	const char *id;
	int namespaces; // CLONE_NEW..., which the try is in
	struct trial_answer (*act)(void); // NULL: nothing more
	const char *given;
	const char *missing, *so; // around the cause
} rows[] = {
	{"user-namespaces", CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC, NULL,
	 "ordinary users can make user, PID and IPC namespaces",
	 "ordinary users cannot make user, PID and IPC namespaces", "the tiers hardened and lockdown are refused here"},
	{"network-namespaces", CLONE_NEWUSER | CLONE_NEWNET, NULL, "a program can have a network of its own",
	 "a program cannot have a network of its own", "the tier lockdown is refused here, and so is --net"},
	{"mounts", CLONE_NEWUSER | CLONE_NEWNS, mounts_try, "ordinary users can mount in namespaces of their own",
	 "nothing can be mounted in a namespace of one's own",
	 "the tier lockdown is refused here, and in a jail single files of a folder cannot be hidden"},
	{"proc-mount", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, proc_try, "a program can have a /proc of its own",
	 "a program cannot have a /proc of its own",
	 "the tier lockdown is refused here, and in hardened ps shows processes that are not there"},
	{"helper-namespaces", 0, helper_try,
	 "a process can go over to namespaces of its own, as the one that makes lockdown's folders does",
	 "no process can go over to namespaces of its own", "the tier lockdown is refused here, and so is --net allow"},
	{"namespace-join", CLONE_NEWUSER | CLONE_NEWIPC, join_try, "a process can join namespaces that another one has made",
	 "no process can join namespaces that another one has made",
	 "the tiers hardened and lockdown are refused here, and a jail is without mounts"},
};

// In containers parts of /proc are covered, and then the kernel mounts no other one that would show them.
static bool proc_is_masked(const struct guard_source *source, struct trial_answer answer)
{
	_cleanup_buf_ struct buf mounts = BUF_INIT(MOUNTS_BYTES_MAX);
	return answer.error == EPERM && strcmp(answer.call, "fsmount") == 0 && guard_read(source->proc, "self/mountinfo", &mounts) &&
	       strstr(buf_text(&mounts), " /proc/") != NULL;
}

static void check_row(const struct guard_source *source, struct finding *finding)
{
	const struct row *row = rows;
	while (strcmp(row->id, finding->id) != 0)
		row++;
	struct trial_answer answer = trial_run(row->namespaces, row->act);
	struct trial_cause cause = trial_cause_find(source, answer);
	if (answer.error == 0)
		finding_set(finding, FINDING_OK, "", "%s", row->given);
	else if (row->act == proc_try && proc_is_masked(source, answer))
		finding_set(finding, FINDING_NOTE, "start the container without masks (docker: --security-opt systempaths=unconfined)",
			    "%s (parts of this one are covered): %s", row->missing, row->so);
	else
		finding_set(finding, FINDING_NOTE, cause.remedy, "%s (%s): %s", row->missing, cause.why, row->so);
}

const struct guard_check guard_namespace_checks[] = {
	{"user-namespaces", "kernel", FINDING_NOTE, check_row},
	{"network-namespaces", "kernel", FINDING_NOTE, check_row},
	{"mounts", "kernel", FINDING_NOTE, check_row},
	{"proc-mount", "kernel", FINDING_NOTE, check_row},
	{"helper-namespaces", "kernel", FINDING_NOTE, check_row},
	{"namespace-join", "kernel", FINDING_NOTE, check_row},
};
const size_t guard_namespace_check_count = ARRAY_COUNT(guard_namespace_checks);
