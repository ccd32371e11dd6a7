#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "redact_bench.h"

// --------------------------------------------------------------------------------------------------- every split

static void value_make(uint8_t *value, size_t len)
{
	uint64_t seed = len;
	for (size_t i = 0; i < len; i++)
		value[i] = (uint8_t)rand_next(&seed);
}

static void stream_add(struct buf *stream, struct span bytes)
{
	assert_int_equal(buf_append(stream, bytes, &err), 0);
}

// Needle, half a needle and another one, with something between; twice the half at the end.
static void stream_make(struct buf *stream, struct span needle)
{
	struct span half = span_of(needle.data, needle.len / 2);
	stream_add(stream, SPAN_LITERAL("say: "));
	stream_add(stream, needle);
	stream_add(stream, SPAN_LITERAL("."));
	stream_add(stream, half);
	stream_add(stream, needle);
	stream_add(stream, needle);
	stream_add(stream, SPAN_LITERAL(" "));
	stream_add(stream, half);
	stream_add(stream, half);
}

static void check_bytes(struct bench *b, struct span stream)
{
	struct oracle_result want;
	oracle_run(&b->needles, stream, &want);
	check_pieces(b, &want, stream, 1, 1);
	oracle_result_done(&want);
}

static void check_large_cuts(struct bench *b, struct span stream, size_t needle_bytes)
{
	struct oracle_result want;
	oracle_run(&b->needles, stream, &want);
	size_t n = needle_bytes;
	size_t half = n / 2;
	const size_t edges[] = {5,
				5 + n,
				6 + n,
				6 + n + half,
				6 + 2 * n + half,
				6 + 3 * n + half,
				7 + 3 * n + half,
				stream.len - half,
				stream.len};
	for (size_t i = 0; i < ARRAY_COUNT(edges); i++)
		for (size_t cut = edges[i] - 1; cut <= edges[i] + 1 && cut <= stream.len; cut++)
			check_cut(b, &want, stream, cut);
	uint64_t seed = needle_bytes;
	for (size_t i = 0; i < 8; i++)
		check_cut(b, &want, stream, rand_next(&seed) % stream.len);
	check_pieces(b, &want, stream, 1, 1);
	check_pieces(b, &want, stream, 100, 2);
	oracle_result_done(&want);
}

// Cuts for the first needle of each form, everywhere or where something begins or ends; single bytes for all.
static void check_value(size_t value_bytes, bool is_small)
{
	uint8_t *value = malloc(value_bytes);
	assert_non_null(value);
	value_make(value, value_bytes);
	struct span values[] = {span_of(value, value_bytes)};
	struct bench b = bench_of_values(values, 1);
	for (size_t i = 0; i < b.needles.count; i++) {
		_cleanup_buf_ struct buf stream = BUF_INIT(1 << 24);
		const struct needle *needle = &b.needles.list[i];
		bool is_first = i == 0 || needle->form != b.needles.list[i - 1].form;
		stream_make(&stream, needle->bytes);
		if (is_first && is_small)
			check_stream(&b, buf_span(&stream));
		else if (is_first)
			check_large_cuts(&b, buf_span(&stream), needle->bytes.len);
		else if (value_bytes <= 64)
			check_bytes(&b, buf_span(&stream));
	}
	bench_done(&b);
	free(value);
}

static void test_every_cut_of_every_form(void **state)
{
	(void)state;
	const size_t sizes[] = {1, 2, 3, 8, 20, 64};
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++)
		check_value(sizes[i], sizes[i] <= 8);
}

static void test_cuts_of_a_value_of_1000_bytes(void **state)
{
	(void)state;
	check_value(1000, false);
}

static void test_cuts_of_a_value_of_100000_bytes(void **state)
{
	(void)state;
	check_value(100000, false);
}

static void test_every_cut_of_short_needles_without_boundaries(void **state)
{
	(void)state;
	static const char *const texts[] = {"x", "xy", "xyz"};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct bench b = bench_of_texts(texts + i, 1);
		check_stream(&b, SPAN_LITERAL("xyzxxyxyzzyxxyxyxyz xx xyxy"));
		bench_done(&b);
	}
}

