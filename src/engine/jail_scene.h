// engine/jail: what starting an agent in a jail, and trying the jail, share.
#pragma once

#include "engine/record.h"

struct jail_scene {
	struct jail_plan plan;
	char *home;      // real path; NULL
	char *directory; // real path; NULL: it was deleted
	char *temporary; // TMPDIR; NULL
	char *own_program;
	char *program;   // where the agent was found; NULL: there is none
};
void jail_scene_done(struct jail_scene *scene);
#define _cleanup_jail_scene_ _cleanup_(jail_scene_done)
// Finds the agent, and makes the plan.
int jail_scene_make(const struct engine *engine, const struct engine_jail *request, struct jail_scene *out, struct err *err);
