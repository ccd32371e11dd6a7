// What the tests of program share. Folders of the test lie below a temporary folder that others can write (or that
// belongs to a plain user), so what is in them is never a system file, also for root.
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "program/program.h"
#include "valgrind.h"

#define SYSTEM_PATH "/usr/bin:/bin"
#define STRINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

// --------------------------------------------------------------------------------------------------------- the scene

static char scene[256]; // the working folder of the test

static inline int scene_setup(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(scene, sizeof(scene), "%s/program-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(scene) && chdir(scene) == 0 && mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0 ? 0 : -1;
}

static inline int scene_teardown(void **state)
{
	(void)state;
	char command[600];
	snprintf(command, sizeof(command), "chmod -R u+rwX '%s' && rm -rf '%s'", scene, scene);
	return system(command) == 0 && chdir("/") == 0 ? 0 : -1;
}
#define scene_test(function) cmocka_unit_test_setup_teardown(function, scene_setup, scene_teardown)

static inline void file_write(const char *path, struct span content, mode_t mode)
{
	struct err err;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, content, path, &err), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static inline void script_write(const char *path, const char *text)
{
	file_write(path, span_text(text), 0755);
}

static inline void file_copy(const char *from, const char *to)
{
	_cleanup_buf_ struct buf content = BUF_INIT(64u << 20);
	struct err err;
	assert_int_equal(file_read_text(from, &content, &err), 0);
	file_write(to, buf_span(&content), 0755);
}

// The paths of the scene's folders, one PATH of them.
static inline const char *scene_path(const char *format)
{
	static char out[1024];
	char *at = out;
	for (; *format; format++)
		at += *format == '@' ? snprintf(at, sizeof(out) - (size_t)(at - out), "%s", scene) : (*at = *format, 1);
	*at = 0;
	return out;
}

static inline struct program *resolve(const char *asked, const char *path_list)
{
	struct program *program = NULL;
	struct err err = {0};
	int r = program_resolve(asked, &(struct program_options){.path_list = path_list}, &program, &err);
	if (r != 0)
		fail_msg("%s: %d %s", asked, r, err.text);
	return program;
}

static inline struct program *resolve_by_path(const char *asked)
{
	struct program *program = NULL;
	struct err err = {0};
	assert_int_equal(program_resolve(asked, &(struct program_options){.by_path = true}, &program, &err), 0);
	return program;
}

// The sentence is kept for further looks.
static inline const char *assert_refused(const char *asked, const char *path_list, int code)
{
	static struct err err;
	err = (struct err){0};
	struct program *program = NULL;
	int r = program_resolve(asked, &(struct program_options){.path_list = path_list}, &program, &err);
	if (r != code || err.code != code)
		fail_msg("%s: %d (%d) instead of %d: %s", asked, r, err.code, code, err.text);
	assert_null(program);
	assert_true(err.text[0] != 0);
	return err.text;
}

static inline void assert_says(const char *sentence, const char *words)
{
	if (!strstr(sentence, words))
		fail_msg("'%s' does not say '%s'", sentence, words);
}

static inline void assert_digest_of_file(const struct program *program, const char *path)
{
	uint8_t digest[DIGEST_BYTES];
	struct err err;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(digest_file(fd, path, digest, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	assert_memory_equal(program->digest, digest, DIGEST_BYTES);
	assert_int_equal(program->size, st.st_size);
}

// execve's type, which promises less than it keeps.
static inline char *const *mutable(const char *const argv[])
{
	return (char *const *)(uintptr_t)argv;
}

// Runs it and returns what it wrote; its status must be `status`.
static inline const char *run_image(const struct program *program, bool is_shielded, const char *const argv[], int status)
{
	static char out[4096];
	struct program_argv built;
	struct err err;
	int ends[2], wait_status;
	assert_int_equal(program_argv_build(program, mutable(argv), &built, &err), 0);
	struct program_image image = program_image_make(program, is_shielded);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		if (built.script_fd >= 0)
			fcntl(built.script_fd, F_SETFD, 0);
		program_exec(program, &image, &built, (char *const[]){(char[]){"PATH=" SYSTEM_PATH}, NULL});
		_exit(99);
	}
	close(ends[1]);
	size_t len = 0;
	ssize_t n;
	while ((n = read(ends[0], out + len, sizeof(out) - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = 0;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &wait_status, 0), pid);
	if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != status)
		fail_msg("wait status %#x instead of exit %d", (unsigned)wait_status, status);
	program_argv_done(&built);
	program_image_done(&image);
	return out;
}

static inline const char *run(const struct program *program, const char *const argv[], int status)
{
	return run_image(program, false, argv, status);
}
