// sandbox: plan, then enter. A tier, with what is asked for beside it, becomes a plan: pure data, which `run --explain`
// prints and the intent record holds. Then one process is started in it, in the only right order, without root. What was
// really applied is a record.
//
// Invariants
//  - A tier means the same on every machine. A mechanism that it requires and the kernel does not give is a refusal; with
//    `degrade` it is left out, and the record says so. What is only preferred is in the record too.
//  - Tiers grow strictly: whatever standard refuses, hardened and lockdown refuse too.
//  - Where the program has a PID namespace of its own, process 1 in it is envseal's: it reaps, and when it ends, so does
//    everything in there.
//  - A user namespace makes its owner, which is any process of the same user outside, all-powerful over the processes in
//    it, except over one whose image lies in a file with an owner or group that the namespace does not map, and that
//    may not be read (ptrace_may_access and would_dump in the kernel). So the image lies in a mount that gives its files
//    to an owner and a group of which no namespace has a map, and the program is started in a namespace that is mapped
//    already (sandbox_image_open). Before Linux 6.3 there is no such mount for it. There user and group are mapped only
//    after the image is in place (sandbox_started): before that there is no process in the namespace that somebody outside
//    could enter it by, to map them himself. From Linux 6.18 on that alone is not enough: a namespace can be opened by its
//    number, which is easily guessed.
//
// Limits
//  - Landlock allows hierarchies and cannot take one file out of an allowed one: what is to be hidden is left out by
//    allowing all its neighbours, one by one, as they are when the program starts. Neighbours that come later cannot be
//    read. The names of files can be listed everywhere, and stat(2) answers, for what is hidden too.
//  - A working folder that is the home, or lies above it, is not writable by itself: what shells read at their next start
//    lies there. One in the home, or above a folder of that kind elsewhere, is; and so is a home in /tmp.
//  - Before Landlock ABI 9 no path rule stops connect(2) to a socket file; only lockdown's mounts hide those.
//  - Memory is not limited.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "base/base.h"

// The weakest first.
enum sandbox_tier { SANDBOX_STANDARD, SANDBOX_HARDENED, SANDBOX_LOCKDOWN };
#define SANDBOX_TIER_COUNT 3
const char *sandbox_tier_name(enum sandbox_tier tier); // "standard", "hardened", "lockdown"
bool sandbox_tier_parse(const char *word, enum sandbox_tier *out);

// In the order in which they are entered.
enum sandbox_mechanism {
	SANDBOX_USER_NAMESPACE,
	SANDBOX_PID_NAMESPACE,
	SANDBOX_IPC_NAMESPACE,
	SANDBOX_NETWORK_NAMESPACE,
	SANDBOX_MOUNTS,        // lockdown's tree of mounts
	SANDBOX_PROC,          // an own /proc
	SANDBOX_NO_CORE,       // RLIMIT_CORE 1: neither a file nor a piped core_pattern
	SANDBOX_PROCESS_LIMIT, // RLIMIT_NPROC, counted in the user namespace
	SANDBOX_CAPABILITIES,  // none, and none to be had by exec: for root, and for who is root in the user namespace
	SANDBOX_NO_NEW_PRIVS,  // set-id programs gain nothing
	SANDBOX_LANDLOCK,      // which files can be read and written
	SANDBOX_SCOPE,         // Landlock ABI 6: signals and abstract sockets stay inside
	SANDBOX_FILTER,        // system calls
	SANDBOX_SHIELD,        // an image that may not be read, so environment and memory are closed (program.h); exec sees to it
	SANDBOX_MECHANISM_COUNT
};
const char *sandbox_mechanism_name(enum sandbox_mechanism mechanism); // "user-namespace"
// In a set of them.
static inline uint32_t sandbox_bit(enum sandbox_mechanism mechanism)
{
	return UINT32_C(1) << mechanism;
}

enum sandbox_need { SANDBOX_UNUSED, SANDBOX_PREFERRED, SANDBOX_REQUIRED };

