#include "manifest/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void parse(const char *text, struct manifest *out)
{
	struct err err = {0};
	if (manifest_parse(span_text(text), "test", out, &err) < 0)
		fail_msg("%s", err.text);
}

static void assert_secret(const struct manifest *m, const char *profile, const char *variable, const char *secret)
{
	const struct manifest_entry *entry = manifest_lookup(m, profile, variable);
	assert_non_null(entry);
	assert_null(entry->text);
	assert_string_equal(entry->secret, secret);
}

static void assert_text(const struct manifest *m, const char *profile, const char *variable, const char *text)
{
	const struct manifest_entry *entry = manifest_lookup(m, profile, variable);
	assert_non_null(entry);
	assert_null(entry->secret);
	assert_string_equal(entry->text, text);
}

// Refused at this place; the sentence has none of the file's text.
static void assert_refused(struct span text, unsigned line, unsigned column)
{
	struct err err = {0};
	struct manifest m = {0};
	assert_int_equal(manifest_parse(text, "test", &m, &err), ERR_INPUT);
	char place[64];
	snprintf(place, sizeof(place), "test, line %u, column %u: ", line, column);
	if (strncmp(err.text, place, strlen(place)) != 0)
		fail_msg("wanted %s, got %s", place, err.text);
	assert_null(strstr(err.text, "hunter"));
	assert_null(m.entries);
	assert_null(m.profiles);
}

static void test_lines(void **state)
{
	(void)state;
	_cleanup_manifest_ struct manifest m = {0};
	parse("# head\n\nDATABASE_URL=db/url\n  B\t=\tb-1.x_y  # why\nPORT=\"3000\"\nE=\"\"\n", &m);
	assert_int_equal(m.count, 4);
	assert_null(m.path);
	assert_secret(&m, NULL, "DATABASE_URL", "db/url");
	assert_secret(&m, NULL, "B", "b-1.x_y");
	assert_text(&m, NULL, "PORT", "3000");
	assert_text(&m, NULL, "E", "");
	assert_int_equal(m.entries[1].line, 4);
	assert_int_equal(m.entries[1].column, 3);
	assert_null(manifest_lookup(&m, NULL, "C"));
	assert_false(manifest_has_profile(&m, "dev"));
}

