#include "audit/audit_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROTATED_PREFIX "audit-"
#define ROTATED_SUFFIX ".jsonl"
#define ROTATED_DIGITS 20
#define TORN_PREFIX "audit-torn-"
// 16 TiB of log. A folder with more names like these was made by something else.
#define ROTATED_COUNT_MAX (1u << 20)

void rotated_name(uint64_t first, char out[AUDIT_NAME_BYTES])
{
	snprintf(out, AUDIT_NAME_BYTES, ROTATED_PREFIX "%0*" PRIu64 ROTATED_SUFFIX, ROTATED_DIGITS, first);
}

// The number in the name of a rotated file; 0 when it is not the name of one.
static uint64_t rotated_parse(const char *name)
{
	struct span rest = span_text(name);
	size_t prefix = strlen(ROTATED_PREFIX);
	if (!span_has_prefix(rest, SPAN_LITERAL(ROTATED_PREFIX)) ||
	    rest.len != prefix + ROTATED_DIGITS + strlen(ROTATED_SUFFIX) ||
	    strcmp(name + prefix + ROTATED_DIGITS, ROTATED_SUFFIX) != 0)
		return 0;
	char digits[ROTATED_DIGITS + 1];
	memcpy(digits, name + prefix, ROTATED_DIGITS);
	digits[ROTATED_DIGITS] = 0;
	struct err ignored;
	uint64_t first;
	return text_parse_u64(digits, "number", 1, INT64_MAX, &first, &ignored) == 0 ? first : 0;
}

bool is_record_file(const char *name)
{
	return strcmp(name, AUDIT_ACTIVE_NAME) == 0 || rotated_parse(name) > 0 ||
	       span_has_prefix(span_text(name), SPAN_LITERAL(TORN_PREFIX));
}

void dir_close_ptr(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int log_list(const struct audit *audit, DIR **out, struct err *err)
{
	// A descriptor of its own: readdir moves the offset, and duplicates share it.
	_cleanup_fd_ int fd = openat(audit->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot list the folder of the audit log");
	fd = -1; // closedir closes it
	*out = dir;
	return 0;
}

static int rotated_add(struct rotated *rotated, size_t *cap, uint64_t first, struct err *err)
{
	if (rotated->count == ROTATED_COUNT_MAX)
		return err_set(err, ERR_LIMIT, "more than %u rotated files of the audit log", ROTATED_COUNT_MAX);
	if (rotated->count == *cap) {
		size_t more = *cap ? *cap * 2 : 16;
		uint64_t *grown = realloc(rotated->first, more * sizeof(*grown));
		if (!grown)
			return err_set(err, ERR_MEMORY, "out of memory for the list of audit files");
		rotated->first = grown;
		*cap = more;
	}
	rotated->first[rotated->count++] = first;
	return 0;
}

static int number_compare(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

int rotated_list(const struct audit *audit, struct rotated *out, struct err *err)
{
	_cleanup_(dir_close_ptr) DIR *dir = NULL;
	int r = log_list(audit, &dir, err);
	if (r < 0)
		return r;
	_cleanup_rotated_ struct rotated rotated = {0};
	size_t cap = 0;
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry && errno != 0)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot list the folder of the audit log");
		if (!entry)
			break;
		uint64_t first = rotated_parse(entry->d_name);
		r = first == 0 ? 0 : rotated_add(&rotated, &cap, first, err);
		if (r < 0)
			return r;
	}
	if (rotated.count > 1)
		qsort(rotated.first, rotated.count, sizeof(*rotated.first), number_compare);
	*out = rotated;
	rotated = (struct rotated){0};
	return 0;
}

void rotated_done(struct rotated *rotated)
{
	free(rotated->first);
	*rotated = (struct rotated){0};
}

int rotated_open(const struct audit *audit, uint64_t first, int *out_fd, uint64_t *out_size, struct err *err)
{
	char name[AUDIT_NAME_BYTES];
	rotated_name(first, name);
	_cleanup_fd_ int fd = -1;
	int r = file_open_private(audit->dir_fd, audit->dir, name, O_RDONLY, &fd, err);
	if (r < 0)
		return r;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine the audit log's file %s", name);
	*out_size = (uint64_t)st.st_size;
	*out_fd = TAKE_FD(fd);
	return 0;
}

static void torn_name(uint64_t number, char out[AUDIT_NAME_BYTES])
{
	snprintf(out, AUDIT_NAME_BYTES, TORN_PREFIX "%0*" PRIu64 ".part", ROTATED_DIGITS, number);
}

int torn_keep(const struct audit *audit, uint64_t number, struct span torn, struct err *err)
{
	char name[AUDIT_NAME_BYTES];
	torn_name(number, name);
	_cleanup_fd_ int fd = -1;
	int r = file_open_private(audit->dir_fd, audit->dir, name, O_WRONLY | O_CREAT | O_APPEND, &fd, err);
	if (r < 0)
		return r;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine %s", name);
	r = fd_write_all(fd, torn, name, err);
	if (r == 0 && (fsync(fd) < 0 || fsync(audit->dir_fd) < 0))
		r = err_set_errno(err, ERR_SYSTEM, errno, "cannot write %s to disk", name);
	// Else each try on a full disk would leave one more piece.
	if (r < 0 && ftruncate(fd, st.st_size) < 0)
		return err_prefix(err, "%s could not be cut back", name);
	return r;
}

uint64_t torn_size(const struct audit *audit, uint64_t number)
{
	char name[AUDIT_NAME_BYTES];
	torn_name(number, name);
	struct stat st;
	if (fstatat(audit->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return (uint64_t)st.st_size;
}
