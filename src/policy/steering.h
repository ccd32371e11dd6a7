// policy/steering: what is known of variables by name.
#pragma once

#include "policy/policy.h"

// False for TERM, LANG, LC_*, TZ, COLORTERM and their like with a value that is no plain name: a path, a '%', controls;
// and for any variable that holds a function as old shells export it.
bool variable_has_plain_shape(struct span name, struct span value);
// True for OPENAI_API_KEY, CARGO_REGISTRY_TOKEN and their like: dropped from the caller's environment as others of
// their family, but a fit place for a secret that was named for it.
bool variable_is_credential(struct span name);
