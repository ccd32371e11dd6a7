#include "engine/engine_internal.h"

#include <stdio.h>

int engine_audit_query(struct engine *engine, const struct audit_filter *filter,
		       int (*each)(void *context, json_t *record), void *context, struct err *err)
{
	_cleanup_audit_ struct audit *audit = NULL;
	int r = audit_open_existing(engine->home.state_dir, &audit, err);
	return r < 0 ? r : audit_query(audit, filter, each, context, err);
}

// Vault and log are looked at inside a transaction, so that no writer moves log and anchor between two looks.
static int log_begin(struct session *out, struct audit_head *anchor, struct err *err)
{
	struct vault_anchor stored;
	int r = vault_begin(out->vault, err);
	if (r == 0)
		r = vault_anchor_get(out->vault, &stored, err);
	if (r == 0)
		*anchor = head_from_anchor(&stored);
	return r;
}

int log_open_checked(struct engine *engine, const struct engine_unlock *unlock, struct session *out,
		     struct engine_audit_report *out_report, struct err *err)
{
	struct engine_audit_report report = {.anchor_checked = true};
	struct audit_head head = {0};
	int r = session_open_reading(engine, unlock, out, err);
	if (r == 0)
		r = log_begin(out, &head, err);
	if (r == 0)
		r = audit_verify(out->audit, &head, &report.log, err);
	if (r == 0)
		r = session_check_log(out, err);
	report.anchor_count = head.count;
	if (r == 0)
		*out_report = report;
	return r;
}

int engine_audit_verify(struct engine *engine, const struct engine_unlock *unlock, struct engine_audit_report *out,
			struct err *err)
{
	_cleanup_session_ struct session session = {0};
	if (unlock)
		return log_open_checked(engine, unlock, &session, out, err);
	struct engine_audit_report report = {0};
	int r = audit_open_existing(engine->home.state_dir, &session.audit, err);
	if (r == 0)
		r = audit_verify(session.audit, NULL, &report.log, err);
	if (r == 0)
		*out = report;
	return r;
}

int engine_audit_rotate(struct engine *engine, struct err *err)
{
	_cleanup_audit_ struct audit *audit = NULL;
	// Opening for writing makes a log where there is none, and that would not be a rotation.
	int r = audit_open_existing(engine->home.state_dir, &audit, err);
	audit = audit_close(audit);
	if (r == 0)
		r = audit_open(engine->home.state_dir, &audit, err);
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
static json_t *accept_fields(const struct audit_head *anchor, const struct err *found, const struct vault_failures *failures)
{
	char hex[DIGEST_HEX_BYTES];
	digest_hex(anchor->hash, hex);
	return json_pack("{s:I, s:s, s:s, s:I}", "expected_count", (json_int_t)anchor->count, "expected_hash", hex, "found",
			 found->text, "wrong_passphrases", (json_int_t)failures->count);
}

int engine_audit_accept(struct engine *engine, const struct engine_unlock *unlock, bool yes, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	struct audit_head head = {0};
	struct audit_report report;
	struct err found;
	int r = session_open_unlocked(engine, unlock, &session, err);
	if (r == 0)
		r = log_begin(&session, &head, err);
	if (r < 0)
		return r;
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
	// The anchor moves past them; session_unlock has told of them.
	struct vault_failures failures = {0};
	if (r == 0)
		r = session_failures_take(&session, &failures, err);
	return r < 0 ? r : session_commit(&session, "audit.accept", accept_fields(&head, &found, &failures), err);
}
