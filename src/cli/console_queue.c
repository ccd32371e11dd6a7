#include "cli/console.h"

#include <stdlib.h>
#include <string.h>

#define SECONDS(ms) ((ms) > 0 ? (ms) / 1000 : 0)

void queue_done(struct queue *queue)
{
	for (size_t i = 0; i < queue->count; i++)
		buf_done(&queue->items[i].approval);
	free(queue->items);
	*queue = (struct queue){0};
}

struct waiting *queue_find(const struct queue *queue, uint32_t id)
{
	for (size_t i = 0; i < queue->count; i++)
		if (queue->items[i].id == id)
			return &queue->items[i];
	return NULL;
}

void queue_remove(struct queue *queue, uint32_t id)
{
	struct waiting *item = queue_find(queue, id);
	if (!item)
		return;
	buf_done(&item->approval);
	size_t behind = queue->count - (size_t)(item - queue->items) - 1;
	memmove(item, item + 1, behind * sizeof(*item));
	queue->count--;
}

int queue_add(struct queue *queue, const struct broker_question *question, int64_t now_ms, struct err *err)
{
	queue_remove(queue, question->id);
	if (queue->count == QUEUE_MAX)
		return err_set(err, ERR_LIMIT, "more than %d requests wait", QUEUE_MAX);
	struct waiting item = {.id = question->id, .since_ms = now_ms - question->age_seconds * 1000,
			       .until_ms = now_ms + question->left_seconds * 1000,
			       .approval = BUF_INIT(question->question.approval.len + 1)};
	struct waiting *items = reallocarray(queue->items, queue->count + 1, sizeof(*items));
	if (!items)
		return err_set(err, ERR_MEMORY, "out of memory");
	queue->items = items;
	memcpy(item.nonce, question->question.nonce, DESK_NONCE_BYTES);
	int r = buf_append(&item.approval, question->question.approval, err);
	if (r < 0) {
		buf_done(&item.approval);
		return r;
	}
	items[queue->count++] = item;
	return 0;
}

struct desk_question waiting_question(const struct waiting *waiting)
{
	struct desk_question question = {.approval = buf_span(&waiting->approval)};
	memcpy(question.nonce, waiting->nonce, DESK_NONCE_BYTES);
	return question;
}

// ------------------------------------------------------------------------------------------------------- as text

static int secrets_join(const struct question_summary *summary, struct buf *out, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < summary->secret_count; i++)
		r = buf_printf(out, err, "%s%s", i ? ", " : "", summary->secrets[i]);
	return r;
}

// What cannot be read is listed all the same: it waits, and can only be denied.
static int line_write(const struct waiting *waiting, struct buf *out, struct err *err)
{
	_cleanup_question_summary_ struct question_summary summary = {0};
	struct desk_question question = waiting_question(waiting);
	struct err unreadable;
	if (engine_question_summary(&question, &summary, &unreadable) < 0)
		return buf_printf(out, err, "(%s)", unreadable.text);
	int r = buf_printf(out, err, "%s: %s%s%s  ", summary.asker, summary.action, summary.program ? " " : "",
			   summary.program ? summary.program : "");
	return r == 0 ? secrets_join(&summary, out, err) : r;
}

int waiting_line(const struct waiting *waiting, int64_t now_ms, size_t columns, struct buf *out, struct err *err)
{
	_cleanup_buf_ struct buf line = BUF_INIT(1024 * 1024);
	char age[CLOCK_TEXT_BYTES];
	int r = buf_printf(&line, err, "%5u  %6s  ", waiting->id, clock_span_words(SECONDS(now_ms - waiting->since_ms), age));
	if (r == 0)
		r = line_write(waiting, &line, err);
	if (r < 0)
		return r;
	bool fits = line.len <= columns;
	r = buf_append(out, span_of(line.data, fits ? line.len : columns - 3), err);
	return r == 0 && !fits ? buf_append_text(out, "...", err) : r;
}

static int row_write(struct buf *out, const char *key, const char *text, struct err *err)
{
	return text && text[0] ? buf_printf(out, err, "%-12s%s\n", key, text) : 0;
}

int waiting_rows(const struct waiting *waiting, int64_t now_ms, struct buf *out, struct err *err)
{
	_cleanup_question_summary_ struct question_summary summary = {0};
	_cleanup_buf_ struct buf secrets = BUF_INIT(1024 * 1024);
	struct desk_question question = waiting_question(waiting);
	char age[CLOCK_TEXT_BYTES], left[CLOCK_TEXT_BYTES];
	int r = engine_question_summary(&question, &summary, err);
	if (r == 0)
		r = secrets_join(&summary, &secrets, err);
	if (r == 0)
		r = buf_printf(out, err, "%-12s%u\n", "request", waiting->id);
	const char *const rows[][2] = {{"action", summary.action}, {"program", summary.program},
				       {"secrets", buf_text(&secrets)}, {"asked by", summary.asker},
				       {"agent", summary.agent}, {"reason", summary.reason}};
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(rows); i++)
		r = row_write(out, rows[i][0], rows[i][1], err);
	if (r < 0)
		return r;
	return buf_printf(out, err, "%-12s%s, %s left\n", "waits", clock_span_words(SECONDS(now_ms - waiting->since_ms), age),
			  clock_span_words(SECONDS(waiting->until_ms - now_ms), left));
}

int waiting_json(const struct waiting *waiting, int64_t now_ms, json_t **out, struct err *err)
{
	_cleanup_question_summary_ struct question_summary summary = {0};
	struct desk_question question = waiting_question(waiting);
	int r = engine_question_summary(&question, &summary, err);
	if (r < 0)
		return r;
	json_t *secrets = json_array();
	for (size_t i = 0; i < summary.secret_count; i++)
		json_array_append_new(secrets, json_string(summary.secrets[i]));
	json_t *object = json_pack("{s:I, s:s, s:s?, s:o, s:s, s:s?, s:s?, s:I, s:I}", "id", (json_int_t)waiting->id, "action",
				   summary.action, "program", summary.program, "secrets", secrets, "asker", summary.asker,
				   "agent", summary.agent, "reason", summary.reason, "age",
				   (json_int_t)SECONDS(now_ms - waiting->since_ms), "left",
				   (json_int_t)SECONDS(waiting->until_ms - now_ms));
	if (!object)
		return err_set(err, ERR_MEMORY, "out of memory");
	*out = object;
	return 0;
}
