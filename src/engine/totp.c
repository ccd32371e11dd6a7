#include "engine/totp.h"

#include <liboath/oath.h>
#include <sodium.h>
#include <string.h>

#define TOTP_FORMAT 1
#define TOTP_SETTING_BYTES (1 + TOTP_KEY_BYTES + 8 + 8 + 4 + 8 + 8 + CLOCK_BOOT_ID_BYTES + 8 + DIGEST_BYTES)
// More than any frame below liboath's functions, which leave the key's pads there.
#define TOTP_STACK_BYTES 16384

struct totp *totp_of(struct secret *secret)
{
	return (void *)secret_data(secret);
}

int totp_new(struct secret **out, struct err *err)
{
	_cleanup_secret_ struct secret *secret = NULL;
	int r = secret_new(sizeof(struct totp), SECRET_LOCK_REQUIRED, &secret, err);
	if (r < 0)
		return r;
	rng_fill(totp_of(secret)->key, TOTP_KEY_BYTES);
	*out = TAKE_PTR(secret);
	return 0;
}

static int totp_write(const struct totp *totp, struct buf *out, struct err *err)
{
	int r = writer_u8(out, TOTP_FORMAT, err);
	if (r == 0)
		r = buf_append(out, span_of(totp->key, TOTP_KEY_BYTES), err);
	if (r == 0)
		r = writer_u64(out, (uint64_t)totp->created, err);
	if (r == 0)
		r = writer_u64(out, totp->last_step, err);
	if (r == 0)
		r = writer_u32(out, totp->tries.count, err);
	if (r == 0)
		r = writer_u64(out, (uint64_t)totp->tries.first, err);
	if (r == 0)
		r = writer_u64(out, (uint64_t)totp->tries.last, err);
	if (r == 0)
		r = buf_append(out, span_of(totp->tries.boot_id, CLOCK_BOOT_ID_BYTES), err);
	if (r == 0)
		r = writer_u64(out, (uint64_t)totp->tries.boottime_ms, err);
	return r < 0 ? r : buf_append(out, span_of(totp->recovery, DIGEST_BYTES), err);
}

int totp_encode(const struct totp *totp, struct secret **out, struct err *err)
{
	_cleanup_secret_ struct secret *bytes = NULL;
	int r = secret_new(TOTP_SETTING_BYTES + 1, SECRET_LOCK_REQUIRED, &bytes, err);
	if (r < 0)
		return r;
	struct buf buf = buf_over(bytes);
	r = totp_write(totp, &buf, err);
	if (r < 0)
		return r;
	secret_shorten(bytes, buf.len);
	*out = TAKE_PTR(bytes);
	return 0;
}

int totp_decode(struct span bytes, struct secret **out, struct err *err)
{
	_cleanup_secret_ struct secret *secret = NULL;
	int r = secret_new(sizeof(struct totp), SECRET_LOCK_REQUIRED, &secret, err);
	if (r < 0)
		return r;
	struct totp *totp = totp_of(secret);
	struct reader reader = reader_of(bytes);
	bool is_format = reader_u8(&reader) == TOTP_FORMAT;
	reader_bytes(&reader, totp->key, sizeof(totp->key));
	totp->created = (int64_t)reader_u64(&reader);
	totp->last_step = reader_u64(&reader);
	totp->tries.count = reader_u32(&reader);
	totp->tries.first = (int64_t)reader_u64(&reader);
	totp->tries.last = (int64_t)reader_u64(&reader);
	reader_bytes(&reader, totp->tries.boot_id, sizeof(totp->tries.boot_id));
	totp->tries.boottime_ms = (int64_t)reader_u64(&reader);
	reader_bytes(&reader, totp->recovery, sizeof(totp->recovery));
	if (!reader_end(&reader) || !is_format)
		return err_set(err, ERR_DAMAGED, "the second factor in the vault cannot be read by this version of envseal");
	*out = TAKE_PTR(secret);
	return 0;
}

uint64_t totp_step_at(int64_t now)
{
	return now > 0 ? (uint64_t)now / TOTP_STEP_SECONDS : 0;
}

int totp_code(const struct totp *totp, uint64_t step, char out[TOTP_CODE_BYTES], struct err *err)
{
	int result = oath_init();
	if (result == OATH_OK)
		result = oath_totp_generate((const char *)totp->key, sizeof(totp->key), (time_t)(step * TOTP_STEP_SECONDS),
					    TOTP_STEP_SECONDS, 0, TOTP_DIGITS, out);
	sodium_stackzero(TOTP_STACK_BYTES);
	if (result != OATH_OK)
		return err_set(err, ERR_SYSTEM, "a code could not be computed (%s)", oath_strerror_name(result));
	return 0;
}

int totp_match(const struct totp *totp, struct span digits, uint64_t step, enum totp_verdict *out, uint64_t *ret_step,
	       struct err *err)
{
	enum totp_verdict verdict = TOTP_WRONG;
	uint64_t first = step > TOTP_WINDOW_STEPS ? step - TOTP_WINDOW_STEPS : 0, found = 0;
	char code[TOTP_CODE_BYTES];
	int r = 0;
	// All of them are looked at, whichever it is. Two steps may have the same code: a later one counts.
	for (uint64_t at = first; r == 0 && at <= step + TOTP_WINDOW_STEPS; at++) {
		r = totp_code(totp, at, code, err);
		if (r == 0 && secret_is_equal(digits, span_of(code, TOTP_DIGITS))) {
			verdict = at > totp->last_step ? TOTP_RIGHT : TOTP_USED;
			found = at;
		}
	}
	secret_wipe(code, sizeof(code));
	if (r < 0)
		return r;
	if (verdict == TOTP_RIGHT)
		*ret_step = found;
	*out = verdict;
	return 0;
}

int64_t totp_lock_left(const struct totp *totp, const struct backoff_clock *clock)
{
	return backoff_left_of(&totp->tries, totp->tries.count < TOTP_TRIES ? 0 : TOTP_LOCK_SECONDS, clock);
}

bool totp_is_before_last(const struct totp *totp, uint64_t step)
{
	return totp->last_step >= step + TOTP_WINDOW_STEPS;
}
