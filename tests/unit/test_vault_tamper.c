#include "vault_support.h"

// Rows of the vault that vault_tampered makes, for SQL.
#define ID_OF(name) "(SELECT substr(body, 3, 16) FROM row WHERE kind = 3 AND key = CAST('" name "' AS BLOB))"
#define SECRET_ROW(name) "kind = 3 AND key = CAST('" name "' AS BLOB)"
#define VERSION_ROW(name, number) "kind = 4 AND key = CAST(" ID_OF(name) " || x'0000000" number "' AS BLOB)"
#define BODY(where) "(SELECT body FROM row WHERE " where ")"
// The digest column of a row from another: as a thief would write it who knows the format and not the key.
#define TAKE_ROW(to, from)                                                                                             \
	"UPDATE row SET body = " BODY(from) ", digest = (SELECT digest FROM row WHERE " from ") WHERE " to

// What one change behind the vault's back makes of each operation, in the order of `operations`: = right, D damaged,
// . not looked at. Blanks are for the eye.
struct tamper {
	const char *what;
	const char *expected;
	const char *sql;
};

static const char *const operations[] = {"open",     "unlock",  "find A", "reveal A", "reveal A, version 1",
					 "reveal B", "setting", "put A",  "list",     "check"};

static const struct tamper tampers[] = {
	{"nothing", "== ==== == ==", "SELECT 1"},
	{"a secret deleted", "== DDD= =D DD", "DELETE FROM row WHERE " SECRET_ROW("A")},
	{"a secret hidden from the tree", "== DDD= =D DD",
	 "UPDATE row SET bucket = NULL, digest = NULL WHERE " SECRET_ROW("A")},
	{"a secret's metadata changed", "== DDD= =D DD",
	 "UPDATE row SET body = CAST(body || x'00' AS BLOB) WHERE " SECRET_ROW("A")},
	{"a secret's metadata emptied", "== DDD= =D DD", "UPDATE row SET body = x'' WHERE " SECRET_ROW("A")},
	{"a secret's stored digest changed", "== DDD= =D DD",
	 "UPDATE row SET digest = zeroblob(32) WHERE " SECRET_ROW("A")},
	{"a secret moved to another bucket", "== DDD= =D DD",
	 "UPDATE row SET bucket = (bucket + 1) % 65536 WHERE " SECRET_ROW("A")},
	{"a secret under another name", "== DDD= =D DD",
	 "UPDATE row SET key = CAST('A2' AS BLOB) WHERE " SECRET_ROW("A")},
	{"one secret's row over another's", "== DDD= =D DD", TAKE_ROW(SECRET_ROW("A"), SECRET_ROW("B"))},
	{"a secret added", "== ...= =. DD",
	 "INSERT INTO row SELECT kind, CAST('N' AS BLOB), bucket, digest, body FROM row WHERE " SECRET_ROW("A")},
	{"the current version deleted", "== =D== =. DD", "DELETE FROM row WHERE " VERSION_ROW("A", "2")},
	{"an older version over the current", "== =D== =. DD",
	 TAKE_ROW(VERSION_ROW("A", "2"), VERSION_ROW("A", "1"))},
	{"an older body over the current", "== =D== =. =D",
	 "UPDATE row SET body = " BODY(VERSION_ROW("A", "1")) " WHERE " VERSION_ROW("A", "2")},
	{"another secret's value over the current", "== =D== =. DD",
	 TAKE_ROW(VERSION_ROW("A", "2"), VERSION_ROW("B", "1"))},
	{"a version added", "== =D== =. DD",
	 "INSERT INTO row SELECT kind, CAST(substr(key, 1, 16) || x'00000009' AS BLOB), bucket, digest, body FROM row "
	 "WHERE " VERSION_ROW("A", "2")},
	{"a setting deleted", "== ==== D= DD", "DELETE FROM row WHERE kind = 5"},
	{"a setting changed", "== ==== D= =D",
	 "UPDATE row SET body = CAST(substr(body, 1, length(body) - 8) || zeroblob(8) AS BLOB) WHERE kind = 5"},
	{"the header deleted", "D", "DELETE FROM row WHERE kind = 1"},
	{"the header's date changed", "=D .... .. .D",
	 "UPDATE row SET body = CAST(substr(body, 1, 49) || x'0100000000000000' AS BLOB) WHERE kind = 1"},
	{"the public key swapped", "=D .... .. .D",
	 "UPDATE row SET body = CAST(substr(body, 1, 17) || randomblob(32) || substr(body, 50) AS BLOB) WHERE kind = 1"},
	{"the vault's id swapped", "D",
	 "UPDATE row SET body = CAST(x'01' || zeroblob(16) || substr(body, 18) AS BLOB) WHERE kind = 1"},
	{"the slot swapped", "=D .... .. .D", "UPDATE row SET body = x'aabb' WHERE kind = 2"},
	{"the slot deleted", "=D .... .. .D", "DELETE FROM row WHERE kind = 2"},
	{"a slot added", "=D .... .. .D", "INSERT INTO row VALUES(2, x'00000003', NULL, NULL, x'aabb')"},
	{"a slot added in the tree", "=D .... .. .D",
	 "INSERT INTO row VALUES(2, x'00000003', 5, zeroblob(32), x'aabb')"},
	{"the state deleted", "D", "DELETE FROM row WHERE kind = 6"},
	{"the state's generation changed", "=D .... .. .=",
	 "UPDATE row SET body = CAST(substr(body, 1, 17) || x'ff' || substr(body, 19) AS BLOB) WHERE kind = 6"},
	{"the state's root changed", "=D .... .. .D",
	 "UPDATE row SET body = CAST(substr(body, 1, 25) || zeroblob(32) || substr(body, 58) AS BLOB) WHERE kind = 6"},
	{"the audit anchor changed", "=D .... .. .=",
	 "UPDATE row SET body = CAST(substr(body, 1, 57) || x'ff' || substr(body, 59) AS BLOB) WHERE kind = 6"},
	{"the state's MAC changed", "=D .... .. .=",
	 "UPDATE row SET body = CAST(substr(body, 1, 105) || zeroblob(32) AS BLOB) WHERE kind = 6"},
	{"the state cut", "D", "UPDATE row SET body = substr(body, 1, 136) WHERE kind = 6"},
	{"all nodes deleted", "=D .... .. .D", "DELETE FROM node"},
	{"the top nodes changed", "=D .... .. .D", "UPDATE node SET hash = randomblob(32) WHERE level = 1"},
	{"a node added", "=D .... .. .D", "INSERT OR REPLACE INTO node VALUES(1, 3, randomblob(32))"},
	{"a waiting value deleted", "== ==== == ==", "DELETE FROM row WHERE kind = 7"},
};

