// A question on its way to a console in another process: it arrives as it was, and what is none is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "approve/approve.h"

static struct err err;

static const struct ancestry askers = {
	.items = {{4711, "bash"}, {4700, "node claude\x1b[2J"}, {1, ""}}, .count = 3, .agent = "claude"};
static const char *const secrets[] = {"DATABASE_URL as $DATABASE_URL", "", "\xff\xfe as $B\x01"};
static const char *const dropped[] = {"LD_PRELOAD", "PYTHONPATH"};
static const char *const kept[] = {"PATH"};
static const char *const notes[] = {"the program has changed", "x\n  secrets     none"};
static const char *const readable[] = {"/home/user/.aws", "/home/user/.ssh\n  tier        hardened"};
static const char *const waiting[] = {"NEW: stored while locked"};
static char *argv[] = {"psql", "", "a b\n\x1b[31m\xe2\x80\xae", NULL};

static struct approval whole(void)
{
	return (struct approval){
		.action = "run", .askers = &askers, .secrets = secrets, .secret_count = 3, .program_path = "/usr/bin/psql",
		.program_kind = "a system file", .program_digest = "00ff", .interpreter_path = "/bin/sh", .argv = argv,
		.directory = "/home/user", .dropped = dropped, .dropped_count = 2, .dropped_more = 7, .kept = kept, .kept_count = 1,
		.tier = "standard", .readable = readable, .readable_count = 2, .writable = kept, .writable_count = 1,
		.network = "allow", .endpoints = notes, .endpoint_count = 1, .is_unshielded = true, .is_degradable = true, .level = "hardened", .notes = notes, .note_count = 2, .waiting = waiting, .waiting_count = 1,
		.reason = "to migrate", .offers_cool_down = true, .offers_values = true,
		.choices = 1u << APPROVAL_ONCE | 1u << APPROVAL_SESSION | 1u << APPROVAL_ALWAYS, .choice_seconds = 8 * 3600,
		.becomes = {[APPROVAL_SESSION] = "until the session ends", [APPROVAL_ALWAYS] = "as a rule"}};
}

// Of a change: what is not given is not given.
static struct approval least(void)
{
	static const struct ancestry nobody = {.items = {{7, "?"}}, .count = 1};
	return (struct approval){.action = "replace the value of", .askers = &nobody, .choices = 1u << APPROVAL_ONCE};
}

static void text_same(const char *a, const char *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a)
		assert_string_equal(a, b);
}

static void list_same(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++)
		text_same(a[i], b[i]);
}

static void askers_same(const struct ancestry *a, const struct ancestry *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		assert_int_equal(a->items[i].pid, b->items[i].pid);
		assert_string_equal(a->items[i].name, b->items[i].name);
	}
	text_same(a->agent, b->agent);
}

static void same(const struct approval *a, const struct approval *b)
{
	text_same(a->action, b->action);
	askers_same(a->askers, b->askers);
	list_same(a->secrets, a->secret_count, b->secrets, b->secret_count);
	text_same(a->program_path, b->program_path);
	text_same(a->program_kind, b->program_kind);
	text_same(a->program_digest, b->program_digest);
	text_same(a->interpreter_path, b->interpreter_path);
	assert_int_equal(a->argv == NULL, b->argv == NULL);
	for (size_t i = 0; a->argv && (i == 0 || a->argv[i - 1]); i++)
		text_same(a->argv[i], b->argv[i]);
	text_same(a->directory, b->directory);
	list_same(a->dropped, a->dropped_count, b->dropped, b->dropped_count);
	assert_int_equal(a->dropped_more, b->dropped_more);
	list_same(a->kept, a->kept_count, b->kept, b->kept_count);
	text_same(a->tier, b->tier);
	list_same(a->readable, a->readable_count, b->readable, b->readable_count);
	list_same(a->writable, a->writable_count, b->writable, b->writable_count);
	text_same(a->network, b->network);
	list_same(a->endpoints, a->endpoint_count, b->endpoints, b->endpoint_count);
	assert_int_equal(a->is_unshielded, b->is_unshielded);
	assert_int_equal(a->is_degradable, b->is_degradable);
	text_same(a->level, b->level);
	list_same(a->notes, a->note_count, b->notes, b->note_count);
	list_same(a->waiting, a->waiting_count, b->waiting, b->waiting_count);
	text_same(a->reason, b->reason);
	assert_int_equal(a->offers_cool_down, b->offers_cool_down);
	assert_int_equal(a->offers_values, b->offers_values);
	assert_int_equal(a->choices, b->choices);
	assert_int_equal(a->choice_seconds, b->choice_seconds);
	list_same(a->becomes, APPROVAL_CHOICE_COUNT, b->becomes, APPROVAL_CHOICE_COUNT);
}

