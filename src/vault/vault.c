#include "vault/vault_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_KEY SPAN_LITERAL("header")

// Numbers of the subkeys, part of the format. 4 is kept for the audit log's own anchor.
#define SUBKEY_CONTEXT "envseal1"
#define SUBKEY_BOX_SEED 1
#define SUBKEY_STATE 2
#define SUBKEY_SETTINGS 3
#define SUBKEY_VOUCHER 5

static void slot_key(uint8_t index, uint8_t out[4])
{
	memset(out, 0, 4);
	out[3] = index;
}

static int vault_new(struct vault **out, struct err *err)
{
	int r = cipher_start(err);
	if (r < 0)
		return r;
	struct vault *vault = calloc(1, sizeof(*vault));
	if (!vault)
		return err_set(err, ERR_MEMORY, "out of memory");
	r = secret_new(KEY_BYTES, SECRET_LOCK_REQUIRED, &vault->scratch, err);
	if (r < 0) {
		free(vault);
		return r;
	}
	*out = vault;
	return 0;
}

struct vault *vault_close(struct vault *vault)
{
	if (!vault)
		return NULL;
	vault->store = store_close(vault->store);
	secret_free(vault->keys);
	secret_free(vault->scratch);
	free(vault);
	return NULL;
}

void vault_close_ptr(struct vault **vault)
{
	*vault = vault_close(*vault);
}

bool vault_exists(const char *dir)
{
	return store_exists(&store_sqlite, dir);
}

static int header_read(struct vault *vault, struct err *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	int r = tree_get(vault, KIND_HEADER, HEADER_KEY, &body, err);
	if (r == ERR_NOT_FOUND)
		return row_damaged(KIND_HEADER, HEADER_KEY, "is missing", err);
	return r < 0 ? r : header_decode(buf_span(&body), vault, err);
}

// What modes open, and what cannot be opened nevertheless: Landlock closes it around this process, and access(2) does not ask
// Landlock.
static bool is_closed(const char *dir)
{
	struct stat st;
	struct err ignored;
	_cleanup_free_ char *path = NULL;
	return path_join(dir, "vault.db", &path, &ignored) == 0 && access(dir, R_OK | W_OK | X_OK) == 0 && lstat(path, &st) == 0 &&
	       S_ISREG(st.st_mode) && access(path, R_OK | W_OK) == 0;
}

static int open_fail(const char *dir, struct err *err)
{
	char brief[200];
	if (err->sys_errno != EACCES || !is_closed(dir))
		return err->code;
	return err_set(err, ERR_DENIED, "the vault in %s is closed to this process, as it is in `envseal jail` and to programs that envseal "
					"runs; have it opened outside by `envseal unlock`, and ask from here without --direct and without a "
					"passphrase", text_brief(span_text(dir), brief, sizeof(brief)));
}

int vault_open(const char *dir, struct vault **out, struct err *err)
{
	_cleanup_vault_ struct vault *vault = NULL;
	int r = vault_new(&vault, err);
	if (r == 0)
		r = store_open(&store_sqlite, dir, &vault->store, err);
	if (r < 0 && vault)
		r = open_fail(dir, err);
	if (r == 0)
		r = store_begin(vault->store, STORE_READ, err);
	if (r == 0)
		r = header_read(vault, err);
	if (r == 0)
		r = state_read(vault, err);
	if (r < 0)
		return r;
	store_rollback(vault->store);
	*out = TAKE_PTR(vault);
	return 0;
}

// Everything that the root key is for; the root key itself is not kept.
static int keys_derive(struct vault *vault, const struct secret *root, struct secret **out_keys,
		       uint8_t out_public[BOX_PUBLIC_BYTES], struct err *err)
{
	_cleanup_secret_ struct secret *keys = NULL;
	if (secret_len(root) != KEY_BYTES)
		return err_set(err, ERR_DAMAGED, "a key slot holds no root key; restore the vault from a backup");
	int r = secret_new(sizeof(struct vault_keys), SECRET_LOCK_REQUIRED, &keys, err);
	if (r < 0)
		return r;
	struct vault_keys *k = (struct vault_keys *)(void *)secret_data(keys);
	const uint8_t *root_key = secret_span(root).data;
	uint8_t *seed = secret_data(vault->scratch);
	kdf_derive(root_key, SUBKEY_STATE, SUBKEY_CONTEXT, k->state);
	kdf_derive(root_key, SUBKEY_SETTINGS, SUBKEY_CONTEXT, k->settings);
	kdf_derive(root_key, SUBKEY_VOUCHER, SUBKEY_CONTEXT, k->voucher);
	kdf_derive(root_key, SUBKEY_BOX_SEED, SUBKEY_CONTEXT, seed);
	box_keys_from_seed(seed, out_public, k->box);
	secret_wipe(seed, KEY_BYTES);
	*out_keys = TAKE_PTR(keys);
	return 0;
}

