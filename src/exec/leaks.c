#include <stdlib.h>

#include "exec/exec.h"

int exec_leaks_init(struct exec_leaks *leaks, struct err *err)
{
	*leaks = (struct exec_leaks){.rows = calloc(EXEC_LEAKS_MAX, sizeof(*leaks->rows))};
	return leaks->rows ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

void exec_leaks_done(struct exec_leaks *leaks)
{
	free(leaks->rows);
	*leaks = (struct exec_leaks){0};
}

void exec_leaks_add(struct exec_leaks *leaks, int stream, const struct redact_leak *leak)
{
	leaks->total++;
	for (size_t i = 0; i < leaks->count; i++) {
		struct exec_leak *row = &leaks->rows[i];
		if (row->secret_index != leak->value_index || row->form != leak->form || row->stream != stream)
			continue;
		row->count++;
		return;
	}
	if (leaks->count == EXEC_LEAKS_MAX)
		return;
	leaks->rows[leaks->count++] = (struct exec_leak){
		.secret_index = leak->value_index,
		.form = leak->form,
		.stream = stream,
		.first_offset = leak->offset,
		.count = 1,
	};
}
