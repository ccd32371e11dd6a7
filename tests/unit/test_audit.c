#include "audit/audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH_BYTES 512
#define LOG_BYTES_MAX (1u << 20)

// ---------------------------------------------------------------------------------------------------------- fixture

struct fixture {
	char dir[PATH_BYTES];
	struct err err;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const char *tmp = getenv("TMPDIR");
	snprintf(fixture->dir, sizeof(fixture->dir), "%s/envseal-audit-XXXXXX", tmp ? tmp : "/tmp");
	*state = fixture;
	return cipher_start(&fixture->err) < 0 || !mkdtemp(fixture->dir) ? -1 : 0;
}

static const char *path_of(const struct fixture *fixture, const char *name, char out[PATH_BYTES])
{
	assert_true(snprintf(out, PATH_BYTES, "%s/%s", fixture->dir, name) < PATH_BYTES);
	return out;
}

static void folder_empty(const struct fixture *fixture)
{
	DIR *dir = opendir(fixture->dir);
	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	folder_empty(fixture);
	rmdir(fixture->dir);
	free(fixture);
	return 0;
}

static void file_put(const struct fixture *fixture, const char *name, struct span content)
{
	char path[PATH_BYTES];
	int fd = open(path_of(fixture, name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_true(write(fd, content.data, content.len) == (ssize_t)content.len);
	close(fd);
}

static struct buf file_get(const char *path)
{
	struct err err;
	struct buf content = BUF_INIT(64u << 20);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_read_all(fd, &content, path, &err), 0);
	close(fd);
	return content;
}

static struct buf log_get(const struct fixture *fixture)
{
	char path[PATH_BYTES];
	return file_get(path_of(fixture, "audit.jsonl", path));
}

static struct audit *log_open(struct fixture *fixture)
{
	struct audit *audit = NULL;
	if (audit_open(fixture->dir, &audit, &fixture->err) < 0)
		fail_msg("%s", fixture->err.text);
	return audit;
}

static struct audit_head append(struct fixture *fixture, struct audit *audit, const char *kind, const char *note)
{
	struct audit_head head = {0};
	json_t *fields = json_pack("{s:s}", "note", note);
	if (audit_append(audit, kind, fields, &head, &fixture->err) < 0)
		fail_msg("%s", fixture->err.text);
	json_decref(fields);
	return head;
}

static struct audit_head log_make(struct fixture *fixture, int count)
{
	struct audit_head head = {0};
	struct audit *audit = log_open(fixture);
	for (int i = 0; i < count; i++)
		head = append(fixture, audit, "test", "made");
	audit_close(audit);
	return head;
}

static int log_verify(struct fixture *fixture, const struct audit_head *anchor, struct audit_report *out)
{
	struct audit *audit = log_open(fixture);
	int r = audit_verify(audit, anchor, out, &fixture->err);
	audit_close(audit);
	return r;
}

static void assert_verifies(struct fixture *fixture, uint64_t records)
{
	struct audit_report report = {0};
	if (log_verify(fixture, NULL, &report) < 0)
		fail_msg("%s", fixture->err.text);
	assert_int_equal(report.records, records);
}

#define assert_sentence(fixture, part)                                                                                   \
	do {                                                                                                             \
		if (!strstr((fixture)->err.text, part))                                                                  \
			fail_msg("'%s' is not in '%s'", part, (fixture)->err.text);                                      \
	} while (0)

// --------------------------------------------------------------------------------------------------------- the chain

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
	static const char rest[] = "\",\"kind\":\"run.intent\",\"zeta\":\"\\u00E9\\n\\u001B\",\"alpha\":1,\"list\":[\"x\"],\"prev\":"
				   "\"0000000000000000000000000000000000000000000000000000000000000000\",\"hash\":\"";
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

static void append_refuses(struct fixture *fixture, struct audit *audit, const char *kind, json_t *fields, int code)
{
	struct audit_head head;
	assert_int_equal(audit_append(audit, kind, fields, &head, &fixture->err), code);
	json_decref(fields);
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

// ---------------------------------------------------------------------------------------------------------- tampering

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
		// Without its line end the last record is what a crash leaves, and only the anchor tells it from a cut one.
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

// ------------------------------------------------------------------------------------------------------------ anchors

static void anchor_is_found(void **state)
{
	struct fixture *fixture = *state;
	struct audit_head heads[9];
	struct audit *audit = log_open(fixture);
	for (size_t i = 0; i < ARRAY_COUNT(heads); i++) {
		heads[i] = append(fixture, audit, "test", "x");
		if (i == 2 || i == 5)
			assert_int_equal(audit_rotate(audit, &fixture->err), 0);
	}
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

// ----------------------------------------------------------------------------------------------------------- rotation

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

// -------------------------------------------------------------------------------------------------- crashes and disks

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

// --------------------------------------------------------------------------------------------------------- processes

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

// ------------------------------------------------------------------------------------------------------ unsafe files

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

// ------------------------------------------------------------------------------------------------------------ queries

static int each_count(void *context, json_t *record)
{
	int *count = context;
	assert_non_null(json_object_get(record, "seq"));
	return ++*count == 1000 ? ERR_INTERRUPTED : 0;
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
	append_json(fixture, audit, "run.outcome", "{\"secrets\":[{\"name\":\"A\"},{\"name\":\"C\"}],\"program\":{\"path\":\"/bin/sh\"}}");
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

// ------------------------------------------------------------------------------------------------------------ vectors

static void vectors_path(const char *name, char out[PATH_BYTES])
{
	const char *slash = strrchr(__FILE__, '/');
	int folder = slash ? (int)(slash - __FILE__) + 1 : 0;
	assert_true(snprintf(out, PATH_BYTES, "%.*s../vectors/audit/%s", folder, __FILE__, name) < PATH_BYTES);
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
		snprintf(got, sizeof(got), "ok: %lu records in %lu files, %lu torn bytes", (unsigned long)report.records,
			 (unsigned long)report.files, (unsigned long)report.torn_bytes);
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
	char *lines = NULL;
	int rows = 0;
	strtok_r((char *)table.data, "\n", &lines);
	for (char *row; (row = strtok_r(NULL, "\n", &lines)); rows++) {
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
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(chain_of_a_thousand), CASE(record_has_the_written_form), CASE(unusable_records_are_refused),
		CASE(longest_record), CASE(every_bit_flipped), CASE(every_truncation),
		CASE(nothing_is_appended_to_a_broken_end), CASE(anchor_is_found), CASE(anchor_misses_a_lost_log),
		CASE(rotation_carries_the_chain), CASE(large_log_rotates_by_itself), CASE(rotation_never_overwrites),
		CASE(torn_tail_is_kept_aside), CASE(torn_first_record), CASE(overlong_tail_is_damage),
		CASE(full_disk_leaves_a_whole_log), CASE(processes_share_the_chain), CASE(unsafe_files_are_refused),
		CASE(swapped_file_is_noticed), CASE(unsafe_rotated_file), CASE(existing_wants_a_log), CASE(query_filters),
		CASE(query_by_time), CASE(query_stops_and_refuses), CASE(vectors_give_what_is_expected),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
