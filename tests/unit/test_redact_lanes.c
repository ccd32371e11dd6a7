#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "redact/survey.h"
#include "redact_bench.h"

// Values that are coloured, wrapped or dumped. What stands here is written by hand: it checks the oracle too.

#define VALUE "tok-4f9c2e71ab"
#define A "[ENVSEAL:REDACTED A]"
#define A_HEX "[ENVSEAL:REDACTED A hex]"

static void check_value(const char *value, const char *stream, const char *text)
{
	struct span values[] = {span_text(value)};
	struct bench b = bench_of_values(values, 1);
	check_text(&b, stream, text);
	bench_done(&b);
}

static void check(const char *stream, const char *text)
{
	check_value(VALUE, stream, text);
}

// ------------------------------------------------------------------------------------------------------------- escapes

static void test_colours_are_kept(void **state)
{
	(void)state;
	check("\033[1m" VALUE "\033[0m.", "\033[1m" A "\033[0m.");
	check("\033[1mtok-\033[31m4f9c\033[0m2e71ab\033[m.", "\033[1m" A "\033[31m\033[0m\033[m.");
	check("tok\033(B-4\033cf9c2\033Pq#0\033\\e71\033]8;;http://x\007ab\033",
	      A "\033(B\033c\033Pq#0\033\\\033]8;;http://x\007\033");
}

static void test_value_in_a_title(void **state)
{
	(void)state;
	check("\033]0;" VALUE "\007$ ", "\033]0;" A "\007$ ");
	check("\033]0;x" VALUE "x\033\\$ ", "\033]0;x" A "x\033\\$ ");
	check("tok-4f9\033]0;" VALUE "\007c2e71ab", A "\033]0;\007");
	check("\033]0;tok-4f\n9c2e71ab\007$ ", "\033]0;tok-4f\n9c2e71ab\007$ ");
}

static void test_sequences_that_do_not_end(void **state)
{
	(void)state;
	check("tok-4f9\033[3\nc2e71ab", A "\033[3");
	check("tok-4f9\033[3\033[mc2e71ab", A "\033[3\033[m");
	check("tok-4f9\033]0;x\033[mc2e71ab", A "\033]0;x\033[m");
	check("tok-4f9\033]0;x\030c2e71ab", A "\033]0;x\030");
	check("tok-4f9\033]0;xc2e71ab", A "\033]0;xc2e71ab");
	check("tok-4f9\033\001c2e71ab", "tok-4f9\033\001c2e71ab");
}

static void test_weak_value_between_colours(void **state)
{
	(void)state;
	check_value("1234", "\033[31m1234\033[0m x", "\033[31m" A "\033[0m x");
	check_value("1234", "12\033[0m34", A "\033[0m");
	check_value("1234", "x\033[31m1234\033[0m 1234\033[mx", "x\033[31m1234\033[0m " A "\033[mx");
	check_value("1234", "12 34 12\n34", "12 34 12\n34");
}

static void test_escapes_of_a_value_itself_are_masked(void **state)
{
	(void)state;
	check_value("red\033[31mgreen", "<red\033[31mgreen>", "<" A ">");
	check_value("red\033[31mgreen", "<red\033[31m\033[1mgreen>", "<red\033[31m\033[1mgreen>");
}

// --------------------------------------------------------------------------------------------------------- white space

static void test_wrapped_values(void **state)
{
	(void)state;
	check("tok-4f\n9c2e71ab\n", A "\n");
	check("tok-4f\r\n9c2e\t 71ab ", A " ");
	check_value("a value of words", "a value\n    of   words.avalueofwords", A "." A);
	check_value("a value of words\n", "a value of words\nX", A "\nX");
	check("R0VUIHRvay00\nZjljMmU3MWFi\nIEhUVFAvMS4x\nCg==\n",
	      "R0VUIH[ENVSEAL:REDACTED A base64]\nIEhUVFAvMS4x\nCg==\n");
	check("6120746f6b2d346639\n633265373161622062\n0a\n", "6120" A_HEX "2062\n0a\n");
}

// As man prints a word that is underlined and broken at the end of a line.
static void test_underlined_and_wrapped(void **state)
{
	(void)state;
	check("see \033[4mtok-4f9c\033[24m\n       \033[4m2e71ab\033[24m.",
	      "see \033[4m" A "\033[24m\033[4m\033[24m.");
}

