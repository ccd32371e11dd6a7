#include <assuan.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "approve/ask.h"
#include "approve/pinentry.h"

// For what needs no human; and how much later than pinentry's own clock we give up.
#define SETTLE_MS 10000
#define GRACE_MS 2000
#define NULL_FD_MIN 3

struct pinentry {
	pid_t pid;
	int pidfd; // -1 where the kernel has none
	assuan_context_t context;
	int64_t deadline_ms; // for what is read and written
};

// ------------------------------------------------------------------------------- what libassuan would do in its own way

// Its line buffers lie in its context, and what is typed lies in them: locked, not dumped, wiped.
struct locked {
	size_t bytes; // of the mapping
	_Alignas(max_align_t) uint8_t data[];
};

static void *locked_malloc(size_t len)
{
	size_t bytes = sizeof(struct locked) + len;
	struct locked *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED)
		return NULL;
	if (mlock(block, bytes) < 0 || madvise(block, bytes, MADV_DONTDUMP) < 0) {
		munmap(block, bytes);
		errno = ENOMEM;
		return NULL;
	}
	block->bytes = bytes;
	return block->data;
}

static struct locked *locked_of(void *data)
{
	return (struct locked *)((uint8_t *)data - offsetof(struct locked, data));
}

static void locked_free(void *data)
{
	if (!data)
		return;
	struct locked *block = locked_of(data);
	size_t bytes = block->bytes;
	secret_wipe(block, bytes);
	munmap(block, bytes);
}

static void *locked_realloc(void *data, size_t len)
{
	void *copy = locked_malloc(len);
	if (!copy || !data)
		return copy;
	size_t old = locked_of(data)->bytes - sizeof(struct locked);
	memcpy(copy, data, old < len ? old : len);
	locked_free(data);
	return copy;
}

static bool is_ready(assuan_context_t context, int fd, short events)
{
	const struct pinentry *pinentry = assuan_get_pointer(context);
	for (;;) {
		int64_t left = pinentry->deadline_ms - clock_monotonic_ms();
		struct pollfd pollfd = {fd, events, 0};
		int n = left > 0 ? poll(&pollfd, 1, (int)left) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ETIMEDOUT;
		return n > 0;
	}
}

static ssize_t bounded_read(assuan_context_t context, assuan_fd_t fd, void *into, size_t len)
{
	return is_ready(context, fd, POLLIN) ? recv(fd, into, len, MSG_DONTWAIT) : -1;
}

static ssize_t bounded_write(assuan_context_t context, assuan_fd_t fd, const void *bytes, size_t len)
{
	return is_ready(context, fd, POLLOUT) ? send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;
}

static int socket_close(assuan_context_t context, assuan_fd_t fd)
{
	(void)context;
	return close(fd);
}

static void no_sleep(assuan_context_t context, unsigned microseconds)
{
	(void)context;
	(void)microseconds;
}

static int no_log(assuan_context_t context, void *hook, unsigned category, const char *message)
{
	(void)context;
	(void)hook;
	(void)category;
	(void)message;
	return 0;
}

// ----------------------------------------------------------------------------------------------------------- the child

// Without a terminal it can only ask on the display, where the human is; and it ends when we do.
static void child_run(int socket_fd, pid_t parent, const struct program *program, const struct program_argv *argv,
		      char *const environment[])
{
	sigset_t none;
	sigemptyset(&none);
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (getppid() != parent || null_fd < 0 || dup2(socket_fd, 0) < 0 || dup2(socket_fd, 1) < 0 || dup2(null_fd, 2) < 0)
		_exit(127);
	fd_mark_range(NULL_FD_MIN, INT_MAX);
	sigprocmask(SIG_SETMASK, &none, NULL);
	const struct program_image image = program_image_make(program, false);
	program_exec(program, &image, argv, environment);
	_exit(127);
}

