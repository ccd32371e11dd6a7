// The file that the arguments of an open-ended program name or imply.
#include "program/program_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Programs that go by a file of a fixed name. All lists end in NULL.
struct habit {
	const char *programs[14]; // entries of the table in open_ended.c
	const char *files[4];     // in this order
	bool is_upward;           // in the nearest folder that has one
	bool has_script;          // an argument can name a script to be run in place of what the file says
	const char *file_options[4];
	const char *folder_options[6];
};

static const struct habit habits[] = {
	{.programs = {"npm", "npm-cli.js", "npx", "npx-cli.js", "pnpm", "pnpm.cjs", "pnpx", "pnpx.cjs", "yarn",
		      "yarn.js", "yarnpkg", "bun", "bunx"},
	 .files = {"package.json"},
	 .is_upward = true,
	 .has_script = true,
	 .folder_options = {"-C", "--prefix", "--dir", "--cwd"}},
	{.programs = {"cargo"},
	 .files = {"Cargo.toml"},
	 .is_upward = true,
	 .file_options = {"--manifest-path"},
	 .folder_options = {"-C"}},
	{.programs = {"make", "gmake"},
	 .files = {"GNUmakefile", "makefile", "Makefile"},
	 .file_options = {"-f", "--file", "--makefile"},
	 .folder_options = {"-C", "--directory"}},
};

static bool has_text(const char *const list[], const char *text)
{
	while (*list && strcmp(*list, text) != 0)
		list++;
	return *list;
}

static const struct habit *path_habit(const char *path)
{
	const char *entry = open_ended_entry(path);
	for (size_t i = 0; entry && i < ARRAY_COUNT(habits); i++)
		if (has_text(habits[i].programs, entry))
			return &habits[i];
	return NULL;
}

// By the name first: cargo is a link to rustup, yarn one to corepack's.
static const struct habit *program_habit(const struct program *program)
{
	const struct habit *habit = program->name ? path_habit(program->name) : NULL;
	return habit ? habit : path_habit(program->path);
}

// ----------------------------------------------------------------------------------------------------------- options

// What an argument gives to the option: "" for the option alone, whose value is the next argument; NULL when it is
// another argument.
static const char *option_rest(const char *argument, const char *option)
{
	size_t len = strlen(option);
	if (strncmp(argument, option, len) != 0)
		return NULL;
	bool is_long = option[1] == '-';
	if (!is_long || !argument[len])
		return argument + len;
	return argument[len] == '=' ? argument + len + 1 : NULL;
}

// The value of the first of these options; NULL when none is there.
static const char *option_value(char *const argv[], const char *const options[])
{
	for (size_t i = 1; argv[i] && strcmp(argv[i], "--") != 0; i++)
		for (const char *const *option = options; *option; option++) {
			const char *rest = option_rest(argv[i], *option);
			if (rest)
				return rest[0] || !argv[i + 1] ? rest : argv[i + 1];
		}
	return NULL;
}

// ------------------------------------------------------------------------------------------------------------- files

static int path_make(const char *directory, const char *path, char **out, struct err *err)
{
	if (path[0] != '/')
		return path_join(directory, path, out, err);
	*out = strdup(path);
	return *out ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static bool is_file(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

// Looked at again once it is open: since the first look it may have become something else.
static int file_read(const char *path, struct buf *content, int *out_fd, struct err *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)content->max)
		return err_set(err, ERR_INPUT, "it cannot be read");
	int r = fd_read_all(fd, content, path, err);
	if (r == 0)
		*out_fd = TAKE_FD(fd);
	return r;
}

static int script_read(const char *path, struct program_script *out, struct err *err)
{
	_cleanup_buf_ struct buf content = BUF_INIT(PROGRAM_SCRIPT_BYTES_MAX);
	_cleanup_free_ char *real = realpath(path, NULL);
	_cleanup_fd_ int fd = -1;
	int r = real ? file_read(real, &content, &fd, err) : ERR_INPUT;
	if (r == ERR_MEMORY)
		return r;
	*out = (struct program_script){.is_unread = r < 0};
	if (r < 0)
		return 0;
	digest_bytes(buf_span(&content), out->digest);
	out->is_system = path_is_system(real, fd);
	out->path = TAKE_PTR(real);
	return 0;
}

// -------------------------------------------------------------------------------------------------------- the search
// Each leaves *out_path NULL where it finds nothing.

static int argument_find(char *const argv[], const struct habit *habit, const char *directory, char **out_path,
			 struct err *err)
{
	*out_path = NULL;
	for (size_t i = 1; argv[i]; i++) {
		_cleanup_free_ char *path = NULL;
		// `npm test`: the name of a command, whatever lies about.
		bool is_word = habit && !strpbrk(argv[i], "./");
		if (is_word || argv[i][0] == '-' || !argv[i][0])
			continue;
		int r = path_make(directory, argv[i], &path, err);
		if (r < 0)
			return r;
		if (is_file(path)) {
			*out_path = TAKE_PTR(path);
			return 0;
		}
	}
	return 0;
}

// The first of the habit's files in the folder.
static int folder_find(const struct habit *habit, const char *folder, char **out_path, struct err *err)
{
	*out_path = NULL;
	for (size_t i = 0; habit->files[i]; i++) {
		_cleanup_free_ char *path = NULL;
		int r = path_join(folder, habit->files[i], &path, err);
		if (r < 0)
			return r;
		if (is_file(path)) {
			*out_path = TAKE_PTR(path);
			return 0;
		}
	}
	return 0;
}

static int implied_find(char *const argv[], const struct habit *habit, const char *directory, char **out_path,
			struct err *err)
{
	const char *option = option_value(argv, habit->folder_options);
	_cleanup_free_ char *folder = NULL;
	int r = path_make(directory, option ? option : ".", &folder, err);
	if (r < 0)
		return r;
	*out_path = NULL;
	// Upward without links: where `..` leads.
	_cleanup_free_ char *real = realpath(folder, NULL);
	for (char *end = real; end;) {
		r = folder_find(habit, real[0] ? real : "/", out_path, err);
		if (r < 0 || *out_path || !habit->is_upward)
			return r;
		end = strrchr(real, '/');
		if (end)
			*end = 0;
	}
	return 0;
}

// What an option names is what runs, whether it can be read or not.
static int option_read(const char *file, const char *directory, struct program_script *out, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	int r = path_make(directory, file, &path, err);
	return r < 0 ? r : script_read(path, out, err);
}

int program_script_find(const struct program *program, char *const argv[], const char *directory,
			struct program_script *out, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	const struct habit *habit = program_habit(program);
	bool is_looked_for = argv[0] && program_has_open_ended(program);
	const char *named = is_looked_for && habit ? option_value(argv, habit->file_options) : NULL;
	if (named)
		return option_read(named, directory, out, err);
	int r = 0;
	if (is_looked_for && (!habit || habit->has_script))
		r = argument_find(argv, habit, directory, &path, err);
	if (r == 0 && is_looked_for && !path && habit)
		r = implied_find(argv, habit, directory, &path, err);
	if (r < 0)
		return r;
	if (path)
		return script_read(path, out, err);
	*out = (struct program_script){0};
	return 0;
}

void program_script_done(struct program_script *script)
{
	free(script->path);
	*script = (struct program_script){0};
}
