// From a wish to the lists of a plan, and from those to hierarchies.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sandbox_scene.h"

struct world {
	struct sandbox_scene scene;
	struct sandbox_place place;
	struct sandbox_wish wish;
	struct sandbox_plan plan;
	struct err err;
	char home[PATH_MAX];
	char directory[PATH_MAX];
	char own_path[PATH_MAX];
	const char *own[2];
	char paths[4][PATH_MAX];
	const char *asked[4];
};

static void world_init(struct world *world)
{
	static const char *const names[] = {
		"home/.ssh/id",	      "home/.ssh/known_hosts", "home/.aider.conf.yml", "home/.aider.chat", "home/notes",
		"home/.config/gh/hosts", "home/.config/other",   "home/.local/share/envseal/vault", "work/file"};
	*world = (struct world){.wish = {.tier = SANDBOX_HARDENED}};
	scene_init(&world->scene);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		scene_make(&world->scene, names[i]);
	snprintf(world->home, sizeof(world->home), "%s", scene_path(&world->scene, "home"));
	snprintf(world->directory, sizeof(world->directory), "%s", scene_path(&world->scene, "work"));
	snprintf(world->own_path, sizeof(world->own_path), "%s", scene_path(&world->scene, "home/.local/share/envseal"));
	world->own[0] = world->own_path;
	world->place = (struct sandbox_place){.home = world->home, .directory = world->directory, .own = world->own};
}

static void world_done(struct world *world)
{
	sandbox_plan_done(&world->plan);
	scene_done(&world->scene);
}

static int world_build(struct world *world)
{
	sandbox_plan_done(&world->plan);
	return sandbox_plan_build(&world->wish, &world->place, &world->plan, &world->err);
}

// The path, for the wish; `name` below the scene, or absolute.
static const char *const *world_ask(struct world *world, size_t i, const char *name)
{
	snprintf(world->paths[i], PATH_MAX, "%s", name[0] == '/' ? name : scene_path(&world->scene, name));
	world->asked[i] = world->paths[i];
	return world->asked;
}

static int world_read(struct world *world, const char *name)
{
	world->wish.readable = world_ask(world, 0, name);
	world->wish.readable_count = 1;
	return world_build(world);
}

static int world_write(struct world *world, const char *name)
{
	world->wish.writable = world_ask(world, 1, name) + 1;
	world->wish.writable_count = 1;
	return world_build(world);
}

static bool hides(struct world *world, const char *name)
{
	return text_list_has(&world->plan.hidden, scene_path(&world->scene, name));
}

static bool row_covers(const char *row, const char *name)
{
	size_t length = strlen(row);
	return row[length - 1] == '*' ? strncmp(row, name, length - 1) == 0 : strcmp(row, name) == 0;
}

static void test_table(void **state)
{
	size_t count;
	const struct hidden_row *rows = hidden_rows(&count);
	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_non_null(rows[i].group);
		assert_true(rows[i].folder[0] != '/' && rows[i].name[0] != '\0' && rows[i].name[0] != '*');
		assert_null(strchr(rows[i].name, '/'));
		const char *star = strchr(rows[i].name, '*');
		assert_true(!star || star[1] == '\0');
		for (size_t j = 0; j < count; j++)
			assert_true(i == j || strcmp(rows[i].folder, rows[j].folder) != 0 || !row_covers(rows[j].name, rows[i].name));
		bool is_first = i == 0 || strcmp(rows[i - 1].folder, rows[i].folder) != 0;
		for (size_t j = 0; j + 1 < i && is_first; j++)
			assert_string_not_equal(rows[j].folder, rows[i].folder);
	}
}

static void test_standard_has_no_lists(void **state)
{
	struct world world;
	(void)state;
	world_init(&world);
	world.wish.tier = SANDBOX_STANDARD;
	assert_int_equal(world_build(&world), 0);
	assert_int_equal(world.plan.hidden.count, 0);
	assert_int_equal(world.plan.writable.count, 0);
	world_done(&world);
}

static void test_hardened(void **state)
{
	static const char *const hidden[] = {"home/.ssh", "home/.aws", "home/.config/gh", "home/.aider", "home/.aider.conf.yml",
					     "home/.aider.chat", "home/.local/share/envseal", "home/.claude.json"};
	struct world world;
	(void)state;
	world_init(&world);
	scene_make(&world.scene, "home/.claude.json");
	assert_int_equal(world_build(&world), 0);
	for (size_t i = 0; i < ARRAY_COUNT(hidden); i++)
		assert_true(hides(&world, hidden[i]));
	assert_false(hides(&world, "home/notes"));
	assert_false(hides(&world, "home/.config"));
	assert_true(text_list_has(&world.plan.writable, world.directory));
	assert_true(text_list_has(&world.plan.writable, "/tmp"));
	assert_false(text_list_has(&world.plan.writable, world.home));
	world_done(&world);
}

