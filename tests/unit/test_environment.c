// Which variables and which entries of the PATH reach a program, and where a secret may go.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "environment_variables.h"
#include "policy/policy.h"

#define STRINGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define _cleanup_environment_ _cleanup_(environment_done)

// More than environment_variables.h has.
static const char *const steering[] = {
	// known by their tools' manuals to run, load or redirect, and found missing once
	"AWS_DATA_PATH", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PAGER", "ANSIBLE_CONFIG", "ANSIBLE_LIBRARY",
	"ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "BUNDLER_SETUP", "CCACHE_PREFIX", "CGO_CFLAGS", "CLOUDSDK_CONFIG",
	"CLOUDSDK_PYTHON", "CLOUDSDK_PYTHON_SITEPACKAGES", "COMPOSE_FILE", "COMPOSER_HOME", "CONFIG_SITE",
	"CONTAINERS_CONF", "CONTAINER_HOST", "COR_PROFILER", "CVS_RSH", "ELECTRON_RUN_AS_NODE", "EXINIT",
	"GH_CONFIG_DIR", "GH_HOST", "GH_PAGER", "GNUMAKEFLAGS", "GNUPGHOME", "GOAUTH", "GOCACHEPROG", "GOSUMDB",
	"GOWORK", "GST_PLUGIN_PATH", "GUILE_LOAD_PATH", "HELM_PLUGINS", "HGRCPATH", "INPUTRC", "JAVA_HOME",
	"KUBECTL_EXTERNAL_DIFF", "KUBE_EDITOR", "LIBMYSQL_PLUGINS", "LLVM_PROFILE_FILE", "MAILPATH", "MONO_PATH",
	"NIX_SSL_CERT_FILE", "ODBCSYSINI", "PGSERVICEFILE", "PGSYSCONFDIR", "PKG_CONFIG_PATH", "PSQLRC", "PSQL_PAGER",
	"PYENV_VERSION", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "RBENV_ROOT", "RSYNC_RSH", "SCCACHE_DIR", "SOCKS_PROXY",
	"SVN_SSH", "TAR_OPTIONS", "TEMP", "TF_CLI_ARGS", "TF_CLI_ARGS_apply", "TF_CLI_CONFIG_FILE", "TMP",
	"TNS_ADMIN", "VALGRIND_OPTS", "VIMINIT", "VK_LAYER_PATH", "VOLTA_HOME", "XDG_CACHE_HOME", "ZIPOPT",
	"pnpm_config_script_shell", "socks_proxy", "_PYTHON_SYSCONFIGDATA_NAME", "JAVACMD", "TCLLIBPATH", "TCL_LIBRARY",
	"TK_LIBRARY", "RIPGREP_CONFIG_PATH",
};

// What programs live on, and names that only look like those above.
static const char *const everyday[] = {
	"PORT", "HOST", "NODE_ENV", "DEBUG", "LOG_LEVEL", "DATABASE_URL", "REDIS_URL", "HOME", "USER", "LOGNAME",
	"SHELL", "PWD", "OLDPWD", "COLUMNS", "LINES", "CI", "GITHUB_ACTIONS", "GITHUB_TOKEN", "GITLAB_TOKEN",
	"GH_TOKEN", "GHCR_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_SECRET", "PGHOST", "PGUSER",
	"PGPASSWORD", "MYSQL_PWD", "RAILS_ENV", "RACK_ENV", "DJANGO_SETTINGS_MODULE", "FLASK_ENV", "APP_ENV",
	"RUST_LOG", "RUST_BACKTRACE", "MIX_ENV", "NO_COLOR", "FORCE_COLOR", "TF_VAR_name", "VAULT_TOKEN",
	"STRIPE_SECRET_KEY", "SLACK_TOKEN", "NPM_TOKEN", "HF_TOKEN", "SSH_TTY", "SSH_CONNECTION", "SECRET_KEY_BASE",
	"TZ_OFFSET", "LESSON", "LDAP_URL", "ENVIRONMENT", "ENV_NAME", "CCC", "PS", "PSALM", "PATHS", "MY_PATH",
	"GO_ENV", "RESOLVER", "GITEA_TOKEN", "DISPLAY_NAME", "PAGER_DUTY_KEY", "EDITOR_MODE", "VK_TOKEN",
	"JUPYTER_TOKEN", "TMPL", "TEMPERATURE", "LANGUAGES", "TERMS", "_", "SHLVL", "MAIL",
};

