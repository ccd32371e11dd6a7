// The relay: accepts what a program in a network namespace connects to, resolves the host's name out here, connects, and
// copies both ways. It knows nothing but its arguments, the endpoints, and is started with no descriptors but 0, on which
// process 1 hands it the listening sockets, and 1, a pidfd of whoever started it. Before that it ends with that socket, afterwards
// with that process, which lives through that one's exec too. By the pidfd: a process in a jail may not signal what is outside,
// so there is no parent-death signal from it.
//
// No NSS: names are resolved by c-ares, from /etc/hosts and DNS. One loop, no threads.
#include <ares.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/endpoint.h"
#include "sandbox/relay_filter.h"
#include "sandbox/relay_flow.h"
#include "sandbox/relay_wire.h"

#define CONNECTIONS_MAX 256
#define ADDRESSES_MAX 8
#define ENDPOINTS_MAX 32
#define CONNECT_MS 5000  // for each address
#define RESOLVE_MS 10000 // for all servers and tries together
#define QUERY_MS 2000
#define ACCEPT_PAUSE_MS 50

enum stage { STAGE_FREE, STAGE_RESOLVE, STAGE_CONNECT, STAGE_OPEN };

struct connection {
	enum stage stage;
	uint32_t round; // how often this place was used: an answer for an earlier one is not for this
	int inner, outer; // the program's and the host's
	const struct endpoint *endpoint;
	int64_t deadline_ms;
	struct sockaddr_storage addresses[ADDRESSES_MAX];
	size_t address_count, address_next;
	struct flow to_outer, to_inner;
};

struct relay {
	struct endpoint endpoints[ENDPOINTS_MAX];
	size_t endpoint_count;
	bool has_starter; // a pidfd, not /dev/null
	struct relay_listeners listeners;
	int listener_fds[RELAY_LISTENERS_MAX];
	struct connection connections[CONNECTIONS_MAX];
	size_t connection_count, resolving_count;
	ares_channel channel; // NULL while nothing is resolved
};

// What an answer is for. Each has its own: the place may be another connection's, to another host, when it comes.
struct question {
	struct relay *relay;
	size_t index;
	uint32_t round;
};

static int64_t now_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void fd_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void connection_end(struct relay *relay, struct connection *connection)
{
	if (connection->stage == STAGE_RESOLVE)
		relay->resolving_count--;
	fd_end(&connection->inner);
	fd_end(&connection->outer);
	connection->stage = STAGE_FREE;
	connection->round++;
	relay->connection_count--;
}

