#include "sandbox/relay_flow.h"

#include <errno.h>
#include <sys/socket.h>

void flow_init(struct flow *flow)
{
	flow->start = flow->len = 0;
	flow->is_ended = flow->is_shut = false;
}

bool flow_wants_input(const struct flow *flow)
{
	return !flow->is_ended && flow->len == 0;
}

bool flow_has_output(const struct flow *flow)
{
	return flow->len > 0;
}

bool flow_is_done(const struct flow *flow)
{
	return flow->is_shut;
}

static bool is_patience(int error)
{
	return error == EAGAIN || error == EINTR;
}

bool flow_pump(struct flow *flow, int from_fd, int to_fd)
{
	if (flow_wants_input(flow)) {
		ssize_t n = recv(from_fd, flow->bytes, sizeof(flow->bytes), 0);
		if (n < 0 && !is_patience(errno))
			return false;
		flow->is_ended = n == 0;
		flow->start = 0;
		flow->len = n > 0 ? (size_t)n : 0;
	}
	if (flow->len > 0) {
		ssize_t n = send(to_fd, flow->bytes + flow->start, flow->len, MSG_NOSIGNAL);
		if (n < 0 && !is_patience(errno))
			return false;
		flow->start += n > 0 ? (size_t)n : 0;
		flow->len -= n > 0 ? (size_t)n : 0;
	}
	if (flow->is_ended && flow->len == 0 && !flow->is_shut) {
		flow->is_shut = true;
		return shutdown(to_fd, SHUT_WR) == 0 || errno == ENOTCONN;
	}
	return true;
}
