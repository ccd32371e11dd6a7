#include "manifest/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void parse(struct span text, struct dotenv *out)
{
	struct err err = {0};
	assert_int_equal(dotenv_parse(text, out, &err), 0);
}

static void assert_entry(const struct dotenv_entry *entry, const char *variable, const char *value)
{
	uint8_t decoded[512];
	assert_true(entry->raw.len <= sizeof(decoded));
	size_t len = dotenv_decode(entry, decoded);
	assert_true(len <= entry->raw.len);
	assert_int_equal(entry->variable.len, strlen(variable));
	assert_memory_equal(entry->variable.data, variable, strlen(variable));
	assert_int_equal(len, strlen(value));
	assert_memory_equal(decoded, value, len);
}

// One text, one entry, no problem.
static void assert_one(const char *text, const char *variable, const char *value)
{
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	parse(span_text(text), &dotenv);
	if (dotenv.problem_count > 0)
		fail_msg("%s: %u:%u %s", text, dotenv.problems[0].line, dotenv.problems[0].column,
			 dotenv.problems[0].what);
	assert_int_equal(dotenv.count, 1);
	assert_entry(&dotenv.entries[0], variable, value);
}

// One text, one problem at a place, and so many entries beside it.
static void assert_problem(struct span text, unsigned line, unsigned column, const char *what, size_t entries)
{
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	parse(text, &dotenv);
	assert_int_equal(dotenv.problem_count, 1);
	assert_string_equal(dotenv.problems[0].what, what);
	assert_int_equal(dotenv.problems[0].line, line);
	assert_int_equal(dotenv.problems[0].column, column);
	assert_int_equal(dotenv.count, entries);
}

#define NOT_CLOSED "a quote opens here and is not closed"
#define BEHIND "text behind the closing quote"
#define LETTERS "a name holds only letters, digits and '_'"
#define NO_SIGN "a name without '='"

static void test_bare_values(void **state)
{
	(void)state;
	assert_one("A=b", "A", "b");
	assert_one("A=b\n", "A", "b");
	assert_one("A=", "A", "");
	assert_one("A=\n", "A", "");
	assert_one("A= \t \n", "A", "");
	assert_one("A = b \t\n", "A", "b");
	assert_one("\t A\t=\tb c\t\n", "A", "b c");
	assert_one("_a1=x=y==\n", "_a1", "x=y==");
	assert_one("A=C:\\new\\table\\\\x\n", "A", "C:\\new\\table\\\\x");
	assert_one("A=it's \"so\"\n", "A", "it's \"so\"");
	assert_one("A={\"k\": \"v\"}\n", "A", "{\"k\": \"v\"}");
	assert_one("A=$HOME ${X} $(id)\n", "A", "$HOME ${X} $(id)");
	assert_one("A=\xff\xfe\x80\n", "A", "\xff\xfe\x80");
	assert_one("A=\xc3\xa4 \xf0\x9f\x94\x91\n", "A", "\xc3\xa4 \xf0\x9f\x94\x91");
}

static void test_comments(void **state)
{
	(void)state;
	assert_one("# one\n  # two\n#\nA=b\n#end", "A", "b");
	assert_one("A=b # c\n", "A", "b");
	assert_one("A=b\t#c\n", "A", "b");
	assert_one("A=b#c\n", "A", "b#c");
	assert_one("A=#b\n", "A", "#b");
	assert_one("A= # b\n", "A", "");
	assert_one("A=b## # #\n", "A", "b##");
	assert_one("A='b # c' # d\n", "A", "b # c");
	assert_one("A=\"b # c\"#d\n", "A", "b # c");
	assert_one("A=\"b\" \t\n", "A", "b");
}

static void test_export(void **state)
{
	(void)state;
	assert_one("export A=b", "A", "b");
	assert_one("  export\t  A = b", "A", "b");
	assert_one("export=b", "export", "b");
	assert_one("export =b", "export", "b");
	assert_one("exported=b", "exported", "b");
	assert_problem(SPAN_LITERAL("export A\nB=1\n"), 1, 9, NO_SIGN, 1);
	assert_problem(SPAN_LITERAL("export\n"), 1, 7, NO_SIGN, 0);
	assert_problem(SPAN_LITERAL("export A B=1\n"), 1, 10, NO_SIGN, 0);
}

