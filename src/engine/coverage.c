#include "engine/engine_internal.h"

static int coverage_rows(struct span value, struct coverage_row out[REDACT_FORM_COUNT], struct err *err)
{
	struct redact_coverage forms[REDACT_FORM_COUNT];
	const char *reason = NULL;
	int r = redact_coverage(value, forms, err);
	if (r < 0)
		return r;
	bool is_weak = redact_value_is_weak(value, &reason);
	for (size_t i = 0; i < REDACT_FORM_COUNT; i++)
		out[i] = (struct coverage_row){.form = redact_form_name(forms[i].form), .needle_count = forms[i].needle_count,
					       .reason = forms[i].reason,
					       .weak = is_weak && forms[i].form == REDACT_FORM_RAW ? reason : NULL};
	return 0;
}

int engine_coverage(struct engine *engine, const struct engine_unlock *unlock, const char *name,
		    struct coverage_row out[REDACT_FORM_COUNT], struct err *err)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_secret_ struct secret *value = NULL;
	int r = session_open_named(engine, unlock, &name, 1, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	if (r == 0)
		r = session_reveal(&session, name, &value, err);
	// Recorded like every opening of a value, before anything is told of it.
	if (r == 0)
		r = session_commit(&session, "secret.coverage", json_pack("{s:s}", "secret", name), err);
	return r < 0 ? r : coverage_rows(secret_span(value), out, err);
}
