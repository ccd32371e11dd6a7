// engine: the use-cases, and the only place that joins vault, policy, approval, audit and exec. A front end fills a plain
// struct, calls one function and prints what comes back; no value ever comes back.
//
// Invariants
//  - Every change is one vault transaction that holds its audit record's head: intent on disk, then the change.
//  - A secret is released only after the audit intent is on disk and anchored in the vault, for every process to see. The
//    anchor comes to the disk with the next change: what a power cut takes of anchors is told from an older vault.
//  - What the log and the vault say of each other is checked at every unlock; a mismatch is ERR_DAMAGED.
#pragma once

#include "approve/approve.h"
#include "audit/audit.h"
#include "exec/exec.h"
#include "guard/guard.h"
#include "manifest/manifest.h"
#include "policy/policy.h"
#include "vault/vault.h"

// Where the passphrase comes from: the controlling terminal unless one of these is set.
struct engine_unlock {
	int passphrase_fd;           // -1: not given
	const char *passphrase_file; // NULL: not given
};
#define ENGINE_UNLOCK_TERMINAL ((struct engine_unlock){.passphrase_fd = -1})

// Sentences for the human while a use-case runs (stderr); text is printable.
typedef void engine_notice_fn(const char *sentence);

// First of all in main, before anything is read: notes what was inherited, hardens the process, refuses a tracer.
int engine_start(struct exec_inherited *out, struct err *err);
// Ends this process as the program ended: by the same signal, or with its status.
_Noreturn void engine_end_like(const struct exec_outcome *outcome);

struct engine;

// Where it all lives; borrowed from the engine.
const struct home *engine_home(const struct engine *engine);
int engine_new(engine_notice_fn *notice, struct engine **out, struct err *err);
struct engine *engine_free(struct engine *engine);
void engine_free_ptr(struct engine **engine);
#define _cleanup_engine_ _cleanup_(engine_free_ptr)

// --- under a broker (docs/architecture.md, "Broker"). One process keeps the vault's key; for each request it forks a
// worker, which uses it for one operation and asks the human through the desk.

// Unlocks and keeps the root key, shielded (crypto.h). From then on no function of this engine asks for a passphrase:
// what wants the vault open opens it by the key, and what needs a human asks at the desk. Records "broker.unlock".
// ERR_PASSPHRASE and the like.
struct engine_hold {
	struct engine_unlock unlock;
	int64_t for_seconds;  // for the record
	int64_t idle_seconds; // 0: never
};
int engine_hold(struct engine *engine, const struct engine_hold *request, struct err *err);
bool engine_is_holding(const struct engine *engine);
// First thing in a process that was forked to keep the key from then on (a daemon). The one it was forked from uses the
// key no more.
void engine_hold_here(struct engine *engine);
// Makes what gives shielded programs their usual names in ps, once for all of its workers (exec_plan.names_fd). Where it
// cannot be made each run tries for itself.
void engine_prepare_names(struct engine *engine);
// Records "broker.lock" with why, and wipes the key; that also where it could not be recorded, which is then the error.
// `reason` is one of "asked", "expired", "idle", "suspended", "terminated", "failed".
int engine_release(struct engine *engine, const char *reason, struct err *err);
// Wipes the key and records nothing. Never waits, which engine_release may have to, for whoever holds vault or log.
void engine_wipe(struct engine *engine);

// A question on its way to the human, and back. Through other hands: what counts is made by who has the vault open.
#define DESK_NONCE_BYTES 32
#define DESK_QUESTION_BYTES_MAX (64u * 1024)
struct desk_question {
	uint8_t nonce[DESK_NONCE_BYTES]; // random; of this question alone
	struct span approval;            // by approval_write
};
enum desk_verdict { DESK_APPROVED = 1, DESK_DENIED, DESK_COOL_DOWN };
struct desk_answer {
	enum desk_verdict verdict;
	uint8_t choice;              // enum approval_choice
	bool takes_values;
	uint8_t voucher[DIGEST_BYTES]; // of DESK_APPROVED: vault_voucher over all of the above
};

