#include "cli/command.h"

static json_t *coverage_json(const char *name, const struct coverage_row rows[REDACT_FORM_COUNT])
{
	json_t *array = json_array();
	for (size_t i = 0; i < REDACT_FORM_COUNT; i++)
		json_array_append_new(array, json_pack("{s:s, s:b, s:I, s:s?, s:s?}", "form", rows[i].form, "watched",
						       rows[i].needle_count > 0 ? 1 : 0, "needles",
						       (json_int_t)rows[i].needle_count, "reason", rows[i].reason, "weak", rows[i].weak));
	return json_pack("{s:s, s:o}", "name", name, "forms", array);
}

static int coverage_print(const struct coverage_row rows[REDACT_FORM_COUNT])
{
	printf("%-10s %7s\n", "FORM", "NEEDLES");
	for (size_t i = 0; i < REDACT_FORM_COUNT; i++) {
		printf("%-10s %7zu", rows[i].form, rows[i].needle_count);
		if (rows[i].reason)
			printf("  not watched: %s", rows[i].reason);
		if (rows[i].weak)
			printf("  only where it stands alone as a word: %s", rows[i].weak);
		putchar('\n');
	}
	return output_finish();
}

int show_coverage(struct context *context, const struct arguments *arguments)
{
	struct coverage_row rows[REDACT_FORM_COUNT] = {0};
	struct engine_unlock unlock;
	struct err err;
	const char *name = arguments->operands[0];
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_coverage(context->engine, &unlock, name, rows, &err);
	if (r < 0)
		return report(arguments, &err);
	return arguments_has(arguments, OPTION_JSON) ? json_print(coverage_json(name, rows)) : coverage_print(rows);
}
