#include "cli/command.h"

#include <string.h>

// The end of commands that say one thing: a notice, or the object for --json.
static int changed(const struct arguments *arguments, json_t *object)
{
	if (arguments_has(arguments, OPTION_JSON))
		return json_print(object);
	json_decref(object);
	return 0;
}

int command_rename(struct context *context, const struct arguments *arguments)
{
	struct engine_unlock unlock;
	struct err err;
	const char *from = arguments->operands[0], *to = arguments->operands[1];
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_rename(context->engine, &unlock, from, to, &err);
	if (r < 0)
		return report(arguments, &err);
	notice("%s is now called %s", from, to);
	return changed(arguments, json_pack("{s:s, s:s}", "from", from, "to", to));
}

int command_copy(struct context *context, const struct arguments *arguments)
{
	struct engine_unlock unlock;
	struct err err;
	const char *from = arguments->operands[0], *to = arguments->operands[1];
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_copy(context->engine, &unlock, from, to, &err);
	if (r < 0)
		return report(arguments, &err);
	notice("%s is copied to %s", from, to);
	return changed(arguments, json_pack("{s:s, s:s}", "from", from, "to", to));
}

int command_rm(struct context *context, const struct arguments *arguments)
{
	struct engine_unlock unlock;
	struct err err;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_remove(context->engine, &unlock, arguments->operands, arguments->operand_count,
				  arguments_has(arguments, OPTION_YES), &err);
	if (r < 0)
		return report(arguments, &err);
	json_t *names = json_array();
	for (size_t i = 0; i < arguments->operand_count; i++) {
		notice("%s is removed", arguments->operands[i]);
		json_array_append_new(names, json_string(arguments->operands[i]));
	}
	return changed(arguments, json_pack("{s:o}", "removed", names));
}

int command_tag(struct context *context, const struct arguments *arguments)
{
	const char *add[VAULT_TAGS_MAX + 1], *remove[VAULT_TAGS_MAX + 1];
	struct engine_tag request = {.name = arguments->operands[0], .add = add, .remove = remove,
				     .note = arguments_value(arguments, OPTION_NOTE), .expires = -1};
	struct vault_entry entry = {0};
	struct err err;
	request.add_count = arguments_values(arguments, OPTION_ADD, add, ARRAY_COUNT(add));
	request.remove_count = arguments_values(arguments, OPTION_REMOVE, remove, ARRAY_COUNT(remove));
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = expires_from_arguments(arguments, &request.expires, &err);
	if (r == 0 && request.add_count + request.remove_count == 0 && !request.note && request.expires < 0)
		r = err_set(&err, ERR_USAGE, "nothing to change: give --add, --remove, --note or --expires");
	if (r == 0)
		r = engine_tag(context->engine, &request, &entry, &err);
	if (r < 0)
		return report(arguments, &err);
	json_t *tags = json_array();
	for (size_t i = 0; i < entry.tag_count; i++)
		json_array_append_new(tags, json_string(entry.tags[i]));
	notice("%s is changed", entry.name);
	return changed(arguments, json_pack("{s:s, s:o}", "name", entry.name, "tags", tags));
}

int command_rollback(struct context *context, const struct arguments *arguments)
{
	struct engine_unlock unlock;
	struct err err;
	const char *to = arguments_value(arguments, OPTION_TO);
	uint64_t version = 0;
	uint32_t current = 0;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0 && to)
		r = text_parse_u64(to, "--to", 1, UINT32_MAX, &version, &err);
	if (r == 0)
		r = engine_rollback(context->engine, &unlock, arguments->operands[0], (uint32_t)version, &current, &err);
	if (r < 0)
		return report(arguments, &err);
	notice("%s has its earlier value again, as version %u", arguments->operands[0], current);
	return changed(arguments, json_pack("{s:s, s:I}", "name", arguments->operands[0], "value_version", (json_int_t)current));
}

int command_verify(struct context *context, const struct arguments *arguments)
{
	struct engine_unlock unlock;
	struct err err;
	bool same = false;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_verify(context->engine, &unlock, arguments->operands[0], arguments_has(arguments, OPTION_RAW), &same,
				  &err);
	if (r < 0)
		return report(arguments, &err);
	int status = same ? 0 : err_exit_status(ERR_NO);
	if (arguments_has(arguments, OPTION_JSON)) {
		int printed = json_print(json_pack("{s:s, s:b}", "name", arguments->operands[0], "equal", same ? 1 : 0));
		return printed ? printed : status;
	}
	puts(same ? "yes" : "no");
	int printed = output_finish();
	return printed ? printed : status;
}

static void confirm_each(void *context, const struct vault_entry *entry)
{
	json_array_append_new(context, json_string(entry->name));
}

int command_confirm(struct context *context, const struct arguments *arguments)
{
	struct engine_confirm request = {.names = arguments->operands, .count = arguments->operand_count,
					 .discard = arguments_has(arguments, OPTION_DISCARD),
					 .yes = arguments_has(arguments, OPTION_YES)};
	struct err err;
	json_t *names = json_array();
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = engine_confirm(context->engine, &request, confirm_each, names, &err);
	if (r < 0) {
		json_decref(names);
		return report(arguments, &err);
	}
	for (size_t i = 0; i < json_array_size(names); i++)
		notice("the waiting value of %s is %s", json_string_value(json_array_get(names, i)),
		       request.discard ? "thrown away" : "confirmed");
	return changed(arguments, json_pack("{s:o, s:b}", "names", names, "discarded", request.discard ? 1 : 0));
}
