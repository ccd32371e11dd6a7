#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "redact/matcher_tables.h"

// The matcher against a search by the plainest means: which needles end where, and what the state stands for.

#define NEEDLES_MAX 24
#define TEXT_MAX 1024

static struct err err;

// ---------------------------------------------------------------------------------------------------- a random scene

struct scene {
	struct needle needles[NEEDLES_MAX];
	uint8_t bytes[NEEDLES_MAX][TEXT_MAX];
	size_t count;
	uint8_t text[TEXT_MAX];
	size_t len;
	struct span alphabet;
	enum matcher_kind kind;
	bool skip_space;
};

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % limit);
}

static uint8_t scene_byte(const struct scene *scene)
{
	return scene->alphabet.data[random_below((uint32_t)scene->alphabet.len)];
}

static void scene_add(struct scene *scene, size_t len)
{
	struct needle *needle = &scene->needles[scene->count];
	needle->bytes = span_of(scene->bytes[scene->count], len);
	needle->value = (uint32_t)scene->count++;
}

static bool is_space(uint8_t byte)
{
	return byte == ' ' || (byte >= 9 && byte <= 13);
}

// Of random bytes, periodic, or one that goes on where another one ends.
static void scene_add_random(struct scene *scene, uint32_t min, uint32_t max)
{
	uint8_t *bytes = scene->bytes[scene->count];
	size_t len = min + random_below(max - min + 1);
	uint32_t kind = random_below(4);
	size_t period = kind == 0 ? 1 + random_below(3) : len;
	size_t common = 0;
	if (kind == 1 && scene->count > 0) {
		struct span other = scene->needles[random_below((uint32_t)scene->count)].bytes;
		common = 1 + random_below((uint32_t)(other.len < len ? other.len : len));
		memcpy(bytes, other.data, common);
	}
	for (size_t i = common; i < len; i++)
		bytes[i] = i >= period ? bytes[i - period] : scene_byte(scene);
	scene_add(scene, len);
}

static void scene_append(struct scene *scene, const uint8_t *bytes, size_t len, uint32_t space_part)
{
	for (size_t i = 0; i < len && scene->len < TEXT_MAX; i++) {
		while (space_part && random_below(space_part) == 0 && scene->len < TEXT_MAX)
			scene->text[scene->len++] = (uint8_t) " \n\t\r"[random_below(4)];
		if (scene->len < TEXT_MAX)
			scene->text[scene->len++] = bytes[i];
	}
}

// Pieces of needles, whole ones, other bytes, runs of white space.
static void scene_fill(struct scene *scene, size_t len)
{
	static const uint32_t space_parts[] = {0, 2, 8, 40};
	while (scene->len < len) {
		struct span needle = scene->needles[random_below((uint32_t)scene->count)].bytes;
		uint32_t space_part = space_parts[random_below(4)];
		uint32_t kind = random_below(8);
		uint32_t from = kind == 1 ? random_below((uint32_t)needle.len) : 0;
		uint32_t take = kind == 2 ? random_below((uint32_t)needle.len) : (uint32_t)needle.len - from;
		uint8_t other = scene_byte(scene);
		if (kind <= 4)
			scene_append(scene, needle.data + from, take, space_part);
		for (uint32_t i = kind <= 4 ? 0 : random_below(40); i > 0; i--, other = scene_byte(scene))
			scene_append(scene, &other, 1, space_part);
		for (uint32_t i = kind == 7 ? random_below(150) : 0; i > 0; i--)
			scene_append(scene, (const uint8_t *)" ", 1, 0);
	}
	scene->len = len;
}

// ------------------------------------------------------------------------------------------------- the plainest means

// What is read of the text: all of it, or all but white space.
struct lane {
	uint8_t bytes[TEXT_MAX];
	size_t len;
};

static void lane_take(struct lane *lane, const struct scene *scene, uint8_t byte)
{
	if (!scene->skip_space || !is_space(byte))
		lane->bytes[lane->len++] = byte;
}

