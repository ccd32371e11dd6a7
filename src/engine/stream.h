// engine/stream: standard input through a filter to standard output, with a line on a third descriptor for each mask.
#pragma once

#include "engine/record.h"

struct stream_plan {
	struct engine *engine; // for notices
	const struct redactor *redactor;
	const char *const *names; // of the secrets, in the order of the redactor's values
	int events_fd;            // -1: none
	const struct exec_inherited *inherited;
};
// Fills everything in `out` but the names, which are the caller's, in every case of a return of 0; that the stream did not
// come to its end is told by out->signal and out->failure. ERR_MEMORY, ERR_SYSTEM: nothing was read.
int stream_run(const struct stream_plan *plan, struct redact_outcome *out, struct err *err);