static void test_random_cuts_of_a_long_stream(void **state)
{
	(void)state;
	static const char letters[] = "0123456789abcdefXYZ+/-_= \n";
	uint8_t value[3][32];
	struct span values[3];
	for (size_t i = 0; i < 3; i++) {
		value_make(value[i], sizeof(value[i]) - i);
		values[i] = span_of(value[i], sizeof(value[i]) - i);
	}
	struct bench b = bench_of_values(values, 3);
	_cleanup_buf_ struct buf stream = BUF_INIT(1 << 24);
	uint64_t seed = 99;
	while (stream.len < 60000) {
		for (size_t i = rand_next(&seed) % 200; i > 0; i--)
			stream_add(&stream, span_of(letters + rand_next(&seed) % (sizeof(letters) - 1), 1));
		struct span needle = b.needles.list[rand_next(&seed) % b.needles.count].bytes;
		size_t part = rand_next(&seed) % needle.len;
		stream_add(&stream, span_of(needle.data, rand_next(&seed) % 3 ? needle.len : part));
	}
	struct oracle_result want;
	oracle_run(&b.needles, buf_span(&stream), &want);
	assert_true(want.leak_count > 100);
	const size_t most[] = {1, 2, 7, 64, 1000, 30000};
	for (size_t i = 0; i < ARRAY_COUNT(most); i++)
		for (uint64_t round = 0; round < 5; round++)
			check_pieces(&b, &want, buf_span(&stream), most[i], round);
	oracle_result_done(&want);
	bench_done(&b);
}

// ---------------------------------------------------------------------------------------- overlaps and special cases

static void test_periodic_needle(void **state)
{
	(void)state;
	static const char *const texts[] = {"aab"};
	struct bench b = bench_of_texts(texts, 1);
	check_text(&b, "aaab", "a[ENVSEAL:REDACTED A]");
	check_text(&b, "aaaab-aaaaa", "aa[ENVSEAL:REDACTED A]-aaa[ENVSEAL:REDACTED A]");
	bench_done(&b);
}

// The periods of a value in lines as those of xxd, all of their text column.
static void stream_add_dump(struct buf *stream, struct span unit, size_t lines)
{
	for (size_t at = 0; at < 16 * lines; at += 16) {
		char line[96];
		int len = snprintf(line, sizeof(line), "%08zx: 6b33 596d 716b 3359 6d71 6b33 596d 716b  ", at);
		for (size_t i = 0; i < 16; i++)
			line[len++] = ((const char *)unit.data)[(at + i) % unit.len];
		line[len++] = '\n';
		stream_add(stream, span_of(line, (size_t)len));
	}
}

