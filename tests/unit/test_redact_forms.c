#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "property/redact_oracle.h"
#include "redact/forms.h"

static struct err err;

static struct oracle_needles needles_of(struct span value)
{
	struct oracle_needles needles = {0};
	oracle_needles_add_value(&needles, value, 7);
	for (size_t i = 0; i < needles.count; i++)
		assert_int_equal(needles.list[i].value, 7);
	return needles;
}

struct expected {
	enum redact_form form;
	const char *text;
};

static void assert_needles(struct span value, bool weak, const struct expected *expected, size_t count)
{
	struct oracle_needles needles = needles_of(value);
	assert_int_equal(needles.count, count);
	for (size_t i = 0; i < count; i++) {
		struct span got = needles.list[i].bytes;
		assert_int_equal(needles.list[i].form, expected[i].form);
		assert_int_equal(needles.list[i].weak, weak);
		assert_int_equal(got.len, strlen(expected[i].text));
		assert_memory_equal(got.data, expected[i].text, got.len);
	}
	oracle_needles_done(&needles);
}

static void test_form_names(void **state)
{
	(void)state;
	static const char *const names[] = {"raw", "base64", "base64url", "hex", "HEX"};
	assert_int_equal(ARRAY_COUNT(names), REDACT_FORM_COUNT);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		assert_string_equal(redact_form_name((enum redact_form)i), names[i]);
}

static void test_every_form_of_a_value(void **state)
{
	(void)state;
	static const struct expected all[] = {
		{REDACT_FORM_RAW, "correct horse>?"},
		{REDACT_FORM_BASE64, "Y29ycmVjdCBob3JzZT4/"},
		{REDACT_FORM_BASE64, "NvcnJlY3QgaG9yc2U+P"},
		{REDACT_FORM_BASE64, "jb3JyZWN0IGhvcnNlPj"},
		{REDACT_FORM_BASE64URL, "Y29ycmVjdCBob3JzZT4_"},
		{REDACT_FORM_BASE64URL, "NvcnJlY3QgaG9yc2U-P"},
		{REDACT_FORM_HEX, "636f727265637420686f7273653e3f"},
		{REDACT_FORM_HEX_UPPER, "636F727265637420686F7273653E3F"},
	};
	assert_needles(SPAN_LITERAL("correct horse>?"), false, all, ARRAY_COUNT(all));
}

static void test_hex_without_letters_is_one_form(void **state)
{
	(void)state;
	static const struct expected all[] = {
		{REDACT_FORM_RAW, "12345678"},        {REDACT_FORM_BASE64, "MTIzNDU2Nz"},
		{REDACT_FORM_BASE64, "EyMzQ1Njc4"},   {REDACT_FORM_BASE64, "xMjM0NTY3O"},
		{REDACT_FORM_HEX, "3132333435363738"},
	};
	assert_needles(SPAN_LITERAL("12345678"), false, all, ARRAY_COUNT(all));
}

static void test_weak_values_are_watched_raw(void **state)
{
	(void)state;
	static const struct expected pin[] = {{REDACT_FORM_RAW, "1234567"}};
	static const struct expected dull[] = {{REDACT_FORM_RAW, "abcabcabcabc"}};
	assert_needles(SPAN_LITERAL("1234567"), true, pin, 1);
	assert_needles(SPAN_LITERAL("abcabcabcabc"), true, dull, 1);
}

static void test_trailing_newline(void **state)
{
	(void)state;
	static const struct expected unix_line[] = {{REDACT_FORM_RAW, "abc\n"}, {REDACT_FORM_RAW, "abc"}};
	static const struct expected dos_line[] = {{REDACT_FORM_RAW, "abc\r\n"}, {REDACT_FORM_RAW, "abc"}};
	static const struct expected newline[] = {{REDACT_FORM_RAW, "\n"}};
	static const struct expected two[] = {{REDACT_FORM_RAW, "a\n\n"}, {REDACT_FORM_RAW, "a\n"}};
	assert_needles(SPAN_LITERAL("abc\n"), true, unix_line, 2);
	assert_needles(SPAN_LITERAL("abc\r\n"), true, dos_line, 2);
	assert_needles(SPAN_LITERAL("\n"), true, newline, 1);
	assert_needles(SPAN_LITERAL("a\n\n"), true, two, 2);
	assert_needles(SPAN_LITERAL(""), true, NULL, 0);
}

