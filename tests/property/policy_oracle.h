// What patterns, the matching and the order of rules mean, written down as plainly as it can be.
#pragma once

#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

static inline bool oracle_glob(const char *pattern, const char *text)
{
	if (*pattern == '*')
		return oracle_glob(pattern + 1, text) || (*text && oracle_glob(pattern, text + 1));
	if (!*pattern || !*text)
		return !*pattern && !*text;
	return (*pattern == '?' || *pattern == *text) && oracle_glob(pattern + 1, text + 1);
}

static inline bool oracle_pattern_fits(const char *pattern, const struct policy_secret *secret)
{
	bool is_tag = strncmp(pattern, "tag:", 4) == 0, fits = !is_tag && oracle_glob(pattern, secret->name);
	for (size_t t = 0; is_tag && t < secret->tag_count; t++)
		fits = fits || oracle_glob(pattern + 4, secret->tags[t]);
	return fits;
}

// "2 05" for a name of five bytes, "1 03" for a pattern of names with three that are no wildcards, "0 …" for tags; the
// largest of those that fit.
static inline void oracle_pattern_score(const struct rule *rule, const struct policy_secret *secret, char out[16])
{
	strcpy(out, "");
	for (size_t i = 0; i < rule->secrets.count; i++) {
		const char *pattern = rule->secrets.items[i];
		bool is_tag = strncmp(pattern, "tag:", 4) == 0, fits = oracle_pattern_fits(pattern, secret);
		int literal = 0, wild = 0;
		for (const char *at = pattern; *at; at++)
			*at == '*' || *at == '?' ? wild++ : literal++;
		char score[16];
		snprintf(score, sizeof(score), "%d %02d", is_tag ? 0 : wild ? 1 : 2, literal % 100);
		if (fits && strcmp(score, out) > 0)
			strcpy(out, score);
	}
}

// Texts that compare as the rules do; the smaller id is for the caller.
static inline void oracle_score(const struct rule *rule, const struct policy_secret *secret, char out[64])
{
	char pattern[16];
	oracle_pattern_score(rule, secret, pattern);
	int depth = rule->directory ? 1 : 0;
	for (const char *at = rule->directory; at && at[1]; at++)
		depth += *at == '/';
	int prefix = rule->argv_mode == RULE_ARGV_PREFIX ? (int)rule->arguments.count : 0;
	snprintf(out, 64, "%d %d %02d %s %02d %d", (int)rule->program.kind, (int)rule->argv_mode, prefix % 100, pattern,
		 depth % 100, rule->effect == RULE_ALLOW ? 0 : 1);
}

static inline bool oracle_is_ahead(const struct rule *a, const struct rule *b, const struct policy_secret *secret)
{
	char left[64], right[64];
	if ((a->effect == RULE_DENY) != (b->effect == RULE_DENY))
		return a->effect == RULE_DENY;
	oracle_score(a, secret, left);
	oracle_score(b, secret, right);
	int r = strcmp(left, right);
	return r > 0 || (r == 0 && strcmp(a->id, b->id) < 0);
}

// -------------------------------------------------------------------------------------------------------- matching

