#include "vault_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "store/store.h"

#define WRITERS 32
#define WRITES 10

static const uint8_t digest_a[STORE_HASH_BYTES] = {1, 2, 3};
static const uint8_t digest_b[STORE_HASH_BYTES] = {9};

static unsigned waits; // for the disk

// In the place of the library's own, for SQLite too.
int fdatasync(int fd)
{
	waits++;
	return (int)syscall(SYS_fdatasync, fd);
}

static struct store *store_make(void)
{
	struct store *store = NULL;
	assert_int_equal(store_create(&store_sqlite, vault_dir, &store, &err), 0);
	assert_int_equal(store_publish(store, &err), 0);
	return store;
}

static struct store *store_reopen(struct store *store)
{
	store_close(store);
	struct store *again = NULL;
	assert_int_equal(store_open(&store_sqlite, vault_dir, &again, &err), 0);
	return again;
}

static int open_result(void)
{
	struct store *store = NULL;
	int r = store_open(&store_sqlite, vault_dir, &store, &err);
	store_close(store);
	return r;
}

static int put(struct store *store, uint8_t kind, const char *key, const char *body)
{
	struct store_row row = {
	    .kind = kind, .key = span_text(key), .bucket = STORE_BUCKET_NONE, .body = span_text(body)};
	return store_row_put(store, &row, &err);
}

static int put_in(struct store *store, uint8_t kind, const char *key, uint32_t bucket, const uint8_t *digest)
{
	struct store_row row = {
	    .kind = kind, .key = span_text(key), .bucket = bucket, .digest = digest, .body = SPAN_LITERAL("body")};
	return store_row_put(store, &row, &err);
}

static void expect_body(struct store *store, uint8_t kind, const char *key, const char *body)
{
	struct buf out = BUF_INIT(STORE_BODY_BYTES_MAX);
	assert_int_equal(store_row_get(store, kind, span_text(key), &out, &err), 0);
	assert_string_equal(buf_text(&out), body);
	buf_done(&out);
}

static int get_result(struct store *store, uint8_t kind, const char *key)
{
	_cleanup_buf_ struct buf out = BUF_INIT(STORE_BODY_BYTES_MAX);
	return store_row_get(store, kind, span_text(key), &out, &err);
}

static void begin(struct store *store)
{
	assert_int_equal(store_begin(store, STORE_WRITE, &err), 0);
}

static void commit(struct store *store)
{
	assert_int_equal(store_commit(store, STORE_NOW, &err), 0);
}

static void test_rows_are_kept_replaced_and_deleted(void **state)
{
	(void)state;
	struct store *store = store_make();
	begin(store);
	assert_int_equal(put(store, 3, "a", "one"), 0);
	assert_int_equal(put(store, 4, "a", "other kind"), 0);
	assert_int_equal(put(store, 3, "b", ""), 0);
	assert_int_equal(put(store, 3, "a", "two"), 0);
	commit(store);
	store = store_reopen(store);
	expect_body(store, 3, "a", "two");
	expect_body(store, 4, "a", "other kind");
	expect_body(store, 3, "b", "");
	begin(store);
	assert_int_equal(store_row_delete(store, 3, span_text("a"), &err), 0);
	assert_int_equal(store_row_delete(store, 3, span_text("a"), &err), ERR_NOT_FOUND);
	commit(store);
	assert_int_equal(get_result(store, 3, "a"), ERR_NOT_FOUND);
	assert_int_equal(store_check(store, &err), 0);
	store_close(store);
}

static void test_limits(void **state)
{
	(void)state;
	struct store *store = store_make();
	_cleanup_free_ uint8_t *bytes = calloc(1, STORE_BODY_BYTES_MAX + 1);
	struct store_row row = {.kind = 1,
				.key = span_of(bytes, STORE_KEY_BYTES_MAX),
				.bucket = STORE_BUCKET_NONE,
				.body = span_of(bytes, STORE_BODY_BYTES_MAX)};
	begin(store);
	assert_int_equal(store_row_put(store, &row, &err), 0);
	_cleanup_buf_ struct buf out = BUF_INIT(STORE_BODY_BYTES_MAX);
	assert_int_equal(store_row_get(store, 1, row.key, &out, &err), 0);
	assert_int_equal(out.len, STORE_BODY_BYTES_MAX);
	row.body.len++;
	assert_int_equal(store_row_put(store, &row, &err), ERR_LIMIT);
	row.body.len = 1;
	row.key.len++;
	assert_int_equal(store_row_put(store, &row, &err), ERR_LIMIT);
	row.key.len = 0;
	assert_int_equal(store_row_put(store, &row, &err), ERR_LIMIT);
	commit(store);
	store_close(store);
}

