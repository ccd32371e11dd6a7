#include "attempt/attempt_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAGE_TEXTS 12
#define STAGE_SECONDS 10
#define MARK_RANDOM_BYTES 8
#define MARK_BYTES (2 * MARK_RANDOM_BYTES + 1)
#define VICTIM_PROGRAM "/bin/sleep"
#define VICTIM_VARIABLE "ATTEMPT_MARK="
#define BACKLOG 64
#define KNOCK_MS 50

struct scene_stage {
	struct attempt_scene scene;
	char *texts[STAGE_TEXTS]; // owned: what scene.words points to
	size_t text_count;
	char mark[MARK_BYTES];
	char *socket_path; // owned
	char *file_path;   // owned
	pid_t victim;
	pid_t server;
};

struct sockets {
	int stream;
	int abstract;
	int datagram;
	int tcp;
	int udp;
	uint16_t port;   // to connect to
	int terminal[2]; // both ends of a pseudo-terminal
};

static int word_put(struct scene_stage *stage, enum scene_word word, const char *text, struct err *err)
{
	char *copy = strdup(text);
	if (copy == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	stage->texts[stage->text_count++] = copy;
	stage->scene.words[word] = copy;
	return 0;
}

static int number_put(struct scene_stage *stage, enum scene_word word, uint64_t number, struct err *err)
{
	char text[24];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return word_put(stage, word, text, err);
}

// ----------------------------------------------------------------------------------------------------------- victim

static _Noreturn void victim_be(const char *folder, const char *mark)
{
	char variable[sizeof(VICTIM_VARIABLE) + MARK_BYTES];
	snprintf(variable, sizeof(variable), VICTIM_VARIABLE "%s", mark);
	char name[] = VICTIM_PROGRAM;
	char time[] = "86400";
	char *argv[] = {name, time, NULL};
	char *envp[] = {variable, NULL};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(folder) == 0)
		execve(VICTIM_PROGRAM, argv, envp);
	_exit(127);
}

// Where its environment begins: the 50th field of /proc/PID/stat, zero until the program is there (proc(5)).
static uint64_t environment_address(pid_t pid)
{
	char line[1024];
	if (process_file_read("/proc", pid, "stat", line, sizeof(line)) <= 0)
		return 0;
	const char *field = strrchr(line, ')');
	for (int number = 2; field != NULL && number < 50; number++)
		field = strchr(field + 1, ' ');
	return field != NULL ? strtoull(field, NULL, 10) : 0;
}

static bool is_marked(const struct scene_stage *stage, uint64_t address)
{
	char got[MARK_BYTES] = "";
	struct iovec here = {.iov_base = got, .iov_len = MARK_BYTES - 1};
	struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = MARK_BYTES - 1}; // NOLINT
	return address != 0 && process_vm_readv(stage->victim, &here, 1, &there, 1, 0) > 0 &&
	       strcmp(got, stage->mark) == 0;
}

// Until the program is there and the mark in its memory. A kernel that lets nobody look (Yama) lets this process, its
// parent.
static int victim_start(struct scene_stage *stage, const char *folder, struct err *err)
{
	stage->victim = fork();
	if (stage->victim == 0)
		victim_be(folder, stage->mark);
	int64_t end = clock_monotonic_ms() + STAGE_SECONDS * 1000;
	uint64_t address = 0;
	while (!is_marked(stage, address)) {
		if (stage->victim < 0 || clock_monotonic_ms() > end || waitpid(stage->victim, NULL, WNOHANG) != 0)
			return err_set(err, ERR_SYSTEM, "could not start " VICTIM_PROGRAM " as what is to be attacked");
		poll(NULL, 0, 1);
		address = environment_address(stage->victim);
		address += address != 0 ? sizeof(VICTIM_VARIABLE) - 1 : 0;
	}
	int r = number_put(stage, SCENE_VICTIM, (uint64_t)stage->victim, err);
	return r < 0 ? r : number_put(stage, SCENE_ADDRESS, address, err);
}

// ----------------------------------------------------------------------------------------------------------- sockets

static int unix_open(const char *name, size_t len, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (len >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, name, len);
	_cleanup_fd_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
		return -1;
	return TAKE_FD(fd);
}

static int abstract_open(const char *name, const char *suffix, int type)
{
	char whole[64] = "";
	int len = snprintf(whole + 1, sizeof(whole) - 1, "%s%s", name, suffix);
	return unix_open(whole, (size_t)len + 1, type);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port),
				    .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

static int loopback_open(int type, uint16_t *port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);
	_cleanup_fd_ int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
		return -1;
	*port = ntohs(address.sin_port);
	return TAKE_FD(fd);
}

// A port that nobody has now, and that the kernel gives to nobody who asks for any (ip(7), ip_local_port_range).
static uint16_t port_find(void)
{
	for (uint16_t port = 20000 + (uint16_t)(getpid() % 10000); port < 32000; port++) {
		struct sockaddr_in address = loopback(port);
		_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
			return port;
	}
	return 0;
}

static bool terminal_open(int terminal[2], char *path, size_t path_bytes)
{
	terminal[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal[0] < 0 || grantpt(terminal[0]) < 0 || unlockpt(terminal[0]) < 0 ||
	    ptsname_r(terminal[0], path, path_bytes) != 0)
		return false;
	terminal[1] = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return terminal[1] >= 0;
}

