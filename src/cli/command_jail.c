#include "cli/command.h"

// Room for the lists of a request.
struct jail_words {
	const char *hide[ARGUMENTS_OPTIONS_MAX];
	const char *read[ARGUMENTS_OPTIONS_MAX];
	const char *write[ARGUMENTS_OPTIONS_MAX];
};

static struct engine_jail request_make(struct context *context, const struct arguments *arguments, struct jail_words *words)
{
	struct engine_jail request = {
		.profile = arguments_value(arguments, OPTION_JAIL_PROFILE),
		.hide = words->hide,
		.hide_count = arguments_values(arguments, OPTION_HIDE, words->hide, ARRAY_COUNT(words->hide)),
		.read = words->read,
		.read_count = arguments_values(arguments, OPTION_JAIL_READ, words->read, ARRAY_COUNT(words->read)),
		.write = words->write,
		.write_count = arguments_values(arguments, OPTION_WRITE, words->write, ARRAY_COUNT(words->write)),
		.network = arguments_value(arguments, OPTION_JAIL_NET),
		.degrade = arguments_has(arguments, OPTION_DEGRADE),
		.is_quiet = arguments_has(arguments, OPTION_QUIET),
		.argv = arguments->program,
		.environment = context->environment,
		.inherited = context->inherited,
	};
	request.endpoints = arguments_endpoints(arguments, &request.endpoint_count);
	return request;
}

struct checked {
	json_t *rows; // NULL: print
	size_t open;
	bool has_rows;
};

static void row_take(void *context, const struct jail_row *row)
{
	struct checked *checked = context;
	const char *verdict = jail_verdict_name(row->verdict);
	checked->open += row->verdict == JAIL_OPEN;
	if (checked->rows) {
		json_array_append_new(checked->rows, json_pack("{s:s, s:s, s:s, s:s}", "id", row->id, "what", row->what, "result",
							       verdict, "remark", row->remark));
		return;
	}
	if (!checked->has_rows)
		printf("%-10s%-52s %s\n", "RESULT", "WHAT", "REMARK");
	checked->has_rows = true;
	printf(row->remark[0] ? "%-10s%-52s %s\n" : "%-10s%s\n", verdict, row->what, row->remark);
}

static int check(struct context *context, const struct arguments *arguments, const struct engine_jail *request)
{
	bool is_json = arguments_has(arguments, OPTION_JSON);
	struct checked checked = {.rows = is_json ? json_array() : NULL};
	struct err err;
	int r = engine_jail_check(context->engine, request, row_take, &checked, &err);
	if (r < 0) {
		json_decref(checked.rows);
		return report(arguments, &err);
	}
	int status = checked.open > 0 ? err_exit_status(ERR_NO) : 0;
	int printed = is_json ? json_print(json_pack("{s:o, s:I, s:b}", "rows", checked.rows, "open", (json_int_t)checked.open, "ok",
						     checked.open == 0))
			      : output_finish();
	return printed != 0 ? printed : status;
}

int command_jail(struct context *context, const struct arguments *arguments)
{
	struct jail_words words;
	struct engine_jail request = request_make(context, arguments, &words);
	struct err err;
	bool is_check = arguments_has(arguments, OPTION_CHECK);
	if (is_check && request.argv)
		err_set(&err, ERR_USAGE, "--check starts no program; leave out what stands behind --");
	else if (!is_check && !request.argv)
		err_set(&err, ERR_USAGE, "wants an agent behind --, as in `envseal jail -- claude`, or --check");
	else if (!is_check && arguments_has(arguments, OPTION_JSON))
		err_set(&err, ERR_USAGE, "--json goes with --check: a program's output is its own");
	else if (is_check)
		return check(context, arguments, &request);
	else
		engine_jail(context->engine, &request, &err);
	return report(arguments, &err);
}
