#include "engine/engine_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool entry_is_expired(const struct vault_entry *entry)
{
	return entry->expires != 0 && entry->expires <= clock_now();
}

static bool entry_has_tag(const struct vault_entry *entry, const char *tag)
{
	for (size_t i = 0; i < entry->tag_count; i++)
		if (strcmp(entry->tags[i], tag) == 0)
			return true;
	return false;
}

bool entry_has_tags(const struct vault_entry *entry, const char *const tags[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!entry_has_tag(entry, tags[i]))
			return false;
	return true;
}

const char *entry_size_bucket(const struct vault_entry *entry)
{
	static const struct {
		uint64_t below;
		const char *text;
	} buckets[] = {{8, "1-7"}, {16, "8-15"}, {32, "16-31"}, {64, "32-63"}, {256, "64-255"}, {4096, "256-4095"}};
	for (size_t i = 0; i < ARRAY_COUNT(buckets); i++)
		if (entry->value_bytes < buckets[i].below)
			return buckets[i].text;
	return "4096+";
}

int engine_init(struct engine *engine, const struct engine_init *request, struct passphrase_score *out_score,
		struct err *err)
{
	if (vault_exists(engine->home.data_dir))
		return err_set(err, ERR_EXISTS, "there is a vault already; store into it with `envseal set NAME`");
	_cleanup_secret_ struct secret *passphrase = NULL;
	enum pwhash_preset preset = PWHASH_CALIBRATED;
	int r = request->pwhash ? pwhash_preset_parse(request->pwhash, &preset, err) : 0;
	if (r == 0)
		r = passphrase_choose(&request->unlock, &passphrase, err);
	if (r == 0)
		r = passphrase_estimate(passphrase, out_score, err);
	if (r < 0)
		return r;
	if (out_score->score < PASSPHRASE_SCORE_MIN && !request->allow_weak)
		return err_set(err, ERR_INPUT,
			       "the passphrase is weak (strength %d of 4, about 10^%.0f guesses); take several unrelated words, or "
			       "accept it with --allow-weak",
			       out_score->score, out_score->guesses_log10);
	_cleanup_session_ struct session session = {.engine = engine};
	r = audit_open(engine->home.state_dir, &session.audit, err);
	if (r == 0)
		r = vault_create(engine->home.data_dir, passphrase, preset, &session.vault, err);
	if (r == 0)
		r = session_begin(&session, err);
	return r < 0 ? r : session_commit(&session, "vault.init", json_object(), err);
}

// Tags are words, so that a list of them reads well and completion can offer them.
static int tag_check(const char *tag, struct err *err)
{
	struct span text = span_text(tag);
	bool ok = text.len > 0 && text.len <= VAULT_TAG_BYTES_MAX;
	for (size_t i = 0; ok && i < text.len; i++) {
		uint8_t c = text.data[i];
		ok = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("._:-", c);
	}
	return ok ? 0 : err_set(err, ERR_USAGE, "a tag is 1 to %d letters, digits, '.', '_', ':' and '-'", VAULT_TAG_BYTES_MAX);
}

