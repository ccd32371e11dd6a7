#include "exec/exec_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum phase {
	PHASE_RUNNING,     // the program runs
	PHASE_DRAINING,    // it has ended; others may still write, for EXEC_DRAIN_MS
	PHASE_TERMINATING, // they have been asked to end, and have EXEC_TERMINATE_MS
	PHASE_FLUSHING     // nothing is added any more: what is left goes to the reader at the reader's speed
};

#define RELAY_COUNT 2

struct supervisor {
	const struct exec_plan *plan;
	struct delivery delivery;
	struct program_argv argv;
	struct relay relays[RELAY_COUNT];
	struct leak_table leaks;
	struct signals signals;
	int stdin_fd; // the caller's terminal, opened again for reading only; else -1
	bool stdin_is_writable;
	int was_subreaper;
	bool is_subreaper;
	pid_t program;
	int pidfd; // of the program while it runs; -1 where the kernel has none: then SIGCHLD alone tells
	enum phase phase;
	siginfo_t end;
	int64_t started_ms;
	int64_t ended_ms;
	bool writers_ended;
};

void exec_outcome_done(struct exec_outcome *outcome)
{
	free(outcome->leaks);
	*outcome = (struct exec_outcome){0};
}

// ---------------------------------------------------------------------------------------------------- bringing it up

static struct supervisor supervisor_of(const struct exec_plan *plan)
{
	return (struct supervisor){
		.plan = plan,
		.delivery = DELIVERY_INIT,
		.argv = {.script_fd = -1},
		.relays = {RELAY_INIT, RELAY_INIT},
		.signals = {.fd = -1},
		.stdin_fd = -1,
		.pidfd = -1,
	};
}

static void supervisor_done(struct supervisor *sv)
{
	fd_close(&sv->pidfd);
	fd_close(&sv->stdin_fd);
	for (size_t i = 0; i < RELAY_COUNT; i++)
		relay_done(&sv->relays[i]);
	free(sv->leaks.rows);
	program_argv_done(&sv->argv);
	delivery_done(&sv->delivery);
	signals_close(&sv->signals);
	if (sv->is_subreaper)
		prctl(PR_SET_CHILD_SUBREAPER, sv->was_subreaper, 0, 0, 0);
}