static bool is_word(uint8_t byte)
{
	uint8_t letter = byte | 0x20;
	return byte == '_' || (byte >= '0' && byte <= '9') || (letter >= 'a' && letter <= 'z');
}

static bool lane_ends_with(const struct lane *lane, struct span bytes)
{
	return bytes.len <= lane->len && memcmp(lane->bytes + lane->len - bytes.len, bytes.data, bytes.len) == 0;
}

static bool lane_fits(const struct lane *lane, const struct scene *scene, size_t suffix)
{
	return scene->kind == MATCHER_FREE || suffix == lane->len || !is_word(lane->bytes[lane->len - suffix - 1]);
}

static bool lane_is_prefix(const struct lane *lane, const struct scene *scene, size_t suffix)
{
	for (size_t i = 0; i < scene->count; i++)
		if (suffix < scene->needles[i].bytes.len &&
		    lane_ends_with(lane, span_of(scene->needles[i].bytes.data, suffix)))
			return true;
	return false;
}

// The longest suffix that is a proper prefix of a needle (and fits).
static size_t lane_suffix(const struct lane *lane, const struct scene *scene)
{
	size_t suffix = lane->len < TEXT_MAX ? lane->len : TEXT_MAX;
	while (suffix > 0 && !(lane_is_prefix(lane, scene, suffix) && lane_fits(lane, scene, suffix)))
		suffix--;
	return suffix;
}

// --------------------------------------------------------------------------------------------------------- comparison

static void assert_state(const struct matcher *m, const struct scene *scene, const struct lane *lane, uint32_t state)
{
	size_t want = lane_suffix(lane, scene);
	struct span got = matcher_prefix(m, state);
	assert_true(lane_ends_with(lane, got));
	if (scene->kind == MATCHER_FREE)
		assert_int_equal(got.len, want);
	while (state != MATCHER_START && matcher_prefix(m, state).len > want) {
		assert_true(lane_is_prefix(lane, scene, matcher_prefix(m, state).len));
		state = matcher_fall(m, state);
	}
	assert_int_equal(matcher_prefix(m, state).len, want);
}

// Every needle that ends here is named once, longest first, and no other one (but of words, one that does not fit).
static void assert_output(const struct matcher *m, const struct scene *scene, const struct lane *lane, uint32_t output)
{
	size_t named = 0;
	size_t longer = SIZE_MAX;
	for (; output; output = matcher_find_output(m, output)->link) {
		const struct matcher_output *o = matcher_find_output(m, output);
		struct span text = matcher_output_text(m, output);
		assert_true(text.len < longer);
		assert_true(lane_ends_with(lane, text));
		longer = text.len;
		for (uint32_t i = 0; i < o->count; i++) {
			const struct matcher_needle *needle = matcher_find_needle(m, o->first + i);
			struct span given = scene->needles[needle->order].bytes;
			assert_int_equal(needle->len, given.len);
			assert_memory_equal(text.data, given.data, given.len);
			assert_int_equal(needle->value, scene->needles[needle->order].value);
			named += lane_fits(lane, scene, text.len);
		}
	}
	size_t want = 0;
	for (size_t i = 0; i < scene->count; i++) {
		struct span needle = scene->needles[i].bytes;
		want += lane_ends_with(lane, needle) && lane_fits(lane, scene, needle.len);
	}
	assert_int_equal(named, want);
}

// Reads one span to its end. States are compared after each call.
static void scan_span(const struct matcher *m, const struct scene *scene, struct lane *lane, struct matcher_cursor *at,
		      struct span bytes)
{
	while (bytes.len > 0) {
		uint32_t output = UINT32_MAX;
		size_t read = matcher_scan(m, at, bytes, scene->skip_space, &output);
		assert_in_range(read, 1, bytes.len);
		for (size_t i = 0; i < read; i++) {
			lane_take(lane, scene, bytes.data[i]);
			if (i + 1 < read && (!scene->skip_space || !is_space(bytes.data[i])))
				assert_output(m, scene, lane, 0);
		}
		if (read == bytes.len && output == 0 && !(scene->skip_space && is_space(bytes.data[read - 1])))
			assert_output(m, scene, lane, 0);
		if (output)
			assert_output(m, scene, lane, output);
		else
			assert_int_equal(read, bytes.len);
		assert_state(m, scene, lane, at->state);
		if (scene->kind == MATCHER_WORDS)
			assert_int_equal(at->after_word, is_word(bytes.data[read - 1]));
		bytes = span_of(bytes.data + read, bytes.len - read);
	}
}

