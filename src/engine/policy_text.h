// engine/policy_text: rules and commands as text: for a human who is to agree, for a terminal to be pasted into, and
// for the log. All of it is printable ASCII.
#pragma once

#include "engine/rules.h"

// What a person can read at a prompt, as for a run.
#define RULE_WORDS_BYTES_MAX APPROVAL_BYTES_MAX

// "id  effect" and a row for each thing that it says, in words. Nothing of it is left out.
int rule_words(const struct rule *rule, struct buf *out, struct err *err);
// One word of a shell's command line, which means `word` again when it is pasted into one; bash and zsh read it, and
// any POSIX shell unless it ends with a line feed.
int word_quote(const char *word, struct buf *out, struct err *err);
// The rule's canonical form. NULL when memory runs out, or the rule is not sound.
json_t *rule_json(const struct rule *rule);
// For a record: {"secrets", "rules", "rules_left_out"}: the patterns and the rules as far as RECORD_NAMES_BYTES_MAX
// goes, the first always, and how many more there are. NULL when memory runs out.
json_t *rules_record_json(const struct rule *const rules[], size_t count);
