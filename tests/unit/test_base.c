#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

static struct err err;

static void err_table_matches_the_manual(void **state)
{
	(void)state;
	// product.md, "Exit status": 1 no, 2 usage, 3 no vault, 4 locked or denied, 5 wrong passphrase, 6 damaged; of run,
	// inject and pipe: 125, but 126 and 127 where the program is at fault.
	static const struct {
		int code, exit_status, run_status;
		const char *name;
	} rows[] = {
		{0, 0, 0, "ok"},
		{ERR_NO, 1, 125, "no"},
		{ERR_USAGE, 2, 125, "usage"},
		{ERR_NO_VAULT, 3, 125, "no-vault"},
		{ERR_LOCKED, 4, 125, "locked"},
		{ERR_DENIED, 4, 125, "denied"},
		{ERR_UNSAFE, 4, 125, "unsafe"},
		{ERR_PASSPHRASE, 5, 125, "wrong-passphrase"},
		{ERR_DAMAGED, 6, 125, "damaged"},
		{ERR_NOT_FOUND, 1, 125, "not-found"},
		{ERR_EXISTS, 1, 125, "exists"},
		{ERR_INPUT, 2, 125, "bad-input"},
		{ERR_LIMIT, 2, 125, "limit"},
		{ERR_SYSTEM, 1, 125, "system"},
		{ERR_MEMORY, 1, 125, "memory"},
		{ERR_NO_EXEC, 126, 126, "not-executable"},
		{ERR_NO_PROGRAM, 127, 127, "program-not-found"},
		{ERR_INTERRUPTED, 4, 125, "interrupted"},
	};
	assert_int_equal(ARRAY_COUNT(rows), 1 - ERR_INTERRUPTED);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_int_equal(rows[i].code, -(int)i);
		assert_int_equal(err_exit_status(rows[i].code), rows[i].exit_status);
		assert_int_equal(err_run_status(rows[i].code), rows[i].run_status);
		assert_string_equal(err_name(rows[i].code), rows[i].name);
	}
	assert_int_equal(err_exit_status(ERR_INTERRUPTED - 1), 1);
	assert_int_equal(err_run_status(1), 125);
	assert_string_equal(err_name(INT_MIN), "unknown");
}

static void err_sentences(void **state)
{
	(void)state;
	struct err e = {0};
	assert_int_equal(err_set(&e, ERR_NO, "%s is %d", "it", 4), ERR_NO);
	assert_int_equal(e.code, ERR_NO);
	assert_int_equal(e.sys_errno, 0);
	assert_string_equal(e.text, "it is 4");
	assert_int_equal(err_set_errno(&e, ERR_SYSTEM, ENOENT, "cannot open %s", "x"), ERR_SYSTEM);
	assert_int_equal(e.sys_errno, ENOENT);
	assert_string_equal(e.text, "cannot open x: No such file or directory");
	assert_int_equal(err_prefix(&e, "line %d", 7), ERR_SYSTEM);
	assert_string_equal(e.text, "line 7: cannot open x: No such file or directory");
	assert_int_equal(err_set_errno(&e, ERR_SYSTEM, 99999, "odd"), ERR_SYSTEM);
	assert_string_equal(e.text, "odd: unknown error");
}

