// manifest: `.envseal` and dotenv files turned into plain data. Pure parsing: values of a dotenv file stay in the
// caller's memory; this folder gives places in the text and decodes into memory the caller provides.
//
// Invariants
//  - No sentence and no problem holds text of a file: they give line and column, both counted from 1; a column counts
//    bytes, without the byte order mark.
//  - Only manifest_find touches the file system.
#pragma once

#include "base/base.h"

#define MANIFEST_BYTES_MAX (1u << 20)
#define MANIFEST_ENTRIES_MAX 4096
#define MANIFEST_PROFILES_MAX 256
#define MANIFEST_FILE_NAME ".envseal"

struct manifest_entry {
	char *variable;      // environment variable
	char *secret;        // name of the secret, or NULL when `text` is set
	char *text;          // plain value that is no secret
	const char *profile; // section, or NULL for the lines before the first one; belongs to `profiles`
	unsigned line;
	unsigned column; // of the variable
};

struct manifest {
	struct manifest_entry *entries;
	size_t count;
	char **profiles; // every section once, in order, those without lines too
	size_t profile_count;
	char *path; // where it was found; NULL when parsed from memory
};

void manifest_done(struct manifest *manifest);
#define _cleanup_manifest_ _cleanup_(manifest_done)
// Lines `ENV_VAR=secret-name` or `ENV_VAR="text"` (with \" \\ \n \t escapes, on one line), `#` comments (behind a value
// only after a blank), `[profile]` sections (a section may be taken up again), CRLF and a UTF-8 BOM accepted. A
// profile's name is one segment of a secret's name. The whole file, comments too, must be UTF-8 without control
// characters (tab apart) and without characters that reorder or hide text: a manifest is read by people, on terminals.
// ERR_INPUT with line and column, never the line's text: a variable twice in one profile, a NUL, an invalid name, text
// that is not closed. ERR_LIMIT above the MANIFEST_…_MAX. `label` names the source in sentences.
int manifest_parse(struct span text, const char *label, struct manifest *out, struct err *err);
// From `start_dir` (absolute, else ERR_USAGE) upward to the file system's root: the first `.envseal` that is a regular
// file and no symlink (others are passed over), owned by the user or root and not writable by others (ERR_UNSAFE
// otherwise, with the mending command); else `~/.envseal` (home_dir may be NULL). A group may write only if it is the
// user's own: gid = uid = primary group, which is what a umask of 002 relies on. ERR_NOT_FOUND.
int manifest_find(const char *start_dir, const char *home_dir, struct manifest *out, struct err *err);
// True when the manifest has a section of this name.
bool manifest_has_profile(const struct manifest *manifest, const char *profile);
// The entry for a variable as `profile` (NULL: none) sees it: the profile's own line, else the common one. NULL: none.
const struct manifest_entry *manifest_lookup(const struct manifest *manifest, const char *profile,
					     const char *variable);

// One line to add: a secret's name, or plain text when `secret` is NULL.
struct manifest_addition {
	const char *variable;
	const char *secret;
	struct span text;
};

// Makes the text of a manifest that holds all lines of `existing` (may be empty) as they are, and a line for each
// addition whose variable has none yet in the common section; they go behind the common lines, before the first
// `[profile]`, with the line ends that the text has. Of a variable added twice the last counts. manifest_parse reads
// every text back exactly. `out` must be empty, its max at least MANIFEST_BYTES_MAX. ERR_INPUT when `existing` does not
// parse, or an addition cannot be written (invalid name; text that is not printable UTF-8, tabs and newlines apart);
// ERR_LIMIT when the result would be too large to be read again.
int manifest_merge(struct span existing, const char *label, const struct manifest_addition *additions, size_t count,
		   struct buf *out, struct err *err);

// ---------------------------------------------------------------------------------------------------------- dotenv

// Longest dotenv file, in bytes; at most MANIFEST_ENTRIES_MAX assignments and as many problems are kept.
#define DOTENV_BYTES_MAX (16u << 20)

enum dotenv_quote { DOTENV_PLAIN, DOTENV_SINGLE, DOTENV_DOUBLE };

// One assignment: places in the text that was parsed.
struct dotenv_entry {
	struct span variable;
	struct span raw; // between the quotes, or the bare word without trailing blanks and comment
	enum dotenv_quote quote;
	bool is_crlf; // every line of the file ends with CRLF, so dotenv_decode makes \n of \r\n inside quotes
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
	struct dotenv_problem *problems; // every line that could not be read, in order
	size_t problem_count;
};

void dotenv_done(struct dotenv *dotenv);
#define _cleanup_dotenv_ _cleanup_(dotenv_done)
// Accepts: BOM, CRLF, blank lines, `#` comments (after a bare value only when a blank precedes), `export NAME=…`,
// blanks around `=`, 'single' and `backtick` (literal, may span lines; both are DOTENV_SINGLE), "double" (\n \r \t
// \\ \" \$ escapes, other backslashes stay, may span lines; `$` stays as it is: nothing is expanded). Values are any
// bytes but NUL. Line ends inside quotes: \r\n becomes \n when every line of the file ends so (the editor put them
// there); in a mixed file each byte stays. Of a variable assigned twice the last counts, as in every dotenv reader;
// both stay in `entries`.
// Problems: a name that is no variable's, a name without `=`, `NAME: value`, a NUL, a carriage return within a line, a
// quote that is not closed, text behind a closing quote. A quote that spans lines and is followed by text counts as
// not closed. After an open quote reading goes on at the next line. UTF-16 is one problem.
// Fails only for memory and limits (ERR_MEMORY, ERR_LIMIT); unreadable lines become problems.
int dotenv_parse(struct span text, struct dotenv *out, struct err *err);
// Decodes an entry's value into `out`, which holds raw.len bytes; returns the decoded length (never more than raw.len).
size_t dotenv_decode(const struct dotenv_entry *entry, uint8_t *out);
// True when the value looks like a plain setting and not a secret: empty, number, boolean, level, host name or
// path-like word under a name that does not sound secret, URL without credentials. When in doubt: false. What is plain
// can always be written by manifest_merge. Makes no copy of the value.
bool setting_is_plain(struct span variable, struct span value);
