// The user's terminals, and the pseudo-terminals that stand in their place.
//
// Exactly one of the two may cook. Of input that is simple: raw, the pseudo-terminal does everything (echo, line
// editing, signal characters); cooked, nothing is read. Of output, the pseudo-terminal always does what the program's
// own settings say, so that the program finds them as it left them; what is written to the user's terminal is
// therefore either left alone there (OPOST off, raw), or the "\r" that both would add before "\n" is taken out first
// (folding).
#include "exec/exec_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_BYTES 4096u

dev_t console_device(int fd)
{
	struct stat status;
	unsigned number = 0;
	if (isatty(fd) != 1)
		return 0;
	// Of /dev/tty this is the terminal behind it.
	if (ioctl(fd, TIOCGDEV, &number) == 0 && number != 0)
		return (dev_t)number;
	return fstat(fd, &status) == 0 ? status.st_rdev : 0;
}

static bool is_cooking_output(const struct termios *settings)
{
	return (settings->c_oflag & OPOST) != 0 && (settings->c_oflag & ONLCR) != 0;
}

// In what envseal changes; the kernel has its own mind about c_cflag and its two bits of state.
static bool settings_are_equal(const struct termios *a, const struct termios *b)
{
	const tcflag_t state = PENDIN | FLUSHO;
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && ((a->c_lflag ^ b->c_lflag) & ~state) == 0 &&
	       memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

static bool settings_are_usable(const struct termios *settings)
{
	const tcflag_t local = ICANON | ECHO | ISIG;
	return (settings->c_lflag & local) == local && (settings->c_iflag & ICRNL) != 0 && is_cooking_output(settings);
}

// -------------------------------------------------------------------------------------------------- opening, closing

int console_open(struct console *console, int number, struct relay *relay, struct console_guard *guard,
		  const struct exec_caller *caller, struct err *err)
{
	struct stat status;
	console->relay = relay;
	console->guard = guard;
	console->device = console_device(number);
	console->caller = caller;
	console->is_controlling = caller_controls(caller, number);
	port_open(&console->user, number, O_RDWR);
	// What is typed may be a passphrase.
	int r = secret_new(INPUT_BYTES, SECRET_LOCK_PREFERRED, &console->input, err);
	if (r < 0)
		return r;
	if (tcgetattr(console->user.fd, &console->before) < 0 || fstat(relay->program_fd, &status) < 0 ||
	    tcsetattr(relay->program_fd, TCSANOW, &console->before) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot copy the settings of your terminal");
	console->given = console->before;
	console->slave_device = status.st_rdev;
	console->is_used = true;
	console_resize(console);
	console_follow(console);
	return 0;
}

static void input_drop(struct console *console)
{
	if (console->input)
		secret_wipe(secret_data(console->input), INPUT_BYTES);
	console->input_at = console->input_len = 0;
}

void console_done(struct console *console)
{
	if (console->is_used)
		console_restore(console);
	secret_free_ptr(&console->input);
	port_done(&console->user);
	*console = CONSOLE_INIT;
}

static bool has_input(const struct console *console)
{
	return console->input_at < console->input_len;
}

static void console_write(struct console *console)
{
	uint8_t *at = secret_data(console->input) + console->input_at;
	ssize_t n = write(console->relay->source_fd, at, console->input_len - console->input_at);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	// Otherwise nobody takes input any more.
	if (n > 0)
		console->input_at += (size_t)n;
	else
		console->input_at = console->input_len;
	if (!has_input(console))
		input_drop(console);
}

// ---------------------------------------------------------------------------------------------------------- settings

bool console_is_foreground(const struct console *console)
{
	return !console->is_controlling || caller_is_foreground(console->caller, console->user.fd);
}

// The guard is told first: killed in between, the monitor finds the settings changed by nobody, and nothing to do.
static bool console_set(struct console *console, const struct termios *settings)
{
	console->guard->now = *settings;
	console->guard->before = console->before;
	__atomic_store_n(&console->guard->is_changed, true, __ATOMIC_SEQ_CST);
	// Never TCSAFLUSH, which would drop what was typed ahead, nor TCSADRAIN, which waits for a stopped terminal:
	// output is processed when it is written.
	if (tcsetattr(console->user.fd, TCSANOW, settings) < 0)
		return false;
	console->now = *settings;
	return true;
}

static void console_forget(struct console *console)
{
	console->state = CONSOLE_COOKED;
	__atomic_store_n(&console->guard->is_changed, false, __ATOMIC_SEQ_CST);
	console_follow(console);
}

// cfmakeraw(3), but for the character size and for output, which console_follow decides.
static struct termios settings_raw(const struct termios *before)
{
	struct termios raw = *before;
	raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IUCLC);
	raw.c_iflag &= ~(tcflag_t)(IXON | IXANY | IXOFF);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN | TOSTOP);
	raw.c_oflag &= ~(tcflag_t)OPOST;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return raw;
}

