#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/client.h"

// The listener takes connections at once; more than this means that it hangs.
#define CONNECT_WAIT_MS 5000
#define ANSWER_WAIT_MS 5000
#define WORK_SEND_MS 20000
// A lock waits for whoever writes to the vault.
#define LOCK_WAIT_MS 90000

// ----------------------------------------------------------------------------------------------------------- connecting

struct link link_none(void)
{
	struct link link = {.fd = -1, .peer = PEER_NONE};
	// One that is all zero owns descriptor 0.
	inbox_init(&link.inbox);
	return link;
}

void link_done(struct link *link)
{
	fd_close(&link->fd);
	peer_done(&link->peer);
	inbox_done(&link->inbox);
}

int link_open(const struct home *home, enum hello_purpose purpose, struct link *out, struct err *err)
{
	_cleanup_(link_done) struct link link = link_none();
	_cleanup_buf_ struct buf payload = BUF_INIT(64);
	struct message_hello hello = {.version = PROTOCOL_VERSION, .purpose = purpose};
	struct stat folder;
	if (stat(home->data_dir, &folder) == 0) {
		hello.device = folder.st_dev;
		hello.inode = folder.st_ino;
	}
	int r = socket_connect(home, CONNECT_WAIT_MS, &link.fd, err);
	if (r == 0)
		r = peer_find(link.fd, &link.peer, err);
	if (r == 0)
		r = hello_write(&hello, &payload, err);
	if (r == 0)
		r = message_send(link.fd, MESSAGE_HELLO, buf_span(&payload), NULL, 0, CONNECT_WAIT_MS, err);
	if (r < 0)
		return r;
	*out = link;
	link = link_none();
	return 0;
}

int link_refused(const struct message *message, struct err *err)
{
	struct message_refused refused;
	int r = refused_read(message->payload, &refused, err);
	return r < 0 ? r : err_set(err, (enum err_code)refused.code, "%s", refused.sentence);
}

// ------------------------------------------------------------------------------------------------------- status and lock

static int answer_wait(struct link *link, int wait_ms, struct err *err)
{
	int r = inbox_wait(&link->inbox, link->fd, CLIENT_ASKED, clock_monotonic_ms() + wait_ms, err);
	if (r == ERR_SYSTEM && err->sys_errno == ETIMEDOUT)
		return err_set(err, ERR_SYSTEM, "the broker (process %d) does not answer; if that stays so, end it with `kill %d`",
			       (int)link->peer.pid, (int)link->peer.pid);
	return r;
}

int broker_status(const struct home *home, struct broker_status *out, struct err *err)
{
	_cleanup_(link_done) struct link link = link_none();
	int r = link_open(home, HELLO_STATUS, &link, err);
	if (r == ERR_NOT_FOUND) {
		*out = (struct broker_status){.state = BROKER_NONE};
		return 0;
	}
	if (r == 0)
		r = answer_wait(&link, ANSWER_WAIT_MS, err);
	if (r < 0)
		return r;
	const struct message *message = &link.inbox.message;
	if (r == INBOX_END) {
		*out = (struct broker_status){.state = BROKER_NONE};
		return 0;
	}
	if (message->kind == MESSAGE_STATUS)
		return status_read(message->payload, out, err);
	if (message->kind != MESSAGE_REFUSED)
		return err_set(err, ERR_SYSTEM, "the broker gave an answer that is none; `envseal lock` ends it");
	r = link_refused(message, err);
	if (r != ERR_NOT_FOUND)
		return r;
	*out = (struct broker_status){.state = BROKER_OTHER_VAULT};
	return 0;
}

int broker_lock(const struct home *home, struct err *err)
{
	_cleanup_(link_done) struct link link = link_none();
	int r = link_open(home, HELLO_LOCK, &link, err);
	if (r == 0)
		r = answer_wait(&link, LOCK_WAIT_MS, err);
	if (r < 0)
		return r;
	return r == INBOX_MESSAGE && link.inbox.message.kind == MESSAGE_REFUSED ? link_refused(&link.inbox.message, err) : 0;
}

// ------------------------------------------------------------------------------------------------------------ forwarding

static void limits_read(struct exec_limits *out)
{
	mode_t mask = umask(077);
	umask(mask);
	*out = (struct exec_limits){.umask = mask};
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit((__rlimit_resource_t)i, &out->rows[i]) < 0)
			out->rows[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
}

