// cli: the front end. Parses, asks the engine for one use-case, prints. Holds no secret.
//
// One table of options and one of commands (command_table.c) are the only source of what exists: parsing, --help,
// completion and the manual's synopses come from them, and tests/docs holds the manual against them.
#pragma once

#include <stdio.h>

#include "broker/broker.h"
#include "engine/engine.h"

enum option_id {
	OPTION_HELP,
	OPTION_JSON,
	OPTION_QUIET,
	OPTION_PASSPHRASE_FD,
	OPTION_PASSPHRASE_FILE,
	OPTION_PWHASH,
	OPTION_ALLOW_WEAK,
	OPTION_STDIN,
	OPTION_FILE,
	OPTION_GENERATE,
	OPTION_FORCE,
	OPTION_RAW,
	OPTION_LOCKED,
	OPTION_TAG,
	OPTION_NOTE,
	OPTION_EXPIRES,
	OPTION_YES,
	OPTION_ADD,
	OPTION_REMOVE,
	OPTION_TO,
	OPTION_DISCARD,
	OPTION_DRY_RUN,
	OPTION_REWRITE,
	OPTION_AS_SECRET,
	OPTION_AS_PLAIN,
	OPTION_PREFIX,
	OPTION_SECRET,
	OPTION_PROFILE,
	OPTION_KEEP_ENV,
	OPTION_BY_PATH,
	OPTION_EXPLAIN,
	OPTION_OF_SECRET,
	OPTION_KIND,
	OPTION_PROGRAM,
	OPTION_SINCE,
	OPTION_UNTIL,
	OPTION_CHAIN_ONLY,
	OPTION_ON_LEAK,
	OPTION_WATCH,
	OPTION_ALL,
	OPTION_EVENTS_FD,
	OPTION_COVERAGE,
	OPTION_HEALTH,
	OPTION_ALL_VALUES,
	OPTION_RECOVERY,
	OPTION_FINDING,
	OPTION_RULE_SECRET,
	OPTION_RULE_ID,
	OPTION_ARGV,
	OPTION_DIRECTORY,
	OPTION_TIER,
	OPTION_RULE_TIER,
	OPTION_DEGRADE,
	OPTION_NO_SHIELD,
	OPTION_READ,
	OPTION_WRITE,
	OPTION_NET,
	OPTION_FOR,
	OPTION_USES,
	OPTION_SESSION,
	OPTION_BOOT,
	OPTION_REDACTION,
	OPTION_ALL_RULES,
	OPTION_REPLACE,
	OPTION_FORCE_RULES,
	OPTION_ALL_GRANTS,
	OPTION_REASON,
	OPTION_NO_WAIT,
	OPTION_DIRECT,
	OPTION_UNLOCK_FOR,
	OPTION_IDLE,
	OPTION_FOREGROUND,
	OPTION_LIST,
	OPTION_ONCE,
	OPTION_CHECK,
	OPTION_HIDE,
	OPTION_JAIL_NET,
	OPTION_JAIL_PROFILE,
	OPTION_JAIL_READ,
	OPTION_COUNT
};

// What completion offers for a value or an operand.
enum completion { COMPLETE_NONE, COMPLETE_FILE, COMPLETE_SECRET, COMPLETE_COMMAND, COMPLETE_WORDS };

struct option_row {
	const char *long_name;  // without dashes
	char short_name;        // 0: none
	const char *value_name; // NULL: a flag
	bool can_repeat;
	const char *help;       // one line, no full stop
	enum completion completion;
	const char *words; // COMPLETE_WORDS: blank-separated
};
extern const struct option_row option_rows[OPTION_COUNT];

#define COMMAND_OPTIONS_MAX 24

struct arguments;
struct context;

// What of a command a running broker does.
enum command_broker {
	DIRECT_ONLY,    // nothing
	BROKER_DECIDES, // all of it; the use-case itself asks rules and human
	BROKER_ASKS     // all of it, after the human has agreed to the command line
};

