// Programs under the tiers with a process 1 of their own. Degradable, so that a kernel that lacks one mechanism still
// shows what process 1 does.
#include "exec_screen.h"

#define NAMESPACES                                                                                                       \
	(1u << SANDBOX_USER_NAMESPACE | 1u << SANDBOX_PID_NAMESPACE | 1u << SANDBOX_IPC_NAMESPACE)

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

static struct scene scene_hardened(const char *const *argv)
{
	static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
	return (struct scene){.argv = argv, .environment = environment, .sandbox = &hardened, .is_undumpable = true};
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

// --------------------------------------------------------------------------------------------------------- its identity

static void test_it_is_in_namespaces_of_its_own(void **state)
{
	(void)state;
	skip_without_namespaces();
	const struct scene scene = scene_hardened(SH("id -u; id -g; echo $$; echo $PPID; exit 7"));
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	char want[64];
	snprintf(want, sizeof(want), "%u\n%u\n2\n1\n", geteuid(), getegid());
	assert_status(ending, 7);
	assert_int_equal(ending.report.outcome.sandbox.applied & NAMESPACES, NAMESPACES);
	assert_string_equal(buf_text(&ending.out), want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(test_it_is_in_namespaces_of_its_own),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
