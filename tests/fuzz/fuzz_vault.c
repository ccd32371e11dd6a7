// Any bytes as the body of a row, or as a key slot, are refused as damage without touching the outputs, or give a value
// that is encoded to the same bytes again: so there is one encoding of each value, and no byte that means nothing.
// Input: u8 kind of row, u8 length and name, body.
#include "vault/vault_internal.h"

// The blob's parser is private to the file: from outside it is reached only with a key derivation behind it.
#include "seal/passphrase.c"

#include <stdlib.h>

#define BODY_BYTES_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_damaged(int r, const struct err *err)
{
	require(r == ERR_DAMAGED && err->code == r);
	for (const char *at = err->text; *at; at++)
		require(*at >= 0x20 && *at < 0x7f);
}

static void require_untouched(const void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		require(((const uint8_t *)out)[i] == 0xa5);
}

static void require_same(const struct buf *encoded, struct span body)
{
	require(span_is_equal(buf_span(encoded), body));
}

static void pen_sealed(struct pen *pen, const struct sealed_value *sealed)
{
	pen_string(pen, sealed->boxed_key);
	pen_bytes(pen, sealed->nonce, sizeof(sealed->nonce));
	pen_string(pen, sealed->text);
}

static void check_header(struct span name, struct span body, struct buf *encoded)
{
	(void)name;
	struct err err;
	struct vault vault = {0};
	int r = header_decode(body, &vault, &err);
	if (r < 0) {
		require_damaged(r, &err);
		return;
	}
	require(header_encode(&vault, encoded, &err) == 0);
	require_same(encoded, body);
}

static void check_state(struct span name, struct span body, struct buf *encoded)
{
	(void)name;
	struct err err;
	struct vault vault = {0};
	struct vault_state state;
	struct span authenticated, mac;
	memset(&state, 0xa5, sizeof(state));
	// The state of any vault, not only of one whose id the fuzzer would have to guess.
	if (body.len > VAULT_ID_BYTES)
		memcpy(vault.id, body.data + 1, VAULT_ID_BYTES);
	int r = state_decode(&vault, body, &state, &authenticated, &mac, &err);
	if (r < 0) {
		require_damaged(r, &err);
		require_untouched(&state, sizeof(state));
		return;
	}
	require(state_encode(&vault, &state, encoded, &err) == 0);
	require_same(encoded, authenticated);
	require(buf_append(encoded, mac, &err) == 0);
	require_same(encoded, body);
}

static void check_secret(struct span name, struct span body, struct buf *encoded)
{
	struct err err;
	struct vault_entry entry;
	memset(&entry, 0xa5, sizeof(entry));
	int r = secret_decode(name, body, &entry, &err);
	if (r < 0) {
		require_damaged(r, &err);
		require_untouched(&entry, sizeof(entry));
		return;
	}
	require(span_is_equal(span_text(entry.name), name));
	require(secret_encode(&entry, encoded, &err) == 0);
	require_same(encoded, body);
}

static void check_version(struct span name, struct span body, struct buf *encoded)
{
	struct err err;
	struct version_record record;
	memset(&record, 0xa5, sizeof(record));
	int r = version_decode(name, body, &record, &err);
	if (r < 0) {
		require_damaged(r, &err);
		require_untouched(&record, sizeof(record));
		return;
	}
	struct pen pen = {.buf = encoded, .err = &err};
	pen_u8(&pen, VAULT_FORMAT);
	pen_u8(&pen, record.flags);
	pen_u64(&pen, (uint64_t)record.stored);
	pen_u64(&pen, record.value_bytes);
	pen_sealed(&pen, &record.sealed);
	require(pen.r == 0);
	require_same(encoded, body);
}

static void check_deposit(struct span name, struct span body, struct buf *encoded)
{
	struct err err;
	struct deposit_record record;
	memset(&record, 0xa5, sizeof(record));
	int r = deposit_decode(name, body, &record, &err);
	if (r < 0) {
		require_damaged(r, &err);
		require_untouched(&record, sizeof(record));
		return;
	}
	require(span_is_equal(span_text(record.entry.name), name) && record.entry.is_pending);
	require(deposit_encode(&record.entry, record.flags, encoded, &err) == 0);
	require_same(encoded, record.context);
	struct pen pen = {.buf = encoded, .err = &err};
	pen_sealed(&pen, &record.sealed);
	require(pen.r == 0);
	require_same(encoded, body);
}

// Nobody makes an AEAD by chance: whatever parses is refused as well.
static void check_setting(struct span name, struct span body, struct buf *encoded)
{
	(void)encoded;
	struct err err;
	struct vault vault = {0};
	struct secret *plain = NULL;
	require(secret_new(sizeof(struct vault_keys), SECRET_LOCK_PREFERRED, &vault.keys, &err) == 0);
	require_damaged(setting_open(&vault, name, body, &plain, &err), &err);
	require(!plain);
	secret_free(vault.keys);
}

static void check_slot(struct span name, struct span body, struct buf *encoded)
{
	(void)name;
	struct err err;
	struct seal_blob blob;
	int r = blob_parse(body, &blob, &err);
	if (r < 0) {
		require_damaged(r, &err);
		return;
	}
	require(blob_write(&blob, encoded, &err) == 0);
	require_same(encoded, body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const checks[KIND_COUNT])(struct span name, struct span body, struct buf *encoded) = {
		[KIND_HEADER] = check_header,   [KIND_SLOT] = check_slot,       [KIND_SECRET] = check_secret,
		[KIND_VERSION] = check_version, [KIND_SETTING] = check_setting, [KIND_STATE] = check_state,
		[KIND_DEPOSIT] = check_deposit,
	};
	struct err err;
	_cleanup_buf_ struct buf encoded = BUF_INIT(BODY_BYTES_MAX + SECRET_VALUE_BYTES_MAX);
	uint8_t kind = len > 0 ? data[0] : 0;
	size_t name_bytes = len > 1 ? data[1] : 0;
	if (kind >= KIND_COUNT || !checks[kind] || name_bytes + 2 > len || len > BODY_BYTES_MAX)
		return 0;
	require(cipher_start(&err) == 0);
	checks[kind](span_of(data + 2, name_bytes), span_of(data + 2 + name_bytes, len - 2 - name_bytes), &encoded);
	return 0;
}
