// engine/stream_port: one end of a filtered stream. Never blocks, so that the stream hears signals while it waits; and
// leaves the flags of the open file alone, which other processes share.
#pragma once

#include "engine/engine_internal.h"

enum port_kind {
	PORT_PLAIN,  // files and devices, which do not make anybody wait; and what was opened again to be non-blocking
	PORT_SOCKET, // MSG_DONTWAIT does the same for sockets
	PORT_POLLED  // a pipe or terminal that could not be opened again
};

struct port {
	enum port_kind kind;
	int fd;
	int owned_fd; // fd, when it was opened again; else -1
	const char *what;
	struct buf gathered; // small pieces on their way out
};
#define PORT_INIT ((struct port){.fd = -1, .owned_fd = -1})

// Small pieces are gathered until there are this many bytes; pieces half as large are written as they are.
#define PORT_GATHER_BYTES 65536u

// `access` is O_RDONLY or O_WRONLY. Pipes are enlarged to 1 MiB where that is allowed.
void port_open(struct port *port, int number, int access, const char *what);
void port_done(struct port *port);
// As read(2) and write(2), but EAGAIN where they would wait. What is written must be fit to be shown.
ssize_t port_read(const struct port *port, void *into, size_t len);
ssize_t port_write(const struct port *port, struct span bytes);
