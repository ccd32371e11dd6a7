// bench_relay PROGRAM [ARGUMENT]...: runs a program on a pseudo-terminal of its own and copies between that and the
// terminal it was started on, byte for byte: the least that any program between a user and a terminal program must do.
#include "base/base.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

// Copies what is there; false at the end. A terminal whose programs are gone gives EIO.
static bool copy_some(int from, int to)
{
	uint8_t bytes[65536];
	struct err err;
	ssize_t n = read(from, bytes, sizeof(bytes));
	if (n < 0 && errno == EINTR)
		return true;
	return n > 0 && fd_write_all(to, span_of(bytes, (size_t)n), "a terminal", &err) == 0;
}

static void relay(int master)
{
	struct pollfd ends[2] = {{.fd = master, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
	bool goes_on = true;
	while (goes_on && (poll(ends, 2, -1) >= 0 || errno == EINTR)) {
		if (ends[0].revents)
			goes_on = copy_some(master, STDOUT_FILENO);
		if (goes_on && ends[1].revents)
			goes_on = copy_some(STDIN_FILENO, master);
	}
}

int main(int argc, char **argv)
{
	struct termios before, raw;
	int master;
	if (argc < 2 || tcgetattr(STDIN_FILENO, &before) < 0) {
		fprintf(stderr, "usage, on a terminal: bench_relay PROGRAM [ARGUMENT]...\n");
		return 2;
	}
	pid_t child = forkpty(&master, NULL, &before, NULL);
	if (child == 0) {
		execv(argv[1], argv + 1);
		_exit(127);
	}
	if (child < 0)
		return 1;
	raw = before;
	cfmakeraw(&raw);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	relay(master);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	kill(child, SIGHUP);
	waitpid(child, NULL, 0);
	return 0;
}
