// exec: launch and supervise. Gets a plan and a list of secrets as data; knows neither vault nor policy.
//
// Invariants
//  - stdout and stderr of the program pass through one redaction filter each, or where they are a terminal, through
//    that terminal's; envseal writes nothing of its own there.
//  - A standard stream that is a terminal is a pseudo-terminal for the program, with the settings and the size of the
//    user's; the others stay what they are. Streams on one terminal share one. The user's own is no descriptor of the
//    program's and not its controlling terminal.
//  - The program leads a session of its own, or with a terminal a group in a session of its own, has only the
//    descriptors of the plan, the signal mask and dispositions that envseal was started with, and dies with envseal
//    (parent-death signal), whose terminal is then as before.
//  - One poll loop, no threads. The program's status wins. A reader that goes away is passed on as SIGPIPE.
//  - Nothing is started before every secret was found fit for its delivery and the redaction tables stand.
//  - What is said here of envseal's process group, foreground, signals and stops holds of the caller (exec_plan.caller):
//    the process that the program's shell knows. Where that is another process, it is the only one that stops, and when
//    it is gone every process of the program's session, and every descendant, is killed; what was not written by then is
//    dropped.
//
// On a terminal
//  - In the foreground the user's terminal is raw, and everything typed goes to the program's, whose line discipline
//    does echo, editing, Ctrl-C, Ctrl-Z, Ctrl-D. In the background it is neither read nor set. Ctrl-Z stops the
//    program, then envseal; fg and bg go on with both.
//  - In a pipeline (standard input or output is a pipe, and envseal's process group has other members, who may be the
//    ones that read the terminal) the program begins in the background of its terminal. It gets the user's when it
//    reads it or changes its settings.
//  - Ctrl-C and Ctrl-\ also reach the rest of envseal's process group (a script, make, the pipeline) where the program
//    leaves line editing to the terminal.
//  - The user's settings are restored at every end and stop. What the program has changed and left changed is kept
//    where a shell can work with it (stty erase ^H), after an end that was not by a signal.
//  - Nothing typed is kept or logged.
//
// Limits
//  - What is typed while a program runs that does not read it is lost to the shell that comes after it.
//  - In a pipeline, until it has read from the terminal, a program is in the background by its own look (git and pv
//    then show no progress), and one that waits by poll or select for keys before it reads any is not noticed.
//    SIGTTIN and SIGTTOU have their default effect on it there, even where they were ignored.
//  - A program in the background that reads the terminal where no shell could bring it to the foreground (orphaned
//    process group) reads the end of input, not EIO.
//  - After kill -STOP of envseal alone the program runs on, and the terminal stays raw until the shell sets it.
//  - Of several terminals, input comes from the one that is standard input and from the controlling one. Without any
//    terminal among its standard streams a program has none, and cannot open /dev/tty.
//  - Another process of the same user can open the user's terminal by its path, as it always could.
//  - A program that repaints a screen may show a value in pieces, which no filter of bytes can see.
//  - stdout and stderr are two pipes even where the caller's two are one file (2>&1): the order within each is exact,
//    the order between them best effort, and a value whose halves go to different streams is not joined.
//  - In another process's place: job control is kept by looking, since the kernel stops nobody who reads a terminal that
//    is not his own controlling one. A key typed in the instant in which a shell takes the terminal from a caller that it
//    has not stopped may go to the program, or be lost. After kill -STOP of the caller alone its program and the output
//    go on. Where the caller cannot be seen in /proc (hidepid) there is no job control, as on a terminal that is not the
//    controlling one.
//  - A sealed file copy is ordinary memory to the kernel: it can be swapped, and the same user may open it through
//    /proc while the program runs. Programs that close inherited descriptors before they start others keep it from
//    those.
#pragma once

#include <signal.h>
#include <sys/resource.h>

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

// What a caller in another process had, for the program alone: this process keeps its own.
struct exec_limits {
	mode_t umask;
	struct rlimit rows[RLIM_NLIMITS]; // by resource, as getrlimit(2) gave them; cut to this process's own hard limits
};

// What exec hears from the process in whose place the program stands.
struct exec_event {
	int number;   // a signal that came to it; those that signals_open would not block are not passed on
	bool is_own;  // that it sent itself (to its group)
	bool is_gone; // it has ended, or whoever vouches for this run has: the program ends too
};

// The process in whose place the program stands for its shell, its terminal and whoever sends it signals, where that is
// not this one: a broker's worker runs programs for clients. Its standard streams are this process's 0-2 already, and
// exec_plan.inherited is what it was started with. This process is to have no controlling terminal (setsid(2)): it could
// be the caller's, of which the kernel would keep it in the background. Functions get `context`.
struct exec_caller {
	pid_t pid; // whose process group, controlling terminal and foreground count (proc(5), stat)
	int fd;    // readable when `next` may have something
	// Before the program is started: from its return on signals are taken by the caller's process and told here, those
	// that signals_open would block (exec_internal.h). Blocks until that is so. ERR_INTERRUPTED when the caller is gone:
	// nothing is started then.
	int (*begin)(void *context, bool has_terminal, struct err *err);
	// Next event, without waiting; false: none. Also asked, whatever `fd` says, when `begin` or `stop` has returned: they
	// may have taken events in. After is_gone it is not asked again.
	bool (*next)(void *context, struct exec_event *out);
	// Stops the caller by `number`, its whole process group where that is meant, and returns when it has been continued:
	// true. The SIGCONT that did so is not told by `next` too. False at once where it could not stop (orphaned group), or
	// when it is gone. Blocks as long as it is stopped.
	bool (*stop)(void *context, int number, bool whole_group);
	// Sends `number` to the caller's whole process group. Does not block.
	void (*tell_group)(void *context, int number);
	void *context;
};

