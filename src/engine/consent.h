// engine/consent: asking a human about a plan, and what the answer becomes.
//
// Invariants
//  - A question shows the whole plan before what confirms it can be typed, one question at a time.
//  - Before the vault is open nobody knows its rules. Where the log says that a rule allowed such a run, or that the level
//    wants more than the passphrase, only the passphrase is asked for, and the question comes behind it if it has to.
//  - After three denials in a row, or one that demands it, nothing is asked for a while; what is refused unasked is no
//    denial.
#pragma once

#include "engine/decide.h"
#include "engine/security.h"

// What "for a time" means at the prompt.
#define CONSENT_GRANT_SECONDS (8 * 3600)

struct consent {
	bool is_by_option;           // the passphrase came by an option
	bool is_shown;               // a question was, whatever came of it; at the desk: and a human answered it
	bool cools_down;             // and wants no other for a while
	int turn;                    // the lock of the question, kept until a denial is in the log; -1
	bool is_given;               // the whole question was answered
	bool is_informed;            // and that with the vault open: level, findings and rules were known
	enum approval_choice choice;
	bool takes_values;           // also those that would replace a confirmed one
	struct secret *passphrase;   // owned
};
#define CONSENT_INIT ((struct consent){.turn = -1})
void consent_done(struct consent *consent);
#define _cleanup_consent_ _cleanup_(consent_done)

// Sentences for the question, owned.
#define CONSENT_NOTES_MAX 64
struct notes {
	char *items[CONSENT_NOTES_MAX];
	size_t count; // more than fit are left out
};
void notes_add(struct notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));
void notes_done(struct notes *notes);
#define _cleanup_notes_ _cleanup_(notes_done)

// Before the vault is open: gets the passphrase, and consent where the whole question was shown. ERR_DENIED, ERR_INTERRUPTED;
// ERR_LOCKED without a terminal, pinentry or option.
int consent_first(struct engine *engine, const struct plan *plan, const struct engine_unlock *unlock,
		  struct consent *out, struct err *err);
// With the vault open, and outside of a transaction: the whole question, with what is known now; checks passphrase or code.
// `only_once` offers nothing wider. Under a broker it is put to the desk (engine/desk.h). ERR_PASSPHRASE for a wrong
// answer, which is counted.
int consent_again(struct session *session, const struct plan *plan, const struct security *security,
		  const struct notes *notes, bool only_once, struct consent *consent, struct err *err);
// A change of the vault that is no run.
struct change {
	const char *action;  // "set", "redact"
	const char *subject; // a secret, or some; NULL: none is named
	char *const *argv;   // a command line of envseal; NULL: none
	struct notes notes;
};
// The same for one, at the desk. The session is unlocked, and outside of a transaction. Records a denial, as "secret.denied".
int consent_change(struct session *session, const struct change *change, struct err *err);
// ERR_DENIED where the level demands a reason and an agent, by the names of its processes, gave none.
int reason_check(const struct engine *engine, const struct plan *plan, enum security_level level, struct err *err);
// In a transaction, after rules were read: adds what the choice becomes to the rules and stores them. *ret_ids gets the ids,
// a JSON array; none for `once`.
int consent_keep(struct session *session, const struct plan *plan, const struct consent *consent,
		 struct decision *decision, json_t **ret_ids, struct err *err);
