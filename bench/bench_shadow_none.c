#include "bench_shadow.h"

int shadow_disable(struct redactor *redactor, struct err *err)
{
	(void)redactor;
	return err_set(err, ERR_USAGE, "this build has no shadow matching that could be turned off");
}
