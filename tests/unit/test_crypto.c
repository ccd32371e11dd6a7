#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../vectors/crypto_vectors.h"
#include "crypto/crypto.h"
#include "crypto/crypto_internal.h"
#include "residue.h"

static struct err err;

// Decodes a vector; returns its length.
static size_t hex_decode(const char *hex, uint8_t *out, size_t room)
{
	size_t len = strlen(hex) / 2;
	assert_true(strlen(hex) % 2 == 0 && len <= room);
	for (size_t i = 0; i < len; i++) {
		unsigned byte;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return len;
}

static void assert_hex(const uint8_t *bytes, size_t len, const char *hex)
{
	uint8_t expected[256];
	assert_int_equal(hex_decode(hex, expected, sizeof(expected)), len);
	assert_memory_equal(bytes, expected, len);
}

static void bytes_count_up(uint8_t *out, size_t len, uint8_t first)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(first + i);
}

static void start_is_idempotent(void **state)
{
	(void)state;
	assert_int_equal(cipher_start(&err), 0);
	assert_int_equal(cipher_start(&err), 0);
}

static void digest_matches_vectors(void **state)
{
	(void)state;
	uint8_t digest[DIGEST_BYTES];
	for (size_t i = 0; i < ARRAY_COUNT(vectors_digest); i++) {
		digest_bytes(span_text(vectors_digest[i].text), digest);
		assert_hex(digest, sizeof(digest), vectors_digest[i].digest);
	}
	digest_bytes((struct span){NULL, 0}, digest);
	assert_hex(digest, sizeof(digest), vectors_digest[0].digest);
}

static void digest_streams_as_it_hashes_at_once(void **state)
{
	(void)state;
	// Steps that are shorter than, equal to and longer than BLAKE2b's block of 128 bytes.
	static const size_t steps[] = {1, 64, 127, 128, 129, 1000};
	static uint8_t text[1000];
	memset(text, 'a', sizeof(text));
	for (size_t s = 0; s < ARRAY_COUNT(steps); s++) {
		struct digest_state stream;
		digest_start(&stream);
		for (size_t done = 0; done < 1000000;) {
			size_t len = steps[s] < 1000000 - done ? steps[s] : 1000000 - done;
			digest_update(&stream, span_of(text, len));
			done += len;
		}
		uint8_t digest[DIGEST_BYTES];
		digest_finish(&stream, digest);
		assert_hex(digest, sizeof(digest), VECTOR_DIGEST_MILLION_A);
	}
}

static void digest_of_a_file_leaves_the_offset(void **state)
{
	(void)state;
	_cleanup_fd_ int fd = memfd_create("digest", MFD_CLOEXEC);
	assert_true(fd >= 0);
	static uint8_t text[1000];
	memset(text, 'a', sizeof(text));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(fd_write_all(fd, span_of(text, sizeof(text)), "file", &err), 0);
	assert_int_equal(lseek(fd, 77, SEEK_SET), 77);
	uint8_t digest[DIGEST_BYTES];
	assert_int_equal(digest_file(fd, "file", digest, &err), 0);
	assert_hex(digest, sizeof(digest), VECTOR_DIGEST_MILLION_A);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 77);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(digest_file(fd, "file", digest, &err), 0);
	assert_hex(digest, sizeof(digest), vectors_digest[0].digest);
}

static void digest_of_what_cannot_be_read_fails(void **state)
{
	(void)state;
	uint8_t digest[DIGEST_BYTES] = {9};
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	_cleanup_fd_ int from = ends[0];
	_cleanup_fd_ int to = ends[1];
	assert_int_equal(digest_file(from, "some/\033pipe", digest, &err), ERR_SYSTEM);
	assert_non_null(strstr(err.text, "some/\\x1bpipe"));
	assert_int_equal(digest_file(-1, "none", digest, &err), ERR_SYSTEM);
	assert_int_equal(digest[0], 9);
	(void)to;
}

static void digest_hex_goes_there_and_back(void **state)
{
	(void)state;
	uint8_t digest[DIGEST_BYTES], again[DIGEST_BYTES] = {0};
	char hex[DIGEST_HEX_BYTES];
	digest_bytes(SPAN_LITERAL("abc"), digest);
	digest_hex(digest, hex);
	assert_string_equal(hex, vectors_digest[1].digest);
	assert_int_equal(digest_parse_hex(span_text(hex), again, &err), 0);
	assert_true(digest_is_equal(digest, again));
}

