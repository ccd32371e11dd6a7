#include "engine/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_KEY_BYTES 32
#define CHUNKS_MAX (RULES_BYTES_MAX / VAULT_SETTING_BYTES_MAX)

// ----------------------------------------------------------------------------------------------------------- storage

static void chunk_key(size_t index, char out[CHUNK_KEY_BYTES])
{
	snprintf(out, CHUNK_KEY_BYTES, "rules/%zu", index);
}

// The set's text; empty when there is none.
static int chunks_read(struct vault *vault, struct buf *out, struct err *err)
{
	char key[CHUNK_KEY_BYTES];
	for (size_t i = 0; i < CHUNKS_MAX; i++) {
		size_t before = out->len;
		chunk_key(i, key);
		int r = vault_setting_get(vault, key, out, err);
		if (r < 0 || out->len == before)
			return r;
	}
	return 0;
}

// Those behind the last one would be read as its continuation.
static int chunks_remove_from(struct vault *vault, size_t index, struct err *err)
{
	char key[CHUNK_KEY_BYTES];
	for (; index < CHUNKS_MAX; index++) {
		_cleanup_buf_ struct buf old = BUF_INIT(VAULT_SETTING_BYTES_MAX);
		chunk_key(index, key);
		int r = vault_setting_get(vault, key, &old, err);
		if (r < 0 || old.len == 0)
			return r;
		r = vault_setting_put(vault, key, span_of("", 0), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int chunks_write(struct vault *vault, struct span text, struct err *err)
{
	char key[CHUNK_KEY_BYTES];
	size_t index = 0;
	while (text.len > 0) {
		size_t bytes = text.len < VAULT_SETTING_BYTES_MAX ? text.len : VAULT_SETTING_BYTES_MAX;
		if (index == CHUNKS_MAX)
			return err_set(err, ERR_LIMIT, "the rules are too long (%u MiB at most); remove some with `envseal policy rm`",
				       RULES_BYTES_MAX >> 20);
		chunk_key(index++, key);
		int r = vault_setting_put(vault, key, span_of(text.data, bytes), err);
		if (r < 0)
			return r;
		text = span_of(text.data + bytes, text.len - bytes);
	}
	return chunks_remove_from(vault, index, err);
}

int session_rules_load(struct session *session, struct rule_set *out, struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(RULES_BYTES_MAX);
	int r = chunks_read(session->vault, &text, err);
	if (r < 0)
		return r;
	if (text.len == 0) {
		*out = (struct rule_set){0};
		return 0;
	}
	// They opened with the vault's key, so whatever is wrong with them, envseal wrote it.
	if (rules_parse(buf_span(&text), out, err) < 0)
		return err_set(err, ERR_DAMAGED, "the vault's rules cannot be used by this version of envseal, so nothing is allowed");
	return 0;
}

int session_rules_store(struct session *session, struct rule_set *set, struct err *err)
{
	struct rule_clock clock = rule_clock_now();
	size_t kept = 0;
	for (size_t i = 0; i < set->count; i++) {
		struct rule *rule = &set->rules[i];
		if (rule_is_grant(rule) && rule_is_over(rule, &clock))
			rule_done(rule);
		else
			set->rules[kept++] = *rule;
	}
	set->count = kept;
	if (kept == 0)
		return chunks_remove_from(session->vault, 0, err);
	_cleanup_buf_ struct buf text = BUF_INIT(RULES_BYTES_MAX);
	int r = rules_format(set, &text, err);
	return r < 0 ? r : chunks_write(session->vault, buf_span(&text), err);
}

// ------------------------------------------------------------------------------------------------------------- clock

struct rule_clock rule_clock_now(void)
{
	struct rule_clock clock = {.now = clock_now(), .boottime_ms = clock_boottime_ms()};
	uint8_t id[CLOCK_BOOT_ID_BYTES];
	clock_boot_id(id);
	size_t at = 0;
	for (size_t i = 0; i < sizeof(id); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			clock.boot[at++] = '-';
		at += (size_t)snprintf(clock.boot + at, sizeof(clock.boot) - at, "%02x", id[i]);
	}
	return clock;
}

bool rule_session_is_alive(const struct rule_session *session)
{
	struct process leader;
	return session->pid != 0 && process_read("/proc", (pid_t)session->pid, &leader) && !leader.is_dead &&
	       leader.start == session->start;
}

bool rule_is_over(const struct rule *rule, const struct rule_clock *clock)
{
	return (rule->expires != 0 && clock->now >= rule->expires) ||
	       (strcmp(rule->until.boot, clock->boot) == 0 && clock->boottime_ms >= rule->until.milliseconds) ||
	       (rule->boot[0] && strcmp(rule->boot, clock->boot) != 0) || (rule->is_counted && rule->uses_left == 0) ||
	       (rule->session.pid != 0 && !rule_session_is_alive(&rule->session));
}

bool rule_is_grant(const struct rule *rule)
{
	return rule->expires != 0 || rule->boot[0] || rule->is_counted || rule->session.pid != 0;
}

// --------------------------------------------------------------------------------------------------------------- set

struct rule *rule_with_id(const struct rule_set *set, const char *id)
{
	size_t low = 0, high = set->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(set->rules[middle].id, id);
		if (order == 0)
			return &set->rules[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void rules_choose_id(const struct rule_set *set, struct rule *rule)
{
	const char *prefix = rule_is_grant(rule) ? "grant" : "rule";
	if (rule->id[0])
		return;
	for (size_t number = 1; rule->id[0] == 0 || rule_with_id(set, rule->id); number++)
		snprintf(rule->id, sizeof(rule->id), "%s-%zu", prefix, number);
}

int rules_add(struct rule_set *set, struct rule *rule, const struct rule_clock *clock, struct err *err)
{
	if (set->count == RULES_COUNT_MAX)
		return err_set(err, ERR_LIMIT, "there are %d rules already; remove some with `envseal policy rm`", RULES_COUNT_MAX);
	if (rule->id[0] == 0)
		rules_choose_id(set, rule);
	else if (rule_with_id(set, rule->id))
		return err_set(err, ERR_EXISTS, "there is a rule %s already; choose another --id, or remove it with "
						"`envseal policy rm %s`", rule->id, rule->id);
	int r = rule_check_new(rule, clock->now, err);
	if (r < 0)
		return r;
	struct rule *rules = reallocarray(set->rules, set->count + 1, sizeof(*rules));
	if (!rules)
		return err_set(err, ERR_MEMORY, "out of memory");
	set->rules = rules;
	size_t place = set->count++;
	for (; place > 0 && strcmp(rules[place - 1].id, rule->id) > 0; place--)
		rules[place] = rules[place - 1];
	rules[place] = *rule;
	*rule = (struct rule){0};
	return 0;
}

bool rules_remove(struct rule_set *set, const char *id)
{
	struct rule *rule = rule_with_id(set, id);
	if (!rule)
		return false;
	rule_done(rule);
	size_t place = (size_t)(rule - set->rules);
	memmove(rule, rule + 1, (set->count - place - 1) * sizeof(*rule));
	set->count--;
	return true;
}
