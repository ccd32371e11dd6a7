// approve: asking a human: at the controlling terminal, or by pinentry where there is none.
//
// Invariants
//  - Prompts go to and answers come from /dev/tty, never from standard input. Echo is off before the prompt shows, what was
//    typed ahead is thrown away, and other openers are kept off the terminal (TIOCEXCL) until the answer is there.
//  - Everything shown from outside is printable ASCII (base: text_printable). The default answer is no.
//  - Nothing is approved that did not fit on the screen, in pages if need be, before it was asked for.
//  - The terminal is put back on every way out, signals included.
#pragma once

#include "approve/ancestry.h"
#include "policy/policy.h"
#include "secmem/secmem.h"

struct terminal;

// Says on it which processes have it too that the kernel holds closer than this one (process_is_confined). ERR_LOCKED when the
// process has no controlling terminal; `need` names what it was wanted for ("the passphrase").
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

// ---------------------------------------------------------------------------------------------------- the question

// What an approval becomes. The letters at the prompt are o, s, t, a; d denies, x denies all for a while, and c takes or
// leaves waiting values.
enum approval_choice { APPROVAL_ONCE, APPROVAL_SESSION, APPROVAL_TIME, APPROVAL_ALWAYS, APPROVAL_CHOICE_COUNT };
const char *approval_choice_name(enum approval_choice choice); // "once", "session", "time", "always"

// Of a reason, that a question shows: more is cut. Whoever takes one from outside refuses longer ones.
#define APPROVAL_REASON_BYTES_MAX 500

// What a human is asked to approve: a program that gets secrets or, without a program_path, a change. All text comes from
// outside and is made printable here; everything borrowed.
struct approval {
	const char *action;             // "run", "inject", "pipe"; of a change: "replace the value of"
	const struct ancestry *askers;  // from the process that started envseal; the first ANCESTRY_SHOWN_MAX are named
	const char *const *secrets;     // "NAME as VAR", made by the caller
	size_t secret_count;
	const char *program_path;       // NULL: it is a change, which has no kind and digest, and can be without argv and directory
	const char *program_kind;       // "system file", "sealed copy", "by path, not pinned"
	const char *program_digest;     // hex
	const char *interpreter_path;   // NULL when none
	char *const *argv;              // NULL-terminated, whole
	const char *directory;
	const char *const *dropped;     // names of variables that are not handed on
	size_t dropped_count;
	size_t dropped_more;            // as many again, which are not named
	const char *const *kept;        // steering variables kept on request
	size_t kept_count;
	const char *tier;               // of the sandbox; NULL: no row
	const char *const *readable;    // paths that can be read beyond the tier, whole
	size_t readable_count;
	const char *const *writable;    // the same, written
	size_t writable_count;
	const char *network;            // of its own; NULL: no row
	const char *const *endpoints;   // that it can reach
	size_t endpoint_count;
	bool is_unshielded;
	bool is_degradable;             // weaker than the tier where the kernel cannot give it
	const char *level;              // of the environment; NULL: no row
	const char *const *notes;       // sentences: what changed since the last approval, findings, reasons
	size_t note_count;
	const char *const *waiting;     // sentences about values that nobody has confirmed yet
	size_t waiting_count;
	const char *reason;             // what the asker says it is for; NULL: nothing
	bool offers_cool_down;          // the letter x: deny, and refuse all for a while
	bool offers_values;             // the letter c: some of them are taken only when asked for
	unsigned choices;               // bits 1 << enum approval_choice; APPROVAL_ONCE is always offered
	int64_t choice_seconds;         // of APPROVAL_TIME
	const char *becomes[APPROVAL_CHOICE_COUNT]; // for each choice offered what the rule would be; NULL: nothing is said
};

// Most bytes of printable arguments that can be approved: what does not fit on a few screens is not read.
#define APPROVAL_ARGUMENTS_BYTES_MAX 8192
// Of the whole question.
#define APPROVAL_BYTES_MAX 16384
// Of names of dropped variables: who starts envseal chooses them, and could push the rest off the screen.
#define APPROVAL_DROPPED_BYTES_MAX 1024

// The text of the question. Pure. ERR_DENIED when it, or the arguments in it, are longer than can be read.
int approval_format(const struct approval *approval, struct buf *out, struct err *err);

