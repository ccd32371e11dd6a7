#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "residue.h"
#include "seal/seal.h"

static struct err err;
static const uint8_t vault_id[16] = "vault-id-of-test";
static const uint8_t other_id[16] = "another-vault-id";

// Where the fields of a blob begin (seal.h).
enum { AT_PASSES = 2, AT_MEMORY = 10, AT_SALT = 18, AT_NONCE = 34, AT_SEALED = 58 };

static struct secret *secret_of(struct span bytes)
{
	struct secret *secret = NULL;
	assert_int_equal(secret_copy(bytes, &secret, &err), 0);
	return secret;
}

static struct secret *root_key_of_test(void)
{
	uint8_t bytes[KEY_BYTES];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	return secret_of(span_of(bytes, sizeof(bytes)));
}

// Every blob test starts from one blob, since each derivation takes a tenth of a second.
static const uint8_t *blob_of_test(void)
{
	static uint8_t blob[SEAL_PASSPHRASE_BYTES];
	if (blob[0] == 0) {
		_cleanup_secret_ struct secret *root_key = root_key_of_test();
		_cleanup_secret_ struct secret *passphrase = secret_of(SPAN_LITERAL("a good passphrase"));
		_cleanup_buf_ struct buf out = BUF_INIT(SEAL_PASSPHRASE_BYTES);
		assert_int_equal(seal_passphrase_wrap(root_key, passphrase, PWHASH_INTERACTIVE, vault_id, &out, &err), 0);
		assert_int_equal(out.len, SEAL_PASSPHRASE_BYTES);
		memcpy(blob, out.data, sizeof(blob));
	}
	return blob;
}

// Opens with the passphrase given; a failure must leave the output as it was.
static int unwrap_with(struct span blob, struct span text, const uint8_t id[16])
{
	_cleanup_secret_ struct secret *passphrase = secret_of(text);
	_cleanup_secret_ struct secret *root_key = NULL;
	int r = seal_passphrase_unwrap(blob, passphrase, id, &root_key, &err);
	assert_true(r < 0 ? root_key == NULL && err.code == r : root_key != NULL);
	if (r == 0) {
		_cleanup_secret_ struct secret *expected = root_key_of_test();
		assert_true(secret_is_equal(secret_span(root_key), secret_span(expected)));
	}
	return r;
}

static int unwrap_blob(const uint8_t *blob, size_t len)
{
	return unwrap_with(span_of(blob, len), SPAN_LITERAL("a good passphrase"), vault_id);
}

static void preset_names(void **state)
{
	(void)state;
	enum pwhash_preset preset = PWHASH_CALIBRATED;
	assert_int_equal(pwhash_preset_parse("interactive", &preset, &err), 0);
	assert_int_equal(preset, PWHASH_INTERACTIVE);
	assert_int_equal(pwhash_preset_parse("moderate", &preset, &err), 0);
	assert_int_equal(preset, PWHASH_MODERATE);
	assert_int_equal(pwhash_preset_parse("sensitive", &preset, &err), 0);
	assert_int_equal(preset, PWHASH_SENSITIVE);
	static const char *const wrong[] = {"", "Interactive", "interactive ", "calibrated", "min", "moderatesensitive"};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		assert_int_equal(pwhash_preset_parse(wrong[i], &preset, &err), ERR_USAGE);
	assert_int_equal(preset, PWHASH_SENSITIVE);
}

static void preset_figures_are_libsodiums(void **state)
{
	(void)state;
	// doc.libsodium.org, "The pwhash* API": opslimit and memlimit of Argon2id.
	static const struct {
		enum pwhash_preset preset;
		uint64_t passes, memory_mib;
	} rows[] = {{PWHASH_INTERACTIVE, 2, 64}, {PWHASH_MODERATE, 3, 256}, {PWHASH_SENSITIVE, 4, 1024}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct pwhash_cost cost;
		assert_int_equal(pwhash_cost_of(rows[i].preset, &cost, &err), 0);
		assert_int_equal(cost.passes, rows[i].passes);
		assert_int_equal(cost.memory_bytes, rows[i].memory_mib << 20);
	}
}

