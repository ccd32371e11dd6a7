#include "engine/engine_internal.h"

#include <string.h>

void session_done(struct session *session)
{
	session->vault = vault_close(session->vault);
	session->audit = audit_close(session->audit);
}

int session_open(struct engine *engine, struct session *out, struct err *err)
{
	_cleanup_session_ struct session session = {.engine = engine};
	int r = vault_open(engine->home.data_dir, &session.vault, err);
	if (r < 0)
		return r;
	r = audit_open(engine->home.state_dir, &session.audit, err);
	if (r < 0)
		return r;
	*out = session;
	session = (struct session){0};
	return 0;
}

int session_unlock(struct session *session, const struct secret *passphrase, struct err *err)
{
	int r = vault_unlock(session->vault, passphrase, err);
	if (r != ERR_PASSPHRASE)
		return r;
	// The wrong guess is what the caller hears of; that it could not be recorded comes second.
	struct err record_err;
	struct audit_head head;
	json_t *fields = json_object();
	if (!fields || audit_append(session->audit, "unlock.failed", fields, &head, &record_err) < 0)
		engine_notice(session->engine, "the failed unlock could not be recorded in the audit log");
	json_decref(fields);
	return r;
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
	_cleanup_secret_ struct secret *passphrase = NULL;
	if (r == 0)
		r = passphrase_get(unlock, "Passphrase: ", &passphrase, err);
	if (r == 0)
		r = session_unlock(&session, passphrase, err);
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

// Records of changes carry the generation that the vault has from then on. One more than the vault's own is a change that a
// crash kept from being committed; more than that means that the vault is older than the log.
static int tail_check(void *context, json_t *record)
{
	const struct session *session = context;
	json_int_t generation = json_integer_value(json_object_get(record, "generation"));
	return generation > 0 && (uint64_t)generation > vault_generation(session->vault) + 1 ? ERR_DAMAGED : 0;
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
	int r = vault_anchor_get(session->vault, &anchor, err);
	if (r < 0)
		return r;
	struct audit_head head = head_from_anchor(&anchor);
	r = audit_check_anchor(session->audit, &head, &unanchored, err);
	return r == 0 && unanchored > 0 ? generation_check(session, &head, err) : r;
}

int session_begin(struct session *session, struct err *err)
{
	int r = vault_begin(session->vault, err);
	if (r < 0 || !vault_is_unlocked(session->vault))
		return r;
	r = session_check_log(session, err);
	if (r < 0) {
		err_prefix(err, "vault and audit log do not match (see `envseal audit verify`; `envseal audit accept` goes on from them "
				"as they are)");
		session_rollback(session);
	}
	return r;
}

void session_rollback(struct session *session)
{
	vault_rollback(session->vault);
}

int session_commit(struct session *session, const char *kind, json_t *fields, struct err *err)
{
	struct audit_head head;
	if (fields && vault_is_unlocked(session->vault))
		json_object_set_new(fields, "generation", json_integer((json_int_t)vault_generation(session->vault) + 1));
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
	return r;
}
