// sandbox's own pieces: one file for each mechanism.
#pragma once

#include <linux/filter.h>

#include "sandbox/sandbox.h"

// --- hidden.c: what hardened and lockdown hide in a home, beside envseal's own folders.

struct hidden_row {
	const char *group;  // why: "keys", "cloud", "tokens", "keyrings", "agents", "browsers", "history"
	const char *folder; // below the home; "": the home itself
	const char *name;   // in it; ending in '*': all names that begin so
};
// Rows of one folder lie together.
const struct hidden_row *hidden_rows(size_t *ret_count);

// --- paths.c: what is hidden, and what may be written.

// Fills plan->hidden, plan->shown and plan->writable; leaves them empty for standard.
//  - Hidden: the rows of hidden.c below the home, and place->own; the name, and the place it leads to where it or a folder
//    above it is a symbolic link. A row with '*' is the names that there are now, and the name without it.
//  - wish->readable: what is itself hidden is hidden no longer (but what in it is hidden by a row of its own); what is below
//    something hidden is shown alone, and must exist (ERR_NOT_FOUND); what can be read anyway is fine. ERR_USAGE: a path
//    above something hidden, which would show more than its name says; envseal's own; a device, which wish->writable gives.
//  - Writable: working folder, /tmp, /var/tmp, /dev/shm and place->temporary, where they exist; neither "/" nor what is
//    hidden, nor a working folder that is the home or lies above it, whose files run outside at the next login. wish->writable: ERR_NOT_FOUND; ERR_USAGE: "/", envseal's own, and what is hidden and not in wish->readable.
int paths_fill(const struct sandbox_wish *wish, const struct sandbox_place *place, struct sandbox_plan *plan,
	       struct err *err);
// Does the plan hide this real path? What is nearest above it in plan->hidden and plan->shown decides.
bool path_is_hidden(const struct sandbox_plan *plan, const char *path);

// --- access.c: which files the program may read and write, as Landlock wants it: by hierarchies.

// Rights to what is at `path`, and where it is a folder to all that is below it.
enum access_kind {
	ACCESS_LIST = 1,    // the names in folders
	ACCESS_READ = 2,    // reading and executing files, listing, connecting to sockets
	ACCESS_WRITE = 4,   // everything to files and folders, but devices
	ACCESS_DEVICE = 8,  // reading, writing and ioctl of a device
	ACCESS_CONNECT = 16 // connecting to sockets alone. What is not given here is only refused from Landlock ABI 9 on
};
struct access {
	char *path; // owned; absolute
	unsigned rights;
	bool is_file; // seen to be anything but a folder: only for speed
};
struct access_list {
	struct access *items; // owned
	size_t count;
	size_t capacity;
	bool has_image;
	int image_fd; // may be executed, and lies in no tree
};
// Neighbours lie together in the list. Everything can be read but what plan->hidden names, and in that what plan->shown names; of the plan nothing else counts
// but plan->writable. Blocks for reading folders; one that cannot be read gives what is known of it by name.
//  - A folder above something hidden is opened up: each child gets the right by itself, as they are now. A child that comes
//    later cannot be read. Symbolic links have no right of their own; where they lead to has.
//  - So is a writable folder above something hidden: what is in its child folders can be changed freely and the files in it
//    be written, but nothing can be made, renamed or removed in the folder itself, since that right would hold in what
//    is hidden too.
//  - Names can be listed everywhere, in what is hidden too: listing "/" is a right that holds below it.
//  - /dev: null, zero, full, random, urandom and tty; /dev/shm as any folder. Of /dev/pts nothing (the own terminal is
//    added at the start), and so no ptmx either: the other side of a new terminal could not be opened. What is writable by
//    plan->writable in /dev is a device to be used.
//  - The same file by another way, a hard link or a second mount, is another file here.
// ERR_LIMIT beyond ACCESS_MAX.
#define ACCESS_MAX 8192
int access_list_build(const struct sandbox_plan *plan, struct access_list *out, struct err *err);
// Appends a row of a copy of the path.
int access_list_add(struct access_list *list, const char *path, unsigned rights, struct err *err);
void access_list_done(struct access_list *list);
#define _cleanup_access_list_ _cleanup_(access_list_done)

// --- landlock.c. All async-signal-safe.

#define LANDLOCK_ABI_SCOPE 6 // Linux 6.12
int landlock_abi(void); // 0: there is none
// Bits of the faults that this kernel has repaired (Documentation/userspace-api/landlock.rst, "Landlock errata"). 0 before
// Linux 6.15, which does not tell.
unsigned landlock_errata(void);
bool landlock_has_scope(void); // ABI 6: signals and abstract sockets
// Restricts this process to the list (NULL: to no list of paths; paths that do not exist are passed over), the terminals,
// and with has_scope to signals and abstract sockets of its own. Wants no_new_privs. Rights that the kernel's ABI does not
// know stay as they are: before 3 truncate(2), before 5 ioctl of devices. 0 or errno: ENOSYS or EOPNOTSUPP without
// Landlock; EPROTONOSUPPORT for has_scope without landlock_has_scope(); E2BIG when the layers are used up. After a failure
// nothing is restricted.
int landlock_enter(const struct access_list *list, const int terminal_fds[3], bool has_scope);

