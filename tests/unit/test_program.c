// Which program really runs: search, refusals, pinning. Scripts are in test_program_script.c.
#include "program_scene.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

// ----------------------------------------------------------------------------------------------------------- search

static void test_system_binary(void **state)
{
	(void)state;
	_cleanup_program_ struct program *program = resolve("true", SYSTEM_PATH);
	_cleanup_free_ char *real = realpath("/usr/bin/true", NULL);
	assert_string_equal(program->asked, "true");
	assert_string_equal(program->path, real);
	assert_true(program->is_system);
	assert_false(program->is_by_path);
	assert_null(program->interpreter);
	assert_digest_of_file(program, real);
	assert_true(fcntl(program->fd, F_GETFD) & FD_CLOEXEC);
	run(program, STRINGS("true"), 0);
}

static void test_by_path_of_system_binary_changes_nothing(void **state)
{
	(void)state;
	_cleanup_program_ struct program *program = resolve_by_path("/usr/bin/true");
	assert_true(program->is_system);
	assert_false(program->is_by_path);
}

static void test_search_order(void **state)
{
	(void)state;
	script_write("a/tool", "#!/bin/sh\necho a\n");
	script_write("b/tool", "#!/bin/sh\necho b\n");
	_cleanup_program_ struct program *first = resolve("tool", scene_path("@/none:@/a:@/b"));
	assert_string_equal(run(first, STRINGS("tool"), 0), "a\n");
	_cleanup_program_ struct program *second = resolve("tool", scene_path("@/b:@/a"));
	assert_string_equal(run(second, STRINGS("tool"), 0), "b\n");
}

static void test_search_only_absolute_entries(void **state)
{
	(void)state;
	script_write("tool", "#!/bin/sh\n");
	script_write("a/tool", "#!/bin/sh\n");
	static const char *const lists[] = {"", ":", "::", ".", "./a", "a", "a:.", ":a:"};
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
		assert_refused("tool", lists[i], ERR_NO_PROGRAM);
	assert_refused("tool", NULL, ERR_NO_PROGRAM);
	_cleanup_program_ struct program *program = resolve("tool", scene_path("a:.::@/a"));
	assert_non_null(strstr(program->path, "/a/tool"));
}

static void test_search_passes_over_what_cannot_be_executed(void **state)
{
	(void)state;
	file_write("a/tool", SPAN_LITERAL("#!/bin/sh\n"), 0644);
	assert_says(assert_refused("tool", scene_path("@/a"), ERR_NO_EXEC), "execute permission");
	assert_says(assert_refused("tool", scene_path("@/a:@/none:@/b"), ERR_NO_EXEC), "execute permission");
	script_write("b/tool", "#!/bin/sh\necho b\n");
	_cleanup_program_ struct program *program = resolve("tool", scene_path("@/a:@/b"));
	assert_string_equal(run(program, STRINGS("tool"), 0), "b\n");
	assert_int_equal(unlink("a/tool"), 0);
	assert_int_equal(mkdir("a/tool", 0755), 0);
	_cleanup_program_ struct program *again = resolve("tool", scene_path("@/a:@/b"));
	assert_string_equal(run(again, STRINGS("tool"), 0), "b\n");
}

// Running another file of the same name instead would be a surprise.
static void test_search_ends_at_a_refused_program(void **state)
{
	(void)state;
	script_write("b/tool", "#!/bin/sh\n");
	file_write("a/tool", SPAN_LITERAL("#!/bin/sh\n"), 04755);
	assert_says(assert_refused("tool", scene_path("@/a:@/b"), ERR_NO_EXEC), "set-id");
	file_write("a/tool", SPAN_LITERAL("echo no first line\n"), 0755);
	assert_says(assert_refused("tool", scene_path("@/a:@/b"), ERR_NO_EXEC), "#!/bin/sh");
}

static void test_not_found(void **state)
{
	(void)state;
	script_write("a/tool", "#!/bin/sh\n");
	static const char *const asked[] = {"no-such", "", "./no-such", "/no-such/at/all", "a/tool/below", "a/tool/",
					    "b/tool"};
	for (size_t i = 0; i < ARRAY_COUNT(asked); i++)
		assert_refused(asked[i], SYSTEM_PATH, ERR_NO_PROGRAM);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_refused("./dangling", SYSTEM_PATH, ERR_NO_PROGRAM);
}

// --------------------------------------------------------------------------------------------------------- refusals

static void test_kinds(void **state)
{
	(void)state;
	assert_says(assert_refused("./a", NULL, ERR_NO_EXEC), "folder");
	assert_says(assert_refused("/dev/null", NULL, ERR_NO_EXEC), "not a regular file");
	assert_int_equal(mkfifo("fifo", 0755), 0);
	assert_says(assert_refused("./fifo", NULL, ERR_NO_EXEC), "not a regular file");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(chmod("socket", 0755), 0);
	assert_says(assert_refused("./socket", NULL, ERR_NO_EXEC), "not a regular file");
	close(fd);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_refused("./loop", NULL, ERR_NO_EXEC);
}

