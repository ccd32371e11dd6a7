#include "crypto/crypto.h"

#include <errno.h>
#include <sodium.h>
#include <unistd.h>

_Static_assert(sizeof(struct digest_state) >= sizeof(crypto_generichash_state), "room for the state");
_Static_assert(_Alignof(struct digest_state) >= _Alignof(crypto_generichash_state), "alignment of the state");
_Static_assert(DIGEST_BYTES == crypto_generichash_BYTES, "length of a digest");

// One read of digest_file. The stack holds it, and larger blocks are not measurably faster.
#define DIGEST_BLOCK_BYTES 32768

static crypto_generichash_state *digest_inner(struct digest_state *state)
{
	return (void *)state->opaque; // cppcheck-suppress ctuuninitvar; only an address is taken, digest_start fills it
}

void digest_bytes(struct span bytes, uint8_t out[DIGEST_BYTES])
{
	crypto_generichash(out, DIGEST_BYTES, bytes.data, bytes.len, NULL, 0);
}

bool digest_is_equal(const uint8_t a[DIGEST_BYTES], const uint8_t b[DIGEST_BYTES])
{
	return sodium_memcmp(a, b, DIGEST_BYTES) == 0;
}

void digest_hex(const uint8_t digest[DIGEST_BYTES], char out[DIGEST_HEX_BYTES])
{
	sodium_bin2hex(out, DIGEST_HEX_BYTES, digest, DIGEST_BYTES);
}

// Not sodium_hex2bin: that takes capitals too, and a digest must have one spelling only.
int digest_parse_hex(struct span hex, uint8_t out[DIGEST_BYTES], struct err *err)
{
	uint8_t digest[DIGEST_BYTES];
	bool ok = hex.len == 2 * DIGEST_BYTES;
	for (size_t i = 0; ok && i < DIGEST_BYTES; i++) {
		int high = byte_hex_value(hex.data[2 * i]);
		int low = byte_hex_value(hex.data[2 * i + 1]);
		ok = high >= 0 && low >= 0;
		digest[i] = ok ? (uint8_t)(high * 16 + low) : 0;
	}
	if (!ok)
		return err_set(err, ERR_DAMAGED, "a digest must be %d lower-case hex digits", 2 * DIGEST_BYTES);
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		out[i] = digest[i];
	return 0;
}

int digest_file(int fd, const char *path, uint8_t out[DIGEST_BYTES], struct err *err)
{
	struct digest_state state;
	digest_start(&state);
	uint8_t block[DIGEST_BLOCK_BYTES];
	off_t offset = 0;
	for (;;) {
		ssize_t n = pread(fd, block, sizeof(block), offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int saved = errno;
			char brief[200];
			return err_set_errno(err, ERR_SYSTEM, saved, "cannot read %s",
					     text_brief(span_text(path), brief, sizeof(brief)));
		}
		if (n == 0)
			break;
		digest_update(&state, span_of(block, (size_t)n));
		offset += n;
	}
	digest_finish(&state, out);
	return 0;
}

void digest_start(struct digest_state *state)
{
	crypto_generichash_init(digest_inner(state), NULL, 0, DIGEST_BYTES);
}

void digest_update(struct digest_state *state, struct span bytes)
{
	crypto_generichash_update(digest_inner(state), bytes.data, bytes.len);
}

void digest_finish(struct digest_state *state, uint8_t out[DIGEST_BYTES])
{
	crypto_generichash_final(digest_inner(state), out, DIGEST_BYTES);
}
