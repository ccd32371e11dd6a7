#include "exec/exec_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void exec_outcome_done(struct exec_outcome *outcome)
{
	exec_leaks_done(&outcome->leaks);
	*outcome = (struct exec_outcome){0};
}

// ---------------------------------------------------------------------------------------------------- bringing it up

static struct supervisor supervisor_of(const struct exec_plan *plan)
{
	return (struct supervisor){
		.plan = plan,
		.delivery = DELIVERY_INIT,
		.argv = {.script_fd = -1},
		.image = PROGRAM_IMAGE_INIT,
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
	exec_leaks_done(&sv->leaks);
	sandbox_free_ptr(&sv->sandbox);
	program_image_done(&sv->image);
	program_argv_done(&sv->argv);
	delivery_done(&sv->delivery);
	signals_close(&sv->signals);
	if (sv->is_subreaper)
		prctl(PR_SET_CHILD_SUBREAPER, sv->was_subreaper, 0, 0, 0);
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
	for (size_t i = 0; i < STREAM_COUNT; i++)
		sv->relays[i].ends_at_leak = sv->plan->on_leak == EXEC_LEAK_KILL;
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
	r = sandbox_prepare(sv->plan->sandbox, &sv->sandbox, err);
	if (r < 0)
		return r;
	sv->image = launch_image(sv->plan, sv->sandbox);
	sv->shield = sv->image.shield;
	// Now, so that the outcome of a program that has run cannot fail for want of memory.
	r = exec_leaks_init(&sv->leaks, err);
	if (r == 0)
		r = streams_open(sv, err);
	return r < 0 ? r : signals_open(&sv->signals, sv->plan, sv->job.has_terminal, err);
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
		.image = &sv->image,
		.sandbox = sv->sandbox,
		.std_fds = {sv->std_fds[0], sv->std_fds[1], sv->std_fds[2]},
		.foreground_fd = -1,
		.child_fd = -1,
	};
	sv->started_ms = clock_monotonic_ms();
	sv->has_monitor = sv->job.has_terminal || sandbox_has_init(sv->sandbox);
	int r = sv->has_monitor ? job_start(&sv->job, &launch, err) : launch_start(&launch, &sv->program, err);
	if (r < 0)
		return r;
	// Now, beside the program's start: unmounting waits for all processors.
	program_image_done(&sv->image);
	for (size_t i = 0; i < STREAM_COUNT; i++)
		relay_started(&sv->relays[i]);
	if (sv->has_monitor)
		sv->program = sv->job.monitor.program;
	else
		sv->pidfd = (int)syscall(SYS_pidfd_open, sv->program, 0);
	return 0;
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
		.leaks = sv->leaks,
		.stdout_bytes = stream_bytes(sv, STDOUT_FILENO),
		.stderr_bytes = stream_bytes(sv, STDERR_FILENO),
		.terminal_bytes = terminal_bytes(sv),
		.writers_ended = sv->writers_ended,
		.killed_for_leak = sv->killed_for_leak,
		.caller_gone = sv->caller_gone,
		.tables_unlocked = !redactor_is_locked(sv->plan->redactor),
		.sandbox = sandbox_record_get(sv->sandbox),
		.shield = sv->shield,
		.milliseconds = clock_monotonic_ms() - sv->started_ms,
	};
	sv->leaks = (struct exec_leaks){0};
	// Given up when the program could not be held (sandbox_hold).
	if (outcome.shield == PROGRAM_SHIELD_APPLIED && !(outcome.sandbox.applied & sandbox_bit(SANDBOX_SHIELD)))
		outcome.shield = PROGRAM_SHIELD_UNAVAILABLE;
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
