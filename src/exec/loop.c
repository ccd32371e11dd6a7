// While the program runs, and until everything it has printed is where it belongs.
#include "exec/exec_internal.h"

#include <sys/wait.h>
#include <unistd.h>

// ------------------------------------------------------------------------------------------------------- sudden ends

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

// Nobody of the program's session runs on, in whatever phase.
static void processes_end(const struct supervisor *sv)
{
	// The kernel ends them with their process 1, also those that are about to fork.
	if (sv->has_monitor && sandbox_has_init(sv->sandbox)) {
		kill(sv->job.monitor.pid, SIGKILL);
		return;
	}
	const struct survivors survivors = survivors_of(sv);
	kill(-sv->program, SIGKILL);
	survivors_kill(survivors.session, survivors.spared);
}

// At the first leak, where the plan says so: all end, and what has not been filtered yet is not shown.
static void leak_check(struct supervisor *sv)
{
	if (sv->plan->on_leak != EXEC_LEAK_KILL || sv->leaks.total == 0 || sv->killed_for_leak)
		return;
	sv->killed_for_leak = true;
	processes_end(sv);
	for (size_t i = 0; i < STREAM_COUNT; i++)
		relay_stop(&sv->relays[i]);
}

// The caller is gone, and with it whoever reads or types: nothing is waited for.
static void supervisor_orphaned(struct supervisor *sv)
{
	sv->caller_gone = true;
	processes_end(sv);
	for (size_t i = 0; i < STREAM_COUNT; i++)
		relay_abandon(&sv->relays[i]);
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
	pid_t child = sv->has_monitor ? sv->job.monitor.pid : sv->program;
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
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		struct relay *relay = &sv->relays[i];
		relay_advance(relay, true);
		if (relay_quiet_wait(relay, clock_monotonic_ms()) >= 0)
			relay_quiet(relay);
	}
}

static void supervisor_child(struct supervisor *sv)
{
	siginfo_t info = {0};
	if (sv->phase != PHASE_RUNNING)
		return;
	if (children_reap(sv) && !sv->has_monitor) {
		supervisor_ended(sv);
		return;
	}
	if (sv->has_monitor || waitid(P_PID, (id_t)sv->program, &info, WSTOPPED | WNOHANG) < 0 ||
	    info.si_pid != sv->program)
		return;
	// What it said before it stopped is to be seen before the shell says that it has stopped.
	relays_advance(sv);
	signals_stop_along(&sv->signals, SIGSTOP, sv->program);
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
		if (sv->job.has_terminal)
			job_stopped(&sv->job, &sv->signals, event.status);
		else
			signals_stop_along(&sv->signals, sv->was_told_to_stop ? SIGTSTP : SIGSTOP, sv->program);
		sv->was_told_to_stop = false;
	}
}

static void supervisor_forward(struct supervisor *sv, const struct exec_event *event)
{
	if (sv->job.has_terminal) {
		job_signal(&sv->job, event);
		return;
	}
	// The monitor tells when it has stopped. Stopping here at once would be told once more when it goes on.
	if (sv->has_monitor && event->number == SIGTSTP && sv->phase == PHASE_RUNNING) {
		sv->was_told_to_stop = true;
		kill(-sv->program, SIGSTOP);
		return;
	}
	signals_forward(&sv->signals, event->number, sv->program);
}

static void supervisor_signals(struct supervisor *sv)
{
	struct exec_event event;
	while (signals_next(&sv->signals, &event)) {
		if (event.is_gone) {
			supervisor_orphaned(sv);
			return;
		}
		if (event.number == SIGCHLD)
			continue;
		supervisor_forward(sv, &event);
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
	if (sv->signals.is_caller_due)
		return 0;
	if (deadline >= 0)
		timeout = deadline > now ? deadline - now : 0;
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		int64_t wait = relay_quiet_wait(&sv->relays[i], now);
		if (wait >= 0 && (timeout < 0 || wait < timeout))
			timeout = wait;
	}
	return (int)timeout;
}

static void supervisor_relay(struct supervisor *sv, size_t index, struct pollfd found)
{
	struct relay *relay = &sv->relays[index];
	// The monitor has told of the program's end before it let go of the terminal: perhaps after poll had looked there.
	if (relay->is_terminal && found.fd == relay->source_fd && (found.revents & POLLHUP) != 0) {
		relay->is_hung_up = true;
		supervisor_monitor(sv);
	}
	if (relay->is_terminal && found.revents != 0)
		console_follow(&sv->job.consoles[index]);
	relay_advance(relay, found.revents != 0);
	leak_check(sv);
}

enum { POLL_SIGNALS, POLL_CALLER, POLL_PROGRAM, POLL_MONITOR, POLL_RELAYS, POLL_INPUTS = POLL_RELAYS + STREAM_COUNT,
       POLL_COUNT = POLL_INPUTS + STREAM_COUNT };

static void supervisor_step(struct supervisor *sv)
{
	int monitor_fd = sv->phase == PHASE_RUNNING ? sv->job.monitor.socket_fd : -1;
	struct pollfd fds[POLL_COUNT] = {
		[POLL_SIGNALS] = {.fd = sv->signals.fd, .events = POLLIN},
		[POLL_CALLER] = signals_caller_poll(&sv->signals),
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
	bool has_signals = fds[POLL_SIGNALS].revents || fds[POLL_CALLER].revents || sv->signals.is_caller_due;
	if (has_signals)
		supervisor_signals(sv);
	if (has_signals || fds[POLL_PROGRAM].revents)
		supervisor_child(sv);
	if (fds[POLL_MONITOR].revents)
		supervisor_monitor(sv);
	phase_advance(sv);
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		supervisor_relay(sv, i, fds[POLL_RELAYS + i]);
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

void supervisor_run(struct supervisor *sv)
{
	while (sv->phase == PHASE_RUNNING || !relays_are_finished(sv))
		supervisor_step(sv);
	job_done(&sv->job);
	siginfo_t info;
	waitid(P_PID, (id_t)sv->program, &info, WEXITED | WNOHANG);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}
