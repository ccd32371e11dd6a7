#include "engine/engine_internal.h"

#include <stdlib.h>
#include <string.h>

// The waiting entries a request is about, and what each deposit was when it was looked at.
struct waiting {
	struct vault_entry *entries;
	uint8_t (*digests)[DIGEST_BYTES];
	size_t count;
	bool out_of_memory;
};

static void waiting_done(struct waiting *waiting)
{
	free(waiting->entries);
	free(waiting->digests);
}

static int waiting_add(void *context, const struct vault_entry *entry)
{
	struct waiting *waiting = context;
	if (!entry->is_pending)
		return 0;
	struct vault_entry *entries = reallocarray(waiting->entries, waiting->count + 1, sizeof(*entries));
	if (!entries) {
		waiting->out_of_memory = true;
		return ERR_MEMORY;
	}
	entries[waiting->count++] = *entry;
	waiting->entries = entries;
	return 0;
}

// The digest first: what is shown is then never older than what can be confirmed.
static int waiting_look(struct session *session, struct waiting *waiting, size_t i, struct err *err)
{
	char name[NAME_BYTES_MAX + 1];
	memcpy(name, waiting->entries[i].name, sizeof(name));
	int r = vault_deposit_digest(session->vault, name, waiting->digests[i], err);
	if (r == 0)
		r = vault_find(session->vault, name, &waiting->entries[i], err);
	if (r == 0 && !waiting->entries[i].is_pending)
		return err_set(err, ERR_NOT_FOUND, "no value of %s waits to be confirmed", name);
	return r;
}

static int waiting_look_all(struct session *session, struct waiting *waiting, struct err *err)
{
	waiting->digests = calloc(waiting->count, sizeof(*waiting->digests));
	if (!waiting->digests)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = 0;
	for (size_t i = 0; r == 0 && i < waiting->count; i++)
		r = waiting_look(session, waiting, i, err);
	return r;
}

static int waiting_find(struct session *session, const struct engine_confirm *request, struct waiting *waiting,
			struct err *err)
{
	if (request->count == 0) {
		int r = vault_list(session->vault, waiting_add, waiting, err);
		if (waiting->out_of_memory)
			return err_set(err, ERR_MEMORY, "out of memory");
		if (r == 0 && waiting->count == 0)
			return err_set(err, ERR_NOT_FOUND, "no value waits to be confirmed");
		return r < 0 ? r : waiting_look_all(session, waiting, err);
	}
	for (size_t i = 0; i < request->count; i++) {
		struct vault_entry entry = {0};
		int r = name_check(request->names[i], err);
		if (r == 0)
			r = vault_find(session->vault, request->names[i], &entry, err);
		// One that is no deposit can still be thrown away.
		if (r == ERR_DAMAGED && request->discard) {
			entry = (struct vault_entry){.is_pending = true};
			memcpy(entry.name, request->names[i], strlen(request->names[i]) + 1);
			r = 0;
		}
		if (r < 0)
			return r;
		if (!entry.is_pending)
			return err_set(err, ERR_NOT_FOUND, "no value of %s waits to be confirmed", request->names[i]);
		if (waiting_add(waiting, &entry) < 0)
			return err_set(err, ERR_MEMORY, "out of memory");
	}
	return request->discard ? 0 : waiting_look_all(session, waiting, err);
}

static int waiting_row(const struct vault_entry *entry, struct buf *out, struct err *err)
{
	char since[CLOCK_TEXT_BYTES];
	clock_format(entry->pending_since, since);
	int r = buf_printf(out, err, "  %s  stored while locked at %s%s", entry->name, since,
			   entry->version > 0 ? ", would replace a confirmed value" : "");
	// Over a confirmed value the entry holds the note of that one.
	bool has_note = entry->version == 0 && entry->note[0];
	if (r == 0 && has_note)
		r = buf_append_text(out, "\n    note: ", err);
	if (r == 0 && has_note)
		r = text_printable(span_text(entry->note), out, err);
	return r == 0 ? buf_append_byte(out, '\n', err) : r;
}

static int waiting_show(struct terminal *terminal, const struct waiting *waiting, struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 24);
	int r = 0;
	for (size_t i = 0; r == 0 && i < waiting->count; i++)
		r = waiting_row(&waiting->entries[i], &text, err);
	return r < 0 ? r : terminal_print(terminal, buf_span(&text), err);
}

// Shows what is about to be decided, wherever the passphrase is asked for, and asks where the request named nothing.
static int waiting_ask(const struct engine_confirm *request, const struct waiting *waiting, struct err *err)
{
	bool asks = request->count == 0 && !request->yes;
	if (!asks && !unlock_is_terminal(&request->unlock))
		return 0;
	_cleanup_terminal_ struct terminal *terminal = NULL;
	int r = terminal_open("the passphrase", &terminal, err);
	if (r < 0 && asks)
		return err_set(err, ERR_USAGE, "there is no terminal to ask on; name the secrets, or say --yes");
	if (r == 0)
		r = waiting_show(terminal, waiting, err);
	if (r < 0 || !asks)
		return r;
	bool yes = false;
	r = terminal_ask_yes(terminal,
			     request->discard ? "Throw these values away? [y/N] " : "Take these values? [y/N] ", &yes, err);
	if (r < 0)
		return r;
	return yes ? 0 : err_set(err, ERR_DENIED, "not confirmed; nothing was changed");
}

// Anybody may have put another deposit in its place while the human looked and typed.
int deposit_confirm(struct session *session, const char *name, const uint8_t seen[DIGEST_BYTES], struct err *err)
{
	uint8_t digest[DIGEST_BYTES];
	int r = vault_deposit_digest(session->vault, name, digest, err);
	if (r == 0 && !digest_is_equal(digest, seen))
		return err_set(err, ERR_DENIED, "the value that waits for %s was replaced meanwhile; nothing was confirmed, so "
			       "look at it again", name);
	return r < 0 ? r : vault_confirm(session->vault, name, err);
}

static int waiting_apply(struct session *session, const struct engine_confirm *request, const struct waiting *waiting,
			 struct err *err)
{
	json_t *names = json_array();
	int r = 0;
	for (size_t i = 0; r == 0 && i < waiting->count; i++) {
		const char *name = waiting->entries[i].name;
		r = request->discard ? vault_discard(session->vault, name, err) : deposit_confirm(session, name, waiting->digests[i], err);
		json_array_append_new(names, json_string(name));
	}
	if (r < 0) {
		json_decref(names);
		return r;
	}
	return session_commit(session, request->discard ? "secret.discard" : "secret.confirm",
			      json_pack("{s:o}", "secrets", names), err);
}

int engine_confirm(struct engine *engine, const struct engine_confirm *request,
		   void (*each)(void *context, const struct vault_entry *entry), void *context, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_(waiting_done) struct waiting waiting = {0};
	int r = session_open(engine, &session, err);
	if (r == 0)
		r = waiting_find(&session, request, &waiting, err);
	if (r == 0)
		r = waiting_ask(request, &waiting, err);
	if (r == 0)
		r = session_unlock_by(&session, &request->unlock, "Passphrase: ", err);
	if (r == 0)
		r = session_begin(&session, err);
	if (r == 0)
		r = waiting_apply(&session, request, &waiting, err);
	for (size_t i = 0; r == 0 && i < waiting.count; i++) {
		struct vault_entry entry;
		if (request->discard)
			entry = waiting.entries[i];
		else
			r = vault_find(session.vault, waiting.entries[i].name, &entry, err);
		if (r == 0)
			each(context, &entry);
	}
	return r;
}
