#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

// In memory that the processes of one start share.
struct shared {
	struct sandbox_record record;
	uint32_t given_up; // bits: what the next try leaves out
	bool is_held;
	int leave_error; // of what was opened for leaving the mount namespace
	int rules_error; // of the ruleset, once rules_fd says that it is filled
};

struct sandbox {
	const struct sandbox_plan *plan;
	enum sandbox_need needs[SANDBOX_MECHANISM_COUNT]; // the plan's, less what was given up
	struct sandbox_record base; // of what was given up, and the shield's
	struct shared *shared;
	struct access_list access;
	struct landlock_ruleset ruleset; // filled by the process that supervises; none where the program's does it by itself
	int rules_fd;                    // readable when it is filled
	struct sock_fprog filter;
	struct mounts *mounts;
	struct leave leave;
	struct relay *relay;
	struct joined space; // the user namespace that sandbox_image_open has made
	int image_error;     // why it has none, where the shield needs one
	pid_t maker;         // of that image, until it is reaped
	struct owner owner; // as it is outside
};

static bool is_wanted(const struct sandbox *sandbox, enum sandbox_mechanism mechanism)
{
	return sandbox->needs[mechanism] != SANDBOX_UNUSED;
}

// -------------------------------------------------------------------------------------------------------- doing without

static void record_missing(struct sandbox_record *record, enum sandbox_mechanism mechanism, int error)
{
	record->applied &= ~sandbox_bit(mechanism);
	record->missing |= sandbox_bit(mechanism);
	record->errors[mechanism] = error;
}

// What is nothing without another one: a plain user has no other namespace without a user namespace.
static uint32_t with_dependents(enum sandbox_mechanism mechanism)
{
	const uint32_t mounting = sandbox_bit(SANDBOX_MOUNTS) | sandbox_bit(SANDBOX_PROC);
	switch ((int)mechanism) {
	case SANDBOX_USER_NAMESPACE:
		return mounting | sandbox_bit(SANDBOX_USER_NAMESPACE) | sandbox_bit(SANDBOX_PID_NAMESPACE) |
		       sandbox_bit(SANDBOX_IPC_NAMESPACE) | sandbox_bit(SANDBOX_NETWORK_NAMESPACE);
	case SANDBOX_PID_NAMESPACE:
		return mounting | sandbox_bit(SANDBOX_PID_NAMESPACE);
	case SANDBOX_PROC:
	case SANDBOX_MOUNTS:
		return mounting;
	default:
		return sandbox_bit(mechanism);
	}
}

static void mechanism_give_up(struct sandbox *sandbox, enum sandbox_mechanism mechanism, int error)
{
	uint32_t bits = with_dependents(mechanism);
	for (enum sandbox_mechanism i = 0; i < SANDBOX_MECHANISM_COUNT; i++) {
		if (!(bits & sandbox_bit(i)) || !is_wanted(sandbox, i))
			continue;
		record_missing(&sandbox->base, i, error);
		sandbox->needs[i] = SANDBOX_UNUSED;
	}
}

// ----------------------------------------------------------------------------------------------------------- beginning

// A helper that the kernel does not let be started is a mechanism that cannot be had.
static int helper_miss(struct sandbox *sandbox, enum sandbox_mechanism mechanism, struct err *err)
{
	int error = err->sys_errno;
	if (err->code != ERR_SYSTEM || (error != ENOSYS && error != EPERM && error != EACCES))
		return err->code;
	struct err cause = *err;
	if (!sandbox->plan->is_degradable)
		return err_set(err, ERR_NO_EXEC, "refused: the sandbox cannot give %s: %s; --degrade runs without it",
			       sandbox_mechanism_name(mechanism), cause.text);
	mechanism_give_up(sandbox, mechanism, error);
	return 0;
}

// What serves one process 1, and no second one.
static int helpers_start(struct sandbox *sandbox, struct err *err)
{
	int r = 0;
	if (is_wanted(sandbox, SANDBOX_MOUNTS) && mounts_prepare(sandbox->plan, &sandbox->mounts, err) < 0)
		r = helper_miss(sandbox, SANDBOX_MOUNTS, err);
	if (r < 0 || !is_wanted(sandbox, SANDBOX_NETWORK_NAMESPACE) || sandbox->plan->network != SANDBOX_NETWORK_ALLOW)
		return r;
	return network_relay_start(sandbox->plan, &sandbox->relay, err) < 0
		       ? helper_miss(sandbox, SANDBOX_NETWORK_NAMESPACE, err)
		       : 0;
}

