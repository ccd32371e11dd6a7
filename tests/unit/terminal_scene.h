// A question on a terminal of its own, in a process of its own, and the human at it.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "approve/approve.h"

// A question that never ends is ended by the alarm, and fails the test so.
#define SCENE_SECONDS 60
#define SEEN_BYTES_MAX (1u << 20)

struct report {
	int result;
	enum approval_choice choice;
	bool is_denied, cools_down;
	bool is_same_terminal; // its modes afterwards are those of before
	char text[ERR_TEXT_BYTES];
	char passphrase[128], code[128]; // "" when there is none
};

struct scene {
	pid_t child;
	int master;
	int gate_fd, report_fd;
	char *seen; // all that was shown
	size_t len, at;
};

static inline void secret_report(struct secret *secret, char out[128])
{
	if (secret) {
		assert_true(secret_len(secret) < 128);
		memcpy(out, secret_data(secret), secret_len(secret));
	}
}

static inline bool modes_are_equal(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag &&
	       memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

static inline void scene_child(const struct approval *approval, const struct approval_needs *needs, int gate_fd,
			       int report_fd)
{
	struct err err = {0};
	struct report report = {0};
	struct approval_answer answer = {0};
	struct termios before = {0}, after = {0};
	struct terminal *terminal = NULL;
	char go;
	alarm(SCENE_SECONDS);
	if (read(gate_fd, &go, 1) != 1)
		_exit(1);
	report.result = terminal_open("a test", &terminal, &err);
	tcgetattr(0, &before);
	if (report.result == 0)
		report.result = approval_ask(terminal, approval, needs, &answer, &err);
	tcgetattr(0, &after);
	report.is_same_terminal = modes_are_equal(&before, &after);
	report.choice = answer.choice;
	report.is_denied = answer.is_denied;
	report.cools_down = answer.cools_down;
	if (report.result < 0)
		memcpy(report.text, err.text, sizeof(report.text));
	secret_report(answer.passphrase, report.passphrase);
	secret_report(answer.code, report.code);
	approval_answer_done(&answer);
	terminal_close(terminal);
	if (write(report_fd, &report, sizeof(report)) != sizeof(report))
		_exit(1);
	_exit(0);
}

// Not yet asking: scene_go lets it.
static inline struct scene scene_new(const struct approval *approval, const struct approval_needs *needs, unsigned rows,
				     unsigned columns)
{
	struct scene scene = {.seen = malloc(SEEN_BYTES_MAX)};
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
	int gate[2], report[2];
	assert_non_null(scene.seen);
	assert_int_equal(pipe(gate), 0);
	assert_int_equal(pipe(report), 0);
	scene.child = forkpty(&scene.master, NULL, NULL, &size);
	assert_true(scene.child >= 0);
	if (scene.child == 0) {
		// Its death is to be seen.
		close(gate[1]);
		close(report[0]);
		scene_child(approval, needs, gate[0], report[1]);
	}
	close(gate[0]);
	close(report[1]);
	scene.gate_fd = gate[1];
	scene.report_fd = report[0];
	return scene;
}

static inline void scene_go(struct scene *scene)
{
	assert_int_equal(write(scene->gate_fd, "g", 1), 1);
}

static inline bool scene_read(struct scene *scene)
{
	assert_true(scene->len + 1 < SEEN_BYTES_MAX);
	ssize_t n = read(scene->master, scene->seen + scene->len, SEEN_BYTES_MAX - 1 - scene->len);
	if (n > 0)
		scene->len += (size_t)n;
	scene->seen[scene->len] = 0;
	return n > 0;
}

// Reads until `text` has come, behind what was expected before.
static inline void expect(struct scene *scene, const char *text)
{
	scene->seen[scene->len] = 0;
	for (;;) {
		const char *found = strstr(scene->seen + scene->at, text);
		if (found) {
			scene->at = (size_t)(found - scene->seen) + strlen(text);
			return;
		}
		if (!scene_read(scene))
			fail_msg("no \"%s\" behind %zu in: %s", text, scene->at, scene->seen);
	}
}

static inline void type(struct scene *scene, const char *keys)
{
	assert_int_equal(write(scene->master, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static inline void resize(struct scene *scene, unsigned rows, unsigned columns)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
	assert_int_equal(ioctl(scene->master, TIOCSWINSZ, &size), 0);
}

static inline void scene_done(struct scene *scene)
{
	close(scene->gate_fd);
	close(scene->report_fd);
	if (scene->master >= 0)
		close(scene->master);
	free(scene->seen);
}

// Waits for the end. Nothing that was typed may have been shown.
static inline struct report scene_end(struct scene *scene)
{
	struct report report;
	int status = 0;
	assert_int_equal(read(scene->report_fd, &report, sizeof(report)), sizeof(report));
	while (scene->master >= 0 && scene_read(scene))
		;
	assert_int_equal(waitpid(scene->child, &status, 0), scene->child);
	assert_int_equal(status, 0);
	scene->seen[scene->len] = 0;
	if (report.passphrase[0])
		assert_null(strstr(scene->seen, report.passphrase));
	if (report.code[0])
		assert_null(strstr(scene->seen, report.code));
	scene_done(scene);
	return report;
}