static void cost_is_chosen_for_half_a_second(void **state)
{
	(void)state;
	// Time of the interactive preset (2 x 64 MiB), free memory in MiB, and what must come out.
	static const struct {
		uint64_t elapsed_us, available_mib, passes, memory_mib;
	} rows[] = {
		{100000, 8192, 3, 256},   // 640 MiB of work, rounded to 3 x 256
		{50000, 8192, 5, 256},    // 1280 MiB
		{50000, 1023, 10, 128},   // a quarter of what is free is less than 256 MiB
		{50000, 300, 16, 64},     // and here less than 128 MiB; 20 passes would be above the cap
		{50000, 0, 16, 64},       // nothing known
		{125000, 8192, 2, 256},   // exactly two passes
		{126000, 8192, 4, 128},   // no longer two passes over 256 MiB
		{500000, 8192, 2, 64},    // a slow machine
		{9000000, 8192, 2, 64},   // a very slow one never gets less than the interactive preset
		{1, 8192, 16, 256},       // an absurdly fast one stays within the caps
		{0, UINT64_MAX >> 20, 16, 256},
		{UINT64_MAX, 8192, 2, 64},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct pwhash_cost cost = pwhash_cost_choose(rows[i].elapsed_us, rows[i].available_mib << 20);
		assert_int_equal(cost.memory_bytes, rows[i].memory_mib << 20);
		assert_int_equal(cost.passes, rows[i].passes);
	}
}

static void calibration_stays_within_the_caps(void **state)
{
	(void)state;
	struct pwhash_cost cost;
	assert_int_equal(pwhash_cost_of(PWHASH_CALIBRATED, &cost, &err), 0);
	assert_in_range(cost.passes, 2, PWHASH_PASSES_MAX);
	assert_in_range(cost.memory_bytes, PWHASH_MEMORY_BYTES_MIN, 256u << 20);
}

static void wrapped_key_comes_back(void **state)
{
	(void)state;
	assert_int_equal(unwrap_blob(blob_of_test(), SEAL_PASSPHRASE_BYTES), 0);
}

static void blob_is_as_documented(void **state)
{
	(void)state;
	const uint8_t *blob = blob_of_test();
	struct reader reader = reader_of(span_of(blob, SEAL_PASSPHRASE_BYTES));
	assert_int_equal(reader_u8(&reader), 1);
	assert_int_equal(reader_u8(&reader), 1);
	assert_int_equal(reader_u64(&reader), 2);
	assert_int_equal(reader_u64(&reader), 64 << 20);
	// Opened by hand from the format's description.
	uint8_t key[KEY_BYTES], plain[KEY_BYTES], associated[AT_NONCE + 16];
	assert_int_equal(pwhash_derive(SPAN_LITERAL("a good passphrase"), blob + AT_SALT, 2, 64 << 20, key, &err), 0);
	memcpy(associated, blob, AT_NONCE);
	memcpy(associated + AT_NONCE, vault_id, 16);
	assert_int_equal(aead_open(key, blob + AT_NONCE, span_of(blob + AT_SEALED, SEAL_PASSPHRASE_BYTES - AT_SEALED),
				   span_of(associated, sizeof(associated)), plain, &err),
			 0);
	_cleanup_secret_ struct secret *expected = root_key_of_test();
	assert_memory_equal(plain, secret_data(expected), KEY_BYTES);
}

static void two_wraps_share_nothing(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *root_key = root_key_of_test();
	_cleanup_secret_ struct secret *passphrase = secret_of(SPAN_LITERAL("a good passphrase"));
	_cleanup_buf_ struct buf out = BUF_INIT(4096);
	assert_int_equal(buf_append_text(&out, "before", &err), 0);
	assert_int_equal(seal_passphrase_wrap(root_key, passphrase, PWHASH_INTERACTIVE, vault_id, &out, &err), 0);
	assert_int_equal(out.len, 6 + SEAL_PASSPHRASE_BYTES);
	assert_memory_equal(out.data, "before", 6);
	const uint8_t *first = blob_of_test(), *second = out.data + 6;
	assert_memory_equal(first, second, AT_SALT);
	assert_memory_not_equal(first + AT_SALT, second + AT_SALT, AT_NONCE - AT_SALT);
	assert_memory_not_equal(first + AT_NONCE, second + AT_NONCE, AT_SEALED - AT_NONCE);
	assert_memory_not_equal(first + AT_SEALED, second + AT_SEALED, KEY_BYTES);
}

static void wrong_passphrase_or_vault_does_not_open(void **state)
{
	(void)state;
	const struct span blob = span_of(blob_of_test(), SEAL_PASSPHRASE_BYTES);
	const struct span wrong[] = {SPAN_LITERAL("a good passphrasf"), SPAN_LITERAL("a good passphrase\n"),
				     SPAN_LITERAL("a good passphrase\0"), SPAN_LITERAL("")};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		assert_int_equal(unwrap_with(blob, wrong[i], vault_id), ERR_PASSPHRASE);
		assert_null(strstr(err.text, "good"));
	}
	assert_int_equal(unwrap_with(blob, SPAN_LITERAL("a good passphrase"), other_id), ERR_PASSPHRASE);
}

