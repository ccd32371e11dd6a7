// How messages of the broker are read from a socket, and sent: no byte and no descriptor more than belongs to them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/protocol.h"

struct line {
	int ends[2];
	struct inbox inbox;
	struct err err;
};

static void line_open(struct line *line)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line->ends), 0);
	inbox_init(&line->inbox);
}
static void line_done(struct line *line)
{
	inbox_done(&line->inbox);
	fd_close(&line->ends[0]);
	fd_close(&line->ends[1]);
}
#define _cleanup_line_ _cleanup_(line_done)

static int line_read(struct line *line, enum reader_state reader)
{
	return inbox_read(&line->inbox, line->ends[1], reader, &line->err);
}

static void line_write(struct line *line, const void *bytes, size_t len)
{
	assert_int_equal(send(line->ends[0], bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

// Sends raw bytes with `count` copies of standard input.
static void line_write_fds(struct line *line, const void *bytes, size_t len, size_t count)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * 16)];
	} control = {0};
	struct iovec part = {(void *)(uintptr_t)bytes, len};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
				 .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
	control.align = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * count)};
	assert_int_equal(sendmsg(line->ends[0], &message, MSG_NOSIGNAL), (ssize_t)len);
}

static int fds_open(void)
{
	int count = 0;
	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static const uint8_t sync_bytes[] = {0, 0, 0, 0, MESSAGE_SYNC}, gone_bytes[] = {8, 0, 0, 0, MESSAGE_GONE, 1, 0, 0, 0, 2, 0, 0, 0},
		     worker_bytes[] = {0, 0, 0, 0, MESSAGE_WORKER}, work_bytes[] = {2, 0, 0, 0, MESSAGE_WORK, 'a', 'b'};

static void pieces_make_messages(void **state)
{
	(void)state;
	_cleanup_line_ struct line line;
	line_open(&line);
	assert_int_equal(line_read(&line, CLIENT_WATCHING), INBOX_MORE);
	for (size_t i = 0; i < sizeof(gone_bytes); i++) {
		line_write(&line, gone_bytes + i, 1);
		assert_int_equal(line_read(&line, CLIENT_WATCHING), i + 1 < sizeof(gone_bytes) ? INBOX_MORE : INBOX_MESSAGE);
	}
	uint32_t first, second;
	assert_int_equal(line.inbox.message.kind, MESSAGE_GONE);
	assert_int_equal(numbers_read(line.inbox.message.payload, &first, &second, &line.err), 0);
	assert_true(first == 1 && second == 2);
	assert_int_equal(line_read(&line, CLIENT_WATCHING), INBOX_MORE);
}

// What follows may be for another process: it is still in the socket.
static void no_more_is_read_than_a_message(void **state)
{
	(void)state;
	_cleanup_line_ struct line line;
	line_open(&line);
	line_write(&line, sync_bytes, sizeof(sync_bytes));
	line_write(&line, gone_bytes, sizeof(gone_bytes));
	line_write(&line, work_bytes, sizeof(work_bytes));
	assert_int_equal(line_read(&line, CLIENT_WATCHING), INBOX_MESSAGE);
	assert_int_equal(line.inbox.message.kind, MESSAGE_SYNC);
	assert_int_equal(line.inbox.message.payload.len, 0);
	assert_int_equal(line_read(&line, CLIENT_WATCHING), INBOX_MESSAGE);
	assert_int_equal(line.inbox.message.kind, MESSAGE_GONE);
	uint8_t rest[64];
	assert_int_equal(recv(line.ends[1], rest, sizeof(rest), MSG_DONTWAIT), sizeof(work_bytes));
	assert_memory_equal(rest, work_bytes, sizeof(work_bytes));
}

static void the_end_is_between_messages(void **state)
{
	(void)state;
	for (size_t len = 0; len <= sizeof(gone_bytes); len++) {
		_cleanup_line_ struct line line;
		line_open(&line);
		if (len > 0)
			line_write(&line, gone_bytes, len);
		fd_close(&line.ends[0]);
		bool is_whole = len == sizeof(gone_bytes);
		if (is_whole)
			assert_int_equal(line_read(&line, CLIENT_WATCHING), INBOX_MESSAGE);
		assert_int_equal(line_read(&line, CLIENT_WATCHING), len == 0 || is_whole ? INBOX_END : ERR_INPUT);
	}
}

// It closed without reading what it was sent: ECONNRESET.
static void a_reset_is_an_end(void **state)
{
	(void)state;
	_cleanup_line_ struct line line;
	line_open(&line);
	assert_int_equal(send(line.ends[1], "x", 1, MSG_NOSIGNAL), 1);
	fd_close(&line.ends[0]);
	assert_int_equal(line_read(&line, CLIENT_WATCHING), INBOX_END);
}

static void a_header_is_judged_alone(void **state)
{
	(void)state;
	static const uint8_t wrong[][FRAME_HEADER_BYTES] = {
		{0, 0, 0, 0, 0},           {0, 0, 0, 0, 255},          {1, 0, 0, 0, MESSAGE_SYNC}, {0, 0, 0, 0x40, MESSAGE_QUESTION},
		{255, 255, 255, 255, MESSAGE_QUESTION}, {0, 0, 0, 0, MESSAGE_LOCK}, {7, 0, 0, 0, MESSAGE_GONE}};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		_cleanup_line_ struct line line;
		line_open(&line);
		line_write(&line, wrong[i], sizeof(wrong[i]));
		assert_int_equal(line_read(&line, CLIENT_WATCHING), ERR_INPUT);
		assert_null(line.inbox.payload.data);
	}
}

