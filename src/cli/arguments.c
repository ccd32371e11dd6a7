#include "cli/command.h"

#include <string.h>

static bool name_matches(const char *name, char *const *words, size_t *ret_words)
{
	const char *blank = strchr(name, ' ');
	size_t first_len = blank ? (size_t)(blank - name) : strlen(name);
	if (strlen(words[0]) != first_len || strncmp(words[0], name, first_len) != 0)
		return false;
	*ret_words = blank ? 2 : 1;
	return !blank || (words[1] && strcmp(words[1], blank + 1) == 0);
}

const struct command *command_find(char *const *words, size_t *ret_words)
{
	const struct command *found = NULL;
	size_t found_words = 0, count;
	for (size_t i = 0; words[0] && i < command_count; i++)
		if (name_matches(command_rows[i].name, words, &count) && count > found_words) {
			found = &command_rows[i];
			found_words = count;
		}
	*ret_words = found_words;
	return found;
}

int command_unknown(char *const *words, struct err *err)
{
	char brief[64];
	_cleanup_buf_ struct buf group = BUF_INIT(1024);
	struct span first = span_text(words[0]);
	for (size_t i = 0; i < command_count; i++)
		if (span_has_prefix(span_text(command_rows[i].name), first) && command_rows[i].name[first.len] == ' ')
			buf_printf(&group, err, "%s%s", group.len > 0 ? ", " : "", command_rows[i].name);
	if (group.len > 0)
		return err_set(err, ERR_USAGE, "one more word is needed, one of: %s", buf_text(&group));
	return err_set(err, ERR_USAGE, "there is no command '%s'; `envseal help` lists them", text_brief(first, brief, sizeof(brief)));
}

static const struct option_row *option_find(const struct command *command, struct span name, bool is_short,
					    enum option_id *ret_id)
{
	for (size_t i = 0; i <= command->option_count; i++) {
		enum option_id id = i < command->option_count ? command->options[i] : OPTION_HELP;
		const struct option_row *row = &option_rows[id];
		bool same = is_short ? row->short_name != 0 && name.len == 1 && name.data[0] == (uint8_t)row->short_name
				     : span_is_equal(name, span_text(row->long_name));
		if (same) {
			*ret_id = id;
			return row;
		}
	}
	return NULL;
}

static int arguments_add(struct arguments *arguments, enum option_id id, const char *value, struct err *err)
{
	const struct option_row *row = &option_rows[id];
	if (!row->can_repeat && arguments_has(arguments, id))
		return err_set(err, ERR_USAGE, "--%s was given twice", row->long_name);
	if (arguments->given_count == ARGUMENTS_OPTIONS_MAX)
		return err_set(err, ERR_USAGE, "too many options");
	arguments->given[arguments->given_count++] = (struct option_given){.id = id, .value = value};
	return 0;
}

// One option word; *at moves past the value when that is a word of its own.
static int arguments_option(struct arguments *arguments, char *const **at, struct err *err)
{
	const char *word = **at;
	bool is_short = word[1] != '-';
	const char *name = word + (is_short ? 1 : 2);
	const char *equals = is_short ? NULL : strchr(name, '=');
	size_t name_len = equals ? (size_t)(equals - name) : is_short ? 1 : strlen(name);
	const char *attached = equals ? equals + 1 : is_short && name[1] ? name + 1 : NULL;
	enum option_id id;
	char brief[64];
	const struct option_row *row = option_find(arguments->command, span_of(name, name_len), is_short, &id);
	if (!row)
		return err_set(err, ERR_USAGE, "there is no option %s; see `envseal %s --help`",
			       text_brief(span_of(word, name_len + (is_short ? 1 : 2)), brief, sizeof(brief)),
			       arguments->command->name);
	if (!row->value_name && attached)
		return err_set(err, ERR_USAGE, "--%s takes no value", row->long_name);
	if (!row->value_name) {
		if (id == OPTION_HELP)
			arguments->wants_help = true;
		return arguments_add(arguments, id, "", err);
	}
	if (!attached) {
		(*at)++;
		attached = **at;
	}
	if (!attached)
		return err_set(err, ERR_USAGE, "--%s wants a value (%s)", row->long_name, row->value_name);
	return arguments_add(arguments, id, attached, err);
}

