// The question on a terminal: what answers it, what does not, and what is seen of it.
#include "terminal_scene.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#define PASSPHRASE "correct horse"
#define CODE "123456"
#define MORE "-- more: space shows the rest, q denies --"
#define CTRL_U "\x15"

static const struct ancestry askers = {.items = {{4711, "bash"}}, .count = 1};
static const char *const secrets[] = {"DATABASE_URL as $DATABASE_URL"};
static char *short_argv[] = {"psql", NULL};

static struct approval sample(char *const argv[])
{
	return (struct approval){
		.action = "run", .askers = &askers, .secrets = secrets, .secret_count = 1, .program_path = "/usr/bin/psql",
		.program_kind = "a system file", .program_digest = "00ff", .argv = argv, .directory = "/home/user",
		.choices = 1u << APPROVAL_SESSION | 1u << APPROVAL_TIME | 1u << APPROVAL_ALWAYS, .choice_seconds = 8 * 3600,
		.becomes = {[APPROVAL_SESSION] = "DATABASE_URL for psql, until this shell ends",
			    [APPROVAL_TIME] = "DATABASE_URL for psql, for 8 hours",
			    [APPROVAL_ALWAYS] = "DATABASE_URL for psql, for ever\x1b[2J\n  program     /bin/true"}};
}

static const struct approval_needs needs = {.passphrase_bytes_max = 100, .seconds = SCENE_SECONDS};

static struct scene asked(const struct approval *approval, const struct approval_needs *what)
{
	struct scene scene = scene_new(approval, what, 24, 80);
	scene_go(&scene);
	return scene;
}

static void approves(struct scene *scene, enum approval_choice choice)
{
	struct report report = scene_end(scene);
	assert_int_equal(report.result, 0);
	assert_int_equal(report.choice, choice);
	assert_string_equal(report.passphrase, PASSPHRASE);
	assert_string_equal(report.code, "");
	assert_true(report.is_same_terminal);
}

// A no of a human is told from everything else that refuses; x among them.
static void refuses_so(struct scene *scene, int code, const char *says, bool cools_down)
{
	struct report report = scene_end(scene);
	assert_int_equal(report.result, code);
	assert_int_equal(report.is_denied, strstr(report.text, "denied at the prompt") != NULL);
	assert_int_equal(report.cools_down, cools_down);
	assert_int_equal(report.choice, APPROVAL_ONCE);
	assert_non_null(strstr(report.text, says));
	assert_string_equal(report.passphrase, "");
	assert_string_equal(report.code, "");
	assert_true(report.is_same_terminal);
}

static void refuses(struct scene *scene, int code, const char *says)
{
	refuses_so(scene, code, says, false);
}

static void test_the_passphrase_approves_once(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	struct scene scene = asked(&approval, &needs);
	expect(&scene, "envseal: a program asks for secrets (run)\r\n");
	expect(&scene, "s: this session, t: for 8 hours, a: always (as a rule), d: deny\r\nPassphrase to approve once: ");
	type(&scene, PASSPHRASE "\r");
	approves(&scene, APPROVAL_ONCE);
}

static void test_letters_switch_what_is_approved(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	struct scene scene = asked(&approval, &needs);
	expect(&scene, "to approve once: ");
	type(&scene, "s\r");
	expect(&scene, "\r\nDATABASE_URL for psql, until this shell ends\r\no: once, ");
	expect(&scene, "Passphrase to approve for this session: ");
	type(&scene, "t\r");
	expect(&scene, "\r\nDATABASE_URL for psql, for 8 hours\r\n");
	expect(&scene, "Passphrase to approve for 8 hours: ");
	type(&scene, "a\r");
	expect(&scene, "\r\nDATABASE_URL for psql, for ever\\x1b[2J\\n \\x20program \\x20\\x20\\x20\\x20/bin/true\r\n");
	expect(&scene, "Passphrase to approve always: ");
	type(&scene, "o\r");
	expect(&scene, "Passphrase to approve once: ");
	// What is edited away is not typed.
	type(&scene, "xs" CTRL_U "sx\x7f\r");
	expect(&scene, "Passphrase to approve for this session: ");
	type(&scene, PASSPHRASE "\r");
	approves(&scene, APPROVAL_SESSION);
}