struct command {
	const char *name;     // one word, or two: "audit show"
	const char *operands; // as in the synopsis: "NAME", "[NAME...]", ""
	const char *summary;  // one line, no full stop
	size_t operands_min;
	size_t operands_max;
	bool takes_endpoints; // HOST:PORT behind the other operands, with --net allow
	bool takes_program;   // "-- PROGRAM [ARGUMENT...]"
	bool may_lack_program; // "[-- PROGRAM [ARGUMENT...]]"
	bool runs_program;    // exit status by err_run_status
	bool needs_no_engine; // works without HOME
	enum command_broker broker;
	enum completion operand_completion;
	const char *operand_words;
	enum option_id options[COMMAND_OPTIONS_MAX]; // ends with OPTION_COUNT where shorter
	size_t option_count;
	int (*run)(struct context *context, const struct arguments *arguments); // an exit status
};
extern const struct command command_rows[];
extern const size_t command_count;

struct option_given {
	enum option_id id;
	const char *value; // "" for a flag
};

#define ARGUMENTS_OPTIONS_MAX 512
#define ARGUMENTS_OPERANDS_MAX 4096

struct arguments {
	const struct command *command;
	struct option_given given[ARGUMENTS_OPTIONS_MAX]; // in the order of the command line
	size_t given_count;
	const char *operands[ARGUMENTS_OPERANDS_MAX]; // borrowed from argv
	size_t operand_count;
	char *const *program; // NULL-terminated, borrowed; NULL when there was no "--"
	bool wants_help;
};

// How long `unlock` keeps the vault open where nothing else is said, and what --for may say. The help has the same in words.
#define UNLOCK_FOR_SECONDS (8 * 3600)
#define UNLOCK_IDLE_SECONDS (30 * 60)
#define UNLOCK_FOR_MIN_SECONDS 60
#define UNLOCK_FOR_MAX_SECONDS (7 * 86400)

struct context {
	struct engine *engine; // NULL for commands that need none
	char *const *words; // of the command line, behind "envseal"
	char *const *environment;
	const struct exec_inherited *inherited;
	int signal; // that the command's program was ended by, and so ends this process; 0: none
};

// Reads the words behind the command's name (NULL-terminated) by its options. ERR_USAGE otherwise; `out->command` is set in
// every case.
int arguments_parse(const struct command *command, char *const *words, struct arguments *out, struct err *err);
bool arguments_has(const struct arguments *arguments, enum option_id id);
const char *arguments_value(const struct arguments *arguments, enum option_id id); // NULL: not given
// The values of a repeatable option; returns their count, at most `max` are stored.
size_t arguments_values(const struct arguments *arguments, enum option_id id, const char **out, size_t max);

// The operands that are endpoints.
const char *const *arguments_endpoints(const struct arguments *arguments, size_t *ret_count);

// What the options of a sandbox ask for. The lists are the room that the request points into.
struct sandbox_words {
	const char *read[ARGUMENTS_OPTIONS_MAX];
	const char *write[ARGUMENTS_OPTIONS_MAX];
};
struct engine_sandbox sandbox_from_arguments(const struct arguments *arguments, struct sandbox_words *words);

// The command whose name begins the words (two-word names first); *ret_words is how many words its name has. NULL: none.
const struct command *command_find(char *const *words, size_t *ret_words);
// ERR_USAGE for words that no command's name begins; where the first word begins some, they are named.
int command_unknown(char *const *words, struct err *err);
// The synopsis line: "envseal set NAME [--stdin] …". Appended to out.
int command_synopsis(const struct command *command, struct buf *out, struct err *err);
int command_print_help(const struct command *command); // to stdout; exit status
// The overview of all commands.
void overview_print(FILE *to);

// --- a command and the broker (serve.c)

// Has a running broker do it, where it is one that does such a thing: true, with *ret_status. False: it is to be done here.
bool command_forward(struct context *context, const struct arguments *arguments, int *ret_status);
// In a broker's worker: broker_do_fn.
void command_serve(struct engine *engine, const struct broker_work *work, struct broker_end *out);
// Whether the options want it done by this process.
bool wants_direct(const struct arguments *arguments);
void notice_sentence(const char *sentence);

// --- output helpers (output.c)