static void digest_parse_refuses_other_spellings(void **state)
{
	(void)state;
	const char *good = vectors_digest[1].digest;
	uint8_t out[DIGEST_BYTES] = {42};
	char hex[80];
	for (size_t len = 0; len < 64; len++)
		assert_int_equal(digest_parse_hex(span_of(good, len), out, &err), ERR_DAMAGED);
	snprintf(hex, sizeof(hex), "%s0", good);
	assert_int_equal(digest_parse_hex(span_text(hex), out, &err), ERR_DAMAGED);
	// Every byte that is no lower-case hex digit, at the first and at the last place.
	for (int c = 0; c < 256; c++) {
		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))
			continue;
		for (size_t at = 0; at < 64; at += 63) {
			memcpy(hex, good, 64);
			hex[at] = (char)c;
			assert_int_equal(digest_parse_hex(span_of(hex, 64), out, &err), ERR_DAMAGED);
		}
	}
	assert_int_equal(out[0], 42);
}

static void digest_equality_sees_every_bit(void **state)
{
	(void)state;
	uint8_t a[DIGEST_BYTES], b[DIGEST_BYTES];
	bytes_count_up(a, sizeof(a), 0);
	for (size_t bit = 0; bit < 8 * DIGEST_BYTES; bit++) {
		memcpy(b, a, sizeof(b));
		assert_true(digest_is_equal(a, b));
		b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(digest_is_equal(a, b));
	}
}

static void mac_and_kdf_match_vectors(void **state)
{
	(void)state;
	uint8_t key[KEY_BYTES], out[KEY_BYTES];
	bytes_count_up(key, sizeof(key), 0);
	for (size_t i = 0; i < ARRAY_COUNT(vectors_mac); i++) {
		mac_bytes(key, span_text(vectors_mac[i].text), out);
		assert_hex(out, sizeof(out), vectors_mac[i].mac);
	}
	for (size_t i = 0; i < ARRAY_COUNT(vectors_kdf); i++) {
		kdf_derive(key, vectors_kdf[i].number, "envseal1", out);
		assert_hex(out, sizeof(out), vectors_kdf[i].subkey);
	}
	uint8_t other[KEY_BYTES];
	kdf_derive(key, vectors_kdf[1].number, "envseal2", other);
	kdf_derive(key, vectors_kdf[1].number, "envseal1", out);
	assert_memory_not_equal(out, other, sizeof(out));
}

static void pwhash_matches_vectors(void **state)
{
	(void)state;
	uint8_t out[KEY_BYTES];
	for (size_t i = 0; i < ARRAY_COUNT(vectors_pwhash); i++) {
		assert_int_equal(pwhash_derive(span_text(vectors_pwhash[i].text), (const uint8_t *)vectors_pwhash[i].salt,
					       vectors_pwhash[i].passes, vectors_pwhash[i].memory_kib * 1024, out, &err),
				 0);
		assert_hex(out, sizeof(out), vectors_pwhash[i].key);
	}
}

static void pwhash_takes_every_byte_of_the_passphrase(void **state)
{
	(void)state;
	static const uint8_t salt[PWHASH_SALT_BYTES] = "0123456789abcde";
	const struct span texts[] = {SPAN_LITERAL("a\0b"), SPAN_LITERAL("a\0c"), SPAN_LITERAL("a"), {NULL, 0}};
	uint8_t keys[ARRAY_COUNT(texts)][KEY_BYTES];
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		assert_int_equal(pwhash_derive(texts[i], salt, 1, 8192, keys[i], &err), 0);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(keys[i], keys[k], KEY_BYTES);
	}
}

static void pwhash_refuses_what_it_cannot_do(void **state)
{
	(void)state;
	static const uint8_t salt[PWHASH_SALT_BYTES] = {1};
	uint8_t out[KEY_BYTES] = {7};
	assert_int_equal(pwhash_derive(SPAN_LITERAL("x"), salt, 0, 8192, out, &err), ERR_LIMIT);
	assert_int_equal(pwhash_derive(SPAN_LITERAL("x"), salt, 1, 8191, out, &err), ERR_LIMIT);
	assert_int_equal(pwhash_derive(SPAN_LITERAL("x"), salt, 1, UINT64_MAX, out, &err), ERR_LIMIT);
	assert_int_equal(pwhash_derive(SPAN_LITERAL("x"), salt, UINT64_MAX, 8192, out, &err), ERR_LIMIT);
	assert_int_equal(out[0], 7);
}