static uint64_t blob_u64(const uint8_t *at)
{
	struct reader reader = reader_of(span_of(at, 8));
	return reader_u64(&reader);
}

// Whether the cost fields of a blob are within the caps, so that opening it goes on to the hash.
static bool blob_reaches_the_hash(const uint8_t *blob)
{
	uint64_t passes = blob_u64(blob + AT_PASSES), memory = blob_u64(blob + AT_MEMORY);
	return blob[0] == 1 && blob[1] == 1 && passes >= 1 && passes <= 16 && memory >= 64 << 20 && memory <= 1 << 30 &&
	       memory % 1024 == 0;
}

static void every_flipped_bit_is_refused(void **state)
{
	(void)state;
	uint8_t blob[SEAL_PASSPHRASE_BYTES];
	size_t refused = 0, hashed = 0;
	for (size_t bit = 0; bit < 8 * AT_SALT; bit++) {
		memcpy(blob, blob_of_test(), sizeof(blob));
		blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (!blob_reaches_the_hash(blob)) {
			assert_int_equal(unwrap_blob(blob, sizeof(blob)), ERR_DAMAGED);
			refused++;
		} else if (blob_u64(blob + AT_PASSES) == 3 || blob_u64(blob + AT_MEMORY) == (64 << 20) + 1024) {
			// A cost that was changed within the caps gives another key, and is in the associated data besides.
			assert_int_equal(unwrap_blob(blob, sizeof(blob)), ERR_PASSPHRASE);
			hashed++;
		}
	}
	assert_true(refused > 100);
	assert_int_equal(hashed, 2);
	// One bit of every kind of field behind; 89 is prime to 8, so the bits' places differ.
	for (size_t bit = 8 * AT_SALT; bit < 8 * sizeof(blob); bit += 89) {
		memcpy(blob, blob_of_test(), sizeof(blob));
		blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(unwrap_blob(blob, sizeof(blob)), ERR_PASSPHRASE);
	}
}

static void every_other_length_is_refused(void **state)
{
	(void)state;
	uint8_t longer[SEAL_PASSPHRASE_BYTES + 1] = {0};
	memcpy(longer, blob_of_test(), SEAL_PASSPHRASE_BYTES);
	for (size_t len = 0; len < SEAL_PASSPHRASE_BYTES; len++) {
		// On the heap at its exact length, so that a sanitizer sees a read behind it.
		_cleanup_free_ uint8_t *cut = malloc(len + (len == 0));
		assert_non_null(cut);
		memcpy(cut, longer, len);
		assert_int_equal(unwrap_blob(cut, len), ERR_DAMAGED);
	}
	assert_int_equal(unwrap_blob(longer, sizeof(longer)), ERR_DAMAGED);
}

static void cost_outside_the_caps_is_refused(void **state)
{
	(void)state;
	static const struct {
		uint64_t passes, memory_bytes;
	} rows[] = {
		{0, 64 << 20},  {17, 64 << 20},         {UINT64_MAX, 64 << 20}, {2, 0},           {2, (64 << 20) - 1024},
		{2, 1 << 20},   {2, (1 << 30) + 1024},  {2, UINT64_MAX},        {2, 1ull << 62},  {2, (64 << 20) + 1},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		_cleanup_buf_ struct buf blob = BUF_INIT(4096);
		assert_int_equal(buf_append(&blob, span_of(blob_of_test(), AT_PASSES), &err), 0);
		assert_int_equal(writer_u64(&blob, rows[i].passes, &err), 0);
		assert_int_equal(writer_u64(&blob, rows[i].memory_bytes, &err), 0);
		assert_int_equal(buf_append(&blob, span_of(blob_of_test() + AT_SALT, SEAL_PASSPHRASE_BYTES - AT_SALT), &err), 0);
		assert_int_equal(unwrap_blob(blob.data, blob.len), ERR_DAMAGED);
	}
}

static int wrap_with(size_t root_bytes, size_t passphrase_bytes, struct buf *out)
{
	_cleanup_secret_ struct secret *root_key = NULL;
	_cleanup_secret_ struct secret *passphrase = NULL;
	assert_int_equal(secret_new(root_bytes, SECRET_LOCK_REQUIRED, &root_key, &err), 0);
	assert_int_equal(secret_new(passphrase_bytes, SECRET_LOCK_REQUIRED, &passphrase, &err), 0);
	memset(secret_data(passphrase), 'x', passphrase_bytes);
	return seal_passphrase_wrap(root_key, passphrase, PWHASH_INTERACTIVE, vault_id, out, &err);
}