// 8 MiB are announced; what arrived is what is kept.
static void a_promise_costs_nothing(void **state)
{
	(void)state;
	_cleanup_line_ struct line line;
	line_open(&line);
	const uint8_t header[] = {0, 0, 0x80, 0, MESSAGE_WORK};
	line_write(&line, header, sizeof(header));
	assert_int_equal(line_read(&line, WORKER_NEW), INBOX_MORE);
	assert_int_equal(line.inbox.payload.cap, 0);
	line_write(&line, "abc", 3);
	assert_int_equal(line_read(&line, WORKER_NEW), INBOX_MORE);
	assert_int_equal(line.inbox.payload.len, 3);
	assert_true(line.inbox.payload.cap <= 64);
}

static void descriptors_come_with_the_header(void **state)
{
	(void)state;
	int before = fds_open();
	{
		_cleanup_line_ struct line line;
		line_open(&line);
		line_write_fds(&line, work_bytes, 1, 4);
		assert_int_equal(line_read(&line, WORKER_NEW), INBOX_MORE);
		line_write(&line, work_bytes + 1, sizeof(work_bytes) - 1);
		assert_int_equal(line_read(&line, WORKER_NEW), INBOX_MESSAGE);
		assert_int_equal(line.inbox.message.fd_count, 4);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(fcntl(line.inbox.message.fds[i], F_GETFD), FD_CLOEXEC);
		_cleanup_fd_ int taken = TAKE_FD(line.inbox.message.fds[1]);
		int left = line.inbox.message.fds[2];
		assert_int_equal(line_read(&line, WORKER_NEW), INBOX_MORE);
		assert_int_equal(line.inbox.message.fd_count, 0);
		assert_int_equal(fcntl(left, F_GETFD), -1);
		assert_int_equal(fcntl(taken, F_GETFD), FD_CLOEXEC);
	}
	assert_int_equal(fds_open(), before);
}

static void other_descriptors_are_refused(void **state)
{
	(void)state;
	static const struct {
		const uint8_t *bytes;
		size_t len;
		size_t plain; // so many bytes of it come before, without descriptors
		size_t fds;
		enum reader_state state;
		int result;
	} cases[] = {
		{worker_bytes, sizeof(worker_bytes), 0, 2, KEEPER_FRONT, INBOX_MESSAGE},
		{worker_bytes, sizeof(worker_bytes), 0, 3, KEEPER_FRONT, ERR_INPUT},
		{sync_bytes, sizeof(sync_bytes), 0, 1, CLIENT_WATCHING, ERR_INPUT},
		{work_bytes, sizeof(work_bytes), 0, 4, WORKER_NEW, INBOX_MESSAGE},
		{work_bytes, sizeof(work_bytes), 0, 5, WORKER_NEW, ERR_INPUT},
		{work_bytes, sizeof(work_bytes), 0, 16, WORKER_NEW, ERR_INPUT},
		{work_bytes, sizeof(work_bytes), 4, 4, WORKER_NEW, INBOX_MESSAGE},
		{work_bytes, sizeof(work_bytes), 5, 1, WORKER_NEW, ERR_INPUT},
		{work_bytes, sizeof(work_bytes), 6, 4, WORKER_NEW, ERR_INPUT},
	};
	int before = fds_open();
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		_cleanup_line_ struct line line;
		line_open(&line);
		if (cases[i].plain > 0) {
			line_write(&line, cases[i].bytes, cases[i].plain);
			assert_int_equal(line_read(&line, cases[i].state), INBOX_MORE);
		}
		line_write_fds(&line, cases[i].bytes + cases[i].plain, cases[i].len - cases[i].plain, cases[i].fds);
		assert_int_equal(line_read(&line, cases[i].state), cases[i].result);
	}
	assert_int_equal(fds_open(), before);
}

static void sent_messages_arrive(void **state)
{
	(void)state;
	_cleanup_line_ struct line line;
	line_open(&line);
	const int fds[] = {line.ends[0], line.ends[1]};
	const struct span none = {0};
	assert_int_equal(message_send(line.ends[0], MESSAGE_WORKER, none, fds, 2, 0, &line.err), 0);
	assert_int_equal(message_send(line.ends[0], MESSAGE_LOCK, none, NULL, 0, 0, &line.err), 0);
	assert_int_equal(line_read(&line, KEEPER_FRONT), INBOX_MESSAGE);
	assert_int_equal(line.inbox.message.fd_count, 2);
	struct stat sent, got;
	assert_int_equal(fstat(fds[1], &sent), 0);
	assert_int_equal(fstat(line.inbox.message.fds[1], &got), 0);
	assert_true(sent.st_ino == got.st_ino);
	assert_int_equal(line_read(&line, KEEPER_FRONT), INBOX_MESSAGE);
	assert_int_equal(line.inbox.message.kind, MESSAGE_LOCK);
}