static struct approval_copy *passed(const struct approval *approval)
{
	struct approval_copy *copy = NULL;
	_cleanup_buf_ struct buf bytes = BUF_INIT(APPROVAL_WIRE_BYTES_MAX), again = BUF_INIT(APPROVAL_WIRE_BYTES_MAX);
	assert_int_equal(approval_write(approval, &bytes, &err), 0);
	assert_int_equal(approval_read(buf_span(&bytes), &copy, &err), 0);
	assert_int_equal(approval_write(approval_of(copy), &again, &err), 0);
	assert_true(span_is_equal(buf_span(&bytes), buf_span(&again)));
	// Nothing of it is borrowed from what was read.
	memset(bytes.data, 0xee, bytes.len);
	return copy;
}

static void looks_the_same(const struct approval *a, const struct approval *b)
{
	_cleanup_buf_ struct buf one = BUF_INIT(1u << 20), other = BUF_INIT(1u << 20);
	assert_int_equal(approval_format(a, &one, &err), 0);
	assert_int_equal(approval_format(b, &other, &err), 0);
	assert_string_equal(buf_text(&one), buf_text(&other));
}

static void test_it_arrives_as_it_was(void **state)
{
	(void)state;
	struct approval approvals[] = {whole(), least()};
	for (size_t i = 0; i < ARRAY_COUNT(approvals); i++) {
		_cleanup_approval_copy_ struct approval_copy *copy = passed(&approvals[i]);
		same(&approvals[i], approval_of(copy));
		looks_the_same(&approvals[i], approval_of(copy));
	}
}

// They can be more than fit, and are only counted then: the question says the same of them.
static void test_many_dropped_variables(void **state)
{
	(void)state;
	static const char *names[30000];
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		names[i] = i % 3 == 0 ? "LD_A_RATHER_LONG_NAME" : "LD_\xff";
	static const size_t counts[] = {1, 40, 60, 70, 80, 90, 100, 200, ARRAY_COUNT(names)};
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
		struct approval approval = whole();
		approval.dropped = names;
		approval.dropped_count = counts[i];
		_cleanup_approval_copy_ struct approval_copy *copy = passed(&approval);
		const struct approval *there = approval_of(copy);
		assert_int_equal(there->dropped_count + there->dropped_more, counts[i] + 7);
		looks_the_same(&approval, there);
	}
}

// The worst that approval_format takes fits: many short texts.
static void test_what_can_be_read_fits(void **state)
{
	(void)state;
	static const char *names[8000];
	static char *words[4000];
	static const char *sentences[300];
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		names[i] = "";
	for (size_t i = 0; i + 1 < ARRAY_COUNT(words); i++)
		words[i] = "x";
	for (size_t i = 0; i < ARRAY_COUNT(sentences); i++)
		sentences[i] = "";
	struct approval approval = whole();
	approval.argv = words;
	approval.secrets = names;
	approval.notes = sentences;
	approval.note_count = 0;
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 20);
	for (approval.secret_count = ARRAY_COUNT(names);; approval.secret_count -= 100) {
		text.len = 0;
		if (approval_format(&approval, &text, &err) == 0)
			break;
	}
	assert_true(approval.secret_count > 3000);
	_cleanup_approval_copy_ struct approval_copy *copy = passed(&approval);
	same(&approval, approval_of(copy));
}

static void test_what_is_too_large_is_not_written(void **state)
{
	(void)state;
	static const char *names[20000];
	static char large[70000];
	memset(large, 'x', sizeof(large) - 1);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		names[i] = "";
	_cleanup_buf_ struct buf bytes = BUF_INIT(1u << 20);
	struct approval approval = whole();
	approval.notes = names;
	approval.note_count = ARRAY_COUNT(names);
	assert_int_equal(approval_write(&approval, &bytes, &err), ERR_LIMIT);
	approval = whole();
	approval.reason = large;
	assert_int_equal(approval_write(&approval, &bytes, &err), ERR_LIMIT);
	assert_int_equal(bytes.len, 0);
}

