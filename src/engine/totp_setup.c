#include "engine/totp.h"

// The sentence of terminal_open is about passphrases, which have other ways.
static int terminal_need(const char *what, struct terminal **out, struct err *err)
{
	struct err passphrase;
	int r = terminal_open("a terminal", out, &passphrase);
	if (r == ERR_LOCKED)
		return err_set(err, ERR_LOCKED, "%s on a terminal only, and there is none; run this in a terminal", what);
	if (r < 0)
		*err = passphrase;
	return r;
}

// Asks for a code of the present second factor.
static int code_ask(struct session *session, struct terminal *terminal, struct err *err)
{
	_cleanup_secret_ struct secret *typed = NULL;
	int r = terminal_ask_secret(terminal, "Code of the present second factor: ", TOTP_ANSWER_BYTES_MAX, &typed, err);
	return r < 0 ? r : session_totp_check(session, typed, err);
}

static int recovery_ask(struct session *session, struct terminal *terminal, struct err *err)
{
	_cleanup_secret_ struct secret *typed = NULL;
	int r = terminal_ask_secret(terminal, "Recovery code: ", TOTP_ANSWER_BYTES_MAX, &typed, err);
	return r < 0 ? r : session_totp_recover(session, typed, err);
}

static bool is_same_key(struct secret *a, struct secret *b)
{
	if (!a || !b)
		return a == b;
	return secret_is_equal(span_of(totp_of(a)->key, TOTP_KEY_BYTES), span_of(totp_of(b)->key, TOTP_KEY_BYTES));
}

// The one that is there must be the one that a code was given for.
static int setup_store(struct session *session, struct secret *before, struct totp *totp, struct err *err)
{
	_cleanup_secret_ struct secret *present = NULL;
	int r = session_begin(session, err);
	if (r == 0)
		r = session_totp_load(session, &present, err);
	if (r < 0)
		return r;
	if (!is_same_key(before, present))
		return err_set(err, ERR_EXISTS, "the second factor was changed meanwhile; nothing was stored");
	totp->created = clock_now();
	r = session_totp_store(session, totp, err);
	if (r < 0)
		return r;
	return session_commit(session, "totp.setup",
			      json_pack("{s:b, s:o}", "replaced", before ? 1 : 0, "asker", asker_json(session->engine)), err);
}

static int setup_prove(struct session *session, struct terminal *terminal, struct secret *before, struct err *err)
{
	_cleanup_secret_ struct secret *made = NULL, *recovery = NULL;
	int r = totp_new(&made, err);
	if (r == 0)
		r = totp_recovery_make(&recovery, totp_of(made)->recovery, err);
	if (r == 0)
		r = totp_prove(terminal, totp_of(made), recovery, err);
	return r < 0 ? r : setup_store(session, before, totp_of(made), err);
}

int engine_totp_setup(struct engine *engine, const struct engine_unlock *unlock, struct err *err)
{
	_cleanup_terminal_ struct terminal *terminal = NULL;
	_cleanup_session_ struct session session = {0};
	_cleanup_secret_ struct secret *before = NULL;
	int r = terminal_need("the key of a second factor is shown", &terminal, err);
	if (r == 0)
		r = session_open_unlocked(engine, unlock, &session, err);
	if (r == 0)
		r = session_totp_load(&session, &before, err);
	if (r == 0 && before)
		r = code_ask(&session, terminal, err);
	return r < 0 ? r : setup_prove(&session, terminal, before, err);
}

int engine_totp_remove(struct engine *engine, const struct engine_unlock *unlock, bool by_recovery, struct err *err)
{
	_cleanup_terminal_ struct terminal *terminal = NULL;
	_cleanup_session_ struct session session = {0};
	bool is_set = false;
	int r = terminal_need(by_recovery ? "the recovery code is typed" : "the code is typed", &terminal, err);
	if (r == 0)
		r = session_open_unlocked(engine, unlock, &session, err);
	if (r == 0)
		r = session_totp_is_set(&session, &is_set, err);
	if (r == 0 && !is_set)
		return err_set(err, ERR_NOT_FOUND, "no second factor is set up; there is nothing to remove");
	if (r == 0)
		r = by_recovery ? recovery_ask(&session, terminal, err) : code_ask(&session, terminal, err);
	if (r == 0)
		r = session_begin(&session, err);
	if (r == 0)
		r = vault_setting_put(session.vault, TOTP_SETTING, span_text(""), err);
	if (r < 0)
		return r;
	return session_commit(&session, "totp.rm",
			      json_pack("{s:b, s:o}", "recovery", by_recovery ? 1 : 0, "asker", asker_json(engine)), err);
}

int engine_totp_status(struct engine *engine, const struct engine_unlock *unlock, struct totp_status *out, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_secret_ struct secret *secret = NULL;
	int r = session_open_reading(engine, unlock, &session, err);
	if (r == 0)
		r = session_totp_load(&session, &secret, err);
	if (r < 0)
		return r;
	struct totp_status status = {.is_set = secret != NULL};
	if (secret) {
		struct backoff_clock clock = backoff_clock_now();
		status.since = totp_of(secret)->created;
		status.tries = totp_of(secret)->tries.count;
		status.locked_seconds = totp_lock_left(totp_of(secret), &clock);
	}
	*out = status;
	return 0;
}