// Runs of a period, some of them with white space in each or a long gap within, which end anywhere; one value goes on
// where another one ends.
static void test_periods_without_end(void **state)
{
	(void)state;
	const struct span values[] = {SPAN_LITERAL("k3Ymqk3Ymqk3Ymqk3Ymqk3Ymqk3"), SPAN_LITERAL("qk3Ymqk3Ymqk3Ymqk3Ymqk3Ymqk3Ym-tail"),
				      SPAN_LITERAL("YmqYmqYmqYmqYmqYmqYmqYm")};
	const struct span units[] = {SPAN_LITERAL("k3Ymq"), SPAN_LITERAL("Ymq"), SPAN_LITERAL("k3\nYmq"),
				     SPAN_LITERAL("a3NZbXFrM1ltcWszWW1xazNZbXFrM1ltcWszWW1xaz")};
	struct bench b = bench_of_values(values, ARRAY_COUNT(values));
	_cleanup_buf_ struct buf stream = BUF_INIT(1 << 24);
	uint64_t seed = 7;
	while (stream.len < 100000) {
		struct span unit = units[rand_next(&seed) % ARRAY_COUNT(units)];
		for (size_t i = rand_next(&seed) % 400; i > 0; i--)
			stream_add(&stream, unit);
		stream_add(&stream, SPAN_LITERAL("\n"));
		for (size_t i = rand_next(&seed) % 8; i > 0; i--, stream_add(&stream, SPAN_LITERAL("between\n")))
			stream_add_dump(&stream, units[0], 5 * (rand_next(&seed) % 9));
		for (size_t i = rand_next(&seed) % 4 ? 0 : rand_next(&seed) % 1000; i > 0; i--)
			stream_add(&stream, SPAN_LITERAL(" "));
		stream_add(&stream, span_of(unit.data, rand_next(&seed) % unit.len));
		stream_add(&stream, rand_next(&seed) % 2 ? SPAN_LITERAL("-tail") : SPAN_LITERAL("~"));
	}
	struct oracle_result want;
	oracle_run(&b.needles, buf_span(&stream), &want);
	assert_true(want.leak_count > 20);
	const size_t most[] = {7, 1000, 30000, 70000};
	for (size_t i = 0; i < ARRAY_COUNT(most); i++)
		check_pieces(&b, &want, buf_span(&stream), most[i], i);
	oracle_result_done(&want);
	bench_done(&b);
}

static void test_overlapping_matches_are_one_mask(void **state)
{
	(void)state;
	static const char *const texts[] = {"abcd", "cdef"};
	struct bench b = bench_of_texts(texts, 2);
	check_text(&b, "<abcdef>", "<[ENVSEAL:REDACTED A, B]>");
	check_text(&b, "<abcdabcd>", "<[ENVSEAL:REDACTED A][ENVSEAL:REDACTED A]>");
	check_text(&b, "<cdefabcd>", "<[ENVSEAL:REDACTED B][ENVSEAL:REDACTED A]>");
	bench_done(&b);
}

static void test_nested_matches_are_all_named(void **state)
{
	(void)state;
	static const char *const texts[] = {"aa", "aaaa", "a", "baaaab"};
	struct bench b = bench_of_texts(texts, 4);
	check_text(&b, ".a.", ".[ENVSEAL:REDACTED C].");
	check_text(&b, ".aaa.", ".[ENVSEAL:REDACTED A, C].");
	check_text(&b, ".baaaab.", ".[ENVSEAL:REDACTED A, B, C, D].");
	check_text(&b, "baaaa.", "b[ENVSEAL:REDACTED A, B, C].");
	bench_done(&b);
}

// Found one after the other, and joined by a match that is known only later.
static void test_late_match_joins_earlier_ones(void **state)
{
	(void)state;
	static const char *const texts[] = {"bc", "ef", "cdefgh", "xbcdefgy"};
	struct bench b = bench_of_texts(texts, 4);
	check_text(&b, "abcdefghi", "a[ENVSEAL:REDACTED A, B, C]i");
	check_text(&b, "abcdefgzi", "a[ENVSEAL:REDACTED A]d[ENVSEAL:REDACTED B]gzi");
	check_text(&b, "xbcdefgy", "[ENVSEAL:REDACTED A, B, D]");
	bench_done(&b);
}

static void test_equal_values_are_all_named(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL("correct horse"), SPAN_LITERAL("another one"),
				SPAN_LITERAL("correct horse")};
	struct bench b = bench_of_values(values, 3);
	check_text(&b, "correct horse", "[ENVSEAL:REDACTED A, C]");
	check_text(&b, "636f727265637420686f727365", "[ENVSEAL:REDACTED A hex, C hex]");
	check_text(&b, "636F727265637420686F727365", "[ENVSEAL:REDACTED A HEX, C HEX]");
	check_text(&b, "Y29ycmVjdCBob3JzZQ==", "[ENVSEAL:REDACTED A base64, C base64]Q==");
	bench_done(&b);
}

