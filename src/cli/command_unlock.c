#include "cli/command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct holding {
	struct engine_hold hold;
	bool foreground;
	bool is_json;
};

// `range` is the same in words.
static int span_from_arguments(const struct arguments *arguments, enum option_id id, int64_t min, int64_t max,
			       const char *range, int64_t *out, struct err *err)
{
	const char *text = arguments_value(arguments, id);
	int64_t seconds = 0;
	if (!text)
		return 0;
	int r = clock_parse_span(text, &seconds, err);
	if (r == 0 && (seconds < min || seconds > max))
		r = err_set(err, ERR_USAGE, "give a span of %s", range);
	if (r < 0)
		return err_prefix(err, "--%s", option_rows[id].long_name);
	*out = seconds;
	return 0;
}

static int idle_from_arguments(const struct arguments *arguments, struct engine_hold *hold, struct err *err)
{
	const char *text = arguments_value(arguments, OPTION_IDLE);
	hold->idle_seconds = UNLOCK_IDLE_SECONDS < hold->for_seconds ? UNLOCK_IDLE_SECONDS : hold->for_seconds;
	if (text && strcmp(text, "never") == 0) {
		hold->idle_seconds = 0;
		return 0;
	}
	return span_from_arguments(arguments, OPTION_IDLE, 1, hold->for_seconds, "1s to what --for says, or never",
				   &hold->idle_seconds, err);
}

static int holding_from_arguments(const struct arguments *arguments, struct holding *out, struct err *err)
{
	struct holding holding = {.hold.for_seconds = UNLOCK_FOR_SECONDS,
				  .foreground = arguments_has(arguments, OPTION_FOREGROUND),
				  .is_json = arguments_has(arguments, OPTION_JSON)};
	int r = unlock_from_arguments(arguments, &holding.hold.unlock, err);
	if (r == 0)
		r = span_from_arguments(arguments, OPTION_UNLOCK_FOR, UNLOCK_FOR_MIN_SECONDS, UNLOCK_FOR_MAX_SECONDS,
					"1m to 7d", &holding.hold.for_seconds, err);
	if (r == 0)
		r = idle_from_arguments(arguments, &holding.hold, err);
	if (r == 0)
		*out = holding;
	return r;
}

// Before anybody types a passphrase for nothing.
static int none_runs(struct engine *engine, struct err *err)
{
	struct broker_status status = {0};
	char until[CLOCK_TEXT_BYTES];
	// On a socket from systemd nobody answers until this process does; broker_start looks who else holds the vault.
	if (getenv("LISTEN_FDS"))
		return 0;
	int r = broker_status(engine_home(engine), &status, err);
	if (r < 0 || status.state == BROKER_NONE)
		return r;
	if (status.state == BROKER_OTHER_VAULT)
		return err_set(err, ERR_EXISTS, "another vault is unlocked where this one would be; run `envseal lock` for that one "
						"first, or set XDG_RUNTIME_DIR for one of them");
	clock_format(status.until, until);
	return err_set(err, ERR_EXISTS, "already unlocked until %s; `envseal lock` ends it", until);
}

static int holding_print(const struct holding *holding, pid_t pid, int64_t until_seconds)
{
	char until[CLOCK_TEXT_BYTES], idle[CLOCK_TEXT_BYTES];
	clock_format(until_seconds, until);
	clock_span_words(holding->hold.idle_seconds, idle);
	if (holding->hold.idle_seconds)
		notice("unlocked until %s; locks after %s without a run; approve requests with `envseal approve`", until, idle);
	else
		notice("unlocked until %s; approve requests with `envseal approve`", until);
	if (!holding->is_json)
		return 0;
	return json_print(json_pack("{s:I, s:s, s:I}", "pid", (json_int_t)pid, "until", until, "idle_seconds",
				    (json_int_t)holding->hold.idle_seconds));
}

// In the background the one who holds is another process, which says itself who it is and how long it stays.
static int daemon_print(struct engine *engine, const struct arguments *arguments, const struct holding *holding)
{
	struct broker_status status = {0};
	struct err err;
	int r = broker_status(engine_home(engine), &status, &err);
	if (r == 0 && status.state != BROKER_UNLOCKED)
		r = err_set(&err, ERR_SYSTEM, "what was started has ended already; `envseal audit show --kind broker` or `envseal doctor` says why");
	return r < 0 ? report(arguments, &err) : holding_print(holding, status.pid, status.until);
}