// They go with any choice, and are taken only by the letter.
static void test_new_values_are_taken_when_asked_for(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	approval.offers_values = true;
	struct scene scene = asked(&approval, &needs);
	expect(&scene, "c: take the new values, d: deny\r\nPassphrase to approve once: ");
	type(&scene, "c\r");
	expect(&scene, "c: leave the new values, d: deny\r\nPassphrase to approve once, and to take the new values: ");
	type(&scene, "c\r");
	expect(&scene, "Passphrase to approve once: ");
	type(&scene, PASSPHRASE "\r");
	approves(&scene, APPROVAL_ONCE);
}

static void test_what_is_not_offered_is_no_choice(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	approval.choices = 0;
	struct scene scene = asked(&approval, &needs);
	static const char *const letters[] = {"s\r", "c\r", "t\r", "a\r", "y\r", "S\r", "\x01\r", " \r"};
	expect(&scene, "\nd: deny\r\nPassphrase to approve once: ");
	for (size_t i = 0; i < ARRAY_COUNT(letters); i++) {
		type(&scene, letters[i]);
		expect(&scene, "\r\nthat is none of the choices\r\nd: deny\r\nPassphrase to approve once: ");
	}
	type(&scene, PASSPHRASE "\r");
	approves(&scene, APPROVAL_ONCE);
}

static void test_every_no(void **state)
{
	(void)state;
	static const struct {
		const char *keys, *says;
		int code;
	} cases[] = {{"d\r", "denied at the prompt", ERR_DENIED}, {"\r", "denied at the prompt", ERR_DENIED},
		     {"abc" CTRL_U "\r", "denied at the prompt", ERR_DENIED}, {"\x03", "interrupted", ERR_INTERRUPTED},
		     {"half\x03", "interrupted", ERR_INTERRUPTED}, {"\x04", "interrupted", ERR_INTERRUPTED},
		     {"\x1c", "interrupted", ERR_INTERRUPTED}, {"s\r" PASSPHRASE "\r", "more than one line", ERR_INPUT}};
	struct approval approval = sample(short_argv);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct scene scene = asked(&approval, &needs);
		expect(&scene, "to approve once: ");
		type(&scene, cases[i].keys);
		refuses(&scene, cases[i].code, cases[i].says);
	}
}

static void test_a_no_after_a_switch(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	struct scene scene = asked(&approval, &needs);
	expect(&scene, "to approve once: ");
	type(&scene, "a\r");
	expect(&scene, "to approve always: ");
	type(&scene, "\r");
	refuses(&scene, ERR_DENIED, "denied at the prompt");
}

static void test_a_no_that_wants_a_rest(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	approval.offers_cool_down = true;
	struct scene scene = asked(&approval, &needs);
	expect(&scene, "d: deny, x: deny all for a while\r\nPassphrase to approve once: ");
	type(&scene, "x\r");
	refuses_so(&scene, ERR_DENIED, "denied at the prompt", true);
	scene = asked(&approval, &needs);
	expect(&scene, "to approve once: ");
	type(&scene, "s\r");
	expect(&scene, "o: once, t: for 8 hours, a: always (as a rule), d: deny, x: deny all for a while\r\n");
	type(&scene, "d\r");
	refuses(&scene, ERR_DENIED, "denied at the prompt");
	approval.offers_cool_down = false;
	scene = asked(&approval, &needs);
	expect(&scene, "to approve once: ");
	type(&scene, "x\r");
	expect(&scene, "that is none of the choices\r\n");
	expect(&scene, "to approve once: ");
	type(&scene, PASSPHRASE "\r");
	approves(&scene, APPROVAL_ONCE);
}

static void test_nobody_answers(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	struct approval_needs impatient = needs;
	impatient.seconds = 0;
	struct scene scene = asked(&approval, &impatient);
	refuses(&scene, ERR_DENIED, "nobody answered within 0 seconds");
}

// ------------------------------------------------------------------------------------------------------------- the code