static inline bool oracle_is_text(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static inline bool oracle_secret_fits(const struct rule *rule, const struct policy_secret *secret)
{
	char score[16];
	struct err ignored;
	oracle_pattern_score(rule, secret, score);
	bool is_delivered = rule->deliveries == 0 || (rule->deliveries & secret->delivery);
	bool is_free = secret->delivery == RULE_TO_STDIN, names = rule->variables.count == 0;
	for (size_t i = 0; i < rule->variables.count; i++)
		names = names || (oracle_glob(rule->variables.items[i], secret->variable) &&
				  (!rule->is_paired || oracle_pattern_fits(rule->secrets.items[i], secret)));
	bool steers = rule->effect == RULE_ALLOW && !is_free && variable_check_secret(secret->variable, &ignored) < 0;
	return score[0] && is_delivered && (is_free || names) && !steers;
}

static inline bool oracle_is_bound(const struct rule_binding *binding, const struct program *program)
{
	if (binding->kind == RULE_BINDING_ANY)
		return true;
	if (binding->kind == RULE_BINDING_SYSTEM)
		return program && program->is_system && oracle_is_text(binding->path, program->path);
	return program && memcmp(binding->digest, program->digest, DIGEST_BYTES) == 0;
}

static inline bool oracle_program_fits(const struct rule *rule, const struct program *program)
{
	const struct program *interpreter = program->interpreter;
	if (!oracle_is_bound(&rule->program, program) || !oracle_is_bound(&rule->interpreter, interpreter))
		return false;
	if (rule->effect != RULE_ALLOW)
		return true;
	if (program->is_by_path || (program_is_open_ended(program->path) && rule->argv_mode != RULE_ARGV_EXACT))
		return false;
	if (!interpreter)
		return true;
	if (interpreter->is_by_path || program_path_is_env(interpreter->path))
		return false;
	return rule->interpreter.kind != RULE_BINDING_ANY ||
	       (rule->program.kind == RULE_BINDING_SYSTEM && interpreter->is_system);
}

static inline bool oracle_arguments_fit(const struct rule *rule, char *const argv[])
{
	size_t same = 0, given = 0;
	while (argv[given])
		given++;
	while (same < given && same < rule->arguments.count && oracle_is_text(argv[same], rule->arguments.items[same]))
		same++;
	return same == rule->arguments.count && (rule->argv_mode != RULE_ARGV_EXACT || same == given);
}

static inline bool oracle_script_fits(const struct rule *rule, const struct policy_request *request)
{
	bool has_script = rule->script.kind != RULE_BINDING_ANY, is_read = !request->script_is_unread;
	bool is_path = has_script && oracle_is_text(rule->script.path, request->script_path);
	bool is_content = has_script && is_read && request->script_path &&
			  memcmp(rule->script.digest, request->script_digest, DIGEST_BYTES) == 0;
	if (rule->effect == RULE_ALLOW)
		return is_read && (has_script ? is_path && is_content : !request->script_path);
	return !has_script || is_path || is_content;
}

static inline bool oracle_kept_fit(const struct rule *rule, const struct policy_request *request)
{
	size_t named = 0;
	for (size_t i = 0; i < request->kept_count; i++) {
		bool is_named = false;
		for (size_t k = 0; k < rule->environment.count; k++)
			is_named = is_named || oracle_is_text(rule->environment.items[k], request->kept[i]);
		named += is_named;
	}
	return rule->effect != RULE_ALLOW || named == request->kept_count;
}

static inline bool oracle_directory_fits(const struct rule *rule, const struct policy_request *request)
{
	char below[64], asked[64];
	snprintf(below, sizeof(below), "%s/*", oracle_is_text(rule->directory, "/") ? "" : rule->directory);
	snprintf(asked, sizeof(asked), "%s/", request->directory);
	return !rule->directory || oracle_glob(below, asked);
}

static inline bool oracle_time_fits(const struct rule *rule, const struct policy_request *request)
{
	bool is_allow = rule->effect == RULE_ALLOW, counts = oracle_is_text(rule->until.boot, request->boot);
	size_t ends = (rule->expires != 0) + (size_t)counts, over = 0;
	over += rule->expires && rule->expires <= request->now;
	over += counts && rule->until.milliseconds <= request->boottime_ms;
	bool has_ended = is_allow ? over > 0 : ends > 0 && over == ends;
	bool is_back = is_allow && rule->expires && request->now < rule->created;
	bool is_session = !rule->session.pid || (rule->session.pid == request->session.pid &&
						 rule->session.start == request->session.start);
	return !has_ended && !is_back && is_session && (!rule->boot[0] || oracle_is_text(rule->boot, request->boot));
}

// Of each path that is asked for, some text of the rule must be what it begins with, up to a '/' or the end.
static inline bool oracle_paths_fit(const struct text_list *list, const struct text_list *asked)
{
	size_t fits = 0;
	for (size_t i = 0; i < asked->count; i++) {
		bool fit = false;
		for (size_t j = 0; j < list->count; j++) {
			char folder[128], path[128];
			snprintf(folder, sizeof(folder), "%s/", strcmp(list->items[j], "/") == 0 ? "" : list->items[j]);
			snprintf(path, sizeof(path), "%s/", strcmp(asked->items[i], "/") == 0 ? "" : asked->items[i]);
			fit = fit || strstr(path, folder) == path;
		}
		fits += fit;
	}
	return fits == asked->count;
}

static inline bool oracle_sandbox_fits(const struct rule *rule, const struct policy_request *request)
{
	const struct rule_sandbox *has = &rule->sandbox, *asked = request->sandbox;
	static const int openness[] = {0, 0, 1, 2}; // by enum sandbox_network
	for (size_t i = 0; rule->effect == RULE_ALLOW && i < asked->endpoints.count; i++) {
		size_t same = 0;
		for (size_t j = 0; j < has->endpoints.count; j++)
			same += strcmp(has->endpoints.items[j], asked->endpoints.items[i]) == 0;
		if (same == 0)
			return false;
	}
	bool is_weaker = request->names_tier && asked->tier < has->tier;
	bool fits = has->is_unshielded >= asked->is_unshielded && has->is_degradable >= asked->is_degradable &&
		    openness[has->network] >= openness[asked->network] && oracle_paths_fit(&has->readable, &asked->readable) &&
		    oracle_paths_fit(&has->writable, &asked->writable);
	return rule->effect != RULE_ALLOW || (fits && !is_weaker);
}

static inline bool oracle_matches(const struct rule *rule, const struct policy_request *request,
				  const struct policy_secret *secret)
{
	bool is_used_up = rule->is_counted && rule->uses_left < request->uses;
	return oracle_secret_fits(rule, secret) && oracle_program_fits(rule, request->program) &&
	       oracle_arguments_fit(rule, request->argv) && oracle_script_fits(rule, request) &&
	       oracle_kept_fit(rule, request) && oracle_directory_fits(rule, request) &&
	       oracle_time_fits(rule, request) && oracle_sandbox_fits(rule, request) &&
	       (request->redaction || !rule->redaction) && !is_used_up;
}
