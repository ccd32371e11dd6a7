// Any bytes as audit.jsonl end in a defined answer. When they verify: the head, the anchor check and the query agree with
// the verification, and one more record can be appended and verifies too. What the quick JSON check takes, the parser
// takes.
#include "audit/audit_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void folder_forget(void);

// One folder for all inputs of a process, in memory where there is such a place.
static const char *folder(void)
{
	static char dir[64];
	static const char *const roots[] = {"/dev/shm", "/tmp"};
	for (size_t i = 0; i < ARRAY_COUNT(roots) && dir[0] == 0; i++) {
		snprintf(dir, sizeof(dir), "%s/fuzz-audit-XXXXXX", roots[i]);
		if (!mkdtemp(dir) || atexit(folder_forget) != 0)
			dir[0] = 0;
	}
	require(dir[0] != 0);
	return dir;
}

static void log_put(int dir_fd, struct span content)
{
	struct err err;
	_cleanup_fd_ int fd = openat(dir_fd, AUDIT_ACTIVE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	require(fd >= 0 && fd_write_all(fd, content, "the log", &err) == 0);
}

// Else what was torn off one input would show in the records of the next.
static void folder_empty(int dir_fd)
{
	DIR *dir = fdopendir(dup(dir_fd));
	require(dir != NULL);
	rewinddir(dir);
	for (const struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			unlinkat(dir_fd, entry->d_name, 0);
	closedir(dir);
}

// At the end of the process the folder is taken away as well.
static void folder_forget(void)
{
	rmdir(folder());
}

static int count_record(void *context, json_t *record)
{
	++*(uint64_t *)context;
	require(json_is_integer(json_object_get(record, "seq")));
	return 0;
}

static void require_damaged_or_ok(int r)
{
	require(r == 0 || r == ERR_DAMAGED);
}

static void check_append(struct audit *audit, const struct audit_head *before)
{
	struct err err;
	struct audit_head head;
	struct audit_report report;
	json_t *fields = json_pack("{s:s}", "note", "one more");
	require(audit_append(audit, "fuzz", fields, &head, &err) == 0 && head.count == before->count + 1);
	json_decref(fields);
	require(audit_verify(audit, before, &report, &err) == 0);
	require(report.records == head.count && report.torn_bytes == 0 && report.unanchored == 1);
}

static void check_log(struct audit *audit)
{
	struct err err;
	struct audit_head head;
	struct audit_report report;
	uint64_t queried = 0, unanchored = 1;
	int head_result = audit_head_get(audit, &head, &err);
	int query_result = audit_query(audit, NULL, count_record, &queried, &err);
	int verify_result = audit_verify(audit, NULL, &report, &err);
	require_damaged_or_ok(head_result);
	require_damaged_or_ok(query_result);
	require_damaged_or_ok(verify_result);
	if (head_result == 0)
		require_damaged_or_ok(audit_check_anchor(audit, &head, &unanchored, &err));
	if (verify_result < 0)
		return;
	require(head_result == 0 && query_result == 0 && head.count == report.records && queried == report.records);
	require(unanchored == 0);
	check_append(audit, &head);
}

// No change found by chance keeps a hash right, so lines are also tried with their hashes mended: first the own one, then
// the previous one too.
static void line_mend(uint8_t *line, size_t len, uint8_t previous[DIGEST_BYTES], bool mend_previous)
{
	char hex[DIGEST_HEX_BYTES];
	if (len < 149)
		return;
	digest_hex(previous, hex);
	if (mend_previous)
		memcpy(line + len - 140, hex, 64);
	digest_bytes(span_of(line, len - 75), previous);
	digest_hex(previous, hex);
	memcpy(line + len - 66, hex, 64);
}

static void log_mend(uint8_t *text, size_t len, bool mend_previous)
{
	uint8_t previous[DIGEST_BYTES] = {0};
	for (size_t at = 0; at < len;) {
		const uint8_t *end = memchr(text + at, '\n', len - at);
		size_t line_len = end ? (size_t)(end - text) - at : len - at;
		line_mend(text + at, line_len, previous, mend_previous);
		at += line_len + 1;
	}
}

static void try_log(int dir_fd, struct span content)
{
	struct err err;
	_cleanup_audit_ struct audit *audit = NULL;
	log_put(dir_fd, content);
	require(audit_open(folder(), &audit, &err) == 0);
	check_log(audit);
	folder_empty(dir_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err;
	_cleanup_buf_ struct buf text = BUF_INIT(len);
	_cleanup_fd_ int dir_fd = open(folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	require(dir_fd >= 0 && cipher_start(&err) == 0 && buf_append(&text, span_of(data, len), &err) == 0);
	json_t *json = record_parse(buf_span(&text));
	require(json != NULL || !line_is_plain_json(buf_span(&text)));
	json_decref(json);
	try_log(dir_fd, buf_span(&text));
	log_mend(text.data, text.len, false);
	try_log(dir_fd, buf_span(&text));
	log_mend(text.data, text.len, true);
	try_log(dir_fd, buf_span(&text));
	return 0;
}
