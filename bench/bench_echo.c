// bench_echo: answers each line on standard input with the same line in capitals, so that an answer cannot be taken for
// the terminal's own echo. It says READY first.
#include "base/base.h"

#include <ctype.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

int main(void)
{
	struct err err;
	struct termios mode;
	uint8_t bytes[4096];
	ssize_t n;
	if (tcgetattr(STDIN_FILENO, &mode) == 0) {
		cfmakeraw(&mode);
		tcsetattr(STDIN_FILENO, TCSANOW, &mode);
	}
	if (fd_write_all(STDOUT_FILENO, SPAN_LITERAL("READY\n"), "standard output", &err) < 0)
		return 1;
	while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)toupper(bytes[i]);
		if (fd_write_all(STDOUT_FILENO, span_of(bytes, (size_t)n), "standard output", &err) < 0)
			return 1;
	}
	return 0;
}