static void test_the_code_is_asked_too(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	struct approval_needs both = needs;
	both.wants_code = true;
	struct scene scene = asked(&approval, &both);
	expect(&scene, "to approve once: ");
	type(&scene, "s\r");
	expect(&scene, "for this session: ");
	type(&scene, PASSPHRASE "\r");
	static const char *const wrong[] = {"12345\r", "123456789\r", "12345a\r", "s\r", "12 3456\r"};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		expect(&scene, "\r\nCode: ");
		type(&scene, wrong[i]);
		expect(&scene, "\r\na code has 6 to 8 digits");
	}
	expect(&scene, "\r\nCode: ");
	type(&scene, CODE "\r");
	struct report report = scene_end(&scene);
	assert_int_equal(report.result, 0);
	assert_int_equal(report.choice, APPROVAL_SESSION);
	assert_string_equal(report.passphrase, PASSPHRASE);
	assert_string_equal(report.code, CODE);
	scene = asked(&approval, &both);
	expect(&scene, "to approve once: ");
	type(&scene, PASSPHRASE "\r");
	expect(&scene, "Code: ");
	type(&scene, "\r");
	refuses(&scene, ERR_DENIED, "denied at the prompt");
}

static void test_only_the_code(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	struct approval_needs code = needs;
	code.has_passphrase = code.wants_code = true;
	struct scene scene = asked(&approval, &code);
	expect(&scene, "Code to approve once: ");
	type(&scene, "t\r");
	expect(&scene, "Code to approve for 8 hours: ");
	type(&scene, PASSPHRASE "\r");
	expect(&scene, "\r\na code has 6 to 8 digits\r\no: once,");
	expect(&scene, "Code to approve for 8 hours: ");
	type(&scene, "00000000\r");
	struct report report = scene_end(&scene);
	assert_int_equal(report.result, 0);
	assert_int_equal(report.choice, APPROVAL_TIME);
	assert_string_equal(report.passphrase, "");
	assert_string_equal(report.code, "00000000");
	code.wants_code = false;
	scene = asked(&approval, &code);
	expect(&scene, "Passphrase to approve once: ");
	type(&scene, PASSPHRASE "\r");
	approves(&scene, APPROVAL_ONCE);
}

// --------------------------------------------------------------------------------------------------------------- pages

static char long_word[2001];
static char *long_argv[] = {"sh", "-c", long_word, NULL};

static struct approval long_sample(void)
{
	for (size_t i = 0; i + 1 < sizeof(long_word); i++)
		long_word[i] = (char)('a' + i % 26);
	return sample(long_argv);
}

static void test_a_long_question_comes_in_pages(void **state)
{
	(void)state;
	struct approval approval = long_sample();
	struct scene scene = scene_new(&approval, &needs, 14, 80);
	scene_go(&scene);
	// 32 rows, ten a page; no other key turns one.
	static const char *const keys[] = {"x", " ", "\r", " "};
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		expect(&scene, MORE);
		type(&scene, keys[i]);
	}
	expect(&scene, MORE);
	assert_null(strstr(scene.seen, "directory"));
	assert_null(strstr(scene.seen, "to approve"));
	type(&scene, " ");
	expect(&scene, "to approve once: ");
	type(&scene, PASSPHRASE "\r");
	approves(&scene, APPROVAL_ONCE);
}

static void test_no_between_pages(void **state)
{
	(void)state;
	struct approval approval = long_sample();
	static const struct {
		const char *keys;
		int code;
	} cases[] = {{"q", ERR_DENIED}, {"Q", ERR_DENIED}, {"\x04", ERR_DENIED}, {"\x03", ERR_INTERRUPTED}};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct scene scene = scene_new(&approval, &needs, 14, 80);
		scene_go(&scene);
		expect(&scene, MORE);
		type(&scene, cases[i].keys);
		refuses(&scene, cases[i].code, "at the prompt");
	}
	struct approval_needs impatient = needs;
	impatient.seconds = 0;
	struct scene scene = scene_new(&approval, &impatient, 14, 80);
	scene_go(&scene);
	refuses(&scene, ERR_DENIED, "nobody answered");
}

