// Entering a jail. Namespaces and mounts are made by a child, and joined by this process when all of them stand: what cannot
// be had leaves nothing half made here.
#include "sandbox/jail_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_wanted(const struct jail_plan *plan, enum sandbox_mechanism mechanism)
{
	return plan->sandbox.needs[mechanism] != SANDBOX_UNUSED;
}

// --------------------------------------------------------------------------------------------------- in the child's place

// By a child with this process's memory and descriptors, while this one waits.
#define CHILD_STACK_BYTES 98304
#define KINDS_MAX 4

static const struct {
	enum sandbox_mechanism mechanism;
	int flag;
	const char *path; // relative to /proc
} kinds[KINDS_MAX] = {
	// The first: what joins it has the privilege to join the others.
	{SANDBOX_USER_NAMESPACE, CLONE_NEWUSER, "self/ns/user"},
	{SANDBOX_MOUNTS, CLONE_NEWNS, "self/ns/mnt"},
	{SANDBOX_IPC_NAMESPACE, CLONE_NEWIPC, "self/ns/ipc"},
	{SANDBOX_NETWORK_NAMESPACE, CLONE_NEWNET, "self/ns/net"},
};

struct setting {
	const struct jail_plan *plan;
	struct relay *relay;
	struct owner owner;
	int proc_fd;
	int fds[KINDS_MAX]; // of the namespaces that are wanted; -1
	struct sandbox_failure failure;
};

static struct sandbox_failure namespaces_fill(struct setting *setting)
{
	int error = namespaces_maps_write(setting->proc_fd, "self", setting->owner, setting->owner);
	struct sandbox_failure failure = {SANDBOX_USER_NAMESPACE, error};
	if (failure.error == 0)
		failure = (struct sandbox_failure){SANDBOX_MOUNTS, jail_mounts_make(setting->plan)};
	if (failure.error == 0 && is_wanted(setting->plan, SANDBOX_NETWORK_NAMESPACE))
		failure = (struct sandbox_failure){SANDBOX_NETWORK_NAMESPACE, network_enter(&setting->plan->sandbox, setting->relay)};
	for (size_t i = 0; i < KINDS_MAX && failure.error == 0; i++) {
		if (!is_wanted(setting->plan, kinds[i].mechanism))
			continue;
		setting->fds[i] = openat(setting->proc_fd, kinds[i].path, O_RDONLY | O_CLOEXEC);
		if (setting->fds[i] < 0)
			failure = (struct sandbox_failure){kinds[i].mechanism, errno};
	}
	return failure;
}

static int child_run(void *context)
{
	struct setting *setting = context;
	setting->failure = namespaces_fill(setting);
	return 0;
}

// ------------------------------------------------------------------------------------------------------------- in this one

static void setting_done(struct setting *setting)
{
	fd_close(&setting->proc_fd);
	for (size_t i = 0; i < KINDS_MAX; i++)
		fd_close(&setting->fds[i]);
}

static int child_start(struct setting *setting)
{
	int flags = CLONE_FILES | (int)namespaces_flags(setting->plan->sandbox.needs);
	// Until it says otherwise: others of the same user can end it.
	setting->failure = (struct sandbox_failure){SANDBOX_MOUNTS, ECHILD};
	pid_t child = process_share(child_run, setting, CHILD_STACK_BYTES, flags);
	if (child < 0)
		return errno;
	process_reap(child);
	return 0;
}

// What has begun cannot be left again: ERR_SYSTEM then.
static int namespaces_join(const struct setting *setting, struct sandbox_failure *ret_failure, struct err *err)
{
	*ret_failure = (struct sandbox_failure){0};
	bool has_begun = false;
	for (size_t i = 0; i < KINDS_MAX; i++) {
		if (setting->fds[i] < 0)
			continue;
		if (setns(setting->fds[i], kinds[i].flag) < 0) {
			*ret_failure = (struct sandbox_failure){kinds[i].mechanism, errno};
			return has_begun ? err_set_errno(err, ERR_SYSTEM, errno, "cannot join the jail's namespaces") : 0;
		}
		has_begun = true;
	}
	const char *directory = setting->plan->sandbox.directory;
	return chdir(directory) == 0 ? 0 : err_set_errno(err, ERR_SYSTEM, errno, "cannot go to %s in the jail", directory);
}

// *ret_failure: nothing has changed for this process.
static int namespaces_make(struct setting *setting, struct sandbox_failure *ret_failure, struct err *err)
{
	const enum sandbox_need *needs = setting->plan->sandbox.needs;
	setting->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (setting->proc_fd < 0) {
		*ret_failure = (struct sandbox_failure){SANDBOX_USER_NAMESPACE, errno};
		return 0;
	}
	// What is closed has files in /proc that are root's.
	int was_dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	int error = child_start(setting);
	prctl(PR_SET_DUMPABLE, was_dumpable, 0, 0, 0);
	*ret_failure = error != 0 ? (struct sandbox_failure){namespaces_culprit(needs), error} : setting->failure;
	return ret_failure->error == 0 ? namespaces_join(setting, ret_failure, err) : 0;
}

