// The question a human is asked: everything in it is inert, nothing in it can pretend to be something else.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "approve/approve.h"

static struct approval approval_sample(char *const argv[])
{
	static const char *const secrets[] = {"DATABASE_URL as $DATABASE_URL"};
	return (struct approval){
		.action = "run",
		.asker_pid = 4711,
		.asker_name = "bash",
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
	static const char *const expected[] = {"bash (process 4711)", "DATABASE_URL as $DATABASE_URL", "/usr/bin/psql  (a system file)",
					       "psql -c 'select 1'\n", "/home/user/project", "LD_PRELOAD, PYTHONPATH", "00ff"};
	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		assert_non_null(strstr(buf_text(&text), expected[i]));
}

static void test_is_inert(void **state)
{
	(void)state;
	char *argv[] = {"sh", "\x1b[2J\x1b]0;owned\x07", "\xe2\x80\xae gnp", "a\nsecrets     none", "\x9b" "31m", NULL};
	struct approval approval = approval_sample(argv);
	approval.directory = "/tmp/\x1b[1A\rfake";
	approval.asker_name = "ev\bil";
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
