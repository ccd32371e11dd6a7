#include "engine/selftest.h"

#include <stdio.h>
#include <string.h>

// Texts up to this many bytes are cut at every place; of longer ones the ends are, and places evenly between.
#define CUT_ALL_BYTES 160u
#define CUT_EDGE_BYTES 24u
#define CUT_BETWEEN 16u

void selftest_count(struct selftest_report *report, const char *what, bool is_good)
{
	size_t at = 0;
	while (strcmp(report->rows[at].what, what) != 0)
		at++;
	report->rows[at].cases++;
	report->rows[at].failed += !is_good;
	report->cases++;
	report->failed += !is_good;
}

static void selftest_told(struct selftest *test, const char *what, const char *how, const char *cut, size_t at,
			  const char *wrong)
{
	char sentence[256];
	if (test->report->failed >= SELFTEST_FAILURES_TOLD)
		return;
	snprintf(sentence, sizeof(sentence), "%s of %s, %s, %s%.0zu: %s", what, test->kind, how, cut, at, wrong);
	test->failure(sentence);
}

static int output_take(void *context, struct span bytes, struct err *err)
{
	return buf_append(context, bytes, err);
}

// The text in pieces: the first of `first` bytes, then ones of `step`.
static int text_filter(const struct redactor *redactor, struct span text, size_t first, size_t step, struct buf *out,
		       struct err *err)
{
	_cleanup_filter_ struct filter *filter = NULL;
	const struct redact_sink sink = {.write = output_take, .context = out};
	out->len = 0;
	int r = filter_new(redactor, &sink, &filter, err);
	for (size_t at = 0, len = first; r == 0 && at < text.len; at += len, len = step) {
		len = len < text.len - at ? len : text.len - at;
		r = filter_feed(filter, span_of(text.data + at, len), err);
	}
	return r == 0 ? filter_end(filter, err) : r;
}

// Whether as many bytes in a row of `hidden` are in `shown`.
static bool is_shown(struct span hidden, struct span shown)
{
	for (size_t i = 0; i + SELFTEST_SHOWN_MAX <= hidden.len; i++)
		if (memmem(shown.data, shown.len, hidden.data + i, SELFTEST_SHOWN_MAX))
			return true;
	return false;
}

// What is wrong with an output; NULL: nothing.
static const char *output_judge(const struct selftest *test, struct span hidden, const struct buf *out,
				const struct buf *stripped_out)
{
	const char *text = buf_text(out);
	if (!memmem(text, out->len, test->mask, strlen(test->mask)))
		return "there is no mask";
	if (is_shown(hidden, buf_span(out)) || is_shown(hidden, buf_span(stripped_out)))
		return "a part of the value came out";
	return NULL;
}

static int output_check(struct selftest *test, struct span hidden, const struct buf *out, const char **ret_wrong,
			struct err *err)
{
	_cleanup_buf_ struct buf stripped = BUF_INIT(SELFTEST_TEXT_BYTES_MAX);
	_cleanup_buf_ struct buf stripped_hidden = BUF_INIT(SELFTEST_TEXT_BYTES_MAX);
	int r = layout_strip(buf_span(out), &stripped, err);
	if (r == 0)
		r = layout_strip(hidden, &stripped_hidden, err);
	if (r == 0)
		*ret_wrong = output_judge(test, buf_span(&stripped_hidden), out, &stripped);
	return r;
}

static size_t cut_next(size_t at, size_t len)
{
	bool all = len <= CUT_ALL_BYTES || at < CUT_EDGE_BYTES || at + CUT_EDGE_BYTES >= len;
	size_t next = all ? at + 1 : at + len / CUT_BETWEEN;
	// From the middle into the last stretch, of which every place counts.
	return !all && next + CUT_EDGE_BYTES > len ? len - CUT_EDGE_BYTES : next;
}

static int selftest_cut(struct selftest *test, const char *what, const char *how, struct span text, const struct buf *whole,
			struct err *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(SELFTEST_TEXT_BYTES_MAX);
	int r = 0;
	for (size_t at = 1; r == 0 && at < text.len; at = cut_next(at, text.len)) {
		r = text_filter(test->redactor, text, at, text.len, &out, err);
		bool is_same = r == 0 && span_is_equal(buf_span(&out), buf_span(whole));
		if (r == 0 && !is_same)
			selftest_told(test, what, how, "cut at ", at, "another output than uncut");
		if (r == 0)
			selftest_count(test->report, what, is_same);
	}
	return r;
}

int selftest_feed(struct selftest *test, const char *what, const char *how, const struct specimen *specimen,
		  struct span hidden, struct err *err)
{
	_cleanup_buf_ struct buf whole = BUF_INIT(SELFTEST_TEXT_BYTES_MAX), bytes = BUF_INIT(SELFTEST_TEXT_BYTES_MAX);
	struct span text = buf_span(&specimen->text);
	const char *wrong = NULL;
	if (hidden.len == 0)
		hidden = span_of(text.data + specimen->from, specimen->to - specimen->from);
	int r = text_filter(test->redactor, text, text.len, text.len, &whole, err);
	if (r == 0)
		r = output_check(test, hidden, &whole, &wrong, err);
	if (r < 0)
		return r;
	if (wrong)
		selftest_told(test, what, how, "uncut", 0, wrong);
	selftest_count(test->report, what, !wrong);
	r = text_filter(test->redactor, text, 1, 1, &bytes, err);
	if (r < 0)
		return r;
	bool is_same = span_is_equal(buf_span(&bytes), buf_span(&whole));
	if (!is_same)
		selftest_told(test, what, how, "byte by byte", 0, "another output than uncut");
	selftest_count(test->report, what, is_same);
	return selftest_cut(test, what, how, text, &whole, err);
}
