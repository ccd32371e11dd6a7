#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "redact/matcher_tables.h"

// One needle at every place, among every neighbour, very long ones, none; what is asked of the tables.

static struct err err;

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % limit);
}

static bool is_word(uint8_t byte)
{
	uint8_t letter = byte | 0x20;
	return byte == '_' || (byte >= '0' && byte <= '9') || (letter >= 'a' && letter <= 'z');
}

// A scan that sees nothing else: it must not pass over the one place.
static void assert_one_output(const struct matcher *m, struct span text, size_t end, bool skip_space)
{
	struct matcher_cursor at = {.state = MATCHER_START};
	uint32_t output = 0;
	assert_int_equal(matcher_scan(m, &at, text, skip_space, &output), end);
	assert_int_equal(output, 1);
	struct span rest = span_of(text.data + end, text.len - end);
	assert_int_equal(matcher_scan(m, &at, rest, skip_space, &output), rest.len);
	assert_int_equal(output, 0);
}

static size_t append_spaces(uint8_t *text, size_t len, uint32_t most)
{
	for (uint32_t count = random_below(most + 1); count > 0; count--)
		text[len++] = (uint8_t)"\t\n\v\f\r "[random_below(6)];
	return len;
}

#define ONE_RUN UINT32_MAX

// Other text, one needle, other text. White space stands behind one of `part` bytes, or once within the needle.
static void check_place(const struct matcher *m, const char *needle, size_t before, uint32_t part, uint32_t most)
{
	uint8_t text[8192];
	size_t len = 0;
	size_t end = 0;
	size_t needle_len = strlen(needle);
	size_t run = before + random_below((uint32_t)needle_len);
	for (size_t i = 0; i < before + needle_len + 150; i++) {
		bool is_needle = i >= before && i < before + needle_len;
		text[len++] = is_needle ? (uint8_t)needle[i - before] : (uint8_t)('0' + random_below(10));
		end = i + 1 == before + needle_len ? len : end;
		if (part == ONE_RUN ? i == run : part > 0 && random_below(part) == 0)
			len = append_spaces(text, len, most);
	}
	assert_one_output(m, span_of(text, len), end, true);
	if (part == 0)
		assert_one_output(m, span_of(text, len), end, false);
}

static void test_every_place(void **state)
{
	(void)state;
	static const char *const needles[] = {"abcdefgh", "abcdefghijkl", "abcdefghijklmnopqrst",
					      "abcdefghijklmnopqrstuvwxyzABCDEFG"};
	static const uint32_t runs[][2] = {{0, 0}, {1, 1}, {1, 3}, {1, 6}, {2, 12}, {4, 40}, {9, 140}, {ONE_RUN, 70}};
	random_state = 11;
	for (size_t i = 0; i < 2 * ARRAY_COUNT(needles); i++) {
		const char *text = needles[i / 2];
		struct needle needle = {.bytes = span_text(text)};
		_cleanup_matcher_ struct matcher *m = NULL;
		assert_int_equal(matcher_new(&needle, 1, MATCHER_FREE, &m, &err), 0);
		if (i % 2 == 1)
			gram_choose_portable(&m->grams);
		for (size_t k = 0; k < ARRAY_COUNT(runs); k++)
			for (size_t before = 0; before < (runs[k][0] == ONE_RUN ? 1000 : 150); before++)
				check_place(m, text, before % 150, runs[k][0], runs[k][1]);
	}
}

static void test_every_neighbour_of_a_word(void **state)
{
	(void)state;
	struct needle needle = {.bytes = SPAN_LITERAL("m{")};
	_cleanup_matcher_ struct matcher *m = NULL;
	assert_int_equal(matcher_new(&needle, 1, MATCHER_WORDS, &m, &err), 0);
	for (unsigned i = 0; i < 256 * 80; i++) {
		uint8_t text[80];
		memset(text, '.', sizeof(text));
		size_t place = i % 78;
		text[place + 1] = 'm';
		text[place + 2 < 80 ? place + 2 : 0] = '{';
		text[place] = (uint8_t)(i / 80);
		struct matcher_cursor at = {.state = MATCHER_START};
		uint32_t output = 0;
		size_t read = matcher_scan(m, &at, span_of(text, sizeof(text)), false, &output);
		assert_int_equal(output, !is_word(text[place]));
		assert_int_equal(read, output ? place + 3 : sizeof(text));
	}
}

// A shorter needle comes first, also where it is the longer one without the zero bytes at its end.
static void test_zeros_at_the_end(void **state)
{
	(void)state;
	static const uint8_t bytes[] = "a\0\0\0\0\0\0\0\0\0\0b";
	struct needle needles[8] = {0};
	for (uint32_t i = 0; i < 8; i++)
		needles[i] = (struct needle){.bytes = span_of(bytes, 12 - (i * 5) % 12), .value = i};
	_cleanup_matcher_ struct matcher *m = NULL;
	assert_int_equal(matcher_new(needles, 8, MATCHER_FREE, &m, &err), 0);
	struct matcher_cursor at = {.state = MATCHER_START};
	size_t count = 0;
	for (size_t from = 0; from < 12;) {
		uint32_t output;
		from += matcher_scan(m, &at, span_of(bytes + from, 12 - from), false, &output);
		assert_int_not_equal(output, 0);
		assert_int_equal(matcher_output_text(m, output).len, from);
		count++;
	}
	assert_int_equal(count, 8);
	assert_int_equal(matcher_output_count(m), 8);
}

