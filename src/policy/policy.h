// policy: pure decisions: which environment variables of the caller a program may see, what PATH it gets, into which
// variables a secret may go; and by standing rules (policy/rule.h, policy/decision.h) who may use what.
//
// The table in steering.c lists every variable, and every family by prefix, that loads or steers code. At the standard
// level the caller's environment passes without them; at the stronger ones nothing passes but a short allow-list. A
// variable is kept against either only when it was asked for by name, and that is recorded.
#pragma once

#include "manifest/manifest.h"
#include "policy/decision.h"
#include "policy/path.h"
#include "policy/security.h"
#include "program/program.h"

struct environment {
	char **entries;   // "NAME=value", NULL-terminated; owned
	size_t count;
	// Names that were not handed on, sorted, each once; "(entry without a name)" for one without '='. Owned.
	char **dropped;
	size_t dropped_count;
	char *path;       // the PATH entry's value after cleaning
	char **path_dropped; // PATH entries that were removed: empty, relative, missing, or in the hands of others
	size_t path_dropped_count;
};

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// True for variables that load or steer code in a loader, interpreter, shell or common tool.
bool variable_is_steering(struct span name);
// `envp` is the caller's; `keep` names variables that are handed on although the mode would drop them. Entries that are
// not NAME=value with a valid name, a second entry of one name, and ENVSEAL_* are dropped. TERM, LANG, LC_*, TZ,
// COLORTERM are kept only in their plain shape. ENVIRONMENT_ALLOWED: of the caller's only LANG, LC_ALL, TERM, TZ, HOME,
// USER, LOGNAME, SHELL, COLUMNS and LINES pass, and PATH is that part of PATH_DEFAULT that is root's. Looks at the file
// system only to judge PATH entries. ERR_USAGE for a `keep` that is no name, PATH or ENVSEAL_*.
int environment_build(enum environment_mode mode, char *const envp[], const char *const keep[], size_t keep_count,
		      struct environment *out, struct err *err);
void environment_done(struct environment *environment);
// ERR_USAGE when a secret may not be put there: not a valid name, PATH, HOME, ENVSEAL_*, or a steering variable --
// other than one that by family and ending is a tool's credential (CARGO_REGISTRY_TOKEN, OPENAI_API_KEY).
int variable_check_secret(const char *name, struct err *err);
// The same for a plain setting of a manifest; TZ, LANG and their like pass with a plain value.
int variable_check_plain(const char *name, struct span value, struct err *err);
