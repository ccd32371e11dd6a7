#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "residue.h"
#include "secmem/secmem.h"

static struct err err;

// What a child answers when this machine does not let it try.
#define CHILD_CANNOT 77

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static struct secret *secret_of_len(size_t len)
{
	struct secret *secret = NULL;
	assert_int_equal(secret_new(len, SECRET_LOCK_REQUIRED, &secret, &err), 0);
	return secret;
}

// Runs `body` in a child and returns its wait status.
static int run_in_child(int (*body)(void *), void *argument)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(body(argument));
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

// The same for bodies that must end with 0, or cannot be tried here.
static void assert_child(int (*body)(void *))
{
	int status = run_in_child(body, NULL);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_CANNOT)
		skip();
	assert_int_equal(status, 0);
}

static void new_secrets_are_zero_and_have_their_length(void **state)
{
	(void)state;
	const size_t lens[] = {0, 1, 32, page_bytes() - 1, page_bytes(), page_bytes() + 1, 1 << 20};
	for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
		_cleanup_secret_ struct secret *secret = secret_of_len(lens[i]);
		assert_int_equal(secret_len(secret), lens[i]);
		assert_int_equal(secret_span(secret).len, lens[i]);
		assert_ptr_equal(secret_span(secret).data, secret_data(secret));
		assert_true(secret_is_locked(secret));
		for (size_t k = 0; k < lens[i]; k++)
			assert_int_equal(secret_data(secret)[k], 0);
		memset(secret_data(secret), 0xaa, lens[i]);
	}
	assert_null(secret_free(NULL));
	struct secret *none = NULL;
	secret_free_ptr(&none);
	assert_int_equal(secret_new(SIZE_MAX, SECRET_LOCK_PREFERRED, &none, &err), ERR_LIMIT);
	assert_int_equal(secret_new(SIZE_MAX / 4, SECRET_LOCK_PREFERRED, &none, &err), ERR_MEMORY);
	assert_null(none);
}

// Reads one byte, which must end the child.
static int touch(void *address)
{
	const struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	// A sanitizer's handler would turn the signal into an exit status.
	signal(SIGSEGV, SIG_DFL);
	volatile const uint8_t *at = address;
	return *at == 0 ? 0 : 1;
}

static void assert_touch_kills(uint8_t *address)
{
	int status = run_in_child(touch, address);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void guard_pages_are_out_of_bounds(void **state)
{
	(void)state;
	const size_t lens[] = {0, 1, page_bytes(), page_bytes() + 1};
	for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
		_cleanup_secret_ struct secret *secret = secret_of_len(lens[i]);
		uint8_t *data = secret_data(secret);
		size_t pages = lens[i] <= page_bytes() ? 1 : 2;
		assert_int_equal(run_in_child(touch, data), 0);
		assert_int_equal(run_in_child(touch, data + pages * page_bytes() - 1), 0);
		assert_touch_kills(data - 1);
		assert_touch_kills(data - page_bytes());
		assert_touch_kills(data + pages * page_bytes());
		assert_touch_kills(data + (pages + 1) * page_bytes() - 1);
	}
}

static void freed_secrets_are_unmapped(void **state)
{
	(void)state;
	struct secret *secret = secret_of_len(32);
	uint8_t *data = secret_data(secret);
	secret_free_ptr(&secret);
	assert_null(secret);
	assert_touch_kills(data);
}

// The line of /proc/self/smaps, from the field `name` of the mapping that begins at `data`; false when there is none.
static bool mapping_field(const uint8_t *data, const char *name, char *out, size_t out_bytes)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[512], start[32];
	snprintf(start, sizeof(start), "%lx-", (unsigned long)(uintptr_t)data);
	bool is_inside = false, is_found = false;
	while (smaps && !is_found && fgets(line, sizeof(line), smaps)) {
		if (strncmp(line, start, strlen(start)) == 0)
			is_inside = true;
		is_found = is_inside && strstr(line, name);
	}
	if (smaps)
		fclose(smaps);
	if (is_found)
		snprintf(out, out_bytes, "%s", line);
	return is_found;
}

static void pages_are_locked_and_not_dumped(void **state)
{
	(void)state;
	struct secret *secret = secret_of_len(100);
	char flags[512];
	memset(secret_data(secret), 1, 100);
	bool is_known = mapping_field(secret_data(secret), "VmFlags:", flags, sizeof(flags));
	secret_free_ptr(&secret);
	if (!is_known)
		skip();
	// proc(5): lo is "pages are locked in memory", dd "do not include area into core dump".
	assert_non_null(strstr(flags, " lo"));
	assert_non_null(strstr(flags, " dd"));
}

