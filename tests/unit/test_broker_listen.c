// The front as a process: real sockets, the system call filter, floods. This program is its keeper, its clients and its workers.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/front.h"

#define DEVICE 7
#define INODE 9
#define SCENE_SECONDS_MAX 60
#define BUSY 500
#define FLOOD 2000
#define FLOOD_AT_ONCE 250
// Of the front: what the program has anyway, and with every question there may be at its longest, 64 KiB each and as much for each console.
#define RESIDENT_KIB_MAX 4096
#define RESIDENT_FULL_KIB_MAX 12288

static char folder[] = "/tmp/envseal-front-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int keeper_fd = -1;
static pid_t front_pid;
static struct err err;
static struct inbox keeper_inbox;

// A sanitizer's own calls are not in the filter, nor are valgrind's.
static void skip_where_the_filter_cannot_stand(void)
{
	const char *preload = getenv("LD_PRELOAD");
#if defined(__SANITIZE_ADDRESS__)
	bool is_sanitized = true;
#else
	bool is_sanitized = false;
#endif
	if (!is_sanitized && !(preload && strstr(preload, "vgpreload")))
		return;
	print_message("not under sanitizers or valgrind: the filter would end what they do in the process\n");
	skip();
}

static int listen_make(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(address.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 128), 0);
	return fd;
}

static void front_start(void)
{
	skip_where_the_filter_cannot_stand();
	int ends[2], listen_fd = listen_make();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	struct front_setup setup = {.listen_fd = listen_fd, .keeper_fd = ends[1], .device = DEVICE, .inode = INODE,
				    .status = {.state = BROKER_UNLOCKED, .pid = getpid(), .since = 1, .until = 2}};
	front_pid = fork();
	assert_true(front_pid >= 0);
	if (front_pid == 0) {
		front_run(&setup, &err);
		dprintf(2, "%s\n", err.text);
		_exit(99);
	}
	close(listen_fd);
	close(ends[1]);
	keeper_fd = ends[0];
	inbox_init(&keeper_inbox);
}

