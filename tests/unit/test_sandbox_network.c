// The network of a program that has one of its own: what it reaches through the relay, and that it reaches nothing else.
// All of it happens in a network namespace that this test makes for itself, with a name server and a machine's files.
#include "sandbox_support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "sandbox/sandbox_internal.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET)
#define BYTES_SENT (3u << 20)

static bool has_world; // namespaces of the test's own

// ----------------------------------------------------------------------------------------------------------- the machine

static void file_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0);
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	CHECK(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
	close(fd);
}

static int world_make(void **state)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	(void)state;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) < 0)
		return 0;
	CHECK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
	int setgroups = map_open("/proc/self/setgroups");
	CHECK(write(setgroups, "deny", 4) == 4);
	close(setgroups);
	map_write(map_open("/proc/self/uid_map"), uid);
	map_write(map_open("/proc/self/gid_map"), gid);
	loopback_up();
	CHECK(mount("tmpfs", "/etc", "tmpfs", 0, "mode=755") == 0);
	file_put("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 both.test\n::1 both.test\n192.0.2.1 moved.test\n");
	file_put("/etc/resolv.conf", "nameserver 127.0.0.1\n");
	has_world = true;
	return 0;
}

static void world_want(void)
{
	if (!has_world)
		skip();
}

// A socket at an address of the machine; its port in *port, which is chosen where it is 0.
static int listen_on(const char *address, uint16_t *port)
{
	bool is_v6 = strchr(address, ':') != NULL;
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(*port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
	struct sockaddr *name = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = is_v6 ? sizeof(v6) : sizeof(v4);
	int fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(name->sa_family, address, is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr);
	CHECK(fd >= 0 && bind(fd, name, len) == 0 && listen(fd, 512) == 0 && getsockname(fd, name, &len) == 0);
	*port = ntohs(is_v6 ? v6.sin6_port : v4.sin_port);
	return fd;
}

// Takes all that comes until its end, and only then answers how much it was.
static void serve(int listener)
{
	static char block[65536];
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		uint64_t sum = 0;
		ssize_t n;
		while ((n = read(fd, block, sizeof(block))) > 0)
			sum += (uint64_t)n;
		CHECK(write(fd, &sum, sizeof(sum)) == sizeof(sum));
		close(fd);
	}
}

static pid_t server_start(void (*run)(int fd), int fd)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		run(fd);
		_exit(0);
	}
	close(fd);
	return pid;
}

static void server_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

// Says 127.0.0.9 to who asks for an IPv4 address of any name, and nothing to other questions (RFC 1035, 4).
static void names_serve(int fd)
{
	static const uint8_t address[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 9};
	for (;;) {
		uint8_t message[512];
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		ssize_t len = recvfrom(fd, message, sizeof(message) - sizeof(address), 0, (struct sockaddr *)&from, &from_len);
		size_t end = 12;
		if (len < 17)
			continue;
		while (end < (size_t)len && message[end] != 0)
			end += message[end] + 1u;
		end += 5;
		bool is_v4 = message[end - 3] == 1;
		message[2] = 0x81;
		message[3] = 0x80;
		memset(message + 6, 0, 6);
		message[7] = is_v4;
		memcpy(message + end, address, sizeof(address));
		sendto(fd, message, end + (is_v4 ? sizeof(address) : 0), 0, (struct sockaddr *)&from, from_len);
	}
}

static pid_t names_start(void)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	return server_start(names_serve, fd);
}

// ----------------------------------------------------------------------------------------------------------- the program

struct world {
	struct sandbox_plan plan;
	struct relay *relay;
	struct mounts *mounts; // NULL: without lockdown's tree
	uint16_t port;
};

static void world_enter(void *context)
{
	struct world *world = context;
	int error = world->mounts ? mounts_tree(&world->plan, world->mounts, -1) : 0;
	CHECK(error == 0);
	error = network_enter(&world->plan, world->relay);
	if (error != 0)
		fprintf(stderr, "network_enter: %s\n", strerror(error));
	CHECK(error == 0);
}

static void endpoint_put(struct world *world, const char *host, uint16_t port)
{
	char text[300];
	struct err err;
	snprintf(text, sizeof(text), "%s:%u", host, port);
	assert_int_equal(sandbox_endpoint_check(text, &err), 0);
	assert_int_equal(text_list_add(&world->plan.endpoints, text, &err), 0);
	world->plan.network = SANDBOX_NETWORK_ALLOW;
}

