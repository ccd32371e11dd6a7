// Programs under the tiers with a process 1 of their own. Degradable, so that a kernel that lacks one mechanism still
// shows what process 1 does. The helper is as undumpable as envseal is.
#include "exec_caller.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define BIT(mechanism) (1u << (mechanism))
#define NAMESPACES (BIT(SANDBOX_USER_NAMESPACE) | BIT(SANDBOX_PID_NAMESPACE) | BIT(SANDBOX_IPC_NAMESPACE))

static struct sandbox_plan plan_of(enum sandbox_tier tier)
{
	struct sandbox_plan plan;
	struct err err;
	const struct sandbox_wish wish = {.tier = tier, .is_degradable = true};
	static const char *const own[] = {NULL};
	assert_int_equal(sandbox_plan_build(&wish, &(struct sandbox_place){.directory = "/", .own = own}, &plan, &err), 0);
	return plan;
}

static struct sandbox_plan hardened;

static int group_setup(void **state)
{
	(void)state;
	hardened = plan_of(SANDBOX_HARDENED);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	sandbox_plan_done(&hardened);
	return 0;
}

static struct scene hardened_scene(const char *const *argv)
{
	static const char *const environment[] = {"PATH=/usr/bin:/bin", "TOKEN=correct-horse-battery", NULL};
	return (struct scene){.argv = argv, .environment = environment, .sandbox = &hardened, .is_undumpable = true};
}

static struct scene hardened_on(const struct screen *screen, const char *const *argv)
{
	struct scene scene = scene_on(screen, argv);
	scene.sandbox = &hardened;
	scene.is_undumpable = true;
	return scene;
}

static void skip_without_namespaces(void)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status == 0)
		return;
	print_message("no user namespaces here\n");
	skip();
}

// A child of that process, by the /proc that the test has.
static pid_t child_of(pid_t parent)
{
	char path[64];
	char text[32] = {0};
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	while (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		sched_yield();
	close(fd);
	return (pid_t)strtol(text, NULL, 10);
}

// ------------------------------------------------------------------------------------------------------------- identity

static void test_it_is_in_namespaces_of_its_own(void **state)
{
	(void)state;
	skip_without_namespaces();
	const struct scene scene = hardened_scene(SH("id -u; id -g; echo $$; echo $PPID; exit 7"));
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	char want[64];
	snprintf(want, sizeof(want), "%u\n%u\n2\n1\n", geteuid(), getegid());
	assert_status(ending, 7);
	assert_int_equal(ending.report.outcome.sandbox.applied & NAMESPACES, NAMESPACES);
	assert_string_equal(buf_text(&ending.out), want);
}

// Traced for a moment, and nothing is left of it: neither a tracer, nor a waiting or unblocked signal.
static void test_nothing_is_left_of_the_hold(void **state)
{
	(void)state;
	skip_without_namespaces();
	struct scene scene = hardened_scene(STRINGS("/bin/grep", "-E", "^(TracerPid|SigPnd|ShdPnd|SigBlk|CapPrm|CapBnd|CapEff)",
						    "/proc/self/status"));
	scene.blocked = SIGTRAP;
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), "TracerPid:\t0\n"
						   "SigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n"
						   "SigBlk:\t0000000000000010\nCapPrm:\t0000000000000000\n"
						   "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n");
}

static void test_processes_are_limited(void **state)
{
	(void)state;
	const struct scene scene = hardened_scene(SH("ulimit -p"));
	struct rlimit limit;
	char want[32];
	assert_int_equal(getrlimit(RLIMIT_NPROC, &limit), 0);
	snprintf(want, sizeof(want), "%llu\n",
		 (unsigned long long)(limit.rlim_cur < SANDBOX_PROCESSES_MAX ? limit.rlim_cur : SANDBOX_PROCESSES_MAX));
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), want);
}

static void test_closed_descriptors_stay_closed(void **state)
{
	(void)state;
	struct scene scene = hardened_scene(SH("for fd in 0 1 2; do test -e /proc/self/fd/$fd && exit 9; done; exit 3"));
	scene.closed[0] = scene.closed[1] = scene.closed[2] = true;
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 3);
}

static void test_a_program_that_cannot_start(void **state)
{
	(void)state;
	char path[] = "/tmp/envseal-not-a-program-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "#!/nonexistent/interpreter\n", 27), 27);
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	const struct scene scene = hardened_scene(STRINGS(path));
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	unlink(path);
	assert_true(ending.has_report);
	assert_true(ending.report.code < 0);
	assert_int_equal(ending.out.len, 0);
}

