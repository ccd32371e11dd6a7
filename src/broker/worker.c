#include "broker/worker_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// From being connected to having said what is wanted.
#define WORK_WAIT_MS 10000
#define END_WAIT_MS 5000

// ------------------------------------------------------------------------------------------------- becoming the client's

// The client's descriptors 0-2, and /dev/null for those it has closed, as exec_inherit does.
static int streams_take(struct message *message, struct exec_inherited *inherited, struct err *err)
{
	size_t next = 1;
	for (int i = 0; i < 3; i++) {
		_cleanup_fd_ int fd = -1;
		if (!inherited->std_closed[i] && next < message->fd_count)
			fd = TAKE_FD(message->fds[next]);
		else if (inherited->std_closed[i])
			fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0 || dup2(fd, i) < 0)
			return err_set(err, ERR_INPUT, "a standard descriptor is missing");
		next += !inherited->std_closed[i];
	}
	return next == message->fd_count ? 0 : err_set(err, ERR_INPUT, "there is a descriptor too many");
}

// One that was opened in another mount namespace, as in a jail, has a name here only where the same folder is.
static int folder_enter_here(int fd, struct err *err)
{
	char link[32], path[PATH_MAX];
	struct stat there, here;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = 0;
	_cleanup_fd_ int same = len > 0 ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (same < 0 || fstat(fd, &there) < 0 || fstat(same, &here) < 0 || there.st_dev != here.st_dev || there.st_ino != here.st_ino)
		return err_set(err, ERR_INPUT, "the working directory is not to be seen from the broker, as the private /tmp of a jail is "
					       "not; go to the folder of the project");
	return fchdir(same) < 0 ? err_set_errno(err, ERR_INPUT, errno, "cannot enter the working directory") : 0;
}

static int folder_enter(struct message *message, struct err *err)
{
	char path[PATH_MAX];
	_cleanup_fd_ int fd = message->fd_count > 0 ? TAKE_FD(message->fds[0]) : -1;
	if (fd < 0 || fchdir(fd) < 0)
		return err_set_errno(err, ERR_INPUT, fd < 0 ? EBADF : errno, "cannot enter the working directory");
	// The C library would look for another name.
	bool is_elsewhere = syscall(SYS_getcwd, path, sizeof(path)) > 0 && path[0] != '/';
	return is_elsewhere ? folder_enter_here(fd, err) : 0;
}

static int work_receive(struct worker *worker, struct message_work *out, struct err *err)
{
	int r = inbox_wait(&worker->client, worker->setup->client_fd, WORKER_NEW, clock_monotonic_ms() + WORK_WAIT_MS, err);
	if (r < 0)
		return r;
	if (r != INBOX_MESSAGE)
		return err_set(err, ERR_INTERRUPTED, "the client has gone");
	struct message *message = &worker->client.message;
	_cleanup_message_work_ struct message_work work = {0};
	r = work_read(message->payload, &work, err);
	if (r == 0)
		r = folder_enter(message, err);
	if (r == 0)
		r = streams_take(message, &work.inherited, err);
	if (r < 0)
		return r;
	*out = work;
	work = (struct message_work){0};
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- working

// From here on the key is not needed: what one program's run may go wrong with has no part in another's.
static void work_permitted(void *context)
{
	struct worker *worker = context;
	word_send(worker->setup->words_fd, &(struct worker_word){.pid = getpid(), .kind = WORD_PERMITTED});
	engine_forget(worker->setup->engine);
}

static void work_granted(void *context, const struct rule_session *session)
{
	struct worker *worker = context;
	word_send(worker->setup->words_fd, &(struct worker_word){.pid = getpid(), .kind = WORD_GRANTED, .session = *session});
}

static void work_do(struct worker *worker, const struct message_work *received, struct broker_end *out)
{
	worker->caller = worker_caller(worker);
	worker->desk_way = worker_desk(worker);
	// Alive behind the reading: what was read is not of another process that has the number by now.
	bool is_confined = process_is_confined("/proc", worker->peer.pid) || !peer_is_alive(&worker->peer);
	worker->serves = (struct engine_client){.pid = worker->peer.pid, .is_confined = is_confined,
						.environment = received->environment,
						.caller = &worker->caller, .limits = &received->limits, .desk = &worker->desk_way,
						.permitted = work_permitted, .granted = work_granted, .context = worker};
	struct broker_work work = {.words = received->words, .environment = received->environment,
				   .inherited = &received->inherited, .deposit = received->deposit};
	memcpy(work.digest, received->digest, sizeof(work.digest));
	engine_serve(worker->setup->engine, &worker->serves);
	worker->setup->work(worker->setup->engine, &work, out);
	fflush(stdout);
	fflush(stderr);
}

static void client_tell_end(struct worker *worker, const struct broker_end *end)
{
	struct err ignored;
	numbers_send(worker->setup->client_fd, MESSAGE_END, (uint32_t)end->status, (uint32_t)end->signal, END_WAIT_MS, &ignored);
}

static void client_refuse(struct worker *worker, const struct err *err)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(2 * ERR_TEXT_BYTES);
	struct message_refused refused = {.code = err->code};
	struct err ignored;
	text_brief(span_text(err->text), refused.sentence, sizeof(refused.sentence));
	if (refused_write(&refused, &payload, &ignored) == 0)
		message_send(worker->setup->client_fd, MESSAGE_REFUSED, buf_span(&payload), NULL, 0, END_WAIT_MS, &ignored);
}

// A session of its own: neither a terminal of the keeper's, where it has one, nor its signals.
static int worker_begin(struct worker *worker, struct err *err)
{
	setsid();
	prctl(PR_SET_NAME, WORKER_NAME, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	inbox_init(&worker->client);
	inbox_init(&worker->desk);
	int r = peer_find(worker->setup->client_fd, &worker->peer, err);
	return r == 0 ? worker_watch(worker, err) : r;
}

_Noreturn void worker_run(const struct worker_setup *setup)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	struct message_work *work = calloc(1, sizeof(*work));
	struct broker_end end = {.status = 125};
	struct err err;
	if (!worker || !work)
		_exit(1);
	worker->setup = setup;
	worker->peer = PEER_NONE;
	worker->watch_fd = -1;
	int r = worker_begin(worker, &err);
	if (r == 0)
		r = work_receive(worker, work, &err);
	if (r < 0) {
		client_refuse(worker, &err);
		_exit(0);
	}
	work_do(worker, work, &end);
	// Where the keeper is gone the program was killed for that: the connection's end says so.
	if (!worker->is_gone)
		client_tell_end(worker, &end);
	engine_settle(setup->engine);
	// Nothing is freed: secret pages that came from the keeper are still the keeper's.
	_exit(waitpid(-1, NULL, WNOHANG) < 0 ? 0 : WORKER_LEFT_SURVIVORS);
}
