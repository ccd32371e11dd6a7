// Codes of the second factor: what RFC 6238 says, the window, what was used, the lock, and clocks that were moved.
#include "residue.h"
#include "vault_support.h"

#include <signal.h>
#include <sys/resource.h>

#include "engine/totp.h"
#include "../vectors/totp_vectors.h"

#define NOW 2000000010
#define STEP (NOW / TOTP_STEP_SECONDS)

static struct secret *totp_of_test(void)
{
	struct secret *secret = NULL;
	assert_int_equal(totp_new(&secret, &err), 0);
	memcpy(totp_of(secret)->key, totp_vector_key, TOTP_KEY_BYTES);
	return secret;
}

static struct secret *text_secret(const char *text)
{
	struct secret *secret = NULL;
	assert_int_equal(secret_copy(span_text(text), &secret, &err), 0);
	return secret;
}

static enum totp_verdict verdict_of(struct totp *totp, uint64_t code_step, uint64_t step)
{
	enum totp_verdict verdict = TOTP_WRONG;
	uint64_t taken = 0;
	char code[TOTP_CODE_BYTES];
	assert_int_equal(totp_code(totp, code_step, code, &err), 0);
	assert_int_equal(totp_match(totp, span_text(code), step, &verdict, &taken, &err), 0);
	assert_true(taken == (verdict == TOTP_RIGHT ? code_step : 0));
	return verdict;
}

static void codes_are_those_of_the_rfc(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *secret = totp_of_test();
	for (size_t i = 0; i < ARRAY_COUNT(totp_vectors); i++) {
		char code[TOTP_CODE_BYTES];
		assert_int_equal(totp_code(totp_of(secret), totp_step_at(totp_vectors[i].time), code, &err), 0);
		// The vectors have eight digits, of which six are the last.
		assert_string_equal(code, totp_vectors[i].code + 2);
	}
}

static void steps_of_times(void **state)
{
	(void)state;
	assert_int_equal(totp_step_at(0), 0);
	assert_int_equal(totp_step_at(29), 0);
	assert_int_equal(totp_step_at(30), 1);
	assert_int_equal(totp_step_at(-1), 0);
	assert_int_equal(totp_step_at(INT64_MIN), 0);
}

static void the_window_is_one_step_either_way(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *secret = totp_of_test();
	static const enum totp_verdict expected[] = {TOTP_WRONG, TOTP_RIGHT, TOTP_RIGHT, TOTP_RIGHT, TOTP_WRONG};
	for (int i = -2; i <= 2; i++)
		assert_int_equal(verdict_of(totp_of(secret), (uint64_t)(STEP + i), STEP), expected[i + 2]);
}

static void no_code_is_taken_twice(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *secret = totp_of_test();
	struct totp *totp = totp_of(secret);
	totp->last_step = STEP;
	assert_int_equal(verdict_of(totp, STEP - 1, STEP), TOTP_USED);
	assert_int_equal(verdict_of(totp, STEP, STEP), TOTP_USED);
	assert_int_equal(verdict_of(totp, STEP + 1, STEP), TOTP_RIGHT);
	assert_int_equal(verdict_of(totp, STEP - 2, STEP), TOTP_WRONG);
}

static void any_other_text_is_wrong(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *secret = totp_of_test();
	static const char *const texts[] = {"", "0", "12345", "1234567", "abcdef"};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		enum totp_verdict verdict = TOTP_RIGHT;
		uint64_t step = 7;
		assert_int_equal(totp_match(totp_of(secret), span_text(texts[i]), STEP, &verdict, &step, &err), 0);
		assert_int_equal(verdict, TOTP_WRONG);
		assert_int_equal(step, 7);
	}
}

static struct backoff_clock clock_make(int64_t now, int64_t boottime_ms)
{
	struct backoff_clock clock = {.now = now, .boottime_ms = boottime_ms};
	memset(clock.boot_id, 1, sizeof(clock.boot_id));
	return clock;
}

static int64_t left_after(uint32_t tries, int64_t by_date, int64_t by_boot)
{
	_cleanup_secret_ struct secret *secret = totp_of_test();
	struct backoff_clock then = clock_make(NOW, 5000000);
	struct backoff_clock now = clock_make(NOW + by_date, 5000000 + 1000 * by_boot);
	for (uint32_t i = 0; i < tries; i++)
		backoff_add(&totp_of(secret)->tries, &then);
	return totp_lock_left(totp_of(secret), &now);
}