// The rows that were used before anything could be verified. All slots, so that one added or taken away shows.
static int unlocked_verify(struct vault *vault, struct err *err)
{
	_cleanup_scope_ struct vault_scope scope = {0};
	int r = scope_enter(vault, &scope, err);
	if (r == 0)
		r = tree_base_verify(vault, err);
	return r < 0 ? r : header_read(vault, err);
}

int vault_unlock_with_root_key(struct vault *vault, const struct secret *root, struct err *err)
{
	_cleanup_secret_ struct secret *keys = NULL;
	uint8_t public_key[BOX_PUBLIC_BYTES];
	if (vault->is_writing || vault->reader_count > 0)
		return err_set(err, ERR_USAGE, "the vault is in use by an unfinished operation");
	int r = keys_derive(vault, root, &keys, public_key, err);
	if (r < 0)
		return r;
	if (memcmp(public_key, vault->public_key, BOX_PUBLIC_BYTES) != 0)
		return err_set(err, ERR_DAMAGED,
			       "the vault's public key was swapped: values stored while locked may have gone to "
			       "somebody else's key; "
			       "restore a backup and change those values where they are used");
	secret_free(vault->keys);
	vault->keys = TAKE_PTR(keys);
	vault->is_narrow = false;
	r = unlocked_verify(vault, err);
	if (r < 0)
		vault->keys = secret_free(vault->keys);
	return r;
}

// The blobs of the slots, one string (writer_string) each.
static int slot_collect(void *context, const struct store_row *row, struct err *err)
{
	uint8_t key[4];
	slot_key(row->key.len == sizeof(key) ? row->key.data[3] : UINT8_MAX, key);
	if (key[3] >= VAULT_SLOTS_MAX || !span_is_equal(row->key, span_of(key, sizeof(key))) ||
	    row->body.len > VAULT_SLOT_BYTES_MAX)
		return row_damaged(KIND_SLOT, row->key, "does not parse", err);
	return writer_string(context, row->body, err);
}

// Tries every slot. One that is damaged does not keep another from opening; it shows afterwards, when the tree is
// verified.
static int slots_unwrap(struct vault *vault, struct span slots, const struct secret *passphrase, struct secret **out,
			struct err *err)
{
	struct reader reader = reader_of(slots);
	struct err damaged = {0};
	int r = ERR_DAMAGED;
	if (slots.len == 0)
		return row_damaged(KIND_SLOT, slots, "is missing", err);
	while (reader.rest.len > 0 && !reader.failed) {
		struct span blob = reader_string(&reader, VAULT_SLOT_BYTES_MAX);
		r = seal_passphrase_unwrap(blob, passphrase, vault->id, out, err);
		if (r == 0 || (r != ERR_PASSPHRASE && r != ERR_DAMAGED))
			return r;
		if (r == ERR_DAMAGED)
			damaged = *err;
	}
	if (damaged.code != 0)
		*err = damaged;
	return err->code;
}

static int root_unwrap(struct vault *vault, const struct secret *passphrase, struct secret **out, struct err *err)
{
	_cleanup_buf_ struct buf slots = BUF_INIT(VAULT_SLOTS_MAX * (VAULT_SLOT_BYTES_MAX + 4));
	{
		// Left before the passphrase is worked on: that takes half a second, and an open snapshot keeps the log
		// growing.
		_cleanup_scope_ struct vault_scope scope = {0};
		int r = scope_enter(vault, &scope, err);
		if (r == 0)
			r = store_scan_kind(vault->store, KIND_SLOT, span_of("", 0), slot_collect, &slots, err);
		if (r < 0)
			return r;
	}
	return slots_unwrap(vault, buf_span(&slots), passphrase, out, err);
}