static bool has_endpoints(const struct arguments *arguments)
{
	const char *network = arguments_value(arguments, OPTION_NET);
	if (!network)
		network = arguments_value(arguments, OPTION_JAIL_NET);
	return arguments->command->takes_endpoints && network && strcmp(network, "allow") == 0;
}

const char *const *arguments_endpoints(const struct arguments *arguments, size_t *ret_count)
{
	size_t others = arguments->command->operands_max;
	*ret_count = arguments->operand_count > others ? arguments->operand_count - others : 0;
	return arguments->operands + others;
}

struct engine_sandbox sandbox_from_arguments(const struct arguments *arguments, struct sandbox_words *words)
{
	size_t endpoint_count = 0;
	const char *const *endpoints = arguments_endpoints(arguments, &endpoint_count);
	bool is_rule = arguments_has(arguments, OPTION_RULE_TIER);
	return (struct engine_sandbox){
		.tier = arguments_value(arguments, is_rule ? OPTION_RULE_TIER : OPTION_TIER),
		.network = arguments_value(arguments, OPTION_NET),
		.read = words->read,
		.read_count = arguments_values(arguments, OPTION_READ, words->read, ARRAY_COUNT(words->read)),
		.write = words->write,
		.write_count = arguments_values(arguments, OPTION_WRITE, words->write, ARRAY_COUNT(words->write)),
		.endpoints = endpoints,
		.endpoint_count = endpoint_count,
		.no_shield = arguments_has(arguments, OPTION_NO_SHIELD),
		.degrade = arguments_has(arguments, OPTION_DEGRADE),
	};
}

static int arguments_check(const struct arguments *arguments, struct err *err)
{
	const struct command *command = arguments->command;
	if (arguments->wants_help)
		return 0;
	size_t most = has_endpoints(arguments) ? ARGUMENTS_OPERANDS_MAX : command->operands_max;
	if (arguments->operand_count > most && command->takes_endpoints)
		return err_set(err, ERR_USAGE, command->operands_max == 0 ? "takes no operand but endpoints, with --net allow; see `envseal %s --help`"
									  : "wants %2$s, and endpoints only with --net allow; see `envseal %1$s --help`",
			       command->name, command->operands);
	if (arguments->operand_count < command->operands_min || arguments->operand_count > most)
		return err_set(err, ERR_USAGE, command->operands_max == 0 ? "takes no operand; see `envseal %s --help`"
									  : "wants %2$s; see `envseal %1$s --help`",
			       command->name, command->operands);
	bool lacks_program = !arguments->program || !arguments->program[0];
	if (command->takes_program && lacks_program && (arguments->program || !command->may_lack_program))
		return err_set(err, ERR_USAGE, "wants a program behind --, as in `envseal %s … -- program argument`", command->name);
	if (!command->takes_program && arguments->program)
		return err_set(err, ERR_USAGE, "takes no program behind --; see `envseal %s --help`", command->name);
	return 0;
}

int arguments_parse(const struct command *command, char *const *words, struct arguments *out, struct err *err)
{
	out->command = command;
	char *const *at = words;
	for (; *at && strcmp(*at, "--") != 0; at++) {
		const char *word = *at;
		if (word[0] == '-' && word[1] != 0) {
			int r = arguments_option(out, &at, err);
			if (r < 0)
				return r;
		} else if (out->operand_count == ARGUMENTS_OPERANDS_MAX) {
			return err_set(err, ERR_USAGE, "too many operands");
		} else {
			out->operands[out->operand_count++] = word;
		}
	}
	out->program = *at ? at + 1 : NULL;
	return arguments_check(out, err);
}

bool arguments_has(const struct arguments *arguments, enum option_id id)
{
	return arguments_value(arguments, id) != NULL;
}

const char *arguments_value(const struct arguments *arguments, enum option_id id)
{
	for (size_t i = 0; i < arguments->given_count; i++)
		if (arguments->given[i].id == id)
			return arguments->given[i].value;
	return NULL;
}

size_t arguments_values(const struct arguments *arguments, enum option_id id, const char **out, size_t max)
{
	size_t count = 0;
	for (size_t i = 0; i < arguments->given_count && count < max; i++)
		if (arguments->given[i].id == id)
			out[count++] = arguments->given[i].value;
	return count;
}