static void wrap_refuses_and_appends_nothing(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf out = BUF_INIT(SEAL_PASSPHRASE_BYTES + 5);
	assert_int_equal(buf_append_text(&out, "before", &err), 0);
	assert_int_equal(wrap_with(KEY_BYTES, 0, &out), ERR_INPUT);
	assert_int_equal(wrap_with(KEY_BYTES, PASSPHRASE_BYTES_MAX + 1, &out), ERR_LIMIT);
	assert_int_equal(wrap_with(KEY_BYTES - 1, 8, &out), ERR_INPUT);
	assert_int_equal(wrap_with(KEY_BYTES + 1, 8, &out), ERR_INPUT);
	// One byte too little room.
	assert_int_equal(wrap_with(KEY_BYTES, PASSPHRASE_BYTES_MAX, &out), ERR_LIMIT);
	assert_string_equal(buf_text(&out), "before");
	assert_int_equal(out.len, 6);
}

// Runs `body` in a child, whose limits and filters end with it; returns what body returned (negated: exit statuses are
// positive), or 1000 when it was killed.
static int run_in_child(int (*body)(void))
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(-body());
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : 1000;
}

static int unwrap_with_little_memory(void)
{
	// 32 MiB more than the process has by now, and the hash wants 64.
	unsigned long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "re");
	if (!statm || fscanf(statm, "%lu", &pages) != 1)
		return -100;
	fclose(statm);
	rlim_t most = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (32u << 20);
	const struct rlimit limit = {most, most};
	if (setrlimit(RLIMIT_AS, &limit) < 0)
		return -101;
	return unwrap_blob(blob_of_test(), SEAL_PASSPHRASE_BYTES);
}

static void too_little_memory_is_an_error(void **state)
{
	(void)state;
	blob_of_test();
	assert_int_equal(run_in_child(unwrap_with_little_memory), ERR_MEMORY);
}

// Scores are made by a program in a memory file that may not be read; valgrind must read what it runs.
static struct passphrase_score score_of(struct span text)
{
	_cleanup_secret_ struct secret *passphrase = secret_of(text);
	struct passphrase_score score = {-1, -1};
	assert_int_equal(passphrase_estimate(passphrase, &score, &err), 0);
	return score;
}

static void score_bands(void **state)
{
	(void)state;
	if (valgrind_is_here())
		skip();
	static const struct {
		const char *text;
		int score;
	} rows[] = {
		{"", 0},
		{"password", 0},
		{"envseal", 0},
		{"qwertyuiop", 1},
		{"mQ7v", 2},
		{"mQ7vT", 3},
		{"mQ7vTz", 4},
		{"correct horse battery staple", 4},
	};
	static const double bands[] = {0, 3, 6, 8, 10, 1000};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct passphrase_score score = score_of(span_text(rows[i].text));
		assert_int_equal(score.score, rows[i].score);
		assert_true(score.guesses_log10 >= bands[score.score] && score.guesses_log10 < bands[score.score + 1]);
	}
}

static void score_takes_nul_bytes_and_long_text(void **state)
{
	(void)state;
	if (valgrind_is_here())
		skip();
	// Were the NUL taken as the end, only "a" would count.
	assert_true(score_of(SPAN_LITERAL("a\0mQ7vTzw4k")).guesses_log10 > score_of(SPAN_LITERAL("mQ7vTzw")).guesses_log10);
	uint8_t text[PASSPHRASE_BYTES_MAX];
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)("kR7#tLx9"[i % 8] + (int)(i / 8 % 5));
	double hundred = score_of(span_of(text, PASSPHRASE_SCORED_BYTES_MAX)).guesses_log10;
	assert_true(hundred == score_of(span_of(text, sizeof(text))).guesses_log10);
	assert_true(hundred == score_of(span_of(text, PASSPHRASE_SCORED_BYTES_MAX + 1)).guesses_log10);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)i;
	assert_int_equal(score_of(span_of(text, 256)).score, 4);
}

static void score_with_sigchld_ignored(void **state)
{
	(void)state;
	if (valgrind_is_here())
		skip();
	// The kernel reaps the child then, and there is no status to wait for.
	void (*before)(int) = signal(SIGCHLD, SIG_IGN);
	assert_int_equal(score_of(SPAN_LITERAL("mQ7vTz")).score, 4);
	signal(SIGCHLD, before);
}

