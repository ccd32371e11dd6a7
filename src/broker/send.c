#include "broker/protocol.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

struct sending {
	struct iovec parts[2]; // header and payload, what is left of them
	const int *fds;
	size_t fd_count; // 0 once they are sent
};

// The number of bytes that went, or -1 with errno.
static ssize_t send_once(int fd, const struct sending *sending)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
	} control = {0};
	struct iovec parts[2] = {sending->parts[0], sending->parts[1]};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	size_t fds_bytes = sending->fd_count * sizeof(int);
	if (fds_bytes > 0) {
		control.align = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(fds_bytes)};
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(fds_bytes);
		memcpy(CMSG_DATA(&control.align), sending->fds, fds_bytes);
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void sending_advance(struct sending *sending, size_t sent)
{
	// They went with the first byte.
	sending->fd_count = 0;
	for (size_t i = 0; i < ARRAY_COUNT(sending->parts); i++) {
		struct iovec *part = &sending->parts[i];
		size_t step = sent < part->iov_len ? sent : part->iov_len;
		part->iov_base = (uint8_t *)part->iov_base + step;
		part->iov_len -= step;
		sent -= step;
	}
}

static int room_wait(int fd, int64_t deadline_ms, const char *name, struct err *err)
{
	int64_t left = deadline_ms < 0 ? -1 : deadline_ms - clock_monotonic_ms();
	if (deadline_ms >= 0 && left <= 0)
		return err_set_errno(err, ERR_SYSTEM, ETIMEDOUT, "cannot send the message \"%s\"", name);
	struct pollfd room = {fd, POLLOUT, 0};
	if (poll(&room, 1, (int)left) < 0 && errno != EINTR)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot send the message \"%s\"", name);
	return 0;
}

int message_send(int fd, enum message_kind kind, struct span payload, const int *fds, size_t fd_count, int wait_ms, struct err *err)
{
	const char *name = message_kind_name(kind);
	if (fd_count > message_fds_max(kind))
		return err_set(err, ERR_LIMIT, "the message \"%s\" cannot bring %zu descriptors", name, fd_count);
	uint8_t header[FRAME_HEADER_BYTES];
	int r = message_header(kind, payload.len, header, err);
	if (r < 0)
		return r;
	// iovec is for reading as well as for writing, and so not const.
	void *body = NULL;
	memcpy(&body, &payload.data, sizeof(body));
	struct sending sending = {.parts = {{header, sizeof(header)}, {body, payload.len}}, .fds = fds, .fd_count = fd_count};
	int64_t deadline = wait_ms < 0 ? -1 : clock_monotonic_ms() + wait_ms;
	while (sending.parts[0].iov_len > 0 || sending.parts[1].iov_len > 0) {
		ssize_t n = send_once(fd, &sending);
		if (n >= 0) {
			sending_advance(&sending, (size_t)n);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot send the message \"%s\"", name);
		r = room_wait(fd, deadline, name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int numbers_send(int fd, enum message_kind kind, uint32_t first, uint32_t second, int wait_ms, struct err *err)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(64);
	int r = numbers_write(first, second, &payload, err);
	return r == 0 ? message_send(fd, kind, buf_span(&payload), NULL, 0, wait_ms, err) : r;
}
