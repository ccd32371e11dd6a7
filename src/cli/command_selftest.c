#include "cli/command.h"

static void failure_tell(const char *sentence)
{
	notice("selftest: %s", sentence);
}

static json_t *rows_json(const struct selftest_report *report)
{
	json_t *array = json_array();
	for (size_t i = 0; i < report->row_count; i++)
		json_array_append_new(array, json_pack("{s:s, s:I, s:I}", "form", report->rows[i].what, "cases",
						       (json_int_t)report->rows[i].cases, "failed",
						       (json_int_t)report->rows[i].failed));
	return array;
}

static int report_print(const struct selftest_report *report)
{
	printf("%-12s %10s %10s\n", "FORM", "CASES", "PASSED");
	for (size_t i = 0; i < report->row_count; i++) {
		const struct selftest_row *row = &report->rows[i];
		printf("%-12s %10llu %10llu%s\n", row->what, (unsigned long long)row->cases,
		       (unsigned long long)(row->cases - row->failed), row->failed > 0 ? "  FAILED" : "");
	}
	printf("clean text: %llu MB/s through the filter, %llu MB/s copied in memory\n",
	       (unsigned long long)report->filter_mb_per_s, (unsigned long long)report->memcpy_mb_per_s);
	printf("selftest: %llu cases, %llu failed\n", (unsigned long long)report->cases, (unsigned long long)report->failed);
	return output_finish();
}

int command_selftest(struct context *context, const struct arguments *arguments)
{
	struct selftest_report result;
	struct err err;
	(void)context;
	if (engine_selftest(failure_tell, &result, &err) < 0)
		return report(arguments, &err);
	int printed = arguments_has(arguments, OPTION_JSON)
			      ? json_print(json_pack("{s:b, s:I, s:I, s:o, s:I, s:I}", "ok", result.failed == 0 ? 1 : 0, "cases",
						     (json_int_t)result.cases, "failed", (json_int_t)result.failed, "forms",
						     rows_json(&result), "filter_mb_per_s", (json_int_t)result.filter_mb_per_s,
						     "memcpy_mb_per_s", (json_int_t)result.memcpy_mb_per_s))
			      : report_print(&result);
	return result.failed > 0 ? err_exit_status(ERR_DAMAGED) : printed;
}
