// engine/promises: which of the promises of docs/threats.md hold on this machine, by what doctor finds.
#pragma once

#include "engine/engine.h"

// Collects findings. {0} to begin with.
struct promises {
	struct finding *findings; // owned: those that are not as they should be
	size_t count;
};
void promises_done(struct promises *promises);
// ERR_MEMORY.
int promises_note(struct promises *promises, const struct finding *finding, struct err *err);
// Was that finding noted?
bool promises_has(const struct promises *promises, const char *finding);
// Each promise, in the order of the page. `each` returning non-zero stops and is returned.
int promises_tell(const struct promises *promises, int (*each)(void *context, const struct engine_promise *promise),
		  void *context);