static void test_value_that_is_another_ones_encoding(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL("correct horse"), SPAN_LITERAL("636f727265637420686f727365"),
				SPAN_LITERAL("x636f727265637420686f727365")};
	struct bench b = bench_of_values(values, 3);
	check_text(&b, "correct horse", "[ENVSEAL:REDACTED A]");
	check_text(&b, "636f727265637420686f727365", "[ENVSEAL:REDACTED A hex, B]");
	check_text(&b, "x636f727265637420686f727365", "[ENVSEAL:REDACTED A hex, B, C]");
	bench_done(&b);
}

static void test_mask_text_as_value(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL("[ENVSEAL:REDACTED A]"), SPAN_LITERAL("REDACTED")};
	struct bench b = bench_of_values(values, 2);
	check_text(&b, "<[ENVSEAL:REDACTED A]>", "<[ENVSEAL:REDACTED A, B]>");
	check_text(&b, "REDACTED REDACTED", "[ENVSEAL:REDACTED B] [ENVSEAL:REDACTED B]");
	bench_done(&b);
}

static void test_weak_values_match_between_boundaries(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL("1234"), SPAN_LITERAL("-")};
	struct bench b = bench_of_values(values, 2);
	check_text(&b, "1234", "[ENVSEAL:REDACTED A]");
	check_text(&b, "x1234 12345 _1234 1234_", "x1234 12345 _1234 1234_");
	check_text(&b, "(1234) 1234\n1234", "([ENVSEAL:REDACTED A]) [ENVSEAL:REDACTED A]\n[ENVSEAL:REDACTED A]");
	check_text(&b, "a-b --c- -", "a-b [ENVSEAL:REDACTED B]-c- [ENVSEAL:REDACTED B]");
	check_text(&b, "31234", "31234");
	bench_done(&b);
}

static void test_trimmed_newline(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL("correct horse\n")};
	struct bench b = bench_of_values(values, 1);
	check_text(&b, "[correct horse]", "[[ENVSEAL:REDACTED A]]");
	check_text(&b, "correct horse\nX", "[ENVSEAL:REDACTED A]\nX");
	bench_done(&b);
}

static void test_no_values(void **state)
{
	(void)state;
	struct span none[] = {SPAN_LITERAL("")};
	for (size_t count = 0; count < 2; count++) {
		struct bench b = bench_of_values(none, count);
		check_text(&b, "everything passes", "everything passes");
		bench_done(&b);
	}
}

// -------------------------------------------------------------------------------------- holding, silence and the end

static void test_nothing_is_held_without_a_prefix(void **state)
{
	(void)state;
	static const char *const texts[] = {"correct horse"};
	struct bench b = bench_of_texts(texts, 1);
	bench_start(&b, 100);
	feed(&b, SPAN_LITERAL("Password: "));
	assert_got(&b, "Password: ");
	assert_int_equal(filter_held(b.filter), 0);
	feed(&b, SPAN_LITERAL("corr"));
	assert_got(&b, "Password: ");
	assert_int_equal(filter_held(b.filter), 4);
	feed(&b, SPAN_LITERAL("ecorre"));
	assert_got(&b, "Password: corre");
	assert_int_equal(filter_held(b.filter), 5);
	feed(&b, SPAN_LITERAL("ct horse"));
	assert_got(&b, "Password: corre[ENVSEAL:REDACTED A]");
	assert_int_equal(filter_held(b.filter), 0);
	bench_stop(&b);
	bench_done(&b);
}

// The longest possible continuation counts, and bytes already known to be masked are not held.
static void test_held_bytes_of_nested_needles(void **state)
{
	(void)state;
	static const char *const texts[] = {"bcd", "abcdefgh", "dxyz"};
	struct bench b = bench_of_texts(texts, 3);
	bench_start(&b, 100);
	feed(&b, SPAN_LITERAL("-abcde"));
	assert_got(&b, "-");
	assert_int_equal(filter_held(b.filter), 2);
	feed(&b, SPAN_LITERAL("-"));
	assert_got(&b, "-a[ENVSEAL:REDACTED A]e-");
	feed(&b, SPAN_LITERAL("bcd"));
	assert_int_equal(filter_held(b.filter), 0);
	assert_got(&b, "-a[ENVSEAL:REDACTED A]e-");
	feed(&b, SPAN_LITERAL("xyz"));
	assert_got(&b, "-a[ENVSEAL:REDACTED A]e-[ENVSEAL:REDACTED A, C]");
	bench_stop(&b);
	bench_done(&b);
}

