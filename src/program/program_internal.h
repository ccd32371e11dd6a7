// program's own pieces.
#pragma once

#include "program/program.h"

// --- find.c

// Opens what `asked` names: a path as it is, a bare word searched on the absolute entries of path_list. *out_path is the
// real path of the opened file. ERR_NO_PROGRAM, ERR_NO_EXEC.
int program_open(const char *asked, const char *path_list, int *out_fd, char **out_path, struct err *err);

// --- pin.c

// True when only root can change the file or put another in its place: it and every folder above it belong to root and are
// writable by nobody else.
bool path_is_system(const char *real_path, int fd);
// Copies the file into a sealed memfd.
int program_seal(int fd, const char *path, int *out_fd, struct err *err);

// --- script.c

// Reads the `#!` line. *out_interpreter is NULL when the file is no script. ERR_NO_EXEC for a line that cannot be used, and
// for a file that is neither a script nor ELF.
int script_parse(int fd, const char *path, char **out_interpreter, char **out_argument, struct err *err);
