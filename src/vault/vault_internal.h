// What the files of src/vault share. Not for other folders; tests include it to reach below the passphrase.
#pragma once

#include "store/store.h"
#include "vault/vault.h"

#define VAULT_FORMAT 1
#define VAULT_ID_BYTES 16
#define VAULT_SLOTS_MAX 16
#define VAULT_SLOT_BYTES_MAX 4096
#define VERSION_KEY_BYTES (VAULT_ID_BYTES + 4)
#define BOXED_KEY_BYTES (KEY_BYTES + BOX_OVERHEAD_BYTES)

// Numbers of the format (docs/format-vault.md, "Rows"). The first five are in the hash tree.
enum row_kind {
	KIND_HEADER = 1,
	KIND_SLOT = 2,
	KIND_SECRET = 3,
	KIND_VERSION = 4,
	KIND_SETTING = 5,
	KIND_STATE = 6,
	KIND_DEPOSIT = 7,
	KIND_FAILURES = 8
};
#define KIND_COUNT 9

#define FLAG_WEAK 1u
#define FLAG_NOTE 2u    // deposits only: the depositor gave one
#define FLAG_TAGS 4u    // deposits only
#define FLAG_EXPIRES 8u // deposits only

struct vault_state {
	uint64_t generation;
	uint8_t root[DIGEST_BYTES];
	struct vault_anchor anchor;
};

// Lives in one struct secret.
struct vault_keys {
	uint8_t state[KEY_BYTES];
	uint8_t settings[KEY_BYTES];
	uint8_t voucher[KEY_BYTES];    // zeros once narrowed
	uint8_t box[BOX_SECRET_BYTES]; // zeros once narrowed
};

struct vault {
	struct store *store;
	uint8_t id[VAULT_ID_BYTES];
	uint8_t public_key[BOX_PUBLIC_BYTES];
	int64_t created;
	struct vault_state state; // as last read or written
	uint64_t generation_seen; // verified once: an older state is a rollback
	struct secret *keys;      // struct vault_keys, NULL while locked
	struct secret *scratch;   // KEY_BYTES: the data key or seed in use, wiped after each use
	bool is_narrow;
	bool is_writing;                       // between vault_begin and vault_commit
	bool is_changed;                       // more than the anchor is to be committed
	bool is_half;                          // a change has written some of its rows and not yet all
	unsigned reader_count;                 // nested reading scopes
	uint8_t dirty[STORE_BUCKET_COUNT / 8]; // buckets changed in this transaction
};

struct vault_keys *vault_keys_of(struct vault *vault); // NULL while locked

// --- vault.c

// vault_create below the passphrase; `slot` is the blob of the first key slot.
int vault_create_with_root_key(const char *dir, const struct secret *root, const uint8_t id[VAULT_ID_BYTES],
			       struct span slot, struct vault **out, struct err *err);

// --- vault_state.c: the state record and the scopes in which rows are read and changed

int state_read(struct vault *vault, struct err *err); // into vault->state; verified when unlocked
// Folds the tree and writes the next state; the caller commits and then takes *out into vault->state.
int state_renew(struct vault *vault, const struct vault_anchor *anchor, uint64_t generation, struct vault_state *out,
		struct err *err);

// One moment of the store, with the state of that moment. Inside a transaction or another scope it opens nothing.
struct vault_scope {
	struct vault *vault; // NULL: not entered
	bool is_owner;
};
int scope_enter(struct vault *vault, struct vault_scope *out, struct err *err);
void scope_leave(struct vault_scope *scope);
#define _cleanup_scope_ _cleanup_(scope_leave)

// Every change starts and ends with these. One that fails between its first and its last row leaves is_half set, and
// the transaction can then only be rolled back.
int change_start(struct vault *vault, bool needs_keys, struct err *err);
int change_finish(struct vault *vault);                          // 0
int vault_need_keys(const struct vault *vault, struct err *err); // ERR_LOCKED
int vault_need_box(const struct vault *vault, struct err *err);  // ERR_LOCKED while locked or narrowed

// --- vault_tree.c: rows of the hash tree, verified when unlocked

uint32_t tree_bucket(uint8_t kind, struct span key);
void tree_row_digest(uint8_t kind, struct span key, struct span body, uint8_t out[DIGEST_BYTES]);
void tree_node_hash(uint8_t level, uint32_t index, uint8_t (*children)[DIGEST_BYTES], uint8_t out[DIGEST_BYTES]);
bool tree_hash_is_zero(const uint8_t hash[DIGEST_BYTES]);
// The body of a row, in the empty `body`. ERR_NOT_FOUND, which is verified too.
int tree_get(struct vault *vault, uint8_t kind, struct span key, struct buf *body, struct err *err);
int tree_put(struct vault *vault, uint8_t kind, struct span key, struct span body, struct err *err);
int tree_delete(struct vault *vault, uint8_t kind, struct span key, struct err *err);
// Verifies header and key slots: all that the tree lists are stored, and no other is.
int tree_base_verify(struct vault *vault, struct err *err);
// A bucket's hash: start, its rows in order, digest_finish. A bucket without rows is all zeros instead.
void tree_bucket_start(uint32_t bucket, struct digest_state *out);
void tree_bucket_add(const struct store_row *row, struct digest_state *state);
// Recomputes the nodes over all changed buckets; the new root.
int tree_fold(struct vault *vault, uint8_t out_root[DIGEST_BYTES], struct err *err);
bool tree_is_dirty(const struct vault *vault, uint32_t bucket);
// ERR_DAMAGED that names the row.
int row_damaged(uint8_t kind, struct span key, const char *why, struct err *err);
#define TREE_LEVELS 4
#define TREE_FANOUT 16u

