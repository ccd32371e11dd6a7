#include "audit_fixture.h"

#include "tree.h"

// ----------------------------------------------------------------------------------------------------------- tampering

static void every_bit_flipped(void **state)
{
	struct fixture *fixture = *state;
	struct audit_head head = log_make(fixture, 3);
	struct buf log = log_get(fixture);
	struct audit *audit = log_open(fixture);
	for (size_t bit = 0; bit < log.len * 8; bit++) {
		log.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		file_put(fixture, "audit.jsonl", buf_span(&log));
		log.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		struct audit_report report = {0};
		int r = audit_verify(audit, NULL, &report, &fixture->err);
		// Without its line end the last record is what a crash leaves; only the anchor tells it from a cut one.
		if (bit / 8 == log.len - 1) {
			assert_int_equal(r, 0);
			assert_int_equal(report.records, 2);
			assert_true(report.torn_bytes > 0);
		} else {
			assert_int_equal(r, ERR_DAMAGED);
		}
		assert_int_equal(audit_verify(audit, &head, &report, &fixture->err), ERR_DAMAGED);
		uint64_t unanchored;
		struct audit_head first_anchor = {0};
		r = audit_check_anchor(audit, &first_anchor, &unanchored, &fixture->err);
		assert_int_equal(r, bit / 8 == log.len - 1 ? 0 : ERR_DAMAGED);
	}
	audit_close(audit);
	buf_done(&log);
}

static void every_truncation(void **state)
{
	struct fixture *fixture = *state;
	struct audit_head head = log_make(fixture, 3);
	struct buf log = log_get(fixture);
	struct audit *audit = log_open(fixture);
	uint64_t whole = 0;
	size_t begin = 0;
	for (size_t len = 0; len < log.len; len++) {
		if (len > 0 && log.data[len - 1] == '\n') {
			whole++;
			begin = len;
		}
		file_put(fixture, "audit.jsonl", span_of(log.data, len));
		struct audit_report report;
		uint64_t unanchored;
		assert_int_equal(audit_verify(audit, NULL, &report, &fixture->err), 0);
		assert_int_equal(report.records, whole);
		assert_int_equal(report.torn_bytes, len - begin);
		assert_int_equal(audit_verify(audit, &head, &report, &fixture->err), ERR_DAMAGED);
		assert_sentence(fixture, "but the vault's anchor is at record 3: the tail was cut");
		assert_int_equal(audit_check_anchor(audit, &head, &unanchored, &fixture->err), ERR_DAMAGED);
		assert_sentence(fixture, "but the vault's anchor is at record 3: the tail was cut");
	}
	audit_close(audit);
	buf_done(&log);
}

static void nothing_is_appended_to_a_broken_end(void **state)
{
	struct fixture *fixture = *state;
	log_make(fixture, 2);
	struct buf log = log_get(fixture);
	size_t second = log.len / 2;
	for (size_t i = second; i < log.len - 1; i += 7) {
		log.data[i] ^= 1;
		file_put(fixture, "audit.jsonl", buf_span(&log));
		struct audit *audit = log_open(fixture);
		append_refuses(fixture, audit, "test", json_object(), ERR_DAMAGED);
		struct audit_head head;
		assert_int_equal(audit_head_get(audit, &head, &fixture->err), ERR_DAMAGED);
		assert_int_equal(audit_rotate(audit, &fixture->err), ERR_DAMAGED);
		audit_close(audit);
		struct buf after = log_get(fixture);
		assert_true(span_is_equal(buf_span(&after), buf_span(&log)));
		buf_done(&after);
		log.data[i] ^= 1;
	}
	buf_done(&log);
}

// --------------------------------------------------------------------------------------------------- crashes and disks

static int each_torn(void *context, json_t *record)
{
	json_int_t *torn = context;
	*torn = json_integer_value(json_object_get(record, "torn_bytes"));
	return 0;
}