static void five_in_a_row_lock(void **state)
{
	(void)state;
	assert_int_equal(left_after(0, 0, 0), 0);
	assert_int_equal(left_after(4, 0, 0), 0);
	assert_int_equal(left_after(5, 0, 0), 900);
	assert_int_equal(left_after(5, 899, 899), 1);
	assert_int_equal(left_after(5, 900, 900), 0);
	assert_int_equal(left_after(6, 0, 0), 900);
	// A clock moved forward opens nothing; one moved back shuts nobody out.
	assert_int_equal(left_after(5, 1000000, 10), 890);
	assert_int_equal(left_after(5, 10, 1000000), 890);
	assert_int_equal(left_after(5, -1000000, 900), 0);
	assert_int_equal(left_after(5, -1, -1), 900);
}

static void a_clock_before_the_last_code(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *secret = totp_of_test();
	totp_of(secret)->last_step = STEP;
	assert_false(totp_is_before_last(totp_of(secret), STEP));
	assert_true(totp_is_before_last(totp_of(secret), STEP - 1));
	assert_true(totp_is_before_last(totp_of(secret), 0));
	totp_of(secret)->last_step = 0;
	assert_false(totp_is_before_last(totp_of(secret), 0));
}

static void the_setting_comes_back(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *secret = totp_of_test(), *bytes = NULL, *again = NULL;
	struct totp *totp = totp_of(secret);
	struct backoff_clock clock = clock_make(NOW, 77);
	totp->created = NOW - 5;
	totp->last_step = STEP;
	backoff_add(&totp->tries, &clock);
	memset(totp->recovery, 9, sizeof(totp->recovery));
	assert_int_equal(totp_encode(totp, &bytes, &err), 0);
	assert_int_equal(secret_len(bytes), 113);
	assert_int_equal(totp_decode(secret_span(bytes), &again, &err), 0);
	assert_true(secret_is_equal(secret_span(secret), secret_span(again)));
	for (size_t len = 0; len < secret_len(bytes); len++) {
		_cleanup_secret_ struct secret *none = NULL;
		assert_int_equal(totp_decode(span_of(secret_span(bytes).data, len), &none, &err), ERR_DAMAGED);
		assert_null(none);
	}
	secret_data(bytes)[0] = 2;
	_cleanup_secret_ struct secret *none = NULL;
	assert_int_equal(totp_decode(secret_span(bytes), &none, &err), ERR_DAMAGED);
}

static void text_is(struct secret *text, const char *expected)
{
	if (!secret_is_equal(secret_span(text), span_text(expected)))
		fail_msg("%.*s instead of %s", (int)secret_len(text), secret_data(text), expected);
	secret_free(text);
}

