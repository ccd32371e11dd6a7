// bench_audit DIR COUNT: appends COUNT records to a log in DIR (made when missing) and verifies it; one line of JSON with
// both rates. DIR decides what is measured: on a disk it is the disk's fdatasync, in /dev/shm the work around it.
#include "bench.h"
#include "audit/audit.h"

#include <inttypes.h>
#include <stdio.h>

// About as large as the record of a run with two secrets.
static json_t *fields_make(void)
{
	return json_pack("{s:s, s:{s:s, s:s}, s:[s, s, s, s], s:[{s:s, s:i}, {s:s, s:i}], s:s, s:i, s:b}", "request",
			 "b8f2c1d07a9e43f5", "program", "path", "/usr/bin/curl", "digest",
			 "5d41402abc4b2a76b9719d911017c592ae21d0a5f1d3a9b4d0a0a3f6e1b2c3d4", "argv", "curl", "-fsS", "-H",
			 "https://api.example.com/v1/items?page=1", "secrets", "name", "API_TOKEN", "version", 3, "name",
			 "DATABASE_URL", "version", 1, "directory", "/home/someone/work/project", "pid", 12345, "terminal", 1);
}

static int append_all(struct audit *audit, uint64_t count, struct err *err)
{
	json_t *fields = fields_make();
	int r = fields ? 0 : err_set(err, ERR_MEMORY, "out of memory");
	struct audit_head head;
	for (uint64_t i = 0; r == 0 && i < count; i++)
		r = audit_append(audit, "run.intent", fields, &head, err);
	json_decref(fields);
	return r;
}

static int bench(const char *dir, const char *count_text, struct err *err)
{
	uint64_t count;
	int r = text_parse_u64(count_text, "COUNT", 1, 100000000, &count, err);
	if (r == 0)
		r = cipher_start(err);
	_cleanup_audit_ struct audit *audit = NULL;
	if (r == 0)
		r = audit_open(dir, &audit, err);
	double begin = now_us();
	if (r == 0)
		r = append_all(audit, count, err);
	double appended = now_us();
	struct audit_report report;
	if (r == 0)
		r = audit_verify(audit, NULL, &report, err);
	double verified = now_us();
	if (r < 0)
		return r;
	printf("{\"appends\": %" PRIu64 ", \"appends_per_second\": %.0f, \"verified\": %" PRIu64
	       ", \"verified_per_second\": %.0f}\n",
	       count, (double)count / (appended - begin) * 1e6, report.records,
	       (double)report.records / (verified - appended) * 1e6);
	return 0;
}

int main(int argc, char **argv)
{
	struct err err;
	if (argc != 3) {
		fprintf(stderr, "usage: bench_audit DIR COUNT\n");
		return 2;
	}
	if (bench(argv[1], argv[2], &err) < 0) {
		fprintf(stderr, "bench_audit: %s\n", err.text);
		return 1;
	}
	return 0;
}
