#include "vault/vault_internal.h"

#include <stdlib.h>
#include <string.h>

static int secret_not_found(struct span name, struct err *err)
{
	char brief[NAME_BYTES_MAX + 1];
	return err_set(err, ERR_NOT_FOUND, "there is no secret %s; `envseal list` shows the names",
		       text_brief(name, brief, sizeof(brief)));
}

int secret_load(struct vault *vault, struct span name, struct vault_entry *out, struct err *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	int r = tree_get(vault, KIND_SECRET, name, &body, err);
	if (r == ERR_NOT_FOUND)
		return secret_not_found(name, err);
	return r < 0 ? r : secret_decode(name, buf_span(&body), out, err);
}

uint32_t version_first(const struct vault_entry *entry)
{
	return entry->version - entry->version_count + 1;
}

int version_load(struct vault *vault, const struct vault_entry *entry, uint32_t version, struct buf *body,
		 struct version_record *out, struct err *err)
{
	uint8_t key[VERSION_KEY_BYTES];
	version_key(entry->id, version, key);
	int r = tree_get(vault, KIND_VERSION, span_of(key, sizeof(key)), body, err);
	// The entry counts it, so its absence is no answer but damage.
	if (r == ERR_NOT_FOUND)
		r = row_damaged(KIND_VERSION, span_of(key, sizeof(key)), "is missing", err);
	if (r == 0)
		r = version_decode(span_of(key, sizeof(key)), buf_span(body), out, err);
	return r < 0 ? err_prefix(err, "%s, version %u", entry->name, (unsigned)version) : 0;
}

int version_open(struct vault *vault, const struct vault_entry *entry, uint32_t version, uint8_t *ret_flags,
		 struct secret **out, struct err *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	struct version_record record = {0};
	int r = vault_need_box(vault, err);
	if (r == 0)
		r = version_load(vault, entry, version, &body, &record, err);
	if (r < 0)
		return r;
	struct value_label label = {.id = entry->id, .version = version, .name = span_text(entry->name)};
	r = value_open(vault, &label, &record.sealed, out, err);
	if (r < 0)
		return err_prefix(err, "%s, version %u", entry->name, (unsigned)version);
	if (ret_flags)
		*ret_flags = record.flags;
	return 0;
}

static void entry_add_deposit(struct vault_entry *entry, const struct deposit_record *deposit)
{
	entry->is_pending = true;
	entry->pending_since = deposit->entry.pending_since;
}

int vault_find(struct vault *vault, const char *name, struct vault_entry *out, struct err *err)
{
	_cleanup_scope_ struct vault_scope scope = {0};
	int r = name_check(name, err);
	if (r == 0)
		r = scope_enter(vault, &scope, err);
	if (r < 0)
		return r;
	struct vault_entry entry = {0};
	struct err absent;
	r = secret_load(vault, span_text(name), &entry, &absent);
	if ((r < 0 && r != ERR_NOT_FOUND) || (r == ERR_NOT_FOUND && !has_deposit(vault, span_text(name)))) {
		*err = absent;
		return r;
	}
	if (has_deposit(vault, span_text(name))) {
		_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
		struct deposit_record deposit = {0};
		int pending = deposit_load(vault, span_text(name), &body, &deposit, err);
		if (pending < 0)
			return pending;
		if (r == ERR_NOT_FOUND)
			entry = deposit.entry;
		entry_add_deposit(&entry, &deposit);
	}
	*out = entry;
	return 0;
}

// What vault_list carries through its scans. Both scans rise in name, so the two lists merge.
struct listing {
	struct vault *vault;
	int (*each)(void *context, const struct vault_entry *entry);
	void *context;
	struct buf waiting; // names of deposits, each with its NUL
	size_t waiting_at;
	struct tree_image image; // while unlocked
	uint64_t count;
};

static void listing_done(struct listing *listing)
{
	buf_done(&listing->waiting);
	tree_image_done(&listing->image);
}

static int listing_note_deposit(void *context, const struct store_row *row, struct err *err)
{
	struct listing *listing = context;
	struct deposit_record deposit = {0};
	int r = deposit_decode(row->key, row->body, &deposit, err);
	return r < 0 ? r : buf_append(&listing->waiting, span_of(deposit.entry.name, row->key.len + 1), err);
}

// Emits the deposits whose names come before `name` (NULL: all that are left); they are names without a secret.
static int listing_emit_before(struct listing *listing, const char *name, struct err *err)
{
	while (listing->waiting_at < listing->waiting.len) {
		const char *waiting = (const char *)listing->waiting.data + listing->waiting_at;
		if (name && strcmp(waiting, name) >= 0)
			return 0;
		_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
		struct deposit_record deposit = {0};
		int r = deposit_load(listing->vault, span_text(waiting), &body, &deposit, err);
		if (r == 0)
			r = listing->each(listing->context, &deposit.entry);
		if (r != 0)
			return r;
		listing->waiting_at += strlen(waiting) + 1;
	}
	return 0;
}