// The text is copied, so that a read outside of a span is one outside of a block of memory.
static void scan_split(const struct matcher *m, const struct scene *scene, size_t split)
{
	struct lane lane = {.len = 0};
	struct matcher_cursor at = {.state = MATCHER_START};
	size_t bounds[] = {0, split, scene->len};
	for (size_t i = 0; i < 2; i++) {
		size_t len = bounds[i + 1] - bounds[i];
		uint8_t *copy = malloc(len + 1);
		assert_non_null(copy);
		memcpy(copy + 1, scene->text + bounds[i], len);
		scan_span(m, scene, &lane, &at, span_of(copy + 1, len));
		free(copy);
	}
}

// With the fastest ways of this machine, and with those that every machine has.
static void scene_check(struct scene *scene, size_t split_step)
{
	_cleanup_matcher_ struct matcher *m = NULL;
	assert_int_equal(matcher_new(scene->needles, scene->count, scene->kind, &m, &err), 0);
	if (random_below(3) == 0) {
		gram_choose_portable(&m->grams);
		m->words.seek = words_seek_portable;
	}
	for (size_t split = random_below((uint32_t)split_step); split <= scene->len; split += split_step)
		scan_split(m, scene, split);
	if (scene->kind == MATCHER_WORDS)
		return;
	scene->skip_space = true;
	for (size_t split = random_below((uint32_t)split_step); split <= scene->len; split += split_step)
		scan_split(m, scene, split);
	scene->skip_space = false;
}

// --------------------------------------------------------------------------------------------------------------- cases

static void check_lengths(enum matcher_kind kind, uint32_t min, uint32_t max, uint64_t seed)
{
	uint8_t all[256];
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	const struct span alphabets[] = {
		SPAN_LITERAL("a"),      SPAN_LITERAL("ab"),    SPAN_LITERAL("abc"),
		SPAN_LITERAL("ab_-"),   SPAN_LITERAL("a-"),    SPAN_LITERAL("0123456789abcdef"),
		SPAN_LITERAL("ab \n"), SPAN_LITERAL("\0a "), span_of(all, sizeof(all)),
	};
	static const size_t lengths[] = {30, 87, 130, 300, 700};
	for (uint64_t round = 0; round < 200; round++) {
		random_state = seed * 1000 + round;
		struct scene *scene = calloc(1, sizeof(*scene));
		assert_non_null(scene);
		scene->alphabet = alphabets[random_below(ARRAY_COUNT(alphabets))];
		scene->kind = kind;
		for (uint32_t count = 1 + random_below(6); count > 0; count--)
			scene_add_random(scene, min, max);
		size_t len = lengths[random_below(ARRAY_COUNT(lengths))];
		scene_fill(scene, len);
		scene_check(scene, len < 100 ? 1 : len / 8);
		free(scene);
	}
}

static void test_needles_of_any_length(void **state)
{
	(void)state;
	check_lengths(MATCHER_FREE, 1, 40, 1);
	check_lengths(MATCHER_FREE, 1, 3, 2);
}

static void test_each_stride(void **state)
{
	(void)state;
	check_lengths(MATCHER_FREE, 8, 11, 3);
	check_lengths(MATCHER_FREE, 12, 19, 4);
	check_lengths(MATCHER_FREE, 20, 60, 5);
}

static void test_strides_together(void **state)
{
	(void)state;
	check_lengths(MATCHER_FREE, 8, 40, 6);
	check_lengths(MATCHER_FREE, 12, 90, 7);
}

