#include "cli/console.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { ROWS = 24, ROWS_MIN = 10, COLUMNS = 80, COLUMNS_MIN = 40, COLUMNS_MAX = 500 };
// Of the window, kept for what stands around the list.
#define LIST_OTHER_ROWS 4

// What became of the answer that was given last.
enum fate { FATE_OPEN, FATE_COUNTED, FATE_NOT_COUNTED, FATE_GONE };

struct console {
	struct engine *engine;
	struct broker_watch *watch;
	int terminal_fd;
	int signal_fd;
	struct queue queue;
	bool is_shown;     // the list on the screen is what waits
	bool is_prompted;  // the cursor stands behind the list's prompt
	bool has_ended;    // the human wants no more
	bool wants_oldest; // Enter
	bool has_wanted;   // a number was typed
	uint32_t wanted;
	uint32_t answered;
	enum fate fate;    // of that
};

static void say(const struct console *console, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct console *console, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vdprintf(console->terminal_fd, format, args);
	va_end(args);
}

static void prompt_leave(struct console *console)
{
	if (console->is_prompted)
		say(console, "\n");
	console->is_prompted = false;
}

// ---------------------------------------------------------------------------------------------------------- events

static int question_take(struct queue *queue, const struct broker_question *question, struct err *err)
{
	return queue_add(queue, question, clock_monotonic_ms(), err);
}

int console_sync(struct broker_watch *watch, struct queue *queue, struct err *err)
{
	for (;;) {
		struct broker_question question;
		bool is_valid = false;
		int event = broker_watch_next(watch, -1, &question, &is_valid, err);
		if (event < 0 || event == BROKER_SYNC)
			return event < 0 ? event : 0;
		int r = event == BROKER_QUESTION ? question_take(queue, &question, err) : 0;
		if (r < 0)
			return r;
		if (event == BROKER_GONE)
			queue_remove(queue, question.id);
	}
}

static int event_take(struct console *console, int event, const struct broker_question *question, bool is_valid, struct err *err)
{
	bool is_answered = question->id == console->answered && console->fate == FATE_OPEN;
	if (event == BROKER_QUESTION) {
		say(console, "\a");
		console->is_shown = false;
		return question_take(&console->queue, question, err);
	}
	if (event == BROKER_JUDGED && is_answered)
		console->fate = is_valid ? FATE_COUNTED : FATE_NOT_COUNTED;
	if (event == BROKER_GONE && is_answered)
		console->fate = FATE_GONE;
	if (event == BROKER_GONE || (event == BROKER_JUDGED && is_valid)) {
		console->is_shown = console->is_shown && !queue_find(&console->queue, question->id);
		queue_remove(&console->queue, question->id);
	}
	return 0;
}

// Everything that has come by now.
static int events_take(struct console *console, struct err *err)
{
	for (;;) {
		struct broker_question question = {0};
		bool is_valid = false;
		int event = broker_watch_next(console->watch, 0, &question, &is_valid, err);
		if (event <= 0)
			return event;
		int r = event_take(console, event, &question, is_valid, err);
		if (r < 0)
			return r;
	}
}

static void signals_take(struct console *console)
{
	struct signalfd_siginfo info;
	while (read(console->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGINT)
			console->has_ended = console->is_prompted = true;
		else
			console->is_shown = console->is_prompted = false; // back from a stop: the screen may be another's
	}
}

// -------------------------------------------------------------------------------------------------------- the list

static void line_take(struct console *console, const char *line)
{
	struct err ignored;
	uint64_t number = 0;
	if (line[0] == 0)
		console->wants_oldest = true;
	else if (strcmp(line, "q") == 0)
		console->has_ended = true;
	else if (text_parse_u64(line, "the number", 0, UINT32_MAX, &number, &ignored) < 0)
		say(console, "Type the number of a request, Enter or q.\n");
	else {
		console->has_wanted = true;
		console->wanted = (uint32_t)number;
	}
	console->is_shown = false;
}