static int work_send(struct link *link, const struct broker_work *work, struct err *err)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(WORK_BYTES_MAX);
	struct exec_limits limits;
	// By its path as a folder, whatever can be done with it: one that may be entered and not read is a working
	// directory too.
	_cleanup_fd_ int folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot open the working directory; go to one that exists");
	int fds[MESSAGE_FDS_MAX] = {folder};
	size_t count = 1;
	for (int i = 0; i < 3; i++)
		if (!work->inherited->std_closed[i])
			fds[count++] = i;
	limits_read(&limits);
	int r = work_write(work, &limits, &payload, err);
	return r == 0 ? message_send(link->fd, MESSAGE_WORK, buf_span(&payload), fds, count, WORK_SEND_MS, err) : r;
}

static void answer_send(struct link *link, enum message_kind kind, uint32_t first, uint32_t second)
{
	// Where nobody hears it, the connection's end shows it.
	struct err ignored;
	numbers_send(link->fd, kind, first, second, ANSWER_WAIT_MS, &ignored);
}

// The program has these now: what it lets go of must not stay open here.
static void streams_leave(void)
{
	_cleanup_fd_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0)
		dup2(null_fd, STDOUT_FILENO);
}

// What is done for one worker.
struct forward {
	struct link *link;
	const struct broker_work *work;
	struct exec_proxy *proxy; // NULL: no program runs yet
};

static int begin_serve(struct forward *forward, bool has_terminal, struct err *err)
{
	if (forward->proxy)
		return err_set(err, ERR_SYSTEM, "the broker began twice");
	int r = exec_proxy_open(forward->work->inherited, has_terminal, &forward->proxy, err);
	if (r < 0)
		return r;
	streams_leave();
	return message_send(forward->link->fd, MESSAGE_BEGUN, span_of("", 0), NULL, 0, ANSWER_WAIT_MS, err);
}

static bool is_signal(uint32_t number)
{
	return number > 0 && number < NSIG;
}

static int broker_ended(const struct forward *forward, struct err *err)
{
	return err_set(err, ERR_SYSTEM, forward->proxy ? "the broker or its worker was ended, and the program with it"
						       : "the broker or its worker was ended before the program was started");
}

// 1: it was the end.
static int message_serve(struct forward *forward, const struct message *message, struct broker_end *out, struct err *err)
{
	uint32_t first = 0, second = 0;
	int r = message->kind == MESSAGE_REFUSED ? link_refused(message, err) : numbers_read(message->payload, &first, &second, err);
	// Once it has begun there is no other way to do it.
	if (r == ERR_NOT_FOUND && forward->proxy)
		return broker_ended(forward, err);
	if (r < 0)
		return r;
	if (message->kind == MESSAGE_BEGIN)
		return begin_serve(forward, first != 0, err);
	if (message->kind == MESSAGE_END) {
		*out = (struct broker_end){.status = (int)(first & 0xff), .signal = is_signal(second) ? (int)second : 0};
		return 1;
	}
	if (!forward->proxy || !is_signal(first))
		return 0;
	if (message->kind == MESSAGE_TELL_GROUP)
		exec_proxy_tell_group((int)first);
	if (message->kind == MESSAGE_STOP)
		answer_send(forward->link, MESSAGE_CONTINUED, exec_proxy_stop(forward->proxy, (int)first, second != 0), 0);
	return 0;
}

static int forward_step(struct forward *forward, struct broker_end *out, struct err *err)
{
	struct exec_event event;
	struct pollfd fds[] = {{.fd = forward->link->fd, .events = POLLIN},
			       {.fd = forward->proxy ? exec_proxy_fd(forward->proxy) : -1, .events = POLLIN}};
	if (poll(fds, ARRAY_COUNT(fds), -1) < 0)
		return 0;
	while (fds[1].revents && exec_proxy_next(forward->proxy, &event))
		answer_send(forward->link, MESSAGE_SIGNAL, (uint32_t)event.number, event.is_own);
	if (!fds[0].revents)
		return 0;
	int r = inbox_read(&forward->link->inbox, forward->link->fd, CLIENT_WORKING, err);
	if (r == INBOX_MORE)
		return 0;
	if (r != INBOX_MESSAGE)
		return broker_ended(forward, err);
	return message_serve(forward, &forward->link->inbox.message, out, err);
}

int broker_forward(const struct home *home, const struct broker_work *work, struct broker_end *out, struct err *err)
{
	_cleanup_(link_done) struct link link = link_none();
	struct forward forward = {.link = &link, .work = work};
	int r = link_open(home, HELLO_WORK, &link, err);
	if (r < 0)
		return r;
	// An early refusal ends the sending; what was said is read all the same.
	struct err unsent;
	if (work_send(&link, work, &unsent) < 0 && unsent.code != ERR_SYSTEM) {
		*err = unsent;
		return unsent.code;
	}
	do
		r = forward_step(&forward, out, err);
	while (r == 0);
	exec_proxy_close_ptr(&forward.proxy);
	return r < 0 ? r : 0;
}
