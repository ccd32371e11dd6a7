#include "cli/command.h"

#define INDENT "                          " // as wide as a severity and an id

struct examination {
	json_t *findings; // NULL: print
	json_t *promises;
	bool is_bad;
	bool has_promises; // printed already
};

static int finding_add(json_t *findings, const struct finding *finding, const char *text)
{
	return json_array_append_new(findings, json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", finding->id, "category",
							 finding->category, "severity", engine_severity_name(finding->severity),
							 "text", text, "remedy", finding->remedy));
}

static void remedy_print(const struct finding *finding)
{
	if (finding->remedy[0])
		printf(INDENT "-> %s\n", finding->remedy);
}

static int finding_print(void *context, const struct finding *finding)
{
	struct examination *examination = context;
	_cleanup_buf_ struct buf text = BUF_INIT(8 * FINDING_TEXT_BYTES);
	struct err err;
	examination->is_bad = examination->is_bad || finding->severity == FINDING_BAD;
	int r = text_printable(span_text(finding->text), &text, &err);
	if (r < 0)
		return r;
	if (examination->findings)
		return finding_add(examination->findings, finding, buf_text(&text));
	printf("[%-4s] %-18s %s\n", engine_severity_name(finding->severity), finding->id, buf_text(&text));
	remedy_print(finding);
	return 0;
}

static int cause_print(const struct finding *finding)
{
	_cleanup_buf_ struct buf text = BUF_INIT(8 * FINDING_TEXT_BYTES);
	struct err err;
	int r = text_printable(span_text(finding->text), &text, &err);
	if (r < 0)
		return r;
	printf(INDENT "%s: %s\n", finding->id, buf_text(&text));
	remedy_print(finding);
	return 0;
}

static int promise_add(json_t *promises, const struct engine_promise *promise)
{
	json_t *depends = json_array(), *because = json_array();
	for (size_t i = 0; i < promise->depend_count; i++)
		json_array_append_new(depends, json_string(promise->depends[i]));
	for (size_t i = 0; i < promise->cause_count; i++)
		json_array_append_new(because, json_string(promise->causes[i]->id));
	return json_array_append_new(promises, json_pack("{s:s, s:s, s:b, s:o, s:o}", "id", promise->id, "title", promise->title,
							 "holds", promise->cause_count == 0, "depends", depends, "because", because));
}

static int promise_print(void *context, const struct engine_promise *promise)
{
	struct examination *examination = context;
	if (examination->promises)
		return promise_add(examination->promises, promise);
	if (!examination->has_promises)
		printf("\nWhat is promised, what that depends on, and whether it holds here:\n");
	examination->has_promises = true;
	printf("[%-4s] %-18s %s", promise->cause_count == 0 ? "yes" : "no", promise->id, promise->title);
	for (size_t i = 0; i < promise->depend_count; i++)
		printf("%s%s", i == 0 ? " (" : ", ", promise->depends[i]);
	printf("%s\n", promise->depend_count > 0 ? ")" : "");
	int r = 0;
	for (size_t i = 0; r == 0 && i < promise->cause_count; i++)
		r = cause_print(promise->causes[i]);
	return r;
}

int command_doctor(struct context *context, const struct arguments *arguments)
{
	bool is_json = arguments_has(arguments, OPTION_JSON);
	struct examination examination = {.findings = is_json ? json_array() : NULL, .promises = is_json ? json_array() : NULL};
	const struct engine_doctor_report told = {finding_print, promise_print, &examination};
	struct engine_unlock unlock;
	struct err err;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	bool verify = r == 0 && (unlock.passphrase_fd >= 0 || unlock.passphrase_file);
	if (r == 0)
		r = engine_doctor(context->engine, verify ? &unlock : NULL, &told, &err);
	if (r < 0) {
		json_decref(examination.findings);
		json_decref(examination.promises);
		return report(arguments, &err);
	}
	int status = examination.is_bad ? err_exit_status(ERR_NO) : 0;
	int printed = is_json ? json_print(json_pack("{s:o, s:o, s:b}", "findings", examination.findings, "promises",
						     examination.promises, "ok", examination.is_bad ? 0 : 1))
			      : output_finish();
	return printed ? printed : status;
}
