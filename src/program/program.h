// program: which program really runs. Resolve on a PATH, open once, pin the content, digest it; scripts pin their
// interpreter too.
//
// Invariants
//  - What is digested is what is executed. A file that only root can change (it and every folder above it) is *system*
//    and is executed by its real path; any other file is copied into a sealed memfd first, and the copy is digested and
//    executed. `by_path` asks for the exception: the original is executed, and can be swapped until then.
//  - A system script is named to its interpreter as it was found ($0 matters to some), but only where that name leads
//    to it by root's own folders and links; else by its real path.
//  - Set-id, non-regular and unreadable files are refused.
//  - `#!/usr/bin/env X` is what env would do with it: the interpreter is X, looked up on the PATH and pinned as any
//    other. Where env would do more than that (options, assignments, X a script), env itself is the interpreter, and
//    pins nothing.
#pragma once

#include "program/digest_cache.h"

// `#!` nesting: a script's interpreter must be a binary.
#define PROGRAM_SCRIPT_LINE_BYTES_MAX 255
// Larger files are not copied, and run only by path.
#define PROGRAM_COPY_BYTES_MAX ((off_t)1 << 30)

struct program {
	char *asked;                  // as given on the command line
	char *path;                   // real path: absolute, no symlinks
	// The absolute path under which it was found: as given, or an entry of the PATH and the name; symbolic links
	// and '..' are not followed. It counts beside `path`: a program of many names, and the python of a venv, go by
	// it.
	char *name;
	char *script_name;            // for the interpreter of an uncopied script: as it was found, or the real path
	uint8_t digest[DIGEST_BYTES]; // BLAKE2b-256 of the content that will run
	bool has_digest;              // false: put off by digest_later, and `digest` is zeros until program_digest
	uint64_t size;
	bool is_system;               // only root can change it or its path
	bool is_by_path;              // asked-for exception: not pinned
	int fd;                       // sealed copy (0555, or 0111 behind the shield), or the original file
	struct program *interpreter;  // of a `#!` script, else NULL; what is executed then
	// What stands between interpreter and script: the rest of the `#!` line as one, or the words behind env's -S X.
	char **interpreter_arguments; // NULL-terminated, one allocation; NULL where there are none
};

struct program_options {
	const char *path_list; // PATH to search; only absolute entries count
	bool by_path;
	bool digest_later; // system files are not digested: see program_digest
};

// ERR_NO_PROGRAM (127) when nothing of that name exists; ERR_NO_EXEC (126) when it cannot be executed (mode, kind,
// set-id, no access, unknown format); a name with a slash is not searched. Blocks for reading the file.
int program_resolve(const char *asked, const struct program_options *options, struct program **out, struct err *err);
struct program *program_free(struct program *program);
void program_free_ptr(struct program **program);
// Fills the digests that digest_later left out, of the program and of its interpreter: from the cache where it knows
// the file, else by reading it, and then the cache learns it (digest_cache.h says which it takes). `cache` may be NULL.
// Blocks for reading. ERR_SYSTEM.
int program_digest(struct program *program, struct digest_cache *cache, struct err *err);
#define _cleanup_program_ _cleanup_(program_free_ptr)

// The argument vector that execve needs: argv itself for a binary; interpreter, its arguments, script path or
// /proc/self/fd/N, then argv[1..] for a script. malloc'd array of borrowed and owned strings, freed by
// program_argv_done.
struct program_argv {
	char **argv;       // NULL-terminated
	// Owned, NULL for a binary: "/proc/self/fd/N" of a sealed copy, which must stay open across exec, or a path.
	char *script_path;
	int script_fd;     // that descriptor (borrowed from the program), or -1
};
int program_argv_build(const struct program *program, char *const argv[], struct program_argv *out, struct err *err);
void program_argv_done(struct program_argv *argv);

// --- the shield
//
// The kernel closes a process to its own user when the file it was executed from may not be read by that user (would_dump
// in fs/exec.c): /proc/PID/{environ,mem,maps,fd,cwd,root,exe,...}, ptrace, process_vm_*, pidfd_getfd. So what is executed
// (of a script, its interpreter) is a sealed copy of mode 0111. It holds until the process executes another file: what the
// program starts in turn has no shield.
//  - The copy that pins a file is it already. Of a system program one is made for each run, up to
//    PROGRAM_SHIELD_BYTES_MAX.
//  - A program that is shielded has no place (/proc/self/exe is "/memfd:NAME (deleted)"), cannot read its own file, and
//    can neither write nor read what the kernel gives to root for it (/proc/self/{environ,mem,auxv,uid_map,comm,
//    oom_score_adj}). What is known to need that goes without.
//  - Root can read everything, and so gets none, unless it has given up CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.

// 0.45 ms for each MiB (measured): of Debian's programs bash costs 0.6 ms, python3 3 ms.
#define PROGRAM_SHIELD_BYTES_MAX ((uint64_t)8 << 20)

enum program_shield {
	PROGRAM_SHIELD_APPLIED,
	PROGRAM_SHIELD_TOO_LARGE,
	PROGRAM_SHIELD_ORIGIN,     // $ORIGIN in its dynamic section
	PROGRAM_SHIELD_SELF,       // opens itself
	PROGRAM_SHIELD_LISTED,     // in the table of shield.c
	PROGRAM_SHIELD_BY_PATH,    // program.is_by_path
	PROGRAM_SHIELD_OFF,        // not asked for
	PROGRAM_SHIELD_UNAVAILABLE // no memory for a copy, vm.memfd_noexec, root
};
#define PROGRAM_SHIELD_COUNT 8
const char *program_shield_name(enum program_shield shield); // "applied", "too-large"
// What there is to say before it is tried. Blocks for reading the file.
enum program_shield program_shield_judge(const struct program *program);