#define AEAD_PLAIN SPAN_LITERAL(VECTOR_AEAD_PLAIN)

static void aead_matches_the_draft(void **state)
{
	(void)state;
	uint8_t key[KEY_BYTES], nonce[AEAD_NONCE_BYTES], associated[12], sealed[256], plain[256];
	bytes_count_up(key, sizeof(key), 0x80);
	bytes_count_up(nonce, sizeof(nonce), 0x40);
	hex_decode(VECTOR_AEAD_ASSOCIATED, associated, sizeof(associated));
	aead_seal(key, nonce, AEAD_PLAIN, span_of(associated, 12), sealed);
	size_t len = AEAD_PLAIN.len + AEAD_TAG_BYTES;
	assert_hex(sealed, len, vector_aead_sealed);
	assert_int_equal(aead_open(key, nonce, span_of(sealed, len), span_of(associated, 12), plain, &err), 0);
	assert_memory_equal(plain, VECTOR_AEAD_PLAIN, AEAD_PLAIN.len);
}

// Opening must fail and leave nothing but zeros.
static void assert_aead_refuses(const uint8_t *key, const uint8_t *nonce, struct span sealed, struct span associated)
{
	static const uint8_t zeros[256];
	uint8_t plain[256];
	memset(plain, 0xaa, sizeof(plain));
	assert_int_equal(aead_open(key, nonce, sealed, associated, plain, &err), ERR_DAMAGED);
	if (sealed.len >= AEAD_TAG_BYTES)
		assert_memory_equal(plain, zeros, sealed.len - AEAD_TAG_BYTES);
}