// What was typed before, a line or the end of input at a time, as the user's terminal has cooked it. It gives the end
// of input as a line without its "\n", and in raw mode would not give it at all.
static void typed_collect(struct console *console)
{
	uint8_t *input = secret_data(console->input);
	struct pollfd ready = {.fd = console->user.fd, .events = POLLIN};
	while (console->input_len < INPUT_BYTES && poll(&ready, 1, 0) > 0 && ready.revents == POLLIN) {
		size_t room = INPUT_BYTES - console->input_len - 1;
		ssize_t n = read(console->user.fd, input + console->input_len, room);
		if (n < 0)
			return;
		console->input_len += (size_t)n;
		uint8_t last = n > 0 ? input[console->input_len - 1] : 0;
		bool is_line = n > 0 && (last == '\n' || last == console->before.c_cc[VEOL] ||
					 last == console->before.c_cc[VEOL2]);
		if (!is_line && (size_t)n < room)
			input[console->input_len++] = console->given.c_cc[VEOF];
	}
}

// It was echoed when it was typed. Opening the slave and asking it for input makes the kernel take in what was
// written to the master (n_tty_poll), so the echo is off exactly as long as needed.
static void typed_hand_on(struct console *console)
{
	struct termios program = {0};
	_cleanup_fd_ int slave_fd = ioctl(console->relay->source_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	bool has_settings = slave_fd >= 0 && tcgetattr(slave_fd, &program) == 0;
	struct termios silent = program;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (has_settings)
		tcsetattr(slave_fd, TCSANOW, &silent);
	console_write(console);
	struct pollfd ready = {.fd = slave_fd, .events = POLLIN};
	if (has_settings) {
		poll(&ready, 1, 0);
		tcsetattr(slave_fd, TCSANOW, &program);
	}
}

// Started in the background, the program has what the line editor of a shell had set at that moment. Where it has changed
// nothing, it gets what it would find now.
static void given_renew(struct console *console)
{
	struct termios program;
	if (tcgetattr(console->relay->source_fd, &program) == 0 && settings_are_equal(&program, &console->given) &&
	    tcsetattr(console->relay->source_fd, TCSANOW, &console->before) == 0)
		console->given = console->before;
}

void console_raw(struct console *console)
{
	struct termios found;
	if (!console->is_used || !console->takes_input || console->state == CONSOLE_GONE ||
	    tcgetattr(console->user.fd, &found) < 0)
		return;
	// Stopped by a signal that cannot be caught, this process may find its own settings still there.
	if (console->state != CONSOLE_RAW || !settings_are_equal(&found, &console->now))
		console->before = found;
	if (console->state != CONSOLE_RAW)
		given_renew(console);
	bool was_cooked = console->state != CONSOLE_RAW && (console->before.c_lflag & ICANON) != 0;
	if (was_cooked)
		typed_collect(console);
	const struct termios raw = settings_raw(&console->before);
	if (!console_set(console, &raw)) {
		console_forget(console);
		return;
	}
	console->state = CONSOLE_RAW;
	if (was_cooked && has_input(console))
		typed_hand_on(console);
	console_follow(console);
}

// `stty cols 70`, resize(1): what the program has set, unless the window has changed since envseal looked last.
static void size_keep(struct console *console)
{
	struct winsize program;
	struct winsize user;
	if (console->relay->source_fd < 0 || ioctl(console->relay->source_fd, TIOCGWINSZ, &program) < 0 ||
	    ioctl(console->user.fd, TIOCGWINSZ, &user) < 0)
		return;
	if (memcmp(&user, &console->size, sizeof(user)) == 0 && memcmp(&user, &program, sizeof(user)) != 0)
		ioctl(console->user.fd, TIOCSWINSZ, &program);
}

void console_drain(struct console *console, bool keeps_settings)
{
	struct termios program;
	input_drop(console);
	if (keeps_settings)
		size_keep(console);
	// What stty has changed is meant to stay; what is no longer fit for typing commands was left by mistake.
	if (keeps_settings && console->state == CONSOLE_RAW && console->relay->source_fd >= 0 &&
	    tcgetattr(console->relay->source_fd, &program) == 0 && !settings_are_equal(&program, &console->given) &&
	    settings_are_usable(&program))
		console->before = program;
	if (console->state != CONSOLE_RAW)
		return;
	struct termios settings = console->before;
	settings.c_oflag = console->now.c_oflag;
	if (console_is_foreground(console))
		console_set(console, &settings);
	console->state = CONSOLE_DRAINING;
}

void console_restore(struct console *console)
{
	if (console->state != CONSOLE_RAW && console->state != CONSOLE_DRAINING)
		return;
	input_drop(console);
	// In the background it is the shell's, which has settings of its own there: but not yet, perhaps, where this process
	// goes on while its caller was stopped or killed.
	if (console_is_foreground(console))
		tcsetattr(console->user.fd, TCSANOW, &console->before);
	else if (console->caller)
		console_guard_restore(console->guard, console->user.fd);
	console_forget(console);
}

// Where others write to the terminal too (other members of a pipeline), its OPOST follows the program's, so that their
// lines break as they would without envseal. Where the program is alone, OPOST is off and the bytes pass as they are.
void console_follow(struct console *console)
{
	struct relay *relay = console->relay;
	struct termios program;
	bool is_raw = console->state == CONSOLE_RAW;
	if (relay->source_fd < 0 || console->state == CONSOLE_GONE || console->state == CONSOLE_DRAINING)
		return;
	if (is_raw && !console->shares_output) {
		relay->outlet.is_folding = false;
		return;
	}
	if (tcgetattr(relay->source_fd, &program) < 0)
		return;
	struct termios settings = is_raw ? console->now : console->before;
	if (is_raw)
		settings.c_oflag = program.c_oflag & OPOST ? console->before.c_oflag
							   : console->before.c_oflag & ~(tcflag_t)OPOST;
	if (is_raw && settings.c_oflag != console->now.c_oflag && console_is_foreground(console))
		console_set(console, &settings);
	relay->outlet.is_folding = is_cooking_output(&program) && is_cooking_output(&settings);
}

bool console_resize(struct console *console)
{
	struct winsize size;
	if (!console->is_used || console->relay->source_fd < 0 || ioctl(console->user.fd, TIOCGWINSZ, &size) < 0 ||
	    memcmp(&size, &console->size, sizeof(size)) == 0)
		return false;
	console->size = size;
	return ioctl(console->relay->source_fd, TIOCSWINSZ, &size) == 0;
}

void console_guard_restore(const struct console_guard *guard, int user_fd)
{
	struct termios found;
	if (user_fd < 0 || !__atomic_load_n(&guard->is_changed, __ATOMIC_SEQ_CST))
		return;
	// The user's shell may have been quicker, and then its settings count.
	if (tcgetattr(user_fd, &found) == 0 && settings_are_equal(&found, &guard->now))
		tcsetattr(user_fd, TCSANOW, &guard->before);
}

// ------------------------------------------------------------------------------------------------------------- input

struct pollfd console_poll(const struct console *console)
{
	if (!console->is_used || console->state != CONSOLE_RAW || console->relay->source_fd < 0)
		return (struct pollfd){.fd = -1};
	if (has_input(console))
		return (struct pollfd){.fd = console->relay->source_fd, .events = POLLOUT};
	return (struct pollfd){.fd = console->user.fd, .events = POLLIN};
}

static void console_hang_up(struct console *console)
{
	input_drop(console);
	console->state = CONSOLE_GONE;
	__atomic_store_n(&console->guard->is_changed, false, __ATOMIC_SEQ_CST);
	relay_abandon(console->relay);
}

// INT or QUIT, where the line discipline of the pseudo-terminal will make one of the input. A program that edits lines
// itself (a shell, a debugger) takes Ctrl-C for itself.
static int console_signal(const struct console *console)
{
	struct termios program;
	const uint8_t *input = secret_data(console->input);
	if (tcgetattr(console->relay->source_fd, &program) < 0 || (program.c_lflag & ISIG) == 0 ||
	    (program.c_lflag & ICANON) == 0)
		return 0;
	for (size_t i = 0; i < console->input_len; i++) {
		if (input[i] == program.c_cc[VINTR] && input[i] != _POSIX_VDISABLE)
			return SIGINT;
		if (input[i] == program.c_cc[VQUIT] && input[i] != _POSIX_VDISABLE)
			return SIGQUIT;
	}
	return 0;
}

int console_pump(struct console *console)
{
	if (console->state != CONSOLE_RAW || console->relay->source_fd < 0)
		return 0;
	if (has_input(console)) {
		console_write(console);
		return 0;
	}
	// The kernel stops nobody who reads a terminal that is not his own controlling one.
	if (console->caller && !console_is_foreground(console))
		return SIGTTIN;
	ssize_t n = read(console->user.fd, secret_data(console->input), INPUT_BYTES);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	// EIO is also what a process in the background gets, whose shell has taken the terminal without a stop.
	if (n < 0 && errno == EIO && !console_is_foreground(console))
		return SIGTTIN;
	if (n <= 0) {
		console_hang_up(console);
		return 0;
	}
	console->input_at = 0;
	console->input_len = (size_t)n;
	int number = console_signal(console);
	console_write(console);
	return number;
}

void console_type_end(struct console *console)
{
	struct termios program;
	if (console->relay->source_fd < 0 || tcgetattr(console->relay->source_fd, &program) < 0)
		return;
	ssize_t n = write(console->relay->source_fd, &program.c_cc[VEOF], 1);
	(void)n;
}