// How a worker reaches the human.
struct engine_desk {
	// A console is open somewhere: no need for a pinentry.
	bool (*is_watched)(void *context);
	// Puts the question, and waits for an answer, at most `seconds`. ERR_NO when nobody answered in time,
	// ERR_DENIED when the vault was locked meanwhile, ERR_INTERRUPTED when the asker is gone, ERR_LIMIT when too
	// many wait.
	int (*ask)(void *context, const struct desk_question *question, int seconds, struct desk_answer *out, struct err *err);
	// Tells who answered whether the answer counted.
	void (*judge)(void *context, bool is_valid);
	void *context;
};
// How long a question waits at the desk.
#define DESK_WAIT_SECONDS 120

// In a worker: for whom it works. Everything borrowed, for as long as the engine.
struct engine_client {
	pid_t pid;                    // of the envseal that asked; its parent is who asks
	bool is_confined;             // the kernel holds it closer than the broker (process_is_confined): its programs run in hardened
	char *const *environment;     // its own
	const struct exec_caller *caller;
	const struct exec_limits *limits;
	const struct engine_desk *desk;
	// A run was permitted; and a grant was made for this session.
	void (*permitted)(void *context);
	void (*granted)(void *context, const struct rule_session *session);
	void *context;
};
// From then on only what a human decides about, by a rule or at the desk, and what tells names and rules is done with
// the key; everything else that wants the vault open is ERR_DENIED.
void engine_serve(struct engine *engine, const struct engine_client *client);
// A worker's last call, when the client knows how its run ended: what the client need not wait for. The record of the end is
// in the log by then; here it comes to the disk, and the vault anchors it. What fails is said by a notice.
void engine_settle(struct engine *engine);
// For a forked child: takes the key out of this process, and leaves it to the parent.
void engine_forget(struct engine *engine);
// Keeps the vault open, locked, until `fd` is readable or at its end: while one process has it open, others open and
// close it without making and clearing away its log of changes each time. Blocks.
int engine_keep_open(struct engine *engine, int fd, struct err *err);
// Says a sentence to the human, as use-cases do.
void engine_tell(struct engine *engine, const char *sentence);

// The human's side: shows the question on the controlling terminal, asks for what the vault's level wants, opens the
// vault with it and vouches for the answer. A denial is an answer, and needs no passphrase. Everything else is none,
// and the question goes on waiting: ERR_NO when no key came in time, ERR_INTERRUPTED, ERR_PASSPHRASE (counted),
// ERR_DENIED where passphrases or codes are not looked at now, or codes are wanted and not set up, ERR_LOCKED without a
// terminal, ERR_INPUT for a question that is none, ….
int engine_answer(struct engine *engine, const struct desk_question *question, struct desk_answer *out, struct err *err);

// A question in short, for a list. Every text is inert (text_inert) and owned.
struct question_summary {
	char *action;
	char *program;        // its path; NULL: it is a change, without a program
	char **secrets;       // "NAME as VAR"
	size_t secret_count;
	char *asker;          // "node (4242)"
	char *agent;          // NULL: none that is known
	char *reason;         // NULL: none was given
};
void question_summary_done(struct question_summary *summary);
#define _cleanup_question_summary_ _cleanup_(question_summary_done)
// ERR_INPUT for a question that is none.
int engine_question_summary(const struct desk_question *question, struct question_summary *out, struct err *err);

// In a worker: has the human agree to a whole command line of envseal (NULL-terminated), as it was typed. ERR_DENIED.
int engine_permit(struct engine *engine, char *const *words, struct err *err);

// A value that the client left in the vault while locked (engine_set, `locked`): in a worker, makes it the current one;
// where it replaces one, after the human agreed. Denied, it is thrown away. ERR_DENIED; ERR_NOT_FOUND when none waits
// with this digest.
int engine_take_deposit(struct engine *engine, const char *name, const uint8_t digest[DIGEST_BYTES], struct vault_entry *out_entry,
			struct err *err);

// Removes the rules that were bound to a session which is gone, and records their ids ("grant.ended"). ERR_LOCKED
// without a key.
int engine_sessions_tidy(struct engine *engine, size_t *out_count, struct err *err);

// --- vault

struct engine_init {
	struct engine_unlock unlock;
	const char *pwhash; // name of a preset; NULL: measured on this machine
	bool allow_weak;
};
int engine_init(struct engine *engine, const struct engine_init *request, struct passphrase_score *out_score,
		struct err *err);

