#include "cli/command.h"

struct examination {
	json_t *array; // NULL: print
	bool is_bad;
};

static int finding_print(void *context, const struct finding *finding)
{
	struct examination *examination = context;
	_cleanup_buf_ struct buf text = BUF_INIT(8 * FINDING_TEXT_BYTES);
	struct err err;
	examination->is_bad = examination->is_bad || finding->severity == FINDING_BAD;
	int r = text_printable(span_text(finding->text), &text, &err);
	if (r < 0)
		return r;
	if (examination->array)
		return json_array_append_new(examination->array,
					     json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", finding->id, "category", finding->category,
						       "severity", engine_severity_name(finding->severity), "text", buf_text(&text), "remedy",
						       finding->remedy));
	printf("[%-4s] %-18s %s\n", engine_severity_name(finding->severity), finding->id, buf_text(&text));
	if (finding->remedy[0])
		printf("%26s-> %s\n", "", finding->remedy);
	return 0;
}

int command_doctor(struct context *context, const struct arguments *arguments)
{
	struct examination examination = {.array = arguments_has(arguments, OPTION_JSON) ? json_array() : NULL};
	struct engine_unlock unlock;
	struct err err;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	bool verify = r == 0 && (unlock.passphrase_fd >= 0 || unlock.passphrase_file);
	if (r == 0)
		r = engine_doctor(context->engine, verify ? &unlock : NULL, finding_print, &examination, &err);
	if (r < 0) {
		json_decref(examination.array);
		return report(arguments, &err);
	}
	int status = examination.is_bad ? err_exit_status(ERR_NO) : 0;
	int printed = examination.array ? json_print(json_pack("{s:o, s:b}", "findings", examination.array, "ok",
							       examination.is_bad ? 0 : 1))
					: output_finish();
	return printed ? printed : status;
}
