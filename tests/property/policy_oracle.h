// What patterns and the order of rules mean, written down as plainly as it can be.
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

// "2 05" for a name of five bytes, "1 03" for a pattern of names with three that are no wildcards, "0 …" for tags; the
// largest of those that fit.
static inline void oracle_pattern_score(const struct rule *rule, const struct policy_secret *secret, char out[16])
{
	strcpy(out, "");
	for (size_t i = 0; i < rule->secrets.count; i++) {
		const char *pattern = rule->secrets.items[i];
		bool is_tag = strncmp(pattern, "tag:", 4) == 0, fits = !is_tag && oracle_glob(pattern, secret->name);
		for (size_t t = 0; is_tag && t < secret->tag_count; t++)
			fits = fits || oracle_glob(pattern + 4, secret->tags[t]);
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
