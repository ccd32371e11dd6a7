// Between the files of exec only: delivery.c, launch.c and monitor.c bring the program up; outlet.c, relay.c,
// console.c, job.c, signals.c and survivors.c are the parts of loop.c; supervise.c holds it all together. Whose place the
// program has is asked of caller.c only.
#pragma once

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "exec/exec.h"

// ------------------------------------------------------------------------------------------------------- inherit.c

// In the process that becomes the program: dispositions, then the mask, as envseal found them. Async-signal-safe.
void inherited_restore(const struct exec_inherited *inherited);
// What envseal itself needs while it runs: SIGPIPE and SIGXFSZ ignored, SIGCHLD default.
void inherited_override(void);

// -------------------------------------------------------------------------------------------------------- caller.c
// `caller` NULL: this process.

// Is the terminal `fd` the caller's controlling one?
bool caller_controls(const struct exec_caller *caller, int fd);
// Has the caller's group the foreground of that terminal, its controlling one? Yes, where nobody has; no, when the caller
// is gone.
bool caller_is_foreground(const struct exec_caller *caller, int fd);
// Has the caller's group other members? Yes, where that cannot be told.
bool caller_has_company(const struct exec_caller *caller);
void caller_tell_group(const struct exec_caller *caller, int number);

// ------------------------------------------------------------------------------------------------------ delivery.c

// The secrets of a plan in the form in which the program gets them.
struct delivery {
	struct secret *block; // the "VARIABLE=value" strings
	char **environment;   // NULL-terminated; points into the plan's environment and into block
	int *file_fds;        // sealed copies for EXEC_TO_FILE
	size_t file_count;
	int stdin_fd;         // sealed copy for EXEC_TO_STDIN, or -1
};
#define DELIVERY_INIT ((struct delivery){.stdin_fd = -1})
// Checks all secrets first (see exec_supervise for the errors), then makes copies and environment. `out` must be
// DELIVERY_INIT and may be partly filled on failure.
int delivery_prepare(const struct exec_plan *plan, struct delivery *out, struct err *err);
void delivery_done(struct delivery *delivery);

// -------------------------------------------------------------------------------------------------------- launch.c

struct launch {
	const struct exec_plan *plan;
	const struct delivery *delivery;
	const struct program_argv *argv;
	const struct program_image *image;
	struct sandbox *sandbox;
	int std_fds[3]; // borrowed: what becomes the program's 0-2; -1 hands on this process's own
	bool leads_group;  // and no session of its own: that is the monitor's, with the terminal
	bool stops_by_terminal; // SIGTTIN and SIGTTOU must have their default effect, whatever was inherited
	int foreground_fd; // its controlling terminal, if that group is to have it from the start; else -1
	int child_fd;   // of process 1: readable when a child may have changed its state; else -1
	pid_t parent;
	int report_fd;  // where the child tells why it could not start
};
// What is executed, shielded where the plan and the program allow it; tells the sandbox. Before the fork into its namespaces.
struct program_image launch_image(const struct exec_plan *plan, struct sandbox *sandbox);
// Forks and waits until the program's image is in place, or says why not. The program then leads its own session, or
// its own group.
int launch_start(struct launch *launch, pid_t *ret_pid, struct err *err);
// Puts the program into this process. Returns only on failure.
int launch_here(const struct launch *launch, struct err *err);

// -------------------------------------------------------------------------------------------------------- outlet.c

