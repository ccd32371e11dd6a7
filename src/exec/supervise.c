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

struct supervisor {
	const struct exec_plan *plan;
	struct delivery delivery;
	struct program_argv argv;
	struct relay relays[STREAM_COUNT]; // [i]: of stream i, or of the terminal that stream i is the first to be on
	struct job job;
	struct leak_table leaks;
	struct signals signals;
	int std_fds[STREAM_COUNT]; // what becomes the program's 0-2; -1 hands on the caller's
	int was_subreaper;
	bool is_subreaper;
	pid_t program;
	int pidfd; // of the program while it runs; -1 where the kernel has none, or a monitor tells of the end
	enum phase phase;
	siginfo_t end;
	int64_t started_ms;
	int64_t ended_ms;
	bool writers_ended;
	bool killed_for_leak;
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
		.relays = {RELAY_INIT, RELAY_INIT, RELAY_INIT},
		.job = {.monitor = MONITOR_INIT, .consoles = {CONSOLE_INIT, CONSOLE_INIT, CONSOLE_INIT}},
		.signals = {.fd = -1},
		.std_fds = {-1, -1, -1},
		.pidfd = -1,
	};
}

static void supervisor_done(struct supervisor *sv)
{
	fd_close(&sv->pidfd);
	job_done(&sv->job);
	for (size_t i = 0; i < STREAM_COUNT; i++)
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

static int streams_open(struct supervisor *sv, struct err *err)
{
	const bool *closed = sv->plan->inherited->std_closed;
	const bool skipped[STREAM_COUNT] = {closed[0] || sv->delivery.stdin_fd >= 0, closed[1], closed[2]};
	int r = job_open(&sv->job, sv->relays, sv->plan, &sv->leaks, skipped, sv->std_fds, err);
	if (sv->delivery.stdin_fd >= 0)
		sv->std_fds[0] = sv->delivery.stdin_fd;
	for (int i = STDOUT_FILENO; i <= STDERR_FILENO && r == 0; i++) {
		if (closed[i] || sv->std_fds[i] >= 0)
			continue;
		r = relay_open_pipe(&sv->relays[i], i, sv->plan->redactor, &sv->leaks, err);
		sv->std_fds[i] = sv->relays[i].program_fd;
	}
	return r;
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
	if (r == 0)
		r = streams_open(sv, err);
	return r < 0 ? r : signals_open(&sv->signals, sv->plan->inherited, sv->job.has_terminal, err);
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
		.std_fds = {sv->std_fds[0], sv->std_fds[1], sv->std_fds[2]},
		.foreground_fd = -1,
	};
	sv->started_ms = clock_monotonic_ms();
	int r = sv->job.has_terminal ? job_start(&sv->job, &launch, err) : launch_start(&launch, &sv->program, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < STREAM_COUNT; i++)
		relay_started(&sv->relays[i]);
	if (sv->job.has_terminal)
		sv->program = sv->job.monitor.program;
	else
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
	for (size_t i = 0; i < STREAM_COUNT; i++)
		if (outlet_is_pending(&sv->relays[i].outlet) && !relay_has_writers(&sv->relays[i]))
			relay_abandon(&sv->relays[i]);
	if (sv->phase == PHASE_DRAINING)
		sv->ended_ms = clock_monotonic_ms() - EXEC_DRAIN_MS;
}

// Ends of adopted processes are taken note of and dropped. The program's own (or its monitor's) stays waitable until
// everything is over, which keeps its number, and so the number of its group, from being given to somebody else.
static bool children_reap(struct supervisor *sv)
{
	pid_t child = sv->job.has_terminal ? sv->job.monitor.pid : sv->program;
	for (;;) {
		siginfo_t info = {0};
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return false;
		if (info.si_pid == child) {
			sv->end = info;
			return true;
		}
		waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
	}
}

static void supervisor_ended(struct supervisor *sv)
{
	sv->phase = PHASE_DRAINING;
	sv->ended_ms = clock_monotonic_ms();
	fd_close(&sv->pidfd);
	job_ended(&sv->job, sv->end.si_code == CLD_EXITED);
}

