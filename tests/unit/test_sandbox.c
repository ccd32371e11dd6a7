// What the standard tier really leaves in the process that enters it, and what it says when the kernel refuses.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/sandbox.h"

#define CORE_LIMIT_UNSEEN 12345

static struct sandbox_plan plan_standard(void)
{
	struct sandbox_plan plan;
	struct err err;
	assert_int_equal(sandbox_plan_build(&(struct sandbox_wish){0}, &(struct sandbox_place){.directory = "/"}, &plan, &err), 0);
	return plan;
}

// What a child found in itself.
struct view {
	int answer; // of sandbox_enter
	int failed; // its *ret_failed, or SANDBOX_MECHANISM_COUNT
	int no_new_privs;
	struct rlimit core;
};

static void view_fill(struct view *view, const struct sandbox_plan *plan)
{
	struct sandbox *sandbox = NULL;
	struct err err;
	if (sandbox_prepare(plan, &sandbox, &err) < 0)
		_exit(3);
	struct sandbox_failure failure = sandbox_enter(sandbox, (const int[3]){-1, -1, -1});
	view->answer = failure.error;
	view->failed = failure.error ? (int)failure.mechanism : SANDBOX_MECHANISM_COUNT;
	sandbox_free_ptr(&sandbox);
	view->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	getrlimit(RLIMIT_CORE, &view->core);
}

// Enters the plan in a child, which `prepare` is called in before.
static struct view enter_in_child(const struct sandbox_plan *plan, int (*prepare)(void))
{
	struct view view = {.core = {CORE_LIMIT_UNSEEN, CORE_LIMIT_UNSEEN}};
	int ends[2], status = -1;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prepare && prepare() < 0)
			_exit(1);
		view_fill(&view, plan);
		_exit(write(ends[1], &view, sizeof(view)) == sizeof(view) ? 0 : 2);
	}
	close(ends[1]);
	ssize_t len = read(ends[0], &view, sizeof(view));
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(len, sizeof(view));
	return view;
}

// Whether a hard limit can be raised here; root in a container may lack it. Asked of the kernel, in a child.
static bool has_resource_right(void)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0) {
		bool raised = setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0 &&
			      setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1}) == 0;
		_exit(raised ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int core_soft_zero(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_CORE, &limit) < 0)
		return -1;
	limit.rlim_cur = 0;
	return setrlimit(RLIMIT_CORE, &limit);
}

static int core_hard_zero(void)
{
	return setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

// From here on the kernel answers EPERM to changes of limits and lets everything else through.
static int limits_refuse(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setrlimit, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 3),
		// getrlimit(2) of the C library is prlimit64 without a new limit.
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static void test_standard_requires_what_every_kernel_has(void **state)
{
	(void)state;
	_cleanup_sandbox_plan_ struct sandbox_plan plan = plan_standard();
	assert_int_equal(plan.tier, SANDBOX_STANDARD);
	for (int i = 0; i < SANDBOX_MECHANISM_COUNT; i++)
		assert_int_equal(plan.needs[i] == SANDBOX_REQUIRED, i == SANDBOX_NO_CORE || i == SANDBOX_NO_NEW_PRIVS);
}

static void test_names_are_distinct(void **state)
{
	(void)state;
	assert_string_equal(sandbox_mechanism_name(SANDBOX_NO_NEW_PRIVS), "no-new-privs");
	assert_string_equal(sandbox_mechanism_name(SANDBOX_NO_CORE), "no-core");
	for (int i = 0; i < SANDBOX_MECHANISM_COUNT; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(sandbox_mechanism_name((enum sandbox_mechanism)i),
						sandbox_mechanism_name((enum sandbox_mechanism)j));
}

static void test_standard_applies(void **state)
{
	(void)state;
	_cleanup_sandbox_plan_ struct sandbox_plan plan = plan_standard();
	struct rlimit before;
	assert_int_equal(getrlimit(RLIMIT_CORE, &before), 0);
	struct view view = enter_in_child(&plan, NULL);
	assert_int_equal(view.answer, 0);
	assert_int_equal(view.failed, SANDBOX_MECHANISM_COUNT);
	assert_int_equal(view.no_new_privs, 1);
	assert_true(view.core.rlim_cur == view.core.rlim_max);
	assert_int_equal(view.core.rlim_max, before.rlim_max == 0 && !has_resource_right() ? 0 : 1);
}

// A soft limit of 0, as shells set it, still feeds a piped core_pattern.
static void test_a_soft_limit_of_zero_becomes_one(void **state)
{
	(void)state;
	_cleanup_sandbox_plan_ struct sandbox_plan plan = plan_standard();
	struct rlimit before;
	assert_int_equal(getrlimit(RLIMIT_CORE, &before), 0);
	if (before.rlim_max == 0 && !has_resource_right())
		skip();
	struct view view = enter_in_child(&plan, core_soft_zero);
	assert_int_equal(view.answer, 0);
	assert_int_equal(view.core.rlim_cur, 1);
	assert_int_equal(view.core.rlim_max, 1);
}

// Raised where that is allowed; where it is not, 0 is what there is, and no failure.
static void test_a_hard_limit_of_zero(void **state)
{
	(void)state;
	_cleanup_sandbox_plan_ struct sandbox_plan plan = plan_standard();
	struct view view = enter_in_child(&plan, core_hard_zero);
	assert_int_equal(view.answer, 0);
	assert_true(view.core.rlim_cur == view.core.rlim_max);
	assert_int_equal(view.core.rlim_max, has_resource_right() ? 1 : 0);
}

static void test_twice_is_as_once(void **state)
{
	(void)state;
	_cleanup_sandbox_plan_ struct sandbox_plan plan = plan_standard();
	struct view first = {0}, second = {0};
	int status = -1, ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		view_fill(&first, &plan);
		view_fill(&second, &plan);
		_exit(first.answer == 0 && second.answer == 0 && second.no_new_privs == 1 &&
				      second.core.rlim_max == first.core.rlim_max
			      ? 0
			      : 1);
	}
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_what_is_not_required_is_not_entered(void **state)
{
	(void)state;
	struct rlimit before;
	assert_int_equal(getrlimit(RLIMIT_CORE, &before), 0);
	int before_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	struct view view = enter_in_child(&(struct sandbox_plan){0}, NULL);
	assert_int_equal(view.answer, 0);
	assert_int_equal(view.no_new_privs, before_privs);
	assert_memory_equal(&view.core, &before, sizeof(before));
}

static void test_a_refused_mechanism_is_named(void **state)
{
	(void)state;
	_cleanup_sandbox_plan_ struct sandbox_plan plan = plan_standard();
	struct view view = enter_in_child(&plan, limits_refuse);
	assert_int_equal(view.answer, EPERM);
	assert_int_equal(view.failed, SANDBOX_NO_CORE);
	assert_int_equal(view.no_new_privs, 1);
	plan.needs[SANDBOX_NO_CORE] = SANDBOX_UNUSED;
	view = enter_in_child(&plan, limits_refuse);
	assert_int_equal(view.answer, 0);
	assert_int_equal(view.failed, SANDBOX_MECHANISM_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_standard_requires_what_every_kernel_has),
		cmocka_unit_test(test_names_are_distinct),
		cmocka_unit_test(test_standard_applies),
		cmocka_unit_test(test_a_soft_limit_of_zero_becomes_one),
		cmocka_unit_test(test_a_hard_limit_of_zero),
		cmocka_unit_test(test_twice_is_as_once),
		cmocka_unit_test(test_what_is_not_required_is_not_entered),
		cmocka_unit_test(test_a_refused_mechanism_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
