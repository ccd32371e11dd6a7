#include "vault/vault_internal.h"

#include <string.h>

void pen_u8(struct pen *pen, uint8_t value)
{
	if (pen->r == 0)
		pen->r = writer_u8(pen->buf, value, pen->err);
}

void pen_u32(struct pen *pen, uint32_t value)
{
	if (pen->r == 0)
		pen->r = writer_u32(pen->buf, value, pen->err);
}

void pen_u64(struct pen *pen, uint64_t value)
{
	if (pen->r == 0)
		pen->r = writer_u64(pen->buf, value, pen->err);
}

void pen_bytes(struct pen *pen, const void *data, size_t len)
{
	if (pen->r == 0)
		pen->r = buf_append(pen->buf, span_of(data, len), pen->err);
}

void pen_string(struct pen *pen, struct span bytes)
{
	if (pen->r == 0)
		pen->r = writer_string(pen->buf, bytes, pen->err);
}

void version_key(const uint8_t id[VAULT_ID_BYTES], uint32_t version, uint8_t out[VERSION_KEY_BYTES])
{
	memcpy(out, id, VAULT_ID_BYTES);
	// Big-endian, so that the store's order is the order of versions.
	for (size_t i = 0; i < 4; i++)
		out[VAULT_ID_BYTES + i] = (uint8_t)(version >> (24 - 8 * i));
}

static int64_t reader_time(struct reader *r)
{
	uint64_t value = reader_u64(r);
	if (value > INT64_MAX)
		r->failed = true;
	return r->failed ? 0 : (int64_t)value;
}

// A text field: no NUL inside, so that it is a C string in its fixed array (which is zeroed).
static void reader_text(struct reader *r, char *out, size_t max_bytes)
{
	struct span text = reader_string(r, max_bytes);
	if (text.len > 0 && memchr(text.data, 0, text.len))
		r->failed = true;
	else if (text.len > 0)
		memcpy(out, text.data, text.len);
}

static void reader_format(struct reader *r)
{
	if (reader_u8(r) != VAULT_FORMAT)
		r->failed = true;
}

int header_encode(const struct vault *vault, struct buf *out, struct err *err)
{
	struct pen pen = {.buf = out, .err = err};
	pen_u8(&pen, VAULT_FORMAT);
	pen_bytes(&pen, vault->id, VAULT_ID_BYTES);
	pen_bytes(&pen, vault->public_key, BOX_PUBLIC_BYTES);
	pen_u64(&pen, (uint64_t)vault->created);
	return pen.r;
}

int header_decode(struct span body, struct vault *vault, struct err *err)
{
	struct reader r = reader_of(body);
	uint8_t id[VAULT_ID_BYTES];
	uint8_t public_key[BOX_PUBLIC_BYTES];
	reader_format(&r);
	reader_bytes(&r, id, sizeof(id));
	reader_bytes(&r, public_key, sizeof(public_key));
	int64_t created = reader_time(&r);
	if (!reader_end(&r))
		return row_damaged(KIND_HEADER, span_of(NULL, 0), "does not parse", err);
	memcpy(vault->id, id, sizeof(id));
	memcpy(vault->public_key, public_key, sizeof(public_key));
	vault->created = created;
	return 0;
}

int state_encode(const struct vault *vault, const struct vault_state *state, struct buf *out, struct err *err)
{
	struct pen pen = {.buf = out, .err = err};
	pen_u8(&pen, VAULT_FORMAT);
	pen_bytes(&pen, vault->id, VAULT_ID_BYTES);
	pen_u64(&pen, state->generation);
	pen_bytes(&pen, state->root, DIGEST_BYTES);
	pen_u64(&pen, state->anchor.count);
	pen_bytes(&pen, state->anchor.hash, DIGEST_BYTES);
	pen_u64(&pen, state->anchor.file_offset);
	return pen.r;
}

