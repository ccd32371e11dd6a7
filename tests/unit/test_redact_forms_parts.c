// Parts of values: lines, PEM blocks, documents, URLs; and what coverage says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "forms_list.h"

static struct err err;

// Exactly these needles of one form, in any order.
static void assert_parts(struct span value, enum redact_form form, const char *const *texts, size_t count)
{
	struct forms_list *forms = forms_list_of(value);
	for (size_t i = 0; i < count; i++) {
		const struct needle *needle = forms_list_find(forms, span_text(texts[i]));
		if (!needle || needle->form != form)
			fail_msg("no needle %s", texts[i]);
	}
	assert_int_equal(forms_list_count(forms, form), count);
	forms_list_done(forms);
}

static void assert_no_needle(struct span value, struct span bytes)
{
	struct forms_list *forms = forms_list_of(value);
	assert_null(forms_list_find(forms, bytes));
	forms_list_done(forms);
}

static void test_lines(void **state)
{
	(void)state;
	static const char *const lines[] = {"first line 1", "firstline1", "third-line-3"};
	assert_parts(SPAN_LITERAL("\tfirst line 1\r\nshort 2\n  third-line-3  \n\naaaaaaaaaaaa\n"), REDACT_FORM_LINE, lines, 3);
	assert_parts(SPAN_LITERAL("only one line here\n"), REDACT_FORM_LINE, NULL, 0);
	assert_parts(SPAN_LITERAL("\n\n"), REDACT_FORM_LINE, NULL, 0);
}

#define BODY_1 "MIIEvQIBADANBgkqhkiG9w0BAQ"
#define BODY_2 "EFAASCBKcwggSjAgEAAoIB/+x="

static void test_pem(void **state)
{
	(void)state;
	static const char *const lines[] = {BODY_1, BODY_2};
	static const char *const body[] = {BODY_1 BODY_2};
	static const char *const all[] = {BODY_1, BODY_2, BODY_1 BODY_2};
	struct span unix_ends = SPAN_LITERAL("-----BEGIN PRIVATE KEY-----\n" BODY_1 "\n" BODY_2 "\n-----END PRIVATE KEY-----\n");
	struct span indented = SPAN_LITERAL("  -----BEGIN PRIVATE KEY-----\r\n  " BODY_1 "\r\n  " BODY_2
					    "\r\n  -----END PRIVATE KEY-----\r\n");
	assert_parts(unix_ends, REDACT_FORM_LINE, lines, 2);
	assert_parts(unix_ends, REDACT_FORM_PEM, body, 1);
	assert_parts(indented, REDACT_FORM_LINE, lines, 2);
	assert_parts(indented, REDACT_FORM_PEM, body, 1);
	// In a variable of the environment, and without an end.
	assert_parts(SPAN_LITERAL("-----BEGIN PRIVATE KEY-----\\n" BODY_1 "\\r\\n" BODY_2 "\\n-----END PRIVATE KEY-----\\n"),
		     REDACT_FORM_PEM, all, 3);
	assert_parts(SPAN_LITERAL("-----BEGIN PRIVATE KEY----- " BODY_1 " " BODY_2), REDACT_FORM_PEM, all, 3);
}

static void test_pem_blocks_and_headers(void **state)
{
	(void)state;
	static const char *const bodies[] = {BODY_1 BODY_2, BODY_2 BODY_1};
	struct span two = SPAN_LITERAL("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00ff\n\n"
				       BODY_1 "\n" BODY_2 "\n-----END RSA PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n"
				       BODY_2 "\n" BODY_1 "\n-----END CERTIFICATE-----");
	assert_parts(two, REDACT_FORM_PEM, bodies, 2);
	assert_no_needle(two, SPAN_LITERAL("-----BEGIN CERTIFICATE-----"));
	static const char *const broken[] = {"-----BEGIN ", "-----BEGIN X-----", "-----BEGIN X-----:", "-----BEGIN X-----\\",
					     "-----BEGIN X-----\n-----END ", "-----END X-----\n-----BEGIN X-----\n:\n:"};
	for (size_t i = 0; i < ARRAY_COUNT(broken); i++)
		assert_parts(span_text(broken[i]), REDACT_FORM_PEM, NULL, 0);
}

static void test_leaves(void **state)
{
	(void)state;
	static const char *const leaves[] = {"s3cret-value", "päss 🔑 w\"rd", "p\\u00e4ss \\uD83D\\uDD11 w\\\"rd",
					     "päss🔑w\"rd", "p\\u00e4ss\\uD83D\\uDD11w\\\"rd", "inner-secret-9"};
	struct span document = SPAN_LITERAL(
		"{\"some-long-key\": \"s3cret-value\", \"n\": 123456789012,\n"
		" \"list\": [true, \"p\\u00e4ss \\uD83D\\uDD11 w\\\"rd\", [\"inner-secret-9\", \"short\", \"aaaaaaaaaaaa\"]]}");
	assert_parts(document, REDACT_FORM_LEAF, leaves, ARRAY_COUNT(leaves));
	assert_parts(document, REDACT_FORM_LINE, NULL, 0);
	assert_no_needle(document, SPAN_LITERAL("some-long-key"));
}

