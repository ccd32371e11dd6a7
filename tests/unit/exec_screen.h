// The user's terminal, for the tests of exec: the test holds the other end of it, as a terminal emulator does.
#pragma once

#include <pty.h>
#include <termios.h>

#include "exec_scene.h"

struct screen {
	int leader;
	int terminal;
	struct termios before;
	struct buf seen;
};

static inline struct screen screen_open(void)
{
	struct screen screen = {.seen = BUF_INIT(64u << 20)};
	const struct winsize size = {.ws_row = 31, .ws_col = 97};
	assert_int_equal(openpty(&screen.leader, &screen.terminal, NULL, NULL, &size), 0);
	fcntl(screen.leader, F_SETFD, FD_CLOEXEC);
	fcntl(screen.terminal, F_SETFD, FD_CLOEXEC);
	fcntl(screen.leader, F_SETFL, O_NONBLOCK);
	assert_int_equal(tcgetattr(screen.terminal, &screen.before), 0);
	return screen;
}

static inline void screen_close(struct screen *screen)
{
	if (screen->leader >= 0)
		close(screen->leader);
	close(screen->terminal);
	buf_done(&screen->seen);
}
#define _cleanup_screen_ _cleanup_(screen_close)

// Takes what has been printed; false when there is nothing now.
static inline bool screen_take(struct screen *screen)
{
	uint8_t block[4096];
	struct err err;
	ssize_t n = read(screen->leader, block, sizeof(block));
	if (n > 0)
		assert_int_equal(buf_append(&screen->seen, span_of(block, (size_t)n), &err), 0);
	return n > 0;
}

static inline void screen_await(struct screen *screen, const char *text)
{
	while (!strstr(buf_text(&screen->seen), text)) {
		struct pollfd ready = {.fd = screen->leader, .events = POLLIN};
		assert_true(poll(&ready, 1, 60000) > 0);
		screen_take(screen);
	}
}

static inline void screen_type(struct screen *screen, const char *keys)
{
	assert_int_equal(write(screen->leader, keys, strlen(keys)), strlen(keys));
}

static inline bool screen_is_raw(const struct screen *screen)
{
	struct termios now;
	assert_int_equal(tcgetattr(screen->terminal, &now), 0);
	return (now.c_lflag & ICANON) == 0;
}

static inline void assert_restored(const struct screen *screen)
{
	struct termios now;
	assert_int_equal(tcgetattr(screen->terminal, &now), 0);
	assert_int_equal(now.c_iflag, screen->before.c_iflag);
	assert_int_equal(now.c_oflag, screen->before.c_oflag);
	assert_int_equal(now.c_lflag, screen->before.c_lflag);
	assert_memory_equal(now.c_cc, screen->before.c_cc, sizeof(now.c_cc));
}

static inline struct scene scene_on(const struct screen *screen, const char *const *argv)
{
	static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
	return (struct scene){
		.argv = argv,
		.environment = environment,
		.std_fds = {screen->terminal, screen->terminal, screen->terminal},
		.leads_terminal = true,
	};
}

// Reads the terminal until the helper has ended.
static inline struct ending screen_end(struct screen *screen, struct actor *actor)
{
	struct pollfd fds[] = {{.fd = screen->leader, .events = POLLIN}, {.fd = actor->report_fd, .events = POLLIN}};
	while (fds[1].revents == 0) {
		assert_true(poll(fds, 2, 60000) > 0);
		screen_take(screen);
	}
	struct ending ending = actor_end(actor);
	while (screen_take(screen))
		;
	return ending;
}

static inline struct ending screen_run(struct screen *screen, const struct scene *scene)
{
	struct actor actor = scene_start(scene);
	return screen_end(screen, &actor);
}

static inline pid_t screen_read_pid(struct screen *screen, const char *mark)
{
	char text[32];
	snprintf(text, sizeof(text), "%s\r\n", mark);
	screen_await(screen, text);
	return (pid_t)strtol(buf_text(&screen->seen), NULL, 10);
}
