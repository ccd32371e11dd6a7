// A scene for the tests of exec: a helper process with standard descriptors, dispositions and secrets of the test's
// choice supervises a program; the test is its shell. Waiting is by pipes and process states, never by time; an alarm
// ends a test that hangs.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "exec/exec.h"

#define SCENE_SECONDS_MAX 120
#define SCENE_SECRETS_MAX 16
#define SCENE_REPORT_FD 60
#define SCENE_STRAY_FD 50
#define SCENE_FAILED 99 // exit status of a helper that could not set its scene

struct scene_secret {
	const char *name;
	const char *variable;
	enum exec_delivery delivery;
	struct span value;
};

struct scene {
	const char *const *argv; // argv[0] is the program's path
	const char *const *environment;
	struct scene_secret secrets[SCENE_SECRETS_MAX]; // up to the first without a name
	bool closed[3];
	int std_fds[3];   // 0: a pipe to the test, else a descriptor to use
	int ignored;      // a signal to ignore before exec_inherit, or 0
	int blocked;      // a signal to block before exec_inherit, or 0
	bool is_replaced; // exec_replace
	bool leads_terminal; // standard input is a terminal and becomes the helper's controlling one
	enum exec_on_leak on_leak;
	const struct exec_caller *caller; // the helper is in a session without a terminal then, and keeps caller->fd
	const struct exec_limits *limits;
	const struct sandbox_plan *sandbox; // NULL: the standard tier's
	bool is_undumpable; // the helper, as envseal itself is
	void (*prepare)(void); // in the helper, before all; it may fork
};

struct scene_report {
	int code;
	char text[ERR_TEXT_BYTES];
	struct exec_outcome outcome; // its leaks are those below
	struct exec_leak leaks[SCENE_SECRETS_MAX];
};

struct actor {
	pid_t pid;
	int std_fds[3]; // the test's ends: written, read, read; -1 where the scene has its own
	int report_fd;
};

struct ending {
	int wait_status;
	struct buf out;
	struct buf err;
	bool has_report;
	struct scene_report report;
};

#define STRINGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script) STRINGS("/bin/sh", "-c", script)

// ------------------------------------------------------------------------------------------------------- the helper

static inline void scene_require(bool ok)
{
	if (!ok)
		_exit(SCENE_FAILED);
}

static inline char **scene_strings(const char *const *strings)
{
	size_t count = 0;
	while (strings && strings[count])
		count++;
	char **copies = calloc(count + 1, sizeof(*copies));
	scene_require(copies != NULL);
	for (size_t i = 0; i < count; i++)
		scene_require((copies[i] = strdup(strings[i])) != NULL);
	return copies;
}

static const struct sandbox_plan standard_tier = {
	.needs = {[SANDBOX_NO_CORE] = SANDBOX_REQUIRED, [SANDBOX_NO_NEW_PRIVS] = SANDBOX_REQUIRED, [SANDBOX_SHIELD] = SANDBOX_PREFERRED}};

