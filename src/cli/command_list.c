#include "cli/command.h"

#include <string.h>

static json_t *time_json(int64_t seconds)
{
	char text[CLOCK_TEXT_BYTES];
	if (seconds == 0)
		return json_null();
	clock_format(seconds, text);
	return json_string(text);
}

static json_t *note_json(const char *note)
{
	_cleanup_buf_ struct buf printable = BUF_INIT(4 * VAULT_NOTE_BYTES_MAX);
	struct err err;
	if (note[0] == 0 || text_printable(span_text(note), &printable, &err) < 0)
		return json_null();
	return json_string(buf_text(&printable));
}

static json_t *entry_json(const struct vault_entry *entry)
{
	json_t *tags = json_array();
	for (size_t i = 0; i < entry->tag_count; i++)
		json_array_append_new(tags, json_string(entry->tags[i]));
	return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:s, s:b, s:b, s:b}", "name", entry->name, "value_version",
			 (json_int_t)entry->version, "versions", (json_int_t)entry->version_count, "created",
			 time_json(entry->created), "changed", time_json(entry->changed), "expires", time_json(entry->expires), "tags",
			 tags, "note", note_json(entry->note), "size", entry_size_bucket(entry), "weak", entry->is_weak ? 1 : 0,
			 "pending", entry->is_pending ? 1 : 0, "expired", entry_is_expired(entry) ? 1 : 0);
}

struct listing {
	const char *tags[VAULT_TAGS_MAX]; // all of them are wanted
	size_t tag_count;
	json_t *array;   // NULL: print a table
	size_t shown;
};

static void entry_print_flags(const struct vault_entry *entry)
{
	for (size_t i = 0; i < entry->tag_count; i++)
		printf("%s%s", i > 0 ? "," : "  ", entry->tags[i]);
	if (entry_is_expired(entry))
		fputs("  [expired]", stdout);
	if (entry->is_weak)
		fputs("  [weak]", stdout);
	if (entry->is_pending)
		fputs("  [waits for confirm]", stdout);
}

static int list_each(void *context, const struct vault_entry *entry)
{
	struct listing *listing = context;
	if (!entry_has_tags(entry, listing->tags, listing->tag_count))
		return 0;
	if (listing->array)
		return json_array_append_new(listing->array, entry_json(entry));
	if (listing->shown++ == 0)
		printf("%-32s %7s  %-20s\n", "NAME", "VERSION", "CHANGED");
	char changed[CLOCK_TEXT_BYTES];
	clock_format(entry->version > 0 ? entry->changed : entry->pending_since, changed);
	printf("%-32s %7u  %-20s", entry->name, entry->version, changed);
	entry_print_flags(entry);
	fputc('\n', stdout);
	return 0;
}

void list_notice_empty(bool by_tags)
{
	notice(by_tags ? "no secret has these tags" : "the vault is empty; store something with `envseal set NAME`");
}

static int check_no_passphrase(const struct arguments *arguments, const char *only_with, struct err *err)
{
	if (arguments_has(arguments, OPTION_PASSPHRASE_FD) || arguments_has(arguments, OPTION_PASSPHRASE_FILE))
		return err_set(err, ERR_USAGE, "without %s no passphrase is needed", only_with);
	return 0;
}

int command_list(struct context *context, const struct arguments *arguments)
{
	struct listing listing = {0};
	struct err err;
	if (arguments_has(arguments, OPTION_HEALTH))
		return health_show(context, arguments);
	if (check_no_passphrase(arguments, "--health", &err) < 0)
		return report(arguments, &err);
	listing.tag_count = arguments_values(arguments, OPTION_TAG, listing.tags, ARRAY_COUNT(listing.tags));
	if (arguments_has(arguments, OPTION_JSON))
		listing.array = json_array();
	int r = engine_list(context->engine, list_each, &listing, &err);
	if (r < 0) {
		json_decref(listing.array);
		return report(arguments, &err);
	}
	if (listing.array)
		return json_print(json_pack("{s:o}", "secrets", listing.array));
	if (listing.shown == 0)
		list_notice_empty(listing.tag_count > 0);
	return output_finish();
}

