#include "cli/command.h"

#include <string.h>

#define HELP_COLUMN 30

// "-s|--secret NAME", as it stands in a synopsis.
static int option_synopsis(const struct option_row *row, struct buf *out, struct err *err)
{
	int r = buf_append_text(out, " [", err);
	if (r == 0 && row->short_name)
		r = buf_printf(out, err, "-%c|", row->short_name);
	if (r == 0)
		r = buf_printf(out, err, "--%s", row->long_name);
	if (r == 0 && row->value_name)
		r = buf_printf(out, err, " %s", row->value_name);
	return r == 0 ? buf_append_text(out, row->can_repeat ? "]..." : "]", err) : r;
}

int command_synopsis(const struct command *command, struct buf *out, struct err *err)
{
	int r = buf_printf(out, err, "envseal %s%s%s", command->name, command->operands[0] ? " " : "", command->operands);
	for (size_t i = 0; r == 0 && i < command->option_count; i++)
		r = option_synopsis(&option_rows[command->options[i]], out, err);
	if (r < 0 || !command->takes_program)
		return r;
	return buf_append_text(out, command->may_lack_program ? " [-- PROGRAM [ARGUMENT...]]" : " -- PROGRAM [ARGUMENT...]", err);
}

static void option_print(const struct option_row *row)
{
	char left[128];
	snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", row->short_name ? '-' : ' ', row->short_name ? row->short_name : ' ',
		 row->short_name ? "," : " ", row->long_name, row->value_name ? " " : "", row->value_name ? row->value_name : "");
	if (strlen(left) >= HELP_COLUMN)
		printf("%s\n%*s%s\n", left, HELP_COLUMN, "", row->help);
	else
		printf("%-*s%s\n", HELP_COLUMN, left, row->help);
}

int command_print_help(const struct command *command)
{
	_cleanup_buf_ struct buf synopsis = BUF_INIT(4096);
	struct err err;
	if (command_synopsis(command, &synopsis, &err) < 0)
		return 1;
	printf("Usage: %s\n\n%c%s.\n\nOptions:\n", buf_text(&synopsis), command->summary[0] - 'a' + 'A', command->summary + 1);
	for (size_t i = 0; i < command->option_count; i++)
		option_print(&option_rows[command->options[i]]);
	option_print(&option_rows[OPTION_HELP]);
	return output_finish();
}

void overview_print(FILE *to)
{
	fputs("Usage: envseal COMMAND [OPTION...] [-- PROGRAM [ARGUMENT...]]\n\n"
	      "A write-only vault: secrets go in, and come out only into a program that you approve.\n\nCommands:\n",
	      to);
	for (size_t i = 0; i < command_count; i++)
		fprintf(to, "  %-20s%s\n", command_rows[i].name, command_rows[i].summary);
	fputs("\n`envseal COMMAND --help` tells more, the manual (man envseal) most.\n", to);
}

int command_help(struct context *context, const struct arguments *arguments)
{
	(void)context;
	if (arguments->operand_count == 0) {
		overview_print(stdout);
		return output_finish();
	}
	char first[64], second[64];
	snprintf(first, sizeof(first), "%s", arguments->operands[0]);
	snprintf(second, sizeof(second), "%s", arguments->operand_count > 1 ? arguments->operands[1] : "");
	char *words[] = {first, arguments->operand_count > 1 ? second : NULL, NULL};
	size_t used = 0;
	const struct command *command = command_find(words, &used);
	if (command && used == arguments->operand_count)
		return command_print_help(command);
	struct err err;
	command_unknown(words, &err);
	return report(arguments, &err);
}

int command_version(struct context *context, const struct arguments *arguments)
{
	(void)context;
	if (arguments_has(arguments, OPTION_JSON))
		return json_print(json_pack("{s:s, s:s}", "name", "envseal", "release", ENVSEAL_VERSION));
	printf("envseal %s\n", ENVSEAL_VERSION);
	return output_finish();
}