static void test_set_id(void **state)
{
	(void)state;
	static const mode_t modes[] = {04755, 02755, 06755, 04711, 02745};
	for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
		file_copy("/usr/bin/true", "program");
		assert_int_equal(chmod("program", modes[i]), 0);
		assert_says(assert_refused("./program", NULL, ERR_NO_EXEC), "set-id");
		struct program *program = NULL;
		struct err err;
		assert_int_equal(program_resolve("./program", &(struct program_options){.by_path = true}, &program, &err),
				 ERR_NO_EXEC);
	}
}

static void test_file_capabilities(void **state)
{
	(void)state;
	file_copy("/usr/bin/true", "program");
	// VFS_CAP_REVISION_2, permitted: CAP_NET_BIND_SERVICE.
	static const uint8_t capability[20] = {0, 0, 0, 2, 0, 4};
	if (setxattr("program", "security.capability", capability, sizeof(capability), 0) < 0) {
		print_message("file capabilities cannot be set here: %s\n", strerror(errno));
		skip();
	}
	assert_says(assert_refused("./program", NULL, ERR_NO_EXEC), "capabilities");
}

static void test_permissions(void **state)
{
	(void)state;
	if (geteuid() == 0) {
		print_message("root may read everything\n");
		skip();
	}
	file_copy("/usr/bin/true", "a/program");
	assert_int_equal(chmod("a/program", 0111), 0);
	assert_says(assert_refused("a/program", NULL, ERR_NO_EXEC), "cannot read");
	assert_int_equal(chmod("a/program", 0644), 0);
	assert_says(assert_refused("a/program", NULL, ERR_NO_EXEC), "execute permission");
	// Executable for others only: the owner's bits count.
	assert_int_equal(chmod("a/program", 0655), 0);
	assert_says(assert_refused("a/program", NULL, ERR_NO_EXEC), "execute permission");
	assert_int_equal(chmod("a", 0), 0);
	assert_refused("a/program", NULL, ERR_NO_EXEC);
	assert_refused("program", scene_path("@/a:@/b"), ERR_NO_EXEC);
	assert_refused("no-such", scene_path("@/a:@/b"), ERR_NO_EXEC);
}

static void test_no_format(void **state)
{
	(void)state;
	static const char *const contents[] = {
		"", "#", "\177EL", "MZ", "echo hello\n", " #!/bin/sh\n", "\n#!/bin/sh\n", "\xef\xbb\xbf#!/bin/sh\n",
	};
	for (size_t i = 0; i < ARRAY_COUNT(contents); i++) {
		script_write("program", contents[i]);
		assert_says(assert_refused("./program", NULL, ERR_NO_EXEC), "must begin with");
	}
}

// Known before anybody is asked; what only the kernel sees is refused by the exec.
static void test_cut_binary(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf content = BUF_INIT(8u << 20);
	struct err err;
	int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fd_read_all(fd, &content, "true", &err), 0);
	close(fd);
	static const size_t lengths[] = {4, 5, 16, 51};
	for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
		file_write("program", span_of(content.data, lengths[i]), 0755);
		assert_says(assert_refused("./program", NULL, ERR_NO_EXEC), "cut short");
	}
}

static void test_damaged_binary(void **state)
{
	(void)state;
	skip_under_valgrind();
	file_write("program", SPAN_LITERAL("\177ELF, and behind it nothing that the kernel could take for a "
					   "program"), 0755);
	_cleanup_program_ struct program *program = resolve("./program", NULL);
	struct program_argv argv;
	struct err err;
	assert_int_equal(program_argv_build(program, mutable(STRINGS("program")), &argv, &err), 0);
	const struct program_image image = program_image_make(program, false);
	program_exec(program, &image, &argv, (char *const[]){NULL});
	assert_int_equal(errno, ENOEXEC);
	program_argv_done(&argv);
}

static void test_sentence_is_inert(void **state)
{
	(void)state;
	script_write("a\033[31m\n", "hello");
	const char *sentence = assert_refused("./a\033[31m\n", NULL, ERR_NO_EXEC);
	assert_null(strpbrk(sentence, "\033\n"));
	assert_null(strstr(sentence, "hello"));
	script_write("b\033[31m", "#!/no/such/interpreter\n");
	assert_null(strchr(assert_refused("./b\033[31m", NULL, ERR_NO_EXEC), '\033'));
	assert_null(strchr(assert_refused("c\033[31m", SYSTEM_PATH, ERR_NO_PROGRAM), '\033'));
}

// ---------------------------------------------------------------------------------------------------------- pinning

