#include "manifest/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void parse(const char *text, struct manifest *out)
{
	struct err err = {0};
	if (manifest_parse(span_text(text), "test", out, &err) < 0)
		fail_msg("%s", err.text);
}

#define TEXT(name, value)                                                                                              \
	{                                                                                                              \
		.variable = (name), .text = {(const uint8_t *)(value), sizeof(value) - 1 }                             \
	}
#define SECRET(name, value)                                                                                            \
	{                                                                                                              \
		.variable = (name), .secret = (value)                                                                  \
	}

static void assert_merged(const char *existing, const struct manifest_addition *additions, size_t count,
			  const char *expected)
{
	_cleanup_buf_ struct buf out = BUF_INIT(MANIFEST_BYTES_MAX);
	struct err err = {0};
	if (manifest_merge(span_text(existing), "test", additions, count, &out, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_text(&out), expected);
}

static void test_merge_places(void **state)
{
	(void)state;
	static const struct manifest_addition one[] = {SECRET("N", "new")};
	static const struct {
		const char *existing;
		const char *expected;
	} cases[] = {
	    {"", "N=new\n"},
	    {"\xef\xbb\xbf", "\xef\xbb\xbfN=new\n"},
	    {"A=a\n", "A=a\nN=new\n"},
	    {"A=a", "A=a\nN=new\n"},
	    {"A=a\r\n", "A=a\r\nN=new\r\n"},
	    {"A=a\r\nB=b", "A=a\r\nB=b\r\nN=new\r\n"},
	    {"# c\n\n", "# c\n\nN=new\n"},
	    {"[p]\nA=a\n", "N=new\n\n[p]\nA=a\n"},
	    {"\xef\xbb\xbf[p]\n", "\xef\xbb\xbfN=new\n\n[p]\n"},
	    {"A=a\n[p]\nB=b\n", "A=a\nN=new\n\n[p]\nB=b\n"},
	    {"A=a\n\n[p]\nB=b\n", "A=a\nN=new\n\n[p]\nB=b\n"},
	    {"A=a\r\n\r\n[p]\r\n", "A=a\r\nN=new\r\n\r\n[p]\r\n"},
	    {"A=a\n\n# about p\n[p]\n", "A=a\nN=new\n\n# about p\n[p]\n"},
	    {"# head\n\n# about p\n[p]\n", "# head\nN=new\n\n# about p\n[p]\n"},
	    {"A=a\n# tail of A\n\n[p]\n[q]\n", "A=a\n# tail of A\nN=new\n\n[p]\n[q]\n"},
	    {"[p]\nN=old\n", "N=new\n\n[p]\nN=old\n"},
	    {"N=old\n[p]\n", "N=old\n[p]\n"},
	    {"N = \"old\"", "N = \"old\""},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_merged(cases[i].existing, one, 1, cases[i].expected);
}

static void test_merge_texts(void **state)
{
	(void)state;
	static const struct manifest_addition additions[] = {
	    SECRET("A", "db/url"), TEXT("P", "3000"), TEXT("E", ""), TEXT("Q", "a\"b\\c\nd\te # [x]"),
	    TEXT("A2", "1"),       TEXT("A2", "2"),
	};
	assert_merged("# mine\n", additions, ARRAY_COUNT(additions),
		      "# mine\nA=db/url\nP=\"3000\"\nE=\"\"\nQ=\"a\\\"b\\\\c\\nd\\te # [x]\"\nA2=\"2\"\n");
	assert_merged("A=b", additions, 0, "A=b");
	assert_merged("", additions, 0, "");
}

static void assert_not_merged(const char *existing, struct manifest_addition addition, int code)
{
	struct buf out = BUF_INIT(MANIFEST_BYTES_MAX);
	struct err err = {0};
	assert_int_equal(manifest_merge(span_text(existing), "test", &addition, 1, &out, &err), code);
	assert_null(out.data);
	assert_null(strstr(err.text, "hunter"));
}

static void test_merge_refuses(void **state)
{
	(void)state;
	assert_not_merged("hunter\n", (struct manifest_addition)SECRET("A", "a"), ERR_INPUT);
	assert_not_merged("", (struct manifest_addition)SECRET("A-B", "a"), ERR_INPUT);
	assert_not_merged("", (struct manifest_addition)SECRET("", "a"), ERR_INPUT);
	assert_not_merged("", (struct manifest_addition)SECRET("A", "hunter two"), ERR_INPUT);
	assert_not_merged("", (struct manifest_addition)TEXT("A", "hunter\r\n"), ERR_INPUT);
	assert_not_merged("", (struct manifest_addition)TEXT("A", "hunter\x1b"), ERR_INPUT);
	assert_not_merged("", (struct manifest_addition)TEXT("A", "hunter\0"), ERR_INPUT);
	assert_not_merged("", (struct manifest_addition)TEXT("A", "hunter\xff"), ERR_INPUT);
	_cleanup_free_ char *large = malloc(MANIFEST_BYTES_MAX);
	memset(large, '#', MANIFEST_BYTES_MAX - 1);
	large[MANIFEST_BYTES_MAX - 1] = 0;
	assert_not_merged(large, (struct manifest_addition)SECRET("A", "a"), ERR_LIMIT);
}

static void test_merge_counts_entries(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf text = BUF_INIT(MANIFEST_BYTES_MAX);
	struct err err;
	for (unsigned i = 0; i < MANIFEST_ENTRIES_MAX; i++)
		assert_int_equal(buf_printf(&text, &err, "V%u=s\n", i), 0);
	assert_not_merged(buf_text(&text), (struct manifest_addition)SECRET("A", "a"), ERR_LIMIT);
	assert_merged(buf_text(&text), &(struct manifest_addition)SECRET("V7", "a"), 1, buf_text(&text));
}

// ---------------------------------------------------------------------------------------------------- properties

#define PROPERTY_ROUNDS 4000
#define PROPERTY_SEED UINT64_C(0x9e3779b97f4a7c15)

static uint32_t random_below(uint64_t *seed, uint32_t limit)
{
	// xorshift64 (Marsaglia 2003), so that a failure replays.
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed >> 32) % limit;
}

static size_t random_text(uint64_t *seed, char *out, size_t pieces)
{
	static const char *const parts[] = {"\"",
					    "\\",
					    "\n",
					    "\t",
					    "#",
					    " ",
					    "[",
					    "]",
					    "=",
					    "a",
					    "\\n",
					    "$",
					    "'",
					    "\xc3\xa4",
					    "\xe2\x82\xac",
					    "\xf0\x9f\x94\x91",
					    "\\\"",
					    "n",
					    "0",
					    "~"};
	size_t len = 0;
	out[0] = 0;
	for (size_t i = random_below(seed, (uint32_t)pieces); i > 0; i--) {
		const char *part = parts[random_below(seed, ARRAY_COUNT(parts))];
		memcpy(out + len, part, strlen(part) + 1);
		len += strlen(part);
	}
	return len;
}

static void random_manifest(uint64_t *seed, struct buf *out)
{
	static const char *const lines[] = {"# note", "",        "  ",    "A=a", "B = \"b\"  # why",
					    "[p]",    "[q] # x", "C=c/d", "#",   "D=\"\""};
	const char *line_end = random_below(seed, 2) ? "\r\n" : "\n";
	bool used[ARRAY_COUNT(lines)] = {false};
	struct err err;
	for (size_t i = random_below(seed, 8); i > 0; i--) {
		size_t which = random_below(seed, ARRAY_COUNT(lines));
		if (strchr(lines[which], '=') && used[which])
			continue;
		used[which] = true;
		assert_int_equal(buf_append_text(out, lines[which], &err), 0);
		assert_int_equal(buf_append_text(out, i == 1 && random_below(seed, 2) ? "" : line_end, &err), 0);
	}
}

// What is merged is read back exactly, and what was there before is still there, line for line.
static void test_merge_round_trip(void **state)
{
	(void)state;
	uint64_t seed = PROPERTY_SEED;
	for (size_t round = 0; round < PROPERTY_ROUNDS; round++) {
		_cleanup_buf_ struct buf existing = BUF_INIT(MANIFEST_BYTES_MAX);
		_cleanup_buf_ struct buf merged = BUF_INIT(MANIFEST_BYTES_MAX);
		_cleanup_manifest_ struct manifest before = {0};
		_cleanup_manifest_ struct manifest after = {0};
		char texts[2][128];
		struct err err;
		random_manifest(&seed, &existing);
		struct manifest_addition additions[] = {
		    {.variable = "A", .text = span_of(texts[0], random_text(&seed, texts[0], 24))},
		    {.variable = "X", .text = span_of(texts[1], random_text(&seed, texts[1], 24))},
		    {.variable = "Y", .secret = "y/z"},
		};
		parse(buf_text(&existing), &before);
		assert_int_equal(
		    manifest_merge(buf_span(&existing), "test", additions, ARRAY_COUNT(additions), &merged, &err), 0);
		parse(buf_text(&merged), &after);
		bool had_a = manifest_lookup(&before, NULL, "A") != NULL;
		assert_int_equal(after.count, before.count + 2 + !had_a);
		for (size_t i = 0; i < before.count; i++) {
			const struct manifest_entry *old = &before.entries[i];
			const struct manifest_entry *now = manifest_lookup(&after, old->profile, old->variable);
			assert_string_equal(old->text ? old->text : old->secret, now->text ? now->text : now->secret);
			assert_int_equal(old->profile == NULL, now->profile == NULL);
		}
		if (!had_a)
			assert_string_equal(manifest_lookup(&after, NULL, "A")->text, texts[0]);
		assert_string_equal(manifest_lookup(&after, NULL, "X")->text, texts[1]);
		assert_string_equal(manifest_lookup(&after, "p", "Y")->secret, "y/z");
		// Merging again changes nothing.
		_cleanup_buf_ struct buf again = BUF_INIT(MANIFEST_BYTES_MAX);
		assert_int_equal(
		    manifest_merge(buf_span(&merged), "test", additions, ARRAY_COUNT(additions), &again, &err), 0);
		assert_string_equal(buf_text(&again), buf_text(&merged));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_merge_places),     cmocka_unit_test(test_merge_texts),
	    cmocka_unit_test(test_merge_refuses),    cmocka_unit_test(test_merge_counts_entries),
	    cmocka_unit_test(test_merge_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
