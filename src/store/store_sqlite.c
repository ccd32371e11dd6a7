#include "store/store_sqlite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void store_free_ptr(struct sqlite_store **s)
{
	if (*s)
		sqlite_store_free(*s);
	*s = NULL;
}

#define _cleanup_store_ _cleanup_(store_free_ptr)

static bool sqlite_exists(const char *place)
{
	struct err err;
	_cleanup_free_ char *path = NULL;
	struct stat st;
	return path_join(place, "vault.db", &path, &err) == 0 && lstat(path, &st) == 0;
}

static int sqlite_create(const char *place, struct store **out, struct err *err)
{
	_cleanup_store_ struct sqlite_store *s = NULL;
	int r = sqlite_store_new(place, &s, err);
	if (r < 0)
		return r;
	if (sqlite_exists(place))
		return err_set(err, ERR_EXISTS, "there is already a vault at %s", s->shown);
	r = sqlite_file_make(s, err);
	if (r == 0)
		r = sqlite_connect(s, s->fresh_name, false, err);
	if (r == 0)
		r = sqlite_log_use(s, err);
	if (r == 0)
		r = sqlite_schema_make(s, err);
	if (r < 0)
		return r;
	*out = &TAKE_PTR(s)->store;
	return 0;
}

static int sqlite_publish(struct store *store, struct err *err)
{
	return sqlite_file_publish((struct sqlite_store *)store, err);
}

// Reading a database in WAL mode makes companion files. Where the folder does not allow that and no log is waiting, the
// file alone is the whole truth and is read as it is; with a log waiting, that would show an older state, so the error
// stays.
static int sqlite_open_read_only(struct sqlite_store *s, struct err *err)
{
	int primary = s->last_rc & 0xff;
	if ((primary != SQLITE_CANTOPEN && primary != SQLITE_READONLY) || sqlite_has_log(s))
		return err->code;
	struct err second = {0};
	int r = sqlite_connect(s, "vault.db", true, &second);
	if (r == 0)
		r = sqlite_schema_check(s, &second);
	if (r < 0 && r != ERR_SYSTEM)
		*err = second;
	return r < 0 ? err->code : 0;
}

static int sqlite_open(const char *place, struct store **out, struct err *err)
{
	_cleanup_store_ struct sqlite_store *s = NULL;
	int r = sqlite_store_new(place, &s, err);
	if (r == 0)
		r = sqlite_files_check(s, err);
	if (r < 0)
		return r;
	r = sqlite_connect(s, "vault.db", false, err);
	if (r == 0)
		r = sqlite_schema_check(s, err);
	if (r == 0)
		r = sqlite_log_use(s, err);
	if (r < 0) {
		sqlite_disconnect(s);
		r = sqlite_open_read_only(s, err);
	}
	if (r < 0)
		return r;
	*out = &TAKE_PTR(s)->store;
	return 0;
}

static void sqlite_close(struct store *store)
{
	sqlite_store_free((struct sqlite_store *)store);
}

static int sqlite_begin(struct store *store, enum store_access access, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	if (!sqlite3_get_autocommit(s->db))
		return err_set(err, ERR_USAGE, "a transaction is open already");
	if (access == STORE_READ)
		return sqlite_run(s, STATEMENT_BEGIN_READ, "read", err);
	if (sqlite3_db_readonly(s->db, "main") == 1)
		return sqlite_fail(s, SQLITE_READONLY, "write", err);
	s->wait_until_ms = 0;
	return sqlite_run(s, STATEMENT_BEGIN_WRITE, "write", err);
}

static void sqlite_rollback(struct store *store)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct err ignored;
	if (s->db && !sqlite3_get_autocommit(s->db))
		sqlite_run(s, STATEMENT_ROLLBACK, "roll back", &ignored);
}

// Stands in for the functions of the write-ahead log's file during a commit that need not wait for the disk.
struct hasty {
	sqlite3_io_methods methods; // first: its file points here
	const sqlite3_io_methods *own;
};

// A commit asks for SYNC_NORMAL. What a checkpoint, or the log's beginning anew, relies on is SYNC_FULL
// (checkpoint_fullfsync), and is waited for: the file stays whole in any case.
static int hasty_sync(sqlite3_file *file, int flags)
{
	const struct hasty *hasty = (const struct hasty *)(const void *)file->pMethods;
	bool is_commit = (flags & (SQLITE_SYNC_NORMAL | SQLITE_SYNC_FULL)) == SQLITE_SYNC_NORMAL;
	return is_commit ? SQLITE_OK : hasty->own->xSync(file, flags);
}

// SQLite changes its own setting (synchronous) between transactions only, and what a transaction is worth is known at its end.
static int sqlite_commit_soon(struct sqlite_store *s, struct err *err)
{
	sqlite3_file *log = NULL;
	int rc = s->has_log ? sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) : SQLITE_ERROR;
	if (rc != SQLITE_OK || !log || !log->pMethods)
		return sqlite_run(s, STATEMENT_COMMIT, "write", err);
	struct hasty hasty = {.methods = *log->pMethods, .own = log->pMethods};
	// Newer libraries have more of them behind these.
	hasty.methods.iVersion = hasty.methods.iVersion > 3 ? 3 : hasty.methods.iVersion;
	hasty.methods.xSync = hasty_sync;
	log->pMethods = &hasty.methods;
	int r = sqlite_run(s, STATEMENT_COMMIT, "write", err);
	log->pMethods = hasty.own;
	return r;
}

static int sqlite_commit(struct store *store, enum store_when when, struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	if (sqlite3_get_autocommit(s->db))
		return err_set(err, ERR_SYSTEM,
			       "cannot change %s: an earlier error ended the transaction; nothing was changed",
			       s->shown);
	int r = when == STORE_SOON ? sqlite_commit_soon(s, err) : sqlite_run(s, STATEMENT_COMMIT, "write", err);
	if (r < 0)
		sqlite_rollback(store);
	return r;
}

static int sqlite_check(struct store *store, struct err *err)
{
	return sqlite_integrity_check((struct sqlite_store *)store, err);
}

const struct store_driver store_sqlite = {
	.name = "sqlite",
	.exists = sqlite_exists,
	.create = sqlite_create,
	.publish = sqlite_publish,
	.open = sqlite_open,
	.close = sqlite_close,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.row_get = sqlite_row_get,
	.row_put = sqlite_row_put,
	.row_delete = sqlite_row_delete,
	.scan_kind = sqlite_scan_kind,
	.scan_bucket = sqlite_scan_bucket,
	.node_get = sqlite_node_get,
	.node_put = sqlite_node_put,
	.check = sqlite_check,
};
