#include "engine/policy_text.h"

#include "engine/record.h"

#include <string.h>

// -------------------------------------------------------------------------------------------------------------- words

// A `=` at the beginning is a command's path to zsh.
static bool is_plain_word(const char *word)
{
	for (const char *at = word; *at; at++)
		if (*at <= ' ' || *at > '~' || strchr("\\'\"`$*?()[]{}<>|&;#!~^", *at))
			return false;
	return word[0] != 0 && word[0] != '=';
}

enum quoting { QUOTING_PLAIN, QUOTING_PRINTF, QUOTING_DOLLAR };

static int byte_quote(uint8_t c, enum quoting quoting, struct buf *out, struct err *err)
{
	if (quoting == QUOTING_PLAIN)
		return c == '\'' ? buf_append_text(out, "'\\''", err) : buf_append_byte(out, c, err);
	if (quoting == QUOTING_PRINTF && c == '%')
		return buf_append_text(out, "%%", err);
	// "!" too, since a shell's history looks into double quotes, and "-", since printf has options.
	bool is_escaped = c < 0x20 || c > 0x7e || strchr("'\\!-", c);
	return is_escaped ? buf_printf(out, err, "\\%03o", c) : buf_append_byte(out, c, err);
}

// Blanks are told apart as in text_inert. printf(1) is in every shell, but has no way to say a line feed at the end,
// since what a shell puts in for a command loses it.
int word_quote(const char *word, struct buf *out, struct err *err)
{
	static const char *const before[] = {"'", "\"$(printf '", "$'"}, *const behind[] = {"'", "')\"", "'"};
	if (is_plain_word(word))
		return buf_append_text(out, word, err);
	enum quoting quoting = QUOTING_PLAIN;
	for (const char *at = word; *at; at++)
		if ((uint8_t)*at < 0x20 || (uint8_t)*at > 0x7e || (*at == ' ' && at[1] == ' '))
			quoting = *at == '\n' && !at[1] ? QUOTING_DOLLAR : QUOTING_PRINTF;
	int r = buf_append_text(out, before[quoting], err);
	for (const char *at = word; r == 0 && *at; at++)
		r = at > word && at[0] == ' ' && at[-1] == ' ' ? buf_append_text(out, "\\040", err)
								: byte_quote((uint8_t)*at, quoting, out, err);
	return r < 0 ? r : buf_append_text(out, behind[quoting], err);
}

// ---------------------------------------------------------------------------------------------------------------- rows

static int row_begin(const char *label, struct buf *out, struct err *err)
{
	return buf_printf(out, err, "  %-12s", label);
}

static int row_list(const char *label, const struct text_list *list, const char *before, struct buf *out,
		    struct err *err)
{
	int r = row_begin(label, out, err);
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		r = buf_printf(out, err, "%s%s", i > 0 ? ", " : "", before);
		if (r == 0)
			r = text_inert(list->items[i], 0, out, err);
	}
	return r < 0 ? r : buf_append_byte(out, '\n', err);
}

// Each secret with its own variable; else any of them may go into any of those.
static int row_variables(const char *label, const struct rule *rule, struct buf *out, struct err *err)
{
	if (rule->variables.count == 0)
		return buf_printf(out, err, "  %-12sany\n", label);
	if (!rule->is_paired)
		return row_list(label, &rule->variables, "$", out, err);
	int r = row_begin(label, out, err);
	for (size_t i = 0; r == 0 && i < rule->variables.count; i++) {
		r = buf_append_text(out, i > 0 ? ", " : "", err);
		if (r == 0)
			r = text_inert(rule->secrets.items[i], 0, out, err);
		if (r == 0)
			r = buf_append_text(out, " as $", err);
		if (r == 0)
			r = text_inert(rule->variables.items[i], 0, out, err);
	}
	return r < 0 ? r : buf_append_byte(out, '\n', err);
}

static int row_deliveries(const struct rule *rule, struct buf *out, struct err *err)
{
	static const struct {
		unsigned delivery;
		const char *label;
	} rows[] = {{RULE_TO_VARIABLE, "in variable"}, {RULE_TO_FILE, "in file of"}};
	int r = 0;
	if (rule->deliveries == 0)
		r = buf_append_text(out, "  given       in any way\n", err);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(rows); i++)
		if (rule->deliveries & rows[i].delivery)
			r = row_variables(rows[i].label, rule, out, err);
	if (r == 0 && (rule->deliveries & RULE_TO_STDIN))
		r = buf_append_text(out, "  given       on standard input\n", err);
	return r;
}

