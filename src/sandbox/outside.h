// Small programs of envseal's own that work for one start from outside its namespaces. Programs and no forks: whoever starts
// them may hold secrets, and of those exec leaves nothing behind.
#pragma once

#include "base/base.h"

struct outside_program {
	const char *name;
	const uint8_t *start; // an ELF file, embedded so that nobody can put another in its place
	uint64_t bytes;
};

struct outside {
	pid_t pid; // child of this process; 0: none
	int fd;    // our end of its descriptor 0, a pair of sockets (SOCK_SEQPACKET); -1: none
};
#define OUTSIDE_INIT ((struct outside){.fd = -1})

// Starts it in a session of its own, with an empty environment, no other descriptor, all signals at their defaults. Descriptor 1
// is a pidfd of the process that started it, or /dev/null where there are none; 2 is /dev/null. It ends with that process, by a
// signal: but not with one that has put itself into a Landlock domain with signals scoped, which the kernel refuses that signal;
// what lives so long looks at descriptor 1. argv[0] is its name. Nobody may look into its process,
// from its first instruction on; so it cannot write its own maps. ERR_SYSTEM.
int outside_start(const struct outside_program *program, char *const argv[], struct outside *out, struct err *err);
void outside_end(struct outside *outside); // kills it, where it is still there
// Receives one message with its descriptors, close-on-exec, at most `max`; their number or -errno. -EPIPE: it has ended. What
// could not be started sends an int, its errno, which is what is returned; so no message has that size.
// Blocks. Any process that has the descriptor may call it.
int outside_receive(int fd, void *message, size_t bytes, int *fds, size_t max);
// Sends one with descriptors (64 at most). 0 or errno.
int outside_send(int fd, const void *message, size_t bytes, const int *fds, size_t count);