// The caller's stdout or stderr. Never blocks; what cannot be written at once is queued.
struct outlet {
	struct port port;
	struct gather gather; // for the next write
	struct buf queue;     // what could not be written
	size_t queue_at;
	uint64_t taken; // bytes given to outlet_write
	bool is_folding; // "\r\n" is written as "\n": the user's terminal adds the "\r" itself by now (see console.c)
	bool has_return; // a "\r" is kept back until it is known what follows
	bool is_gone;   // nobody takes output any more; everything further is dropped
	int failure;    // errno, where it is gone for another reason than EPIPE
};
// `block` as in struct gather. The outlet must stay where it is until outlet_done.
int outlet_open(struct outlet *outlet, int number, uint8_t *block, struct err *err);
void outlet_done(struct outlet *outlet);
void outlet_write(struct outlet *outlet, struct span bytes); // gathers
void outlet_pages(struct outlet *outlet); // more is at hand: writes whole pages
void outlet_flush(struct outlet *outlet);
void outlet_end(struct outlet *outlet); // nothing follows
bool outlet_is_pending(const struct outlet *outlet); // something could not be written
void outlet_give_up(struct outlet *outlet, int failure);

// --------------------------------------------------------------------------------------------------------- relay.c

#define STREAM_COUNT 3

// One stream of the program: its pipe or the master of its pseudo-terminal, a filter, an outlet. While the outlet has
// bytes pending, the source is not read.
struct relay {
	bool is_used;
	int number;     // 1 or 2; 0 for a terminal
	int source_fd;  // read end or master, or -1 after its end
	int program_fd; // write end or slave, until relay_started
	struct outlet outlet;
	struct filter *filter;
	struct secret *block; // what was read and is not filtered yet
	size_t block_at;
	size_t block_len;
	uint64_t bytes;
	uint64_t read_left; // bytes that may still be read; UINT64_MAX: until its end
	int64_t read_ms;    // when something was read last
	bool is_terminal;
	bool is_hung_up;    // a terminal without users, as poll tells it: it ends when everything was read
	bool is_cut;        // what is there is the end
	bool is_expanding;  // masks made the last slice much longer
	bool is_ended;      // the filter has been told the end, or must not be called any more
	bool is_released;   // the reader has been told it
	bool ends_at_leak;  // nothing is shown behind the first mask
	bool has_leak;
	bool is_over;       // that mask has been written
	struct exec_leaks *leaks;
};
#define RELAY_INIT ((struct relay){.source_fd = -1, .program_fd = -1, .outlet = {.port = PORT_INIT}})
// A relay between a new pipe and descriptor `number`. The relay must stay where it is until relay_done.
int relay_open_pipe(struct relay *relay, int number, const struct redactor *redactor, struct exec_leaks *leaks,
		    struct err *err);
// A relay between a new pseudo-terminal and the terminal that descriptor `outlet_number` is.
int relay_open_terminal(struct relay *relay, int outlet_number, const struct redactor *redactor,
			struct exec_leaks *leaks, struct err *err);
void relay_done(struct relay *relay);
void relay_started(struct relay *relay);
struct pollfd relay_poll(const struct relay *relay);
// Moves on what there is, reads a part of what is in the source if it is ready, and tells the filter quiet where it is due.
void relay_advance(struct relay *relay, bool is_ready);
// Milliseconds until relay_quiet is due; -1: never.
int64_t relay_quiet_wait(const struct relay *relay, int64_t now_ms);
void relay_quiet(struct relay *relay);
// To be asked after the program's end: while it runs, its monitor holds the terminal open too.
bool relay_has_writers(const struct relay *relay);
// Takes what is in the source now, and then ends, whoever still writes.
void relay_cut(struct relay *relay);
// Ends with what was filtered already.
void relay_stop(struct relay *relay);
// Drops everything.
void relay_abandon(struct relay *relay);
bool relay_is_finished(const struct relay *relay);

// ------------------------------------------------------------------------------------------------------- console.c

// What the monitor needs to put the user's terminal right when envseal is killed. In memory that both share.
struct console_guard {
	bool is_changed;       // envseal has changed the settings; written after the other two
	struct termios before; // the user's
	struct termios now;    // as envseal has set them
};

