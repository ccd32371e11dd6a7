#include "approve/approve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

struct terminal {
	int fd;
};

enum {
	KEY_INTERRUPT = 0x03,
	KEY_END = 0x04,
	KEY_BACKSPACE = 0x08,
	KEY_KILL_LINE = 0x15,
	KEY_SUSPEND = 0x1a,
	KEY_QUIT = 0x1c,
	KEY_DELETE = 0x7f
};

// What must be undone when a question is over.
struct session {
	struct terminal *terminal;
	struct termios before;
	sigset_t mask_before;
	int signal_fd;
	bool is_raw;
};

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

// The terminal delivers keys one by one, Ctrl-C included, without echo. Output processing stays on, so that "\n" works.
static int session_raw(struct session *session, struct err *err)
{
	struct termios raw = session->before;
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	raw.c_iflag |= ICRNL;
	raw.c_iflag &= ~(tcflag_t)(IXON | INLCR | IGNCR);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	// TCSAFLUSH throws away what was typed before the question was there to be read.
	if (tcsetattr(session->terminal->fd, TCSAFLUSH, &raw) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot switch the terminal's echo off");
	session->is_raw = true;
	// Best effort: root is not kept off by it, and some terminals do not know it.
	ioctl(session->terminal->fd, TIOCEXCL);
	return 0;
}

static void session_cooked(struct session *session)
{
	if (!session->is_raw)
		return;
	ioctl(session->terminal->fd, TIOCNXCL);
	tcsetattr(session->terminal->fd, TCSAFLUSH, &session->before);
	session->is_raw = false;
}

static void session_end(struct session *session)
{
	session_cooked(session);
	if (session->signal_fd >= 0) {
		fd_close(&session->signal_fd);
		sigprocmask(SIG_SETMASK, &session->mask_before, NULL);
	}
}

static int session_begin(struct terminal *terminal, struct session *out, struct err *err)
{
	struct session session = {.terminal = terminal, .signal_fd = -1};
	if (tcgetattr(terminal->fd, &session.before) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine the terminal");
	// Signals that would end us are read as events instead, so that the terminal is put back first.
	sigset_t fatal;
	sigemptyset(&fatal);
	for (size_t i = 0; i < 4; i++)
		sigaddset(&fatal, (int[]){SIGINT, SIGTERM, SIGHUP, SIGQUIT}[i]);
	sigprocmask(SIG_BLOCK, &fatal, &session.mask_before);
	session.signal_fd = signalfd(-1, &fatal, SFD_CLOEXEC);
	int r = session.signal_fd < 0 ? err_set_errno(err, ERR_SYSTEM, errno, "cannot watch signals")
				      : session_raw(&session, err);
	if (r < 0) {
		session_end(&session);
		return r;
	}
	*out = session;
	return 0;
}

static int prompt_interrupted(struct err *err)
{
	return err_set(err, ERR_INTERRUPTED, "interrupted at the prompt; nothing was changed");
}

// The next key. Stops the process and comes back for Ctrl-Z, as a shell user expects; `prompt` is shown again then.
static int session_key(struct session *session, const char *prompt, uint8_t *out, struct err *err)
{
	for (;;) {
		struct pollfd fds[] = {{session->terminal->fd, POLLIN, 0}, {session->signal_fd, POLLIN, 0}};
		if (poll(fds, ARRAY_COUNT(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot wait for the terminal");
		}
		if (fds[1].revents)
			return prompt_interrupted(err);
		ssize_t n = read(session->terminal->fd, out, 1);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return prompt_interrupted(err);
		if (*out == KEY_SUSPEND) {
			session_cooked(session);
			raise(SIGTSTP);
			int r = session_raw(session, err);
			if (r == 0)
				r = terminal_print(session->terminal, span_text(prompt), err);
			if (r < 0)
				return r;
			continue;
		}
		if (*out == KEY_INTERRUPT || *out == KEY_QUIT)
			return prompt_interrupted(err);
		return 0;
	}
}

// A pasted text of several lines would leave its rest to the shell, which would run it.
static int session_check_rest(struct session *session, struct err *err)
{
	int waiting = 0;
	if (ioctl(session->terminal->fd, FIONREAD, &waiting) < 0 || waiting == 0)
		return 0;
	tcflush(session->terminal->fd, TCIFLUSH);
	return err_set(err, ERR_INPUT, "more than one line was typed or pasted at once; give a value of several lines by --stdin "
				       "or --file");
}

// Fills `line` up to Enter; *ret_len is what was typed.
static int session_line(struct session *session, const char *prompt, struct secret *line, size_t *ret_len, struct err *err)
{
	size_t len = 0;
	uint8_t *data = secret_data(line);
	for (;;) {
		uint8_t key = 0;
		int r = session_key(session, prompt, &key, err);
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
	return session_check_rest(session, err);
}

int terminal_ask_secret(struct terminal *terminal, const char *prompt, size_t max_bytes, struct secret **out,
			struct err *err)
{
	_cleanup_secret_ struct secret *line = NULL;
	int r = secret_new(max_bytes, SECRET_LOCK_REQUIRED, &line, err);
	if (r < 0)
		return r;
	_cleanup_(session_end) struct session session = {.signal_fd = -1};
	r = session_begin(terminal, &session, err);
	if (r < 0)
		return r;
	r = terminal_print(terminal, span_text(prompt), err);
	size_t len = 0;
	if (r == 0)
		r = session_line(&session, prompt, line, &len, err);
	struct err ignored;
	terminal_print(terminal, SPAN_LITERAL("\n"), &ignored);
	if (r < 0)
		return r;
	secret_shorten(line, len);
	*out = TAKE_PTR(line);
	return 0;
}

int terminal_ask_yes(struct terminal *terminal, const char *question, bool *out, struct err *err)
{
	_cleanup_(session_end) struct session session = {.signal_fd = -1};
	int r = session_begin(terminal, &session, err);
	if (r == 0)
		r = terminal_print(terminal, span_text(question), err);
	uint8_t key = 0;
	if (r == 0)
		r = session_key(&session, question, &key, err);
	if (r < 0)
		return r;
	bool yes = key == 'y' || key == 'Y';
	r = terminal_print(terminal, yes ? SPAN_LITERAL("yes\n") : SPAN_LITERAL("no\n"), err);
	if (r < 0)
		return r;
	*out = yes;
	return 0;
}