static void test_transactions(void **state)
{
	(void)state;
	struct store *store = store_make();
	assert_int_equal(put(store, 1, "a", "alone"), ERR_SYSTEM);
	assert_int_equal(store_commit(store, STORE_NOW, &err), ERR_SYSTEM);
	begin(store);
	assert_int_equal(store_begin(store, STORE_WRITE, &err), ERR_USAGE);
	assert_int_equal(put(store, 1, "a", "x"), 0);
	expect_body(store, 1, "a", "x");
	store_rollback(store);
	store_rollback(store);
	assert_int_equal(get_result(store, 1, "a"), ERR_NOT_FOUND);
	begin(store);
	assert_int_equal(put(store, 1, "a", "x"), 0);
	store = store_reopen(store);
	assert_int_equal(get_result(store, 1, "a"), ERR_NOT_FOUND);
	store_close(store);
}

static void test_reading_sees_one_moment(void **state)
{
	(void)state;
	struct store *writer = store_make();
	struct store *reader = NULL;
	assert_int_equal(store_open(&store_sqlite, vault_dir, &reader, &err), 0);
	assert_int_equal(store_begin(reader, STORE_READ, &err), 0);
	assert_int_equal(get_result(reader, 1, "a"), ERR_NOT_FOUND);
	begin(writer);
	assert_int_equal(put(writer, 1, "a", "x"), 0);
	commit(writer);
	assert_int_equal(get_result(reader, 1, "a"), ERR_NOT_FOUND);
	assert_int_equal(store_commit(reader, STORE_NOW, &err), 0);
	expect_body(reader, 1, "a", "x");
	store_close(reader);
	store_close(writer);
}

struct trail {
	struct store *store;
	char text[256];
	int stop_after; // 0: never
};

static int trail_add(void *context, const struct store_row *row, struct err *e)
{
	(void)e;
	struct trail *trail = context;
	size_t used = strlen(trail->text);
	snprintf(trail->text + used, sizeof(trail->text) - used, "%u.%.*s%s ", row->kind, (int)row->key.len,
		 row->key.data, row->digest && row->digest[0] == 9 ? "*" : "");
	return trail->stop_after > 0 && --trail->stop_after == 0 ? 77 : 0;
}

static int trail_nested(void *context, const struct store_row *row, struct err *e)
{
	struct trail *trail = context;
	int r = trail_add(context, row, e);
	return r < 0 ? r : store_scan_kind(trail->store, 2, span_text(""), trail_add, trail, e);
}

static void test_scans_rise_by_key(void **state)
{
	(void)state;
	struct store *store = store_make();
	begin(store);
	static const char *const keys[] = {"b", "a/b", "a", "Z", "ab", "a.b"};
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		assert_int_equal(put(store, 1, keys[i], "x"), 0);
	assert_int_equal(put(store, 2, "q", "x"), 0);
	commit(store);
	struct trail all = {0};
	assert_int_equal(store_scan_kind(store, 1, span_text(""), trail_add, &all, &err), 0);
	assert_string_equal(all.text, "1.Z 1.a 1.a.b 1.a/b 1.ab 1.b ");
	struct trail from = {0};
	assert_int_equal(store_scan_kind(store, 1, span_text("a/"), trail_add, &from, &err), 0);
	assert_string_equal(from.text, "1.a/b 1.ab 1.b ");
	struct trail stopped = {.stop_after = 2};
	assert_int_equal(store_scan_kind(store, 1, span_text(""), trail_add, &stopped, &err), 77);
	assert_string_equal(stopped.text, "1.Z 1.a ");
	struct trail nested = {.store = store};
	assert_int_equal(store_scan_kind(store, 2, span_text(""), trail_nested, &nested, &err), 0);
	assert_string_equal(nested.text, "2.q 2.q ");
	struct trail again = {0};
	assert_int_equal(store_scan_kind(store, 2, span_text("r"), trail_add, &again, &err), 0);
	assert_string_equal(again.text, "");
	store_close(store);
}