// Who cooks (line editing, echo, signal characters, "\n" to "\r\n"): the user's terminal or the pseudo-terminal.
enum console_state {
	CONSOLE_COOKED,   // the user's terminal is not touched and not read
	CONSOLE_RAW,      // everything typed goes to the pseudo-terminal
	CONSOLE_DRAINING, // the program has ended: input as the user had it, output still raw
	CONSOLE_GONE      // hung up
};

// One terminal of the user's, and the pseudo-terminal that the program has in its place: the master is the relay's.
struct console {
	bool is_used;
	const struct exec_caller *caller;
	bool is_controlling; // of the caller: job control holds there
	bool takes_input;
	bool shares_output;  // others are likely to write there at the same time (see console_follow)
	dev_t device;
	dev_t slave_device;
	struct port user;    // for input and settings
	enum console_state state;
	struct winsize size;
	struct termios before; // the user's settings
	struct termios now;    // as envseal has set them
	struct termios given;  // the pseudo-terminal's at first
	struct console_guard *guard;
	struct relay *relay;
	struct secret *input;  // typed, and not yet taken by the pseudo-terminal
	size_t input_at;
	size_t input_len;
};
#define CONSOLE_INIT ((struct console){.user = PORT_INIT})
// Device number of the terminal that a descriptor is, also for /dev/tty; 0: it is none.
dev_t console_device(int fd);
// `relay` must have been opened by relay_open_terminal; its pseudo-terminal becomes a copy of the terminal that
// descriptor `number` is, in settings and size.
int console_open(struct console *console, int number, struct relay *relay, struct console_guard *guard,
		  const struct exec_caller *caller, struct err *err);
// Restores the user's settings.
void console_done(struct console *console);
// Is the caller in the foreground? Yes, where there is no job control.
bool console_is_foreground(const struct console *console);
// Not while the program runs: it may change its settings, and so does this for a moment.
void console_raw(struct console *console);
// `keeps_settings`: those that the program has left on the pseudo-terminal become the user's, where it has changed them
// and the terminal stays fit for a shell.
void console_drain(struct console *console, bool keeps_settings);
// Gives the user's settings back, unless the terminal is somebody else's by now.
void console_restore(struct console *console);
// Adapts to what the program has made of its settings; to be called before its output is relayed.
void console_follow(struct console *console);
// Takes over the window's size; true when it has changed.
bool console_resize(struct console *console);
struct pollfd console_poll(const struct console *console);
// Moves input on. Returns the signal (INT, QUIT) that a typed character stands for where the program leaves line
// editing to the terminal; TTIN when the caller is in the background; else 0.
int console_pump(struct console *console);
// The end of input, as if typed, for a program that waits for what can never come.
void console_type_end(struct console *console);
// In the monitor, after envseal's death: gives back the user's settings, where nobody has changed them since.
void console_guard_restore(const struct console_guard *guard, int user_fd);

// ------------------------------------------------------------------------------------------------------- monitor.c

// The process between envseal and a program on a terminal, or in a sandbox whose process 1 it then is; the program's parent.
// On a terminal it leads the session whose controlling terminal is the pseudo-terminal. Why it must be:
//  - Job control (SIGTSTP, SIGTTIN, SIGTTOU) stops only groups with a member whose parent is in the same session and
//    another group. A program that leads the session itself could not be stopped by Ctrl-Z.
//  - The foreground group of a terminal can be set from inside its session only.
//  - It outlives a SIGKILL of envseal's whole group, and then ends the program's session and restores the user's
//    terminal: from another session, job control does not stand in the way of that.
//  - Without a process 1 that reaps, a PID namespace fills with what has ended; and when it ends, the kernel ends all others.
// As process 1 it passes on, to the program's group, what somebody outside sends to it; not what comes from inside, nor what
// the kernel says of a terminal, which that group hears itself.
// It holds the slave open while the program runs, so that the master ends when the program has, and not when the
// program closes its descriptors to open /dev/tty again. It has envseal's memory (fork), is as undumpable, reads none
// of it, and ends before exec_supervise returns.
struct monitor {
	pid_t pid;
	int socket_fd; // -1: there is none
	pid_t program;
};
#define MONITOR_INIT ((struct monitor){.socket_fd = -1})

