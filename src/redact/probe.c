#include "redact/forms.h"

struct probe {
	redact_needle_fn *each;
	void *context;
};

static int probe_take(void *context, const struct needle *needle, struct err *err)
{
	const struct probe *probe = context;
	return probe->each(probe->context, needle->form, needle->bytes, err);
}

int redact_each_needle(struct span value, redact_needle_fn *each, void *context, struct err *err)
{
	struct probe probe = {each, context};
	_cleanup_secret_ struct secret *room = NULL;
	int r = secret_new(form_room_bytes(value.len), SECRET_LOCK_PREFERRED, &room, err);
	return r < 0 ? r : form_each_needle(value, 0, room, probe_take, &probe, err);
}
