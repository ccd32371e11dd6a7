#include "store/store_sqlite.h"

#include <errno.h>
#include <string.h>

static const char *const statement_sql[STATEMENT_COUNT] = {
	[STATEMENT_BEGIN_READ] = "BEGIN DEFERRED",
	[STATEMENT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_ROW_GET] = "SELECT body FROM main.row WHERE kind = ?1 AND key = ?2",
	[STATEMENT_ROW_PUT] = "INSERT INTO main.row(kind, key, bucket, digest, body) VALUES(?1, ?2, ?3, ?4, ?5) "
			  "ON CONFLICT(kind, key) DO UPDATE SET bucket = excluded.bucket, digest = excluded.digest, "
			  "body = excluded.body",
	[STATEMENT_ROW_DELETE] = "DELETE FROM main.row WHERE kind = ?1 AND key = ?2",
	[STATEMENT_SCAN_KIND] = "SELECT kind, key, bucket, digest, body FROM main.row WHERE kind = ?1 AND key >= ?2 "
			    "ORDER BY kind, key",
	// The index is named so that the digests come from it alone, in its order, and never from a sort.
	[STATEMENT_SCAN_BUCKET] = "SELECT kind, key, bucket, digest, x'' FROM main.row INDEXED BY row_bucket "
			      "WHERE bucket >= ?1 AND bucket <= ?2 ORDER BY bucket, kind, key",
	[STATEMENT_NODE_GET] = "SELECT place, hash FROM main.node WHERE level = ?1 AND place >= ?2 AND place < ?3 "
			   "ORDER BY place",
	[STATEMENT_NODE_PUT] = "INSERT INTO main.node(level, place, hash) VALUES(?1, ?2, ?3) "
			   "ON CONFLICT(level, place) DO UPDATE SET hash = excluded.hash",
	[STATEMENT_NODE_DELETE] = "DELETE FROM main.node WHERE level = ?1 AND place = ?2",
};

struct failure_row {
	int rc;
	enum err_code code;
	const char *next; // what is wrong and what to do; NULL: SQLite's description of the code
};

static const struct failure_row failure_rows[] = {
	{SQLITE_BUSY, ERR_SYSTEM, "another process kept it locked for too long; wait for that process or end it"},
	{SQLITE_LOCKED, ERR_SYSTEM, "it is in use by this process"},
	{SQLITE_FULL, ERR_SYSTEM, "the disk is full; make room and try again (what was stored before is unchanged)"},
	{SQLITE_READONLY, ERR_SYSTEM, "it is read-only; look at the modes of folder and file and at the file system"},
	{SQLITE_CANTOPEN, ERR_SYSTEM, "it cannot be opened; look at the folder's and the file's mode"},
	{SQLITE_IOERR, ERR_SYSTEM, "reading or writing failed; look at the disk, its free space and `ulimit -f`"},
	{SQLITE_PERM, ERR_SYSTEM, "access was refused; look at the file's mode"},
	{SQLITE_NOMEM, ERR_MEMORY, "out of memory"},
	{SQLITE_CORRUPT, ERR_DAMAGED, "it is damaged; restore the vault from a backup"},
	{SQLITE_NOTADB, ERR_DAMAGED, "it is not a vault; restore the vault from a backup"},
	{SQLITE_FORMAT, ERR_DAMAGED, "it is damaged; restore the vault from a backup"},
	{SQLITE_TOOBIG, ERR_DAMAGED, "it holds a record that is too large; restore the vault from a backup"},
	{SQLITE_ERROR, ERR_DAMAGED, "its tables are not those of a vault; restore the vault from a backup"},
	{SQLITE_SCHEMA, ERR_DAMAGED, "its tables were changed meanwhile; restore the vault from a backup"},
	{SQLITE_MISMATCH, ERR_DAMAGED, "it is damaged; restore the vault from a backup"},
	{SQLITE_CONSTRAINT, ERR_DAMAGED, "it is damaged; restore the vault from a backup"},
};