static void test_quotes(void **state)
{
	(void)state;
	assert_one("A=''", "A", "");
	assert_one("A=\"\"", "A", "");
	assert_one("A=' b '", "A", " b ");
	assert_one("A='b\\n\\'", "A", "b\\n\\");
	assert_one("A=`b \"c\" 'd' \\n`", "A", "b \"c\" 'd' \\n");
	assert_one("A=\"b 'c' `d`\"", "A", "b 'c' `d`");
	assert_one("A=\"\\n\\r\\t\\\\\\\"\\$\"", "A", "\n\r\t\\\"$");
	assert_one("A=\"\\a\\'\\x \\\\n\"", "A", "\\a\\'\\x \\n");
	assert_one("A=\"{\\\"k\\\": \\\"v\\\"}\"", "A", "{\"k\": \"v\"}");
	assert_one("A='{\"k\": [1, \"#\"]}'", "A", "{\"k\": [1, \"#\"]}");
	assert_one("A=\"$HOME\"", "A", "$HOME");
	assert_one("A=\"one\ntwo\n\nthree\"\n", "A", "one\ntwo\n\nthree");
	assert_one("A='one\ntwo' # c\n", "A", "one\ntwo");
	assert_one("A=`one\n`", "A", "one\n");
	assert_one("A=\"one\\\ntwo\"", "A", "one\\\ntwo");
}

static void test_kinds_of_quotes(void **state)
{
	(void)state;
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	parse(SPAN_LITERAL("A=b\nB='c'\nC=`d`\nD=\"e\"\n"), &dotenv);
	assert_int_equal(dotenv.count, 4);
	assert_int_equal(dotenv.entries[0].quote, DOTENV_PLAIN);
	assert_int_equal(dotenv.entries[1].quote, DOTENV_SINGLE);
	assert_int_equal(dotenv.entries[2].quote, DOTENV_SINGLE);
	assert_int_equal(dotenv.entries[3].quote, DOTENV_DOUBLE);
	assert_int_equal(dotenv.entries[3].line, 4);
	assert_int_equal(dotenv.entries[3].raw.len, 1);
}

static void test_places_point_into_the_text(void **state)
{
	(void)state;
	static const char text[] = "export KEY = \"va\\nlue\" # c\n";
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	parse(span_text(text), &dotenv);
	assert_ptr_equal(dotenv.entries[0].variable.data, text + 7);
	assert_ptr_equal(dotenv.entries[0].raw.data, text + 14);
	assert_int_equal(dotenv.entries[0].raw.len, 7);
}

static void test_multi_line_pem(void **state)
{
	(void)state;
	static const char body[] = "-----BEGIN X-----\nMIIE+/=\nabc\n-----END X-----\n";
	_cleanup_buf_ struct buf text = BUF_INIT(1000);
	struct err err;
	assert_int_equal(buf_printf(&text, &err, "A=1\nPEM=\"%s\"\nB=2\nPEM2='%s'\nC\n", body, body), 0);
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	parse(buf_span(&text), &dotenv);
	assert_int_equal(dotenv.count, 4);
	assert_entry(&dotenv.entries[1], "PEM", body);
	assert_entry(&dotenv.entries[3], "PEM2", body);
	assert_int_equal(dotenv.entries[1].line, 2);
	assert_int_equal(dotenv.entries[2].line, 7);
	assert_int_equal(dotenv.entries[3].line, 8);
	assert_int_equal(dotenv.problem_count, 1);
	assert_int_equal(dotenv.problems[0].line, 13);
}

static void test_bom_and_line_ends(void **state)
{
	(void)state;
	assert_one("\xef\xbb\xbf"
		   "A=b\n",
		   "A", "b");
	assert_one("\xef\xbb\xbf# c\nA=b\n", "A", "b");
	assert_one("A=b\r\n", "A", "b");
	assert_one("A=b\r", "A", "b");
	assert_one("A=b # c\r\n", "A", "b");
	assert_one("A='b'\r\n", "A", "b");
	assert_one("A=\"b\" # c\r\n\r\n# d\r\n", "A", "b");
	assert_one("A=\r\n", "A", "");
	assert_problem(SPAN_LITERAL("\xef\xbb\xbf"
				    "A B\n"),
		       1, 3, NO_SIGN, 0);
	_cleanup_dotenv_ struct dotenv empty = {0};
	parse(SPAN_LITERAL("\xef\xbb\xbf"), &empty);
	parse(span_of(NULL, 0), &empty);
	parse(SPAN_LITERAL(" \r\n\t\r\n\n"), &empty);
	assert_int_equal(empty.count + empty.problem_count, 0);
}

