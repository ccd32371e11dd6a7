// What an agent has of its own, and what a profile says beyond that.
#include "sandbox/jail_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROFILE_BYTES_MAX 65536u

// ------------------------------------------------------------------------------------------------------------- tables

static const struct {
	const char *name;
	const char *program;  // whose name chooses it
	const char *variable; // names another place for its first folder
} profiles[] = {
	{"shell", NULL, NULL},
	{"claude", "claude", "CLAUDE_CONFIG_DIR"},
	{"codex", "codex", "CODEX_HOME"},
	{"cursor", "cursor-agent", NULL},
	{"gemini", "gemini", NULL},
};

enum state_kind {
	STATE_OPTIONAL,
	STATE_FOLDER, // made where it is missing: nothing can be made in the home from inside
	STATE_JSON    // likewise, with an empty object in it
};

static const struct {
	const char *profile;
	const char *path; // below the home
	enum state_kind kind;
} states[] = {
	{"claude", ".claude", STATE_FOLDER},
	{"claude", ".claude.json", STATE_JSON},
	{"claude", ".config/claude", STATE_OPTIONAL},
	{"claude", ".local/share/claude", STATE_OPTIONAL},
	{"claude", ".local/state/claude", STATE_OPTIONAL},
	{"codex", ".codex", STATE_FOLDER},
	{"cursor", ".cursor", STATE_FOLDER},
	{"cursor", ".config/cursor", STATE_OPTIONAL},
	{"cursor", ".local/share/cursor-agent", STATE_OPTIONAL},
	{"gemini", ".gemini", STATE_FOLDER},
};

// What build tools keep for themselves, beside ~/.cache (jail_cache.c). Not the folders of programs that the human runs outside
// (~/.cargo/bin, ~/go/bin), nor what those read their commands from.
static const char *const caches[] = {
	".bun/install/cache", ".cargo/.global-cache", ".cargo/.package-cache", ".cargo/.package-cache-mutate", ".cargo/git",
	".cargo/registry", ".ccache", ".composer/cache", ".gradle/.tmp", ".gradle/caches", ".gradle/daemon",
	".gradle/native", ".gradle/notifications", ".gradle/wrapper", ".ivy2/cache", ".local/share/pnpm/store",
	".local/share/uv", ".local/state/pnpm", ".m2/repository", ".npm", ".nuget/packages", ".sbt/boot", ".yarn/berry",
	".yarn/cache", "go/pkg",
};

// Beside what hidden.c has: what leads to the desktop.
static const char *const desktop[] = {".ICEauthority", ".Xauthority"};

// -------------------------------------------------------------------------------------------------------------- paths

static int path_below(const char *folder, const char *name, char **out, struct err *err)
{
	return path_join(strcmp(folder, "/") == 0 ? "" : folder, name, out, err);
}

static int path_absolute(const char *text, const struct sandbox_place *place, char **out, struct err *err)
{
	char brief[128];
	bool is_home = text[0] == '~' && (text[1] == '/' || text[1] == 0);
	const char *folder = is_home ? place->home : place->directory;
	text_brief(span_text(text), brief, sizeof(brief));
	if (text[0] == 0)
		return err_set(err, ERR_USAGE, "a path for the jail is empty");
	if (text[0] == '/') {
		*out = strdup(text);
		return *out ? 0 : err_set(err, ERR_MEMORY, "out of memory");
	}
	if (!folder)
		return err_set(err, ERR_USAGE, "%s: there is no %s here that it could be in", brief,
			       is_home ? "home folder" : "working folder");
	return path_below(folder, is_home && text[1] ? text + 2 : is_home ? "" : text, out, err);
}

static bool name_fits(const char *pattern, const char *name)
{
	const char *star = strchr(pattern, '*');
	size_t before = (size_t)(star - pattern), after = strlen(star + 1), len = strlen(name);
	return len >= before + after && strncmp(name, pattern, before) == 0 && strcmp(name + len - after, star + 1) == 0 &&
	       (name[0] != '.' || pattern[0] == '.');
}

static int path_put(struct text_list *list, const char *path, struct err *err)
{
	if (list->count == JAIL_PATHS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d paths are named for the jail; name the folders above them",
			       JAIL_PATHS_MAX);
	return text_list_add(list, path, err);
}

