#include "cli/command.h"

#include <string.h>

// "7d" is seven days back here, where a span at --expires lies ahead.
static int time_from_arguments(const struct arguments *arguments, enum option_id id, int64_t *out, struct err *err)
{
	const char *text = arguments_value(arguments, id);
	if (!text)
		return 0;
	int64_t now = clock_now(), when;
	int r = clock_parse(text, now, &when, err);
	if (r < 0)
		return err_prefix(err, "--%s", option_rows[id].long_name);
	// Only dates have a '-' in them.
	*out = strchr(text, '-') ? when : now - (when - now);
	return 0;
}

static const char *member_text(const json_t *record, const char *key)
{
	const json_t *member = json_object_get(record, key);
	if (json_is_object(member))
		member = json_object_get(member, "path");
	return json_string_value(member);
}

static void record_print_secrets(const json_t *record)
{
	const json_t *secrets = json_object_get(record, "secrets");
	const char *one = member_text(record, "secret");
	if (one)
		printf("  %s", one);
	for (size_t i = 0; i < json_array_size(secrets); i++) {
		const json_t *secret = json_array_get(secrets, i);
		const char *name = json_is_object(secret) ? json_string_value(json_object_get(secret, "name"))
							  : json_string_value(secret);
		printf("%s%s", i == 0 ? "  " : ",", name ? name : "?");
	}
}

static void record_print_numbers(const json_t *record)
{
	static const char *const keys[] = {"version", "status", "signal", "leak_total"};
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		const json_t *number = json_object_get(record, keys[i]);
		if (json_is_integer(number) && (json_integer_value(number) != 0 || i == 1))
			printf("  %s %lld", keys[i], (long long)json_integer_value(number));
	}
}

// A tier beyond the weakest, and what the kernel did not give of it.
static void record_print_sandbox(const json_t *record)
{
	const json_t *sandbox = json_object_get(record, "sandbox"), *missing = json_object_get(sandbox, "missing");
	const char *tier = member_text(sandbox, "tier");
	bool has_any = false;
	if (tier && strcmp(tier, "standard") != 0)
		printf("  tier %s", tier);
	for (size_t i = 0; i < json_array_size(missing); i++) {
		const json_t *row = json_array_get(missing, i);
		const char *name = member_text(row, "mechanism");
		if (!name || !member_text(row, "error"))
			continue;
		printf("%s%s", has_any ? "," : "  without ", name);
		has_any = true;
	}
}

static int record_print(void *context, json_t *record)
{
	if (context)
		return json_array_append(context, record);
	const char *time = member_text(record, "time"), *kind = member_text(record, "kind");
	const char *program = member_text(record, "program");
	printf("%6lld  %s  %-16s", (long long)json_integer_value(json_object_get(record, "seq")), time ? time : "-",
	       kind ? kind : "-");
	record_print_secrets(record);
	if (program)
		printf("  %s", program);
	record_print_sandbox(record);
	record_print_numbers(record);
	fputc('\n', stdout);
	return 0;
}

int command_audit_show(struct context *context, const struct arguments *arguments)
{
	struct audit_filter filter = {.secret = arguments_value(arguments, OPTION_OF_SECRET),
				      .program = arguments_value(arguments, OPTION_PROGRAM),
				      .kind = arguments_value(arguments, OPTION_KIND)};
	json_t *records = arguments_has(arguments, OPTION_JSON) ? json_array() : NULL;
	struct err err;
	int r = time_from_arguments(arguments, OPTION_SINCE, &filter.since, &err);
	if (r == 0)
		r = time_from_arguments(arguments, OPTION_UNTIL, &filter.until, &err);
	if (r == 0)
		r = engine_audit_query(context->engine, &filter, record_print, records, &err);
	if (r < 0) {
		json_decref(records);
		fflush(stdout);
		return report(arguments, &err);
	}
	return records ? json_print(json_pack("{s:o}", "records", records)) : output_finish();
}

static void verify_print(const struct engine_audit_report *report)
{
	printf("the chain of %llu records in %llu file%s holds\n", (unsigned long long)report->log.records,
	       (unsigned long long)report->log.files, report->log.files == 1 ? "" : "s");
	if (!report->anchor_checked)
		puts("the vault's anchor was not checked (--chain-only): a cut tail would not show");
	else
		printf("record %llu is the one the vault anchored\n", (unsigned long long)report->anchor_count);
	if (report->anchor_checked && report->log.unanchored > 0)
		printf("%llu record%s behind it: written while locked, or cut off from the vault by a crash\n",
		       (unsigned long long)report->log.unanchored, report->log.unanchored == 1 ? "" : "s");
}

int command_audit_verify(struct context *context, const struct arguments *arguments)
{
	struct engine_audit_report result = {0};
	struct engine_unlock unlock;
	struct err err;
	bool chain_only = arguments_has(arguments, OPTION_CHAIN_ONLY);
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_audit_verify(context->engine, chain_only ? NULL : &unlock, &result, &err);
	if (r < 0)
		return report(arguments, &err);
	if (arguments_has(arguments, OPTION_JSON))
		return json_print(json_pack("{s:b, s:I, s:I, s:b, s:I, s:I}", "ok", 1, "records",
					    (json_int_t)result.log.records, "files", (json_int_t)result.log.files, "anchor_checked",
					    result.anchor_checked ? 1 : 0, "anchor", (json_int_t)result.anchor_count, "unanchored",
					    (json_int_t)result.log.unanchored));
	verify_print(&result);
	return output_finish();
}

int command_audit_rotate(struct context *context, const struct arguments *arguments)
{
	struct err err;
	if (engine_audit_rotate(context->engine, &err) < 0)
		return report(arguments, &err);
	notice("the log goes on in a new file");
	return arguments_has(arguments, OPTION_JSON) ? json_print(json_pack("{s:b}", "ok", 1)) : 0;
}

int command_audit_accept(struct context *context, const struct arguments *arguments)
{
	struct engine_unlock unlock;
	struct err err;
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0)
		r = engine_audit_accept(context->engine, &unlock, arguments_has(arguments, OPTION_YES), &err);
	if (r < 0)
		return report(arguments, &err);
	notice("the log is accepted as it is, and the record of that is anchored");
	return arguments_has(arguments, OPTION_JSON) ? json_print(json_pack("{s:b}", "ok", 1)) : 0;
}