enum monitor_request {
	MONITOR_FOREGROUND = 1, // the group that had the pseudo-terminal last, at first the program's, gets it
	MONITOR_BACKGROUND,     // nobody of the program's has it
	MONITOR_CONTINUE        // SIGCONT to the program's group
};

enum monitor_event_kind { MONITOR_STARTED = 1, MONITOR_FAILED, MONITOR_STOPPED, MONITOR_ENDED };
struct monitor_event {
	enum monitor_event_kind kind;
	pid_t program;  // STARTED; as the receiver sees it
	int code;       // ENDED: si_code
	int status;     // STOPPED: the signal; ENDED: si_status
	struct err err; // FAILED
};

struct monitor_plan {
	struct launch *launch;
	int terminal_fd; // the slave that becomes the controlling terminal; at least 3, or -1
	int user_fds[STREAM_COUNT];
	const struct console_guard *guards; // one for each of these, where there is a terminal
};
// Forks the monitor, into the sandbox's namespaces, and waits until the program's image is in place, or says why not. What
// the sandbox can do without is left out at another try.
int monitor_start(struct monitor *monitor, const struct monitor_plan *plan, struct err *err);
void monitor_ask(const struct monitor *monitor, enum monitor_request request);
// Next event, without waiting. The death of the monitor itself counts as the program's by SIGKILL: it takes it along.
bool monitor_next(struct monitor *monitor, struct monitor_event *out);
// Ends the monitor, and with it what is in its PID namespace.
void monitor_done(struct monitor *monitor);

// ----------------------------------------------------------------------------------------------------------- job.c

// The program as a job on the user's terminals: who is in the foreground of what.
//
// Two foregrounds must agree. envseal is in the foreground of the user's terminal or not, which the user's shell
// decides; the program's group is in the foreground of the pseudo-terminal or not, which envseal has the monitor set.
// The two are kept the same: raw and foreground, or cooked and background.
//
// Except in a pipeline, that is: standard input or output is a pipe, and envseal's group has other members. They may
// be the ones that read the terminal, and a key taken from them could not be given back. So the program begins in the
// background of the pseudo-terminal, cooked. A read or a change of settings then stops it with SIGTTIN or SIGTTOU
// (which it gets with their default effect); that is when it gets the terminal, if envseal is in the foreground, and
// else both stop as any job does.
struct job {
	const struct exec_caller *caller;
	bool has_terminal;
	bool is_pipeline;
	bool is_raw;
	bool is_ended;      // the program has
	bool stop_was_sent; // a SIGTSTP came from outside, and not from a key
	struct console consoles[STREAM_COUNT]; // [i]: of the streams that are one terminal, i is the first
	struct console *controlling;            // what becomes the program's controlling terminal
	struct console_guard *guards;           // STREAM_COUNT of them, shared with the monitor
	struct monitor monitor;
};
// Gives every stream that is a terminal a relay with a pseudo-terminal; the slaves go to std_fds. `relays` has
// STREAM_COUNT entries. Streams with skipped[i] are left alone.
int job_open(struct job *job, struct relay *relays, const struct exec_plan *plan, struct exec_leaks *leaks,
	     const bool skipped[STREAM_COUNT], int std_fds[STREAM_COUNT], struct err *err);
void job_done(struct job *job);
// By way of a monitor, with or without a terminal.
int job_start(struct job *job, struct launch *launch, struct err *err);
struct signals;
void job_signal(struct job *job, const struct exec_event *event);
// The program has stopped.
void job_stopped(struct job *job, struct signals *signals, int number);
// The program has ended, by itself or by a signal.
void job_ended(struct job *job, bool by_itself);
// Moves input of a terminal on; to be called whenever console_poll's descriptor is ready, and when its relay has ended.
void job_pump(struct job *job, size_t index);

