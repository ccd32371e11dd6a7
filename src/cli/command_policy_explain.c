#include "cli/command.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static long long number_of(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

// ------------------------------------------------------------------------------------------------------------- explain

static void secret_head_print(const json_t *secret)
{
	const json_t *nearest = json_object_get(secret, "nearest");
	const char *variable = text_of(secret, "variable"), *rule = text_of(secret, "rule");
	bool is_file = strcmp(text_of(secret, "delivery"), "file") == 0;
	const char *way = !variable ? " on standard input" : is_file ? " as a file in $" : " in $";
	printf("%s%s%s: %s", text_of(secret, "name"), way, variable ? variable : "", text_of(secret, "effect"));
	if (rule)
		printf(", by rule %s\n", rule);
	else if (json_is_object(nearest))
		printf("; rule %s came nearest: %s\n", text_of(nearest, "id"), text_of(nearest, "text"));
	else
		puts("; no rule is about it");
}

static void secret_print(const json_t *secret)
{
	const json_t *rules = json_object_get(secret, "rules");
	long long others = number_of(secret, "rules_for_other_secrets"), left_out = number_of(secret, "rules_left_out");
	secret_head_print(secret);
	for (size_t i = 0; i < json_array_size(rules); i++) {
		const json_t *rule = json_array_get(rules, i);
		printf("  %-24s %-6s %s\n", text_of(rule, "id"), text_of(rule, "effect"), text_of(rule, "text"));
	}
	if (left_out > 0)
		printf("  and %lld more that do not decide\n", left_out);
	if (others > 0)
		printf("  and %lld for other secrets\n", others);
}

static int explain_print(json_t *object)
{
	const json_t *secrets = json_object_get(object, "secrets");
	const char *next = text_of(object, "next"), *no_next = text_of(object, "no_next");
	printf("%s  %s\n", text_of(object, "effect"), text_of(json_object_get(object, "program"), "path"));
	for (size_t i = 0; i < json_array_size(secrets); i++)
		secret_print(json_array_get(secrets, i));
	if (next)
		printf("to allow it:\n  %s\n", next);
	if (no_next)
		printf("no rule can allow it: %s\n", no_next);
	json_decref(object);
	return output_finish();
}

int command_policy_explain(struct context *context, const struct arguments *arguments)
{
	const char *secrets[ARGUMENTS_OPTIONS_MAX], *keep[ARGUMENTS_OPTIONS_MAX];
	struct sandbox_words words;
	struct engine_run request = {
		.action = ENGINE_RUN,
		.secrets = secrets,
		.secret_count = arguments_values(arguments, OPTION_RULE_SECRET, secrets, ARRAY_COUNT(secrets)),
		.profile = arguments_value(arguments, OPTION_PROFILE),
		.keep = keep,
		.keep_count = arguments_values(arguments, OPTION_KEEP_ENV, keep, ARRAY_COUNT(keep)),
		.sandbox = sandbox_from_arguments(arguments, &words),
		.argv = arguments->program,
		.environment = context->environment,
		.inherited = context->inherited,
	};
	bool is_allowed = false;
	json_t *object = NULL;
	struct err err;
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = engine_policy_explain(context->engine, &request, &is_allowed, &object, &err);
	if (r < 0)
		return report(arguments, &err);
	int status = arguments_has(arguments, OPTION_JSON) ? json_print(object) : explain_print(object);
	return status != 0 || is_allowed ? status : err_exit_status(ERR_NO);
}

// ---------------------------------------------------------------------------------------------------------------- test

static void case_print(const json_t *item)
{
	char brief[256];
	const char *rule = text_of(item, "rule"), *expected = text_of(item, "expect_rule");
	if (json_is_true(json_object_get(item, "ok")))
		return;
	printf("FAILED %s: expected %s", text_brief(span_text(text_of(item, "name")), brief, sizeof(brief)),
	       text_of(item, "expect"));
	if (expected)
		printf(" by rule %s", text_brief(span_text(expected), brief, sizeof(brief)));
	printf(", got %s for %s", text_of(item, "effect"), text_of(item, "secret"));
	if (rule)
		printf("; rule %s: %s\n", rule, text_of(item, "text"));
	else
		puts("; there is no rule");
}

int command_policy_test(struct context *context, const struct arguments *arguments)
{
	struct engine_policy_test request = {.file = arguments->operands[0]};
	json_t *object = NULL;
	struct err err;
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = engine_policy_test(context->engine, &request, &object, &err);
	if (r < 0)
		return report(arguments, &err);
	long long passed = number_of(object, "passed"), failed = number_of(object, "failed");
	int status = err_exit_status(failed > 0 ? ERR_NO : 0);
	if (arguments_has(arguments, OPTION_JSON)) {
		int printed = json_print(object);
		return printed != 0 ? printed : status;
	}
	const json_t *cases = json_object_get(object, "cases");
	for (size_t i = 0; i < json_array_size(cases); i++)
		case_print(json_array_get(cases, i));
	printf("%lld passed, %lld failed\n", passed, failed);
	json_decref(object);
	int printed = output_finish();
	return printed != 0 ? printed : status;
}