static void test_bucket_scans(void **state)
{
	(void)state;
	struct store *store = store_make();
	begin(store);
	assert_int_equal(put_in(store, 4, "k", 65535, digest_a), 0);
	assert_int_equal(put_in(store, 3, "z", 7, digest_a), 0);
	assert_int_equal(put_in(store, 3, "a", 7, digest_b), 0);
	assert_int_equal(put_in(store, 2, "m", 0, digest_a), 0);
	assert_int_equal(put(store, 1, "outside", "x"), 0);
	commit(store);
	struct trail all = {0};
	assert_int_equal(store_scan_bucket(store, 0, 65535, trail_add, &all, &err), 0);
	assert_string_equal(all.text, "2.m 3.a* 3.z 4.k ");
	begin(store);
	assert_int_equal(put_in(store, 3, "z", 7, digest_b), 0);
	assert_int_equal(store_row_delete(store, 3, span_text("a"), &err), 0);
	commit(store);
	struct trail one = {0};
	assert_int_equal(store_scan_bucket(store, 7, 7, trail_add, &one, &err), 0);
	assert_string_equal(one.text, "3.z* ");
	store_close(store);
}

static void test_nodes(void **state)
{
	(void)state;
	static const uint8_t zeros[STORE_HASH_BYTES];
	uint8_t out[3][STORE_HASH_BYTES];
	struct store *store = store_make();
	begin(store);
	assert_int_equal(store_node_put(store, 4, 16, digest_a, &err), 0);
	assert_int_equal(store_node_put(store, 4, 18, digest_a, &err), 0);
	assert_int_equal(store_node_put(store, 4, 18, digest_b, &err), 0);
	assert_int_equal(store_node_put(store, 3, 17, digest_b, &err), 0);
	assert_int_equal(store_node_put(store, 4, 19, zeros, &err), 0);
	commit(store);
	assert_int_equal(store_node_get(store, 4, 16, 3, out, &err), 0);
	assert_memory_equal(out[0], digest_a, STORE_HASH_BYTES);
	assert_memory_equal(out[1], zeros, STORE_HASH_BYTES);
	assert_memory_equal(out[2], digest_b, STORE_HASH_BYTES);
	begin(store);
	assert_int_equal(store_node_put(store, 4, 18, zeros, &err), 0);
	commit(store);
	assert_int_equal(store_node_get(store, 4, 16, 3, out, &err), 0);
	assert_memory_equal(out[2], zeros, STORE_HASH_BYTES);
	store_close(store);
}

static void test_creating(void **state)
{
	(void)state;
	struct store *store = NULL;
	struct store *second = NULL;
	assert_false(store_exists(&store_sqlite, vault_dir));
	assert_int_equal(open_result(), ERR_NO_VAULT);
	assert_int_equal(store_create(&store_sqlite, vault_dir, &store, &err), 0);
	assert_false(store_exists(&store_sqlite, vault_dir));
	assert_int_equal(open_result(), ERR_NO_VAULT);
	store = store_close(store);
	assert_int_equal(access(vault_dir, F_OK), -1);
	assert_int_equal(store_create(&store_sqlite, vault_dir, &store, &err), 0);
	assert_int_equal(store_create(&store_sqlite, vault_dir, &second, &err), 0);
	assert_int_equal(store_publish(store, &err), 0);
	assert_int_equal(store_publish(second, &err), ERR_EXISTS);
	store_close(second);
	store_close(store);
	assert_int_equal(dir_count(vault_dir), 1);
	assert_true(store_exists(&store_sqlite, vault_dir));
	assert_int_equal(store_create(&store_sqlite, vault_dir, &store, &err), ERR_EXISTS);
}

