// A caller in another process, for the tests of exec. Three stand between the test and the program: a shell with job
// control, the client that it started, and the worker, which only the client knows. Client and worker speak a protocol of
// the test's own.
#pragma once

#include "exec_screen.h"

#include "exec/exec_internal.h"

// -------------------------------------------------------------------------------------------------------- the protocol

enum word_kind { HELLO = 1, BEGIN, BEGUN, SIGNAL, STOP, CONTINUED, TELL_GROUP };

// HELLO: the client, a member of its group. BEGIN: has a terminal. SIGNAL: number, is its own. STOP: number, whole group.
// CONTINUED: it was. TELL_GROUP: number.
struct word {
	enum word_kind kind;
	int first;
	int second;
};

static inline void word_say(int fd, enum word_kind kind, int first, int second)
{
	const struct word word = {kind, first, second};
	send(fd, &word, sizeof(word), MSG_NOSIGNAL);
}

// False at the end; waits for a word unless `flags` say otherwise.
static inline bool word_hear(int fd, int flags, struct word *out)
{
	ssize_t n;
	do
		n = recv(fd, out, sizeof(*out), flags);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*out);
}

// ---------------------------------------------------------------------------------------------------------- the client

struct client_state {
	struct exec_inherited inherited;
	struct signals signals;
	int link_fd;
};

static inline void client_obey(struct client_state *client, const struct word *word)
{
	struct err err;
	switch (word->kind) {
	case BEGIN:
		scene_require(signals_open(&client->signals, &(struct exec_plan){.inherited = &client->inherited},
					   word->first != 0, &err) == 0);
		word_say(client->link_fd, BEGUN, 0, 0);
		break;
	case STOP:
		word_say(client->link_fd, CONTINUED, signals_stop(&client->signals, word->first, word->second != 0), 0);
		break;
	case TELL_GROUP:
		kill(0, word->first);
		break;
	case HELLO:
	case BEGUN:
	case SIGNAL:
	case CONTINUED:
		_exit(SCENE_FAILED);
	}
}

static inline void client_pass_on(struct client_state *client)
{
	struct exec_event event;
	while (signals_next(&client->signals, &event))
		if (event.number != SIGCHLD)
			word_say(client->link_fd, SIGNAL, event.number, event.is_own);
}

// Another member of the client's group. It ends by SIGINT.
static inline pid_t companion_start(void)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int fd = 0; fd < 256; fd++)
		close(fd);
	for (;;)
		pause();
}

static inline _Noreturn void client_run(int terminal, int link_fd)
{
	struct client_state client = {.signals = {.fd = -1}, .link_fd = link_fd};
	struct err err;
	struct word word;
	setpgid(0, 0);
	if (terminal >= 0)
		scene_require(tcsetpgrp(terminal, getpid()) == 0);
	signal(SIGTTOU, SIG_DFL);
	scene_require(exec_inherit(&client.inherited, &err) == 0);
	word_say(link_fd, HELLO, getpid(), companion_start());
	for (;;) {
		struct pollfd fds[] = {{.fd = client.signals.fd, .events = POLLIN}, {.fd = link_fd, .events = POLLIN}};
		if (poll(fds, ARRAY_COUNT(fds), -1) < 0)
			continue;
		if (fds[0].revents)
			client_pass_on(&client);
		if (fds[1].revents && !word_hear(link_fd, 0, &word))
			_exit(0);
		if (fds[1].revents)
			client_obey(&client, &word);
	}
}

// Tells every change of its job's state; goes on with it as it is told, 'f' in the foreground or 'b' not.
static inline _Noreturn void shell_run(int terminal, int shell_fd, int link_fd)
{
	int status;
	char command;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	scene_require(setsid() >= 0 && (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0) == 0));
	signal(SIGTTOU, SIG_IGN);
	pid_t job = fork();
	if (job == 0)
		client_run(terminal, link_fd);
	close(link_fd);
	for (;;) {
		scene_require(waitpid(job, &status, WUNTRACED) == job);
		if (terminal >= 0)
			tcsetpgrp(terminal, getpgrp());
		send(shell_fd, &status, sizeof(status), MSG_NOSIGNAL);
		if (!WIFSTOPPED(status) || recv(shell_fd, &command, 1, 0) != 1)
			_exit(0);
		if (command == 'f' && terminal >= 0)
			tcsetpgrp(terminal, job);
		kill(-job, SIGCONT);
	}
}