static void err_sentences_are_cut(void **state)
{
	(void)state;
	char big[2 * ERR_TEXT_BYTES];
	memset(big, 'b', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	struct {
		struct err e;
		uint8_t behind[16];
	} guarded = {.behind = {0}};
	err_set(&guarded.e, ERR_NO, "%s", big);
	assert_int_equal(strlen(guarded.e.text), ERR_TEXT_BYTES - 1);
	err_set_errno(&guarded.e, ERR_SYSTEM, EIO, "%s", big);
	assert_int_equal(strlen(guarded.e.text), ERR_TEXT_BYTES - 1);
	// A context of every length near the end: nothing may be written behind.
	for (size_t len = ERR_TEXT_BYTES - 8; len < ERR_TEXT_BYTES + 2; len++) {
		err_set(&guarded.e, ERR_DENIED, "tail");
		assert_int_equal(err_prefix(&guarded.e, "%.*s", (int)len, big), ERR_DENIED);
		assert_in_range(strlen(guarded.e.text), ERR_TEXT_BYTES - 8, ERR_TEXT_BYTES - 1);
	}
	for (size_t i = 0; i < sizeof(guarded.behind); i++)
		assert_int_equal(guarded.behind[i], 0);
}

static void owned_values_are_handed_on_once(void **state)
{
	(void)state;
	int fd = 5;
	assert_int_equal(TAKE_FD(fd), 5);
	assert_int_equal(fd, -1);
	char *text = strdup("x");
	char *other = TAKE_PTR(text);
	assert_null(text);
	free_ptr(&other);
	assert_null(other);
	free_ptr(&other);
}

static void fd_close_keeps_errno_and_empties(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	int fd = ends[0];
	errno = ESRCH;
	fd_close(&fd);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(fd, -1);
	fd_close(&fd);
	assert_int_equal(write(ends[1], "", 0), 0);
	fd = ends[1];
	close(ends[1]);
	fd_close(&fd);
	assert_int_equal(errno, ESRCH);
}

static void spans(void **state)
{
	(void)state;
	assert_int_equal(span_text(NULL).len, 0);
	assert_int_equal(span_text("abc").len, 3);
	assert_int_equal(SPAN_LITERAL("a\0b").len, 3);
	assert_true(span_is_equal(SPAN_LITERAL("a\0b"), span_of("a\0b", 3)));
	assert_false(span_is_equal(SPAN_LITERAL("a\0b"), SPAN_LITERAL("a\0c")));
	assert_false(span_is_equal(SPAN_LITERAL("ab"), SPAN_LITERAL("abc")));
	assert_true(span_is_equal(span_of(NULL, 0), SPAN_LITERAL("")));
	assert_true(span_has_prefix(SPAN_LITERAL("abc"), SPAN_LITERAL("ab")));
	assert_true(span_has_prefix(SPAN_LITERAL("abc"), span_of(NULL, 0)));
	assert_false(span_has_prefix(SPAN_LITERAL("ab"), SPAN_LITERAL("abc")));
	assert_false(span_has_prefix(SPAN_LITERAL("xbc"), SPAN_LITERAL("ab")));
}

static void buf_keeps_its_limit(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf buf = BUF_INIT(5);
	assert_string_equal(buf_text(&buf), "");
	assert_int_equal(buf_append_text(&buf, "abc", &err), 0);
	assert_int_equal(buf_append_text(&buf, "def", &err), ERR_LIMIT);
	assert_string_equal(buf_text(&buf), "abc");
	assert_int_equal(buf_printf(&buf, &err, "%d", 123), ERR_LIMIT);
	assert_string_equal(buf_text(&buf), "abc");
	assert_int_equal(buf_printf(&buf, &err, "%d", 12), 0);
	assert_string_equal(buf_text(&buf), "abc12");
	assert_int_equal(buf_append_byte(&buf, 'x', &err), ERR_LIMIT);
	assert_int_equal(buf_append(&buf, span_of(NULL, 0), &err), 0);
	assert_int_equal(buf_span(&buf).len, 5);
	buf_done(&buf);
	assert_int_equal(buf.max, 5);
	assert_int_equal(buf_append_text(&buf, "again", &err), 0);
	assert_string_equal(buf_text(&buf), "again");
	// A length that would overflow the sum.
	assert_int_equal(buf_append(&buf, span_of("", SIZE_MAX), &err), ERR_LIMIT);
}

static void buf_grows_and_ends_in_a_nul(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf buf = BUF_INIT(100000);
	for (size_t i = 0; i < 100000; i++) {
		assert_int_equal(buf_append_byte(&buf, (uint8_t)(i % 251), &err), 0);
		assert_int_equal(buf.data[buf.len], 0);
	}
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(buf.data[i], i % 251);
	assert_int_equal(buf_append_byte(&buf, 0, &err), ERR_LIMIT);
	_cleanup_buf_ struct buf none = BUF_INIT(0);
	assert_int_equal(buf_append_byte(&none, 1, &err), ERR_LIMIT);
	assert_int_equal(buf_append_text(&none, "", &err), 0);
	assert_string_equal(buf_text(&none), "");
}

static void records_go_there_and_back(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf buf = BUF_INIT(1000);
	assert_int_equal(writer_u8(&buf, 0xfe, &err), 0);
	assert_int_equal(writer_u32(&buf, 0x01020304, &err), 0);
	assert_int_equal(writer_u64(&buf, 0x0102030405060708, &err), 0);
	assert_int_equal(writer_string(&buf, SPAN_LITERAL("a\0b"), &err), 0);
	assert_int_equal(writer_string(&buf, span_of(NULL, 0), &err), 0);
	static const uint8_t expected[] = {0xfe, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 3, 0, 0, 0, 'a', 0, 'b', 0, 0, 0, 0};
	assert_int_equal(buf.len, sizeof(expected));
	assert_memory_equal(buf.data, expected, sizeof(expected));
	struct reader reader = reader_of(buf_span(&buf));
	assert_int_equal(reader_u8(&reader), 0xfe);
	assert_int_equal(reader_u32(&reader), 0x01020304);
	assert_true(reader_u64(&reader) == 0x0102030405060708);
	assert_true(span_is_equal(reader_string(&reader, 3), SPAN_LITERAL("a\0b")));
	assert_false(reader_end(&reader));
	assert_int_equal(reader_string(&reader, 0).len, 0);
	assert_true(reader_end(&reader));
	assert_int_equal(reader_u8(&reader), 0);
	assert_false(reader_end(&reader));
}

// Reads one record of every kind of field; whatever failed must have given zeros.
static bool record_read(struct span bytes)
{
	struct reader reader = reader_of(bytes);
	uint8_t raw[4] = {1, 1, 1, 1};
	reader_u8(&reader);
	reader_u32(&reader);
	uint64_t number = reader_u64(&reader);
	assert_true(!reader.failed || number == 0);
	reader_bytes(&reader, raw, sizeof(raw));
	assert_true(!reader.failed || (raw[0] | raw[1] | raw[2] | raw[3]) == 0);
	struct span text = reader_string(&reader, 8);
	assert_true(!reader.failed || text.len == 0);
	return reader_end(&reader);
}

static void reader_never_passes_the_end(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf buf = BUF_INIT(1000);
	assert_int_equal(writer_u8(&buf, 1, &err), 0);
	assert_int_equal(writer_u32(&buf, 2, &err), 0);
	assert_int_equal(writer_u64(&buf, UINT64_MAX, &err), 0);
	assert_int_equal(buf_append(&buf, SPAN_LITERAL("four"), &err), 0);
	assert_int_equal(writer_string(&buf, SPAN_LITERAL("eightxxx"), &err), 0);
	assert_true(record_read(buf_span(&buf)));
	for (size_t len = 0; len < buf.len; len++) {
		// On the heap at its exact length, so that a sanitizer sees a read behind it.
		_cleanup_free_ uint8_t *cut = malloc(len + (len == 0));
		assert_non_null(cut);
		memcpy(cut, buf.data, len);
		assert_false(record_read(span_of(cut, len)));
	}
	assert_int_equal(buf_append_byte(&buf, 0, &err), 0);
	assert_false(record_read(buf_span(&buf)));
}

static void reader_refuses_overlong_strings(void **state)
{
	(void)state;
	// A length above the caller's limit, one above what is there, and the largest.
	static const uint8_t records[][8] = {{4, 0, 0, 0, 'a', 'b', 'c', 'd'}, {5, 0, 0, 0, 'a', 'b', 'c', 'd'},
					     {0xff, 0xff, 0xff, 0xff, 'a', 'b', 'c', 'd'}};
	static const size_t limits[] = {3, 100, SIZE_MAX};
	for (size_t i = 0; i < ARRAY_COUNT(records); i++) {
		struct reader reader = reader_of(span_of(records[i], sizeof(records[i])));
		struct span text = reader_string(&reader, limits[i]);
		assert_int_equal(text.len, 0);
		assert_non_null(text.data);
		assert_true(reader.failed);
		// Failed for good, though bytes are left.
		assert_int_equal(reader_u8(&reader), 0);
		assert_false(reader_end(&reader));
	}
}

static void writer_refuses_what_does_not_fit(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf buf = BUF_INIT(7);
	assert_int_equal(writer_u64(&buf, 1, &err), ERR_LIMIT);
	assert_int_equal(buf.len, 0);
	assert_int_equal(writer_string(&buf, SPAN_LITERAL("abcd"), &err), ERR_LIMIT);
	assert_int_equal(writer_string(&buf, span_of("", (size_t)UINT32_MAX + 1), &err), ERR_LIMIT);
}

static void printable_text_is_injective(void **state)
{
	(void)state;
	char forms[256][8];
	for (int byte = 0; byte < 256; byte++) {
		_cleanup_buf_ struct buf out = BUF_INIT(16);
		uint8_t raw = (uint8_t)byte;
		assert_int_equal(text_printable(span_of(&raw, 1), &out, &err), 0);
		snprintf(forms[byte], sizeof(forms[byte]), "%s", buf_text(&out));
		for (size_t i = 0; i < out.len; i++)
			assert_in_range(out.data[i], 0x20, 0x7e);
		// Prefix-free, so that no two texts have one form either.
		for (int other = 0; other < byte; other++) {
			size_t a = strlen(forms[byte]), b = strlen(forms[other]);
			assert_int_not_equal(memcmp(forms[byte], forms[other], a < b ? a : b), 0);
		}
	}
	assert_string_equal(forms['a'], "a");
	assert_string_equal(forms['\\'], "\\\\");
	assert_string_equal(forms['\n'], "\\n");
	assert_string_equal(forms['\t'], "\\t");
	assert_string_equal(forms['\r'], "\\r");
	assert_string_equal(forms[0], "\\x00");
	assert_string_equal(forms[0x1b], "\\x1b");
	assert_string_equal(forms[0x7f], "\\x7f");
	assert_string_equal(forms[0x9b], "\\x9b");
	assert_string_equal(forms[255], "\\xff");
}

static void printable_text_keeps_the_limit(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf out = BUF_INIT(5);
	assert_int_equal(text_printable(SPAN_LITERAL("a\x01"), &out, &err), 0);
	assert_string_equal(buf_text(&out), "a\\x01");
	assert_int_equal(text_printable(SPAN_LITERAL("b"), &out, &err), ERR_LIMIT);
}

static void brief_text_is_cut_where_it_must_be(void **state)
{
	(void)state;
	char out[9];
	static const struct {
		struct span text;
		const char *brief;
	} rows[] = {
		{SPAN_LITERAL(""), ""},
		{SPAN_LITERAL("abcdefgh"), "abcdefgh"},
		{SPAN_LITERAL("abcdefghi"), "abcde..."},
		{SPAN_LITERAL("abcd\x1b"), "abcd\\x1b"},
		{SPAN_LITERAL("abcde\x1b"), "abcde..."},
		{SPAN_LITERAL("ab\x1b" "cd"), "ab\\x1bcd"},
		{SPAN_LITERAL("ab\x1b" "cde"), "ab..."},
		{SPAN_LITERAL("\x01\x02"), "\\x01\\x02"},
		{SPAN_LITERAL("\x01\x02\x03"), "\\x01..."},
		{SPAN_LITERAL("a\0b"), "a\\x00b"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		memset(out, 'z', sizeof(out));
		assert_ptr_equal(text_brief(rows[i].text, out, sizeof(out)), out);
		assert_string_equal(out, rows[i].brief);
	}
	// Every small size stays within itself.
	for (size_t size = 4; size < sizeof(out); size++) {
		memset(out, 'z', sizeof(out));
		text_brief(SPAN_LITERAL("\x01\x02\x03\x04"), out, size);
		assert_true(strlen(out) < size);
		assert_int_equal(out[size], 'z');
	}
}

static void numbers_are_parsed_strictly(void **state)
{
	(void)state;
	uint64_t out = 77;
	assert_int_equal(text_parse_u64("0", "n", 0, 9, &out, &err), 0);
	assert_true(out == 0);
	assert_int_equal(text_parse_u64("18446744073709551615", "n", 0, UINT64_MAX, &out, &err), 0);
	assert_true(out == UINT64_MAX);
	assert_int_equal(text_parse_u64("007", "n", 7, 7, &out, &err), 0);
	assert_true(out == 7);
	static const char *const wrong[] = {"", " 5", "5 ", "+5", "-5", "5x", "0x5", "5.0", "18446744073709551616",
					    "99999999999999999999999", "184467440737095516150", "\xd9\xa5"};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		assert_int_equal(text_parse_u64(wrong[i], "--count", 0, UINT64_MAX, &out, &err), ERR_USAGE);
	assert_int_equal(text_parse_u64("4", "--count", 5, 6, &out, &err), ERR_USAGE);
	assert_int_equal(text_parse_u64("7", "--count", 5, 6, &out, &err), ERR_USAGE);
	assert_string_equal(err.text, "--count must be a whole number from 5 to 6");
	assert_true(out == 7);
}

static void names_of_secrets(void **state)
{
	(void)state;
	static const char *const good[] = {"A", "9", "a.b", "a-b_c", "prod/db/PASSWORD", "a..b", "a/b", "a-"};
	static const char *const bad[] = {"",     "/",    "a/",   "/a",    "a//b", ".",   "..",   "a/..",  "a/.b", "-a",
					  "_a",   "a b",  "a\n",  "a=b",   "a\\b", "a:b", "\xc3\xa9", "a/-b", "a\x7f"};
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		assert_true(name_is_valid(span_text(good[i])));
		assert_int_equal(name_check(good[i], &err), 0);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_false(name_is_valid(span_text(bad[i])));
		assert_int_equal(name_check(bad[i], &err), ERR_USAGE);
	}
	assert_false(name_is_valid(SPAN_LITERAL("a\0b")));
	assert_int_equal(name_check("bad\033[2Jname", &err), ERR_USAGE);
	assert_null(strchr(err.text, '\033'));
}

static void names_have_lengths(void **state)
{
	(void)state;
	char name[300];
	memset(name, 'n', sizeof(name));
	assert_true(name_is_valid(span_of(name, 128)));
	assert_false(name_is_valid(span_of(name, 129)));
	name[127] = '/';
	assert_true(name_is_valid(span_of(name, 127 + 1 + 127)));
	assert_false(name_is_valid(span_of(name, 127 + 1 + 128)));
	assert_true(variable_is_valid(span_text("_")));
	assert_true(variable_is_valid(span_text("A_9z")));
	static const char *const bad[] = {"", "9A", "A-B", "A.B", "A=", "A B", "\xc3\xa9", "a/b"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(variable_is_valid(span_text(bad[i])));
	assert_false(variable_is_valid(SPAN_LITERAL("A\0")));
	memset(name, 'V', sizeof(name));
	assert_true(variable_is_valid(span_of(name, 255)));
	assert_false(variable_is_valid(span_of(name, 256)));
}

static void clock_formats(void **state)
{
	(void)state;
	// `date -u -d @N +%FT%TZ`
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00Z"},
		{951782399, "2000-02-28T23:59:59Z"},
		{951782400, "2000-02-29T00:00:00Z"},
		{1709164800, "2024-02-29T00:00:00Z"},
		{4107542399, "2100-02-28T23:59:59Z"},
		{4107542400, "2100-03-01T00:00:00Z"},
		{253402300799, "9999-12-31T23:59:59Z"},
		{253402300800, "invalid"},
		{-1, "invalid"},
		{INT64_MAX, "invalid"},
		{INT64_MIN, "invalid"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char text[CLOCK_TEXT_BYTES];
		clock_format(rows[i].seconds, text);
		assert_string_equal(text, rows[i].text);
		int64_t back = 0;
		if (strcmp(text, "invalid") != 0) {
			assert_int_equal(clock_parse(text, 0, &back, &err), 0);
			assert_int_equal(back, rows[i].seconds);
		}
	}
}

static void clock_parses_dates_and_spans(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{"1970-01-01", 0},        {"2024-02-29", 1709164800},  {"2000-02-29T00:00:00Z", 951782400},
		{"30m", 1000 + 1800},     {"12h", 1000 + 43200},       {"90d", 1000 + 7776000},
		{"4w", 1000 + 2419200},   {"1m", 1060},                {"0001m", 1060},
		{"9999-12-31", 253402214400},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		int64_t out = -1;
		assert_int_equal(clock_parse(rows[i].text, 1000, &out, &err), 0);
		assert_int_equal(out, rows[i].seconds);
	}
}

static void clock_refuses_the_rest(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"", "2023-02-29", "2100-02-29", "2024-02-30", "2024-13-01", "2024-00-10", "2024-01-00", "2024-01-32", "2024-04-31",
		"1969-12-31", "24-01-01", "2024-1-1", "2024-01-01 ", " 2024-01-01", "2024-01-01T", "2024-01-01T00:00Z",
		"2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00",
		"2024-01-01T00:00:00+01:00", "2024-01-01T00:00:00Zx", "2024-01-01t00:00:00z", "2024/01/01", "10000-01-01",
		"0d", "d", "90", "90s", "90dd", "-5d", "+5d", "5 d", "5D", "1.5h", "9999999w", "12345678m",
		"99999999999999999999d", "forever",
	};
	int64_t out = 42;
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		assert_int_equal(clock_parse(wrong[i], 1000, &out, &err), ERR_USAGE);
	// A span that leaves the range, or the type.
	assert_int_equal(clock_parse("1m", 253402300799, &out, &err), ERR_USAGE);
	assert_int_equal(clock_parse("1m", INT64_MAX, &out, &err), ERR_USAGE);
	assert_int_equal(out, 42);
}

