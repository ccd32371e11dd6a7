// The SQLite driver's own parts, for the store_sqlite_*.c files only.
#pragma once

#include "store/store.h"

#include <sqlite3.h>

enum sqlite_statement {
	STATEMENT_BEGIN_READ,
	STATEMENT_BEGIN_WRITE,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_ROW_GET,
	STATEMENT_ROW_PUT,
	STATEMENT_ROW_DELETE,
	STATEMENT_SCAN_KIND,
	STATEMENT_SCAN_BUCKET,
	STATEMENT_NODE_GET,
	STATEMENT_NODE_PUT,
	STATEMENT_NODE_DELETE,
	STATEMENT_COUNT
};

struct sqlite_store {
	struct store store; // first: a struct store * of this driver points here
	sqlite3 *db;
	sqlite3_stmt *kept[STATEMENT_COUNT]; // prepared on first use
	char *dir;                           // as the caller gave it
	char *path;                          // of vault.db
	char shown[200];                     // the path made printable, for sentences
	char *fresh_name;                    // name in `dir` until it is published, else NULL
	bool has_made_dir;
	bool has_log;                        // its write-ahead log is in use
	int64_t wait_until_ms; // when the busy handler gives up; 0 while nobody waits
	int last_rc;           // of the last failure
};

// --- store_sqlite_file.c: names, checks and connections

int sqlite_store_new(const char *place, struct sqlite_store **out, struct err *err);
void sqlite_store_free(struct sqlite_store *s); // disconnects; takes an unpublished file away
// Checks vault.db and its companions: ERR_NO_VAULT, ERR_UNSAFE.
int sqlite_files_check(const struct sqlite_store *s, struct err *err);
// Makes the folder and an empty file under a name that nobody else uses.
int sqlite_file_make(struct sqlite_store *s, struct err *err);
int sqlite_file_publish(struct sqlite_store *s, struct err *err);
// Opens the connection on `name` in the folder and sets it up. `is_immutable`: read without making companion files.
int sqlite_connect(struct sqlite_store *s, const char *name, bool is_immutable, struct err *err);
// Makes the file one with a write-ahead log. It writes, so only into a file that is known to be a vault.
int sqlite_log_use(struct sqlite_store *s, struct err *err);
void sqlite_disconnect(struct sqlite_store *s);
// Whether the write-ahead log holds anything.
bool sqlite_has_log(const struct sqlite_store *s);

// --- store_sqlite_schema.c

int sqlite_schema_make(struct sqlite_store *s, struct err *err);
int sqlite_schema_check(struct sqlite_store *s, struct err *err);
int sqlite_integrity_check(struct sqlite_store *s, struct err *err);

// --- store_sqlite_rows.c

// Turns a result code into an error that names the file and the next step.
int sqlite_fail(struct sqlite_store *s, int rc, const char *doing, struct err *err);
int sqlite_run(struct sqlite_store *s, enum sqlite_statement which, const char *doing, struct err *err);
int sqlite_row_get(struct store *store, uint8_t kind, struct span key, struct buf *body, struct err *err);
int sqlite_row_put(struct store *store, const struct store_row *row, struct err *err);
int sqlite_row_delete(struct store *store, uint8_t kind, struct span key, struct err *err);
int sqlite_scan_kind(struct store *store, uint8_t kind, struct span from, store_row_fn each, void *context,
		     struct err *err);
int sqlite_scan_bucket(struct store *store, uint32_t first, uint32_t last, store_row_fn each, void *context,
		       struct err *err);
int sqlite_node_get(struct store *store, uint8_t level, uint32_t first, uint32_t count,
		    uint8_t (*out)[STORE_HASH_BYTES], struct err *err);
int sqlite_node_put(struct store *store, uint8_t level, uint32_t index, const uint8_t hash[STORE_HASH_BYTES],
		    struct err *err);