// Members of families that steer, which do not; some of them make a program more careful.
static const char *const harmless[] = {
	"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONSAFEPATH", "PYTHONNOUSERSITE", "PIP_NO_INPUT",
	"GIT_AUTHOR_NAME", "GIT_COMMITTER_EMAIL", "GIT_TERMINAL_PROMPT", "DOCKER_BUILDKIT", "CARGO_TERM_COLOR",
};

static const char *entry_value(const struct environment *environment, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;
	for (size_t i = 0; i < environment->count; i++)
		if (strncmp(environment->entries[i], name, len) == 0 && environment->entries[i][len] == '=') {
			assert_null(found); // never twice
			found = environment->entries[i] + len + 1;
		}
	return found;
}

static bool list_names(char *const *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

static bool is_dropped(const struct environment *environment, const char *name)
{
	return list_names(environment->dropped, environment->dropped_count, name);
}

// An environment of at most 62 entries; the caller owns the result.
static struct environment build_by(enum environment_mode mode, const char *const entries[], const char *const keep[],
				   size_t keep_count)
{
	struct environment environment = {0};
	struct err err = {0};
	char *envp[64];
	size_t count = 0;
	for (; entries[count]; count++) {
		assert_true(count + 1 < ARRAY_COUNT(envp));
		envp[count] = strdup(entries[count]);
	}
	envp[count] = NULL;
	assert_int_equal(environment_build(mode, envp, keep, keep_count, &environment, &err), 0);
	while (count > 0)
		free(envp[--count]);
	assert_non_null(environment.entries);
	assert_null(environment.entries[environment.count]);
	return environment;
}

static struct environment build_keeping(const char *const entries[], const char *const keep[], size_t keep_count)
{
	return build_by(ENVIRONMENT_FILTERED, entries, keep, keep_count);
}

static struct environment build(const char *const entries[])
{
	return build_keeping(entries, NULL, 0);
}

static bool passes_by(enum environment_mode mode, const char *name, const char *value)
{
	char entry[512];
	snprintf(entry, sizeof(entry), "%s=%s", name, value);
	_cleanup_environment_ struct environment environment = build_by(mode, STRINGS(entry, "PATH=/usr/bin"), NULL, 0);
	const char *found = entry_value(&environment, name);
	assert_true((found == NULL) == is_dropped(&environment, name));
	assert_true(!found || strcmp(found, value) == 0);
	return found != NULL;
}

static bool passes(const char *name, const char *value)
{
	return passes_by(ENVIRONMENT_FILTERED, name, value);
}

// ---------------------------------------------------------------------------------------------------------- by name

static void test_what_steers_is_dropped(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(steering); i++) {
		if (!variable_is_steering(span_text(steering[i])))
			fail_msg("%s is not known to steer", steering[i]);
		if (passes(steering[i], "1"))
			fail_msg("%s passes", steering[i]);
	}
}

static const enum environment_mode modes[] = {ENVIRONMENT_FILTERED, ENVIRONMENT_ALLOWED};

// None of the known ones reaches a program at any level, but by its name.
static void test_no_known_variable_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(variables_that_steer); i++) {
		const char *name = variables_that_steer[i];
		char entry[512];
		snprintf(entry, sizeof(entry), "%s=1", name);
		for (size_t m = 0; m < ARRAY_COUNT(modes); m++) {
			if (passes_by(modes[m], name, "1"))
				fail_msg("%s passes in mode %s", name, environment_mode_name(modes[m]));
			if (!variable_is_valid(span_text(name)))
				continue;
			_cleanup_environment_ struct environment kept = build_by(modes[m], STRINGS(entry), &name, 1);
			assert_string_equal(entry_value(&kept, name), "1");
		}
		if (!variable_is_steering(span_text(name)))
			fail_msg("%s is not known to steer", name);
	}
	for (size_t i = 0; i < ARRAY_COUNT(variables_of_care); i++) {
		assert_true(passes_by(ENVIRONMENT_FILTERED, variables_of_care[i], "1"));
		assert_false(passes_by(ENVIRONMENT_ALLOWED, variables_of_care[i], "1"));
	}
}

