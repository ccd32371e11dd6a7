// engine's own pieces: the opened vault with its log (struct session), passphrases, values. Not for front ends.
#pragma once

#include "approve/approve.h"
#include "engine/engine.h"

struct engine {
	struct home home;
	engine_notice_fn *notice;
	struct shielded *root;              // the vault's key, where it is held; NULL
	const struct engine_client *client; // in a broker's worker: for whom; NULL
	struct vault *spare;                // opened, locked, for a look under a held key; for the session that follows
	struct session *unsettled;          // in a worker: of a run that has ended; run.c; NULL
	int queue_fd;                        // queue.c; -1: none was taken yet
	int names_fd;                        // where a key is held: exec_plan.names_fd of all programs; else -1
	bool is_permitted;                  // and the human has agreed to the whole command
};

// --- hold.c

// The process that asks: the one that started the envseal that was typed.
pid_t engine_asker(const struct engine *engine);
// The envseal that was typed: this process, or a broker's client.
pid_t engine_caller(const struct engine *engine);
// Of its environment; NULL.
const char *engine_variable(const struct engine *engine, const char *name);

// Makes a sentence and hands it to the front end's notice function.
void engine_notice(struct engine *engine, const char *format, ...) __attribute__((format(printf, 2, 3)));

// --- passphrase.c

// Reads the passphrase from where `unlock` says, the terminal by default. ERR_LOCKED when there is no terminal.
int passphrase_get(const struct engine_unlock *unlock, const char *prompt, struct secret **out, struct err *err);
// The same for a new one: asked twice on the terminal.
int passphrase_choose(const struct engine_unlock *unlock, struct secret **out, struct err *err);
bool unlock_is_terminal(const struct engine_unlock *unlock);

// --- queue.c: workers of a broker wait for each other's transactions in a line, by a lock on the vault's folder. The
// store's own waiting is by trying again and again: with hundreds of them some would wait for ever, and all for
// nothing.

void queue_enter(struct engine *engine); // nothing outside of a worker. Blocks for a minute at most, and then goes on all the same
void queue_leave(struct engine *engine);

// --- session.c

struct session {
	struct engine *engine;
	struct vault *vault;
	struct audit *audit;
	bool is_by_key;                         // opened by the key that is held: what is told of wrong passphrases waits for a human
	uint64_t failures_recorded;             // wrong passphrases that the log has behind the anchor; by session_check_log
	char failures_since[CLOCK_TEXT_BYTES];  // the first of them
	uint64_t states_lost;                   // records behind the anchor whose states a power cut has taken; by the same
};
void session_done(struct session *session);
#define _cleanup_session_ _cleanup_(session_done)

// Opens vault and log, locked.
int session_open(struct engine *engine, struct session *out, struct err *err);
// Unlocks with this passphrase. A wrong one is counted in the vault and recorded in the log, and after some of them each try
// has to wait (engine/backoff.h): ERR_DENIED, without a word on the passphrase. After a failure the session can only be done
// with.
int session_unlock(struct session *session, const struct secret *passphrase, struct err *err);
// The same, and hands out the root key.
int session_unlock_keeping(struct session *session, const struct secret *passphrase, struct secret **out_root, struct err *err);
// hold.c: by the key that is held. ERR_LOCKED where none is.
int session_unlock_by_key(struct session *session, struct err *err);
// hold.c: by the key that is held, else by the passphrase from where `unlock` says. ERR_DENIED in a worker: whoever
// wants the key there asks a human first, and says so by one of the calls "by key".
int session_unlock_by(struct session *session, const struct engine_unlock *unlock, const char *prompt, struct err *err);
// session_open, session_unlock_by. That the names exist is checked before the passphrase is asked for: a typing
// mistake should not cost a passphrase. ERR_NOT_FOUND.
int session_open_named(struct engine *engine, const struct engine_unlock *unlock, const char *const names[], size_t count,
		       struct session *out, struct err *err);
int session_open_unlocked(struct engine *engine, const struct engine_unlock *unlock, struct session *out,
			  struct err *err);
