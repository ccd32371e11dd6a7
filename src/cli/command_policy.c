#include "cli/command.h"

#include <string.h>

// What is printed of rules: blocks for a human, or one object at the end.
struct rules_listing {
	json_t *rules;  // NULL: print words
	json_t *states; // by id
	const char *state; // that is not worth a line
	size_t shown;
};

static void rule_each(void *context, const struct engine_rule *rule)
{
	struct rules_listing *listing = context;
	listing->shown++;
	if (listing->rules) {
		json_array_append_new(listing->rules, json_deep_copy(rule->json));
		json_object_set_new(listing->states, rule->id, json_string(rule->state));
		return;
	}
	fputs(rule->words, stdout);
	if (strcmp(rule->state, listing->state) != 0)
		printf("  %-12s%s\n", "state", rule->state);
}

static struct rules_listing listing_begin(const struct arguments *arguments, const char *state)
{
	bool is_json = arguments_has(arguments, OPTION_JSON);
	return (struct rules_listing){.rules = is_json ? json_array() : NULL, .states = is_json ? json_object() : NULL,
				      .state = state};
}

// Reports, or prints what was gathered. Takes the listing over.
static int listing_end(struct rules_listing *listing, const struct arguments *arguments, int r, const struct err *err)
{
	if (r == 0 && listing->rules)
		return json_print(json_pack("{s:o, s:o}", "rules", listing->rules, "states", listing->states));
	json_decref(listing->rules);
	json_decref(listing->states);
	fflush(stdout);
	return r < 0 ? report(arguments, err) : output_finish();
}

// -------------------------------------------------------------------------------------------------------- allow, deny

static int policy_add(struct context *context, const struct arguments *arguments, bool deny)
{
	const char *secrets[ARGUMENTS_OPTIONS_MAX], *keep[ARGUMENTS_OPTIONS_MAX];
	struct sandbox_words words;
	struct rules_listing listing = listing_begin(arguments, "ok");
	struct engine_policy_add request = {
		.deny = deny,
		.secrets = secrets,
		.secret_count = arguments_values(arguments, OPTION_RULE_SECRET, secrets, ARRAY_COUNT(secrets)),
		.id = arguments_value(arguments, OPTION_RULE_ID),
		.argv_mode = arguments_value(arguments, OPTION_ARGV),
		.directory = arguments_value(arguments, OPTION_DIRECTORY),
		.sandbox = sandbox_from_arguments(arguments, &words),
		.span = arguments_value(arguments, OPTION_FOR),
		.uses = arguments_value(arguments, OPTION_USES),
		.session = arguments_has(arguments, OPTION_SESSION),
		.boot = arguments_has(arguments, OPTION_BOOT),
		.redaction = arguments_has(arguments, OPTION_REDACTION),
		.keep = keep,
		.keep_count = arguments_values(arguments, OPTION_KEEP_ENV, keep, ARRAY_COUNT(keep)),
		.argv = arguments->program,
		.environment = context->environment,
		.inherited = context->inherited,
	};
	struct err err;
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = engine_policy_add(context->engine, &request, rule_each, &listing, &err);
	return listing_end(&listing, arguments, r, &err);
}

int command_policy_allow(struct context *context, const struct arguments *arguments)
{
	return policy_add(context, arguments, false);
}

int command_policy_deny(struct context *context, const struct arguments *arguments)
{
	return policy_add(context, arguments, true);
}

// ------------------------------------------------------------------------------------------------- list, rm, export

int command_policy_list(struct context *context, const struct arguments *arguments)
{
	struct rules_listing listing = listing_begin(arguments, "ok");
	struct engine_unlock unlock;
	struct err err;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_policy_list(context->engine, &unlock, false, rule_each, &listing, &err);
	if (r == 0 && listing.shown == 0)
		notice("there is no rule; make one with `envseal policy allow`");
	return listing_end(&listing, arguments, r, &err);
}

static void id_each(void *context, const struct engine_rule *rule)
{
	json_t *ids = context;
	if (ids)
		json_array_append_new(ids, json_string(rule->id));
	else
		printf("%s %s\n", rule->state, rule->id);
}

int rules_remove_named(struct context *context, const struct arguments *arguments, bool only_grants)
{
	json_t *ids = arguments_has(arguments, OPTION_JSON) ? json_array() : NULL;
	struct engine_policy_remove request = {.ids = arguments->operands, .count = arguments->operand_count,
					       .only_grants = only_grants};
	struct err err;
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = engine_policy_remove(context->engine, &request, id_each, ids, &err);
	if (r < 0) {
		json_decref(ids);
		return report(arguments, &err);
	}
	return ids ? json_print(json_pack("{s:o}", "removed", ids)) : output_finish();
}

int command_policy_rm(struct context *context, const struct arguments *arguments)
{
	return rules_remove_named(context, arguments, false);
}

int command_policy_export(struct context *context, const struct arguments *arguments)
{
	_cleanup_buf_ struct buf text = BUF_INIT(RULES_BYTES_MAX);
	struct engine_unlock unlock;
	struct err err;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_policy_export(context->engine, &unlock, arguments_has(arguments, OPTION_ALL_RULES), &text,
					 &err);
	if (r < 0)
		return report(arguments, &err);
	puts(buf_text(&text));
	return output_finish();
}

// -------------------------------------------------------------------------------------------------------------- import

// Counts by state, and lists of ids for --json.
struct import_listing {
	json_t *object; // NULL: print lines
	size_t added;
	size_t changed;
	size_t removed;
};

static void import_each(void *context, const struct engine_rule *rule)
{
	struct import_listing *listing = context;
	listing->added += strcmp(rule->state, "added") == 0;
	listing->changed += strcmp(rule->state, "changed") == 0;
	listing->removed += strcmp(rule->state, "removed") == 0;
	if (listing->object)
		json_array_append_new(json_object_get(listing->object, rule->state), json_string(rule->id));
	else if (strcmp(rule->state, "unchanged") != 0)
		printf("%-8s %s\n", rule->state, rule->id);
}

int command_policy_import(struct context *context, const struct arguments *arguments)
{
	bool is_json = arguments_has(arguments, OPTION_JSON);
	struct engine_policy_import request = {.file = arguments->operands[0],
					       .replace = arguments_has(arguments, OPTION_REPLACE),
					       .force = arguments_has(arguments, OPTION_FORCE_RULES),
					       .dry_run = arguments_has(arguments, OPTION_DRY_RUN)};
	struct import_listing listing = {0};
	struct err err;
	if (is_json)
		listing.object = json_pack("{s:[], s:[], s:[], s:[], s:b}", "added", "changed", "removed", "unchanged",
					   "dry_run", request.dry_run ? 1 : 0);
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = engine_policy_import(context->engine, &request, import_each, &listing, &err);
	if (r < 0) {
		json_decref(listing.object);
		fflush(stdout);
		return report(arguments, &err);
	}
	if (is_json)
		return json_print(listing.object);
	notice("%zu added, %zu changed, %zu removed%s", listing.added, listing.changed, listing.removed,
	       request.dry_run ? "; nothing was done (--dry-run)" : "");
	return output_finish();
}
