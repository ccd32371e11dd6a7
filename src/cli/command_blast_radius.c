#include "cli/command.h"

// What the engine hands over is printable already, and of the types that are read here.

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "-";
}

static long long count_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void head_print(const json_t *report)
{
	printf("%-8s %s\n", "name", text_of(report, "name"));
	printf("%-8s %s", "stored", text_of(report, "stored"));
	if (count_of(report, "value_version") > 0)
		printf("  version %lld", count_of(report, "value_version"));
	printf("\n%-8s %s\n", "since",
	       json_is_true(json_object_get(report, "all")) ? "the name was first used (--all)" : "this value was stored");
	printf("%-8s the chain of %lld records holds; %s\n", "log", count_of(report, "records"),
	       json_is_true(json_object_get(report, "anchor_checked"))
		       ? "it is the one the vault anchored"
		       : "not checked against the vault, a cut tail would not show (--passphrase-file checks it)");
	const json_t *notes = json_object_get(report, "notes");
	for (size_t i = 0; i < json_array_size(notes); i++)
		printf("%-8s %s\n", "note", json_string_value(json_array_get(notes, i)));
}

static void delivery_print(const json_t *entry)
{
	const char *variable = json_string_value(json_object_get(entry, "variable"));
	printf("%s ", text_of(entry, "name"));
	if (!variable)
		fputs("on standard input", stdout);
	else
		printf("as %s$%s", text_of(entry, "delivery")[0] == 'f' ? "a file in " : "", variable);
}

static void leak_print(const json_t *entry)
{
	printf("%s on %s", text_of(entry, "form"), text_of(entry, "stream"));
}

static void action_print(const json_t *entry)
{
	fputs(text_of(entry, "action"), stdout);
}

static void tier_print(const json_t *entry)
{
	fputs(text_of(entry, "tier"), stdout);
}

// "label  one (3), another (1)"; nothing where the list is empty.
static void list_print(const json_t *row, const char *list_name, const char *label, void (*print)(const json_t *entry))
{
	const json_t *list = json_object_get(row, list_name);
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (i == 0)
			printf("      %-12s ", label);
		else
			fputs(", ", stdout);
		print(json_array_get(list, i));
		printf(" (%lld)", count_of(json_array_get(list, i), "count"));
	}
	if (json_array_size(list) > 0)
		putchar('\n');
}

static void identity_print(const json_t *program, const char *label)
{
	printf("      %-12s %s (%s)\n", label, text_of(program, "digest"), text_of(program, "binding"));
}

static void program_print(const json_t *row)
{
	const json_t *interpreter = json_object_get(row, "interpreter");
	printf("%5lld  %-20s  %-20s  %s\n", count_of(row, "runs"), text_of(row, "first"), text_of(row, "last"),
	       text_of(row, "path"));
	identity_print(row, "digest");
	if (json_is_object(interpreter)) {
		printf("      %-12s %s\n", "interpreter", text_of(interpreter, "path"));
		identity_print(interpreter, "");
	}
	list_print(row, "actions", "action", action_print);
	list_print(row, "tiers", "tier", tier_print);
	list_print(row, "deliveries", "given", delivery_print);
	list_print(row, "leaks", "in output", leak_print);
	if (count_of(row, "killed_for_leak") > 0)
		printf("      %-12s %lld\n", "killed", count_of(row, "killed_for_leak"));
	if (count_of(row, "not_started") > 0)
		printf("      %-12s %lld\n", "not started", count_of(row, "not_started"));
	if (count_of(row, "denied") > 0)
		printf("      %-12s %lld, last at %s\n", "denied", count_of(row, "denied"), text_of(row, "denied_last"));
	if (json_is_true(json_object_get(row, "more")))
		puts("      and more than fits here");
}

static void programs_print(const json_t *programs)
{
	if (json_array_size(programs) > 0)
		printf("\n%5s  %-20s  %-20s  %s\n", "RUNS", "FIRST", "LAST", "PROGRAM");
	for (size_t i = 0; i < json_array_size(programs); i++)
		program_print(json_array_get(programs, i));
}

static void opened_print(const json_t *opened)
{
	if (json_array_size(opened) > 0)
		printf("\n%5s  %-20s  %-20s  %s\n", "TIMES", "FIRST", "LAST", "OPENED BY ENVSEAL ITSELF FOR");
	for (size_t i = 0; i < json_array_size(opened); i++) {
		const json_t *row = json_array_get(opened, i);
		printf("%5lld  %-20s  %-20s  %s\n", count_of(row, "count"), text_of(row, "first"), text_of(row, "last"),
		       text_of(row, "reason"));
		list_print(row, "leaks", "in the text", leak_print);
	}
}

static void checklist_print(const json_t *checklist)
{
	putchar('\n');
	for (size_t i = 0; i < json_array_size(checklist); i++)
		printf("[ ] %s\n", json_string_value(json_array_get(checklist, i)));
}

int command_audit_blast_radius(struct context *context, const struct arguments *arguments)
{
	struct engine_unlock unlock;
	struct err err;
	json_t *report_object = NULL;
	bool unlocks = arguments_has(arguments, OPTION_PASSPHRASE_FD) || arguments_has(arguments, OPTION_PASSPHRASE_FILE);
	int r = unlock_from_arguments(arguments, &unlock, &err);
	const struct engine_radius request = {.name = arguments->operands[0], .unlock = unlocks ? &unlock : NULL,
					      .all = arguments_has(arguments, OPTION_ALL_VALUES)};
	if (r == 0)
		r = engine_radius(context->engine, &request, &report_object, &err);
	if (r < 0)
		return report(arguments, &err);
	if (arguments_has(arguments, OPTION_JSON))
		return json_print(report_object);
	head_print(report_object);
	programs_print(json_object_get(report_object, "programs"));
	opened_print(json_object_get(report_object, "opened"));
	checklist_print(json_object_get(report_object, "checklist"));
	json_decref(report_object);
	return output_finish();
}
