// policy/rule: standing rules as plain data: what they may hold, their JSON form, and whether they are sound. What a
// set of them decides is in policy/decision.h; docs/format-policy.md has both for other implementations.
//
// Invariants
//  - A rule that rule_parse or rules_parse gave is sound (rule_check). Nothing else may be decided with.
//  - Everything is bounded by the RULE_…_MAX. Patterns know `*` and `?` and nothing else.
//  - An allow names the program, and never lets open-ended programs choose their arguments.
#pragma once

#include "program/program.h"
#include "sandbox/sandbox.h"

#define RULES_COUNT_MAX 16384
#define RULES_BYTES_MAX (16u << 20) // JSON text of a set
#define RULE_BYTES_MAX (256u << 10) // JSON text of one rule
#define RULE_ID_BYTES_MAX 64
#define RULE_BOOT_BYTES 36          // /proc/sys/kernel/random/boot_id
#define RULE_SECRETS_MAX 64
#define RULE_PATTERN_BYTES_MAX 255
#define RULE_VARIABLES_MAX 64
#define RULE_ENVIRONMENT_MAX 64
#define RULE_ARGUMENTS_MAX 256
#define RULE_ARGUMENTS_BYTES_MAX (32u << 10) // all of them together
#define RULE_PATH_BYTES_MAX 4095
#define RULE_TIME_MAX 253402300799 // the last second of the year 9999
#define RULE_MILLISECONDS_MAX 9007199254740991 // what every reader of JSON keeps exact (RFC 8259, section 6)
#define RULE_USES_MAX 1000000
#define RULE_PID_MAX 4194304 // PID_MAX_LIMIT
#define RULE_TAG_PREFIX "tag:"

enum rule_effect { RULE_ASK, RULE_ALLOW, RULE_DENY };
const char *rule_effect_name(enum rule_effect effect); // "ask", "allow", "deny"

// The more specific one is the larger.
enum rule_binding_kind {
	RULE_BINDING_ANY,    // any program; for an interpreter: nothing is said of it
	RULE_BINDING_SYSTEM, // real path of a program that only root can change
	RULE_BINDING_EXACT   // digest; `path` says where it was, so that "changed" can be told from "another"
};
enum rule_argv_mode { RULE_ARGV_ANY, RULE_ARGV_PREFIX, RULE_ARGV_EXACT };

enum rule_delivery { RULE_TO_VARIABLE = 1, RULE_TO_FILE = 2, RULE_TO_STDIN = 4 };
#define RULE_DELIVERY_COUNT 3

// The words of the format.
extern const char *const rule_binding_names[3];                    // by enum rule_binding_kind
extern const char *const rule_argv_names[3];                       // by enum rule_argv_mode
extern const char *const rule_delivery_names[RULE_DELIVERY_COUNT]; // by bit number

// By what it was made; no part of a decision.
enum rule_made { RULE_MADE_COMMAND, RULE_MADE_PROMPT };
const char *rule_made_name(enum rule_made made); // "command", "prompt"

struct rule_binding {
	enum rule_binding_kind kind;
	char *path; // owned; NULL for RULE_BINDING_ANY
	uint8_t digest[DIGEST_BYTES];
};

// The leader of a session: a process by number and start time (field 22 of /proc/PID/stat), within one boot.
struct rule_session {
	int64_t pid; // 0: none
	uint64_t start;
};

// An end by the clock that runs from the start of a boot (CLOCK_BOOTTIME), which nobody sets.
struct rule_until {
	char boot[RULE_BOOT_BYTES + 1]; // "": there is none
	int64_t milliseconds;           // the first one in which the rule does not hold
};

