#include "cli/command.h"

struct examination {
	json_t *array; // NULL: print
	size_t secrets;
	size_t findings;
};

static json_t *row_json(const struct health_row *row)
{
	json_t *ids = json_array(), *same_as = json_array();
	size_t named = row->same_count < HEALTH_SAME_MAX ? row->same_count : HEALTH_SAME_MAX;
	for (unsigned i = 0; i < HEALTH_COUNT; i++)
		if (row->findings & HEALTH_BIT(i))
			json_array_append_new(ids, json_string(health_name(i)));
	for (size_t i = 0; i < named; i++)
		json_array_append_new(same_as, json_string(row->same_as[i]));
	return json_pack("{s:s, s:o, s:o, s:I}", "name", row->name, "findings", ids, "same_as", same_as, "same_as_left_out",
			 (json_int_t)(row->same_count - named));
}

static void same_print(const struct health_row *row)
{
	for (size_t i = 0; i < row->same_count && i < HEALTH_SAME_MAX; i++)
		printf("%s %s", i > 0 ? "," : " of", row->same_as[i]);
	if (row->same_count > HEALTH_SAME_MAX)
		printf(" and %zu more", row->same_count - HEALTH_SAME_MAX);
}

static void row_print(const struct health_row *row)
{
	const char *before = "  ";
	printf("%-32s", row->name);
	for (unsigned i = 0; i < HEALTH_COUNT; i++) {
		if (!(row->findings & HEALTH_BIT(i)))
			continue;
		printf("%s%s", before, health_name(i));
		if (i == HEALTH_DUPLICATE)
			same_print(row);
		before = "; ";
	}
	putchar('\n');
}

static void health_each(void *context, const struct health_row *row)
{
	struct examination *examination = context;
	examination->secrets++;
	examination->findings += (size_t)__builtin_popcount(row->findings);
	if (row->findings == 0)
		return;
	if (examination->array)
		json_array_append_new(examination->array, row_json(row));
	else
		row_print(row);
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static int examination_finish(const struct examination *examination)
{
	bool is_ok = examination->findings == 0;
	int printed;
	if (examination->array) {
		printed = json_print(json_pack("{s:o, s:I, s:I, s:b}", "secrets", examination->array, "secret_count",
					       (json_int_t)examination->secrets, "finding_count",
					       (json_int_t)examination->findings, "ok", is_ok ? 1 : 0));
	} else {
		printf("%zu secret%s, %zu finding%s\n", examination->secrets, plural(examination->secrets),
		       examination->findings, plural(examination->findings));
		printed = output_finish();
	}
	return printed ? printed : is_ok ? 0 : err_exit_status(ERR_NO);
}

int health_show(struct context *context, const struct arguments *arguments)
{
	const char *tags[VAULT_TAGS_MAX];
	struct engine_health request = {.tags = tags};
	struct examination examination = {.array = arguments_has(arguments, OPTION_JSON) ? json_array() : NULL};
	struct err err;
	request.name = arguments->operand_count > 0 ? arguments->operands[0] : NULL;
	request.tag_count = arguments_values(arguments, OPTION_TAG, tags, ARRAY_COUNT(tags));
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = engine_health(context->engine, &request, health_each, &examination, &err);
	if (r < 0) {
		json_decref(examination.array);
		return report(arguments, &err);
	}
	if (examination.secrets == 0)
		list_notice_empty(request.tag_count > 0);
	return examination_finish(&examination);
}