static void test_quoted_text(void **state)
{
	(void)state;
	_cleanup_manifest_ struct manifest m = {0};
	parse("A=\"a \\\"b\\\" \\\\ \\n\\t # [x] = '\"#c\nB=\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91\"\nC=\"\t\"", &m);
	assert_text(&m, NULL, "A", "a \"b\" \\ \n\t # [x] = '");
	assert_text(&m, NULL, "B", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91");
	assert_text(&m, NULL, "C", "\t");
}

static void test_profiles(void **state)
{
	(void)state;
	_cleanup_manifest_ struct manifest m = {0};
	parse("A=a\nB=b\n[dev]\nA=dev-a\n [ prod ] # live\nA=\"x\"\n[empty]\n[dev]\nC=c\n", &m);
	assert_secret(&m, NULL, "A", "a");
	assert_secret(&m, "dev", "A", "dev-a");
	assert_secret(&m, "dev", "B", "b");
	assert_secret(&m, "dev", "C", "c");
	assert_text(&m, "prod", "A", "x");
	assert_null(manifest_lookup(&m, "prod", "C"));
	assert_null(manifest_lookup(&m, NULL, "C"));
	assert_secret(&m, "unknown", "A", "a");
	assert_int_equal(m.profile_count, 3);
	assert_true(manifest_has_profile(&m, "dev"));
	assert_true(manifest_has_profile(&m, "empty"));
	assert_false(manifest_has_profile(&m, "dev2"));
	assert_ptr_equal(manifest_lookup(&m, "dev", "C")->profile, manifest_lookup(&m, "dev", "A")->profile);
}

static void test_bom_crlf_and_ends(void **state)
{
	(void)state;
	_cleanup_manifest_ struct manifest m = {0};
	parse("\xef\xbb\xbf"
	      "A=a\r\n[dev]\r\n\r\nB=\"b\"\r\nC=c",
	      &m);
	assert_secret(&m, NULL, "A", "a");
	assert_text(&m, "dev", "B", "b");
	assert_secret(&m, "dev", "C", "c");
	_cleanup_manifest_ struct manifest none = {0};
	struct err err;
	assert_int_equal(manifest_parse(span_of(NULL, 0), "test", &none, &err), 0);
	assert_int_equal(manifest_parse(SPAN_LITERAL("\xef\xbb\xbf"), "test", &none, &err), 0);
	assert_int_equal(none.count, 0);
}

static void test_bad_lines(void **state)
{
	(void)state;
	assert_refused(SPAN_LITERAL("A=a\nhunter\n"), 2, 7);
	assert_refused(SPAN_LITERAL("hunter two=a\n"), 1, 8);
	assert_refused(SPAN_LITERAL("hunter-2=a\n"), 1, 1);
	assert_refused(SPAN_LITERAL("\n\n  1hunter=a\n"), 3, 3);
	assert_refused(SPAN_LITERAL("=hunter\n"), 1, 1);
	assert_refused(SPAN_LITERAL("export A=hunter\n"), 1, 8);
	assert_refused(SPAN_LITERAL("A=\n"), 1, 3);
	assert_refused(SPAN_LITERAL("A= # hunter\n"), 1, 4);
	assert_refused(SPAN_LITERAL("A=hunter two\n"), 1, 10);
	assert_refused(SPAN_LITERAL("A=hunter#two\n"), 1, 3);
	assert_refused(SPAN_LITERAL("A='hunter'\n"), 1, 3);
	assert_refused(SPAN_LITERAL("A=hunter/\n"), 1, 3);
	assert_refused(SPAN_LITERAL("A=../hunter\n"), 1, 3);
	assert_refused(SPAN_LITERAL("A=postgres://hunter:2@db\n"), 1, 3);
	assert_refused(SPAN_LITERAL("A=\"hunter\n\"\n"), 1, 3);
	assert_refused(SPAN_LITERAL("A=\"hunter\\\"\n"), 1, 3);
	assert_refused(SPAN_LITERAL("A=\"hunter\\"), 1, 10);
	assert_refused(SPAN_LITERAL("A=\"a\\x41hunter\"\n"), 1, 5);
	assert_refused(SPAN_LITERAL("A=\"a\"hunter\n"), 1, 6);
	assert_refused(SPAN_LITERAL("\xef\xbb\xbfhunter\n"), 1, 7);
}

static void test_bad_sections(void **state)
{
	(void)state;
	assert_refused(SPAN_LITERAL("[]\n"), 1, 2);
	assert_refused(SPAN_LITERAL(" [hunter\n"), 1, 2);
	assert_refused(SPAN_LITERAL("[a hunter]\n"), 1, 1);
	assert_refused(SPAN_LITERAL("[a/b]\n"), 1, 2);
	assert_refused(SPAN_LITERAL("[-a]\n"), 1, 2);
	assert_refused(SPAN_LITERAL("[a] hunter\n"), 1, 5);
	assert_refused(SPAN_LITERAL("[a]]\n"), 1, 4);
}

static void test_variables_twice(void **state)
{
	(void)state;
	assert_refused(SPAN_LITERAL("A=a\nB=b\n A=c\n"), 3, 2);
	assert_refused(SPAN_LITERAL("[x]\nA=a\n[y]\nA=a\n[x]\nA=\"b\"\n"), 6, 1);
	// Of several, the first in the file.
	assert_refused(SPAN_LITERAL("Z=a\nA=a\nZ=b\nA=b\nZ=c\n"), 3, 1);
	_cleanup_manifest_ struct manifest m = {0};
	parse("A=a\n[x]\nA=a\n[y]\nA=a\n", &m);
	assert_int_equal(m.count, 3);
}

static void test_control_and_hidden_characters(void **state)
{
	(void)state;
	assert_refused(SPAN_LITERAL("A=a\0b\n"), 1, 4);
	assert_refused(SPAN_LITERAL("# \x1b]0;hunter\x07\nA=a\n"), 1, 3);
	assert_refused(SPAN_LITERAL("B=b\nA=\"\x1b[2J\"\n"), 2, 4);
	assert_refused(SPAN_LITERAL("A=\"a\rb\"\n"), 1, 5);
	assert_refused(SPAN_LITERAL("A=a\r"), 1, 4);
	assert_refused(SPAN_LITERAL("A=a\r\r\n"), 1, 4);
	assert_refused(SPAN_LITERAL("A=\"\x7f\"\n"), 1, 4);
	assert_refused(SPAN_LITERAL("A=\"\xc2\x9b\"\n"), 1, 4);
	assert_refused(SPAN_LITERAL("# \xe2\x80\xae\n"), 1, 3);
	assert_refused(SPAN_LITERAL("A=\"\xe2\x81\xa6\"\n"), 1, 4);
	assert_refused(SPAN_LITERAL("A=\"\xe2\x80\xa8\"\n"), 1, 4);
	assert_refused(SPAN_LITERAL("A=\"\xef\xbb\xbf\"\n"), 1, 4);
	assert_refused(SPAN_LITERAL("A=\"\xf3\xa0\x81\x81\"\n"), 1, 4);
}

static void test_bad_utf8(void **state)
{
	(void)state;
	static const char *const bad[] = {"\x80",
					  "\xff",
					  "\xc3",
					  "\xc3(",
					  "\xc0\xaf",
					  "\xe0\x80\xaf",
					  "\xed\xa0\x80",
					  "\xf0\x80\x80\xaf",
					  "\xf4\x90\x80\x80",
					  "\xe2\x82"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		char text[32];
		snprintf(text, sizeof(text), "\nA=\"x%s\"\n", bad[i]);
		assert_refused(span_text(text), 2, 5);
		snprintf(text, sizeof(text), "# %s", bad[i]);
		assert_refused(span_text(text), 1, 3);
	}
}

static void test_label_is_made_printable(void **state)
{
	(void)state;
	struct err err = {0};
	struct manifest m = {0};
	assert_int_equal(manifest_parse(SPAN_LITERAL("x"), "a\x1b[2J", &m, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "a\\x1b[2J, line 1"));
}

static void assert_limit(struct span text)
{
	struct err err = {0};
	struct manifest m = {0};
	assert_int_equal(manifest_parse(text, "test", &m, &err), ERR_LIMIT);
	assert_null(m.entries);
}

static void test_limits(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf text = BUF_INIT(MANIFEST_BYTES_MAX + 1);
	_cleanup_manifest_ struct manifest m = {0};
	struct err err;
	for (unsigned i = 0; i < MANIFEST_ENTRIES_MAX; i++)
		assert_int_equal(buf_printf(&text, &err, "V%u=s\n", i), 0);
	assert_int_equal(manifest_parse(buf_span(&text), "test", &m, &err), 0);
	assert_int_equal(m.count, MANIFEST_ENTRIES_MAX);
	assert_int_equal(buf_append_text(&text, "W=s\n", &err), 0);
	assert_limit(buf_span(&text));
	buf_done(&text);
	for (unsigned i = 0; i <= MANIFEST_PROFILES_MAX; i++)
		assert_int_equal(buf_printf(&text, &err, "[p%u]\n", i), 0);
	assert_limit(buf_span(&text));
	buf_done(&text);
	while (text.len <= MANIFEST_BYTES_MAX)
		assert_int_equal(buf_append_byte(&text, '#', &err), 0);
	assert_limit(buf_span(&text));
	_cleanup_manifest_ struct manifest full = {0};
	assert_int_equal(manifest_parse(span_of(text.data, MANIFEST_BYTES_MAX), "test", &full, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),           cmocka_unit_test(test_quoted_text),
	    cmocka_unit_test(test_profiles),        cmocka_unit_test(test_bom_crlf_and_ends),
	    cmocka_unit_test(test_bad_lines),       cmocka_unit_test(test_bad_sections),
	    cmocka_unit_test(test_variables_twice), cmocka_unit_test(test_control_and_hidden_characters),
	    cmocka_unit_test(test_bad_utf8),        cmocka_unit_test(test_label_is_made_printable),
	    cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
