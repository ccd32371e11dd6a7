// The question by a pinentry: one that is a shell script, which writes down what it is told.
#include "program_scene.h"

#include <pty.h>
#include <signal.h>

#include "approve/pinentry.h"

#define PASSPHRASE "correct horse 100%"

static const struct ancestry askers = {.items = {{4711, "bash"}}, .count = 1};
static const char *const secrets[] = {"DATABASE_URL as $DATABASE_URL"};
static char *argv_sample[] = {"date", "+100%", NULL};
static const struct approval_needs needs = {.passphrase_bytes_max = 100, .seconds = 60};

static struct approval sample(void)
{
	return (struct approval){.action = "run", .askers = &askers, .secrets = secrets, .secret_count = 1,
				 .program_path = "/usr/bin/date", .program_kind = "a system file", .program_digest = "00ff",
				 .argv = argv_sample, .directory = "/home/user"};
}

// Answers every command with OK, but GETPIN with `answer`, a piece of shell.
static struct program *fake(const char *answer)
{
	struct err err;
	char script[2000], path[400];
	struct program *program = NULL;
	snprintf(script, sizeof(script), "#!/bin/sh\n"
		 "env > '%s/env'; ps -o pid=,tty=,sid= -p $$ > '%s/process'; ls /proc/self/fd > '%s/fds'\n"
		 "echo 'OK Pleased to meet you'\n"
		 "while IFS= read -r line; do\n"
		 "echo \"$line\" >> '%s/told'\n"
		 "case $line in GETPIN*) %s;; BYE*) echo OK; exit;; *) echo OK;; esac\n"
		 "done\n", scene, scene, scene, scene, answer);
	script_write("pinentry", script);
	snprintf(path, sizeof(path), "%s/pinentry", scene);
	assert_int_equal(program_resolve(path, &(struct program_options){.path_list = SYSTEM_PATH, .by_path = true}, &program, &err), 0);
	return program;
}

static int converse(const char *answer, const struct approval_needs *what, struct approval_answer *out, struct err *err)
{
	static char *environment[] = {"DISPLAY=:7", "LD_PRELOAD=/x.so", "PATH=/evil", "DISPLAYX=1", "XAUTHORITY=/tmp/x", "HOME=/h",
				      NULL};
	struct approval approval = sample();
	_cleanup_program_ struct program *program = fake(answer);
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 20);
	assert_int_equal(approval_format(&approval, &text, err), 0);
	int r = pinentry_converse(program, environment, buf_text(&text), what, out, err);
	// No child is left, whatever came of it.
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return r;
}

static void told(const char *file, struct buf *out)
{
	struct err err;
	assert_int_equal(file_read_text(file, out, &err), 0);
}

static void test_approves(void **state)
{
	(void)state;
	struct err err;
	_cleanup_approval_answer_ struct approval_answer answer = {.choice = APPROVAL_ALWAYS};
	assert_int_equal(converse("echo 'D correct horse 100%25'; echo OK", &needs, &answer, &err), 0);
	assert_int_equal(answer.choice, APPROVAL_ONCE);
	assert_true(span_is_equal(secret_span(answer.passphrase), span_text(PASSPHRASE)));
	assert_null(answer.code);
	_cleanup_buf_ struct buf lines = BUF_INIT(1u << 16);
	told("told", &lines);
	static const char *const expected[] = {
		"SETTIMEOUT 60\n", "SETTITLE envseal\n", "SETOK Approve once\n", "SETCANCEL Deny\n", "SETPROMPT Passphrase:\nGETPIN\n",
		"SETDESC envseal: a program asks for secrets (run)%0A  asked by    bash (4711)%0A",
		"%0A  command     date +100%25%0A  directory   /home/user\n"};
	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		assert_non_null(strstr(buf_text(&lines), expected[i]));
	assert_null(strstr(buf_text(&lines), "horse"));
}

static void test_what_it_gets(void **state)
{
	(void)state;
	struct err err;
	_cleanup_approval_answer_ struct approval_answer answer = {0};
	// A descriptor that somebody left open is not handed on.
	int left = fcntl(0, F_DUPFD, 77);
	assert_int_equal(converse("echo 'D correct horse'; echo OK", &needs, &answer, &err), 0);
	close(left);
	_cleanup_buf_ struct buf env = BUF_INIT(1u << 16), process = BUF_INIT(1u << 16), fds = BUF_INIT(1u << 16);
	told("env", &env);
	static const char *const has[] = {"DISPLAY=:7\n", "XAUTHORITY=/tmp/x\n", "PATH=" PATH_DEFAULT "\n", "LANG=C.UTF-8\n"};
	for (size_t i = 0; i < ARRAY_COUNT(has); i++)
		assert_non_null(strstr(buf_text(&env), has[i]));
	static const char *const has_not[] = {"LD_PRELOAD", "DISPLAYX", "HOME", "evil"};
	for (size_t i = 0; i < ARRAY_COUNT(has_not); i++)
		assert_null(strstr(buf_text(&env), has_not[i]));
	told("process", &process);
	int pid = 0, session = -1;
	char tty[32];
	assert_int_equal(sscanf(buf_text(&process), "%d %31s %d", &pid, tty, &session), 3);
	assert_string_equal(tty, "?");
	assert_int_equal(session, pid);
	told("fds", &fds);
	// The three, and the folder that ls reads.
	assert_string_equal(buf_text(&fds), "0\n1\n2\n3\n");
}