// ---------------------------------------------------------------------------------------------------------------- signals

static void test_each_signal_ends_both(void **state)
{
	(void)state;
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
	for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
		const struct scene scene = hardened_scene(SH("echo ready; exec sleep 1000"));
		struct actor actor = scene_start(&scene);
		actor_expect(&actor, 1, "ready\n");
		kill(actor.pid, signals[i]);
		_cleanup_ending_ struct ending ending = actor_end(&actor);
		assert_true(WIFSIGNALED(ending.wait_status));
		assert_int_equal(WTERMSIG(ending.wait_status), signals[i]);
		assert_int_equal(ending.report.outcome.status, 128 + signals[i]);
	}
}

// Sent to envseal, and sent to process 1: each arrives, and once.
static void test_a_signal_arrives_once(void **state)
{
	(void)state;
	skip_without_namespaces();
	const struct scene scene = hardened_scene(SH("trap 'echo got' USR1; trap 'echo end; exit 7' TERM; echo ready\n"
						     "while :; do sleep 1000 >/dev/null 2>&1 & wait $!; done"));
	struct actor actor = scene_start(&scene);
	actor_expect(&actor, 1, "ready\n");
	pid_t init = child_of(actor.pid);
	for (int i = 0; i < 3; i++) {
		kill(actor.pid, SIGUSR1);
		actor_expect(&actor, 1, "got\n");
		kill(init, SIGUSR1);
		actor_expect(&actor, 1, "got\n");
	}
	kill(init, SIGTERM);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 7);
	assert_string_equal(buf_text(&ending.out), "end\n");
}

static void test_process_1_hears_nothing_from_inside(void **state)
{
	(void)state;
	skip_without_namespaces();
	const struct scene scene = hardened_scene(SH("trap 'echo got' USR1; for n in USR1 TERM KILL STOP; do kill -$n 1; done; exit 5"));
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 5);
	assert_int_equal(ending.out.len, 0);
}

static void test_program_stops_itself(void **state)
{
	(void)state;
	assert_stops_with_its_program(hardened_scene(NULL));
}

static void test_terminal_stop(void **state)
{
	(void)state;
	const struct scene scene = hardened_scene(SH("trap 'echo continued' CONT; echo ready; until read line; do :; done; echo $line"));
	struct actor actor = scene_start(&scene);
	actor_expect(&actor, 1, "ready\n");
	for (int i = 0; i < 3; i++) {
		kill(actor.pid, SIGTSTP);
		actor_await_stop(&actor, SIGTSTP);
		kill(actor.pid, SIGCONT);
		actor_expect(&actor, 1, "continued\n");
	}
	actor_say(&actor, "done\n");
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), "done\n");
}

// ------------------------------------------------------------------------------------------------------------ process 1

// Grandchildren whose parent has ended are gone, and not zombies, while the program runs.
static void test_orphans_are_reaped(void **state)
{
	(void)state;
	skip_without_namespaces();
	const struct scene scene = hardened_scene(SH("for i in 1 2 3; do (true & true); done; echo ready; read line; exit 4"));
	struct actor actor = scene_start(&scene);
	actor_expect(&actor, 1, "ready\n");
	pid_t init = child_of(actor.pid);
	char path[64];
	char text[128];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", init, init);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t count;
	do {
		ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
		text[len > 0 ? len : 0] = 0;
		count = 0;
		for (const char *at = text; (at = strchr(at, ' ')); at++)
			count++;
	} while (count != 1);
	close(fd);
	actor_say(&actor, "\n");
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 4);
}

// The read end of a pipe tells the end of everybody who has its other end.
static void test_nobody_outlives_the_program(void **state)
{
	(void)state;
	skip_without_namespaces();
	int ends[2];
	char byte;
	assert_int_equal(pipe2(ends, 0), 0);
	struct scene scene = hardened_scene(SH("setsid sh -c 'setsid sleep 1000 >/dev/null 2>&1 & exit' & wait; exit 3"));
	scene.std_fds[2] = ends[1];
	struct actor actor = scene_start(&scene);
	close(ends[1]);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	assert_status(ending, 3);
	while (waitpid(-1, NULL, 0) > 0)
		;
	assert_int_equal(errno, ECHILD);
}