// ---------------------------------------------------------------------------------------------------------- the worker

#define EARLY_MAX 16

// In the worker: the client as exec sees it.
struct link {
	int fd;
	struct word early[EARLY_MAX]; // heard while it waited for another word
	size_t early_count;
	size_t early_at;
	bool was_gone; // and that was told
};

static inline int link_begin(void *context, bool has_terminal, struct err *err)
{
	const struct link *link = context;
	struct word word;
	word_say(link->fd, BEGIN, has_terminal, 0);
	if (word_hear(link->fd, 0, &word) && word.kind == BEGUN)
		return 0;
	return err_set(err, ERR_INTERRUPTED, "the client is gone");
}

static inline bool link_next(void *context, struct exec_event *out)
{
	struct link *link = context;
	struct word word;
	errno = 0;
	scene_require(!link->was_gone);
	if (link->early_at < link->early_count)
		word = link->early[link->early_at++];
	else if (!word_hear(link->fd, MSG_DONTWAIT, &word)) {
		link->was_gone = errno != EAGAIN;
		*out = (struct exec_event){.is_gone = true};
		return link->was_gone;
	}
	*out = (struct exec_event){.number = word.first, .is_own = word.second != 0};
	return true;
}

static inline bool link_stop(void *context, int number, bool whole_group)
{
	struct link *link = context;
	struct word word;
	word_say(link->fd, STOP, number, whole_group);
	while (word_hear(link->fd, 0, &word)) {
		if (word.kind == CONTINUED)
			return word.first != 0;
		scene_require(link->early_count < EARLY_MAX);
		link->early[link->early_count++] = word;
	}
	return false;
}

static inline void link_tell_group(void *context, int number)
{
	const struct link *link = context;
	word_say(link->fd, TELL_GROUP, number, 0);
}

static inline struct exec_caller link_caller(struct link *link, pid_t pid)
{
	return (struct exec_caller){pid, link->fd, link_begin, link_next, link_stop, link_tell_group, link};
}

// ------------------------------------------------------------------------------------------------------------ the test

struct client {
	pid_t shell;
	pid_t pid;
	pid_t companion;
	int shell_fd;
	struct link link;
	struct exec_caller caller;
};

// `terminal` -1: none.
static inline void client_start(struct client *client, int terminal)
{
	int link[2];
	int shell[2];
	struct word hello;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, shell), 0);
	client->shell = fork();
	assert_true(client->shell >= 0);
	if (client->shell == 0) {
		// The test's ends among them: a terminal whose other end they held would never be hung up.
		for (int fd = 3; fd < 256; fd++)
			if (fd != terminal && fd != shell[1] && fd != link[1])
				close(fd);
		shell_run(terminal, shell[1], link[1]);
	}
	close(link[1]);
	close(shell[1]);
	assert_true(word_hear(link[0], 0, &hello) && hello.kind == HELLO);
	client->pid = hello.first;
	client->companion = hello.second;
	client->shell_fd = shell[0];
	client->link = (struct link){.fd = link[0]};
	client->caller = link_caller(&client->link, client->pid);
}

// From here on the worker alone is at the other end.
static inline struct actor client_scene(struct client *client, struct scene *scene)
{
	scene->caller = &client->caller;
	struct actor worker = scene_start(scene);
	close(client->link.fd);
	return worker;
}

static inline int client_await_change(const struct client *client)
{
	int status = 0;
	assert_int_equal(recv(client->shell_fd, &status, sizeof(status), 0), sizeof(status));
	return status;
}

static inline void client_await_stop(const struct client *client, int number)
{
	int status = client_await_change(client);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(WSTOPSIG(status), number);
}

static inline void client_continue(const struct client *client, char command)
{
	assert_int_equal(send(client->shell_fd, &command, 1, 0), 1);
}

// The client has ended, and its shell after it.
static inline void client_end(struct client *client, int number)
{
	int status = client_await_change(client);
	if (number == 0)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	else
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == number);
	assert_int_equal(waitpid(client->shell, &status, 0), client->shell);
	close(client->shell_fd);
}

// Orphans of the scene come to the test: none is left.
static inline void assert_nobody_left(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
	assert_int_equal(errno, ECHILD);
}

static inline struct scene worker_on(const struct screen *screen, const char *const *argv)
{
	struct scene scene = scene_on(screen, argv);
	scene.leads_terminal = false;
	return scene;
}