static void test_end_of_stream(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL("correct horse battery"), SPAN_LITERAL("#12345678")};
	struct bench b = bench_of_values(values, 2);
	check_text(&b, ">corre", ">corre");
	check_text(&b, ">correc", ">[ENVSEAL:REDACTED A]");
	check_text(&b, ">#123", ">#123");
	check_text(&b, ">#1234", ">[ENVSEAL:REDACTED B]");
	bench_start(&b, 7);
	feed(&b, SPAN_LITERAL(">correc"));
	assert_int_equal(filter_end(b.filter, &err), 0);
	assert_int_equal(b.got.leak_count, 1);
	assert_int_equal(b.got.leaks[0].offset, 1);
	assert_int_equal(b.got.leaks[0].len, 6);
	assert_true(b.got.leaks[0].partial);
	bench_stop(&b);
	bench_done(&b);
}

static void test_leak_tells_where(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL("correct horse"), SPAN_LITERAL("battery staple")};
	struct bench b = bench_of_values(values, 2);
	bench_start(&b, 100);
	feed(&b, SPAN_LITERAL("0123456789 batter"));
	feed(&b, SPAN_LITERAL("y staple 636f727265637420686f727365 "));
	assert_int_equal(b.got.leak_count, 2);
	const struct redact_leak *leaks = b.got.leaks;
	assert_int_equal(leaks[0].offset, 11);
	assert_int_equal(leaks[0].len, 14);
	assert_int_equal(leaks[0].value_index, 1);
	assert_int_equal(leaks[0].form, REDACT_FORM_RAW);
	assert_false(leaks[0].partial);
	assert_int_equal(leaks[1].offset, 26);
	assert_int_equal(leaks[1].len, 26);
	assert_int_equal(leaks[1].value_index, 0);
	assert_int_equal(leaks[1].form, REDACT_FORM_HEX);
	bench_stop(&b);
	bench_done(&b);
}

static void feed_and_wait(struct bench *b, const char *text, bool can_show)
{
	feed(b, span_text(text));
	assert_int_equal(filter_can_show(b->filter), can_show);
	assert_int_equal(filter_quiet(b->filter, &err), 0);
	assert_false(filter_can_show(b->filter));
}

static void test_exposure_budget(void **state)
{
	(void)state;
	static const char *const texts[] = {"correct horse", "#2345678"};
	struct bench b = bench_of_texts(texts, 2);
	bench_start(&b, 100);
	feed_and_wait(&b, "y/n? ", false);
	feed_and_wait(&b, "cor", true);
	assert_got(&b, "y/n? cor");
	feed_and_wait(&b, "r", false);
	feed_and_wait(&b, "ect hors", false);
	assert_got(&b, "y/n? cor");
	assert_int_equal(filter_held(b.filter), 9);
	feed(&b, SPAN_LITERAL("e"));
	assert_got(&b, "y/n? cor[ENVSEAL:REDACTED A]");
	assert_int_equal(b.got.leak_count, 1);
	assert_int_equal(b.got.leaks[0].offset, 8);
	assert_int_equal(b.got.leaks[0].len, 10);
	assert_true(b.got.leaks[0].partial);
	// Two bytes are a quarter of eight, three are not.
	feed_and_wait(&b, "#2", true);
	feed_and_wait(&b, "-#23", false);
	assert_got(&b, "y/n? cor[ENVSEAL:REDACTED A]#2-");
	bench_stop(&b);
	bench_done(&b);
}

