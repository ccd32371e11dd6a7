// Levels and findings in words, for those who only print them.
#include "engine/security.h"

static const char *yes_no(bool is)
{
	return is ? "yes" : "no";
}

static const char *demand_tier(const struct security_demands *demands)
{
	return sandbox_tier_name(demands->tier);
}

static const char *demand_factor(const struct security_demands *demands)
{
	return security_factor_name(demands->factor);
}

static const char *demand_rules(const struct security_demands *demands)
{
	return yes_no(demands->rules_allow);
}

static const char *demand_option(const struct security_demands *demands)
{
	return yes_no(demands->option_approves);
}

static const char *demand_unredacted(const struct security_demands *demands)
{
	return security_permit_name(demands->unredacted);
}

static const char *demand_by_path(const struct security_demands *demands)
{
	return security_permit_name(demands->by_path);
}

static const char *demand_keep_env(const struct security_demands *demands)
{
	return security_permit_name(demands->keep_env);
}

static const char *demand_unshielded(const struct security_demands *demands)
{
	return security_permit_name(demands->unshielded);
}

static const char *demand_degrade(const struct security_demands *demands)
{
	return security_permit_name(demands->degrade);
}

static const char *demand_environment(const struct security_demands *demands)
{
	return environment_mode_name(demands->environment);
}

static const char *demand_note(const struct security_demands *demands)
{
	return guard_action_name(demands->actions[FINDING_NOTE]);
}

static const char *demand_warn(const struct security_demands *demands)
{
	return guard_action_name(demands->actions[FINDING_WARN]);
}

static const char *demand_bad(const struct security_demands *demands)
{
	return guard_action_name(demands->actions[FINDING_BAD]);
}

static const struct {
	const char *key;
	const char *title;
	const char *(*text)(const struct security_demands *demands);
} rows[] = {
	{"tier", "sandbox", demand_tier},
	{"factor", "to change rules and levels", demand_factor},
	{"rules_allow", "standing rules allow", demand_rules},
	{"option_approves", "passphrase by option approves", demand_option},
	{"unredacted", "inject, unredacted", demand_unredacted},
	{"by_path", "--by-path", demand_by_path},
	{"keep_env", "--keep-env", demand_keep_env},
	{"unshielded", "--no-shield", demand_unshielded},
	{"degrade", "--degrade", demand_degrade},
	{"environment", "environment", demand_environment},
	{"note", "a finding: note", demand_note},
	{"warn", "a finding: warn", demand_warn},
	{"bad", "a finding: bad", demand_bad},
};

const char *engine_level_name(enum security_level level)
{
	return security_level_name(level);
}

bool engine_security_demand(size_t index, struct security_demand *out)
{
	if (index >= ARRAY_COUNT(rows))
		return false;
	*out = (struct security_demand){.key = rows[index].key, .title = rows[index].title};
	for (unsigned i = 0; i < SECURITY_LEVEL_COUNT; i++)
		out->levels[i] = rows[index].text(security_demands(i));
	return true;
}

bool engine_security_finding(const struct engine_security *security, size_t index, struct security_finding *out)
{
	struct finding_kind kind;
	if (!finding_kind_at(index, &kind))
		return false;
	const struct security_override *own = security_override_find(&security->sealed.findings, kind.id);
	enum guard_action forced = guard_action_forced(&security->in_force.floor, &kind);
	*out = (struct security_finding){
		.id = kind.id,
		.worst = finding_severity_name(kind.worst),
		.action = guard_action_name(guard_action_worst(&security->in_force, &kind)),
		.set = own ? guard_action_name(own->action) : NULL,
		.forced = forced > GUARD_NOTE ? guard_action_name(forced) : NULL,
	};
	return true;
}