// Text, so many blanks, text.
static const char *gap_text(char *out, size_t room, const char *before, size_t blanks, const char *behind)
{
	int len = snprintf(out, room, "%s%*s%s", before, (int)blanks, "", behind);
	assert_true(len > 0 && (size_t)len < room);
	return out;
}

static void test_longest_gap(void **state)
{
	(void)state;
	char stream[1024];
	check(gap_text(stream, sizeof(stream), "tok-4f9", 512, "c2e71ab"), A);
	gap_text(stream, sizeof(stream), "tok-4f9", 513, "c2e71ab.");
	check(stream, stream);
}

static void test_weak_value_behind_a_gap(void **state)
{
	(void)state;
	char stream[1024];
	char text[1024];
	gap_text(stream, sizeof(stream), "x\033(", 506, "\033[31m1234 ");
	gap_text(text, sizeof(text), "x\033(", 506, "\033[31m" A " ");
	check_value("1234", stream, text);
}

// --------------------------------------------------------------------------------------------------------------- dumps

static void test_xxd(void **state)
{
	(void)state;
	check("00000000: 746f 6b2d 3466 3963 3265 3731 6162       tok-4f9c2e71ab\n",
	      "00000000: " A_HEX "       " A "\n");
	check("00000000: 4745 5420 746f 6b2d 3466 3963 3265 3731  GET tok-4f9c2e71\n"
	      "00000010: 6162 2048 5454 502f 312e 310a            ab HTTP/1.1.\n",
	      "00000000: 4745 5420 " A_HEX " HTTP/1.1.\n");
	check("00000000: 47 45 54 20 74 6F 6B 2D 34 66  GET tok-4f\n"
	      "0000000a: 39 63 32 65 37 31 61 62 20 48  9c2e71ab H\n",
	      "00000000: 47 45 54 20 [ENVSEAL:REDACTED A HEX] H\n");
}

static void test_hexdump(void **state)
{
	(void)state;
	check("00000000  47 45 54 20 74 6f 6b 2d  34 66 39 63 32 65 37 31  |GET tok-4f9c2e71|\n"
	      "00000010  61 62 20 48 54 54 50 2f  31 2e 31 0a              |ab HTTP/1.1.|\n"
	      "0000001c\n",
	      "00000000  47 45 54 20 " A_HEX " HTTP/1.1.|\n0000001c\n");
	check("0000000 4547 2054 6f74 2d6b 6634 6339 6532 3137\n"
	      "0000010 6261 4820 5454 2f50 2e31 0a31          \n"
	      "000001c\n",
	      "0000000 4547 2054 [ENVSEAL:REDACTED A words] 4820 5454 2f50 2e31 0a31          \n000001c\n");
}

static void test_od(void **state)
{
	(void)state;
	check("0000000 47 45 54 20 74 6f 6b 2d 34 66 39 63 32 65 37 31  >GET tok-4f9c2e71<\n"
	      "0000020 61 62 20 48 54 54 50 2f 31 2e 31 0a              >ab HTTP/1.1.<\n"
	      "0000034\n",
	      "0000000 47 45 54 20 " A_HEX " HTTP/1.1.<\n0000034\n");
	check("0000000 107 105 124 040 164 157 153 055 064 146 071 143 062 145 067 061\n"
	      "0000020 141 142 040 110 124 124 120 057 061 056 061 012\n"
	      "0000034\n",
	      "0000000 107 105 124 040 [ENVSEAL:REDACTED A octal] 040 110 124 124 120 057 061 056 061 012\n0000034\n");
	check("0000000   G   E   T       t   o   k   -   4   f   9   c   2   e   7   1\n"
	      "0000020   a   b       H   T   T   P   /   1   .   1  \\n\n"
	      "0000034\n",
	      "0000000   G   E   T       " A "       H   T   T   P   /   1   .   1  \\n\n0000034\n");
}

#define WORDS "of words  and more"

