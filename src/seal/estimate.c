#include "seal/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zxcvbn.h>

// log10(2): zxcvbn answers in bits.
#define LOG10_OF_2 0.30102999566398119521

// Scores the passphrase and writes the bits of entropy to `fd`. Never returns.
//
// A child, because zxcvbn copies parts of what it scores to its stack and to a heap that it does not wipe. Here those
// copies end with the process, which lives for milliseconds and inherits that it cannot be dumped; the parent, which
// lives on, never has them.
static _Noreturn void estimate_in_child(struct span passphrase, int fd)
{
	// Words that anybody who attacks this vault would try first.
	const char *user_words[] = {"envseal", "vault", "passphrase", NULL};
	char text[PASSPHRASE_SCORED_BYTES_MAX + 1];
	size_t len = passphrase.len < PASSPHRASE_SCORED_BYTES_MAX ? passphrase.len : PASSPHRASE_SCORED_BYTES_MAX;
	// zxcvbn ends at a NUL; another control byte weighs the same and hides nothing behind it.
	for (size_t i = 0; i < len; i++)
		text[i] = passphrase.data[i] ? (char)passphrase.data[i] : '\x01';
	text[len] = 0;
	double bits = ZxcvbnMatch(text, user_words, NULL);
	secret_wipe(text, sizeof(text));
	struct err ignored;
	_exit(fd_write_all(fd, span_of(&bits, sizeof(bits)), "the score", &ignored) < 0 ? 1 : 0);
}

// Waits for the child and says whether it ended well.
static bool child_is_done(pid_t child)
{
	int status = -1;
	while (waitpid(child, &status, 0) < 0)
		// Where the caller ignores SIGCHLD, the status is gone (ECHILD) and the bytes in the pipe must do.
		if (errno != EINTR)
			return errno == ECHILD;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int estimate_bits(struct span passphrase, double *out, struct err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pipe to score the passphrase");
	_cleanup_fd_ int from = ends[0];
	_cleanup_fd_ int to = ends[1];
	// All signals wait while there is a child, or it could run the caller's handlers (which restore a terminal, say).
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid_t child = fork();
	int failure = errno;
	if (child == 0)
		estimate_in_child(passphrase, to);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (child < 0)
		return err_set_errno(err, ERR_SYSTEM, failure, "cannot start a process to score the passphrase");
	fd_close(&to);
	double bits = NAN;
	_cleanup_buf_ struct buf answer = BUF_INIT(sizeof(bits));
	int r = fd_read_all(from, &answer, "the passphrase's score", err);
	bool ok = child_is_done(child);
	if (r < 0)
		return r;
	if (answer.len == sizeof(bits))
		memcpy(&bits, answer.data, sizeof(bits));
	if (!ok || !isfinite(bits) || bits < 0)
		return err_set(err, ERR_SYSTEM, "the process that scores the passphrase ended without an answer; run it again");
	*out = bits;
	return 0;
}

int passphrase_estimate(const struct secret *passphrase, struct passphrase_score *out, struct err *err)
{
	static const double bands[] = {3, 6, 8, 10};
	double bits = 0;
	int r = secret_len(passphrase) > 0 ? estimate_bits(secret_span(passphrase), &bits, err) : 0;
	if (r < 0)
		return r;
	struct passphrase_score score = {.score = 0, .guesses_log10 = bits * LOG10_OF_2};
	for (size_t i = 0; i < ARRAY_COUNT(bands); i++)
		if (score.guesses_log10 >= bands[i])
			score.score++;
	*out = score;
	return 0;
}
