#include "engine/stream_port.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PIPE_BYTES (1 << 20)

void stream_port_open(struct stream_port *port, int number, int access, const char *what)
{
	*port = (struct stream_port){.what = what};
	port_open(&port->port, number, access);
	if (port->port.is_pipe)
		// Refused above pipe-max-size or the user's pipe budget: then it stays as it is.
		fcntl(number, F_SETPIPE_SZ, PIPE_BYTES);
}

void stream_port_done(struct stream_port *port)
{
	port_done(&port->port);
	gather_done(&port->gather);
}

// As with port_write, some file systems cannot copy to pages of memfd_secret. Here what goes between may be a value.
ssize_t stream_port_read(const struct stream_port *port, void *into, size_t len)
{
	uint8_t copy[4096];
	ssize_t n = port_read(&port->port, into, len);
	if (n != -EFAULT)
		return n;
	n = port_read(&port->port, copy, len < sizeof(copy) ? len : sizeof(copy));
	if (n > 0)
		memcpy(into, copy, (size_t)n);
	secret_wipe(copy, sizeof(copy));
	return n;
}
