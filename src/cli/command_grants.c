#include "cli/command.h"

#include <string.h>

static json_t *grant_json(const struct engine_rule *grant)
{
	json_t *object = json_deep_copy(grant->json);
	json_object_set_new(object, "state", json_string(grant->state));
	if (grant->has_session)
		json_object_set_new(object, "session_alive", json_boolean(grant->is_session_alive));
	return object;
}

static void left_print(const struct engine_rule *grant)
{
	int64_t expires = json_integer_value(json_object_get(grant->json, "expires"));
	int64_t left = expires - clock_now();
	if (expires && left > 0)
		printf("  %-12s%lld h %lld min\n", "left", (long long)(left / 3600), (long long)(left % 3600 / 60));
	if (grant->has_session)
		printf("  %-12s%s\n", "session", grant->is_session_alive ? "still there" : "gone");
	printf("  %-12s%s\n", "state", grant->state);
}

struct grants {
	json_t *array; // NULL: print words
	size_t count;
};

static void grant_each(void *context, const struct engine_rule *grant)
{
	struct grants *grants = context;
	grants->count++;
	if (grants->array) {
		json_array_append_new(grants->array, grant_json(grant));
		return;
	}
	fputs(grant->words, stdout);
	left_print(grant);
}

int command_grants(struct context *context, const struct arguments *arguments)
{
	struct grants grants = {.array = arguments_has(arguments, OPTION_JSON) ? json_array() : NULL};
	struct engine_unlock unlock;
	struct err err;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_policy_list(context->engine, &unlock, true, grant_each, &grants, &err);
	if (r < 0) {
		json_decref(grants.array);
		fflush(stdout);
		return report(arguments, &err);
	}
	if (grants.count == 0)
		notice("there is no grant: no rule ends by itself");
	return grants.array ? json_print(json_pack("{s:o}", "grants", grants.array)) : output_finish();
}

int command_grants_rm(struct context *context, const struct arguments *arguments)
{
	struct err err;
	bool all = arguments_has(arguments, OPTION_ALL_GRANTS);
	if (all == (arguments->operand_count > 0)) {
		err_set(&err, ERR_USAGE, "name the grants to remove, or say --all");
		return report(arguments, &err);
	}
	return rules_remove_named(context, arguments, true);
}