// The caller's side of the same, in its own process. From the opening on the signals that exec_supervise would take are
// blocked, and come out here; after the closing they stay blocked.
struct exec_proxy;
int exec_proxy_open(const struct exec_inherited *inherited, bool has_terminal, struct exec_proxy **out, struct err *err);
void exec_proxy_close_ptr(struct exec_proxy **proxy);
#define _cleanup_exec_proxy_ _cleanup_(exec_proxy_close_ptr)
int exec_proxy_fd(const struct exec_proxy *proxy); // for poll
bool exec_proxy_next(struct exec_proxy *proxy, struct exec_event *out); // as exec_caller.next
bool exec_proxy_stop(struct exec_proxy *proxy, int number, bool whole_group); // as exec_caller.stop
void exec_proxy_tell_group(int number);

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
	const struct sandbox_plan *sandbox;
	enum exec_on_leak on_leak; // for exec_supervise
	int names_fd; // a folder of sandbox_folder_open, for the name of the process; -1: one is made for this start
	const struct exec_caller *caller; // for exec_supervise; NULL: this process
	const struct exec_limits *limits; // NULL: this process's own. One that cannot be set is a failure to start
};

struct exec_leak {
	size_t secret_index;
	enum redact_form form;
	int stream; // 1 or 2; 0: the terminal
	uint64_t first_offset;
	uint64_t count;
};

#define EXEC_LEAKS_MAX 256 // rows (secret × form × stream) that are kept; further ones only count

// Leaks of any number of streams, in the order in which they were first seen.
struct exec_leaks {
	struct exec_leak *rows; // room for EXEC_LEAKS_MAX; owned
	size_t count;
	uint64_t total; // leaks, those without a row too
};
int exec_leaks_init(struct exec_leaks *leaks, struct err *err); // ERR_MEMORY
void exec_leaks_done(struct exec_leaks *leaks);
// Counts one more; fails never. value_index is the secret's, where the redactor was made of secrets in their order.
void exec_leaks_add(struct exec_leaks *leaks, int stream, const struct redact_leak *leak);

struct exec_outcome {
	int status;              // exit status, or 128+n
	int signal;              // n when a signal ended the program, else 0
	struct exec_leaks leaks;
	uint64_t stdout_bytes;   // read from the program
	uint64_t stderr_bytes;
	uint64_t terminal_bytes; // of the streams that are a terminal
	int output_errno;        // why output could not be passed on (ENOSPC, EIO ...; not EPIPE), or 0; the first one
	int output_stream;       // 1, 2 or 0 (terminal): the stream of output_errno, closed to the program from then on
	bool stdin_is_writable;  // always false: a terminal on stdin is a pseudo-terminal, whose output is filtered
	bool writers_ended;      // processes that outlived the program were ended
	bool tables_unlocked;    // redaction tables could not be kept out of swap
	struct sandbox_record sandbox;
	enum program_shield shield; // why, where `sandbox` says that it is missing
	bool caller_gone;        // the caller had ended (exec_event.is_gone), and all the program's processes were killed
	bool killed_for_leak;    // EXEC_LEAK_KILL, and there was a leak, leaks.rows[0]: all its processes were killed
	int64_t milliseconds;
};
void exec_outcome_done(struct exec_outcome *outcome);

// Starts the program, supervises it to its end, redacts. Blocks. Failure to start is an error (126, 127 or 125 by
// err_run_status); once it runs, its end is an outcome. ERR_USAGE: two secrets for one variable or for stdin, no
// valid variable name. ERR_INPUT: a NUL byte in a value for a variable. ERR_LIMIT: a value too long for a variable.
// While it runs, the calling process adopts and reaps whatever its descendants leave behind: it must have no other
// children whose end it wants to hear of. INT TERM HUP QUIT USR1 USR2 WINCH CONT are passed on, once each, to the
// program's process group; TSTP, and a program that stops itself, stop both. With a terminal TTIN and TTOU are passed
// on too. When the program lets go of its standard output the caller's is replaced by /dev/null, so that the reader
// sees the end. After the program's end, INT TERM HUP or QUIT give up output that no reader takes. These signals stay
// blocked after a return of 0, so that an impatient second Ctrl-C cannot come between the end of the program and the
// record of it; exec_end_like is to follow soon. Another caller blocks them itself, from its `begin` to its end, and has
// closed its own standard output, or the reader would see no end; ERR_INTERRUPTED when it was gone before the start.
int exec_supervise(const struct exec_plan *plan, struct exec_outcome *out, struct err *err);
// Replaces this process by the program: no supervision, no redaction; same checks and deliveries. Returns only on
// failure. ERR_NO_EXEC for a tier that wants a process 1, unless that may be left out (sandbox_plan.is_degradable). After a failure of the exec itself stdin, signal mask and privileges are the program's already: this process
// may still use what it has open, to record and report the error, and is then to end.
int exec_replace(const struct exec_plan *plan, struct err *err);
// Becomes the file at `path` as it is, with what was inherited: descriptors 0-2, signals, session and terminal. Returns errno,
// and the state of before but for closed descriptors.
int exec_become(const char *path, char *const argv[], char *const environment[], const struct exec_inherited *inherited);
// Ends this process as the program ended: by the same signal, or with its status. Runs no exit handlers and flushes no
// stdio.
_Noreturn void exec_end_like(const struct exec_outcome *outcome);