// A question as bytes, for a console in another process (docs/format-broker.md): everything of struct approval, but that of
// dropped variables those that approval_format does not name are only counted. APPROVAL_WIRE_BYTES_MAX is enough for what
// approval_format takes; ERR_LIMIT beyond.
#define APPROVAL_WIRE_BYTES_MAX (64u * 1024)
int approval_write(const struct approval *approval, struct buf *out, struct err *err);
// What was read, with its own copies. Bounded; every text may hold any bytes but NUL. ERR_INPUT for what approval_write
// never writes.
struct approval_copy; // owns what `approval` of it borrows
int approval_read(struct span bytes, struct approval_copy **out, struct err *err);
const struct approval *approval_of(const struct approval_copy *copy);
struct approval_copy *approval_copy_free(struct approval_copy *copy);
void approval_copy_free_ptr(struct approval_copy **copy);
#define _cleanup_approval_copy_ _cleanup_(approval_copy_free_ptr)

// ------------------------------------------------------------------------------------------------------ the answer

// A single letter is a choice and never a passphrase, nor is anything else of one byte.
#define APPROVAL_PASSPHRASE_BYTES_MIN 2
#define APPROVAL_CODE_DIGITS_MIN 6
#define APPROVAL_CODE_DIGITS_MAX 8
// What callers set as `seconds`.
#define APPROVAL_WAIT_SECONDS 60

struct approval_needs {
	size_t passphrase_bytes_max;
	bool has_passphrase; // the vault is open: only the code is asked for, or, where none is wanted, the passphrase again
	bool wants_code;
	int seconds;         // without a key, and it is denied
};

struct approval_answer {
	enum approval_choice choice;
	bool takes_values;         // by the letter c
	bool is_denied;            // with ERR_DENIED: a human said no, and it is not that nobody answered in time
	bool cools_down;           // with ERR_DENIED: by the letter x
	struct secret *passphrase; // owned; NULL when not asked for. The caller judges it.
	struct secret *code;       // the same; digits only
};
void approval_answer_done(struct approval_answer *answer);
#define _cleanup_approval_answer_ _cleanup_(approval_answer_done)

// Shows the question, in pages where it does not fit on the screen, then asks for what confirms it; a letter in its place
// switches what is approved, which is said before it is asked again. Blocks. ERR_DENIED for d, x, an empty line, q between
// pages, or no key in time, and for a question that cannot be read: then is_denied and cools_down of `out` are set, and
// nothing else of it. Else errors as terminal_ask_secret.
int approval_ask(struct terminal *terminal, const struct approval *approval, const struct approval_needs *needs,
		 struct approval_answer *out, struct err *err);

// One question at a time: an exclusive lock on `approval.lock` in envseal's state folder (state_dir is its path, for
// sentences), to be held while a question is shown, and given back by closing *out_fd. Waits at most `seconds`, then
// ERR_DENIED; errors of file_open_private.
int approval_lock(int state_dir_fd, const char *state_dir, int seconds, int *out_fd, struct err *err);

// ---------------------------------------------------------------------------------------------------------- pinentry

struct pinentry_options {
	const char *path;         // absolute
	char *const *environment; // the caller's; DISPLAY, WAYLAND_DISPLAY, XAUTHORITY, XDG_RUNTIME_DIR and
				  // DBUS_SESSION_BUS_ADDRESS of it are handed on, PATH and LANG are ours, and nothing else is
};

// Limits of a question that is shown by pinentry: its protocol has lines of 1000 bytes, percent-escaped.
#define PINENTRY_LINES_MAX 30
#define PINENTRY_ESCAPED_BYTES_MAX 980

// The same question by a pinentry (GnuPG), for a desktop without a terminal. It confirms APPROVAL_ONCE and nothing wider:
// its window has one field and two buttons, which cannot say what a choice becomes before it is confirmed. Its process is
// not ours: what is typed passes through its memory and the display, and through a line buffer of libassuan, which here is
// locked and wiped. Blocks. ERR_UNSAFE when only root must be able to change the program and others can; ERR_DENIED when
// cancelled, when nobody answers in time, or when the question does not fit, with is_denied of `out` as above; ERR_PASSPHRASE
// when what was typed can be no passphrase or code; ERR_SYSTEM when it fails. The child is gone on return.
int pinentry_ask(const struct pinentry_options *options, const struct approval *approval,
		 const struct approval_needs *needs, struct approval_answer *out, struct err *err);
