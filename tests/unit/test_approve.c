// The question a human is asked: everything in it is inert, nothing in it can pretend to be something else.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "approve/approve.h"
#include "approve/choice.h"
#include "approve/page.h"

static const struct ancestry askers_sample = {.items = {{4711, "bash"}, {4700, "node claude"}}, .count = 2};

static struct approval approval_sample(char *const argv[])
{
	static const char *const secrets[] = {"DATABASE_URL as $DATABASE_URL"};
	return (struct approval){
		.action = "run",
		.askers = &askers_sample,
		.secrets = secrets,
		.secret_count = 1,
		.program_path = "/usr/bin/psql",
		.program_kind = "a system file",
		.program_digest = "00ff",
		.argv = argv,
		.directory = "/home/user/project",
	};
}

static void format(const struct approval *approval, struct buf *out)
{
	struct err err;
	assert_int_equal(approval_format(approval, out, &err), 0);
}

static void test_names_everything(void **state)
{
	(void)state;
	char *argv[] = {"psql", "-c", "select 1", NULL};
	const char *const dropped[] = {"LD_PRELOAD", "PYTHONPATH"};
	struct approval approval = approval_sample(argv);
	approval.dropped = dropped;
	approval.dropped_count = ARRAY_COUNT(dropped);
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 16);
	format(&approval, &text);
	static const char *const expected[] = {"bash (4711) <- 'node claude' (4700)\n", "DATABASE_URL as $DATABASE_URL",
					       "/usr/bin/psql  (a system file)", "psql -c 'select 1'\n", "/home/user/project", "LD_PRELOAD, PYTHONPATH", "00ff"};
	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		assert_non_null(strstr(buf_text(&text), expected[i]));
}

static void test_is_inert(void **state)
{
	(void)state;
	char *argv[] = {"sh", "\x1b[2J\x1b]0;owned\x07", "\xe2\x80\xae gnp", "a\nsecrets     none", "\x9b" "31m", NULL};
	struct approval approval = approval_sample(argv);
	approval.directory = "/tmp/\x1b[1A\rfake";
	approval.askers = &(const struct ancestry){.items = {{1, "ev\bil"}, {2, "\n  agent"}}, .count = 2};
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 16);
	format(&approval, &text);
	size_t lines = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];
		lines += byte == '\n';
		assert_true(byte == '\n' || (byte >= 0x20 && byte < 0x7f));
	}
	// Seven rows and the title, whatever the arguments hold.
	assert_int_equal(lines, 7);
}

static void test_arguments_cannot_be_confused(void **state)
{
	(void)state;
	char *one[] = {"rm", "a' 'b", NULL};
	char *two[] = {"rm", "a", "b", NULL};
	char *three[] = {"rm", "a b", NULL};
	struct approval approvals[] = {approval_sample(one), approval_sample(two), approval_sample(three)};
	struct buf texts[3] = {BUF_INIT(1u << 16), BUF_INIT(1u << 16), BUF_INIT(1u << 16)};
	for (size_t i = 0; i < 3; i++)
		format(&approvals[i], &texts[i]);
	assert_false(span_is_equal(buf_span(&texts[0]), buf_span(&texts[1])));
	assert_false(span_is_equal(buf_span(&texts[1]), buf_span(&texts[2])));
	assert_false(span_is_equal(buf_span(&texts[0]), buf_span(&texts[2])));
	assert_non_null(strstr(buf_text(&texts[0]), "rm 'a\\' \\'b'"));
	for (size_t i = 0; i < 3; i++)
		buf_done(&texts[i]);
}

static void test_too_long_is_refused(void **state)
{
	(void)state;
	static char blanks[10001];
	memset(blanks, ' ', sizeof(blanks) - 1);
	char *argv[] = {"sh", "-c", blanks, NULL};
	struct approval approval = approval_sample(argv);
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 20);
	struct err err;
	assert_int_equal(approval_format(&approval, &text, &err), ERR_DENIED);
}