static int meta_check(const struct vault_meta *meta, struct err *err)
{
	if (meta->note && strlen(meta->note) > VAULT_NOTE_BYTES_MAX)
		return err_set(err, ERR_USAGE, "a note has at most %d bytes", VAULT_NOTE_BYTES_MAX);
	if (meta->tags && meta->tag_count > VAULT_TAGS_MAX)
		return err_set(err, ERR_USAGE, "a secret has at most %d tags", VAULT_TAGS_MAX);
	for (size_t i = 0; meta->tags && i < meta->tag_count; i++) {
		int r = tag_check(meta->tags[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

// ERR_EXISTS before anybody is asked for a value that could not be stored.
static int name_check_free(struct session *session, const struct engine_set *request, struct err *err)
{
	struct vault_entry entry;
	int r = vault_find(session->vault, request->name, &entry, err);
	if (r == ERR_NOT_FOUND || (r == 0 && request->replace))
		return 0;
	if (r < 0)
		return r;
	return err_set(err, ERR_EXISTS, "%s exists already; --force stores a new version and keeps the old one in its history",
		       request->name);
}

int engine_set(struct engine *engine, const struct engine_set *request, struct vault_entry *out_entry, struct err *err)
{
	int r = name_check(request->name, err);
	if (r == 0)
		r = meta_check(&request->meta, err);
	if (r < 0)
		return r;
	_cleanup_session_ struct session session = {0};
	_cleanup_secret_ struct secret *value = NULL;
	uint8_t digest[DIGEST_BYTES];
	bool weak = false;
	r = session_open(engine, &session, err);
	if (r == 0)
		r = name_check_free(&session, request, err);
	if (r == 0)
		r = value_read(engine, request, &value, &weak, err);
	if (r == 0 && !request->locked)
		r = session_unlock_by(&session, &request->unlock, "Passphrase: ", err);
	if (r == 0)
		r = session_begin(&session, err);
	if (r < 0)
		return r;
	struct span bytes = secret_span(value);
	r = request->locked
		    ? vault_deposit(session.vault, request->name, bytes, &request->meta, weak, request->replace, err)
		    : vault_put(session.vault, request->name, bytes, &request->meta, weak, request->replace, err);
	struct vault_entry entry = {0};
	if (r == 0)
		r = vault_find(session.vault, request->name, &entry, err);
	if (r == 0 && request->locked)
		r = vault_deposit_digest(session.vault, request->name, digest, err);
	if (r < 0)
		return r;
	r = session_commit(&session, request->locked ? "secret.deposit" : "secret.set",
			   json_pack("{s:s, s:I}", "secret", request->name, "version", (json_int_t)entry.version), err);
	if (r < 0)
		return r;
	if (request->locked && request->out_digest)
		memcpy(request->out_digest, digest, sizeof(digest));
	*out_entry = entry;
	return 0;
}

int engine_list(struct engine *engine, int (*each)(void *context, const struct vault_entry *entry), void *context,
		struct err *err)
{
	_cleanup_vault_ struct vault *vault = NULL;
	int r = vault_open(engine->home.data_dir, &vault, err);
	return r < 0 ? r : vault_list(vault, each, context, err);
}

int engine_show(struct engine *engine, const char *name, struct vault_entry *out, struct err *err)
{
	_cleanup_vault_ struct vault *vault = NULL;
	int r = name_check(name, err);
	if (r == 0)
		r = vault_open(engine->home.data_dir, &vault, err);
	return r < 0 ? r : vault_find(vault, name, out, err);
}

int engine_history(struct engine *engine, const char *name,
		   int (*each)(void *context, const struct vault_version *version), void *context, struct err *err)
{
	_cleanup_vault_ struct vault *vault = NULL;
	int r = name_check(name, err);
	if (r == 0)
		r = vault_open(engine->home.data_dir, &vault, err);
	return r < 0 ? r : vault_history(vault, name, each, context, err);
}

typedef int name_change(struct vault *vault, const char *from, const char *to, struct err *err);

static int engine_change_name(struct engine *engine, const struct engine_unlock *unlock, const char *from, const char *to,
			      const char *kind, name_change *change, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	int r = name_check(to, err);
	if (r == 0)
		r = session_open_named(engine, unlock, &from, 1, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	if (r == 0)
		r = change(session.vault, from, to, err);
	return r < 0 ? r : session_commit(&session, kind, json_pack("{s:s, s:s}", "secret", from, "to", to), err);
}

int engine_rename(struct engine *engine, const struct engine_unlock *unlock, const char *from, const char *to,
		  struct err *err)
{
	return engine_change_name(engine, unlock, from, to, "secret.rename", vault_rename, err);
}

int engine_copy(struct engine *engine, const struct engine_unlock *unlock, const char *from, const char *to,
		struct err *err)
{
	return engine_change_name(engine, unlock, from, to, "secret.copy", vault_copy, err);
}

// Asks on the terminal; ERR_DENIED for no.
static int question_ask(const char *question, struct err *err)
{
	_cleanup_terminal_ struct terminal *terminal = NULL;
	bool yes = false;
	if (terminal_open("an answer", &terminal, err) < 0)
		return err_set(err, ERR_USAGE, "there is no terminal to ask on; say --yes");
	int r = terminal_ask_yes(terminal, question, &yes, err);
	if (r < 0)
		return r;
	return yes ? 0 : err_set(err, ERR_DENIED, "not confirmed; nothing was changed");
}

static int remove_ask(const char *const names[], size_t count, struct err *err)
{
	_cleanup_buf_ struct buf question = BUF_INIT(64 + (NAME_BYTES_MAX + 2) * (count < 8 ? count : 8));
	int r = buf_append_text(&question, "Remove ", err);
	for (size_t i = 0; r == 0 && i < count && i < 8; i++)
		r = buf_printf(&question, err, "%s%s", i > 0 ? ", " : "", names[i]);
	if (r == 0 && count > 8)
		r = buf_printf(&question, err, " and %zu more", count - 8);
	if (r == 0)
		r = buf_append_text(&question, " with all versions? [y/N] ", err);
	return r < 0 ? r : question_ask(buf_text(&question), err);
}

// {"secrets": [name, …]}
static json_t *names_json(const char *const names[], size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(array, json_string(names[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return json_pack("{s:o}", "secrets", array);
}

int engine_remove(struct engine *engine, const struct engine_unlock *unlock, const char *const names[], size_t count, bool yes,
		  struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct vault_entry entry;
		r = engine_show(engine, names[i], &entry, err);
	}
	if (r == 0 && !yes && !engine->is_permitted)
		r = remove_ask(names, count, err);
	if (r < 0)
		return r;
	_cleanup_session_ struct session session = {0};
	r = session_open_named(engine, unlock, names, count, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = vault_remove(session.vault, names[i], err);
	return r < 0 ? r : session_commit(&session, "secret.remove", names_json(names, count), err);
}

static bool tag_listed(const char *tag, const char *const *tags, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(tag, tags[i]) == 0)
			return true;
	return false;
}

// The entry's tags without `remove`, then `add`; borrowed from both. At most VAULT_TAGS_MAX + add_count.
static size_t tags_merge(const struct vault_entry *entry, const struct engine_tag *request, const char **out)
{
	size_t count = 0;
	for (size_t i = 0; i < entry->tag_count; i++)
		if (!tag_listed(entry->tags[i], request->remove, request->remove_count))
			out[count++] = entry->tags[i];
	for (size_t i = 0; i < request->add_count; i++)
		if (!tag_listed(request->add[i], out, count))
			out[count++] = request->add[i];
	return count;
}

int engine_tag(struct engine *engine, const struct engine_tag *request, struct vault_entry *out_entry, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_free_ const char **tags = calloc(VAULT_TAGS_MAX + request->add_count + 1, sizeof(*tags));
	if (!tags)
		return err_set(err, ERR_MEMORY, "out of memory");
	struct vault_entry entry;
	int r = engine_show(engine, request->name, &entry, err);
	if (r < 0)
		return r;
	struct vault_meta meta = {.note = request->note, .tags = tags, .expires = request->expires};
	meta.tag_count = tags_merge(&entry, request, tags);
	r = meta_check(&meta, err);
	if (r == 0)
		r = session_open_unlocked(engine, &request->unlock, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	// Once more from the verified row: what was read while locked decided nothing but an early error.
	if (r == 0)
		r = vault_find(session.vault, request->name, &entry, err);
	if (r == 0) {
		meta.tag_count = tags_merge(&entry, request, tags);
		r = vault_set_meta(session.vault, request->name, &meta, err);
	}
	struct vault_entry changed;
	if (r == 0)
		r = vault_find(session.vault, request->name, &changed, err);
	if (r == 0)
		r = session_commit(&session, "secret.tag", json_pack("{s:s}", "secret", request->name), err);
	if (r == 0)
		*out_entry = changed;
	return r;
}

// Picks the newest version that is not the current one.
struct version_search {
	uint32_t current;
	uint32_t before;
};

static int version_search_each(void *context, const struct vault_version *version)
{
	struct version_search *search = context;
	if (version->is_current)
		search->current = version->version;
	else if (version->version > search->before)
		search->before = version->version;
	return 0;
}

int engine_rollback(struct engine *engine, const struct engine_unlock *unlock, const char *name, uint32_t version,
		    uint32_t *out_version, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	struct version_search search = {0};
	int r = session_open_named(engine, unlock, &name, 1, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	if (r == 0)
		r = vault_history(session.vault, name, version_search_each, &search, err);
	if (r < 0)
		return r;
	uint32_t to = version ? version : search.before;
	if (to == 0)
		return err_set(err, ERR_NOT_FOUND, "%s has no earlier version to go back to", name);
	if (to == search.current)
		return err_set(err, ERR_EXISTS, "version %u of %s is the current one already", to, name);
	r = vault_rollback_to(session.vault, name, to, err);
	struct vault_entry entry;
	if (r == 0)
		r = vault_find(session.vault, name, &entry, err);
	if (r == 0)
		r = session_commit(&session, "secret.rollback",
				   json_pack("{s:s, s:I, s:I}", "secret", name, "from", (json_int_t)to, "version",
					     (json_int_t)entry.version),
				   err);
	if (r == 0)
		*out_version = entry.version;
	return r;
}