static void test_the_code(void **state)
{
	(void)state;
	struct err err;
	struct approval_needs both = needs;
	both.wants_code = true;
	_cleanup_approval_answer_ struct approval_answer answer = {0};
	const char *script = "n=$((n + 1)); [ $n = 1 ] && echo 'D correct horse' || echo 'D 123456'; echo OK";
	assert_int_equal(converse(script, &both, &answer, &err), 0);
	assert_true(span_is_equal(secret_span(answer.code), span_text("123456")));
	assert_int_equal(secret_len(answer.passphrase), strlen("correct horse"));
	approval_answer_done(&answer);
	both.has_passphrase = true;
	assert_int_equal(converse("echo 'D 123456'; echo OK", &both, &answer, &err), 0);
	assert_null(answer.passphrase);
	assert_true(span_is_equal(secret_span(answer.code), span_text("123456")));
	approval_answer_done(&answer);
	assert_int_equal(converse("echo 'D 12345x'; echo OK", &both, &answer, &err), ERR_PASSPHRASE);
	assert_int_equal(converse("echo 'D 123456789'; echo OK", &both, &answer, &err), ERR_LIMIT);
	assert_null(answer.code);
}

// Whatever it answers, or does not, is no approval.
static void test_every_no(void **state)
{
	(void)state;
	static const struct {
		const char *answer, *says;
		int code;
	} cases[] = {
		{"echo 'ERR 83886179 Operation cancelled <Pinentry>'", "denied at the prompt", ERR_DENIED},
		{"echo 'ERR 83886278 Fully cancelled <Pinentry>'", "denied at the prompt", ERR_DENIED},
		{"echo 'ERR 83886142 Timeout <Pinentry>'", "nobody answered within 60 seconds", ERR_DENIED},
		{"echo OK", "denied at the prompt", ERR_DENIED},
		{"echo 'D s'; echo OK", "no passphrase", ERR_PASSPHRASE},
		{"echo 'ERR 83886163 No terminal'", "pinentry failed", ERR_SYSTEM},
		{"echo nonsense", "pinentry failed", ERR_SYSTEM},
		{"exit 1", "pinentry failed", ERR_SYSTEM},
		{"echo 'D half'; exit 0", "pinentry failed", ERR_SYSTEM},
		{"echo 'D half'; kill -9 $$", "pinentry failed", ERR_SYSTEM},
		{"printf 'D %0101d\\n' 1; echo OK", "more than 100 bytes", ERR_LIMIT},
		{"printf 'D %05000d\\n' 1; echo OK", "pinentry failed", ERR_SYSTEM},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct err err = {0};
		struct approval_answer answer = {0};
		assert_int_equal(converse(cases[i].answer, &needs, &answer, &err), cases[i].code);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(answer.is_denied, strstr(cases[i].says, "denied at the prompt") != NULL);
		assert_non_null(strstr(err.text, cases[i].says));
		assert_null(answer.passphrase);
	}
}

// It is killed when it neither answers nor ends.
static void test_one_that_hangs(void **state)
{
	(void)state;
	struct err err;
	struct approval_needs impatient = needs;
	impatient.seconds = 0;
	struct approval_answer answer = {0};
	assert_int_equal(converse("trap '' TERM; while :; do sleep 1000; done", &impatient, &answer, &err), ERR_DENIED);
	assert_non_null(strstr(err.text, "nobody answered within 0 seconds"));
}

