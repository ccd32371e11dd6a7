#include "vault/vault_internal.h"

#include <string.h>

int secret_write(struct vault *vault, const struct vault_entry *entry, struct err *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	int r = secret_encode(entry, &body, err);
	return r < 0 ? r : tree_put(vault, KIND_SECRET, span_text(entry->name), buf_span(&body), err);
}

static int version_write(struct vault *vault, const struct vault_entry *entry, const struct vault_version *version,
			 uint8_t flags, struct span value, struct err *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	struct pen pen = {.buf = &body, .err = err};
	pen_u8(&pen, VAULT_FORMAT);
	pen_u8(&pen, flags);
	pen_u64(&pen, (uint64_t)version->stored);
	pen_u64(&pen, value.len);
	struct value_label label = {.id = entry->id, .version = version->version, .name = span_text(entry->name)};
	int r = pen.r < 0 ? pen.r : value_seal(vault, &label, value, &body, err);
	if (r < 0)
		return r;
	uint8_t key[VERSION_KEY_BYTES];
	version_key(entry->id, version->version, key);
	return tree_put(vault, KIND_VERSION, span_of(key, sizeof(key)), buf_span(&body), err);
}

int secret_append(struct vault *vault, struct vault_entry *entry, struct span value, bool is_weak, struct err *err)
{
	int64_t now = clock_now();
	if (entry->version == UINT32_MAX)
		return err_set(err, ERR_LIMIT, "%s has too many versions; remove it and store it anew", entry->name);
	if (entry->version == 0) {
		rng_fill(entry->id, sizeof(entry->id));
		entry->created = now;
	}
	entry->version++;
	entry->version_count++;
	entry->changed = now;
	entry->value_bytes = value.len;
	entry->is_weak = is_weak;
	struct vault_version version = {.version = entry->version, .stored = now};
	int r = version_write(vault, entry, &version, is_weak ? FLAG_WEAK : 0, value, err);
	return r < 0 ? r : secret_write(vault, entry, err);
}

// Loads a confirmed secret that a change is about; a name with only a deposit is ERR_DENIED.
static int change_load(struct vault *vault, const char *name, struct vault_entry *out, struct err *err)
{
	int r = change_start(vault, true, err);
	if (r == 0)
		r = name_check(name, err);
	if (r == 0)
		r = secret_load(vault, span_text(name), out, err);
	if (r == ERR_NOT_FOUND && has_deposit(vault, span_text(name)))
		return err_set(err, ERR_DENIED,
			       "%s has only an unconfirmed value, stored while locked; confirm or discard it first",
			       name);
	return r;
}

// A name that nothing may have yet.
static int name_check_free(struct vault *vault, const char *name, struct err *err)
{
	struct vault_entry entry = {0};
	struct err absent;
	int r = name_check(name, err);
	if (r < 0)
		return r;
	r = secret_load(vault, span_text(name), &entry, &absent);
	if (r == 0 || (r == ERR_NOT_FOUND && has_deposit(vault, span_text(name))))
		return err_set(err, ERR_EXISTS, "there is already a secret %s", name);
	if (r != ERR_NOT_FOUND) {
		*err = absent;
		return r;
	}
	return 0;
}

int vault_put(struct vault *vault, const char *name, struct span value, const struct vault_meta *meta, bool is_weak,
	      bool replace, struct err *err)
{
	struct vault_entry entry = {0};
	int r = change_start(vault, true, err);
	if (r == 0)
		r = name_check(name, err);
	if (r == 0)
		r = value_check_size(value, err);
	if (r < 0)
		return r;
	struct err absent;
	r = secret_load(vault, span_text(name), &entry, &absent);
	if (r < 0 && r != ERR_NOT_FOUND) {
		*err = absent;
		return r;
	}
	if (r == 0 && !replace)
		return err_set(err, ERR_EXISTS,
			       "there is already a secret %s; with --force its old version stays in the history", name);
	if (r == ERR_NOT_FOUND)
		memcpy(entry.name, name, strlen(name));
	r = meta_apply(&entry, meta, NULL, err);
	if (r == 0)
		r = secret_append(vault, &entry, value, is_weak, err);
	return r < 0 ? r : change_finish(vault);
}

int vault_set_meta(struct vault *vault, const char *name, const struct vault_meta *meta, struct err *err)
{
	struct vault_entry entry = {0};
	int r = change_load(vault, name, &entry, err);
	if (r == 0)
		r = meta_apply(&entry, meta, NULL, err);
	if (r < 0)
		return r;
	entry.changed = clock_now();
	r = secret_write(vault, &entry, err);
	return r < 0 ? r : change_finish(vault);
}

