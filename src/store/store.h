// store: where the vault's rows lie. It knows bytes, keys and transactions; it knows nothing of secrets, keys or what a
// row means, and it trusts nothing that it reads: sizes, types and order are checked here, content by the vault above.
//
// Invariants
//  - A driver is one constant table of functions. SQLite is the only one; the table is narrow enough that a database
//    server can take its place (one transaction at a time per store, ordered byte keys, no SQL above this line).
//  - Every change happens between store_begin(STORE_WRITE) and store_commit and is durable when commit returns (but see
//    STORE_SOON), or has not happened at all. Reading between store_begin(STORE_READ) and store_commit sees one moment.
//  - Only ciphertext, names and hashes come here, so a struct buf may hold every body.
//
// A store must not be used across fork. While one is open, the process must not open and close vault.db by other means:
// closing any descriptor of a file drops the locks that the process holds on it (fcntl(2)).
#pragma once

#include "base/base.h"

#define STORE_HASH_BYTES 32
#define STORE_KEY_BYTES_MAX 512
#define STORE_BODY_BYTES_MAX ((1u << 20) + (64u << 10))
#define STORE_BUCKET_COUNT 65536u
#define STORE_BUCKET_NONE UINT32_MAX // a row outside the hash tree
#define STORE_WAIT_MS 60000          // how long store_begin waits for another writer

enum store_access { STORE_READ, STORE_WRITE };

// When a commit is on disk. STORE_SOON: with the next one that is STORE_NOW, or in the kernel's time. Every process sees it
// at once; behind a power cut the last of these may be missing, and nothing that came before one that is there.
enum store_when { STORE_NOW, STORE_SOON };

// One row. `key` orders rows of a kind bytewise, a shorter key before its continuation.
struct store_row {
	uint8_t kind;
	struct span key;
	uint32_t bucket;       // below STORE_BUCKET_COUNT, or STORE_BUCKET_NONE
	const uint8_t *digest; // STORE_HASH_BYTES; NULL outside the tree
	struct span body;      // empty in store_scan_bucket
};

// Called for each row of a scan; the row is valid during the call only. Non-zero stops the scan and is returned by it.
typedef int (*store_row_fn)(void *context, const struct store_row *row, struct err *err);

struct store;

struct store_driver {
	const char *name;
	bool (*exists)(const char *place);
	int (*create)(const char *place, struct store **out, struct err *err);
	int (*publish)(struct store *store, struct err *err);
	int (*open)(const char *place, struct store **out, struct err *err);
	void (*close)(struct store *store);
	int (*begin)(struct store *store, enum store_access access, struct err *err);
	int (*commit)(struct store *store, enum store_when when, struct err *err);
	void (*rollback)(struct store *store);
	int (*row_get)(struct store *store, uint8_t kind, struct span key, struct buf *body, struct err *err);
	int (*row_put)(struct store *store, const struct store_row *row, struct err *err);
	int (*row_delete)(struct store *store, uint8_t kind, struct span key, struct err *err);
	int (*scan_kind)(struct store *store, uint8_t kind, struct span from, store_row_fn each, void *context,
			 struct err *err);
	int (*scan_bucket)(struct store *store, uint32_t first, uint32_t last, store_row_fn each, void *context,
			   struct err *err);
	int (*node_get)(struct store *store, uint8_t level, uint32_t first, uint32_t count,
			uint8_t (*out)[STORE_HASH_BYTES], struct err *err);
	int (*node_put)(struct store *store, uint8_t level, uint32_t index, const uint8_t hash[STORE_HASH_BYTES],
			struct err *err);
	int (*check)(struct store *store, struct err *err);
};

// SQLite in WAL mode; `place` is a folder, the file in it is vault.db (docs/format-vault.md, "File").
extern const struct store_driver store_sqlite;

// What every driver's own struct begins with.
struct store {
	const struct store_driver *driver;
};

// --- life cycle

bool store_exists(const struct store_driver *driver, const char *place); // whatever lies there, usable or not
// An empty store that nobody else can open until store_publish; closed unpublished, it leaves nothing behind. Makes the
// folder. ERR_EXISTS when there is a store.
int store_create(const struct store_driver *driver, const char *place, struct store **out, struct err *err);
// Puts a created store in place, durably. ERR_EXISTS when another was faster. Outside a transaction.
int store_publish(struct store *store, struct err *err);
// ERR_NO_VAULT, ERR_UNSAFE (owner, mode, kind, links), ERR_DAMAGED (not a vault, another schema, a newer format).
int store_open(const struct store_driver *driver, const char *place, struct store **out, struct err *err);
struct store *store_close(struct store *store); // rolls back; NULL allowed; returns NULL

// --- transactions

// STORE_WRITE waits up to STORE_WAIT_MS for the writer before it; ERR_SYSTEM then, or where the store is read-only.
int store_begin(struct store *store, enum store_access access, struct err *err);
int store_commit(struct store *store, enum store_when when, struct err *err); // on failure everything is rolled back
void store_rollback(struct store *store);               // harmless when no transaction is open

// --- rows. Changes need a STORE_WRITE transaction.

// Puts the body into `body`, which must be empty. ERR_NOT_FOUND.
int store_row_get(struct store *store, uint8_t kind, struct span key, struct buf *body, struct err *err);
int store_row_put(struct store *store, const struct store_row *row, struct err *err);      // inserts or replaces
int store_row_delete(struct store *store, uint8_t kind, struct span key, struct err *err); // ERR_NOT_FOUND
// Rows of a kind in order of key, from the first that is not below `from`. ERR_DAMAGED when the order is broken, which
// also ends a scan that a hostile file has made endless.
int store_scan_kind(struct store *store, uint8_t kind, struct span from, store_row_fn each, void *context,
		    struct err *err);
// Rows of the buckets first..last in order of bucket, kind and key, without bodies.
int store_scan_bucket(struct store *store, uint32_t first, uint32_t last, store_row_fn each, void *context,
		      struct err *err);

// --- tree nodes: a hash each, by level and index; one that is not there is all zeros

int store_node_get(struct store *store, uint8_t level, uint32_t first, uint32_t count, uint8_t (*out)[STORE_HASH_BYTES],
		   struct err *err);
int store_node_put(struct store *store, uint8_t level, uint32_t index, const uint8_t hash[STORE_HASH_BYTES],
		   struct err *err);

// The driver's own check of its file, O(n). ERR_DAMAGED.
int store_check(struct store *store, struct err *err);