static void relays_advance(struct supervisor *sv)
{
	for (size_t i = 0; i < STREAM_COUNT; i++)
		relay_advance(&sv->relays[i], true);
}

static void supervisor_child(struct supervisor *sv)
{
	siginfo_t info = {0};
	if (sv->phase != PHASE_RUNNING)
		return;
	if (children_reap(sv) && !sv->job.has_terminal) {
		supervisor_ended(sv);
		return;
	}
	if (sv->job.has_terminal || waitid(P_PID, (id_t)sv->program, &info, WSTOPPED | WNOHANG) < 0 ||
	    info.si_pid != sv->program)
		return;
	// What it said before it stopped is to be seen before the shell says that it has stopped.
	relays_advance(sv);
	signals_stop_along(&sv->signals, sv->program);
}

static void supervisor_monitor(struct supervisor *sv)
{
	struct monitor_event event;
	while (sv->phase == PHASE_RUNNING && monitor_next(&sv->job.monitor, &event)) {
		if (event.kind == MONITOR_ENDED) {
			sv->end = (siginfo_t){.si_code = event.code};
			sv->end.si_status = event.status;
			supervisor_ended(sv);
			return;
		}
		relays_advance(sv);
		job_stopped(&sv->job, &sv->signals, event.status);
	}
}

static void supervisor_signals(struct supervisor *sv)
{
	struct signal_event event;
	while (signals_next(&sv->signals, &event)) {
		if (event.number == SIGCHLD)
			continue;
		if (sv->job.has_terminal)
			job_signal(&sv->job, &event);
		else
			signals_forward(&sv->signals, event.number, sv->program);
		if (sv->phase != PHASE_RUNNING && is_terminating(event.number))
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

static struct survivors survivors_of(const struct supervisor *sv)
{
	return (struct survivors){
		.session = sv->job.has_terminal ? sv->job.monitor.pid : sv->program,
		.group = sv->program,
		.spared = sv->job.monitor.pid,
		.relays = sv->relays,
		.consoles = sv->job.consoles,
	};
}

// At the first leak, where the plan says so: nobody of the program's session runs on, and what has not been filtered yet
// is not shown.
static void leak_check(struct supervisor *sv)
{
	if (sv->plan->on_leak != EXEC_LEAK_KILL || sv->leaks.total == 0 || sv->killed_for_leak)
		return;
	const struct survivors survivors = survivors_of(sv);
	sv->killed_for_leak = true;
	kill(-sv->program, SIGKILL);
	survivors_kill(survivors.session, survivors.spared);
	for (size_t i = 0; i < STREAM_COUNT; i++)
		relay_stop(&sv->relays[i]);
}

static void phase_advance(struct supervisor *sv)
{
	int64_t deadline = phase_deadline(sv);
	if (deadline < 0 || clock_monotonic_ms() < deadline)
		return;
	// A pipe without writers is not cut: its rest only waits for a slow reader.
	bool has_writers = false;
	for (size_t i = 0; i < STREAM_COUNT; i++)
		has_writers |= relay_has_writers(&sv->relays[i]);
	if (!has_writers) {
		sv->phase = PHASE_FLUSHING;
		return;
	}
	sv->writers_ended = true;
	const struct survivors survivors = survivors_of(sv);
	if (sv->phase == PHASE_DRAINING) {
		survivors_signal(&survivors, SIGTERM);
		sv->phase = PHASE_TERMINATING;
		return;
	}
	survivors_signal(&survivors, SIGKILL);
	for (size_t i = 0; i < STREAM_COUNT; i++)
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
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		int64_t wait = relay_quiet_wait(&sv->relays[i], now);
		if (wait >= 0 && (timeout < 0 || wait < timeout))
			timeout = wait;
	}
	return (int)timeout;
}

static void supervisor_relay(struct supervisor *sv, size_t index, bool is_ready)
{
	struct relay *relay = &sv->relays[index];
	if (relay->is_terminal && is_ready)
		console_follow(&sv->job.consoles[index]);
	relay_advance(relay, is_ready);
	if (!is_ready && relay_quiet_wait(relay, clock_monotonic_ms()) == 0)
		relay_quiet(relay);
	leak_check(sv);
}

enum { POLL_SIGNALS, POLL_PROGRAM, POLL_MONITOR, POLL_RELAYS, POLL_INPUTS = POLL_RELAYS + STREAM_COUNT,
       POLL_COUNT = POLL_INPUTS + STREAM_COUNT };

static void supervisor_step(struct supervisor *sv)
{
	int monitor_fd = sv->phase == PHASE_RUNNING ? sv->job.monitor.socket_fd : -1;
	struct pollfd fds[POLL_COUNT] = {
		[POLL_SIGNALS] = {.fd = sv->signals.fd, .events = POLLIN},
		[POLL_PROGRAM] = {.fd = sv->pidfd, .events = POLLIN},
		[POLL_MONITOR] = {.fd = monitor_fd, .events = POLLIN},
	};
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		fds[POLL_RELAYS + i] = relay_poll(&sv->relays[i]);
		fds[POLL_INPUTS + i] = console_poll(&sv->job.consoles[i]);
	}
	if (poll(fds, ARRAY_COUNT(fds), poll_timeout(sv)) < 0)
		return;
	// Signals before the program's end: what arrived while it lived is not counted as meant for envseal.
	if (fds[POLL_SIGNALS].revents)
		supervisor_signals(sv);
	if (fds[POLL_SIGNALS].revents || fds[POLL_PROGRAM].revents)
		supervisor_child(sv);
	if (fds[POLL_MONITOR].revents)
		supervisor_monitor(sv);
	phase_advance(sv);
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		supervisor_relay(sv, i, fds[POLL_RELAYS + i].revents != 0);
		if (fds[POLL_INPUTS + i].revents || sv->relays[i].is_ended)
			job_pump(&sv->job, i);
	}
}