// It is alive, and ends well when its keeper does.
static void front_stop(void)
{
	int status;
	fd_close(&keeper_fd);
	inbox_done(&keeper_inbox);
	assert_int_equal(waitpid(front_pid, &status, 0), front_pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int scene(void **state)
{
	(void)state;
	alarm(SCENE_SECONDS_MAX);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

// ------------------------------------------------------------------------------------------------------------------ talking

static int client_make(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say(int fd, enum message_kind kind, const struct buf *payload)
{
	if (message_send(fd, kind, payload ? buf_span(payload) : (struct span){0}, NULL, 0, 10000, &err) < 0)
		fail_msg("%s", err.text);
}

static int client_as(enum hello_purpose purpose)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(64);
	struct message_hello hello = {PROTOCOL_VERSION, purpose, DEVICE, INODE};
	int fd = client_make();
	assert_int_equal(hello_write(&hello, &payload, &err), 0);
	say(fd, MESSAGE_HELLO, &payload);
	return fd;
}

// The next message is of that kind.
static struct span hear(struct inbox *inbox, int fd, enum reader_state state, enum message_kind kind)
{
	int r = inbox_wait(inbox, fd, state, -1, &err);
	if (r != INBOX_MESSAGE)
		fail_msg("instead of \"%s\": %d %s", message_kind_name(kind), r, r < 0 ? err.text : "the end");
	assert_string_equal(message_kind_name(inbox->message.kind), message_kind_name(kind));
	return inbox->message.payload;
}

static void hear_numbers(struct inbox *inbox, int fd, enum reader_state state, enum message_kind kind, uint32_t first, uint32_t second)
{
	uint32_t a = 0, b = 0;
	assert_int_equal(numbers_read(hear(inbox, fd, state, kind), &a, &b, &err), 0);
	assert_int_equal(a, first);
	assert_int_equal(b, second);
}

static void hear_end(int fd, enum reader_state state)
{
	_cleanup_inbox_ struct inbox inbox;
	inbox_init(&inbox);
	int r = inbox_wait(&inbox, fd, state, -1, &err);
	assert_int_equal(r, INBOX_END);
}

static struct broker_status status_ask(void)
{
	_cleanup_inbox_ struct inbox inbox;
	struct broker_status status = {0};
	_cleanup_fd_ int fd = client_as(HELLO_STATUS);
	inbox_init(&inbox);
	assert_int_equal(status_read(hear(&inbox, fd, CLIENT_ASKED, MESSAGE_STATUS), &status, &err), 0);
	hear_end(fd, CLIENT_ASKED);
	return status;
}

static void refused_hear(int fd, int code, const char *says)
{
	_cleanup_inbox_ struct inbox inbox;
	struct message_refused refused;
	inbox_init(&inbox);
	assert_int_equal(refused_read(hear(&inbox, fd, CLIENT_ASKED, MESSAGE_REFUSED), &refused, &err), 0);
	assert_int_equal(refused.code, code);
	if (!strstr(refused.sentence, says))
		fail_msg("not \"%s\": %s", says, refused.sentence);
	hear_end(fd, CLIENT_ASKED);
}

struct worker {
	int client_fd; // as the client has it
	int served_fd; // as the worker got it
	int desk_fd;
	struct inbox desk;
};

// Whether it is told that a console is there.
static bool worker_make(struct worker *worker)
{
	uint32_t is_watched = 2, nothing = 1;
	*worker = (struct worker){.client_fd = client_as(HELLO_WORK)};
	hear(&keeper_inbox, keeper_fd, KEEPER_FRONT, MESSAGE_WORKER);
	assert_int_equal(keeper_inbox.message.fd_count, 2);
	worker->served_fd = TAKE_FD(keeper_inbox.message.fds[0]);
	worker->desk_fd = TAKE_FD(keeper_inbox.message.fds[1]);
	inbox_init(&worker->desk);
	struct span payload = hear(&worker->desk, worker->desk_fd, WORKER_DESK, MESSAGE_WATCHED);
	assert_int_equal(numbers_read(payload, &is_watched, &nothing, &err), 0);
	assert_in_range(is_watched, 0, 1);
	assert_int_equal(nothing, 0);
	return is_watched;
}

static void worker_end(struct worker *worker)
{
	close(worker->client_fd);
	close(worker->served_fd);
	close(worker->desk_fd);
	inbox_done(&worker->desk);
}

static void ask(const struct worker *worker, size_t approval_len)
{
	uint8_t *approval = calloc(1, approval_len);
	_cleanup_buf_ struct buf payload = BUF_INIT(approval_len + 128);
	struct message_ask message = {.seconds = 60, .nonce = {1, 2, 3}, .approval = span_of(approval, approval_len)};
	assert_int_equal(ask_write(&message, &payload, &err), 0);
	say(worker->desk_fd, MESSAGE_ASK, &payload);
	free(approval);
}

static void numbers_say(int fd, enum message_kind kind, uint32_t first, uint32_t second)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(64);
	assert_int_equal(numbers_write(first, second, &payload, &err), 0);
	say(fd, kind, &payload);
}

// -------------------------------------------------------------------------------------------------------------------- tests

static void test_status_and_lock(void **state)
{
	(void)state;
	front_start();
	struct broker_status status = status_ask();
	assert_int_equal(status.state, BROKER_UNLOCKED);
	assert_int_equal(status.pid, getpid());
	assert_int_equal(status.until, 2);
	assert_int_equal(status.running + status.waiting + status.consoles, 0);
	_cleanup_fd_ int fd = client_as(HELLO_LOCK);
	hear(&keeper_inbox, keeper_fd, KEEPER_FRONT, MESSAGE_LOCK);
	front_stop();
	_cleanup_inbox_ struct inbox inbox;
	inbox_init(&inbox);
	hear(&inbox, fd, CLIENT_ASKED, MESSAGE_LOCKED);
}

static void test_a_request_from_hello_to_the_end(void **state)
{
	(void)state;
	struct worker worker;
	struct message_question question;
	struct message_answer answer = {.id = 1, .answer = {.verdict = DESK_APPROVED, .choice = 2, .voucher = {7}}};
	_cleanup_inbox_ struct inbox console;
	_cleanup_buf_ struct buf payload = BUF_INIT(128);
	inbox_init(&console);
	front_start();
	assert_false(worker_make(&worker));
	ask(&worker, 60000);
	hear(&keeper_inbox, keeper_fd, KEEPER_FRONT, MESSAGE_NOTIFY);
	_cleanup_fd_ int fd = client_as(HELLO_WATCH);
	assert_int_equal(question_read(hear(&console, fd, CLIENT_WATCHING, MESSAGE_QUESTION), &question, &err), 0);
	assert_int_equal(question.id, 1);
	assert_int_equal(question.approval.len, 60000);
	assert_int_equal(question.nonce[2], 3);
	assert_in_range(question.left_seconds, 1, 60);
	hear(&console, fd, CLIENT_WATCHING, MESSAGE_SYNC);
	hear_numbers(&worker.desk, worker.desk_fd, WORKER_DESK, MESSAGE_WATCHED, 1, 0);
	struct broker_status status = status_ask();
	assert_int_equal(status.running, 1);
	assert_int_equal(status.waiting, 1);
	assert_int_equal(status.consoles, 1);
	assert_int_equal(answer_write(&answer, &payload, &err), 0);
	say(fd, MESSAGE_ANSWER, &payload);
	answer.id = 99;
	assert_int_equal(answer_read(hear(&worker.desk, worker.desk_fd, WORKER_DESK, MESSAGE_ANSWER), &answer, &err), 0);
	assert_int_equal(answer.id, 0);
	assert_int_equal(answer.answer.choice, 2);
	assert_int_equal(answer.answer.voucher[0], 7);
	numbers_say(worker.desk_fd, MESSAGE_JUDGED, 0, 1);
	hear_numbers(&console, fd, CLIENT_WATCHING, MESSAGE_JUDGED, 1, 1);
	worker_end(&worker);
	front_stop();
}

// What a client says behind its hello is for the worker.
static void test_the_worker_gets_the_connection(void **state)
{
	(void)state;
	struct worker worker;
	_cleanup_inbox_ struct inbox inbox;
	inbox_init(&inbox);
	front_start();
	assert_false(worker_make(&worker));
	_cleanup_buf_ struct buf payload = BUF_INIT(16);
	assert_int_equal(buf_append_text(&payload, "for the worker", &err), 0);
	say(worker.client_fd, MESSAGE_WORK, &payload);
	assert_true(span_is_equal(hear(&inbox, worker.served_fd, WORKER_NEW, MESSAGE_WORK), buf_span(&payload)));
	numbers_say(worker.served_fd, MESSAGE_END, 3, 0);
	hear_numbers(&inbox, worker.client_fd, CLIENT_WORKING, MESSAGE_END, 3, 0);
	worker_end(&worker);
	while (status_ask().running > 0) // by now or soon
		;
	front_stop();
}

static void test_refusals_say_why(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf payload = BUF_INIT(64);
	struct message_hello hello = {PROTOCOL_VERSION, HELLO_STATUS, DEVICE, INODE + 1};
	front_start();
	assert_int_equal(hello_write(&hello, &payload, &err), 0);
	_cleanup_fd_ int other_vault = client_make();
	say(other_vault, MESSAGE_HELLO, &payload);
	refused_hear(other_vault, ERR_NOT_FOUND, "another vault");
	payload.data[0] = PROTOCOL_VERSION + 6;
	_cleanup_fd_ int other_version = client_make();
	say(other_version, MESSAGE_HELLO, &payload);
	refused_hear(other_version, ERR_SYSTEM, "version 1 of its protocol and this envseal version 7: end it with `envseal lock`");
	int consoles[FRONT_CONSOLES_MAX];
	for (size_t i = 0; i < FRONT_CONSOLES_MAX; i++)
		consoles[i] = client_as(HELLO_WATCH);
	_cleanup_fd_ int one_more = client_as(HELLO_WATCH);
	refused_hear(one_more, ERR_LIMIT, "too many consoles");
	for (size_t i = 0; i < FRONT_CONSOLES_MAX; i++)
		close(consoles[i]);
	front_stop();
}

// Nothing of it is answered, and the front is there for the next one.
static void test_what_is_no_message_ends_the_connection(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{"\0\0\0\x40\x01", 5},		 // 1 GiB
		{"\xff\xff\xff\xff\x01", 5},
		{"\x12\0\0\0\0", 5},		 // no such kind
		{"\x12\0\0\0\xff", 5},
		{"\0\0\0\0\x06", 5},		 // not a client's
		{"\x2c\0\0\0\x02", 5},		 // an answer before the hello
		{"\x12\0\0\0\x01" "\x01\x09" "0123456789abcdef", 23}, // no such purpose
		{"GET / HTTP/1.1\r\n\r\n", 18},
	};
	front_start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_fd_ int fd = client_make();
		assert_int_equal(send(fd, rows[i].bytes, rows[i].len, MSG_NOSIGNAL), rows[i].len);
		char byte;
		ssize_t n = recv(fd, &byte, 1, 0);
		assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
	}
	assert_int_equal(status_ask().running, 0);
	front_stop();
}