// `printf %s "$VALUE" | base64` has no newline to encode.
static void test_trimmed_values_are_encoded_too(void **state)
{
	(void)state;
	struct oracle_needles needles = needles_of(SPAN_LITERAL("correct horse\n"));
	bool found[2] = {false, false};
	for (size_t i = 0; i < needles.count; i++) {
		found[0] |= span_is_equal(needles.list[i].bytes, SPAN_LITERAL("636f727265637420686f727365"));
		found[1] |= span_is_equal(needles.list[i].bytes, SPAN_LITERAL("636f727265637420686f7273650a"));
	}
	oracle_needles_done(&needles);
	assert_true(found[0] && found[1]);
}

// Eight bytes with the newline, seven without: only the trimmed text is weak.
static void test_weakness_is_judged_for_each_text(void **state)
{
	(void)state;
	struct oracle_needles needles = needles_of(SPAN_LITERAL("1234567\n"));
	size_t weak = 0;
	for (size_t i = 0; i < needles.count; i++) {
		bool trimmed = span_is_equal(needles.list[i].bytes, SPAN_LITERAL("1234567"));
		assert_int_equal(needles.list[i].weak, trimmed);
		weak += needles.list[i].weak;
	}
	assert_int_equal(weak, 1);
	assert_true(needles.count > 5);
	oracle_needles_done(&needles);
}

static void test_value_is_weak(void **state)
{
	(void)state;
	const char *reason = "unchanged";
	assert_false(redact_value_is_weak(SPAN_LITERAL("abcdabcd"), &reason));
	assert_string_equal(reason, "unchanged");
	assert_true(redact_value_is_weak(SPAN_LITERAL("abcdefg"), &reason));
	assert_string_equal(reason, "it is shorter than 8 bytes");
	assert_true(redact_value_is_weak(SPAN_LITERAL("abcabcabc"), &reason));
	assert_string_equal(reason, "it has fewer than 4 different bytes");
	assert_true(redact_value_is_weak(SPAN_LITERAL(""), NULL));
	assert_false(redact_value_is_weak(SPAN_LITERAL("\0\1\2\3\0\1\2\3"), NULL));
}

