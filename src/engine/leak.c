#include "engine/record.h"

#include <string.h>

static const char *const on_leak_names[] = {
	[ENGINE_LEAK_WARN] = "warn", [ENGINE_LEAK_MASK] = "mask", [ENGINE_LEAK_KILL] = "kill"};

const char *engine_on_leak_name(enum engine_on_leak on_leak)
{
	return on_leak_names[on_leak];
}

int engine_on_leak_parse(const char *word, enum engine_on_leak *out, struct err *err)
{
	for (size_t i = 0; i < ARRAY_COUNT(on_leak_names); i++)
		if (strcmp(word, on_leak_names[i]) == 0) {
			*out = (enum engine_on_leak)i;
			return 0;
		}
	return err_set(err, ERR_USAGE, "--on-leak is mask, warn or kill");
}

static const char *stream_name(int stream)
{
	static const char *const names[] = {"terminal", "stdout", "stderr", [LEAK_STREAM_STDIN] = "stdin"};
	return names[stream];
}

json_t *leaks_json(const struct leak_list *list)
{
	json_t *array = json_array();
	for (size_t i = 0; i < list->leaks->count; i++) {
		const struct exec_leak *leak = &list->leaks->rows[i];
		json_t *row = json_pack("{s:s, s:s, s:s, s:I, s:I}", "secret", list->names[leak->secret_index], "form",
					redact_form_name(leak->form), "stream", stream_name(leak->stream), "offset",
					(json_int_t)leak->first_offset, "count", (json_int_t)leak->count);
		if (json_array_append_new(array, row) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static bool leaks_text(const struct leak_list *list, struct buf *out)
{
	struct err err;
	if (list->leaks->total == 0)
		return false;
	buf_printf(out, &err, "masked %llu time%s:", (unsigned long long)list->leaks->total, list->leaks->total == 1 ? "" : "s");
	for (size_t i = 0; i < list->leaks->count; i++) {
		const struct exec_leak *leak = &list->leaks->rows[i];
		buf_printf(out, &err, "%s %s (%s on %s, %llu)", i > 0 ? "," : "", list->names[leak->secret_index],
			   redact_form_name(leak->form), stream_name(leak->stream), (unsigned long long)leak->count);
	}
	return true;
}

void leak_list_of(const struct plan *plan, const struct exec_outcome *outcome, const char *names[ENGINE_SECRETS_MAX],
		  struct leak_list *out)
{
	for (size_t i = 0; i < plan->secret_count; i++)
		names[i] = plan->secrets[i].name;
	*out = (struct leak_list){names, &outcome->leaks};
}

bool outcome_leaks_text(const struct plan *plan, const struct exec_outcome *outcome, struct buf *out)
{
	const char *names[ENGINE_SECRETS_MAX];
	struct leak_list list;
	leak_list_of(plan, outcome, names, &list);
	return leaks_text(&list, out);
}

bool outcome_kill_text(const struct plan *plan, const struct exec_outcome *outcome, struct buf *out)
{
	struct err err;
	if (!outcome->killed_for_leak || outcome->leaks.count == 0)
		return false;
	const struct exec_leak *leak = &outcome->leaks.rows[0];
	return buf_printf(out, &err, "%s (%s) was in the program's output on %s, so the program and all that it started were "
			  "killed (--on-leak kill)", plan->secrets[leak->secret_index].name, redact_form_name(leak->form),
			  stream_name(leak->stream)) == 0;
}

bool redact_leaks_text(const struct redact_outcome *outcome, struct buf *out)
{
	const struct leak_list list = {(const char *const *)outcome->names, &outcome->leaks};
	return leaks_text(&list, out);
}