static void what_is_shown(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *secret = totp_of_test();
	struct secret *text = NULL;
	assert_int_equal(totp_key_text(totp_of(secret), &text, &err), 0);
	text_is(text, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
	assert_int_equal(totp_uri(totp_of(secret), "mary", "build.example", &text, &err), 0);
	text_is(text, "otpauth://totp/envseal:mary%40build.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=envseal"
		      "&algorithm=SHA1&digits=6&period=30");
	assert_int_equal(totp_uri(totp_of(secret), "a:b\033[2J&x=1", "\xc3\xbc/#", &text, &err), 0);
	text_is(text, "otpauth://totp/envseal:a_b_%5B2J%26x%3D1%40__%2F%23?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=envseal"
		      "&algorithm=SHA1&digits=6&period=30");
	char longest[1000];
	memset(longest, '%', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	assert_int_equal(totp_uri(totp_of(secret), longest, longest, &text, &err), 0);
	assert_true(secret_len(text) < HELPER_INPUT_BYTES_MAX);
	secret_free(text);
}

static bool recovers(const struct totp *totp, const char *typed)
{
	_cleanup_secret_ struct secret *secret = text_secret(typed);
	bool is_right = false;
	assert_int_equal(totp_recovery_matches(totp, secret, &is_right, &err), 0);
	return is_right;
}

static void recovery_codes(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *secret = totp_of_test(), *code = NULL, *other = NULL;
	struct totp *totp = totp_of(secret);
	char typed[64] = {0};
	assert_int_equal(totp_recovery_make(&other, totp->recovery, &err), 0);
	assert_int_equal(totp_recovery_make(&code, totp->recovery, &err), 0);
	assert_int_equal(secret_len(code), TOTP_RECOVERY_LETTERS + 3);
	memcpy(typed, secret_data(code), secret_len(code));
	assert_true(strspn(typed, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567-") == strlen(typed));
	assert_true(recovers(totp, typed));
	for (char *at = typed; *at; at++)
		*at = *at == '-' ? ' ' : (char)(*at >= 'A' ? *at + 32 : *at);
	assert_true(recovers(totp, typed));
	typed[0] = typed[0] == 'a' ? 'b' : 'a';
	assert_false(recovers(totp, typed));
	assert_false(recovers(totp, ""));
	memset(typed, 0, sizeof(typed));
	memcpy(typed, secret_data(other), secret_len(other));
	assert_false(recovers(totp, typed));
}

static void digits_of_an_answer(void **state)
{
	(void)state;
	static const struct {
		const char *typed;
		int r;
	} rows[] = {{"123456", 0},   {"123 456", 0},     {" 12-34 56 ", 0},       {"", ERR_PASSPHRASE}, {"12345", ERR_PASSPHRASE},
		    {"1234567", ERR_PASSPHRASE}, {"12345a", ERR_PASSPHRASE}, {"12345\n", ERR_PASSPHRASE}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		_cleanup_secret_ struct secret *typed = text_secret(rows[i].typed), *digits = NULL;
		assert_int_equal(totp_digits(typed, &digits, &err), rows[i].r);
		if (rows[i].r == 0)
			assert_true(secret_is_equal(secret_span(digits), SPAN_LITERAL("123456")));
	}
}

// The letters of the key in the URI; what is around them is no secret, and stands in the program.
static struct secret *letters_of(struct secret *uri)
{
	struct secret *letters = NULL;
	struct span text = secret_span(uri);
	const uint8_t *at = memmem(text.data, text.len, "?secret=", 8);
	assert_non_null(at);
	assert_int_equal(secret_copy(span_of(at + 8, 32), &letters, &err), 0);
	secret_free(uri);
	return letters;
}

static void the_key_leaves_no_residue(void **state)
{
	(void)state;
	if (!residue_is_countable())
		skip();
	_cleanup_secret_ struct secret *secret = NULL, *key = NULL, *text = NULL, *uri = NULL, *code = NULL, *bytes = NULL;
	assert_int_equal(totp_new(&secret, &err), 0);
	struct totp *totp = totp_of(secret);
	bool is_right = false;
	verdict_of(totp, STEP, STEP);
	assert_int_equal(totp_recovery_make(&code, totp->recovery, &err), 0);
	assert_int_equal(totp_recovery_matches(totp, code, &is_right, &err), 0);
	assert_true(is_right);
	assert_int_equal(totp_key_text(totp, &text, &err), 0);
	assert_int_equal(totp_uri(totp, "u", "h", &uri, &err), 0);
	assert_int_equal(totp_encode(totp, &bytes, &err), 0);
	assert_int_equal(secret_copy(span_of(totp->key, TOTP_KEY_BYTES), &key, &err), 0);
	secret = secret_free(secret);
	assert_int_equal(totp_decode(secret_span(bytes), &secret, &err), 0);
	secret = secret_free(secret);
	bytes = secret_free(bytes);
	assert_int_equal(residue_count(key), 0);
	assert_int_equal(residue_count(text), 0);
	uri = letters_of(uri);
	assert_int_equal(residue_count(uri), 0);
	assert_int_equal(residue_count(code), 0);
}

// Far down the stack, where the search itself does not overwrite what was left.
static __attribute__((noinline)) void code_compute_below(const struct totp *totp, volatile uint8_t *sink)
{
	volatile uint8_t room[16384];
	char code[TOTP_CODE_BYTES];
	room[0] = *sink;
	assert_int_equal(totp_code(totp, STEP, code, &err), 0);
	*sink = room[0];
}

// HMAC does not keep the key as it is, but as its two pads (RFC 2104).
static void computing_leaves_no_pad(void **state)
{
	(void)state;
	if (!residue_is_countable())
		skip();
	_cleanup_secret_ struct secret *secret = NULL;
	assert_int_equal(totp_new(&secret, &err), 0);
	for (size_t i = 0; i < 2; i++) {
		_cleanup_secret_ struct secret *pad = NULL;
		assert_int_equal(secret_new(TOTP_KEY_BYTES, SECRET_LOCK_REQUIRED, &pad, &err), 0);
		for (size_t j = 0; j < TOTP_KEY_BYTES; j++)
			secret_data(pad)[j] = totp_of(secret)->key[j] ^ (i == 0 ? 0x36 : 0x5c);
		volatile uint8_t sink = 0;
		code_compute_below(totp_of(secret), &sink);
		assert_int_equal(residue_count(pad), 0);
	}
}

static void the_picture(void **state)
{
	(void)state;
	if (valgrind_is_here())
		skip();
	_cleanup_secret_ struct secret *secret = totp_of_test(), *uri = NULL, *blocks = NULL, *ascii = NULL;
	assert_int_equal(totp_uri(totp_of(secret), "mary", "build.example", &uri, &err), 0);
	assert_int_equal(totp_picture(uri, true, &blocks, &err), 0);
	assert_int_equal(totp_picture(uri, false, &ascii, &err), 0);
	struct span text = secret_span(ascii);
	size_t width = (size_t)((const uint8_t *)memchr(text.data, '\n', text.len) - text.data);
	// A square of modules, two characters each.
	assert_int_equal(text.len, (width + 1) * width / 2);
	assert_true(width / 2 <= 49);
	// The margin, and the corner of the first finder pattern in it.
	for (size_t i = 0; i < 2 * (width + 1); i++)
		assert_true(text.data[i] == '#' || text.data[i] == '\n');
	assert_memory_equal(text.data + 2 * (width + 1), "####              ##", 20);
	assert_memory_equal(secret_data(blocks), "\033[40;97m\u2588\u2588\u2588", 17);
	uri = letters_of(uri);
	if (residue_is_countable())
		assert_int_equal(residue_count(uri), 0);
}

// ------------------------------------------------------------------------------------------------------------ a session

static struct engine engine_of_test;

static void session_make(struct session *out)
{
	struct session session = {.engine = &engine_of_test, .vault = vault_make(0)};
	assert_int_equal(audit_open(dir, &session.audit, &err), 0);
	*out = session;
}

// A second factor with the vectors' key whose last code was `last`, and so many tries without a right one.
static void totp_install(struct session *session, uint64_t last, uint32_t tries)
{
	_cleanup_secret_ struct secret *secret = totp_of_test();
	struct backoff_clock clock = backoff_clock_now();
	totp_of(secret)->last_step = last;
	for (uint32_t i = 0; i < tries; i++)
		backoff_add(&totp_of(secret)->tries, &clock);
	assert_int_equal(session_begin(session, &err), 0);
	assert_int_equal(session_totp_store(session, totp_of(secret), &err), 0);
	assert_int_equal(session_commit(session, "totp.setup", json_object(), &err), 0);
}

static uint32_t tries_of(struct session *session)
{
	_cleanup_secret_ struct secret *secret = NULL;
	assert_int_equal(session_totp_load(session, &secret, &err), 0);
	return secret ? totp_of(secret)->tries.count : UINT32_MAX;
}

// What nothing in the window is, and what the step after this one is.
static const char *wrong_code(char out[TOTP_CODE_BYTES])
{
	_cleanup_secret_ struct secret *secret = totp_of_test();
	uint64_t step = totp_step_at(clock_now());
	enum totp_verdict verdict = TOTP_RIGHT;
	uint64_t unused = 0;
	for (unsigned i = 0; verdict != TOTP_WRONG; i++) {
		snprintf(out, TOTP_CODE_BYTES, "%06u", i % 1000000);
		assert_int_equal(totp_match(totp_of(secret), span_text(out), step + 1, &verdict, &unused, &err), 0);
	}
	return out;
}

static const char *code_at(uint64_t step, char out[TOTP_CODE_BYTES])
{
	_cleanup_secret_ struct secret *secret = totp_of_test();
	assert_int_equal(totp_code(totp_of(secret), step, out, &err), 0);
	return out;
}

static int check_code(struct session *session, const char *code)
{
	_cleanup_secret_ struct secret *typed = text_secret(code);
	return session_totp_check(session, typed, &err);
}

struct seen {
	char kinds[512];
};

static int kind_add(void *context, json_t *record)
{
	struct seen *seen = context;
	size_t used = strlen(seen->kinds);
	snprintf(seen->kinds + used, sizeof(seen->kinds) - used, "%s ", json_string_value(json_object_get(record, "kind")));
	return 0;
}

static void records_are(struct session *session, const char *expected)
{
	struct seen seen = {0};
	struct audit_filter filter = {0};
	assert_int_equal(audit_query(session->audit, &filter, kind_add, &seen, &err), 0);
	assert_string_equal(seen.kinds, expected);
}

static void without_a_second_factor(void **state)
{
	(void)state;
	_cleanup_session_ struct session session = {0};
	bool is_set = true;
	session_make(&session);
	assert_int_equal(session_totp_is_set(&session, &is_set, &err), 0);
	assert_false(is_set);
	assert_int_equal(check_code(&session, "123456"), ERR_DENIED);
	records_are(&session, "");
}

static void a_right_code_is_taken_once(void **state)
{
	(void)state;
	_cleanup_session_ struct session session = {0};
	char code[TOTP_CODE_BYTES];
	bool is_set = false;
	session_make(&session);
	totp_install(&session, 0, 3);
	assert_int_equal(session_totp_is_set(&session, &is_set, &err), 0);
	assert_true(is_set);
	code_at(totp_step_at(clock_now()), code);
	assert_int_equal(check_code(&session, code), 0);
	assert_int_equal(tries_of(&session), 0);
	assert_int_equal(check_code(&session, code), ERR_PASSPHRASE);
	assert_string_equal(err.text, "this code was used already; wait for the next one");
	assert_int_equal(tries_of(&session), 1);
	records_are(&session, "totp.setup totp.try totp.ok totp.try totp.failed ");
	// The transaction is over in every case.
	assert_int_equal(session_begin(&session, &err), 0);
	session_rollback(&session);
}

static void wrong_codes_lock(void **state)
{
	(void)state;
	_cleanup_session_ struct session session = {0};
	char code[TOTP_CODE_BYTES];
	session_make(&session);
	totp_install(&session, 0, TOTP_TRIES - 2);
	assert_int_equal(check_code(&session, "12345"), ERR_PASSPHRASE);
	assert_int_equal(tries_of(&session), TOTP_TRIES - 2);
	assert_int_equal(check_code(&session, wrong_code(code)), ERR_PASSPHRASE);
	assert_string_equal(err.text, "the code is wrong");
	assert_int_equal(check_code(&session, wrong_code(code)), ERR_PASSPHRASE);
	assert_non_null(strstr(err.text, "codes are locked for 15 minutes"));
	assert_int_equal(tries_of(&session), TOTP_TRIES);
	// The right one is not looked at, and no try is counted.
	assert_int_equal(check_code(&session, code_at(totp_step_at(clock_now()), code)), ERR_DENIED);
	assert_int_equal(tries_of(&session), TOTP_TRIES);
	records_are(&session, "totp.setup totp.try totp.failed totp.try totp.locked ");
	assert_true(vault_is_unlocked(session.vault));
}

// The second of the two transactions cannot be made: whoever ends envseal there has spent the try, and has heard nothing.
struct interrupted {
	off_t log_bytes;
	const char *code;
};

static int check_interrupted(void *context)
{
	const struct interrupted *interrupted = context;
	const struct rlimit limit = {(rlim_t)interrupted->log_bytes, (rlim_t)interrupted->log_bytes};
	_cleanup_session_ struct session session = {.engine = &engine_of_test};
	if (vault_open(vault_dir, &session.vault, &err) < 0 || unlock(session.vault, 0) < 0 ||
	    audit_open(dir, &session.audit, &err) < 0)
		return 100;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	return -check_code(&session, interrupted->code);
}

static off_t log_bytes(void)
{
	char path[300];
	struct stat file;
	snprintf(path, sizeof(path), "%s/audit.jsonl", dir);
	assert_int_equal(stat(path, &file), 0);
	return file.st_size;
}

static void no_free_guess(void **state)
{
	(void)state;
	char right[TOTP_CODE_BYTES], wrong[TOTP_CODE_BYTES];
	_cleanup_session_ struct session session = {0};
	session_make(&session);
	totp_install(&session, 0, 0);
	// The log becomes larger than the vault, so that a limit on the size of files is met there.
	char filler[100001];
	memset(filler, 'x', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = 0;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(session_begin(&session, &err), 0);
		assert_int_equal(session_commit(&session, "test", json_pack("{s:s}", "filler", filler), &err), 0);
	}
	session_done(&session);
	const char *const codes[] = {wrong_code(wrong), code_at(totp_step_at(clock_now()), right)};
	for (uint32_t i = 0; i < ARRAY_COUNT(codes); i++) {
		// Room for one record, and not for two.
		struct interrupted interrupted = {log_bytes() + 400, codes[i]};
		assert_int_equal(child_run(check_interrupted, &interrupted), -ERR_SYSTEM);
		assert_int_equal(vault_open(vault_dir, &session.vault, &err), 0);
		assert_int_equal(unlock(session.vault, 0), 0);
		assert_int_equal(audit_open(dir, &session.audit, &err), 0);
		assert_int_equal(tries_of(&session), i + 1);
		session_done(&session);
	}
}

static void a_clock_that_was_set_back(void **state)
{
	(void)state;
	_cleanup_session_ struct session session = {0};
	char code[TOTP_CODE_BYTES];
	uint64_t step = totp_step_at(clock_now());
	session_make(&session);
	totp_install(&session, step + 100, 0);
	assert_int_equal(check_code(&session, code_at(step, code)), ERR_DENIED);
	assert_non_null(strstr(err.text, "the clock was set back"));
	assert_int_equal(tries_of(&session), 0);
}

static void recovery_is_not_counted_and_not_locked(void **state)
{
	(void)state;
	_cleanup_session_ struct session session = {0};
	_cleanup_secret_ struct secret *secret = totp_of_test(), *code = NULL, *wrong = text_secret("AAAA-BBBB");
	struct backoff_clock clock = backoff_clock_now();
	session_make(&session);
	assert_int_equal(totp_recovery_make(&code, totp_of(secret)->recovery, &err), 0);
	for (uint32_t i = 0; i < TOTP_TRIES; i++)
		backoff_add(&totp_of(secret)->tries, &clock);
	assert_int_equal(session_begin(&session, &err), 0);
	assert_int_equal(session_totp_store(&session, totp_of(secret), &err), 0);
	assert_int_equal(session_commit(&session, "totp.setup", json_object(), &err), 0);
	assert_int_equal(session_totp_recover(&session, wrong, &err), ERR_PASSPHRASE);
	assert_int_equal(session_totp_recover(&session, code, &err), 0);
	assert_int_equal(tries_of(&session), TOTP_TRIES);
	records_are(&session, "totp.setup totp.failed ");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(codes_are_those_of_the_rfc),
	    cmocka_unit_test(steps_of_times),
	    cmocka_unit_test(the_window_is_one_step_either_way),
	    cmocka_unit_test(no_code_is_taken_twice),
	    cmocka_unit_test(any_other_text_is_wrong),
	    cmocka_unit_test(five_in_a_row_lock),
	    cmocka_unit_test(a_clock_before_the_last_code),
	    cmocka_unit_test(the_setting_comes_back),
	    cmocka_unit_test(what_is_shown),
	    cmocka_unit_test(recovery_codes),
	    cmocka_unit_test(digits_of_an_answer),
	    cmocka_unit_test(the_key_leaves_no_residue),
	    cmocka_unit_test(computing_leaves_no_pad),
	    cmocka_unit_test(the_picture),
	    DIR_TEST(without_a_second_factor),
	    DIR_TEST(a_right_code_is_taken_once),
	    DIR_TEST(wrong_codes_lock),
	    DIR_TEST(no_free_guess),
	    DIR_TEST(a_clock_that_was_set_back),
	    DIR_TEST(recovery_is_not_counted_and_not_locked),
	};
	if (cipher_start(&err) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