static void test_words(void **state)
{
	(void)state;
	check_lengths(MATCHER_WORDS, 1, 7, 8);
	check_lengths(MATCHER_WORDS, 1, 40, 9);
}

static void test_prefixes_of_each_other(void **state)
{
	(void)state;
	for (uint32_t shortest = 1; shortest <= 21; shortest += 4) {
		struct scene *scene = calloc(1, sizeof(*scene));
		assert_non_null(scene);
		scene->alphabet = SPAN_LITERAL("ab");
		random_state = shortest;
		scene_add_random(scene, shortest + 60, shortest + 60);
		for (uint32_t i = 1; i < 12; i++) {
			memcpy(scene->bytes[i], scene->bytes[0], shortest + 5 * i);
			scene_add(scene, shortest + 5 * (i - 1));
		}
		scene_fill(scene, 400);
		scene_check(scene, 50);
		free(scene);
	}
}

// The length of the longest proper suffix of `text` that is a proper prefix of a needle.
static size_t longest_suffix(const struct scene *scene, struct span text)
{
	for (size_t len = text.len - 1; len > 0; len--)
		for (size_t i = 0; i < scene->count; i++) {
			struct span bytes = scene->needles[i].bytes;
			if (bytes.len > len && memcmp(bytes.data, text.data + text.len - len, len) == 0)
				return len;
		}
	return 0;
}

// Chains that need each other's falls, far ahead and far back.
static void test_falls_are_longest_suffixes(void **state)
{
	(void)state;
	random_state = 7;
	for (size_t round = 0; round < 60; round++) {
		struct scene *scene = calloc(1, sizeof(*scene));
		assert_non_null(scene);
		scene->alphabet = span_of("abcd", 1 + round % 4);
		while (scene->count < NEEDLES_MAX)
			scene_add_random(scene, 1, round % 3 == 0 ? 150 : 30);
		_cleanup_matcher_ struct matcher *m = NULL;
		assert_int_equal(matcher_new(scene->needles, scene->count, MATCHER_FREE, &m, &err), 0);
		for (uint32_t at = 1; at < m->label_count; at++) {
			const struct matcher_chain *chain = &m->chains[matcher_state_chain(m, at)];
			if (at - chain->base < chain->first)
				continue;
			struct span text = matcher_prefix(m, at);
			assert_int_equal(matcher_prefix(m, matcher_fall(m, at)).len, longest_suffix(scene, text));
		}
		free(scene);
	}
}

// A needle is whole within the beginning of another one, of which the next bytes are not the right ones.
static void test_beginning_around_a_needle(void **state)
{
	(void)state;
	static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct scene *scene = calloc(1, sizeof(*scene));
	assert_non_null(scene);
	scene->alphabet = SPAN_LITERAL("-");
	memcpy(scene->bytes[0], text, 60);
	scene_add(scene, 60);
	memcpy(scene->bytes[1], text + 3, 21);
	scene_add(scene, 21);
	for (size_t cut = 24; cut <= 60; cut++) {
		scene->len = 0;
		scene_append(scene, (const uint8_t *)"-----", 5, 0);
		scene_append(scene, (const uint8_t *)text, cut, 0);
		scene_fill(scene, 300);
		scene_check(scene, 50);
	}
	free(scene);
}

static void test_same_needle_of_two_values(void **state)
{
	(void)state;
	struct scene *scene = calloc(1, sizeof(*scene));
	assert_non_null(scene);
	scene->alphabet = SPAN_LITERAL("abcd");
	for (size_t i = 0; i < 3; i++) {
		memcpy(scene->bytes[i], "correct-horse-battery-staple", 28);
		scene_add(scene, 28);
	}
	scene_fill(scene, 300);
	scene_check(scene, 10);
	free(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needles_of_any_length),
		cmocka_unit_test(test_each_stride),
		cmocka_unit_test(test_strides_together),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_prefixes_of_each_other),
		cmocka_unit_test(test_falls_are_longest_suffixes),
		cmocka_unit_test(test_beginning_around_a_needle),
		cmocka_unit_test(test_same_needle_of_two_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
