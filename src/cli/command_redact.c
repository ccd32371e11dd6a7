#include "cli/command.h"

static int request_read(const struct arguments *arguments, struct engine_redact *request, struct err *err)
{
	const char *fd = arguments_value(arguments, OPTION_EVENTS_FD);
	uint64_t number = 0;
	int r = unlock_from_arguments(arguments, &request->unlock, err);
	if (r == 0 && fd)
		r = text_parse_u64(fd, "--events-fd", 0, 1u << 20, &number, err);
	if (r < 0)
		return r;
	request->events_fd = fd ? (int)number : -1;
	if (!fd && arguments_has(arguments, OPTION_JSON))
		return err_set(err, ERR_USAGE, "--json is the form of the events, which go to a descriptor of their own: add "
					       "--events-fd 3 and, for the shell, 3>events.jsonl");
	return 0;
}

static void outcome_tell(const struct redact_outcome *outcome)
{
	_cleanup_buf_ struct buf leaks = BUF_INIT(1u << 20);
	if (redact_leaks_text(outcome, &leaks))
		notice("redact: %s", buf_text(&leaks));
	if (outcome->tables_unlocked)
		notice("redact: the tables for redaction did not fit into locked memory (ulimit -l) and could reach the swap");
}

int command_redact(struct context *context, const struct arguments *arguments)
{
	const char *secrets[ARGUMENTS_OPTIONS_MAX];
	_cleanup_redact_outcome_ struct redact_outcome outcome = {0};
	struct engine_redact request = {
		.secrets = secrets,
		.secret_count = arguments_values(arguments, OPTION_WATCH, secrets, ARRAY_COUNT(secrets)),
		.profile = arguments_value(arguments, OPTION_PROFILE),
		.all = arguments_has(arguments, OPTION_ALL),
		.inherited = context->inherited,
	};
	struct err err;
	int r = request_read(arguments, &request, &err);
	if (r == 0)
		r = engine_redact(context->engine, &request, &outcome, &err);
	if (r < 0)
		return report(arguments, &err);
	if (!arguments_has(arguments, OPTION_QUIET))
		outcome_tell(&outcome);
	if (outcome.failure.code != 0)
		return report(arguments, &outcome.failure);
	if (outcome.signal == 0)
		return 0;
	const struct exec_outcome like = {.signal = outcome.signal, .status = 128 + outcome.signal};
	engine_end_like(&like);
}