static void world_run(struct world *world, void (*check)(void *context))
{
	struct inside inside = {.enter = world_enter, .check = check, .context = world};
	struct err err;
	if (world->plan.network == SANDBOX_NETWORK_ALLOW)
		assert_int_equal(network_relay_start(&world->plan, &world->relay, &err), 0);
	assert_int_equal(inside_run(&inside, NAMESPACES), 0);
	network_relay_stop(world->relay);
	mounts_free(world->mounts);
	sandbox_plan_done(&world->plan);
}

// A connected socket, or -1 and errno. The host is looked up as programs do.
static int reach(const char *host, uint16_t port)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char service[16];
	int fd = -1;
	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &list) != 0) {
		errno = ENOENT;
		return -1;
	}
	for (struct addrinfo *row = list; row && fd < 0; row = row->ai_next) {
		fd = socket(row->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, row->ai_addr, row->ai_addrlen) < 0) {
			int saved = errno;
			close(fd);
			fd = -1;
			errno = saved;
		}
	}
	freeaddrinfo(list);
	return fd;
}

// More than all buffers on the way hold, its end, and an answer after that.
static void check_talk(const char *host, uint16_t port)
{
	static const char block[65536];
	uint64_t answer = 0;
	int fd = reach(host, port);
	CHECK(fd >= 0);
	for (size_t sent = 0; sent < BYTES_SENT; sent += sizeof(block))
		CHECK(send(fd, block, sizeof(block), MSG_NOSIGNAL) == sizeof(block));
	CHECK(shutdown(fd, SHUT_WR) == 0);
	CHECK(recv(fd, &answer, sizeof(answer), MSG_WAITALL) == sizeof(answer));
	CHECK(answer == BYTES_SENT);
	CHECK(recv(fd, &answer, 1, 0) == 0);
	close(fd);
}

// The relay takes the connection, and finds nobody.
static void check_reset(const char *host, uint16_t port)
{
	char byte;
	int fd = reach(host, port);
	CHECK(fd >= 0);
	CHECK(recv(fd, &byte, 1, 0) < 0 && errno == ECONNRESET);
	close(fd);
}

static void check_unreached(const char *host, uint16_t port, int error)
{
	CHECK(reach(host, port) < 0 && errno == error);
}

// ------------------------------------------------------------------------------------------------------------------ tests

static void test_endpoints(void **state)
{
	static const char *const good[] = {"example.org:443", "a:1", "A-b_c.9d.e:65535", "192.0.2.1:80", "[2001:db8::1]:443",
					   "[::1]:1", "localhost:5432", "9.example:1"};
	static const char *const bad[] = {
		"", ":", "a", "a:", ":1", "a:0", "a:65536", "a:100000", "a:1x", "a:-1", "a: 1", "a:+1", "a b:1", "a/b:1", "a\n:1",
		"a:1:2", "::1:443", "[::1]", "[::1]443", "[::1]:", "[]:1", "[::1", "[a]:1", "[192.0.2.1]:1", "[::ffff:192.0.2.1]:1",
		"[::]:1", "0.0.0.0:1", "1:1", "127.1:1", "1.2.3.4.5:1", "256.1.1.1:1", "0x7f.1:1", ".a:1", "a.:1", "a..b:1", "-a:1",
		"[fe80::1%lo]:1", "*:1", "a,b:1"};
	char long_name[300];
	struct err err;
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(sandbox_endpoint_check(good[i], &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (sandbox_endpoint_check(bad[i], &err) != ERR_USAGE)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(err.text, "HOST:PORT"));
	}
	memset(long_name, 'a', sizeof(long_name));
	strcpy(long_name + 253, ":1");
	assert_int_equal(sandbox_endpoint_check(long_name, &err), 0);
	memset(long_name, 'a', 254);
	strcpy(long_name + 254, ":1");
	assert_int_equal(sandbox_endpoint_check(long_name, &err), ERR_USAGE);
}

static void check_none(void *context)
{
	(void)context;
	check_unreached("127.0.0.1", 9, ENETUNREACH);
	check_unreached("192.0.2.1", 9, ENETUNREACH);
}

static void test_none_reaches_nothing(void **state)
{
	struct world world = {.plan = {.network = SANDBOX_NETWORK_NONE}};
	(void)state;
	world_want();
	world_run(&world, check_none);
}

static void check_loopback(void *context)
{
	struct world *world = context;
	uint16_t port = 0;
	check_unreached("127.0.0.1", world->port, ECONNREFUSED);
	pid_t pid = server_start(serve, listen_on("127.0.0.1", &port));
	check_talk("127.0.0.1", port);
	server_end(pid);
	check_unreached("192.0.2.1", 9, ENETUNREACH);
}