// What there is now that the last part of the path stands for.
static int pattern_put(struct text_list *list, const char *path, struct err *err)
{
	const char *pattern = strrchr(path, '/') + 1;
	_cleanup_free_ char *folder = strndup(path, (size_t)(pattern - path));
	if (!folder)
		return err_set(err, ERR_MEMORY, "out of memory");
	DIR *dir = opendir(folder);
	int r = 0;
	const struct dirent *entry;
	while (dir && r == 0 && (entry = readdir(dir)) != NULL) {
		_cleanup_free_ char *one = NULL;
		if (!name_fits(pattern, entry->d_name) || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = asprintf(&one, "%s%s", folder, entry->d_name) < 0 ? err_set(err, ERR_MEMORY, "out of memory") : path_put(list, one, err);
	}
	if (dir)
		closedir(dir);
	return r;
}

static int text_put(struct text_list *list, const char *text, const struct sandbox_place *place, struct err *err)
{
	char brief[128];
	_cleanup_free_ char *path = NULL;
	int r = path_absolute(text, place, &path, err);
	if (r < 0)
		return r;
	const char *star = strchr(path, '*');
	if (!star)
		return path_put(list, path, err);
	if (strchr(star, '/') || strchr(star + 1, '*'))
		return err_set(err, ERR_USAGE, "%s: one '*' is understood, in the last part of a path",
			       text_brief(span_text(text), brief, sizeof(brief)));
	return pattern_put(list, path, err);
}

static int texts_put(struct text_list *list, const char *const *texts, size_t count, const struct sandbox_place *place,
		     struct err *err)
{
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++)
		r = text_put(list, texts[i], place, err);
	return r;
}

// --------------------------------------------------------------------------------------------------------------- file

// On its way through inih, which is asked line by line, so that a line that it would cut is seen before.
struct file {
	const char *path;
	struct span rest;
	unsigned line;
	const struct sandbox_place *place;
	struct jail_profile *profile;
	struct err *err;
	int r;
};

static void file_refuse(struct file *file, const char *what)
{
	char brief[200];
	file->r = err_set(file->err, ERR_INPUT, "%s line %u: %s; see envseal-jail(1)",
			  text_brief(span_text(file->path), brief, sizeof(brief)), file->line, what);
}

static const char *builtin_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(profiles); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return profiles[i].name;
	return NULL;
}

static void base_take(struct file *file, const char *value)
{
	const char *name = builtin_find(value);
	if (file->profile->name)
		file_refuse(file, "the base stands twice");
	else if (!name)
		file_refuse(file, "the base is none of claude, codex, cursor, gemini and shell");
	file->profile->name = name;
}

// inih asks for a number other than 0 when all is well; but the end of the lines is what stops it.
static int entry_take(void *context, const char *section, const char *name, const char *value)
{
	struct file *file = context;
	struct text_list *list = strcmp(name, "hide") == 0    ? &file->profile->hide
				    : strcmp(name, "read") == 0  ? &file->profile->read
				    : strcmp(name, "write") == 0 ? &file->profile->write
								 : NULL;
	if (file->r < 0)
		return 1;
	if (section[0])
		file_refuse(file, "it has no sections");
	else if (strcmp(name, "base") == 0)
		base_take(file, value);
	else if (!list)
		file_refuse(file, "the key is none of base, hide, read and write");
	else
		file->r = text_put(list, value, file->place, file->err);
	return 1;
}

static char *line_next(char *into, int room, void *context)
{
	struct file *file = context;
	if (file->r < 0 || file->rest.len == 0)
		return NULL;
	const uint8_t *end = memchr(file->rest.data, '\n', file->rest.len);
	size_t len = end ? (size_t)(end - file->rest.data) : file->rest.len, used = len + (end != NULL);
	const char *line = (const char *)file->rest.data;
	file->line++;
	if (len + 2 > (size_t)room)
		file_refuse(file, "it is too long");
	else if (len > 0 && (line[0] == ' ' || line[0] == '\t'))
		file_refuse(file, "it begins with a blank");
	else if (memchr(line, 0, len))
		file_refuse(file, "it holds a NUL byte");
	if (file->r < 0)
		return NULL;
	memcpy(into, line, len);
	memcpy(into + len, "\n", 2);
	file->rest = span_of(file->rest.data + used, file->rest.len - used);
	return into;
}

static int file_read(const char *path, struct buf *out, struct err *err)
{
	char brief[200], quoted[256];
	struct stat st;
	text_brief(span_text(path), brief, sizeof(brief));
	path_quote(path, quoted, sizeof(quoted));
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno, "cannot open the profile %s", brief);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_UNSAFE, "the profile %s is no regular file", brief);
	if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & 0022))
		return err_set(err, ERR_UNSAFE, "others can change the profile %s; mend it with: chmod go-w %s", brief, quoted);
	return fd_read_all(fd, out, brief, err);
}

