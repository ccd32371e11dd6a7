// The plan of a jail: what Landlock hides, what a mount covers, what is the agent's own.
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>

#include <cmocka.h>

#include "sandbox_scene.h"

struct jail_test {
	struct sandbox_scene scene;
	char home[PATH_MAX / 2 + 64], work[PATH_MAX], own[PATH_MAX];
	struct jail_plan plan;
	struct err err;
};

static int setup(void **state)
{
	struct jail_test *test = calloc(1, sizeof(*test));
	scene_init(&test->scene);
	const char *const made[] = {"home/.ssh/id", "home/.cache/keepassxc/x", "home/.codex/auth.json", "home/.claude/auth.json", "home/.env",
				    "home/work/.env", "home/work/app/.env.local", "home/work/.env.example", "home/work/node_modules/a/.env",
				    "home/work/.git/hooks/", "home/own/vault.db", "home/work/venv/.env/bin/python"};
	for (size_t i = 0; i < ARRAY_COUNT(made); i++)
		scene_make(&test->scene, made[i]);
	snprintf(test->home, sizeof(test->home), "%s/home", test->scene.base);
	snprintf(test->work, sizeof(test->work), "%s/work", test->home);
	snprintf(test->own, sizeof(test->own), "%s/own", test->home);
	*state = test;
	return 0;
}

static int teardown(void **state)
{
	struct jail_test *test = *state;
	jail_plan_done(&test->plan);
	scene_done(&test->scene);
	free(test);
	return 0;
}

static int plan_make(struct jail_test *test, const struct jail_wish *wish)
{
	const char *own[] = {test->own, NULL};
	const struct jail_place place = {.place = {.home = test->home, .directory = test->work, .own = own}, .broker = "/nowhere"};
	return jail_plan_build(wish, &place, &test->plan, &test->err);
}

static bool has(struct jail_test *test, const struct text_list *list, const char *name)
{
	return text_list_has(list, scene_path(&test->scene, name));
}

static void test_what_is_hidden_and_what_is_covered(void **state)
{
	struct jail_test *test = *state;
	assert_int_equal(plan_make(test, &(struct jail_wish){.agent = "sh"}), 0);
	const struct jail_plan *plan = &test->plan;
	assert_string_equal(plan->profile, "shell");
	const char *const closed[] = {"home/.ssh", "home/.codex", "home/.claude", "home/.env", "home/own"};
	for (size_t i = 0; i < ARRAY_COUNT(closed); i++) {
		assert_true(has(test, &plan->sandbox.hidden, closed[i]));
		assert_true(has(test, &plan->masked, closed[i]) == false || strncmp(test->scene.base, "/tmp/", 5) == 0);
	}
	const char *const covered[] = {"home/work/.env", "home/work/app/.env.local"};
	for (size_t i = 0; i < ARRAY_COUNT(covered); i++)
		assert_true(has(test, &plan->masked, covered[i]));
	const char *const open[] = {"home/work/.env.example", "home/work/node_modules/a/.env", "home/work/venv/.env"};
	for (size_t i = 0; i < ARRAY_COUNT(open); i++)
		assert_false(has(test, &plan->sandbox.hidden, open[i]));
	assert_false(has(test, &plan->masked, "home/own"));
	assert_true(has(test, &plan->read_only, "home/work/.git/hooks"));
	assert_true(has(test, &plan->sandbox.writable, "home/work"));
	assert_false(has(test, &plan->sandbox.writable, "home"));
	assert_false(plan->is_cut);
}

static void test_caches(void **state)
{
	struct jail_test *test = *state;
	const char *const made[] = {"home/.cache/mypy/x", "home/.cache/p10k-me/x", "home/.cache/starship/x", "home/.cache/file"};
	for (size_t i = 0; i < ARRAY_COUNT(made); i++)
		scene_make(&test->scene, made[i]);
	const struct text_list *writable = &test->plan.sandbox.writable;
	assert_int_equal(plan_make(test, &(struct jail_wish){0}), 0);
	assert_true(has(test, writable, "home/.cache/mypy"));
	const char *const closed[] = {"home/.cache", "home/.cache/p10k-me", "home/.cache/starship", "home/.cache/file",
				      "home/.cache/keepassxc", "home/.cache/pip"};
	for (size_t i = 0; i < ARRAY_COUNT(closed); i++)
		assert_false(has(test, writable, closed[i]));
	jail_plan_done(&test->plan);
	assert_int_equal(plan_make(test, &(struct jail_wish){.agent = "sh"}), 0);
	assert_true(has(test, writable, "home/.cache/pip") && has(test, writable, "home/.cache/go-build"));
}

