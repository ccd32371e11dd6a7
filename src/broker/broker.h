// broker: the same use-cases in processes that the human started. `envseal unlock` leaves a keeper behind, which holds
// the vault's key; whatever front end an agent starts only asks it. Format: docs/format-broker.md.
//
// Processes, all of them undumpable
//  - keeper: holds the shielded root key, the clock and the workers. Reads nothing from clients.
//  - front: the keeper's first child. Listens, reads what clients send first, keeps the questions that wait. Has no key, and
//    a seccomp filter that leaves it sockets and memory.
//  - worker: one for each request, forked by the keeper, which hands it the client's connection. Reads the request, and does
//    everything else as the direct mode does: identity, guard, rules, question, audit, exec, supervision, redaction.
//  - anchor: has the vault open, without its key, and does nothing: for speed alone.
//  - client: any envseal that found a broker. Passes on its command line, environment, folder and standard descriptors.
//
// Invariants
//  - No message carries a value, a key, a passphrase, a code, or an "approved" that its reader has to believe: an
//    approval is vouched for by the vault's key (engine.h), and a value is left in the vault, sealed.
//  - Both ends of a connection belong to one user (SO_PEERCRED), and each holds the other by a pidfd.
//  - When the client is gone its program ends; when keeper, front or worker is gone, every program of theirs ends.
//    Behind a lock (asked for, in time, idle, behind a suspension) what runs goes on, and nothing begins.
#pragma once

#include "engine/engine.h"

// ------------------------------------------------------------------------------------------------------- the human's side

// What a worker is to do for a client: everything that envseal's main has when it is started.
struct broker_work {
	// The command line behind "envseal", NULL-terminated; empty for a deposit.
	char *const *words;
	char *const *environment;
	const struct exec_inherited *inherited;
	// A value left in the vault, to be taken over.
	const char *deposit; // name; NULL: none
	uint8_t digest[DIGEST_BYTES];
};

// How it ended, as a process does.
struct broker_end {
	int status;
	int signal; // 0: none
};

// Does the work in a worker, whose standard descriptors and folder are the client's; prints what there is to be
// printed. `engine` is held (engine.h) and serves that client.
typedef void broker_do_fn(struct engine *engine, const struct broker_work *work, struct broker_end *out);

struct broker_setup {
	struct engine *engine; // held
	int64_t for_seconds;   // from now until it locks by itself
	int64_t idle_seconds;  // without a permitted run; 0: never
	bool foreground;       // stay this process's; else a daemon is left behind, and the call returns when it is ready
	broker_do_fn *work;
};
// Refuses where one runs already: ERR_EXISTS. Takes over a socket that systemd handed on (sd_listen_fds(3)), and tells
// it when it is ready (sd_notify(3)). With `foreground` it returns after the lock; without, in this process at once,
// and never in the other. After it this process is to end by _exit: it shares secret pages with the daemon.
int broker_start(const struct broker_setup *setup, struct err *err);

// --------------------------------------------------------------------------------------------------------- anybody's side

enum broker_state { BROKER_NONE, BROKER_UNLOCKED, BROKER_OTHER_VAULT };
struct broker_status {
	enum broker_state state;
	pid_t pid;            // of the keeper
	int64_t since;        // seconds since the epoch
	int64_t until;        // when it locks at the latest
	int64_t idle_seconds; // 0: never
	uint32_t running;     // requests that are being worked on
	uint32_t waiting;     // of these, questions that wait for the human
	uint32_t consoles;
};
// `out->state` BROKER_NONE where none runs. ERR_UNSAFE when the socket is not this user's; ERR_SYSTEM when what listens
// there does not answer (in five seconds) or speaks another version: the sentence says how to end it.
int broker_status(const struct home *home, struct broker_status *out, struct err *err);
// Has it lock, and waits until it has. ERR_NOT_FOUND when none runs.
int broker_lock(const struct home *home, struct err *err);
// Has the work done. Blocks until it is; signals, stops and the terminal are passed on meanwhile. ERR_NOT_FOUND when no
// broker runs for this vault: nothing was sent, so it can be done directly. ERR_SYSTEM when the broker or the worker
// was ended meanwhile.
int broker_forward(const struct home *home, const struct broker_work *work, struct broker_end *out, struct err *err);

// ------------------------------------------------------------------------------------------------------------ the console

struct broker_watch;
struct broker_question {
	uint32_t id;
	int64_t age_seconds;
	int64_t left_seconds;
	struct desk_question question; // borrowed; ends with the next call
};
enum broker_event { BROKER_QUESTION = 1, BROKER_GONE, BROKER_JUDGED, BROKER_SYNC };

// A console: is told of every question that waits, then BROKER_SYNC, then of each that comes. ERR_NOT_FOUND, ERR_LIMIT
// when there are too many consoles.
int broker_watch(const struct home *home, struct broker_watch **out, struct err *err);
struct broker_watch *broker_watch_close(struct broker_watch *watch);
void broker_watch_close_ptr(struct broker_watch **watch);
#define _cleanup_broker_watch_ _cleanup_(broker_watch_close_ptr)
int broker_watch_fd(const struct broker_watch *watch); // for poll
// Waits for the next event, at most `timeout_ms` (-1: for ever). 0 when none came in time, else an enum broker_event;
// `out` is filled for QUESTION, and its id for GONE and JUDGED; *out_valid for JUDGED. ERR_NOT_FOUND when the broker
// has ended.
int broker_watch_next(struct broker_watch *watch, int timeout_ms, struct broker_question *out, bool *out_valid, struct err *err);
int broker_watch_answer(struct broker_watch *watch, uint32_t id, const struct desk_answer *answer, struct err *err);