static void test_shaped_variables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(variables_with_a_shape); i++)
		for (size_t m = 0; m < ARRAY_COUNT(modes); m++) {
			const char *name = variables_with_a_shape[i];
			assert_false(passes_by(modes[m], name, "/tmp/x"));
			assert_false(passes_by(modes[m], name, "../x"));
			assert_false(passes_by(modes[m], name, "%n"));
			assert_false(passes_by(modes[m], name, "() { :; }"));
			bool is_listed = strcmp(name, "LANG") == 0 || strcmp(name, "LC_ALL") == 0 ||
					 strcmp(name, "TERM") == 0 || strcmp(name, "TZ") == 0;
			assert_int_equal(passes_by(modes[m], name, "C"), modes[m] == ENVIRONMENT_FILTERED || is_listed);
		}
	assert_true(passes_by(ENVIRONMENT_ALLOWED, "TZ", "Europe/Berlin"));
	assert_true(passes_by(ENVIRONMENT_ALLOWED, "LANG", "de_DE.UTF-8"));
	assert_true(passes_by(ENVIRONMENT_ALLOWED, "TERM", "xterm-256color"));
}

// Built from nothing: what is not on the list stays behind, however harmless its name is.
static void test_allow_list(void **state)
{
	(void)state;
	static const char *const listed[] = {"HOME", "USER", "LOGNAME", "SHELL", "COLUMNS", "LINES"};
	for (size_t i = 0; i < ARRAY_COUNT(everyday); i++) {
		bool is_listed = false;
		for (size_t j = 0; j < ARRAY_COUNT(listed); j++)
			is_listed = is_listed || strcmp(everyday[i], listed[j]) == 0;
		if (passes_by(ENVIRONMENT_ALLOWED, everyday[i], "1") != is_listed)
			fail_msg("%s %s", everyday[i], is_listed ? "does not pass" : "passes");
	}
	for (size_t i = 0; i < ARRAY_COUNT(listed); i++) {
		assert_true(passes_by(ENVIRONMENT_ALLOWED, listed[i], "/any thing"));
		assert_false(passes_by(ENVIRONMENT_ALLOWED, listed[i], "() { :; }"));
	}
	const char *const keep[] = {"PORT", "LD_PRELOAD", "NOT_THERE"};
	_cleanup_environment_ struct environment environment =
		build_by(ENVIRONMENT_ALLOWED, STRINGS("PORT=1", "LD_PRELOAD=x", "PORTS=1", "HOME=/h", "HOME=/i"), keep, 3);
	assert_int_equal(environment.count, 4); // with PATH
	assert_string_equal(entry_value(&environment, "PORT"), "1");
	assert_string_equal(entry_value(&environment, "LD_PRELOAD"), "x");
	assert_string_equal(entry_value(&environment, "HOME"), "/h");
	assert_true(is_dropped(&environment, "PORTS") && is_dropped(&environment, "HOME"));
	char entry[] = "A=1", *envp[] = {entry, NULL};
	struct environment none = {0};
	struct err err = {0};
	assert_int_equal(environment_build(ENVIRONMENT_ALLOWED, envp, STRINGS("PATH"), 1, &none, &err), ERR_USAGE);
}

// The caller's PATH has no say, and no folder of the user's is in it.
static void test_path_of_the_allow_list(void **state)
{
	(void)state;
	_cleanup_environment_ struct environment given =
		build_by(ENVIRONMENT_ALLOWED, STRINGS("PATH=/tmp:/usr/games:/usr/bin"), NULL, 0);
	_cleanup_environment_ struct environment absent = build_by(ENVIRONMENT_ALLOWED, STRINGS("A=1"), NULL, 0);
	assert_string_equal(entry_value(&given, "PATH"), given.path);
	assert_string_equal(given.path, absent.path);
	const char *at = PATH_DEFAULT;
	size_t kept = 0, len = 0;
	for (const char *entry = given.path; entry; entry = strchr(entry, ':') ? strchr(entry, ':') + 1 : NULL, kept++) {
		char text[256];
		struct stat st;
		len = strcspn(entry, ":");
		snprintf(text, sizeof(text), "%.*s", (int)len, entry);
		at = strstr(at, text);
		assert_non_null(at); // in the order of the list
		assert_int_equal(stat(text, &st), 0);
		assert_int_equal(st.st_uid, 0);
	}
	assert_true(kept > 0 && given.path_dropped_count + kept == 6);
}

