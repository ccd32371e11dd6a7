#include "exec/exec_internal.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// -------------------------------------------------------------------------------------------------- opening, closing

static int guards_make(struct job *job, struct err *err)
{
	void *page = mmap(NULL, STREAM_COUNT * sizeof(struct console_guard), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return err_set_errno(err, ERR_MEMORY, errno, "out of memory");
	job->guards = page;
	return 0;
}

// The descriptor to write by: standard output or error, where one of them is the same terminal.
static int outlet_of(dev_t device, const bool skipped[STREAM_COUNT], int number)
{
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (!skipped[fd] && console_device(fd) == device)
			return fd;
	return number;
}

static struct console *console_of(struct job *job, dev_t device)
{
	for (size_t i = 0; i < STREAM_COUNT; i++)
		if (job->consoles[i].is_used && job->consoles[i].device == device)
			return &job->consoles[i];
	return NULL;
}

static int stream_open(struct job *job, int number, dev_t device, struct relay *relay, const struct exec_plan *plan,
		       struct exec_leaks *leaks, const bool skipped[STREAM_COUNT], struct err *err)
{
	struct console *console = &job->consoles[number];
	int r = job->has_terminal ? 0 : guards_make(job, err);
	if (r == 0)
		r = relay_open_terminal(relay, outlet_of(device, skipped, number), plan->redactor, leaks, err);
	if (r == 0)
		r = console_open(console, number, relay, &job->guards[number], plan->caller, err);
	if (r < 0)
		return r;
	job->has_terminal = true;
	if (!job->controlling || (console->is_controlling && !job->controlling->is_controlling))
		job->controlling = console;
	return 0;
}

// Input comes from the program's controlling terminal, which it may open as /dev/tty, and from its standard input.
// Others are for output; what is typed there is for whoever reads there.
static void consoles_settle(struct job *job)
{
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		struct console *console = &job->consoles[i];
		console->takes_input = console == job->controlling || i == STDIN_FILENO;
		console->shares_output = job->is_pipeline;
	}
}

