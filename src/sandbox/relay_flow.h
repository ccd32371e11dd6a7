// One direction of a connection: what was read and not yet written, and the end of it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOW_BYTES 16384 // what waits at most: then the sender does

struct flow {
	uint8_t bytes[FLOW_BYTES];
	size_t start, len;
	bool is_ended; // its input
	bool is_shut;  // and its output told so
};
void flow_init(struct flow *flow);
bool flow_wants_input(const struct flow *flow);
bool flow_has_output(const struct flow *flow);
bool flow_is_done(const struct flow *flow);
// Reads and writes what goes without waiting, from and to non-blocking sockets; hands an end on by shutdown(2). False: one
// of them is broken.
bool flow_pump(struct flow *flow, int from_fd, int to_fd);