static int child_start(struct pinentry *pinentry, const struct program *program, char *const environment[], int *out_fd,
		       struct err *err)
{
	_cleanup_(program_argv_done) struct program_argv argv = {.script_fd = -1};
	char name[] = "pinentry";
	int ends[2];
	int r = program_argv_build(program, (char *[]){name, NULL}, &argv, err);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a socket for pinentry");
	_cleanup_fd_ int ours = ends[0], theirs = ends[1];
	pid_t parent = getpid(), pid = fork();
	if (pid < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot start pinentry");
	if (pid == 0)
		child_run(theirs, parent, program, &argv, environment);
	pinentry->pid = pid;
	pinentry->pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
	*out_fd = TAKE_FD(ours);
	return 0;
}

static void child_reap(struct pinentry *pinentry)
{
	struct pollfd ended = {pinentry->pidfd, POLLIN, 0};
	if (pinentry->pidfd < 0 || poll(&ended, 1, GRACE_MS) <= 0)
		kill(pinentry->pid, SIGKILL);
	fd_close(&pinentry->pidfd);
	process_reap(pinentry->pid);
}

// ----------------------------------------------------------------------------------------------------- the conversation

static int talk_failed(const struct pinentry *pinentry, gpg_error_t error, struct err *err)
{
	if (clock_monotonic_ms() >= pinentry->deadline_ms)
		return err_set(err, ERR_SYSTEM, "pinentry does not answer; repeat the command in a terminal");
	return err_set(err, ERR_SYSTEM, "pinentry failed: %s; repeat the command in a terminal", gpg_strerror(error));
}

static int context_open(struct pinentry *pinentry, int *fd, struct err *err)
{
	struct assuan_malloc_hooks memory = {locked_malloc, locked_realloc, locked_free};
	struct assuan_system_hooks hooks = {.version = ASSUAN_SYSTEM_HOOKS_VERSION, .usleep = no_sleep,
					    .close = socket_close, .read = bounded_read, .write = bounded_write};
	gpg_error_t error = assuan_new_ext(&pinentry->context, GPG_ERR_SOURCE_DEFAULT, &memory, no_log, NULL);
	if (error)
		return err_set(err, ERR_MEMORY, "no memory that can be locked for pinentry; `ulimit -l` says how much there is");
	assuan_set_pointer(pinentry->context, pinentry);
	assuan_ctx_set_system_hooks(pinentry->context, &hooks);
	assuan_begin_confidential(pinentry->context);
	error = assuan_socket_connect_fd(pinentry->context, *fd, 0);
	if (error)
		return talk_failed(pinentry, error, err);
	*fd = -1; // the context's from here on
	return 0;
}

int pinentry_start(const struct program *program, char *const environment[], struct pinentry **out, struct err *err)
{
	struct pinentry *pinentry = calloc(1, sizeof(*pinentry));
	if (!pinentry)
		return err_set(err, ERR_MEMORY, "out of memory");
	pinentry->deadline_ms = clock_monotonic_ms() + SETTLE_MS;
	pinentry->pidfd = -1;
	_cleanup_fd_ int fd = -1;
	int r = child_start(pinentry, program, environment, &fd, err);
	if (r == 0)
		r = context_open(pinentry, &fd, err);
	if (r < 0) {
		fd_close(&fd);
		pinentry_end(pinentry);
		return r;
	}
	*out = pinentry;
	return 0;
}

struct pinentry *pinentry_end(struct pinentry *pinentry)
{
	if (!pinentry)
		return NULL;
	if (pinentry->context)
		assuan_release(pinentry->context);
	if (pinentry->pid > 0)
		child_reap(pinentry);
	free(pinentry);
	return NULL;
}

void pinentry_end_ptr(struct pinentry **pinentry)
{
	*pinentry = pinentry_end(*pinentry);
}

int pinentry_tell(struct pinentry *pinentry, const char *line, struct err *err)
{
	pinentry->deadline_ms = clock_monotonic_ms() + SETTLE_MS;
	gpg_error_t error = assuan_transact(pinentry->context, line, NULL, NULL, NULL, NULL, NULL, NULL);
	return error ? talk_failed(pinentry, error, err) : 0;
}

struct pin {
	struct secret *line;
	size_t len;
};

static gpg_error_t pin_take(void *context, const void *bytes, size_t len)
{
	struct pin *pin = context;
	if (len > secret_len(pin->line) - pin->len)
		return gpg_error(GPG_ERR_TOO_LARGE);
	memcpy(secret_data(pin->line) + pin->len, bytes, len);
	pin->len += len;
	return 0;
}

static int pin_failed(const struct pinentry *pinentry, gpg_error_t error, size_t max_bytes, int seconds, struct err *err)
{
	gpg_err_code_t code = gpg_err_code(error);
	if (code == GPG_ERR_CANCELED || code == GPG_ERR_FULLY_CANCELED || code == GPG_ERR_NOT_CONFIRMED)
		return denied_at_prompt(err);
	if (code == GPG_ERR_TOO_LARGE)
		return err_set(err, ERR_LIMIT, "more than %zu bytes were typed", max_bytes);
	if (code == GPG_ERR_TIMEOUT || clock_monotonic_ms() >= pinentry->deadline_ms)
		return err_set(err, ERR_DENIED, "nobody answered within %d seconds; nothing was done", seconds);
	return talk_failed(pinentry, error, err);
}

int pinentry_get(struct pinentry *pinentry, size_t max_bytes, int seconds, struct secret **out, struct err *err)
{
	_cleanup_secret_ struct secret *line = NULL;
	int r = secret_new(max_bytes, SECRET_LOCK_REQUIRED, &line, err);
	if (r < 0)
		return r;
	struct pin pin = {.line = line};
	pinentry->deadline_ms = clock_monotonic_ms() + (int64_t)seconds * 1000 + GRACE_MS;
	gpg_error_t error = assuan_transact(pinentry->context, "GETPIN", pin_take, &pin, NULL, NULL, NULL, NULL);
	if (error)
		return pin_failed(pinentry, error, max_bytes, seconds, err);
	if (pin.len == 0)
		return denied_at_prompt(err);
	secret_shorten(line, pin.len);
	*out = TAKE_PTR(line);
	return 0;
}
