#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"

// O_NONBLOCK belongs to the open file, which the caller's other processes share: a shell would find its terminal
// changed. An open of its own through /proc can be non-blocking without touching theirs.
static int port_reopen(int number, int access)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", number);
	return open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void port_open(struct port *port, int number, int access)
{
	*port = (struct port){.kind = PORT_PLAIN, .fd = number, .owned_fd = -1, .is_terminal = isatty(number) == 1};
	struct stat status;
	if (fstat(number, &status) < 0)
		return;
	if (S_ISSOCK(status.st_mode))
		port->kind = PORT_SOCKET;
	port->is_pipe = S_ISFIFO(status.st_mode);
	if (!port->is_pipe && !port->is_terminal)
		return;
	port->owned_fd = port_reopen(number, access);
	port->kind = port->owned_fd < 0 ? PORT_POLLED : PORT_PLAIN;
	if (port->owned_fd >= 0)
		port->fd = port->owned_fd;
}

void port_done(struct port *port)
{
	fd_close(&port->owned_fd);
	port->fd = -1;
}

static bool port_is_ready(const struct port *port, short events)
{
	struct pollfd ready = {.fd = port->fd, .events = events};
	return poll(&ready, 1, 0) > 0;
}

ssize_t port_read(const struct port *port, void *into, size_t len)
{
	ssize_t n = -1;
	if (port->kind == PORT_POLLED && !port_is_ready(port, POLLIN))
		return -EAGAIN;
	if (port->kind == PORT_SOCKET)
		n = recv(port->fd, into, len, MSG_DONTWAIT);
	else
		n = read(port->fd, into, len);
	return n < 0 ? -errno : n;
}

static ssize_t port_write_once(const struct port *port, struct span bytes)
{
	ssize_t n = -1;
	if (port->kind == PORT_POLLED && !port_is_ready(port, POLLOUT))
		return -EAGAIN;
	if (port->kind == PORT_SOCKET)
		n = send(port->fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (port->kind == PORT_POLLED)
		// A ready pipe takes PIPE_BUF bytes without waiting, but perhaps not more (pipe(7)).
		n = write(port->fd, bytes.data, bytes.len < PIPE_BUF ? bytes.len : PIPE_BUF);
	else
		n = write(port->fd, bytes.data, bytes.len);
	return n < 0 ? -errno : n;
}

// Some file systems (9p, FUSE) take the bytes of a large write out of the writer's pages, which the kernel refuses for
// memfd_secret: EFAULT. What may be shown is no secret, so a copy in ordinary memory may be written instead.
ssize_t port_write(const struct port *port, struct span bytes)
{
	uint8_t copy[4096];
	ssize_t n = port_write_once(port, bytes);
	if (n != -EFAULT)
		return n;
	size_t len = bytes.len < sizeof(copy) ? bytes.len : sizeof(copy);
	memcpy(copy, bytes.data, len);
	return port_write_once(port, span_of(copy, len));
}
