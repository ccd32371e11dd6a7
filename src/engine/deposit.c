#include "engine/consent.h"

#include <string.h>

static int deposit_gone(const char *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "the value of %s that was left does not wait any more; look with `envseal show %s`", name,
		       name);
}

// The very deposit that the client left. Anybody may have put another in its place.
static int deposit_find(struct session *session, const char *name, const uint8_t digest[DIGEST_BYTES],
			struct vault_entry *out, struct err *err)
{
	uint8_t found[DIGEST_BYTES];
	int r = vault_find(session->vault, name, out, err);
	if (r == ERR_NOT_FOUND || (r == 0 && !out->is_pending))
		return deposit_gone(name, err);
	if (r == 0)
		r = vault_deposit_digest(session->vault, name, found, err);
	if (r == ERR_NOT_FOUND || (r == 0 && !digest_is_equal(found, digest)))
		return deposit_gone(name, err);
	return r;
}

static int deposit_ask(struct session *session, const char *name, struct err *err)
{
	struct change change = {.action = "set", .subject = name};
	notes_add(&change.notes, "%s has a confirmed value, which this one replaces; the old one stays in its history", name);
	int r = consent_change(session, &change, err);
	notes_done(&change.notes);
	return r;
}

// What was refused must not wait for somebody to confirm it by mistake. The refusal is what the caller hears of.
static void deposit_discard(struct session *session, const char *name, const uint8_t digest[DIGEST_BYTES])
{
	struct err own;
	struct vault_entry entry;
	int r = session_begin(session, &own);
	if (r == 0)
		r = deposit_find(session, name, digest, &entry, &own);
	if (r == 0)
		r = vault_discard(session->vault, name, &own);
	if (r == 0)
		r = session_commit(session, "secret.discard", json_pack("{s:[s], s:s}", "secrets", name, "by", "broker"), &own);
	if (r == 0 || r == ERR_NOT_FOUND)
		return;
	session_rollback(session);
	engine_notice(session->engine, "the value of %s that was left could not be thrown away: %s; do it with `envseal confirm "
				       "--discard %s`", name, own.text, name);
}

static int deposit_commit(struct session *session, const char *name, const uint8_t digest[DIGEST_BYTES], const char *by,
			  struct vault_entry *out, struct err *err)
{
	int r = deposit_confirm(session, name, digest, err);
	if (r == 0)
		r = vault_find(session->vault, name, out, err);
	return r < 0 ? r : session_commit(session, "secret.confirm", json_pack("{s:[s], s:s}", "secrets", name, "by", by), err);
}

// Ends in a transaction with a deposit that may be taken. A question is asked outside of it, and then all is looked at again.
static int deposit_settle(struct session *session, const char *name, const uint8_t digest[DIGEST_BYTES],
			  struct vault_entry *entry, bool *out_asked, struct err *err)
{
	*out_asked = false;
	for (;;) {
		int r = session_begin(session, err);
		if (r == 0)
			r = deposit_find(session, name, digest, entry, err);
		if (r < 0 || entry->version == 0 || *out_asked)
			return r;
		session_rollback(session);
		r = deposit_ask(session, name, err);
		if (r < 0) {
			deposit_discard(session, name, digest);
			return r;
		}
		*out_asked = true;
	}
}

int engine_take_deposit(struct engine *engine, const char *name, const uint8_t digest[DIGEST_BYTES],
			struct vault_entry *out_entry, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	struct vault_entry entry = {0};
	bool is_asked = false;
	int r = name_check(name, err);
	if (r == 0)
		r = session_open_by_key(engine, &session, err);
	if (r == 0)
		r = deposit_settle(&session, name, digest, &entry, &is_asked, err);
	if (r == 0)
		r = deposit_commit(&session, name, digest, is_asked ? "desk" : "broker", &entry, err);
	if (r == 0)
		*out_entry = entry;
	return r;
}
