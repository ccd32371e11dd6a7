#include "policy/level.h"

#include <string.h>

static const char *const level_names[SECURITY_LEVEL_COUNT] = {
	[SECURITY_STANDARD] = "standard", [SECURITY_HARDENED] = "hardened", [SECURITY_LOCKDOWN] = "lockdown"};
static const char *const action_names[GUARD_ACTION_COUNT] = {
	[GUARD_NOTE] = "note", [GUARD_WARN] = "warn", [GUARD_ASK] = "ask", [GUARD_DENY] = "deny"};

static const struct security_demands demands[SECURITY_LEVEL_COUNT] = {
	[SECURITY_STANDARD] = {
		.tier = SANDBOX_STANDARD,
		.factor = FACTOR_PASSPHRASE,
		.unredacted = PERMIT_ON_REQUEST,
		.by_path = PERMIT_ON_REQUEST,
		.keep_env = PERMIT_ON_REQUEST,
		.unshielded = PERMIT_ON_REQUEST,
		.degrade = PERMIT_ON_REQUEST,
		.rules_allow = true,
		.option_approves = true,
		.environment = ENVIRONMENT_FILTERED,
		.actions = {[FINDING_BAD] = GUARD_WARN},
	},
	[SECURITY_HARDENED] = {
		.tier = SANDBOX_HARDENED,
		.factor = FACTOR_PASSPHRASE_AND_CODE,
		.unredacted = PERMIT_NEVER,
		.by_path = PERMIT_BY_RULE,
		.keep_env = PERMIT_BY_RULE,
		.unshielded = PERMIT_BY_RULE,
		.degrade = PERMIT_BY_RULE,
		.rules_allow = true,
		.option_approves = false,
		.environment = ENVIRONMENT_ALLOWED,
		.actions = {[FINDING_WARN] = GUARD_WARN, [FINDING_BAD] = GUARD_ASK},
	},
	[SECURITY_LOCKDOWN] = {
		.tier = SANDBOX_LOCKDOWN,
		.factor = FACTOR_PASSPHRASE_AND_CODE,
		.unredacted = PERMIT_NEVER,
		.by_path = PERMIT_NEVER,
		.keep_env = PERMIT_NEVER,
		.unshielded = PERMIT_NEVER,
		.degrade = PERMIT_NEVER,
		.rules_allow = false,
		.option_approves = false,
		.environment = ENVIRONMENT_ALLOWED,
		.actions = {[FINDING_WARN] = GUARD_ASK, [FINDING_BAD] = GUARD_DENY},
	},
};

const struct security_demands *security_demands(enum security_level level)
{
	return &demands[level];
}

static bool word_find(const char *word, const char *const names[], size_t count, size_t *out)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, names[i]) == 0) {
			*out = i;
			return true;
		}
	return false;
}

const char *security_level_name(enum security_level level)
{
	return level_names[level];
}

bool security_level_parse(const char *word, enum security_level *out)
{
	size_t found = 0;
	bool is_known = word_find(word, level_names, ARRAY_COUNT(level_names), &found);
	if (is_known)
		*out = (enum security_level)found;
	return is_known;
}

const char *guard_action_name(enum guard_action action)
{
	return action_names[action];
}

bool guard_action_parse(const char *word, enum guard_action *out)
{
	size_t found = 0;
	bool is_known = word_find(word, action_names, ARRAY_COUNT(action_names), &found);
	if (is_known)
		*out = (enum guard_action)found;
	return is_known;
}

const char *security_factor_name(enum security_factor factor)
{
	static const char *const names[] = {
		[FACTOR_PASSPHRASE] = "passphrase", [FACTOR_PASSPHRASE_AND_CODE] = "passphrase and code"};
	return names[factor];
}

const char *security_permit_name(enum security_permit permit)
{
	static const char *const names[] = {
		[PERMIT_ON_REQUEST] = "on request", [PERMIT_BY_RULE] = "by rule", [PERMIT_NEVER] = "never"};
	return names[permit];
}

const char *environment_mode_name(enum environment_mode mode)
{
	static const char *const names[] = {
		[ENVIRONMENT_FILTERED] = "filtered", [ENVIRONMENT_ALLOWED] = "allow-list"};
	return names[mode];
}