static void expect_mode(const char *suffix, mode_t mode)
{
	char path[400];
	struct stat st;
	snprintf(path, sizeof(path), "%s%s", vault_path, suffix);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

static void test_modes_whatever_the_umask(void **state)
{
	(void)state;
	static const mode_t masks[] = {0, 022, 0277};
	for (size_t i = 0; i < ARRAY_COUNT(masks); i++) {
		assert_int_equal(mkdir(vault_dir, 0700), 0);
		mode_t old = umask(masks[i]);
		struct store *store = store_make();
		begin(store);
		assert_int_equal(put(store, 1, "a", "x"), 0);
		commit(store);
		umask(old);
		expect_mode("", 0600);
		expect_mode("-wal", 0600);
		expect_mode("-shm", 0600);
		store_close(store);
		dir_empty(vault_dir, true);
		rmdir(vault_dir);
	}
}

static void test_files_that_are_not_private(void **state)
{
	(void)state;
	char other[400];
	store_close(store_make());
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
		char path[400];
		snprintf(path, sizeof(path), "%s%s", vault_path, suffixes[i]);
		snprintf(other, sizeof(other), "%s/other", dir);
		if (i > 0)
			file_store(path, SPAN_LITERAL(""));
		assert_int_equal(chmod(path, 0640), 0);
		assert_int_equal(open_result(), ERR_UNSAFE);
		assert_non_null(strstr(err.text, "chmod 600"));
		assert_int_equal(chmod(path, 0600), 0);
		assert_int_equal(link(path, other), 0);
		assert_int_equal(open_result(), ERR_UNSAFE);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(symlink(other, path), 0);
		assert_int_equal(open_result(), ERR_UNSAFE);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(mkfifo(path, 0600), 0);
		assert_int_equal(open_result(), ERR_UNSAFE);
		assert_int_equal(unlink(path), 0);
		if (i == 0)
			assert_int_equal(rename(other, path), 0);
		unlink(other);
	}
	assert_int_equal(open_result(), 0);
	assert_int_equal(chmod(vault_dir, 0750), 0);
	assert_int_equal(open_result(), ERR_UNSAFE);
	assert_int_equal(chmod(vault_dir, 0700), 0);
}

static void test_what_is_no_vault(void **state)
{
	(void)state;
	static const char *const changes[] = {
	    "PRAGMA user_version=0",
	    "PRAGMA application_id=1",
	    "CREATE TABLE extra(a)",
	    "CREATE VIEW extra AS SELECT * FROM row",
	    "CREATE TRIGGER extra AFTER INSERT ON row BEGIN DELETE FROM node; END",
	    "CREATE INDEX extra ON row(body)",
	    "DROP TABLE node",
	    "DROP INDEX row_bucket",
	    "DROP INDEX row_bucket; CREATE INDEX row_bucket ON row(bucket)",
	    "ALTER TABLE node ADD COLUMN extra INTEGER",
	    "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = sql || ' ' WHERE name = 'node'",
	};
	store_close(store_make());
	struct buf good = file_load(vault_path);
	for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
		sql_run(changes[i]);
		assert_int_equal(open_result(), ERR_DAMAGED);
		file_store(vault_path, buf_span(&good));
	}
	sql_run("PRAGMA user_version=2");
	assert_int_equal(open_result(), ERR_DAMAGED);
	assert_non_null(strstr(err.text, "newer envseal"));
	file_store(vault_path, SPAN_LITERAL(""));
	assert_int_equal(open_result(), ERR_DAMAGED);
	// What is no vault is somebody's file, and is not written to.
	struct buf after = file_load(vault_path);
	assert_int_equal(after.len, 0);
	buf_done(&after);
	file_store(vault_path,
		   SPAN_LITERAL("this is a text and not a database, and long enough to have a header of one."));
	assert_int_equal(open_result(), ERR_DAMAGED);
	file_store(vault_path, buf_span(&good));
	assert_int_equal(open_result(), 0);
	buf_done(&good);
}