// The kernel hands over a line at a time.
static void terminal_take(struct console *console)
{
	char line[256];
	ssize_t n = read(console->terminal_fd, line, sizeof(line) - 1);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		console->has_ended = true;
		return;
	}
	line[n] = 0;
	console->is_prompted = false; // the echo of Enter has ended its line
	char *begin = line + strspn(line, " \t");
	begin[strcspn(begin, " \t\r\n")] = 0;
	line_take(console, begin);
}

// Until something has happened: an event, a signal, and with `wants_line` what the human typed.
static int console_wait(struct console *console, bool wants_line, struct err *err)
{
	struct pollfd fds[] = {{broker_watch_fd(console->watch), POLLIN, 0},
			       {console->signal_fd, POLLIN, 0},
			       {wants_line ? console->terminal_fd : -1, POLLIN, 0}};
	if (poll(fds, ARRAY_COUNT(fds), -1) < 0 && errno != EINTR)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot wait for requests");
	signals_take(console);
	if (fds[2].revents && !console->has_ended)
		terminal_take(console);
	return events_take(console, err);
}

static size_t between(unsigned value, unsigned unknown, unsigned min, unsigned max)
{
	if (value == 0)
		return unknown;
	return value < min ? min : value > max ? max : value;
}

static int list_show(struct console *console, struct err *err)
{
	struct winsize size = {0};
	if (ioctl(console->terminal_fd, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){0};
	size_t columns = between(size.ws_col, COLUMNS, COLUMNS_MIN, COLUMNS_MAX);
	size_t rows = between(size.ws_row, ROWS, ROWS_MIN, QUEUE_MAX) - LIST_OTHER_ROWS;
	size_t count = console->queue.count, shown = count < rows ? count : rows;
	_cleanup_buf_ struct buf list = BUF_INIT(QUEUE_MAX * (COLUMNS_MAX + 1));
	int r = 0;
	for (size_t i = 0; r == 0 && i < shown; i++) {
		r = waiting_line(&console->queue.items[i], clock_monotonic_ms(), columns, &list, err);
		if (r == 0)
			r = buf_append_byte(&list, '\n', err);
	}
	if (r < 0)
		return r;
	say(console, "envseal: %zu %s\n%s", count, count == 1 ? "request waits" : "requests wait", buf_text(&list));
	if (shown < count)
		say(console, "       and %zu more\n", count - shown);
	say(console, "Number to open (Enter: the oldest, q: end): ");
	console->is_prompted = true;
	return 0;
}

static int console_show(struct console *console, struct err *err)
{
	if (console->is_shown)
		return 0;
	console->is_shown = true;
	prompt_leave(console);
	if (console->queue.count > 0)
		return list_show(console, err);
	say(console, "envseal: nothing waits for approval; waiting for requests (Ctrl-C ends)\n");
	return 0;
}

// --------------------------------------------------------------------------------------------------- one question

// What the human chose; one alone is opened without being chosen, but not again and again. NULL: none.
static struct waiting *console_pick(struct console *console)
{
	struct queue *queue = &console->queue;
	bool has_wanted = console->has_wanted, wants_oldest = console->wants_oldest;
	console->has_wanted = console->wants_oldest = false;
	struct waiting *found = has_wanted ? queue_find(queue, console->wanted) : NULL;
	if (has_wanted && !found)
		say(console, "No request %u waits.\n", console->wanted);
	if (found || has_wanted || queue->count == 0)
		return found;
	return wants_oldest || (queue->count == 1 && !queue->items[0].was_opened) ? &queue->items[0] : NULL;
}

// Errors that leave the question where it is, for another try.
static bool is_for_another_try(int code)
{
	return code == ERR_NO || code == ERR_PASSPHRASE || code == ERR_DENIED || code == ERR_INPUT || code == ERR_LIMIT;
}

static int answer_send(struct console *console, uint32_t id, const struct desk_answer *answer, struct err *err)
{
	console->answered = id;
	console->fate = FATE_OPEN;
	int r = broker_watch_answer(console->watch, id, answer, err);
	while (r == 0 && console->fate == FATE_OPEN && !console->has_ended)
		r = console_wait(console, false, err);
	return r;
}

static enum console_result answer_tell(struct console *console, enum desk_verdict verdict)
{
	static const char *const told[] = {[FATE_OPEN] = "nothing was heard of the answer",
					   [FATE_NOT_COUNTED] = "the answer did not count; the request still waits",
					   [FATE_GONE] = "the request has gone"};
	if (console->fate != FATE_COUNTED) {
		say(console, "envseal: %s\n", told[console->fate]);
		return CONSOLE_ENDED;
	}
	if (verdict == DESK_APPROVED) {
		say(console, "envseal: approved\n");
		return CONSOLE_APPROVED;
	}
	say(console, verdict == DESK_COOL_DOWN ? "envseal: denied, and so is everything for a while\n" : "envseal: denied\n");
	return CONSOLE_DENIED;
}

// *out is CONSOLE_ENDED where no answer counted.
static int console_open(struct console *console, struct waiting *waiting, enum console_result *out, struct err *err)
{
	uint32_t id = waiting->id;
	struct desk_question question = waiting_question(waiting);
	struct desk_answer answer = {0};
	struct err no_answer;
	waiting->was_opened = true;
	console->is_shown = false;
	prompt_leave(console);
	int no = engine_answer(console->engine, &question, &answer, &no_answer);
	if (no == ERR_INTERRUPTED) {
		say(console, "envseal: request %u still waits\n", id);
		console->has_ended = true;
		return 0;
	}
	if (no < 0 && !is_for_another_try(no)) {
		*err = no_answer;
		return no;
	}
	if (no < 0)
		say(console, "envseal: %s\n", no_answer.text);
	int r = events_take(console, err);
	if (r < 0)
		return r;
	if (!queue_find(&console->queue, id)) {
		say(console, "envseal: the request has gone\n");
		return 0;
	}
	r = no < 0 ? 0 : answer_send(console, id, &answer, err);
	if (r == 0 && no == 0)
		*out = answer_tell(console, answer.verdict);
	return r;
}

static int console_loop(struct console *console, bool once, enum console_result *out, struct err *err)
{
	enum console_result result = CONSOLE_ENDED;
	int r = 0;
	while (r == 0 && !console->has_ended && !(once && result != CONSOLE_ENDED)) {
		struct waiting *waiting = console_pick(console);
		if (waiting) {
			r = console_open(console, waiting, &result, err);
			continue;
		}
		r = console_show(console, err);
		if (r == 0)
			r = console_wait(console, true, err);
	}
	if (r == 0)
		*out = result;
	return r;
}

int console_run(struct engine *engine, struct broker_watch *watch, int terminal_fd, bool once, enum console_result *out,
		struct err *err)
{
	struct console console = {.engine = engine, .watch = watch, .terminal_fd = terminal_fd};
	// Before signals are held back: here Ctrl-C ends it by itself.
	int r = console_sync(watch, &console.queue, err);
	if (r < 0) {
		queue_done(&console.queue);
		return r;
	}
	sigset_t read_as_events, before;
	sigemptyset(&read_as_events);
	sigaddset(&read_as_events, SIGINT);
	sigaddset(&read_as_events, SIGCONT);
	sigprocmask(SIG_BLOCK, &read_as_events, &before);
	console.signal_fd = signalfd(-1, &read_as_events, SFD_CLOEXEC | SFD_NONBLOCK);
	r = console.signal_fd < 0 ? err_set_errno(err, ERR_SYSTEM, errno, "cannot watch signals")
				  : console_loop(&console, once, out, err);
	prompt_leave(&console);
	fd_close(&console.signal_fd);
	queue_done(&console.queue);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}