static void test_line_ends_inside_quotes(void **state)
{
	(void)state;
	// Throughout CRLF: the editor's line ends. Mixed: nobody knows, so nothing changes.
	assert_one("A=\"b\r\nc\r\n\"\r\n", "A", "b\nc\n");
	assert_one("A='b\r\nc'\r\n", "A", "b\nc");
	assert_one("A='b\r\nc'\n", "A", "b\r\nc");
	assert_one("\nA=\"b\r\nc\"\r\n", "A", "b\r\nc");
	assert_one("A='b\rc'\r\n", "A", "b\rc");
	assert_one("A=\"b\\r\\nc\"\r\n", "A", "b\r\nc");
}

static void test_carriage_return_within_a_line(void **state)
{
	(void)state;
	assert_problem(SPAN_LITERAL("A=b\rB=c\nC=d\n"), 1, 4, "a carriage return within the line", 1);
	assert_problem(SPAN_LITERAL("A=b\r\r\n"), 1, 4, "a carriage return within the line", 0);
}

static void test_names(void **state)
{
	(void)state;
	assert_problem(SPAN_LITERAL("A=1\n  B-C=2\nD=3\n"), 2, 4, LETTERS, 2);
	assert_problem(SPAN_LITERAL("a.b=2\n"), 1, 2, LETTERS, 0);
	assert_problem(SPAN_LITERAL("A\xc3\x9c=2\n"), 1, 2, LETTERS, 0);
	assert_problem(SPAN_LITERAL("\"A\"=2\n"), 1, 1, LETTERS, 0);
	assert_problem(SPAN_LITERAL("A+=2\n"), 1, 2, LETTERS, 0);
	assert_problem(SPAN_LITERAL("1A=2\n"), 1, 1, "a name cannot begin with a digit", 0);
	assert_problem(SPAN_LITERAL(" =2\n"), 1, 2, "no name before '='", 0);
	assert_problem(SPAN_LITERAL("A\nB=1\n"), 1, 2, NO_SIGN, 1);
	assert_problem(SPAN_LITERAL("A"), 1, 2, NO_SIGN, 0);
	assert_problem(SPAN_LITERAL("A # c\n"), 1, 3, NO_SIGN, 0);
	assert_problem(SPAN_LITERAL("A b\n"), 1, 3, NO_SIGN, 0);
	assert_problem(SPAN_LITERAL("key: value\nB=1\n"), 1, 4, "':' where '=' is needed (this looks like YAML)", 1);
	assert_problem(SPAN_LITERAL("key : value\n"), 1, 5, "':' where '=' is needed (this looks like YAML)", 0);
}

static void test_long_names(void **state)
{
	(void)state;
	char text[NAME_BYTES_MAX + 3];
	memset(text, 'A', sizeof(text));
	text[NAME_BYTES_MAX] = '=';
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	parse(span_of(text, NAME_BYTES_MAX + 1), &dotenv);
	assert_int_equal(dotenv.count, 1);
	text[NAME_BYTES_MAX] = 'A';
	text[NAME_BYTES_MAX + 1] = '=';
	assert_problem(span_of(text, NAME_BYTES_MAX + 2), 1, 1, "the name is too long (255 bytes at most)", 0);
}

static void test_quotes_not_closed(void **state)
{
	(void)state;
	assert_problem(SPAN_LITERAL("A=1\nB=\"two\nC=3\n"), 2, 3, NOT_CLOSED, 2);
	assert_problem(SPAN_LITERAL("B='two\nC=3\n"), 1, 3, NOT_CLOSED, 1);
	assert_problem(SPAN_LITERAL("B=  `two"), 1, 5, NOT_CLOSED, 0);
	assert_problem(SPAN_LITERAL("B=\"two\\\"\nC=3\n"), 1, 3, NOT_CLOSED, 1);
	assert_problem(SPAN_LITERAL("B=\"\\"), 1, 3, NOT_CLOSED, 0);
	assert_problem(SPAN_LITERAL("B=\""), 1, 3, NOT_CLOSED, 0);
	// The next quote is no end of this value: what follows it says so.
	assert_problem(SPAN_LITERAL("A=\"one\nB=\"two\"\nC=3\n"), 1, 3, NOT_CLOSED, 2);
	assert_problem(SPAN_LITERAL("A='one\nB='two'\r\nC=3\n"), 1, 3, NOT_CLOSED, 2);
}

static void test_text_behind_quotes(void **state)
{
	(void)state;
	assert_problem(SPAN_LITERAL("A=\"b\"c\nB=1\n"), 1, 6, BEHIND, 1);
	assert_problem(SPAN_LITERAL("A='b'  c\n"), 1, 8, BEHIND, 0);
	assert_problem(SPAN_LITERAL("A=\"{\"k\": 1}\"\nB=1\n"), 1, 6, BEHIND, 1);
	assert_problem(SPAN_LITERAL("A='b'\rc\n"), 1, 6, BEHIND, 0);
}