int command_unlock(struct context *context, const struct arguments *arguments)
{
	struct holding holding = {0};
	struct err err, ignored;
	int r = holding_from_arguments(arguments, &holding, &err);
	if (r == 0)
		r = none_runs(context->engine, &err);
	if (r == 0)
		r = engine_hold(context->engine, &holding.hold, &err);
	if (r < 0)
		return report(arguments, &err);
	int64_t until = clock_now() + holding.hold.for_seconds;
	int status = holding.foreground ? holding_print(&holding, getpid(), until) : 0;
	struct broker_setup setup = {.engine = context->engine, .for_seconds = holding.hold.for_seconds,
				     .idle_seconds = holding.hold.idle_seconds, .foreground = holding.foreground,
				     .work = command_serve};
	r = broker_start(&setup, &err);
	if (r < 0) {
		if (engine_is_holding(context->engine))
			engine_release(context->engine, "failed", &ignored);
		return report(arguments, &err);
	}
	if (!holding.foreground)
		status = daemon_print(context->engine, arguments, &holding);
	fflush(NULL);
	// Not by a return: main would wipe pages that are the daemon's too.
	_exit(status);
}

int command_lock(struct context *context, const struct arguments *arguments)
{
	struct err err;
	int r = broker_lock(engine_home(context->engine), &err);
	if (r < 0 && r != ERR_NOT_FOUND)
		return report(arguments, &err);
	notice("%s", r == 0 ? "locked" : "nothing was unlocked");
	return arguments_has(arguments, OPTION_JSON) ? json_print(json_pack("{s:b}", "was_unlocked", r == 0)) : 0;
}

// ---------------------------------------------------------------------------------------------------------- status

static const char *state_name(enum broker_state state)
{
	static const char *const names[] = {[BROKER_NONE] = "locked", [BROKER_UNLOCKED] = "unlocked",
					    [BROKER_OTHER_VAULT] = "other-vault"};
	return names[state];
}

static int status_json(const struct broker_status *status)
{
	char since[CLOCK_TEXT_BYTES], until[CLOCK_TEXT_BYTES];
	clock_format(status->since, since);
	clock_format(status->until, until);
	if (status->state != BROKER_UNLOCKED)
		return json_print(json_pack("{s:s, s:n, s:n, s:n, s:n, s:n, s:n, s:n}", "state", state_name(status->state), "since",
					    "until", "idle_seconds", "pid", "running", "waiting", "consoles"));
	return json_print(json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "state", state_name(status->state), "since",
				    since, "until", until, "idle_seconds", (json_int_t)status->idle_seconds, "pid",
				    (json_int_t)status->pid, "running", (json_int_t)status->running, "waiting",
				    (json_int_t)status->waiting, "consoles", (json_int_t)status->consoles));
}

static int status_rows(const struct broker_status *status)
{
	char since[CLOCK_TEXT_BYTES], until[CLOCK_TEXT_BYTES], idle[CLOCK_TEXT_BYTES];
	clock_format(status->since, since);
	clock_format(status->until, until);
	printf("%-12s%s\n%-12s%s\n%-12s%s\n", "state", state_name(status->state), "since", since, "until", until);
	printf("%-12s%s\n", "idle", status->idle_seconds ? clock_span_words(status->idle_seconds, idle) : "never");
	printf("%-12s%d\n%-12s%u\n%-12s%u\n%-12s%u\n", "process", (int)status->pid, "running", status->running, "waiting",
	       status->waiting, "consoles", status->consoles);
	return output_finish();
}

int command_status(struct context *context, const struct arguments *arguments)
{
	struct broker_status status = {0};
	struct err err;
	int r = broker_status(engine_home(context->engine), &status, &err);
	if (r < 0)
		return report(arguments, &err);
	int printed = 0;
	if (arguments_has(arguments, OPTION_JSON))
		printed = status_json(&status);
	else if (status.state == BROKER_UNLOCKED)
		printed = status_rows(&status);
	else {
		puts(status.state == BROKER_NONE ? "locked" : "locked; another vault is unlocked");
		printed = output_finish();
	}
	return printed || status.state == BROKER_UNLOCKED ? printed : err_exit_status(ERR_LOCKED);
}