// Most of its pages are never touched.
#define SPARSE_BYTES (300u * 4096u)

static int wait_and_expect_zeros(void *argument)
{
	const struct {
		const uint8_t *data;
		int ends[2];
	} *shared = argument;
	char byte;
	close(shared->ends[1]);
	if (read(shared->ends[0], &byte, 1) != 0)
		return 2;
	for (size_t i = 0; i < SPARSE_BYTES; i++)
		if (shared->data[i] != 0)
			return 1;
	return 0;
}

static void freed_secrets_are_wiped(void **state)
{
	(void)state;
	struct {
		const uint8_t *data;
		int ends[2];
	} shared;
	char line[512];
	struct secret *secret = secret_of_len(SPARSE_BYTES);
	memset(secret_data(secret), 0xaa, 100);
	memset(secret_data(secret) + 257u * 4096u, 0xaa, 100);
	memset(secret_data(secret) + SPARSE_BYTES - 1, 0xaa, 1);
	shared.data = secret_data(secret);
	// Pages of memfd_secret stay with the child when this process has let go of them, so it can look.
	bool is_shared = mapping_field(shared.data, "secretmem", line, sizeof(line));
	if (!is_shared)
		secret = secret_free(secret);
	if (!is_shared)
		skip();
	assert_int_equal(pipe(shared.ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(wait_and_expect_zeros(&shared));
	secret = secret_free(secret);
	close(shared.ends[1]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(shared.ends[0]);
}

static void shortening_wipes_the_rest(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *secret = secret_of_len(64);
	memset(secret_data(secret), 0xaa, 64);
	secret_shorten(secret, 65);
	secret_shorten(secret, 64);
	assert_int_equal(secret_len(secret), 64);
	secret_shorten(secret, 10);
	assert_int_equal(secret_len(secret), 10);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(secret_data(secret)[i], i < 10 ? 0xaa : 0);
	secret_shorten(secret, 11);
	assert_int_equal(secret_len(secret), 10);
	secret_shorten(secret, 0);
	assert_int_equal(secret_len(secret), 0);
	assert_int_equal(secret_data(secret)[0], 0);
}

static void wiping_stays_within_its_length(void **state)
{
	(void)state;
	uint8_t bytes[16];
	memset(bytes, 0xaa, sizeof(bytes));
	secret_wipe(bytes + 4, 8);
	secret_wipe(NULL, 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], i >= 4 && i < 12 ? 0 : 0xaa);
}

static void copies_are_equal_and_apart(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *copy = NULL;
	_cleanup_secret_ struct secret *empty = NULL;
	uint8_t bytes[] = {1, 0, 2, 3};
	assert_int_equal(secret_copy(span_of(bytes, sizeof(bytes)), &copy, &err), 0);
	assert_true(secret_is_equal(secret_span(copy), span_of(bytes, sizeof(bytes))));
	assert_false(secret_is_equal(secret_span(copy), span_of(bytes, 3)));
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(secret_is_equal(secret_span(copy), span_of(bytes, sizeof(bytes))));
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(secret_copy(span_of(NULL, 0), &empty, &err), 0);
	assert_int_equal(secret_len(empty), 0);
	assert_true(secret_is_equal(secret_span(empty), span_of(NULL, 0)));
}

// Reads `len` bytes that another process writes in pieces of `piece`; on failure the output must be untouched.
static int read_back(size_t len, size_t piece, size_t max_bytes)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		uint8_t bytes[8192];
		// Or the pipe would have a reader for ever, and a writer that waits for it.
		close(ends[0]);
		signal(SIGPIPE, SIG_IGN);
		for (size_t done = 0; done < len;) {
			size_t n = piece < len - done ? piece : len - done;
			for (size_t i = 0; i < n; i++)
				bytes[i] = (uint8_t)((done + i) % 251 + 1);
			if (write(ends[1], bytes, n) != (ssize_t)n)
				_exit(0);
			done += n;
		}
		_exit(0);
	}
	close(ends[1]);
	_cleanup_secret_ struct secret *secret = NULL;
	int r = secret_read_fd(ends[0], max_bytes, "the pipe", &secret, &err);
	close(ends[0]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(r == 0 ? secret_len(secret) == len : secret == NULL);
	for (size_t i = 0; r == 0 && i < len; i++)
		assert_int_equal(secret_data(secret)[i], i % 251 + 1);
	return r;
}

static void reading_keeps_the_limit(void **state)
{
	(void)state;
	static const size_t limits[] = {0, 1, 100, 4094, 4095, 4096, 4097, 10000, SECRET_VALUE_BYTES_MAX};
	for (size_t i = 0; i < ARRAY_COUNT(limits); i++) {
		if (limits[i] > 0)
			assert_int_equal(read_back(limits[i] - 1, 8192, limits[i]), 0);
		assert_int_equal(read_back(limits[i], 8192, limits[i]), 0);
		assert_int_equal(read_back(limits[i] + 1, 8192, limits[i]), ERR_LIMIT);
		assert_non_null(strstr(err.text, "the pipe"));
	}
	assert_int_equal(read_back(2 * SECRET_VALUE_BYTES_MAX, 8192, 5000), ERR_LIMIT);
}

static void reading_joins_pieces(void **state)
{
	(void)state;
	static const size_t lens[] = {0, 1, 4095, 4096, 4097, 9000};
	for (size_t i = 0; i < ARRAY_COUNT(lens); i++)
		for (size_t piece = 1; piece <= 4096; piece *= 16)
			assert_int_equal(read_back(lens[i], piece, SECRET_VALUE_BYTES_MAX), 0);
}

static void reading_reports_failures(void **state)
{
	(void)state;
	struct secret *secret = NULL;
	assert_int_equal(secret_read_fd(-1, 10, "nothing", &secret, &err), ERR_SYSTEM);
	assert_string_equal(err.text, "cannot read nothing: Bad file descriptor");
	_cleanup_fd_ int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(secret_read_fd(folder, 10, "a folder", &secret, &err), ERR_SYSTEM);
	assert_int_equal(err.sys_errno, EISDIR);
	assert_null(secret);
}

static void reading_leaves_no_residue(void **state)
{
	(void)state;
	if (!residue_is_countable())
		skip();
	_cleanup_secret_ struct secret *value = secret_of_len(6000);
	_cleanup_secret_ struct secret *key = secret_of_len(32);
	_cleanup_fd_ int random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	int ends[2];
	assert_int_equal(read(random, secret_data(key), 32), 32);
	for (size_t i = 0; i < 6000; i++)
		secret_data(value)[i] = secret_data(key)[i % 32];
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fd_write_all(ends[1], secret_span(value), "the pipe", &err), 0);
	close(ends[1]);
	struct secret *back = NULL;
	assert_int_equal(secret_read_fd(ends[0], SECRET_VALUE_BYTES_MAX, "the pipe", &back, &err), 0);
	close(ends[0]);
	bool is_equal = secret_is_equal(secret_span(back), secret_span(value));
	secret_free_ptr(&back);
	secret_free_ptr(&value);
	assert_true(is_equal);
	assert_int_equal(residue_count(key), 0);
}