// The same in pieces, so that a process outside can make the rules while the program's is made. They share the ruleset.
struct landlock_ruleset {
	int fd; // -1: nothing is to be restricted
	uint64_t handled;
};
#define LANDLOCK_RULESET_INIT ((struct landlock_ruleset){.fd = -1})
int landlock_ruleset_open(bool has_paths, bool has_scope, struct landlock_ruleset *out);
#define LANDLOCK_EARLY 1u // by whatever process of the machine
#define LANDLOCK_LATE 2u  // where the program has mounts of its own: behind those
int landlock_rules_add(const struct landlock_ruleset *ruleset, const struct access_list *list, unsigned parts);
int landlock_ruleset_enter(const struct landlock_ruleset *ruleset, const int terminal_fds[3]);

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

// --- mounts.c

struct mounts; // what is made for lockdown's tree before the fork
// In the process that prepares, and waits for nothing: starts the program that makes the fresh folders (trees_program.c).
// ERR_NO_EXEC: a path to write is gone.
int mounts_prepare(const struct sandbox_plan *plan, struct mounts **out, struct err *err);
void mounts_free(struct mounts *mounts); // NULL is fine. In the process that prepared it

// In process 1, in a mount namespace of its own, with all capabilities in it, and the user mapped; the group need not be.
// 0 or errno; after an errno the namespace is not fit for a program.

// Mounts a /proc of the PID namespace over /proc. EPERM where the one that is there is not fully visible. -errno where it is
// there and not as it is to be: the namespace is not fit for a program.
int mounts_proc(void);
// Lockdown's tree: everything read-only, without set-id programs and devices, but for what may be written (the working
// folder is seen in any case); fresh /tmp, /var/tmp, /dev/shm (each with a size), /run and /dev, which only files that are given there
// are seen in; what is hidden is covered, where it exists: a folder by an empty one, a file by an empty one that cannot be
// opened; a folder with something in it that is shown is not, but all else in it, as it is now. Then /proc as above. The
// working folder is entered anew; a deleted one is left for "/". Blocks until the program that mounts_prepare started has
// answered. Nothing reaches other namespaces.
//  - A working folder that is /tmp, /var/tmp or /dev/shm itself is the fresh one. Below them it is the real one, alone.
//  - EBUSY where a file is open for writing that was opened in this namespace (the maps in /proc, say).
//  - ELOOP where /tmp, /run or /dev is a symbolic link. ENOSYS before Linux 5.12.
//  - EACCES or ENOENT for what lies in something hidden.
// terminal_fd (-1: none) is a pseudo-terminal of the program's own, which is seen as /dev/console then.
int mounts_tree(const struct sandbox_plan *plan, struct mounts *mounts, int terminal_fd);

// --- leave.c

// What of the mounts outside the comparison needs, where namespaces can be entered by their numbers; else nothing.
struct leave {
	int proc_fd; // the /proc outside
	int list_fd; // the mountinfo of the process that supervises; -1: there is nothing to be compared
	int tree_fd; // the copy, once it is there. Mounts can be laid on it until this is closed
};
#define LEAVE_NONE ((struct leave){.proc_fd = -1, .list_fd = -1, .tree_fd = -1})
int leave_prepare(struct leave *out); // before the fork. 0 or errno
void leave_done(struct leave *leave);
// In process 1: leaves the mount namespace's tree for a copy of it that lies in none; enters the working folder anew (NULL:
// stays in the one that was deleted). /proc/self/mountinfo is empty then. With something to be compared this comes first,
// and the tree is built in that copy (such a kernel lets mounts be laid on it); else last. 0 or errno; ESTALE: somebody
// else has mounted something.
int mounts_leave(struct leave *leave, const char *directory);

// --- covers.c

// Appends the paths that mounts covers: plan->hidden, and where plan->shown names something below one, all that is beside
// that and above it, in the folders between. 0 or errno: EACCES for such a folder that cannot be listed.
int covers_list(const struct sandbox_plan *plan, struct text_list *covers);

// --- network.c

