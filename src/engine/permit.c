#include "engine/consent.h"

#include <stdlib.h>

int engine_permit(struct engine *engine, char *const *words, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	size_t count = 0;
	while (words[count])
		count++;
	_cleanup_free_ char **line = calloc(count + 2, sizeof(*line));
	if (!line)
		return err_set(err, ERR_MEMORY, "out of memory");
	char own_name[] = "envseal";
	line[0] = own_name;
	for (size_t i = 0; i < count; i++)
		line[i + 1] = words[i];
	int r = session_open_by_key(engine, &session, err);
	if (r == 0)
		r = consent_change(&session, &(struct change){.action = "have envseal do this", .argv = line}, err);
	engine->is_permitted = r == 0;
	return r;
}