static void refused(struct span bytes)
{
	struct approval_copy *copy = NULL;
	assert_int_equal(approval_read(bytes, &copy, &err), ERR_INPUT);
	assert_null(copy);
}

static void test_cut_and_longer_ones_are_refused(void **state)
{
	(void)state;
	struct approval approval = whole();
	_cleanup_buf_ struct buf bytes = BUF_INIT(APPROVAL_WIRE_BYTES_MAX);
	assert_int_equal(approval_write(&approval, &bytes, &err), 0);
	for (size_t len = 0; len < bytes.len; len++) {
		uint8_t *part = malloc(len + 1); // of its own, so that a read behind it shows
		assert_non_null(part);
		memcpy(part, bytes.data, len);
		refused(span_of(part, len));
		free(part);
	}
	assert_int_equal(buf_append_byte(&bytes, 0, &err), 0);
	refused(buf_span(&bytes));
	static uint8_t much[APPROVAL_WIRE_BYTES_MAX + 1] = {1};
	refused(span_of(much, sizeof(much)));
}

// Whatever one byte becomes: refused, or a question that can be shown and is written the same again.
static void test_every_changed_byte(void **state)
{
	(void)state;
	struct approval approval = whole();
	_cleanup_buf_ struct buf bytes = BUF_INIT(APPROVAL_WIRE_BYTES_MAX);
	assert_int_equal(approval_write(&approval, &bytes, &err), 0);
	static const uint8_t values[] = {0, 1, 2, 0x7f, 0x80, 0xff};
	for (size_t at = 0; at < bytes.len; at++)
		for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
			_cleanup_approval_copy_ struct approval_copy *copy = NULL;
			uint8_t before = bytes.data[at];
			bytes.data[at] = values[i];
			int r = approval_read(buf_span(&bytes), &copy, &err);
			if (r == 0) {
				_cleanup_buf_ struct buf again = BUF_INIT(APPROVAL_WIRE_BYTES_MAX), text = BUF_INIT(1u << 20);
				assert_int_equal(approval_write(approval_of(copy), &again, &err), 0);
				assert_true(span_is_equal(buf_span(&bytes), buf_span(&again)));
				assert_int_equal(approval_format(approval_of(copy), &text, &err), 0);
			} else {
				assert_int_equal(r, ERR_INPUT);
			}
			bytes.data[at] = before;
		}
}

// A text with a NUL would be shown without what is behind it.
static void test_a_nul_is_refused(void **state)
{
	(void)state;
	struct approval approval = whole();
	_cleanup_buf_ struct buf bytes = BUF_INIT(APPROVAL_WIRE_BYTES_MAX);
	assert_int_equal(approval_write(&approval, &bytes, &err), 0);
	static const char *const texts[] = {"run", "bash", "claude", "/usr/bin/psql", "a system", "00ff", "/bin/sh", "/home",
					    "standard", "hardened", "to migrate", "psql", "DATABASE_URL as", "PYTHON", "PATH",
					    "the program", "NEW", "until", "as a rule"};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		uint8_t *at = memmem(bytes.data, bytes.len, texts[i], strlen(texts[i]));
		assert_non_null(at);
		uint8_t before = at[1];
		at[1] = 0;
		refused(buf_span(&bytes));
		at[1] = before;
	}
}

static void test_a_program_is_whole(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct approval approval = whole();
		if (i == 0)
			approval.program_kind = NULL;
		else if (i == 1)
			approval.program_digest = NULL;
		else if (i == 2)
			approval.directory = NULL;
		else
			approval.argv = NULL;
		_cleanup_buf_ struct buf bytes = BUF_INIT(APPROVAL_WIRE_BYTES_MAX);
		assert_int_equal(approval_write(&approval, &bytes, &err), 0);
		refused(buf_span(&bytes));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_arrives_as_it_was),
		cmocka_unit_test(test_many_dropped_variables),
		cmocka_unit_test(test_what_can_be_read_fits),
		cmocka_unit_test(test_what_is_too_large_is_not_written),
		cmocka_unit_test(test_cut_and_longer_ones_are_refused),
		cmocka_unit_test(test_every_changed_byte),
		cmocka_unit_test(test_a_nul_is_refused),
		cmocka_unit_test(test_a_program_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