enum engine_source { ENGINE_FROM_TERMINAL, ENGINE_FROM_STDIN, ENGINE_FROM_FILE, ENGINE_FROM_GENERATOR };

#define ENGINE_GENERATE_MIN 8
#define ENGINE_GENERATE_MAX 4096

struct engine_set {
	struct engine_unlock unlock;
	const char *name;
	enum engine_source source;
	const char *file;
	size_t generate_count;
	struct vault_meta meta;
	bool replace;
	bool keep_newline;
	bool locked;
	uint8_t *out_digest; // of a deposit; NULL: not wanted
	bool allow_weak;
};
int engine_set(struct engine *engine, const struct engine_set *request, struct vault_entry *out_entry, struct err *err);

int engine_list(struct engine *engine, int (*each)(void *context, const struct vault_entry *entry), void *context,
		struct err *err);
int engine_show(struct engine *engine, const char *name, struct vault_entry *out, struct err *err);
int engine_history(struct engine *engine, const char *name,
		   int (*each)(void *context, const struct vault_version *version), void *context, struct err *err);
int engine_rename(struct engine *engine, const struct engine_unlock *unlock, const char *from, const char *to,
		  struct err *err);
int engine_copy(struct engine *engine, const struct engine_unlock *unlock, const char *from, const char *to,
		struct err *err);
// All or none. `yes` skips the question; without a terminal it is required (ERR_USAGE).
int engine_remove(struct engine *engine, const struct engine_unlock *unlock, const char *const names[], size_t count,
		  bool yes, struct err *err);

struct engine_tag {
	struct engine_unlock unlock;
	const char *name;
	const char **add;
	size_t add_count;
	const char **remove;
	size_t remove_count;
	const char *note; // NULL: unchanged
	int64_t expires;  // -1: unchanged, 0: never
};
int engine_tag(struct engine *engine, const struct engine_tag *request, struct vault_entry *out_entry, struct err *err);
// `version` 0: the one before the current. `out_version` is the number of the new current one.
int engine_rollback(struct engine *engine, const struct engine_unlock *unlock, const char *name, uint32_t version,
		    uint32_t *out_version, struct err *err);
// Compares standard input with the value in constant time; `out` is the answer. ERR_DENIED after ENGINE_VERIFY_TRIES wrong
// answers within ENGINE_VERIFY_SECONDS.
#define ENGINE_VERIFY_TRIES 5
#define ENGINE_VERIFY_SECONDS 60
int engine_verify(struct engine *engine, const struct engine_unlock *unlock, const char *name, bool keep_newline, bool *out,
		  struct err *err);
// Confirms or discards waiting values; no names: all of them, after a question unless `yes`. Calls `each` for every one
// that was.
struct engine_confirm {
	struct engine_unlock unlock;
	const char *const *names;
	size_t count;
	bool discard;
	bool yes;
};
int engine_confirm(struct engine *engine, const struct engine_confirm *request,
		   void (*each)(void *context, const struct vault_entry *entry), void *context, struct err *err);

// --- the second factor (engine/totp.h)

// Each is ERR_LOCKED without a controlling terminal, whatever `unlock` says: there the key is shown and codes are typed.
// Where one is set up already, a code of it is asked for first. ERR_PASSPHRASE for a wrong code, ERR_DENIED when codes are
// locked.
int engine_totp_setup(struct engine *engine, const struct engine_unlock *unlock, struct err *err);
int engine_totp_remove(struct engine *engine, const struct engine_unlock *unlock, bool by_recovery, struct err *err);

struct totp_status {
	bool is_set;
	int64_t since;
	uint32_t tries;         // without a right code since
	int64_t locked_seconds; // 0: not locked
};
// Needs no terminal.
int engine_totp_status(struct engine *engine, const struct engine_unlock *unlock, struct totp_status *out, struct err *err);

// --- import

enum import_choice { IMPORT_SECRET, IMPORT_PLAIN, IMPORT_UNCHANGED, IMPORT_LEFT_OUT };

struct import_line {
	unsigned line;
	const char *variable;
	const char *secret; // name in the vault, for IMPORT_SECRET and IMPORT_UNCHANGED
	enum import_choice choice;
	bool is_weak;
};

