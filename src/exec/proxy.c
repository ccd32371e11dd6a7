#include "exec/exec_internal.h"

#include <stdlib.h>
#include <unistd.h>

struct exec_proxy {
	struct signals signals;
};

int exec_proxy_open(const struct exec_inherited *inherited, bool has_terminal, struct exec_proxy **out, struct err *err)
{
	_cleanup_exec_proxy_ struct exec_proxy *proxy = calloc(1, sizeof(*proxy));
	if (!proxy)
		return err_set(err, ERR_MEMORY, "out of memory");
	proxy->signals.fd = -1;
	const struct exec_plan plan = {.inherited = inherited};
	int r = signals_open(&proxy->signals, &plan, has_terminal, err);
	// As after exec_supervise: the end that is to follow must not be overtaken by a signal.
	proxy->signals.stays_blocked = true;
	if (r == 0)
		*out = TAKE_PTR(proxy);
	return r;
}

void exec_proxy_close_ptr(struct exec_proxy **proxy)
{
	if (*proxy)
		signals_close(&(*proxy)->signals);
	free(*proxy);
	*proxy = NULL;
}

int exec_proxy_fd(const struct exec_proxy *proxy)
{
	return proxy->signals.fd;
}

bool exec_proxy_next(struct exec_proxy *proxy, struct exec_event *out)
{
	while (signals_next(&proxy->signals, out))
		if (out->number != SIGCHLD)
			return true;
	return false;
}

bool exec_proxy_stop(struct exec_proxy *proxy, int number, bool whole_group)
{
	return signals_stop(&proxy->signals, number, whole_group);
}

void exec_proxy_tell_group(int number)
{
	caller_tell_group(NULL, number);
}
