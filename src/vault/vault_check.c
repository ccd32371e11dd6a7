#include "vault/vault_internal.h"

#include <string.h>

// What a whole check counts on its way.
struct checking {
	struct vault *vault;
	const struct tree_image *image;
	uint64_t row_count;     // of the kind being read
	uint64_t version_count; // that the secrets say they have
};

static int check_slot(struct checking *checking, const struct store_row *row, struct err *err)
{
	(void)checking;
	if (row->body.len == 0 || row->body.len > VAULT_SLOT_BYTES_MAX)
		return row_damaged(row->kind, row->key, "does not parse", err);
	return 0;
}

// All versions of a secret, opened where the key is at hand.
static int check_secret(struct checking *checking, const struct store_row *row, struct err *err)
{
	struct vault *vault = checking->vault;
	struct vault_entry entry = {0};
	int r = secret_decode(row->key, row->body, &entry, err);
	for (uint32_t i = 0; r == 0 && i < entry.version_count; i++) {
		_cleanup_buf_ struct buf body = BUF_INIT(STORE_BODY_BYTES_MAX);
		_cleanup_secret_ struct secret *value = NULL;
		struct version_record record = {0};
		uint32_t number = version_first(&entry) + i;
		if (vault->keys && !vault->is_narrow)
			r = version_open(vault, &entry, number, NULL, &value, err);
		else
			r = version_load(vault, &entry, number, &body, &record, err);
		checking->version_count++;
	}
	return r;
}

static int check_version(struct checking *checking, const struct store_row *row, struct err *err)
{
	(void)checking;
	struct version_record record = {0};
	return version_decode(row->key, row->body, &record, err);
}

static int check_setting(struct checking *checking, const struct store_row *row, struct err *err)
{
	_cleanup_secret_ struct secret *plain = NULL;
	return checking->vault->keys ? setting_open(checking->vault, row->key, row->body, &plain, err) : 0;
}

static int check_header(struct checking *checking, const struct store_row *row, struct err *err)
{
	struct vault copy = *checking->vault;
	return header_decode(row->body, &copy, err);
}

static int check_deposit(void *context, const struct store_row *row, struct err *err)
{
	struct checking *checking = context;
	_cleanup_secret_ struct secret *value = NULL;
	struct deposit_record deposit = {0};
	int r = deposit_decode(row->key, row->body, &deposit, err);
	if (r == 0 && checking->vault->keys && !checking->vault->is_narrow)
		r = deposit_open(checking->vault, &deposit, &value, err);
	return r;
}

static int check_row(void *context, const struct store_row *row, struct err *err)
{
	static int (*const by_kind[KIND_COUNT])(struct checking *, const struct store_row *, struct err *) = {
	    [KIND_HEADER] = check_header,   [KIND_SLOT] = check_slot,       [KIND_SECRET] = check_secret,
	    [KIND_VERSION] = check_version, [KIND_SETTING] = check_setting,
	};
	struct checking *checking = context;
	checking->row_count++;
	int r = tree_image_match(checking->image, row, err);
	return r < 0 ? r : by_kind[row->kind](checking, row, err);
}

int vault_check(struct vault *vault, uint64_t *ret_rows, struct err *err)
{
	_cleanup_scope_ struct vault_scope scope = {0};
	_cleanup_image_ struct tree_image image = TREE_IMAGE_EMPTY;
	struct checking checking = {.vault = vault, .image = &image};
	uint64_t rows = 0;
	int r = scope_enter(vault, &scope, err);
	if (r == 0)
		r = store_check(vault->store, err);
	if (r == 0)
		r = tree_image_load(vault, true, &image, err);
	for (uint8_t kind = KIND_HEADER; r == 0 && kind <= KIND_SETTING; kind++) {
		checking.row_count = 0;
		r = store_scan_kind(vault->store, kind, span_of("", 0), check_row, &checking, err);
		if (r == 0 && checking.row_count != image.row_count[kind])
			r = row_damaged(kind, SPAN_LITERAL("(one of them)"), "was deleted", err);
		rows += checking.row_count;
	}
	if (r == 0 && checking.version_count != image.row_count[KIND_VERSION])
		r = err_set(err, ERR_DAMAGED,
			    "the vault holds stored versions that belong to no secret; restore a backup");
	if (r == 0)
		r = store_scan_kind(vault->store, KIND_DEPOSIT, span_of("", 0), check_deposit, &checking, err);
	struct vault_failures failures;
	if (r == 0)
		r = vault_failures_get(vault, &failures, err);
	if (r == 0)
		*ret_rows = rows;
	return r;
}