static int listing_emit_secret(void *context, const struct store_row *row, struct err *err)
{
	struct listing *listing = context;
	struct vault_entry entry = {0};
	int r = secret_decode(row->key, row->body, &entry, err);
	if (r == 0 && listing->vault->keys)
		r = tree_image_match(&listing->image, row, err);
	if (r == 0)
		r = listing_emit_before(listing, entry.name, err);
	if (r != 0)
		return r;
	const char *waiting = buf_text(&listing->waiting) + listing->waiting_at;
	if (listing->waiting_at < listing->waiting.len && strcmp(waiting, entry.name) == 0) {
		_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
		struct deposit_record deposit = {0};
		r = deposit_load(listing->vault, row->key, &body, &deposit, err);
		if (r < 0)
			return r;
		entry_add_deposit(&entry, &deposit);
		listing->waiting_at += row->key.len + 1;
	}
	listing->count++;
	return listing->each(listing->context, &entry);
}

int vault_list(struct vault *vault, int (*each)(void *context, const struct vault_entry *entry), void *context,
	       struct err *err)
{
	_cleanup_scope_ struct vault_scope scope = {0};
	_cleanup_(listing_done) struct listing listing = {.vault = vault,
							  .each = each,
							  .context = context,
							  .waiting = BUF_INIT(64u << 20),
							  .image = TREE_IMAGE_EMPTY};
	struct span all = span_of("", 0);
	int r = scope_enter(vault, &scope, err);
	if (r == 0 && vault->keys)
		r = tree_image_load(vault, false, &listing.image, err);
	if (r == 0)
		r = store_scan_kind(vault->store, KIND_DEPOSIT, all, listing_note_deposit, &listing, err);
	if (r == 0)
		r = store_scan_kind(vault->store, KIND_SECRET, all, listing_emit_secret, &listing, err);
	if (r == 0)
		r = listing_emit_before(&listing, NULL, err);
	if (r == 0 && vault->keys && listing.count != listing.image.row_count[KIND_SECRET])
		r = row_damaged(KIND_SECRET, SPAN_LITERAL("(one of them)"), "was deleted", err);
	return r;
}

int vault_history(struct vault *vault, const char *name,
		  int (*each)(void *context, const struct vault_version *version), void *context, struct err *err)
{
	_cleanup_scope_ struct vault_scope scope = {0};
	struct vault_entry entry = {0};
	struct err absent;
	int r = name_check(name, err);
	if (r == 0)
		r = scope_enter(vault, &scope, err);
	if (r < 0)
		return r;
	r = secret_load(vault, span_text(name), &entry, &absent);
	if (r == ERR_NOT_FOUND && has_deposit(vault, span_text(name)))
		return 0; // its one value is no version yet
	if (r < 0)
		*err = absent;
	for (uint32_t i = 0; r == 0 && i < entry.version_count; i++) {
		_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
		struct version_record record = {0};
		uint32_t number = version_first(&entry) + i;
		r = version_load(vault, &entry, number, &body, &record, err);
		if (r < 0)
			return r;
		struct vault_version version = {.version = number,
						.stored = record.stored,
						.value_bytes = record.value_bytes,
						.is_current = number == entry.version};
		r = each(context, &version);
	}
	return r;
}

int vault_reveal(struct vault *vault, const char *name, uint32_t version, struct secret **out, struct err *err)
{
	_cleanup_scope_ struct vault_scope scope = {0};
	struct vault_entry entry = {0};
	int r = vault_need_box(vault, err);
	if (r == 0)
		r = name_check(name, err);
	if (r == 0)
		r = scope_enter(vault, &scope, err);
	if (r == 0)
		r = secret_load(vault, span_text(name), &entry, err);
	if (r == ERR_NOT_FOUND && has_deposit(vault, span_text(name)))
		return err_set(err, ERR_DENIED,
			       "%s has only an unconfirmed value, stored while locked; confirm or discard it first",
			       name);
	if (r < 0)
		return r;
	uint32_t number = version == 0 ? entry.version : version;
	if (number < version_first(&entry) || number > entry.version)
		return err_set(err, ERR_NOT_FOUND, "%s has no version %u (there are %u to %u)", name, (unsigned)number,
			       (unsigned)version_first(&entry), (unsigned)entry.version);
	return version_open(vault, &entry, number, NULL, out, err);
}
