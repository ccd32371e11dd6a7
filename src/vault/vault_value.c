#include "vault/vault_internal.h"

#include <stdlib.h>
#include <string.h>

#define TAG_VALUE SPAN_LITERAL("envseal value 1")

int value_check_size(struct span value, struct err *err)
{
	if (value.len == 0)
		return err_set(err, ERR_LIMIT, "a value may not be empty");
	if (value.len > SECRET_VALUE_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "a value of %zu bytes is too large (at most %u)", value.len,
			       SECRET_VALUE_BYTES_MAX);
	return 0;
}

static int label_encode(const struct vault *vault, const struct value_label *label, struct buf *out, struct err *err)
{
	struct pen pen = {.buf = out, .err = err};
	pen_string(&pen, TAG_VALUE);
	pen_bytes(&pen, vault->id, VAULT_ID_BYTES);
	pen_bytes(&pen, label->id, VAULT_ID_BYTES);
	pen_u32(&pen, label->version);
	pen_string(&pen, label->name);
	pen_string(&pen, label->context);
	return pen.r;
}

int value_seal(struct vault *vault, const struct value_label *label, struct span value, struct buf *out,
	       struct err *err)
{
	int r = value_check_size(value, err);
	_cleanup_buf_ struct buf associated = BUF_INIT(65536);
	if (r == 0)
		r = label_encode(vault, label, &associated, err);
	if (r < 0)
		return r;
	size_t sealed_bytes = value.len + AEAD_TAG_BYTES;
	_cleanup_free_ uint8_t *sealed = malloc(sealed_bytes);
	if (!sealed)
		return err_set(err, ERR_MEMORY, "out of memory for a value");
	uint8_t boxed_key[BOXED_KEY_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t *data_key = secret_data(vault->scratch);
	rng_fill(data_key, KEY_BYTES);
	rng_fill(nonce, sizeof(nonce));
	r = box_seal(vault->public_key, span_of(data_key, KEY_BYTES), boxed_key, err);
	if (r == 0)
		aead_seal(data_key, nonce, value, buf_span(&associated), sealed);
	secret_wipe(data_key, KEY_BYTES);
	if (r < 0)
		return r;
	struct pen pen = {.buf = out, .err = err};
	pen_string(&pen, span_of(boxed_key, sizeof(boxed_key)));
	pen_bytes(&pen, nonce, sizeof(nonce));
	pen_string(&pen, span_of(sealed, sealed_bytes));
	return pen.r;
}

int value_open(struct vault *vault, const struct value_label *label, const struct sealed_value *sealed,
	       struct secret **out, struct err *err)
{
	_cleanup_buf_ struct buf associated = BUF_INIT(65536);
	_cleanup_secret_ struct secret *value = NULL;
	int r = vault_need_box(vault, err);
	if (r == 0)
		r = label_encode(vault, label, &associated, err);
	if (r == 0)
		r = secret_new(sealed->text.len - AEAD_TAG_BYTES, SECRET_LOCK_REQUIRED, &value, err);
	if (r < 0)
		return r;
	uint8_t *data_key = secret_data(vault->scratch);
	r = box_open(vault->public_key, vault_keys_of(vault)->box, sealed->boxed_key, data_key, err);
	if (r == 0)
		r = aead_open(data_key, sealed->nonce, sealed->text, buf_span(&associated), secret_data(value), err);
	secret_wipe(data_key, KEY_BYTES);
	if (r < 0)
		return r;
	*out = TAKE_PTR(value);
	return 0;
}