static void test_a_killed_supervisor_takes_all_along(void **state)
{
	(void)state;
	skip_without_namespaces();
	const struct scene scene = hardened_scene(SH("(setsid sleep 1000 &) ; trap '' TERM HUP; echo ready; exec sleep 1000"));
	struct actor actor = scene_start(&scene);
	actor_expect(&actor, 1, "ready\n");
	kill(actor.pid, SIGKILL);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_true(WIFSIGNALED(ending.wait_status));
	// Process 1 comes to the test when its parent is gone, and has ended only when all in there have.
	assert_nobody_left();
}

static void test_a_stopped_process_1_keeps_nobody(void **state)
{
	(void)state;
	skip_without_namespaces();
	const struct scene scene = hardened_scene(SH("echo ready; exec sleep 1000"));
	struct actor actor = scene_start(&scene);
	actor_expect(&actor, 1, "ready\n");
	pid_t init = child_of(actor.pid);
	kill(init, SIGSTOP);
	process_await_state(init, 'T');
	kill(actor.pid, SIGKILL);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_true(WIFSIGNALED(ending.wait_status));
	assert_nobody_left();
}

static void test_process_1_killed_is_the_program_killed(void **state)
{
	(void)state;
	skip_without_namespaces();
	const struct scene scene = hardened_scene(SH("echo ready; exec sleep 1000"));
	struct actor actor = scene_start(&scene);
	actor_expect(&actor, 1, "ready\n");
	kill(child_of(actor.pid), SIGKILL);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_int_equal(ending.report.outcome.status, 128 + SIGKILL);
	assert_true(WIFSIGNALED(ending.wait_status));
	assert_nobody_left();
}

// ------------------------------------------------------------------------------------------------------------- a terminal

static void test_on_a_terminal(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = hardened_on(&screen, SH("test -t 0 && test -t 1 && test -t 2 || exit 1\n"
							   "stty size </dev/tty; exit 7"));
	_cleanup_ending_ struct ending ending = screen_run(&screen, &scene);
	assert_status(ending, 7);
	assert_string_equal(buf_text(&screen.seen), "31 97\r\n");
	assert_restored(&screen);
}

static void test_a_typed_interrupt(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = hardened_on(&screen, SH("trap 'echo INTERRUPTED; exit 5' INT; echo ready; while :; do sleep 1; done"));
	struct actor actor = scene_start(&scene);
	screen_await(&screen, "ready");
	screen_type(&screen, "\003");
	_cleanup_ending_ struct ending ending = screen_end(&screen, &actor);
	assert_status(ending, 5);
	assert_non_null(strstr(buf_text(&screen.seen), "INTERRUPTED"));
	assert_restored(&screen);
}

static void test_a_killed_supervisor_and_the_terminal(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = hardened_on(&screen, SH("echo ready; exec sleep 1000"));
	struct actor actor = scene_start(&scene);
	screen_await(&screen, "ready");
	while (!screen_is_raw(&screen))
		sched_yield();
	kill(actor.pid, SIGKILL);
	_cleanup_ending_ struct ending ending = screen_end(&screen, &actor);
	assert_true(WIFSIGNALED(ending.wait_status));
	assert_nobody_left();
}

// ---------------------------------------------------------------------------------------------------- refused, or without

static void test_what_becomes_the_program_is_refused(void **state)
{
	(void)state;
	struct sandbox_plan plan = hardened;
	struct scene scene = hardened_scene(SH("echo here"));
	plan.is_degradable = false;
	scene.sandbox = &plan;
	scene.is_replaced = true;
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_refused(&ending, ERR_NO_EXEC);
	assert_non_null(strstr(ending.report.text, "use `envseal run`"));
}

// From here on the kernel answers `error` to `call` where the low half of its first argument has the bit (0: always).
static void call_refuse(int call, uint32_t bit, unsigned error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bit, 0, bit == 0 ? 0 : 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_COUNT(filter), .filter = filter};
	scene_require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	scene_require(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
}

static void refuse_user_namespaces(void)
{
	call_refuse(SYS_clone, CLONE_NEWUSER, EPERM);
}

static void exhaust_user_namespaces(void)
{
	call_refuse(SYS_clone, CLONE_NEWUSER, ENOSPC);
}

static void refuse_ipc_namespaces(void)
{
	call_refuse(SYS_clone, CLONE_NEWIPC, ENOSPC);
}

static void refuse_ptrace(void)
{
	call_refuse(SYS_ptrace, 0, EPERM);
}

static void refuse_memory_files(void)
{
	call_refuse(SYS_memfd_create, 0, EACCES);
}

