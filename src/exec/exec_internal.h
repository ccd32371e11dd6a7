// Between the files of exec only: delivery.c and launch.c bring the program up, outlet.c, relay.c, signals.c and
// survivors.c are the parts of supervise.c's loop.
#pragma once

#include <poll.h>

#include "exec/exec.h"

// ------------------------------------------------------------------------------------------------------- inherit.c

// In the process that becomes the program: dispositions, then the mask, as envseal found them. Async-signal-safe.
void inherited_restore(const struct exec_inherited *inherited);
// What envseal itself needs while it runs: SIGPIPE and SIGXFSZ ignored, SIGCHLD default.
void inherited_override(void);

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
	int std_fds[3]; // borrowed: what becomes the program's 0-2; -1 hands on this process's own
	pid_t parent;
	int report_fd;  // where the child tells why it could not start
};
// Forks and waits until the program's image is in place, or says why not. The program then leads its own session.
int launch_start(struct launch *launch, pid_t *ret_pid, struct err *err);
// Puts the program into this process. Returns only on failure.
int launch_here(const struct launch *launch, struct err *err);

// -------------------------------------------------------------------------------------------------------- outlet.c

enum outlet_kind {
	OUTLET_PLAIN,  // files and devices, which do not make a writer wait for a reader
	OUTLET_OWN,    // a pipe or terminal, opened again: its O_NONBLOCK is not the caller's
	OUTLET_SOCKET, // MSG_DONTWAIT does the same for sockets
	OUTLET_POLLED  // a pipe or terminal that could not be opened again
};

// The caller's stdout or stderr. Never blocks; what cannot be written at once is queued.
struct outlet {
	enum outlet_kind kind;
	int fd;       // where to write
	int owned_fd; // fd, for OUTLET_OWN, else -1
	struct buf queue;
	size_t queue_at;
	uint64_t taken; // bytes given to outlet_write
	bool is_gone;   // nobody takes output any more; everything further is dropped
	int failure;    // errno, where it is gone for another reason than EPIPE
};
void outlet_open(struct outlet *outlet, int number);
void outlet_done(struct outlet *outlet);
void outlet_write(struct outlet *outlet, struct span bytes);
void outlet_flush(struct outlet *outlet);
bool outlet_is_pending(const struct outlet *outlet);
void outlet_give_up(struct outlet *outlet, int failure);

// --------------------------------------------------------------------------------------------------------- relay.c

struct leak_table {
	struct exec_leak *rows; // room for EXEC_LEAKS_MAX
	size_t count;
	uint64_t total;
};

// One stream of the program: its pipe, a filter, an outlet. While the outlet has bytes pending, the pipe is not read.
struct relay {
	int number;     // 1 or 2; 0 when the program gets this descriptor closed, and nothing is relayed
	int pipe_fd;    // read end, or -1 after its end
	int program_fd; // write end, until relay_started
	struct outlet outlet;
	struct filter *filter;
	struct secret *block; // what was read and is not filtered yet
	size_t block_at;
	size_t block_len;
	uint64_t bytes;
	uint64_t read_left; // bytes that may still be read; UINT64_MAX: until its end
	int64_t read_ms;    // when something was read last
	bool is_expanding;  // masks made the last slice much longer
	bool is_ended;      // the filter has been told the end
	bool is_released;   // the reader has been told it
	struct leak_table *leaks;
};
#define RELAY_INIT ((struct relay){.pipe_fd = -1, .program_fd = -1, .outlet = {.fd = -1, .owned_fd = -1}})
// The relay must stay where it is until relay_done.
int relay_open(struct relay *relay, int number, const struct redactor *redactor, struct leak_table *leaks,
	       struct err *err);
void relay_done(struct relay *relay);
void relay_started(struct relay *relay);
struct pollfd relay_poll(const struct relay *relay);
void relay_advance(struct relay *relay, bool is_ready);
// Milliseconds until relay_quiet is due; -1: never.
int64_t relay_quiet_wait(const struct relay *relay, int64_t now_ms);
void relay_quiet(struct relay *relay);
bool relay_has_writers(const struct relay *relay);
// Takes what is in the pipe now, and then ends, whoever still writes.
void relay_cut(struct relay *relay);
// Drops everything.
void relay_abandon(struct relay *relay);
bool relay_is_finished(const struct relay *relay);

// ------------------------------------------------------------------------------------------------------- signals.c

struct signals {
	int fd;
	sigset_t set;
	sigset_t mask_before;
	bool is_open;
	bool stays_blocked; // after signals_close
};
// Blocks the signals to pass on, and SIGCHLD, and opens a descriptor for them.
int signals_open(struct signals *signals, const struct exec_inherited *inherited, struct err *err);
void signals_close(struct signals *signals);
// Next waiting signal, or 0.
int signals_next(struct signals *signals);
// Passes a signal on to the program's group; TSTP stops both and continues both.
void signals_forward(struct signals *signals, int number, pid_t program);
// The program has stopped: stops this process with it, and continues the program when this process is continued.
void signals_stop_along(struct signals *signals, pid_t program);

// ----------------------------------------------------------------------------------------------------- survivors.c

// Sends a signal to every process of the program's session and to every descendant of this process that holds one of
// the pipes open (or may hold it: not everything can be looked into).
void survivors_signal(pid_t program, const struct relay *relays, size_t count, int number);
