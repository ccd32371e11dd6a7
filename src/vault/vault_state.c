#include "vault/vault_internal.h"

#include <string.h>

#define STATE_KEY SPAN_LITERAL("state")
#define TAG_STATE SPAN_LITERAL("envseal state 1")

struct vault_keys *vault_keys_of(struct vault *vault)
{
	return vault->keys ? (struct vault_keys *)(void *)secret_data(vault->keys) : NULL;
}

int vault_need_keys(const struct vault *vault, struct err *err)
{
	return vault->keys ? 0 : err_set(err, ERR_LOCKED, "the vault is locked; this needs its passphrase");
}

int vault_need_box(const struct vault *vault, struct err *err)
{
	if (vault->keys && vault->is_narrow)
		return err_set(err, ERR_LOCKED, "the vault no longer holds the key that opens values; unlock it again");
	return vault_need_keys(vault, err);
}

static int state_mac(struct vault *vault, struct span authenticated, uint8_t out[DIGEST_BYTES], struct err *err)
{
	_cleanup_buf_ struct buf message = BUF_INIT(1024);
	struct pen pen = {.buf = &message, .err = err};
	pen_string(&pen, TAG_STATE);
	pen_string(&pen, authenticated);
	if (pen.r == 0)
		mac_bytes(vault_keys_of(vault)->state, buf_span(&message), out);
	return pen.r;
}

int state_read(struct vault *vault, struct err *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
	struct span none = {0};
	struct span authenticated = {0};
	struct span mac = {0};
	struct vault_state state = {0};
	int r = store_row_get(vault->store, KIND_STATE, STATE_KEY, &body, err);
	if (r == ERR_NOT_FOUND)
		return row_damaged(KIND_STATE, none, "is missing", err);
	if (r == 0)
		r = state_decode(vault, buf_span(&body), &state, &authenticated, &mac, err);
	if (r < 0)
		return r;
	if (vault->keys) {
		uint8_t expected[DIGEST_BYTES];
		r = state_mac(vault, authenticated, expected, err);
		if (r < 0)
			return r;
		if (!digest_is_equal(expected, mac.data))
			return row_damaged(KIND_STATE, none, "does not verify", err);
		if (state.generation < vault->generation_seen)
			return row_damaged(KIND_STATE, none, "is older than it was a moment ago", err);
		vault->generation_seen = state.generation;
	}
	vault->state = state;
	return 0;
}

int state_renew(struct vault *vault, const struct vault_anchor *anchor, uint64_t generation, struct vault_state *out, struct err *err)
{
	struct vault_state state = vault->state;
	if (anchor)
		state.anchor = *anchor;
	state.generation = generation;
	// An anchor alone leaves every bucket as it is.
	int r = vault->is_changed || !anchor ? tree_fold(vault, state.root, err) : 0;
	_cleanup_buf_ struct buf body = BUF_INIT(1024);
	if (r == 0)
		r = state_encode(vault, &state, &body, err);
	uint8_t mac[DIGEST_BYTES];
	if (r == 0)
		r = state_mac(vault, buf_span(&body), mac, err);
	if (r == 0)
		r = buf_append(&body, span_of(mac, sizeof(mac)), err);
	if (r < 0)
		return r;
	struct store_row row = {
	    .kind = KIND_STATE, .key = STATE_KEY, .bucket = STORE_BUCKET_NONE, .body = buf_span(&body)};
	r = store_row_put(vault->store, &row, err);
	if (r == 0)
		*out = state;
	return r;
}

int scope_enter(struct vault *vault, struct vault_scope *out, struct err *err)
{
	bool is_owner = !vault->is_writing && vault->reader_count == 0;
	if (is_owner) {
		int r = store_begin(vault->store, STORE_READ, err);
		if (r == 0)
			r = state_read(vault, err);
		if (r < 0) {
			store_rollback(vault->store);
			return r;
		}
	}
	vault->reader_count++;
	*out = (struct vault_scope){.vault = vault, .is_owner = is_owner};
	return 0;
}

void scope_leave(struct vault_scope *scope)
{
	if (!scope->vault)
		return;
	scope->vault->reader_count--;
	if (scope->is_owner)
		store_rollback(scope->vault->store);
}

static int change_check(const struct vault *vault, struct err *err)
{
	if (!vault->is_writing)
		return err_set(err, ERR_USAGE, "the vault is not open for a change");
	if (vault->is_half)
		return err_set(err, ERR_SYSTEM,
			       "an earlier step of this change failed half-way; nothing of it is kept: try again");
	return 0;
}

int change_start(struct vault *vault, bool needs_keys, struct err *err)
{
	int r = change_check(vault, err);
	if (r == 0 && needs_keys)
		r = vault_need_keys(vault, err);
	vault->is_changed |= r == 0;
	return r;
}

int change_finish(struct vault *vault)
{
	vault->is_half = false;
	return 0;
}

static void transaction_reset(struct vault *vault)
{
	vault->is_writing = false;
	vault->is_changed = false;
	vault->is_half = false;
	memset(vault->dirty, 0, sizeof(vault->dirty));
}

int vault_begin(struct vault *vault, struct err *err)
{
	if (vault->is_writing || vault->reader_count > 0)
		return err_set(err, ERR_USAGE, "the vault is in use by an unfinished operation");
	int r = store_begin(vault->store, STORE_WRITE, err);
	if (r < 0)
		return r;
	r = state_read(vault, err);
	if (r < 0) {
		store_rollback(vault->store);
		return r;
	}
	transaction_reset(vault);
	vault->is_writing = true;
	return 0;
}

static int state_commit(struct vault *vault, const struct vault_anchor *anchor, uint64_t generation, struct err *err)
{
	struct vault_state next = vault->state;
	// A log that was begun anew is more than an anchor that goes on.
	bool is_anchor = !vault->is_changed && anchor && anchor->count > vault->state.anchor.count;
	int r = change_check(vault, err);
	if (r == 0 && anchor)
		r = vault_need_keys(vault, err);
	if (r == 0 && vault->keys)
		r = state_renew(vault, anchor, generation, &next, err);
	if (r == 0)
		r = store_commit(vault->store, is_anchor ? STORE_SOON : STORE_NOW, err);
	if (r < 0) {
		vault_rollback(vault);
		return r;
	}
	vault->state = next;
	if (vault->keys)
		vault->generation_seen = next.generation;
	transaction_reset(vault);
	return 0;
}

int vault_commit(struct vault *vault, const struct vault_anchor *anchor, struct err *err)
{
	return state_commit(vault, anchor, vault->state.generation + 1, err);
}

int vault_commit_anchor(struct vault *vault, const struct vault_anchor *anchor, struct err *err)
{
	if (vault->is_changed)
		return err_set(err, ERR_USAGE, "a change is more than an anchor");
	return state_commit(vault, anchor, vault->state.generation, err);
}

void vault_rollback(struct vault *vault)
{
	if (!vault->is_writing)
		return;
	store_rollback(vault->store);
	transaction_reset(vault);
}

int vault_anchor_get(struct vault *vault, struct vault_anchor *out, struct err *err)
{
	_cleanup_scope_ struct vault_scope scope = {0};
	int r = scope_enter(vault, &scope, err);
	if (r == 0)
		*out = vault->state.anchor;
	return r;
}

bool vault_is_changed(const struct vault *vault)
{
	return vault->is_changed;
}

uint64_t vault_generation(const struct vault *vault)
{
	return vault->state.generation;
}