static bool is_pipe(const bool skipped[STREAM_COUNT], int fd)
{
	struct stat status;
	return !skipped[fd] && fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

int job_open(struct job *job, struct relay *relays, const struct exec_plan *plan, struct exec_leaks *leaks,
	     const bool skipped[STREAM_COUNT], int std_fds[STREAM_COUNT], struct err *err)
{
	*job = (struct job){
		.caller = plan->caller,
		.consoles = {CONSOLE_INIT, CONSOLE_INIT, CONSOLE_INIT},
		.monitor = MONITOR_INIT,
	};
	for (int i = 0; i < STREAM_COUNT; i++) {
		dev_t device = skipped[i] ? 0 : console_device(i);
		if (device == 0)
			continue;
		const struct console *same = console_of(job, device);
		int r = same ? 0 : stream_open(job, i, device, &relays[i], plan, leaks, skipped, err);
		if (r < 0)
			return r;
		std_fds[i] = (same ? same : &job->consoles[i])->relay->program_fd;
	}
	job->is_pipeline = job->has_terminal && (is_pipe(skipped, STDIN_FILENO) || is_pipe(skipped, STDOUT_FILENO)) &&
			   caller_has_company(plan->caller);
	consoles_settle(job);
	return 0;
}

void job_done(struct job *job)
{
	// The terminal first: the monitor watches over it until then.
	for (size_t i = 0; i < STREAM_COUNT; i++)
		console_done(&job->consoles[i]);
	monitor_done(&job->monitor);
	if (job->guards)
		munmap(job->guards, STREAM_COUNT * sizeof(struct console_guard));
	job->guards = NULL;
}

// -------------------------------------------------------------------------------------------------------- foreground

static bool job_is_foreground(const struct job *job)
{
	return console_is_foreground(job->controlling);
}

static void job_raw(struct job *job)
{
	for (size_t i = 0; i < STREAM_COUNT; i++)
		console_raw(&job->consoles[i]);
	job->is_raw = true;
}

static void job_take_terminal(struct job *job)
{
	job_raw(job);
	monitor_ask(&job->monitor, MONITOR_FOREGROUND);
}

static void job_leave_terminal(struct job *job)
{
	monitor_ask(&job->monitor, MONITOR_BACKGROUND);
	for (size_t i = 0; i < STREAM_COUNT; i++)
		console_restore(&job->consoles[i]);
	job->is_raw = false;
}

int job_start(struct job *job, struct launch *launch, struct err *err)
{
	bool is_foreground = job->has_terminal && !job->is_pipeline && job_is_foreground(job);
	int terminal_fd = job->has_terminal ? job->controlling->relay->program_fd : -1;
	launch->leads_group = job->has_terminal;
	launch->stops_by_terminal = job->is_pipeline;
	launch->foreground_fd = is_foreground ? terminal_fd : -1;
	struct monitor_plan plan = {.launch = launch, .terminal_fd = terminal_fd, .guards = job->guards};
	for (size_t i = 0; i < STREAM_COUNT; i++)
		plan.user_fds[i] = job->consoles[i].user.fd;
	if (is_foreground)
		job_raw(job);
	return monitor_start(&job->monitor, &plan, err);
}

// ------------------------------------------------------------------------------------------------------------- sizes

// Whether the kernel has told the program: its group must have the pseudo-terminal for that.
static bool job_resize(struct job *job)
{
	bool is_told = false;
	for (size_t i = 0; i < STREAM_COUNT; i++)
		is_told |= console_resize(&job->consoles[i]) && &job->consoles[i] == job->controlling && job->is_raw;
	return is_told;
}

// ------------------------------------------------------------------------------------------------------ stops, signals

// After anything that may have moved the caller between foreground and background.
static void job_settle(struct job *job, bool wants_terminal)
{
	if (!job_is_foreground(job))
		job_leave_terminal(job);
	else if (wants_terminal || !job->is_pipeline)
		job_take_terminal(job);
	job_resize(job);
	monitor_ask(&job->monitor, MONITOR_CONTINUE);
}

// In the background and with nobody who could bring it back: a plain program's read would fail. Here it reads the end.
static void job_end_input(struct job *job)
{
	monitor_ask(&job->monitor, MONITOR_FOREGROUND);
	console_type_end(job->controlling);
	monitor_ask(&job->monitor, MONITOR_CONTINUE);
}

void job_stopped(struct job *job, struct signals *signals, int number)
{
	bool wants_terminal = number == SIGTTIN || number == SIGTTOU;
	bool was_raw = job->is_raw;
	bool whole_group = wants_terminal || (number == SIGTSTP && was_raw && !job->stop_was_sent);
	job->stop_was_sent = false;
	if (wants_terminal && job_is_foreground(job)) {
		job_settle(job, true);
		return;
	}
	job_leave_terminal(job);
	bool can_stop = !wants_terminal || sigismember(&signals->set, number) == 1;
	bool was_continued = can_stop && signals_stop(signals, number, whole_group);
	if (wants_terminal && !was_continued && !job_is_foreground(job))
		job_end_input(job);
	else
		job_settle(job, was_raw || wants_terminal);
}

void job_signal(struct job *job, const struct exec_event *event)
{
	pid_t program = job->monitor.program;
	if (event->is_own)
		return;
	if (event->number == SIGWINCH && job_resize(job))
		return;
	if (event->number == SIGCONT && !job->is_ended) {
		job_settle(job, job->is_raw);
		return;
	}
	job->stop_was_sent |= event->number == SIGTSTP;
	kill(-program, event->number);
}

void job_ended(struct job *job, bool by_itself)
{
	job->is_ended = true;
	for (size_t i = 0; i < STREAM_COUNT; i++)
		if (job->consoles[i].is_used)
			console_drain(&job->consoles[i], by_itself);
}

// ------------------------------------------------------------------------------------------------------------- input

// Without envseal, Ctrl-C would reach everybody in the foreground of the user's terminal: the script or make that has
// started envseal, and the other members of its pipeline. The program gets it from its own terminal.
static void group_tell(const struct job *job, int number)
{
	if (!job->controlling->is_controlling || job->controlling->relay->source_fd < 0)
		return;
	if (tcgetpgrp(job->controlling->relay->source_fd) == getpgid(job->monitor.program))
		caller_tell_group(job->caller, number);
}

void job_pump(struct job *job, size_t index)
{
	struct console *console = &job->consoles[index];
	int number = console_pump(console);
	// Without the other end, raw would only keep Ctrl-C from working.
	if (console->is_used && console->relay->source_fd < 0 && !job->is_ended) {
		if (relay_is_finished(console->relay))
			console_restore(console);
		else
			console_drain(console, false);
	}
	if (number == SIGTTIN)
		job_leave_terminal(job);
	else if (number != 0 && console == job->controlling)
		group_tell(job, number);
}