static void what_no_kind_has_is_not_sent(void **state)
{
	(void)state;
	_cleanup_line_ struct line line;
	line_open(&line);
	const int fds[] = {0, 0, 0};
	_cleanup_buf_ struct buf packed = BUF_INIT(64);
	const struct span one = span_text("x");
	assert_int_equal(message_send(line.ends[0], MESSAGE_WORKER, (struct span){0}, fds, 3, 0, &line.err), ERR_LIMIT);
	assert_int_equal(message_send(line.ends[0], MESSAGE_LOCK, one, NULL, 0, 0, &line.err), ERR_LIMIT);
	assert_int_equal(message_send(line.ends[0], MESSAGE_GONE, one, NULL, 0, 0, &line.err), ERR_LIMIT);
	assert_int_equal(message_pack(0, one, &packed, &line.err), ERR_LIMIT);
	assert_int_equal(message_pack(MESSAGE_LOCK, one, &packed, &line.err), ERR_LIMIT);
	assert_int_equal(packed.len, 0);
	assert_int_equal(line_read(&line, KEEPER_FRONT), INBOX_MORE);
}

// Nobody reads: it gives up. Nobody is there: no SIGPIPE.
static void a_reader_that_takes_nothing(void **state)
{
	(void)state;
	_cleanup_line_ struct line line;
	line_open(&line);
	_cleanup_free_ uint8_t *bytes = calloc(1, WORK_BYTES_MAX);
	assert_non_null(bytes);
	assert_int_equal(message_send(line.ends[0], MESSAGE_WORK, span_of(bytes, WORK_BYTES_MAX), NULL, 0, 1, &line.err), ERR_SYSTEM);
	assert_int_equal(line.err.sys_errno, ETIMEDOUT);
	fd_close(&line.ends[1]);
	signal(SIGPIPE, SIG_DFL);
	assert_int_equal(message_send(line.ends[0], MESSAGE_LOCK, (struct span){0}, NULL, 0, 0, &line.err), ERR_SYSTEM);
	assert_int_equal(line.err.sys_errno, EPIPE);
}

// Far more than the socket holds: both sides wait for each other.
static void the_longest_message_goes_through(void **state)
{
	(void)state;
	_cleanup_line_ struct line line;
	line_open(&line);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct err err;
		uint8_t *bytes = malloc(WORK_BYTES_MAX);
		for (size_t i = 0; bytes && i < WORK_BYTES_MAX; i++)
			bytes[i] = (uint8_t)(i * 31 >> 3);
		int fds[] = {0, 1, 2, 2};
		bool is_sent = bytes && message_send(line.ends[0], MESSAGE_WORK, span_of(bytes, WORK_BYTES_MAX), fds, 4, 60000, &err) == 0;
		free(bytes);
		_exit(!is_sent);
	}
	fd_close(&line.ends[0]);
	assert_int_equal(inbox_wait(&line.inbox, line.ends[1], WORKER_NEW, -1, &line.err), INBOX_MESSAGE);
	assert_int_equal(line.inbox.message.payload.len, WORK_BYTES_MAX);
	size_t wrong = 0;
	for (size_t i = 0; i < WORK_BYTES_MAX; i++)
		wrong += line.inbox.message.payload.data[i] != (uint8_t)(i * 31 >> 3);
	assert_int_equal(wrong, 0);
	assert_int_equal(line.inbox.message.fd_count, 4);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(inbox_wait(&line.inbox, line.ends[1], WORKER_NEW, -1, &line.err), INBOX_END);
	assert_null(line.inbox.payload.data);
}

static void waiting_ends(void **state)
{
	(void)state;
	_cleanup_line_ struct line line;
	line_open(&line);
	assert_int_equal(inbox_wait(&line.inbox, line.ends[1], CLIENT_ASKED, clock_monotonic_ms(), &line.err), ERR_SYSTEM);
	assert_int_equal(line.err.sys_errno, ETIMEDOUT);
	assert_int_equal(inbox_wait(&line.inbox, -1, CLIENT_ASKED, -1, &line.err), ERR_SYSTEM);
	assert_int_equal(line.err.sys_errno, EBADF);
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_make_messages),
		cmocka_unit_test(no_more_is_read_than_a_message),
		cmocka_unit_test(the_end_is_between_messages),
		cmocka_unit_test(a_reset_is_an_end),
		cmocka_unit_test(a_header_is_judged_alone),
		cmocka_unit_test(a_promise_costs_nothing),
		cmocka_unit_test(descriptors_come_with_the_header),
		cmocka_unit_test(other_descriptors_are_refused),
		cmocka_unit_test(sent_messages_arrive),
		cmocka_unit_test(what_no_kind_has_is_not_sent),
		cmocka_unit_test(a_reader_that_takes_nothing),
		cmocka_unit_test(the_longest_message_goes_through),
		cmocka_unit_test(waiting_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