static void torn_tail_is_kept_aside(void **state)
{
	struct fixture *fixture = *state;
	struct audit_head head = log_make(fixture, 3);
	struct buf log = log_get(fixture);
	struct audit_report report;
	for (size_t cut = log.len - 1; cut > log.len * 2 / 3 + 1; cut -= 11) {
		folder_empty(fixture);
		file_put(fixture, "audit.jsonl", span_of(log.data, cut));
		struct audit *audit = log_open(fixture);
		assert_int_equal(audit_verify(audit, NULL, &report, &fixture->err), 0);
		assert_int_equal(report.records, 2);
		uint64_t torn = report.torn_bytes;
		// The note must outlive a rotation and a refused record.
		assert_int_equal(audit_rotate(audit, &fixture->err), 0);
		append_refuses(fixture, audit, "Bad kind", json_object(), ERR_INPUT);
		head = append(fixture, audit, "test", "after");
		assert_int_equal(head.count, 3);
		json_int_t told = 0;
		assert_int_equal(audit_query(audit, NULL, each_torn, &told, &fixture->err), 0);
		assert_int_equal(told, torn);
		append(fixture, audit, "test", "later");
		assert_int_equal(audit_query(audit, NULL, each_torn, &told, &fixture->err), 0);
		assert_int_equal(told, 0);
		audit_close(audit);
		assert_verifies(fixture, 4);
		char path[PATH_BYTES];
		struct buf kept = file_get(path_of(fixture, "audit-torn-00000000000000000003.part", path));
		assert_true(span_is_equal(buf_span(&kept), span_of(log.data + cut - torn, torn)));
		buf_done(&kept);
	}
	buf_done(&log);
}

static void torn_first_record(void **state)
{
	struct fixture *fixture = *state;
	file_put(fixture, "audit.jsonl", SPAN_LITERAL("{\"seq\":1,\"ti"));
	struct audit *audit = log_open(fixture);
	struct audit_head head = append(fixture, audit, "test", "x");
	assert_int_equal(head.count, 1);
	audit_close(audit);
	assert_verifies(fixture, 1);
}

static void folder_remove_aside(const struct fixture *fixture, int expected_files)
{
	struct fixture aside = {0};
	DIR *dir = opendir(fixture->dir);
	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir));)
		if (strncmp(entry->d_name, "audit-aside-", 12) == 0)
			path_of(fixture, entry->d_name, aside.dir);
	closedir(dir);
	int files = -2; // "." and ".."
	assert_non_null(dir = opendir(aside.dir));
	while (readdir(dir))
		files++;
	closedir(dir);
	assert_int_equal(files, expected_files);
	folder_empty(&aside);
	assert_int_equal(rmdir(aside.dir), 0);
}

static void broken_log_is_set_aside(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = log_open(fixture);
	append(fixture, audit, "test", "x");
	assert_int_equal(audit_rotate(audit, &fixture->err), 0);
	file_put(fixture, "audit-torn-00000000000000000001.part", SPAN_LITERAL("half"));
	file_put(fixture, "audit.jsonl", SPAN_LITERAL("broken\n"));
	append_refuses(fixture, audit, "test", json_object(), ERR_DAMAGED);
	assert_int_equal(audit_set_aside(audit, &fixture->err), 0);
	struct audit_head head = append(fixture, audit, "test", "a new chain");
	assert_int_equal(head.count, 1);
	json_int_t told = 99;
	assert_int_equal(audit_query(audit, NULL, each_torn, &told, &fixture->err), 0);
	assert_int_equal(told, 0);
	audit_close(audit);
	assert_verifies(fixture, 1);
	folder_remove_aside(fixture, 3);
}

static void overlong_tail_is_damage(void **state)
{
	struct fixture *fixture = *state;
	const size_t sizes[] = {AUDIT_LINE_BYTES_MAX, 3 * AUDIT_LINE_BYTES_MAX};
	char *text = malloc(sizes[1]);
	memset(text, 'x', sizes[1]);
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		file_put(fixture, "audit.jsonl", span_of(text, sizes[i]));
		struct audit *audit = log_open(fixture);
		struct audit_report report;
		append_refuses(fixture, audit, "test", json_object(), ERR_DAMAGED);
		assert_int_equal(audit_verify(audit, NULL, &report, &fixture->err), ERR_DAMAGED);
		assert_sentence(fixture, "longer than any record");
		audit_close(audit);
	}
	free(text);
}

