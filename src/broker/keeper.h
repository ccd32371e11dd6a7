// broker/keeper: the process that holds the key. It reads messages of its front and words of its workers, and nothing
// of clients.
#pragma once

#include "broker/broker.h"
#include "broker/hold.h"
#include "broker/protocol.h"
#include "broker/socket.h"

#define KEEPER_SESSIONS_MAX 64

// A session that was granted something: watched by pidfd, so that what it was granted ends with it.
struct keeper_session {
	struct rule_session session;
	int pidfd;
};

// Processes that are this one's children, in the order of their numbers. Bounded by FRONT_WORKERS_MAX and what programs
// leave behind.
struct pid_list {
	pid_t *items;
	size_t count, room;
};
void pid_list_done(struct pid_list *list);
bool pid_list_has(const struct pid_list *list, pid_t pid);
int pid_list_add(struct pid_list *list, pid_t pid, struct err *err);
bool pid_list_remove(struct pid_list *list, pid_t pid);

struct keeper {
	const struct broker_setup *setup;
	int listen_fd;       // until the front has it
	int lock_fd;         // that keeps a second broker away (socket.h)
	struct socket_name name;
	struct hold hold;
	pid_t front;         // -1: it has ended
	pid_t anchor;        // -1: it has ended; keeps the vault open, without its key; what it does is done for speed alone
	int front_fd;        // -1: the front has ended, or is to end
	struct inbox inbox;
	int signal_fd;
	int clock_fd;        // tells when the clock was set, as it is behind a suspension
	int lifeline[2];     // workers hold its read end: it ends with this process
	int words[2];        // workers hold its write end
	struct pid_list workers;
	struct pid_list permitted; // of the workers: a run of theirs goes on
	struct pid_list survivors; // of runs that ended as they should: they may go on
	struct keeper_session sessions[KEEPER_SESSIONS_MAX];
	size_t session_count;
	int64_t notify_next_ms; // no notification on the desktop before
	const char *reason;  // why the key was wiped; NULL while it is held
	bool is_terminated;  // programs end too
};

// Forks the front and serves until everything is over: the key is wiped, and the last worker has ended. `ready` is
// called once, when clients can connect. ERR_SYSTEM when it could not begin.
int keeper_run(struct keeper *keeper, void (*ready)(void *context), void *context, struct err *err);
void keeper_done(struct keeper *keeper);

// --- keeper_children.c

// Takes note of ended children, and before of what they had to say. A worker that did not end as it should leaves
// programs with secrets behind: they are killed. False: the front has ended.
bool children_reap(struct keeper *keeper);
// Waits for the end of a process, until then (CLOCK_MONOTONIC). False: it has not ended, or pidfd is -1.
bool pidfd_await(int pidfd, int64_t deadline_ms);

// --- keeper_words.c: what a worker has to tell the keeper. Not through the front, which reads what anybody sends: it
// must not be able to keep the vault open, and cannot say whose word it is.

enum word_kind { WORD_PERMITTED = 1, WORD_GRANTED };
struct worker_word {
	pid_t pid; // whose it is
	enum word_kind kind;
	struct rule_session session; // of WORD_GRANTED
};
int words_open(struct keeper *keeper, struct err *err);
// Whole or not at all. A word that nobody reads any more is lost.
void word_send(int fd, const struct worker_word *word);
// Takes what was said until now; of workers only.
void words_take(struct keeper *keeper);

// --- worker.c

// Its processes are called so; those of a program can be as well.
#define WORKER_NAME "envseal-worker"

// A worker that leaves processes behind which may go on ends with this status; any other than 0 is a failure.
#define WORKER_LEFT_SURVIVORS 3

struct worker_setup {
	struct engine *engine;
	broker_do_fn *work;
	int client_fd, desk_fd;
	int lifeline_fd;
	int words_fd;
};
_Noreturn void worker_run(const struct worker_setup *setup);

// --- service.c: what the system around it is told and tells

// The socket that systemd hands on (sd_listen_fds(3)): exactly one listening Unix stream socket. -1: none.
int service_socket(void);
// "READY=1" and the like to $NOTIFY_SOCKET, if there is one (sd_notify(3)). What cannot be told is not.
void service_tell(const char *state);
// A notification on the desktop that the broker was started from, if it has the program for it. Does not wait.
void service_notify_human(void);