// The same for what gives out neither values nor anything about them, and changes nothing: a worker does it for everybody.
int session_open_reading(struct engine *engine, const struct engine_unlock *unlock, struct session *out, struct err *err);
// session_open, session_unlock_by_key.
int session_open_by_key(struct engine *engine, struct session *out, struct err *err);
// Unlocked: the log holds what the vault anchored, and nothing in it is from a later state of the vault. ERR_DAMAGED.
int session_check_log(struct session *session, struct err *err);
// A passphrase that was typed again, to confirm something, was wrong: counts it, as session_unlock does. ERR_PASSPHRASE, or
// ERR_DENIED where it was one too many.
int session_passphrase_wrong(struct session *session, struct err *err);
// Begins a transaction; when unlocked, checks that log and vault agree, and tells and records the wrong passphrases since the
// last time.
int session_begin(struct session *session, struct err *err);
// Appends the record and makes everything since session_begin durable together with it. Takes over `fields` in every case;
// NULL fields are out of memory.
int session_commit(struct session *session, const char *kind, json_t *fields, struct err *err);
void session_rollback(struct session *session);
// Outside of a transaction: appends the record, and waits neither for the disk nor for other writers of the vault. Takes over
// `fields` as session_commit does. session_settle is to follow.
int session_note(struct session *session, const char *kind, json_t *fields, struct err *err);
// What was noted is on disk, and anchored.
int session_settle(struct session *session, struct err *err);
// In a transaction that moves the anchor without session_begin: the wrong passphrases counted in the vault, which has none
// from then on; those recorded before the anchor are added to the session's.
int session_failures_take(struct session *session, struct vault_failures *out, struct err *err);
struct vault_anchor anchor_from_head(const struct audit_head *head);
struct audit_head head_from_anchor(const struct vault_anchor *anchor);

// --- value.c

// Reads a value from where a set request says; trims a newline and checks weakness, telling both by notices.
int value_read(struct engine *engine, const struct engine_set *request, struct secret **out, bool *out_weak,
	       struct err *err);
// Cuts one trailing "\n" or "\r\n"; true when there was one.
bool value_trim_newline(struct secret *value);
// ERR_INPUT for an empty or, unless allowed, a weak value; *out_weak says which kind it is.
int value_check(struct engine *engine, const char *name, struct span value, bool allow_weak, bool *out_weak,
		struct err *err);

// --- log.c

// Opens vault and log inside a transaction, so that no writer moves log and anchor between two looks, and checks one
// against the other from the first record on.
int log_open_checked(struct engine *engine, const struct engine_unlock *unlock, struct session *out,
		     struct engine_audit_report *out_report, struct err *err);

// --- confirm.c

// In a transaction: the deposit becomes the current version, unless it is another one by now (ERR_DENIED).
int deposit_confirm(struct session *session, const char *name, const uint8_t digest[DIGEST_BYTES], struct err *err);

// --- plan.c

// The manifest for a folder; ERR_USAGE when there is none, or it has no such section.
int manifest_choose(const struct engine *engine, const char *directory, const char *profile, struct manifest *out, struct err *err);
// The secret exists and has a confirmed value: known before anybody is asked. ERR_NOT_FOUND, ERR_DENIED.
int secret_check_usable(struct vault *vault, const char *name, struct err *err);
// ERR_DENIED for it, with what to do.
int secret_refuse_unconfirmed(const char *name, struct err *err);
// Some value waits that is the first of its secret, or that would replace a confirmed one.
bool plan_has_waiting(const struct plan *plan, bool is_first);
// The same request under another level, which wants another environment.
int plan_rebuild(struct engine *engine, struct plan *plan, const struct security_demands *demands, struct err *err);

// --- opened.c

// The values of some secrets, opened, in the order of their names.
struct opened {
	struct secret **values;
	size_t count;
};
void opened_done(struct opened *opened);
#define _cleanup_opened_ _cleanup_(opened_done)
// Opens one value, and says by notices that it has expired or that a newer one waits. The session is unlocked.
int session_reveal(struct session *session, const char *name, struct secret **out, struct err *err);
// `opened` must be empty; what was opened before a failure stays in it.
int opened_add_all(struct opened *opened, struct session *session, const char *const names[], size_t count,
		   struct err *err);
// The tables for all of them; `names` are borrowed by the redactor. A name that comes twice is looked for once.
int opened_redactor(const struct opened *opened, const char *const names[], struct redactor **out, struct err *err);

// Room for one more; NULL when there is none. Doubles at powers of two, so that it needs no capacity beside the count.
void *array_room(void *array, size_t count, size_t bytes);
// When the vault stored the current version: 0 when there is none.
int secret_stored(struct vault *vault, const char *name, int64_t *out, struct err *err);

#define ASKER_NAME_BYTES 64
void asker_name(int pid, char out[ASKER_NAME_BYTES]);
// {"pid", "name"} of engine_asker.
json_t *asker_json(const struct engine *engine);

// --- run.c

// The sealed setting that keeps digests of large system files (program/digest_cache.h).
#define DIGESTS_SETTING "digests"