struct engine_import {
	struct engine_unlock unlock;
	const char *file;
	const char *prefix;
	const char *const *as_secret;
	size_t as_secret_count;
	const char *const *as_plain;
	size_t as_plain_count;
	bool dry_run;
	bool rewrite;
	bool replace;
	bool allow_weak;
	// Told in the order of the file, before anything is changed.
	void (*line)(void *context, const struct import_line *line);
	void (*problem)(void *context, const struct dotenv_problem *problem);
	void *context;
};

struct import_result {
	size_t stored;
	size_t unchanged;
	size_t plain;
	size_t left_out;
	bool manifest_written;
	bool file_removed;
};
int engine_import(struct engine *engine, const struct engine_import *request, struct import_result *out, struct err *err);

// --- running programs

enum engine_action { ENGINE_RUN, ENGINE_INJECT, ENGINE_PIPE };
const char *engine_action_name(enum engine_action action);

#define ENGINE_SECRETS_MAX 256

// What a leak leads to: a notice after the run, nothing but its record, or the end of the program. It is masked always.
enum engine_on_leak { ENGINE_LEAK_WARN, ENGINE_LEAK_MASK, ENGINE_LEAK_KILL };
const char *engine_on_leak_name(enum engine_on_leak on_leak);
int engine_on_leak_parse(const char *word, enum engine_on_leak *out, struct err *err);
// What a run is said to be for, as it was typed; blank is none. ERR_USAGE for more than APPROVAL_REASON_BYTES_MAX bytes.
int engine_reason_parse(const char *text, const char **out, struct err *err);

// What is asked of the sandbox, as it was typed; of a run, or of a rule. All zeros: nothing.
struct engine_sandbox {
	const char *tier;         // NULL: by level and rules
	const char *network;      // "none", "loopback", "allow"; NULL: what the tier has by itself
	const char *const *read;  // paths, from the caller's working folder
	size_t read_count;
	const char *const *write;
	size_t write_count;
	const char *const *endpoints; // HOST:PORT
	size_t endpoint_count;
	bool no_shield;
	bool degrade;
};

struct engine_run {
	enum engine_action action;
	struct engine_unlock unlock;
	const char *const *secrets; // NAME[=VAR[:file]] each; none: the manifest decides. ENGINE_PIPE: exactly one NAME
	size_t secret_count;
	const char *profile;
	const char *const *keep;
	size_t keep_count;
	bool by_path;
	bool no_wait;       // nobody is asked: where no rule allows it, ERR_DENIED at once, whoever has the passphrase
	const char *reason; // by engine_reason_parse; shown in the question, and recorded; NULL: none. Agents must give one at the level hardened and above
	enum engine_on_leak on_leak; // not for ENGINE_INJECT
	struct engine_sandbox sandbox;
	char *const *argv;
	char *const *environment; // the caller's
	const struct exec_inherited *inherited;
};

// One secret of a plan: what it is called, where it goes.
struct plan_secret {
	char *name;
	char *variable; // NULL: standard input
	enum exec_delivery delivery;
};

// A value that was stored while locked, as it was when the plan was made.
struct plan_waiting {
	const char *name; // of plan_secret
	int64_t since;
	bool is_first; // there is no confirmed one
	uint8_t digest[DIGEST_BYTES];
};

// Everything decided before anything is opened: pure data.
struct plan {
	enum engine_action action;
	struct program *program;
	char *const *argv; // borrowed from the request
	// The same, but that a bare word gave way to the absolute path under which the program was found: what rules look
	// at. The list is owned, its texts are not.
	char **found_argv;
	struct program_script script; // that the program is told to run
	struct rule_session session; // that asks: its leader; pid 0 where that is gone
	struct plan_secret *secrets;
	size_t secret_count;
	// Values of theirs that nobody has confirmed yet.
	struct plan_waiting *waiting;
	size_t waiting_count;
	const struct engine_run *request; // that it was made from; borrowed
	enum environment_mode mode;
	struct environment environment; // with the manifest's plain settings
	char *manifest_path;            // NULL when the command line named the secrets
	char *directory;
	struct rule_sandbox asked;   // what the request asks of the sandbox
	bool names_tier;             // its tier too
	struct rule_sandbox granted; // what it gets: with what level and rules make of it
	struct sandbox_plan sandbox; // made of that
	bool is_just_enclosed;       // and nobody was waited for since
	const char *const *keep; // borrowed
	size_t keep_count;
	enum engine_on_leak on_leak;
	const struct exec_inherited *inherited;
};

