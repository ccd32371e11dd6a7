#include "cli/command.h"

#include <string.h>

// Exactly one of --stdin, --file, --generate; none: the terminal.
static int set_source(const struct arguments *arguments, struct engine_set *request, struct err *err)
{
	bool from_stdin = arguments_has(arguments, OPTION_STDIN);
	const char *generate = arguments_value(arguments, OPTION_GENERATE);
	request->file = arguments_value(arguments, OPTION_FILE);
	if (from_stdin + (request->file != NULL) + (generate != NULL) > 1)
		return err_set(err, ERR_USAGE, "--stdin, --file and --generate: give one of them");
	request->source = from_stdin ? ENGINE_FROM_STDIN : request->file ? ENGINE_FROM_FILE
						   : generate    ? ENGINE_FROM_GENERATOR
								 : ENGINE_FROM_TERMINAL;
	if (from_stdin && request->unlock.passphrase_fd == 0)
		return err_set(err, ERR_USAGE, "standard input holds the value; give the passphrase on another descriptor");
	uint64_t count = 0;
	int r = generate ? text_parse_u64(generate, "--generate", ENGINE_GENERATE_MIN, ENGINE_GENERATE_MAX, &count, err) : 0;
	request->generate_count = (size_t)count;
	return r;
}

int expires_from_arguments(const struct arguments *arguments, int64_t *out, struct err *err)
{
	const char *text = arguments_value(arguments, OPTION_EXPIRES);
	if (!text)
		return 0;
	if (strcmp(text, "never") == 0) {
		*out = 0;
		return 0;
	}
	int64_t now = clock_now(), when;
	int r = clock_parse(text, now, &when, err);
	if (r < 0)
		return err_prefix(err, "--expires");
	if (when <= now)
		return err_set(err, ERR_USAGE, "--expires: that time has passed already");
	*out = when;
	return 0;
}

static json_t *set_json(const struct vault_entry *entry, bool is_locked)
{
	return json_pack("{s:s, s:I, s:b}", "name", entry->name, "value_version", (json_int_t)entry->version, "locked", is_locked ? 1 : 0);
}

// Left in the vault by its public key, and taken over by the broker: the value is in no message.
static int set_through_broker(struct context *context, const struct arguments *arguments, struct engine_set *request)
{
	struct broker_work work = {.words = context->words, .environment = context->environment, .inherited = context->inherited,
				   .deposit = request->name};
	struct vault_entry entry = {0};
	struct broker_end end = {0};
	struct err err;
	request->locked = true;
	request->out_digest = work.digest;
	int r = engine_set(context->engine, request, &entry, &err);
	request->out_digest = NULL;
	if (r < 0)
		return report(arguments, &err);
	if (broker_forward(engine_home(context->engine), &work, &end, &err) < 0) {
		err_prefix(&err, "%s waits to be confirmed (`envseal confirm %s`)", request->name, request->name);
		return report(arguments, &err);
	}
	if (end.status != 0 || !arguments_has(arguments, OPTION_JSON))
		return end.status;
	if (engine_show(context->engine, request->name, &entry, &err) < 0)
		return report(arguments, &err);
	return json_print(set_json(&entry, false));
}

static bool broker_is_there(struct context *context, const struct arguments *arguments)
{
	struct broker_status status;
	struct err err;
	return !arguments_has(arguments, OPTION_LOCKED) && !wants_direct(arguments) &&
	       broker_status(engine_home(context->engine), &status, &err) == 0 && status.state == BROKER_UNLOCKED;
}

int command_set(struct context *context, const struct arguments *arguments)
{
	const char *tags[VAULT_TAGS_MAX + 1];
	struct engine_set request = {
		.name = arguments->operands[0],
		.meta = {.note = arguments_value(arguments, OPTION_NOTE), .expires = -1},
		.replace = arguments_has(arguments, OPTION_FORCE),
		.keep_newline = arguments_has(arguments, OPTION_RAW),
		.locked = arguments_has(arguments, OPTION_LOCKED),
		.allow_weak = arguments_has(arguments, OPTION_ALLOW_WEAK),
	};
	struct vault_entry entry = {0};
	struct err err;
	request.meta.tag_count = arguments_values(arguments, OPTION_TAG, tags, ARRAY_COUNT(tags));
	request.meta.tags = request.meta.tag_count > 0 ? tags : NULL;
	int r = unlock_from_arguments(arguments, &request.unlock, &err);
	if (r == 0)
		r = set_source(arguments, &request, &err);
	if (r == 0)
		r = expires_from_arguments(arguments, &request.meta.expires, &err);
	if (r == 0 && broker_is_there(context, arguments))
		return set_through_broker(context, arguments, &request);
	if (r == 0)
		r = engine_set(context->engine, &request, &entry, &err);
	if (r < 0)
		return report(arguments, &err);
	if (request.locked)
		notice("%s is stored and waits to be confirmed (`envseal confirm %s`)", entry.name, entry.name);
	else
		notice("%s is stored, version %u", entry.name, entry.version);
	if (!arguments_has(arguments, OPTION_JSON))
		return 0;
	return json_print(set_json(&entry, request.locked));
}