static void aead_sees_every_bit(void **state)
{
	(void)state;
	struct {
		uint8_t key[KEY_BYTES], nonce[AEAD_NONCE_BYTES], associated[12], sealed[40 + AEAD_TAG_BYTES];
	} all;
	uint8_t *flat = (uint8_t *)&all;
	_Static_assert(sizeof(all) == KEY_BYTES + AEAD_NONCE_BYTES + 12 + 40 + AEAD_TAG_BYTES, "no padding");
	bytes_count_up(flat, sizeof(all), 3);
	aead_seal(all.key, all.nonce, span_of(VECTOR_AEAD_PLAIN, 40), span_of(all.associated, 12), all.sealed);
	for (size_t bit = 0; bit < 8 * sizeof(all); bit++) {
		flat[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_aead_refuses(all.key, all.nonce, span_of(all.sealed, sizeof(all.sealed)), span_of(all.associated, 12));
		flat[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t len = 0; len < sizeof(all.sealed); len++)
		assert_aead_refuses(all.key, all.nonce, span_of(all.sealed, len), span_of(all.associated, 12));
	assert_aead_refuses(all.key, all.nonce, span_of(all.sealed, sizeof(all.sealed)), span_of(all.associated, 11));
}

static void aead_seals_nothing_too(void **state)
{
	(void)state;
	uint8_t key[KEY_BYTES] = {1}, nonce[AEAD_NONCE_BYTES] = {2}, sealed[AEAD_TAG_BYTES], plain[1] = {5};
	aead_seal(key, nonce, (struct span){NULL, 0}, (struct span){NULL, 0}, sealed);
	assert_int_equal(aead_open(key, nonce, span_of(sealed, sizeof(sealed)), (struct span){NULL, 0}, plain, &err), 0);
	assert_int_equal(plain[0], 5);
	sealed[0] ^= 1;
	assert_int_equal(aead_open(key, nonce, span_of(sealed, sizeof(sealed)), (struct span){NULL, 0}, plain, &err),
			 ERR_DAMAGED);
}

static void box_keys_match_the_vector(void **state)
{
	(void)state;
	uint8_t seed[KEY_BYTES], public_key[BOX_PUBLIC_BYTES], secret_key[BOX_SECRET_BYTES];
	bytes_count_up(seed, sizeof(seed), 0);
	box_keys_from_seed(seed, public_key, secret_key);
	assert_hex(public_key, sizeof(public_key), VECTOR_SEED_PUBLIC);
	assert_hex(secret_key, sizeof(secret_key), VECTOR_SEED_SECRET);
}

static void box_opens_the_reference(void **state)
{
	(void)state;
	uint8_t public_key[BOX_PUBLIC_BYTES], secret_key[BOX_SECRET_BYTES], sealed[256], plain[256];
	hex_decode(vector_box_public, public_key, sizeof(public_key));
	hex_decode(vector_box_secret, secret_key, sizeof(secret_key));
	size_t len = hex_decode(vector_box_sealed, sealed, sizeof(sealed));
	assert_int_equal(box_open(public_key, secret_key, span_of(sealed, len), plain, &err), 0);
	assert_hex(plain, len - BOX_OVERHEAD_BYTES, vector_box_plain);
}

static void box_round_trip_and_every_bit(void **state)
{
	(void)state;
	static const uint8_t zeros[KEY_BYTES];
	uint8_t seed[KEY_BYTES], pk[BOX_PUBLIC_BYTES], sk[BOX_SECRET_BYTES];
	uint8_t sealed[KEY_BYTES + BOX_OVERHEAD_BYTES], again[sizeof(sealed)], plain[KEY_BYTES];
	rng_fill(seed, sizeof(seed));
	box_keys_from_seed(seed, pk, sk);
	assert_int_equal(box_seal(pk, span_of(seed, sizeof(seed)), sealed, &err), 0);
	assert_int_equal(box_seal(pk, span_of(seed, sizeof(seed)), again, &err), 0);
	assert_memory_not_equal(sealed, again, sizeof(sealed));
	assert_int_equal(box_open(pk, sk, span_of(sealed, sizeof(sealed)), plain, &err), 0);
	assert_memory_equal(plain, seed, sizeof(seed));
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		memcpy(again, sealed, sizeof(sealed));
		again[bit / 8] ^= (uint8_t)(1u << bit % 8);
		memset(plain, 0xaa, sizeof(plain));
		assert_int_equal(box_open(pk, sk, span_of(again, sizeof(again)), plain, &err), ERR_DAMAGED);
		assert_memory_equal(plain, zeros, sizeof(plain));
	}
	for (size_t len = 0; len < sizeof(sealed); len++)
		assert_int_equal(box_open(pk, sk, span_of(sealed, len), plain, &err), ERR_DAMAGED);
}

static void box_refuses_keys_of_small_order(void **state)
{
	(void)state;
	uint8_t sealed[KEY_BYTES + BOX_OVERHEAD_BYTES], plain[KEY_BYTES] = {0}, pk[BOX_PUBLIC_BYTES] = {0};
	assert_int_equal(box_seal(pk, span_of(plain, sizeof(plain)), sealed, &err), ERR_DAMAGED);
	pk[0] = 1;
	assert_int_equal(box_seal(pk, span_of(plain, sizeof(plain)), sealed, &err), ERR_DAMAGED);
}

static void rng_fills_all_of_it(void **state)
{
	(void)state;
	// In 64 draws every byte must have been something else than 0 at least once, and what is behind stays.
	uint8_t seen[33] = {0}, draw[33];
	for (int i = 0; i < 64; i++) {
		draw[32] = 0xaa;
		rng_fill(draw, 32);
		assert_int_equal(draw[32], 0xaa);
		for (size_t k = 0; k < 32; k++)
			seen[k] |= draw[k];
	}
	for (size_t k = 0; k < 32; k++)
		assert_int_not_equal(seen[k], 0);
}

static struct secret *secret_random(void)
{
	struct secret *secret = NULL;
	assert_int_equal(secret_new(KEY_BYTES, SECRET_LOCK_REQUIRED, &secret, &err), 0);
	rng_fill(secret_data(secret), KEY_BYTES);
	return secret;
}

static void residue_is_found_where_there_is_some(void **state)
{
	(void)state;
	if (!residue_is_countable())
		skip();
	_cleanup_secret_ struct secret *secret = secret_random();
	_cleanup_free_ uint8_t *copy = malloc(64);
	assert_non_null(copy);
	assert_int_equal(residue_count(secret), 0);
	memcpy(copy + 13, secret_data(secret), 9);
	assert_int_equal(residue_count(secret), 2);
	secret_wipe(copy, 64);
	assert_int_equal(residue_count(secret), 0);
}

static void keys_leave_no_residue(void **state)
{
	(void)state;
	if (!residue_is_countable())
		skip();
	_cleanup_secret_ struct secret *root = secret_random();
	_cleanup_secret_ struct secret *subkey = secret_random();
	_cleanup_secret_ struct secret *plain = secret_random();
	_cleanup_secret_ struct secret *opened = secret_random();
	uint8_t out[KEY_BYTES + BOX_OVERHEAD_BYTES], nonce[AEAD_NONCE_BYTES] = {1};
	kdf_derive(secret_data(root), 1, "envseal1", secret_data(subkey));
	assert_int_equal(residue_count(root), 0);
	mac_bytes(secret_data(subkey), SPAN_LITERAL("abc"), out);
	assert_int_equal(residue_count(subkey), 0);
	aead_seal(secret_data(subkey), nonce, secret_span(plain), SPAN_LITERAL("associated"), out);
	assert_int_equal(residue_count(subkey), 0);
	assert_int_equal(residue_count(plain), 0);
	assert_int_equal(aead_open(secret_data(subkey), nonce, span_of(out, KEY_BYTES + AEAD_TAG_BYTES),
				   SPAN_LITERAL("associated"), secret_data(opened), &err),
			 0);
	memset(secret_data(opened), 0, KEY_BYTES);
	assert_int_equal(residue_count(subkey), 0);
	assert_int_equal(residue_count(plain), 0);
}

static void boxes_leave_no_residue(void **state)
{
	(void)state;
	if (!residue_is_countable())
		skip();
	_cleanup_secret_ struct secret *seed = secret_random();
	_cleanup_secret_ struct secret *key = secret_random();
	_cleanup_secret_ struct secret *plain = secret_random();
	_cleanup_secret_ struct secret *opened = secret_random();
	uint8_t public_key[BOX_PUBLIC_BYTES], out[KEY_BYTES + BOX_OVERHEAD_BYTES];
	box_keys_from_seed(secret_data(seed), public_key, secret_data(key));
	assert_int_equal(residue_count(seed), 0);
	assert_int_equal(residue_count(key), 0);
	assert_int_equal(box_seal(public_key, secret_span(plain), out, &err), 0);
	assert_int_equal(residue_count(plain), 0);
	assert_int_equal(box_open(public_key, secret_data(key), span_of(out, sizeof(out)), secret_data(opened), &err), 0);
	memset(secret_data(opened), 0, KEY_BYTES);
	assert_int_equal(residue_count(plain), 0);
	assert_int_equal(residue_count(key), 0);
}

// ------------------------------------------------------------------------------------------------------ a key that is kept

static void assert_shielded(struct shielded *shielded, const struct secret *key)
{
	_cleanup_secret_ struct secret *opened = NULL;
	assert_int_equal(shielded_open(shielded, &opened, &err), 0);
	assert_true(secret_is_equal(secret_span(opened), secret_span(key)));
}

static void shielded_opens_again_and_again(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *key = secret_random();
	struct shielded *shielded = NULL;
	assert_int_equal(shielded_new(key, &shielded, &err), 0);
	for (int i = 0; i < 5; i++)
		assert_shielded(shielded, key);
	assert_null(shielded_free(shielded));
	assert_null(shielded_free(NULL));
}

// Each opening leaves other bytes behind, all through.
static void shielded_changes_its_prekey(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *key = secret_random();
	struct shielded *shielded = NULL;
	static struct shield before;
	assert_int_equal(shielded_new(key, &shielded, &err), 0);
	memcpy(&before, shield_of(shielded), sizeof(before));
	assert_shielded(shielded, key);
	const struct shield *after = shield_of(shielded);
	assert_memory_not_equal(before.nonce, after->nonce, sizeof(before.nonce));
	assert_memory_not_equal(before.sealed, after->sealed, sizeof(before.sealed));
	for (size_t i = 0; i < SHIELDED_PREKEY_BYTES; i += 64)
		assert_memory_not_equal(before.prekey + i, after->prekey + i, 64);
	shielded_free(shielded);
}

static void shielded_holds_nothing_of_the_key(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *key = secret_random();
	struct shielded *shielded = NULL;
	assert_int_equal(shielded_new(key, &shielded, &err), 0);
	for (size_t i = 0; i + 8 <= KEY_BYTES; i++)
		assert_null(memmem(shield_of(shielded), sizeof(struct shield), secret_span(key).data + i, 8));
	shielded_free(shielded);
}

static void shielded_shows_damage(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *key = secret_random();
	for (size_t place = 0; place < sizeof(struct shield); place += 97) {
		struct shielded *shielded = NULL;
		struct secret *opened = NULL;
		assert_int_equal(shielded_new(key, &shielded, &err), 0);
		((uint8_t *)shield_of(shielded))[place] ^= 1;
		assert_int_equal(shielded_open(shielded, &opened, &err), ERR_DAMAGED);
		assert_null(opened);
		shielded_free(shielded);
	}
}

// Opens while its parent does, and keeps the pre-key as it is.
static int shielded_child(struct shielded *shielded, const struct secret *key, bool is_adopted)
{
	static struct shield before;
	memcpy(&before, shield_of(shielded), sizeof(before));
	if (is_adopted)
		shielded_adopt(shielded);
	for (int i = 0; i < 20; i++) {
		_cleanup_secret_ struct secret *opened = NULL;
		if (shielded_open(shielded, &opened, &err) < 0 || !secret_is_equal(secret_span(opened), secret_span(key)))
			return 1;
	}
	return (memcmp(&before, shield_of(shielded), sizeof(before)) != 0) == is_adopted ? 0 : 2;
}

static void shielded_opens_in_a_forked_process(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *key = secret_random();
	for (int is_adopted = 0; is_adopted < 2; is_adopted++) {
		struct shielded *shielded = NULL;
		int status = -1;
		assert_int_equal(shielded_new(key, &shielded, &err), 0);
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0)
			_exit(shielded_child(shielded, key, is_adopted));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_shielded(shielded, key);
		shielded_free(shielded);
	}
}