int vault_unlock_keeping(struct vault *vault, const struct secret *passphrase, struct secret **out_root, struct err *err)
{
	_cleanup_secret_ struct secret *root = NULL;
	int r = root_unwrap(vault, passphrase, &root, err);
	if (r == 0)
		r = vault_unlock_with_root_key(vault, root, err);
	if (r == 0)
		*out_root = TAKE_PTR(root);
	return r;
}

int vault_unlock(struct vault *vault, const struct secret *passphrase, struct err *err)
{
	_cleanup_secret_ struct secret *root = NULL;
	return vault_unlock_keeping(vault, passphrase, &root, err);
}

bool vault_is_unlocked(const struct vault *vault)
{
	return vault->keys != NULL;
}

void vault_narrow(struct vault *vault)
{
	if (!vault->keys)
		return;
	secret_wipe(vault_keys_of(vault)->box, BOX_SECRET_BYTES);
	secret_wipe(vault_keys_of(vault)->voucher, KEY_BYTES);
	vault->is_narrow = true;
}

int vault_voucher(struct vault *vault, struct span message, uint8_t out[DIGEST_BYTES], struct err *err)
{
	int r = vault_need_box(vault, err);
	if (r == 0)
		mac_bytes(vault_keys_of(vault)->voucher, message, out);
	return r;
}

// The first rows and the first state, in one transaction.
static int vault_fill(struct vault *vault, struct span slot, struct err *err)
{
	_cleanup_buf_ struct buf header = BUF_INIT(1024);
	uint8_t key[4];
	slot_key(0, key);
	int r = store_begin(vault->store, STORE_WRITE, err);
	if (r < 0)
		return r;
	vault->is_writing = true;
	vault->is_changed = true;
	r = header_encode(vault, &header, err);
	if (r == 0)
		r = tree_put(vault, KIND_HEADER, HEADER_KEY, buf_span(&header), err);
	if (r == 0)
		r = tree_put(vault, KIND_SLOT, span_of(key, sizeof(key)), slot, err);
	if (r == 0) {
		change_finish(vault);
		r = vault_commit(vault, NULL, err);
	}
	return r;
}

int vault_create_with_root_key(const char *dir, const struct secret *root, const uint8_t id[VAULT_ID_BYTES],
			       struct span slot, struct vault **out, struct err *err)
{
	_cleanup_vault_ struct vault *vault = NULL;
	int r = vault_new(&vault, err);
	if (r < 0)
		return r;
	memcpy(vault->id, id, VAULT_ID_BYTES);
	vault->created = clock_now();
	r = keys_derive(vault, root, &vault->keys, vault->public_key, err);
	if (r == 0)
		r = store_create(&store_sqlite, dir, &vault->store, err);
	if (r == 0)
		r = vault_fill(vault, slot, err);
	if (r == 0)
		r = store_publish(vault->store, err);
	if (r < 0)
		return r;
	*out = TAKE_PTR(vault);
	return 0;
}

int vault_create(const char *dir, const struct secret *passphrase, enum pwhash_preset preset, struct vault **out,
		 struct err *err)
{
	_cleanup_secret_ struct secret *root = NULL;
	_cleanup_buf_ struct buf slot = BUF_INIT(VAULT_SLOT_BYTES_MAX);
	uint8_t id[VAULT_ID_BYTES];
	char brief[200];
	// Asked again when the file is put in place; here it saves the half second that the passphrase costs.
	if (vault_exists(dir))
		return err_set(err, ERR_EXISTS, "there is already a vault in %s",
			       text_brief(span_text(dir), brief, sizeof(brief)));
	int r = cipher_start(err);
	if (r == 0)
		r = secret_new(KEY_BYTES, SECRET_LOCK_REQUIRED, &root, err);
	if (r < 0)
		return r;
	rng_fill(secret_data(root), KEY_BYTES);
	rng_fill(id, sizeof(id));
	r = seal_passphrase_wrap(root, passphrase, preset, id, &slot, err);
	return r < 0 ? r : vault_create_with_root_key(dir, root, id, buf_span(&slot), out, err);
}