static void test_everyday_variables_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(everyday); i++) {
		if (variable_is_steering(span_text(everyday[i])))
			fail_msg("%s is taken for one that steers", everyday[i]);
		if (!passes(everyday[i], "some value"))
			fail_msg("%s does not pass", everyday[i]);
	}
	for (size_t i = 0; i < ARRAY_COUNT(harmless); i++)
		if (!passes(harmless[i], "1"))
			fail_msg("%s does not pass", harmless[i]);
	assert_false(variable_is_steering(span_text("")));
	assert_false(passes("PYTHONSAFEPATHS", "1"));
	assert_true(passes("EMPTY", ""));
	assert_true(passes("EQUALS", "a=b=c"));
	assert_true(passes("BYTES", "\x01\xff\n%/$()`"));
}

static void test_names_are_exact(void **state)
{
	(void)state;
	// Names are compared by length, not up to the end of a C string, and in their own case.
	assert_false(variable_is_steering(span_of("PAGERS", 6)));
	assert_true(variable_is_steering(span_of("PAGERS", 5)));
	assert_false(variable_is_steering(span_of("LD", 1)));
	assert_false(variable_is_steering(span_text("ld_preload")));
	assert_true(variable_is_steering(span_text("LD_")));
}

static void test_what_cannot_be_kept(void **state)
{
	(void)state;
	static const char *const names[] = {"ENVSEAL_HOME", "ENVSEAL_X", "PATH", "bad name",
					    "",		    "1X",	 "A=B",	 "BASH_FUNC_ls%%"};
	char entry[] = "A=1", *envp[] = {entry, NULL};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		struct environment environment = {0};
		struct err err = {0};
		assert_int_equal(environment_build(ENVIRONMENT_FILTERED, envp, &names[i], 1, &environment, &err),
				 ERR_USAGE);
		assert_int_equal(err.code, ERR_USAGE);
		assert_null(environment.entries); // only written on success
	}
	_cleanup_environment_ struct environment environment =
		build(STRINGS("ENVSEAL_HOME=/x", "ENVSEAL_X=1", "ENVSEAL=1"));
	assert_null(entry_value(&environment, "ENVSEAL_HOME"));
	assert_null(entry_value(&environment, "ENVSEAL_X"));
	assert_string_equal(entry_value(&environment, "ENVSEAL"), "1");
}

static void test_kept_by_name(void **state)
{
	(void)state;
	const char *const keep[] = {"LD_LIBRARY_PATH", "HTTPS_PROXY", "NOT_THERE", "TZ"};
	_cleanup_environment_ struct environment environment =
		build_keeping(STRINGS("LD_LIBRARY_PATH=/opt/lib", "LD_PRELOAD=x.so", "HTTPS_PROXY=http://p",
				      "LD_LIBRARY_PATHS=1", "TZ=:/etc/localtime"),
			      keep, ARRAY_COUNT(keep));
	assert_string_equal(entry_value(&environment, "LD_LIBRARY_PATH"), "/opt/lib");
	assert_string_equal(entry_value(&environment, "HTTPS_PROXY"), "http://p");
	assert_string_equal(entry_value(&environment, "TZ"), ":/etc/localtime");
	assert_null(entry_value(&environment, "LD_PRELOAD"));
	assert_null(entry_value(&environment, "LD_LIBRARY_PATHS"));
	assert_null(entry_value(&environment, "NOT_THERE"));
	assert_false(is_dropped(&environment, "LD_LIBRARY_PATH"));
}

// ------------------------------------------------------------------------------------------------------- odd entries

static void test_odd_entries(void **state)
{
	(void)state;
	_cleanup_environment_ struct environment environment =
		build(STRINGS("ZZZ=1", "NOEQUALS", "=empty", "", "1DIGIT=x", "WITH SPACE=x", "WITH-DASH=x", "DUP=first",
			      "DUP=second", "DUP=third", "AAA=2", "PATH", "\xc3\xa4=1"));
	assert_string_equal(entry_value(&environment, "ZZZ"), "1");
	assert_string_equal(entry_value(&environment, "DUP"), "first");
	assert_string_equal(entry_value(&environment, "PATH"), environment.path);
	assert_int_equal(environment.count, 4);
	static const char *const dropped[] = {"", "(entry without a name)", "1DIGIT", "DUP", "WITH SPACE", "WITH-DASH",
					      "\xc3\xa4"};
	assert_int_equal(environment.dropped_count, ARRAY_COUNT(dropped));
	// Sorted, each once. What stands without a '=' may be anything, and is not shown.
	for (size_t i = 0; i < ARRAY_COUNT(dropped); i++)
		assert_string_equal(environment.dropped[i], dropped[i]);
}