// As where a host refuses or breaks off: both sides see ECONNRESET, and no end of input that was none.
static void connection_reset(struct relay *relay, struct connection *connection)
{
	const struct linger none = {.l_onoff = 1, .l_linger = 0};
	setsockopt(connection->inner, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	if (connection->outer >= 0)
		setsockopt(connection->outer, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	connection_end(relay, connection);
}

static void socket_tune(int fd)
{
	const int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static socklen_t address_len(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static void connection_opened(struct connection *connection)
{
	socket_tune(connection->inner);
	socket_tune(connection->outer);
	connection->stage = STAGE_OPEN;
}

// The next address that a connection can at least be begun to.
static void connect_next(struct relay *relay, struct connection *connection)
{
	fd_end(&connection->outer);
	while (connection->address_next < connection->address_count) {
		const struct sockaddr_storage *address = &connection->addresses[connection->address_next++];
		connection->outer = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connection->stage = STAGE_CONNECT;
		connection->deadline_ms = now_ms() + CONNECT_MS;
		if (connection->outer < 0)
			continue;
		if (connect(connection->outer, (const struct sockaddr *)address, address_len(address)) == 0)
			connection_opened(connection);
		else if (errno != EINPROGRESS)
			fd_end(&connection->outer);
		if (connection->outer >= 0)
			return;
	}
	connection_reset(relay, connection);
}

static void address_add(struct connection *connection, const struct sockaddr *address)
{
	bool is_v6 = address->sa_family == AF_INET6;
	if (connection->address_count == ADDRESSES_MAX || (!is_v6 && address->sa_family != AF_INET))
		return;
	struct sockaddr_storage *to = &connection->addresses[connection->address_count++];
	memset(to, 0, sizeof(*to));
	memcpy(to, address, is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	if (is_v6)
		((struct sockaddr_in6 *)to)->sin6_port = htons(connection->endpoint->port);
	else
		((struct sockaddr_in *)to)->sin_port = htons(connection->endpoint->port);
}

static void name_resolved(void *context, int status, int timeouts, struct ares_addrinfo *answer)
{
	struct question *question = context;
	struct relay *relay = question->relay;
	struct connection *connection = &relay->connections[question->index];
	(void)timeouts;
	// Given up in the meantime, or its place is another's.
	if (connection->stage == STAGE_RESOLVE && connection->round == question->round) {
		const struct ares_addrinfo_node *node = status == ARES_SUCCESS ? answer->nodes : NULL;
		for (; node; node = node->ai_next)
			address_add(connection, node->ai_addr);
		relay->resolving_count--;
		connection->stage = STAGE_CONNECT;
		connect_next(relay, connection);
	}
	ares_freeaddrinfo(answer);
	free(question);
}

// A new channel for each run of questions: so it reads resolv.conf as it is by then, after a change of networks too.
static bool channel_open(struct relay *relay)
{
	struct ares_options options = {.timeout = QUERY_MS, .tries = 2};
	if (relay->channel && relay->resolving_count == 0) {
		ares_destroy(relay->channel);
		relay->channel = NULL;
	}
	return relay->channel ||
	       ares_init_options(&relay->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) == ARES_SUCCESS;
}

static void name_resolve(struct relay *relay, struct connection *connection)
{
	const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct question *question = malloc(sizeof(*question));
	if (!question || !channel_open(relay)) {
		free(question);
		connection_reset(relay, connection);
		return;
	}
	connection->stage = STAGE_RESOLVE;
	connection->deadline_ms = now_ms() + RESOLVE_MS;
	relay->resolving_count++;
	*question = (struct question){relay, (size_t)(connection - relay->connections), connection->round};
	// Calls back once, whatever comes; at once where /etc/hosts has the name.
	ares_getaddrinfo(relay->channel, connection->endpoint->host, NULL, &hints, name_resolved, question);
}

static void connection_start(struct relay *relay, struct connection *connection)
{
	const struct endpoint *endpoint = connection->endpoint;
	if (endpoint->family == AF_UNSPEC) {
		name_resolve(relay, connection);
		return;
	}
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = endpoint->address.v4};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = endpoint->address.v6};
	if (endpoint->family == AF_INET)
		address_add(connection, (const struct sockaddr *)&v4);
	else
		address_add(connection, (const struct sockaddr *)&v6);
	connect_next(relay, connection);
}

static void listener_accept(struct relay *relay, size_t listener)
{
	struct connection *connection = relay->connections;
	while (connection < relay->connections + CONNECTIONS_MAX && connection->stage != STAGE_FREE)
		connection++;
	if (connection == relay->connections + CONNECTIONS_MAX)
		return;
	int fd = accept4(relay->listener_fds[listener], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		// Out of descriptors or memory: it would be told again at once, and for as long as that lasts.
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			poll(NULL, 0, ACCEPT_PAUSE_MS);
		return;
	}
	connection->inner = fd;
	connection->outer = -1;
	connection->endpoint = &relay->endpoints[relay->listeners.endpoints[listener]];
	connection->address_count = connection->address_next = 0;
	flow_init(&connection->to_outer);
	flow_init(&connection->to_inner);
	relay->connection_count++;
	connection_start(relay, connection);
}

// ---------------------------------------------------------------------------------------------------------------- the loop

// What is waited for; what lies where in it follows from the relay, which does not change while it is gone through.
struct waiting {
	struct pollfd rows[1 + RELAY_LISTENERS_MAX + ARES_GETSOCK_MAXNUM + 2 * CONNECTIONS_MAX];
	size_t count;
	size_t listeners_first, ares_first, connections_first;
};

static void wait_for(struct waiting *waiting, int fd, int events)
{
	// poll(2) tells a hang-up unasked, and would again at once.
	waiting->rows[waiting->count++] = (struct pollfd){.fd = events ? fd : -1, .events = (short)events};
}

// Of a socket, from which one direction comes and into which the other goes.
static int flow_events(const struct flow *from, const struct flow *into)
{
	return (flow_wants_input(from) ? POLLIN : 0) | (flow_has_output(into) ? POLLOUT : 0);
}

static void connection_wait(struct waiting *waiting, const struct connection *connection)
{
	int inner = 0, outer = 0;
	if (connection->stage == STAGE_CONNECT)
		outer = POLLOUT;
	if (connection->stage == STAGE_OPEN) {
		inner = flow_events(&connection->to_outer, &connection->to_inner);
		outer = flow_events(&connection->to_inner, &connection->to_outer);
	}
	wait_for(waiting, connection->inner, inner);
	wait_for(waiting, connection->outer, outer);
}

static void waiting_fill(struct relay *relay, struct waiting *waiting)
{
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	waiting->count = 0;
	wait_for(waiting, STDOUT_FILENO, relay->has_starter ? POLLIN : 0);
	waiting->listeners_first = waiting->count;
	for (size_t i = 0; i < relay->listeners.count; i++)
		wait_for(waiting, relay->listener_fds[i], relay->connection_count < CONNECTIONS_MAX ? POLLIN : 0);
	waiting->ares_first = waiting->count;
	int bits = relay->channel ? ares_getsock(relay->channel, sockets, ARES_GETSOCK_MAXNUM) : 0;
	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		int events = (ARES_GETSOCK_READABLE(bits, i) ? POLLIN : 0) | (ARES_GETSOCK_WRITABLE(bits, i) ? POLLOUT : 0);
		if (events)
			wait_for(waiting, sockets[i], events);
	}
	waiting->connections_first = waiting->count;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (relay->connections[i].stage != STAGE_FREE)
			connection_wait(waiting, &relay->connections[i]);
}

// Until the first deadline; -1 for ever.
static int wait_ms(const struct relay *relay)
{
	int64_t now = now_ms(), least = -1;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *connection = &relay->connections[i];
		if (connection->stage != STAGE_RESOLVE && connection->stage != STAGE_CONNECT)
			continue;
		int64_t left = connection->deadline_ms > now ? connection->deadline_ms - now : 0;
		least = least < 0 || left < least ? left : least;
	}
	struct timeval most, room;
	if (relay->channel && relay->resolving_count > 0) {
		most = (struct timeval){.tv_sec = least / 1000, .tv_usec = least % 1000 * 1000};
		const struct timeval *first = ares_timeout(relay->channel, &most, &room);
		least = (int64_t)first->tv_sec * 1000 + (first->tv_usec + 999) / 1000;
	}
	return (int)least;
}

static void connecting_check(struct relay *relay, struct connection *connection, short outer)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (outer == 0 && now_ms() < connection->deadline_ms)
		return;
	if (outer == 0 || getsockopt(connection->outer, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)
		connect_next(relay, connection);
	else
		connection_opened(connection);
}

static void open_check(struct relay *relay, struct connection *connection)
{
	if (!flow_pump(&connection->to_outer, connection->inner, connection->outer) ||
	    !flow_pump(&connection->to_inner, connection->outer, connection->inner)) {
		connection_reset(relay, connection);
		return;
	}
	if (flow_is_done(&connection->to_outer) && flow_is_done(&connection->to_inner))
		connection_end(relay, connection);
}

static void connections_check(struct relay *relay, const struct waiting *waiting)
{
	const struct pollfd *row = &waiting->rows[waiting->connections_first];
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &relay->connections[i];
		if (connection->stage == STAGE_FREE)
			continue;
		short inner = row[0].revents, outer = row[1].revents;
		row += 2;
		if (connection->stage == STAGE_RESOLVE && now_ms() >= connection->deadline_ms)
			connection_reset(relay, connection);
		else if (connection->stage == STAGE_CONNECT)
			connecting_check(relay, connection, outer);
		else if (connection->stage == STAGE_OPEN && (inner || outer))
			open_check(relay, connection);
	}
}

