#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "forms_list.h"

static struct err err;

struct expected {
	enum redact_form form;
	const char *text;
};

// The needles of the forms first..last, all of them.
static void assert_needles(struct span value, enum redact_form first, enum redact_form last,
			   const struct expected *expected, size_t count)
{
	struct forms_list *forms = forms_list_of(value);
	size_t at = 0;
	for (size_t i = 0; i < forms->count; i++) {
		const struct needle *got = &forms->list[i];
		if (got->form < first || got->form > last)
			continue;
		assert_true(at < count);
		assert_int_equal(got->form, expected[at].form);
		assert_int_equal(got->bytes.len, strlen(expected[at].text));
		assert_memory_equal(got->bytes.data, expected[at].text, got->bytes.len);
		at++;
	}
	assert_int_equal(at, count);
	forms_list_done(forms);
}

static void test_form_names(void **state)
{
	(void)state;
	static const char *const names[] = {"raw",  "line",  "base64",  "base64url", "base32",   "hex",   "HEX",     "percent",
					    "json", "c",     "shell",   "xml",       "utf16le",  "utf16be", "reversed", "octal",
					    "decimal", "words", "dump", "pem",       "leaf",     "url"};
	assert_int_equal(ARRAY_COUNT(names), REDACT_FORM_COUNT);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		assert_string_equal(redact_form_name((enum redact_form)i), names[i]);
}

static void test_bases(void **state)
{
	(void)state;
	static const struct expected all[] = {
		{REDACT_FORM_RAW, "correct horse>?"},
		{REDACT_FORM_RAW, "correcthorse>?"},
		{REDACT_FORM_BASE64, "Y29ycmVjdCBob3JzZT4/"},
		{REDACT_FORM_BASE64, "NvcnJlY3QgaG9yc2U+P"},
		{REDACT_FORM_BASE64, "jb3JyZWN0IGhvcnNlPj"},
		{REDACT_FORM_BASE64URL, "Y29ycmVjdCBob3JzZT4_"},
		{REDACT_FORM_BASE64URL, "NvcnJlY3QgaG9yc2U-P"},
		{REDACT_FORM_BASE32, "MNXXE4TFMN2CA2DPOJZWKPR7"},
		{REDACT_FORM_BASE32, "RW64TSMVRXIIDIN5ZHGZJ6H"},
		{REDACT_FORM_BASE32, "G33SOJSWG5BANBXXE43FHY7"},
		{REDACT_FORM_BASE32, "Y3POJZGKY3UEBUG64TTMU7D"},
		{REDACT_FORM_BASE32, "DN5ZHEZLDOQQGQ33SONST4P"},
		{REDACT_FORM_HEX, "636f727265637420686f7273653e3f"},
		{REDACT_FORM_HEX, "63:6f:72:72:65:63:74:20:68:6f:72:73:65:3e:3f"},
		{REDACT_FORM_HEX, "63-6f-72-72-65-63-74-20-68-6f-72-73-65-3e-3f"},
		{REDACT_FORM_HEX, "0x63,0x6f,0x72,0x72,0x65,0x63,0x74,0x20,0x68,0x6f,0x72,0x73,0x65,0x3e,0x3f"},
		{REDACT_FORM_HEX_UPPER, "636F727265637420686F7273653E3F"},
		{REDACT_FORM_HEX_UPPER, "63:6F:72:72:65:63:74:20:68:6F:72:73:65:3E:3F"},
		{REDACT_FORM_HEX_UPPER, "63-6F-72-72-65-63-74-20-68-6F-72-73-65-3E-3F"},
		{REDACT_FORM_HEX_UPPER, "0x63,0x6F,0x72,0x72,0x65,0x63,0x74,0x20,0x68,0x6F,0x72,0x73,0x65,0x3E,0x3F"},
	};
	assert_needles(SPAN_LITERAL("correct horse>?"), REDACT_FORM_RAW, REDACT_FORM_HEX_UPPER, all, ARRAY_COUNT(all));
}