static void test_rows_of_a_wrong_form(void **state)
{
	(void)state;
	struct store *store = store_make();
	begin(store);
	assert_int_equal(put_in(store, 3, "a", 7, digest_a), 0);
	commit(store);
	store_close(store);
	sql_run("UPDATE row SET digest = x'00'");
	store = store_reopen(NULL);
	struct trail trail = {0};
	assert_int_equal(store_scan_bucket(store, 0, 65535, trail_add, &trail, &err), ERR_DAMAGED);
	store_close(store);
	sql_run("UPDATE row SET digest = zeroblob(32), bucket = 65536");
	store = store_reopen(NULL);
	assert_int_equal(store_scan_kind(store, 3, span_text(""), trail_add, &trail, &err), ERR_DAMAGED);
	store_close(store);
	sql_run("UPDATE row SET bucket = 1, body = zeroblob(1200000)");
	store = store_reopen(NULL);
	assert_int_equal(get_result(store, 3, "a"), ERR_DAMAGED);
	store_close(store);
	sql_run("INSERT INTO node VALUES(4, 0, x'0102')");
	store = store_reopen(NULL);
	uint8_t out[1][STORE_HASH_BYTES];
	assert_int_equal(store_node_get(store, 4, 0, 1, out, &err), ERR_DAMAGED);
	store_close(store);
}

static int read_only_body(void *context)
{
	const char *what = context;
	struct store *store = NULL;
	if (!become_plain() || chmod(strcmp(what, "file") == 0 ? vault_path : vault_dir, 0500) < 0)
		return 90;
	if (store_open(&store_sqlite, vault_dir, &store, &err) < 0)
		return 91;
	if (get_result(store, 1, "a") != 0)
		return 92;
	int r = store_begin(store, STORE_WRITE, &err);
	store_close(store);
	return r == ERR_SYSTEM && strstr(err.text, "read-only") ? 0 : 93;
}

static void test_read_only_places_can_be_read(void **state)
{
	(void)state;
	struct store *store = store_make();
	begin(store);
	assert_int_equal(put(store, 1, "a", "x"), 0);
	commit(store);
	store_close(store);
	dir_give_away();
	char folder[] = "folder", file[] = "file";
	assert_int_equal(child_run(read_only_body, folder), 0);
	assert_int_equal(chmod(vault_dir, 0700), 0);
	assert_int_equal(child_run(read_only_body, file), 0);
}

static int file_limit_body(void *context)
{
	(void)context;
	struct store *store = NULL;
	signal(SIGXFSZ, SIG_IGN);
	if (store_open(&store_sqlite, vault_dir, &store, &err) < 0 || store_begin(store, STORE_WRITE, &err) < 0)
		return 90;
	struct rlimit limit = {.rlim_cur = 65536, .rlim_max = 65536};
	setrlimit(RLIMIT_FSIZE, &limit);
	static uint8_t bytes[1 << 20];
	struct store_row row = {
	    .kind = 1, .key = span_text("b"), .bucket = STORE_BUCKET_NONE, .body = span_of(bytes, 1 << 20)};
	int r = store_row_put(store, &row, &err);
	if (r == 0)
		r = store_commit(store, STORE_NOW, &err);
	bool is_absent = get_result(store, 1, "b") == ERR_NOT_FOUND;
	store_close(store);
	return r == ERR_SYSTEM && is_absent ? 0 : 91;
}

static void test_a_full_disk_loses_nothing(void **state)
{
	(void)state;
	struct store *store = store_make();
	begin(store);
	assert_int_equal(put(store, 1, "a", "x"), 0);
	commit(store);
	store_close(store);
	assert_int_equal(child_run(file_limit_body, NULL), 0);
	store = store_reopen(NULL);
	expect_body(store, 1, "a", "x");
	assert_int_equal(get_result(store, 1, "b"), ERR_NOT_FOUND);
	assert_int_equal(store_check(store, &err), 0);
	store_close(store);
}

static int killed_body(void *context)
{
	(void)context;
	struct store *store = NULL;
	if (store_open(&store_sqlite, vault_dir, &store, &err) == 0 && store_begin(store, STORE_WRITE, &err) == 0 &&
	    put(store, 1, "a", "never") == 0)
		raise(SIGKILL);
	return 90;
}

static void test_a_killed_writer_leaves_the_old_state(void **state)
{
	(void)state;
	store_close(store_make());
	assert_int_equal(child_run(killed_body, NULL), 1000 + SIGKILL);
	struct store *store = store_reopen(NULL);
	assert_int_equal(get_result(store, 1, "a"), ERR_NOT_FOUND);
	begin(store);
	assert_int_equal(put(store, 1, "a", "x"), 0);
	commit(store);
	store_close(store);
}

