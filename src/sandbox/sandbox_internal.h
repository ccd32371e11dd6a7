// sandbox's own pieces: one file for each mechanism.
#pragma once

#include <linux/filter.h>

#include "sandbox/sandbox.h"

// --- paths.c: which files the program may read and write, as Landlock wants it: by hierarchies.

// Rights to what is at `path`, and where it is a folder to all that is below it.
enum access_kind {
	ACCESS_LIST = 1,    // the names in folders
	ACCESS_READ = 2,    // reading and executing files, listing
	ACCESS_WRITE = 4,   // everything to files and folders, but devices
	ACCESS_DEVICE = 8   // reading, writing and ioctl of a device
};
struct access {
	char *path; // owned; absolute
	unsigned rights;
};
struct access_list {
	struct access *items; // owned
	size_t count;
};
// Everything can be read but what plan->hidden names; folders above something hidden are opened up child by child, as they
// are now. /dev, whole: the harmless devices alone; /dev/pts: nothing (the own terminal is added at the start). Blocks for
// reading folders. ERR_LIMIT beyond ACCESS_MAX.
#define ACCESS_MAX 8192
int access_list_build(const struct sandbox_plan *plan, struct access_list *out, struct err *err);
void access_list_done(struct access_list *list);
// What hardened hides, and what may be written: fills plan->hidden and plan->writable.
int paths_fill(const struct sandbox_wish *wish, const struct sandbox_place *place, struct sandbox_plan *plan,
	       struct err *err);
// Appends a copy of the text; once, however often it is added. ERR_MEMORY, ERR_LIMIT.
int list_add(struct sandbox_list *list, const char *text, struct err *err);
void list_done(struct sandbox_list *list);
// Is `path` that folder, or below it? Both absolute and real.
bool path_is_below(const char *path, const char *folder);

// --- landlock.c

int landlock_abi(void); // 0: there is none
// Restricts this process to the list (paths that do not exist are passed over), the terminals, and with has_scope signals and
// abstract sockets. Async-signal-safe. 0 or errno: ENOSYS or EOPNOTSUPP without Landlock; E2BIG when the layers are used up.
int landlock_enter(const struct access_list *list, const int terminal_fds[3], bool has_scope);

// --- filter.c: a list of what is refused. A system call that is not on it, newer ones among them, goes to the kernel:
// otherwise programs would break with each kernel and C library.

enum filter_kind {
	FILTER_TIER, // of hardened and lockdown
	FILTER_JAIL  // the same, but what is in a jail may trace what is in the jail, to which Landlock keeps it
};

enum filter_test {
	FILTER_ALWAYS,
	FILTER_EQUAL,  // the argument is the value
	FILTER_DIFFERS,
	FILTER_HAS_BIT // the argument has a bit of the value
};

// The first row of a call that applies gives the answer. Only the low 32 bits of an argument are looked at, as the kernel
// does with those arguments.
struct filter_row {
	int call;
	unsigned argument; // which one, from 0
	enum filter_test test;
	uint32_t value;
	int answer;        // an errno; 0: it goes to the kernel
	const char *reason; // why, in a few words
	bool is_tracing;   // not in FILTER_JAIL
};
extern const struct filter_row filter_rows[];
extern const size_t filter_row_count;

// A filter out of the rows. It kills who calls by the numbers of another architecture, or of x32. out->filter is owned, by
// free(3). Takes a few microseconds. ERR_NO_EXEC on machines for which there is none.
int filter_build(enum filter_kind kind, struct sock_fprog *out, struct err *err);
// 0 or errno. Wants no_new_privs. Async-signal-safe.
int filter_enter(const struct sock_fprog *filter);

// --- mounts.c: in a mount namespace of its own, with all capabilities in it. 0 or errno.

// Mounts a /proc of the PID namespace over /proc.
int mounts_proc(void);
// Lockdown's tree: everything read-only but the working folder and what else may be written; fresh /tmp, /dev/shm (with a
// size), /var/tmp, /run, /dev; what is hidden is covered. The working folder is entered anew. Then /proc as above.
int mounts_tree(const struct sandbox_plan *plan);

// --- network.c

struct relay; // the process outside that resolves and connects
// SANDBOX_NETWORK_ALLOW: starts the relay, which has nothing of this process's memory that is secret, and no descriptor
// but its own. ERR_SYSTEM.
int network_relay_start(const struct sandbox_plan *plan, struct relay **out, struct err *err);
void network_relay_stop(struct relay *relay); // NULL is fine
// In process 1, in its own network namespace: loopback up where it is wanted; for ALLOW an address of the loopback for each
// host, /etc/hosts covered by one that names them, listening sockets, which go to the relay. 0 or errno.
int network_enter(const struct sandbox_plan *plan, struct relay *relay);

// --- limits.c: 0 or errno

int limits_no_new_privs(void);
int limits_no_core(void);
