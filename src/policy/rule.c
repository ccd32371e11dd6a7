#include "policy/rule.h"

#include <stdlib.h>
#include <string.h>

void rule_sandbox_done(struct rule_sandbox *sandbox)
{
	text_list_done(&sandbox->readable);
	text_list_done(&sandbox->writable);
	text_list_done(&sandbox->endpoints);
	*sandbox = (struct rule_sandbox){0};
}

void rule_done(struct rule *rule)
{
	text_list_done(&rule->secrets);
	text_list_done(&rule->variables);
	text_list_done(&rule->arguments);
	free(rule->program.path);
	text_list_done(&rule->environment);
	rule_sandbox_done(&rule->sandbox);
	free(rule->interpreter.path);
	free(rule->script.path);
	free(rule->directory);
	*rule = (struct rule){0};
}

void rules_done(struct rule_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		rule_done(&set->rules[i]);
	free(set->rules);
	*set = (struct rule_set){0};
}

const char *rule_effect_name(enum rule_effect effect)
{
	static const char *const names[] = {"ask", "allow", "deny"};
	return names[effect];
}

const char *rule_made_name(enum rule_made made)
{
	static const char *const names[] = {"command", "prompt"};
	return names[made];
}

bool rule_is_glob(const char *pattern)
{
	return strpbrk(pattern, "*?") != NULL;
}

size_t rule_literal_bytes(const char *pattern)
{
	size_t bytes = 0;
	for (; *pattern; pattern++)
		bytes += *pattern != '*' && *pattern != '?';
	return bytes;
}

// What stands before the last `*` seen has been placed as early as it can be, so no other place for it needs a try:
// only the part behind it is moved on.
bool rule_glob_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;
	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
