#include "exec/exec_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

// Signals 32 and 33 belong to the C library, which refuses to tell or change them; exec hands their disposition on as
// it is, since nothing here changes it.
static void ignored_record(sigset_t *ret_ignored)
{
	sigemptyset(ret_ignored);
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			sigaddset(ret_ignored, number);
	}
}

void inherited_override(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	// An ignored SIGCHLD would make the kernel throw the program's exit status away.
	signal(SIGCHLD, SIG_DFL);
}

int exec_inherit(struct exec_inherited *out, struct err *err)
{
	struct exec_inherited found = {0};
	for (int fd = 0; fd <= 2; fd++) {
		found.std_closed[fd] = fcntl(fd, F_GETFD) < 0 && errno == EBADF;
		if (!found.std_closed[fd])
			continue;
		// The lowest free number is this one, as those below are open by now. Not close-on-exec: whatever else
		// envseal starts is to have three standard descriptors.
		int placeholder = open("/dev/null", O_RDWR);
		if (placeholder < 0)
			return err_set_errno(err, ERR_SYSTEM, errno,
					     "standard descriptor %d is closed and /dev/null cannot replace it", fd);
	}
	sigprocmask(SIG_SETMASK, NULL, &found.mask);
	ignored_record(&found.ignored);
	inherited_override();
	*out = found;
	return 0;
}

void inherited_restore(const struct exec_inherited *inherited)
{
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action = {0};
		action.sa_handler = sigismember(&inherited->ignored, number) == 1 ? SIG_IGN : SIG_DFL;
		sigaction(number, &action, NULL);
	}
	// The mask comes last: a signal that waited must meet the program's disposition, not envseal's.
	sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
}