static void test_descriptors_are_not_taken(void **state)
{
	(void)state;
	int ends[2];
	front_start();
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	_cleanup_fd_ int fd = client_make();
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = {.align = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
	memcpy(CMSG_DATA(&control.align), &ends[1], sizeof(int));
	uint8_t header[FRAME_HEADER_BYTES] = {18, 0, 0, 0, MESSAGE_HELLO};
	struct iovec part = {header, sizeof(header)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
	assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), sizeof(header));
	close(ends[1]);
	// The front has no copy of it, or this would block.
	char byte;
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	assert_int_equal(status_ask().running, 0);
	front_stop();
}

// More than the keeper's socket holds are passed on when it reads again, and meanwhile others are answered.
static void test_a_busy_keeper_loses_nothing(void **state)
{
	(void)state;
	static int clients[BUSY];
	front_start();
	for (size_t i = 0; i < BUSY; i++)
		clients[i] = client_as(HELLO_WORK);
	while (status_ask().running < BUSY)
		;
	for (size_t i = 0; i < BUSY; i++) {
		hear(&keeper_inbox, keeper_fd, KEEPER_FRONT, MESSAGE_WORKER);
		numbers_say(keeper_inbox.message.fds[0], MESSAGE_END, 0, 0);
	}
	for (size_t i = 0; i < BUSY; i++) {
		_cleanup_inbox_ struct inbox inbox;
		inbox_init(&inbox);
		hear_numbers(&inbox, clients[i], CLIENT_WORKING, MESSAGE_END, 0, 0);
		close(clients[i]);
	}
	inbox_done(&keeper_inbox);
	while (status_ask().running > 0)
		;
	front_stop();
}

