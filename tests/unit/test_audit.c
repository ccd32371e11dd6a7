#include <sys/syscall.h>

#include "audit_fixture.h"

static unsigned waits; // for the disk

// In the place of the library's own.
int fdatasync(int fd)
{
	waits++;
	return (int)syscall(SYS_fdatasync, fd);
}

// ----------------------------------------------------------------------------------------------------------- the chain

static void chain_of_a_thousand(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = log_open(fixture);
	struct audit_head head = {0}, read;
	assert_int_equal(audit_head_get(audit, &read, &fixture->err), 0);
	assert_int_equal(read.count, 0);
	assert_int_equal(read.file_offset, 0);
	for (uint64_t i = 1; i <= 1000; i++) {
		head = append(fixture, audit, "test", "a note");
		assert_int_equal(head.count, i);
	}
	assert_int_equal(audit_head_get(audit, &read, &fixture->err), 0);
	assert_memory_equal(&read, &head, sizeof(head));
	struct audit_report report;
	assert_int_equal(audit_verify(audit, &head, &report, &fixture->err), 0);
	assert_int_equal(report.records, 1000);
	assert_int_equal(report.files, 1);
	assert_int_equal(report.unanchored, 0);
	assert_int_equal(report.torn_bytes, 0);
	audit_close(audit);
}

static void soon_is_seen_at_once_and_waits_for_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = log_open(fixture), *other = log_open(fixture);
	struct audit_head head, read;
	json_t *fields = json_pack("{s:s}", "note", "x");
	append(fixture, audit, "test", "a note");
	waits = 0;
	assert_int_equal(audit_append_soon(audit, "test", fields, &head, &fixture->err), 0);
	assert_int_equal(waits, 0);
	assert_int_equal(head.count, 2);
	assert_int_equal(audit_head_get(other, &read, &fixture->err), 0);
	assert_memory_equal(&read, &head, sizeof(head));
	assert_int_equal(audit_sync(audit, &fixture->err), 0);
	assert_int_equal(waits, 1);
	json_decref(fields);
	audit_close(other);
	audit_close(audit);
}

static void record_has_the_written_form(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = log_open(fixture);
	json_t *fields = json_pack("{s:s, s:i, s:[s]}", "zeta", "\xc3\xa9\n\x1b", "alpha", 1, "list", "x");
	struct audit_head head;
	assert_int_equal(audit_append(audit, "run.intent", fields, &head, &fixture->err), 0);
	json_decref(fields);
	audit_close(audit);
	struct buf log = log_get(fixture);
	const char *text = buf_text(&log);
	assert_int_equal(head.file_offset, log.len);
	assert_memory_equal(text, "{\"seq\":1,\"time\":\"", 17);
	static const char rest[] = "\",\"kind\":\"run.intent\",\"zeta\":\"\\u00E9\\n\\u001B\",\"alpha\":1,"
				   "\"list\":[\"x\"],\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"hash\":\"";
	assert_memory_equal(text + 17 + 20, rest, sizeof(rest) - 1);
	char hex[DIGEST_HEX_BYTES];
	uint8_t hash[DIGEST_BYTES];
	digest_bytes(span_of(text, log.len - 76), hash);
	digest_hex(hash, hex);
	assert_memory_equal(hash, head.hash, DIGEST_BYTES);
	assert_memory_equal(text + log.len - 67, hex, 64);
	assert_string_equal(text + log.len - 3, "\"}\n");
	buf_done(&log);
}

static void unusable_records_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = log_open(fixture);
	static const char *const own[] = {"seq", "time", "kind", "prev", "hash", "torn_bytes"};
	for (size_t i = 0; i < ARRAY_COUNT(own); i++)
		append_refuses(fixture, audit, "test", json_pack("{s:i}", own[i], 1), ERR_INPUT);
	static const char *const kinds[] = {"", "Run", "run intent", "r\"", "run\n"};
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		append_refuses(fixture, audit, kinds[i], json_object(), ERR_INPUT);
	append_refuses(fixture, audit, "test", json_array(), ERR_INPUT);
	append_refuses(fixture, audit, "test", NULL, ERR_INPUT);
	append_refuses(fixture, audit, "test", json_pack("{s:o}", "nul", json_stringn("a\0b", 3)), ERR_INPUT);
	json_t *deep = json_array();
	for (int i = 0; i < 2047; i++)
		deep = json_pack("[o]", deep);
	append_refuses(fixture, audit, "test", json_pack("{s:o}", "deep", deep), ERR_INPUT);
	audit_close(audit);
	assert_verifies(fixture, 0);
}

