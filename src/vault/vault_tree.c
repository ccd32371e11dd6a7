#include "vault/vault_internal.h"

#include <stdio.h>
#include <string.h>

// Each kind of hash begins with its own text, so that none can stand for another.
#define TAG_BUCKET SPAN_LITERAL("envseal bucket 1")
#define TAG_ROW SPAN_LITERAL("envseal row 1")
#define TAG_ROWS SPAN_LITERAL("envseal rows 1")
#define TAG_NODE SPAN_LITERAL("envseal node 1")

static void hash_u8(struct digest_state *state, uint8_t value)
{
	digest_update(state, span_of(&value, 1));
}

static void hash_u32(struct digest_state *state, uint32_t value)
{
	uint8_t raw[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
	digest_update(state, span_of(raw, sizeof(raw)));
}

static void hash_string(struct digest_state *state, struct span bytes)
{
	hash_u32(state, (uint32_t)bytes.len);
	digest_update(state, bytes);
}

bool tree_hash_is_zero(const uint8_t hash[DIGEST_BYTES])
{
	static const uint8_t zeros[DIGEST_BYTES];
	return memcmp(hash, zeros, DIGEST_BYTES) == 0;
}

uint32_t tree_bucket(uint8_t kind, struct span key)
{
	// Header and slots lie together, so that unlocking verifies all of them by one path.
	if (kind == KIND_HEADER || kind == KIND_SLOT)
		return 0;
	struct digest_state state;
	uint8_t hash[DIGEST_BYTES];
	digest_start(&state);
	hash_string(&state, TAG_BUCKET);
	hash_u8(&state, kind);
	hash_string(&state, key);
	digest_finish(&state, hash);
	return (uint32_t)hash[0] << 8 | hash[1];
}

void tree_row_digest(uint8_t kind, struct span key, struct span body, uint8_t out[DIGEST_BYTES])
{
	struct digest_state state;
	digest_start(&state);
	hash_string(&state, TAG_ROW);
	hash_u8(&state, kind);
	hash_string(&state, key);
	hash_string(&state, body);
	digest_finish(&state, out);
}

void tree_node_hash(uint8_t level, uint32_t index, uint8_t (*children)[DIGEST_BYTES], uint8_t out[DIGEST_BYTES])
{
	bool is_empty = true;
	for (size_t i = 0; i < TREE_FANOUT; i++)
		is_empty = is_empty && tree_hash_is_zero(children[i]);
	if (is_empty) {
		memset(out, 0, DIGEST_BYTES);
		return;
	}
	struct digest_state state;
	digest_start(&state);
	hash_string(&state, TAG_NODE);
	hash_u8(&state, level);
	hash_u32(&state, index);
	digest_update(&state, span_of(children, TREE_FANOUT * DIGEST_BYTES));
	digest_finish(&state, out);
}

int row_damaged(uint8_t kind, struct span key, const char *why, struct err *err)
{
	static const char *const nouns[KIND_COUNT] = {
	    "a record",         "the vault's header", "a key slot",        "the record of secret",
	    "a stored version", "the setting",        "the vault's state", "the waiting value of",
	    "the count of wrong passphrases"};
	char name[NAME_BYTES_MAX + 1] = "";
	bool is_named = kind == KIND_SECRET || kind == KIND_SETTING || kind == KIND_DEPOSIT;
	if (is_named)
		text_brief(key, name, sizeof(name));
	return err_set(err, ERR_DAMAGED,
		       "%s%s%s %s; the vault file was damaged or changed by something else: restore a backup",
		       nouns[kind < KIND_COUNT ? kind : 0], is_named ? " " : "", name, why);
}

void tree_bucket_start(uint32_t bucket, struct digest_state *out)
{
	digest_start(out);
	hash_string(out, TAG_ROWS);
	hash_u32(out, bucket);
}

void tree_bucket_add(const struct store_row *row, struct digest_state *state)
{
	hash_u8(state, row->kind);
	hash_string(state, row->key);
	digest_update(state, span_of(row->digest, DIGEST_BYTES));
}

// Reads one bucket: its hash, and the digest of one row of it.
struct bucket_look {
	struct digest_state state;
	bool is_empty;
	uint8_t kind; // the row looked for
	struct span key;
	bool has_row;
	uint8_t row_digest[DIGEST_BYTES];
};

static int bucket_look_row(void *context, const struct store_row *row, struct err *err)
{
	(void)err;
	struct bucket_look *look = context;
	look->is_empty = false;
	tree_bucket_add(row, &look->state);
	if (row->kind == look->kind && span_is_equal(row->key, look->key)) {
		look->has_row = true;
		memcpy(look->row_digest, row->digest, DIGEST_BYTES);
	}
	return 0;
}

static int bucket_hash(struct vault *vault, uint32_t bucket, struct bucket_look *look, uint8_t out[DIGEST_BYTES],
		       struct err *err)
{
	look->is_empty = true;
	tree_bucket_start(bucket, &look->state);
	int r = store_scan_bucket(vault->store, bucket, bucket, bucket_look_row, look, err);
	if (r < 0)
		return r;
	digest_finish(&look->state, out);
	if (look->is_empty)
		memset(out, 0, DIGEST_BYTES);
	return 0;
}

bool tree_is_dirty(const struct vault *vault, uint32_t bucket)
{
	return vault->dirty[bucket / 8] & 1u << bucket % 8;
}

// Climbs from a bucket's hash to the root that is under the state MAC.
static int path_verify(struct vault *vault, uint32_t bucket, const uint8_t bucket_hash_now[DIGEST_BYTES], bool *ret_ok,
		       struct err *err)
{
	uint8_t hash[DIGEST_BYTES];
	memcpy(hash, bucket_hash_now, DIGEST_BYTES);
	uint32_t index = bucket;
	for (uint8_t level = TREE_LEVELS; level >= 1; level--) {
		uint8_t children[TREE_FANOUT][DIGEST_BYTES];
		uint32_t first = index - index % TREE_FANOUT;
		int r = store_node_get(vault->store, level, first, TREE_FANOUT, children, err);
		if (r < 0)
			return r;
		if (memcmp(children[index - first], hash, DIGEST_BYTES) != 0) {
			*ret_ok = false;
			return 0;
		}
		index /= TREE_FANOUT;
		tree_node_hash((uint8_t)(level - 1), index, children, hash);
	}
	*ret_ok = memcmp(hash, vault->state.root, DIGEST_BYTES) == 0;
	return 0;
}

// A bucket changed in this transaction was verified before its first change, and its path is folded at commit.
static int bucket_verify(struct vault *vault, uint32_t bucket, struct bucket_look *look, struct err *err)
{
	uint8_t hash[DIGEST_BYTES];
	int r = bucket_hash(vault, bucket, look, hash, err);
	if (r < 0 || tree_is_dirty(vault, bucket))
		return r;
	bool is_ok = false;
	r = path_verify(vault, bucket, hash, &is_ok, err);
	if (r == 0 && !is_ok)
		r = row_damaged(look->kind, look->key, "does not verify", err);
	return r;
}

int tree_get(struct vault *vault, uint8_t kind, struct span key, struct buf *body, struct err *err)
{
	int r = store_row_get(vault->store, kind, key, body, err);
	if (!vault->keys || (r < 0 && r != ERR_NOT_FOUND))
		return r;
	struct bucket_look look = {.kind = kind, .key = key};
	int verified = bucket_verify(vault, tree_bucket(kind, key), &look, err);
	if (verified == 0 && look.has_row != (r == 0))
		verified = row_damaged(kind, key, r == 0 ? "was added" : "was deleted", err);
	if (verified == 0 && r == 0) {
		uint8_t digest[DIGEST_BYTES];
		tree_row_digest(kind, key, buf_span(body), digest);
		if (memcmp(digest, look.row_digest, DIGEST_BYTES) != 0)
			verified = row_damaged(kind, key, "does not verify", err);
	}
	if (verified < 0)
		buf_done(body);
	return verified < 0 ? verified : r;
}

// Compares the rows that bucket 0 lists with those that are stored.
struct base_rows {
	struct vault *vault;
	uint64_t listed;
	uint64_t stored;
};

static int base_row_listed(void *context, const struct store_row *row, struct err *err)
{
	struct base_rows *base = context;
	if (row->kind != KIND_HEADER && row->kind != KIND_SLOT)
		return 0;
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	uint8_t digest[DIGEST_BYTES];
	int r = store_row_get(base->vault->store, row->kind, row->key, &body, err);
	if (r == ERR_NOT_FOUND)
		return row_damaged(row->kind, row->key, "was deleted", err);
	if (r < 0)
		return r;
	tree_row_digest(row->kind, row->key, buf_span(&body), digest);
	if (memcmp(digest, row->digest, DIGEST_BYTES) != 0)
		return row_damaged(row->kind, row->key, "does not verify", err);
	base->listed++;
	return 0;
}

static int base_row_stored(void *context, const struct store_row *row, struct err *err)
{
	(void)row;
	(void)err;
	struct base_rows *base = context;
	base->stored++;
	return 0;
}

int tree_base_verify(struct vault *vault, struct err *err)
{
	struct base_rows base = {.vault = vault};
	struct bucket_look look = {.kind = KIND_HEADER};
	struct span all = span_of("", 0);
	int r = bucket_verify(vault, 0, &look, err);
	if (r == 0)
		r = store_scan_bucket(vault->store, 0, 0, base_row_listed, &base, err);
	if (r == 0)
		r = store_scan_kind(vault->store, KIND_HEADER, all, base_row_stored, &base, err);
	if (r == 0)
		r = store_scan_kind(vault->store, KIND_SLOT, all, base_row_stored, &base, err);
	if (r == 0 && base.stored != base.listed)
		r = row_damaged(KIND_SLOT, all, "was added", err);
	return r;
}

// What is not verified before the first change would be made genuine by the fold after it.
static int bucket_touch(struct vault *vault, uint32_t bucket, uint8_t kind, struct span key, struct err *err)
{
	if (!tree_is_dirty(vault, bucket)) {
		struct bucket_look look = {.kind = kind, .key = key};
		int r = bucket_verify(vault, bucket, &look, err);
		if (r < 0)
			return r;
	}
	vault->dirty[bucket / 8] |= (uint8_t)(1u << bucket % 8);
	vault->is_half = true;
	return 0;
}

int tree_put(struct vault *vault, uint8_t kind, struct span key, struct span body, struct err *err)
{
	uint8_t digest[DIGEST_BYTES];
	uint32_t bucket = tree_bucket(kind, key);
	int r = bucket_touch(vault, bucket, kind, key, err);
	if (r < 0)
		return r;
	tree_row_digest(kind, key, body, digest);
	struct store_row row = {.kind = kind, .key = key, .bucket = bucket, .digest = digest, .body = body};
	return store_row_put(vault->store, &row, err);
}

int tree_delete(struct vault *vault, uint8_t kind, struct span key, struct err *err)
{
	int r = bucket_touch(vault, tree_bucket(kind, key), kind, key, err);
	return r < 0 ? r : store_row_delete(vault->store, kind, key, err);
}

static int buckets_fold(struct vault *vault, uint8_t *changed, struct err *err)
{
	for (uint32_t bucket = 0; bucket < STORE_BUCKET_COUNT; bucket++) {
		if (!vault->dirty[bucket / 8])
			bucket |= 7; // the last of eight that are all unchanged
		if (!tree_is_dirty(vault, bucket))
			continue;
		struct bucket_look look = {0};
		uint8_t hash[DIGEST_BYTES];
		int r = bucket_hash(vault, bucket, &look, hash, err);
		if (r == 0)
			r = store_node_put(vault->store, TREE_LEVELS, bucket, hash, err);
		if (r < 0)
			return r;
		changed[bucket / TREE_FANOUT] = 1;
	}
	return 0;
}

// Recomputes the changed nodes of a level from the level below it; `changed` becomes that of the level above.
static int level_fold(struct vault *vault, uint8_t level, uint8_t *changed, uint8_t root[DIGEST_BYTES], struct err *err)
{
	for (uint32_t i = 0; i < 1u << 4 * level; i++) {
		if (!changed[i])
			continue;
		uint8_t children[TREE_FANOUT][DIGEST_BYTES];
		uint8_t hash[DIGEST_BYTES];
		int r = store_node_get(vault->store, (uint8_t)(level + 1), i * TREE_FANOUT, TREE_FANOUT, children, err);
		if (r < 0)
			return r;
		tree_node_hash(level, i, children, hash);
		changed[i] = 0;
		changed[i / TREE_FANOUT] = 1; // not above i, so it has been looked at
		if (level == 0)
			memcpy(root, hash, DIGEST_BYTES);
		else
			r = store_node_put(vault->store, level, i, hash, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int tree_fold(struct vault *vault, uint8_t out_root[DIGEST_BYTES], struct err *err)
{
	uint8_t changed[STORE_BUCKET_COUNT / TREE_FANOUT] = {0};
	uint8_t root[DIGEST_BYTES];
	memcpy(root, vault->state.root, DIGEST_BYTES);
	int r = buckets_fold(vault, changed, err);
	for (int level = TREE_LEVELS - 1; r == 0 && level >= 0; level--)
		r = level_fold(vault, (uint8_t)level, changed, root, err);
	if (r == 0)
		memcpy(out_root, root, DIGEST_BYTES);
	return r;
}
