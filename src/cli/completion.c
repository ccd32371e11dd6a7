#include "cli/command.h"

#include <string.h>

// Completion scripts, made from the command table. Secrets are offered by name; names come from `envseal list --json`, which
// needs no passphrase.

// What the first word of commands of two is about.
static const struct family {
	const char *word;
	const char *summary;
} families[] = {
	{"totp", "set up, remove and show the second factor"},
	{"policy", "say who may have which secrets"},
	{"audit", "show, check and rotate the audit log"},
	{"security", "show and set the security level"},
};

static const char *first_word_summary(const struct command *command)
{
	size_t len = strcspn(command->name, " ");
	for (size_t i = 0; i < ARRAY_COUNT(families); i++)
		if (strlen(families[i].word) == len && strncmp(families[i].word, command->name, len) == 0)
			return families[i].summary;
	return command->summary;
}

static void print_options(const struct command *command, const char *before)
{
	for (size_t i = 0; i <= command->option_count; i++) {
		const struct option_row *row = &option_rows[i < command->option_count ? command->options[i] : OPTION_HELP];
		printf("%s--%s", before, row->long_name);
		if (row->short_name)
			printf("%s-%c", before, row->short_name);
	}
}

// First words of all commands, each once.
static bool command_is_first_of_name(size_t index)
{
	size_t len = strcspn(command_rows[index].name, " ");
	for (size_t i = 0; i < index; i++)
		if (strcspn(command_rows[i].name, " ") == len && strncmp(command_rows[i].name, command_rows[index].name, len) == 0)
			return false;
	return true;
}

static void print_first_word(const char *name)
{
	fwrite(name, 1, strcspn(name, " "), stdout);
}

static void print_first_words(const char *before)
{
	for (size_t i = 0; i < command_count; i++)
		if (command_is_first_of_name(i)) {
			fputs(before, stdout);
			print_first_word(command_rows[i].name);
		}
}

static void print_second_words(const char *first, const char *before)
{
	size_t len = strlen(first);
	for (size_t i = 0; i < command_count; i++)
		if (strncmp(command_rows[i].name, first, len) == 0 && command_rows[i].name[len] == ' ')
			printf("%s%s", before, command_rows[i].name + len + 1);
}

// The first words that a second one may follow, each once.
static bool group_begins(size_t index, char out[32])
{
	const char *blank = strchr(command_rows[index].name, ' ');
	size_t len = blank ? (size_t)(blank - command_rows[index].name) : 0;
	if (!blank)
		return false;
	for (size_t i = 0; i < index; i++)
		if (strncmp(command_rows[i].name, command_rows[index].name, len + 1) == 0)
			return false;
	snprintf(out, 32, "%.*s", (int)len, command_rows[index].name);
	return true;
}

// All commands of two words, as a pattern of a shell's case.
static void print_pairs(void)
{
	const char *before = "";
	for (size_t i = 0; i < command_count; i++)
		if (strchr(command_rows[i].name, ' ')) {
			printf("%s'%s'", before, command_rows[i].name);
			before = " | ";
		}
}

static void bash_groups(void)
{
	char group[32];
	for (size_t i = 0; i < command_count; i++) {
		if (!group_begins(i, group))
			continue;
		printf("\tif [[ $first == %s && $word != -* ]] && ((COMP_CWORD == 2)); then\n\t\tCOMPREPLY=($(compgen -W '", group);
		print_second_words(group, " ");
		puts("' -- \"$word\"))\n\t\treturn\n\tfi");
	}
	fputs("\tcommand=$first\n\tcase \"$first $second\" in\n\t", stdout);
	print_pairs();
	puts(") command=\"$first $second\" ;;\n\tesac");
}

static void bash_case(const struct command *command)
{
	printf("\t'%s')\n\t\toptions='", command->name);
	print_options(command, " ");
	printf("'\n\t\toperand=%s\n\t\twords='%s'\n\t\t;;\n",
	       command->operand_completion == COMPLETE_SECRET    ? "secret"
	       : command->operand_completion == COMPLETE_FILE    ? "file"
	       : command->operand_completion == COMPLETE_COMMAND ? "command"
								 : "none",
	       command->operand_words ? command->operand_words : "");
}

// Options whose value completion can help with, by long name: the same meaning in every command that has it.
static void bash_values(void)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];
		if (!row->value_name)
			continue;
		printf("\t--%s", row->long_name);
		if (row->short_name)
			printf(" | -%c", row->short_name);
		if (row->completion == COMPLETE_WORDS)
			printf(")\n\t\tCOMPREPLY=($(compgen -W '%s' -- \"$word\"))\n\t\treturn\n\t\t;;\n", row->words);
		else
			printf(")\n\t\t%s\n\t\treturn\n\t\t;;\n",
			       row->completion == COMPLETE_FILE     ? "COMPREPLY=($(compgen -f -- \"$word\"))"
			       : row->completion == COMPLETE_SECRET ? "COMPREPLY=($(compgen -W \"$(_envseal_secrets)\" -- \"$word\"))"
								    : "COMPREPLY=()");
	}
}

