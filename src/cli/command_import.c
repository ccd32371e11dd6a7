#include "cli/command.h"

#define IMPORT_CHOICES_MAX 256

struct importing {
	const char *file;
	json_t *lines; // NULL: print
	json_t *problems;
};

static const char *choice_name(enum import_choice choice)
{
	static const char *const names[] = {[IMPORT_SECRET] = "secret", [IMPORT_PLAIN] = "plain",
					    [IMPORT_UNCHANGED] = "unchanged", [IMPORT_LEFT_OUT] = "left-out"};
	return names[choice];
}

static void import_line(void *context, const struct import_line *line)
{
	struct importing *importing = context;
	if (importing->lines) {
		json_array_append_new(importing->lines,
				      json_pack("{s:I, s:s, s:s, s:s*, s:b}", "line", (json_int_t)line->line, "variable",
						line->variable, "choice", choice_name(line->choice), "secret", line->secret, "weak",
						line->is_weak ? 1 : 0));
		return;
	}
	printf("%5u  %-32s ", line->line, line->variable);
	if (line->choice == IMPORT_SECRET)
		printf("secret %s%s\n", line->secret, line->is_weak ? "  [weak]" : "");
	else if (line->choice == IMPORT_PLAIN)
		puts("plain setting, into the manifest");
	else
		puts("left out: it steers code (`envseal run --keep-env` hands it on)");
}

static void import_problem(void *context, const struct dotenv_problem *problem)
{
	struct importing *importing = context;
	char brief[200];
	text_brief(span_text(importing->file), brief, sizeof(brief));
	fprintf(stderr, "%s:%u:%u: %s\n", brief, problem->line, problem->column, problem->what);
	if (importing->problems)
		json_array_append_new(importing->problems, json_pack("{s:I, s:I, s:s}", "line", (json_int_t)problem->line, "column",
								     (json_int_t)problem->column, "what", problem->what));
}

static void import_tell(const struct engine_import *request, const struct import_result *result)
{
	if (request->dry_run) {
		notice("nothing was changed (--dry-run)");
		return;
	}
	notice("%zu stored, %zu unchanged, %zu plain, %zu left out", result->stored, result->unchanged, result->plain,
	       result->left_out);
	char brief[200];
	text_brief(span_text(request->file), brief, sizeof(brief));
	if (result->file_removed)
		notice("%s is now the manifest %s beside it; older copies of it (git history, backups) still hold the values", brief,
		       MANIFEST_FILE_NAME);
	else if (request->rewrite)
		notice("%s now holds only what was left out", brief);
	else
		notice("%s still holds the values; run this again with --rewrite to turn it into the manifest %s", brief,
		       MANIFEST_FILE_NAME);
}

int command_import(struct context *context, const struct arguments *arguments)
{
	const char *as_secret[IMPORT_CHOICES_MAX], *as_plain[IMPORT_CHOICES_MAX];
	bool json = arguments_has(arguments, OPTION_JSON);
	struct importing importing = {.file = arguments->operands[0], .lines = json ? json_array() : NULL,
				      .problems = json ? json_array() : NULL};
	struct engine_import request = {
		.file = arguments->operands[0],
		.prefix = arguments_value(arguments, OPTION_PREFIX),
		.as_secret = as_secret,
		.as_secret_count = arguments_values(arguments, OPTION_AS_SECRET, as_secret, ARRAY_COUNT(as_secret)),
		.as_plain = as_plain,
		.as_plain_count = arguments_values(arguments, OPTION_AS_PLAIN, as_plain, ARRAY_COUNT(as_plain)),
		.dry_run = arguments_has(arguments, OPTION_DRY_RUN),
		.rewrite = arguments_has(arguments, OPTION_REWRITE),
		.replace = arguments_has(arguments, OPTION_FORCE),
		.allow_weak = arguments_has(arguments, OPTION_ALLOW_WEAK),
		.line = import_line,
		.problem = import_problem,
		.context = &importing,
	};
	struct import_result result = {0};
	struct err err;
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = engine_import(context->engine, &request, &result, &err);
	int status = r < 0 ? report(arguments, &err) : 0;
	if (r == 0)
		import_tell(&request, &result);
	if (!json)
		return status ? status : output_finish();
	int printed = json_print(json_pack("{s:b, s:o, s:o, s:I, s:I, s:b, s:b}", "ok", r == 0 ? 1 : 0, "lines", importing.lines,
					   "problems", importing.problems, "stored", (json_int_t)result.stored, "unchanged",
					   (json_int_t)result.unchanged, "manifest_written", result.manifest_written ? 1 : 0,
					   "file_removed", result.file_removed ? 1 : 0));
	return status ? status : printed;
}