// The request must outlive the plan. ERR_NOT_FOUND, ERR_USAGE, ERR_NO_PROGRAM, ERR_NO_EXEC, …; nobody was asked yet.
int plan_build(struct engine *engine, const struct engine_run *request, struct plan *out, struct err *err);
// The same without secrets, and so without a look into the vault: program, arguments, folder, environment.
int plan_build_subject(struct engine *engine, const struct engine_run *request, struct plan *out, struct err *err);
void plan_done(struct plan *plan);
#define _cleanup_plan_ _cleanup_(plan_done)

// Asks rules and human, audits, opens, starts, supervises. The plan is made anew where the security level wants another
// environment. For ENGINE_INJECT it returns only on failure. Leaks and what else there is to
// say are in the outcome; names of leaked secrets by plan->secrets[leak.secret_index].
int engine_run(struct engine *engine, struct plan *plan, const struct engine_unlock *unlock,
	       struct exec_outcome *out, struct err *err);
void engine_outcome_done(struct exec_outcome *outcome); // also of what is all zero

// --- the jail for an agent (sandbox/jail.h)

struct engine_jail {
	const char *profile;     // a name or a file; NULL: by the agent's name
	const char *const *hide; // paths as typed
	size_t hide_count;
	const char *const *read;
	size_t read_count;
	const char *const *write;
	size_t write_count;
	const char *network; // "host", "none", "loopback", "allow"; NULL: host
	const char *const *endpoints;
	size_t endpoint_count;
	bool degrade;
	bool is_quiet;           // no notice of what stays open
	char *const *argv;       // the agent; NULL for a check
	char *const *environment;
	const struct exec_inherited *inherited;
};
// Replaces this process by the agent, in a jail; returns only on failure. Records "jail.start" where there is a log that can be
// written. ERR_NO_PROGRAM, ERR_NO_EXEC, and what jail_plan_build refuses.
int engine_jail(struct engine *engine, const struct engine_jail *request, struct err *err);

enum jail_verdict {
	JAIL_CLOSED,
	JAIL_OPEN,    // and it should not be
	JAIL_ALLOWED, // open, as it is meant to be
	JAIL_ABSENT   // there is no such thing here
};
const char *jail_verdict_name(enum jail_verdict verdict); // "closed", "OPEN", "allowed", "not here"
struct jail_row {
	const char *id;     // of an attempt, "dotenv-file", "hidden"
	const char *what;   // printable
	const char *remark; // printable; "" mostly
	enum jail_verdict verdict;
};
// Enters the same jail in a child and tries everything from there; tells each in turn. ERR_SYSTEM where the scene cannot be put
// up, and as above.
int engine_jail_check(struct engine *engine, const struct engine_jail *request,
		      void (*each)(void *context, const struct jail_row *row), void *context, struct err *err);

// --- rules

// A rule as it is shown: as words for a human, and as what docs/format-policy.md says.
struct engine_rule {
	const char *id;
	const char *effect; // "allow", "ask", "deny"
	const char *state;  // "ok"; "ended": it can never match again; "gone", "changed": its program is not what it is bound to;
			    // or what was done to it
	const char *words;  // lines, printable
	const json_t *json;
	bool is_grant;      // it ends by itself: with a time, uses, a boot or a session
	bool has_session;   // of a process ...
	bool is_session_alive; // ... that is still there
};
typedef void engine_rule_fn(void *context, const struct engine_rule *rule);

struct engine_policy_add {
	struct engine_unlock unlock;
	bool deny;
	const char *const *secrets; // NAME[=VAR[:file]], NAME=- for standard input; patterns and tag:TAG too, with =VAR for an allow
	size_t secret_count;
	const char *id;        // NULL: the next that is free
	const char *argv_mode; // "exact" (NULL), "prefix", "any"
	const char *directory; // NULL: the present one; "any"
	struct engine_sandbox sandbox; // that the run gets
	const char *span;      // "8h"; NULL: for ever
	const char *uses;      // NULL: not counted
	bool session;          // ends with this session
	bool boot;             // ends with this boot
	bool redaction;
	const char *const *keep;
	size_t keep_count;
	char *const *argv;     // NULL: for any program; a deny only
	char *const *environment; // the caller's
	const struct exec_inherited *inherited;
};
// Adds a rule for each way in which the secrets are given: all of them or none. On the terminal they are shown before the
// passphrase is asked for. `each` hears of every one. ERR_NOT_FOUND for a secret that is not there, ERR_EXISTS for an id that
// is, or for a rule that says the same.
int engine_policy_add(struct engine *engine, const struct engine_policy_add *request, engine_rule_fn *each, void *context,
		      struct err *err);
