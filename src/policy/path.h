// policy/path: which folders of a PATH may decide what a name runs.
#pragma once

#include "base/base.h"

// An absolute path of a folder that is there, in which nobody but root and the effective user can put a program or
// another folder in its place: it, the folders above it and the links that lead to it belong to one of the two and are
// writable by nobody else. Above it, a sticky folder such as /tmp does no harm.
bool path_entry_is_safe(struct span entry);
