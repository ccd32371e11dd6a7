#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/base.h"

static struct err err;

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
		{"90s", 1090},
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
		"0d", "d", "90", "90S", "90dd", "-5d", "+5d", "5 d", "5D", "1.5h", "9999999w", "12345678m",
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

static void spans_are_parsed_and_told(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t seconds;
		const char *words;
	} rows[] = {
		{"1s", 1, "1 s"},         {"119s", 119, "119 s"},      {"120s", 120, "2 min"},      {"59m", 3540, "59 min"},
		{"60m", 3600, "1 h"},     {"3659s", 3659, "1 h"},      {"90m", 5400, "1 h 30 min"}, {"7d", 604800, "168 h"},
		{"2w", 1209600, "336 h"},
	};
	char words[CLOCK_TEXT_BYTES];
	int64_t out = -1;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_int_equal(clock_parse_span(rows[i].text, &out, &err), 0);
		assert_int_equal(out, rows[i].seconds);
		assert_string_equal(clock_span_words(out, words), rows[i].words);
	}
	static const char *const wrong[] = {"", "s", "0s", "30", "-1m", "1 m", "2027-01-31", "never", "99999999s"};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		assert_int_equal(clock_parse_span(wrong[i], &out, &err), ERR_USAGE);
	assert_int_equal(out, 1209600);
	assert_string_equal(clock_span_words(-5, words), "0 s");
}

static void clocks_run(void **state)
{
	(void)state;
	// 2020-01-01: a clock before that is not set.
	assert_true(clock_now() > 1577836800);
	int64_t before = clock_monotonic_ms();
	assert_true(before > 0 && clock_monotonic_ms() >= before);
}

static void paths_become_words_of_a_shell(void **state)
{
	(void)state;
	static const struct {
		const char *path, *word;
	} rows[] = {
		{"/a/b", "'/a/b'"},
		{"", "''"},
		{"/a b$c`d`\"", "'/a b$c`d`\"'"},
		{"it's", "'it'\\''s'"},
		{"a\\b%", "'a\\b%'"},
		{"-r", "'./-r'"},
		{"a\nb", "\"$(printf 'a\\012b')\""},
		{"-\xc3\xbc'%\\", "\"$(printf './-\\303\\274\\047%%\\134')\""},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char out[64];
		assert_ptr_equal(path_quote(rows[i].path, out, sizeof(out)), out);
		assert_string_equal(out, rows[i].word);
		// Byte for byte: what fits just so is whole, and what does not is no part of a path.
		size_t need = strlen(rows[i].word) + 1;
		for (size_t size = 8; size < sizeof(out); size++)
			assert_string_equal(path_quote(rows[i].path, out, size), size >= need ? rows[i].word : "PATH");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printable_text_is_injective),
		cmocka_unit_test(printable_text_keeps_the_limit),
		cmocka_unit_test(brief_text_is_cut_where_it_must_be),
		cmocka_unit_test(numbers_are_parsed_strictly),
		cmocka_unit_test(names_of_secrets),
		cmocka_unit_test(names_have_lengths),
		cmocka_unit_test(clock_formats),
		cmocka_unit_test(clock_parses_dates_and_spans),
		cmocka_unit_test(spans_are_parsed_and_told),
		cmocka_unit_test(clock_refuses_the_rest),
		cmocka_unit_test(clocks_run),
		cmocka_unit_test(paths_become_words_of_a_shell),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
