// engine/stream_port: one end of a filtered stream. Never blocks, so that the stream hears signals while it waits; and
// leaves the flags of the open file alone, which other processes share.
#pragma once

#include "engine/engine_internal.h"

struct stream_port {
	struct port port;
	const char *what;
	struct gather gather; // of an end that is written to; the stream's
};
#define STREAM_PORT_INIT ((struct stream_port){.port = PORT_INIT})

// `access` is O_RDONLY or O_WRONLY. Pipes are enlarged to 1 MiB where that is allowed.
void stream_port_open(struct stream_port *port, int number, int access, const char *what);
void stream_port_done(struct stream_port *port);
// As port_read, into secret memory.
ssize_t stream_port_read(const struct stream_port *port, void *into, size_t len);