// Whoever starts envseal chooses the names of its variables, and must not push the question off the screen with them.
static void test_many_dropped_variables_are_counted(void **state)
{
	(void)state;
	static const char *names[3000];
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		names[i] = "LD_A_RATHER_LONG_NAME_OF_A_VARIABLE";
	char *argv[] = {"true", NULL};
	struct approval approval = approval_sample(argv);
	approval.dropped = names;
	approval.dropped_count = ARRAY_COUNT(names);
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 20);
	format(&approval, &text);
	assert_true(text.len < 2048);
	// 28 names of 35 letters and their commas are the first to be more than 1024 bytes.
	assert_non_null(strstr(buf_text(&text), "and 2972 more (--explain names them)\n"));
}

static void test_a_long_question_is_refused(void **state)
{
	(void)state;
	static const char *names[700];
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		names[i] = "A_SECRET as $A_VARIABLE";
	char *argv[] = {"true", NULL};
	struct approval approval = approval_sample(argv);
	approval.secrets = names;
	approval.secret_count = ARRAY_COUNT(names);
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 20);
	struct err err;
	assert_int_equal(approval_format(&approval, &text, &err), ERR_DENIED);
	approval.secret_count = 600;
	buf_done(&text);
	text = (struct buf)BUF_INIT(1u << 20);
	format(&approval, &text);
}

// On a terminal of 40 columns the argument would wrap to rows of its own.
static void test_an_argument_cannot_draw_rows(void **state)
{
	(void)state;
	char *argv[] = {"sh", "evil                          secrets     none", NULL};
	struct approval approval = approval_sample(argv);
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 16);
	format(&approval, &text);
	assert_null(strstr(buf_text(&text), "  secrets     none"));
	assert_non_null(strstr(buf_text(&text), "'evil \\x20\\x20"));
	approval.directory = approval.program_path = "/tmp/x             secrets     none";
	format(&approval, &text);
	assert_null(strstr(buf_text(&text), "  secrets     none"));
}

// An asker's name cannot make two processes of one, or hide behind blanks.
static void test_askers_cannot_be_forged(void **state)
{
	(void)state;
	char *argv[] = {"true", NULL};
	struct approval approval = approval_sample(argv);
	const struct ancestry askers = {.items = {{7, "sh (1) <- cron"}, {8, "a'  b"}, {9, ""}}, .count = 3, .agent = "codex"};
	approval.askers = &askers;
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 16);
	format(&approval, &text);
	assert_non_null(strstr(buf_text(&text), "  asked by    'sh (1) <- cron' (7) <- 'a\\' \\x20b' (8) <- '' (9)\n"
						"  agent       codex (an AI agent, by its name, started this)\n"));
}

static void test_eight_askers_are_named(void **state)
{
	(void)state;
	char *argv[] = {"true", NULL};
	struct approval approval = approval_sample(argv);
	struct ancestry askers = {.count = ANCESTRY_STEPS_MAX};
	for (size_t i = 0; i < askers.count; i++)
		askers.items[i] = (struct ancestor){(pid_t)i + 1, "sh"};
	approval.askers = &askers;
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 16);
	format(&approval, &text);
	assert_non_null(strstr(buf_text(&text), "<- sh (8) <- ...\n"));
	askers.count = ANCESTRY_SHOWN_MAX;
	buf_done(&text);
	format(&approval, &text);
	assert_non_null(strstr(buf_text(&text), "<- sh (8)\n"));
}