// All or none; `each` hears of every one that was removed. `only_grants`: no rule that stays by itself; with no ids all
// grants. ERR_NOT_FOUND.
struct engine_policy_remove {
	struct engine_unlock unlock;
	const char *const *ids;
	size_t count;
	bool only_grants;
};
int engine_policy_remove(struct engine *engine, const struct engine_policy_remove *request, engine_rule_fn *each,
			 void *context, struct err *err);
// In the order of ids. Looks at the programs, one by one: blocks for reading them.
int engine_policy_list(struct engine *engine, const struct engine_unlock *unlock, bool only_grants, engine_rule_fn *each,
		       void *context, struct err *err);
// Appends the canonical set; `out->max` of RULES_BYTES_MAX is enough.
int engine_policy_export(struct engine *engine, const struct engine_unlock *unlock, bool with_grants, struct buf *out,
			 struct err *err);

struct engine_policy_import {
	struct engine_unlock unlock;
	const char *file;
	bool replace; // rules that the file does not have are removed
	bool force;   // one of the same id and other content is changed
	bool dry_run;
};
// All or nothing. `each` hears of every rule before anything is changed; its state is "added", "changed", "removed" or
// "unchanged". On the terminal what is added and changed is shown in words, and agreement asked for. ERR_INPUT, ERR_LIMIT,
// ERR_EXISTS.
int engine_policy_import(struct engine *engine, const struct engine_policy_import *request, engine_rule_fn *each,
			 void *context, struct err *err);

// What the rules say to a run, without running it; `request` as for engine_run. `out` is an object with the members that
// envseal-policy(1) names. ERR_NO_PROGRAM and the like where the run itself would fail.
int engine_policy_explain(struct engine *engine, const struct engine_run *request, bool *out_allowed, json_t **out,
			  struct err *err);

struct engine_policy_test {
	struct engine_unlock unlock; // for a file without rules
	const char *file;
};
// Decides the cases of a file, which looks at nothing but the file, or the vault's rules where it has none. `out` is an
// object as above. ERR_INPUT, ERR_LIMIT.
int engine_policy_test(struct engine *engine, const struct engine_policy_test *request, json_t **out, struct err *err);

// --- filtering a stream

struct engine_redact {
	struct engine_unlock unlock;
	const char *const *secrets; // names; none: the manifest decides
	size_t secret_count;
	const char *profile;
	bool all;      // every secret that has a value, instead
	int events_fd; // one JSON object a line for each mask, and one for the end; -1: none
	const struct exec_inherited *inherited;
};

struct redact_outcome {
	char **names; // of the secrets, owned; leak.secret_index counts in it
	size_t name_count;
	struct exec_leaks leaks;
	uint64_t read_bytes;
	uint64_t written_bytes;
	int signal;           // that ended the stream before its end: SIGPIPE when the reader went away; else 0
	bool tables_unlocked; // redaction tables could not be kept out of swap
	struct err failure;   // code 0: none; what kept the stream, or its events, from being written or read to the end
};
void redact_outcome_done(struct redact_outcome *outcome);
#define _cleanup_redact_outcome_ _cleanup_(redact_outcome_done)
// Filters standard input to standard output, in constant memory, after everything was checked and the record of it is on
// disk. Blocks until the end of input, a reader that goes away, or INT, TERM, HUP or QUIT; those stay blocked from then on,
// so that none comes between the end and its record. Fails only where nothing was read: ERR_USAGE for descriptors that are
// not open or serve two ends, ERR_NOT_FOUND for an unknown secret, ERR_DENIED for one that is not confirmed.
int engine_redact(struct engine *engine, const struct engine_redact *request, struct redact_outcome *out, struct err *err);
// As outcome_leaks_text.
bool redact_leaks_text(const struct redact_outcome *outcome, struct buf *out);

// --- coverage