// A with two versions, B, a setting and a waiting value.
static void vault_tampered(const char *sql)
{
	struct vault *vault = vault_make(0);
	begin(vault);
	put(vault, "A", "one");
	put(vault, "A", "two");
	put(vault, "B", "bee");
	assert_int_equal(vault_setting_put(vault, "count", SPAN_LITERAL("7"), &err), 0);
	assert_int_equal(vault_deposit(vault, "W", SPAN_LITERAL("waits"), NULL, false, false, &err), 0);
	commit(vault);
	vault_close(vault);
	sql_run(sql);
}

// Compares one result with the next mark of the row; marks that are left out stand for "not looked at".
static void expect(const struct tamper *tamper, const char **mark, int found)
{
	size_t number = 0;
	for (const char *at = tamper->expected; at < *mark; at++)
		number += *at != ' ';
	while (**mark == ' ')
		(*mark)++;
	if ((**mark == '=' && found != 0) || (**mark == 'D' && found != ERR_DAMAGED))
		fail_msg("%s: %s gives %d (%s)", tamper->what, operations[number], found, found < 0 ? err.text : "");
	*mark += **mark != 0;
}

static int put_result(struct vault *vault, const char *name)
{
	begin(vault);
	int r = vault_put(vault, name, SPAN_LITERAL("three"), NULL, false, true, &err);
	vault_rollback(vault);
	return r;
}

