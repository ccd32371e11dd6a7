#include "engine/engine_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void opened_done(struct opened *opened)
{
	for (size_t i = 0; i < opened->count; i++)
		secret_free_ptr(&opened->values[i]);
	free(opened->values);
	*opened = (struct opened){0};
}

int session_reveal(struct session *session, const char *name, struct secret **out, struct err *err)
{
	struct vault_entry entry;
	int r = vault_find(session->vault, name, &entry, err);
	if (r == 0)
		r = vault_reveal(session->vault, name, 0, out, err);
	if (r < 0)
		return r;
	char when[CLOCK_TEXT_BYTES];
	clock_format(entry.expires, when);
	if (entry_is_expired(&entry))
		engine_notice(session->engine, "%s expired at %s; store a new value with `envseal set %s --force`", name, when, name);
	if (entry.is_pending)
		engine_notice(session->engine, "a newer value of %s waits to be confirmed and is not used (`envseal confirm %s`)",
			      name, name);
	return 0;
}

int opened_add_all(struct opened *opened, struct session *session, const char *const names[], size_t count, struct err *err)
{
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept
	opened->values = calloc(count + 1, sizeof(*opened->values));
	if (!opened->values)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = 0;
	while (r == 0 && opened->count < count) {
		r = session_reveal(session, names[opened->count], &opened->values[opened->count], err);
		opened->count += r == 0;
	}
	return r;
}

// One secret may go to several variables. It is looked for once, or every mask would name it as often.
static bool name_is_repeated(const char *const names[], size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(names[i], names[index]) == 0)
			return true;
	return false;
}

int opened_redactor(const struct opened *opened, const char *const names[], struct redactor **out, struct err *err)
{
	_cleanup_free_ struct redact_value *values = calloc(opened->count + 1, sizeof(*values));
	if (!values)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < opened->count; i++) {
		values[i].name = names[i];
		if (!name_is_repeated(names, i))
			values[i].value = secret_span(opened->values[i]);
	}
	return redactor_new(values, opened->count, out, err);
}

void asker_name(int pid, char out[ASKER_NAME_BYTES])
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	snprintf(out, ASKER_NAME_BYTES, "?");
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, out, ASKER_NAME_BYTES - 1);
	if (len > 0)
		out[out[len - 1] == '\n' ? len - 1 : len] = 0;
}

json_t *asker_json(const struct engine *engine)
{
	pid_t pid = engine_asker(engine);
	char asker[ASKER_NAME_BYTES];
	struct err err;
	asker_name(pid, asker);
	_cleanup_buf_ struct buf printable = BUF_INIT(4 * ASKER_NAME_BYTES);
	if (text_printable(span_text(asker), &printable, &err) < 0)
		return NULL;
	json_t *object = json_pack("{s:i, s:s}", "pid", pid, "name", buf_text(&printable));
	if (object && engine->client && engine->client->is_confined)
		json_object_set_new(object, "confined", json_true());
	return object;
}

void *array_room(void *array, size_t count, size_t bytes)
{
	bool is_full = (count & (count - 1)) == 0;
	return is_full ? reallocarray(array, count == 0 ? 1 : 2 * count, bytes) : array;
}

static int stored_take(void *context, const struct vault_version *version)
{
	if (version->is_current)
		*(int64_t *)context = version->stored;
	return 0;
}

int secret_stored(struct vault *vault, const char *name, int64_t *out, struct err *err)
{
	*out = 0;
	return vault_history(vault, name, stored_take, out, err);
}