// RFC 4648 section 4, a character at a time from its six bits; `out` needs no room for padding, which is never
// compared.
static size_t plain_base64(const uint8_t *bytes, size_t len, const char *last_two, char *out)
{
	char letters[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	memcpy(letters + 62, last_two, 2);
	size_t chars = (8 * len + 5) / 6;
	for (size_t c = 0; c < chars; c++) {
		unsigned six = 0;
		for (size_t bit = 6 * c; bit < 6 * c + 6; bit++) {
			unsigned value = bit / 8 < len ? (unsigned)(bytes[bit / 8] >> (7 - bit % 8)) & 1u : 0;
			six = six << 1 | value;
		}
		out[c] = letters[six];
	}
	return chars;
}

#define BRUTE_BYTES_MAX 39

struct brute {
	uint8_t bytes[BRUTE_BYTES_MAX + 4]; // neighbours and value
	size_t before;
	size_t len;
	const char *last_two;
	char text[80]; // with the first neighbours tried
	size_t chars;
	bool varies[80]; // the character at this place depends on more than the value
};

static void brute_try(struct brute *b, size_t bytes)
{
	char text[80];
	size_t chars = plain_base64(b->bytes, bytes, b->last_two, text);
	for (size_t i = 0; i < b->chars; i++)
		b->varies[i] |= i >= chars || text[i] != b->text[i];
}

// Every value of each neighbour that shares a character with the value, and none at all behind it.
static void brute_run(struct brute *b)
{
	size_t end = b->before + b->len;
	b->chars = plain_base64(b->bytes, end + 2, b->last_two, b->text);
	brute_try(b, end);
	for (unsigned byte = 0; byte < 256; byte++) {
		for (size_t i = 0; i < b->before; i++)
			b->bytes[i] = (uint8_t)byte;
		brute_try(b, end + 2);
	}
	for (unsigned byte = 0; byte < 256; byte++) {
		b->bytes[end] = b->bytes[end + 1] = (uint8_t)byte;
		brute_try(b, end + 1);
		brute_try(b, end + 2);
	}
}

// What does not vary is one run of characters, and that run is a needle.
static void brute_check(const struct brute *b, const struct oracle_needles *needles)
{
	size_t first = 0;
	while (b->varies[first])
		first++;
	size_t stop = first;
	while (stop < b->chars && !b->varies[stop])
		stop++;
	for (size_t i = stop; i < b->chars; i++)
		assert_true(b->varies[i]);
	// ceil(8o/6) and floor(8(o+n)/6) - 1
	assert_int_equal(first, (8 * b->before + 5) / 6);
	assert_int_equal(stop, 8 * (b->before + b->len) / 6);
	bool found = false;
	for (size_t i = 0; i < needles->count; i++)
		found |= span_is_equal(needles->list[i].bytes, span_of(b->text + first, stop - first));
	assert_int_equal(found, b->len >= REDACT_VALUE_BYTES_MIN);
}

static void test_base64_core_is_what_no_neighbour_changes(void **state)
{
	(void)state;
	static const char *const last_two[] = {"+/", "-_"};
	for (size_t len = 3; len <= BRUTE_BYTES_MAX; len++) {
		uint8_t value[BRUTE_BYTES_MAX];
		for (size_t i = 0; i < len; i++)
			value[i] = (uint8_t)(251 * (i + 1) * (len + 3) + 7 * i * i);
		value[1] = 0xfb;
		struct oracle_needles needles = needles_of(span_of(value, len));
		for (size_t i = 0; i < 6; i++) {
			struct brute b = {.before = i % 3, .len = len, .last_two = last_two[i / 3]};
			memcpy(b.bytes + b.before, value, len);
			brute_run(&b);
			brute_check(&b, &needles);
		}
		oracle_needles_done(&needles);
	}
}

static int take_none(void *context, const struct needle *needle, struct err *e)
{
	size_t *calls = context;
	(void)needle;
	++*calls;
	return err_set(e, ERR_LIMIT, "enough");
}

static void test_each_needle_stops(void **state)
{
	(void)state;
	size_t calls = 0;
	struct secret *room;
	struct span value = SPAN_LITERAL("correct horse");
	assert_int_equal(secret_new(form_room_bytes(value.len), SECRET_LOCK_PREFERRED, &room, &err), 0);
	assert_int_equal(form_each_needle(value, 0, room, take_none, &calls, &err), ERR_LIMIT);
	assert_int_equal(calls, 1);
	secret_free(room);
}

static void test_needle_is_word(void **state)
{
	(void)state;
	size_t words = 0;
	for (unsigned byte = 0; byte < 256; byte++)
		words += needle_is_word((uint8_t)byte);
	assert_int_equal(words, 26 + 26 + 10 + 1);
	for (const char *c = "azAZ09_"; *c; c++)
		assert_true(needle_is_word((uint8_t)*c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form_names),
		cmocka_unit_test(test_every_form_of_a_value),
		cmocka_unit_test(test_hex_without_letters_is_one_form),
		cmocka_unit_test(test_weak_values_are_watched_raw),
		cmocka_unit_test(test_trailing_newline),
		cmocka_unit_test(test_trimmed_values_are_encoded_too),
		cmocka_unit_test(test_weakness_is_judged_for_each_text),
		cmocka_unit_test(test_value_is_weak),
		cmocka_unit_test(test_base64_core_is_what_no_neighbour_changes),
		cmocka_unit_test(test_each_needle_stops),
		cmocka_unit_test(test_needle_is_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
