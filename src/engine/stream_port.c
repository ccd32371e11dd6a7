#include "engine/stream_port.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20)

void port_open(struct port *port, int number, int access, const char *what)
{
	*port = (struct port){.kind = PORT_PLAIN, .fd = number, .owned_fd = -1, .what = what,
			      .gathered = BUF_INIT(2 * PORT_GATHER_BYTES)};
	struct stat status;
	if (fstat(number, &status) < 0)
		return;
	if (S_ISSOCK(status.st_mode))
		port->kind = PORT_SOCKET;
	if (S_ISFIFO(status.st_mode))
		// Refused above pipe-max-size or the user's pipe budget: then it stays as it is.
		fcntl(number, F_SETPIPE_SZ, PIPE_BYTES);
	if (!S_ISFIFO(status.st_mode) && !isatty(number))
		return;
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", number);
	port->owned_fd = open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	port->kind = port->owned_fd < 0 ? PORT_POLLED : PORT_PLAIN;
	if (port->owned_fd >= 0)
		port->fd = port->owned_fd;
}

void port_done(struct port *port)
{
	fd_close(&port->owned_fd);
	buf_done(&port->gathered);
	port->fd = -1;
}

static bool port_is_ready(const struct port *port, short events)
{
	struct pollfd ready = {.fd = port->fd, .events = events};
	if (poll(&ready, 1, 0) > 0)
		return true;
	errno = EAGAIN;
	return false;
}

static ssize_t port_read_once(const struct port *port, void *into, size_t len)
{
	if (port->kind == PORT_SOCKET)
		return recv(port->fd, into, len, MSG_DONTWAIT);
	if (port->kind == PORT_POLLED && !port_is_ready(port, POLLIN))
		return -1;
	return read(port->fd, into, len);
}

static ssize_t port_write_once(const struct port *port, struct span bytes)
{
	if (port->kind == PORT_SOCKET)
		return send(port->fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (port->kind != PORT_POLLED)
		return write(port->fd, bytes.data, bytes.len);
	// A ready pipe takes PIPE_BUF bytes without waiting, but perhaps not more (pipe(7)).
	if (!port_is_ready(port, POLLOUT))
		return -1;
	return write(port->fd, bytes.data, bytes.len < PIPE_BUF ? bytes.len : PIPE_BUF);
}

// Some file systems (9p, FUSE) copy straight to and from the caller's pages, which the kernel refuses for memfd_secret:
// EFAULT. Then a small copy in ordinary memory goes between, wiped where it may hold a value.
ssize_t port_read(const struct port *port, void *into, size_t len)
{
	uint8_t copy[4096];
	ssize_t n = port_read_once(port, into, len);
	if (n >= 0 || errno != EFAULT)
		return n;
	n = port_read_once(port, copy, len < sizeof(copy) ? len : sizeof(copy));
	if (n > 0)
		memcpy(into, copy, (size_t)n);
	secret_wipe(copy, sizeof(copy));
	return n;
}

ssize_t port_write(const struct port *port, struct span bytes)
{
	uint8_t copy[4096];
	ssize_t n = port_write_once(port, bytes);
	if (n >= 0 || errno != EFAULT)
		return n;
	size_t len = bytes.len < sizeof(copy) ? bytes.len : sizeof(copy);
	memcpy(copy, bytes.data, len);
	return port_write_once(port, span_of(copy, len));
}