static void print_secrets_function(const char *name)
{
	printf("%s() {\n\tenvseal list --json 2>/dev/null | sed -n 's/^ *\"name\": \"\\([^\"]*\\)\".*/\\1/p'\n}\n", name);
}

static void bash_print(void)
{
	puts("# bash completion for envseal");
	print_secrets_function("_envseal_secrets");
	puts("_envseal() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
	     "\tlocal first=${COMP_WORDS[1]} second=${COMP_WORDS[2]} command options operand words i\n\tCOMPREPLY=()\n"
	     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tif [[ ${COMP_WORDS[i]} == -- ]]; then\n"
	     "\t\t\tif ((i + 1 == COMP_CWORD)); then COMPREPLY=($(compgen -c -- \"$word\")); else COMPREPLY=($(compgen -f -- "
	     "\"$word\")); fi\n\t\t\treturn\n\t\tfi\n\tdone\n\tif ((COMP_CWORD == 1)); then");
	fputs("\t\tCOMPREPLY=($(compgen -W '", stdout);
	print_first_words(" ");
	puts("' -- \"$word\"))\n\t\treturn\n\tfi");
	bash_groups();
	puts("\tcase $before in");
	bash_values();
	puts("\tesac\n\tcase $command in");
	for (size_t i = 0; i < command_count; i++)
		bash_case(&command_rows[i]);
	puts("\tesac\n\tif [[ $word == -* ]]; then\n\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n\t\treturn\n\tfi\n"
	     "\tcase $operand in\n\tsecret) COMPREPLY=($(compgen -W \"$(_envseal_secrets)\" -- \"$word\")) ;;\n"
	     "\tfile) COMPREPLY=($(compgen -f -- \"$word\")) ;;");
	fputs("\tcommand) COMPREPLY=($(compgen -W '", stdout);
	print_first_words(" ");
	puts("' -- \"$word\")) ;;\n\t*) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n\tesac\n}\ncomplete -F _envseal envseal");
}

// A text inside '…' of zsh and fish.
static void print_quoted(const char *text)
{
	for (const char *at = text; *at; at++)
		if (*at == '\'')
			fputs("'\\''", stdout);
		else if (*at == '[' || *at == ']' || *at == ':')
			printf("\\%c", *at);
		else
			fputc(*at, stdout);
}

static const char *zsh_action(enum completion completion)
{
	return completion == COMPLETE_FILE      ? "_files"
	       : completion == COMPLETE_SECRET  ? "_envseal_secret_names"
	       : completion == COMPLETE_COMMAND ? "_envseal_commands"
						: " ";
}

static void zsh_option(const struct option_row *row)
{
	char names[2][64];
	size_t count = 1;
	snprintf(names[0], sizeof(names[0]), "--%s", row->long_name);
	if (row->short_name)
		snprintf(names[count++], sizeof(names[1]), "-%c", row->short_name);
	for (size_t i = 0; i < count; i++) {
		printf(" \\\n\t\t\t'%s%s[", row->can_repeat ? "*" : "", names[i]);
		print_quoted(row->help);
		fputc(']', stdout);
		if (row->value_name && row->completion == COMPLETE_WORDS)
			printf(":value:(%s)", row->words);
		else if (row->value_name)
			printf(":value:%s", zsh_action(row->completion));
		fputc('\'', stdout);
	}
}

static void zsh_case(const struct command *command)
{
	printf("\t'%s')\n\t\t_arguments -S", command->name);
	for (size_t i = 0; i < command->option_count; i++)
		zsh_option(&option_rows[command->options[i]]);
	zsh_option(&option_rows[OPTION_HELP]);
	if (command->takes_program)
		fputs(" \\\n\t\t\t'*::program:_normal'", stdout);
	else if (command->operand_words)
		printf(" \\\n\t\t\t'*:operand:(%s)'", command->operand_words);
	else if (command->operands_max > 0)
		printf(" \\\n\t\t\t'*:operand:%s'", zsh_action(command->operand_completion));
	puts("\n\t\t;;");
}

static void zsh_groups(void)
{
	char group[32];
	for (size_t i = 0; i < command_count; i++) {
		if (!group_begins(i, group))
			continue;
		printf("\tif [[ $name == %s && ${words[3]} != -* ]] && ((CURRENT == 3)); then\n\t\tcompadd", group);
		print_second_words(group, " ");
		puts("\n\t\treturn\n\tfi");
	}
	fputs("\tcase \"$name ${words[3]}\" in\n\t", stdout);
	print_pairs();
	puts(")\n\t\tname=\"$name ${words[3]}\"\n\t\tshift words\n\t\t((CURRENT--))\n\t\t;;\n\tesac");
}

