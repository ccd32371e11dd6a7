#include "engine/engine_internal.h"

int engine_coverage(struct engine *engine, const struct engine_unlock *unlock, const char *name,
		    struct redact_coverage out[REDACT_FORM_COUNT], const char **out_weak, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_secret_ struct secret *value = NULL;
	_cleanup_vault_ struct vault *locked = NULL;
	int r = name_check(name, err);
	if (r == 0)
		r = vault_open(engine->home.data_dir, &locked, err);
	if (r == 0)
		r = secret_check_usable(locked, name, err);
	locked = vault_close(locked);
	if (r == 0)
		r = session_open_unlocked(engine, unlock, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	if (r == 0)
		r = session_reveal(&session, name, &value, err);
	// Recorded like every opening of a value, before anything is told of it.
	if (r == 0)
		r = session_commit(&session, "secret.coverage", json_pack("{s:s}", "secret", name), err);
	if (r == 0)
		r = redact_coverage(secret_span(value), out, err);
	if (r < 0)
		return r;
	const char *reason = NULL;
	*out_weak = redact_value_is_weak(secret_span(value), &reason) ? reason : NULL;
	return 0;
}
