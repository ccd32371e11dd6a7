// Which configuration file is believed, and what a session gets of it and of the sealed setting.
#include "vault_fixture.h"

#include <sched.h>
#include <sys/mount.h>

#include "engine/security.h"

#define SKIPPED 77
#define PASSPHRASE "quiet otter maps lemon stairs"

static void file_make(const char *path, const char *content, mode_t mode)
{
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

// ---------------------------------------------------------------------------------------------------- whose file it is

static void text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(SKIPPED);
	close(fd);
}

// A machine of its own, in which this process is root.
static void machine_enter(void)
{
	char map[64];
	unsigned uid = geteuid(), gid = getegid();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		_exit(SKIPPED);
	text_write("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1\n", uid);
	text_write("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1\n", gid);
	text_write("/proc/self/gid_map", map);
	if (mount("none", dir, "tmpfs", 0, "mode=755") < 0 || chroot(dir) < 0 || chdir("/") < 0)
		_exit(SKIPPED);
	umask(022);
	mkdir("/etc", 0755);
}

#define FILE_PATH SECURITY_FILE
#define FOLDER_PATH "/etc/envseal"
#define GOOD "[security]\nlevel = hardened\n"

static bool floor_is(int code, enum security_level level, const char *says)
{
	struct security_floor floor = {.level = SECURITY_LOCKDOWN};
	int r = security_floor_load(&floor, &err);
	bool is = r == code && floor.level == (code == 0 ? level : SECURITY_LOCKDOWN) && (!says || strstr(err.text, says));
	if (!is)
		fprintf(stderr, "%d instead of %d: %s\n", r, code, r < 0 ? err.text : "");
	return is;
}

static bool modes_are_judged(void)
{
	static const mode_t bad[] = {0664, 0646, 0666, 0622, 0602};
	static const mode_t good[] = {0644, 0600, 0400, 0444, 0755};
	bool is = true;
	for (size_t i = 0; is && i < ARRAY_COUNT(bad); i++) {
		file_make(FILE_PATH, GOOD, bad[i]);
		is = floor_is(ERR_UNSAFE, 0, "others than root");
	}
	for (size_t i = 0; is && i < ARRAY_COUNT(good); i++) {
		file_make(FILE_PATH, GOOD, good[i]);
		is = floor_is(0, SECURITY_HARDENED, NULL);
	}
	return is;
}

// Where others can take the file away, that it is not there says nothing.
static bool folders_are_judged(void)
{
	static const char *const folders[] = {FOLDER_PATH, "/etc", "/"};
	bool is = true;
	for (size_t i = 0; is && i < ARRAY_COUNT(folders); i++) {
		file_make(FILE_PATH, GOOD, 0644);
		is = chmod(folders[i], 0775) == 0 && floor_is(ERR_UNSAFE, 0, "others than root");
		is = is && unlink(FILE_PATH) == 0 && floor_is(ERR_UNSAFE, 0, FOLDER_PATH);
		is = is && chmod(folders[i], 0755) == 0 && floor_is(0, SECURITY_STANDARD, NULL);
	}
	return is;
}

static bool kinds_are_judged(void)
{
	file_make("/etc/other", GOOD, 0644);
	bool is = symlink("/etc/other", FILE_PATH) == 0 && floor_is(ERR_UNSAFE, 0, "symbolic link");
	is = is && unlink(FILE_PATH) == 0 && mkfifo(FILE_PATH, 0644) == 0 && floor_is(ERR_UNSAFE, 0, "no regular file");
	is = is && unlink(FILE_PATH) == 0 && mkdir(FILE_PATH, 0755) == 0 && floor_is(ERR_UNSAFE, 0, "no regular file");
	is = is && rmdir(FILE_PATH) == 0 && floor_is(0, SECURITY_STANDARD, NULL);
	// A folder elsewhere is as good as its own folders; one that is not there is none.
	is = is && rename(FOLDER_PATH, "/etc/there") == 0 && symlink("there", FOLDER_PATH) == 0;
	file_make("/etc/there/envseal.conf", GOOD, 0644);
	is = is && floor_is(0, SECURITY_HARDENED, NULL);
	is = is && unlink(FOLDER_PATH) == 0 && symlink("nowhere", FOLDER_PATH) == 0 && floor_is(ERR_UNSAFE, 0, FOLDER_PATH);
	is = is && unlink(FOLDER_PATH) == 0;
	file_make(FOLDER_PATH, GOOD, 0644);
	return is && floor_is(ERR_UNSAFE, 0, NULL);
}

