// What the tests of the audit log share: a log in a folder of its own for each case.
#pragma once

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

struct fixture {
	char dir[PATH_BYTES];
	struct err err;
};

static inline int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const char *tmp = getenv("TMPDIR");
	snprintf(fixture->dir, sizeof(fixture->dir), "%s/envseal-audit-XXXXXX", tmp ? tmp : "/tmp");
	*state = fixture;
	return cipher_start(&fixture->err) < 0 || !mkdtemp(fixture->dir) ? -1 : 0;
}

static inline const char *path_of(const struct fixture *fixture, const char *name, char out[PATH_BYTES])
{
	assert_true(snprintf(out, PATH_BYTES, "%s/%s", fixture->dir, name) < PATH_BYTES);
	return out;
}

static inline void folder_empty(const struct fixture *fixture)
{
	DIR *dir = opendir(fixture->dir);
	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
}

static inline int teardown(void **state)
{
	struct fixture *fixture = *state;
	folder_empty(fixture);
	rmdir(fixture->dir);
	free(fixture);
	return 0;
}

static inline void file_put(const struct fixture *fixture, const char *name, struct span content)
{
	char path[PATH_BYTES];
	int fd = open(path_of(fixture, name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_true(write(fd, content.data, content.len) == (ssize_t)content.len);
	close(fd);
}

static inline struct buf file_get(const char *path)
{
	struct err err;
	struct buf content = BUF_INIT(64u << 20);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_read_all(fd, &content, path, &err), 0);
	close(fd);
	return content;
}

static inline struct buf log_get(const struct fixture *fixture)
{
	char path[PATH_BYTES];
	return file_get(path_of(fixture, "audit.jsonl", path));
}

static inline struct audit *log_open(struct fixture *fixture)
{
	struct audit *audit = NULL;
	if (audit_open(fixture->dir, &audit, &fixture->err) < 0)
		fail_msg("%s", fixture->err.text);
	return audit;
}

static inline struct audit_head append(struct fixture *fixture, struct audit *audit, const char *kind, const char *note)
{
	struct audit_head head = {0};
	json_t *fields = json_pack("{s:s}", "note", note);
	if (audit_append(audit, kind, fields, &head, &fixture->err) < 0)
		fail_msg("%s", fixture->err.text);
	json_decref(fields);
	return head;
}

static inline struct audit_head log_make(struct fixture *fixture, int count)
{
	struct audit_head head = {0};
	struct audit *audit = log_open(fixture);
	for (int i = 0; i < count; i++)
		head = append(fixture, audit, "test", "made");
	audit_close(audit);
	return head;
}

static inline int log_verify(struct fixture *fixture, const struct audit_head *anchor, struct audit_report *out)
{
	struct audit *audit = log_open(fixture);
	int r = audit_verify(audit, anchor, out, &fixture->err);
	audit_close(audit);
	return r;
}

static inline void assert_verifies(struct fixture *fixture, uint64_t records)
{
	struct audit_report report = {0};
	if (log_verify(fixture, NULL, &report) < 0)
		fail_msg("%s", fixture->err.text);
	assert_int_equal(report.records, records);
}

#define assert_sentence(fixture, part) \
	do { \
		if (!strstr((fixture)->err.text, part)) \
			fail_msg("'%s' is not in '%s'", part, (fixture)->err.text); \
	} while (0)

static inline void append_refuses(struct fixture *fixture, struct audit *audit, const char *kind, json_t *fields,
				  int code)
{
	struct audit_head head;
	assert_int_equal(audit_append(audit, kind, fields, &head, &fixture->err), code);
	json_decref(fields);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
