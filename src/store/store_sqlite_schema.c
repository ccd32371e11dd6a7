#include "store/store_sqlite.h"

#include <stdio.h>
#include <string.h>

// "ESV1": written into the file's header, where file(1) and SQLite look for it.
#define SCHEMA_APPLICATION_ID 0x45535631
#define SCHEMA_VERSION 1

struct schema_row {
	const char *type;
	const char *name;
	const char *table;
	const char *sql;
};

// The whole schema. On opening, the file must hold exactly this text: whatever else is in it was not made here.
static const struct schema_row schema_rows[] = {
	{"table", "row", "row",
	 "CREATE TABLE row(kind INTEGER NOT NULL, key BLOB NOT NULL, bucket INTEGER, digest BLOB, body BLOB NOT NULL, "
	 "PRIMARY KEY(kind, key)) STRICT, WITHOUT ROWID"},
	{"table", "node", "node",
	 "CREATE TABLE node(level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, "
	 "PRIMARY KEY(level, place)) STRICT, WITHOUT ROWID"},
	{"index", "row_bucket", "row",
	 "CREATE INDEX row_bucket ON row(bucket, kind, key, digest) WHERE bucket IS NOT NULL"},
};

static void statement_finalize(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
	*stmt = NULL;
}

static int schema_exec(struct sqlite_store *s, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : sqlite_fail(s, rc, "prepare", err);
}

int sqlite_schema_make(struct sqlite_store *s, struct err *err)
{
	char numbers[96];
	snprintf(numbers, sizeof(numbers), "PRAGMA application_id=%d; PRAGMA user_version=%d", SCHEMA_APPLICATION_ID,
		 SCHEMA_VERSION);
	int r = schema_exec(s, numbers, err);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(schema_rows); i++)
		r = schema_exec(s, schema_rows[i].sql, err);
	return r;
}

static int schema_number(struct sqlite_store *s, const char *pragma, int64_t *out, struct err *err)
{
	_cleanup_(statement_finalize) sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(s->db, pragma, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		return sqlite_fail(s, rc, "read", err);
	*out = sqlite3_column_int64(stmt, 0);
	return 0;
}

static int schema_version_check(struct sqlite_store *s, struct err *err)
{
	int64_t id = 0;
	int64_t version = 0;
	int r = schema_number(s, "PRAGMA application_id", &id, err);
	if (r == 0)
		r = schema_number(s, "PRAGMA user_version", &version, err);
	if (r < 0)
		return r;
	if (id != SCHEMA_APPLICATION_ID)
		return err_set(err, ERR_DAMAGED, "%s is not an envseal vault; restore the vault from a backup",
			       s->shown);
	if (version > SCHEMA_VERSION)
		return err_set(
		    err, ERR_DAMAGED,
		    "%s was written by a newer envseal (format %lld, this one knows %d); upgrade envseal to open it",
		    s->shown, (long long)version, SCHEMA_VERSION);
	if (version < SCHEMA_VERSION)
		return err_set(err, ERR_DAMAGED,
			       "%s names a format that never was (%lld); restore the vault from a backup", s->shown,
			       (long long)version);
	return 0;
}

static bool column_is(sqlite3_stmt *stmt, int column, const char *text)
{
	const unsigned char *found = sqlite3_column_text(stmt, column);
	return found && (size_t)sqlite3_column_bytes(stmt, column) == strlen(text) &&
	       memcmp(found, text, strlen(text)) == 0;
}

// Index into schema_rows of the statement's current row, or the table's length.
static size_t schema_row_find(sqlite3_stmt *stmt)
{
	size_t i = 0;
	for (; i < ARRAY_COUNT(schema_rows); i++) {
		const struct schema_row *row = &schema_rows[i];
		if (column_is(stmt, 0, row->type) && column_is(stmt, 1, row->name) && column_is(stmt, 2, row->table) &&
		    column_is(stmt, 3, row->sql))
			break;
	}
	return i;
}

int sqlite_schema_check(struct sqlite_store *s, struct err *err)
{
	int r = schema_version_check(s, err);
	if (r < 0)
		return r;
	_cleanup_(statement_finalize) sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(s->db, "SELECT type, name, tbl_name, sql FROM main.sqlite_schema", -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return sqlite_fail(s, rc, "read", err);
	unsigned seen = 0;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		unsigned bit = 1u << schema_row_find(stmt);
		// A bit beyond the table means "not ours"; a bit seen before, a second copy.
		if (bit >= 1u << ARRAY_COUNT(schema_rows) || (seen & bit))
			return err_set(err, ERR_DAMAGED,
				       "%s holds a table, index, view or trigger that envseal did not make; restore "
				       "the vault from "
				       "a backup",
				       s->shown);
		seen |= bit;
	}
	if (rc != SQLITE_DONE)
		return sqlite_fail(s, rc, "read", err);
	if (seen != (1u << ARRAY_COUNT(schema_rows)) - 1)
		return err_set(err, ERR_DAMAGED, "%s lacks a table of the vault; restore the vault from a backup",
			       s->shown);
	return 0;
}

int sqlite_integrity_check(struct sqlite_store *s, struct err *err)
{
	_cleanup_(statement_finalize) sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(s->db, "PRAGMA main.integrity_check(1)", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		return sqlite_fail(s, rc, "check", err);
	// SQLite's own words may quote content of the file, so they are not repeated.
	if (!column_is(stmt, 0, "ok"))
		return err_set(err, ERR_DAMAGED,
			       "%s is damaged: its pages do not fit together; restore the vault from a backup",
			       s->shown);
	return 0;
}