// Sentences have rows of their own; whatever they hold, none begins with a label.
static void test_notes_and_waiting(void **state)
{
	(void)state;
	char *argv[] = {"true", NULL};
	const char *const notes[] = {"the program has changed since 2026-01-01", "x\n  secrets     none", "  program     y"};
	const char *const waiting[] = {"NEW was stored while locked"};
	struct approval approval = approval_sample(argv);
	approval.tier = "hardened";
	approval.level = "standard";
	approval.notes = notes;
	approval.note_count = ARRAY_COUNT(notes);
	approval.waiting = waiting;
	approval.waiting_count = ARRAY_COUNT(waiting);
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 16);
	format(&approval, &text);
	assert_non_null(strstr(buf_text(&text), "  level       standard\n"
						"  tier        hardened\n"
						"  notes       the program has changed since 2026-01-01\n"
						"              x\\n \\x20secrets \\x20\\x20\\x20\\x20none\n"
						"               \\x20program \\x20\\x20\\x20\\x20y\n"
						"  waiting     NEW was stored while locked\n"));
}

// What is open beyond the tier has a row each; a path that holds a line feed makes none.
static void test_the_sandbox(void **state)
{
	(void)state;
	char *argv[] = {"true", NULL};
	const char *const readable[] = {"/home/u/.aws", "/home/u/.ssh\n  tier        lockdown"};
	const char *const writable[] = {"/srv/a, /srv/b"}, *const endpoints[] = {"a.example:443", "[::1]:80"};
	struct approval approval = approval_sample(argv);
	approval.tier = "lockdown";
	approval.network = "allow";
	approval.readable = readable;
	approval.readable_count = ARRAY_COUNT(readable);
	approval.writable = writable;
	approval.writable_count = ARRAY_COUNT(writable);
	approval.endpoints = endpoints;
	approval.endpoint_count = ARRAY_COUNT(endpoints);
	approval.is_unshielded = approval.is_degradable = true;
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 16), plain = BUF_INIT(1u << 16);
	format(&approval, &text);
	assert_non_null(strstr(buf_text(&text), "  tier        lockdown\n"
						"  may read    /home/u/.aws\n"
						"              /home/u/.ssh\\n \\x20tier \\x20\\x20\\x20\\x20\\x20\\x20\\x20lockdown\n"
						"  may write   /srv/a, /srv/b\n"
						"  network     allow\n"
						"  may reach   a.example:443\n"
						"              [::1]:80\n"
						"  shield      without it: other processes of yours may look into the program\n"
						"  degrade     weaker where the kernel cannot give the tier in full\n"));
	struct approval closed = approval_sample(argv);
	closed.tier = "hardened";
	format(&closed, &plain);
	assert_null(strstr(buf_text(&plain), "may "));
	assert_null(strstr(buf_text(&plain), "network"));
	assert_null(strstr(buf_text(&plain), "shield"));
	assert_null(strstr(buf_text(&plain), "degrade"));
}

static void test_the_reason_is_inert_and_cut(void **state)
{
	(void)state;
	static char reason[APPROVAL_REASON_BYTES_MAX + 2];
	char *argv[] = {"true", NULL};
	struct approval approval = approval_sample(argv);
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 16), whole = BUF_INIT(1u << 16), cut = BUF_INIT(1u << 16);
	approval.reason = "to migrate\n  secrets     none\x1b[2J";
	format(&approval, &text);
	assert_non_null(strstr(buf_text(&text), "(4700)\n  reason      to migrate\\n \\x20secrets \\x20\\x20\\x20\\x20none\\x1b[2J\n"
						"  secrets     DATABASE_URL"));
	memset(reason, 'r', APPROVAL_REASON_BYTES_MAX);
	approval.reason = reason;
	format(&approval, &whole);
	assert_non_null(strstr(buf_text(&whole), "rrr\n"));
	reason[APPROVAL_REASON_BYTES_MAX] = 'r';
	format(&approval, &cut);
	assert_non_null(strstr(buf_text(&cut), "rrr...\n"));
	assert_int_equal(cut.len, whole.len + 3);
}

