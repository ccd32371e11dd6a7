// The program's own network: a loopback, and on it an address for each host that it may reach, at which the relay listens.
#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "sandbox/endpoint.h"
#include "sandbox/mount_calls.h"
#include "sandbox/outside.h"
#include "sandbox/relay_wire.h"

extern const uint8_t trees_program_start[], relay_program_start[];
extern const uint64_t trees_program_bytes, relay_program_bytes;

#define HOSTS_PATH "/etc/hosts"
#define NAME_ADDRESS_FIRST 0x7f4d0001u // 127.77.0.1

struct relay {
	struct outside process;
	struct outside hosts; // makes the private /etc/hosts; none where no host has a name
};

int sandbox_endpoint_check(const char *text, struct err *err)
{
	struct endpoint endpoint;
	const char *wrong = endpoint_parse(text, &endpoint);
	if (!wrong)
		return 0;
	return err_set(err, ERR_USAGE, "%s: %s; write HOST:PORT, as example.org:443 or [2001:db8::1]:443", text, wrong);
}

struct endpoints {
	struct endpoint items[SANDBOX_ENDPOINTS_MAX];
	size_t count;
};

static int endpoints_read(const struct sandbox_plan *plan, struct endpoints *out)
{
	if (plan->endpoints.count > SANDBOX_ENDPOINTS_MAX)
		return E2BIG;
	for (size_t i = 0; i < plan->endpoints.count; i++)
		if (endpoint_parse(plan->endpoints.items[i], &out->items[i]))
			return EINVAL;
	out->count = plan->endpoints.count;
	return 0;
}

// The first endpoint with the same host gives it its address.
static size_t host_index(const struct endpoints *endpoints, size_t i)
{
	size_t first = 0;
	while (!endpoint_is_same_host(&endpoints->items[first], &endpoints->items[i]))
		first++;
	return first;
}

static bool is_repeated(const struct endpoints *endpoints, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (endpoints->items[k].port == endpoints->items[i].port && host_index(endpoints, k) == host_index(endpoints, i))
			return true;
	return false;
}

static struct in_addr name_address(size_t host)
{
	return (struct in_addr){.s_addr = htonl(NAME_ADDRESS_FIRST + (uint32_t)host)};
}

// ------------------------------------------------------------------------------------------------------- before the fork

static int hosts_lines(const struct endpoints *endpoints, struct buf *out, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < endpoints->count; i++) {
		const struct endpoint *endpoint = &endpoints->items[i];
		if (endpoint->family != AF_UNSPEC || endpoint_is_localhost(endpoint) || host_index(endpoints, i) != i)
			continue;
		r = buf_printf(out, err, "127.77.0.%zu %s\n", i + 1, endpoint->host);
	}
	return r;
}

static int hosts_start(const struct endpoints *endpoints, struct outside *out, struct err *err)
{
	const struct outside_program program = {"envseal-hosts", trees_program_start, trees_program_bytes};
	_cleanup_buf_ struct buf lines = BUF_INIT(SANDBOX_ENDPOINTS_MAX * (ENDPOINT_HOST_BYTES + 32));
	char name[] = "envseal-hosts", what[] = "hosts";
	int r = hosts_lines(endpoints, &lines, err);
	if (r < 0 || lines.len == 0)
		return r;
	char *const argv[] = {name, what, (char *)lines.data, NULL};
	return outside_start(&program, argv, out, err);
}

static int relay_start(const struct sandbox_plan *plan, struct outside *out, struct err *err)
{
	const struct outside_program program = {"envseal-relay", relay_program_start, relay_program_bytes};
	char name[] = "envseal-relay";
	char *argv[SANDBOX_ENDPOINTS_MAX + 2] = {name};
	for (size_t i = 0; i < plan->endpoints.count; i++)
		argv[i + 1] = plan->endpoints.items[i];
	return outside_start(&program, argv, out, err);
}

int network_relay_start(const struct sandbox_plan *plan, struct relay **out, struct err *err)
{
	_cleanup_free_ struct endpoints *endpoints = calloc(1, sizeof(*endpoints));
	struct relay *relay = calloc(1, sizeof(*relay));
	if (!endpoints || !relay) {
		free(relay);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	*relay = (struct relay){.process = OUTSIDE_INIT, .hosts = OUTSIDE_INIT};
	int r = endpoints_read(plan, endpoints) == 0
			? relay_start(plan, &relay->process, err)
			: err_set(err, ERR_LIMIT, "more than %d endpoints; name fewer", SANDBOX_ENDPOINTS_MAX);
	if (r == 0)
		r = hosts_start(endpoints, &relay->hosts, err);
	if (r < 0) {
		network_relay_stop(relay);
		return r;
	}
	*out = relay;
	return 0;
}

void network_relay_stop(struct relay *relay)
{
	if (!relay)
		return;
	outside_end(&relay->hosts);
	outside_end(&relay->process);
	free(relay);
}

// ---------------------------------------------------------------------------------------------------------- in process 1

static int loopback_up(void)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo"};
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return errno;
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? errno : 0;
}

struct address_request {
	struct nlmsghdr header;
	struct ifaddrmsg address;
	uint8_t attributes[2 * RTA_SPACE(sizeof(struct in6_addr))];
};

static void attribute_add(struct address_request *request, unsigned short type, const void *data, size_t len)
{
	struct rtattr attribute = {.rta_len = (unsigned short)RTA_LENGTH(len), .rta_type = type};
	uint8_t *at = (uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len);
	memcpy(at, &attribute, sizeof(attribute));
	memcpy(at + RTA_LENGTH(0), data, len);
	request->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(request->header.nlmsg_len) + RTA_SPACE(len));
}