static void test_the_loopback_is_its_own(void **state)
{
	struct world world = {.plan = {.network = SANDBOX_NETWORK_LOOPBACK}};
	(void)state;
	world_want();
	pid_t pid = server_start(serve, listen_on("127.0.0.1", &world.port));
	world_run(&world, check_loopback);
	server_end(pid);
}

static void check_name(void *context)
{
	struct world *world = context;
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	char byte = 0;
	for (int i = 0; i < 3; i++)
		check_talk("Named.test", world->port);
	// Neither another port, nor another host or address, nor the name server.
	check_unreached("named.test", (uint16_t)(world->port - 1), ECONNREFUSED);
	check_unreached("127.0.0.9", world->port, ECONNREFUSED);
	check_unreached("other.test", world->port, ENOENT);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0 && send(fd, &byte, 1, 0) == 1);
	CHECK(recv(fd, &byte, 1, 0) < 0 && errno == ECONNREFUSED);
	server.sin_addr.s_addr = htonl(0xc0000201);
	CHECK(connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0 && errno == ENETUNREACH);
	close(fd);
	fd = open("/etc/hosts", O_WRONLY | O_CLOEXEC);
	CHECK(fd < 0 && (errno == EROFS || errno == EACCES));
}

// Under its own name, which the relay asks a name server for.
static void test_a_name_is_resolved_outside(void **state)
{
	(void)state;
	world_want();
	for (int has_tree = 0; has_tree < 2; has_tree++) {
		struct world world = {0};
		struct err err;
		pid_t names = names_start(), server = server_start(serve, listen_on("127.0.0.9", &world.port));
		endpoint_put(&world, "named.test", world.port);
		world.plan.directory = strdup("/usr");
		if (has_tree)
			assert_int_equal(mounts_prepare(&world.plan, &world.mounts, &err), 0);
		world_run(&world, check_name);
		server_end(server);
		server_end(names);
	}
}

static void check_addresses(void *context)
{
	struct world *world = context;
	check_talk("::1", world->port);
	check_talk("localhost", (uint16_t)(world->port + 1));
	check_talk("127.0.0.1", (uint16_t)(world->port + 1));
	// Nobody is there outside; here the addresses are the loopback's.
	check_reset("192.0.2.7", 443);
	check_reset("2001:db8::7", 443);
	check_unreached("192.0.2.7", 80, ECONNREFUSED);
	check_unreached("2001:db8::8", 443, ENETUNREACH);
	check_unreached("127.0.0.1", world->port, ECONNREFUSED);
}

static void test_addresses_and_localhost(void **state)
{
	struct world world = {0};
	(void)state;
	world_want();
	pid_t first = server_start(serve, listen_on("::1", &world.port));
	uint16_t next = (uint16_t)(world.port + 1);
	pid_t second = server_start(serve, listen_on("127.0.0.1", &next));
	endpoint_put(&world, "[::1]", world.port);
	endpoint_put(&world, "localhost", next);
	endpoint_put(&world, "192.0.2.7", 443);
	endpoint_put(&world, "[2001:db8::7]", 443);
	world_run(&world, check_addresses);
	server_end(first);
	server_end(second);
}

static void check_turns(void *context)
{
	struct world *world = context;
	check_talk("both.test", world->port);
	check_reset("both.test", 1);
	check_reset("moved.test", 443);
	check_reset("nowhere.test", 443);
	check_talk("both.test", world->port);
}

// A host with an address of each family, of which one answers; the second of one host; the same twice; and nobody.
static void test_addresses_are_tried_in_turn(void **state)
{
	(void)state;
	world_want();
	for (int i = 0; i < 2; i++) {
		struct world world = {0};
		pid_t server = server_start(serve, listen_on(i == 0 ? "127.0.0.1" : "::1", &world.port));
		endpoint_put(&world, "both.test", world.port);
		endpoint_put(&world, "both.test", 1);
		endpoint_put(&world, "BOTH.test", world.port);
		endpoint_put(&world, "moved.test", 443);
		endpoint_put(&world, "nowhere.test", 443);
		world_run(&world, check_turns);
		server_end(server);
	}
}

static void check_many(void *context)
{
	struct world *world = context;
	int fds[300];
	uint64_t answer;
	for (size_t i = 0; i < 300; i++)
		CHECK((fds[i] = reach("127.0.0.1", world->port)) >= 0);
	for (size_t i = 0; i < 300; i++) {
		CHECK(shutdown(fds[i], SHUT_WR) == 0);
		CHECK(recv(fds[i], &answer, sizeof(answer), MSG_WAITALL) == sizeof(answer) && answer == 0);
		close(fds[i]);
	}
}

