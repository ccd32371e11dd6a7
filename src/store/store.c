#include "store/store.h"

bool store_exists(const struct store_driver *driver, const char *place)
{
	return driver->exists(place);
}

int store_create(const struct store_driver *driver, const char *place, struct store **out, struct err *err)
{
	return driver->create(place, out, err);
}

int store_publish(struct store *store, struct err *err)
{
	return store->driver->publish(store, err);
}

int store_open(const struct store_driver *driver, const char *place, struct store **out, struct err *err)
{
	return driver->open(place, out, err);
}

struct store *store_close(struct store *store)
{
	if (store)
		store->driver->close(store);
	return NULL;
}

int store_begin(struct store *store, enum store_access access, struct err *err)
{
	return store->driver->begin(store, access, err);
}

int store_commit(struct store *store, enum store_when when, struct err *err)
{
	return store->driver->commit(store, when, err);
}

void store_rollback(struct store *store)
{
	store->driver->rollback(store);
}

int store_row_get(struct store *store, uint8_t kind, struct span key, struct buf *body, struct err *err)
{
	return store->driver->row_get(store, kind, key, body, err);
}

int store_row_put(struct store *store, const struct store_row *row, struct err *err)
{
	// The same limits hold on the way in and on the way out, so that nothing can be stored that could not be read.
	if (row->key.len == 0 || row->key.len > STORE_KEY_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "a key of %zu bytes cannot be stored (1 to %d)", row->key.len,
			       STORE_KEY_BYTES_MAX);
	if (row->body.len > STORE_BODY_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "a record of %zu bytes cannot be stored (at most %u)", row->body.len,
			       STORE_BODY_BYTES_MAX);
	return store->driver->row_put(store, row, err);
}

int store_row_delete(struct store *store, uint8_t kind, struct span key, struct err *err)
{
	return store->driver->row_delete(store, kind, key, err);
}

int store_scan_kind(struct store *store, uint8_t kind, struct span from, store_row_fn each, void *context,
		    struct err *err)
{
	return store->driver->scan_kind(store, kind, from, each, context, err);
}

int store_scan_bucket(struct store *store, uint32_t first, uint32_t last, store_row_fn each, void *context,
		      struct err *err)
{
	return store->driver->scan_bucket(store, first, last, each, context, err);
}

int store_node_get(struct store *store, uint8_t level, uint32_t first, uint32_t count, uint8_t (*out)[STORE_HASH_BYTES],
		   struct err *err)
{
	return store->driver->node_get(store, level, first, count, out, err);
}

int store_node_put(struct store *store, uint8_t level, uint32_t index, const uint8_t hash[STORE_HASH_BYTES],
		   struct err *err)
{
	return store->driver->node_put(store, level, index, hash, err);
}

int store_check(struct store *store, struct err *err)
{
	return store->driver->check(store, err);
}
