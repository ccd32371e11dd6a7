#include "broker/protocol.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// What is read at a time; the stack may be small.
#define BLOCK_BYTES 16384

static void message_init(struct message *message)
{
	*message = (struct message){0};
	for (size_t i = 0; i < MESSAGE_FDS_MAX; i++)
		message->fds[i] = -1;
}

void inbox_init(struct inbox *inbox)
{
	*inbox = (struct inbox){.payload = BUF_INIT(WORK_BYTES_MAX)};
	message_init(&inbox->message);
}

void inbox_done(struct inbox *inbox)
{
	for (size_t i = 0; i < MESSAGE_FDS_MAX; i++)
		fd_close(&inbox->message.fds[i]);
	buf_done(&inbox->payload);
	inbox_init(inbox);
}

// ----------------------------------------------------------------------------------------------------------- pure part

size_t inbox_wants(struct inbox *inbox)
{
	if (inbox->is_whole)
		inbox_done(inbox);
	if (inbox->header_len < FRAME_HEADER_BYTES)
		return FRAME_HEADER_BYTES - inbox->header_len;
	return inbox->length - inbox->payload.len;
}

static int header_judge(struct inbox *inbox, enum reader_state state, struct err *err)
{
	struct reader r = reader_of(span_of(inbox->header, FRAME_HEADER_BYTES));
	uint32_t length = reader_u32(&r);
	uint8_t kind = reader_u8(&r);
	int result = message_check(state, length, kind, err);
	if (result < 0)
		return result;
	inbox->length = length;
	inbox->message.kind = (enum message_kind)kind;
	if (inbox->message.fd_count > message_fds_max(inbox->message.kind))
		return err_set(err, ERR_INPUT, "the message \"%s\" brings too many descriptors",
			       message_kind_name(inbox->message.kind));
	return 0;
}

int inbox_feed(struct inbox *inbox, struct span bytes, enum reader_state state, struct err *err)
{
	if (bytes.len > inbox_wants(inbox))
		return err_set(err, ERR_INPUT, "%zu bytes are more than one message", bytes.len);
	int r = 0;
	if (inbox->header_len < FRAME_HEADER_BYTES) {
		memcpy(inbox->header + inbox->header_len, bytes.data, bytes.len);
		inbox->header_len += bytes.len;
		if (inbox->header_len < FRAME_HEADER_BYTES)
			return INBOX_MORE;
		r = header_judge(inbox, state, err);
	} else {
		r = buf_append(&inbox->payload, bytes, err);
	}
	if (r < 0)
		return r;
	if (inbox->payload.len < inbox->length)
		return INBOX_MORE;
	inbox->message.payload = buf_span(&inbox->payload);
	inbox->is_whole = true;
	return INBOX_MESSAGE;
}

// --------------------------------------------------------------------------------------------------------- from a socket

// Takes what came. The kernel gives no more than there was room for, and says so.
static void fds_take(struct msghdr *header, struct message *message)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(control) + i * sizeof(fd), sizeof(fd));
			if (message->fd_count < MESSAGE_FDS_MAX)
				message->fds[message->fd_count++] = fd;
			else
				fd_close(&fd);
		}
	}
}

static int inbox_end(const struct inbox *inbox, struct err *err)
{
	if (inbox->header_len == 0)
		return INBOX_END;
	return err_set(err, ERR_INPUT, "the other side has closed within a message");
}

// One read of at most what is wanted: its result, or INBOX_MORE where there is nothing.
static int inbox_receive(struct inbox *inbox, int fd, enum reader_state state, bool *out_is_dry, struct err *err)
{
	uint8_t block[BLOCK_BYTES];
	size_t wants = inbox_wants(inbox);
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
	} control;
	struct iovec into = {block, wants < sizeof(block) ? wants : sizeof(block)};
	struct msghdr header = {.msg_iov = &into, .msg_iovlen = 1};
	// Behind the header there is no room for descriptors: the kernel drops them, and says so.
	if (inbox->header_len < FRAME_HEADER_BYTES) {
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
	}
	ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && errno == EINTR)
		return INBOX_MORE;
	*out_is_dry = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
	if (*out_is_dry)
		return INBOX_MORE;
	// It closed without reading what it was sent.
	if (n < 0 && errno == ECONNRESET)
		return inbox_end(inbox, err);
	if (n < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot read a message");
	fds_take(&header, &inbox->message);
	if (header.msg_flags & MSG_CTRUNC)
		return err_set(err, ERR_INPUT, "a message brings descriptors that do not belong to it");
	if (n == 0)
		return inbox_end(inbox, err);
	return inbox_feed(inbox, span_of(block, (size_t)n), state, err);
}

int inbox_read(struct inbox *inbox, int fd, enum reader_state state, struct err *err)
{
	bool is_dry = false;
	int r = INBOX_MORE;
	while (r == INBOX_MORE && !is_dry)
		r = inbox_receive(inbox, fd, state, &is_dry, err);
	return r;
}

int inbox_wait(struct inbox *inbox, int fd, enum reader_state state, int64_t deadline_ms, struct err *err)
{
	for (;;) {
		int r = inbox_read(inbox, fd, state, err);
		if (r != INBOX_MORE)
			return r;
		int64_t left = deadline_ms < 0 ? -1 : deadline_ms - clock_monotonic_ms();
		if (deadline_ms >= 0 && left <= 0)
			return err_set_errno(err, ERR_SYSTEM, ETIMEDOUT, "no answer came in time");
		struct pollfd ready = {fd, POLLIN, 0};
		if (poll(&ready, 1, left > INT32_MAX ? INT32_MAX : (int)left) < 0 && errno != EINTR)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot wait for a message");
	}
}