// One character at a time, with a silence after each.
static void test_silence_does_not_print_a_value(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL("correct horse battery staple")};
	static const char *const texts[] = {"correct horse battery staple"};
	struct bench b = bench_of_texts(texts, 1);
	bench_start(&b, values[0].len);
	for (size_t i = 0; i < values[0].len; i++)
		feed_and_wait(&b, (char[]){(char)values[0].data[i], 0}, i < 3);
	assert_got(&b, "cor[ENVSEAL:REDACTED A]");
	bench_stop(&b);
	bench_done(&b);
}

// Every needle that the held bytes may become has a say, the shorter suffixes too.
static void test_exposure_of_several_needles(void **state)
{
	(void)state;
	static const char *const texts[] = {"abcdefghijklmnop", "cx", "abc1"};
	struct bench b = bench_of_texts(texts, 3);
	bench_start(&b, 100);
	feed_and_wait(&b, "a", true);
	feed_and_wait(&b, "b", false);
	bench_stop(&b);
	bench_done(&b);
	b = bench_of_texts(texts, 2);
	bench_start(&b, 100);
	feed_and_wait(&b, "ab", true);
	feed_and_wait(&b, "c", false);
	assert_got(&b, "ab");
	bench_stop(&b);
	bench_done(&b);
}

static void test_silence_shows_a_finished_mask(void **state)
{
	(void)state;
	static const char *const texts[] = {"abcd", "cdefghij"};
	struct bench b = bench_of_texts(texts, 2);
	bench_start(&b, 100);
	feed(&b, SPAN_LITERAL(">abcd"));
	assert_got(&b, ">");
	feed_and_wait(&b, "", true);
	assert_got(&b, ">[ENVSEAL:REDACTED A]");
	feed(&b, SPAN_LITERAL("efghij"));
	assert_got(&b, ">[ENVSEAL:REDACTED A][ENVSEAL:REDACTED B]");
	assert_int_equal(b.got.leaks[1].offset, 5);
	assert_int_equal(b.got.leaks[1].len, 6);
	assert_false(b.got.leaks[1].partial);
	bench_stop(&b);
	bench_done(&b);
}

static void test_silence_keeps_a_weak_value_that_waits(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL("-"), SPAN_LITERAL("1234")};
	struct bench b = bench_of_values(values, 2);
	bench_start(&b, 100);
	feed_and_wait(&b, "1234", false);
	assert_int_equal(filter_held(b.filter), 4);
	assert_got(&b, "");
	feed(&b, SPAN_LITERAL("5 "));
	assert_got(&b, "12345 ");
	feed_and_wait(&b, "1234", false);
	assert_int_equal(filter_end(b.filter, &err), 0);
	assert_got(&b, "12345 [ENVSEAL:REDACTED B]");
	bench_stop(&b);
	bench_done(&b);
}

// ----------------------------------------------------------------------------------------------- the sink, and sizes

struct probe {
	struct span expected; // the one span that may come
	size_t calls;
	int answer;
};

static int probe_write(void *context, struct span bytes, struct err *e)
{
	struct probe *probe = context;
	probe->calls++;
	assert_ptr_equal(bytes.data, probe->expected.data);
	assert_int_equal(bytes.len, probe->expected.len);
	return probe->answer < 0 ? err_set(e, ERR_SYSTEM, "the reader went away") : probe->answer;
}

static void test_clean_bytes_are_not_copied(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL("correct horse")};
	struct bench b = bench_of_values(values, 1);
	struct span text = SPAN_LITERAL("some clean text, and cor");
	struct probe probe = {.expected = span_of(text.data, text.len - 3)};
	struct redact_sink sink = {.write = probe_write, .context = &probe};
	assert_int_equal(filter_new(b.redactor, &sink, &b.filter, &err), 0);
	feed(&b, text);
	assert_int_equal(probe.calls, 1);
	filter_free(b.filter);
	bench_done(&b);
}