static void test_refused_without_namespaces(void **state)
{
	(void)state;
	static void (*const ways[])(void) = {refuse_user_namespaces, exhaust_user_namespaces, refuse_ipc_namespaces};
	static const char *const names[] = {"user-namespace", "user-namespace", "ipc-namespace"};
	struct sandbox_plan plan = hardened;
	plan.is_degradable = false;
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		struct scene scene = hardened_scene(SH("echo here"));
		scene.sandbox = &plan;
		scene.prepare = ways[i];
		_cleanup_ending_ struct ending ending = scene_run(&scene);
		assert_refused(&ending, ERR_NO_EXEC);
		assert_non_null(strstr(ending.report.text, names[i]));
		assert_non_null(strstr(ending.report.text, "--degrade"));
	}
}

static void test_without_user_namespaces(void **state)
{
	(void)state;
	struct scene scene = hardened_scene(SH("echo here; exit 3"));
	scene.prepare = refuse_user_namespaces;
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 3);
	assert_string_equal(buf_text(&ending.out), "here\n");
	const struct sandbox_record *record = &ending.report.outcome.sandbox;
	assert_int_equal(record->applied & NAMESPACES, 0);
	assert_int_equal(record->missing & NAMESPACES, NAMESPACES);
	assert_int_equal(record->errors[SANDBOX_USER_NAMESPACE], EPERM);
}

static void test_without_one_of_them(void **state)
{
	(void)state;
	skip_without_namespaces();
	struct scene scene = hardened_scene(SH("echo $$; exit 3"));
	scene.prepare = refuse_ipc_namespaces;
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 3);
	assert_string_equal(buf_text(&ending.out), "2\n");
	assert_int_equal(ending.report.outcome.sandbox.missing & NAMESPACES, BIT(SANDBOX_IPC_NAMESPACE));
	assert_int_equal(ending.report.outcome.sandbox.errors[SANDBOX_IPC_NAMESPACE], ENOSPC);
}

// The program has been executed when that is found out, and has run no instruction.
static void test_maps_that_cannot_be_written(void **state)
{
	(void)state;
	skip_without_namespaces();
	struct sandbox_plan plan = hardened;
	struct scene scene = hardened_scene(SH("echo here; exit 3"));
	scene.prepare = refuse_memory_files;
	_cleanup_ending_ struct ending without = scene_run(&scene);
	assert_status(without, 3);
	assert_int_equal(without.report.outcome.sandbox.missing & NAMESPACES, NAMESPACES);
	for (size_t i = SANDBOX_MOUNTS; i < SANDBOX_SHIELD; i++)
		if (plan.needs[i] == SANDBOX_REQUIRED && (without.report.outcome.sandbox.missing & BIT(i)))
			plan.needs[i] = SANDBOX_PREFERRED;
	plan.is_degradable = false;
	scene.sandbox = &plan;
	_cleanup_ending_ struct ending refused = scene_run(&scene);
	assert_refused(&refused, ERR_NO_EXEC);
	assert_non_null(strstr(refused.report.text, "user-namespace"));
}