// A name that is a link, a folder above it that is one, and a home that is one.
static void test_links(void **state)
{
	struct world world;
	(void)state;
	world_init(&world);
	scene_make(&world.scene, "dots/aws/credentials");
	scene_make(&world.scene, "dots/config/gcloud/");
	scene_link(&world.scene, "dots/aws", "home/.aws");
	scene_link(&world.scene, "dots/config", "home/.azure");
	scene_link(&world.scene, "dots", "home/.gem");
	scene_link(&world.scene, "home", "home-link");
	snprintf(world.home, sizeof(world.home), "%s", scene_path(&world.scene, "home-link/"));
	scene_make(&world.scene, "dots/share/keyrings/login");
	char moved[PATH_MAX];
	snprintf(moved, sizeof(moved), "%s", scene_path(&world.scene, "home/was"));
	assert_int_equal(rename(scene_path(&world.scene, "home/.local"), moved), 0);
	scene_link(&world.scene, "dots", "home/.local");
	assert_int_equal(world_build(&world), 0);
	assert_true(hides(&world, "home/.local/share/keyrings"));
	assert_true(hides(&world, "dots/share/keyrings"));
	assert_true(hides(&world, "dots/share/fish/fish_history"));
	assert_true(hides(&world, "home/.aws"));
	assert_true(hides(&world, "dots/aws"));
	assert_true(hides(&world, "dots/config"));
	assert_true(hides(&world, "dots/credentials"));
	assert_true(hides(&world, "home/.ssh"));
	world_done(&world);
}

static void test_no_home(void **state)
{
	struct world world;
	(void)state;
	world_init(&world);
	world.place.home = NULL;
	assert_int_equal(world_build(&world), 0);
	assert_int_equal(world.plan.hidden.count, 1);
	assert_true(hides(&world, "home/.local/share/envseal"));
	world.place.home = "/nonexistent";
	assert_int_equal(world_build(&world), 0);
	assert_true(text_list_has(&world.plan.hidden, "/nonexistent/.ssh"));
	world.place.home = "/";
	assert_int_equal(world_build(&world), 0);
	assert_true(text_list_has(&world.plan.hidden, "/.ssh"));
	world.place.home = "home";
	assert_int_equal(world_build(&world), ERR_USAGE);
	world_done(&world);
}

static void test_working_folder(void **state)
{
	struct world world;
	(void)state;
	world_init(&world);
	world.place.directory = NULL;
	assert_int_equal(world_build(&world), 0);
	assert_null(world.plan.directory);
	world.place.directory = "/";
	assert_int_equal(world_build(&world), 0);
	assert_false(text_list_has(&world.plan.writable, "/"));
	snprintf(world.directory, sizeof(world.directory), "%s", scene_path(&world.scene, "home/.ssh"));
	world.place.directory = world.directory;
	assert_int_equal(world_build(&world), 0);
	assert_false(text_list_has(&world.plan.writable, world.directory));
	assert_int_equal(world_read(&world, "home/.ssh"), 0);
	assert_true(text_list_has(&world.plan.writable, world.directory));
	world_done(&world);
}

static void test_home_is_no_working_folder(void **state)
{
	struct world world;
	(void)state;
	world_init(&world);
	const char *const folders[] = {"home", "."};
	for (size_t i = 0; i < ARRAY_COUNT(folders); i++) {
		assert_non_null(realpath(scene_path(&world.scene, folders[i]), world.directory));
		assert_int_equal(world_build(&world), 0);
		assert_string_equal(world.plan.directory, world.directory);
		assert_false(text_list_has(&world.plan.writable, world.directory));
	}
	// By another name.
	assert_int_equal(symlink(world.home, scene_path(&world.scene, "link")), 0);
	snprintf(world.directory, sizeof(world.directory), "%s", world.home);
	snprintf(world.home, sizeof(world.home), "%s", scene_path(&world.scene, "link"));
	assert_int_equal(world_build(&world), 0);
	assert_false(text_list_has(&world.plan.writable, world.directory));
	assert_int_equal(world_write(&world, "home"), 0);
	assert_true(text_list_has(&world.plan.writable, world.directory));
	world_done(&world);
}

static void test_temporary(void **state)
{
	struct world world;
	(void)state;
	world_init(&world);
	scene_make(&world.scene, "temporary/");
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s", scene_path(&world.scene, "temporary"));
	world.place.temporary = path;
	assert_int_equal(world_build(&world), 0);
	assert_true(text_list_has(&world.plan.writable, path));
	static const char *const unusable[] = {"temporary", "/nonexistent/temporary", "/", ""};
	for (size_t i = 0; i < ARRAY_COUNT(unusable); i++) {
		world.place.temporary = unusable[i];
		assert_int_equal(world_build(&world), 0);
		assert_false(text_list_has(&world.plan.writable, unusable[i]));
	}
	world_done(&world);
}

