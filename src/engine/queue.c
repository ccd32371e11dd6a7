#include "engine/engine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

// As long as one transaction waits for another (vault.h). After it the vault itself says who is in the way.
#define QUEUE_WAIT_SECONDS 60

static void queue_over(int number)
{
	(void)number;
}

// Interrupted when the time is up: flock(2) has no time-out of its own.
static void queue_wait(int fd)
{
	const struct sigaction interrupting = {.sa_handler = queue_over};
	const struct itimerval never = {0}, limit = {.it_value = {.tv_sec = QUEUE_WAIT_SECONDS}};
	struct sigaction before;
	sigset_t alarm_only, mask_before;
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigaction(SIGALRM, &interrupting, &before);
	sigprocmask(SIG_UNBLOCK, &alarm_only, &mask_before);
	setitimer(ITIMER_REAL, &limit, NULL);
	flock(fd, LOCK_EX);
	setitimer(ITIMER_REAL, &never, NULL);
	sigprocmask(SIG_SETMASK, &mask_before, NULL);
	sigaction(SIGALRM, &before, NULL);
}

void queue_enter(struct engine *engine)
{
	if (!engine->client)
		return;
	if (engine->queue_fd < 0)
		engine->queue_fd = open(engine->home.data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (engine->queue_fd >= 0 && flock(engine->queue_fd, LOCK_EX | LOCK_NB) < 0)
		queue_wait(engine->queue_fd);
}

void queue_leave(struct engine *engine)
{
	if (engine->queue_fd >= 0)
		flock(engine->queue_fd, LOCK_UN);
}
