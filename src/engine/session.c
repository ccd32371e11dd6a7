#include "engine/engine_internal.h"

#include "engine/backoff.h"
#include "engine/rules.h"

#include <stdio.h>
#include <string.h>

#define CARRIED_SETTING "unlock/carried"

void session_done(struct session *session)
{
	session->vault = vault_close(session->vault);
	session->audit = audit_close(session->audit);
}

int session_open(struct engine *engine, struct session *out, struct err *err)
{
	_cleanup_session_ struct session session = {.engine = engine};
	session.vault = TAKE_PTR(engine->spare);
	int r = session.vault ? 0 : vault_open(engine->home.data_dir, &session.vault, err);
	if (r < 0)
		return r;
	r = audit_open(engine->home.state_dir, &session.audit, err);
	if (r < 0)
		return r;
	*out = session;
	session = (struct session){0};
	return 0;
}

// A count that does not parse was not written by envseal. It is taken for more than anybody can have tried: that matches no
// log, so the next unlock tells of it, and takes it away.
static int failures_load(struct session *session, struct vault_failures *out, struct err *err)
{
	int r = vault_failures_get(session->vault, out, err);
	if (r == ERR_DAMAGED)
		*out = (struct vault_failures){.count = UINT32_MAX};
	return r == ERR_DAMAGED ? 0 : r;
}

// In a transaction, so that it waits for whoever is counting, and so that a vault that cannot be written is refused here
// and not after a guess. The clock is read inside: the transaction may have had to wait.
static int tries_check(struct session *session, struct backoff_clock *out_clock, struct vault_failures *out,
		       struct err *err)
{
	*out_clock = backoff_clock_now();
	int r = failures_load(session, out, err);
	int64_t left = r < 0 ? 0 : backoff_left(out, out_clock);
	if (left > 0)
		return err_set(err, ERR_DENIED, "%u wrong passphrases in a row; try again in %lld second%s", out->count,
			       (long long)left, left == 1 ? "" : "s");
	return r;
}

static int tries_look(struct session *session, struct vault_failures *out, struct err *err)
{
	struct backoff_clock clock;
	int r = vault_begin(session->vault, err);
	if (r == 0)
		r = tries_check(session, &clock, out, err);
	session_rollback(session);
	return r;
}

static int failure_record(struct session *session, struct err *err)
{
	struct backoff_clock clock;
	struct vault_failures failures = {0};
	int r = vault_begin(session->vault, err);
	if (r == 0)
		r = tries_check(session, &clock, &failures, err);
	if (r == 0) {
		backoff_add(&failures, &clock);
		r = vault_failures_put(session->vault, &failures, err);
	}
	if (r < 0) {
		session_rollback(session);
		return r;
	}
	return session_commit(session, "unlock.failed",
			      json_pack("{s:I, s:o}", "count", (json_int_t)failures.count, "asker", asker_json(session->engine)), err);
}

// The wrong guess is what the caller hears of; that it could not be recorded comes second. But where others have failed
// meanwhile, as many as may, this try was one too many and gets no answer.
static int failure_answer(struct session *session, struct err *err)
{
	struct err own;
	int r = failure_record(session, &own);
	if (r == ERR_DENIED)
		*err = own;
	else if (r < 0)
		engine_notice(session->engine, "the failed unlock could not be recorded: %s", own.text);
	return err->code;
}

int session_passphrase_wrong(struct session *session, struct err *err)
{
	err_set(err, ERR_PASSPHRASE, "the passphrase is wrong");
	return failure_answer(session, err);
}

int session_unlock_keeping(struct session *session, const struct secret *passphrase, struct secret **out_root, struct err *err)
{
	_cleanup_secret_ struct secret *root = NULL;
	struct vault_failures failures = {0};
	int r = tries_look(session, &failures, err);
	if (r == 0)
		r = vault_unlock_keeping(session->vault, passphrase, &root, err);
	if (r == ERR_PASSPHRASE)
		return failure_answer(session, err);
	if (r == 0)
		r = tries_look(session, &failures, err);
	if (r < 0)
		return r;
	// Told here, whatever the caller goes on to do. That vault and log do not match is for the caller to run into.
	struct err untold;
	if (session_begin(session, &untold) < 0 && failures.count > 0)
		engine_notice(session->engine, "wrong passphrases counted since the last unlock: %u; they stay counted: %s",
			      failures.count, untold.text);
	session_rollback(session);
	*out_root = TAKE_PTR(root);
	return 0;
}

int session_unlock(struct session *session, const struct secret *passphrase, struct err *err)
{
	_cleanup_secret_ struct secret *root = NULL;
	return session_unlock_keeping(session, passphrase, &root, err);
}

int session_open_named(struct engine *engine, const struct engine_unlock *unlock, const char *const names[], size_t count,
		       struct session *out, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	int r = session_open(engine, &session, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct vault_entry entry;
		r = name_check(names[i], err);
		if (r == 0)
			r = vault_find(session.vault, names[i], &entry, err);
	}
	if (r == 0)
		r = session_unlock_by(&session, unlock, "Passphrase: ", err);
	if (r < 0)
		return r;
	*out = session;
	session = (struct session){0};
	return 0;
}