static void longest_record(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = log_open(fixture);
	append(fixture, audit, "test", "");
	audit_close(audit);
	struct buf log = log_get(fixture);
	size_t room = AUDIT_LINE_BYTES_MAX - log.len;
	buf_done(&log);
	folder_empty(fixture);
	char *note = malloc(room + 2);
	memset(note, 'n', room + 1);
	note[room + 1] = 0;
	audit = log_open(fixture);
	append_refuses(fixture, audit, "test", json_pack("{s:s}", "note", note), ERR_LIMIT);
	note[room] = 0;
	struct audit_head head = append(fixture, audit, "test", note);
	assert_int_equal(head.file_offset, AUDIT_LINE_BYTES_MAX);
	append(fixture, audit, "test", note + 1);
	append(fixture, audit, "test", "short");
	free(note);
	audit_close(audit);
	assert_verifies(fixture, 3);
}

// ------------------------------------------------------------------------------------------------------------- anchors

static void append_in_three_files(struct fixture *fixture, struct audit *audit, struct audit_head heads[9])
{
	for (size_t i = 0; i < 9; i++) {
		heads[i] = append(fixture, audit, "test", "x");
		if (i == 2 || i == 5)
			assert_int_equal(audit_rotate(audit, &fixture->err), 0);
	}
}

static void anchor_is_found(void **state)
{
	struct fixture *fixture = *state;
	struct audit_head heads[9];
	struct audit *audit = log_open(fixture);
	append_in_three_files(fixture, audit, heads);
	for (size_t i = 0; i < ARRAY_COUNT(heads); i++) {
		uint64_t unanchored = 99;
		const uint64_t hints[] = {heads[i].file_offset, 0, 1, heads[i].file_offset - 1, UINT64_MAX};
		for (size_t hint = 0; hint < ARRAY_COUNT(hints); hint++) {
			struct audit_head anchor = heads[i];
			anchor.file_offset = hints[hint];
			if (audit_check_anchor(audit, &anchor, &unanchored, &fixture->err) < 0)
				fail_msg("%s", fixture->err.text);
			assert_int_equal(unanchored, 8 - i);
		}
		struct audit_head wrong = heads[i];
		wrong.hash[31] ^= 1;
		assert_int_equal(audit_check_anchor(audit, &wrong, &unanchored, &fixture->err), ERR_DAMAGED);
		assert_sentence(fixture, "is not the one the vault anchored: the log was rewritten");
	}
	struct audit_head none = {0};
	uint64_t unanchored;
	assert_int_equal(audit_check_anchor(audit, &none, &unanchored, &fixture->err), 0);
	assert_int_equal(unanchored, 9);
	audit_close(audit);
}

static void anchor_misses_a_lost_log(void **state)
{
	struct fixture *fixture = *state;
	struct audit_head head = log_make(fixture, 4);
	folder_empty(fixture);
	uint64_t unanchored;
	struct audit *audit = log_open(fixture);
	assert_int_equal(audit_check_anchor(audit, &head, &unanchored, &fixture->err), ERR_DAMAGED);
	assert_string_equal(fixture->err.text,
			    "the log ends at record 0, but the vault's anchor is at record 4: the tail was cut");
	for (int i = 0; i < 5; i++)
		append(fixture, audit, "forged", "x");
	assert_int_equal(audit_check_anchor(audit, &head, &unanchored, &fixture->err), ERR_DAMAGED);
	assert_string_equal(fixture->err.text, "record 4 is not the one the vault anchored: the log was rewritten");
	audit_close(audit);
}

// ------------------------------------------------------------------------------------------------------------ rotation

static void rotation_carries_the_chain(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = log_open(fixture);
	assert_int_equal(audit_rotate(audit, &fixture->err), 0); // nothing to rotate
	struct audit_head before = append(fixture, audit, "test", "one"), head;
	assert_int_equal(audit_rotate(audit, &fixture->err), 0);
	assert_int_equal(audit_rotate(audit, &fixture->err), 0);
	assert_int_equal(audit_head_get(audit, &head, &fixture->err), 0);
	assert_memory_equal(&head, &before, sizeof(head));
	append(fixture, audit, "test", "two");
	assert_int_equal(audit_rotate(audit, &fixture->err), 0);
	append(fixture, audit, "test", "three");
	struct audit_report report;
	assert_int_equal(audit_verify(audit, NULL, &report, &fixture->err), 0);
	assert_int_equal(report.records, 3);
	assert_int_equal(report.files, 3);
	char path[PATH_BYTES];
	assert_int_equal(access(path_of(fixture, "audit-00000000000000000002.jsonl", path), F_OK), 0);
	// As after a crash between the two steps of a rotation.
	assert_int_equal(audit_rotate(audit, &fixture->err), 0);
	assert_int_equal(unlink(path_of(fixture, "audit.jsonl", path)), 0);
	struct audit *other = NULL;
	assert_int_equal(audit_open_existing(fixture->dir, &other, &fixture->err), 0);
	assert_int_equal(audit_head_get(other, &head, &fixture->err), 0);
	assert_int_equal(head.count, 3);
	append_refuses(fixture, other, "test", json_object(), ERR_USAGE);
	audit_close(other);
	head = append(fixture, audit, "test", "four");
	assert_int_equal(head.count, 4);
	audit_close(audit);
	assert_verifies(fixture, 4);
}

