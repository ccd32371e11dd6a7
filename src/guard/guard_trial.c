#include "guard/guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES 65536

struct trial {
	int namespaces;
	struct trial_answer (*act)(void);
	int said_fd;
	uint8_t *stack;
};

struct trial_answer trial_step(const char *call, long result)
{
	return result < 0 ? (struct trial_answer){errno, call} : (struct trial_answer){0};
}

static int answer_say(int fd, struct trial_answer answer)
{
	return write(fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) ? 0 : 1;
}

static int act_run(void *context)
{
	const struct trial *trial = context;
	signal(SIGCHLD, SIG_DFL);
	return answer_say(trial->said_fd, trial->act ? trial->act() : (struct trial_answer){0});
}

// By clone(2), as the sandbox makes them: a filter may let that through and not unshare(2), or the other way round.
static int trial_begin(struct trial *trial)
{
	signal(SIGCHLD, SIG_DFL);
	if (trial->namespaces == 0)
		return act_run(trial);
	pid_t pid = clone(act_run, trial->stack + STACK_BYTES, trial->namespaces | SIGCHLD, trial);
	if (pid < 0)
		return answer_say(trial->said_fd, trial_step("clone", pid));
	waitpid(pid, NULL, 0);
	return 0;
}

// The answer comes by a pipe: where SIGCHLD is ignored, there is no status.
struct trial_answer trial_run(int namespaces, struct trial_answer (*act)(void))
{
	// Who says nothing was killed by what stands around us.
	struct trial_answer answer = {0}, killed = {EPERM, namespaces ? "clone" : "a system call"};
	_cleanup_free_ uint8_t *stack = malloc(STACK_BYTES);
	int ends[2];
	if (!stack || pipe2(ends, O_CLOEXEC) < 0)
		return (struct trial_answer){stack ? errno : ENOMEM, "pipe2"};
	_cleanup_fd_ int heard = ends[0], said = ends[1];
	struct trial trial = {.namespaces = namespaces, .act = act, .said_fd = said, .stack = stack};
	pid_t pid = fork();
	if (pid < 0)
		return trial_step("fork", pid);
	if (pid == 0)
		_exit(trial_begin(&trial));
	fd_close(&said);
	ssize_t len = 0;
	while ((len = read(heard, &answer, sizeof(answer))) < 0 && errno == EINTR)
		;
	process_reap(pid);
	return len == (ssize_t)sizeof(answer) ? answer : killed;
}

static bool is_namespace_call(const char *call)
{
	return strcmp(call, "clone") == 0 || strcmp(call, "unshare") == 0;
}

static void cause_set(struct trial_cause *cause, const char *remedy, const char *why)
{
	snprintf(cause->why, sizeof(cause->why), "%s", why);
	snprintf(cause->remedy, sizeof(cause->remedy), "%s", remedy);
}

// What a setting of the machine says of namespaces that cannot be had; false: nothing.
static bool cause_of_setting(const struct guard_source *source, int error, struct trial_cause *cause)
{
	long long max = 1, clone = 1;
	guard_read_number(source->proc, "sys/user/max_user_namespaces", &max);
	guard_read_number(source->proc, "sys/kernel/unprivileged_userns_clone", &clone);
	if (error == EINVAL || error == ENOSYS)
		cause_set(cause, "use a kernel that has CONFIG_USER_NS, and the other namespaces", "the kernel has none");
	else if (max == 0)
		cause_set(cause, "sysctl user.max_user_namespaces=15000", "user.max_user_namespaces is 0");
	else if (clone == 0)
		cause_set(cause, "sysctl kernel.unprivileged_userns_clone=1", "kernel.unprivileged_userns_clone is 0");
	return cause->why[0] != 0;
}

struct trial_cause trial_cause_find(const struct guard_source *source, struct trial_answer answer)
{
	struct trial_cause cause = {0};
	long long restricted = 0;
	if (answer.error == 0 || (is_namespace_call(answer.call) && cause_of_setting(source, answer.error, &cause)))
		return cause;
	guard_read_number(source->proc, "sys/kernel/apparmor_restrict_unprivileged_userns", &restricted);
	if (answer.error == ENOSYS) {
		snprintf(cause.why, sizeof(cause.why), "there is no %s(2)", answer.call);
		snprintf(cause.remedy, sizeof(cause.remedy), "use a kernel from 5.12 on, and let %s(2) through the container or "
							     "filter around this", answer.call);
	} else if (restricted != 0 && (answer.error == EPERM || answer.error == EACCES)) {
		cause_set(&cause, "load envseal's AppArmor profile: see envseal-doctor(1)", "AppArmor restricts them");
	} else {
		cause_set(&cause, "look for the container, jail or filter around this that forbids it", "");
		snprintf(cause.why, sizeof(cause.why), "%s: %s", answer.call, strerrordesc_np(answer.error));
	}
	return cause;
}