int session_open_unlocked(struct engine *engine, const struct engine_unlock *unlock, struct session *out, struct err *err)
{
	return session_open_named(engine, unlock, NULL, 0, out, err);
}

struct vault_anchor anchor_from_head(const struct audit_head *head)
{
	struct vault_anchor anchor = {.count = head->count, .file_offset = head->file_offset};
	memcpy(anchor.hash, head->hash, sizeof(anchor.hash));
	return anchor;
}

struct audit_head head_from_anchor(const struct vault_anchor *anchor)
{
	struct audit_head head = {.count = anchor->count, .file_offset = anchor->file_offset};
	memcpy(head.hash, anchor->hash, sizeof(head.hash));
	return head;
}

// The state of such a record was not waited for. It goes with the boot only: within one, all processes see it.
static bool is_lost(const json_t *record)
{
	const char *boot = json_string_value(json_object_get(record, "boot"));
	return boot && strcmp(boot, rule_clock_now().boot) != 0;
}

// Records carry the generation that the vault has from then on. One more than the vault's own is a change that a crash kept
// from being committed, where those before it were lost by a power cut; more than that means that the vault is older than
// the log. So does a record that was noted under a generation that the vault does not have.
static int tail_check(void *context, json_t *record)
{
	struct session *session = context;
	const char *kind = json_string_value(json_object_get(record, "kind"));
	const char *time = json_string_value(json_object_get(record, "time"));
	if (kind && time && strcmp(kind, "unlock.failed") == 0 && session->failures_recorded++ == 0)
		snprintf(session->failures_since, sizeof(session->failures_since), "%s", time);
	json_int_t generation = json_integer_value(json_object_get(record, "generation"));
	uint64_t next = vault_generation(session->vault) + session->states_lost + 1;
	if (generation > 0 && (uint64_t)generation == next)
		session->states_lost += is_lost(record);
	json_int_t at = json_integer_value(json_object_get(record, "at_generation"));
	return (generation > 0 && (uint64_t)generation > next) || (at > 0 && (uint64_t)at >= next) ? ERR_DAMAGED : 0;
}

static int generation_check(struct session *session, const struct audit_head *anchor, struct err *err)
{
	struct audit_filter tail = {.after = anchor};
	err->code = 0;
	int r = audit_query(session->audit, &tail, tail_check, session, err);
	if (r == ERR_DAMAGED && err->code == 0)
		return err_set(err, ERR_DAMAGED, "the vault is older than its audit log: a copy of an earlier day was put in its place");
	return r;
}

int session_check_log(struct session *session, struct err *err)
{
	struct vault_anchor anchor;
	uint64_t unanchored = 0;
	session->failures_recorded = 0;
	session->states_lost = 0;
	int r = vault_anchor_get(session->vault, &anchor, err);
	if (r < 0)
		return r;
	struct audit_head head = head_from_anchor(&anchor);
	r = audit_check_anchor(session->audit, &head, &unanchored, err);
	return r == 0 && unanchored > 0 ? generation_check(session, &head, err) : r;
}

static int begin_checked(struct session *session, struct err *err)
{
	int r = vault_begin(session->vault, err);
	if (r < 0)
		return r;
	r = session_check_log(session, err);
	if (r < 0) {
		err_prefix(err, "vault and audit log do not match (see `envseal audit verify`; `envseal audit accept` goes on from them "
				"as they are)");
		session_rollback(session);
	}
	return r;
}

// Wrong passphrases that a change by the held key has moved the anchor past. Nobody was told of them, and the wait after them
// holds: whoever can have the broker work must not be able to try on.
struct carried {
	uint64_t recorded;
	char since[CLOCK_TEXT_BYTES]; // the first of them
};

static int carried_load(struct session *session, struct carried *out, struct err *err)
{
	_cleanup_buf_ struct buf stored = BUF_INIT(sizeof(struct carried) + 16);
	*out = (struct carried){0};
	int r = vault_setting_get(session->vault, CARRIED_SETTING, &stored, err);
	if (r < 0 || stored.len == 0)
		return r;
	struct reader reader = reader_of(buf_span(&stored));
	out->recorded = reader_u64(&reader);
	reader_bytes(&reader, out->since, sizeof(out->since));
	out->since[sizeof(out->since) - 1] = 0;
	return reader_end(&reader) ? 0 : err_set(err, ERR_DAMAGED, "the count of wrong passphrases cannot be read");
}

// In a transaction, which ends with it.
static int failures_carry(struct session *session, struct err *err)
{
	struct carried carried;
	_cleanup_buf_ struct buf stored = BUF_INIT(sizeof(struct carried) + 16);
	int r = carried_load(session, &carried, err);
	if (r < 0)
		return r;
	if (carried.recorded == 0)
		memcpy(carried.since, session->failures_since, sizeof(carried.since));
	carried.recorded += session->failures_recorded;
	r = writer_u64(&stored, carried.recorded, err);
	if (r == 0)
		r = buf_append(&stored, span_of(carried.since, sizeof(carried.since)), err);
	if (r == 0)
		r = vault_setting_put(session->vault, CARRIED_SETTING, buf_span(&stored), err);
	if (r < 0)
		return r;
	return session_commit(session, "unlock.carried",
			      json_pack("{s:I, s:s}", "recorded", (json_int_t)carried.recorded, "since", carried.since), err);
}

