#include "engine/engine_internal.h"

#include <stdio.h>
#include <stdlib.h>

int engine_start(struct exec_inherited *out, struct err *err)
{
	struct exec_inherited inherited;
	int r = exec_inherit(&inherited, err);
	if (r == 0)
		r = process_harden(err);
	if (r == 0)
		*out = inherited;
	return r;
}

void engine_end_like(const struct exec_outcome *outcome)
{
	exec_end_like(outcome);
}

int engine_new(engine_notice_fn *notice, struct engine **out, struct err *err)
{
	int r = cipher_start(err);
	if (r < 0)
		return r;
	_cleanup_engine_ struct engine *engine = calloc(1, sizeof(*engine));
	if (!engine)
		return err_set(err, ERR_MEMORY, "out of memory");
	engine->notice = notice;
	engine->queue_fd = -1;
	engine->names_fd = -1;
	r = home_init(&engine->home, err);
	if (r < 0)
		return r;
	*out = TAKE_PTR(engine);
	return 0;
}

struct engine *engine_free(struct engine *engine)
{
	if (engine) {
		engine_settle(engine);
		// A worker's pages are its keeper's.
		if (!engine->client)
			shielded_free(engine->root);
		vault_close(engine->spare);
		fd_close(&engine->queue_fd);
		fd_close(&engine->names_fd);
		home_done(&engine->home);
		free(engine);
	}
	return NULL;
}

const struct home *engine_home(const struct engine *engine)
{
	return &engine->home;
}

void engine_free_ptr(struct engine **engine)
{
	*engine = engine_free(*engine);
}

void engine_tell(struct engine *engine, const char *sentence)
{
	engine->notice(sentence);
}

void engine_notice(struct engine *engine, const char *format, ...)
{
	char sentence[ERR_TEXT_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	engine->notice(sentence);
}