// What a rule says of the sandbox, and what a run asks of it: a tier at least, and how much of it is open. All zeros: nothing.
struct rule_sandbox {
	enum sandbox_tier tier;
	enum sandbox_network network;     // HOST: what the tier has by itself
	struct text_list readable;        // absolute paths, as the other list
	struct text_list writable;
	struct text_list endpoints;       // of SANDBOX_NETWORK_ALLOW
	bool is_unshielded;
	bool is_degradable;
};
void rule_sandbox_done(struct rule_sandbox *sandbox);
#define _cleanup_rule_sandbox_ _cleanup_(rule_sandbox_done)
// `to` is all zeros, and to be done with in every case. ERR_MEMORY.
int rule_sandbox_copy(const struct rule_sandbox *from, struct rule_sandbox *to, struct err *err);
// The path is one of the list, or lies below one.
bool rule_paths_cover(const struct text_list *list, const char *path);
// Nothing of what is asked for is more open than in the rule. Tiers are not compared.
bool rule_sandbox_covers(const struct rule_sandbox *rule, const struct rule_sandbox *asked);

// What every decision looks at comes first: over ten thousand rules, memory is what it waits for.
struct rule {
	enum rule_effect effect;
	struct text_list secrets;         // patterns of names, or of tags behind "tag:"
	unsigned deliveries;              // rule_delivery bits; 0: any (not for an allow)
	struct text_list variables;       // patterns; for variables and files. Empty: any (not for an allow)
	bool is_paired;                   // each of `secrets` goes with the one of `variables` at its place
	struct rule_binding program;
	enum rule_argv_mode argv_mode;
	struct text_list arguments;       // argv[0] first, compared byte for byte
	char *directory;                  // it and what is below; NULL: any
	bool redaction;                   // required
	int64_t created;                  // seconds since the epoch
	int64_t expires;                  // the first second in which it does not hold; 0: never
	char boot[RULE_BOOT_BYTES + 1];   // holds in this boot only; "": in any
	bool is_counted;
	uint64_t uses_left;
	struct rule_session session;      // holds for this session only
	struct rule_binding interpreter;  // of a `#!` script
	struct rule_binding script;       // that the program is told to run: exact, or any (for an allow: none)
	struct text_list environment;     // names that may be kept; only for an allow
	struct rule_sandbox sandbox;      // that the run gets; only for an allow
	struct rule_until until;          // only beside `expires`
	enum rule_made made;
	char id[RULE_ID_BYTES_MAX + 1];
};

void rule_done(struct rule *rule);
#define _cleanup_rule_ _cleanup_(rule_done)

struct rule_set {
	struct rule *rules; // sorted by id
	size_t count;
};
void rules_done(struct rule_set *set);
#define _cleanup_rules_ _cleanup_(rules_done)

// Whether a rule may stand, whenever it was made. ERR_INPUT, or ERR_LIMIT for what is too long or too many; the
// sentence names the rule and the field.
int rule_check(const struct rule *rule, struct err *err);
// The same for one that is to be added at `now`: it must not have expired or been used up, or come from the future.
int rule_check_new(const struct rule *rule, int64_t now, struct err *err);

// One JSON object. ERR_INPUT names the rule and the field: unknown, of a wrong type, missing, or not sound; a name that
// stands twice and what is no JSON by line and column. ERR_LIMIT, ERR_MEMORY.
int rule_parse(struct span json, struct rule *out, struct err *err);
// {"rules": […], "version": 1}; also ERR_INPUT for an id that stands twice.
int rules_parse(struct span json, struct rule_set *out, struct err *err);
// Canonical: keys sorted, no blanks, ASCII, what has its default left out; a set in the order of ids. What they append
// the parsers read back as the same rules. Unsound rules are refused as by rule_check; ERR_LIMIT by `out->max`.
int rule_format(const struct rule *rule, struct buf *out, struct err *err);
int rules_format(const struct rule_set *set, struct buf *out, struct err *err);

// `*` is any bytes, also none and also '/'; `?` is one byte. No recursion: at most pattern × text steps.
bool rule_glob_matches(const char *pattern, const char *text);
bool rule_is_glob(const char *pattern);
// Bytes of it that are not `*` or `?`.
size_t rule_literal_bytes(const char *pattern);