int state_decode(const struct vault *vault, struct span body, struct vault_state *out, struct span *ret_authenticated,
		 struct span *ret_mac, struct err *err)
{
	struct reader r = reader_of(body);
	struct vault_state state = {0};
	uint8_t id[VAULT_ID_BYTES];
	reader_format(&r);
	reader_bytes(&r, id, sizeof(id));
	state.generation = reader_u64(&r);
	reader_bytes(&r, state.root, DIGEST_BYTES);
	state.anchor.count = reader_u64(&r);
	reader_bytes(&r, state.anchor.hash, DIGEST_BYTES);
	state.anchor.file_offset = reader_u64(&r);
	struct span mac = r.rest;
	if (r.failed || mac.len != DIGEST_BYTES)
		return row_damaged(KIND_STATE, span_of(NULL, 0), "does not parse", err);
	if (memcmp(id, vault->id, sizeof(id)) != 0)
		return row_damaged(KIND_STATE, span_of(NULL, 0), "belongs to another vault", err);
	*out = state;
	*ret_mac = mac;
	*ret_authenticated = span_of(body.data, body.len - mac.len);
	return 0;
}

static void pen_labels(struct pen *pen, const struct vault_entry *entry)
{
	pen_string(pen, span_text(entry->note));
	pen_u32(pen, (uint32_t)entry->tag_count);
	for (size_t i = 0; i < entry->tag_count; i++)
		pen_string(pen, span_text(entry->tags[i]));
}

static void reader_labels(struct reader *r, struct vault_entry *entry)
{
	reader_text(r, entry->note, VAULT_NOTE_BYTES_MAX);
	uint32_t count = reader_u32(r);
	if (count > VAULT_TAGS_MAX) {
		r->failed = true;
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		reader_text(r, entry->tags[i], VAULT_TAG_BYTES_MAX);
		if (entry->tags[i][0] == 0)
			r->failed = true;
	}
	entry->tag_count = count;
}

static bool size_is_valid(uint64_t value_bytes)
{
	return value_bytes >= 1 && value_bytes <= SECRET_VALUE_BYTES_MAX;
}

int secret_encode(const struct vault_entry *entry, struct buf *out, struct err *err)
{
	struct pen pen = {.buf = out, .err = err};
	pen_u8(&pen, VAULT_FORMAT);
	pen_u8(&pen, entry->is_weak ? FLAG_WEAK : 0);
	pen_bytes(&pen, entry->id, VAULT_ID_BYTES);
	pen_u32(&pen, entry->version);
	pen_u32(&pen, entry->version_count);
	pen_u64(&pen, (uint64_t)entry->created);
	pen_u64(&pen, (uint64_t)entry->changed);
	pen_u64(&pen, (uint64_t)entry->expires);
	pen_u64(&pen, entry->value_bytes);
	pen_labels(&pen, entry);
	return pen.r;
}

int secret_decode(struct span name, struct span body, struct vault_entry *out, struct err *err)
{
	if (!name_is_valid(name))
		return row_damaged(KIND_SECRET, name, "has an impossible name", err);
	struct reader r = reader_of(body);
	struct vault_entry entry = {0};
	memcpy(entry.name, name.data, name.len);
	reader_format(&r);
	uint8_t flags = reader_u8(&r);
	reader_bytes(&r, entry.id, VAULT_ID_BYTES);
	entry.version = reader_u32(&r);
	entry.version_count = reader_u32(&r);
	entry.created = reader_time(&r);
	entry.changed = reader_time(&r);
	entry.expires = reader_time(&r);
	entry.value_bytes = reader_u64(&r);
	reader_labels(&r, &entry);
	entry.is_weak = flags & FLAG_WEAK;
	bool is_sane = flags <= FLAG_WEAK && entry.version >= 1 && entry.version_count >= 1 &&
		       entry.version_count <= entry.version && size_is_valid(entry.value_bytes);
	if (!reader_end(&r) || !is_sane)
		return row_damaged(KIND_SECRET, name, "does not parse", err);
	*out = entry;
	return 0;
}

static void reader_sealed(struct reader *r, struct sealed_value *out)
{
	out->boxed_key = reader_string(r, BOXED_KEY_BYTES);
	reader_bytes(r, out->nonce, AEAD_NONCE_BYTES);
	out->text = reader_string(r, SECRET_VALUE_BYTES_MAX + AEAD_TAG_BYTES);
	if (out->boxed_key.len != BOXED_KEY_BYTES || out->text.len <= AEAD_TAG_BYTES)
		r->failed = true;
}

int version_decode(struct span key, struct span body, struct version_record *out, struct err *err)
{
	struct reader r = reader_of(body);
	struct version_record record = {0};
	reader_format(&r);
	record.flags = reader_u8(&r);
	record.stored = reader_time(&r);
	record.value_bytes = reader_u64(&r);
	reader_sealed(&r, &record.sealed);
	if (!reader_end(&r) || record.flags > FLAG_WEAK ||
	    record.value_bytes != record.sealed.text.len - AEAD_TAG_BYTES)
		return row_damaged(KIND_VERSION, key, "does not parse", err);
	*out = record;
	return 0;
}