// What is typed behind it was typed before the next page was there.
static void test_a_page_takes_one_key(void **state)
{
	(void)state;
	struct approval approval = long_sample();
	struct scene scene = scene_new(&approval, &needs, 14, 80);
	scene_go(&scene);
	expect(&scene, MORE);
	type(&scene, "     " PASSPHRASE "\r");
	expect(&scene, MORE);
	assert_null(strstr(scene.seen, "directory"));
	type(&scene, "q");
	refuses(&scene, ERR_DENIED, "denied");
}

// A page that stood in another window than it was made for is shown again.
static void test_a_resize_repeats_the_page(void **state)
{
	(void)state;
	struct approval approval = long_sample();
	struct scene scene = scene_new(&approval, &needs, 24, 80);
	scene_go(&scene);
	expect(&scene, "asked by ");
	expect(&scene, MORE);
	resize(&scene, 14, 60);
	type(&scene, " ");
	expect(&scene, "asked by ");
	expect(&scene, MORE);
	resize(&scene, 100, 100);
	type(&scene, " ");
	expect(&scene, "asked by ");
	expect(&scene, "to approve once: ");
	type(&scene, PASSPHRASE "\r");
	approves(&scene, APPROVAL_ONCE);
}

static void test_absurd_windows(void **state)
{
	(void)state;
	static const struct {
		unsigned rows, columns;
		bool pages;
	} cases[] = {{1, 1, true}, {0, 0, true}, {24, 65535, false}, {65535, 65535, false}, {65535, 1, false}, {1, 65535, true}};
	struct approval approval = long_sample();
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct scene scene = scene_new(&approval, &needs, cases[i].rows, cases[i].columns);
		scene_go(&scene);
		expect(&scene, cases[i].pages ? MORE : "to approve once: ");
		assert_int_equal(strstr(scene.seen, MORE) != NULL, cases[i].pages);
		type(&scene, "\x03");
		refuses(&scene, ERR_INTERRUPTED, "interrupted");
	}
}

// A rule that is said may be longer than a screen too.
static void test_a_long_rule_comes_in_pages(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	long_sample();
	approval.becomes[APPROVAL_ALWAYS] = long_word;
	struct scene scene = asked(&approval, &needs);
	expect(&scene, "to approve once: ");
	type(&scene, "a\r");
	expect(&scene, MORE);
	assert_null(strstr(scene.seen, "to approve always"));
	type(&scene, " ");
	expect(&scene, "to approve always: ");
	type(&scene, PASSPHRASE "\r");
	approves(&scene, APPROVAL_ALWAYS);
}

// ------------------------------------------------------------------------------------------------------------- attacks

static void test_what_is_typed_ahead_is_thrown_away(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	struct scene scene = scene_new(&approval, &needs, 24, 80);
	type(&scene, "a\rwrong horse\rwrong");
	// The echo of the last of it: all of it waits in the terminal.
	expect(&scene, "wrong horse\r\nwrong");
	scene_go(&scene);
	expect(&scene, "to approve once: ");
	type(&scene, PASSPHRASE "\r");
	approves(&scene, APPROVAL_ONCE);
}

static void test_spaces_typed_ahead_turn_no_page(void **state)
{
	(void)state;
	struct approval approval = long_sample();
	struct scene scene = scene_new(&approval, &needs, 14, 80);
	type(&scene, "          .");
	expect(&scene, "          .");
	scene_go(&scene);
	expect(&scene, MORE);
	assert_null(strstr(scene.seen, "directory"));
	type(&scene, "q");
	refuses(&scene, ERR_DENIED, "denied");
}

