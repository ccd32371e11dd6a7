#include "seal/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

// log10(2): zxcvbn answers in bits.
#define LOG10_OF_2 0.30102999566398119521

// The program that scores (score_program.c), as bytes of this one: zxcvbn comes as a static library that cannot be
// linked into a position-independent program, so it is a program of its own, embedded so that nobody can put another in
// its place.
extern const uint8_t score_program_start[];
extern const uint64_t score_program_bytes;

// In a memory file that may be executed and not read: the kernel then keeps the process undumpable from its first
// instruction (fs/exec.c, would_dump), and its copies of the passphrase closed to others of the same user.
static int score_program_open(int *out_fd, struct err *err)
{
	_cleanup_fd_ int fd = memfd_create("envseal-score", MFD_CLOEXEC | MFD_EXEC);
	// Kernels before 6.3 do not know MFD_EXEC, and give what it asks for.
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("envseal-score", MFD_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a memory file for the program that scores passphrases "
							     "(sysctl vm.memfd_noexec may refuse it)");
	int r = fd_write_all(fd, span_of(score_program_start, score_program_bytes),
			     "the program that scores passphrases", err);
	if (r < 0)
		return r;
	if (fchmod(fd, 0111) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot protect the program that scores passphrases");
	*out_fd = TAKE_FD(fd);
	return 0;
}

// Puts the passphrase into a pipe: short enough never to block.
static int passphrase_pipe(struct span passphrase, int *out_fd, struct err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pipe to score the passphrase");
	_cleanup_fd_ int from = ends[0];
	_cleanup_fd_ int to = ends[1];
	size_t len = passphrase.len < PASSPHRASE_SCORED_BYTES_MAX ? passphrase.len : PASSPHRASE_SCORED_BYTES_MAX;
	int r = fd_write_all(to, span_of(passphrase.data, len), "the passphrase", err);
	if (r == 0)
		*out_fd = TAKE_FD(from);
	return r;
}

// Becomes the program: a process of its own, because zxcvbn copies what it scores to its stack and to a heap that it
// does not wipe. Here those copies end with the process, which lives for milliseconds.
static _Noreturn void estimate_in_child(int program, int passphrase, int answer)
{
	char *const argv[] = {(char[]){"envseal-score"}, NULL};
	char *const environment[] = {NULL};
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	// Where the caller had its standard descriptors closed, ours may have their numbers: out of the way first.
	program = fcntl(program, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	passphrase = fcntl(passphrase, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	answer = fcntl(answer, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (dup2(passphrase, STDIN_FILENO) == STDIN_FILENO && dup2(answer, STDOUT_FILENO) == STDOUT_FILENO)
		execveat(program, "", argv, environment, AT_EMPTY_PATH);
	_exit(1);
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
	_cleanup_fd_ int program = -1, given = -1;
	int r = score_program_open(&program, err);
	if (r == 0)
		r = passphrase_pipe(passphrase, &given, err);
	if (r < 0)
		return r;
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
		estimate_in_child(program, given, to);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (child < 0)
		return err_set_errno(err, ERR_SYSTEM, failure, "cannot start a process to score the passphrase");
	fd_close(&to);
	double bits = NAN;
	_cleanup_buf_ struct buf answer = BUF_INIT(sizeof(bits));
	r = fd_read_all(from, &answer, "the passphrase's score", err);
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
