#include <stdlib.h>

#include "approve/approve.h"
#include "engine/engine_internal.h"

void question_summary_done(struct question_summary *summary)
{
	for (size_t i = 0; i < summary->secret_count; i++)
		free(summary->secrets[i]);
	free(summary->secrets);
	free(summary->action);
	free(summary->program);
	free(summary->asker);
	free(summary->agent);
	free(summary->reason);
	*summary = (struct question_summary){0};
}

// A text that the question does not have stays NULL.
static int inert_copy(const char *text, char **out, struct err *err)
{
	_cleanup_buf_ struct buf copy = BUF_INIT(4 * APPROVAL_WIRE_BYTES_MAX);
	if (!text)
		return 0;
	int r = buf_append_text(&copy, "", err);
	if (r == 0)
		r = text_inert(text, 0, &copy, err);
	if (r < 0)
		return r;
	*out = (char *)TAKE_PTR(copy.data);
	return 0;
}

static int secrets_copy(const struct approval *approval, struct question_summary *out, struct err *err)
{
	out->secrets = calloc(approval->secret_count + 1, sizeof(*out->secrets));
	if (!out->secrets)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = 0;
	for (; r == 0 && out->secret_count < approval->secret_count; out->secret_count++)
		r = inert_copy(approval->secrets[out->secret_count], &out->secrets[out->secret_count], err);
	return r;
}

static int asker_copy(const struct ancestry *askers, struct question_summary *out, struct err *err)
{
	if (!askers || askers->count == 0)
		return inert_copy("?", &out->asker, err);
	char asker[ANCESTRY_NAME_BYTES + 16];
	snprintf(asker, sizeof(asker), "%s (%d)", askers->items[0].name, (int)askers->items[0].pid);
	int r = inert_copy(asker, &out->asker, err);
	return r == 0 ? inert_copy(askers->agent, &out->agent, err) : r;
}

int engine_question_summary(const struct desk_question *question, struct question_summary *out, struct err *err)
{
	_cleanup_approval_copy_ struct approval_copy *copy = NULL;
	_cleanup_question_summary_ struct question_summary summary = {0};
	int r = approval_read(question->approval, &copy, err);
	if (r < 0)
		return r;
	const struct approval *approval = approval_of(copy);
	r = inert_copy(approval->action ? approval->action : "?", &summary.action, err);
	if (r == 0)
		r = inert_copy(approval->program_path, &summary.program, err);
	if (r == 0)
		r = secrets_copy(approval, &summary, err);
	if (r == 0)
		r = asker_copy(approval->askers, &summary, err);
	if (r == 0)
		r = inert_copy(approval->reason, &summary.reason, err);
	if (r < 0)
		return r;
	*out = summary;
	summary = (struct question_summary){0};
	return 0;
}