static void ares_check(struct relay *relay, const struct waiting *waiting)
{
	if (!relay->channel)
		return;
	for (size_t i = waiting->ares_first; i < waiting->connections_first; i++) {
		const struct pollfd *row = &waiting->rows[i];
		bool reads = row->revents & (POLLIN | POLLERR | POLLHUP), writes = row->revents & POLLOUT;
		if (reads || writes)
			ares_process_fd(relay->channel, reads ? row->fd : ARES_SOCKET_BAD, writes ? row->fd : ARES_SOCKET_BAD);
	}
	// Its own deadlines.
	ares_process_fd(relay->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void relay_loop(struct relay *relay)
{
	static struct waiting waiting;
	for (;;) {
		waiting_fill(relay, &waiting);
		if (poll(waiting.rows, waiting.count, wait_ms(relay)) < 0 && errno != EINTR)
			return;
		if (waiting.rows[0].revents)
			return;
		// In this order: the first does not take up places, nor the second make rows of the first's mean others.
		connections_check(relay, &waiting);
		ares_check(relay, &waiting);
		for (size_t i = 0; i < relay->listeners.count; i++)
			if (waiting.rows[waiting.listeners_first + i].revents)
				listener_accept(relay, i);
	}
}

// --------------------------------------------------------------------------------------------------------------- the start

static bool listeners_receive(struct relay *relay)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * RELAY_LISTENERS_MAX)];
	} control;
	struct iovec part = {.iov_base = &relay->listeners, .iov_len = sizeof(relay->listeners)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(STDIN_FILENO, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *rights = n == sizeof(relay->listeners) ? CMSG_FIRSTHDR(&message) : NULL;
	uint32_t count = relay->listeners.count;
	if (!rights || rights->cmsg_type != SCM_RIGHTS || count > RELAY_LISTENERS_MAX ||
	    rights->cmsg_len != CMSG_LEN(sizeof(int) * count))
		return false;
	memcpy(relay->listener_fds, CMSG_DATA(rights), sizeof(int) * count);
	for (uint32_t i = 0; i < count; i++)
		if (relay->listeners.endpoints[i] >= relay->endpoint_count)
			return false;
	return true;
}

// What is in it is no secret; but it stands outside, and what it hears comes from anywhere.
static bool rights_drop(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return false;
	files.rlim_cur = files.rlim_max;
	signal(SIGPIPE, SIG_IGN);
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       setrlimit(RLIMIT_NOFILE, &files) == 0 && setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0}) == 0 &&
	       setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0 && chdir("/") == 0;
}

int main(int argc, char *argv[])
{
	static struct relay relay;
	if (argc - 1 > ENDPOINTS_MAX || !rights_drop() || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return 1;
	for (int i = 1; i < argc; i++)
		if (endpoint_parse(argv[i], &relay.endpoints[relay.endpoint_count++]))
			return 1;
	struct stat st;
	relay.has_starter = fstat(STDOUT_FILENO, &st) == 0 && !S_ISCHR(st.st_mode);
	// In this order: whoever sees it serve sees it closed.
	if (!relay_filter_enter() || !listeners_receive(&relay))
		return 1;
	relay_loop(&relay);
	return 1;
}
