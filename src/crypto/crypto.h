// crypto: small named wrappers over libsodium. Nothing here is hand-made; each prototype names the libsodium primitive.
//
// Invariants: keys are struct secret or fixed-size arrays inside one; sizes are compile-time constants; cipher_start
// has been called before anything else (it is idempotent). What libsodium leaves of a secret on the stack is wiped.
#pragma once

#include "secmem/secmem.h"

#define KEY_BYTES 32         // symmetric keys, subkeys, root key
#define DIGEST_BYTES 32      // BLAKE2b-256
#define DIGEST_HEX_BYTES 65  // with NUL
#define BOX_PUBLIC_BYTES 32  // X25519 public key
#define BOX_SECRET_BYTES 32  // X25519 secret key
#define BOX_OVERHEAD_BYTES 48
#define AEAD_NONCE_BYTES 24
#define AEAD_TAG_BYTES 16
#define PWHASH_SALT_BYTES 16

// sodium_init. ERR_SYSTEM when the random generator cannot be had.
int cipher_start(struct err *err);

void rng_fill(void *out, size_t len); // randombytes_buf

// BLAKE2b-256 (crypto_generichash): the same as `b2sum -l 256`.
void digest_bytes(struct span bytes, uint8_t out[DIGEST_BYTES]);
// Keyed BLAKE2b-256.
void mac_bytes(const uint8_t key[KEY_BYTES], struct span bytes, uint8_t out[DIGEST_BYTES]);
bool digest_is_equal(const uint8_t a[DIGEST_BYTES], const uint8_t b[DIGEST_BYTES]); // constant time
// Lower-case hex, NUL-terminated.
void digest_hex(const uint8_t digest[DIGEST_BYTES], char out[DIGEST_HEX_BYTES]);
// Exactly 64 lower-case hex digits; ERR_DAMAGED otherwise.
int digest_parse_hex(struct span hex, uint8_t out[DIGEST_BYTES], struct err *err);
// BLAKE2b-256 of a file from offset 0 (pread, the descriptor's own offset is not moved). Blocks; any size.
int digest_file(int fd, const char *path, uint8_t out[DIGEST_BYTES], struct err *err);

// Streaming BLAKE2b-256.
struct digest_state {
	_Alignas(64) uint8_t opaque[384];
};
void digest_start(struct digest_state *state);
void digest_update(struct digest_state *state, struct span bytes);
void digest_finish(struct digest_state *state, uint8_t out[DIGEST_BYTES]);

// crypto_kdf_derive_from_key with an 8-byte context; the subkey's number is part of the format (docs/format-vault.md).
void kdf_derive(const uint8_t root[KEY_BYTES], uint64_t number, const char context[8], uint8_t out[KEY_BYTES]);

// Argon2id (crypto_pwhash). `memory_bytes` and `passes` as libsodium's memlimit and opslimit; ERR_LIMIT outside what it
// takes, ERR_MEMORY when the memory cannot be had. The caller caps parameters that come from a file. Blocks for as long
// as the parameters say.
int pwhash_derive(struct span passphrase, const uint8_t salt[PWHASH_SALT_BYTES], uint64_t passes, uint64_t memory_bytes,
		  uint8_t out[KEY_BYTES], struct err *err);

// XChaCha20-Poly1305 (IETF). `out` holds plain.len + AEAD_TAG_BYTES bytes.
void aead_seal(const uint8_t key[KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES], struct span plain,
	       struct span associated, uint8_t *out);
// `out` holds sealed.len - AEAD_TAG_BYTES bytes and is all zeros on failure: ERR_DAMAGED.
int aead_open(const uint8_t key[KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES], struct span sealed,
	      struct span associated, uint8_t *out, struct err *err);

// X25519 sealed boxes (crypto_box_seal): anyone with the public key can make one, only the secret key opens it.
void box_keys_from_seed(const uint8_t seed[KEY_BYTES], uint8_t out_public[BOX_PUBLIC_BYTES],
			uint8_t out_secret[BOX_SECRET_BYTES]);
// `out` holds plain.len + BOX_OVERHEAD_BYTES bytes. ERR_DAMAGED when the public key is a point of small order (which a
// changed file could hold): nothing may be kept in such a box.
int box_seal(const uint8_t public_key[BOX_PUBLIC_BYTES], struct span plain, uint8_t *out, struct err *err);
// `out` holds sealed.len - BOX_OVERHEAD_BYTES bytes and is all zeros on failure: ERR_DAMAGED.
int box_open(const uint8_t public_key[BOX_PUBLIC_BYTES], const uint8_t secret_key[BOX_SECRET_BYTES], struct span sealed,
	     uint8_t *out, struct err *err);

// --- a key that is kept for long. Against reads of memory that get only parts, or get them with errors (a leak through
// a bug, cold memory, speculation), it lies encrypted (XChaCha20-Poly1305) under the digest of a pre-key of 16 KiB of
// random bytes, both in secret pages, as OpenSSH keeps keys in its agent.

#define SHIELDED_PREKEY_BYTES (16u * 1024)
struct shielded;
// `key` stays the caller's.
int shielded_new(const struct secret *key, struct shielded **out, struct err *err);
// The key, in memory of its own, for one operation: to be freed at once. Afterwards it lies under a new pre-key. After
// a fork the child may call it too and its parent's stays as it is: there the pre-key is kept. ERR_DAMAGED when it does
// not open any more.
int shielded_open(struct shielded *shielded, struct secret **out, struct err *err);
// In a process that was forked to take it over (a daemon): from now on its pre-key changes here. Where it came from
// must not use it any more.
void shielded_adopt(struct shielded *shielded);
// Wipes and frees; returns NULL; NULL is allowed. Not in a forked child, whose wiping its parent would see (secmem.h).
struct shielded *shielded_free(struct shielded *shielded);
// For a forked child: takes it out of this process, and leaves it to the parent. NULL is allowed.
void shielded_forget(struct shielded *shielded);