static void test_shown(void **state)
{
	struct world world;
	(void)state;
	world_init(&world);
	assert_int_equal(world_read(&world, "home/.ssh/known_hosts"), 0);
	assert_true(hides(&world, "home/.ssh"));
	assert_int_equal(world.plan.shown.count, 1);
	assert_false(path_is_hidden(&world.plan, scene_path(&world.scene, "home/.ssh/known_hosts")));
	assert_true(path_is_hidden(&world.plan, scene_path(&world.scene, "home/.ssh/id")));
	assert_int_equal(world_read(&world, "home/.ssh"), 0);
	assert_false(hides(&world, "home/.ssh"));
	assert_int_equal(world_read(&world, "home/.aws/"), 0);
	assert_false(hides(&world, "home/.aws"));
	assert_int_equal(world_read(&world, "home/.aider.chat"), 0);
	assert_false(hides(&world, "home/.aider.chat"));
	assert_true(hides(&world, "home/.aider.conf.yml"));
	assert_int_equal(world_read(&world, "work"), 0);
	assert_int_equal(world.plan.shown.count, 0);
	world_done(&world);
}

// Shown by the place it leads to, or by its name: the same.
static void test_shown_link(void **state)
{
	struct world world;
	(void)state;
	world_init(&world);
	scene_make(&world.scene, "dots/aws/credentials");
	scene_link(&world.scene, "dots/aws", "home/.aws");
	static const char *const ways[] = {"home/.aws", "dots/aws", "home/./.aws"};
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		assert_int_equal(world_read(&world, ways[i]), 0);
		assert_false(hides(&world, "home/.aws"));
		assert_false(hides(&world, "dots/aws"));
	}
	world_done(&world);
}

static void test_readable_refusals(void **state)
{
	static const struct {
		const char *name;
		int code;
	} rows[] = {
		{"home", ERR_USAGE},
		{"/", ERR_USAGE},
		{"home/.config", ERR_USAGE},
		{"home/.local/share/envseal", ERR_USAGE},
		{"home/.local/share/envseal/vault", ERR_USAGE},
		{"home/.ssh/../.local/share/envseal/vault", ERR_USAGE},
		{"home/own-link/vault", ERR_USAGE},
		{"home/.ssh/missing", ERR_NOT_FOUND},
		{"/dev/ptmx", ERR_USAGE},
	};
	struct world world;
	(void)state;
	world_init(&world);
	scene_link(&world.scene, "home/.local/share/envseal", "home/own-link");
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		assert_int_equal(world_read(&world, rows[i].name), rows[i].code);
	world.asked[0] = "relative";
	assert_int_equal(world_build(&world), ERR_USAGE);
	world_done(&world);
}

static void test_writable(void **state)
{
	static const struct {
		const char *name;
		int code;
	} rows[] = {
		{"home", 0},
		{"home/.local/share", 0},
		{"home/notes", 0},
		{"home/missing", ERR_NOT_FOUND},
		{"home/notes/below", ERR_NOT_FOUND},
		{"/", ERR_USAGE},
		{"home/.ssh", ERR_USAGE},
		{"home/.ssh/id", ERR_USAGE},
		{"home/.local/share/envseal", ERR_USAGE},
		{"home/own-link", ERR_USAGE},
		{"home/own-link/vault", ERR_USAGE},
	};
	struct world world;
	(void)state;
	world_init(&world);
	scene_link(&world.scene, "home/.local/share/envseal", "home/own-link");
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		assert_int_equal(world_write(&world, rows[i].name), rows[i].code);
	world.wish.readable = world_ask(&world, 0, "home/.ssh");
	world.wish.readable_count = 1;
	assert_int_equal(world_write(&world, "home/.ssh/id"), 0);
	assert_true(text_list_has(&world.plan.writable, scene_path(&world.scene, "home/.ssh/id")));
	world_done(&world);
}

static void test_too_many(void **state)
{
	struct world world;
	(void)state;
	world_init(&world);
	const char *asked[SANDBOX_PATHS_MAX + 1];
	for (size_t i = 0; i < ARRAY_COUNT(asked); i++)
		asked[i] = "/etc";
	world.wish.readable = asked;
	world.wish.readable_count = SANDBOX_PATHS_MAX;
	assert_int_equal(world_build(&world), 0);
	world.wish.readable_count = ARRAY_COUNT(asked);
	assert_int_equal(world_build(&world), ERR_LIMIT);
	world_done(&world);
}

