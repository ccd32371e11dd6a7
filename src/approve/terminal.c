#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "approve/prompt.h"

int terminal_open(const char *need, struct terminal **out, struct err *err)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_LOCKED, "%s is needed and there is no terminal to ask on; use --passphrase-fd N or "
						"--passphrase-file FILE", need);
	struct terminal *terminal = calloc(1, sizeof(*terminal));
	if (!terminal) {
		close(fd);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	terminal->fd = fd;
	*out = terminal;
	return 0;
}

struct terminal *terminal_close(struct terminal *terminal)
{
	if (terminal) {
		fd_close(&terminal->fd);
		free(terminal);
	}
	return NULL;
}

void terminal_close_ptr(struct terminal **terminal)
{
	*terminal = terminal_close(*terminal);
}

int terminal_print(struct terminal *terminal, struct span printable, struct err *err)
{
	return fd_write_all(terminal->fd, printable, "to the terminal", err);
}

int terminal_ask_secret(struct terminal *terminal, const char *text, size_t max_bytes, struct secret **out,
			struct err *err)
{
	_cleanup_secret_ struct secret *line = NULL;
	int r = secret_new(max_bytes, SECRET_LOCK_REQUIRED, &line, err);
	if (r < 0)
		return r;
	_cleanup_prompt_ struct prompt prompt = PROMPT_NONE;
	size_t len = 0;
	r = prompt_begin(terminal, PROMPT_WAIT_FOREVER, &prompt, err);
	if (r == 0)
		r = prompt_line(&prompt, text, line, &len, err);
	if (r < 0)
		return r;
	secret_shorten(line, len);
	*out = TAKE_PTR(line);
	return 0;
}

int terminal_ask_yes(struct terminal *terminal, const char *question, bool *out, struct err *err)
{
	_cleanup_prompt_ struct prompt prompt = PROMPT_NONE;
	uint8_t key = 0;
	int r = prompt_begin(terminal, PROMPT_WAIT_FOREVER, &prompt, err);
	if (r == 0)
		r = prompt_key(&prompt, question, &key, err);
	if (r < 0)
		return r;
	bool yes = key == 'y' || key == 'Y';
	r = terminal_print(terminal, yes ? SPAN_LITERAL("yes\n") : SPAN_LITERAL("no\n"), err);
	if (r < 0)
		return r;
	*out = yes;
	return 0;
}