// "envseal: COMMAND: sentence" on stderr; returns the exit status for err->code (for programs: err_run_status).
int report(const struct arguments *arguments, const struct err *err);
// A line on stderr in the same style.
void notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Prints the object with "version": 1 added, on stdout, and releases it. Exit status 0, or 1 when stdout cannot be
// written.
int json_print(json_t *object);
// Flushes stdout; exit status 0, or 1 with a sentence when something could not be written (a full disk, a closed pipe).
int output_finish(void);
// Where the passphrase comes from, by the options.
int unlock_from_arguments(const struct arguments *arguments, struct engine_unlock *out, struct err *err);
// --expires as seconds, 0 for "never"; left alone when it was not given. ERR_USAGE for a time that has passed.
int expires_from_arguments(const struct arguments *arguments, int64_t *out, struct err *err);

// --- one function a command

int command_init(struct context *context, const struct arguments *arguments);
int command_set(struct context *context, const struct arguments *arguments);
int command_list(struct context *context, const struct arguments *arguments);
int command_show(struct context *context, const struct arguments *arguments);
int show_coverage(struct context *context, const struct arguments *arguments); // command_show with --coverage
int health_show(struct context *context, const struct arguments *arguments);   // command_list, command_show with --health
void list_notice_empty(bool by_tags); // that there was nothing to list
int command_get(struct context *context, const struct arguments *arguments);
int command_rename(struct context *context, const struct arguments *arguments);
int command_copy(struct context *context, const struct arguments *arguments);
int command_rm(struct context *context, const struct arguments *arguments);
int command_tag(struct context *context, const struct arguments *arguments);
int command_history(struct context *context, const struct arguments *arguments);
int command_rollback(struct context *context, const struct arguments *arguments);
int command_verify(struct context *context, const struct arguments *arguments);
int command_confirm(struct context *context, const struct arguments *arguments);
int command_import(struct context *context, const struct arguments *arguments);
int command_run(struct context *context, const struct arguments *arguments);
int command_inject(struct context *context, const struct arguments *arguments);
int command_pipe(struct context *context, const struct arguments *arguments);
int command_jail(struct context *context, const struct arguments *arguments);
int command_redact(struct context *context, const struct arguments *arguments);
int command_totp_setup(struct context *context, const struct arguments *arguments);
int command_totp_rm(struct context *context, const struct arguments *arguments);
int command_totp_status(struct context *context, const struct arguments *arguments);
int command_audit_show(struct context *context, const struct arguments *arguments);
int command_audit_verify(struct context *context, const struct arguments *arguments);
int command_audit_blast_radius(struct context *context, const struct arguments *arguments);
int command_audit_rotate(struct context *context, const struct arguments *arguments);
int command_audit_accept(struct context *context, const struct arguments *arguments);
int command_security_show(struct context *context, const struct arguments *arguments);
int command_security_set(struct context *context, const struct arguments *arguments);
int command_policy_allow(struct context *context, const struct arguments *arguments);
int command_policy_deny(struct context *context, const struct arguments *arguments);
int command_policy_list(struct context *context, const struct arguments *arguments);
int command_policy_rm(struct context *context, const struct arguments *arguments);
int command_policy_export(struct context *context, const struct arguments *arguments);
int command_policy_import(struct context *context, const struct arguments *arguments);
int command_policy_explain(struct context *context, const struct arguments *arguments);
int command_policy_test(struct context *context, const struct arguments *arguments);
int command_grants(struct context *context, const struct arguments *arguments);
int command_grants_rm(struct context *context, const struct arguments *arguments);
int rules_remove_named(struct context *context, const struct arguments *arguments, bool only_grants); // policy rm, grants rm
int command_unlock(struct context *context, const struct arguments *arguments); // ends the process where it succeeds
int command_lock(struct context *context, const struct arguments *arguments);
int command_status(struct context *context, const struct arguments *arguments);
int command_approve(struct context *context, const struct arguments *arguments);
int command_doctor(struct context *context, const struct arguments *arguments);
int command_selftest(struct context *context, const struct arguments *arguments);
int command_completion(struct context *context, const struct arguments *arguments);
int command_help(struct context *context, const struct arguments *arguments);
int command_version(struct context *context, const struct arguments *arguments);