struct coverage_row {
	const char *form;    // as masks name it
	size_t needle_count; // byte strings that are looked for
	const char *reason;  // NULL when there are any; else why not: a constant sentence part
	const char *weak;    // NULL, or why it is looked for only where it stands alone as a word: a constant sentence part
};
// In which forms the current value is looked for in output, one row a form; the opening is recorded.
int engine_coverage(struct engine *engine, const struct engine_unlock *unlock, const char *name,
		    struct coverage_row out[REDACT_FORM_COUNT], struct err *err);

// --- health

// What is wrong with a secret. The names are stable: "placeholder", "low-entropy".
enum health_finding {
	HEALTH_PLACEHOLDER,  // it looks like something that stands where a value is still to come
	HEALTH_SHORT,        // under HEALTH_SHORT_BYTES: a bound of a size bucket, so that it tells no more of the size
	HEALTH_LOW_ENTROPY,  // so regular that it has under HEALTH_ENTROPY_BITS bits, and under half of what it could have
	HEALTH_WEAK,         // masked only where it stands alone as a word
	HEALTH_DUPLICATE,    // other secrets have the same value
	HEALTH_OLD,          // the current version was stored over HEALTH_OLD_DAYS ago
	HEALTH_EXPIRED,
	HEALTH_EXPIRES_SOON, // within HEALTH_SOON_DAYS
	HEALTH_UNCONFIRMED,  // a value waits to be confirmed; it is not looked at
	HEALTH_COUNT
};
#define HEALTH_BIT(finding) (1u << (finding))
#define HEALTH_SHORT_BYTES 16
#define HEALTH_ENTROPY_BITS 32
#define HEALTH_OLD_DAYS 365
#define HEALTH_SOON_DAYS 14
const char *health_name(enum health_finding finding);

#define HEALTH_SAME_MAX 8

struct health_row {
	const char *name;
	unsigned findings;                    // a set of HEALTH_BIT
	const char *same_as[HEALTH_SAME_MAX]; // the first others with the same value
	size_t same_count;                    // how many others there are in all
};

struct engine_health {
	struct engine_unlock unlock;
	const char *name;        // NULL: every secret that has all of `tags`
	const char *const *tags;
	size_t tag_count;
};
// Calls `each` in order of name for every secret asked for, also one without findings, after every confirmed value of the
// vault was opened, one at a time, and that was recorded: a duplicate may be anywhere. Values are compared by a MAC under a
// random key that ends with the call. `row` is valid during the call only. ERR_NOT_FOUND.
int engine_health(struct engine *engine, const struct engine_health *request,
		  void (*each)(void *context, const struct health_row *row), void *context, struct err *err);

// --- security level

struct engine_security {
	struct security sealed;   // as the vault has it
	struct security in_force; // raised by what the configuration file forces (in_force.floor)
};
int engine_security_show(struct engine *engine, const struct engine_unlock *unlock, struct engine_security *out,
			 struct err *err);

const char *engine_level_name(enum security_level level);

// What the levels demand in one respect, in words. False behind the last one.
struct security_demand {
	const char *key;   // stable, "rules_allow"
	const char *title;
	const char *levels[SECURITY_LEVEL_COUNT];
};
bool engine_security_demand(size_t index, struct security_demand *out);

// One finding, and what it leads to at its worst. False behind the last one.
struct security_finding {
	const char *id;
	const char *worst; // severity
	const char *action;
	const char *set;    // NULL: the level decides
	const char *forced; // NULL: the configuration file does not
};
bool engine_security_finding(const struct engine_security *security, size_t index, struct security_finding *out);

struct engine_security_set {
	struct engine_unlock unlock;
	const char *level;           // NULL: unchanged
	const char *const *findings; // "ID=ACTION" each; "ID=level": what the level says
	size_t finding_count;
};
// Wants the factor of the stronger of the old and the new level. ERR_DENIED for less than the configuration file
// forces.
int engine_security_set(struct engine *engine, const struct engine_security_set *request, struct engine_security *out,
			struct err *err);

// --- self-test

struct selftest_row {
	const char *what; // a form, by redact_form_name, or "xxd", "hexdump", "process"
	uint64_t cases;
	uint64_t failed;
};
#define SELFTEST_ROWS_MAX (REDACT_FORM_COUNT + 3)