static void test_dropped_is_not_brought_back_by_a_second(void **state)
{
	(void)state;
	_cleanup_environment_ struct environment environment =
		build(STRINGS("LD_PRELOAD=a", "LD_PRELOAD=b", "PATH=/usr/bin", "PATH=/tmp", "TERM=../x"));
	assert_null(entry_value(&environment, "LD_PRELOAD"));
	assert_string_equal(entry_value(&environment, "PATH"), "/usr/bin");
	assert_int_equal(environment.dropped_count, 3);
	assert_string_equal(environment.dropped[0], "LD_PRELOAD");
	assert_string_equal(environment.dropped[1], "PATH");
	assert_string_equal(environment.dropped[2], "TERM");
}

static void test_exported_functions(void **state)
{
	(void)state;
	assert_false(passes("BASH_FUNC_ls%%", "() { echo; }"));
	assert_false(passes("BASH_FUNC_ls()", "() { echo; }"));
	assert_false(passes("__BASH_FUNC<ls>()", "() { echo; }"));
	// As bash had them in variables of any name.
	assert_false(passes("harmless", "() { :; }; echo"));
	assert_false(passes("harmless", "() {"));
	assert_true(passes("harmless", "()"));
	assert_true(passes("harmless", " () {"));
}

static void test_nothing_and_much(void **state)
{
	(void)state;
	_cleanup_environment_ struct environment environment = build(STRINGS(NULL));
	assert_int_equal(environment.count, 1);
	assert_string_equal(entry_value(&environment, "PATH"), environment.path);
	assert_int_equal(environment.dropped_count, 0);
	char *large = malloc(131072);
	memset(large, 'x', 131071);
	memcpy(large, "LARGE=", 6);
	large[131071] = 0;
	_cleanup_environment_ struct environment with = build(STRINGS(large));
	assert_int_equal(strlen(entry_value(&with, "LARGE")), 131071 - 6);
	free(large);
	environment_done(&with);
	environment_done(&with); // empty by now
}

// ------------------------------------------------------------------------------------------------------------- shapes

