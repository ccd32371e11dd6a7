#include "attempt/attempt_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ECHO_SECONDS 3

// ------------------------------------------------------------------------------------------------------ local sockets

struct attempt_result try_connect(const struct attempt *attempt, const struct attempt_scene *scene)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = (size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", scene->words[attempt->word]);
	if (len >= sizeof(address.sun_path))
		return result_broken("the socket's path is too long");
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return result_refused(errno);
	return result_of(connect(fd, (const struct sockaddr *)&address, sizeof(address)));
}

// `suffix` tells the datagram socket from the other.
static struct attempt_result abstract_connect(const char *name, const char *suffix, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int len = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s%s", name, suffix);
	_cleanup_fd_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return result_refused(errno);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
	if (type == SOCK_DGRAM)
		return result_of(sendto(fd, "x", 1, 0, (const struct sockaddr *)&address, size));
	return result_of(connect(fd, (const struct sockaddr *)&address, size));
}

struct attempt_result try_abstract(const struct attempt *attempt, const struct attempt_scene *scene)
{
	return abstract_connect(scene->words[attempt->word], "", SOCK_STREAM);
}

struct attempt_result try_abstract_datagram(const struct attempt *attempt, const struct attempt_scene *scene)
{
	return abstract_connect(scene->words[attempt->word], SCENE_DATAGRAM_SUFFIX, SOCK_DGRAM);
}

// ---------------------------------------------------------------------------------------------------------- network

static struct sockaddr_in loopback(uint64_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				    .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

struct attempt_result try_tcp(const struct attempt *attempt, const struct attempt_scene *scene)
{
	struct sockaddr_in address = loopback(scene_number(scene, attempt->word));
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return result_refused(errno);
	return result_of(connect(fd, (const struct sockaddr *)&address, sizeof(address)));
}

// Somebody outside tries the port again and again.
struct attempt_result try_listen(const struct attempt *attempt, const struct attempt_scene *scene)
{
	struct sockaddr_in address = loopback(scene_number(scene, attempt->word));
	struct timeval wait = {.tv_sec = ECHO_SECONDS};
	int reuse = 1;
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		return result_refused(errno);
	return result_of_fd(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
}

// What is sent comes back, from whoever is reached.
static struct attempt_result echo(uint64_t port, struct span message)
{
	char got[64];
	struct sockaddr_in address = loopback(port);
	struct timeval wait = {.tv_sec = ECHO_SECONDS};
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, message.data, message.len, 0) < 0 || recv(fd, got, sizeof(got), 0) < 0)
		return result_refused(errno);
	return result_worked();
}

struct attempt_result try_udp(const struct attempt *attempt, const struct attempt_scene *scene)
{
	return echo(scene_number(scene, attempt->word), SPAN_LITERAL("x"));
}

// A query for the address of example.com (RFC 1035, 4). The answer is not looked at: that one comes is the leak.
struct attempt_result try_dns(const struct attempt *attempt, const struct attempt_scene *scene)
{
	return echo(scene_number(scene, attempt->word),
		    SPAN_LITERAL("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07" "example\x03"
				 "com\x00\x00\x01\x00\x01"));
}

// ---------------------------------------------------------------------------------------------------------- families

static const struct {
	const char *name;
	int family;
	int protocol;
} families[] = {
	{"AF_INET", AF_INET, IPPROTO_ICMP},
	{"AF_PACKET", AF_PACKET, 0},
	{"AF_VSOCK", AF_VSOCK, 0},
	{"AF_ALG", AF_ALG, 0},
};

struct attempt_result try_socket(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)scene;
	size_t i = 0;
	while (strcmp(families[i].name, attempt->detail) != 0)
		i++;
	int fd = socket(families[i].family, attempt->number | SOCK_CLOEXEC, families[i].protocol);
	if (fd < 0 && (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT))
		return result_absent("this kernel has no such sockets");
	return result_of_fd(fd);
}

static int netlink_open(int protocol, unsigned groups)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
	_cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	return fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : TAKE_FD(fd);
}

struct attempt_result try_routes(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	struct {
		struct nlmsghdr header;
		struct rtgenmsg body;
	} request = {.header = {.nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETLINK,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		     .body = {.rtgen_family = AF_UNSPEC}};
	struct nlmsghdr answer[64];
	_cleanup_fd_ int fd = netlink_open(NETLINK_ROUTE, 0);
	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
		return result_refused(errno);
	return answer[0].nlmsg_type == RTM_NEWLINK ? result_worked() : result_noted(result_refused(0), "no interface");
}

struct attempt_result try_events(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	return result_of_fd(netlink_open(NETLINK_KOBJECT_UEVENT, 1));
}