// Adds one to a counter in the store, so that an update that is lost shows in the sum.
static int count_up(struct store *store)
{
	struct buf body = BUF_INIT(64);
	int r = store_begin(store, STORE_WRITE, &err);
	if (r == 0)
		r = store_row_get(store, 1, span_text("n"), &body, &err);
	char next[16];
	snprintf(next, sizeof(next), "%d", atoi(buf_text(&body)) + 1);
	if (r == 0)
		r = put(store, 1, "n", next);
	if (r == 0)
		r = store_commit(store, STORE_NOW, &err);
	buf_done(&body);
	return r;
}

static int writer_body(void)
{
	for (int i = 0; i < WRITES; i++) {
		struct store *store = NULL;
		int r = store_open(&store_sqlite, vault_dir, &store, &err);
		if (r == 0)
			r = count_up(store);
		store_close(store);
		if (r < 0) {
			fprintf(stderr, "writer: %s\n", err.text);
			return 1;
		}
	}
	return 0;
}

static void test_32_writers_queue(void **state)
{
	(void)state;
	struct store *store = store_make();
	begin(store);
	assert_int_equal(put(store, 1, "n", "0"), 0);
	commit(store);
	store_close(store);
	pid_t pids[WRITERS];
	fflush(NULL);
	for (size_t i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(writer_body());
	}
	for (size_t i = 0; i < WRITERS; i++) {
		int status = -1;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	store = store_reopen(NULL);
	expect_body(store, 1, "n", "320");
	store_close(store);
}

static void test_soon_is_seen_at_once_and_waits_for_nothing(void **state)
{
	(void)state;
	struct store *store = store_make(), *other = NULL;
	assert_int_equal(store_open(&store_sqlite, vault_dir, &other, &err), 0);
	begin(store);
	assert_int_equal(put(store, 1, "a", "now"), 0);
	waits = 0;
	commit(store);
	assert_true(waits > 0);
	begin(store);
	assert_int_equal(put(store, 1, "a", "soon"), 0);
	waits = 0;
	assert_int_equal(store_commit(store, STORE_SOON, &err), 0);
	assert_int_equal(waits, 0);
	expect_body(other, 1, "a", "soon");
	begin(store);
	assert_int_equal(put(store, 1, "a", "later"), 0);
	commit(store);
	assert_true(waits > 0);
	store_close(other);
	store_close(store);
}

// Moved from the log into the file, which must never be behind what the log forgets.
static void test_soon_waits_where_the_file_is_written(void **state)
{
	(void)state;
	struct store *store = store_make();
	waits = 0;
	for (int i = 0; waits == 0 && i < 10000; i++) {
		begin(store);
		assert_int_equal(put(store, 1, "a", i % 2 ? "x" : "y"), 0);
		assert_int_equal(store_commit(store, STORE_SOON, &err), 0);
	}
	// The log, then the file.
	assert_int_equal(waits, 2);
	store_close(store);
}

#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, dir_setup, dir_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    DIR_TEST(test_rows_are_kept_replaced_and_deleted),
	    DIR_TEST(test_limits),
	    DIR_TEST(test_transactions),
	    DIR_TEST(test_reading_sees_one_moment),
	    DIR_TEST(test_scans_rise_by_key),
	    DIR_TEST(test_bucket_scans),
	    DIR_TEST(test_nodes),
	    DIR_TEST(test_creating),
	    DIR_TEST(test_modes_whatever_the_umask),
	    DIR_TEST(test_files_that_are_not_private),
	    DIR_TEST(test_what_is_no_vault),
	    DIR_TEST(test_rows_of_a_wrong_form),
	    DIR_TEST(test_read_only_places_can_be_read),
	    DIR_TEST(test_a_full_disk_loses_nothing),
	    DIR_TEST(test_a_killed_writer_leaves_the_old_state),
	    DIR_TEST(test_32_writers_queue),
	    DIR_TEST(test_soon_is_seen_at_once_and_waits_for_nothing),
	    DIR_TEST(test_soon_waits_where_the_file_is_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