static void test_forms_of_a_plain_token(void **state)
{
	(void)state;
	static const struct expected all[] = {
		{REDACT_FORM_PERCENT, "%54%6F%6B%65%6E%37%77%5A%39"},
		{REDACT_FORM_PERCENT, "%54%6f%6b%65%6e%37%77%5a%39"},
		{REDACT_FORM_C, "\\x54\\x6f\\x6b\\x65\\x6e\\x37\\x77\\x5a\\x39"},
		{REDACT_FORM_C, "\\x54\\x6F\\x6B\\x65\\x6E\\x37\\x77\\x5A\\x39"},
		{REDACT_FORM_C, "\\124\\157\\153\\145\\156\\067\\167\\132\\071"},
		{REDACT_FORM_SHELL, "\\T\\o\\k\\e\\n\\7\\w\\Z\\9"},
		{REDACT_FORM_XML, "&#84;&#111;&#107;&#101;&#110;&#55;&#119;&#90;&#57;"},
		{REDACT_FORM_XML, "&#x54;&#x6f;&#x6b;&#x65;&#x6e;&#x37;&#x77;&#x5a;&#x39;"},
		{REDACT_FORM_XML, "&#x54;&#x6F;&#x6B;&#x65;&#x6E;&#x37;&#x77;&#x5A;&#x39;"},
	};
	struct span token = SPAN_LITERAL("Token7wZ9");
	assert_needles(token, REDACT_FORM_PERCENT, REDACT_FORM_XML, all, ARRAY_COUNT(all));
	// The word that holds the last byte has another byte in it, which is not known.
	static const struct expected dumps[] = {
		{REDACT_FORM_REVERSED, "9Zw7nekoT"},
		{REDACT_FORM_OCTAL, "124157153145156067167132071"},
		{REDACT_FORM_OCTAL, "067524062553033556055167"},
		{REDACT_FORM_OCTAL, "065557067145073467034532"},
		{REDACT_FORM_DECIMAL, "84,111,107,101,110,55,119,90,57"},
		{REDACT_FORM_DECIMAL, "84 111 107 101 110 55 119 90 57"},
		{REDACT_FORM_DECIMAL, "84111107101110551199057"},
		{REDACT_FORM_WORDS, "6f54656b376e5a77"},
		{REDACT_FORM_WORDS, "6b6f6e657737395a"},
	};
	assert_needles(token, REDACT_FORM_REVERSED, REDACT_FORM_URL, dumps, ARRAY_COUNT(dumps));
}

static void test_white_space_at_the_ends(void **state)
{
	(void)state;
	static const struct {
		struct span value;
		const char *raw;
	} cases[] = {
		{SPAN_LITERAL("abc\n"), "abc"},     {SPAN_LITERAL("abc\r\n"), "abc"}, {SPAN_LITERAL("\t a b \v\f"), "a b"},
		{SPAN_LITERAL("a\n\n"), "a"},       {SPAN_LITERAL("\n"), "\n"},       {SPAN_LITERAL(" \t\n"), " \t\n"},
		{SPAN_LITERAL("\n12345678 "), "12345678"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct expected raw = {REDACT_FORM_RAW, cases[i].raw};
		assert_needles(cases[i].value, REDACT_FORM_RAW, REDACT_FORM_RAW, &raw, 1);
	}
	assert_needles(SPAN_LITERAL(""), REDACT_FORM_RAW, REDACT_FORM_URL, NULL, 0);
	// No needle of any form takes what stands around the value.
	struct forms_list *forms = forms_list_of(SPAN_LITERAL(" it's <quoted>\tand & \"more\"\n"));
	for (size_t i = 0; i < forms->count; i++) {
		struct span text = forms->list[i].bytes;
		assert_false(strchr(" \t\n", text.data[0]) && text.data[0]);
		assert_false(strchr(" \t\n", text.data[text.len - 1]) && text.data[text.len - 1]);
	}
	forms_list_done(forms);
}

// `printf %s "$VALUE" | base64` has no newline to encode.
static void test_trimmed_values_are_encoded_too(void **state)
{
	(void)state;
	struct forms_list *forms = forms_list_of(SPAN_LITERAL("correct horse\r\n"));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("636f727265637420686f727365")));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("636f727265637420686f7273650d0a")));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("correct horse\\r\\n")));
	assert_null(forms_list_find(forms, SPAN_LITERAL("correct horse..")));
	forms_list_done(forms);
}

// Eight bytes with the newline, seven without.
static void test_weakness_is_judged_without_white_space(void **state)
{
	(void)state;
	struct forms_list *forms = forms_list_of(SPAN_LITERAL("1234567\n"));
	assert_true(forms->list[0].weak);
	for (size_t i = 1; i < forms->count; i++)
		assert_false(forms->list[i].weak);
	forms_list_done(forms);
	assert_true(redact_value_is_weak(SPAN_LITERAL("1234567\n"), NULL));
}