// Escapes, bidi, homoglyphs, lines, blanks: in every field at once, nothing but printable ASCII and our own line ends is
// shown, and no row begins like one of the question's.
static void test_hostile_text_is_inert(void **state)
{
	(void)state;
	static char blanks[101];
	memset(blanks, ' ', sizeof(blanks) - 1);
	static const char *const texts[] = {"\x1b[2J\x1b[H\x1b]0;t\x07", "\xe2\x80\xae\xe2\x81\xa6txt.exe", "\xd0\xb0\xd1\x80t-get",
					    "\r\n  program     /bin/true\n", "\x9b" "31m\x08\x08\x7f\x0e", blanks};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct ancestry named = askers;
		memcpy(named.items[0].name, texts[i], strnlen(texts[i], ANCESTRY_NAME_BYTES - 1));
		char *argv[] = {(char *)(uintptr_t)texts[i], NULL};
		struct approval approval = sample(argv);
		approval.askers = &named;
		approval.directory = approval.program_path = approval.interpreter_path = texts[i];
		approval.tier = approval.level = approval.becomes[APPROVAL_SESSION] = texts[i];
		approval.secrets = approval.dropped = approval.kept = approval.notes = approval.waiting = &texts[i];
		approval.dropped_count = approval.kept_count = approval.note_count = approval.waiting_count = 1;
		struct scene scene = scene_new(&approval, &needs, 200, 500);
		scene_go(&scene);
		expect(&scene, "to approve once: ");
		type(&scene, "s\r");
		expect(&scene, "for this session: ");
		type(&scene, "d\r");
		while (scene_read(&scene))
			;
		unsigned programs = 0;
		for (const char *at = scene.seen; *at; at++) {
			assert_true(*at == '\n' || *at == '\r' || (*at >= 0x20 && *at < 0x7f));
			programs += strncmp(at, "\n  program     ", 15) == 0;
		}
		assert_int_equal(programs, 1);
		refuses(&scene, ERR_DENIED, "denied");
	}
}

static void test_ten_thousand_blanks_are_refused(void **state)
{
	(void)state;
	static char blanks[10001];
	memset(blanks, ' ', sizeof(blanks) - 1);
	char *argv[] = {"sh", "-c", blanks, NULL};
	struct approval approval = sample(argv);
	struct scene scene = asked(&approval, &needs);
	refuses(&scene, ERR_DENIED, "more than can be read");
	approval = sample(short_argv);
	approval.notes = (const char *const[]){blanks};
	approval.note_count = 1;
	scene = asked(&approval, &needs);
	refuses(&scene, ERR_DENIED, "more than can be read");
}

// --------------------------------------------------------------------------------------------------- stops and endings

// The test's terminal has no shell that could stop a job, so it comes back at once.
static void test_after_a_stop_the_question_stands_there_again(void **state)
{
	(void)state;
	struct approval approval = sample(short_argv);
	struct scene scene = asked(&approval, &needs);
	expect(&scene, "to approve once: ");
	type(&scene, "s\r");
	expect(&scene, "for this session: ");
	type(&scene, "half\x1a");
	expect(&scene, "a program asks for secrets (run)");
	expect(&scene, "Passphrase to approve for this session: ");
	type(&scene, CTRL_U PASSPHRASE "\r");
	approves(&scene, APPROVAL_SESSION);
	approval = long_sample();
	scene = scene_new(&approval, &needs, 14, 80);
	scene_go(&scene);
	expect(&scene, MORE);
	type(&scene, "\x1a");
	expect(&scene, "a program asks for secrets (run)");
	expect(&scene, MORE);
	type(&scene, "q");
	refuses(&scene, ERR_DENIED, "denied");
}

// A signal is held back until the terminal is as it was, then it takes its course.
static void ended_by(struct scene *scene, int number)
{
	int status = 0;
	assert_int_equal(waitpid(scene->child, &status, 0), scene->child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), number);
	scene_done(scene);
}

static void test_the_terminal_goes_away(void **state)
{
	(void)state;
	struct approval approvals[] = {sample(short_argv), long_sample()};
	static const char *const prompts[] = {"to approve once: ", MORE};
	for (size_t i = 0; i < ARRAY_COUNT(approvals); i++) {
		struct scene scene = scene_new(&approvals[i], &needs, 14, 80);
		scene_go(&scene);
		expect(&scene, prompts[i]);
		close(scene.master);
		scene.master = -1;
		ended_by(&scene, SIGHUP);
	}
}

static void test_signals_end_it(void **state)
{
	(void)state;
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct approval approval = long_sample();
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
		struct scene scene = scene_new(&approval, &needs, 14, 80);
		scene_go(&scene);
		expect(&scene, MORE);
		kill(scene.child, numbers[i]);
		ended_by(&scene, numbers[i]);
	}
}

// ------------------------------------------------------------------------------------------------------------ the lock

static char folder[256];

static int folder_setup(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(folder, sizeof(folder), "%s/lock-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(folder) ? 0 : -1;
}

static int folder_teardown(void **state)
{
	(void)state;
	char command[300];
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command) == 0 ? 0 : -1;
}

