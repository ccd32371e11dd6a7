#include "broker/front.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker/front_loop.h"

// Descriptors that are neither a worker's nor an early connection's: consoles', standard ones, the loop's, one that is
// just being accepted.
#define FILES_KEPT (FRONT_CONSOLES_MAX + 32)
// Early connections have no more than a part of them.
#define FILES_EARLY_PART 4
// A worker's desk; and until the keeper has taken it its other end and the client's connection.
#define FILES_PER_WORKER 3

static uint32_t smaller(rlim_t a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

// How many there may be of each.
static struct front_limits files_raise(void)
{
	struct rlimit limit;
	struct front_limits limits = {1, FRONT_CONSOLES_MAX, 1, FRONT_QUESTIONS_MAX};
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return limits;
	rlim_t most = limit.rlim_max < FRONT_FILES_MAX ? limit.rlim_max : FRONT_FILES_MAX;
	struct rlimit raised = {most, limit.rlim_max};
	if (limit.rlim_cur < most && setrlimit(RLIMIT_NOFILE, &raised) == 0)
		limit = raised;
	limits.early = smaller(limit.rlim_cur / FILES_EARLY_PART, FRONT_NEW_MAX);
	rlim_t kept = limits.early + FILES_KEPT;
	limits.workers = smaller(limit.rlim_cur > kept ? (limit.rlim_cur - kept) / FILES_PER_WORKER : 0, FRONT_WORKERS_MAX);
	return limits;
}

static void files_close(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;
	fd_close_range(3, low - 1);
	fd_close_range(low + 1, high - 1);
	fd_close_range(high + 1, INT_MAX);
}

// Its end is the keeper's business: a terminal's or a supervisor's signals, which go to both, are heard there.
static void signals_ignore(void)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGPIPE};
	for (size_t i = 0; i < ARRAY_COUNT(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

static int front_harden(const struct front_setup *setup, struct err *err)
{
	prctl(PR_SET_NAME, "envseal-front", 0, 0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "the broker's front cannot be bound to its keeper");
	if (getppid() != setup->status.pid)
		return err_set(err, ERR_SYSTEM, "the broker's keeper has ended: unlock again");
	signals_ignore();
	files_close(setup->listen_fd, setup->keeper_fd);
	return 0;
}

int front_run(const struct front_setup *setup, struct err *err)
{
	struct front front;
	int r = front_harden(setup, err);
	const struct front_limits limits = files_raise();
	if (r == 0)
		r = front_begin(&front, setup, &limits, err);
	if (r == 0)
		r = front_confine(err);
	if (r == 0)
		r = front_loop(&front, err);
	if (r == 0)
		_exit(0);
	return r;
}
