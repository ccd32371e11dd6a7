// sandbox/jail: the human's agent, in place of this process: it works on the project as it always does, and cannot reach
// what it must not. Plan, settle, enter, exec; no process of envseal's stays beside it.
//
// Invariants
//  - What it cannot read: what hardened hides, the dotenv files of the project, and what the profile hides; but for the
//    agent's own folders. What it can write: the working folder, folders for temporary files, caches, the agent's own.
//  - Nothing in the home that shells read or run at their start can be changed or made, unless the working folder is there.
//    So of ~/.cache it is the folders that there are at the start, but those of shells and prompts.
//  - Landlock, its scope, the filter and no_new_privs are required. Namespaces are preferred: with them /tmp, /run and
//    /dev/pts are fresh ones, and single files of a writable folder are covered. Without them those stay readable
//    (jail_still_open). A network of its own requires them.
//  - envseal's own folders are closed by Landlock alone and are never covered: who asks the broker from inside says which
//    vault is meant by device and inode of its folder. Where the broker listens stays in sight.
//
// Limits
//  - A dotenv file that somebody outside makes or replaces while the jail runs can be read in it.
//  - What the project itself runs later (its Makefile, its .git/config) is the agent's to change; its hooks are not where
//    there are mounts.
//  - The agent's own folders, and caches, are its own: what it puts there is there for the next start outside too.
#pragma once

#include "sandbox/sandbox.h"

// What is asked for. All borrowed. Paths as they were typed: "~" and "~/…" are in the home, relative ones in the working
// folder, and the last part may hold one '*'.
struct jail_wish {
	const char *profile; // "claude", "codex", "gemini", "cursor", "shell", or a file's path; NULL: by the agent's name
	const char *agent;   // what is to be started; NULL: nothing
	const char *const *hide;
	size_t hide_count;
	const char *const *readable;
	size_t readable_count;
	const char *const *writable;
	size_t writable_count;
	enum sandbox_network network;
	const char *const *endpoints;
	size_t endpoint_count;
	bool is_degradable;
};

// Where it happens. All borrowed.
struct jail_place {
	struct sandbox_place place;
	const char *listed_home;      // real path of the one that the user has by /etc/passwd, no project either; NULL
	const char *runtime;          // XDG_RUNTIME_DIR; NULL
	const char *broker;           // envseal's folder for its socket, one of place.own
	const char *const *programs;  // what is to be executed inside, wherever it lies; NULL-terminated
};

struct jail_plan {
	const char *profile;            // the built-in one, or what a file is based on
	struct sandbox_plan sandbox;    // with the mechanisms of a jail
	struct text_list masked;        // of sandbox.hidden: in a writable folder, and so covered by mounts
	struct text_list dotenv;        // of sandbox.hidden: those files
	struct text_list covered;       // of sandbox.hidden: other folders, covered too, for Landlock closes no socket before ABI 9
	struct text_list read_only;     // in a writable folder, and not to be changed
	struct text_list kept;          // what is seen in the fresh folders nevertheless
	char *runtime;                  // covered by a fresh folder; NULL
	char *temporary;                // made in a fresh folder; NULL
	char *broker;                   // envseal's folder for its socket
	bool is_cut;                    // the project is larger than what is looked through for dotenv files
};

// Makes the agent's own folders, and those of common tools in ~/.cache, where they are not there yet, when there is an agent.
// ERR_USAGE for a profile that there is not, a home that would be writable as a whole, and what sandbox_plan_build refuses;
// ERR_UNSAFE for a profile's file that others can change; ERR_INPUT for what is in it; ERR_NOT_FOUND.
int jail_plan_build(const struct jail_wish *wish, const struct jail_place *place, struct jail_plan *out, struct err *err);
void jail_plan_done(struct jail_plan *plan);
#define _cleanup_jail_plan_ _cleanup_(jail_plan_done)

// In the process that becomes the agent, which has one thread and no secret: namespaces, mounts, network. What is only
// preferred may be missing afterwards, by the record. ERR_NO_EXEC. Where less is permitted, a child tries to enter: so the
// record has what will be missing from jail_enter too.
int jail_settle(const struct jail_plan *plan, struct sandbox_record *record, struct err *err);
// After that, last before exec: gives up what is to be given up. Closes all descriptors but 0-2.
// ERR_NO_EXEC; nothing is to be executed then.
int jail_enter(const struct jail_plan *plan, struct sandbox_record *record, struct err *err);
// What is hidden by the plan and can be read nevertheless, by the record of jail_settle: borrowed from the plan.
bool jail_still_open(const struct jail_plan *plan, const struct sandbox_record *record, const char *path);
// Whether a variable leads to a socket that is closed in a jail: "DISPLAY=…".
bool jail_drops_variable(const char *entry);