static void sockets_close(struct sockets *sockets)
{
	int *fds[] = {&sockets->stream, &sockets->abstract, &sockets->datagram, &sockets->tcp, &sockets->udp,
		      &sockets->terminal[0], &sockets->terminal[1]};
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
		fd_close(fds[i]);
}

static int sockets_open(struct scene_stage *stage, struct sockets *out, struct err *err)
{
	char terminal[64];
	char name[64];
	uint16_t ports[2] = {0, 0};
	snprintf(name, sizeof(name), "envseal-attempt-%s", stage->mark);
	out->stream = unix_open(stage->socket_path, strlen(stage->socket_path), SOCK_STREAM);
	out->abstract = abstract_open(name, "", SOCK_STREAM);
	out->datagram = abstract_open(name, SCENE_DATAGRAM_SUFFIX, SOCK_DGRAM);
	out->tcp = loopback_open(SOCK_STREAM, &ports[0]);
	out->udp = loopback_open(SOCK_DGRAM, &ports[1]);
	out->port = port_find();
	if (out->stream < 0 || out->abstract < 0 || out->datagram < 0 || out->tcp < 0 || out->udp < 0 ||
	    !terminal_open(out->terminal, terminal, sizeof(terminal)))
		return err_set_errno(err, ERR_SYSTEM, errno, "could not open what is to be attacked: sockets, a terminal");
	int r = word_put(stage, SCENE_PTS, terminal, err);
	if (r == 0)
		r = word_put(stage, SCENE_ABSTRACT, name, err);
	if (r == 0)
		r = number_put(stage, SCENE_TCP, ports[0], err);
	if (r == 0)
		r = number_put(stage, SCENE_PORT, out->port, err);
	return r < 0 ? r : number_put(stage, SCENE_UDP, ports[1], err);
}

static void knock(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

static void echo(int fd)
{
	char message[512];
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t got = recvfrom(fd, message, sizeof(message), 0, (struct sockaddr *)&from, &size);
	if (got >= 0)
		sendto(fd, message, (size_t)got, 0, (const struct sockaddr *)&from, size);
}

// Holds what it was born with open. Connections wait, which is enough for who connects.
static _Noreturn void server_be(const struct sockets *sockets)
{
	struct pollfd ready = {.fd = sockets->udp, .events = POLLIN};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		if (poll(&ready, 1, KNOCK_MS) > 0)
			echo(sockets->udp);
		else
			knock(sockets->port);
	}
}

static int server_start(struct scene_stage *stage, struct err *err)
{
	struct sockets sockets = {.stream = -1, .abstract = -1, .datagram = -1, .tcp = -1, .udp = -1,
				  .terminal = {-1, -1}};
	int r = sockets_open(stage, &sockets, err);
	if (r == 0) {
		stage->server = fork();
		if (stage->server == 0)
			server_be(&sockets);
		if (stage->server < 0)
			r = err_set_errno(err, ERR_SYSTEM, errno, "could not start a process");
	}
	sockets_close(&sockets);
	return r;
}

// ------------------------------------------------------------------------------------------------------------- stage

static int mark_make(char out[MARK_BYTES], struct err *err)
{
	uint8_t bytes[MARK_RANDOM_BYTES];
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_set_errno(err, ERR_SYSTEM, errno, "the kernel gives no random bytes");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int files_make(struct scene_stage *stage, const char *folder, struct err *err)
{
	int r = path_join(folder, "attempt.sock", &stage->socket_path, err);
	if (r == 0)
		r = path_join(folder, "attempt.file", &stage->file_path, err);
	if (r < 0)
		return r;
	_cleanup_fd_ int fd = open(stage->file_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "could not make a file in the folder for the attempts");
	stage->scene.words[SCENE_MARK] = stage->mark;
	stage->scene.words[SCENE_SOCKET] = stage->socket_path;
	stage->scene.words[SCENE_TEMPORARY] = stage->file_path;
	return word_put(stage, SCENE_FOLDER, folder, err);
}

int scene_stage_open(const char *folder, struct scene_stage **out, struct err *err)
{
	_cleanup_scene_stage_ struct scene_stage *stage = calloc(1, sizeof(*stage));
	if (stage == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	int r = mark_make(stage->mark, err);
	if (r == 0)
		r = files_make(stage, folder, err);
	if (r == 0)
		r = victim_start(stage, folder, err);
	if (r == 0)
		r = server_start(stage, err);
	if (r == 0)
		*out = TAKE_PTR(stage);
	return r;
}

struct attempt_scene *scene_stage_scene(struct scene_stage *stage)
{
	return &stage->scene;
}

static void process_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void scene_stage_close(struct scene_stage **at)
{
	struct scene_stage *stage = TAKE_PTR(*at);
	if (stage == NULL)
		return;
	process_end(stage->victim);
	process_end(stage->server);
	if (stage->socket_path != NULL)
		unlink(stage->socket_path);
	if (stage->file_path != NULL)
		unlink(stage->file_path);
	for (size_t i = 0; i < stage->text_count; i++)
		free(stage->texts[i]);
	free(stage->socket_path);
	free(stage->file_path);
	free(stage);
}