static bool content_is_judged(void)
{
	static char large[SECURITY_FILE_BYTES_MAX + 3];
	file_make(FILE_PATH, "[security]\nlevel = hard\n", 0644);
	bool is = floor_is(ERR_INPUT, 0, FILE_PATH " line 2: ");
	for (size_t bytes = SECURITY_FILE_BYTES_MAX; is && bytes < sizeof(large); bytes++) {
		memset(large, '\n', bytes);
		file_make(FILE_PATH, large, 0644);
		is = bytes == SECURITY_FILE_BYTES_MAX ? floor_is(0, SECURITY_STANDARD, NULL) : floor_is(ERR_INPUT, 0, FILE_PATH);
	}
	return is;
}

static int file_scenario(void *context)
{
	(void)context;
	machine_enter();
	if (!floor_is(0, SECURITY_STANDARD, NULL) || mkdir(FOLDER_PATH, 0755) < 0 || !floor_is(0, SECURITY_STANDARD, NULL))
		return 1;
	if (!modes_are_judged())
		return 2;
	if (!folders_are_judged())
		return 3;
	if (!content_is_judged())
		return 4;
	return unlink(FILE_PATH) == 0 && kinds_are_judged() ? 0 : 5;
}

static void the_file_is_judged(void **state)
{
	(void)state;
	int status = child_run(file_scenario, NULL);
	if (status == SKIPPED)
		skip();
	assert_int_equal(status, 0);
}

static void a_file_of_the_user_is_refused(void **state)
{
	(void)state;
	char path[400];
	struct security_floor floor;
	snprintf(path, sizeof(path), "%s/envseal.conf", dir);
	file_make(path, GOOD, 0644);
	assert_int_equal(security_floor_read(path, &floor, &err), ERR_UNSAFE);
	assert_int_equal(unlink(path), 0);
	// Nor is it believed that it is not there.
	assert_int_equal(security_floor_read(path, &floor, &err), ERR_UNSAFE);
	if (geteuid() != 0) {
		assert_int_equal(security_floor_read("/etc/shadow", &floor, &err), ERR_UNSAFE);
		assert_non_null(strstr(err.text, "cannot be read"));
	}
}

// ----------------------------------------------------------------------------------------------------------- a session

static void notice_none(const char *sentence)
{
	(void)sentence;
}

static struct engine *engine_make(struct engine_unlock *unlock)
{
	static char passphrase_path[400];
	struct engine *engine = NULL;
	struct passphrase_score score;
	snprintf(passphrase_path, sizeof(passphrase_path), "%s/passphrase", dir);
	file_make(passphrase_path, PASSPHRASE "\n", 0600);
	*unlock = ENGINE_UNLOCK_TERMINAL;
	unlock->passphrase_file = passphrase_path;
	assert_int_equal(setenv("ENVSEAL_HOME", vault_dir, 1), 0);
	assert_int_equal(engine_new(notice_none, &engine, &err), 0);
	struct engine_init request = {.unlock = *unlock, .pwhash = "interactive"};
	assert_int_equal(engine_init(engine, &request, &score, &err), 0);
	return engine;
}

static void setting_put(struct engine *engine, const struct engine_unlock *unlock, const char *text)
{
	_cleanup_session_ struct session session = {0};
	assert_int_equal(session_open_unlocked(engine, unlock, &session, &err), 0);
	assert_int_equal(session_begin(&session, &err), 0);
	assert_int_equal(vault_setting_put(session.vault, "security", span_text(text), &err), 0);
	assert_int_equal(session_commit(&session, "security.set", json_object(), &err), 0);
}

static int security_code(struct engine *engine, const struct engine_unlock *unlock, struct security *out)
{
	_cleanup_session_ struct session session = {0};
	assert_int_equal(session_open_unlocked(engine, unlock, &session, &err), 0);
	return session_security(&session, out, &err);
}

static int set_code(struct engine *engine, const struct engine_unlock *unlock, const char *level, const char *finding)
{
	struct engine_security out;
	struct engine_security_set request = {.unlock = *unlock, .level = level, .findings = &finding,
					      .finding_count = finding != NULL};
	return engine_security_set(engine, &request, &out, &err);
}

