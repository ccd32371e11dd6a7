// approve: asking a human at the controlling terminal.
//
// Invariants
//  - Prompts go to and answers come from /dev/tty, never from standard input. Echo is off before the prompt shows, what was
//    typed ahead is thrown away, and other openers are kept off the terminal (TIOCEXCL) until the answer is there.
//  - Everything shown from outside is printable ASCII (base: text_printable). The default answer is no.
//  - The terminal is put back on every way out, signals included.
#pragma once

#include "secmem/secmem.h"

struct terminal;

// ERR_LOCKED when the process has no controlling terminal; `need` names what it was wanted for ("the passphrase").
int terminal_open(const char *need, struct terminal **out, struct err *err);
struct terminal *terminal_close(struct terminal *terminal);
void terminal_close_ptr(struct terminal **terminal);
#define _cleanup_terminal_ _cleanup_(terminal_close_ptr)

int terminal_print(struct terminal *terminal, struct span printable, struct err *err);
// Reads one line without echo, up to max_bytes. Backspace and Ctrl-U edit. Blocks. ERR_INTERRUPTED for Ctrl-C, Ctrl-D on an
// empty line, hang-up or a terminating signal (the terminal is restored first, nothing else happens); ERR_LIMIT when longer;
// ERR_INPUT when more than one line was pasted. The result may be empty.
int terminal_ask_secret(struct terminal *terminal, const char *prompt, size_t max_bytes, struct secret **out,
			struct err *err);
// True for an answer that begins with y or Y. Blocks. Errors as above.
int terminal_ask_yes(struct terminal *terminal, const char *question, bool *out, struct err *err);

// What a human is asked to approve. All text comes from outside and is made printable here; names borrowed.
struct approval {
	const char *action;        // "run", "inject", "pipe"
	int asker_pid;             // who started envseal
	const char *asker_name;    // its command name; "?" when unknown
	const char *const *secrets; // "NAME as VAR", made by the caller
	size_t secret_count;
	const char *program_path;
	const char *program_kind;  // "system file", "sealed copy", "by path, not pinned"
	const char *program_digest; // hex
	const char *interpreter_path; // NULL when none
	char *const *argv;         // NULL-terminated, whole
	const char *directory;
	const char *const *dropped; // names of variables that are not handed on
	size_t dropped_count;
	const char *const *kept;    // steering variables kept on request
	size_t kept_count;
};

// Most bytes of printable arguments that can be approved: what does not fit on a screen cannot be read.
#define APPROVAL_ARGUMENTS_BYTES_MAX 8192
// Of the whole question.
#define APPROVAL_BYTES_MAX 16384
// Of names of dropped variables: who starts envseal chooses them, and could push the rest off the screen.
#define APPROVAL_DROPPED_BYTES_MAX 1024

// The text of the question, for a terminal. Pure. ERR_DENIED when it, or the arguments in it, are longer than can be read.
int approval_format(const struct approval *approval, struct buf *out, struct err *err);