// Runs `child` in a process of its own, where a failed assertion ends it with a status that is not 0.
static void in_child(struct fixture *fixture, int (*child)(struct fixture *fixture))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child(fixture));
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int fill_disk(struct fixture *fixture)
{
	const struct rlimit limit = {4000, 4000};
	signal(SIGXFSZ, SIG_IGN);
	struct audit *audit = NULL;
	struct audit_head head;
	json_t *fields = json_pack("{s:s}", "note", "a note");
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || audit_open(fixture->dir, &audit, &fixture->err) < 0)
		return 1;
	int r = 0;
	for (int i = 0; i < 100 && r == 0; i++)
		r = audit_append(audit, "test", fields, &head, &fixture->err);
	if (r != ERR_SYSTEM || fixture->err.sys_errno != EFBIG)
		return 2;
	r = audit_append(audit, "test", fields, &head, &fixture->err);
	struct audit_report report;
	if (r != ERR_SYSTEM || audit_verify(audit, &head, &report, &fixture->err) < 0)
		return 3;
	audit_close(audit);
	json_decref(fields);
	return report.torn_bytes == 0 && report.unanchored == 0 && report.records > 5 ? 0 : 4;
}

static void full_disk_leaves_a_whole_log(void **state)
{
	struct fixture *fixture = *state;
	in_child(fixture, fill_disk);
	struct audit *audit = log_open(fixture);
	append(fixture, audit, "test", "there is room again");
	struct audit_report report;
	assert_int_equal(audit_verify(audit, NULL, &report, &fixture->err), 0);
	assert_int_equal(report.torn_bytes, 0);
	audit_close(audit);
}

// -------------------------------------------------------------------------------------------------------- unsafe files

static void assert_unsafe(struct fixture *fixture)
{
	struct audit *audit = NULL;
	assert_int_equal(audit_open(fixture->dir, &audit, &fixture->err), ERR_UNSAFE);
	assert_int_equal(audit_open_existing(fixture->dir, &audit, &fixture->err), ERR_UNSAFE);
	assert_null(audit);
}

static void unsafe_files_are_refused(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = {"audit.jsonl", "audit.lock"};
	char path[PATH_BYTES], other[PATH_BYTES];
	path_of(fixture, "other", other);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		log_make(fixture, 1);
		path_of(fixture, names[i], path);
		assert_int_equal(chmod(path, 0640), 0);
		assert_unsafe(fixture);
		assert_sentence(fixture, "chmod 600");
		assert_int_equal(chmod(path, 0600), 0);
		assert_int_equal(link(path, other), 0);
		assert_unsafe(fixture);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(symlink("other", path), 0);
		assert_unsafe(fixture);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(mkfifo(path, 0600), 0);
		assert_unsafe(fixture);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(mkdir(path, 0700), 0);
		assert_unsafe(fixture);
		assert_int_equal(rmdir(path), 0);
		if (geteuid() == 0) {
			file_put(fixture, names[i], SPAN_LITERAL(""));
			assert_int_equal(chown(path, 1, 1), 0);
			assert_unsafe(fixture);
		}
		folder_empty(fixture);
	}
	assert_int_equal(chmod(fixture->dir, 0755), 0);
	assert_unsafe(fixture);
	assert_int_equal(chmod(fixture->dir, 0700), 0);
}

static void swapped_file_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = log_open(fixture);
	append(fixture, audit, "test", "x");
	char path[PATH_BYTES], other[PATH_BYTES];
	path_of(fixture, "audit.jsonl", path);
	assert_int_equal(chmod(path, 0606), 0);
	append_refuses(fixture, audit, "test", json_object(), ERR_UNSAFE);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(rename(path, path_of(fixture, "other", other)), 0);
	assert_int_equal(symlink("other", path), 0);
	append_refuses(fixture, audit, "test", json_object(), ERR_UNSAFE);
	audit_close(audit);
}

static void unsafe_rotated_file(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = log_open(fixture);
	append(fixture, audit, "test", "x");
	assert_int_equal(audit_rotate(audit, &fixture->err), 0);
	char path[PATH_BYTES];
	assert_int_equal(chmod(path_of(fixture, "audit-00000000000000000001.jsonl", path), 0644), 0);
	struct audit_report report;
	assert_int_equal(audit_verify(audit, NULL, &report, &fixture->err), ERR_UNSAFE);
	append_refuses(fixture, audit, "test", json_object(), ERR_UNSAFE);
	audit_close(audit);
}

