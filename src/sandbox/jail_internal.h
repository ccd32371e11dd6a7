// sandbox/jail's own pieces.
#pragma once

#include "sandbox/sandbox_internal.h"

#define JAIL_PATHS_MAX 256 // of each list of a profile, with what '*' stands for

// jail_profile.c

struct jail_profile {
	const char *name;
	struct text_list hide, read, write; // absolute
};
// By jail_wish.profile, with what the wish itself says. `make_state`: the agent's own folders are made.
int jail_profile_load(const struct jail_wish *wish, const struct sandbox_place *place, bool make_state,
		      struct jail_profile *out, struct err *err);
void jail_profile_done(struct jail_profile *profile);

// jail_dotenv.c

// Adds dotenv files that can be secret (not .env.example and the like): in the folder and below, and in the folders above up
// to the home. *ret_cut: not all folders were looked at.
int jail_dotenv_find(const char *directory, const char *home, struct text_list *out, bool *ret_cut, struct err *err);

// jail_cache.c

// Appends the folders in ~/.cache that may be written: real paths. `make_folders`: those of common tools are made.
int jail_cache_find(const char *home, bool make_folders, struct text_list *out, struct err *err);

// jail_mounts.c: in a process in a user and a mount namespace of its own, with maps. 0 or errno.
int jail_mounts_make(const struct jail_plan *plan);