static bool relays_are_finished(const struct supervisor *sv)
{
	bool are_finished = true;
	for (size_t i = 0; i < STREAM_COUNT; i++)
		are_finished &= relay_is_finished(&sv->relays[i]);
	return are_finished;
}

static void supervisor_run(struct supervisor *sv)
{
	while (sv->phase == PHASE_RUNNING || !relays_are_finished(sv))
		supervisor_step(sv);
	job_done(&sv->job);
	siginfo_t info;
	waitid(P_PID, (id_t)sv->program, &info, WEXITED | WNOHANG);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

// ----------------------------------------------------------------------------------------------------------- outcome

static void outcome_failure(const struct supervisor *sv, struct exec_outcome *outcome)
{
	for (size_t i = 0; i < STREAM_COUNT && outcome->output_errno == 0; i++) {
		outcome->output_errno = sv->relays[i].outlet.failure;
		outcome->output_stream = outcome->output_errno != 0 ? sv->relays[i].number : 0;
	}
}

static uint64_t stream_bytes(const struct supervisor *sv, int number)
{
	return sv->relays[number].is_terminal ? 0 : sv->relays[number].bytes;
}

static uint64_t terminal_bytes(const struct supervisor *sv)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < STREAM_COUNT; i++)
		bytes += sv->relays[i].is_terminal ? sv->relays[i].bytes : 0;
	return bytes;
}

static struct exec_outcome outcome_make(struct supervisor *sv)
{
	struct exec_outcome outcome = {
		.leak_count = sv->leaks.count,
		.leak_total = sv->leaks.total,
		.stdout_bytes = stream_bytes(sv, STDOUT_FILENO),
		.stderr_bytes = stream_bytes(sv, STDERR_FILENO),
		.terminal_bytes = terminal_bytes(sv),
		.writers_ended = sv->writers_ended,
		.killed_for_leak = sv->killed_for_leak,
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