static void test_shapes(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
		bool passes;
	} cases[] = {
		{"TERM", "xterm-256color", true}, {"TERM", "screen.xterm-new", true}, {"TERM", "rxvt+pcfkeys", true},
		{"TERM", "dumb", true}, {"TERM", "", true}, {"TERM", "/tmp/evil", false}, {"TERM", "x/../y", false},
		{"TERM", "x%n", false}, {"TERM", "\033[2J", false}, {"TERM", "x y", false}, {"TERM", "x\n", false},
		{"TERM", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
		{"TERM", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"COLORTERM", "truecolor", true}, {"COLORTERM", "24bit/..", false}, {"LANG", "C", true},
		{"LANG", "C.UTF-8", true}, {"LANG", "de_DE.UTF-8", true}, {"LANG", "de_DE@euro", true},
		{"LANG", "en_US.ISO8859-15", true}, {"LANG", "../../tmp/x", false}, {"LANG", "/tmp/x", false},
		{"LANG", "%s", false}, {"LANG", "C\xff", false}, {"LANG", "", true}, {"LANGUAGE", "de:en", true},
		{"LANGUAGE", "de:/x", false}, {"LC_ALL", "C.UTF-8", true}, {"LC_ALL", "a/b", false},
		{"LC_MESSAGES", "%d", false}, {"LC_TIME", "en_GB.UTF-8", true}, {"LINGUAS", "de", true},
		{"LINGUAS", "de/x", false}, {"TZ", "UTC", true}, {"TZ", "Europe/Berlin", true},
		{"TZ", "America/Argentina/Buenos_Aires", true}, {"TZ", "CET-1CEST,M3.5.0,M10.5.0/3", true},
		{"TZ", "<+03>-3", true}, {"TZ", "Etc/GMT+12", true}, {"TZ", "/etc/localtime", false},
		{"TZ", ":/etc/localtime", false}, {"TZ", ":Europe/Berlin", false}, {"TZ", "../../tmp/x", false},
		{"TZ", "Europe/../../x", false}, {"TZ", "..", false}, {"TZ", "%", false}, {"TZ", "", true},
		{"TZ", "a\nb", false}, {"TZ", "a\033b", false},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (passes(cases[i].name, cases[i].value) != cases[i].passes)
			fail_msg("%s=%s: %s", cases[i].name, cases[i].value, cases[i].passes ? "dropped" : "passed");
}

// --------------------------------------------------------------------------------------------------------------- PATH

static char scene[256];

static int scene_setup(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(scene, sizeof(scene), "%s/environment-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(scene) && chdir(scene) == 0 ? 0 : -1;
}

static int scene_teardown(void **state)
{
	(void)state;
	char command[300];
	snprintf(command, sizeof(command), "rm -rf '%s'", scene);
	return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

// A folder of the scene, by its absolute path; the next call but seven reuses the memory.
static const char *folder(const char *name, mode_t mode)
{
	static char paths[8][400];
	static size_t next;
	char *path = paths[next++ % ARRAY_COUNT(paths)];
	snprintf(path, sizeof(paths[0]), "%s/%s", scene, name);
	mkdir(path, 0700);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

// What becomes of PATH=`text`; the caller owns it.
static struct environment path_of(const char *text)
{
	char entry[4200];
	assert_true((size_t)snprintf(entry, sizeof(entry), "PATH=%s", text) < sizeof(entry));
	return build(STRINGS(entry));
}

static void assert_path_entry(const char *entry, bool is_good)
{
	char list[1000];
	snprintf(list, sizeof(list), "/usr/bin:%s:/bin", entry);
	_cleanup_environment_ struct environment environment = path_of(list);
	if (is_good)
		assert_string_equal(environment.path, list);
	else
		assert_string_equal(environment.path, "/usr/bin:/bin");
	assert_int_equal(environment.path_dropped_count, is_good ? 0 : 1);
	if (!is_good)
		assert_string_equal(environment.path_dropped[0], entry);
	assert_string_equal(entry_value(&environment, "PATH"), environment.path);
}

static void test_path_folders(void **state)
{
	(void)state;
	assert_path_entry(folder("good", 0755), true);
	assert_path_entry(folder("private", 0700), true);
	assert_path_entry(folder("world", 0777), false);
	assert_path_entry(folder("sticky", 01777), false);
	assert_path_entry("", false);
	assert_path_entry(".", false);
	assert_path_entry("good", false);
	assert_path_entry("../x", false);
	assert_path_entry("~/bin", false);
	assert_path_entry("/nonexistent-folder", false);
	char file[400];
	snprintf(file, sizeof(file), "%s/file", scene);
	assert_int_equal(mknod(file, S_IFREG | 0755, 0), 0);
	assert_path_entry(file, false);
}

static void test_path_groups_and_owners(void **state)
{
	(void)state;
	// A group of the user's own number is the user's own group, as most systems set users up.
	const char *group = folder("group", 0775);
	assert_path_entry(group, getgid() == getuid());
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(group, 0, 12345), 0);
	assert_path_entry(group, false);
	const char *foreign = folder("foreign", 0755);
	assert_int_equal(chown(foreign, 12345, 12345), 0);
	assert_path_entry(foreign, false);
}

// Who can write above a folder can put another in its place; a sticky folder keeps that to the owners.
static void test_path_folders_above(void **state)
{
	(void)state;
	folder("open", 0755);
	const char *below = folder("open/bin", 0755);
	assert_path_entry(below, true);
	folder("open", 0777);
	assert_path_entry(below, false);
	folder("open", 01777);
	assert_path_entry(below, true);
	if (geteuid() == 0) {
		assert_int_equal(chown(folder("open", 0755), 12345, 0), 0);
		assert_path_entry(below, false);
	}
}

static void test_path_links(void **state)
{
	(void)state;
	char link[400];
	folder("open", 0777);
	folder("open/in", 0755);
	folder("good", 0755);
	snprintf(link, sizeof(link), "%s/link", scene);
	assert_int_equal(symlink("good", link), 0);
	assert_path_entry(link, true);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("open/in", link), 0);
	assert_path_entry(link, false);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("gone", link), 0);
	assert_path_entry(link, false);
	// The link itself lies where others can turn it elsewhere.
	snprintf(link, sizeof(link), "%s/open/link", scene);
	assert_int_equal(symlink("../good", link), 0);
	assert_path_entry(link, false);
}

static void test_path_lists(void **state)
{
	(void)state;
	_cleanup_environment_ struct environment twice = path_of("/usr/bin:/bin:/usr/bin:/bin");
	assert_string_equal(twice.path, "/usr/bin:/bin");
	assert_int_equal(twice.path_dropped_count, 0);
	_cleanup_environment_ struct environment edges = path_of(":/usr/bin::.:");
	assert_string_equal(edges.path, "/usr/bin");
	assert_int_equal(edges.path_dropped_count, 2);
	assert_string_equal(edges.path_dropped[0], "");
	assert_string_equal(edges.path_dropped[1], ".");
	static const char *const empty[] = {"", ":", ".", "/nonexistent-folder", "bin:usr/bin"};
	for (size_t i = 0; i < ARRAY_COUNT(empty); i++) {
		_cleanup_environment_ struct environment environment = path_of(empty[i]);
		assert_string_equal(environment.path, PATH_DEFAULT);
		assert_string_equal(entry_value(&environment, "PATH"), PATH_DEFAULT);
	}
	char *large = malloc(5001);
	memset(large, 'x', 5000);
	memcpy(large, "PATH=/", 6);
	large[5000] = 0;
	_cleanup_environment_ struct environment environment = build(STRINGS(large));
	free(large);
	assert_string_equal(environment.path, PATH_DEFAULT);
	assert_int_equal(environment.path_dropped_count, 1);
}

// ------------------------------------------------------------------------------------------------ where a secret may go

static int secret_code(const char *name)
{
	struct err err = {0};
	int r = variable_check_secret(name, &err);
	assert_int_equal(r, err.code);
	return r;
}

static int plain_code(const char *name, const char *value)
{
	struct err err = {0};
	int r = variable_check_plain(name, span_text(value), &err);
	assert_int_equal(r, err.code);
	return r;
}

static void test_secret_is_accepted(void **state)
{
	(void)state;
	static const char *const names[] = {
	"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CARGO_REGISTRY_TOKEN",
	"CARGO_REGISTRIES_MY_TOKEN", "DATABASE_URL", "GH_TOKEN", "GITHUB_TOKEN", "GIT_TOKEN", "GIT_PASSWORD",
	"NPM_TOKEN", "NPM_CONFIG__AUTH", "NPM_CONFIG__AUTHTOKEN", "npm_config__authToken", "YARN_NPM_AUTH_TOKEN",
	"UV_PUBLISH_TOKEN", "UV_INDEX_X_PASSWORD", "DOCKER_PASSWORD", "DENO_DEPLOY_TOKEN", "GEM_HOST_API_KEY",
	"OP_SERVICE_ACCOUNT_TOKEN", "OP_CONNECT_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "COMPOSER_AUTH",
	"ANSIBLE_VAULT_PASSWORD", "lower_case", "_X", "X1",
	};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (secret_code(names[i]) != 0)
			fail_msg("%s is refused", names[i]);
}

static void test_secret_is_refused(void **state)
{
	(void)state;
	static const char *const names[] = {
	"", "1X", "A B", "A=B", "A-B", "X\n", "\xc3\xa4", "PATH", "HOME", "ENVSEAL_TOKEN", "ENVSEAL_HOME", "TERM",
	"COLORTERM", "LANG", "LC_ALL", "LC_API_KEY", "TZ", "LD_PRELOAD", "LD_TOKEN", "LD_AUDIT_KEY", "BASH_ENV",
	"BASH_TOKEN", "GIT_SSH_COMMAND", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0", "GIT_ASKPASS", "SSH_ASKPASS",
	"SSH_AUTH_SOCK", "NODE_OPTIONS", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "DOCKER_HOST",
	"NPM_CONFIG_SCRIPT_SHELL", "npm_config_key_file", "ANSIBLE_CONFIG", "RSYNC_RSH", "PYTHONSAFEPATH_KEY",
	"CARGO_ALIAS_MY_TOKEN", "CARGO_CREDENTIAL_ALIAS_TOKEN", "CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS",
	"BUNDLE_LOCAL__MY_TOKEN", "BUNDLE_BUILD__MY_KEY", "PYTHON_KEY", "PERL_TOKEN", "R_AUTH", "LUA_KEY",
	"DOTNET_KEY", "ERL_TOKEN",
	};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (secret_code(names[i]) != ERR_USAGE)
			fail_msg("%s is not refused as a usage error", names[i]);
	char name[300];
	memset(name, 'A', sizeof(name));
	name[255] = 0;
	assert_int_equal(secret_code(name), 0);
	name[255] = 'A';
	name[256] = 0;
	assert_int_equal(secret_code(name), ERR_USAGE);
}

// No variable of the list that steers is a fit place for a secret, whatever its ending; credentials by name are the
// exception.
static void assert_no_secret(const char *name)
{
	static const char *const credentials[] = {"OP_SERVICE_ACCOUNT_TOKEN", "OP_CONNECT_TOKEN", "ANTHROPIC_API_KEY",
						  "OPENAI_API_KEY"};
	bool is_credential = false;
	for (size_t c = 0; c < ARRAY_COUNT(credentials); c++)
		is_credential = is_credential || strcmp(credentials[c], name) == 0;
	if (secret_code(name) != (is_credential ? 0 : ERR_USAGE))
		fail_msg("%s: %d", name, secret_code(name));
}

static void test_no_steering_variable_takes_a_secret(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(steering); i++)
		assert_no_secret(steering[i]);
	for (size_t i = 0; i < ARRAY_COUNT(variables_that_steer); i++)
		assert_no_secret(variables_that_steer[i]);
}

