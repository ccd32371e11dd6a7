#include "engine/totp.h"

int session_totp_load(struct session *session, struct secret **out, struct err *err)
{
	_cleanup_secret_ struct secret *stored = NULL;
	int r = vault_setting_reveal(session->vault, TOTP_SETTING, &stored, err);
	return r < 0 || !stored ? r : totp_decode(secret_span(stored), out, err);
}

int session_totp_store(struct session *session, const struct totp *totp, struct err *err)
{
	_cleanup_secret_ struct secret *bytes = NULL;
	int r = totp_encode(totp, &bytes, err);
	return r < 0 ? r : vault_setting_put(session->vault, TOTP_SETTING, secret_span(bytes), err);
}

int session_totp_is_set(struct session *session, bool *out, struct err *err)
{
	_cleanup_secret_ struct secret *totp = NULL;
	int r = session_totp_load(session, &totp, err);
	if (r == 0)
		*out = totp != NULL;
	return r;
}

static int totp_need(struct session *session, struct secret **out, struct err *err)
{
	int r = session_totp_load(session, out, err);
	if (r == 0 && !*out)
		return err_set(err, ERR_DENIED, "no second factor is set up, so no code can be right; see `envseal totp setup`");
	return r;
}

static int lock_check(const struct totp *totp, const struct backoff_clock *clock, struct err *err)
{
	char until[CLOCK_TEXT_BYTES];
	int64_t left = totp_lock_left(totp, clock);
	if (left > 0)
		return err_set(err, ERR_DENIED, "%u codes in a row were wrong; codes are looked at again in %lld second%s",
			       totp->tries.count, (long long)left, left == 1 ? "" : "s");
	if (!totp_is_before_last(totp, totp_step_at(clock->now)))
		return 0;
	clock_format((int64_t)(totp->last_step + 1 - TOTP_WINDOW_STEPS) * TOTP_STEP_SECONDS, until);
	if (totp->last_step == totp_step_at(clock->now) + TOTP_WINDOW_STEPS)
		return err_set(err, ERR_DENIED, "the last code was made by a clock that is ahead of this one; the next is taken from %s "
						"on", until);
	return err_set(err, ERR_DENIED, "the clock was set back to before the last code; until %s by this clock no code is taken, so set "
					"the clock right", until);
}

// Counts the try, before anything is known of it.
static int try_count(struct session *session, struct err *err)
{
	_cleanup_secret_ struct secret *secret = NULL;
	int r = totp_need(session, &secret, err);
	if (r < 0)
		return r;
	struct totp *totp = totp_of(secret);
	struct backoff_clock clock = backoff_clock_now();
	r = lock_check(totp, &clock, err);
	if (r < 0)
		return r;
	backoff_add(&totp->tries, &clock);
	r = session_totp_store(session, totp, err);
	if (r < 0)
		return r;
	return session_commit(session, "totp.try",
			      json_pack("{s:I, s:o}", "count", (json_int_t)totp->tries.count, "asker", asker_json(session->engine)), err);
}

static int try_failed(struct session *session, const struct totp *totp, enum totp_verdict verdict, struct err *err)
{
	uint32_t count = totp->tries.count;
	bool is_locked = count >= TOTP_TRIES;
	int r = session_commit(session, is_locked ? "totp.locked" : "totp.failed",
			       json_pack("{s:I, s:b}", "count", (json_int_t)count, "used", verdict == TOTP_USED), err);
	if (r < 0)
		return r;
	const char *what = verdict == TOTP_USED ? "this code was used already; wait for the next one" : "the code is wrong";
	if (is_locked)
		return err_set(err, ERR_PASSPHRASE, "%s. It was one of %u wrong codes in a row, so codes are locked for %d minutes", what,
			       count, TOTP_LOCK_SECONDS / 60);
	return err_set(err, ERR_PASSPHRASE, "%s", what);
}

// Compares within the transaction that takes the code, or two at once could both be taken.
static int try_judge(struct session *session, const struct secret *digits, struct err *err)
{
	_cleanup_secret_ struct secret *secret = NULL;
	enum totp_verdict verdict;
	int r = totp_need(session, &secret, err);
	if (r < 0)
		return r;
	struct totp *totp = totp_of(secret);
	r = totp_match(totp, secret_span(digits), totp_step_at(clock_now()), &verdict, &totp->last_step, err);
	if (r < 0)
		return r;
	if (verdict != TOTP_RIGHT)
		return try_failed(session, totp, verdict, err);
	totp->tries = (struct vault_failures){0};
	r = session_totp_store(session, totp, err);
	return r < 0 ? r : session_commit(session, "totp.ok", json_object(), err);
}

int session_totp_check(struct session *session, const struct secret *typed, struct err *err)
{
	_cleanup_secret_ struct secret *digits = NULL;
	int r = totp_digits(typed, &digits, err);
	if (r == 0)
		r = session_begin(session, err);
	if (r == 0)
		r = try_count(session, err);
	if (r == 0)
		r = session_begin(session, err);
	if (r == 0)
		r = try_judge(session, digits, err);
	if (r < 0)
		session_rollback(session);
	return r;
}

static int recovery_judge(struct session *session, const struct secret *typed, struct err *err)
{
	_cleanup_secret_ struct secret *secret = NULL;
	bool is_right = false;
	int r = totp_need(session, &secret, err);
	if (r == 0)
		r = totp_recovery_matches(totp_of(secret), typed, &is_right, err);
	if (r < 0 || is_right)
		return r;
	r = session_commit(session, "totp.failed", json_pack("{s:b, s:o}", "recovery", 1, "asker", asker_json(session->engine)), err);
	return r < 0 ? r : err_set(err, ERR_PASSPHRASE, "this is not the recovery code");
}

int session_totp_recover(struct session *session, const struct secret *typed, struct err *err)
{
	int r = session_begin(session, err);
	if (r == 0)
		r = recovery_judge(session, typed, err);
	session_rollback(session);
	return r;
}