static void test_minimum_of_each_form(void **state)
{
	(void)state;
	// The shortest values that have a needle in the form, and one byte less.
	static const struct {
		enum redact_form form;
		const char *value;
		size_t shortest;
	} cases[] = {
		{REDACT_FORM_RAW, "a7c", 1},          {REDACT_FORM_BASE64, "a7cDe+9z", 6},  {REDACT_FORM_BASE32, "a7cDe+9z", 5},
		{REDACT_FORM_HEX, "a7cDe+9z", 2},     {REDACT_FORM_PERCENT, "a7cDe+9z", 3}, {REDACT_FORM_C, "a7cDe+9z", 2},
		{REDACT_FORM_XML, "a7cDe+9z", 2},     {REDACT_FORM_UTF16LE, "a7cDe+9z", 4}, {REDACT_FORM_UTF16BE, "a7cDe+9z", 4},
		{REDACT_FORM_REVERSED, "a7cDe+9z", 8}, {REDACT_FORM_OCTAL, "a7cDe+9z", 3},  {REDACT_FORM_DECIMAL, "a7cDe+9z", 3},
		{REDACT_FORM_WORDS, "a7cDe+9z", 4},   {REDACT_FORM_DUMP, "a7\1De+9z", 8},   {REDACT_FORM_JSON, "\\7cDe9z", 5},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct span value = span_of(cases[i].value, cases[i].shortest);
		struct forms_list *forms = forms_list_of(value);
		if (forms_list_count(forms, cases[i].form) == 0)
			fail_msg("%s: nothing for %zu bytes", redact_form_name(cases[i].form), value.len);
		forms_list_done(forms);
		value.len--;
		forms = forms_list_of(value);
		if (forms_list_count(forms, cases[i].form) > 0)
			fail_msg("%s: a needle for %zu bytes", redact_form_name(cases[i].form), value.len);
		forms_list_done(forms);
	}
}

// A needle of few different bytes would match rulers and padding.
static void test_dull_values_have_dull_forms_left_out(void **state)
{
	(void)state;
	struct forms_list *forms = forms_list_of(SPAN_LITERAL("abababababab"));
	assert_true(forms->list[0].weak);
	assert_int_equal(forms_list_count(forms, REDACT_FORM_REVERSED), 0);
	assert_int_equal(forms_list_count(forms, REDACT_FORM_UTF16LE), 0);
	assert_null(forms_list_find(forms, SPAN_LITERAL("616261626162616261626162")));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("61:62:61:62:61:62:61:62:61:62:61:62")));
	forms_list_done(forms);
}

static void test_twins(void **state)
{
	(void)state;
	static const struct {
		struct span value;
		struct span twin; // of the raw needle; empty: none
	} cases[] = {
		{SPAN_LITERAL("one\r\ntwo three"), SPAN_LITERAL("onetwothree")},
		{SPAN_LITERAL("a b c d e f g h"), SPAN_LITERAL("abcdefgh")},
		{SPAN_LITERAL("a b c d e f g"), {0}},
		{SPAN_LITERAL("aa bb cc aa bb cc"), {0}},
		{SPAN_LITERAL("abc def"), {0}},
		{SPAN_LITERAL("nospacehere"), {0}},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct forms_list *forms = forms_list_of(cases[i].value);
		assert_int_equal(forms->list[0].has_twin, cases[i].twin.len > 0);
		assert_int_equal(forms_list_count(forms, REDACT_FORM_RAW), 1 + (cases[i].twin.len > 0));
		if (cases[i].twin.len > 0)
			assert_true(span_is_equal(forms->list[1].bytes, cases[i].twin));
		for (size_t n = 0; n < forms->count; n++)
			assert_true(!forms->list[n].has_twin || forms->list[n + 1].form == forms->list[n].form);
		forms_list_done(forms);
	}
}

// A terminal ends lines by CR LF. A value that has no twin would not be found there.
static void test_newlines_on_a_terminal(void **state)
{
	(void)state;
	static const struct {
		struct span value;
		struct span needle; // of the form raw, besides the value; empty: none
	} cases[] = {
		{SPAN_LITERAL("sa\nPass1"), SPAN_LITERAL("sa\r\nPass1")},
		{SPAN_LITERAL("1\n22\r\n333\n4444\n"), {0}},
		{SPAN_LITERAL("1\n22\r\n333\n"), SPAN_LITERAL("1\r\n22\r\n333")},
		{SPAN_LITERAL("abc\ndef"), SPAN_LITERAL("abc\r\ndef")},
		{SPAN_LITERAL("abab\nabab"), SPAN_LITERAL("abab\r\nabab")},
		{SPAN_LITERAL("ab cd ef"), {0}},
		{SPAN_LITERAL("ab\r\ncd\r\nef"), {0}},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct forms_list *forms = forms_list_of(cases[i].value);
		if (cases[i].needle.len > 0) {
			assert_int_equal(forms_list_count(forms, REDACT_FORM_RAW), 2);
			assert_true(span_is_equal(forms->list[1].bytes, cases[i].needle));
			assert_int_equal(forms->list[1].weak, forms->list[0].weak);
		} else {
			assert_int_equal(forms_list_count(forms, REDACT_FORM_RAW), 1 + forms->list[0].has_twin);
		}
		forms_list_done(forms);
	}
}