// Seals one version again, for the entry's new name: the name is part of what a value is bound to.
static int version_move(struct vault *vault, const struct vault_entry *from, const struct vault_entry *to,
			uint32_t number, struct err *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	_cleanup_secret_ struct secret *value = NULL;
	struct version_record record = {0};
	int r = version_load(vault, from, number, &body, &record, err);
	if (r == 0)
		r = version_open(vault, from, number, NULL, &value, err);
	if (r < 0)
		return r;
	struct vault_version version = {.version = number, .stored = record.stored};
	return version_write(vault, to, &version, record.flags, secret_span(value), err);
}

int vault_rename(struct vault *vault, const char *from, const char *to, struct err *err)
{
	struct vault_entry entry = {0};
	int r = change_load(vault, from, &entry, err);
	if (r == 0)
		r = vault_need_box(vault, err);
	if (r == 0)
		r = name_check_free(vault, to, err);
	if (r < 0)
		return r;
	// A waiting value is bound to its name by somebody who held no key: it can only be confirmed under that name.
	if (has_deposit(vault, span_text(from)))
		return err_set(err, ERR_DENIED, "an unconfirmed value waits for %s; confirm or discard it first", from);
	struct vault_entry renamed = entry;
	memset(renamed.name, 0, sizeof(renamed.name));
	memcpy(renamed.name, to, strlen(to));
	for (uint32_t i = 0; r == 0 && i < entry.version_count; i++)
		r = version_move(vault, &entry, &renamed, version_first(&entry) + i, err);
	if (r == 0)
		r = tree_delete(vault, KIND_SECRET, span_text(from), err);
	if (r == 0)
		r = secret_write(vault, &renamed, err);
	return r < 0 ? r : change_finish(vault);
}

int vault_copy(struct vault *vault, const char *from, const char *to, struct err *err)
{
	_cleanup_secret_ struct secret *value = NULL;
	struct vault_entry entry = {0};
	int r = change_load(vault, from, &entry, err);
	if (r == 0)
		r = name_check_free(vault, to, err);
	if (r == 0)
		r = version_open(vault, &entry, entry.version, NULL, &value, err);
	if (r < 0)
		return r;
	entry.version = 0;
	entry.version_count = 0;
	memset(entry.name, 0, sizeof(entry.name));
	memcpy(entry.name, to, strlen(to));
	r = secret_append(vault, &entry, secret_span(value), entry.is_weak, err);
	return r < 0 ? r : change_finish(vault);
}

static int versions_remove(struct vault *vault, const struct vault_entry *entry, struct err *err)
{
	for (uint32_t i = 0; i < entry->version_count; i++) {
		uint8_t key[VERSION_KEY_BYTES];
		version_key(entry->id, version_first(entry) + i, key);
		int r = tree_delete(vault, KIND_VERSION, span_of(key, sizeof(key)), err);
		if (r == ERR_NOT_FOUND)
			r = row_damaged(KIND_VERSION, span_of(key, sizeof(key)), "is missing", err);
		if (r < 0)
			return err_prefix(err, "%s, version %u", entry->name, (unsigned)(version_first(entry) + i));
	}
	return 0;
}

int vault_remove(struct vault *vault, const char *name, struct err *err)
{
	struct vault_entry entry = {0};
	int r = change_load(vault, name, &entry, err);
	if (r == ERR_DENIED)
		return vault_discard(vault, name, err);
	if (r == 0)
		r = versions_remove(vault, &entry, err);
	if (r == 0)
		r = tree_delete(vault, KIND_SECRET, span_text(name), err);
	if (r == 0 && has_deposit(vault, span_text(name)))
		r = store_row_delete(vault->store, KIND_DEPOSIT, span_text(name), err);
	return r < 0 ? r : change_finish(vault);
}

int vault_rollback_to(struct vault *vault, const char *name, uint32_t version, struct err *err)
{
	_cleanup_secret_ struct secret *value = NULL;
	struct vault_entry entry = {0};
	uint8_t flags = 0;
	int r = change_load(vault, name, &entry, err);
	if (r < 0)
		return r;
	if (version < version_first(&entry) || version > entry.version)
		return err_set(err, ERR_NOT_FOUND, "%s has no version %u (there are %u to %u)", name, (unsigned)version,
			       (unsigned)version_first(&entry), (unsigned)entry.version);
	if (version == entry.version)
		return err_set(err, ERR_EXISTS, "version %u of %s is the current one already", (unsigned)version, name);
	r = version_open(vault, &entry, version, &flags, &value, err);
	if (r == 0)
		r = secret_append(vault, &entry, secret_span(value), flags & FLAG_WEAK, err);
	return r < 0 ? r : change_finish(vault);
}