static void large_log_rotates_by_itself(void **state)
{
	struct fixture *fixture = *state;
	char *note = malloc(250001);
	memset(note, 'n', 250000);
	note[250000] = 0;
	struct audit *audit = log_open(fixture);
	for (int i = 0; i < 70; i++)
		append(fixture, audit, "test", note);
	free(note);
	struct audit_report report;
	assert_int_equal(audit_verify(audit, NULL, &report, &fixture->err), 0);
	assert_int_equal(report.records, 70);
	assert_int_equal(report.files, 2);
	audit_close(audit);
	char path[PATH_BYTES];
	struct stat st;
	assert_int_equal(stat(path_of(fixture, "audit-00000000000000000001.jsonl", path), &st), 0);
	assert_true(st.st_size <= (off_t)AUDIT_FILE_BYTES_MAX);
}

static void rotation_never_overwrites(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = log_open(fixture);
	append(fixture, audit, "test", "x");
	file_put(fixture, "audit-00000000000000000001.jsonl", SPAN_LITERAL("theirs"));
	assert_int_equal(audit_rotate(audit, &fixture->err), ERR_DAMAGED);
	audit_close(audit);
	char path[PATH_BYTES];
	struct buf theirs = file_get(path_of(fixture, "audit-00000000000000000001.jsonl", path));
	assert_string_equal(buf_text(&theirs), "theirs");
	buf_done(&theirs);
}

// ----------------------------------------------------------------------------------------------------------- processes

static int append_two_hundred(struct fixture *fixture)
{
	struct audit *audit = NULL;
	struct audit_head head;
	json_t *fields = json_pack("{s:i}", "pid", (int)getpid());
	int r = audit_open(fixture->dir, &audit, &fixture->err);
	for (int i = 0; i < 200 && r == 0; i++) {
		r = audit_append(audit, "test", fields, &head, &fixture->err);
		// The other process must notice that its descriptor is of a rotated file.
		if (r == 0 && i % 50 == 49)
			r = audit_rotate(audit, &fixture->err);
	}
	audit_close(audit);
	json_decref(fields);
	return r < 0;
}

static void processes_share_the_chain(void **state)
{
	struct fixture *fixture = *state;
	pid_t children[2];
	for (size_t i = 0; i < ARRAY_COUNT(children); i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0)
			_exit(append_two_hundred(fixture));
	}
	for (size_t i = 0; i < ARRAY_COUNT(children); i++) {
		int status;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_verifies(fixture, 400);
}

// ------------------------------------------------------------------------------------------------------------- queries

static int each_count(void *context, json_t *record)
{
	int *count = context;
	assert_non_null(json_object_get(record, "seq"));
	return ++*count == 1000 ? ERR_INTERRUPTED : 0;
}

static void query_behind_a_record(void **state)
{
	struct fixture *fixture = *state;
	struct audit_head heads[9];
	struct audit *audit = log_open(fixture);
	append_in_three_files(fixture, audit, heads);
	for (size_t i = 0; i < ARRAY_COUNT(heads); i++) {
		const uint64_t hints[] = {heads[i].file_offset, 0, 1, heads[i].file_offset - 1, UINT64_MAX};
		for (size_t hint = 0; hint < ARRAY_COUNT(hints); hint++) {
			struct audit_head after = heads[i];
			after.file_offset = hints[hint];
			int count = 0;
			struct audit_filter filter = {.after = &after};
			assert_int_equal(audit_query(audit, &filter, each_count, &count, &fixture->err), 0);
			assert_int_equal(count, 8 - i);
		}
	}
	struct audit_head none = {0};
	int count = 0;
	struct audit_filter filter = {.after = &none};
	assert_int_equal(audit_query(audit, &filter, each_count, &count, &fixture->err), 0);
	assert_int_equal(count, ARRAY_COUNT(heads));
	audit_close(audit);
}

static void assert_matches(struct fixture *fixture, struct audit *audit, struct audit_filter filter, int expected)
{
	int count = 0;
	assert_int_equal(audit_query(audit, &filter, each_count, &count, &fixture->err), 0);
	assert_int_equal(count, expected);
}

