#include "exec/exec_internal.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP,
				SIGTTIN, SIGTTOU};
// The last two stop a process that uses a terminal from the background, and without one are nobody's business.
#define TERMINAL_SIGNAL_COUNT 2

int signals_open(struct signals *signals, const struct exec_inherited *inherited, bool has_terminal, struct err *err)
{
	size_t count = ARRAY_COUNT(passed_on) - (has_terminal ? 0 : TERMINAL_SIGNAL_COUNT);
	// What was ignored when envseal started stays ignored, for both (nohup).
	sigemptyset(&signals->set);
	sigaddset(&signals->set, SIGCHLD);
	for (size_t i = 0; i < count; i++)
		if (sigismember(&inherited->ignored, passed_on[i]) != 1)
			sigaddset(&signals->set, passed_on[i]);
	inherited_override();
	sigprocmask(SIG_BLOCK, &signals->set, &signals->mask_before);
	signals->is_open = true;
	signals->fd = signalfd(-1, &signals->set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot watch for signals");
	return 0;
}

bool signals_next(struct signals *signals, struct signal_event *out)
{
	struct signalfd_siginfo info;
	if (read(signals->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return false;
	*out = (struct signal_event){.number = (int)info.ssi_signo};
	out->is_own = info.ssi_code == SI_USER && info.ssi_pid == (uint32_t)getpid();
	return true;
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

bool signals_stop(struct signals *signals, int number, bool whole_group)
{
	// One that is ignored here stopped the program because the program has changed that.
	bool is_watched = sigismember(&signals->set, number) == 1;
	self_stop(is_watched ? number : SIGSTOP, whole_group && is_watched);
	return signals_take_continue(signals);
}

static void program_continue(struct signals *signals, pid_t program)
{
	kill(-program, SIGCONT);
	signals_take_continue(signals);
}

void signals_forward(struct signals *signals, int number, pid_t program)
{
	if (number != SIGTSTP) {
		kill(-program, number);
		return;
	}
	// The program's group is orphaned (its leader's parent is in another session), and there the kernel drops a
	// default SIGTSTP. For envseal itself SIGTSTP is right: in an orphaned group, where nobody could continue it,
	// it does not stop.
	kill(-program, SIGSTOP);
	self_stop(SIGTSTP, false);
	program_continue(signals, program);
}

void signals_stop_along(struct signals *signals, pid_t program)
{
	self_stop(SIGSTOP, false);
	program_continue(signals, program);
}