static void test_sentences_are_inert(void **state)
{
	(void)state;
	struct err err = {0};
	assert_int_equal(variable_check_secret("\033[2Jx", &err), ERR_USAGE);
	assert_null(strchr(err.text, '\033'));
	// It may be a value that was typed where a name belongs.
	assert_null(strstr(err.text, "2Jx"));
	assert_int_equal(variable_check_secret("LD_PRELOAD", &err), ERR_USAGE);
	assert_non_null(strstr(err.text, "LD_PRELOAD"));
}

static void test_plain_settings(void **state)
{
	(void)state;
	assert_int_equal(plain_code("PORT", "8080"), 0);
	assert_int_equal(plain_code("EMPTY", ""), 0);
	assert_int_equal(plain_code("TZ", "Europe/Berlin"), 0);
	assert_int_equal(plain_code("TZ", "/etc/passwd"), ERR_USAGE);
	assert_int_equal(plain_code("LANG", "de_DE.UTF-8"), 0);
	assert_int_equal(plain_code("LC_ALL", "../x"), ERR_USAGE);
	assert_int_equal(plain_code("TERM", "xterm"), 0);
	assert_int_equal(plain_code("PATH", "/usr/bin"), ERR_USAGE);
	assert_int_equal(plain_code("HOME", "/root"), ERR_USAGE);
	assert_int_equal(plain_code("NODE_OPTIONS", ""), ERR_USAGE);
	assert_int_equal(plain_code("ENVSEAL_HOME", "/x"), ERR_USAGE);
	// A credential in the open is a mistake, and of a family that steers.
	assert_int_equal(plain_code("OPENAI_API_KEY", "x"), ERR_USAGE);
	assert_int_equal(plain_code("1X", "x"), ERR_USAGE);
	assert_int_equal(plain_code("FUNCTION", "() { :; }"), ERR_USAGE);
}

