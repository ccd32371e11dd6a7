// In which order the output of two streams comes out where they meet again.
#include "exec_scene.h"

#include <sys/un.h>

#define TO_VARIABLE(n, v, s) {.name = (n), .variable = (v), .delivery = EXEC_TO_VARIABLE, .value = (s)}

// Two sockets, and one that gets what is written to either, each write by itself.
static int meeting_open(int theirs[2])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(address);
	int ours = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(ours, (struct sockaddr *)&address, sizeof(address.sun_family)), 0);
	assert_int_equal(getsockname(ours, (struct sockaddr *)&address, &len), 0);
	for (size_t i = 0; i < 2; i++) {
		theirs[i] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(theirs[i], (struct sockaddr *)&address, len), 0);
	}
	return ours;
}

// Waits for text with `last` in it, or where that is NULL reads what is there.
static void meeting_read(int ours, char *text, size_t room, const char *last)
{
	size_t len = 0;
	ssize_t n = 1;
	while (n > 0 && !(last && len > 0 && strstr(text, last))) {
		n = recv(ours, text + len, room - 1 - len, last ? 0 : MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
		text[len] = 0;
	}
}

// A line whose end could begin a value: it is out before the other stream is looked at. envseal finds both at once.
static void test_short_lines_do_not_mix(void **state)
{
	(void)state;
	int theirs[2];
	char text[256];
	int ours = meeting_open(theirs);
	const struct scene scene = {
		.argv = SH("echo $$; read line; echo one; echo two >&2"),
		.std_fds = {0, theirs[0], theirs[1]},
		.secrets = {TO_VARIABLE("token", "TOKEN", SPAN_LITERAL("e\nand on the next line"))},
	};
	struct actor actor = scene_start(&scene);
	meeting_read(ours, text, sizeof(text), "\n");
	pid_t program = (pid_t)strtol(text, NULL, 10);
	kill(actor.pid, SIGSTOP);
	process_await_state(actor.pid, 'T');
	actor_say(&actor, "go\n");
	process_await_state(program, 'Z');
	kill(actor.pid, SIGCONT);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
	meeting_read(ours, text, sizeof(text), NULL);
	assert_string_equal(text, "one\ntwo\n");
	close(ours);
	close(theirs[0]);
	close(theirs[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(test_short_lines_do_not_mix),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
