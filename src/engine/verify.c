#include "engine/engine_internal.h"

#include <unistd.h>

#define VERIFY_SETTING "verify"

// Wrong answers within the present window, kept under the state MAC so that deleting a file does not reset them.
struct verify_count {
	int64_t since;
	uint32_t wrong;
};

static int verify_count_load(struct session *session, struct verify_count *out, struct err *err)
{
	_cleanup_buf_ struct buf stored = BUF_INIT(64);
	int r = vault_setting_get(session->vault, VERIFY_SETTING, &stored, err);
	if (r < 0)
		return r;
	*out = (struct verify_count){0};
	if (stored.len == 0)
		return 0;
	struct reader reader = reader_of(buf_span(&stored));
	out->since = (int64_t)reader_u64(&reader);
	out->wrong = reader_u32(&reader);
	if (!reader_end(&reader))
		return err_set(err, ERR_DAMAGED, "the counter of wrong answers cannot be read");
	// A clock set back does not open the window early: it only begins anew.
	int64_t age = clock_now() - out->since;
	if (age < 0)
		out->since = clock_now();
	else if (age >= ENGINE_VERIFY_SECONDS)
		*out = (struct verify_count){0};
	return 0;
}

static int verify_count_store(struct session *session, const struct verify_count *count, struct err *err)
{
	_cleanup_buf_ struct buf stored = BUF_INIT(64);
	int r = writer_u64(&stored, (uint64_t)count->since, err);
	if (r == 0)
		r = writer_u32(&stored, count->wrong, err);
	return r < 0 ? r : vault_setting_put(session->vault, VERIFY_SETTING, buf_span(&stored), err);
}

static int verify_compare(struct session *session, const char *name, const struct secret *candidate, bool *out,
			  struct err *err)
{
	_cleanup_secret_ struct secret *value = NULL;
	struct verify_count count;
	int r = verify_count_load(session, &count, err);
	if (r < 0)
		return r;
	if (count.wrong >= ENGINE_VERIFY_TRIES)
		return err_set(err, ERR_DENIED, "too many wrong answers; try again in %lld seconds",
			       (long long)(count.since + ENGINE_VERIFY_SECONDS - clock_now()));
	r = vault_reveal(session->vault, name, 0, &value, err);
	if (r < 0)
		return r;
	*out = secret_is_equal(secret_span(value), secret_span(candidate));
	if (*out)
		return 0;
	if (count.wrong++ == 0)
		count.since = clock_now();
	return verify_count_store(session, &count, err);
}

int engine_verify(struct engine *engine, const struct engine_unlock *unlock, const char *name, bool keep_newline, bool *out,
		  struct err *err)
{
	struct vault_entry entry;
	if (unlock->passphrase_fd == STDIN_FILENO)
		return err_set(err, ERR_USAGE, "standard input holds the candidate; give the passphrase on another descriptor");
	int r = engine_show(engine, name, &entry, err);
	if (r < 0)
		return r;
	_cleanup_secret_ struct secret *candidate = NULL;
	r = secret_read_fd(STDIN_FILENO, SECRET_VALUE_BYTES_MAX, "standard input", &candidate, err);
	if (r < 0)
		return r;
	if (!keep_newline)
		value_trim_newline(candidate);
	_cleanup_session_ struct session session = {0};
	bool same = false;
	r = session_open_unlocked(engine, unlock, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	if (r == 0)
		r = verify_compare(&session, name, candidate, &same, err);
	if (r == 0)
		r = session_commit(&session, "secret.verify",
				   json_pack("{s:s, s:b}", "secret", name, "equal", same ? 1 : 0), err);
	if (r == 0)
		*out = same;
	return r;
}