int sqlite_fail(struct sqlite_store *s, int rc, const char *doing, struct err *err)
{
	s->last_rc = rc;
	int primary = rc & 0xff;
	if (rc == SQLITE_IOERR_NOMEM)
		primary = SQLITE_NOMEM;
	// Only these come from a failed system call; for the others an errno would be a leftover.
	int sys_errno = 0;
	if (s->db && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_FULL))
		sys_errno = sqlite3_system_errno(s->db);
	for (size_t i = 0; i < ARRAY_COUNT(failure_rows); i++) {
		const struct failure_row *row = &failure_rows[i];
		if (row->rc == primary)
			return err_set_errno(err, row->code, sys_errno, "cannot %s %s: %s", doing, s->shown, row->next);
	}
	return err_set(err, ERR_SYSTEM, "cannot %s %s: %s", doing, s->shown, sqlite3_errstr(rc));
}

static int row_damaged(const struct sqlite_store *s, struct err *err)
{
	return err_set(err, ERR_DAMAGED, "%s holds a record that is not of its form; restore the vault from a backup",
		       s->shown);
}

// A statement in use. Statements are kept, but a scan's callback may start another scan of the same kind: that one gets
// its own.
struct statement {
	sqlite3_stmt *stmt;
	bool is_kept;
};

static void statement_done(struct statement *use)
{
	if (!use->is_kept) {
		sqlite3_finalize(use->stmt);
		return;
	}
	sqlite3_reset(use->stmt);
	sqlite3_clear_bindings(use->stmt);
}

#define _cleanup_statement_ _cleanup_(statement_done)

static int statement_take(struct sqlite_store *s, enum sqlite_statement which, struct statement *out, struct err *err)
{
	struct statement use = {.stmt = s->kept[which], .is_kept = true};
	if (!use.stmt || sqlite3_stmt_busy(use.stmt)) {
		use.is_kept = use.stmt == NULL;
		use.stmt = NULL;
		int rc = sqlite3_prepare_v3(s->db, statement_sql[which], -1,
					    use.is_kept ? SQLITE_PREPARE_PERSISTENT : 0, &use.stmt, NULL);
		if (rc != SQLITE_OK)
			return sqlite_fail(s, rc, "read", err);
		if (use.is_kept)
			s->kept[which] = use.stmt;
	}
	*out = use;
	return 0;
}

// Binding NULL data would store SQL's NULL instead of an empty blob. A failed bind (out of memory) shows as an unbound,
// and so NULL, parameter, which NOT NULL columns refuse and comparisons never match.
static void bind_span(sqlite3_stmt *stmt, int at, struct span bytes)
{
	if (bytes.len == 0)
		sqlite3_bind_zeroblob(stmt, at, 0);
	else
		sqlite3_bind_blob64(stmt, at, bytes.data, bytes.len, SQLITE_STATIC);
}

int sqlite_run(struct sqlite_store *s, enum sqlite_statement which, const char *doing, struct err *err)
{
	_cleanup_statement_ struct statement use = {0};
	int r = statement_take(s, which, &use, err);
	if (r < 0)
		return r;
	int rc = sqlite3_step(use.stmt);
	return rc == SQLITE_DONE ? 0 : sqlite_fail(s, rc, doing, err);
}

// Some errors (full disk, I/O) make SQLite end the transaction by itself; a later change would then be made alone.
static int change_check(struct sqlite_store *s, struct err *err)
{
	if (sqlite3_get_autocommit(s->db))
		return err_set(err, ERR_SYSTEM,
			       "cannot change %s: an earlier error ended the transaction; nothing was changed",
			       s->shown);
	return 0;
}

int sqlite_row_get(struct store *store, uint8_t kind, struct span key, struct buf *body, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	_cleanup_statement_ struct statement use = {0};
	int r = statement_take(s, STATEMENT_ROW_GET, &use, err);
	if (r < 0)
		return r;
	sqlite3_bind_int(use.stmt, 1, kind);
	bind_span(use.stmt, 2, key);
	int rc = sqlite3_step(use.stmt);
	if (rc == SQLITE_DONE)
		return err_set(err, ERR_NOT_FOUND, "there is no such record in %s", s->shown);
	if (rc != SQLITE_ROW)
		return sqlite_fail(s, rc, "read", err);
	const void *data = sqlite3_column_blob(use.stmt, 0);
	size_t len = (size_t)sqlite3_column_bytes(use.stmt, 0);
	if (sqlite3_column_type(use.stmt, 0) != SQLITE_BLOB || len > STORE_BODY_BYTES_MAX || (len > 0 && !data))
		return row_damaged(s, err);
	return buf_append(body, span_of(data, len), err);
}