struct relay; // the process outside that resolves and connects
// SANDBOX_NETWORK_ALLOW: starts the relay, which is a program of its own (outside.h) and has nothing of this process's. It is
// a child of this process and dies with it, also after that one's exec, so it may serve a program that takes its starter's
// place. Until network_enter has handed it its sockets it also ends where the last copy of `relay` is closed.
// ERR_SYSTEM, ERR_LIMIT.
int network_relay_start(const struct sandbox_plan *plan, struct relay **out, struct err *err);
void network_relay_stop(struct relay *relay); // NULL is fine. In the process that started it
// In process 1, in its own network namespace: loopback up where it is wanted; for ALLOW an address of the loopback for each
// host, /etc/hosts covered by one that names them first, listening sockets, which go to the relay. 0 or errno. After
// mounts_tree, where there is one; ALLOW wants a mount namespace in any case.
//  - A name leads to 127.77.0.1-32; an address is added to the loopback; localhost, 127.0.0.0/8 and ::1 are the machine's
//    own, at these ports alone.
//  - A host that does not resolve, refuses or does not answer within 5 s at any of its addresses is a connection that is
//    reset (ECONNRESET). 256 connections at a time; further ones wait.
//  - ENOENT where the machine has no /etc/hosts.
int network_enter(const struct sandbox_plan *plan, struct relay *relay);

// --- namespaces.c: 0 or errno

unsigned long namespaces_flags(const enum sandbox_need needs[]); // CLONE_NEW…, of those that `needs` names
// fork(2) into the namespaces that `needs` names.
int namespaces_fork(const enum sandbox_need needs[], pid_t *ret_pid);
struct owner {
	uid_t user;
	gid_t group;
};
// A user namespace of this user's, and what its maps are to be.
struct joined {
	int user_fd; // -1: there is none
	int proc_fd;
	struct owner inside, outside;
};
// The same, but in that user namespace. The child has all capabilities in it. ESTALE: it has other maps.
int namespaces_fork_in(const struct joined *space, const enum sandbox_need needs[], pid_t *ret_pid);
// By what /proc says of the running kernel, which no filter or personality of whoever started this changes. Where it says
// nothing: no.
bool kernel_is_before(unsigned major, unsigned minor);
// Linux 6.18: can a namespace be opened by its number? Then its owner gets into one that no process opens a way to.
bool namespaces_are_open(void);
// After a failure: the first of them that cannot be had.
enum sandbox_mechanism namespaces_culprit(const enum sandbox_need needs[]);
// Calls `run` in a child that has this process's memory, while this one waits until it has ended, or is another program: so
// nothing is copied, and it is as closed to others as this process. Not vfork(2), which may not be called on another stack
// (AddressSanitizer), but one of `stack_bytes`, which is allocated for it. -1 with errno.
pid_t process_share(int (*run)(void *), void *context, size_t stack_bytes, int flags);
#define SHARED_STACK_BYTES 32768 // enough for what makes no great paths

// proc_fd is a /proc that nobody else can have laid anything in: not of a mount namespace that others can enter.

// In a new user namespace, with all capabilities in it: maps one user and one group, which are `outside` in the namespace
// around it. ESTALE where somebody else has done so before, or does it meanwhile; ECHILD where he ends what it is done by.
int namespaces_map(int proc_fd, struct owner inside, struct owner outside);
// The pieces. Writes the maps of the namespace in which that process is, as a folder of /proc, where that is open to this one.
int namespaces_maps_write(int proc_fd, const char *process, struct owner inside, struct owner outside);
// Has the namespace that this process is in these maps, and no others? ESTALE: no.
int namespaces_maps_check(int proc_fd, struct owner inside, struct owner outside);

// A process in this one's user namespace, whose files in /proc are the user's. Others of the same user can trace it.
struct standin {
	pid_t pid;
	int proc_fd;      // borrowed
	char process[24]; // its folder
};
int standin_start(int proc_fd, struct standin *out);
int standin_map(const struct standin *standin, struct owner inside, struct owner outside);
// Into a new user namespace, below the one that it was in.
int standin_go_on(const struct standin *standin);
int standin_namespace(const struct standin *standin, int *ret_fd); // its user namespace
void standin_end(struct standin *standin); // also of what could not be started

// A program is held at its first instruction, by its parent. In the program's process; its memory must not be envseal's
// much longer. Where SIGTRAP is blocked, an exec stops nobody.
int hold_ask(void);
// In the parent, before the exec: what stops a held program by the way goes on.
void hold_pass_on(pid_t program);
// When the program's image is in place: waits until it is held. False: it has ended.
bool hold_await(pid_t program);
void hold_release(pid_t program, const sigset_t *mask); // with that signal mask

// --- folder.c

struct placed_image {
	int folder_fd;
	int file_fd;         // O_PATH
	struct joined space; // that the program is to be started in; both descriptors owned
	pid_t maker;         // a child that has done its work, and is to be reaped: its end takes a while
};
// See sandbox_image_open.
int image_open(int source_fd, const char *name, struct placed_image *out);

// --- limits.c: 0 or errno

int limits_no_new_privs(void);
int limits_no_core(void);
int limits_processes(void);
// None in any set, none in the bounding set, and root's exec gains none.
int limits_capabilities(void);
// Of this process alone, and now.
void limits_capabilities_drop(void);
