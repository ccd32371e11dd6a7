#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/keeper.h"

static_assert(sizeof(struct worker_word) <= PIPE_BUF, "a word is written whole");

int words_open(struct keeper *keeper, struct err *err)
{
	if (pipe2(keeper->words, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pipe");
	// This end alone: a worker may wait until there is room.
	if (fcntl(keeper->words[0], F_SETFL, O_NONBLOCK) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot set up a pipe");
	return 0;
}

void word_send(int fd, const struct worker_word *word)
{
	ssize_t n;
	do
		n = write(fd, word, sizeof(*word));
	while (n < 0 && errno == EINTR);
}

static void session_watch(struct keeper *keeper, const struct rule_session *session)
{
	for (size_t i = 0; i < keeper->session_count; i++)
		if (keeper->sessions[i].session.pid == session->pid && keeper->sessions[i].session.start == session->start)
			return;
	// Beyond what is watched they end as in the direct mode: when they are looked at.
	if (keeper->session_count == KEEPER_SESSIONS_MAX)
		return;
	struct process leader;
	_cleanup_fd_ int pidfd = (int)syscall(SYS_pidfd_open, session->pid, 0U);
	if (pidfd < 0 || !process_read("/proc", (pid_t)session->pid, &leader) || leader.start != session->start)
		return;
	keeper->sessions[keeper->session_count++] = (struct keeper_session){.session = *session, .pidfd = TAKE_FD(pidfd)};
}

// One that does not fit into the list counts as ended at once: it has been active until now.
static void run_begin(struct keeper *keeper, pid_t worker)
{
	struct err ignored;
	keeper->hold.active_ms = clock_boottime_ms();
	if (!pid_list_has(&keeper->permitted, worker))
		pid_list_add(&keeper->permitted, worker, &ignored);
}

void words_take(struct keeper *keeper)
{
	struct worker_word word;
	while (read(keeper->words[0], &word, sizeof(word)) == (ssize_t)sizeof(word)) {
		if (!pid_list_has(&keeper->workers, word.pid))
			continue;
		if (word.kind == WORD_PERMITTED)
			run_begin(keeper, word.pid);
		if (word.kind == WORD_GRANTED)
			session_watch(keeper, &word.session);
	}
}