// A change has no program: what does not hold for it is left out.
static void test_a_change(void **state)
{
	(void)state;
	const char *const notes[] = {"it was stored by process 4711"};
	struct approval approval = {.action = "replace the value of", .askers = &askers_sample, .level = "standard",
				    .secrets = (const char *const[]){"db/password"}, .secret_count = 1, .notes = notes, .note_count = 1};
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 16);
	format(&approval, &text);
	assert_string_equal(buf_text(&text), "envseal: a program asks to replace the value of\n"
					     "  asked by    bash (4711) <- 'node claude' (4700)\n"
					     "  secrets     db/password\n"
					     "  level       standard\n"
					     "  notes       it was stored by process 4711\n");
	// One that is a command line of envseal: it is what is approved.
	approval.action = "do";
	approval.secret_count = 0;
	approval.argv = (char *[]){"policy", "allow", "a\nb", NULL};
	buf_done(&text);
	format(&approval, &text);
	assert_non_null(strstr(buf_text(&text), "envseal: a program asks to do\n"));
	assert_non_null(strstr(buf_text(&text), "  command     policy allow 'a\\nb'\n  level "));
}

// ------------------------------------------------------------------------------------------------------------ choices

static void prompt_is(const struct approval *approval, enum approval_choice now, const char *expected)
{
	struct err err;
	_cleanup_buf_ struct buf text = BUF_INIT(4096);
	assert_int_equal(choice_prompt(approval, &(struct approval_answer){.choice = now}, "Passphrase", &text, &err), 0);
	assert_string_equal(buf_text(&text), expected);
}

static void test_choices_are_listed(void **state)
{
	(void)state;
	struct approval approval = {.choices = 1u << APPROVAL_SESSION | 1u << APPROVAL_TIME | 1u << APPROVAL_ALWAYS,
				    .choice_seconds = 8 * 3600};
	prompt_is(&approval, APPROVAL_ONCE,
		  "s: this session, t: for 8 hours, a: always (as a rule), d: deny\nPassphrase to approve once: ");
	prompt_is(&approval, APPROVAL_SESSION,
		  "o: once, t: for 8 hours, a: always (as a rule), d: deny\nPassphrase to approve for this session: ");
	prompt_is(&approval, APPROVAL_TIME,
		  "o: once, s: this session, a: always (as a rule), d: deny\nPassphrase to approve for 8 hours: ");
	prompt_is(&approval, APPROVAL_ALWAYS,
		  "o: once, s: this session, t: for 8 hours, d: deny\nPassphrase to approve always: ");
	approval.offers_values = true;
	prompt_is(&approval, APPROVAL_ALWAYS,
		  "o: once, s: this session, t: for 8 hours, c: take the new values, d: deny\nPassphrase to approve always: ");
	approval.offers_cool_down = true;
	prompt_is(&approval, APPROVAL_ALWAYS,
		  "o: once, s: this session, t: for 8 hours, c: take the new values, d: deny, x: deny all for a while\n"
		  "Passphrase to approve always: ");
	approval.offers_values = approval.offers_cool_down = false;
	approval.choices = 0;
	prompt_is(&approval, APPROVAL_ONCE, "d: deny\nPassphrase to approve once: ");
	static const struct {
		int64_t seconds;
		const char *prompt;
	} spans[] = {{1, "for 1 second"}, {90, "for 90 seconds"}, {60, "for 1 minute"}, {5400, "for 90 minutes"}, {3600, "for 1 hour"},
		     {86400, "for 1 day"}, {7 * 86400, "for 7 days"}, {90000, "for 25 hours"}};
	for (size_t i = 0; i < ARRAY_COUNT(spans); i++) {
		struct err err;
		_cleanup_buf_ struct buf text = BUF_INIT(4096);
		approval.choice_seconds = spans[i].seconds;
		assert_int_equal(choice_prompt(&approval, &(struct approval_answer){.choice = APPROVAL_TIME}, "Code", &text, &err), 0);
		assert_non_null(strstr(buf_text(&text), spans[i].prompt));
	}
}