static int row_binding(const char *label, const struct rule_binding *binding, struct buf *out, struct err *err)
{
	char hex[DIGEST_HEX_BYTES];
	if (binding->kind == RULE_BINDING_ANY)
		return buf_printf(out, err, "  %-12sany\n", label);
	int r = row_begin(label, out, err);
	if (r == 0)
		r = text_inert(binding->path, 0, out, err);
	if (r < 0)
		return r;
	if (binding->kind == RULE_BINDING_SYSTEM)
		return buf_append_text(out, "  (while only root can change it)\n", err);
	digest_hex(binding->digest, hex);
	return buf_printf(out, err, "  (with this content alone)\n  %-12s%s\n", "digest", hex);
}

static int row_arguments(const struct rule *rule, struct buf *out, struct err *err)
{
	if (rule->argv_mode == RULE_ARGV_ANY)
		return buf_append_text(out, "  command     with any arguments\n", err);
	int r = row_begin(rule->argv_mode == RULE_ARGV_PREFIX ? "begins with" : "command", out, err);
	for (size_t i = 0; r == 0 && i < rule->arguments.count; i++) {
		if (i > 0)
			r = buf_append_byte(out, ' ', err);
		if (r == 0)
			r = word_quote(rule->arguments.items[i], out, err);
	}
	return r < 0 ? r : buf_append_byte(out, '\n', err);
}

// What the arguments name is in a file that is compared, and that others may change until it is opened.
static int row_script(const struct rule *rule, struct buf *out, struct err *err)
{
	return rule->script.kind == RULE_BINDING_ANY ? 0 : row_binding("script", &rule->script, out, err);
}

static int row_directory(const struct rule *rule, struct buf *out, struct err *err)
{
	if (!rule->directory)
		return buf_append_text(out, "  folder      any\n", err);
	int r = row_begin("folder", out, err);
	if (r == 0)
		r = text_inert(rule->directory, 0, out, err);
	return r < 0 ? r : buf_append_text(out, ", and what is below\n", err);
}

// An allow alone says something of it.
static int rows_sandbox(const struct rule *rule, struct buf *out, struct err *err)
{
	const struct rule_sandbox *sandbox = &rule->sandbox;
	int r = 0;
	if (sandbox->tier != SANDBOX_STANDARD)
		r = buf_printf(out, err, "  %-12s%s, or a stronger one\n", "tier", sandbox_tier_name(sandbox->tier));
	if (r == 0 && sandbox->readable.count > 0)
		r = row_list("may read", &sandbox->readable, "", out, err);
	if (r == 0 && sandbox->writable.count > 0)
		r = row_list("may write", &sandbox->writable, "", out, err);
	if (r == 0 && sandbox->network != SANDBOX_NETWORK_HOST)
		r = buf_printf(out, err, "  %-12s%s\n", "network", sandbox_network_name(sandbox->network));
	if (r == 0 && sandbox->endpoints.count > 0)
		r = row_list("may reach", &sandbox->endpoints, "", out, err);
	if (r == 0 && sandbox->is_unshielded)
		r = buf_printf(out, err, "  %-12swithout it: other processes of yours may look into the program\n", "shield");
	if (r == 0 && sandbox->is_degradable)
		r = buf_printf(out, err, "  %-12sweaker where the kernel cannot give the tier in full\n", "degrade");
	return r;
}

static int row_conditions(const struct rule *rule, struct buf *out, struct err *err)
{
	int r = 0;
	if (rule->environment.count > 0)
		r = row_list("may keep", &rule->environment, "$", out, err);
	if (r == 0 && rule->redaction)
		r = buf_append_text(out, "  redaction   only where the output is redacted\n", err);
	return r;
}

static int row_end(const struct rule *rule, struct buf *out, struct err *err)
{
	char time[CLOCK_TEXT_BYTES];
	int r = 0;
	if (!rule_is_grant(rule))
		return buf_printf(out, err, "  %-12snever, until it is removed\n", "ends");
	if (rule->expires) {
		clock_format(rule->expires, time);
		r = buf_printf(out, err, "  %-12sat %s%s\n", "ends", time,
			       rule->until.boot[0] ? ", also if the clock is set back" : "");
	}
	if (r == 0 && rule->is_counted)
		r = buf_printf(out, err, "  %-12safter %llu more use%s\n", "ends", (unsigned long long)rule->uses_left,
			       rule->uses_left == 1 ? "" : "s");
	if (r == 0 && rule->session.pid)
		return buf_printf(out, err, "  %-12swith the session of process %lld\n", "ends",
				  (long long)rule->session.pid);
	if (r == 0 && rule->boot[0])
		return buf_printf(out, err, "  %-12swhen this machine is started again\n", "ends");
	return r;
}

