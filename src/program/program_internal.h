// program's own pieces.
#pragma once

#include "program/program.h"

// Room for a path in an error sentence; longer ones are cut.
#define BRIEF_BYTES 200

// --- find.c

struct found {
	int fd;
	char *path; // real path
	char *name; // path as it was found: a path as it was given, or an entry of the PATH and the name
};
#define FOUND_INIT ((struct found){.fd = -1})
void found_done(struct found *found);
#define _cleanup_found_ _cleanup_(found_done)

// Opens what `asked` names: a path as it is, a bare word searched on the absolute entries of path_list. ERR_NO_PROGRAM,
// ERR_NO_EXEC.
int program_find(const char *asked, const char *path_list, struct found *out, struct err *err);
// The absolute path of a name as it was found, without '.' and doubled '/'. ERR_SYSTEM when the working folder is gone.
int name_absolute(const char *found, char **out, struct err *err);
// Sets ERR_NO_EXEC, "PATH cannot be executed: why".
int program_refuse(const char *path, const char *why, struct err *err);

// --- program.c

// Is what counts a sealed copy, and not the file itself?
bool program_is_copied(const struct program *program);

// --- pin.c

// Copies the file into a sealed memfd.
int program_seal(int fd, const char *path, int *out_fd, struct err *err);

// --- script.c

// ERR_NO_EXEC when the file is neither ELF nor a script.
int format_check(int fd, const char *path, struct err *err);
// Reads the `#!` line. *out_interpreter is NULL when the file is no script. ERR_NO_EXEC for a line that cannot be used,
// and as format_check.
int script_parse(int fd, const char *path, char **out_interpreter, char **out_argument, struct err *err);

// --- env.c

// The text cut at the separators, without empty words; none where there are no separators but the text itself. One
// allocation, NULL-terminated; NULL when there is no word.
int words_split(const char *text, const char *separators, char ***out, struct err *err);
// What env would run for the argument of a `#!` line: the program's name and what is put in front of the script. NULL
// where env would do anything more than to look up a program of that name and run it.
int env_parse(const char *argument, char ***out, struct err *err);

// --- open_ended.c

// The program's entry in the table, without version, flavour and triple; NULL when it has none.
const char *open_ended_entry(const char *path);

// --- elf.c

struct elf_traits {
	bool is_dynamic; // has a loader (PT_INTERP)
	bool has_origin; // finds libraries by its own place: $ORIGIN in its dynamic section
};
// Neither, for what cannot be understood. Any bytes are fine.
struct elf_traits elf_look(int fd);

// --- shield.c

// has_place: it would be executed by its path, and not as a copy anyway.
enum program_shield shield_judge_file(int fd, uint64_t size, const char *path, bool has_place);