// --- vault_image.c: the whole tree at once, for lists and checks

struct tree_image {
	uint64_t row_count[KIND_COUNT]; // by kind; unknown kinds are ERR_DAMAGED
	struct buf digests;             // of all rows, sorted
};
#define TREE_IMAGE_EMPTY ((struct tree_image){.digests = BUF_INIT(1u << 30)})
void tree_image_done(struct tree_image *image);
#define _cleanup_image_ _cleanup_(tree_image_done)
// Reads every bucket into an empty image and compares the tree over them with the state's root. O(rows).
// `compare_nodes`: with every stored node too.
int tree_image_load(struct vault *vault, bool compare_nodes, struct tree_image *image, struct err *err);
// ERR_DAMAGED unless the tree holds exactly this row. For rows of a scan in the same scope.
int tree_image_match(const struct tree_image *image, const struct store_row *row, struct err *err);

// --- vault_record.c: bodies of rows

// A writer that remembers its first failure.
struct pen {
	struct buf *buf;
	struct err *err;
	int r;
};
void pen_u8(struct pen *pen, uint8_t value);
void pen_u32(struct pen *pen, uint32_t value);
void pen_u64(struct pen *pen, uint64_t value);
void pen_bytes(struct pen *pen, const void *data, size_t len); // without a length
void pen_string(struct pen *pen, struct span bytes);

// A sealed value as it lies in a body; spans borrow from it.
struct sealed_value {
	struct span boxed_key;
	uint8_t nonce[AEAD_NONCE_BYTES];
	struct span text;
};

struct version_record {
	uint8_t flags;
	int64_t stored;
	uint64_t value_bytes;
	struct sealed_value sealed;
};

struct deposit_record {
	struct vault_entry entry; // what the depositor gave; version 0
	uint8_t flags;
	struct span context; // the bytes in front of the sealed value
	struct sealed_value sealed;
};

int header_encode(const struct vault *vault, struct buf *out, struct err *err);
int header_decode(struct span body, struct vault *vault, struct err *err);
int state_encode(const struct vault *vault, const struct vault_state *state, struct buf *out, struct err *err);
// *ret_mac borrows the MAC at the end of the body, *ret_authenticated what it covers.
int state_decode(const struct vault *vault, struct span body, struct vault_state *out, struct span *ret_authenticated,
		 struct span *ret_mac, struct err *err);
int secret_encode(const struct vault_entry *entry, struct buf *out, struct err *err);
int secret_decode(struct span name, struct span body, struct vault_entry *out, struct err *err);
int version_decode(struct span key, struct span body, struct version_record *out, struct err *err);
// The part of a deposit in front of its sealed value.
int deposit_encode(const struct vault_entry *entry, uint8_t flags, struct buf *out, struct err *err);
int deposit_decode(struct span name, struct span body, struct deposit_record *out, struct err *err);
void version_key(const uint8_t id[VAULT_ID_BYTES], uint32_t version, uint8_t out[VERSION_KEY_BYTES]);
// Checks and applies what a caller set. *ret_flags (may be NULL): which of note, tags, expiry were given.
int meta_apply(struct vault_entry *entry, const struct vault_meta *meta, uint8_t *ret_flags, struct err *err);

// --- vault_value.c: values under the vault's key pair, settings under the settings key

// What a value is bound to.
struct value_label {
	const uint8_t *id;
	uint32_t version;
	struct span name;
	struct span context; // deposits: their metadata
};
int value_check_size(struct span value, struct err *err); // ERR_LIMIT
int value_seal(struct vault *vault, const struct value_label *label, struct span value, struct buf *out,
	       struct err *err);
int value_open(struct vault *vault, const struct value_label *label, const struct sealed_value *sealed,
	       struct secret **out, struct err *err);

// --- vault_read.c, vault_change.c, vault_deposit.c, vault_setting.c

int secret_load(struct vault *vault, struct span name, struct vault_entry *out, struct err *err);
int secret_write(struct vault *vault, const struct vault_entry *entry, struct err *err);
int version_load(struct vault *vault, const struct vault_entry *entry, uint32_t version, struct buf *body,
		 struct version_record *out, struct err *err);
int version_open(struct vault *vault, const struct vault_entry *entry, uint32_t version, uint8_t *ret_flags,
		 struct secret **out, struct err *err);
uint32_t version_first(const struct vault_entry *entry);
// Stores `value` as the next version of `entry` (version 0: a new secret), and the entry.
int secret_append(struct vault *vault, struct vault_entry *entry, struct span value, bool is_weak, struct err *err);
int deposit_load(struct vault *vault, struct span name, struct buf *body, struct deposit_record *out, struct err *err);
int deposit_open(struct vault *vault, const struct deposit_record *deposit, struct secret **out, struct err *err);
bool has_deposit(struct vault *vault, struct span name);
int setting_open(struct vault *vault, struct span key, struct span body, struct secret **out, struct err *err);