static void test_documents_in_leaves(void **state)
{
	(void)state;
	static const char *const leaves[] = {"{\"a\":\"nested-secret-1\"}", "{\\\"a\\\":\\\"nested-secret-1\\\"}",
					     "nested-secret-1"};
	assert_parts(SPAN_LITERAL("{\"a\":\"{\\\"a\\\":\\\"nested-secret-1\\\"}\"}"), REDACT_FORM_LEAF, leaves, 3);
	struct forms_list *forms = forms_list_of(SPAN_LITERAL("{\"key\":\"-----BEGIN PRIVATE KEY-----\\n" BODY_1 "\\n" BODY_2
							      "\\n-----END PRIVATE KEY-----\\n\"}"));
	static const char *const keys[] = {BODY_1, BODY_2, BODY_1 BODY_2};
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		assert_non_null(forms_list_find(forms, span_text(keys[i])));
	forms_list_done(forms);
}

// Not quite documents: their strings are watched, and their lines as well.
static void test_broken_documents(void **state)
{
	(void)state;
	static const char *const leaf[] = {"string-secret-1"};
	static const char *const texts[] = {
		"{\"a\":\"string-secret-1\"",   "{\"a\":\"string-secret-1\"} trailing", "[\"string-secret-1\", \"unterminated",
		"{a: \"string-secret-1\"}",     "[\"string-secret-1\",]",               "[\"string-secret-1\"}",
		"\"string-secret-1\"",          "[1 2 \"string-secret-1\"]",            "[\"string-secret-1\" \"\\",
		"[nil, \"string-secret-1\"]",   "{\"string-secret-1\"}",
	};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		assert_parts(span_text(texts[i]), REDACT_FORM_LEAF, leaf, 1);
	static const char *const sections[] = {"password=ini-secret"};
	assert_parts(SPAN_LITERAL("[a]\npassword=ini-secret\n[b]"), REDACT_FORM_LINE, sections, 1);
	// Escapes that are cut or unknown.
	struct forms_list *forms = forms_list_of(SPAN_LITERAL("[\"bad \\ud800 \\u12 \\q \\u0041\"]"));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("bad \xef\xbf\xbd u12 q A")));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("bad \\ud800 \\u12 \\q \\u0041")));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("bad\xef\xbf\xbdu12qA")));
	forms_list_done(forms);
}

static void test_deep_document(void **state)
{
	(void)state;
	char text[4000];
	memset(text, '[', sizeof(text));
	memcpy(text + 1500, "\"deep-secret-1\"", 15);
	memset(text + 1515, ']', 1500);
	static const char *const leaf[] = {"deep-secret-1"};
	assert_parts(span_of(text, 3015), REDACT_FORM_LEAF, leaf, 1);
	assert_parts(span_of(text, sizeof(text)), REDACT_FORM_LEAF, leaf, 1);
}

static void test_url(void **state)
{
	(void)state;
	static const struct {
		const char *url;
		const char *parts[3];
	} cases[] = {
		{"postgres://user:p%40ssw0rd!@host/db", {"p%40ssw0rd!", "p@ssw0rd!", "dXNlcjpwQHNzdzByZC"}},
		{"redis://:hunter2-hunter3@host:6379/0", {"hunter2-hunter3", "Omh1bnRlcjItaHVudGVyM"}},
		{"https://a@b:pass@word9@host?x=y@z", {"pass@word9", "YUBiOnBhc3NAd29yZD"}},
		{"amqp://u:short@h", {"dTpzaG9yd"}},
		{"https://host/path:secret@other", {NULL}},
		{"https://user@host/", {NULL}},
		{"://user:password1@host", {NULL}},
		{"https://user:@host/", {NULL}},
		{"mailto:user:password1@host", {NULL}},
		{"http://", {NULL}},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		size_t count = 0;
		while (count < 3 && cases[i].parts[count])
			count++;
		assert_parts(span_text(cases[i].url), REDACT_FORM_URL, cases[i].parts, count);
	}
}

static void test_several_urls(void **state)
{
	(void)state;
	struct forms_list *forms = forms_list_of(SPAN_LITERAL("A=http://u:first-pass-1@h\nB=http://v:second%2Dpass@h\n"));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("first-pass-1")));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("second-pass")));
	assert_non_null(forms_list_find(forms, SPAN_LITERAL("second%2Dpass")));
	forms_list_done(forms);
}

static void test_dump_column(void **state)
{
	(void)state;
	static const char *const shown[] = {"a.b..c def", "a.b..cdef"};
	assert_parts(SPAN_LITERAL("a\nb\xc3\xa4" "c def\n"), REDACT_FORM_DUMP, shown, 2);
	assert_parts(SPAN_LITERAL("nothing to hide"), REDACT_FORM_DUMP, NULL, 0);
}

