// approve/ancestry: which processes a request comes from, and the session that it belongs to. Read from /proc.
//
// Names are what processes say of themselves: untrusted text, and any process can take any. They help a human to know
// what asks, and decide nothing. Numbers and start times are the kernel's.
#pragma once

#include <sys/types.h>

#include "policy/policy.h"

#define ANCESTRY_STEPS_MAX 32
#define ANCESTRY_NAME_BYTES 64
// Processes that are named in a question.
#define ANCESTRY_SHOWN_MAX 8

struct ancestor {
	pid_t pid;
	char name[ANCESTRY_NAME_BYTES]; // its command name; behind node and python also the base name of the script
};

struct ancestry {
	struct ancestor items[ANCESTRY_STEPS_MAX]; // nearest first
	size_t count;
	const char *agent; // static: the nearest that calls itself like a known AI agent; NULL: none does
};

// From `of` upward to process 1. `proc` is "/proc", or a folder like it for tests. Ends early where a parent cannot be
// read or passes on its children meanwhile; cannot fail: with nothing to be read, `of` alone is there, named "?".
void ancestry_find(const char *proc, pid_t of, struct ancestry *out);

// The leader of the session of process `of`: number and start time, both of one process that was alive after they were
// read. All zero when there is none, it is gone, or it is the calling process itself. ERR_SYSTEM when `of` cannot be
// examined, or the kernel has no pidfd_open (5.3).
int session_leader_find(pid_t of, struct rule_session *out, struct err *err);
