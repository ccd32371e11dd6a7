#include "cli/console.h"

#include <errno.h>
#include <fcntl.h>

static int none_runs(int code, struct err *err)
{
	return code == ERR_NOT_FOUND ? err_set(err, ERR_LOCKED, "nothing is unlocked; `envseal unlock` starts it") : code;
}

// ------------------------------------------------------------------------------------------------------------ --list

static int list_json(const struct queue *queue, struct err *err)
{
	json_t *requests = json_array();
	int r = 0;
	for (size_t i = 0; r == 0 && i < queue->count; i++) {
		json_t *object = NULL;
		r = waiting_json(&queue->items[i], clock_monotonic_ms(), &object, err);
		if (r == 0)
			json_array_append_new(requests, object);
	}
	if (r == 0)
		return json_print(json_pack("{s:o}", "requests", requests));
	json_decref(requests);
	return r;
}

static int list_rows(const struct queue *queue, struct err *err)
{
	if (queue->count == 0)
		notice("nothing waits for approval");
	for (size_t i = 0; i < queue->count; i++) {
		_cleanup_buf_ struct buf rows = BUF_INIT(1024 * 1024);
		int r = waiting_rows(&queue->items[i], clock_monotonic_ms(), &rows, err);
		if (r < 0)
			return r;
		printf("%s%s", i ? "\n" : "", buf_text(&rows));
	}
	return output_finish();
}

static int list(struct context *context, const struct arguments *arguments)
{
	_cleanup_broker_watch_ struct broker_watch *watch = NULL;
	_cleanup_queue_ struct queue queue = {0};
	struct err err;
	int r = broker_watch(engine_home(context->engine), &watch, &err);
	if (r == 0)
		r = console_sync(watch, &queue, &err);
	if (r < 0)
		r = none_runs(r, &err);
	else
		r = arguments_has(arguments, OPTION_JSON) ? list_json(&queue, &err) : list_rows(&queue, &err);
	return r < 0 ? report(arguments, &err) : r;
}

// ------------------------------------------------------------------------------------------------------- the console

static int terminal_get(int *out_fd, struct err *err)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_LOCKED, "approving wants a terminal, and there is none; `envseal approve --list` needs none");
	*out_fd = fd;
	return 0;
}

static int console(struct context *context, bool once, enum console_result *out, struct err *err)
{
	_cleanup_fd_ int terminal_fd = -1;
	_cleanup_broker_watch_ struct broker_watch *watch = NULL;
	int r = terminal_get(&terminal_fd, err);
	if (r < 0)
		return r;
	r = broker_watch(engine_home(context->engine), &watch, err);
	if (r < 0)
		return none_runs(r, err);
	r = console_run(context->engine, watch, terminal_fd, once, out, err);
	return r == ERR_NOT_FOUND ? err_set(err, ERR_LOCKED, "the broker has locked; nothing is unlocked any more") : r;
}

int command_approve(struct context *context, const struct arguments *arguments)
{
	bool once = arguments_has(arguments, OPTION_ONCE), lists = arguments_has(arguments, OPTION_LIST);
	enum console_result result = CONSOLE_ENDED;
	struct err err;
	int r = 0;
	if (once && lists)
		r = err_set(&err, ERR_USAGE, "--list and --once: give one of them");
	else if (arguments_has(arguments, OPTION_JSON) && !lists)
		r = err_set(&err, ERR_USAGE, "--json goes with --list");
	else if (lists)
		return list(context, arguments);
	if (r == 0)
		r = console(context, once, &result, &err);
	if (r == 0 && once && result == CONSOLE_ENDED)
		r = err_set(&err, ERR_INTERRUPTED, "ended before a request was answered");
	if (r < 0)
		return report(arguments, &err);
	return result == CONSOLE_DENIED && once ? err_exit_status(ERR_NO) : 0;
}
