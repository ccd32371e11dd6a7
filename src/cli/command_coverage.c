#include "cli/command.h"

static json_t *coverage_json(const char *name, const struct redact_coverage *forms, const char *weak)
{
	json_t *array = json_array();
	for (size_t i = 0; i < REDACT_FORM_COUNT; i++)
		json_array_append_new(array, json_pack("{s:s, s:b, s:I, s:s?}", "form", redact_form_name(forms[i].form), "watched",
						       forms[i].needle_count > 0 ? 1 : 0, "needles",
						       (json_int_t)forms[i].needle_count, "reason", forms[i].reason));
	return json_pack("{s:s, s:b, s:s?, s:o}", "name", name, "weak", weak ? 1 : 0, "weak_reason", weak, "forms", array);
}

static int coverage_print(const struct redact_coverage *forms, const char *weak)
{
	printf("%-10s %7s\n", "FORM", "WATCHED");
	for (size_t i = 0; i < REDACT_FORM_COUNT; i++) {
		const struct redact_coverage *form = &forms[i];
		printf("%-10s %7zu", redact_form_name(form->form), form->needle_count);
		if (form->reason)
			printf("  not watched: %s", form->reason);
		else if (form->form == REDACT_FORM_RAW && weak)
			printf("  only where it stands alone as a word: %s", weak);
		putchar('\n');
	}
	return output_finish();
}

int show_coverage(struct context *context, const struct arguments *arguments)
{
	struct redact_coverage forms[REDACT_FORM_COUNT];
	struct engine_unlock unlock;
	const char *weak = NULL;
	struct err err;
	const char *name = arguments->operands[0];
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_coverage(context->engine, &unlock, name, forms, &weak, &err);
	if (r < 0)
		return report(arguments, &err);
	return arguments_has(arguments, OPTION_JSON) ? json_print(coverage_json(name, forms, weak))
						     : coverage_print(forms, weak);
}
