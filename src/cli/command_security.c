#include "cli/command.h"

#define CELL_BYTES 32

static void levels_print(enum security_level current)
{
	struct security_demand demand;
	printf("%-32s", "");
	for (unsigned i = 0; i < SECURITY_LEVEL_COUNT; i++) {
		char cell[CELL_BYTES];
		snprintf(cell, sizeof(cell), "%s%s", engine_level_name(i), i == current ? " *" : "");
		printf("%-*s", i + 1 < SECURITY_LEVEL_COUNT ? 22 : 0, cell);
	}
	for (size_t d = 0; engine_security_demand(d, &demand); d++) {
		printf("\n%-32s", demand.title);
		for (unsigned i = 0; i < SECURITY_LEVEL_COUNT; i++)
			printf("%-*s", i + 1 < SECURITY_LEVEL_COUNT ? 22 : 0, demand.levels[i]);
	}
	puts("\n\n* in force. The sandbox is the weakest tier that a run can have.");
}

static json_t *levels_json(enum security_level current)
{
	struct security_demand demand;
	json_t *array = json_array();
	for (unsigned i = 0; i < SECURITY_LEVEL_COUNT; i++) {
		json_t *object = json_pack("{s:s, s:b}", "level", engine_level_name(i), "in_force", i == current);
		for (size_t d = 0; engine_security_demand(d, &demand); d++)
			json_object_set_new(object, demand.key, json_string(demand.levels[i]));
		json_array_append_new(array, object);
	}
	return array;
}

static void findings_print(const struct engine_security *security)
{
	struct security_finding finding;
	printf("\n%-24s%-10s%s\n", "finding", "at worst", "leads to");
	for (size_t i = 0; engine_security_finding(security, i, &finding); i++) {
		printf("%-24s%-10s%s", finding.id, finding.worst, finding.action);
		if (finding.set)
			printf(", set: %s", finding.set);
		if (finding.forced)
			printf(", forced: %s", finding.forced);
		putchar('\n');
	}
}

static json_t *findings_json(const struct engine_security *security)
{
	struct security_finding finding;
	json_t *array = json_array();
	for (size_t i = 0; engine_security_finding(security, i, &finding); i++)
		json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s?, s:s?}", "id", finding.id, "worst",
						       finding.worst, "action", finding.action, "set", finding.set,
						       "forced", finding.forced));
	return array;
}

static json_t *file_json(const struct security_floor *floor)
{
	return json_pack("{s:s, s:s, s:s?}", "path", SECURITY_FILE, "level", engine_level_name(floor->level),
			 "pinentry", floor->pinentry[0] ? floor->pinentry : NULL);
}

static json_t *brief_json(const struct engine_security *security)
{
	json_t *file = file_json(&security->in_force.floor), *findings = findings_json(security);
	return json_pack("{s:s, s:s, s:o, s:o}", "level", engine_level_name(security->in_force.level), "sealed_level",
			 engine_level_name(security->sealed.level), "file", file, "findings", findings);
}

static void level_print(const struct engine_security *security)
{
	const struct security_floor *floor = &security->in_force.floor;
	printf("level %s in force: the vault has %s, %s forces %s\n", engine_level_name(security->in_force.level),
	       engine_level_name(security->sealed.level), SECURITY_FILE,
	       floor->level == SECURITY_STANDARD ? "none" : engine_level_name(floor->level));
	if (floor->pinentry[0])
		printf("asked by %s\n", floor->pinentry);
}

int command_security_show(struct context *context, const struct arguments *arguments)
{
	struct engine_security security = {0};
	struct engine_unlock unlock;
	struct err err;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_security_show(context->engine, &unlock, &security, &err);
	if (r < 0)
		return report(arguments, &err);
	if (arguments_has(arguments, OPTION_JSON)) {
		json_t *object = brief_json(&security);
		json_object_set_new(object, "levels", levels_json(security.in_force.level));
		return json_print(object);
	}
	level_print(&security);
	putchar('\n');
	levels_print(security.in_force.level);
	findings_print(&security);
	return output_finish();
}

int command_security_set(struct context *context, const struct arguments *arguments)
{
	const char *findings[ARGUMENTS_OPTIONS_MAX];
	struct engine_security_set request = {.findings = findings};
	struct engine_security security = {0};
	struct err err;
	request.level = arguments->operand_count > 0 ? arguments->operands[0] : NULL;
	request.finding_count = arguments_values(arguments, OPTION_FINDING, findings, ARRAY_COUNT(findings));
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = engine_security_set(context->engine, &request, &security, &err);
	if (r < 0)
		return report(arguments, &err);
	if (arguments_has(arguments, OPTION_JSON))
		return json_print(brief_json(&security));
	level_print(&security);
	return output_finish();
}