static void the_setting_is_sealed(void **state)
{
	(void)state;
	struct engine_unlock unlock;
	struct security security;
	_cleanup_engine_ struct engine *engine = engine_make(&unlock);
	assert_int_equal(security_code(engine, &unlock, &security), 0);
	assert_true(security.level == SECURITY_STANDARD && security.findings.count == 0);
	setting_put(engine, &unlock, "{\"findings\":{\"swap\":\"deny\"},\"level\":\"lockdown\",\"version\":1}");
	assert_int_equal(security_code(engine, &unlock, &security), 0);
	assert_true(security.level == SECURITY_LOCKDOWN && security.findings.count == 1);
	// Of another version: refused, and not taken for standard.
	static const char *const others[] = {"{\"findings\":{},\"level\":\"lockdown\",\"version\":2}", "x",
					     "{\"findings\":{\"of-later\":\"ask\"},\"level\":\"standard\",\"version\":1}"};
	for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
		setting_put(engine, &unlock, others[i]);
		assert_int_equal(security_code(engine, &unlock, &security), ERR_DAMAGED);
		assert_int_equal(set_code(engine, &unlock, "standard", NULL), ERR_DAMAGED);
	}
}

// Neither up to a level that wants a code, nor down from one, with a passphrase alone.
static void a_code_is_wanted(void **state)
{
	(void)state;
	struct engine_unlock unlock;
	struct security security;
	_cleanup_engine_ struct engine *engine = engine_make(&unlock);
	assert_int_equal(set_code(engine, &unlock, "hardened", NULL), ERR_DENIED);
	assert_int_equal(set_code(engine, &unlock, "lockdown", NULL), ERR_DENIED);
	assert_int_equal(set_code(engine, &unlock, NULL, "core-pattern=ask"), 0);
	assert_int_equal(security_code(engine, &unlock, &security), 0);
	assert_true(security.level == SECURITY_STANDARD && security.findings.count == 1);
	setting_put(engine, &unlock, "{\"findings\":{\"swap\":\"deny\"},\"level\":\"hardened\",\"version\":1}");
	assert_int_equal(set_code(engine, &unlock, "standard", NULL), ERR_DENIED);
	assert_int_equal(set_code(engine, &unlock, NULL, "swap=note"), ERR_DENIED);
	assert_int_equal(set_code(engine, &unlock, NULL, "swap=level"), ERR_DENIED);
	assert_int_equal(security_code(engine, &unlock, &security), 0);
	assert_true(security.level == SECURITY_HARDENED && security.findings.rows[0].action == GUARD_DENY);
}

struct judged {
	size_t count;
	bool has_recorder;
	enum guard_action of_recorder;
};

static int judged_keep(void *context, const struct finding *finding, enum guard_action action)
{
	struct judged *judged = context;
	judged->count++;
	assert_true(action > GUARD_NOTE && finding->severity > FINDING_OK);
	if (strcmp(finding->id, "screen-recorder") == 0) {
		judged->has_recorder = true;
		judged->of_recorder = action;
	}
	return judged->count == 100 ? 1 : 0;
}

static void findings_are_judged(void **state)
{
	(void)state;
	char proc[300], path[400];
	snprintf(proc, sizeof(proc), "%s", dir);
	struct guard_source source = {.proc = proc};
	snprintf(path, sizeof(path), "%s/4711", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/4711/comm", dir);
	file_make(path, "wf-recorder\n", 0644);
	static const enum guard_action actions[] = {GUARD_NOTE, GUARD_WARN, GUARD_ASK};
	for (unsigned level = SECURITY_STANDARD; level <= SECURITY_LOCKDOWN; level++) {
		struct security security = {.level = level};
		struct judged judged = {0};
		assert_int_equal(guard_judge(&security, &source, judged_keep, &judged), 0);
		assert_int_equal(judged.has_recorder, level > SECURITY_STANDARD);
		assert_int_equal(judged.of_recorder, actions[level]);
		assert_int_equal(security_override_put(&security.findings, SPAN_LITERAL("screen-recorder"), GUARD_DENY, &err), 0);
		judged = (struct judged){.count = 99}; // the first one stops
		assert_int_equal(guard_judge(&security, &source, judged_keep, &judged), 1);
		assert_int_equal(judged.count, 100);
		judged = (struct judged){0};
		assert_int_equal(guard_judge(&security, &source, judged_keep, &judged), 0);
		assert_int_equal(judged.of_recorder, GUARD_DENY);
	}
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/4711", dir);
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
#define dir_test(function) cmocka_unit_test_setup_teardown(function, dir_setup, dir_teardown)
	const struct CMUnitTest tests[] = {
		dir_test(the_file_is_judged),
		dir_test(a_file_of_the_user_is_refused),
		dir_test(the_setting_is_sealed),
		dir_test(a_code_is_wanted),
		dir_test(findings_are_judged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