static void helpers_stop(struct sandbox *sandbox)
{
	network_relay_stop(TAKE_PTR(sandbox->relay));
	mounts_free(TAKE_PTR(sandbox->mounts));
}

static void ruleset_close(struct sandbox *sandbox)
{
	fd_close(&sandbox->ruleset.fd);
	fd_close(&sandbox->rules_fd);
}

static int parts_prepare(struct sandbox *sandbox, struct err *err)
{
	const struct sandbox_plan *plan = sandbox->plan;
	// First, since they work while this goes on.
	int r = helpers_start(sandbox, err);
	if (r == 0 && is_wanted(sandbox, SANDBOX_LANDLOCK))
		r = access_list_build(plan, &sandbox->access, err);
	if (r == 0 && is_wanted(sandbox, SANDBOX_FILTER))
		r = filter_build(FILTER_TIER, &sandbox->filter, err);
	return r;
}

int sandbox_prepare(const struct sandbox_plan *plan, struct sandbox **out, struct err *err)
{
	_cleanup_sandbox_ struct sandbox *sandbox = calloc(1, sizeof(*sandbox));
	if (!sandbox)
		return err_set(err, ERR_MEMORY, "out of memory");
	sandbox->plan = plan;
	sandbox->ruleset = LANDLOCK_RULESET_INIT;
	sandbox->rules_fd = -1;
	sandbox->leave = LEAVE_NONE;
	sandbox->space = (struct joined){.user_fd = -1, .proc_fd = -1};
	sandbox->owner = (struct owner){geteuid(), getegid()};
	memcpy(sandbox->needs, plan->needs, sizeof(sandbox->needs));
	sandbox->shared = mmap(NULL, sizeof(*sandbox->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sandbox->shared == MAP_FAILED)
		return err_set_errno(err, ERR_MEMORY, errno, "cannot share memory with the program's process");
	int r = parts_prepare(sandbox, err);
	if (r < 0)
		return r;
	*out = TAKE_PTR(sandbox);
	return 0;
}

void sandbox_free_ptr(struct sandbox **sandbox)
{
	struct sandbox *old = *sandbox;
	if (!old)
		return;
	helpers_stop(old);
	process_reap(old->maker);
	ruleset_close(old);
	leave_done(&old->leave);
	fd_close(&old->space.user_fd);
	fd_close(&old->space.proc_fd);
	free(old->filter.filter);
	access_list_done(&old->access);
	if (old->shared != MAP_FAILED)
		munmap(old->shared, sizeof(*old->shared));
	free(old);
	*sandbox = NULL;
}

// -------------------------------------------------------------------------------------------- what is there, and what not

bool sandbox_has_init(const struct sandbox *sandbox)
{
	return is_wanted(sandbox, SANDBOX_PID_NAMESPACE);
}

// What stands in the way of what is required; else nothing.
static struct sandbox_failure mechanism_note(struct sandbox *sandbox, enum sandbox_mechanism mechanism, int error)
{
	struct sandbox_record *record = &sandbox->shared->record;
	if (error != 0)
		record_missing(record, mechanism, error);
	else
		record->applied |= sandbox_bit(mechanism);
	bool is_needed = sandbox->needs[mechanism] == SANDBOX_REQUIRED && !sandbox->plan->is_degradable;
	return (struct sandbox_failure){.mechanism = mechanism, .error = is_needed ? error : 0};
}

// Somebody else's doing.
static bool is_meddling(int error)
{
	return error == ESTALE || error == ECHILD;
}

// Of a mechanism that nothing can go on without: another try, without it, may follow. But not one that somebody else chose.
static struct sandbox_failure mechanism_fail(struct sandbox *sandbox, enum sandbox_mechanism mechanism, int error)
{
	record_missing(&sandbox->shared->record, mechanism, error);
	if (!is_meddling(error) && (sandbox->plan->is_degradable || sandbox->needs[mechanism] == SANDBOX_PREFERRED))
		sandbox->shared->given_up |= sandbox_bit(mechanism);
	return (struct sandbox_failure){.mechanism = mechanism, .error = error};
}

int sandbox_without_init(struct sandbox *sandbox, struct err *err)
{
	if (!is_wanted(sandbox, SANDBOX_USER_NAMESPACE) && !sandbox_has_init(sandbox))
		return 0;
	if (!sandbox->plan->is_degradable)
		return err_set(err, ERR_NO_EXEC,
			       "what becomes the program itself has no process 1, which the tier %s needs; use `envseal run`",
			       sandbox_tier_name(sandbox->plan->tier));
	mechanism_give_up(sandbox, SANDBOX_USER_NAMESPACE, 0);
	*sandbox->shared = (struct shared){.record = sandbox->base};
	return 0;
}

bool sandbox_retry(struct sandbox *sandbox)
{
	struct err err; // the one that led here says more
	uint32_t bits = sandbox->shared->given_up;
	for (enum sandbox_mechanism i = 0; i < SANDBOX_MECHANISM_COUNT; i++)
		if (bits & sandbox_bit(i))
			mechanism_give_up(sandbox, i, sandbox->shared->record.errors[i]);
	sandbox->shared->given_up = 0;
	if (bits == 0)
		return false;
	helpers_stop(sandbox);
	return helpers_start(sandbox, &err) == 0;
}

// ----------------------------------------------------------------------------------------------------------- process 1

static int namespaces_enter(const struct sandbox *sandbox, pid_t *ret_pid)
{
	bool is_joined = is_wanted(sandbox, SANDBOX_USER_NAMESPACE) && sandbox->space.user_fd >= 0;
	return is_joined ? namespaces_fork_in(&sandbox->space, sandbox->needs, ret_pid) : namespaces_fork(sandbox->needs, ret_pid);
}

// Both are one domain. A kernel that has Landlock and no scopes gives the first alone.
static bool domain_has_scope(const struct sandbox *sandbox)
{
	return is_wanted(sandbox, SANDBOX_SCOPE) && landlock_abi() >= LANDLOCK_ABI_SCOPE;
}

// Hundreds of files are opened for the rules. This process does so while process 1 is made, which waits for it at last.
// Where anything is in the way the program's process does it by itself, and tells why it could not.
static void ruleset_begin(struct sandbox *sandbox)
{
	ruleset_close(sandbox);
	if (!is_wanted(sandbox, SANDBOX_LANDLOCK) || !sandbox_has_init(sandbox) ||
	    landlock_ruleset_open(true, domain_has_scope(sandbox), &sandbox->ruleset) != 0)
		return;
	sandbox->rules_fd = eventfd(0, EFD_CLOEXEC);
	if (sandbox->rules_fd < 0)
		ruleset_close(sandbox);
}

static void ruleset_fill(struct sandbox *sandbox)
{
	if (sandbox->ruleset.fd < 0)
		return;
	sandbox->shared->rules_error = landlock_rules_add(&sandbox->ruleset, &sandbox->access, LANDLOCK_EARLY);
	eventfd_write(sandbox->rules_fd, 1);
	ruleset_close(sandbox);
}

// Every mount namespace has a /proc.
static bool has_mount_namespace(const struct sandbox *sandbox)
{
	return is_wanted(sandbox, SANDBOX_PROC) || is_wanted(sandbox, SANDBOX_MOUNTS);
}

static void leave_begin(struct sandbox *sandbox)
{
	leave_done(&sandbox->leave);
	sandbox->shared->leave_error = has_mount_namespace(sandbox) ? leave_prepare(&sandbox->leave) : 0;
}

static void maker_reap(struct sandbox *sandbox)
{
	process_reap(sandbox->maker);
	sandbox->maker = 0;
}

int sandbox_fork(struct sandbox *sandbox, pid_t *ret_pid, struct err *err)
{
	for (;;) {
		*sandbox->shared = (struct shared){.record = sandbox->base};
		ruleset_begin(sandbox);
		leave_begin(sandbox);
		int error = namespaces_enter(sandbox, ret_pid);
		if (error == 0 && *ret_pid > 0) {
			leave_done(&sandbox->leave);
			ruleset_fill(sandbox);
			maker_reap(sandbox);
		}
		if (error == 0)
			return 0;
		if (is_meddling(error))
			return sandbox_failure_say(NULL, (struct sandbox_failure){SANDBOX_USER_NAMESPACE, error}, err);
		bool has_namespaces = is_wanted(sandbox, SANDBOX_USER_NAMESPACE) || sandbox_has_init(sandbox);
		if (error == EAGAIN || error == ENOMEM || !has_namespaces)
			return err_set_errno(err, ERR_SYSTEM, error, "cannot make a process");
		enum sandbox_mechanism culprit = namespaces_culprit(sandbox->needs);
		mechanism_fail(sandbox, culprit, error);
		if (!sandbox_retry(sandbox))
			return sandbox_failure_say(NULL, (struct sandbox_failure){culprit, error}, err);
	}
}

static bool maps_are_missing(const struct sandbox *sandbox)
{
	return is_wanted(sandbox, SANDBOX_USER_NAMESPACE) && sandbox->space.user_fd < 0;
}

// With the shield on, after the exec: see "Invariants".
static bool maps_are_late(const struct sandbox *sandbox)
{
	return maps_are_missing(sandbox) && is_wanted(sandbox, SANDBOX_SHIELD);
}

static int maps_make(const struct sandbox *sandbox)
{
	if (!maps_are_missing(sandbox))
		return 0;
	_cleanup_fd_ int proc_fd = sandbox->leave.proc_fd >= 0 ? fcntl(sandbox->leave.proc_fd, F_DUPFD_CLOEXEC, 3)
							      : open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc_fd < 0 ? errno : namespaces_map(proc_fd, sandbox->owner, sandbox->owner);
}

static struct sandbox_failure tree_leave(struct sandbox *sandbox, const char *directory)
{
	enum sandbox_mechanism mechanism = is_wanted(sandbox, SANDBOX_MOUNTS) ? SANDBOX_MOUNTS : SANDBOX_PROC;
	int error = sandbox->shared->leave_error;
	if (error == 0)
		error = mounts_leave(&sandbox->leave, directory);
	return error != 0 ? mechanism_fail(sandbox, mechanism, error) : (struct sandbox_failure){0};
}

static struct sandbox_failure mounts_make(struct sandbox *sandbox, int terminal_fd)
{
	if (!is_wanted(sandbox, SANDBOX_MOUNTS)) {
		int error = is_wanted(sandbox, SANDBOX_PROC) ? mounts_proc() : 0;
		if (error < 0)
			return mechanism_fail(sandbox, SANDBOX_PROC, -error);
		return is_wanted(sandbox, SANDBOX_PROC) ? mechanism_note(sandbox, SANDBOX_PROC, error)
							: (struct sandbox_failure){0};
	}
	int error = mounts_tree(sandbox->plan, sandbox->mounts, terminal_fd);
	// Half a tree is fit for nobody.
	if (error != 0)
		return mechanism_fail(sandbox, SANDBOX_MOUNTS, error);
	mechanism_note(sandbox, SANDBOX_PROC, 0);
	return mechanism_note(sandbox, SANDBOX_MOUNTS, 0);
}

static struct sandbox_failure namespaces_fill(struct sandbox *sandbox, int terminal_fd)
{
	struct sandbox_failure failure = mounts_make(sandbox, terminal_fd);
	// Behind the tree: what it says of hosts is laid on that.
	if (failure.error == 0 && is_wanted(sandbox, SANDBOX_NETWORK_NAMESPACE))
		failure = mechanism_note(sandbox, SANDBOX_NETWORK_NAMESPACE, network_enter(sandbox->plan, sandbox->relay));
	return failure;
}

// Whoever has mapped the user namespace before could look into the program. That the image could not be placed can be his doing,
// so it is no reason to go on without.
static struct sandbox_failure shield_check(struct sandbox *sandbox)
{
	int error = sandbox->image_error;
	if (error == 0 || !is_wanted(sandbox, SANDBOX_USER_NAMESPACE) || !is_wanted(sandbox, SANDBOX_SHIELD))
		return (struct sandbox_failure){0};
	if (sandbox->plan->is_degradable)
		return mechanism_fail(sandbox, SANDBOX_SHIELD, error);
	record_missing(&sandbox->shared->record, SANDBOX_SHIELD, error);
	return (struct sandbox_failure){SANDBOX_SHIELD, error};
}

static struct sandbox_failure settle(struct sandbox *sandbox, int terminal_fd)
{
	struct sandbox_failure failure = shield_check(sandbox);
	bool is_first = sandbox->leave.list_fd >= 0, is_left = has_mount_namespace(sandbox);
	const char *directory = sandbox->plan->directory;
	if (failure.error != 0)
		return failure;
	int error = maps_are_late(sandbox) ? 0 : maps_make(sandbox);
	if (error != 0)
		return mechanism_fail(sandbox, SANDBOX_USER_NAMESPACE, error);
	for (enum sandbox_mechanism i = SANDBOX_USER_NAMESPACE; i <= SANDBOX_IPC_NAMESPACE; i++)
		if (is_wanted(sandbox, i))
			mechanism_note(sandbox, i, 0);
	if (is_left && is_first)
		failure = tree_leave(sandbox, directory);
	if (failure.error == 0)
		failure = namespaces_fill(sandbox, terminal_fd);
	if (failure.error != 0 || !is_left || is_first)
		return failure;
	return tree_leave(sandbox, directory || !is_wanted(sandbox, SANDBOX_MOUNTS) ? directory : "/");
}

struct sandbox_failure sandbox_settle(struct sandbox *sandbox, int terminal_fd)
{
	struct sandbox_failure failure = settle(sandbox, terminal_fd);
	leave_done(&sandbox->leave);
	return failure;
}

void sandbox_pass_on(struct sandbox *sandbox, pid_t program)
{
	if (sandbox->shared->is_held)
		hold_pass_on(program);
}

struct sandbox_failure sandbox_started(struct sandbox *sandbox, pid_t program, const sigset_t *mask)
{
	if (sandbox->shared->is_held && hold_await(program)) {
		int error = maps_make(sandbox);
		if (error != 0)
			return mechanism_fail(sandbox, SANDBOX_USER_NAMESPACE, error);
		hold_release(program, mask);
	}
	return (struct sandbox_failure){0};
}

void sandbox_lower(struct sandbox *sandbox)
{
	if (is_wanted(sandbox, SANDBOX_USER_NAMESPACE))
		limits_capabilities_drop();
}

// ------------------------------------------------------------------------------------------------ the program's process

bool sandbox_holds(const struct sandbox *sandbox)
{
	return maps_are_late(sandbox);
}

struct sandbox_failure sandbox_hold(struct sandbox *sandbox)
{
	if (!maps_are_late(sandbox))
		return (struct sandbox_failure){0};
	int error = hold_ask();
	sandbox->shared->is_held = error == 0;
	if (error != 0)
		return mechanism_fail(sandbox, SANDBOX_SHIELD, error);
	return (struct sandbox_failure){0};
}

bool sandbox_is_held(const struct sandbox *sandbox)
{
	return sandbox->shared->is_held;
}

static int ruleset_enter(struct sandbox *sandbox, const int terminal_fds[3])
{
	eventfd_t count;
	// Ended by the parent-death signal where nobody is left to fill it.
	while (eventfd_read(sandbox->rules_fd, &count) < 0)
		if (errno != EINTR)
			return errno;
	int error = sandbox->shared->rules_error;
	if (error == 0)
		error = landlock_rules_add(&sandbox->ruleset, &sandbox->access, LANDLOCK_LATE);
	return error == 0 ? landlock_ruleset_enter(&sandbox->ruleset, terminal_fds) : error;
}

static struct sandbox_failure domain_enter(struct sandbox *sandbox, const int terminal_fds[3])
{
	bool has_scope = domain_has_scope(sandbox);
	int error = sandbox->ruleset.fd >= 0 ? ruleset_enter(sandbox, terminal_fds)
					     : landlock_enter(&sandbox->access, terminal_fds, has_scope);
	struct sandbox_failure failure = mechanism_note(sandbox, SANDBOX_LANDLOCK, error);
	if (failure.error != 0 || !is_wanted(sandbox, SANDBOX_SCOPE))
		return failure;
	return mechanism_note(sandbox, SANDBOX_SCOPE, error != 0 || has_scope ? error : EOPNOTSUPP);
}

static int limits_enter(enum sandbox_mechanism mechanism)
{
	switch ((int)mechanism) {
	case SANDBOX_NO_CORE:
		return limits_no_core();
	case SANDBOX_PROCESS_LIMIT:
		return limits_processes();
	case SANDBOX_CAPABILITIES:
		return limits_capabilities();
	default:
		return limits_no_new_privs();
	}
}

struct sandbox_failure sandbox_enter(struct sandbox *sandbox, const int terminal_fds[3])
{
	struct sandbox_failure failure = {0};
	for (enum sandbox_mechanism i = SANDBOX_NO_CORE; i <= SANDBOX_NO_NEW_PRIVS && failure.error == 0; i++)
		if (is_wanted(sandbox, i))
			failure = mechanism_note(sandbox, i, limits_enter(i));
	if (failure.error == 0 && is_wanted(sandbox, SANDBOX_LANDLOCK))
		failure = domain_enter(sandbox, terminal_fds);
	// Last: it may forbid what the others need.
	if (failure.error == 0 && is_wanted(sandbox, SANDBOX_FILTER))
		failure = mechanism_note(sandbox, SANDBOX_FILTER, filter_enter(&sandbox->filter));
	return failure;
}

// -------------------------------------------------------------------------------------------------------------- telling

static const char *namespace_advice(int error)
{
	switch (error) {
	case ENOSPC:
	case EUSERS:
		return "the limit in /proc/sys/user is reached, or this runs inside another sandbox; `envseal doctor` says what "
		       "to change, --degrade runs without it";
	case ENOENT:
		return "there is no /proc, which it is set up by; mount one, or use --degrade to run without it";
	case EPERM:
	case EACCES:
		return "this system, or a sandbox around this one, forbids it; `envseal doctor` says what to change, --degrade "
		       "runs without it";
	default:
		return NULL;
	}
}

static const char *failure_advice(struct sandbox_failure failure)
{
	if (is_meddling(failure.error))
		return "somebody else changes it while it is made, which only a process of this user can; find that with `ps -u $USER`, "
		       "end it, and try again";
	switch ((int)failure.mechanism) {
	case SANDBOX_USER_NAMESPACE:
	case SANDBOX_PID_NAMESPACE:
	case SANDBOX_IPC_NAMESPACE:
	case SANDBOX_NETWORK_NAMESPACE:
		return namespace_advice(failure.error);
	case SANDBOX_MOUNTS:
	case SANDBOX_PROC:
		if (failure.error == EPERM || failure.error == EACCES)
			return "mounting is forbidden here, as AppArmor does for user namespaces; `envseal doctor` says what to "
			       "change, --degrade runs without it";
		break;
	case SANDBOX_LANDLOCK:
	case SANDBOX_SCOPE:
		if (failure.error == E2BIG)
			return "this process is inside as many Landlock domains as there may be (16); start envseal outside of "
			       "some, or use --degrade";
		if (failure.error == ENOSYS || failure.error == EOPNOTSUPP)
			return "this kernel does not have it, or has it turned off; `envseal doctor` says what to change, "
			       "--degrade runs without it";
		break;
	case SANDBOX_SHIELD:
		return "its image cannot be laid where no other process of this user can read it; `envseal doctor` says what to change, "
		       "--degrade runs it open to them";
	default:
		break;
	}
	return NULL;
}

int sandbox_failure_say(const char *program, struct sandbox_failure failure, struct err *err)
{
	const char *name = sandbox_mechanism_name(failure.mechanism);
	const char *advice = failure_advice(failure);
	char what[ERR_TEXT_BYTES];
	snprintf(what, sizeof(what), "%s%s: the sandbox cannot give %s", program ? "refused to start " : "refused",
		 program ? program : "", name);
	if (!advice)
		advice = "`envseal doctor` says why, --degrade runs without it";
	return err_set(err, ERR_NO_EXEC, "%s (%s): %s", what, strerror(failure.error), advice);
}

void sandbox_note_shield(struct sandbox *sandbox, bool is_applied)
{
	// Given up for want of a hold.
	if (!is_wanted(sandbox, SANDBOX_SHIELD))
		return;
	if (is_applied) {
		sandbox->base.applied |= sandbox_bit(SANDBOX_SHIELD);
		sandbox->shared->record.applied |= sandbox_bit(SANDBOX_SHIELD);
		return;
	}
	record_missing(&sandbox->shared->record, SANDBOX_SHIELD, 0);
	mechanism_give_up(sandbox, SANDBOX_SHIELD, 0);
}

int sandbox_image_open(struct sandbox *sandbox, int source_fd, const char *name, int *ret_folder_fd, int *ret_file_fd)
{
	struct placed_image image;
	// There the maps are late.
	if (kernel_is_before(6, 3))
		return EINVAL;
	int error = sandbox->image_error = image_open(source_fd, name, &image);
	if (error != 0)
		return error;
	sandbox->access.has_image = true;
	sandbox->access.image_fd = *ret_file_fd = image.file_fd;
	sandbox->space = image.space;
	sandbox->maker = image.maker;
	*ret_folder_fd = image.folder_fd;
	return 0;
}

struct sandbox_record sandbox_record_get(const struct sandbox *sandbox)
{
	return sandbox->shared->record;
}
