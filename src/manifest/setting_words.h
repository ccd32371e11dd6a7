// What names and single words tell about a value. Internal to this folder.
#pragma once

#include "base/base.h"

// What the last part of a variable's name promises about an ordinary value.
enum name_hint { NAME_HINT_NONE, NAME_HINT_WORD, NAME_HINT_PATH, NAME_HINT_MAIL, NAME_HINT_SCHEDULE };

// True when a name like this usually goes with a secret: DB_PASSWORD, apiKey, STRIPE_SK, SENTRY_DSN.
bool name_sounds_secret(struct span name);
enum name_hint name_find_hint(struct span name);
// True for words that are settings wherever they stand: true, debug, production, utf-8. Case does not matter.
bool word_is_known(struct span word);
