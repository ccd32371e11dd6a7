// broker/front: the process that listens. Holds no key, and trusts nobody: what it passes on is checked where it arrives.
//
// Invariants
//  - One epoll loop; nothing blocks: a console or worker that does not take what it is sent is closed.
//  - Memory is bounded: so many connections that have said nothing (the oldest goes when one more comes), so many
//    consoles, workers and questions; each with a deadline.
//  - After front_confine only what the loop needs is permitted by the kernel; anything else ends the process.
#pragma once

#include "broker/protocol.h"

#define FRONT_NEW_MAX 1024         // connections that have not said anything yet
#define FRONT_NEW_MS 5000          // how long they may take
#define FRONT_NEW_LEAST_MS 1000    // and how long they have in any case: on a machine that is busy a client may need it
#define FRONT_CONSOLES_MAX 16
#define FRONT_WORKERS_MAX 1536     // fewer where the descriptor limit is lower
#define FRONT_QUESTIONS_MAX 64
#define FRONT_ANSWERS_MAX 5        // that do not count, for one question; then it is denied
#define FRONT_FILES_MAX 16384      // the soft limit of descriptors is raised so far, where the hard one lets it

struct front_setup {
	int listen_fd;
	int keeper_fd;          // stream socket: sends KEEPER_FRONT messages, its end is the front's end
	uint64_t device, inode; // of the vault's folder
	struct broker_status status; // what does not change; its pid is the parent's
};
// Runs until the keeper's end closes, then tells who waits for the lock, and ends with 0. In the forked child, which
// has no key any more; closes what it has inherited but for these two and the standard descriptors, and leaves signals
// to the keeper. It is killed when its parent ends: the keeper closes its end and waits for this process before.
// Returns only on failure.
int front_run(const struct front_setup *setup, struct err *err);
// The seccomp filter (libseccomp). ERR_SYSTEM where the kernel has none.
int front_confine(struct err *err);
