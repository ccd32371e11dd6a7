#include "secmem/secmem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int pipe_open(const struct helper *helper, int out_ends[2], struct err *err)
{
	if (pipe2(out_ends, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pipe to %s", helper->what);
	return 0;
}

// Puts the input into a pipe: short enough never to block.
static int input_pipe(const struct helper *helper, struct span input, int *out_fd, struct err *err)
{
	int ends[2];
	if (input.len > HELPER_INPUT_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d bytes for %s", HELPER_INPUT_BYTES_MAX, helper->what);
	int r = pipe_open(helper, ends, err);
	if (r < 0)
		return r;
	_cleanup_fd_ int from = ends[0];
	_cleanup_fd_ int to = ends[1];
	r = fd_write_all(to, input, helper->what, err);
	if (r == 0)
		*out_fd = TAKE_FD(from);
	return r;
}

// Becomes the program.
static _Noreturn void helper_in_child(const struct helper *helper, const char *word, int program, int input, int answer)
{
	union {
		const char *word;
		char *argument; // exec does not write to it
	} name = {helper->name}, option = {word};
	char *const argv[] = {name.argument, option.argument, NULL};
	char *const environment[] = {NULL};
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	// Where the caller had its standard descriptors closed, ours may have their numbers: out of the way first.
	program = fcntl(program, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	input = fcntl(input, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	answer = fcntl(answer, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	// What a loader says of a library that is missing is the caller's to say.
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (nowhere >= 0)
		dup2(nowhere, STDERR_FILENO);
	if (dup2(input, STDIN_FILENO) == STDIN_FILENO && dup2(answer, STDOUT_FILENO) == STDOUT_FILENO)
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

int helper_run(const struct helper *helper, const char *word, struct span input, size_t max_bytes, struct secret **out,
	       struct err *err)
{
	int ends[2] = {-1, -1};
	_cleanup_fd_ int program = -1, given = -1;
	_cleanup_secret_ struct secret *answer = NULL;
	int r = fd_program(helper->name, span_of(helper->start, helper->bytes), helper->what, &program, err);
	if (r == 0)
		r = input_pipe(helper, input, &given, err);
	if (r == 0)
		r = pipe_open(helper, ends, err);
	if (r < 0)
		return r;
	_cleanup_fd_ int from = ends[0];
	_cleanup_fd_ int to = ends[1];
	// All signals wait while there is a child, or it could run the caller's handlers (which restore a terminal, say).
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid_t child = fork();
	int failure = errno;
	if (child == 0)
		helper_in_child(helper, word, program, given, to);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (child < 0)
		return err_set_errno(err, ERR_SYSTEM, failure, "cannot start a process for %s", helper->what);
	fd_close(&to);
	r = secret_read_fd(from, max_bytes, helper->what, &answer, err);
	// A child that still writes must not be waited for by one who no longer reads.
	fd_close(&from);
	bool ok = child_is_done(child);
	if (r < 0)
		return r;
	if (!ok)
		return err_set(err, ERR_SYSTEM, "%s ended without an answer; run it again", helper->what);
	*out = TAKE_PTR(answer);
	return 0;
}