int rule_words(const struct rule *rule, struct buf *out, struct err *err)
{
	static int (*const rows[])(const struct rule *, struct buf *, struct err *) = {
		row_arguments, row_script, row_directory, rows_sandbox, row_conditions, row_end,
	};
	const char *id = rule->id[0] ? rule->id : "(a new rule)";
	int r = buf_printf(out, err, "%s  %s\n", id, rule_effect_name(rule->effect));
	if (r == 0)
		r = row_list("secrets", &rule->secrets, "", out, err);
	if (r == 0)
		r = row_deliveries(rule, out, err);
	if (r == 0)
		r = row_binding("program", &rule->program, out, err);
	if (r == 0 && rule->interpreter.kind != RULE_BINDING_ANY)
		r = row_binding("run by", &rule->interpreter, out, err);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(rows); i++)
		r = rows[i](rule, out, err);
	return r;
}

// ---------------------------------------------------------------------------------------------------------------- JSON

json_t *rule_json(const struct rule *rule)
{
	_cleanup_buf_ struct buf text = BUF_INIT(RULE_BYTES_MAX);
	struct err ignored;
	if (rule_format(rule, &text, &ignored) < 0)
		return NULL;
	return json_loadb(buf_text(&text), text.len, 0, NULL);
}

static json_t *printable_json(const char *text)
{
	_cleanup_buf_ struct buf out = BUF_INIT(4 * RULE_PATH_BYTES_MAX);
	struct err ignored;
	if (!text)
		return json_null();
	return text_printable(span_text(text), &out, &ignored) < 0 ? NULL : json_string(buf_text(&out));
}

static json_t *argv_digest_json(const struct rule *rule)
{
	uint8_t fingerprint[DIGEST_BYTES];
	char hex[DIGEST_HEX_BYTES];
	char *argv[RULE_ARGUMENTS_MAX + 1] = {0};
	if (rule->argv_mode == RULE_ARGV_ANY)
		return json_null();
	for (size_t i = 0; i < rule->arguments.count; i++)
		argv[i] = rule->arguments.items[i];
	argv_fingerprint(argv, fingerprint);
	digest_hex(fingerprint, hex);
	return json_string(hex);
}

// Arguments by their digest alone: they may hold what is not for a log.
static json_t *summary_json(const struct rule *rule)
{
	json_t *secrets = strings_json((const char *const *)rule->secrets.items, rule->secrets.count);
	json_t *variables = strings_json((const char *const *)rule->variables.items, rule->variables.count);
	json_t *kept = strings_json((const char *const *)rule->environment.items, rule->environment.count);
	const struct rule_sandbox *sandbox = &rule->sandbox;
	json_t *readable = paths_json(NULL, sandbox->readable.items, sandbox->readable.count);
	json_t *writable = paths_json(NULL, sandbox->writable.items, sandbox->writable.count);
	json_t *endpoints = paths_json(NULL, sandbox->endpoints.items, sandbox->endpoints.count);
	json_t *uses = rule->is_counted ? json_integer((json_int_t)rule->uses_left) : json_null();
	return json_pack("{s:s, s:s, s:o, s:o, s:b, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:s, s:o, s:b, s:b, s:b, s:I, s:o, s:b, s:I}",
			 "id", rule->id, "effect", rule_effect_name(rule->effect), "secrets", secrets, "variables",
			 variables, "paired", rule->is_paired ? 1 : 0, "program", printable_json(rule->program.path),
			 "binding", rule_binding_names[rule->program.kind], "argv", rule_argv_names[rule->argv_mode], "argv_digest",
			 argv_digest_json(rule), "script", printable_json(rule->script.path), "environment", kept,
			 "directory", printable_json(rule->directory), "tier", sandbox_tier_name(sandbox->tier), "read", readable,
			 "write", writable, "network", sandbox_network_name(sandbox->network), "endpoints", endpoints, "shield",
			 sandbox->is_unshielded ? 0 : 1, "degrade", sandbox->is_degradable ? 1 : 0, "redaction",
			 rule->redaction ? 1 : 0, "expires", (json_int_t)rule->expires, "uses", uses, "boot",
			 rule->boot[0] ? 1 : 0, "session", (json_int_t)rule->session.pid);
}

json_t *rules_record_json(const struct rule *const rules[], size_t count)
{
	json_t *array = json_array(), *secrets = json_array();
	size_t bytes = 0, i = 0;
	for (; array && secrets && i < count; i++) {
		json_t *summary = summary_json(rules[i]);
		bytes += summary ? json_dumpb(summary, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII) + 1 : 0;
		if (i > 0 && bytes > RECORD_NAMES_BYTES_MAX) {
			json_decref(summary);
			break;
		}
		json_array_extend(secrets, json_object_get(summary, "secrets"));
		if (json_array_append_new(array, summary) < 0) {
			json_decref(array);
			json_decref(secrets);
			return NULL;
		}
	}
	return json_pack("{s:o, s:o, s:I}", "secrets", secrets, "rules", array, "rules_left_out",
			 (json_int_t)(count - i));
}