static inline void scene_play(const struct scene *scene)
{
	struct err err = {0};
	struct exec_inherited inherited;
	struct program *program;
	struct exec_secret secrets[SCENE_SECRETS_MAX];
	struct scene_report report = {0};
	scene_require(!scene->is_undumpable || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
	scene_require(exec_inherit(&inherited, &err) == 0);
	const struct program_options options = {.path_list = "/usr/bin:/bin"};
	report.code = program_resolve(scene->argv[0], &options, &program, &err);
	struct exec_plan plan = {.program = program,
				 .names_fd = -1,
				 .argv = scene_strings(scene->argv),
				 .environment = scene_strings(scene->environment),
				 .secrets = secrets,
				 .inherited = &inherited,
				 .sandbox = scene->sandbox ? scene->sandbox : &standard_tier,
				 .on_leak = scene->on_leak,
				 .caller = scene->caller,
				 .limits = scene->limits};
	struct redact_value values[SCENE_SECRETS_MAX];
	struct redactor *redactor = NULL;
	for (size_t i = 0; i < SCENE_SECRETS_MAX && scene->secrets[i].name; i++) {
		struct secret *value;
		scene_require(secret_copy(scene->secrets[i].value, &value, &err) == 0);
		values[i] = (struct redact_value){scene->secrets[i].name, secret_span(value)};
		secrets[plan.secret_count++] = (struct exec_secret){scene->secrets[i].name, scene->secrets[i].variable,
								    scene->secrets[i].delivery, value};
	}
	scene_require(redactor_new(values, plan.secret_count, &redactor, &err) == 0);
	plan.redactor = redactor;
	if (report.code == 0 && scene->is_replaced)
		report.code = exec_replace(&plan, &err);
	else if (report.code == 0)
		report.code = exec_supervise(&plan, &report.outcome, &err);
	snprintf(report.text, sizeof(report.text), "%s", err.text);
	for (size_t i = 0; i < report.outcome.leaks.count && i < SCENE_SECRETS_MAX; i++)
		report.leaks[i] = report.outcome.leaks.rows[i];
	scene_require(write(SCENE_REPORT_FD, &report, sizeof(report)) == (ssize_t)sizeof(report));
	if (report.code < 0)
		_exit(err_run_status(report.code));
	exec_end_like(&report.outcome);
}

static inline void scene_enter(const struct scene *scene, const int ends[3], int report_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (scene->prepare)
		scene->prepare();
	if (scene->leads_terminal)
		scene_require(setsid() >= 0 && ioctl(ends[0], TIOCSCTTY, 0) == 0);
	else if (scene->caller)
		scene_require(setsid() >= 0);
	else
		setpgid(0, 0);
	scene_require(dup2(report_fd, SCENE_REPORT_FD) >= 0 && dup2(report_fd, SCENE_STRAY_FD) >= 0);
	for (int fd = 0; fd <= 2; fd++) {
		if (scene->closed[fd])
			close(fd);
		else
			scene_require(dup2(ends[fd], fd) == fd);
	}
	// The test's ends among them: a helper that held its own stdin open would never see its end.
	int caller_fd = scene->caller ? scene->caller->fd : -1;
	for (int fd = 3; fd < 256; fd++)
		if (fd != SCENE_REPORT_FD && fd != SCENE_STRAY_FD && fd != caller_fd)
			close(fd);
	signal(SIGPIPE, SIG_DFL);
	if (scene->ignored)
		signal(scene->ignored, SIG_IGN);
	sigset_t mask;
	sigemptyset(&mask);
	if (scene->blocked)
		sigaddset(&mask, scene->blocked);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	scene_play(scene);
}

// --------------------------------------------------------------------------------------------------------- the test

static inline struct actor scene_start(const struct scene *scene)
{
	struct actor actor;
	int theirs[3];
	int report[2];
	for (int fd = 0; fd <= 2; fd++) {
		int ends[2];
		actor.std_fds[fd] = -1;
		theirs[fd] = scene->std_fds[fd];
		if (theirs[fd] > 0)
			continue;
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		theirs[fd] = fd == 0 ? ends[0] : ends[1];
		actor.std_fds[fd] = fd == 0 ? ends[1] : ends[0];
	}
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	fflush(NULL);
	actor.pid = fork();
	assert_true(actor.pid >= 0);
	if (actor.pid == 0)
		scene_enter(scene, theirs, report[1]);
	// Who leads a group cannot begin a session.
	if (!scene->leads_terminal && !scene->caller)
		setpgid(actor.pid, actor.pid);
	close(report[1]);
	for (int fd = 0; fd <= 2; fd++)
		if (actor.std_fds[fd] >= 0)
			close(theirs[fd]);
	actor.report_fd = report[0];
	return actor;
}

static inline void actor_close(struct actor *actor, int fd)
{
	if (actor->std_fds[fd] >= 0)
		close(actor->std_fds[fd]);
	actor->std_fds[fd] = -1;
}

// Reads exactly this text from stdout (1) or stderr (2).
static inline void actor_expect(const struct actor *actor, int fd, const char *text)
{
	char got[256] = {0};
	size_t len = strlen(text);
	for (size_t at = 0; at < len;) {
		ssize_t n = read(actor->std_fds[fd], got + at, len - at);
		assert_true(n > 0);
		at += (size_t)n;
	}
	assert_string_equal(got, text);
}

static inline pid_t actor_read_pid(const struct actor *actor)
{
	char line[32] = {0};
	for (size_t at = 0; at + 1 < sizeof(line) && !strchr(line, '\n'); at++)
		assert_int_equal(read(actor->std_fds[1], line + at, 1), 1);
	return (pid_t)strtol(line, NULL, 10);
}

static inline void actor_say(const struct actor *actor, const char *text)
{
	assert_int_equal(write(actor->std_fds[0], text, strlen(text)), strlen(text));
}

static inline void actor_drain(struct actor *actor, struct ending *ending)
{
	struct err err;
	struct buf *into[3] = {NULL, &ending->out, &ending->err};
	while (actor->std_fds[1] >= 0 || actor->std_fds[2] >= 0) {
		struct pollfd fds[] = {{actor->std_fds[1], POLLIN, 0}, {actor->std_fds[2], POLLIN, 0}};
		assert_true(poll(fds, 2, -1) > 0);
		for (int fd = 1; fd <= 2; fd++) {
			static uint8_t block[65536];
			if (!fds[fd - 1].revents)
				continue;
			ssize_t n = read(actor->std_fds[fd], block, sizeof(block));
			assert_true(n >= 0);
			if (n == 0)
				actor_close(actor, fd);
			assert_int_equal(buf_append(into[fd], span_of(block, (size_t)n), &err), 0);
		}
	}
}

// Waits until the supervising process has been stopped, by that signal.
static inline void actor_await_stop(const struct actor *actor, int number)
{
	int status;
	assert_int_equal(waitpid(actor->pid, &status, WUNTRACED), actor->pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(WSTOPSIG(status), number);
}

// Reads to the end of both streams and waits for the helper.
static inline struct ending actor_end(struct actor *actor)
{
	struct ending ending = {.out = BUF_INIT(1u << 30), .err = BUF_INIT(1u << 30)};
	actor_close(actor, 0);
	actor_drain(actor, &ending);
	ssize_t n = read(actor->report_fd, &ending.report, sizeof(ending.report));
	ending.has_report = n == (ssize_t)sizeof(ending.report);
	close(actor->report_fd);
	assert_int_equal(waitpid(actor->pid, &ending.wait_status, 0), actor->pid);
	return ending;
}

static inline void ending_done(struct ending *ending)
{
	buf_done(&ending->out);
	buf_done(&ending->err);
}
#define _cleanup_ending_ _cleanup_(ending_done)

static inline struct ending scene_run(const struct scene *scene)
{
	struct actor actor = scene_start(scene);
	return actor_end(&actor);
}

static inline void ending_check(const struct ending *ending, int status)
{
	if (!WIFEXITED(ending->wait_status) || WEXITSTATUS(ending->wait_status) != status)
		fail_msg("wait status %#x instead of exit %d; %s; stderr: %s", (unsigned)ending->wait_status, status,
			 ending->report.text, buf_text(&ending->err));
}
#define assert_status(ending, status) ending_check(&(ending), status)

// Of a program that stops itself, and goes on when its supervisor does, twice.
static inline void assert_stops_with_its_program(struct scene scene)
{
	scene.argv = SH("kill -STOP $$; echo on; kill -STOP $$; exit 6");
	struct actor actor = scene_start(&scene);
	actor_await_stop(&actor, SIGSTOP);
	kill(actor.pid, SIGCONT);
	actor_expect(&actor, 1, "on\n");
	actor_await_stop(&actor, SIGSTOP);
	kill(actor.pid, SIGCONT);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 6);
}

static inline void assert_refused(const struct ending *ending, int code)
{
	assert_true(ending->has_report);
	assert_int_equal(ending->report.code, code);
	assert_true(WIFEXITED(ending->wait_status));
	assert_int_equal(WEXITSTATUS(ending->wait_status), err_run_status(code));
	assert_int_equal(ending->out.len, 0);
}

// 'R', 'S', 'Z', 'T' ... of proc(5), or 0 when the process is gone.
static inline char process_state(pid_t pid)
{
	char path[48];
	char text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[len > 0 ? len : 0] = 0;
	const char *after = strrchr(text, ')');
	return after ? after[2] : (char)0;
}

static inline void process_await_state(pid_t pid, char state)
{
	while (process_state(pid) != state)
		sched_yield();
}

static inline int scene_setup(void **state)
{
	(void)state;
	// Orphans of a scene come to the test, which can then wait for their end.
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	alarm(SCENE_SECONDS_MAX);
	return 0;
}
#define scene_test(function) cmocka_unit_test_setup(function, scene_setup)