static int file_load(const char *path, const struct sandbox_place *place, struct jail_profile *profile, struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(PROFILE_BYTES_MAX);
	int r = file_read(path, &text, err);
	if (r < 0)
		return r;
	struct file file = {.path = path, .rest = buf_span(&text), .place = place, .profile = profile, .err = err};
	int line = ini_parse_stream(line_next, &file, entry_take, &file);
	if (file.r == 0 && line != 0) {
		file.line = line > 0 ? (unsigned)line : file.line;
		file_refuse(&file, "it is not key = value");
	}
	return file.r;
}

// ------------------------------------------------------------------------------------------------------------ profile

static const char *name_by_agent(const char *agent)
{
	for (size_t i = 0; agent && i < ARRAY_COUNT(profiles); i++)
		if (profiles[i].program && strcmp(path_base(agent), profiles[i].program) == 0)
			return profiles[i].name;
	return "shell";
}

static int base_load(const struct jail_wish *wish, const struct sandbox_place *place, struct jail_profile *profile, struct err *err)
{
	char brief[128];
	const char *word = wish->profile;
	if (!word) {
		profile->name = name_by_agent(wish->agent);
		return 0;
	}
	if (!strchr(word, '/')) {
		profile->name = builtin_find(word);
		return profile->name ? 0
				     : err_set(err, ERR_USAGE,
					       "there is no profile %s; there are claude, codex, cursor, gemini and shell, and a file is named with "
					       "a slash, as ./%s", text_brief(span_text(word), brief, sizeof(brief)), brief);
	}
	int r = file_load(word, place, profile, err);
	if (r == 0 && !profile->name)
		profile->name = name_by_agent(wish->agent);
	return r;
}

static int state_make(const char *path, enum state_kind kind, struct err *err)
{
	if (kind == STATE_FOLDER && mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make the agent's folder %s", path);
	if (kind != STATE_JSON)
		return 0;
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? 0 : fd_write_all(fd, span_text("{}\n"), path, err);
}

static int state_put(struct jail_profile *profile, const char *path, enum state_kind kind, bool make_state, struct err *err)
{
	int r = make_state ? state_make(path, kind, err) : 0;
	if (r < 0 || access(path, F_OK) < 0)
		return r;
	r = path_put(&profile->read, path, err);
	return r < 0 ? r : path_put(&profile->write, path, err);
}

static int states_put(struct jail_profile *profile, const char *home, bool make_state, struct err *err)
{
	int r = 0;
	for (size_t i = 0; home && i < ARRAY_COUNT(states) && r == 0; i++) {
		_cleanup_free_ char *path = NULL;
		if (strcmp(states[i].profile, profile->name) != 0)
			continue;
		r = path_below(home, states[i].path, &path, err);
		if (r == 0)
			r = state_put(profile, path, states[i].kind, make_state, err);
	}
	for (size_t i = 0; i < ARRAY_COUNT(profiles) && r == 0; i++) {
		const char *path = profiles[i].variable && strcmp(profiles[i].name, profile->name) == 0 ? getenv(profiles[i].variable) : NULL;
		if (path && path[0] == '/')
			r = state_put(profile, path, STATE_OPTIONAL, make_state, err);
	}
	return r;
}

static int usual_put(struct jail_profile *profile, const char *home, struct err *err)
{
	int r = 0;
	for (size_t i = 0; home && i < ARRAY_COUNT(caches) && r == 0; i++) {
		_cleanup_free_ char *path = NULL;
		r = path_below(home, caches[i], &path, err);
		if (r == 0 && access(path, F_OK) == 0)
			r = path_put(&profile->write, path, err);
	}
	for (size_t i = 0; home && i < ARRAY_COUNT(desktop) && r == 0; i++) {
		_cleanup_free_ char *path = NULL;
		r = path_below(home, desktop[i], &path, err);
		if (r == 0)
			r = path_put(&profile->hide, path, err);
	}
	return r;
}

int jail_profile_load(const struct jail_wish *wish, const struct sandbox_place *place, bool make_state,
		      struct jail_profile *out, struct err *err)
{
	struct jail_profile profile = {0};
	int r = base_load(wish, place, &profile, err);
	if (r == 0)
		r = states_put(&profile, place->home, make_state, err);
	if (r == 0)
		r = usual_put(&profile, place->home, err);
	if (r == 0)
		r = texts_put(&profile.hide, wish->hide, wish->hide_count, place, err);
	if (r == 0)
		r = texts_put(&profile.read, wish->readable, wish->readable_count, place, err);
	if (r == 0)
		r = texts_put(&profile.write, wish->writable, wish->writable_count, place, err);
	if (r < 0) {
		jail_profile_done(&profile);
		return r;
	}
	*out = profile;
	return 0;
}

void jail_profile_done(struct jail_profile *profile)
{
	text_list_done(&profile->hide);
	text_list_done(&profile->read);
	text_list_done(&profile->write);
	*profile = (struct jail_profile){0};
}
