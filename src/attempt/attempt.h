// attempt: what a confined process tries. A table of attacks, each a function that says whether it worked. The tests
// start them in each tier and beside it, and `jail --check` in the jail; so a promise and the proof of it are the same
// list.
//
// Invariants
//  - Attempts do no harm: what they write, start, stop or take is given back, and a scene (attempt_scene) says what
//    they are tried on. Those that end or stop what they are tried on are ATTEMPT_ALONE.
//  - An attempt never crashes who asks for it: it runs in a process of its own, for ATTEMPT_SECONDS at most, and what
//    ends that process is the result.
//  - WORKED needs an effect: the mark was read, the echo came, the process was there. What is ABSENT inside, and is
//    there outside, is refused.
//
// The scene is put up outside, by somebody who is not confined (scene_stage_open), handed on as words, and taken down
// there.
#pragma once

#include "base/base.h"

#define ATTEMPT_SECONDS 20
#define ATTEMPT_NOTE_BYTES 96
#define ATTEMPT_PROCESSES 5000 // "fork-bomb" ends there: more than a tier allows (SANDBOX_PROCESSES_MAX)
#define ATTEMPT_OUTLIVE_SECONDS 120 // how long "outlive" leaves a process behind

// ------------------------------------------------------------------------------------------------------------ scene

// What attempts are tried on. A word that is missing makes them ABSENT.
enum scene_word {
	SCENE_NONE,
	SCENE_VICTIM,     // process number
	SCENE_ADDRESS,    // decimal: where in the victim's memory the mark stands
	SCENE_MARK,       // what the victim knows; printable
	SCENE_CHILD,      // a process that the victim started
	SCENE_FOLDER,     // the victim's working folder
	SCENE_PTS,        // the path of somebody else's terminal
	SCENE_FILE,       // a file that anything of the user may read
	SCENE_PLACE,      // a folder, in which anything of the user may make files
	SCENE_SSH_KEY,    // files that hold credentials
	SCENE_CLOUD,
	SCENE_AGENT,
	SCENE_KEYRING,
	SCENE_HISTORY,
	SCENE_DOTENV,
	SCENE_VAULT,      // envseal's own files
	SCENE_LOG,
	SCENE_OWN_SOCKET, // stream sockets: beside envseal's, …
	SCENE_BUS,        // in the folder for run-time files, where the desktop's bus has it
	SCENE_SOCKET,     // in the folder for temporary files
	SCENE_HOME_SOCKET, // in the home
	SCENE_ABSTRACT,   // of abstract sockets, without the NUL
	SCENE_TCP,        // ports of 127.0.0.1; what is sent to UDP comes back
	SCENE_UDP,
	SCENE_PORT,       // nobody's; the scene tries to connect to it
	SCENE_TEMPORARY,  // a file in the folder for temporary files: who sees it shares that folder
	SCENE_WORD_COUNT
};
const char *scene_word_name(enum scene_word word); // "victim"

// Borrowed texts.
struct attempt_scene {
	const char *words[SCENE_WORD_COUNT];
	pid_t starter; // set by attempt_run: who started the process that tries
};
// Takes "NAME=TEXT", which is borrowed; false where there is no such name.
bool scene_word_take(struct attempt_scene *scene, const char *text);

// What was put up: a victim with the mark in its environment, and a process that holds terminal and sockets. Both end
// with the process that put them up.
struct scene_stage;
// `folder` is a folder of the caller's, for files and sockets, in the place for temporary files; it is not removed. Files
// of the home, and what is envseal's, are words that the caller adds. ERR_SYSTEM.
int scene_stage_open(const char *folder, struct scene_stage **out, struct err *err);
struct attempt_scene *scene_stage_scene(struct scene_stage *stage); // lives as long as the stage
void scene_stage_close(struct scene_stage **stage);
#define _cleanup_scene_stage_ _cleanup_(scene_stage_close)

// --------------------------------------------------------------------------------------------------------- attempts

enum attempt_outcome {
	ATTEMPT_WORKED,
	ATTEMPT_REFUSED,
	ATTEMPT_ABSENT,  // there is no such thing on this machine or in this scene; the note says what
	ATTEMPT_PENDING, // to be seen when the run has ended (attempt_left)
	ATTEMPT_BROKEN   // the attempt itself went wrong
};
const char *attempt_outcome_name(enum attempt_outcome outcome); // "worked"

struct attempt_result {
	enum attempt_outcome outcome;
	int error;                     // errno of a refusal, or 0
	int signal;                    // that the kernel ended the attempt with, or 0
	char note[ATTEMPT_NOTE_BYTES]; // printable; "" mostly
};

enum attempt_group {
	ATTEMPT_ON_PROCESS, // at another process of the same user: from inside, or at what is confined
	ATTEMPT_AROUND,     // from inside, at everything else
	ATTEMPT_ALONE       // only when it is asked for by its id
};
const char *attempt_group_name(enum attempt_group group); // "process", "around", "alone"

struct attempt {
	const char *id;   // "proc-environ"
	const char *what; // for a table: "read /proc/PID/environ"
	enum attempt_group group;
	struct attempt_result (*try)(const struct attempt *attempt, const struct attempt_scene *scene);
	enum scene_word word; // what it is tried on
	const char *detail;   // what distinguishes attempts that share a function
	int number;           // likewise
};

extern const struct attempt attempt_table[];
size_t attempt_count(void);
const struct attempt *attempt_find(const char *id); // NULL: none
// Blocks for ATTEMPT_SECONDS at most.
struct attempt_result attempt_run(const struct attempt *attempt, const struct attempt_scene *scene);
// Outside, when the run has ended: the number of the process that "outlive" left behind; 0: none.
pid_t attempt_left(const struct attempt_scene *scene);