static void namespaces_note(const struct jail_plan *plan, int error, struct sandbox_record *record)
{
	for (size_t i = 0; i < KINDS_MAX; i++) {
		enum sandbox_mechanism mechanism = kinds[i].mechanism;
		if (!is_wanted(plan, mechanism))
			continue;
		*(error == 0 ? &record->applied : &record->missing) |= sandbox_bit(mechanism);
		record->errors[mechanism] = error;
	}
}

// A refusal, or a note that it is missing.
static int failure_take(const struct jail_plan *plan, struct sandbox_failure failure, struct sandbox_record *record, struct err *err)
{
	bool is_required = plan->sandbox.needs[failure.mechanism] == SANDBOX_REQUIRED && !plan->sandbox.is_degradable;
	if (failure.error == 0)
		record->applied |= sandbox_bit(failure.mechanism);
	else if (is_required)
		return sandbox_failure_say("the agent", failure, err);
	else
		record->missing |= sandbox_bit(failure.mechanism);
	record->errors[failure.mechanism] = failure.error;
	return 0;
}

// What else cannot be had shows when it is entered, and then nothing can be recorded any more. So a child enters first. Where
// that fails as a whole, the agent's start will, with the sentence.
static int enter_try(const struct jail_plan *plan, struct sandbox_record *record, struct err *err)
{
	struct sandbox_record *tried = mmap(NULL, sizeof(*tried), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tried == MAP_FAILED)
		return err_set_errno(err, ERR_MEMORY, errno, "cannot share memory with a process that tries the jail");
	*tried = *record;
	pid_t pid = fork();
	if (pid == 0)
		_exit(jail_enter(plan, tried, err) < 0);
	process_reap(pid);
	record->missing |= tried->missing;
	for (int i = 0; i < SANDBOX_MECHANISM_COUNT; i++)
		record->errors[i] = tried->errors[i];
	munmap(tried, sizeof(*tried));
	return 0;
}

// Of what is open from before, a file is what it was opened for; a folder would show what is covered in it.
static int streams_check(struct err *err)
{
	struct stat st;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
			return err_set(err, ERR_USAGE, "descriptor %d is a folder, in which the agent would see what is hidden; give it a file, "
						       "or /dev/null", fd);
	return 0;
}

int jail_settle(const struct jail_plan *plan, struct sandbox_record *record, struct err *err)
{
	_cleanup_(setting_done) struct setting setting = {
		.plan = plan, .owner = {geteuid(), getegid()}, .proc_fd = -1, .fds = {-1, -1, -1, -1}};
	*record = (struct sandbox_record){0};
	if (!plan->sandbox.directory)
		return err_set(err, ERR_SYSTEM, "the working directory cannot be named; go to one that exists");
	int r = streams_check(err);
	// Ends with this process, whatever that becomes.
	if (r == 0 && plan->sandbox.network == SANDBOX_NETWORK_ALLOW)
		r = network_relay_start(&plan->sandbox, &setting.relay, err);
	if (r < 0)
		return r;
	struct sandbox_failure failure;
	r = namespaces_make(&setting, &failure, err);
	namespaces_note(plan, failure.error, record);
	if (r == 0 && failure.error != 0)
		r = failure_take(plan, failure, record, err);
	// Told here, where it can be recorded still.
	int abi = landlock_abi();
	if (r == 0 && abi == 0)
		r = failure_take(plan, (struct sandbox_failure){SANDBOX_LANDLOCK, ENOSYS}, record, err);
	if (r == 0 && abi < LANDLOCK_ABI_SCOPE)
		r = failure_take(plan, (struct sandbox_failure){SANDBOX_SCOPE, abi == 0 ? ENOSYS : EOPNOTSUPP}, record, err);
	return r == 0 && plan->sandbox.is_degradable ? enter_try(plan, record, err) : r;
}

// ---------------------------------------------------------------------------------------------------------------- the rest

// A plain user outside of a user namespace has none, and no_new_privs keeps it so.
static int capabilities_drop(const struct sandbox_record *record)
{
	if (geteuid() == 0 || (record->applied & sandbox_bit(SANDBOX_USER_NAMESPACE)))
		return limits_capabilities();
	limits_capabilities_drop();
	return 0;
}

static bool has_mounts(const struct sandbox_record *record)
{
	return record->applied & sandbox_bit(SANDBOX_MOUNTS);
}

// Where new files must be possible.
static bool is_in_project(const struct jail_plan *plan, const char *path)
{
	static const char *const shared[] = {"/tmp", "/var/tmp", "/dev/shm"};
	for (size_t i = 0; i < ARRAY_COUNT(shared); i++)
		if (path_is_below(path, shared[i]))
			return true;
	return path_is_below(path, plan->sandbox.directory);
}