static void text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	scene_require(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void end_with(pid_t pid)
{
	int status;
	for (int fd = 0; fd < 256; fd++)
		close(fd);
	waitpid(pid, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
}

static void enter_user_namespace(int more)
{
	char user[32];
	char group[32];
	snprintf(user, sizeof(user), "%u %u 1", geteuid(), geteuid());
	snprintf(group, sizeof(group), "%u %u 1", getegid(), getegid());
	scene_require(unshare(CLONE_NEWUSER | more) == 0);
	text_write("/proc/self/uid_map", user);
	text_write("/proc/self/setgroups", "deny");
	text_write("/proc/self/gid_map", group);
}

// As in a container, with the /proc of outside: the helper is process 1 there.
static void enter_outer_namespaces(void)
{
	enter_user_namespace(CLONE_NEWPID);
	pid_t pid = fork();
	if (pid != 0)
		end_with(pid);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

// Which has no mount for an image that no map knows.
static void be_linux_6_2(void)
{
	char path[] = "/tmp/envseal-release-XXXXXX";
	enter_user_namespace(CLONE_NEWNS);
	int fd = mkstemp(path);
	scene_require(fd >= 0 && write(fd, "6.2.0\n", 6) == 6);
	scene_require(mount(path, "/proc/sys/kernel/osrelease", NULL, MS_BIND, NULL) == 0);
	close(fd);
	unlink(path);
}

static void be_linux_6_2_without_ptrace(void)
{
	be_linux_6_2();
	refuse_ptrace();
}

// Maps that are written late need ptrace: without it they are written early, the program has its user from the start, and the
// shield alone is missing. An image that no map knows needs neither.
static void test_how_the_shield_is_kept_in_a_namespace(void **state)
{
	(void)state;
	skip_without_namespaces();
	static const struct {
		void (*prepare)(void);
		enum sandbox_tier tier;
		int error;
	} rows[] = {
		{NULL, SANDBOX_HARDENED, 0},
		{refuse_ptrace, SANDBOX_HARDENED, 0},
		{refuse_ptrace, SANDBOX_LOCKDOWN, 0},
		{be_linux_6_2, SANDBOX_HARDENED, 0},
		{be_linux_6_2_without_ptrace, SANDBOX_HARDENED, EPERM},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		_cleanup_sandbox_plan_ struct sandbox_plan plan = plan_of(rows[i].tier);
		struct scene scene = hardened_scene(SH("id -u; exit 3"));
		scene.prepare = rows[i].prepare;
		scene.sandbox = &plan;
		_cleanup_ending_ struct ending ending = scene_run(&scene);
		char want[32];
		snprintf(want, sizeof(want), "%u\n", geteuid());
		assert_status(ending, 3);
		assert_string_equal(buf_text(&ending.out), want);
		const struct sandbox_record *record = &ending.report.outcome.sandbox;
		assert_int_equal(record->applied & NAMESPACES, NAMESPACES);
		assert_int_equal(record->missing & BIT(SANDBOX_SHIELD), rows[i].error == 0 ? 0 : BIT(SANDBOX_SHIELD));
		assert_int_equal(record->errors[SANDBOX_SHIELD], rows[i].error);
	}
}

static void test_in_a_nested_namespace(void **state)
{
	(void)state;
	skip_without_namespaces();
	struct scene scene = hardened_scene(SH("test $PPID = 1 || exit 4; (setsid sleep 1000 >/dev/null 2>&1 &); exit 5"));
	scene.prepare = enter_outer_namespaces;
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 5);
	assert_int_equal(ending.report.outcome.sandbox.applied & NAMESPACES, NAMESPACES);
}

// For a caller in another process, on its terminal.
static void test_for_another_process(void **state)
{
	(void)state;
	struct client client;
	_cleanup_screen_ struct screen screen = screen_open();
	client_start(&client, screen.terminal);
	struct scene scene = hardened_on(&screen, SH("echo ready; exec sleep 1000"));
	scene.leads_terminal = false;
	struct actor worker = client_scene(&client, &scene);
	screen_await(&screen, "ready");
	screen_type(&screen, "\032");
	client_await_stop(&client, SIGTSTP);
	client_continue(&client, 'f');
	kill(client.pid, SIGTERM);
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	assert_true(WIFSIGNALED(ending.wait_status));
	assert_int_equal(WTERMSIG(ending.wait_status), SIGTERM);
	client_end(&client, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(test_it_is_in_namespaces_of_its_own),
		scene_test(test_nothing_is_left_of_the_hold),
		scene_test(test_processes_are_limited),
		scene_test(test_closed_descriptors_stay_closed),
		scene_test(test_a_program_that_cannot_start),
		scene_test(test_each_signal_ends_both),
		scene_test(test_a_signal_arrives_once),
		scene_test(test_process_1_hears_nothing_from_inside),
		scene_test(test_program_stops_itself),
		scene_test(test_terminal_stop),
		scene_test(test_orphans_are_reaped),
		scene_test(test_nobody_outlives_the_program),
		scene_test(test_a_killed_supervisor_takes_all_along),
		scene_test(test_a_stopped_process_1_keeps_nobody),
		scene_test(test_process_1_killed_is_the_program_killed),
		scene_test(test_on_a_terminal),
		scene_test(test_a_typed_interrupt),
		scene_test(test_a_killed_supervisor_and_the_terminal),
		scene_test(test_what_becomes_the_program_is_refused),
		scene_test(test_refused_without_namespaces),
		scene_test(test_without_user_namespaces),
		scene_test(test_without_one_of_them),
		scene_test(test_how_the_shield_is_kept_in_a_namespace),
		scene_test(test_maps_that_cannot_be_written),
		scene_test(test_in_a_nested_namespace),
		scene_test(test_for_another_process),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
