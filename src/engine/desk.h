// engine/desk: a question that is put to a human in another place (engine.h, struct engine_desk), by way of processes
// that are not believed.
//
// Invariants
//  - An approval counts where the vault's key vouches for it (vault_voucher): for this question, every byte of it, asked this
//    once, and for what was chosen. What was not offered does not count.
//  - A no counts from anybody, and nobody's answer is a no of a human.
#pragma once

#include "engine/engine_internal.h"

// What is vouched for, as both sides make it.
#define DESK_TITLE "envseal approval 1"
#define DESK_MESSAGE_BYTES (sizeof(DESK_TITLE) + DESK_NONCE_BYTES + DIGEST_BYTES + 3)
void desk_message(const struct desk_question *question, const struct desk_answer *answer, uint8_t out[DESK_MESSAGE_BYTES]);

// Answers that do not count, until nobody is asked any more.
#define DESK_TRIES 5

// In a worker; the session is unlocked, and outside of a transaction. By pinentry, where no console is open and the
// broker was started with a display; else, or when that brought no answer, at the desk. 0: it is approved, as `out`
// says; ERR_DENIED with is_denied and cools_down of `out`; ERR_INTERRUPTED when the asker is gone; ERR_PASSPHRASE for
// what was typed into pinentry; ERR_LIMIT.
int desk_put(struct session *session, const struct approval *approval, bool wants_code, struct approval_answer *out,
	     struct err *err);
// The second half of it: at the desk.
int desk_ask(struct session *session, const struct approval *approval, struct approval_answer *out, struct err *err);
// Whether a passphrase opens the vault of this session, which the broker's key has open. A wrong one is counted as in
// session_unlock.
int session_passphrase_judge(struct session *session, const struct secret *passphrase, struct err *err);