// Of lockdown and of the jail alone; the other tiers share the machine's network.
enum sandbox_network {
	SANDBOX_NETWORK_HOST,
	SANDBOX_NETWORK_NONE,     // a loopback that is down
	SANDBOX_NETWORK_LOOPBACK, // an own one that is up
	SANDBOX_NETWORK_ALLOW     // that, and the endpoints, through a relay outside
};
const char *sandbox_network_name(enum sandbox_network network); // "host", "none", "loopback", "allow"

#define SANDBOX_PATHS_MAX 64      // of each list of a wish
#define SANDBOX_ENDPOINTS_MAX 32
#define SANDBOX_PROCESSES_MAX 4096 // SANDBOX_PROCESS_LIMIT, where the limit is higher

// "HOST:PORT": a name, an IPv4 address, or an IPv6 address in brackets. ERR_USAGE names what is wrong with it.
int sandbox_endpoint_check(const char *text, struct err *err);

// What is asked for, by the command line, the level and the rule. All borrowed. Paths are absolute.
struct sandbox_wish {
	enum sandbox_tier tier;
	bool is_degradable;
	bool is_unshielded;
	enum sandbox_network network; // HOST for lockdown: what it has by itself, NONE
	const char *const *readable;  // of what hardened hides, what is shown nevertheless
	size_t readable_count;
	const char *const *writable;  // beside the working folder and the temporary ones
	size_t writable_count;
	const char *const *endpoints; // of ALLOW
	size_t endpoint_count;
};

// Where it happens. All borrowed.
struct sandbox_place {
	const char *home;      // the user's; NULL: none
	const char *directory; // working folder, real path; NULL: it was deleted
	const char *temporary; // TMPDIR of the program; NULL: /tmp and /var/tmp alone
	const char *const *own; // envseal's folders, never shown to a program; NULL-terminated
};

struct sandbox_plan {
	enum sandbox_tier tier;
	enum sandbox_need needs[SANDBOX_MECHANISM_COUNT];
	bool is_degradable;
	enum sandbox_network network;
	struct text_list hidden;    // files and folders that cannot be read, whether they exist or not
	struct text_list shown;     // what in them can be read nevertheless; real paths
	struct text_list writable;  // files and folders, real paths; the working folder, but not where the home is in it
	struct text_list endpoints;
	char *directory;               // working folder; NULL: it was deleted
};
// Looks at paths, and at nothing of the kernel's. ERR_USAGE: a network beside a tier that has none of its own; a path
// that is not absolute, or lies in envseal's folders; ERR_NOT_FOUND: a path to write that does not exist; ERR_LIMIT.
int sandbox_plan_build(const struct sandbox_wish *wish, const struct sandbox_place *place, struct sandbox_plan *out,
		       struct err *err);
void sandbox_plan_done(struct sandbox_plan *plan);
#define _cleanup_sandbox_plan_ _cleanup_(sandbox_plan_done)

// What was applied: bits (1 << mechanism).
struct sandbox_record {
	uint32_t applied;
	uint32_t missing;                     // asked for, and not to be had
	int errors[SANDBOX_MECHANISM_COUNT];  // errno of what is missing; 0: it was left out for a reason of its own
};

// --- starting one program. In the process that supervises: prepare, fork. In process 1 (or the monitor): settle, fork the
// program, started. In the program's process: enter, exec. Without a PID namespace nothing but `enter` does anything.

struct sandbox;

// Allocates and builds whatever can be before the fork: filter, list of paths, sockets of the relay. The plan must outlive
// it. Blocks for reading folders. ERR_NO_EXEC where it is known already that the kernel cannot.
int sandbox_prepare(const struct sandbox_plan *plan, struct sandbox **out, struct err *err);
void sandbox_free_ptr(struct sandbox **sandbox); // ends the relay too
#define _cleanup_sandbox_ _cleanup_(sandbox_free_ptr)