static void score_leaves_signal_mask_and_children(void **state)
{
	(void)state;
	if (valgrind_is_here())
		skip();
	sigset_t before, after;
	sigprocmask(SIG_SETMASK, NULL, &before);
	score_of(SPAN_LITERAL("mQ7vTz"));
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int sig = 1; sig < NSIG; sig++)
		assert_int_equal(sigismember(&before, sig), sigismember(&after, sig));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static int estimate_plainly(void)
{
	_cleanup_secret_ struct secret *passphrase = NULL;
	struct passphrase_score score = {-1, -1};
	int r = secret_copy(SPAN_LITERAL("mQ7vTz"), &passphrase, &err);
	if (r == 0)
		r = passphrase_estimate(passphrase, &score, &err);
	return r < 0 && (score.score != -1 || strstr(err.text, "mQ7vTz")) ? -102 : r;
}

static int estimate_with_a_child_that_dies(void)
{
	// Whoever writes to standard output is killed, and that is the child with its answer.
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, STDOUT_FILENO, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {ARRAY_COUNT(code), code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return -103;
	return estimate_plainly();
}

static int estimate_with_standard_descriptors_closed(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		close(fd);
	return estimate_plainly();
}

static int estimate_without_descriptors(void)
{
	const struct rlimit none = {3, 3};
	if (setrlimit(RLIMIT_NOFILE, &none) < 0)
		return -101;
	return estimate_plainly();
}

static void score_that_cannot_be_made_is_an_error(void **state)
{
	(void)state;
	if (valgrind_is_here())
		skip();
	assert_int_equal(run_in_child(estimate_plainly), 0);
	assert_int_equal(run_in_child(estimate_with_standard_descriptors_closed), 0);
	assert_int_equal(run_in_child(estimate_without_descriptors), ERR_SYSTEM);
	int r = run_in_child(estimate_with_a_child_that_dies);
	if (r == -103)
		skip();
	assert_int_equal(r, ERR_SYSTEM);
}

static void secrets_leave_no_residue(void **state)
{
	(void)state;
	if (!residue_is_countable())
		skip();
	_cleanup_secret_ struct secret *root_key = NULL;
	_cleanup_secret_ struct secret *passphrase = NULL;
	_cleanup_secret_ struct secret *opened = NULL;
	_cleanup_buf_ struct buf blob = BUF_INIT(SEAL_PASSPHRASE_BYTES);
	struct passphrase_score score;
	assert_int_equal(secret_new(KEY_BYTES, SECRET_LOCK_REQUIRED, &root_key, &err), 0);
	assert_int_equal(secret_new(40, SECRET_LOCK_REQUIRED, &passphrase, &err), 0);
	rng_fill(secret_data(root_key), KEY_BYTES);
	rng_fill(secret_data(passphrase), 40);
	assert_int_equal(passphrase_estimate(passphrase, &score, &err), 0);
	assert_int_equal(residue_count(passphrase), 0);
	assert_int_equal(seal_passphrase_wrap(root_key, passphrase, PWHASH_INTERACTIVE, vault_id, &blob, &err), 0);
	assert_int_equal(residue_count(passphrase), 0);
	assert_int_equal(residue_count(root_key), 0);
	assert_int_equal(seal_passphrase_unwrap(buf_span(&blob), passphrase, vault_id, &opened, &err), 0);
	assert_true(secret_is_equal(secret_span(opened), secret_span(root_key)));
	opened = secret_free(opened);
	assert_int_equal(residue_count(passphrase), 0);
	assert_int_equal(residue_count(root_key), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preset_names),
		cmocka_unit_test(preset_figures_are_libsodiums),
		cmocka_unit_test(cost_is_chosen_for_half_a_second),
		cmocka_unit_test(calibration_stays_within_the_caps),
		cmocka_unit_test(wrapped_key_comes_back),
		cmocka_unit_test(blob_is_as_documented),
		cmocka_unit_test(two_wraps_share_nothing),
		cmocka_unit_test(wrong_passphrase_or_vault_does_not_open),
		cmocka_unit_test(every_flipped_bit_is_refused),
		cmocka_unit_test(every_other_length_is_refused),
		cmocka_unit_test(cost_outside_the_caps_is_refused),
		cmocka_unit_test(wrap_refuses_and_appends_nothing),
		cmocka_unit_test(too_little_memory_is_an_error),
		cmocka_unit_test(score_bands),
		cmocka_unit_test(score_takes_nul_bytes_and_long_text),
		cmocka_unit_test(score_with_sigchld_ignored),
		cmocka_unit_test(score_leaves_signal_mask_and_children),
		cmocka_unit_test(score_that_cannot_be_made_is_an_error),
		cmocka_unit_test(secrets_leave_no_residue),
	};
	if (cipher_start(&err) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