#define path_test(function) cmocka_unit_test_setup_teardown(function, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_steers_is_dropped),
		cmocka_unit_test(test_no_known_variable_passes),
		cmocka_unit_test(test_shaped_variables),
		cmocka_unit_test(test_allow_list),
		cmocka_unit_test(test_path_of_the_allow_list),
		cmocka_unit_test(test_everyday_variables_pass),
		cmocka_unit_test(test_names_are_exact),
		cmocka_unit_test(test_what_cannot_be_kept),
		cmocka_unit_test(test_kept_by_name),
		cmocka_unit_test(test_odd_entries),
		cmocka_unit_test(test_dropped_is_not_brought_back_by_a_second),
		cmocka_unit_test(test_exported_functions),
		cmocka_unit_test(test_nothing_and_much),
		cmocka_unit_test(test_shapes),
		path_test(test_path_folders),
		path_test(test_path_groups_and_owners),
		path_test(test_path_folders_above),
		path_test(test_path_links),
		path_test(test_path_lists),
		cmocka_unit_test(test_secret_is_accepted),
		cmocka_unit_test(test_secret_is_refused),
		cmocka_unit_test(test_no_steering_variable_takes_a_secret),
		cmocka_unit_test(test_sentences_are_inert),
		cmocka_unit_test(test_plain_settings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
