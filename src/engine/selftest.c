#include "engine/selftest.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

// ------------------------------------------------------------------------------------------------------- one specimen

static int specimen_test(struct selftest *test, const char *form, const struct specimen *specimen, struct err *err)
{
	static const char *const names[] = {[LAYOUT_PLAIN] = "plain", [LAYOUT_COLOURED] = "coloured",
					    [LAYOUT_WRAPPED] = "wrapped"};
	int r = 0;
	// An ESC of the value's own begins what a terminal takes for a sequence: such a form is looked for as it is only.
	bool is_plain_only = memchr(specimen->text.data, 0x1b, specimen->text.len) != NULL;
	for (enum selftest_layout layout = 0; r == 0 && layout < LAYOUT_COUNT; layout++) {
		if (is_plain_only && layout != LAYOUT_PLAIN)
			continue;
		_cleanup_specimen_ struct specimen laid = SPECIMEN_INIT;
		r = layout_apply(layout, specimen, &laid, err);
		if (r == 0)
			r = selftest_feed(test, form, names[layout], &laid, (struct span){0}, err);
	}
	return r;
}

static const struct redact_coverage *coverage_find(const struct selftest *test, const char *form)
{
	for (size_t i = 0; i < REDACT_FORM_COUNT; i++)
		if (strcmp(redact_form_name(test->coverage[i].form), form) == 0)
			return &test->coverage[i];
	return NULL;
}

static bool is_watched(const struct selftest *test, const char *form)
{
	const struct redact_coverage *coverage = coverage_find(test, form);
	return coverage && coverage->needle_count > 0;
}

// Written here, by code that the tables do not share.
static int encoders_test(struct selftest *test, struct err *err)
{
	int r = 0;
	for (size_t i = 0; i < selftest_encoder_count; i++) {
		const struct selftest_encoder *encoder = &selftest_encoders[i];
		for (unsigned variant = 0; r == 0 && is_watched(test, encoder->form) && variant < encoder->variants; variant++) {
			_cleanup_specimen_ struct specimen specimen = SPECIMEN_INIT;
			r = encoder->encode(test->value, variant, &specimen, err);
			if (r == 0 && specimen.to > specimen.from)
				r = specimen_test(test, encoder->form, &specimen, err);
		}
	}
	return r;
}

// Every byte string of the tables: found where it stands, whatever stands in the tables beside it.
static int needle_test(void *context, enum redact_form form, struct span bytes, struct err *err)
{
	_cleanup_specimen_ struct specimen specimen = SPECIMEN_INIT;
	int r = buf_append(&specimen.text, bytes, err);
	specimen.to = bytes.len;
	return r < 0 ? r : specimen_test(context, redact_form_name(form), &specimen, err);
}

// ------------------------------------------------------------------------------------------------------------- dumps

// What of a printed value must not come out: its digits, and its text.
static int dump_hidden(struct span value, bool text, struct buf *out, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < value.len; i++)
		if (text)
			r = buf_append_byte(out, value.data[i] >= 0x20 && value.data[i] < 0x7f ? value.data[i] : '.', err);
		else
			r = buf_printf(out, err, "%02x", value.data[i]);
	return r;
}

static int dump_test(struct selftest *test, bool canonical, struct err *err)
{
	_cleanup_specimen_ struct specimen specimen = SPECIMEN_INIT;
	int r = layout_dump(test->value, canonical, &specimen, err);
	for (int text = 0; r == 0 && text < 2; text++) {
		_cleanup_buf_ struct buf hidden = BUF_INIT(SELFTEST_TEXT_BYTES_MAX);
		r = dump_hidden(test->value, text == 1, &hidden, err);
		// A text column of nothing but points says nothing.
		bool counts = text == 0 || is_watched(test, "dump") || !memchr(hidden.data, '.', hidden.len);
		if (r == 0 && counts)
			r = selftest_feed(test, canonical ? "hexdump" : "xxd", text ? "text" : "digits", &specimen,
					  buf_span(&hidden), err);
	}
	return r;
}

// -------------------------------------------------------------------------------------------------------- everything

static int kind_test(const struct selftest_kind *kind, engine_notice_fn *failure, struct selftest_report *report,
		     struct err *err)
{
	_cleanup_buf_ struct buf value = BUF_INIT(SELFTEST_TEXT_BYTES_MAX), mask = BUF_INIT(128);
	_cleanup_redactor_ struct redactor *redactor = NULL;
	struct selftest test = {.kind = kind->name, .report = report, .failure = failure};
	int r = kind->make(&value, err);
	if (r == 0)
		r = buf_printf(&mask, err, "[ENVSEAL:REDACTED %s", kind->name);
	if (r < 0)
		return r;
	const struct redact_value values[] = {{kind->name, buf_span(&value)}};
	test.value = values[0].value;
	test.mask = buf_text(&mask);
	r = redactor_new(values, 1, &redactor, err);
	if (r == 0)
		r = redact_coverage(test.value, test.coverage, err);
	test.redactor = redactor;
	if (r == 0)
		r = encoders_test(&test, err);
	if (r == 0)
		r = redact_each_needle(test.value, needle_test, &test, err);
	if (r == 0)
		r = dump_test(&test, false, err);
	if (r == 0)
		r = dump_test(&test, true, err);
	return r;
}

// What keeps other processes of the same user out of this one's memory.
static void process_test(engine_notice_fn *failure, struct selftest_report *report)
{
	struct rlimit core;
	bool is_closed = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
	bool has_no_core = getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur <= 1 && core.rlim_max <= 1;
	selftest_count(report, "process", is_closed);
	selftest_count(report, "process", has_no_core);
	if (!is_closed)
		failure("process: other processes of this user can read its memory");
	if (!has_no_core)
		failure("process: it would leave a core dump");
}

// With one value of the commonest kind.
static int speed_test(struct selftest_report *report, struct err *err)
{
	_cleanup_buf_ struct buf value = BUF_INIT(SELFTEST_TEXT_BYTES_MAX);
	_cleanup_redactor_ struct redactor *redactor = NULL;
	int r = selftest_kinds[0].make(&value, err);
	const struct redact_value values[] = {{selftest_kinds[0].name, buf_span(&value)}};
	if (r == 0)
		r = redactor_new(values, 1, &redactor, err);
	return r == 0 ? selftest_speed(redactor, report, err) : r;
}

// In the order of the forms, whichever kind of value had the first case.
static void rows_prepare(struct selftest_report *report)
{
	static const char *const others[] = {"xxd", "hexdump", "process"};
	for (size_t i = 0; i < REDACT_FORM_COUNT; i++)
		report->rows[report->row_count++].what = redact_form_name((enum redact_form)i);
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		report->rows[report->row_count++].what = others[i];
}

static void rows_finish(struct selftest_report *report)
{
	size_t kept = 0;
	for (size_t i = 0; i < report->row_count; i++)
		if (report->rows[i].cases > 0)
			report->rows[kept++] = report->rows[i];
	report->row_count = kept;
}

int engine_selftest(engine_notice_fn *failure, struct selftest_report *out, struct err *err)
{
	struct selftest_report report = {0};
	int r = cipher_start(err);
	rows_prepare(&report);
	for (size_t i = 0; r == 0 && i < selftest_kind_count; i++)
		r = kind_test(&selftest_kinds[i], failure, &report, err);
	if (r == 0)
		r = speed_test(&report, err);
	if (r < 0)
		return r;
	process_test(failure, &report);
	rows_finish(&report);
	*out = report;
	return 0;
}
