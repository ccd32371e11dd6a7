// What can be had of namespaces and mounts, by trying: unshare(2) may well be let through where nothing can be mounted
// afterwards (AppArmor). Each try is a process that ends at once, and with it what it made.
#include "guard/guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOUNTS_BYTES_MAX (1u << 20)

static int mount_memory(void)
{
	return mount("tmpfs", "/", "tmpfs", 0, NULL) < 0 ? errno : 0;
}

static int mount_proc(void)
{
	return mount("proc", "/proc", "proc", 0, NULL) < 0 ? errno : 0;
}

// One kind of try. The user namespace goes without saying.
struct trial {
	int namespaces; // CLONE_NEW…
	int (*act)(void); // 0 or errno; NULL: nothing more
};

// A PID namespace begins with the next process.
static int trial_act(const struct trial *trial)
{
	if (unshare(CLONE_NEWUSER | trial->namespaces) < 0)
		return errno;
	if ((trial->namespaces & CLONE_NEWNS) && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return errno;
	if (trial->namespaces & CLONE_NEWPID) {
		pid_t pid = fork();
		if (pid < 0)
			return errno;
		if (pid > 0) {
			waitpid(pid, NULL, 0);
			_exit(0);
		}
	}
	return trial->act ? trial->act() : 0;
}

// 0, or the errno of the step that failed. The answer comes by a pipe: where SIGCHLD is ignored, there is no status.
static int trial_run(const struct trial *trial)
{
	int ends[2], error = EPERM;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	_cleanup_fd_ int answer = ends[0], said = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return errno;
	if (pid == 0) {
		error = trial_act(trial);
		_exit(write(said, &error, sizeof(error)) == sizeof(error) ? 0 : 1);
	}
	fd_close(&said);
	ssize_t len = 0;
	while ((len = read(answer, &error, sizeof(error))) < 0 && errno == EINTR)
		;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	// Who said nothing was killed by what stands around us.
	return len == sizeof(error) ? error : EPERM;
}

struct cause {
	const char *why;
	const char *remedy;
};

// Why a try failed, as far as a setting tells it.
static struct cause cause_find(const struct guard_source *source, int error)
{
	long long max = 1, restricted = 0, clone = 1;
	guard_read_number(source->proc, "sys/user/max_user_namespaces", &max);
	guard_read_number(source->proc, "sys/kernel/apparmor_restrict_unprivileged_userns", &restricted);
	guard_read_number(source->proc, "sys/kernel/unprivileged_userns_clone", &clone);
	if (error == EINVAL || error == ENOSYS)
		return (struct cause){"the kernel has none", "use a kernel that has CONFIG_USER_NS, and the other namespaces"};
	if (max == 0)
		return (struct cause){"user.max_user_namespaces is 0", "sysctl user.max_user_namespaces=15000"};
	if (clone == 0)
		return (struct cause){"kernel.unprivileged_userns_clone is 0", "sysctl kernel.unprivileged_userns_clone=1"};
	if (restricted != 0)
		return (struct cause){"AppArmor restricts them", "load envseal's AppArmor profile: see envseal-doctor(1)"};
	return (struct cause){strerrordesc_np(error), "look for the container, jail or filter around this that forbids it"};
}

static void check_user_namespaces(const struct guard_source *source, struct finding *finding)
{
	int error = trial_run(&(struct trial){CLONE_NEWPID | CLONE_NEWIPC, NULL});
	struct cause cause = cause_find(source, error);
	if (error == 0)
		finding_set(finding, FINDING_OK, "", "ordinary users can make user, PID and IPC namespaces");
	else
		finding_set(finding, FINDING_NOTE, cause.remedy,
			    "ordinary users cannot make user, PID and IPC namespaces (%s): the tiers hardened and lockdown "
			    "are refused here", cause.why);
}

static void check_network_namespaces(const struct guard_source *source, struct finding *finding)
{
	int error = trial_run(&(struct trial){CLONE_NEWNET, NULL});
	struct cause cause = cause_find(source, error);
	if (error == 0)
		finding_set(finding, FINDING_OK, "", "a program can have a network of its own");
	else
		finding_set(finding, FINDING_NOTE, cause.remedy,
			    "a program cannot have a network of its own (%s): the tier lockdown is refused here, and so is "
			    "--net", cause.why);
}

static void check_mounts(const struct guard_source *source, struct finding *finding)
{
	int error = trial_run(&(struct trial){CLONE_NEWNS, mount_memory});
	struct cause cause = cause_find(source, error);
	if (error == 0)
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
	int error = trial_run(&(struct trial){CLONE_NEWNS | CLONE_NEWPID, mount_proc});
	struct cause cause = cause_find(source, error);
	if (error == EPERM && proc_is_masked(source))
		cause = (struct cause){"parts of this one are covered",
				       "start the container without masks (docker: --security-opt systempaths=unconfined)"};
	if (error == 0)
		finding_set(finding, FINDING_OK, "", "a program can have a /proc of its own");
	else
		finding_set(finding, FINDING_NOTE, cause.remedy,
			    "a program cannot have a /proc of its own (%s): the tier lockdown is refused here, and in hardened "
			    "ps shows processes that are not there", cause.why);
}

const struct guard_check guard_namespace_checks[] = {
	{"user-namespaces", "kernel", FINDING_NOTE, check_user_namespaces},
	{"network-namespaces", "kernel", FINDING_NOTE, check_network_namespaces},
	{"mounts", "kernel", FINDING_NOTE, check_mounts},
	{"proc-mount", "kernel", FINDING_NOTE, check_proc_mount},
};
const size_t guard_namespace_check_count = ARRAY_COUNT(guard_namespace_checks);