static long resident_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "VmRSS: %ld", &kib);
	fclose(file);
	return kib;
}

// As many questions and consoles as there may be, and none is read.
static void test_memory_is_bounded(void **state)
{
	(void)state;
	int consoles[FRONT_CONSOLES_MAX];
	struct worker workers[FRONT_QUESTIONS_MAX + 1];
	front_start();
	for (size_t i = 0; i < FRONT_CONSOLES_MAX; i++)
		consoles[i] = client_as(HELLO_WATCH);
	while (status_ask().consoles < FRONT_CONSOLES_MAX)
		;
	for (size_t i = 0; i <= FRONT_QUESTIONS_MAX; i++) {
		assert_true(worker_make(&workers[i]));
		ask(&workers[i], 65536);
	}
	hear(&workers[FRONT_QUESTIONS_MAX].desk, workers[FRONT_QUESTIONS_MAX].desk_fd, WORKER_DESK, MESSAGE_REFUSED);
	struct broker_status status = status_ask();
	assert_int_equal(status.waiting, FRONT_QUESTIONS_MAX);
	assert_int_equal(status.consoles, FRONT_CONSOLES_MAX);
	long kib = resident_kib(front_pid);
	print_message("%d questions of 64 KiB, %d consoles: the front has %ld KiB\n", FRONT_QUESTIONS_MAX, FRONT_CONSOLES_MAX, kib);
	assert_in_range(kib, 1, RESIDENT_FULL_KIB_MAX);
	for (size_t i = 0; i <= FRONT_QUESTIONS_MAX; i++)
		worker_end(&workers[i]);
	for (size_t i = 0; i < FRONT_CONSOLES_MAX; i++)
		close(consoles[i]);
	front_stop();
}