static void test_nul_bytes(void **state)
{
	(void)state;
	static const char what[] = "a NUL byte, which no environment variable can hold";
	assert_problem(SPAN_LITERAL("A=b\0c\nB=1\n"), 1, 4, what, 1);
	assert_problem(SPAN_LITERAL("A=\"b\n\nx\0c\"\nB=1\n"), 3, 2, what, 1);
	assert_problem(SPAN_LITERAL("A\0=b\n"), 1, 2, LETTERS, 0);
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	parse(SPAN_LITERAL("A='b\n\0\n'\nB=1\nC\n"), &dotenv);
	assert_int_equal(dotenv.entries[0].line, 4);
	assert_int_equal(dotenv.problems[1].line, 5);
}

static void test_utf16_is_one_problem(void **state)
{
	(void)state;
	assert_problem(SPAN_LITERAL("\xff\xfe"
				    "A\0=\0b\0\n\0"),
		       1, 1, "the file is UTF-16; save it as UTF-8", 0);
	assert_problem(SPAN_LITERAL("\xfe\xff\0A\0=\0b\0\n"), 1, 1, "the file is UTF-16; save it as UTF-8", 0);
}

static void test_every_problem_is_reported(void **state)
{
	(void)state;
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	parse(SPAN_LITERAL("A\nB=1\nC: 2\n\n# c\nD='3\n=4\nB=5\n"), &dotenv);
	static const unsigned lines[] = {1, 3, 6, 7};
	assert_int_equal(dotenv.problem_count, ARRAY_COUNT(lines));
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++)
		assert_int_equal(dotenv.problems[i].line, lines[i]);
	// Both assignments of a variable stay.
	assert_int_equal(dotenv.count, 2);
	assert_entry(&dotenv.entries[0], "B", "1");
	assert_entry(&dotenv.entries[1], "B", "5");
}

static void repeat(struct buf *buf, const char *text, size_t times)
{
	struct err err;
	for (size_t i = 0; i < times; i++)
		assert_int_equal(buf_append_text(buf, text, &err), 0);
}

static void assert_limit(struct span text)
{
	struct err err = {0};
	struct dotenv dotenv = {0};
	assert_int_equal(dotenv_parse(text, &dotenv, &err), ERR_LIMIT);
	assert_null(dotenv.entries);
	assert_null(dotenv.problems);
}

static void test_limits(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf text = BUF_INIT(DOTENV_BYTES_MAX + 1);
	repeat(&text, "A=1\n", MANIFEST_ENTRIES_MAX);
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	parse(buf_span(&text), &dotenv);
	assert_int_equal(dotenv.count, MANIFEST_ENTRIES_MAX);
	repeat(&text, "A=1\n", 1);
	assert_limit(buf_span(&text));
	buf_done(&text);
	repeat(&text, "A\n", MANIFEST_ENTRIES_MAX + 1);
	assert_limit(buf_span(&text));
	_cleanup_free_ uint8_t *large = calloc(1, DOTENV_BYTES_MAX + 1);
	assert_limit(span_of(large, DOTENV_BYTES_MAX + 1));
}

static void test_long_lines(void **state)
{
	(void)state;
	const size_t len = 5u << 20;
	_cleanup_free_ uint8_t *text = malloc(len);
	memset(text, 'x', len);
	memcpy(text, "A=\"", 3);
	text[len - 1] = '"';
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	parse(span_of(text, len), &dotenv);
	assert_int_equal(dotenv.count, 1);
	assert_int_equal(dotenv.entries[0].raw.len, len - 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bare_values),
	    cmocka_unit_test(test_comments),
	    cmocka_unit_test(test_export),
	    cmocka_unit_test(test_quotes),
	    cmocka_unit_test(test_kinds_of_quotes),
	    cmocka_unit_test(test_places_point_into_the_text),
	    cmocka_unit_test(test_multi_line_pem),
	    cmocka_unit_test(test_bom_and_line_ends),
	    cmocka_unit_test(test_line_ends_inside_quotes),
	    cmocka_unit_test(test_carriage_return_within_a_line),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_long_names),
	    cmocka_unit_test(test_quotes_not_closed),
	    cmocka_unit_test(test_text_behind_quotes),
	    cmocka_unit_test(test_nul_bytes),
	    cmocka_unit_test(test_utf16_is_one_problem),
	    cmocka_unit_test(test_every_problem_is_reported),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_long_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