static void test_no_needles(void **state)
{
	(void)state;
	_cleanup_matcher_ struct matcher *m = NULL;
	assert_int_equal(matcher_new(NULL, 0, MATCHER_WORDS, &m, &err), 0);
	assert_int_equal(matcher_output_count(m), 0);
	struct matcher_cursor at = {.state = MATCHER_START};
	uint32_t output = 7;
	assert_int_equal(matcher_scan(m, &at, SPAN_LITERAL("some text"), false, &output), 9);
	assert_int_equal(output, 0);
	assert_int_equal(at.state, MATCHER_START);
	assert_true(at.after_word);
	struct matcher_reach reach;
	assert_false(matcher_find_reach(m, at.state, &reach));
}

static void test_what_a_state_may_become(void **state)
{
	(void)state;
	static const char *const texts[] = {"abcdefghij", "abc", "abcdefgh", "abd", "xabcdef"};
	struct needle needles[ARRAY_COUNT(texts)] = {0};
	for (uint32_t i = 0; i < ARRAY_COUNT(texts); i++)
		needles[i] = (struct needle){.bytes = span_text(texts[i]), .value = 10 + i};
	_cleanup_matcher_ struct matcher *m = NULL;
	assert_int_equal(matcher_new(needles, ARRAY_COUNT(needles), MATCHER_FREE, &m, &err), 0);
	static const struct {
		const char *text;
		size_t held, shortest;
		uint32_t first;
	} cases[] = {{"-ab", 2, 3, 0}, {"-abc", 3, 8, 0}, {"-xabcd", 5, 7, 4}, {"abcdefgh", 8, 10, 0}};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct matcher_cursor at = {.state = MATCHER_START};
		uint32_t output;
		for (struct span rest = span_text(cases[i].text); rest.len > 0;) {
			size_t read = matcher_scan(m, &at, rest, false, &output);
			rest = span_of(rest.data + read, rest.len - read);
		}
		struct matcher_reach reach = {0};
		assert_int_equal(matcher_prefix(m, at.state).len, cases[i].held);
		assert_true(matcher_find_reach(m, at.state, &reach));
		assert_int_equal(reach.shortest, cases[i].shortest);
		assert_int_equal(matcher_find_needle(m, reach.first)->order, cases[i].first);
	}
}

// -------------------------------------------------------------------------------------------------------- long needles

#define LONG_BYTES 100000

static size_t count_outputs(const struct matcher *m, struct span bytes, size_t piece, bool skip_space, size_t *ret_last)
{
	struct matcher_cursor at = {.state = MATCHER_START};
	size_t count = 0;
	for (size_t from = 0; from < bytes.len; from += piece) {
		struct span rest = span_of(bytes.data + from, bytes.len - from < piece ? bytes.len - from : piece);
		while (rest.len > 0) {
			uint32_t output;
			size_t read = matcher_scan(m, &at, rest, skip_space, &output);
			rest = span_of(rest.data + read, rest.len - read);
			count += output != 0;
			*ret_last = output ? (size_t)(rest.data - bytes.data) : *ret_last;
		}
	}
	return count;
}

static void test_long_needles(void **state)
{
	(void)state;
	uint8_t *bytes = malloc(4 * LONG_BYTES);
	uint8_t *text = calloc(8, LONG_BYTES);
	assert_non_null(bytes);
	assert_non_null(text);
	random_state = 10;
	for (size_t i = 0; i < LONG_BYTES; i++) {
		bytes[i] = bytes[LONG_BYTES + i] = (uint8_t)('!' + random_below(90));
		bytes[2 * LONG_BYTES + i] = 'a';
		bytes[3 * LONG_BYTES + i] = (uint8_t)("ab"[i % 2]);
	}
	bytes[2 * LONG_BYTES - 1] ^= 1;
	struct needle needles[4] = {0};
	for (size_t i = 0; i < 4; i++)
		needles[i].bytes = span_of(bytes + i * LONG_BYTES, LONG_BYTES);
	_cleanup_matcher_ struct matcher *m = NULL;
	assert_int_equal(matcher_new(needles, 4, MATCHER_FREE, &m, &err), 0);
	memset(text, 'a', LONG_BYTES - 1);
	memcpy(text + LONG_BYTES, bytes + LONG_BYTES, LONG_BYTES);
	memcpy(text + 2 * LONG_BYTES, bytes, LONG_BYTES);
	memcpy(text + 3 * LONG_BYTES, bytes + 3 * LONG_BYTES, LONG_BYTES);
	memcpy(text + 4 * LONG_BYTES, bytes + 3 * LONG_BYTES, LONG_BYTES);
	memset(text + 5 * LONG_BYTES, 'a', LONG_BYTES + 9);
	static const size_t pieces[] = {8 * LONG_BYTES, 4096, 61};
	for (size_t i = 0; i < 2 * ARRAY_COUNT(pieces); i++) {
		size_t last = 0;
		size_t want = 2 + 1 + LONG_BYTES / 2 + 10;
		struct span all = span_of(text, 8 * LONG_BYTES);
		assert_int_equal(count_outputs(m, all, pieces[i / 2], i % 2 == 0, &last), want);
		assert_int_equal(last, 6 * LONG_BYTES + 9);
	}
	free(text);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_place),
		cmocka_unit_test(test_every_neighbour_of_a_word),
		cmocka_unit_test(test_zeros_at_the_end),
		cmocka_unit_test(test_no_needles),
		cmocka_unit_test(test_what_a_state_may_become),
		cmocka_unit_test(test_long_needles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