int deposit_encode(const struct vault_entry *entry, uint8_t flags, struct buf *out, struct err *err)
{
	struct pen pen = {.buf = out, .err = err};
	pen_u8(&pen, VAULT_FORMAT);
	pen_u8(&pen, flags);
	pen_bytes(&pen, entry->id, VAULT_ID_BYTES);
	pen_u64(&pen, (uint64_t)entry->pending_since);
	pen_u64(&pen, (uint64_t)entry->expires);
	pen_u64(&pen, entry->value_bytes);
	pen_labels(&pen, entry);
	return pen.r;
}

int deposit_decode(struct span name, struct span body, struct deposit_record *out, struct err *err)
{
	if (!name_is_valid(name))
		return row_damaged(KIND_DEPOSIT, name, "has an impossible name", err);
	struct reader r = reader_of(body);
	struct deposit_record record = {.entry = {.is_pending = true}};
	struct vault_entry *entry = &record.entry;
	memcpy(entry->name, name.data, name.len);
	reader_format(&r);
	record.flags = reader_u8(&r);
	reader_bytes(&r, entry->id, VAULT_ID_BYTES);
	entry->pending_since = reader_time(&r);
	entry->expires = reader_time(&r);
	entry->value_bytes = reader_u64(&r);
	reader_labels(&r, entry);
	record.context = span_of(body.data, body.len - r.rest.len);
	reader_sealed(&r, &record.sealed);
	entry->is_weak = record.flags & FLAG_WEAK;
	bool is_sane = record.flags <= (FLAG_WEAK | FLAG_NOTE | FLAG_TAGS | FLAG_EXPIRES) &&
		       entry->value_bytes == record.sealed.text.len - AEAD_TAG_BYTES;
	if (!reader_end(&r) || !is_sane)
		return row_damaged(KIND_DEPOSIT, name, "does not parse; discard it and store the value again", err);
	*out = record;
	return 0;
}

static int tags_apply(struct vault_entry *entry, const char *const *tags, size_t count, struct err *err)
{
	char kept[VAULT_TAGS_MAX][VAULT_TAG_BYTES_MAX + 1] = {0};
	size_t kept_count = 0;
	for (size_t i = 0; i < count; i++) {
		size_t len = tags[i] ? strlen(tags[i]) : 0;
		if (len == 0)
			return err_set(err, ERR_INPUT, "a tag may not be empty");
		if (len > VAULT_TAG_BYTES_MAX)
			return err_set(err, ERR_LIMIT, "a tag of %zu bytes is too long (at most %d)", len,
				       VAULT_TAG_BYTES_MAX);
		bool is_double = false;
		for (size_t j = 0; j < kept_count; j++)
			is_double = is_double || strcmp(kept[j], tags[i]) == 0;
		if (is_double)
			continue;
		if (kept_count == VAULT_TAGS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d tags on one secret", VAULT_TAGS_MAX);
		memcpy(kept[kept_count++], tags[i], len);
	}
	memcpy(entry->tags, kept, sizeof(kept));
	entry->tag_count = kept_count;
	return 0;
}

int meta_apply(struct vault_entry *entry, const struct vault_meta *meta, uint8_t *ret_flags, struct err *err)
{
	uint8_t flags = 0;
	size_t note_bytes = meta && meta->note ? strlen(meta->note) : 0;
	if (note_bytes > VAULT_NOTE_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "a note of %zu bytes is too long (at most %d)", note_bytes,
			       VAULT_NOTE_BYTES_MAX);
	if (meta && meta->tags) {
		int r = tags_apply(entry, meta->tags, meta->tag_count, err);
		if (r < 0)
			return r;
		flags |= FLAG_TAGS;
	}
	if (meta && meta->note) {
		memset(entry->note, 0, sizeof(entry->note));
		memcpy(entry->note, meta->note, note_bytes);
		flags |= FLAG_NOTE;
	}
	if (meta && meta->expires >= 0) {
		entry->expires = meta->expires;
		flags |= FLAG_EXPIRES;
	}
	if (ret_flags)
		*ret_flags = flags;
	return 0;
}