static void test_sink_failure_is_returned(void **state)
{
	(void)state;
	struct span values[] = {SPAN_LITERAL("correct horse")};
	struct bench b = bench_of_values(values, 1);
	struct span text = SPAN_LITERAL("one correct horse two");
	const int answers[] = {ERR_SYSTEM, 5};
	for (size_t i = 0; i < ARRAY_COUNT(answers); i++) {
		struct probe probe = {.expected = span_of(text.data, 4), .answer = answers[i]};
		struct redact_sink sink = {.write = probe_write, .context = &probe};
		assert_int_equal(filter_new(b.redactor, &sink, &b.filter, &err), 0);
		assert_int_equal(filter_feed(b.filter, text, &err), answers[i]);
		assert_int_equal(probe.calls, 1);
		b.filter = filter_free(b.filter);
	}
	bench_done(&b);
}

static void test_largest_value(void **state)
{
	(void)state;
	uint8_t *value = malloc(SECRET_VALUE_BYTES_MAX);
	assert_non_null(value);
	value_make(value, SECRET_VALUE_BYTES_MAX);
	// One line: else every line is a match before the whole is one, and what is in a match is not held.
	for (size_t i = 0; i < SECRET_VALUE_BYTES_MAX; i++)
		value[i] = value[i] == '\n' ? 'n' : value[i];
	struct redact_value values[] = {{"A", span_of(value, SECRET_VALUE_BYTES_MAX)}};
	struct bench b = {0};
	assert_int_equal(redactor_new(values, 1, &b.redactor, &err), 0);
	// 2 + 6 * 4/3 + 2 * 2 needle bytes for each of the value
	assert_true(redactor_bytes(b.redactor) < (size_t)SECRET_VALUE_BYTES_MAX * 14 * 10);
	bench_start(&b, SECRET_VALUE_BYTES_MAX);
	feed(&b, span_of(value, SECRET_VALUE_BYTES_MAX - 1));
	assert_int_equal(filter_held(b.filter), SECRET_VALUE_BYTES_MAX - 1);
	feed(&b, span_of(value + SECRET_VALUE_BYTES_MAX - 1, 1));
	assert_got(&b, "[ENVSEAL:REDACTED A]");
	bench_stop(&b);
	bench_done(&b);
	free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut_of_every_form),
		cmocka_unit_test(test_cuts_of_a_value_of_1000_bytes),
		cmocka_unit_test(test_cuts_of_a_value_of_100000_bytes),
		cmocka_unit_test(test_every_cut_of_short_needles_without_boundaries),
		cmocka_unit_test(test_random_cuts_of_a_long_stream),
		cmocka_unit_test(test_periodic_needle),
		cmocka_unit_test(test_periods_without_end),
		cmocka_unit_test(test_overlapping_matches_are_one_mask),
		cmocka_unit_test(test_nested_matches_are_all_named),
		cmocka_unit_test(test_late_match_joins_earlier_ones),
		cmocka_unit_test(test_equal_values_are_all_named),
		cmocka_unit_test(test_value_that_is_another_ones_encoding),
		cmocka_unit_test(test_mask_text_as_value),
		cmocka_unit_test(test_weak_values_match_between_boundaries),
		cmocka_unit_test(test_trimmed_newline),
		cmocka_unit_test(test_no_values),
		cmocka_unit_test(test_nothing_is_held_without_a_prefix),
		cmocka_unit_test(test_held_bytes_of_nested_needles),
		cmocka_unit_test(test_end_of_stream),
		cmocka_unit_test(test_leak_tells_where),
		cmocka_unit_test(test_exposure_budget),
		cmocka_unit_test(test_silence_does_not_print_a_value),
		cmocka_unit_test(test_exposure_of_several_needles),
		cmocka_unit_test(test_silence_shows_a_finished_mask),
		cmocka_unit_test(test_silence_keeps_a_weak_value_that_waits),
		cmocka_unit_test(test_clean_bytes_are_not_copied),
		cmocka_unit_test(test_sink_failure_is_returned),
		cmocka_unit_test(test_largest_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
