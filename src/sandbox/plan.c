// From a tier to a plan: which mechanisms, and for which paths.
#include "sandbox/sandbox_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const tier_names[SANDBOX_TIER_COUNT] = {
	[SANDBOX_STANDARD] = "standard", [SANDBOX_HARDENED] = "hardened", [SANDBOX_LOCKDOWN] = "lockdown"};

static const struct {
	const char *name;
	enum sandbox_need needs[SANDBOX_TIER_COUNT];
} mechanisms[SANDBOX_MECHANISM_COUNT] = {
	[SANDBOX_USER_NAMESPACE] = {"user-namespace", {SANDBOX_UNUSED, SANDBOX_REQUIRED, SANDBOX_REQUIRED}},
	[SANDBOX_PID_NAMESPACE] = {"pid-namespace", {SANDBOX_UNUSED, SANDBOX_REQUIRED, SANDBOX_REQUIRED}},
	[SANDBOX_IPC_NAMESPACE] = {"ipc-namespace", {SANDBOX_UNUSED, SANDBOX_REQUIRED, SANDBOX_REQUIRED}},
	[SANDBOX_NETWORK_NAMESPACE] = {"network-namespace", {SANDBOX_UNUSED, SANDBOX_UNUSED, SANDBOX_REQUIRED}},
	[SANDBOX_MOUNTS] = {"mounts", {SANDBOX_UNUSED, SANDBOX_UNUSED, SANDBOX_REQUIRED}},
	// Without it ps and pgrep name processes that are not there; nothing is open that would be closed with it.
	[SANDBOX_PROC] = {"proc", {SANDBOX_UNUSED, SANDBOX_PREFERRED, SANDBOX_REQUIRED}},
	[SANDBOX_NO_CORE] = {"no-core", {SANDBOX_REQUIRED, SANDBOX_REQUIRED, SANDBOX_REQUIRED}},
	[SANDBOX_PROCESS_LIMIT] = {"process-limit", {SANDBOX_UNUSED, SANDBOX_REQUIRED, SANDBOX_REQUIRED}},
	[SANDBOX_CAPABILITIES] = {"capabilities", {SANDBOX_UNUSED, SANDBOX_REQUIRED, SANDBOX_REQUIRED}},
	[SANDBOX_NO_NEW_PRIVS] = {"no-new-privs", {SANDBOX_REQUIRED, SANDBOX_REQUIRED, SANDBOX_REQUIRED}},
	[SANDBOX_LANDLOCK] = {"landlock", {SANDBOX_UNUSED, SANDBOX_REQUIRED, SANDBOX_REQUIRED}},
	[SANDBOX_SCOPE] = {"scope", {SANDBOX_UNUSED, SANDBOX_REQUIRED, SANDBOX_REQUIRED}},
	[SANDBOX_FILTER] = {"filter", {SANDBOX_UNUSED, SANDBOX_REQUIRED, SANDBOX_REQUIRED}},
	// Not every program runs behind it (program.h).
	[SANDBOX_SHIELD] = {"shield", {SANDBOX_PREFERRED, SANDBOX_PREFERRED, SANDBOX_PREFERRED}},
};

const char *sandbox_tier_name(enum sandbox_tier tier)
{
	return tier_names[tier];
}

bool sandbox_tier_parse(const char *word, enum sandbox_tier *out)
{
	for (size_t i = 0; i < SANDBOX_TIER_COUNT; i++)
		if (strcmp(word, tier_names[i]) == 0) {
			*out = (enum sandbox_tier)i;
			return true;
		}
	return false;
}

const char *sandbox_mechanism_name(enum sandbox_mechanism mechanism)
{
	return mechanisms[mechanism].name;
}

const char *sandbox_network_name(enum sandbox_network network)
{
	static const char *const names[] = {
		[SANDBOX_NETWORK_HOST] = "host", [SANDBOX_NETWORK_NONE] = "none",
		[SANDBOX_NETWORK_LOOPBACK] = "loopback", [SANDBOX_NETWORK_ALLOW] = "allow"};
	return names[network];
}

void sandbox_plan_done(struct sandbox_plan *plan)
{
	text_list_done(&plan->hidden);
	text_list_done(&plan->shown);
	text_list_done(&plan->writable);
	text_list_done(&plan->endpoints);
	free(plan->directory);
	*plan = (struct sandbox_plan){0};
}

static int plan_fill_network(const struct sandbox_wish *wish, struct sandbox_plan *plan, struct err *err)
{
	bool has_own = plan->needs[SANDBOX_NETWORK_NAMESPACE] != SANDBOX_UNUSED;
	if (!has_own && wish->network != SANDBOX_NETWORK_HOST)
		return err_set(err, ERR_USAGE, "only the tier lockdown has a network of its own; use --tier lockdown with --net");
	plan->network = has_own && wish->network == SANDBOX_NETWORK_HOST ? SANDBOX_NETWORK_NONE : wish->network;
	for (size_t i = 0; i < wish->endpoint_count; i++) {
		int r = sandbox_endpoint_check(wish->endpoints[i], err);
		if (r == 0)
			r = text_list_add(&plan->endpoints, wish->endpoints[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int plan_fill(const struct sandbox_wish *wish, const struct sandbox_place *place, struct sandbox_plan *plan,
		     struct err *err)
{
	plan->tier = wish->tier;
	plan->is_degradable = wish->is_degradable;
	for (size_t i = 0; i < SANDBOX_MECHANISM_COUNT; i++)
		plan->needs[i] = mechanisms[i].needs[wish->tier];
	if (wish->is_unshielded)
		plan->needs[SANDBOX_SHIELD] = SANDBOX_UNUSED;
	plan->directory = place->directory ? strdup(place->directory) : NULL;
	if (place->directory && !plan->directory)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = plan_fill_network(wish, plan, err);
	return r == 0 ? paths_fill(wish, place, plan, err) : r;
}

int sandbox_plan_build(const struct sandbox_wish *wish, const struct sandbox_place *place, struct sandbox_plan *out,
		       struct err *err)
{
	struct sandbox_plan plan = {0};
	int r = plan_fill(wish, place, &plan, err);
	if (r < 0) {
		sandbox_plan_done(&plan);
		return r;
	}
	*out = plan;
	return 0;
}
