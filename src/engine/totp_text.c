#include "engine/totp.h"

#include <sodium.h>
#include <string.h>

// More than any frame below the digest's functions, which leave what they read there.
#define DIGEST_STACK_BYTES 4096
#define KEY_LETTERS (TOTP_KEY_BYTES * 8 / 5)
#define LABEL_PART_BYTES_MAX 64
// Of a label's part, percent-encoded, and of everything else in a URI.
#define URI_BYTES_MAX (2 * 3 * LABEL_PART_BYTES_MAX + 200)

_Static_assert(TOTP_KEY_BYTES % 5 == 0, "a key is a whole number of letters");

// RFC 4648, section 6.
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

struct buf buf_over(struct secret *secret)
{
	return (struct buf){.data = secret_data(secret), .cap = secret_len(secret), .max = secret_len(secret) - 1};
}

// Five bits of the key.
static uint8_t key_letter(const struct totp *totp, size_t index)
{
	size_t bit = 5 * index;
	unsigned pair = (unsigned)totp->key[bit / 8] << 8;
	if (bit / 8 + 1 < TOTP_KEY_BYTES)
		pair |= totp->key[bit / 8 + 1];
	return (uint8_t)letters[pair >> (11 - bit % 8) & 31];
}

static int key_append(const struct totp *totp, size_t group, struct buf *out, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < KEY_LETTERS; i++) {
		if (group > 0 && i > 0 && i % group == 0)
			r = buf_append_byte(out, ' ', err);
		if (r == 0)
			r = buf_append_byte(out, key_letter(totp, i), err);
	}
	return r;
}

// Ends a text that was built in `room`.
static void text_take(struct secret **room, const struct buf *text, struct secret **out)
{
	secret_shorten(*room, text->len);
	*out = TAKE_PTR(*room);
}

int totp_key_text(const struct totp *totp, struct secret **out, struct err *err)
{
	_cleanup_secret_ struct secret *room = NULL;
	int r = secret_new(2 * KEY_LETTERS, SECRET_LOCK_REQUIRED, &room, err);
	if (r < 0)
		return r;
	struct buf text = buf_over(room);
	r = key_append(totp, 4, &text, err);
	if (r == 0)
		text_take(&room, &text, out);
	return r;
}

// RFC 3986, sections 2.1 and 2.3. A colon would end the issuer's part of the label.
static int label_append(const char *part, struct buf *out, struct err *err)
{
	static const char hex[] = "0123456789ABCDEF";
	int r = 0;
	for (size_t i = 0; r == 0 && i < LABEL_PART_BYTES_MAX && part[i]; i++) {
		uint8_t byte = (uint8_t)part[i];
		if (byte <= ' ' || byte > '~' || byte == ':')
			byte = '_';
		if (byte_is_letter(byte) || byte_is_digit(byte) || strchr("-._~", byte)) {
			r = buf_append_byte(out, byte, err);
			continue;
		}
		const uint8_t encoded[] = {'%', (uint8_t)hex[byte >> 4], (uint8_t)hex[byte & 15]};
		r = buf_append(out, span_of(encoded, sizeof(encoded)), err);
	}
	return r;
}

static int uri_write(const struct totp *totp, const char *user, const char *host, struct buf *out, struct err *err)
{
	int r = buf_append_text(out, "otpauth://totp/envseal:", err);
	if (r == 0)
		r = label_append(user, out, err);
	if (r == 0)
		r = buf_append_text(out, "%40", err);
	if (r == 0)
		r = label_append(host, out, err);
	if (r == 0)
		r = buf_append_text(out, "?secret=", err);
	if (r == 0)
		r = key_append(totp, 0, out, err);
	return r < 0 ? r : buf_append_text(out, "&issuer=envseal&algorithm=SHA1&digits=6&period=30", err);
}

_Static_assert(TOTP_DIGITS == 6 && TOTP_STEP_SECONDS == 30, "what the URI says");

int totp_uri(const struct totp *totp, const char *user, const char *host, struct secret **out, struct err *err)
{
	_cleanup_secret_ struct secret *room = NULL;
	int r = secret_new(URI_BYTES_MAX, SECRET_LOCK_REQUIRED, &room, err);
	if (r < 0)
		return r;
	struct buf text = buf_over(room);
	r = uri_write(totp, user, host, &text, err);
	if (r == 0)
		text_take(&room, &text, out);
	return r;
}

// What is left of an answer without blanks and dashes, in capitals.
static int answer_squeeze(const struct secret *typed, struct secret **out, struct err *err)
{
	struct span answer = secret_span(typed);
	_cleanup_secret_ struct secret *squeezed = NULL;
	int r = secret_new(answer.len, SECRET_LOCK_REQUIRED, &squeezed, err);
	if (r < 0)
		return r;
	size_t len = 0;
	for (size_t i = 0; i < answer.len; i++) {
		uint8_t byte = answer.data[i];
		if (byte != ' ' && byte != '-')
			secret_data(squeezed)[len++] = byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - 'a' + 'A') : byte;
	}
	secret_shorten(squeezed, len);
	*out = TAKE_PTR(squeezed);
	return 0;
}

static void recovery_digest(const struct secret *code, uint8_t out[DIGEST_BYTES])
{
	digest_bytes(secret_span(code), out);
	sodium_stackzero(DIGEST_STACK_BYTES);
}

int totp_recovery_make(struct secret **out, uint8_t out_digest[DIGEST_BYTES], struct err *err)
{
	_cleanup_secret_ struct secret *code = NULL, *room = NULL;
	int r = secret_new(TOTP_RECOVERY_LETTERS, SECRET_LOCK_REQUIRED, &code, err);
	if (r == 0)
		r = secret_new(2 * TOTP_RECOVERY_LETTERS, SECRET_LOCK_REQUIRED, &room, err);
	if (r < 0)
		return r;
	struct buf text = buf_over(room);
	uint8_t *letter = secret_data(code);
	rng_fill(letter, TOTP_RECOVERY_LETTERS);
	for (size_t i = 0; r == 0 && i < TOTP_RECOVERY_LETTERS; i++) {
		letter[i] = (uint8_t)letters[letter[i] & 31];
		if (i > 0 && i % 5 == 0)
			r = buf_append_byte(&text, '-', err);
		if (r == 0)
			r = buf_append_byte(&text, letter[i], err);
	}
	if (r < 0)
		return r;
	recovery_digest(code, out_digest);
	text_take(&room, &text, out);
	return 0;
}

int totp_recovery_matches(const struct totp *totp, const struct secret *typed, bool *out, struct err *err)
{
	uint8_t digest[DIGEST_BYTES];
	_cleanup_secret_ struct secret *code = NULL;
	int r = answer_squeeze(typed, &code, err);
	if (r < 0)
		return r;
	recovery_digest(code, digest);
	*out = digest_is_equal(digest, totp->recovery);
	return 0;
}

int totp_digits(const struct secret *typed, struct secret **out, struct err *err)
{
	_cleanup_secret_ struct secret *digits = NULL;
	int r = answer_squeeze(typed, &digits, err);
	if (r < 0)
		return r;
	bool ok = secret_len(digits) == TOTP_DIGITS;
	for (size_t i = 0; ok && i < TOTP_DIGITS; i++)
		ok = byte_is_digit(secret_data(digits)[i]);
	if (!ok)
		return err_set(err, ERR_PASSPHRASE, "a code is six digits; type the one that the app shows now");
	*out = TAKE_PTR(digits);
	return 0;
}