static bool user_become_plain(void)
{
	return geteuid() != 0 ||
	       (setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
}

// Takes away the right to lock: root may lock whatever the limit says. False where a limit means nothing, as it does
// under AddressSanitizer, which turns mlock into nothing.
static bool lock_limit_set(rlim_t bytes)
{
	static uint8_t more[1 << 20];
	const struct rlimit limit = {bytes, bytes};
	return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && user_become_plain() && mlock(more, sizeof(more)) < 0;
}

static int new_without_lockable_memory(void *argument)
{
	(void)argument;
	struct secret *secret = NULL;
	if (!lock_limit_set(0))
		return CHILD_CANNOT;
	if (secret_new(32, SECRET_LOCK_REQUIRED, &secret, &err) != ERR_MEMORY || secret)
		return 1;
	if (!strstr(err.text, "ulimit -l"))
		return 2;
	if (secret_copy(SPAN_LITERAL("abc"), &secret, &err) != ERR_MEMORY || secret)
		return 3;
	if (secret_new(32, SECRET_LOCK_PREFERRED, &secret, &err) != 0)
		return 4;
	bool is_locked = secret_is_locked(secret);
	memset(secret_data(secret), 0xaa, 32);
	secret_free_ptr(&secret);
	return is_locked ? 5 : 0;
}

static void lock_that_cannot_be_had(void **state)
{
	(void)state;
	assert_child(new_without_lockable_memory);
}

static int new_up_to_the_limit(void *argument)
{
	(void)argument;
	struct secret *secrets[5] = {NULL};
	if (!lock_limit_set(4 * page_bytes()))
		return CHILD_CANNOT;
	for (size_t i = 0; i < 4; i++)
		if (secret_new(1, SECRET_LOCK_REQUIRED, &secrets[i], &err) != 0)
			return 1;
	if (secret_new(1, SECRET_LOCK_REQUIRED, &secrets[4], &err) != ERR_MEMORY)
		return 2;
	// What is freed can be had again.
	secret_free_ptr(&secrets[0]);
	int r = secret_new(1, SECRET_LOCK_REQUIRED, &secrets[4], &err);
	for (size_t i = 0; i < ARRAY_COUNT(secrets); i++)
		secret_free_ptr(&secrets[i]);
	return r == 0 ? 0 : 3;
}

static void lock_limit_counts_pages(void **state)
{
	(void)state;
	assert_child(new_up_to_the_limit);
}

static int harden_and_look(void *argument)
{
	(void)argument;
	struct rlimit before, after;
	if (getrlimit(RLIMIT_CORE, &before) < 0 || process_harden(&err) != 0)
		return 1;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 2;
	rlim_t expected = before.rlim_max < 1 ? 0 : 1;
	if (getrlimit(RLIMIT_CORE, &after) < 0 || after.rlim_cur != expected || after.rlim_max != expected)
		return 3;
	char filter[16] = {0};
	int fd = open("/proc/self/coredump_filter", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && (read(fd, filter, 8) != 8 || strcmp(filter, "00000000") != 0))
		return 4;
	return process_harden(&err) == 0 ? 0 : 5;
}

static int harden_without_core_limit(void *argument)
{
	const struct rlimit none = {0, 0};
	return setrlimit(RLIMIT_CORE, &none) < 0 ? CHILD_CANNOT : harden_and_look(argument);
}

static void hardened_process_is_not_dumped(void **state)
{
	(void)state;
	assert_child(harden_and_look);
	assert_child(harden_without_core_limit);
}

static int harden_while_traced(void *argument)
{
	(void)argument;
	if (process_is_traced())
		return CHILD_CANNOT;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		return CHILD_CANNOT;
	if (!process_is_traced())
		return 1;
	return process_harden(&err) == ERR_UNSAFE ? 0 : 2;
}

static void traced_process_is_refused(void **state)
{
	(void)state;
	assert_child(harden_while_traced);
}

// As another plain user of the same number would: the memory of a hardened process must be closed.
static int hardened_memory_is_closed(void *argument)
{
	(void)argument;
	if (!user_become_plain())
		return CHILD_CANNOT;
	if (process_harden(&err) != 0)
		return 1;
	pid_t parent = getpid();
	pid_t child = fork();
	if (child == 0) {
		char path[64];
		snprintf(path, sizeof(path), "/proc/%d/mem", (int)parent);
		_exit(open(path, O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? 0 : 1);
	}
	int status;
	return waitpid(child, &status, 0) == child && status == 0 ? 0 : 2;
}

static void hardened_memory_is_closed_to_the_same_user(void **state)
{
	(void)state;
	assert_child(hardened_memory_is_closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_secrets_are_zero_and_have_their_length),
		cmocka_unit_test(guard_pages_are_out_of_bounds),
		cmocka_unit_test(freed_secrets_are_unmapped),
		cmocka_unit_test(pages_are_locked_and_not_dumped),
		cmocka_unit_test(freed_secrets_are_wiped),
		cmocka_unit_test(shortening_wipes_the_rest),
		cmocka_unit_test(wiping_stays_within_its_length),
		cmocka_unit_test(copies_are_equal_and_apart),
		cmocka_unit_test(reading_keeps_the_limit),
		cmocka_unit_test(reading_joins_pieces),
		cmocka_unit_test(reading_reports_failures),
		cmocka_unit_test(reading_leaves_no_residue),
		cmocka_unit_test(lock_that_cannot_be_had),
		cmocka_unit_test(lock_limit_counts_pages),
		cmocka_unit_test(hardened_process_is_not_dumped),
		cmocka_unit_test(traced_process_is_refused),
		cmocka_unit_test(hardened_memory_is_closed_to_the_same_user),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
