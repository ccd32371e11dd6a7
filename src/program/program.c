#include "program/digest_cache.h"
#include "program/program_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct program *program_free(struct program *program)
{
	if (!program)
		return NULL;
	program_free(program->interpreter);
	free(program->asked);
	free(program->path);
	free(program->name);
	free(program->script_name);
	free(program->interpreter_arguments);
	fd_close(&program->fd);
	free(program);
	return NULL;
}

void program_free_ptr(struct program **program)
{
	*program = program_free(*program);
}

bool program_is_copied(const struct program *program)
{
	return !program->is_system && !program->is_by_path;
}

// Fixes the content: nothing but root can change a system file, anything else is copied first and the copy is what
// counts.
static int program_pin(struct program *program, const struct program_options *options, struct err *err)
{
	program->is_system = path_is_system(program->path, program->fd);
	program->is_by_path = options->by_path && !program->is_system;
	if (program_is_copied(program)) {
		int copy = -1;
		int r = program_seal(program->fd, program->path, &copy, err);
		if (r < 0)
			return r;
		fd_close(&program->fd);
		program->fd = copy;
	}
	struct stat st;
	if (fstat(program->fd, &st) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine the program");
	program->size = (uint64_t)st.st_size;
	if (program->is_system && options->digest_later)
		return 0;
	int r = digest_file(program->fd, program->path, program->digest, err);
	program->has_digest = r == 0;
	return r;
}

// A name in another's hands could be turned to another file before the interpreter opens it.
static int script_name_choose(struct program *program, const char *found, struct err *err)
{
	bool by_name = program->is_by_path || (program->is_system && path_is_system(program->name, program->fd));
	program->script_name = strdup(by_name ? found : program->path);
	return program->script_name ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static int program_new(const char *asked, struct program **out, struct err *err)
{
	_cleanup_program_ struct program *program = calloc(1, sizeof(*program));
	if (!program)
		return err_set(err, ERR_MEMORY, "out of memory");
	program->fd = -1;
	program->asked = strdup(asked);
	if (!program->asked)
		return err_set(err, ERR_MEMORY, "out of memory");
	*out = TAKE_PTR(program);
	return 0;
}

// *out_interpreter and *out_argument are of its `#!` line, NULL where there is none.
static int program_open(struct program *program, const struct program_options *options, char **out_interpreter,
			char **out_argument, struct err *err)
{
	_cleanup_found_ struct found found = FOUND_INIT;
	int r = program_find(program->asked, options->path_list, &found, err);
	if (r == 0)
		r = name_absolute(found.name, &program->name, err);
	if (r < 0)
		return r;
	program->fd = TAKE_FD(found.fd);
	program->path = TAKE_PTR(found.path);
	// Before a copy is made of what cannot run anyway.
	r = format_check(program->fd, program->path, err);
	if (r == 0)
		r = program_pin(program, options, err);
	if (r == 0)
		r = script_name_choose(program, found.name, err);
	return r < 0 ? r : script_parse(program->fd, program->path, out_interpreter, out_argument, err);
}

static int interpreter_error(const struct program *program, struct err *err)
{
	char brief[200];
	// A missing interpreter is the script's fault: it was found, and cannot be executed.
	if (err->code == ERR_NO_PROGRAM)
		err->code = ERR_NO_EXEC;
	return err_prefix(err, "the interpreter of %s", text_brief(span_text(program->path), brief, sizeof(brief)));
}

// Takes over the words behind the first.
static void interpreter_become(struct program *program, struct program **target, char ***words)
{
	program_free(program->interpreter);
	program->interpreter = TAKE_PTR(*target);
	free(program->interpreter_arguments);
	char **list = TAKE_PTR(*words);
	size_t count = 0;
	for (; list[count + 1]; count++)
		list[count] = list[count + 1];
	list[count] = NULL;
	program->interpreter_arguments = count > 0 ? TAKE_PTR(list) : NULL;
	free(list);
}

static int env_error(const struct program *program, const char *name, struct err *err)
{
	if (err->code == ERR_NO_PROGRAM && strpbrk(name, " \t"))
		return program_refuse(program->path, "env takes all that its first line says for one name, and there "
						     "is no such program; write '#!/usr/bin/env -S' for several words",
				      err);
	return interpreter_error(program, err);
}

// The interpreter is env: what it would look up and run takes its place. A script there is left to env, since a `#!`
// line is what only the kernel, and not we, may follow for the second time.
static int env_follow(struct program *program, const char *argument, const struct program_options *options,
		      struct err *err)
{
	_cleanup_program_ struct program *target = NULL;
	_cleanup_free_ char *nested = NULL, *ignored = NULL;
	_cleanup_free_ char **words = NULL;
	int r = env_parse(argument, &words, err);
	if (r < 0 || !words)
		return r;
	r = program_new(words[0], &target, err);
	if (r == 0)
		r = program_open(target, options, &nested, &ignored, err);
	if (r < 0)
		return env_error(program, words[0], err);
	if (!nested)
		interpreter_become(program, &target, &words);
	return 0;
}

static int interpreter_open(struct program *program, const char *interpreter, const char *argument,
			    const struct program_options *options, struct err *err)
{
	_cleanup_free_ char *nested = NULL, *ignored = NULL;
	int r = argument ? words_split(argument, "", &program->interpreter_arguments, err) : 0;
	if (r == 0)
		r = program_new(interpreter, &program->interpreter, err);
	if (r == 0)
		r = program_open(program->interpreter, options, &nested, &ignored, err);
	if (r < 0)
		return interpreter_error(program, err);
	if (nested)
		return program_refuse(program->path, "its interpreter is itself a script; name a binary in its first "
						     "line",
				      err);
	bool is_env = program->interpreter->is_system && program_path_is_env(program->interpreter->path);
	return is_env && argument ? env_follow(program, argument, options, err) : 0;
}

int program_resolve(const char *asked, const struct program_options *options, struct program **out, struct err *err)
{
	_cleanup_program_ struct program *program = NULL;
	_cleanup_free_ char *interpreter = NULL, *argument = NULL;
	int r = program_new(asked, &program, err);
	if (r == 0)
		r = program_open(program, options, &interpreter, &argument, err);
	if (r == 0 && interpreter)
		r = interpreter_open(program, interpreter, argument, options, err);
	if (r == 0)
		*out = TAKE_PTR(program);
	return r;
}

// ----------------------------------------------------------------------------------------------------------- digests

static int digest_fill(struct program *program, struct digest_cache *cache, struct err *err)
{
	// Before the file is read: one that changes meanwhile is too young for the cache.
	int64_t now = clock_now();
	struct stat st;
	if (program->has_digest)
		return 0;
	if (fstat(program->fd, &st) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine the program");
	const uint8_t *known = cache ? digest_cache_find(cache, &st) : NULL;
	int r = 0;
	if (known)
		memcpy(program->digest, known, DIGEST_BYTES);
	else
		r = digest_file(program->fd, program->path, program->digest, err);
	if (r < 0)
		return r;
	if (cache && !known && fstat(program->fd, &st) == 0)
		digest_cache_add(cache, &st, now, program->digest);
	program->has_digest = true;
	return 0;
}

int program_digest(struct program *program, struct digest_cache *cache, struct err *err)
{
	int r = digest_fill(program, cache, err);
	return r == 0 && program->interpreter ? digest_fill(program->interpreter, cache, err) : r;
}

// --------------------------------------------------------------------------------------------------------- execution

// NULL counts as empty.
static size_t argv_count(char *const argv[])
{
	size_t count = 0;
	while (argv && argv[count])
		count++;
	return count;
}

// How the script is named to its interpreter: by the sealed copy's descriptor, or by its path.
static int script_path_make(const struct program *program, struct program_argv *out, struct err *err)
{
	bool by_fd = program_is_copied(program);
	if (!by_fd)
		out->script_path = strdup(program->script_name);
	else if (asprintf(&out->script_path, "/proc/self/fd/%d", program->fd) < 0)
		out->script_path = NULL;
	if (!out->script_path)
		return err_set(err, ERR_MEMORY, "out of memory");
	out->script_fd = by_fd ? program->fd : -1;
	return 0;
}

// execve takes char *const[] and does not write; the strings are borrowed.
static char *borrowed(const char *text)
{
	char *out;
	memcpy(&out, &text, sizeof(out));
	return out;
}

int program_argv_build(const struct program *program, char *const argv[], struct program_argv *out, struct err *err)
{
	struct program_argv built = {.script_fd = -1};
	size_t count = argv_count(argv), between = argv_count(program->interpreter_arguments);
	built.argv = calloc(count + between + 3, sizeof(*built.argv));
	if (!built.argv)
		return err_set(err, ERR_MEMORY, "out of memory");
	size_t used = 0;
	if (program->interpreter) {
		int r = script_path_make(program, &built, err);
		if (r < 0) {
			program_argv_done(&built);
			return r;
		}
		built.argv[used++] = borrowed(program->interpreter->asked);
		for (size_t i = 0; i < between; i++)
			built.argv[used++] = program->interpreter_arguments[i];
		built.argv[used++] = built.script_path;
	} else if (count > 0) {
		built.argv[used++] = argv[0];
	}
	for (size_t i = 1; i < count; i++)
		built.argv[used++] = argv[i];
	*out = built;
	return 0;
}

void program_argv_done(struct program_argv *argv)
{
	free(argv->argv);
	free(argv->script_path);
	*argv = (struct program_argv){.script_fd = -1};
}

void argv_fingerprint(char *const argv[], uint8_t out[DIGEST_BYTES])
{
	struct digest_state state;
	digest_start(&state);
	for (size_t i = 0; argv[i]; i++) {
		size_t len = strlen(argv[i]);
		uint8_t prefix[4] = {(uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16), (uint8_t)(len >> 24)};
		digest_update(&state, span_of(prefix, sizeof(prefix)));
		digest_update(&state, span_of(argv[i], len));
	}
	digest_finish(&state, out);
}