static void test_profile_by_the_agents_name(void **state)
{
	struct jail_test *test = *state;
	assert_int_equal(plan_make(test, &(struct jail_wish){.agent = "/opt/bin/codex"}), 0);
	assert_string_equal(test->plan.profile, "codex");
	assert_true(has(test, &test->plan.sandbox.writable, "home/.codex"));
	assert_false(has(test, &test->plan.sandbox.hidden, "home/.codex"));
	assert_true(has(test, &test->plan.sandbox.hidden, "home/.claude"));
}

static void test_mechanisms(void **state)
{
	struct jail_test *test = *state;
	assert_int_equal(plan_make(test, &(struct jail_wish){.agent = "sh"}), 0);
	const enum sandbox_need *needs = test->plan.sandbox.needs;
	assert_int_equal(needs[SANDBOX_LANDLOCK], SANDBOX_REQUIRED);
	assert_int_equal(needs[SANDBOX_SCOPE], SANDBOX_REQUIRED);
	assert_int_equal(needs[SANDBOX_FILTER], SANDBOX_REQUIRED);
	assert_int_equal(needs[SANDBOX_MOUNTS], SANDBOX_PREFERRED);
	assert_int_equal(needs[SANDBOX_NETWORK_NAMESPACE], SANDBOX_UNUSED);
	jail_plan_done(&test->plan);
	assert_int_equal(plan_make(test, &(struct jail_wish){.agent = "sh", .network = SANDBOX_NETWORK_NONE}), 0);
	assert_int_equal(needs[SANDBOX_NETWORK_NAMESPACE], SANDBOX_REQUIRED);
	assert_int_equal(needs[SANDBOX_MOUNTS], SANDBOX_REQUIRED);
}

static void test_what_stays_open_without_mounts(void **state)
{
	struct jail_test *test = *state;
	assert_int_equal(plan_make(test, &(struct jail_wish){.agent = "sh"}), 0);
	const char *path = scene_path(&test->scene, "home/work/.env");
	const struct sandbox_record with = {.applied = UINT32_C(1) << SANDBOX_MOUNTS}, without = {.missing = UINT32_C(1) << SANDBOX_MOUNTS};
	assert_false(jail_still_open(&test->plan, &with, path));
	assert_true(jail_still_open(&test->plan, &without, path));
}

static void test_the_home_is_no_working_folder(void **state)
{
	struct jail_test *test = *state;
	memcpy(test->work, test->home, sizeof(test->home));
	assert_int_equal(plan_make(test, &(struct jail_wish){.agent = "sh"}), ERR_USAGE);
}

static void test_variables(void **state)
{
	(void)state;
	assert_true(jail_drops_variable("TMUX=/tmp/a"));
	assert_true(jail_drops_variable("DISPLAY="));
	assert_false(jail_drops_variable("TMUX_X=a"));
	assert_false(jail_drops_variable("DISPLA=a"));
	assert_false(jail_drops_variable(""));
}

static void test_a_process_is_as_confined_as_itself(void **state)
{
	(void)state;
	assert_false(process_is_confined("/proc", getpid()));
	assert_false(process_is_confined("/nowhere", getpid()));
	assert_true(process_is_confined("/proc", 0x7ffffffe));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_hidden_and_what_is_covered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_caches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_profile_by_the_agents_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mechanisms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_stays_open_without_mounts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_home_is_no_working_folder, setup, teardown),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_a_process_is_as_confined_as_itself),
	};
	return cmocka_run_group_tests_name("jail", tests, NULL, NULL);
}
