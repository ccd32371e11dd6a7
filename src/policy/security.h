// policy/security: which level is in force, and where it was changed for single findings: what the vault keeps sealed,
// and what the machine's configuration file forces beyond it. Pure. docs/format-policy.md and envseal.conf(5) have the
// forms.
//
// Invariants
//  - The file can force more and never less: the stronger level counts, and of two actions the stricter one.
//  - What cannot be read is refused whole; nothing falls back to a weaker level.
#pragma once

#include "policy/level.h"

#define SECURITY_OVERRIDES_MAX 64
#define SECURITY_BYTES_MAX 8192 // JSON text

struct security_override {
	const char *id; // guard's own
	enum guard_action action;
};

struct security_overrides {
	struct security_override rows[SECURITY_OVERRIDES_MAX]; // sorted by id, each once
	size_t count;
};

// --- the configuration file

#define SECURITY_FILE "/etc/envseal/envseal.conf"
#define SECURITY_FILE_BYTES_MAX (64u << 10)
#define SECURITY_LINE_BYTES_MAX 190

// All zeros: it forces nothing.
struct security_floor {
	enum security_level level;
	struct security_overrides findings;
	char pinentry[SECURITY_LINE_BYTES_MAX + 1]; // absolute path, or ""
};
// `path` is for the sentences, which name the line and never its text. ERR_INPUT.
int security_floor_parse(struct span text, const char *path, struct security_floor *out, struct err *err);

// --- the sealed setting

// All zeros: standard, without overrides.
struct security {
	enum security_level level;
	struct security_overrides findings;
	struct security_floor floor; // what the file forces, once security_raise was called
};

// {"findings":{"core-pattern":"note"},"level":"hardened","version":1}. ERR_INPUT names the field: of a wrong type,
// twice, missing, one too many; ERR_LIMIT, ERR_MEMORY.
int security_parse(struct span json, struct security *out, struct err *err);
// Canonical: keys sorted, no blanks. Without the floor.
int security_format(const struct security *security, struct buf *out, struct err *err);

// ERR_INPUT for an id that guard does not know, naming the nearest. Replaces.
int security_override_put(struct security_overrides *overrides, struct span id, enum guard_action action,
			  struct err *err);
// Takes it away; the level decides again. ERR_INPUT as above.
int security_override_drop(struct security_overrides *overrides, struct span id, struct err *err);
const struct security_override *security_override_find(const struct security_overrides *overrides, const char *id);

// Puts in force what the file forces.
void security_raise(struct security *security, const struct security_floor *floor);
// ERR_DENIED, naming the file, when a setting that is to be stored goes below it.
int security_check_floor(const struct security *wanted, const struct security_floor *floor, struct err *err);

enum guard_action guard_action_for(const struct security *security, const struct finding *finding);
// The strictest that a finding of this kind can lead to.
enum guard_action guard_action_worst(const struct security *security, const struct finding_kind *kind);
// What the file forces for it.
enum guard_action guard_action_forced(const struct security_floor *floor, const struct finding_kind *kind);
