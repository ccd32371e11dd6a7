#include "seal/seal.h"

#include <string.h>

#define SEAL_VERSION 1
#define SEAL_PROVIDER_PASSPHRASE 1
// Version, provider, passes, memory, salt: what stands before the nonce.
#define SEAL_HEAD_BYTES (1 + 1 + 8 + 8 + PWHASH_SALT_BYTES)
#define SEALED_KEY_BYTES (KEY_BYTES + AEAD_TAG_BYTES)
#define VAULT_ID_BYTES 16

_Static_assert(SEAL_PASSPHRASE_BYTES == SEAL_HEAD_BYTES + AEAD_NONCE_BYTES + SEALED_KEY_BYTES, "length of a blob");

// A parsed blob.
struct seal_blob {
	struct pwhash_cost cost;
	uint8_t salt[PWHASH_SALT_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t sealed[SEALED_KEY_BYTES];
};

static bool cost_is_allowed(struct pwhash_cost cost)
{
	return cost.passes >= 1 && cost.passes <= PWHASH_PASSES_MAX && cost.memory_bytes >= PWHASH_MEMORY_BYTES_MIN &&
	       cost.memory_bytes <= PWHASH_MEMORY_BYTES_MAX && cost.memory_bytes % 1024 == 0;
}

static int blob_write_head(const struct seal_blob *blob, struct buf *out, struct err *err)
{
	int r = writer_u8(out, SEAL_VERSION, err);
	if (r == 0)
		r = writer_u8(out, SEAL_PROVIDER_PASSPHRASE, err);
	if (r == 0)
		r = writer_u64(out, blob->cost.passes, err);
	if (r == 0)
		r = writer_u64(out, blob->cost.memory_bytes, err);
	return r < 0 ? r : buf_append(out, span_of(blob->salt, sizeof(blob->salt)), err);
}

static int blob_write(const struct seal_blob *blob, struct buf *out, struct err *err)
{
	int r = blob_write_head(blob, out, err);
	if (r == 0)
		r = buf_append(out, span_of(blob->nonce, sizeof(blob->nonce)), err);
	return r < 0 ? r : buf_append(out, span_of(blob->sealed, sizeof(blob->sealed)), err);
}

static int blob_parse(struct span bytes, struct seal_blob *out, struct err *err)
{
	struct reader reader = reader_of(bytes);
	uint8_t version = reader_u8(&reader);
	uint8_t provider = reader_u8(&reader);
	if (!reader.failed && (version != SEAL_VERSION || provider != SEAL_PROVIDER_PASSPHRASE))
		return err_set(err, ERR_DAMAGED,
			       "this key slot is damaged, or of a kind that this version cannot read (format %u, provider %u)",
			       version, provider);
	out->cost.passes = reader_u64(&reader);
	out->cost.memory_bytes = reader_u64(&reader);
	reader_bytes(&reader, out->salt, sizeof(out->salt));
	reader_bytes(&reader, out->nonce, sizeof(out->nonce));
	reader_bytes(&reader, out->sealed, sizeof(out->sealed));
	if (!reader_end(&reader))
		return err_set(err, ERR_DAMAGED, "this key slot is damaged: it has %zu bytes instead of %d", bytes.len,
			       SEAL_PASSPHRASE_BYTES);
	if (!cost_is_allowed(out->cost))
		return err_set(err, ERR_DAMAGED, "this key slot is damaged: it asks for %llu passes over %llu bytes of memory",
			       (unsigned long long)out->cost.passes, (unsigned long long)out->cost.memory_bytes);
	return 0;
}

// The associated data: what stands before the nonce, and the vault's id, so that a slot opens in its own vault only.
static int blob_associate(const struct seal_blob *blob, const uint8_t vault_id[VAULT_ID_BYTES], struct buf *out,
			  struct err *err)
{
	int r = blob_write_head(blob, out, err);
	return r < 0 ? r : buf_append(out, span_of(vault_id, VAULT_ID_BYTES), err);
}

static int wrapping_key_derive(const struct seal_blob *blob, const struct secret *passphrase, struct secret **out,
			       struct err *err)
{
	_cleanup_secret_ struct secret *key = NULL;
	int r = secret_new(KEY_BYTES, SECRET_LOCK_REQUIRED, &key, err);
	if (r == 0)
		r = pwhash_derive(secret_span(passphrase), blob->salt, blob->cost.passes, blob->cost.memory_bytes,
				  secret_data(key), err);
	if (r < 0)
		return r;
	*out = TAKE_PTR(key);
	return 0;
}

static int wrap_check(const struct secret *root_key, const struct secret *passphrase, struct err *err)
{
	if (secret_len(root_key) != KEY_BYTES)
		return err_set(err, ERR_INPUT, "a root key must have %d bytes", KEY_BYTES);
	if (secret_len(passphrase) == 0)
		return err_set(err, ERR_INPUT, "an empty passphrase protects nothing; give one of several words");
	if (secret_len(passphrase) > PASSPHRASE_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "the passphrase is longer than %d bytes; give a shorter one",
			       PASSPHRASE_BYTES_MAX);
	return 0;
}

int seal_passphrase_wrap(const struct secret *root_key, const struct secret *passphrase, enum pwhash_preset preset,
			 const uint8_t vault_id[16], struct buf *out, struct err *err)
{
	struct seal_blob blob;
	_cleanup_secret_ struct secret *key = NULL;
	_cleanup_buf_ struct buf associated = BUF_INIT(SEAL_HEAD_BYTES + VAULT_ID_BYTES);
	// Built aside and appended at once, so that a failure leaves `out` as it was.
	_cleanup_buf_ struct buf bytes = BUF_INIT(SEAL_PASSPHRASE_BYTES);
	int r = wrap_check(root_key, passphrase, err);
	if (r == 0)
		r = pwhash_cost_of(preset, &blob.cost, err);
	if (r < 0)
		return r;
	rng_fill(blob.salt, sizeof(blob.salt));
	rng_fill(blob.nonce, sizeof(blob.nonce));
	r = wrapping_key_derive(&blob, passphrase, &key, err);
	if (r == 0)
		r = blob_associate(&blob, vault_id, &associated, err);
	if (r < 0)
		return r;
	aead_seal(secret_data(key), blob.nonce, secret_span(root_key), buf_span(&associated), blob.sealed);
	r = blob_write(&blob, &bytes, err);
	return r < 0 ? r : buf_append(out, buf_span(&bytes), err);
}

int seal_passphrase_unwrap(struct span blob_bytes, const struct secret *passphrase, const uint8_t vault_id[16],
			   struct secret **out_root_key, struct err *err)
{
	struct seal_blob blob;
	_cleanup_secret_ struct secret *key = NULL;
	_cleanup_secret_ struct secret *root_key = NULL;
	_cleanup_buf_ struct buf associated = BUF_INIT(SEAL_HEAD_BYTES + VAULT_ID_BYTES);
	int r = blob_parse(blob_bytes, &blob, err);
	if (r == 0)
		r = blob_associate(&blob, vault_id, &associated, err);
	if (r == 0)
		r = secret_new(KEY_BYTES, SECRET_LOCK_REQUIRED, &root_key, err);
	if (r == 0)
		r = wrapping_key_derive(&blob, passphrase, &key, err);
	if (r < 0)
		return r;
	r = aead_open(secret_data(key), blob.nonce, span_of(blob.sealed, sizeof(blob.sealed)), buf_span(&associated),
		      secret_data(root_key), err);
	if (r < 0)
		return err_set(err, ERR_PASSPHRASE, "the passphrase does not open this vault; try again");
	*out_root_key = TAKE_PTR(root_key);
	return 0;
}
