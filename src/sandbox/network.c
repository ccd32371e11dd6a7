#include "sandbox/sandbox_internal.h"

int sandbox_endpoint_check(const char *text, struct err *err)
{
	return err_set(err, ERR_USAGE, "%s: no endpoints are known", text);
}
