#include "engine/policy_set.h"
#include "engine/record.h"

#include <stdlib.h>
#include <string.h>

enum change { CHANGE_NONE, CHANGE_ADDED, CHANGE_CHANGED, CHANGE_REMOVED };

// The rules of the file beside the stored ones.
struct import_rules {
	const struct engine_policy_import *request;
	struct rule_set file;
	struct rule_set stored;
	struct rule_clock clock;
	enum change *of_file;   // one for each rule of the file
	enum change *of_stored; // CHANGE_REMOVED or none
	size_t count;           // of changes
};

static void import_rules_done(struct import_rules *import)
{
	rules_done(&import->file);
	rules_done(&import->stored);
	free(import->of_file);
	free(import->of_stored);
}

static int out_of_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "out of memory for rules");
}

static int file_read(struct import_rules *import, struct err *err)
{
	char brief[200];
	_cleanup_buf_ struct buf text = BUF_INIT(RULES_BYTES_MAX);
	int r = file_read_text(import->request->file, &text, err);
	if (r < 0)
		return r;
	text_brief(span_text(import->request->file), brief, sizeof(brief));
	if (rules_parse(buf_span(&text), &import->file, err) < 0)
		return err_prefix(err, "%s", brief);
	import->of_file = calloc(import->file.count + 1, sizeof(*import->of_file));
	return import->of_file ? 0 : out_of_memory(err);
}

// What could never match is no rule that anybody wants; and storing would drop it without a word.
static int rule_check_import(const struct import_rules *import, const struct rule *rule, struct err *err)
{
	int r = rule_check_new(rule, import->clock.now, err);
	if (r == 0 && rule_is_over(rule, &import->clock))
		return err_set(err, ERR_INPUT, "rule %s: it is for a boot or a session that is over; leave it out of the "
					       "file", rule->id);
	return r;
}

static bool is_same(const struct rule *a, const struct rule *b)
{
	return a->created == b->created && rule_says_the_same(a, b);
}

static int file_compare(struct import_rules *import, struct err *err)
{
	const struct engine_policy_import *request = import->request;
	int r = 0;
	for (size_t i = 0; r == 0 && i < import->file.count; i++) {
		const struct rule *rule = &import->file.rules[i];
		const struct rule *old = rule_with_id(&import->stored, rule->id);
		bool is_known = old && is_same(old, rule);
		import->of_file[i] = is_known ? CHANGE_NONE : old ? CHANGE_CHANGED : CHANGE_ADDED;
		import->count += !is_known;
		if (!is_known)
			r = rule_check_import(import, rule, err);
		if (r == 0 && old && !is_known && !request->force && !request->replace)
			return err_set(err, ERR_EXISTS, "there is a rule %s already, and it says something else; --force "
							"changes it", rule->id);
	}
	return r;
}

// Found here, so that --dry-run says what an import would.
static int count_check(const struct import_rules *import, struct err *err)
{
	size_t count = import->stored.count;
	for (size_t i = 0; i < import->file.count; i++)
		count += import->of_file[i] == CHANGE_ADDED;
	for (size_t i = 0; i < import->stored.count; i++)
		count -= import->of_stored[i] == CHANGE_REMOVED;
	if (count <= RULES_COUNT_MAX)
		return 0;
	return err_set(err, ERR_LIMIT, "there would be %zu rules, and %d are the most there can be; remove some with `envseal "
				       "policy rm`, or say --replace", count, RULES_COUNT_MAX);
}

static int sets_compare(struct import_rules *import, struct err *err)
{
	import->of_stored = calloc(import->stored.count + 1, sizeof(*import->of_stored));
	if (!import->of_stored)
		return out_of_memory(err);
	int r = file_compare(import, err);
	for (size_t i = 0; r == 0 && import->request->replace && i < import->stored.count; i++) {
		bool goes = !rule_with_id(&import->file, import->stored.rules[i].id);
		import->of_stored[i] = goes ? CHANGE_REMOVED : CHANGE_NONE;
		import->count += goes;
	}
	return r < 0 ? r : count_check(import, err);
}

// ---------------------------------------------------------------------------------------------------------------- told

static int changes_tell(const struct import_rules *import, engine_rule_fn *each, void *context, struct err *err)
{
	static const char *const words[] = {"unchanged", "added", "changed", "removed"};
	int r = 0;
	for (size_t i = 0; r == 0 && i < import->file.count; i++)
		r = rule_show(&import->file.rules[i], words[import->of_file[i]], each, context, err);
	for (size_t i = 0; r == 0 && i < import->stored.count; i++)
		if (import->of_stored[i] == CHANGE_REMOVED)
			r = rule_show(&import->stored.rules[i], words[CHANGE_REMOVED], each, context, err);
	return r;
}

static int changes_words(const struct import_rules *import, struct buf *out, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < import->file.count; i++) {
		if (import->of_file[i] == CHANGE_NONE)
			continue;
		r = buf_append_text(out, import->of_file[i] == CHANGE_ADDED ? "add " : "change ", err);
		if (r == 0)
			r = rule_words(&import->file.rules[i], out, err);
	}
	for (size_t i = 0; r == 0 && i < import->stored.count; i++)
		if (import->of_stored[i] == CHANGE_REMOVED)
			r = buf_printf(out, err, "remove %s\n", import->stored.rules[i].id);
	return r;
}