// The text of a line may begin or end with a space, and xxd does not say where it begins.
static void test_text_with_spaces(void **state)
{
	(void)state;
	check_value(WORDS, "00000000: 6b65 793d 6f66  key=of\n"
			   "00000006: 2077 6f72 6473   words\n"
			   "0000000c: 2020 616e 6420    and \n"
			   "00000012: 6d6f 7265 0a    more.\n",
		    "00000000: 6b65 793d " A_HEX ".\n");
	check_value(WORDS, "00000000  6f 66 20 77 6f 72 64 73  |of words|\n"
			   "00000008  20 20 61 6e 64 20 6d 6f  |  and mo|\n"
			   "00000010  72 65 0a                 |re.|\n"
			   "00000013\n",
		    "00000000  " A_HEX ".|\n00000013\n");
	check_value(WORDS, "000000 6f 66 20 77  >of w<\n"
			   "000004 6f 72 64 73  >ords<\n"
			   "000008 20 20 61 6e  >  an<\n"
			   "00000c 64 20 6d 6f  >d mo<\n"
			   "000010 72 65        >re<\n",
		    "000000 " A_HEX "<\n");
}

// od -c and hexdump -c print them as they are.
static void test_characters_that_begin_text(void **state)
{
	(void)state;
	check_value("a | b > c|def", "0000000   a       |       b       >       c   |   d   e   f   .\n0000016\n",
		    "0000000   " A "   .\n0000016\n");
	check_value("ab |cdefghi", "0000000   a   b       |\n0000004   c   d   e   f\n0000010   g   h   i   .\n",
		    "0000000   " A "   .\n");
	check_value("a value|of four", "0000000 141 040 166 141 154 165 145 174  >a value|<\n"
				       "0000010 157 146 040 146 157 165 162      >of four<\n",
		    "0000000 [ENVSEAL:REDACTED A octal]      >of four<\n");
}

// Lines that are no dump stand between: nothing goes on over them.
// Whatever the place of a line's first digits among the blocks that are looked at in one go, and however many they are.
static void test_survey_of_every_place(void **state)
{
	(void)state;
	uint8_t text[200];
	for (size_t len = 64; len < sizeof(text); len++) {
		for (size_t at = 0; at < len; at++) {
			for (size_t digits = 5; digits < 8; digits++) {
				size_t end = at + digits < len ? at + digits : len;
				memset(text, 'x', sizeof(text));
				memset(text + at, 'c', end - at);
				assert_int_equal(survey_is_plain(span_of(text, len), true), at > 0 || digits < 6);
				if (at > 0)
					text[at - 1] = '\n';
				assert_int_equal(survey_is_plain(span_of(text, len), true), end - at < 6);
				assert_int_equal(survey_is_plain_portable(span_of(text, len), true), end - at < 6);
				assert_int_equal(survey_is_plain(span_of(text, len), false), at == 0 || end - at < 6);
				text[len - at - 1] = 0x1b;
				assert_false(survey_is_plain(span_of(text, len), false));
			}
		}
	}
}

static void test_broken_dumps(void **state)
{
	(void)state;
	check("00000000: 746f 6b2d 3466  tok-4f\n*\n00000030: 3963 3265 3731 6162  9c2e71ab\n",
	      "00000000: 746f 6b2d 3466  tok-4f\n*\n00000030: 3963 3265 3731 6162  9c2e71ab\n");
	check("00000: 746f 6b2d 3466  tok-4f\n00030: 3963 3265 3731 6162  9c2e71ab\n",
	      "00000: 746f 6b2d 3466  tok-4f\n00030: 3963 3265 3731 6162  9c2e71ab\n");
	check("\033[1m00000000\033[m: 746f \033[32m6b2d 3466\033[m  tok-4f\n00000006: 3963 3265 3731 6162  9c2e71ab\n",
	      "\033[1m00000000\033[m: " A_HEX "\033[32m\033[m\n");
}

// ------------------------------------------------------------------------------------------- holding, silence, the end

static void feed_text(struct bench *b, const char *text, size_t held)
{
	feed(b, span_text(text));
	assert_int_equal(filter_held(b->filter), held);
}

static void test_held_through_escapes(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL(VALUE)};
	struct bench b = bench_of_values(values, 1);
	bench_start(&b, 2000);
	feed_text(&b, "$ tok-\033[3", 7);
	assert_got(&b, "$ ");
	feed_text(&b, "1m4f", 11);
	feed_text(&b, "\n", 12);
	feed_text(&b, "\n.", 0);
	assert_got(&b, "$ tok-\033[31m4f\n\n.");
	feed_text(&b, "\033]0;", 0);
	feed_text(&b, "tok", 3);
	bench_stop(&b);
	bench_done(&b);
}

