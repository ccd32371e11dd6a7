// engine/question: what a human is asked about a plan, as approve shows it.
#pragma once

#include "engine/consent.h"
#include "engine/rules.h"

// What an approval points to.
struct question {
	struct ancestry askers;
	char **secrets; // NULL behind them
	struct notes waiting;
	struct notes becomes;
	char digest[DIGEST_HEX_BYTES];
	struct approval approval;
};
void question_done(struct question *question);
#define _cleanup_question_ _cleanup_(question_done)

// What takes a while, and can fail; `out` is all zero.
int question_begin(const struct plan *plan, struct question *out, struct err *err);
// The rest, as it is now. Borrows from all of them.
void question_fill(const struct engine *engine, const struct plan *plan, const struct notes *notes, const char *level,
		   bool only_once, struct question *question);
// ERR_DENIED for one that is longer than can be read.
int question_check(const struct approval *approval, struct err *err);
// By the pinentry that root chose, on the display that this environment names. ERR_LOCKED when one of them is not there.
int question_by_pinentry(const struct approval *approval, char *const *environment, const struct approval_needs *needs,
			 struct approval_answer *out, struct err *err);

// Of the rule that a choice becomes.
struct rule_terms choice_terms(enum approval_choice choice, const struct plan *plan);