int sqlite_row_put(struct store *store, const struct store_row *row, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	_cleanup_statement_ struct statement use = {0};
	int r = change_check(s, err);
	if (r == 0)
		r = statement_take(s, STATEMENT_ROW_PUT, &use, err);
	if (r < 0)
		return r;
	sqlite3_bind_int(use.stmt, 1, row->kind);
	bind_span(use.stmt, 2, row->key);
	if (row->bucket != STORE_BUCKET_NONE) {
		sqlite3_bind_int64(use.stmt, 3, row->bucket);
		bind_span(use.stmt, 4, span_of(row->digest, STORE_HASH_BYTES));
	}
	bind_span(use.stmt, 5, row->body);
	int rc = sqlite3_step(use.stmt);
	return rc == SQLITE_DONE ? 0 : sqlite_fail(s, rc, "write", err);
}

int sqlite_row_delete(struct store *store, uint8_t kind, struct span key, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	_cleanup_statement_ struct statement use = {0};
	int r = change_check(s, err);
	if (r == 0)
		r = statement_take(s, STATEMENT_ROW_DELETE, &use, err);
	if (r < 0)
		return r;
	sqlite3_bind_int(use.stmt, 1, kind);
	bind_span(use.stmt, 2, key);
	int rc = sqlite3_step(use.stmt);
	if (rc != SQLITE_DONE)
		return sqlite_fail(s, rc, "write", err);
	if (sqlite3_changes(s->db) == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no such record in %s", s->shown);
	return 0;
}

// Reads a blob of a scan's row; false when it is not one.
static bool column_span(sqlite3_stmt *stmt, int column, size_t max_bytes, struct span *out)
{
	if (sqlite3_column_type(stmt, column) != SQLITE_BLOB)
		return false;
	const void *data = sqlite3_column_blob(stmt, column);
	size_t len = (size_t)sqlite3_column_bytes(stmt, column);
	*out = len > 0 ? span_of(data, len) : span_of("", 0);
	return len <= max_bytes && (len == 0 || data);
}

static bool column_row(sqlite3_stmt *stmt, struct store_row *out)
{
	sqlite3_int64 kind = sqlite3_column_int64(stmt, 0);
	struct store_row row = {.kind = (uint8_t)kind, .bucket = STORE_BUCKET_NONE};
	if (kind < 0 || kind > UINT8_MAX || sqlite3_column_type(stmt, 0) != SQLITE_INTEGER ||
	    !column_span(stmt, 1, STORE_KEY_BYTES_MAX, &row.key) ||
	    !column_span(stmt, 4, STORE_BODY_BYTES_MAX, &row.body))
		return false;
	if (sqlite3_column_type(stmt, 2) != SQLITE_NULL) {
		sqlite3_int64 bucket = sqlite3_column_int64(stmt, 2);
		struct span digest;
		if (bucket < 0 || bucket >= STORE_BUCKET_COUNT || !column_span(stmt, 3, STORE_HASH_BYTES, &digest) ||
		    digest.len != STORE_HASH_BYTES)
			return false;
		row.bucket = (uint32_t)bucket;
		row.digest = digest.data;
	}
	*out = row;
	return true;
}

// Where a scan stands. Rows must come in strictly rising order, in every driver and from every file.
struct scan_place {
	uint32_t bucket;
	uint8_t kind;
	size_t key_bytes;
	uint8_t key[STORE_KEY_BYTES_MAX];
	bool is_set;
};

static bool place_is_below(const struct scan_place *place, const struct store_row *row)
{
	if (!place->is_set)
		return true;
	if (place->bucket != row->bucket)
		return place->bucket < row->bucket;
	if (place->kind != row->kind)
		return place->kind < row->kind;
	size_t common = place->key_bytes < row->key.len ? place->key_bytes : row->key.len;
	int order = memcmp(place->key, row->key.data, common);
	return order != 0 ? order < 0 : place->key_bytes < row->key.len;
}

// `by_bucket`: the scan's order is bucket, kind, key; otherwise it is key alone.
static int scan_run(struct sqlite_store *s, sqlite3_stmt *stmt, bool by_bucket, store_row_fn each, void *context,
		    struct err *err)
{
	struct scan_place place = {0};
	for (;;) {
		int rc = sqlite3_step(stmt);
		if (rc == SQLITE_DONE)
			return 0;
		if (rc != SQLITE_ROW)
			return sqlite_fail(s, rc, "read", err);
		struct store_row row;
		if (!column_row(stmt, &row))
			return row_damaged(s, err);
		struct store_row ordered = row;
		ordered.bucket = by_bucket ? row.bucket : 0;
		if (!place_is_below(&place, &ordered))
			return row_damaged(s, err);
		place = (struct scan_place){
		    .bucket = ordered.bucket, .kind = row.kind, .key_bytes = row.key.len, .is_set = true};
		memcpy(place.key, row.key.data, row.key.len);
		int r = each(context, &row, err);
		if (r != 0)
			return r;
	}
}

int sqlite_scan_kind(struct store *store, uint8_t kind, struct span from, store_row_fn each, void *context,
		     struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	_cleanup_statement_ struct statement use = {0};
	int r = statement_take(s, STATEMENT_SCAN_KIND, &use, err);
	if (r < 0)
		return r;
	sqlite3_bind_int(use.stmt, 1, kind);
	bind_span(use.stmt, 2, from);
	return scan_run(s, use.stmt, false, each, context, err);
}

int sqlite_scan_bucket(struct store *store, uint32_t first, uint32_t last, store_row_fn each, void *context,
		       struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	_cleanup_statement_ struct statement use = {0};
	int r = statement_take(s, STATEMENT_SCAN_BUCKET, &use, err);
	if (r < 0)
		return r;
	sqlite3_bind_int64(use.stmt, 1, first);
	sqlite3_bind_int64(use.stmt, 2, last);
	return scan_run(s, use.stmt, true, each, context, err);
}

int sqlite_node_get(struct store *store, uint8_t level, uint32_t first, uint32_t count,
		    uint8_t (*out)[STORE_HASH_BYTES], struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	_cleanup_statement_ struct statement use = {0};
	int r = statement_take(s, STATEMENT_NODE_GET, &use, err);
	if (r < 0)
		return r;
	sqlite3_bind_int(use.stmt, 1, level);
	sqlite3_bind_int64(use.stmt, 2, first);
	sqlite3_bind_int64(use.stmt, 3, (sqlite3_int64)first + count);
	memset(out, 0, (size_t)count * STORE_HASH_BYTES);
	int rc;
	while ((rc = sqlite3_step(use.stmt)) == SQLITE_ROW) {
		sqlite3_int64 at = sqlite3_column_int64(use.stmt, 0) - first;
		struct span hash;
		if (at < 0 || at >= count || !column_span(use.stmt, 1, STORE_HASH_BYTES, &hash) ||
		    hash.len != STORE_HASH_BYTES)
			return row_damaged(s, err);
		memcpy(out[at], hash.data, STORE_HASH_BYTES);
	}
	return rc == SQLITE_DONE ? 0 : sqlite_fail(s, rc, "read", err);
}

int sqlite_node_put(struct store *store, uint8_t level, uint32_t index, const uint8_t hash[STORE_HASH_BYTES],
		    struct err *err)
{
	static const uint8_t zeros[STORE_HASH_BYTES];
	struct sqlite_store *s = (struct sqlite_store *)store;
	bool is_absent = memcmp(hash, zeros, STORE_HASH_BYTES) == 0;
	_cleanup_statement_ struct statement use = {0};
	int r = change_check(s, err);
	if (r == 0)
		r = statement_take(s, is_absent ? STATEMENT_NODE_DELETE : STATEMENT_NODE_PUT, &use, err);
	if (r < 0)
		return r;
	sqlite3_bind_int(use.stmt, 1, level);
	sqlite3_bind_int64(use.stmt, 2, index);
	if (!is_absent)
		bind_span(use.stmt, 3, span_of(hash, STORE_HASH_BYTES));
	int rc = sqlite3_step(use.stmt);
	return rc == SQLITE_DONE ? 0 : sqlite_fail(s, rc, "write", err);
}