static void existing_wants_a_log(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = NULL;
	assert_int_equal(audit_open_existing(fixture->dir, &audit, &fixture->err), ERR_NOT_FOUND);
	char path[PATH_BYTES];
	assert_int_equal(access(path_of(fixture, "audit.jsonl", path), F_OK), -1);
	assert_int_equal(access(path_of(fixture, "audit.lock", path), F_OK), -1);
}

// ------------------------------------------------------------------------------------------------------------- vectors

static void vectors_path(const char *name, char out[PATH_BYTES])
{
	char below[PATH_BYTES];
	assert_true(snprintf(below, sizeof(below), "vectors/audit/%s", name) < PATH_BYTES);
	assert_true(tests_path(below, out, PATH_BYTES));
}

// Copies a vector, which has the modes of a working tree, to where a log may be.
static void vector_place(struct fixture *fixture, const char *name)
{
	char from[PATH_BYTES];
	vectors_path(name, from);
	DIR *dir = opendir(from);
	if (!dir) {
		struct buf content = file_get(from);
		file_put(fixture, "audit.jsonl", buf_span(&content));
		buf_done(&content);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		char path[2 * PATH_BYTES];
		snprintf(path, sizeof(path), "%s/%s", from, entry->d_name);
		struct buf content = file_get(path);
		file_put(fixture, entry->d_name, buf_span(&content));
		buf_done(&content);
	}
	closedir(dir);
}

static void vector_check(struct fixture *fixture, const char *name, const char *anchor_text, const char *expected)
{
	struct audit_head anchor = {0};
	const char *colon = strchr(anchor_text, ':');
	if (colon) {
		anchor.count = strtoull(anchor_text, NULL, 10);
		assert_int_equal(digest_parse_hex(span_text(colon + 1), anchor.hash, &fixture->err), 0);
	}
	vector_place(fixture, name);
	struct audit *audit = NULL;
	struct audit_report report;
	assert_int_equal(audit_open_existing(fixture->dir, &audit, &fixture->err), 0);
	int r = audit_verify(audit, colon ? &anchor : NULL, &report, &fixture->err);
	audit_close(audit);
	char got[ERR_TEXT_BYTES + 16];
	if (r == 0)
		snprintf(got, sizeof(got), "ok: %lu records in %lu files, %lu torn bytes",
			 (unsigned long)report.records, (unsigned long)report.files, (unsigned long)report.torn_bytes);
	else
		snprintf(got, sizeof(got), "%s: %s", err_name(r), fixture->err.text);
	if (strcmp(got, expected) != 0)
		fail_msg("%s %s: '%s' where '%s' was expected", name, anchor_text, got, expected);
	folder_empty(fixture);
}

static void vectors_give_what_is_expected(void **state)
{
	char path[PATH_BYTES];
	vectors_path("expected.txt", path);
	struct buf table = file_get(path);
	char *lines = (char *)table.data;
	int rows = 0;
	strsep(&lines, "\n"); // the names of the columns
	for (char *row; (row = strsep(&lines, "\n")) && *row; rows++) {
		char *anchor = strstr(row, " | ");
		assert_non_null(anchor);
		*anchor = 0;
		char *expected = strstr(anchor + 3, " | ");
		assert_non_null(expected);
		*expected = 0;
		vector_check(*state, row, anchor + 3, expected + 3);
	}
	assert_true(rows > 50);
	buf_done(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_bit_flipped), CASE(every_truncation), CASE(nothing_is_appended_to_a_broken_end),
		CASE(torn_tail_is_kept_aside), CASE(torn_first_record), CASE(broken_log_is_set_aside),
		CASE(overlong_tail_is_damage), CASE(full_disk_leaves_a_whole_log), CASE(unsafe_files_are_refused),
		CASE(swapped_file_is_noticed), CASE(unsafe_rotated_file), CASE(existing_wants_a_log),
		CASE(vectors_give_what_is_expected),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