// Children that open while the owner renews never get half of it.
static void shielded_opens_while_it_changes(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *key = secret_random();
	struct shielded *shielded = NULL;
	pid_t pids[3];
	assert_int_equal(shielded_new(key, &shielded, &err), 0);
	fflush(NULL);
	for (size_t i = 0; i < ARRAY_COUNT(pids); i++) {
		pids[i] = fork();
		for (int round = 0; pids[i] == 0 && round < 300; round++) {
			struct secret *opened = NULL;
			if (shielded_open(shielded, &opened, &err) < 0 || !secret_is_equal(secret_span(opened), secret_span(key)))
				_exit(1);
			secret_free(opened);
		}
		if (pids[i] == 0)
			_exit(0);
	}
	for (int round = 0; round < 300; round++)
		assert_shielded(shielded, key);
	for (size_t i = 0; i < ARRAY_COUNT(pids); i++) {
		int status = -1;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	shielded_free(shielded);
}

static void shielded_wants_a_key(void **state)
{
	(void)state;
	struct shielded *shielded = NULL;
	_cleanup_secret_ struct secret *shorter = NULL;
	assert_int_equal(secret_new(KEY_BYTES - 1, SECRET_LOCK_REQUIRED, &shorter, &err), 0);
	assert_int_equal(shielded_new(shorter, &shielded, &err), ERR_USAGE);
	assert_null(shielded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_is_idempotent),
		cmocka_unit_test(digest_matches_vectors),
		cmocka_unit_test(digest_streams_as_it_hashes_at_once),
		cmocka_unit_test(digest_of_a_file_leaves_the_offset),
		cmocka_unit_test(digest_of_what_cannot_be_read_fails),
		cmocka_unit_test(digest_hex_goes_there_and_back),
		cmocka_unit_test(digest_parse_refuses_other_spellings),
		cmocka_unit_test(digest_equality_sees_every_bit),
		cmocka_unit_test(mac_and_kdf_match_vectors),
		cmocka_unit_test(pwhash_matches_vectors),
		cmocka_unit_test(pwhash_takes_every_byte_of_the_passphrase),
		cmocka_unit_test(pwhash_refuses_what_it_cannot_do),
		cmocka_unit_test(aead_matches_the_draft),
		cmocka_unit_test(aead_sees_every_bit),
		cmocka_unit_test(aead_seals_nothing_too),
		cmocka_unit_test(box_keys_match_the_vector),
		cmocka_unit_test(box_opens_the_reference),
		cmocka_unit_test(box_round_trip_and_every_bit),
		cmocka_unit_test(box_refuses_keys_of_small_order),
		cmocka_unit_test(rng_fills_all_of_it),
		cmocka_unit_test(residue_is_found_where_there_is_some),
		cmocka_unit_test(keys_leave_no_residue),
		cmocka_unit_test(boxes_leave_no_residue),
		cmocka_unit_test(shielded_opens_again_and_again),
		cmocka_unit_test(shielded_changes_its_prekey),
		cmocka_unit_test(shielded_holds_nothing_of_the_key),
		cmocka_unit_test(shielded_shows_damage),
		cmocka_unit_test(shielded_opens_in_a_forked_process),
		cmocka_unit_test(shielded_opens_while_it_changes),
		cmocka_unit_test(shielded_wants_a_key),
	};
	if (cipher_start(&err) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