// For a program that this process becomes: ERR_NO_EXEC where the plan wants a process 1, or does without, where it is
// degradable.
int sandbox_without_init(struct sandbox *sandbox, struct err *err);
// Whether the program's parent is a process 1 of the sandbox's; changes where sandbox_fork had to do without.
bool sandbox_has_init(const struct sandbox *sandbox);
// fork(2), into the plan's namespaces: process 1 of the new PID namespace. Number as seen by the caller, in *ret_pid; in the
// child *ret_pid is 0. ERR_NO_EXEC: "the sandbox cannot give …".
int sandbox_fork(struct sandbox *sandbox, pid_t *ret_pid, struct err *err);

// What stood in the way, for the sentence: which mechanism, and errno. `error` 0: nothing.
struct sandbox_failure {
	enum sandbox_mechanism mechanism;
	int error;
};
// In process 1, first thing: mounts, /proc, network. terminal_fd: the pseudo-terminal that becomes its controlling one, or -1.
struct sandbox_failure sandbox_settle(struct sandbox *sandbox, int terminal_fd);
// In the program's process, before sandbox_enter: asks for its being held at its first instruction, where user and group
// are mapped after the exec. Until then it must not block SIGTRAP, which is what stops it.
struct sandbox_failure sandbox_hold(struct sandbox *sandbox);
bool sandbox_holds(const struct sandbox *sandbox); // whether that will ask for anything
bool sandbox_is_held(const struct sandbox *sandbox);
// In process 1, when a child has changed its state and the exec is not over: a signal that stops a held program is passed
// on to it.
void sandbox_pass_on(struct sandbox *sandbox, pid_t program);
// In the program's process, right before exec; async-signal-safe. terminal_fds: pseudo-terminals that are the program's own
// (-1: none), which it may open by their paths.
struct sandbox_failure sandbox_enter(struct sandbox *sandbox, const int terminal_fds[3]);
// In process 1, when the program's image is in place (its close-on-exec descriptors have closed): maps user and group, and
// lets the program go on, with this signal mask where it was held. After a failure it does not: it is to be killed.
struct sandbox_failure sandbox_started(struct sandbox *sandbox, pid_t program, const sigset_t *mask);
// In process 1, last: it gives up its capabilities, by which it could name the program to the outside (SCM_CREDENTIALS).
void sandbox_lower(struct sandbox *sandbox);
// In the process that supervises, after a failure of the above: is there less to be tried (degradable; or the shield, which
// is only preferred)? Then the next sandbox_fork leaves it out, and the record says so.
bool sandbox_retry(struct sandbox *sandbox);
// "refused to start PROGRAM: the sandbox cannot give MECHANISM: …; next step". ERR_NO_EXEC.
int sandbox_failure_say(const char *program, struct sandbox_failure failure, struct err *err);

// What exec knows of the shield; before the fork, or user and group are mapped late for nothing.
void sandbox_note_shield(struct sandbox *sandbox, bool is_applied);
// Before the fork: a folder like that of sandbox_folder_open, read-only, with one file: a copy of what `source_fd` has, which can
// be executed and not be read, and whose owner and group no user namespace can map. The program is to be started from it, in a
// user namespace that is made here: then it is closed to whoever owns that, whenever it was mapped, and by whom. Descriptors are
// the caller's, and must be open until the program runs. 0 or errno; EINVAL before Linux 6.3.
int sandbox_image_open(struct sandbox *sandbox, int source_fd, const char *name, int *ret_folder_fd, int *ret_file_fd);
// In the process that prepared it, once the program runs.
struct sandbox_record sandbox_record_get(const struct sandbox *sandbox);

// A new empty folder that nobody else can reach, by no path: a file system of its own in memory, which is gone with its last
// descriptor. Who has that can make links in it, a few thousand. Wants user namespaces and /proc. 0 or errno. Costs 0.2 ms.
int sandbox_folder_open(int *ret_fd);

#include "sandbox/jail.h"