static void test_letters(void **state)
{
	(void)state;
	struct approval approval = {.choices = 1u << APPROVAL_SESSION};
	for (unsigned letter = 0; letter < 256; letter++) {
		enum approval_choice choice = APPROVAL_ALWAYS;
		enum choice_kind kind = choice_of(&approval, (uint8_t)letter, &choice);
		enum choice_kind expected = letter == 'd' ? CHOICE_DENY : letter == 'o' || letter == 's' ? CHOICE_SWITCH : CHOICE_NONE;
		assert_int_equal(kind, expected);
		if (kind == CHOICE_SWITCH)
			assert_int_equal(choice, letter == 'o' ? APPROVAL_ONCE : APPROVAL_SESSION);
	}
	enum approval_choice choice = APPROVAL_ALWAYS;
	approval.offers_cool_down = true;
	assert_int_equal(choice_of(&approval, 'x', &choice), CHOICE_COOL_DOWN);
	assert_int_equal(choice, APPROVAL_ALWAYS);
}

// -------------------------------------------------------------------------------------------------------------- pages

static void test_windows_are_clamped(void **state)
{
	(void)state;
	static const struct {
		unsigned rows, columns;
		struct window expected;
	} cases[] = {{0, 0, {24, 80}}, {1, 1, {10, 40}}, {24, 65535, {24, 500}}, {65535, 80, {200, 80}}, {50, 0, {50, 80}}};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct window window = window_clamp(cases[i].rows, cases[i].columns);
		assert_int_equal(window.rows, cases[i].expected.rows);
		assert_int_equal(window.columns, cases[i].expected.columns);
	}
}

// Rows that a terminal needs for a text, counted a byte at a time.
static unsigned rows_of(struct span text, unsigned columns)
{
	unsigned rows = 0, column = 0;
	bool is_open = false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\n') {
			rows += !is_open;
			is_open = false;
			column = 0;
			continue;
		}
		if (!is_open || column == columns) {
			rows++;
			column = 0;
		}
		is_open = true;
		column++;
	}
	return rows;
}

static void test_pages_fit_and_leave_nothing_out(void **state)
{
	(void)state;
	static uint8_t text[5000];
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (i * i / 7) % 61 == 0 ? '\n' : (uint8_t)('a' + i % 26);
	memset(text + 1000, 'x', 1200); // wraps over many rows
	memset(text + 3000, '\n', 40);
	for (unsigned columns = 40; columns < 90; columns++) {
		struct window window = {12, columns};
		struct span rest = span_of(text, sizeof(text));
		while (rest.len > 0) {
			size_t len = page_len(rest, window);
			assert_true(len > 0 && len <= rest.len);
			unsigned rows = rows_of(span_of(rest.data, len), columns);
			assert_true(rows <= window.rows - PAGE_PROMPT_ROWS);
			// Not less than fits.
			assert_true(len == rest.len || rows == window.rows - PAGE_PROMPT_ROWS);
			rest = span_of(rest.data + len, rest.len - len);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_everything),
		cmocka_unit_test(test_is_inert),
		cmocka_unit_test(test_arguments_cannot_be_confused),
		cmocka_unit_test(test_too_long_is_refused),
		cmocka_unit_test(test_many_dropped_variables_are_counted),
		cmocka_unit_test(test_a_long_question_is_refused),
		cmocka_unit_test(test_an_argument_cannot_draw_rows),
		cmocka_unit_test(test_askers_cannot_be_forged),
		cmocka_unit_test(test_eight_askers_are_named),
		cmocka_unit_test(test_notes_and_waiting), cmocka_unit_test(test_the_sandbox),
		cmocka_unit_test(test_the_reason_is_inert_and_cut),
		cmocka_unit_test(test_a_change),
		cmocka_unit_test(test_choices_are_listed),
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_windows_are_clamped),
		cmocka_unit_test(test_pages_fit_and_leave_nothing_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
