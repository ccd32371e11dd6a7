// exec: launch and supervise. Gets a plan and a list of secrets as data; knows neither vault nor policy.
//
// Invariants
//  - stdout and stderr of the program pass through one redaction filter each; envseal writes nothing of its own there.
//  - The program leads a session of its own, has only the descriptors of the plan, the signal mask and dispositions
//    that envseal was started with, and dies with envseal (parent-death signal).
//  - One poll loop, no threads. The program's status wins. A reader that goes away is passed on as SIGPIPE.
//  - Nothing is started before every secret was found fit for its delivery and the redaction tables stand.
//
// Limits
//  - stdout and stderr are two pipes even where the caller's two are one file (2>&1): the order within each is exact,
//    the order between them best effort, and a value whose halves go to different streams is not joined.
//  - A sealed file copy is ordinary memory to the kernel: it can be swapped, and the same user may open it through
//    /proc while the program runs. Programs that close inherited descriptors before they start others keep it from
//    those.
#pragma once

#include <signal.h>

#include "program/program.h"
#include "redact/redact.h"
#include "sandbox/sandbox.h"

// How long writers that outlive the program may keep its output open, and how long they have between TERM and KILL.
#define EXEC_DRAIN_MS 2000
#define EXEC_TERMINATE_MS 500

// Descriptors of sealed file copies start here where the descriptor limit allows, out of the way of shells, which use
// 3-9 for redirections, 10 and up for saved ones, and 255.
#define EXEC_FILE_FD_FIRST 640

// What envseal found when it was started, for handing on unchanged. To be taken first in main.
struct exec_inherited {
	bool std_closed[3];  // descriptors 0-2 that were closed: the program gets them closed too
	sigset_t mask;
	sigset_t ignored;    // signals that were ignored (nohup)
};
// Records the above and opens /dev/null in place of closed standard descriptors, so that no later open lands there.
// After that SIGPIPE and SIGXFSZ are ignored in envseal itself (writes then fail with EPIPE, EFBIG) and SIGCHLD has its
// default effect. ERR_SYSTEM when /dev/null cannot be opened.
int exec_inherit(struct exec_inherited *out, struct err *err);

enum exec_delivery { EXEC_TO_VARIABLE, EXEC_TO_FILE, EXEC_TO_STDIN };

struct exec_secret {
	const char *name;     // for sentences
	const char *variable; // NULL for EXEC_TO_STDIN
	enum exec_delivery delivery;
	const struct secret *value;
};

// What a leak leads to beyond its mask: nothing, or the end of every process of the program's session.
enum exec_on_leak { EXEC_LEAK_MASK, EXEC_LEAK_KILL };

struct exec_plan {
	const struct program *program;
	char *const *argv;        // argv[0] as the program should see it
	char *const *environment; // without secrets
	const struct exec_secret *secrets;
	size_t secret_count;
	const struct redactor *redactor; // for exec_supervise: made of the values, in the order of the secrets
	const struct exec_inherited *inherited;
	struct sandbox_plan sandbox;
	enum exec_on_leak on_leak; // for exec_supervise
};

struct exec_leak {
	size_t secret_index;
	enum redact_form form;
	int stream; // 1 or 2; 0: the terminal
	uint64_t first_offset;
	uint64_t count;
};

#define EXEC_LEAKS_MAX 256 // rows (secret × form × stream) that an outcome keeps; further ones only count

struct exec_outcome {
	int status;              // exit status, or 128+n
	int signal;              // n when a signal ended the program, else 0
	struct exec_leak *leaks; // owned
	size_t leak_count;
	uint64_t leak_total;
	uint64_t stdout_bytes;   // read from the program
	uint64_t stderr_bytes;
	uint64_t terminal_bytes; // of the streams that are a terminal
	int output_errno;        // why output could not be passed on (ENOSPC, EIO ...; not EPIPE), or 0; the first one
	int output_stream;       // 1 or 2: the stream of output_errno; it was closed to the program from then on
	bool stdin_is_writable;  // stdin is a terminal that could not be re-opened read-only: a way around the filter
	bool writers_ended;      // processes that outlived the program were ended
	bool tables_unlocked;    // redaction tables could not be kept out of swap
	bool killed_for_leak;    // EXEC_LEAK_KILL, and there was a leak: leaks[0] is the one
	int64_t milliseconds;
};
void exec_outcome_done(struct exec_outcome *outcome);

// Starts the program, supervises it to its end, redacts. Blocks. Failure to start is an error (126, 127 or 125 by
// err_run_status); once it runs, its end is an outcome. ERR_USAGE: two secrets for one variable or for stdin, no valid
// variable name. ERR_INPUT: a NUL byte in a value for a variable. ERR_LIMIT: a value too long for a variable. While it
// runs, the calling process adopts and reaps whatever its descendants leave behind: it must have no other children
// whose end it wants to hear of. INT TERM HUP QUIT USR1 USR2 WINCH CONT are passed on, once each, to the program's
// process group; TSTP, and a program that stops itself, stop both. When the program lets go of its standard output the
// caller's is replaced by /dev/null, so that the reader sees the end. After the program's end, INT TERM HUP or QUIT give
// up output that no reader takes. These signals stay blocked after a return of 0, so that an impatient second Ctrl-C
// cannot come between the end of the program and the record of it; exec_end_like is to follow soon.
int exec_supervise(const struct exec_plan *plan, struct exec_outcome *out, struct err *err);
// Replaces this process by the program: no supervision, no redaction; same checks and deliveries. Returns only on
// failure. After a failure of the exec itself stdin, signal mask and privileges are the program's already: this process
// may still use what it has open, to record and report the error, and is then to end.
int exec_replace(const struct exec_plan *plan, struct err *err);
// Ends this process as the program ended: by the same signal, or with its status. Runs no exit handlers and flushes no
// stdio.
_Noreturn void exec_end_like(const struct exec_outcome *outcome);
