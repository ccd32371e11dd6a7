#include "engine/engine_internal.h"

#include <stdio.h>

int engine_audit_query(struct engine *engine, const struct audit_filter *filter,
		       int (*each)(void *context, json_t *record), void *context, struct err *err)
{
	_cleanup_audit_ struct audit *audit = NULL;
	int r = audit_open_existing(engine->home.state_dir, &audit, err);
	return r < 0 ? r : audit_query(audit, filter, each, context, err);
}

int engine_audit_verify(struct engine *engine, const struct engine_unlock *unlock, struct engine_audit_report *out,
			struct err *err)
{
	struct engine_audit_report report = {0};
	if (!unlock) {
		_cleanup_audit_ struct audit *audit = NULL;
		int r = audit_open_existing(engine->home.state_dir, &audit, err);
		if (r == 0)
			r = audit_verify(audit, NULL, &report.log, err);
		if (r == 0)
			*out = report;
		return r;
	}
	_cleanup_session_ struct session session = {0};
	struct vault_anchor anchor;
	int r = session_open_unlocked(engine, unlock, &session, err);
	// Inside a transaction, so that no writer moves log and anchor between the two looks.
	if (r == 0)
		r = vault_begin(session.vault, err);
	if (r == 0)
		r = vault_anchor_get(session.vault, &anchor, err);
	if (r < 0)
		return r;
	struct audit_head head = head_from_anchor(&anchor);
	r = audit_verify(session.audit, &head, &report.log, err);
	if (r == 0)
		r = session_check_log(&session, err);
	report.anchor_checked = true;
	report.anchor_count = anchor.count;
	if (r == 0)
		*out = report;
	return r;
}

int engine_audit_rotate(struct engine *engine, struct err *err)
{
	_cleanup_audit_ struct audit *audit = NULL;
	int r = audit_open_existing(engine->home.state_dir, &audit, err);
	return r < 0 ? r : audit_rotate(audit, err);
}

static int accept_ask(struct err *err)
{
	_cleanup_terminal_ struct terminal *terminal = NULL;
	bool yes = false;
	if (terminal_open("an answer", &terminal, err) < 0)
		return err_set(err, ERR_USAGE, "there is no terminal to ask on; say --yes");
	int r = terminal_ask_yes(terminal,
				 "Records that the vault remembers are missing or changed. Go on from the log as it is? [y/N] ", &yes,
				 err);
	if (r < 0)
		return r;
	return yes ? 0 : err_set(err, ERR_DENIED, "not confirmed; nothing was changed");
}

// What the vault expected goes into the record that begins the new stretch.
static json_t *accept_fields(const struct vault_anchor *anchor, const struct err *found)
{
	char hex[DIGEST_HEX_BYTES];
	digest_hex(anchor->hash, hex);
	return json_pack("{s:I, s:s, s:s}", "expected_count", (json_int_t)anchor->count, "expected_hash", hex, "found",
			 found->text);
}

int engine_audit_accept(struct engine *engine, const struct engine_unlock *unlock, bool yes, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	struct vault_anchor anchor;
	struct audit_report report;
	struct err found;
	int r = session_open_unlocked(engine, unlock, &session, err);
	if (r == 0)
		r = vault_begin(session.vault, err);
	if (r == 0)
		r = vault_anchor_get(session.vault, &anchor, err);
	if (r < 0)
		return r;
	struct audit_head head = head_from_anchor(&anchor);
	if (audit_verify(session.audit, &head, &report, &found) == 0 && session_check_log(&session, &found) == 0)
		return err_set(err, ERR_EXISTS, "the log matches the vault; there is nothing to accept");
	session_rollback(&session);
	if (!yes)
		r = accept_ask(err);
	if (r == 0)
		r = vault_begin(session.vault, err);
	struct err chain;
	if (r == 0 && audit_verify(session.audit, NULL, &report, &chain) < 0)
		r = audit_set_aside(session.audit, err);
	return r < 0 ? r : session_commit(&session, "audit.accept", accept_fields(&anchor, &found), err);
}