// Now, so that the outcome of a program that has run cannot fail for want of memory.
static int leaks_prepare(struct supervisor *sv, struct err *err)
{
	sv->leaks.rows = calloc(EXEC_LEAKS_MAX, sizeof(*sv->leaks.rows));
	return sv->leaks.rows ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

// A terminal is usually one open file for reading and writing, by which the program could write past the filter.
static void stdin_prepare(struct supervisor *sv)
{
	if (sv->delivery.stdin_fd >= 0 || sv->plan->inherited->std_closed[0] || !isatty(0))
		return;
	int mode = fcntl(0, F_GETFL);
	if (mode >= 0 && (mode & O_ACCMODE) == O_RDONLY)
		return;
	sv->stdin_fd = open("/proc/self/fd/0", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	sv->stdin_is_writable = sv->stdin_fd < 0;
}

static int supervisor_prepare(struct supervisor *sv, struct err *err)
{
	int r = delivery_prepare(sv->plan, &sv->delivery, err);
	if (r < 0)
		return r;
	r = program_argv_build(sv->plan->program, sv->plan->argv, &sv->argv, err);
	if (r < 0)
		return r;
	r = leaks_prepare(sv, err);
	for (int i = 0; i < RELAY_COUNT && r == 0; i++)
		if (!sv->plan->inherited->std_closed[i + 1])
			r = relay_open(&sv->relays[i], i + 1, sv->plan->redactor, &sv->leaks, err);
	if (r < 0)
		return r;
	stdin_prepare(sv);
	return signals_open(&sv->signals, sv->plan->inherited, err);
}

static int supervisor_start(struct supervisor *sv, struct err *err)
{
	// Processes whose parent ends come to this one, and not to init, so that survivors can be found.
	prctl(PR_GET_CHILD_SUBREAPER, &sv->was_subreaper, 0, 0, 0);
	sv->is_subreaper = prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
	struct launch launch = {
		.plan = sv->plan,
		.delivery = &sv->delivery,
		.argv = &sv->argv,
		.std_fds = {sv->delivery.stdin_fd >= 0 ? sv->delivery.stdin_fd : sv->stdin_fd,
			    sv->relays[0].program_fd, sv->relays[1].program_fd},
	};
	sv->started_ms = clock_monotonic_ms();
	int r = launch_start(&launch, &sv->program, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < RELAY_COUNT; i++)
		relay_started(&sv->relays[i]);
	sv->pidfd = (int)syscall(SYS_pidfd_open, sv->program, 0);
	return 0;
}

// ------------------------------------------------------------------------------------------------------------ events

static bool is_terminating(int number)
{
	return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

// The program is gone, so the signal means envseal: a plain writer would end here, and so does the waiting for a reader
// that takes nothing and for other writers.
static void supervisor_hurry(struct supervisor *sv)
{
	for (size_t i = 0; i < RELAY_COUNT; i++)
		if (outlet_is_pending(&sv->relays[i].outlet) && !relay_has_writers(&sv->relays[i]))
			relay_abandon(&sv->relays[i]);
	if (sv->phase == PHASE_DRAINING)
		sv->ended_ms = clock_monotonic_ms() - EXEC_DRAIN_MS;
}

// Ends of adopted processes are taken note of and dropped. The program's own stays waitable until everything is over,
// which keeps its number, and so the number of its group, from being given to somebody else.
static bool children_reap(struct supervisor *sv)
{
	for (;;) {
		siginfo_t info = {0};
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return false;
		if (info.si_pid == sv->program) {
			sv->end = info;
			return true;
		}
		waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
	}
}

static void supervisor_child(struct supervisor *sv)
{
	siginfo_t info = {0};
	if (sv->phase != PHASE_RUNNING)
		return;
	if (children_reap(sv)) {
		sv->phase = PHASE_DRAINING;
		sv->ended_ms = clock_monotonic_ms();
		fd_close(&sv->pidfd);
		return;
	}
	if (waitid(P_PID, (id_t)sv->program, &info, WSTOPPED | WNOHANG) < 0 || info.si_pid != sv->program)
		return;
	// What it said before it stopped is to be seen before the shell says that it has stopped.
	for (size_t i = 0; i < RELAY_COUNT; i++)
		relay_advance(&sv->relays[i], true);
	signals_stop_along(&sv->signals, sv->program);
}

static void supervisor_signals(struct supervisor *sv)
{
	int number;
	while ((number = signals_next(&sv->signals)) != 0) {
		if (number == SIGCHLD)
			continue;
		signals_forward(&sv->signals, number, sv->program);
		if (sv->phase != PHASE_RUNNING && is_terminating(number))
			supervisor_hurry(sv);
	}
}

// ------------------------------------------------------------------------------------------------------------ phases
// All bounds count from the program's end, not from the last byte: a survivor that floods must not stretch them.

static int64_t phase_deadline(const struct supervisor *sv)
{
	switch (sv->phase) {
	case PHASE_DRAINING:
		return sv->ended_ms + EXEC_DRAIN_MS;
	case PHASE_TERMINATING:
		return sv->ended_ms + EXEC_DRAIN_MS + EXEC_TERMINATE_MS;
	case PHASE_RUNNING:
	case PHASE_FLUSHING:
		break;
	}
	return -1;
}

static void phase_advance(struct supervisor *sv)
{
	int64_t deadline = phase_deadline(sv);
	if (deadline < 0 || clock_monotonic_ms() < deadline)
		return;
	// A pipe without writers is not cut: its rest only waits for a slow reader.
	bool has_writers = relay_has_writers(&sv->relays[0]) || relay_has_writers(&sv->relays[1]);
	if (!has_writers) {
		sv->phase = PHASE_FLUSHING;
		return;
	}
	sv->writers_ended = true;
	if (sv->phase == PHASE_DRAINING) {
		survivors_signal(sv->program, sv->relays, RELAY_COUNT, SIGTERM);
		sv->phase = PHASE_TERMINATING;
		return;
	}
	survivors_signal(sv->program, sv->relays, RELAY_COUNT, SIGKILL);
	for (size_t i = 0; i < RELAY_COUNT; i++)
		if (relay_has_writers(&sv->relays[i]))
			relay_cut(&sv->relays[i]);
	sv->phase = PHASE_FLUSHING;
}

// -------------------------------------------------------------------------------------------------------------- loop

static int poll_timeout(const struct supervisor *sv)
{
	int64_t now = clock_monotonic_ms();
	int64_t timeout = -1;
	int64_t deadline = phase_deadline(sv);
	if (deadline >= 0)
		timeout = deadline > now ? deadline - now : 0;
	for (size_t i = 0; i < RELAY_COUNT; i++) {
		int64_t wait = relay_quiet_wait(&sv->relays[i], now);
		if (wait >= 0 && (timeout < 0 || wait < timeout))
			timeout = wait;
	}
	return (int)timeout;
}

static void supervisor_step(struct supervisor *sv)
{
	struct pollfd fds[] = {
		{.fd = sv->signals.fd, .events = POLLIN},
		{.fd = sv->pidfd, .events = POLLIN},
		relay_poll(&sv->relays[0]),
		relay_poll(&sv->relays[1]),
	};
	if (poll(fds, ARRAY_COUNT(fds), poll_timeout(sv)) < 0)
		return;
	// Signals before the program's end: what arrived while it lived is not counted as meant for envseal.
	if (fds[0].revents)
		supervisor_signals(sv);
	if (fds[0].revents || fds[1].revents)
		supervisor_child(sv);
	phase_advance(sv);
	for (size_t i = 0; i < RELAY_COUNT; i++) {
		struct relay *relay = &sv->relays[i];
		bool is_ready = fds[2 + i].revents != 0;
		relay_advance(relay, is_ready);
		if (!is_ready && relay_quiet_wait(relay, clock_monotonic_ms()) == 0)
			relay_quiet(relay);
	}
}

static void supervisor_run(struct supervisor *sv)
{
	while (sv->phase == PHASE_RUNNING || !relay_is_finished(&sv->relays[0]) || !relay_is_finished(&sv->relays[1]))
		supervisor_step(sv);
	siginfo_t info;
	waitid(P_PID, (id_t)sv->program, &info, WEXITED | WNOHANG);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

// ----------------------------------------------------------------------------------------------------------- outcome

static void outcome_failure(const struct supervisor *sv, struct exec_outcome *outcome)
{
	for (size_t i = 0; i < RELAY_COUNT && outcome->output_errno == 0; i++) {
		outcome->output_errno = sv->relays[i].outlet.failure;
		outcome->output_stream = outcome->output_errno != 0 ? sv->relays[i].number : 0;
	}
}

static struct exec_outcome outcome_make(struct supervisor *sv)
{
	struct exec_outcome outcome = {
		.leak_count = sv->leaks.count,
		.leak_total = sv->leaks.total,
		.stdout_bytes = sv->relays[0].bytes,
		.stderr_bytes = sv->relays[1].bytes,
		.stdin_is_writable = sv->stdin_is_writable,
		.writers_ended = sv->writers_ended,
		.tables_unlocked = !redactor_is_locked(sv->plan->redactor),
		.milliseconds = clock_monotonic_ms() - sv->started_ms,
	};
	outcome.leaks = TAKE_PTR(sv->leaks.rows);
	outcome.signal = sv->end.si_code == CLD_EXITED ? 0 : sv->end.si_status;
	outcome.status = outcome.signal == 0 ? sv->end.si_status : 128 + outcome.signal;
	outcome_failure(sv, &outcome);
	return outcome;
}

int exec_supervise(const struct exec_plan *plan, struct exec_outcome *out, struct err *err)
{
	_cleanup_(supervisor_done) struct supervisor sv = supervisor_of(plan);
	int r = supervisor_prepare(&sv, err);
	if (r == 0)
		r = supervisor_start(&sv, err);
	if (r < 0)
		return r;
	supervisor_run(&sv);
	sv.signals.stays_blocked = true;
	*out = outcome_make(&sv);
	return 0;
}