// The zero beside a space stays.
static void test_utf16(void **state)
{
	(void)state;
	struct forms_list *forms = forms_list_of(SPAN_LITERAL("two wörd"));
	const struct needle *needle = forms_list_find(forms, SPAN_LITERAL("t\0w\0o\0 \0w\0\xf6\0r\0d\0"));
	assert_non_null(needle);
	assert_true(needle->has_twin);
	assert_true(span_is_equal(needle[1].bytes, SPAN_LITERAL("t\0w\0o\0\0w\0\xf6\0r\0d\0")));
	forms_list_done(forms);
	// What is no UTF-8 is taken for Latin-1.
	forms = forms_list_of(SPAN_LITERAL("\xff\xe9\xc3(ab"));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("\0\xff\0\xe9\0\xc3\0(\0a\0b")));
	forms_list_done(forms);
	forms = forms_list_of(SPAN_LITERAL("\xf0\x9f\x94\x91 key"));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("\xd8\x3d\xdd\x11\0 \0k\0e\0y")));
	forms_list_done(forms);
}

static void test_large_values(void **state)
{
	(void)state;
	static const enum redact_form small_only[] = {
		REDACT_FORM_BASE32, REDACT_FORM_PERCENT, REDACT_FORM_JSON,  REDACT_FORM_C,    REDACT_FORM_XML,
		REDACT_FORM_OCTAL,  REDACT_FORM_WORDS,   REDACT_FORM_SHELL, REDACT_FORM_DUMP, REDACT_FORM_REVERSED};
	static uint8_t bytes[REDACT_ALL_FORMS_BYTES_MAX + 1];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 24);
	for (size_t more = 0; more < 2; more++) {
		struct forms_list *forms = forms_list_of(span_of(bytes, REDACT_ALL_FORMS_BYTES_MAX + more));
		for (size_t i = 0; i < ARRAY_COUNT(small_only); i++)
			assert_int_equal(forms_list_count(forms, small_only[i]) == 0, more);
		assert_true(forms_list_count(forms, REDACT_FORM_HEX) > 0);
		assert_int_equal(forms_list_count(forms, REDACT_FORM_BASE64), 3);
		forms_list_done(forms);
	}
}

// Every escape at its longest: all that is written fits the room, which a sanitizer or a guard page would tell.
static void test_longest_escapes(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		uint8_t value[40];
		memset(value, (int)byte, sizeof(value));
		memcpy(value, "abcd", 4);
		for (size_t len = 1; len <= sizeof(value); len += 13) {
			struct forms_list *forms = forms_list_of(span_of(value, len));
			if (len > 20)
				assert_true(forms_list_count(forms, REDACT_FORM_XML) >= 2);
			forms_list_done(forms);
		}
	}
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
	assert_true(redact_value_is_weak(SPAN_LITERAL("  abcdefg  "), NULL));
	assert_false(redact_value_is_weak(SPAN_LITERAL(" \t\r\n \t\r\n"), NULL));
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
static void brute_check(const struct brute *b, const struct forms_list *forms)
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
	bool found = forms_list_find(forms, span_of(b->text + first, stop - first)) != NULL;
	assert_int_equal(found, stop - first >= REDACT_ENCODED_BYTES_MIN);
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
		struct forms_list *forms = forms_list_of(span_of(value, len));
		for (size_t i = 0; i < 6; i++) {
			struct brute b = {.before = i % 3, .len = len, .last_two = last_two[i / 3]};
			memcpy(b.bytes + b.before, value, len);
			brute_run(&b);
			brute_check(&b, forms);
		}
		forms_list_done(forms);
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

static void test_byte_is_word(void **state)
{
	(void)state;
	size_t words = 0;
	for (unsigned byte = 0; byte < 256; byte++)
		words += byte_is_word((uint8_t)byte);
	assert_int_equal(words, 26 + 26 + 10 + 1);
	for (const char *c = "azAZ09_"; *c; c++)
		assert_true(byte_is_word((uint8_t)*c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form_names),
		cmocka_unit_test(test_bases),
		cmocka_unit_test(test_forms_of_a_plain_token),
		cmocka_unit_test(test_white_space_at_the_ends),
		cmocka_unit_test(test_trimmed_values_are_encoded_too),
		cmocka_unit_test(test_weakness_is_judged_without_white_space),
		cmocka_unit_test(test_minimum_of_each_form),
		cmocka_unit_test(test_dull_values_have_dull_forms_left_out),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_newlines_on_a_terminal),
		cmocka_unit_test(test_utf16),
		cmocka_unit_test(test_large_values),
		cmocka_unit_test(test_longest_escapes),
		cmocka_unit_test(test_value_is_weak),
		cmocka_unit_test(test_base64_core_is_what_no_neighbour_changes),
		cmocka_unit_test(test_each_needle_stops),
		cmocka_unit_test(test_byte_is_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