static int setting_result(struct vault *vault)
{
	_cleanup_buf_ struct buf out = BUF_INIT(VAULT_SETTING_BYTES_MAX);
	int r = vault_setting_get(vault, "count", &out, &err);
	return r == 0 && strcmp(buf_text(&out), "7") != 0 ? 1 : r;
}

// A value that comes out must be the right one.
static int reveal_exact(struct vault *vault, const char *name, uint32_t version, const char *value)
{
	_cleanup_secret_ struct secret *found = NULL;
	int r = vault_reveal(vault, name, version, &found, &err);
	return r == 0 && !secret_is_equal(secret_span(found), span_text(value)) ? 1 : r;
}

static void tamper_run(const struct tamper *tamper)
{
	const char *mark = tamper->expected;
	struct names names;
	struct vault *vault = NULL;
	vault_tampered(tamper->sql);
	int r = vault_open(vault_dir, &vault, &err);
	expect(tamper, &mark, r);
	if (r < 0)
		return;
	r = unlock(vault, 0);
	expect(tamper, &mark, r);
	assert_int_equal(vault_is_unlocked(vault), r == 0);
	expect(tamper, &mark, r < 0 ? r : find_result(vault, "A"));
	expect(tamper, &mark, r < 0 ? r : reveal_exact(vault, "A", 0, "two"));
	expect(tamper, &mark, r < 0 ? r : reveal_exact(vault, "A", 1, "one"));
	expect(tamper, &mark, r < 0 ? r : reveal_exact(vault, "B", 0, "bee"));
	expect(tamper, &mark, r < 0 ? r : setting_result(vault));
	expect(tamper, &mark, r < 0 ? r : put_result(vault, "A"));
	expect(tamper, &mark, r < 0 ? r : list_result(vault, &names));
	expect(tamper, &mark, check(vault));
	vault_close(vault);
}

static void test_every_change_shows(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(tampers); i++) {
		assert_int_equal(dir_setup(state), 0);
		tamper_run(&tampers[i]);
		assert_int_equal(dir_teardown(state), 0);
	}
	assert_int_equal(dir_setup(state), 0);
}

static void test_a_swapped_public_key_is_named(void **state)
{
	(void)state;
	vault_tampered("UPDATE row SET body = CAST(substr(body, 1, 17) || randomblob(32) || substr(body, 50) AS BLOB) "
		       "WHERE kind = 1");
	struct vault *vault = vault_reopen(NULL, false);
	assert_int_equal(unlock(vault, 0), ERR_DAMAGED);
	assert_non_null(strstr(err.text, "public key was swapped"));
	vault_close(vault);
}

static void test_another_root_key_does_not_unlock(void **state)
{
	(void)state;
	vault_tampered("SELECT 1");
	struct vault *vault = vault_reopen(NULL, false);
	assert_int_equal(unlock(vault, 1), ERR_DAMAGED);
	assert_false(vault_is_unlocked(vault));
	vault_close(vault);
}

// Copies the vault's file aside, to be attached as `old`.
static void vault_keep(const char *name)
{
	char path[400];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	struct buf content = file_load(vault_path);
	file_store(path, buf_span(&content));
	buf_done(&content);
}

static void sql_with_old(const char *name, const char *sql)
{
	char *text = sqlite3_mprintf("ATTACH '%q/%q' AS old; %s", dir, name, sql);
	sql_run(text);
	sqlite3_free(text);
}

// A vault of two moments: the older one is kept in the file `old`.
static void vault_two_moments(void)
{
	struct vault *vault = vault_make(0);
	store_one(vault, "A", "one");
	vault_close(vault);
	vault_keep("old");
	vault = vault_reopen(NULL, true);
	store_one(vault, "A", "two");
	store_one(vault, "B", "bee");
	vault_close(vault);
}

static void test_older_rows_do_not_verify(void **state)
{
	(void)state;
	vault_two_moments();
	sql_with_old("old", "UPDATE row SET body = o.body, digest = o.digest FROM old.row AS o "
			    "WHERE row.kind = 3 AND o.kind = 3 AND row.key = o.key");
	struct vault *vault = vault_reopen(NULL, true);
	assert_int_equal(find_result(vault, "A"), ERR_DAMAGED);
	assert_int_equal(reveal(vault, "A", 0), ERR_DAMAGED);
	reveals(vault, "B", 0, "bee");
	assert_int_equal(check(vault), ERR_DAMAGED);
	vault_close(vault);
}

