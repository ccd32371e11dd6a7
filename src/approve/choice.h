// approve/choice: the words for what an approval becomes.
#pragma once

#include "approve/approve.h"

// What a letter typed at the prompt asks for.
enum choice_kind { CHOICE_NONE, CHOICE_SWITCH, CHOICE_VALUES, CHOICE_DENY, CHOICE_COOL_DOWN };
// CHOICE_NONE for a letter of a choice that is not offered.
enum choice_kind choice_of(const struct approval *approval, uint8_t letter, enum approval_choice *out);
// Appends one row that lists the choices other than what the answer has by now, and the prompt that confirms that by `what`
// ("Passphrase").
int choice_prompt(const struct approval *approval, const struct approval_answer *now, const char *what, struct buf *out,
		  struct err *err);
// What `choice` becomes, in a row; nothing where nothing is said. Made printable.
int choice_becomes(const struct approval *approval, enum approval_choice choice, struct buf *out, struct err *err);
