#include "vault/vault_internal.h"

#include <string.h>

#define FAILURES_KEY SPAN_LITERAL("failures")

static int failures_decode(struct span body, struct vault_failures *out, struct err *err)
{
	struct vault_failures failures = {0};
	struct reader r = reader_of(body);
	bool is_format = reader_u8(&r) == VAULT_FORMAT;
	failures.count = reader_u32(&r);
	uint64_t first = reader_u64(&r);
	uint64_t last = reader_u64(&r);
	reader_bytes(&r, failures.boot_id, sizeof(failures.boot_id));
	uint64_t boottime_ms = reader_u64(&r);
	bool is_sane = failures.count > 0 && first <= INT64_MAX && last <= INT64_MAX && boottime_ms <= INT64_MAX;
	if (!reader_end(&r) || !is_format || !is_sane)
		return row_damaged(KIND_FAILURES, FAILURES_KEY, "does not parse", err);
	failures.first = (int64_t)first;
	failures.last = (int64_t)last;
	failures.boottime_ms = (int64_t)boottime_ms;
	*out = failures;
	return 0;
}

int vault_failures_get(struct vault *vault, struct vault_failures *out, struct err *err)
{
	_cleanup_scope_ struct vault_scope scope = {0};
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	*out = (struct vault_failures){0};
	int r = scope_enter(vault, &scope, err);
	if (r == 0)
		r = store_row_get(vault->store, KIND_FAILURES, FAILURES_KEY, &body, err);
	if (r == ERR_NOT_FOUND)
		return 0;
	return r < 0 ? r : failures_decode(buf_span(&body), out, err);
}

static int failures_remove(struct vault *vault, struct err *err)
{
	int r = store_row_delete(vault->store, KIND_FAILURES, FAILURES_KEY, err);
	return r == ERR_NOT_FOUND ? 0 : r;
}

int vault_failures_put(struct vault *vault, const struct vault_failures *failures, struct err *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	struct pen pen = {.buf = &body, .err = err};
	int r = change_start(vault, false, err);
	if (r < 0)
		return r;
	if (failures->count == 0)
		return failures_remove(vault, err);
	pen_u8(&pen, VAULT_FORMAT);
	pen_u32(&pen, failures->count);
	pen_u64(&pen, (uint64_t)failures->first);
	pen_u64(&pen, (uint64_t)failures->last);
	pen_bytes(&pen, failures->boot_id, sizeof(failures->boot_id));
	pen_u64(&pen, (uint64_t)failures->boottime_ms);
	struct store_row row = {
	    .kind = KIND_FAILURES, .key = FAILURES_KEY, .bucket = STORE_BUCKET_NONE, .body = buf_span(&body)};
	return pen.r < 0 ? pen.r : store_row_put(vault->store, &row, err);
}
