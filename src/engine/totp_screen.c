#include "engine/totp.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

// The screen that programs such as editors use: what was there before comes back, and nothing of it gets into the
// scroll-back. It is cleared before it is left, for terminals that keep it.
#define SCREEN_ENTER SPAN_LITERAL("\033[?1049h\033[2J\033[H")
#define SCREEN_CLEAR SPAN_LITERAL("\033[2J\033[H")
#define SCREEN_LEAVE SPAN_LITERAL("\033[2J\033[H\033[?1049l")

struct screen {
	struct terminal *terminal; // NULL: not open
	bool has_alternate;
	sigset_t mask_before;
	struct sigaction stop_before;
};

static bool terminal_is_dumb(void)
{
	const char *term = getenv("TERM");
	return !term || !term[0] || strcmp(term, "dumb") == 0;
}

// By the variables of setlocale(3), in their order.
static bool locale_is_utf8(void)
{
	const char *const names[] = {getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (names[i] && names[i][0])
			return strcasestr(names[i], "UTF-8") || strcasestr(names[i], "UTF8");
	return false;
}

// Signals that would end envseal wait: a question takes them as an answer (approve.h), so that the screen is left first.
// Ctrl-Z does nothing meanwhile: the shell's prompt would stand beside the key.
static int screen_open(struct terminal *terminal, struct screen *out, struct err *err)
{
	struct screen screen = {.terminal = terminal, .has_alternate = !terminal_is_dumb()};
	sigset_t fatal;
	sigemptyset(&fatal);
	for (size_t i = 0; i < 4; i++)
		sigaddset(&fatal, (int[]){SIGINT, SIGTERM, SIGHUP, SIGQUIT}[i]);
	sigprocmask(SIG_BLOCK, &fatal, &screen.mask_before);
	sigaction(SIGTSTP, &(struct sigaction){.sa_handler = SIG_IGN}, &screen.stop_before);
	*out = screen;
	return screen.has_alternate ? terminal_print(terminal, SCREEN_ENTER, err) : 0;
}

static void screen_close(struct screen *screen)
{
	struct err ignored;
	if (!screen->terminal)
		return;
	if (screen->has_alternate)
		terminal_print(screen->terminal, SCREEN_LEAVE, &ignored);
	sigaction(SIGTSTP, &screen->stop_before, NULL);
	sigprocmask(SIG_SETMASK, &screen->mask_before, NULL);
}

static int screen_text(struct screen *screen, const char *text, struct err *err)
{
	return terminal_print(screen->terminal, span_text(text), err);
}

// A line of its own, with blanks around.
static int screen_secret(struct screen *screen, const struct secret *text, struct err *err)
{
	int r = screen_text(screen, "\n    ", err);
	if (r == 0)
		r = terminal_print(screen->terminal, secret_span(text), err);
	return r < 0 ? r : screen_text(screen, "\n\n", err);
}

static int uri_make(const struct totp *totp, struct secret **out, struct err *err)
{
	struct utsname host;
	const char *user = getenv("USER");
	if (!user || !user[0])
		user = getenv("LOGNAME");
	if (uname(&host) < 0)
		host.nodename[0] = 0;
	return totp_uri(totp, user && user[0] ? user : "user", host.nodename[0] ? host.nodename : "host", out, err);
}

// A picture of as many lines is twice as wide. Where the terminal does not tell its size, it is taken to be large enough.
static bool picture_fits(const struct secret *picture)
{
	struct winsize size = {0};
	size_t lines = 0;
	_cleanup_fd_ int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	for (size_t i = 0; i < secret_len(picture); i++)
		lines += secret_span(picture).data[i] == '\n';
	if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
		return true;
	return lines < size.ws_row && 2 * lines <= size.ws_col;
}

// NULL, and a sentence instead, when there can be none.
static struct secret *picture_make(const struct secret *uri, const char **out_why)
{
	struct err err;
	_cleanup_secret_ struct secret *picture = NULL;
	if (totp_picture(uri, locale_is_utf8() && !terminal_is_dumb(), &picture, &err) < 0)
		*out_why = "No QR code: the program that draws it cannot be started. Is the library libqrencode installed?\n";
	else if (!picture_fits(picture))
		*out_why = "No QR code: this terminal is too small for it.\n";
	else
		return TAKE_PTR(picture);
	return NULL;
}

// What is to be read and kept, and a yes that it was.
static int page_of_text(struct screen *screen, const struct totp *totp, const struct secret *recovery,
			const struct secret *uri, const char *why, struct err *err)
{
	_cleanup_secret_ struct secret *key = NULL;
	bool yes = false;
	int r = totp_key_text(totp, &key, err);
	if (r == 0)
		r = screen_text(screen, "Recovery code, for `envseal totp rm --recovery` when the phone is lost. Write it down now; "
					"it is not shown again:\n", err);
	if (r == 0)
		r = screen_secret(screen, recovery, err);
	if (r == 0)
		r = screen_text(screen, "Key, for an app that cannot scan (by time, SHA-1, 6 digits, 30 seconds):\n", err);
	if (r == 0)
		r = screen_secret(screen, key, err);
	if (r == 0)
		r = screen_text(screen, "The same as a URI:\n", err);
	if (r == 0)
		r = screen_secret(screen, uri, err);
	if (r == 0)
		r = screen_text(screen, why, err);
	if (r == 0)
		r = terminal_ask_yes(screen->terminal, "Is the recovery code written down? [y/N] ", &yes, err);
	if (r < 0)
		return r;
	return yes ? 0 : err_set(err, ERR_DENIED, "not confirmed; nothing was stored");
}

static int page_of_picture(struct screen *screen, const struct secret *picture, struct err *err)
{
	int r = screen->has_alternate ? terminal_print(screen->terminal, SCREEN_CLEAR, err) : 0;
	return r < 0 ? r : terminal_print(screen->terminal, secret_span(picture), err);
}

// 0 with *out false for a code that is not the app's.
static int proof_read(struct screen *screen, struct totp *totp, bool *out, struct err *err)
{
	_cleanup_secret_ struct secret *typed = NULL, *digits = NULL;
	enum totp_verdict verdict = TOTP_WRONG;
	struct err no_digits;
	int r = terminal_ask_secret(screen->terminal, "Code that the app shows: ", TOTP_ANSWER_BYTES_MAX, &typed, err);
	if (r == 0 && totp_digits(typed, &digits, &no_digits) == 0)
		r = totp_match(totp, secret_span(digits), totp_step_at(clock_now()), &verdict, &totp->last_step, err);
	if (r == 0)
		*out = verdict == TOTP_RIGHT;
	return r;
}

static int proof_ask(struct screen *screen, struct totp *totp, struct err *err)
{
	bool is_proven = false;
	for (int i = 0; i < TOTP_PROOF_TRIES; i++) {
		int r = i == 0 ? 0 : screen_text(screen, "That is not the code.\n", err);
		if (r == 0)
			r = proof_read(screen, totp, &is_proven, err);
		if (r < 0 || is_proven)
			return r;
	}
	return err_set(err, ERR_PASSPHRASE, "the codes are not those of the key, so nothing was stored; see whether the clocks of this "
					    "machine and of the phone are right");
}

int totp_prove(struct terminal *terminal, struct totp *totp, const struct secret *recovery, struct err *err)
{
	_cleanup_secret_ struct secret *uri = NULL, *picture = NULL;
	const char *why = "";
	int r = uri_make(totp, &uri, err);
	if (r < 0)
		return r;
	picture = picture_make(uri, &why);
	_cleanup_(screen_close) struct screen screen = {0};
	r = screen_open(terminal, &screen, err);
	if (r == 0)
		r = page_of_text(&screen, totp, recovery, uri, why, err);
	if (r == 0 && picture)
		r = page_of_picture(&screen, picture, err);
	return r < 0 ? r : proof_ask(&screen, totp, err);
}
