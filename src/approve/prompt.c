#include "approve/prompt.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

// The terminal delivers keys one by one, Ctrl-C included, without echo. Output processing stays on, so that "\n" works.
static int prompt_raw(struct prompt *prompt, struct err *err)
{
	struct termios raw = prompt->before;
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	raw.c_iflag |= ICRNL;
	raw.c_iflag &= ~(tcflag_t)(IXON | INLCR | IGNCR);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	// TCSAFLUSH throws away what was typed before the question was there to be read.
	if (tcsetattr(prompt->terminal->fd, TCSAFLUSH, &raw) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot switch the terminal's echo off");
	prompt->is_raw = true;
	// Best effort: root is not kept off by it, and some terminals do not know it.
	ioctl(prompt->terminal->fd, TIOCEXCL);
	return 0;
}

static void prompt_cooked(struct prompt *prompt)
{
	if (!prompt->is_raw)
		return;
	ioctl(prompt->terminal->fd, TIOCNXCL);
	tcsetattr(prompt->terminal->fd, TCSAFLUSH, &prompt->before);
	prompt->is_raw = false;
}

void prompt_end(struct prompt *prompt)
{
	prompt_cooked(prompt);
	if (prompt->signal_fd >= 0) {
		fd_close(&prompt->signal_fd);
		sigprocmask(SIG_SETMASK, &prompt->mask_before, NULL);
	}
}

int prompt_begin(struct terminal *terminal, int wait_seconds, struct prompt *out, struct err *err)
{
	struct prompt prompt = {.terminal = terminal, .signal_fd = -1, .wait_seconds = wait_seconds};
	if (tcgetattr(terminal->fd, &prompt.before) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine the terminal");
	// Signals that would end us are read as events instead, so that the terminal is put back first.
	sigset_t fatal;
	sigemptyset(&fatal);
	for (size_t i = 0; i < 4; i++)
		sigaddset(&fatal, (int[]){SIGINT, SIGTERM, SIGHUP, SIGQUIT}[i]);
	sigprocmask(SIG_BLOCK, &fatal, &prompt.mask_before);
	prompt.signal_fd = signalfd(-1, &fatal, SFD_CLOEXEC);
	int r = prompt.signal_fd < 0 ? err_set_errno(err, ERR_SYSTEM, errno, "cannot watch signals")
				     : prompt_raw(&prompt, err);
	if (r < 0) {
		prompt_end(&prompt);
		return r;
	}
	*out = prompt;
	return 0;
}

static int prompt_interrupted(struct err *err)
{
	return err_set(err, ERR_INTERRUPTED, "interrupted at the prompt; nothing was changed");
}

static int prompt_show(struct prompt *prompt, const char *text, struct err *err)
{
	tcflush(prompt->terminal->fd, TCIFLUSH);
	return terminal_print(prompt->terminal, span_text(text), err);
}

// 0 when a key is there to be read.
static int key_wait(struct prompt *prompt, struct err *err)
{
	int64_t end = clock_monotonic_ms() + (int64_t)prompt->wait_seconds * 1000;
	for (;;) {
		struct pollfd fds[] = {{prompt->terminal->fd, POLLIN, 0}, {prompt->signal_fd, POLLIN, 0}};
		int64_t left = end - clock_monotonic_ms();
		int n = poll(fds, ARRAY_COUNT(fds), prompt->wait_seconds < 0 ? -1 : (int)(left > 0 ? left : 0));
		if (n < 0 && errno != EINTR)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot wait for the terminal");
		if (n > 0)
			return fds[1].revents ? prompt_interrupted(err) : 0;
		if (n == 0)
			return err_set(err, ERR_DENIED, "nobody answered within %d seconds; nothing was done",
				       prompt->wait_seconds);
	}
}

// Stops the process, as a shell user expects of Ctrl-Z, and comes back. What was on the screen may be gone by then.
static int prompt_stop(struct prompt *prompt, const char *text, struct err *err)
{
	prompt_cooked(prompt);
	raise(SIGTSTP);
	int r = prompt_raw(prompt, err);
	if (r == 0)
		r = terminal_print(prompt->terminal, prompt->shown, err);
	return r == 0 ? prompt_show(prompt, text, err) : r;
}

static int key_read(struct prompt *prompt, const char *text, uint8_t *out, struct err *err)
{
	for (;;) {
		int r = key_wait(prompt, err);
		if (r < 0)
			return r;
		ssize_t n = read(prompt->terminal->fd, out, 1);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0 || *out == KEY_INTERRUPT || *out == KEY_QUIT)
			return prompt_interrupted(err);
		if (*out != KEY_SUSPEND)
			return 0;
		r = prompt_stop(prompt, text, err);
		if (r < 0)
			return r;
	}
}

int prompt_key(struct prompt *prompt, const char *text, uint8_t *out, struct err *err)
{
	int r = prompt_show(prompt, text, err);
	return r == 0 ? key_read(prompt, text, out, err) : r;
}

// A pasted text of several lines would leave its rest to the shell, which would run it.
static int rest_check(struct prompt *prompt, struct err *err)
{
	int waiting = 0;
	if (ioctl(prompt->terminal->fd, FIONREAD, &waiting) < 0 || waiting == 0)
		return 0;
	tcflush(prompt->terminal->fd, TCIFLUSH);
	return err_set(err, ERR_INPUT, "more than one line was typed or pasted at once; give a value of several lines by --stdin "
				       "or --file");
}

static int line_read(struct prompt *prompt, const char *text, struct secret *line, size_t *ret_len, struct err *err)
{
	size_t len = 0;
	uint8_t *data = secret_data(line);
	for (;;) {
		uint8_t key = 0;
		int r = key_read(prompt, text, &key, err);
		if (r < 0)
			return r;
		if (key == '\n' || key == '\r' || (key == KEY_END && len > 0))
			break;
		if (key == KEY_END)
			return prompt_interrupted(err);
		if (key == KEY_KILL_LINE)
			len = 0;
		else if ((key == KEY_BACKSPACE || key == KEY_DELETE) && len > 0)
			len--;
		else if (key == KEY_BACKSPACE || key == KEY_DELETE)
			continue;
		else if (len == secret_len(line))
			return err_set(err, ERR_LIMIT, "more than %zu bytes were typed", secret_len(line));
		else
			data[len++] = key;
	}
	*ret_len = len;
	return rest_check(prompt, err);
}

int prompt_line(struct prompt *prompt, const char *text, struct secret *line, size_t *ret_len, struct err *err)
{
	int r = prompt_show(prompt, text, err);
	if (r == 0)
		r = line_read(prompt, text, line, ret_len, err);
	struct err ignored;
	terminal_print(prompt->terminal, SPAN_LITERAL("\n"), &ignored);
	return r;
}
