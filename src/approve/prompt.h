// approve/prompt: one spell of asking at the terminal, from the first word that is shown until the answer is there.
//
// Invariants
//  - Keys come one by one and without echo, Ctrl-C included, and other openers are kept off the terminal (TIOCEXCL).
//  - prompt_end puts the terminal back as it was, on every way out; signals that would end us are read as events for that.
#pragma once

#include <signal.h>
#include <termios.h>

#include "approve/approve.h"

enum {
	KEY_INTERRUPT = 0x03,
	KEY_END = 0x04,
	KEY_BACKSPACE = 0x08,
	KEY_KILL_LINE = 0x15,
	KEY_SUSPEND = 0x1a,
	KEY_QUIT = 0x1c,
	KEY_DELETE = 0x7f
};

struct terminal {
	int fd;
};

struct prompt {
	struct terminal *terminal;
	struct termios before;
	sigset_t mask_before;
	int signal_fd; // -1: not begun
	bool is_raw;
	int wait_seconds;  // for each key; PROMPT_WAIT_FOREVER
	struct span shown; // what stands above: shown again when the process comes back from a stop
};
#define PROMPT_NONE ((struct prompt){.signal_fd = -1})
#define PROMPT_WAIT_FOREVER -1

int prompt_begin(struct terminal *terminal, int wait_seconds, struct prompt *out, struct err *err);
void prompt_end(struct prompt *prompt);
#define _cleanup_prompt_ _cleanup_(prompt_end)

// Shows `text` and waits for a key; what was typed before `text` stood there is thrown away. ERR_INTERRUPTED as
// terminal_ask_secret, ERR_DENIED when no key comes in time.
int prompt_key(struct prompt *prompt, const char *text, uint8_t *out, struct err *err);
// The same for a line, into all of `line`; *ret_len is what was typed. Errors as terminal_ask_secret.
int prompt_line(struct prompt *prompt, const char *text, struct secret *line, size_t *ret_len, struct err *err);