static int carried_take(struct session *session, struct err *err)
{
	struct carried carried;
	int r = carried_load(session, &carried, err);
	if (r < 0 || carried.recorded == 0)
		return r;
	session->failures_recorded += carried.recorded;
	memcpy(session->failures_since, carried.since, sizeof(session->failures_since));
	return vault_setting_put(session->vault, CARRIED_SETTING, span_of("", 0), err);
}

int session_failures_take(struct session *session, struct vault_failures *out, struct err *err)
{
	int r = failures_load(session, out, err);
	if (r == 0 && out->count > 0)
		r = vault_failures_put(session->vault, &(struct vault_failures){0}, err);
	return r == 0 ? carried_take(session, err) : r;
}

// Tells the human what was tried behind the anchor, once: the commit puts the anchor behind it, and takes the count away.
static int failures_settle(struct session *session, const struct vault_failures *counted, struct err *err)
{
	char since[CLOCK_TEXT_BYTES];
	char text[ERR_TEXT_BYTES];
	clock_format(counted->first, since);
	if (session->failures_recorded > 0)
		memcpy(since, session->failures_since, sizeof(since));
	backoff_text(counted, session->failures_recorded, since, text, sizeof(text));
	int r = session_commit(session, "unlock.told",
			   json_pack("{s:I, s:I, s:s}", "counted", (json_int_t)counted->count, "recorded",
				     (json_int_t)session->failures_recorded, "since", since),
			   err);
	if (r == 0)
		engine_notice(session->engine, "%s (see `envseal audit show --kind unlock`)", text);
	return r;
}

int session_begin(struct session *session, struct err *err)
{
	if (!vault_is_unlocked(session->vault))
		return vault_begin(session->vault, err);
	for (;;) {
		struct vault_failures counted = {0};
		queue_enter(session->engine);
		int r = begin_checked(session, err);
		if (r < 0) {
			queue_leave(session->engine);
			return r;
		}
		if (!session->is_by_key)
			r = session_failures_take(session, &counted, err);
		if (r == 0 && counted.count == 0 && session->failures_recorded == 0)
			return 0;
		if (r == 0)
			r = session->is_by_key ? failures_carry(session, err) : failures_settle(session, &counted, err);
		if (r < 0) {
			session_rollback(session);
			return r;
		}
	}
}

void session_rollback(struct session *session)
{
	vault_rollback(session->vault);
	if (session->engine)
		queue_leave(session->engine);
}

static void generation_set(const struct session *session, json_t *fields)
{
	if (!fields || !vault_is_unlocked(session->vault))
		return;
	json_object_set_new(fields, "generation", json_integer((json_int_t)vault_generation(session->vault) + 1));
	if (!vault_is_changed(session->vault))
		json_object_set_new(fields, "boot", json_string(rule_clock_now().boot));
}

// The vault's generation is left as it is, and the record says which it was.
int session_note(struct session *session, const char *kind, json_t *fields, struct err *err)
{
	struct vault_anchor anchor;
	struct audit_head head;
	int r = fields ? vault_anchor_get(session->vault, &anchor, err) : err_set(err, ERR_MEMORY, "out of memory");
	if (r == 0) {
		json_object_set_new(fields, "at_generation", json_integer((json_int_t)vault_generation(session->vault)));
		r = audit_append_soon(session->audit, kind, fields, &head, err);
	}
	json_decref(fields);
	return r;
}

int session_settle(struct session *session, struct err *err)
{
	struct audit_head head;
	struct vault_anchor anchor = {0};
	int r = audit_sync(session->audit, err);
	if (r == 0)
		r = session_begin(session, err);
	if (r == 0)
		r = vault_anchor_get(session->vault, &anchor, err);
	if (r == 0)
		r = audit_head_get(session->audit, &head, err);
	// Whoever wrote meanwhile may have anchored it.
	if (r == 0 && head.count > anchor.count) {
		anchor = anchor_from_head(&head);
		r = vault_commit_anchor(session->vault, &anchor, err);
	}
	session_rollback(session);
	return r;
}

int session_commit(struct session *session, const char *kind, json_t *fields, struct err *err)
{
	struct audit_head head;
	generation_set(session, fields);
	int r = fields ? audit_append(session->audit, kind, fields, &head, err) : err_set(err, ERR_MEMORY, "out of memory");
	json_decref(fields);
	if (r == 0 && vault_is_unlocked(session->vault)) {
		struct vault_anchor anchor = anchor_from_head(&head);
		r = vault_commit(session->vault, &anchor, err);
	} else if (r == 0) {
		r = vault_commit(session->vault, NULL, err);
	}
	if (r < 0)
		session_rollback(session);
	else
		queue_leave(session->engine);
	return r;
}
