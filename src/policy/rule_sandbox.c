#include "policy/rule.h"

#include <stdlib.h>
#include <string.h>

static int list_copy(const struct text_list *from, struct text_list *to, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < from->count; i++)
		r = text_list_append(to, from->items[i], err);
	return r;
}

int rule_sandbox_copy(const struct rule_sandbox *from, struct rule_sandbox *to, struct err *err)
{
	*to = (struct rule_sandbox){.tier = from->tier, .network = from->network, .is_unshielded = from->is_unshielded,
				    .is_degradable = from->is_degradable};
	int r = list_copy(&from->readable, &to->readable, err);
	if (r == 0)
		r = list_copy(&from->writable, &to->writable, err);
	return r == 0 ? list_copy(&from->endpoints, &to->endpoints, err) : r;
}

bool rule_paths_cover(const struct text_list *list, const char *path)
{
	for (size_t i = 0; i < list->count; i++)
		if (path_is_below(path, list->items[i]))
			return true;
	return false;
}

static bool paths_cover_all(const struct text_list *list, const struct text_list *asked)
{
	for (size_t i = 0; i < asked->count; i++)
		if (!rule_paths_cover(list, asked->items[i]))
			return false;
	return true;
}

// "none" is what a tier with a network of its own has by itself.
static int openness(enum sandbox_network network)
{
	return network == SANDBOX_NETWORK_ALLOW ? 2 : network == SANDBOX_NETWORK_LOOPBACK;
}

bool rule_sandbox_covers(const struct rule_sandbox *rule, const struct rule_sandbox *asked)
{
	if ((asked->is_unshielded && !rule->is_unshielded) || (asked->is_degradable && !rule->is_degradable))
		return false;
	if (openness(asked->network) > openness(rule->network))
		return false;
	for (size_t i = 0; i < asked->endpoints.count; i++)
		if (!text_list_has(&rule->endpoints, asked->endpoints.items[i]))
			return false;
	return paths_cover_all(&rule->readable, &asked->readable) && paths_cover_all(&rule->writable, &asked->writable);
}