static void test_one_question_at_a_time(void **state)
{
	(void)state;
	struct err err;
	_cleanup_fd_ int dir_fd = -1, first = -1, second = -1;
	assert_int_equal(dir_open_private(folder, false, &dir_fd, &err), 0);
	assert_int_equal(approval_lock(dir_fd, folder, 0, &first, &err), 0);
	assert_int_equal(approval_lock(dir_fd, folder, 0, &second, &err), ERR_DENIED);
	assert_non_null(strstr(err.text, "another question is open"));
	assert_int_equal(second, -1);
	assert_int_equal(fcntl(first, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	fd_close(&first);
	assert_int_equal(approval_lock(dir_fd, folder, 0, &second, &err), 0);
}

// Whoever waits gets it when the other one is done, also when that one just dies.
static void test_the_next_one_waits(void **state)
{
	(void)state;
	struct err err;
	int ends[2];
	char byte;
	_cleanup_fd_ int dir_fd = -1, lock = -1;
	assert_int_equal(dir_open_private(folder, false, &dir_fd, &err), 0);
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		int r = approval_lock(dir_fd, folder, 0, &lock, &err);
		if (write(ends[1], "l", r == 0 ? 1 : 0) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(approval_lock(dir_fd, folder, 0, &lock, &err), ERR_DENIED);
	kill(child, SIGKILL);
	assert_int_equal(approval_lock(dir_fd, folder, SCENE_SECONDS, &lock, &err), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(ends[0]);
	close(ends[1]);
}

static void test_a_lock_of_others_is_refused(void **state)
{
	(void)state;
	struct err err;
	_cleanup_fd_ int dir_fd = -1, lock = -1;
	assert_int_equal(dir_open_private(folder, false, &dir_fd, &err), 0);
	_cleanup_fd_ int file = openat(dir_fd, "approval.lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(fchmod(file, 0666), 0);
	assert_int_equal(approval_lock(dir_fd, folder, 0, &lock, &err), ERR_UNSAFE);
	assert_int_equal(unlinkat(dir_fd, "approval.lock", 0), 0);
	assert_int_equal(symlinkat("/dev/null", dir_fd, "approval.lock"), 0);
	assert_int_equal(approval_lock(dir_fd, folder, 0, &lock, &err), ERR_UNSAFE);
}

#define folder_test(function) cmocka_unit_test_setup_teardown(function, folder_setup, folder_teardown)

int main(void)
{
	alarm(2 * SCENE_SECONDS);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_passphrase_approves_once),
		cmocka_unit_test(test_letters_switch_what_is_approved),
		cmocka_unit_test(test_new_values_are_taken_when_asked_for),
		cmocka_unit_test(test_what_is_not_offered_is_no_choice),
		cmocka_unit_test(test_every_no),
		cmocka_unit_test(test_a_no_after_a_switch),
		cmocka_unit_test(test_a_no_that_wants_a_rest),
		cmocka_unit_test(test_nobody_answers),
		cmocka_unit_test(test_the_code_is_asked_too),
		cmocka_unit_test(test_only_the_code),
		cmocka_unit_test(test_a_long_question_comes_in_pages),
		cmocka_unit_test(test_no_between_pages),
		cmocka_unit_test(test_a_page_takes_one_key),
		cmocka_unit_test(test_a_resize_repeats_the_page),
		cmocka_unit_test(test_absurd_windows),
		cmocka_unit_test(test_a_long_rule_comes_in_pages),
		cmocka_unit_test(test_what_is_typed_ahead_is_thrown_away),
		cmocka_unit_test(test_spaces_typed_ahead_turn_no_page),
		cmocka_unit_test(test_hostile_text_is_inert),
		cmocka_unit_test(test_ten_thousand_blanks_are_refused),
		cmocka_unit_test(test_after_a_stop_the_question_stands_there_again),
		cmocka_unit_test(test_the_terminal_goes_away),
		cmocka_unit_test(test_signals_end_it),
		folder_test(test_one_question_at_a_time),
		folder_test(test_the_next_one_waits),
		folder_test(test_a_lock_of_others_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