static void test_one_that_is_none(void **state)
{
	(void)state;
	struct err err;
	char path[400];
	struct approval_answer answer = {0};
	_cleanup_program_ struct program *program = NULL;
	script_write("other", "#!/bin/sh\nexit 0\n");
	snprintf(path, sizeof(path), "%s/other", scene);
	assert_int_equal(program_resolve(path, &(struct program_options){.path_list = SYSTEM_PATH, .by_path = true}, &program, &err), 0);
	assert_int_equal(pinentry_converse(program, (char *[]){NULL}, "x\n", &needs, &answer, &err), ERR_SYSTEM);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_only_roots_own_programs(void **state)
{
	(void)state;
	struct err err;
	struct approval approval = sample();
	struct approval_answer answer = {0};
	char path[400];
	script_write("pinentry", "#!/bin/sh\ntouch started\n");
	snprintf(path, sizeof(path), "%s/pinentry", scene);
	struct pinentry_options options = {.path = path, .environment = (char *[]){NULL}};
	assert_int_equal(pinentry_ask(&options, &approval, &needs, &answer, &err), ERR_UNSAFE);
	assert_non_null(strstr(err.text, "is not a system file"));
	options.path = "pinentry";
	assert_int_equal(pinentry_ask(&options, &approval, &needs, &answer, &err), ERR_UNSAFE);
	options.path = "/nonexistent/pinentry";
	assert_int_equal(pinentry_ask(&options, &approval, &needs, &answer, &err), ERR_NO_PROGRAM);
	// A system file passes, and this one is no pinentry.
	options.path = "/usr/bin/true";
	assert_int_equal(pinentry_ask(&options, &approval, &needs, &answer, &err), ERR_SYSTEM);
	assert_int_equal(access("started", F_OK), -1);
}

static void test_a_long_question_needs_a_terminal(void **state)
{
	(void)state;
	struct err err;
	struct approval approval = sample();
	struct approval_answer answer = {0};
	char word[1001] = {0};
	memset(word, 'w', sizeof(word) - 1);
	approval.argv = (char *[]){word, NULL};
	struct pinentry_options options = {.path = "/usr/bin/true", .environment = (char *[]){NULL}};
	assert_int_equal(pinentry_ask(&options, &approval, &needs, &answer, &err), ERR_DENIED);
	assert_non_null(strstr(err.text, "needs a terminal"));
	char lines[] = "................................\n";
	for (size_t i = 0; lines[i + 1]; i++)
		lines[i] = '\n';
	_cleanup_buf_ struct buf out = BUF_INIT(4096);
	assert_int_equal(pinentry_description(lines, &out, &err), ERR_DENIED);
}

// The real one, of the kind that needs a terminal: it takes every word of ours, and then has nowhere to ask.
static void test_pinentry_curses(void **state)
{
	(void)state;
	if (access("/usr/bin/pinentry-curses", X_OK) < 0)
		skip();
	struct err err;
	struct approval approval = sample();
	struct approval_answer answer = {0};
	struct pinentry_options options = {.path = "/usr/bin/pinentry-curses", .environment = (char *[]){NULL}};
	assert_int_equal(pinentry_ask(&options, &approval, &needs, &answer, &err), ERR_SYSTEM);
	assert_non_null(strstr(err.text, "pinentry failed: "));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

// Reads what it draws until `text` stands there, then types.
static void human_types(int master, const char *text, const char *keys)
{
	static char seen[1u << 16];
	size_t len = 0;
	while (!strstr(seen, text)) {
		ssize_t n = read(master, seen + len, sizeof(seen) - 1 - len);
		if (n <= 0)
			_exit(1);
		// What it draws may hold NULs.
		for (ssize_t i = 0; i < n; i++)
			if (seen[len + (size_t)i] == 0)
				seen[len + (size_t)i] = ' ';
		len += (size_t)n;
	}
	if (write(master, keys, strlen(keys)) != (ssize_t)strlen(keys))
		_exit(1);
	while (read(master, seen, sizeof(seen)) > 0)
		;
	_exit(0);
}

// The real one, on a terminal that is lent to it, with a human who types or cancels.
static void test_pinentry_curses_with_a_human(void **state)
{
	(void)state;
	if (access("/usr/bin/pinentry-curses", X_OK) < 0)
		skip();
	static const struct {
		const char *keys;
		int code;
	} cases[] = {{"correct horse\r", 0}, {"\t\t\r", ERR_DENIED}};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct err err;
		struct approval_answer answer = {0};
		struct winsize size = {.ws_row = 40, .ws_col = 120};
		char script[600], path[400], name[100];
		_cleanup_program_ struct program *program = NULL;
		int master, slave;
		assert_int_equal(openpty(&master, &slave, name, NULL, &size), 0);
		pid_t human = fork();
		if (human == 0) {
			close(slave);
			human_types(master, "Passphrase:", cases[i].keys);
		}
		snprintf(script, sizeof(script), "#!/bin/sh\nexec /usr/bin/pinentry-curses --ttyname %s --ttytype xterm\n", name);
		script_write("pinentry", script);
		snprintf(path, sizeof(path), "%s/pinentry", scene);
		assert_int_equal(program_resolve(path, &(struct program_options){.path_list = SYSTEM_PATH, .by_path = true}, &program, &err), 0);
		int r = pinentry_converse(program, (char *[]){NULL}, "envseal: a question\n", &needs, &answer, &err);
		close(slave);
		close(master);
		assert_int_equal(waitpid(human, NULL, 0), human);
		assert_int_equal(r, cases[i].code);
		assert_int_equal(answer.passphrase != NULL, r == 0);
		if (r != 0)
			assert_non_null(strstr(err.text, "denied at the prompt"));
		if (r == 0)
			assert_true(span_is_equal(secret_span(answer.passphrase), span_text("correct horse")));
		approval_answer_done(&answer);
	}
}

int main(void)
{
	alarm(240);
	const struct CMUnitTest tests[] = {
		scene_test(test_approves),
		scene_test(test_what_it_gets),
		scene_test(test_the_code),
		scene_test(test_every_no),
		scene_test(test_one_that_hangs),
		scene_test(test_one_that_is_none),
		scene_test(test_only_roots_own_programs),
		scene_test(test_a_long_question_needs_a_terminal),
		scene_test(test_pinentry_curses),
		scene_test(test_pinentry_curses_with_a_human),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