static void show_time(const char *label, int64_t seconds, const char *otherwise)
{
	char text[CLOCK_TEXT_BYTES];
	clock_format(seconds, text);
	printf("%-10s %s\n", label, seconds ? text : otherwise);
}

static void show_print(const struct vault_entry *entry)
{
	_cleanup_buf_ struct buf note = BUF_INIT(4 * VAULT_NOTE_BYTES_MAX);
	struct err err;
	printf("%-10s %s\n", "name", entry->name);
	printf("%-10s %u of %u kept\n", "version", entry->version, entry->version_count);
	show_time("created", entry->created, "-");
	show_time("changed", entry->changed, "-");
	show_time("expires", entry->expires, "never");
	printf("%-10s %s bytes\n", "size", entry_size_bucket(entry));
	printf("%-10s", "tags");
	for (size_t i = 0; i < entry->tag_count; i++)
		printf("%s%s", i > 0 ? "," : " ", entry->tags[i]);
	printf("%s\n", entry->tag_count == 0 ? " -" : "");
	if (entry->note[0] && text_printable(span_text(entry->note), &note, &err) == 0)
		printf("%-10s %s\n", "note", buf_text(&note));
	if (entry_is_expired(entry))
		printf("%-10s expired\n", "health");
	if (entry->is_weak)
		printf("%-10s weak: masked only where it stands alone as a word\n", "health");
	if (entry->is_pending)
		show_time("waiting", entry->pending_since, "-");
}

int command_show(struct context *context, const struct arguments *arguments)
{
	struct vault_entry entry;
	struct err err;
	bool coverage = arguments_has(arguments, OPTION_COVERAGE), health = arguments_has(arguments, OPTION_HEALTH);
	if (coverage && health) {
		err_set(&err, ERR_USAGE, "--coverage and --health: give one of them");
		return report(arguments, &err);
	}
	if (coverage || health)
		return coverage ? show_coverage(context, arguments) : health_show(context, arguments);
	if (check_no_passphrase(arguments, "--coverage or --health", &err) < 0)
		return report(arguments, &err);
	if (engine_show(context->engine, arguments->operands[0], &entry, &err) < 0)
		return report(arguments, &err);
	if (arguments_has(arguments, OPTION_JSON))
		return json_print(entry_json(&entry));
	show_print(&entry);
	return output_finish();
}

int command_get(struct context *context, const struct arguments *arguments)
{
	(void)context;
	struct err err;
	const char *name = arguments->operand_count > 0 ? arguments->operands[0] : "NAME";
	char brief[64];
	text_brief(span_text(name), brief, sizeof(brief));
	err_set(&err, ERR_DENIED,
		"values are never printed. To use %s: `envseal run -s %s -- PROGRAM`; to hand it over on standard input: `envseal "
		"pipe %s -- PROGRAM`; to compare it: `envseal verify %s`",
		brief, brief, brief, brief);
	return report(arguments, &err);
}

static int history_each(void *context, const struct vault_version *version)
{
	json_t *array = context;
	char stored[CLOCK_TEXT_BYTES];
	clock_format(version->stored, stored);
	if (array)
		return json_array_append_new(array, json_pack("{s:I, s:s, s:b}", "value_version", (json_int_t)version->version,
							      "stored", stored, "current", version->is_current ? 1 : 0));
	printf("%7u  %-20s%s\n", version->version, stored, version->is_current ? "  current" : "");
	return 0;
}

int command_history(struct context *context, const struct arguments *arguments)
{
	json_t *array = arguments_has(arguments, OPTION_JSON) ? json_array() : NULL;
	struct err err;
	if (engine_history(context->engine, arguments->operands[0], history_each, array, &err) < 0) {
		json_decref(array);
		return report(arguments, &err);
	}
	if (array)
		return json_print(json_pack("{s:s, s:o}", "name", arguments->operands[0], "versions", array));
	return output_finish();
}