static void test_nothing_is_held_behind_a_gap(void **state)
{
	(void)state;
	char spaces[520];
	gap_text(spaces, sizeof(spaces), "", 512, "");
	struct span values[] = {SPAN_LITERAL(VALUE)};
	struct bench b = bench_of_values(values, 1);
	bench_start(&b, 2000);
	feed_text(&b, "tok-4", 5);
	feed_text(&b, spaces, 517);
	feed_text(&b, " ", 0);
	feed_text(&b, "f", 0);
	bench_stop(&b);
	bench_done(&b);
}

static void test_end_in_colours(void **state)
{
	(void)state;
	check("> tok-4\033[m", "> tok-4\033[m");
	check("> tok-\033[31m4f\033[m", "> " A "\033[31m\033[m");
	check("> tok-4f \n", "> " A " \n");
	check("00000000: 746f 6b2d ", "00000000: " A_HEX " ");
}

static void test_silence_in_colours(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL(VALUE)};
	struct bench b = bench_of_values(values, 1);
	bench_start(&b, 100);
	feed_text(&b, "to\033[mk", 6);
	assert_true(filter_can_show(b.filter));
	assert_int_equal(filter_quiet(b.filter, &err), 0);
	assert_got(&b, "to\033[mk");
	feed_text(&b, "\033[1m-", 5);
	assert_false(filter_can_show(b.filter));
	assert_int_equal(filter_quiet(b.filter, &err), 0);
	assert_got(&b, "to\033[mk");
	feed_text(&b, "4f9c2e71ab.", 0);
	assert_got(&b, "to\033[mk" A "\033[1m.");
	assert_true(b.got.leaks[0].partial);
	bench_stop(&b);
	bench_done(&b);
}

static void test_plain_lane_alone(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL(VALUE)};
	struct bench b = bench_of_values(values, 1);
	b.needles.plain_only = true;
	redactor_disable_shadow(b.redactor);
	check_text(&b, "tok-4f\033[m9c2e71ab " VALUE, "tok-4f\033[m9c2e71ab " A);
	bench_done(&b);
}

// Of more than 4096 bytes of escapes the first go, a sequence as a whole.
static void test_most_escapes_that_are_kept(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf stream = BUF_INIT(1 << 16);
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);
	const char *value = VALUE;
	assert_int_equal(buf_append_text(&text, A, &err), 0);
	for (size_t i = 0; i < 14; i++) {
		char title[500];
		gap_text(title, sizeof(title), "\033]0;", 395, "\007");
		title[4] = (char)('a' + i);
		assert_int_equal(buf_append_byte(&stream, (uint8_t)value[i], &err), 0);
		if (i < 13)
			assert_int_equal(buf_append_text(&stream, title, &err), 0);
		if (i >= 3 && i < 13)
			assert_int_equal(buf_append_text(&text, title, &err), 0);
	}
	check(buf_text(&stream), buf_text(&text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_colours_are_kept),
		cmocka_unit_test(test_value_in_a_title),
		cmocka_unit_test(test_sequences_that_do_not_end),
		cmocka_unit_test(test_weak_value_between_colours),
		cmocka_unit_test(test_escapes_of_a_value_itself_are_masked),
		cmocka_unit_test(test_wrapped_values),
		cmocka_unit_test(test_underlined_and_wrapped),
		cmocka_unit_test(test_longest_gap),
		cmocka_unit_test(test_weak_value_behind_a_gap),
		cmocka_unit_test(test_xxd),
		cmocka_unit_test(test_hexdump),
		cmocka_unit_test(test_od),
		cmocka_unit_test(test_text_with_spaces),
		cmocka_unit_test(test_characters_that_begin_text),
		cmocka_unit_test(test_survey_of_every_place),
		cmocka_unit_test(test_broken_dumps),
		cmocka_unit_test(test_held_through_escapes),
		cmocka_unit_test(test_nothing_is_held_behind_a_gap),
		cmocka_unit_test(test_end_in_colours),
		cmocka_unit_test(test_silence_in_colours),
		cmocka_unit_test(test_plain_lane_alone),
		cmocka_unit_test(test_most_escapes_that_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
