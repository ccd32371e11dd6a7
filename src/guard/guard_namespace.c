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

static void check_user_namespaces(const struct guard_source *source, struct finding *finding)
{
	struct trial_answer answer = trial_run(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC, NULL);
	struct trial_cause cause = trial_cause_find(source, answer);
	if (answer.error == 0)
		finding_set(finding, FINDING_OK, "", "ordinary users can make user, PID and IPC namespaces");
	else
		finding_set(finding, FINDING_NOTE, cause.remedy,
			    "ordinary users cannot make user, PID and IPC namespaces (%s): the tiers hardened and lockdown "
			    "are refused here", cause.why);
}

static void check_network_namespaces(const struct guard_source *source, struct finding *finding)
{
	struct trial_answer answer = trial_run(CLONE_NEWUSER | CLONE_NEWNET, NULL);
	struct trial_cause cause = trial_cause_find(source, answer);
	if (answer.error == 0)
		finding_set(finding, FINDING_OK, "", "a program can have a network of its own");
	else
		finding_set(finding, FINDING_NOTE, cause.remedy,
			    "a program cannot have a network of its own (%s): the tier lockdown is refused here, and so is "
			    "--net", cause.why);
}

static void check_mounts(const struct guard_source *source, struct finding *finding)
{
	struct trial_answer answer = trial_run(CLONE_NEWUSER | CLONE_NEWNS, mounts_try);
	struct trial_cause cause = trial_cause_find(source, answer);
	if (answer.error == 0)
		finding_set(finding, FINDING_OK, "", "ordinary users can mount in namespaces of their own");
	else
		finding_set(finding, FINDING_NOTE, cause.remedy,
			    "nothing can be mounted in a namespace of one's own (%s): the tier lockdown is refused here, and "
			    "in a jail single files of a folder cannot be hidden", cause.why);
}

// In containers parts of /proc are covered, and then the kernel mounts no other one that would show them.
static bool proc_is_masked(const struct guard_source *source)
{
	_cleanup_buf_ struct buf mounts = BUF_INIT(MOUNTS_BYTES_MAX);
	return guard_read(source->proc, "self/mountinfo", &mounts) && strstr(buf_text(&mounts), " /proc/") != NULL;
}

static void check_proc_mount(const struct guard_source *source, struct finding *finding)
{
	struct trial_answer answer = trial_run(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, proc_try);
	struct trial_cause cause = trial_cause_find(source, answer);
	bool is_masked = answer.error == EPERM && strcmp(answer.call, "fsmount") == 0 && proc_is_masked(source);
	if (answer.error == 0)
		finding_set(finding, FINDING_OK, "", "a program can have a /proc of its own");
	else
		finding_set(finding, FINDING_NOTE,
			    is_masked ? "start the container without masks (docker: --security-opt systempaths=unconfined)" : cause.remedy,
			    "a program cannot have a /proc of its own (%s): the tier lockdown is refused here, and in hardened "
			    "ps shows processes that are not there", is_masked ? "parts of this one are covered" : cause.why);
}

static void check_helper_namespaces(const struct guard_source *source, struct finding *finding)
{
	struct trial_answer answer = trial_run(0, helper_try);
	struct trial_cause cause = trial_cause_find(source, answer);
	if (answer.error == 0)
		finding_set(finding, FINDING_OK, "", "a process can go over to namespaces of its own, as the one that makes lockdown's "
						     "folders does");
	else
		finding_set(finding, FINDING_NOTE, cause.remedy,
			    "no process can go over to namespaces of its own (%s): the tier lockdown is refused here, and so is "
			    "--net allow", cause.why);
}

static void check_namespace_join(const struct guard_source *source, struct finding *finding)
{
	struct trial_answer answer = trial_run(CLONE_NEWUSER | CLONE_NEWIPC, join_try);
	struct trial_cause cause = trial_cause_find(source, answer);
	if (answer.error == 0)
		finding_set(finding, FINDING_OK, "", "a process can join namespaces that another one has made");
	else
		finding_set(finding, FINDING_NOTE, cause.remedy,
			    "no process can join namespaces that another one has made (%s): the tiers hardened and lockdown are refused "
			    "here, and a jail is without mounts", cause.why);
}

const struct guard_check guard_namespace_checks[] = {
	{"user-namespaces", "kernel", FINDING_NOTE, check_user_namespaces},
	{"network-namespaces", "kernel", FINDING_NOTE, check_network_namespaces},
	{"mounts", "kernel", FINDING_NOTE, check_mounts},
	{"proc-mount", "kernel", FINDING_NOTE, check_proc_mount},
	{"helper-namespaces", "kernel", FINDING_NOTE, check_helper_namespaces},
	{"namespace-join", "kernel", FINDING_NOTE, check_namespace_join},
};
const size_t guard_namespace_check_count = ARRAY_COUNT(guard_namespace_checks);