// More at a time than the relay has places for: the rest waits for its turn.
static void test_more_connections_than_places(void **state)
{
	struct world world = {0};
	(void)state;
	world_want();
	pid_t server = server_start(serve, listen_on("127.0.0.1", &world.port));
	endpoint_put(&world, "127.0.0.1", world.port);
	world_run(&world, check_many);
	server_end(server);
}

static void relay_in_child(struct world *world, int said_fd)
{
	struct err err;
	CHECK(network_relay_start(&world->plan, &world->relay, &err) == 0);
	pid_t relay = child_of(getpid());
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(network_enter(&world->plan, world->relay) == 0);
	CHECK(write(said_fd, &relay, sizeof(relay)) == sizeof(relay));
	execl("/bin/cat", "cat", (char *)NULL);
	_exit(99);
}

// As the jail has it: the process that started the relay becomes the program, and when that ends, so does the relay.
static void test_the_relay_ends_with_its_starter(void **state)
{
	struct world world = {0};
	int said[2], input[2], status = 0;
	pid_t relay = 0;
	(void)state;
	world_want();
	endpoint_put(&world, "127.0.0.1", 1);
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pid_t starter = fork();
	if (starter == 0) {
		CHECK(dup2(input[0], 0) == 0);
		relay_in_child(&world, said[1]);
	}
	close(said[1]);
	assert_int_equal(read(said[0], &relay, sizeof(relay)), sizeof(relay));
	assert_true(relay > 0);
	// It reads the end of what was said when the exec has closed it; the relay lives on.
	assert_int_equal(read(said[0], &status, 1), 0);
	assert_int_equal(kill(relay, 0), 0);
	close(input[1]);
	assert_int_equal(waitpid(starter, &status, 0), starter);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(waitpid(relay, &status, 0), relay);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(said[0]);
	close(input[0]);
	sandbox_plan_done(&world.plan);
}

// A line of /proc/PID/status.
static long status_number(pid_t pid, const char *name)
{
	char path[64], text[4096] = {0}, line[64];
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	snprintf(line, sizeof(line), "\n%s:", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	const char *at = strstr(text, line);
	assert_non_null(at);
	return strtol(at + strlen(line), NULL, 10);
}

// Undumpable: what it has is closed to others of the same user.
static void check_closed(pid_t relay)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/fd", relay);
	if (getuid() == 0)
		return;
	assert_null(opendir(path));
	assert_int_equal(errno, EACCES);
}

static void test_the_relay_is_closed_and_stops(void **state)
{
	struct world world = {0};
	struct err err;
	char path[64];
	int status = -1;
	(void)state;
	world_want();
	int stray[2];
	assert_int_equal(pipe(stray), 0);
	pid_t server = server_start(serve, listen_on("127.0.0.1", &world.port));
	endpoint_put(&world, "127.0.0.1", world.port);
	assert_int_equal(network_relay_start(&world.plan, &world.relay, &err), 0);
	pid_t starter = fork();
	if (starter == 0) {
		CHECK(unshare(CLONE_NEWNET) == 0 && network_enter(&world.plan, world.relay) == 0);
		check_talk("127.0.0.1", world.port);
		_exit(0);
	}
	assert_int_equal(waitpid(starter, &status, 0), starter);
	assert_int_equal(status, 0);
	server_end(server);
	pid_t relay = child_of(getpid());
	assert_true(relay > 0);
	assert_int_equal(status_number(relay, "NoNewPrivs"), 1);
	assert_int_equal(status_number(relay, "Seccomp"), 2);
	check_closed(relay);
	// It has none of this process's descriptors: nobody else can write here.
	close(stray[1]);
	assert_int_equal(read(stray[0], &status, 1), 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", relay);
	network_relay_stop(world.relay);
	assert_int_equal(access(path, F_OK), -1);
	close(stray[0]);
	sandbox_plan_done(&world.plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_none_reaches_nothing),
		cmocka_unit_test(test_the_loopback_is_its_own),
		cmocka_unit_test(test_a_name_is_resolved_outside),
		cmocka_unit_test(test_addresses_and_localhost),
		cmocka_unit_test(test_addresses_are_tried_in_turn),
		cmocka_unit_test(test_more_connections_than_places),
		cmocka_unit_test(test_the_relay_ends_with_its_starter),
		cmocka_unit_test(test_the_relay_is_closed_and_stops),
	};
	return cmocka_run_group_tests(tests, world_make, NULL);
}