static void test_an_older_state_does_not_verify(void **state)
{
	(void)state;
	vault_two_moments();
	sql_with_old("old", "UPDATE row SET body = (SELECT body FROM old.row WHERE kind = 6) WHERE kind = 6");
	struct vault *vault = vault_reopen(NULL, false);
	assert_int_equal(unlock(vault, 0), ERR_DAMAGED);
	assert_int_equal(check(vault), ERR_DAMAGED);
	vault_close(vault);
}

static void test_older_rows_and_nodes_do_not_verify(void **state)
{
	(void)state;
	vault_two_moments();
	sql_with_old("old", "DELETE FROM row WHERE kind <> 6; INSERT INTO row SELECT * FROM old.row WHERE kind <> 6; "
			    "DELETE FROM node; INSERT INTO node SELECT * FROM old.node");
	struct vault *vault = vault_reopen(NULL, false);
	assert_int_equal(unlock(vault, 0), ERR_DAMAGED);
	vault_close(vault);
}

static void test_a_whole_older_vault_shows_in_a_process_that_saw_the_newer(void **state)
{
	(void)state;
	vault_two_moments();
	struct vault *vault = vault_reopen(NULL, true);
	sql_with_old("old", "DELETE FROM row; INSERT INTO row SELECT * FROM old.row; DELETE FROM node; "
			    "INSERT INTO node SELECT * FROM old.node");
	assert_int_equal(reveal(vault, "A", 0), ERR_DAMAGED);
	assert_int_equal(vault_begin(vault, &err), ERR_DAMAGED);
	vault_close(vault);
}

static void test_a_row_of_another_vault_does_not_verify(void **state)
{
	(void)state;
	// The other vault has the same root key and id, as a copy would; only its secret's id and values differ.
	struct vault *vault = vault_make(0);
	store_one(vault, "A", "foreign");
	vault_close(vault);
	vault_keep("other");
	dir_empty(vault_dir, true);
	vault = vault_make(0);
	store_one(vault, "A", "ours");
	vault_close(vault);
	sql_with_old(
	    "other",
	    "DELETE FROM row WHERE kind IN (3, 4); INSERT INTO row SELECT * FROM old.row WHERE kind IN (3, 4)");
	vault = vault_reopen(NULL, true);
	assert_int_equal(find_result(vault, "A"), ERR_DAMAGED);
	assert_int_equal(reveal(vault, "A", 0), ERR_DAMAGED);
	assert_int_equal(put_result(vault, "A"), ERR_DAMAGED);
	vault_close(vault);
}

static void test_changes_are_seen_by_a_process_that_is_unlocked(void **state)
{
	(void)state;
	vault_tampered("SELECT 1");
	struct vault *vault = vault_reopen(NULL, true);
	reveals(vault, "A", 0, "two");
	sql_run("DELETE FROM row WHERE " SECRET_ROW("A"));
	assert_int_equal(reveal(vault, "A", 0), ERR_DAMAGED);
	assert_int_equal(put_result(vault, "A"), ERR_DAMAGED);
	sql_run("UPDATE row SET body = CAST(substr(body, 1, 105) || zeroblob(32) AS BLOB) WHERE kind = 6");
	assert_int_equal(vault_begin(vault, &err), ERR_DAMAGED);
	vault_close(vault);
}

static void test_a_change_does_not_make_its_neighbours_genuine(void **state)
{
	(void)state;
	vault_tampered("DELETE FROM row WHERE " SECRET_ROW("A"));
	struct vault *vault = vault_reopen(NULL, true);
	for (int i = 0; i < 50; i++) {
		char name[16];
		snprintf(name, sizeof(name), "more/%d", i);
		store_one(vault, name, "x");
	}
	assert_int_equal(find_result(vault, "A"), ERR_DAMAGED);
	assert_int_equal(check(vault), ERR_DAMAGED);
	vault_close(vault);
}