// ------------------------------------------------------------------------------------------------------- signals.c

struct signals {
	const struct exec_caller *caller;
	bool is_caller_due; // may have events, whatever its descriptor says
	bool is_caller_gone;
	int fd;
	sigset_t set; // what is passed on, and SIGCHLD
	sigset_t mask_before;
	bool is_open;
	bool stays_blocked; // after signals_close
};
// Blocks the signals to pass on, and SIGCHLD, and opens a descriptor for them. With a terminal TTIN and TTOU too, so
// that writing to it, or setting it, never stops this process. Where the caller is another process, that one does so for
// the signals to pass on (exec_caller.begin, whose errors are returned), and here it is SIGCHLD alone.
int signals_open(struct signals *signals, const struct exec_plan *plan, bool has_terminal, struct err *err);
void signals_close(struct signals *signals);
// What to poll for the caller's signals, where they come from another process: fd -1 otherwise.
struct pollfd signals_caller_poll(const struct signals *signals);
// Next waiting signal; false: none. Comes with is_gone once.
bool signals_next(struct signals *signals, struct exec_event *out);
// Passes a signal on to the group of a program without a terminal; TSTP stops both and continues both.
void signals_forward(struct signals *signals, int number, pid_t program);
// A program without a terminal has stopped: stops the caller with it, by `number`, and continues the program when the
// caller is continued.
void signals_stop_along(struct signals *signals, int number, pid_t program);
// Stops the caller, or its whole group, as the program was stopped, and returns when it is continued; true when that
// is so. False: nobody could continue it (its group is orphaned), so it did not stop; or it is gone.
bool signals_stop(struct signals *signals, int number, bool whole_group);

// ----------------------------------------------------------------------------------------------------- survivors.c

struct survivors {
	pid_t session; // of the program
	pid_t group;   // of the program
	pid_t spared;  // the monitor, or 0
	const struct relay *relays;
	const struct console *consoles;
};
// Sends a signal to every process of the program's session and to every descendant of this process that holds one of
// the relays' sources open (or may hold it: not everything can be looked into).
void survivors_signal(const struct survivors *survivors, int number);
// Has the group others than that member?
bool group_has_others(pid_t group, pid_t member);
// Kills every process of the session and every descendant of this process, until there is none left that could make
// another one.
void survivors_kill(pid_t session, pid_t spared);

// ---------------------------------------------------------------------------------------------- supervise.c, loop.c

enum phase {
	PHASE_RUNNING,     // the program runs
	PHASE_DRAINING,    // it has ended; others may still write, for EXEC_DRAIN_MS
	PHASE_TERMINATING, // they have been asked to end, and have EXEC_TERMINATE_MS
	PHASE_FLUSHING     // nothing is added any more: what is left goes to the reader at the reader's speed
};

struct supervisor {
	const struct exec_plan *plan;
	struct delivery delivery;
	struct program_argv argv;
	struct program_image image; // until the program runs
	enum program_shield shield;
	struct sandbox *sandbox;
	struct relay relays[STREAM_COUNT]; // [i]: of stream i, or of the terminal that stream i is the first to be on
	struct job job;
	struct exec_leaks leaks;
	struct signals signals;
	int std_fds[STREAM_COUNT]; // what becomes the program's 0-2; -1 hands on the caller's
	int was_subreaper;
	bool is_subreaper;
	pid_t program;
	bool has_monitor;
	bool was_told_to_stop; // without a terminal and by way of a monitor: by a SIGTSTP that came from outside
	int pidfd; // of the program while it runs; -1 where the kernel has none, or a monitor tells of the end
	enum phase phase;
	siginfo_t end;
	int64_t started_ms;
	int64_t ended_ms;
	bool writers_ended;
	bool killed_for_leak;
	bool caller_gone;
};
// From the program's start to the end of everything it has printed. Blocks.
void supervisor_run(struct supervisor *sv);
