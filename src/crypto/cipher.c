#include "crypto/crypto.h"

#include <sodium.h>

_Static_assert(KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key of the cipher");
_Static_assert(KEY_BYTES == crypto_generichash_KEYBYTES, "key of the keyed hash");
_Static_assert(KEY_BYTES == crypto_kdf_KEYBYTES, "key of the derivation");
_Static_assert(KEY_BYTES == crypto_box_SEEDBYTES, "seed of a key pair");
_Static_assert(crypto_kdf_CONTEXTBYTES == 8, "context of the derivation");
_Static_assert(AEAD_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce of the cipher");
_Static_assert(AEAD_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag of the cipher");
_Static_assert(BOX_PUBLIC_BYTES == crypto_box_PUBLICKEYBYTES, "public key");
_Static_assert(BOX_SECRET_BYTES == crypto_box_SECRETKEYBYTES, "secret key");
_Static_assert(BOX_OVERHEAD_BYTES == crypto_box_SEALBYTES, "overhead of a sealed box");

// More than any frame below libsodium's functions. Some leave words of a key or of a plaintext on the stack, which
// BLAKE2b's rounds and the first block of a secretbox were seen to do; so every call with a secret wipes behind itself.
#define CIPHER_STACK_BYTES 8192

int cipher_start(struct err *err)
{
	if (sodium_init() < 0)
		return err_set(err, ERR_SYSTEM, "the random generator cannot be had; check that getrandom(2) is permitted or "
						"/dev/urandom is there");
	return 0;
}

void rng_fill(void *out, size_t len)
{
	randombytes_buf(out, len);
}

void kdf_derive(const uint8_t root[KEY_BYTES], uint64_t number, const char context[8], uint8_t out[KEY_BYTES])
{
	// Fails only for a wrong output length, and that is constant here.
	crypto_kdf_derive_from_key(out, KEY_BYTES, number, context, root);
	sodium_stackzero(CIPHER_STACK_BYTES);
}

void mac_bytes(const uint8_t key[KEY_BYTES], struct span bytes, uint8_t out[DIGEST_BYTES])
{
	crypto_generichash(out, DIGEST_BYTES, bytes.data, bytes.len, key, KEY_BYTES);
	sodium_stackzero(CIPHER_STACK_BYTES);
}

void aead_seal(const uint8_t key[KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES], struct span plain,
	       struct span associated, uint8_t *out)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.len, associated.data, associated.len, NULL,
						   nonce, key);
	sodium_stackzero(CIPHER_STACK_BYTES);
}

int aead_open(const uint8_t key[KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES], struct span sealed,
	      struct span associated, uint8_t *out, struct err *err)
{
	if (sealed.len < AEAD_TAG_BYTES)
		return err_set(err, ERR_DAMAGED, "sealed data is too short to hold its tag");
	// libsodium checks the tag first and decrypts only then; it zeroes `out` when the tag is wrong.
	int r = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data, sealed.len, associated.data,
							   associated.len, nonce, key);
	sodium_stackzero(CIPHER_STACK_BYTES);
	if (r != 0) {
		secret_wipe(out, sealed.len - AEAD_TAG_BYTES);
		return err_set(err, ERR_DAMAGED, "sealed data does not verify: it was changed, or belongs elsewhere");
	}
	return 0;
}

void box_keys_from_seed(const uint8_t seed[KEY_BYTES], uint8_t out_public[BOX_PUBLIC_BYTES],
			uint8_t out_secret[BOX_SECRET_BYTES])
{
	crypto_box_seed_keypair(out_public, out_secret, seed);
	sodium_stackzero(CIPHER_STACK_BYTES);
}

int box_seal(const uint8_t public_key[BOX_PUBLIC_BYTES], struct span plain, uint8_t *out, struct err *err)
{
	// Points of small order give an all-zero shared secret, which anybody could compute: libsodium refuses them.
	int r = crypto_box_seal(out, plain.data, plain.len, public_key);
	sodium_stackzero(CIPHER_STACK_BYTES);
	if (r != 0)
		return err_set(err, ERR_DAMAGED, "the public key is no usable X25519 key");
	return 0;
}

int box_open(const uint8_t public_key[BOX_PUBLIC_BYTES], const uint8_t secret_key[BOX_SECRET_BYTES], struct span sealed,
	     uint8_t *out, struct err *err)
{
	if (sealed.len < BOX_OVERHEAD_BYTES)
		return err_set(err, ERR_DAMAGED, "a sealed box is too short");
	int r = crypto_box_seal_open(out, sealed.data, sealed.len, public_key, secret_key);
	sodium_stackzero(CIPHER_STACK_BYTES);
	if (r != 0) {
		secret_wipe(out, sealed.len - BOX_OVERHEAD_BYTES);
		return err_set(err, ERR_DAMAGED, "a sealed box does not open: it was changed, or made for another key");
	}
	return 0;
}
