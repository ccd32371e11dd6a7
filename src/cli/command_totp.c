#include "cli/command.h"

// The end of what changes it.
static int changed(const struct arguments *arguments, bool is_set)
{
	return arguments_has(arguments, OPTION_JSON) ? json_print(json_pack("{s:b}", "set_up", is_set ? 1 : 0)) : 0;
}

int command_totp_setup(struct context *context, const struct arguments *arguments)
{
	struct engine_unlock unlock;
	struct err err;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_totp_setup(context->engine, &unlock, &err);
	if (r < 0)
		return report(arguments, &err);
	notice("the second factor is set up; without the phone, the recovery code removes it");
	return changed(arguments, true);
}

int command_totp_rm(struct context *context, const struct arguments *arguments)
{
	struct engine_unlock unlock;
	struct err err;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_totp_remove(context->engine, &unlock, arguments_has(arguments, OPTION_RECOVERY), &err);
	if (r < 0)
		return report(arguments, &err);
	notice("the second factor is removed");
	return changed(arguments, false);
}

static json_t *status_json(const struct totp_status *status, const char *since)
{
	return json_pack("{s:b, s:s?, s:b, s:I, s:I}", "set_up", status->is_set ? 1 : 0, "since",
			 status->is_set ? since : NULL, "locked", status->locked_seconds > 0 ? 1 : 0, "locked_seconds",
			 (json_int_t)status->locked_seconds, "wrong", (json_int_t)status->tries);
}

int command_totp_status(struct context *context, const struct arguments *arguments)
{
	struct engine_unlock unlock;
	struct totp_status status = {0};
	char since[CLOCK_TEXT_BYTES];
	struct err err;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_totp_status(context->engine, &unlock, &status, &err);
	if (r < 0)
		return report(arguments, &err);
	clock_format(status.since, since);
	if (arguments_has(arguments, OPTION_JSON))
		return json_print(status_json(&status, since));
	if (!status.is_set)
		puts("not set up");
	else
		printf("set up since %s\n", since);
	if (status.tries > 0)
		printf("wrong codes in a row: %u\n", status.tries);
	if (status.locked_seconds > 0)
		printf("locked for %lld seconds\n", (long long)status.locked_seconds);
	return output_finish();
}
