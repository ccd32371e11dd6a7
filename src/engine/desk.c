#include "engine/consent.h"

int consent_change(struct session *session, const char *action, const char *subject, const struct notes *notes, struct err *err)
{
	(void)session;
	(void)notes;
	return err_set(err, ERR_DENIED, "nobody can be asked whether to %s %s", action, subject);
}