static void zsh_print(void)
{
	puts("#compdef envseal\n# zsh completion for envseal");
	print_secrets_function("_envseal_secrets");
	puts("_envseal_secret_names() {\n\tlocal -a names\n\tnames=(${(f)\"$(_envseal_secrets)\"})\n\tcompadd -a names\n}");
	puts("_envseal_commands() {\n\tlocal -a commands\n\tcommands=(");
	for (size_t i = 0; i < command_count; i++)
		if (command_is_first_of_name(i)) {
			fputs("\t\t'", stdout);
			print_first_word(command_rows[i].name);
			putchar(':');
			print_quoted(first_word_summary(&command_rows[i]));
			puts("'");
		}
	puts("\t)\n\t_describe command commands\n}\n_envseal() {\n\tif ((CURRENT == 2)); then\n\t\t_envseal_commands\n\t\treturn\n"
	     "\tfi\n\tlocal name=${words[2]}");
	zsh_groups();
	puts("\tshift words\n\t((CURRENT--))\n\tcase $name in");
	for (size_t i = 0; i < command_count; i++)
		zsh_case(&command_rows[i]);
	puts("\tesac\n}\nif [[ $funcstack[1] == _envseal ]]; then\n\t_envseal \"$@\"\nelse\n\tcompdef _envseal envseal\nfi");
}

static void fish_condition(const struct command *command)
{
	const char *blank = strchr(command->name, ' ');
	printf("complete -c envseal -n '__fish_seen_subcommand_from %.*s", (int)strcspn(command->name, " "), command->name);
	printf("%s%s'", blank ? "; and __fish_seen_subcommand_from " : "", blank ? blank + 1 : "");
}

static void fish_option(const struct command *command, const struct option_row *row)
{
	fish_condition(command);
	printf(" -l %s", row->long_name);
	if (row->short_name)
		printf(" -s %c", row->short_name);
	if (row->value_name)
		fputs(row->completion == COMPLETE_FILE ? " -r -F" : " -x", stdout);
	if (row->completion == COMPLETE_WORDS)
		printf(" -a '%s'", row->words);
	if (row->completion == COMPLETE_SECRET)
		fputs(" -a '(__envseal_secrets)'", stdout);
	printf(" -d '");
	for (const char *at = row->help; *at; at++)
		printf(*at == '\'' ? "\\'" : "%c", *at);
	puts("'");
}

static void fish_command(const struct command *command)
{
	const char *blank = strchr(command->name, ' ');
	if (blank)
		printf("complete -c envseal -n '__fish_seen_subcommand_from %.*s' -f -a %s\n", (int)(blank - command->name),
		       command->name, blank + 1);
	for (size_t i = 0; i < command->option_count; i++)
		fish_option(command, &option_rows[command->options[i]]);
	fish_option(command, &option_rows[OPTION_HELP]);
	if (command->operand_completion != COMPLETE_SECRET && !command->operand_words &&
	    command->operand_completion != COMPLETE_FILE)
		return;
	fish_condition(command);
	if (command->operand_completion == COMPLETE_FILE)
		puts(" -F");
	else if (command->operand_completion == COMPLETE_SECRET)
		puts(" -f -a '(__envseal_secrets)'");
	else
		printf(" -f -a '%s'\n", command->operand_words);
}

static void fish_print(void)
{
	puts("# fish completion for envseal\nfunction __envseal_secrets\n"
	     "\tenvseal list --json 2>/dev/null | string match -rg '^ *\"name\": \"([^\"]*)\"'\nend\ncomplete -c envseal -f");
	for (size_t i = 0; i < command_count; i++)
		if (command_is_first_of_name(i)) {
			int len = (int)strcspn(command_rows[i].name, " ");
			printf("complete -c envseal -n __fish_use_subcommand -a %.*s -d '", len, command_rows[i].name);
			for (const char *at = first_word_summary(&command_rows[i]); *at; at++)
				printf(*at == '\'' ? "\\'" : "%c", *at);
			puts("'");
		}
	for (size_t i = 0; i < command_count; i++)
		fish_command(&command_rows[i]);
}

int command_completion(struct context *context, const struct arguments *arguments)
{
	static const struct {
		const char *shell;
		void (*print)(void);
	} shells[] = {{"bash", bash_print}, {"zsh", zsh_print}, {"fish", fish_print}};
	(void)context;
	for (size_t i = 0; i < ARRAY_COUNT(shells); i++)
		if (strcmp(arguments->operands[0], shells[i].shell) == 0) {
			shells[i].print();
			return output_finish();
		}
	struct err err;
	err_set(&err, ERR_USAGE, "completion is made for bash, zsh and fish");
	return report(arguments, &err);
}