// A host's own address, and that alone, becomes one of the loopback's (rtnetlink(7), RTM_NEWADDR).
static int loopback_add(int family, const void *address, size_t len)
{
	struct address_request request = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)), .nlmsg_type = RTM_NEWADDR,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE},
		.address = {.ifa_family = (uint8_t)family, .ifa_prefixlen = (uint8_t)(len * 8), .ifa_flags = IFA_F_NODAD,
			    .ifa_scope = RT_SCOPE_HOST, .ifa_index = if_nametoindex("lo")}};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr answer;
	} reply = {0};
	_cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	attribute_add(&request, IFA_LOCAL, address, len);
	attribute_add(&request, IFA_ADDRESS, address, len);
	if (fd < 0 || send(fd, &request, request.header.nlmsg_len, 0) < 0 || recv(fd, &reply, sizeof(reply), MSG_TRUNC) < 0)
		return errno;
	return reply.header.nlmsg_type == NLMSG_ERROR ? -reply.answer.error : EPROTO;
}

static int address_make(const struct endpoint *endpoint)
{
	const struct in_addr *v4 = &endpoint->address.v4;
	const struct in6_addr *v6 = &endpoint->address.v6;
	if (endpoint->family == AF_INET && ntohl(v4->s_addr) >> 24 != IN_LOOPBACKNET)
		return loopback_add(AF_INET, v4, sizeof(*v4));
	if (endpoint->family == AF_INET6 && !IN6_IS_ADDR_LOOPBACK(v6))
		return loopback_add(AF_INET6, v6, sizeof(*v6));
	return 0;
}

struct listening {
	struct relay_listeners listeners;
	int fds[RELAY_LISTENERS_MAX];
};

static void listening_done(struct listening *listening)
{
	for (size_t i = 0; i < listening->listeners.count; i++)
		fd_close(&listening->fds[i]);
}

static int listen_at(const struct sockaddr *address, socklen_t len, size_t endpoint, struct listening *listening)
{
	_cleanup_fd_ int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	// The IPv6 one must not take the port of the IPv4 addresses, nor hear what is sent to other addresses.
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (address->sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, address, len) < 0 || listen(fd, SOMAXCONN) < 0)
		return errno;
	listening->listeners.endpoints[listening->listeners.count] = (uint8_t)endpoint;
	listening->fds[listening->listeners.count++] = TAKE_FD(fd);
	return 0;
}

static int listen_v4(struct in_addr address, uint16_t port, size_t endpoint, struct listening *listening)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address};
	return listen_at((const struct sockaddr *)&name, sizeof(name), endpoint, listening);
}

static int listen_v6(struct in6_addr address, uint16_t port, size_t endpoint, struct listening *listening)
{
	struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = address};
	return listen_at((const struct sockaddr *)&name, sizeof(name), endpoint, listening);
}

static int endpoint_listen(const struct endpoints *endpoints, size_t i, struct listening *listening)
{
	const struct endpoint *endpoint = &endpoints->items[i];
	int error = address_make(endpoint);
	if (error != 0)
		return error;
	if (endpoint->family == AF_INET)
		return listen_v4(endpoint->address.v4, endpoint->port, i, listening);
	if (endpoint->family == AF_INET6)
		return listen_v6(endpoint->address.v6, endpoint->port, i, listening);
	if (!endpoint_is_localhost(endpoint))
		return listen_v4(name_address(host_index(endpoints, i)), endpoint->port, i, listening);
	// Many programs know this name by themselves. Where IPv6 is off they do not try it.
	error = listen_v6(in6addr_loopback, endpoint->port, i, listening);
	if (error != 0 && error != EAFNOSUPPORT && error != EADDRNOTAVAIL)
		return error;
	return listen_v4((struct in_addr){htonl(INADDR_LOOPBACK)}, endpoint->port, i, listening);
}

static int endpoints_listen(const struct endpoints *endpoints, int relay_fd)
{
	_cleanup_(listening_done) struct listening listening = {0};
	int error = 0;
	for (size_t i = 0; error == 0 && i < endpoints->count; i++)
		if (!is_repeated(endpoints, i))
			error = endpoint_listen(endpoints, i, &listening);
	if (error != 0)
		return error;
	return outside_send(relay_fd, &listening.listeners, sizeof(listening.listeners), listening.fds,
			    listening.listeners.count);
}

static int hosts_cover(int maker_fd)
{
	struct trees_answer answer;
	int fds[TREE_COUNT];
	int count = outside_receive(maker_fd, &answer, sizeof(answer), fds, TREE_COUNT);
	if (count != 1)
		return count < 0 ? -count : answer.error != 0 ? answer.error : EMFILE;
	_cleanup_fd_ int file = fds[0];
	unsigned how = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;
	return move_mount(file, "", AT_FDCWD, HOSTS_PATH, how) < 0 ? errno : 0;
}

static int allowed_enter(const struct sandbox_plan *plan, struct relay *relay)
{
	_cleanup_free_ struct endpoints *endpoints = calloc(1, sizeof(*endpoints));
	if (!endpoints)
		return ENOMEM;
	int error = endpoints_read(plan, endpoints);
	if (error == 0 && relay->hosts.fd >= 0)
		error = hosts_cover(relay->hosts.fd);
	if (error == 0)
		error = endpoints_listen(endpoints, relay->process.fd);
	return error;
}

int network_enter(const struct sandbox_plan *plan, struct relay *relay)
{
	if (plan->network == SANDBOX_NETWORK_HOST || plan->network == SANDBOX_NETWORK_NONE)
		return 0;
	int error = loopback_up();
	return error == 0 && plan->network == SANDBOX_NETWORK_ALLOW ? allowed_enter(plan, relay) : error;
}