static void test_half_a_change_cannot_be_committed(void **state)
{
	(void)state;
	vault_tampered("DELETE FROM row WHERE " VERSION_ROW("A", "2"));
	struct vault *vault = vault_reopen(NULL, true);
	begin(vault);
	// Version 1 is sealed again before version 2 is found to be gone.
	assert_int_equal(vault_rename(vault, "A", "C", &err), ERR_DAMAGED);
	assert_int_equal(vault_put(vault, "D", SPAN_LITERAL("x"), NULL, false, false, &err), ERR_SYSTEM);
	assert_int_equal(vault_commit(vault, NULL, &err), ERR_SYSTEM);
	assert_int_equal(vault_commit(vault, NULL, &err), ERR_USAGE);
	reveals(vault, "A", 1, "one");
	vault_close(vault);
}

static int deposit_result(const char *sql)
{
	vault_tampered(sql);
	struct vault *vault = vault_reopen(NULL, true);
	begin(vault);
	int r = vault_confirm(vault, "W", &err);
	int checked = check(vault);
	if (r == ERR_DAMAGED)
		assert_int_equal(checked, ERR_DAMAGED);
	if (r == ERR_DAMAGED)
		assert_int_equal(vault_discard(vault, "W", &err), 0);
	commit(vault);
	assert_int_equal(check(vault), 0);
	vault_close(vault);
	dir_empty(vault_dir, true);
	return r;
}

static void test_deposits_that_do_not_open_can_be_discarded(void **state)
{
	(void)state;
	assert_int_equal(deposit_result("SELECT 1"), 0);
	// The flags (is it weak?), the time, the sealed key and the last byte of the value.
	assert_int_equal(
	    deposit_result("UPDATE row SET body = CAST(x'0101' || substr(body, 3) AS BLOB) WHERE kind = 7"),
	    ERR_DAMAGED);
	assert_int_equal(deposit_result("UPDATE row SET body = CAST(substr(body, 1, 18) || zeroblob(8) || substr(body, "
					"27) AS BLOB) WHERE kind = 7"),
			 ERR_DAMAGED);
	assert_int_equal(deposit_result("UPDATE row SET body = CAST(substr(body, 1, 59) || zeroblob(8) || substr(body, "
					"68) AS BLOB) WHERE kind = 7"),
			 ERR_DAMAGED);
	assert_int_equal(deposit_result("UPDATE row SET body = substr(body, 1, length(body) - 1) WHERE kind = 7"),
			 ERR_DAMAGED);
	assert_int_equal(deposit_result("UPDATE row SET body = zeroblob(200) WHERE kind = 7"), ERR_DAMAGED);
}

static void test_a_deposit_cannot_be_moved_to_another_name(void **state)
{
	(void)state;
	vault_tampered("UPDATE row SET key = CAST('V' AS BLOB) WHERE kind = 7");
	struct vault *vault = vault_reopen(NULL, true);
	begin(vault);
	assert_int_equal(vault_confirm(vault, "V", &err), ERR_DAMAGED);
	vault_close(vault);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    DIR_TEST(test_every_change_shows),
	    DIR_TEST(test_a_swapped_public_key_is_named),
	    DIR_TEST(test_another_root_key_does_not_unlock),
	    DIR_TEST(test_older_rows_do_not_verify),
	    DIR_TEST(test_an_older_state_does_not_verify),
	    DIR_TEST(test_older_rows_and_nodes_do_not_verify),
	    DIR_TEST(test_a_whole_older_vault_shows_in_a_process_that_saw_the_newer),
	    DIR_TEST(test_a_row_of_another_vault_does_not_verify),
	    DIR_TEST(test_changes_are_seen_by_a_process_that_is_unlocked),
	    DIR_TEST(test_a_change_does_not_make_its_neighbours_genuine),
	    DIR_TEST(test_half_a_change_cannot_be_committed),
	    DIR_TEST(test_deposits_that_do_not_open_can_be_discarded),
	    DIR_TEST(test_a_deposit_cannot_be_moved_to_another_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