// What is executed of a program.
struct program_image {
	int fd;      // borrowed: a sealed copy; -1: the file, by its path
	int copy_fd; // owned: one made for this run, or -1
	enum program_shield shield;
	int folder_fd; // owned: where `name` is a link to it, or -1
	char *name;    // owned
};
#define PROGRAM_IMAGE_INIT \
	((struct program_image){.fd = -1, .copy_fd = -1, .shield = PROGRAM_SHIELD_OFF, .folder_fd = -1})
// Not every program can be shielded: `shield` says what became of it. Blocks for reading and copying. The program must
// outlive it; a shielded copy stays so.
struct program_image program_image_make(const struct program *program, bool is_shielded);
// The pieces, for who has another place for the copy than a descriptor: judge the program, and copy it from the source, which
// nobody but root can change, or nobody (program_image_place); or have it copied.
int program_image_source(const struct program *program); // borrowed; readable
void program_image_copy(struct program_image *image, const struct program *program); // `shield` as judged, else PROGRAM_IMAGE_INIT
void program_image_done(struct program_image *image);
// A process has the name of the link by which it was executed (/proc/PID/comm), or where it was by a descriptor, a number or
// "memfd:NAME". The folder is one that nobody else can write to: he could exchange the program. Several processes may use one
// at a time.
void program_image_name(struct program_image *image, const struct program *program, int folder_fd);
// As the kernel would name its process: what program_image_name uses.
const char *program_usual_name(const struct program *program);
// A copy that lies in a folder, by that name, and is a descriptor that is only good for executing. Both are owned then.
void program_image_place(struct program_image *image, const struct program *program, int folder_fd, int file_fd);
// Will the shield hold for the process that executes it as it is now? Async-signal-safe.
bool program_image_is_closed(const struct program_image *image);

// Replaces this process: execveat on the sealed copy, execve by path where there is none. Async-signal-safe; returns
// only on failure, with errno set.
void program_exec(const struct program *program, const struct program_image *image, const struct program_argv *argv,
		  char *const envp[]);

// BLAKE2b-256 over length-prefixed arguments, for the audit log and for rules.
void argv_fingerprint(char *const argv[], uint8_t out[DIGEST_BYTES]);

// True for a program with which approving any arguments approves everything, since they alone decide what code it runs
// or where it sends what it holds: shells, interpreters, launchers, build tools, package managers, network clients,
// debuggers, editors, copies. Known by the last component of the real path, without version, flavour and triple
// (python3.11, vim.basic, x86_64-linux-gnu-gcc-12). A name that is not known proves nothing: a copy of a shell under
// another name is bound by its digest, and its script or arguments should be too.
bool program_is_open_ended(const char *path);
// The same of the program's real path, or of the name under which it was found: python3 behind a link `report`, and a
// program of many names that is called as `sh`. A script's interpreter does not count: its arguments are the script,
// whose content is bound, and what the script makes of its own.
bool program_has_open_ended(const struct program *program);

// True for a real path that is env's: what env runs is looked up on the PATH when it runs, so it pins no interpreter.
bool program_path_is_env(const char *path);

// --- the file that the arguments of an open-ended program name or imply

// Larger ones are not read.
#define PROGRAM_SCRIPT_BYTES_MAX (16u << 20)

struct program_script {
	char *path;                   // real path, owned; NULL where there is none, or none that can be read
	uint8_t digest[DIGEST_BYTES]; // BLAKE2b-256 of its content
	bool is_system;               // only root can change it or its path
	bool is_unread;               // there is one, or one is named, that cannot be read: what runs is not known
};

// What `python3 deploy.py`, `bash -e x.sh`, `npm test` and `make` run is in a file beside the program. Only for what
// program_has_open_ended tells; `directory` is the absolute path of the working folder that the program will have.
//  - Where the program goes by a file of a fixed name (npm, npx, yarn, pnpm, bun: package.json; cargo: Cargo.toml;
//    make: GNUmakefile, makefile, Makefile; the first two nearest upward) it is that one, in the folder that an
//    option (-C, --prefix) names. An option that names the file itself (make -f, cargo --manifest-path) goes
//    before it, and so does, with the first group, the first argument with a '.' or '/' that is a regular file
//    (`npx tsx deploy.ts`).
//  - Else it is the first argument that is no option and is the path of a regular file.
// The file is *compared and not pinned*: the program opens it itself, later, and whoever can write it can change it
// until then. What it loads in turn is not looked at, nor are code in an argument (-c), modules (-m), folders, standard
// input, and files behind the first.
// ERR_MEMORY; everything else that is in the way is is_unread. Blocks for reading.
int program_script_find(const struct program *program, char *const argv[], const char *directory,
			struct program_script *out, struct err *err);
void program_script_done(struct program_script *script);
#define _cleanup_program_script_ _cleanup_(program_script_done)

// True when only root can change the file or folder behind `fd`, or make `path` lead to another one: it, and every folder
// that is passed on the way to it (symbolic links are followed), belong to root and are writable by nobody else.
bool path_is_system(const char *path, int fd);