static void test_below(void **state)
{
	(void)state;
	assert_true(path_is_below("/a/b", "/a"));
	assert_true(path_is_below("/a", "/a"));
	assert_true(path_is_below("/a", "/"));
	assert_false(path_is_below("/ab", "/a"));
	assert_false(path_is_below("/", "/a"));
}

static unsigned rights_at(const struct access_list *list, const char *path)
{
	unsigned rights = 0;
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].path, path) == 0)
			rights |= list->items[i].rights;
	return rights;
}

// Neighbours whose names sort between a folder and what is in it.
static void test_neighbours(void **state)
{
	static const struct {
		const char *name;
		unsigned rights;
	} rows[] = {{"home/a", 0},	     {"home/a/b", 0},	     {"home/a/b/c", ACCESS_READ}, {"home/a-b", ACCESS_READ},
		    {"home/a.b", 0},	     {"home/a.bc", ACCESS_READ}, {"home/ab", ACCESS_READ},	  {"home", 0},
		    {"home/a/bb", ACCESS_READ}, {"home/z", ACCESS_READ}};
	static const char *const hidden[] = {"home/a/b/d", "home/a.b", "home/a/b/none/such", "home/nowhere/at/all", "home/a/b/d/e"};
	struct sandbox_scene scene;
	struct err err;
	(void)state;
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	_cleanup_access_list_ struct access_list list = {0};
	scene_init(&scene);
	static const char *const files[] = {"home/a/b/c", "home/a/b/d/e", "home/a-b", "home/a.b", "home/a.bc", "home/ab",
					    "home/a/bb",  "home/z"};
	for (size_t i = 0; i < ARRAY_COUNT(files); i++)
		scene_make(&scene, files[i]);
	for (size_t i = 0; i < ARRAY_COUNT(hidden); i++)
		scene_list_add(&plan.hidden, scene_path(&scene, hidden[i]));
	assert_int_equal(access_list_build(&plan, &list, &err), 0);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		assert_int_equal(rights_at(&list, scene_path(&scene, rows[i].name)), rows[i].rights);
	assert_int_equal(rights_at(&list, "/"), ACCESS_LIST);
	assert_int_equal(rights_at(&list, "/dev"), 0);
	assert_int_equal(rights_at(&list, "/dev/null"), ACCESS_DEVICE);
	scene_done(&scene);
}

// A folder that may be entered and not listed: the way to what is hidden in it is opened up nevertheless.
static void test_folder_without_a_list(void **state)
{
	struct sandbox_scene scene;
	struct err err;
	(void)state;
	if (geteuid() == 0)
		skip();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	_cleanup_access_list_ struct access_list list = {0};
	scene_init(&scene);
	scene_make(&scene, "shut/home/.ssh/id");
	scene_make(&scene, "shut/home/notes");
	scene_make(&scene, "shut/other/file");
	assert_int_equal(chmod(scene_path(&scene, "shut"), 0100), 0);
	scene_list_add(&plan.hidden, scene_path(&scene, "shut/home/.ssh"));
	scene_list_add(&plan.hidden, scene_path(&scene, "shut/home/.aws"));
	scene_list_add(&plan.hidden, scene_path(&scene, "shut/other/none"));
	assert_int_equal(access_list_build(&plan, &list, &err), 0);
	assert_int_equal(rights_at(&list, scene_path(&scene, "shut/home/notes")), ACCESS_READ);
	assert_int_equal(rights_at(&list, scene_path(&scene, "shut/other/file")), ACCESS_READ);
	assert_int_equal(rights_at(&list, scene_path(&scene, "shut/home/.ssh")), 0);
	assert_int_equal(chmod(scene_path(&scene, "shut"), 0700), 0);
	scene_done(&scene);
}

static void test_too_many_neighbours(void **state)
{
	struct sandbox_scene scene;
	struct err err;
	char name[64];
	(void)state;
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	_cleanup_access_list_ struct access_list list = {0};
	scene_init(&scene);
	scene_make(&scene, "home/");
	for (int i = 0; i < ACCESS_MAX; i++) {
		snprintf(name, sizeof(name), "home/%d", i);
		assert_int_equal(mknod(scene_path(&scene, name), S_IFREG | 0600, 0), 0);
	}
	scene_list_add(&plan.hidden, scene_path(&scene, "home/.ssh"));
	assert_int_equal(access_list_build(&plan, &list, &err), ERR_LIMIT);
	assert_null(list.items);
	scene_done(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_standard_has_no_lists),
		cmocka_unit_test(test_hardened),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_no_home),
		cmocka_unit_test(test_working_folder),
		cmocka_unit_test(test_home_is_no_working_folder),
		cmocka_unit_test(test_temporary),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_shown_link),
		cmocka_unit_test(test_readable_refusals),
		cmocka_unit_test(test_writable),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_below),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_folder_without_a_list),
		cmocka_unit_test(test_too_many_neighbours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