// Whoever gives the passphrase by an option has looked already.
static int changes_ask(const struct import_rules *import, struct err *err)
{
	_cleanup_terminal_ struct terminal *terminal = NULL;
	_cleanup_buf_ struct buf text = BUF_INIT(8 * RULES_BYTES_MAX);
	bool yes = false;
	if (!unlock_is_terminal(&import->request->unlock))
		return 0;
	int r = terminal_open("an answer", &terminal, err);
	if (r == 0)
		r = changes_words(import, &text, err);
	if (r == 0)
		r = terminal_print(terminal, buf_span(&text), err);
	if (r == 0)
		r = terminal_ask_yes(terminal, "Take these changes? [y/N] ", &yes, err);
	if (r < 0)
		return r;
	return yes ? 0 : err_set(err, ERR_DENIED, "not confirmed; nothing was changed");
}

// -------------------------------------------------------------------------------------------------------------- change

// Moves one rule into the new set, which `out` has room for.
static void rule_move(struct rule_set *out, struct rule *rule)
{
	out->rules[out->count++] = *rule;
	*rule = (struct rule){0};
}

// Both are sorted by id. What is left behind in the two is gone.
static int sets_merge(struct import_rules *import, struct rule_set *out, struct err *err)
{
	struct rule_set *file = &import->file, *stored = &import->stored;
	size_t i = 0, j = 0;
	out->rules = calloc(file->count + stored->count + 1, sizeof(*out->rules));
	if (!out->rules)
		return out_of_memory(err);
	while (i < file->count || j < stored->count) {
		int order = i == file->count     ? 1
			    : j == stored->count ? -1
						 : strcmp(file->rules[i].id, stored->rules[j].id);
		bool is_kept = order > 0 && import->of_stored[j] != CHANGE_REMOVED;
		if (order <= 0)
			rule_move(out, &file->rules[i++]);
		else if (is_kept)
			rule_move(out, &stored->rules[j]);
		j += order >= 0;
	}
	return 0;
}

static json_t *changes_json(const struct import_rules *import)
{
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept
	_cleanup_free_ const struct rule **about = calloc(import->count + 1, sizeof(*about));
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept
	_cleanup_free_ const char **removed = calloc(import->count + 1, sizeof(*removed));
	size_t count = 0, removed_count = 0, left_out = 0;
	if (!about || !removed)
		return NULL;
	for (size_t i = 0; i < import->file.count; i++)
		if (import->of_file[i] != CHANGE_NONE)
			about[count++] = &import->file.rules[i];
	for (size_t i = 0; i < import->stored.count; i++)
		if (import->of_stored[i] == CHANGE_REMOVED) {
			about[count++] = &import->stored.rules[i];
			removed[removed_count++] = import->stored.rules[i].id;
		}
	json_t *fields = rules_record_json(about, count);
	json_t *ids = names_json_bounded(removed, removed_count, &left_out);
	bool ok = fields && json_object_set_new(fields, "removed", ids) == 0 &&
		  json_object_set_new(fields, "removed_left_out", json_integer((json_int_t)left_out)) == 0 &&
		  json_object_set_new(fields, "replace", json_boolean(import->request->replace)) == 0;
	if (ok)
		return fields;
	json_decref(fields);
	return NULL;
}

// Nothing holds the vault while a human reads: what was shown is done only to the rules that it was about.
static int changes_agree(struct import_rules *import, struct session *session, struct err *err)
{
	_cleanup_buf_ struct buf before = BUF_INIT(RULES_BYTES_MAX), after = BUF_INIT(RULES_BYTES_MAX);
	_cleanup_rules_ struct rule_set again = {0};
	if (!unlock_is_terminal(&import->request->unlock))
		return 0;
	session_rollback(session);
	int r = changes_ask(import, err);
	if (r == 0)
		r = session_begin(session, err);
	if (r == 0)
		r = session_rules_load(session, &again, err);
	if (r == 0)
		r = rules_format(&import->stored, &before, err);
	if (r == 0)
		r = rules_format(&again, &after, err);
	if (r == 0 && !span_is_equal(buf_span(&before), buf_span(&after)))
		return err_set(err, ERR_DENIED, "the rules were changed meanwhile; nothing was imported, so look at it "
						"again");
	return r;
}

static int changes_commit(struct import_rules *import, struct session *session, struct err *err)
{
	_cleanup_rules_ struct rule_set merged = {0};
	json_t *fields = changes_json(import);
	int r = sets_merge(import, &merged, err);
	if (r < 0) {
		json_decref(fields);
		return r;
	}
	return policy_commit(session, &merged, "policy.import", fields, err);
}

int engine_policy_import(struct engine *engine, const struct engine_policy_import *request, engine_rule_fn *each,
			 void *context, struct err *err)
{
	_cleanup_(import_rules_done) struct import_rules import = {.request = request, .clock = rule_clock_now()};
	_cleanup_session_ struct session session = {0};
	int r = file_read(&import, err);
	if (r == 0)
		r = policy_begin(engine, &request->unlock, "Passphrase: ", &session, &import.stored, err);
	if (r == 0)
		r = sets_compare(&import, err);
	if (r == 0)
		r = changes_tell(&import, each, context, err);
	if (r < 0 || request->dry_run || import.count == 0)
		return r;
	r = changes_agree(&import, &session, err);
	return r < 0 ? r : changes_commit(&import, &session, err);
}