bool jail_still_open(const struct jail_plan *plan, const struct sandbox_record *record, const char *path)
{
	bool is_under_mount = has_mounts(record) && (text_list_has(&plan->masked, path) || text_list_has(&plan->covered, path));
	bool is_closed = record->missing & sandbox_bit(SANDBOX_LANDLOCK) ? is_under_mount
								    : has_mounts(record) || !text_list_has(&plan->masked, path) ||
									      !is_in_project(plan, path);
	return !is_closed && access(path, R_OK) == 0;
}

// What Landlock is to hide: not what a mount covers, nor what it could hide only by closing the project to new files.
static bool is_landlocks(const struct jail_plan *plan, const struct sandbox_record *record, const char *path)
{
	return !text_list_has(&plan->masked, path) || (!has_mounts(record) && !is_in_project(plan, path));
}

static int access_fill(const struct jail_plan *plan, const struct sandbox_record *record, struct access_list *out, struct err *err)
{
	struct sandbox_plan sandbox = plan->sandbox;
	_cleanup_free_ char **hidden = calloc(sandbox.hidden.count + 1, sizeof(*hidden));
	if (!hidden)
		return err_set(err, ERR_MEMORY, "out of memory");
	sandbox.hidden = (struct text_list){.items = hidden};
	for (size_t i = 0; i < plan->sandbox.hidden.count; i++)
		if (is_landlocks(plan, record, plan->sandbox.hidden.items[i]))
			hidden[sandbox.hidden.count++] = plan->sandbox.hidden.items[i];
	int r = access_list_build(&sandbox, out, err);
	if (r == 0)
		r = access_list_add(out, plan->broker, ACCESS_CONNECT, err);
	// Of terminals of its own; the machine's are not there.
	if (r == 0 && has_mounts(record))
		r = access_list_add(out, "/dev/pts", ACCESS_DEVICE | ACCESS_LIST, err);
	return r == 0 && has_mounts(record) ? access_list_add(out, "/dev/ptmx", ACCESS_DEVICE, err) : r;
}

// Both are one domain.
static int domain_enter(const struct jail_plan *plan, struct sandbox_record *record, struct err *err)
{
	_cleanup_access_list_ struct access_list list = {0};
	int terminals[3];
	bool has_scope = !(record->missing & sandbox_bit(SANDBOX_SCOPE));
	int r = access_fill(plan, record, &list, err);
	if (r < 0)
		return r;
	for (int i = 0; i < 3; i++)
		terminals[i] = isatty(i) ? i : -1;
	int error = landlock_enter(&list, terminals, has_scope);
	r = failure_take(plan, (struct sandbox_failure){SANDBOX_LANDLOCK, error}, record, err);
	return r == 0 && has_scope ? failure_take(plan, (struct sandbox_failure){SANDBOX_SCOPE, error}, record, err) : r;
}

static int filter_apply(const struct jail_plan *plan, struct sandbox_record *record, struct err *err)
{
	struct sock_fprog filter = {0};
	int r = filter_build(FILTER_JAIL, &filter, err);
	if (r < 0)
		return r;
	struct sandbox_failure failure = {SANDBOX_FILTER, filter_enter(&filter)};
	free(filter.filter);
	return failure_take(plan, failure, record, err);
}

int jail_enter(const struct jail_plan *plan, struct sandbox_record *record, struct err *err)
{
	// A folder that is open from before would show what is covered.
	fd_close_range(STDERR_FILENO + 1, INT_MAX);
	int r = failure_take(plan, (struct sandbox_failure){SANDBOX_CAPABILITIES, capabilities_drop(record)}, record, err);
	if (r == 0)
		r = failure_take(plan, (struct sandbox_failure){SANDBOX_NO_NEW_PRIVS, limits_no_new_privs()}, record, err);
	if (r == 0 && !(record->missing & sandbox_bit(SANDBOX_LANDLOCK)))
		r = domain_enter(plan, record, err);
	return r == 0 ? filter_apply(plan, record, err) : r;
}

bool jail_drops_variable(const char *entry)
{
	static const char *const names[] = {
		"ALACRITTY_SOCKET", "CONTAINER_HOST", "DBUS_SESSION_BUS_ADDRESS", "DBUS_STARTER_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS",
		"DISPLAY", "DOCKER_HOST", "EMACS_SOCKET_NAME", "GNOME_KEYRING_CONTROL", "GPG_AGENT_INFO", "HYPRLAND_INSTANCE_SIGNATURE",
		"I3SOCK", "KITTY_LISTEN_ON", "NVIM", "NVIM_LISTEN_ADDRESS", "PIPEWIRE_REMOTE", "PULSE_SERVER", "SESSION_MANAGER",
		"SSH_AGENT_PID", "SSH_AUTH_SOCK", "STY", "SWAYSOCK", "TMUX", "TMUX_PANE", "VSCODE_GIT_IPC_HANDLE",
		"VSCODE_IPC_HOOK_CLI", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "WEZTERM_UNIX_SOCKET", "XAUTHORITY", "ZELLIJ",
	};
	size_t len = strcspn(entry, "=");
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (strlen(names[i]) == len && strncmp(names[i], entry, len) == 0)
			return true;
	return false;
}
