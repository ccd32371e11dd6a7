#include "vault/vault_internal.h"

#include <stdlib.h>
#include <string.h>

// Hashes of one level of the tree, from all buckets upwards.
struct image_work {
	struct vault *vault;
	uint8_t (*hashes)[DIGEST_BYTES]; // STORE_BUCKET_COUNT of them
	struct tree_image *image;
	struct digest_state state; // of the bucket being read
	uint32_t bucket;           // STORE_BUCKET_NONE before the first
};

static void bucket_end(struct image_work *work)
{
	if (work->bucket != STORE_BUCKET_NONE)
		digest_finish(&work->state, work->hashes[work->bucket]);
}

void tree_image_done(struct tree_image *image)
{
	buf_done(&image->digests);
}

static int digest_compare(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST_BYTES);
}

static int image_row(void *context, const struct store_row *row, struct err *err)
{
	struct image_work *work = context;
	if (row->kind == 0 || row->kind > KIND_SETTING)
		return row_damaged(row->kind, row->key, "is of an unknown kind", err);
	work->image->row_count[row->kind]++;
	if (row->bucket != work->bucket) {
		bucket_end(work);
		work->bucket = row->bucket;
		tree_bucket_start(row->bucket, &work->state);
	}
	tree_bucket_add(row, &work->state);
	return buf_append(&work->image->digests, span_of(row->digest, DIGEST_BYTES), err);
}

// Buckets changed in this transaction have their old hash in the tree until the fold; they were verified on first
// change.
static int image_keep_dirty(struct image_work *work, struct err *err)
{
	int r = 0;
	for (uint32_t i = 0; r == 0 && work->vault->is_writing && i < STORE_BUCKET_COUNT; i++)
		if (tree_is_dirty(work->vault, i))
			r = store_node_get(work->vault->store, TREE_LEVELS, i, 1, &work->hashes[i], err);
	return r;
}

// The stored nodes of a level are what single rows are verified with, so they must be these.
static int level_compare(struct image_work *work, uint8_t level, uint32_t count, struct err *err)
{
	_cleanup_free_ uint8_t(*stored)[DIGEST_BYTES] = calloc(count, DIGEST_BYTES);
	if (!stored)
		return err_set(err, ERR_MEMORY, "out of memory for the hash tree");
	int r = store_node_get(work->vault->store, level, 0, count, stored, err);
	if (r == 0 && memcmp(stored, work->hashes, (size_t)count * DIGEST_BYTES) != 0)
		return err_set(
		    err, ERR_DAMAGED,
		    "the vault's hash tree does not fit its records (level %u); the file was damaged or changed by "
		    "something else: restore a backup",
		    (unsigned)level);
	return r;
}

static int image_climb(struct image_work *work, bool compare, struct err *err)
{
	uint32_t count = STORE_BUCKET_COUNT;
	for (uint8_t level = TREE_LEVELS; level >= 1; level--) {
		int r = compare ? level_compare(work, level, count, err) : 0;
		if (r < 0)
			return r;
		count /= TREE_FANOUT;
		// In place: node i is written where child i was, and that is behind all children still to be read.
		for (uint32_t i = 0; i < count; i++)
			tree_node_hash((uint8_t)(level - 1), i, work->hashes + (size_t)i * TREE_FANOUT,
				       work->hashes[i]);
	}
	if (memcmp(work->hashes[0], work->vault->state.root, DIGEST_BYTES) != 0)
		return err_set(
		    err, ERR_DAMAGED,
		    "the records of the vault do not verify: one was changed, added or deleted; restore a backup");
	return 0;
}

int tree_image_load(struct vault *vault, bool compare_nodes, struct tree_image *image, struct err *err)
{
	_cleanup_free_ uint8_t(*hashes)[DIGEST_BYTES] = calloc(STORE_BUCKET_COUNT, DIGEST_BYTES);
	if (!hashes)
		return err_set(err, ERR_MEMORY, "out of memory for the hash tree");
	struct image_work work = {.vault = vault, .hashes = hashes, .image = image, .bucket = STORE_BUCKET_NONE};
	int r = store_scan_bucket(vault->store, 0, STORE_BUCKET_COUNT - 1, image_row, &work, err);
	if (r < 0)
		return r;
	bucket_end(&work);
	r = image_keep_dirty(&work, err);
	if (r == 0)
		r = image_climb(&work, compare_nodes, err);
	if (r == 0 && image->digests.len > 0)
		qsort(image->digests.data, image->digests.len / DIGEST_BYTES, DIGEST_BYTES, digest_compare);
	return r;
}

int tree_image_match(const struct tree_image *image, const struct store_row *row, struct err *err)
{
	uint8_t digest[DIGEST_BYTES];
	tree_row_digest(row->kind, row->key, row->body, digest);
	if (image->digests.len == 0 ||
	    !bsearch(digest, image->digests.data, image->digests.len / DIGEST_BYTES, DIGEST_BYTES, digest_compare))
		return row_damaged(row->kind, row->key, "does not verify", err);
	return 0;
}
