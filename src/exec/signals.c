#include "exec/exec_internal.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP,
				SIGTTIN, SIGTTOU};
// The last two stop a process that uses a terminal from the background, and without one are nobody's business.
#define TERMINAL_SIGNAL_COUNT 2

static void set_fill(struct signals *signals, const struct exec_inherited *inherited, bool has_terminal)
{
	size_t count = ARRAY_COUNT(passed_on) - (has_terminal ? 0 : TERMINAL_SIGNAL_COUNT);
	// What was ignored when envseal started stays ignored, for both (nohup).
	sigemptyset(&signals->set);
	sigaddset(&signals->set, SIGCHLD);
	for (size_t i = 0; i < count; i++)
		if (sigismember(&inherited->ignored, passed_on[i]) != 1)
			sigaddset(&signals->set, passed_on[i]);
}

int signals_open(struct signals *signals, const struct exec_plan *plan, bool has_terminal, struct err *err)
{
	sigset_t own;
	sigemptyset(&own);
	sigaddset(&own, SIGCHLD);
	signals->caller = plan->caller;
	signals->is_caller_due = plan->caller != NULL;
	set_fill(signals, plan->inherited, has_terminal);
	if (!plan->caller)
		own = signals->set;
	inherited_override();
	sigprocmask(SIG_BLOCK, &own, &signals->mask_before);
	signals->is_open = true;
	signals->fd = signalfd(-1, &own, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot watch for signals");
	return plan->caller ? plan->caller->begin(plan->caller->context, has_terminal, err) : 0;
}

struct pollfd signals_caller_poll(const struct signals *signals)
{
	bool is_asked = signals->caller && !signals->is_caller_gone;
	return (struct pollfd){.fd = is_asked ? signals->caller->fd : -1, .events = POLLIN};
}

static bool own_next(struct signals *signals, struct exec_event *out)
{
	struct signalfd_siginfo info;
	if (read(signals->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return false;
	*out = (struct exec_event){.number = (int)info.ssi_signo};
	out->is_own = info.ssi_code == SI_USER && info.ssi_pid == (uint32_t)getpid();
	return true;
}

// What was not to be taken is not passed on, whatever the caller says.
static bool caller_next(struct signals *signals, struct exec_event *out)
{
	signals->is_caller_due = false;
	while (signals->caller && !signals->is_caller_gone && signals->caller->next(signals->caller->context, out)) {
		signals->is_caller_gone = out->is_gone;
		if (out->is_gone || (sigismember(&signals->set, out->number) == 1 && out->number != SIGCHLD))
			return true;
	}
	return false;
}

bool signals_next(struct signals *signals, struct exec_event *out)
{
	return own_next(signals, out) || caller_next(signals, out);
}

void signals_close(struct signals *signals)
{
	if (!signals->is_open)
		return;
	fd_close(&signals->fd);
	if (!signals->stays_blocked)
		sigprocmask(SIG_SETMASK, &signals->mask_before, NULL);
	signals->is_open = false;
}

// Stops this process by `number`, which the whole group gets where it is meant, and returns when it is continued.
static void self_stop(int number, bool whole_group)
{
	sigset_t one;
	sigset_t before;
	sigemptyset(&one);
	sigaddset(&one, number);
	kill(whole_group ? 0 : getpid(), number);
	sigprocmask(SIG_UNBLOCK, &one, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

// Takes back the SIGCONT that woke this process, which would be passed on once more. False: there was none.
static bool signals_take_continue(struct signals *signals)
{
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, SIGCONT);
	const struct timespec now = {0};
	return sigismember(&signals->set, SIGCONT) != 1 || sigtimedwait(&one, NULL, &now) == SIGCONT;
}

static bool caller_stop(struct signals *signals, int number, bool whole_group)
{
	if (signals->is_caller_gone)
		return false;
	signals->is_caller_due = signals->caller != NULL;
	if (signals->caller)
		return signals->caller->stop(signals->caller->context, number, whole_group);
	self_stop(number, whole_group);
	return signals_take_continue(signals);
}

bool signals_stop(struct signals *signals, int number, bool whole_group)
{
	// One that is ignored there stopped the program because the program has changed that.
	bool is_watched = sigismember(&signals->set, number) == 1;
	return caller_stop(signals, is_watched ? number : SIGSTOP, whole_group && is_watched);
}

void signals_forward(struct signals *signals, int number, pid_t program)
{
	if (number != SIGTSTP) {
		kill(-program, number);
		return;
	}
	// The program's group is orphaned (its leader's parent is in another session), and there the kernel drops a
	// default SIGTSTP. For the caller SIGTSTP is right: in an orphaned group, where nobody could continue it, it
	// does not stop.
	kill(-program, SIGSTOP);
	caller_stop(signals, SIGTSTP, false);
	kill(-program, SIGCONT);
}

void signals_stop_along(struct signals *signals, int number, pid_t program)
{
	caller_stop(signals, number, false);
	kill(-program, SIGCONT);
}