// The questions of many workers, none of which is read.
static void test_a_console_that_does_not_read_is_closed(void **state)
{
	(void)state;
	struct worker worker;
	front_start();
	_cleanup_fd_ int fd = client_as(HELLO_WATCH);
	while (status_ask().consoles == 0)
		;
	for (int i = 0; status_ask().consoles > 0; i++) {
		assert_true(i < 10 * FRONT_QUESTIONS_MAX);
		worker_make(&worker);
		ask(&worker, 60000);
		worker_end(&worker);
	}
	front_stop();
}

static void test_a_flood_is_outlived(void **state)
{
	(void)state;
	int fds[FLOOD_AT_ONCE];
	front_start();
	for (int i = 0; i < FLOOD; i += FLOOD_AT_ONCE) {
		for (int j = 0; j < FLOOD_AT_ONCE; j++) {
			fds[j] = client_make();
			// Half of a hello.
			assert_true(send(fds[j], "\x12\0\0\0\x01\x01", 6, MSG_NOSIGNAL) == 6 || errno == EPIPE);
		}
		assert_int_equal(status_ask().state, BROKER_UNLOCKED);
		for (int j = 0; j < FLOOD_AT_ONCE; j++)
			close(fds[j]);
	}
	long kib = resident_kib(front_pid);
	print_message("%d half connections, %d at once: the front has %ld KiB\n", FLOOD, FLOOD_AT_ONCE, kib);
	assert_in_range(kib, 1, RESIDENT_KIB_MAX);
	front_stop();
}

// ------------------------------------------------------------------------------------------------------------------ the filter

static void try_execve(void)
{
	execl("/bin/true", "true", (char *)NULL);
}

static void try_socket(void)
{
	socket(AF_UNIX, SOCK_STREAM, 0);
}

static void try_internet_pair(void)
{
	int ends[2];
	socketpair(AF_INET, SOCK_STREAM, 0, ends);
}

static void try_open(void)
{
	open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void try_open_for_writing(void)
{
	open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void try_ptrace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void try_fork(void)
{
	if (fork() == 0)
		_exit(0);
}

static void try_kill(void)
{
	kill(getppid(), 0);
}

static void try_executable_memory(void)
{
	(void)!mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_send_to_another(void)
{
	sendto(0, "x", 1, 0, (struct sockaddr *)&address, sizeof(address));
}

static void try_write(void)
{
	(void)!write(-1, "x", 1);
}

static void try_what_it_may(void)
{
	int ends[2];
	void *memory = malloc(1 << 20);
	if (!memory || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || send(ends[0], "x", 1, MSG_NOSIGNAL) != 1)
		_exit(3);
	free(memory);
}

static int end_of(void (*attempt)(void))
{
	int status = -1;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		if (front_confine(&err) < 0)
			_exit(2);
		attempt();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_the_filter_leaves_sockets_and_memory(void **state)
{
	(void)state;
	static void (*const attempts[])(void) = {
		try_execve, try_socket, try_internet_pair, try_open, try_open_for_writing, try_ptrace, try_fork, try_kill,
		try_executable_memory, try_send_to_another, try_write,
	};
	skip_where_the_filter_cannot_stand();
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		int status = end_of(attempts[i]);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("attempt %zu ended with %#x", i, (unsigned)status);
	}
	assert_int_equal(end_of(try_what_it_may), 0);
}

static int folder_make(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
	return 0;
}

static int folder_remove(void **state)
{
	(void)state;
	unlink(address.sun_path);
	return rmdir(folder);
}

#define CASE(name) cmocka_unit_test_setup(name, scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_status_and_lock),
		CASE(test_a_request_from_hello_to_the_end),
		CASE(test_the_worker_gets_the_connection),
		CASE(test_refusals_say_why),
		CASE(test_what_is_no_message_ends_the_connection),
		CASE(test_descriptors_are_not_taken),
		CASE(test_a_console_that_does_not_read_is_closed),
		CASE(test_a_busy_keeper_loses_nothing),
		CASE(test_memory_is_bounded),
		CASE(test_a_flood_is_outlived),
		CASE(test_the_filter_leaves_sockets_and_memory),
	};
	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
