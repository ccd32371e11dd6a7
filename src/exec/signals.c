#include "exec/exec_internal.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP};

int signals_open(struct signals *signals, const struct exec_inherited *inherited, struct err *err)
{
	// What was ignored when envseal started stays ignored, for both (nohup).
	sigemptyset(&signals->set);
	sigaddset(&signals->set, SIGCHLD);
	for (size_t i = 0; i < ARRAY_COUNT(passed_on); i++)
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

int signals_next(struct signals *signals)
{
	struct signalfd_siginfo info;
	ssize_t n = read(signals->fd, &info, sizeof(info));
	return n == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
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

// Stops this process by `number` and returns when it is continued.
static void self_stop(int number)
{
	sigset_t one;
	sigset_t before;
	sigemptyset(&one);
	sigaddset(&one, number);
	kill(getpid(), number);
	sigprocmask(SIG_UNBLOCK, &one, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

// Continues the program once, and takes back the SIGCONT that woke this process, which would do so a second time.
static void program_continue(struct signals *signals, pid_t program)
{
	kill(-program, SIGCONT);
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, SIGCONT);
	const struct timespec now = {0};
	if (sigismember(&signals->set, SIGCONT) == 1)
		sigtimedwait(&one, NULL, &now);
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
	self_stop(SIGTSTP);
	program_continue(signals, program);
}

void signals_stop_along(struct signals *signals, pid_t program)
{
	self_stop(SIGSTOP);
	program_continue(signals, program);
}
