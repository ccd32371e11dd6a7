// manifest: `.envseal` and dotenv files turned into plain data. Pure parsing: values of a dotenv file stay in the caller's
// memory; this folder gives places in the text and decodes into memory the caller provides.
#pragma once

#include "base/base.h"

#define MANIFEST_BYTES_MAX (1u << 20)
#define MANIFEST_ENTRIES_MAX 4096
#define MANIFEST_FILE_NAME ".envseal"

struct manifest_entry {
	char *variable; // environment variable
	char *secret;   // name of the secret, or NULL when `text` is set
	char *text;     // plain value that is no secret
	char *profile;  // section, or NULL for the lines before the first one
	unsigned line;
};

struct manifest {
	struct manifest_entry *entries;
	size_t count;
	char *path; // where it was found; NULL when parsed from memory
};

void manifest_done(struct manifest *manifest);
#define _cleanup_manifest_ _cleanup_(manifest_done)
// Lines `ENV_VAR=secret-name` or `ENV_VAR="text"` (with \" \\ \n \t escapes), `#` comments, `[profile]` sections, CRLF
// and a UTF-8 BOM accepted. ERR_INPUT with line and column, never the line's text. A variable twice in one profile, a NUL,
// an invalid name, text that is not closed: ERR_INPUT. `label` names the source in sentences.
int manifest_parse(struct span text, const char *label, struct manifest *out, struct err *err);
// From `start_dir` (absolute) upward to the file system's root: the first `.envseal` that is a regular file and no
// symlink, owned by the user or root and not writable by others (ERR_UNSAFE otherwise, with the mending command); else
// `~/.envseal` (home_dir may be NULL). ERR_NOT_FOUND.
int manifest_find(const char *start_dir, const char *home_dir, struct manifest *out, struct err *err);
// True when the manifest has a section of this name.
bool manifest_has_profile(const struct manifest *manifest, const char *profile);
// The entry for a variable as `profile` (NULL: none) sees it: the profile's own line, else the common one. NULL: none.
const struct manifest_entry *manifest_lookup(const struct manifest *manifest, const char *profile, const char *variable);

// ---------------------------------------------------------------------------------------------------------- dotenv

enum dotenv_quote { DOTENV_PLAIN, DOTENV_SINGLE, DOTENV_DOUBLE };

// One assignment: places in the text that was parsed.
struct dotenv_entry {
	struct span variable;
	struct span raw; // between the quotes, or the bare word without trailing blanks and comment
	enum dotenv_quote quote;
	unsigned line;
};

struct dotenv_problem {
	unsigned line;
	unsigned column;
	const char *what; // constant text
};

struct dotenv {
	struct dotenv_entry *entries;
	size_t count;
	struct dotenv_problem *problems; // every line that could not be read
	size_t problem_count;
};

void dotenv_done(struct dotenv *dotenv);
#define _cleanup_dotenv_ _cleanup_(dotenv_done)
// Accepts: BOM, CRLF, blank lines, `#` comments (after a bare value only when a blank precedes), `export NAME=…`, blanks
// around `=`, 'single' (literal, may span lines), "double" (\n \r \t \\ \" \$ escapes, may span lines; `$` stays as it
// is: nothing is expanded). Of a variable assigned twice the last counts, as in every dotenv reader; both stay
// in `entries`. Fails only for memory and limits; unreadable lines become problems.
int dotenv_parse(struct span text, struct dotenv *out, struct err *err);
// Decodes an entry's value into `out`, which holds raw.len bytes; returns the decoded length (never more than raw.len).
size_t dotenv_decode(const struct dotenv_entry *entry, uint8_t *out);
// True when the value looks like a plain setting and not a secret: empty, number, boolean, level, host name or path-like
// word under a name that does not sound secret, URL without credentials. When in doubt: false.
bool setting_is_plain(struct span variable, struct span value);