static void test_binary_is_pinned(void **state)
{
	(void)state;
	skip_under_valgrind();
	file_copy("/bin/sh", "shell");
	_cleanup_program_ struct program *program = resolve("./shell", NULL);
	assert_false(program->is_system);
	assert_false(program->is_by_path);
	assert_digest_of_file(program, "/bin/sh");
	_cleanup_free_ char *real = realpath("shell", NULL);
	assert_string_equal(program->path, real);
	// Changed in place, then replaced: neither reaches what runs.
	int fd = open("shell", O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	assert_string_equal(run(program, STRINGS("argv0", "-c", "echo $0; exit 42"), 42), "argv0\n");
	file_copy("/bin/false", "other");
	assert_int_equal(rename("other", "shell"), 0);
	assert_string_equal(run(program, STRINGS("argv0", "-c", "echo again"), 0), "again\n");
}

static void test_copy_is_sealed(void **state)
{
	(void)state;
	script_write("script", "#!/bin/sh\n");
	_cleanup_program_ struct program *program = resolve("./script", NULL);
	struct stat st;
	assert_int_equal(fstat(program->fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0555);
	assert_int_equal(fcntl(program->fd, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	assert_true(fcntl(program->fd, F_GETFD) & FD_CLOEXEC);
	assert_true(program->fd > 255);
	assert_int_equal(write(program->fd, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(program->fd, 0), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, program->fd, 0), MAP_FAILED);
}

// What the digest is of when the file is larger than any block.
static void test_large_copy(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf content = BUF_INIT(8u << 20);
	struct err err;
	assert_int_equal(buf_append_text(&content, "#!/bin/sh\nexit 7\n", &err), 0);
	for (size_t i = 0; i < 5000001; i++)
		assert_int_equal(buf_append_byte(&content, (uint8_t)(i * 7 + i / 256), &err), 0);
	file_write("script", buf_span(&content), 0755);
	_cleanup_program_ struct program *program = resolve("./script", NULL);
	assert_digest_of_file(program, "script");
	run(program, STRINGS("script"), 7);
}

static void test_by_path(void **state)
{
	(void)state;
	file_copy("/bin/true", "program");
	_cleanup_program_ struct program *program = resolve_by_path("./program");
	assert_true(program->is_by_path);
	assert_false(program->is_system);
	assert_digest_of_file(program, "/bin/true");
	run(program, STRINGS("program"), 0);
	// The exception that was asked for: it can be swapped until it starts.
	file_copy("/bin/false", "other");
	assert_int_equal(rename("other", "program"), 0);
	run(program, STRINGS("program"), 1);
}

static void test_by_path_script(void **state)
{
	(void)state;
	script_write("a/script", "#!/bin/sh\necho \"$0\" \"$1\"\n");
	_cleanup_program_ struct program *given = resolve_by_path("a/script");
	assert_string_equal(run(given, STRINGS("script", "x"), 0), "a/script x\n");
	struct program *searched = NULL;
	struct err err;
	struct program_options options = {.path_list = scene_path("@/a"), .by_path = true};
	assert_int_equal(program_resolve("script", &options, &searched, &err), 0);
	char expected[300];
	snprintf(expected, sizeof(expected), "%s/a/script \n", scene);
	assert_string_equal(run(searched, STRINGS("script"), 0), expected);
	program_free(searched);
}

// ------------------------------------------------------------------------------------------------------ fingerprint

static void assert_fingerprint(const char *const argv[], struct span bytes)
{
	uint8_t expected[DIGEST_BYTES], digest[DIGEST_BYTES];
	digest_bytes(bytes, expected);
	argv_fingerprint(mutable(argv), digest);
	assert_memory_equal(digest, expected, DIGEST_BYTES);
}

static void test_fingerprint(void **state)
{
	(void)state;
	assert_fingerprint((const char *const[]){NULL}, SPAN_LITERAL(""));
	assert_fingerprint(STRINGS("ab"), SPAN_LITERAL("\2\0\0\0ab"));
	assert_fingerprint(STRINGS("a", "b"), SPAN_LITERAL("\1\0\0\0a\1\0\0\0b"));
	assert_fingerprint(STRINGS("", "ab"), SPAN_LITERAL("\0\0\0\0\2\0\0\0ab"));
	char longer[301] = {0};
	memset(longer, 'x', 300);
	uint8_t bytes[304] = {0x2c, 1};
	memset(bytes + 4, 'x', 300);
	assert_fingerprint(STRINGS(longer), span_of(bytes, sizeof(bytes)));
}

static void test_free_takes_null(void **state)
{
	(void)state;
	assert_null(program_free(NULL));
}

int main(void)
{
	struct err err;
	if (cipher_start(&err) < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		scene_test(test_system_binary),
		scene_test(test_by_path_of_system_binary_changes_nothing),
		scene_test(test_search_order),
		scene_test(test_search_only_absolute_entries),
		scene_test(test_search_passes_over_what_cannot_be_executed),
		scene_test(test_search_ends_at_a_refused_program),
		scene_test(test_not_found),
		scene_test(test_kinds),
		scene_test(test_set_id),
		scene_test(test_file_capabilities),
		scene_test(test_permissions),
		scene_test(test_no_format),
		scene_test(test_cut_binary),
		scene_test(test_damaged_binary),
		scene_test(test_sentence_is_inert),
		scene_test(test_binary_is_pinned),
		scene_test(test_copy_is_sealed),
		scene_test(test_large_copy),
		scene_test(test_by_path),
		scene_test(test_by_path_script),
		scene_test(test_fingerprint),
		scene_test(test_free_takes_null),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