static void clocks_run(void **state)
{
	(void)state;
	// 2020-01-01: a clock before that is not set.
	assert_true(clock_now() > 1577836800);
	int64_t before = clock_monotonic_ms();
	assert_true(before > 0 && clock_monotonic_ms() >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_table_matches_the_manual),
		cmocka_unit_test(err_sentences),
		cmocka_unit_test(err_sentences_are_cut),
		cmocka_unit_test(owned_values_are_handed_on_once),
		cmocka_unit_test(fd_close_keeps_errno_and_empties),
		cmocka_unit_test(spans),
		cmocka_unit_test(buf_keeps_its_limit),
		cmocka_unit_test(buf_grows_and_ends_in_a_nul),
		cmocka_unit_test(records_go_there_and_back),
		cmocka_unit_test(reader_never_passes_the_end),
		cmocka_unit_test(reader_refuses_overlong_strings),
		cmocka_unit_test(writer_refuses_what_does_not_fit),
		cmocka_unit_test(printable_text_is_injective),
		cmocka_unit_test(printable_text_keeps_the_limit),
		cmocka_unit_test(brief_text_is_cut_where_it_must_be),
		cmocka_unit_test(numbers_are_parsed_strictly),
		cmocka_unit_test(names_of_secrets),
		cmocka_unit_test(names_have_lengths),
		cmocka_unit_test(clock_formats),
		cmocka_unit_test(clock_parses_dates_and_spans),
		cmocka_unit_test(clock_refuses_the_rest),
		cmocka_unit_test(clocks_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
