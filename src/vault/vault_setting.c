#include "vault/vault_internal.h"

#include <stdlib.h>
#include <string.h>

#define TAG_SETTING SPAN_LITERAL("envseal setting 1")

static int setting_label(const struct vault *vault, struct span key, struct buf *out, struct err *err)
{
	struct pen pen = {.buf = out, .err = err};
	pen_string(&pen, TAG_SETTING);
	pen_bytes(&pen, vault->id, VAULT_ID_BYTES);
	pen_string(&pen, key);
	return pen.r;
}

// A setting as it lies in a body; the span borrows from it.
struct setting_sealed {
	uint8_t nonce[AEAD_NONCE_BYTES];
	struct span text;
};

static int setting_parse(struct span key, struct span body, struct setting_sealed *out, struct err *err)
{
	struct reader r = reader_of(body);
	bool is_format = reader_u8(&r) == VAULT_FORMAT;
	reader_bytes(&r, out->nonce, sizeof(out->nonce));
	out->text = reader_string(&r, VAULT_SETTING_BYTES_MAX + AEAD_TAG_BYTES);
	if (!reader_end(&r) || !is_format || out->text.len <= AEAD_TAG_BYTES)
		return row_damaged(KIND_SETTING, key, "does not parse", err);
	return 0;
}

int setting_open(struct vault *vault, struct span key, struct span body, struct secret **out, struct err *err)
{
	struct setting_sealed sealed;
	_cleanup_secret_ struct secret *plain = NULL;
	_cleanup_buf_ struct buf associated = BUF_INIT(1024);
	int r = setting_parse(key, body, &sealed, err);
	if (r == 0)
		r = setting_label(vault, key, &associated, err);
	if (r == 0)
		r = secret_new(sealed.text.len - AEAD_TAG_BYTES, SECRET_LOCK_REQUIRED, &plain, err);
	if (r < 0)
		return r;
	struct err unsaid;
	if (aead_open(vault_keys_of(vault)->settings, sealed.nonce, sealed.text, buf_span(&associated), secret_data(plain),
		      &unsaid) < 0)
		return row_damaged(KIND_SETTING, key, "does not open", err);
	*out = TAKE_PTR(plain);
	return 0;
}

int vault_setting_reveal(struct vault *vault, const char *key, struct secret **out, struct err *err)
{
	_cleanup_scope_ struct vault_scope scope = {0};
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	int r = vault_need_keys(vault, err);
	if (r == 0)
		r = name_check(key, err);
	if (r == 0)
		r = scope_enter(vault, &scope, err);
	if (r < 0)
		return r;
	struct err absent;
	r = tree_get(vault, KIND_SETTING, span_text(key), &body, &absent);
	if (r == 0)
		return setting_open(vault, span_text(key), buf_span(&body), out, err);
	if (r == ERR_NOT_FOUND)
		return 0;
	*err = absent;
	return r;
}

int vault_setting_get(struct vault *vault, const char *key, struct buf *out, struct err *err)
{
	_cleanup_secret_ struct secret *plain = NULL;
	int r = vault_setting_reveal(vault, key, &plain, err);
	return r < 0 || !plain ? r : buf_append(out, secret_span(plain), err);
}

static int setting_remove(struct vault *vault, struct span key, struct err *err)
{
	struct err absent;
	int r = tree_delete(vault, KIND_SETTING, key, &absent);
	if (r == 0 || r == ERR_NOT_FOUND)
		return change_finish(vault);
	*err = absent;
	return r;
}

int vault_setting_put(struct vault *vault, const char *key, struct span value, struct err *err)
{
	int r = change_start(vault, true, err);
	if (r == 0)
		r = name_check(key, err);
	if (r == 0 && value.len > VAULT_SETTING_BYTES_MAX)
		r = err_set(err, ERR_LIMIT, "a setting of %zu bytes is too large (at most %d)", value.len,
			    VAULT_SETTING_BYTES_MAX);
	if (r < 0)
		return r;
	if (value.len == 0)
		return setting_remove(vault, span_text(key), err);
	_cleanup_buf_ struct buf associated = BUF_INIT(1024);
	r = setting_label(vault, span_text(key), &associated, err);
	if (r < 0)
		return r;
	_cleanup_free_ uint8_t *sealed = malloc(value.len + AEAD_TAG_BYTES);
	if (!sealed)
		return err_set(err, ERR_MEMORY, "out of memory for a setting");
	uint8_t nonce[AEAD_NONCE_BYTES];
	rng_fill(nonce, sizeof(nonce));
	aead_seal(vault_keys_of(vault)->settings, nonce, value, buf_span(&associated), sealed);
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	struct pen pen = {.buf = &body, .err = err};
	pen_u8(&pen, VAULT_FORMAT);
	pen_bytes(&pen, nonce, sizeof(nonce));
	pen_string(&pen, span_of(sealed, value.len + AEAD_TAG_BYTES));
	if (pen.r == 0)
		pen.r = tree_put(vault, KIND_SETTING, span_text(key), buf_span(&body), err);
	return pen.r < 0 ? pen.r : change_finish(vault);
}