struct selftest_report {
	struct selftest_row rows[SELFTEST_ROWS_MAX]; // without those that had no case
	size_t row_count;
	uint64_t cases;
	uint64_t failed;
	uint64_t filter_mb_per_s; // clean text through the filter, and the same text copied in memory; for information
	uint64_t memcpy_mb_per_s;
};
#define SELFTEST_FAILURES_TOLD 10
// Puts made-up values through the redaction of this build on this machine, in every form and cut in two everywhere. Needs no
// vault and no engine. `failure` hears of the first SELFTEST_FAILURES_TOLD cases that fail. A few seconds.
int engine_selftest(engine_notice_fn *failure, struct selftest_report *out, struct err *err);

// --- log

int engine_audit_query(struct engine *engine, const struct audit_filter *filter,
		       int (*each)(void *context, json_t *record), void *context, struct err *err);

struct engine_audit_report {
	struct audit_report log;
	bool anchor_checked;
	uint64_t anchor_count;
};
// `unlock` NULL: the chain alone.
int engine_audit_verify(struct engine *engine, const struct engine_unlock *unlock, struct engine_audit_report *out,
			struct err *err);

// What a value touched. `unlock` NULL: locked, and then neither the log's end nor the vault's metadata is verified.
struct engine_radius {
	const char *name;
	const struct engine_unlock *unlock;
	bool all; // since the name was first used, not only since its present value was stored
};
// Verifies the log, then reads it for the value that the name has, or had last before it was removed; renames, copies and
// rollbacks are followed. The object's members are in envseal-audit(1); every text in it is printable. The caller owns it.
// ERR_DAMAGED; ERR_NOT_FOUND when neither vault nor log know the name.
int engine_radius(struct engine *engine, const struct engine_radius *request, json_t **out, struct err *err);
int engine_audit_rotate(struct engine *engine, struct err *err);
// Takes the log as it stands, even when it was cut or lost, as the new beginning, and records what was expected. A log
// whose chain is broken is moved aside first. ERR_USAGE without `yes` and without a terminal.
int engine_audit_accept(struct engine *engine, const struct engine_unlock *unlock, bool yes, struct err *err);

// --- doctor

// A promise of docs/threats.md.
#define ENGINE_PROMISE_FINDINGS_MAX 13
struct engine_promise {
	const char *id;    // of the claim, "C4"; or what is promised, "hardened"
	const char *title;
	const char *depends[ENGINE_PROMISE_FINDINGS_MAX]; // findings' ids
	size_t depend_count;
	const struct finding *causes[ENGINE_PROMISE_FINDINGS_MAX]; // those by which it does not hold here. Borrowed
	size_t cause_count;                                        // 0: it holds
};

// Either returning non-zero stops.
struct engine_doctor_report {
	int (*finding)(void *context, const struct finding *finding);
	int (*promise)(void *context, const struct engine_promise *promise);
	void *context;
};
// guard's findings, then those about the vault and the log, then what they mean for each promise; with `unlock` not NULL
// everything in vault and log is verified.
int engine_doctor(struct engine *engine, const struct engine_unlock *unlock, const struct engine_doctor_report *report,
		  struct err *err);

// "masked 3 times: NAME (base64 on stdout, 2), …" for a notice. False when nothing was masked.
bool outcome_leaks_text(const struct plan *plan, const struct exec_outcome *outcome, struct buf *out);
// What of its tier a run that may be weaker did not get, and why. False when it got all.
bool outcome_missing_text(const struct plan *plan, const struct exec_outcome *outcome, struct buf *out);
// Why the program was killed, naming secret and form. False when it was not for a leak.
bool outcome_kill_text(const struct plan *plan, const struct exec_outcome *outcome, struct buf *out);
// The plan as a JSON object for --explain; NULL when out of memory. The caller owns it.
json_t *engine_explain(const struct plan *plan, struct err *err);

// "ok", "note", "warn", "bad".
const char *engine_severity_name(enum finding_severity severity);
// True when a secret has expired by now.
bool entry_is_expired(const struct vault_entry *entry);
bool entry_has_tags(const struct vault_entry *entry, const char *const tags[], size_t count); // all of them
// "1-7", "8-15", … : how large a value is, without telling its size.
const char *entry_size_bucket(const struct vault_entry *entry);
