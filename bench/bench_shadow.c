#include "bench_shadow.h"

#include "redact/redactor.h"

int shadow_disable(struct redactor *redactor, struct err *err)
{
	(void)err;
	redactor_disable_shadow(redactor);
	return 0;
}