static void test_reversed_lines(void **state)
{
	(void)state;
	struct forms_list *forms = forms_list_of(SPAN_LITERAL("first-line\nzwölf-line\n"));
	static const char *const reversed[] = {"enil-tsrif", "enil-flöwz", "enil-tsrif\nenil-flöwz", "enil-flöwz\nenil-tsrif"};
	for (size_t i = 0; i < ARRAY_COUNT(reversed); i++)
		assert_non_null(forms_list_find(forms, span_text(reversed[i])));
	forms_list_done(forms);
}

// ---------------------------------------------------------------------------------------------------------- coverage

static void coverage_of(struct span value, struct redact_coverage out[REDACT_FORM_COUNT])
{
	struct forms_list *forms = forms_list_of(value);
	assert_int_equal(redact_coverage(value, out, &err), 0);
	for (unsigned i = 0; i < REDACT_FORM_COUNT; i++) {
		assert_int_equal(out[i].form, i);
		assert_int_equal(out[i].needle_count, forms_list_count(forms, out[i].form));
		assert_int_equal(out[i].reason == NULL, out[i].needle_count > 0);
	}
	forms_list_done(forms);
}

static void test_coverage(void **state)
{
	(void)state;
	struct redact_coverage all[REDACT_FORM_COUNT];
	coverage_of(SPAN_LITERAL("dev42"), all);
	assert_string_equal(all[REDACT_FORM_LINE].reason, "the value has one line, or is a JSON document");
	assert_string_equal(all[REDACT_FORM_BASE64].reason, "it would be shorter than 8 bytes");
	assert_string_equal(all[REDACT_FORM_REVERSED].reason, "it would be shorter than 8 bytes");
	assert_string_equal(all[REDACT_FORM_JSON].reason, "no byte of the value needs escaping");
	assert_string_equal(all[REDACT_FORM_PEM].reason, "the value holds no PEM block");
	assert_string_equal(all[REDACT_FORM_LEAF].reason, "the value is no JSON document with strings");
	assert_string_equal(all[REDACT_FORM_URL].reason, "the value holds no URL with a password");
	coverage_of(SPAN_LITERAL("12345678"), all);
	assert_string_equal(all[REDACT_FORM_BASE64URL].reason, "it would repeat an earlier form");
	coverage_of(SPAN_LITERAL("aaaaaaaaaaaa"), all);
	assert_string_equal(all[REDACT_FORM_REVERSED].reason, "it would have fewer than 4 different bytes");
	coverage_of(SPAN_LITERAL("7"), all);
	assert_string_equal(all[REDACT_FORM_WORDS].reason, "it would be shorter than 8 bytes");
	coverage_of(SPAN_LITERAL("  \n\t "), all);
	assert_string_equal(all[REDACT_FORM_DUMP].reason, "it would be shorter than 8 bytes");
	coverage_of(SPAN_LITERAL(""), all);
	assert_string_equal(all[REDACT_FORM_RAW].reason, "the value is empty");
	assert_string_equal(all[REDACT_FORM_XML].reason, "the value is empty");
}

static void test_coverage_of_large_values(void **state)
{
	(void)state;
	static uint8_t bytes[REDACT_ALL_FORMS_BYTES_MAX + 1];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)('A' + i % 23);
	struct redact_coverage all[REDACT_FORM_COUNT];
	coverage_of(span_of(bytes, sizeof(bytes)), all);
	const char *reason = "the value is larger than 64 KiB; as a whole it is not found wrapped, coloured or dumped either";
	assert_string_equal(all[REDACT_FORM_JSON].reason, reason);
	assert_string_equal(all[REDACT_FORM_URL].reason, reason);
	assert_int_equal(all[REDACT_FORM_HEX].needle_count, 1);
}

// Many short lines: each is made once, and the room holds the memory of all.
static void test_largest_value(void **state)
{
	(void)state;
	uint8_t *value = malloc(SECRET_VALUE_BYTES_MAX);
	assert_non_null(value);
	for (uint32_t i = 0; i < SECRET_VALUE_BYTES_MAX; i++)
		value[i] = i % 10 == 9 ? '\n' : (uint8_t)('a' + (i % 10 * 7 + i / 10 / (i % 10 + 1)) % 26);
	struct redact_coverage all[REDACT_FORM_COUNT];
	assert_int_equal(redact_coverage(span_of(value, SECRET_VALUE_BYTES_MAX), all, &err), 0);
	assert_int_equal(all[REDACT_FORM_RAW].needle_count, 2);
	assert_true(all[REDACT_FORM_LINE].needle_count > 10000 &&
		    all[REDACT_FORM_LINE].needle_count <= SECRET_VALUE_BYTES_MAX / 10 + 1);
	assert_int_equal(all[REDACT_FORM_HEX].needle_count, 1);
	free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_pem),
		cmocka_unit_test(test_pem_blocks_and_headers),
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_documents_in_leaves),
		cmocka_unit_test(test_broken_documents),
		cmocka_unit_test(test_deep_document),
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_several_urls),
		cmocka_unit_test(test_dump_column),
		cmocka_unit_test(test_reversed_lines),
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_coverage_of_large_values),
		cmocka_unit_test(test_largest_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
