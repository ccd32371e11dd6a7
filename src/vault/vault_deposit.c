#include "vault/vault_internal.h"

#include <string.h>

int deposit_load(struct vault *vault, struct span name, struct buf *body, struct deposit_record *out, struct err *err)
{
	int r = store_row_get(vault->store, KIND_DEPOSIT, name, body, err);
	if (r == ERR_NOT_FOUND) {
		char brief[NAME_BYTES_MAX + 1];
		return err_set(err, ERR_NOT_FOUND, "no unconfirmed value waits for %s",
			       text_brief(name, brief, sizeof(brief)));
	}
	return r < 0 ? r : deposit_decode(name, buf_span(body), out, err);
}

bool has_deposit(struct vault *vault, struct span name)
{
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	struct err ignored;
	// One that cannot be read still waits: it is there to be discarded.
	return store_row_get(vault->store, KIND_DEPOSIT, name, &body, &ignored) != ERR_NOT_FOUND;
}

int deposit_open(struct vault *vault, const struct deposit_record *deposit, struct secret **out, struct err *err)
{
	const struct vault_entry *entry = &deposit->entry;
	struct value_label label = {.id = entry->id, .name = span_text(entry->name), .context = deposit->context};
	int r = value_open(vault, &label, &deposit->sealed, out, err);
	if (r == ERR_DAMAGED)
		return err_set(err, ERR_DAMAGED,
			       "the value that waits for %s does not open with this vault's key; discard it and store "
			       "the value again",
			       entry->name);
	return r;
}

static int deposit_check_free(struct vault *vault, const char *name, struct err *err)
{
	struct vault_entry entry = {0};
	struct err absent;
	int r = secret_load(vault, span_text(name), &entry, &absent);
	if (r == 0)
		return err_set(err, ERR_EXISTS, "there is already a secret %s; with --force the value waits beside it",
			       name);
	if (r != ERR_NOT_FOUND) {
		*err = absent;
		return r;
	}
	if (has_deposit(vault, span_text(name)))
		return err_set(err, ERR_EXISTS, "an unconfirmed value waits for %s already; --force replaces it", name);
	return 0;
}

int vault_deposit(struct vault *vault, const char *name, struct span value, const struct vault_meta *meta, bool is_weak,
		  bool replace, struct err *err)
{
	struct vault_entry entry = {.pending_since = clock_now(), .value_bytes = value.len};
	uint8_t flags = 0;
	int r = change_start(vault, false, err);
	if (r == 0)
		r = name_check(name, err);
	if (r == 0)
		r = value_check_size(value, err);
	if (r == 0 && !replace)
		r = deposit_check_free(vault, name, err);
	if (r == 0)
		r = meta_apply(&entry, meta, &flags, err);
	if (r < 0)
		return r;
	flags |= is_weak ? FLAG_WEAK : 0;
	memcpy(entry.name, name, strlen(name));
	rng_fill(entry.id, sizeof(entry.id));
	_cleanup_buf_ struct buf context = BUF_INIT(STORE_BODY_BYTES_MAX);
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	r = deposit_encode(&entry, flags, &context, err);
	if (r == 0)
		r = buf_append(&body, buf_span(&context), err);
	struct value_label label = {.id = entry.id, .name = span_text(name), .context = buf_span(&context)};
	if (r == 0)
		r = value_seal(vault, &label, value, &body, err);
	if (r < 0)
		return r;
	struct store_row row = {
	    .kind = KIND_DEPOSIT, .key = span_text(name), .bucket = STORE_BUCKET_NONE, .body = buf_span(&body)};
	return store_row_put(vault->store, &row, err);
}

// The deposit's metadata as a caller of vault_put would have given it.
static struct vault_meta deposit_meta(const struct deposit_record *deposit, const char *tags[VAULT_TAGS_MAX])
{
	const struct vault_entry *entry = &deposit->entry;
	for (size_t i = 0; i < entry->tag_count; i++)
		tags[i] = entry->tags[i];
	struct vault_meta meta = VAULT_META_UNCHANGED;
	if (deposit->flags & FLAG_NOTE)
		meta.note = entry->note;
	if (deposit->flags & FLAG_EXPIRES)
		meta.expires = entry->expires;
	if (deposit->flags & FLAG_TAGS) {
		meta.tags = tags;
		meta.tag_count = entry->tag_count;
	}
	return meta;
}

int vault_confirm(struct vault *vault, const char *name, struct err *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	_cleanup_secret_ struct secret *value = NULL;
	struct deposit_record deposit = {0};
	int r = change_start(vault, true, err);
	if (r == 0)
		r = name_check(name, err);
	if (r == 0)
		r = deposit_load(vault, span_text(name), &body, &deposit, err);
	if (r == 0)
		r = deposit_open(vault, &deposit, &value, err);
	if (r < 0)
		return r;
	const char *tags[VAULT_TAGS_MAX];
	struct vault_meta meta = deposit_meta(&deposit, tags);
	r = vault_put(vault, name, secret_span(value), &meta, deposit.entry.is_weak, true, err);
	if (r < 0)
		return r;
	vault->is_half = true;
	r = store_row_delete(vault->store, KIND_DEPOSIT, span_text(name), err);
	return r < 0 ? r : change_finish(vault);
}

int vault_deposit_digest(struct vault *vault, const char *name, uint8_t out[DIGEST_BYTES], struct err *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	int r = name_check(name, err);
	if (r == 0)
		r = store_row_get(vault->store, KIND_DEPOSIT, span_text(name), &body, err);
	if (r == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "no unconfirmed value waits for %s", name);
	if (r == 0)
		digest_bytes(buf_span(&body), out);
	return r;
}

int vault_discard(struct vault *vault, const char *name, struct err *err)
{
	int r = change_start(vault, false, err);
	if (r == 0)
		r = name_check(name, err);
	if (r == 0 && !has_deposit(vault, span_text(name)))
		return err_set(err, ERR_NOT_FOUND, "no unconfirmed value waits for %s", name);
	return r < 0 ? r : store_row_delete(vault->store, KIND_DEPOSIT, span_text(name), err);
}