static void append_json(struct fixture *fixture, struct audit *audit, const char *kind, const char *text)
{
	struct audit_head head;
	json_t *fields = json_loads(text, 0, NULL);
	assert_int_equal(audit_append(audit, kind, fields, &head, &fixture->err), 0);
	json_decref(fields);
}

static void query_filters(void **state)
{
	struct fixture *fixture = *state;
	struct audit *audit = log_open(fixture);
	append_json(fixture, audit, "run.intent", "{\"secrets\":[\"A\",\"B\"],\"program\":\"/usr/bin/curl\"}");
	append_json(fixture, audit, "run.outcome",
		    "{\"secrets\":[{\"name\":\"A\"},{\"name\":\"C\"}],\"program\":{\"path\":\"/bin/sh\"}}");
	assert_int_equal(audit_rotate(audit, &fixture->err), 0);
	append_json(fixture, audit, "running", "{\"secret\":\"A\",\"program\":7}");
	append_json(fixture, audit, "run", "{\"secret\":[\"A\"],\"secrets\":\"A\",\"program\":{\"path\":[]}}");
	assert_matches(fixture, audit, (struct audit_filter){0}, 4);
	assert_matches(fixture, audit, (struct audit_filter){.kind = "run"}, 3);
	assert_matches(fixture, audit, (struct audit_filter){.kind = "run.intent"}, 1);
	assert_matches(fixture, audit, (struct audit_filter){.kind = "ru"}, 0);
	assert_matches(fixture, audit, (struct audit_filter){.secret = "A"}, 3);
	assert_matches(fixture, audit, (struct audit_filter){.secret = "B"}, 1);
	assert_matches(fixture, audit, (struct audit_filter){.secret = "C"}, 1);
	assert_matches(fixture, audit, (struct audit_filter){.secret = "a"}, 0);
	assert_matches(fixture, audit, (struct audit_filter){.program = "/usr/bin/curl"}, 1);
	assert_matches(fixture, audit, (struct audit_filter){.program = "curl"}, 1);
	assert_matches(fixture, audit, (struct audit_filter){.program = "sh"}, 1);
	assert_matches(fixture, audit, (struct audit_filter){.program = "bin/sh"}, 0);
	assert_matches(fixture, audit, (struct audit_filter){.secret = "A", .kind = "run", .program = "sh"}, 1);
	audit_close(audit);
}

static void query_by_time(void **state)
{
	struct fixture *fixture = *state;
	// 2026-01-31T12:00:00Z, three records: tests/vectors/audit/good.jsonl.
	const int64_t then = 1769860800;
	static const char log[] = "{\"seq\":1,\"time\":\"2026-01-31T12:00:00Z\",\"kind\":\"t\",\"prev\":\""
				  "0000000000000000000000000000000000000000000000000000000000000000\",\"hash\":\""
				  "0000000000000000000000000000000000000000000000000000000000000000\"}\n";
	file_put(fixture, "audit.jsonl", span_text(log));
	struct audit *audit = log_open(fixture);
	assert_matches(fixture, audit, (struct audit_filter){.since = then}, 1);
	assert_matches(fixture, audit, (struct audit_filter){.since = then + 1}, 0);
	assert_matches(fixture, audit, (struct audit_filter){.until = then}, 1);
	assert_matches(fixture, audit, (struct audit_filter){.until = then - 1}, 0);
	audit_close(audit);
}

static int each_stop(void *context, json_t *record)
{
	(void)record;
	++*(int *)context;
	return ERR_NO;
}

static void query_stops_and_refuses(void **state)
{
	struct fixture *fixture = *state;
	log_make(fixture, 2);
	struct audit *audit = log_open(fixture);
	int count = 0;
	assert_int_equal(audit_query(audit, NULL, each_stop, &count, &fixture->err), ERR_NO);
	assert_int_equal(count, 1);
	audit_close(audit);
	file_put(fixture, "audit.jsonl", SPAN_LITERAL("{\"seq\":1}\n"));
	audit = log_open(fixture);
	assert_int_equal(audit_query(audit, NULL, each_stop, &count, &fixture->err), ERR_DAMAGED);
	assert_sentence(fixture, "audit.jsonl line 1: ");
	assert_int_equal(count, 1);
	audit_close(audit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(chain_of_a_thousand), CASE(soon_is_seen_at_once_and_waits_for_nothing),
		CASE(record_has_the_written_form),
		CASE(unusable_records_are_refused), CASE(longest_record), CASE(anchor_is_found),
		CASE(query_behind_a_record),
		CASE(anchor_misses_a_lost_log), CASE(rotation_carries_the_chain),
		CASE(large_log_rotates_by_itself), CASE(rotation_never_overwrites),
		CASE(processes_share_the_chain), CASE(query_filters), CASE(query_by_time),
		CASE(query_stops_and_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
