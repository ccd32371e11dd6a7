#include "audit/audit_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

// Holds `{"seq":`, 19 digits and a comma.
#define NUMBER_PEEK_BYTES 32

// As long as one change of the vault waits for another (vault.h).
#define LOCK_WAIT_MS 60000
#define LOCK_TRY_NANOSECONDS 1000000L

static int lock_open(struct audit *audit, struct err *err)
{
	int *fd = &audit->lock_fd;
	int r = file_open_private(audit->dir_fd, audit->dir, AUDIT_LOCK_NAME, O_RDONLY, fd, err);
	if (r == ERR_NOT_FOUND)
		r = file_open_private(audit->dir_fd, audit->dir, AUDIT_LOCK_NAME, O_RDONLY | O_CREAT, fd, err);
	// A copy of a log on read-only ground is read without the lock: nobody can be writing there.
	bool cannot_make = r == ERR_SYSTEM && (err->sys_errno == EROFS || err->sys_errno == EACCES);
	return cannot_make && !audit->is_writable ? 0 : r;
}

// Not for ever: any process of this user can hold the lock, and what waits for it may have the vault open.
int log_lock(const struct audit *audit, int operation, int *out_fd, struct err *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + LOCK_WAIT_MS;
	while (audit->lock_fd >= 0 && flock(audit->lock_fd, operation | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot lock the audit log in %s", audit->dir);
		if (clock_monotonic_ms() >= deadline_ms)
			return err_set(err, ERR_SYSTEM, "another process keeps %s/%s locked; end it, or try again when it has ended",
				       audit->dir, AUDIT_LOCK_NAME);
		nanosleep(&(struct timespec){.tv_nsec = LOCK_TRY_NANOSECONDS}, NULL);
	}
	*out_fd = audit->lock_fd;
	return 0;
}

void log_unlock(int *fd)
{
	if (*fd >= 0)
		flock(*fd, LOCK_UN);
}

static int active_open(struct audit *audit, struct err *err)
{
	int flags = audit->is_writable ? O_RDWR | O_APPEND : O_RDONLY;
	int r = file_open_private(audit->dir_fd, audit->dir, AUDIT_ACTIVE_NAME, flags, &audit->active_fd, err);
	if (r != ERR_NOT_FOUND)
		return r;
	if (!audit->is_writable)
		return 0;
	r = file_open_private(audit->dir_fd, audit->dir, AUDIT_ACTIVE_NAME, flags | O_CREAT, &audit->active_fd, err);
	if (r == 0 && fsync(audit->dir_fd) < 0)
		r = err_set_errno(err, ERR_SYSTEM, errno, "cannot write the folder of the audit log to disk");
	return r;
}

// Whether the open file is still the one that has the name.
static bool active_is_current(const struct audit *audit)
{
	struct stat named, open;
	return audit->active_fd >= 0 && fstat(audit->active_fd, &open) == 0 &&
	       fstatat(audit->dir_fd, AUDIT_ACTIVE_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

int log_refresh(struct audit *audit, struct err *err)
{
	if (active_is_current(audit))
		return file_check_private(audit->active_fd, AUDIT_ACTIVE_NAME, err);
	fd_close(&audit->active_fd);
	return active_open(audit, err);
}

int log_active_size(const struct audit *audit, uint64_t *out, struct err *err)
{
	struct stat st = {0};
	if (audit->active_fd >= 0 && fstat(audit->active_fd, &st) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine the audit log");
	*out = (uint64_t)st.st_size;
	return 0;
}

static struct audit *audit_new(const char *dir, bool is_writable)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	if (!audit)
		return NULL;
	*audit = (struct audit){.dir_fd = -1, .lock_fd = -1, .active_fd = -1, .is_writable = is_writable};
	audit->dir = strdup(dir);
	return audit->dir ? audit : audit_close(audit);
}

static int open_log(const char *dir, bool make, struct audit **out, struct err *err)
{
	_cleanup_audit_ struct audit *audit = audit_new(dir, make);
	if (!audit)
		return err_set(err, ERR_MEMORY, "out of memory for the audit log");
	int r = dir_open_private(dir, make, &audit->dir_fd, err);
	if (r == 0)
		r = active_open(audit, err);
	_cleanup_rotated_ struct rotated rotated = {0};
	if (r == 0 && audit->active_fd < 0)
		r = rotated_list(audit, &rotated, err);
	if (r == 0 && audit->active_fd < 0 && rotated.count == 0)
		r = err_set(err, ERR_NOT_FOUND, "there is no audit log yet");
	if (r == 0)
		r = lock_open(audit, err);
	if (r < 0)
		return r;
	*out = TAKE_PTR(audit);
	return 0;
}

int audit_open(const char *dir, struct audit **out, struct err *err)
{
	return open_log(dir, true, out, err);
}

int audit_open_existing(const char *dir, struct audit **out, struct err *err)
{
	return open_log(dir, false, out, err);
}

struct audit *audit_close(struct audit *audit)
{
	if (!audit)
		return NULL;
	fd_close(&audit->active_fd);
	fd_close(&audit->lock_fd);
	fd_close(&audit->dir_fd);
	free(audit->dir);
	free(audit);
	return NULL;
}

void audit_close_ptr(struct audit **audit)
{
	*audit = audit_close(*audit);
}

// The tail of the newest rotated file. Rotation closes files behind a whole record, so anything else is damage.
static int head_of_rotated(const struct audit *audit, struct tail *tail, char name[AUDIT_NAME_BYTES], struct err *err)
{
	_cleanup_rotated_ struct rotated rotated = {0};
	int r = rotated_list(audit, &rotated, err);
	if (r < 0 || rotated.count == 0)
		return r;
	uint64_t first = rotated.first[rotated.count - 1];
	rotated_name(first, name);
	_cleanup_fd_ int fd = -1;
	uint64_t size = 0;
	r = rotated_open(audit, first, &fd, &size, err);
	if (r == 0)
		r = tail_read(fd, name, size, tail, err);
	if (r < 0)
		return r;
	if (tail->line_end == 0 || tail->torn.len > 0)
		return err_set(err, ERR_DAMAGED, "file %s ends in the middle of a record", name);
	return 0;
}

int log_head(const struct audit *audit, struct tail *out_tail, struct audit_head *out, struct err *err)
{
	_cleanup_tail_ struct tail active = {0};
	_cleanup_tail_ struct tail older = {0};
	uint64_t size = 0;
	char name[AUDIT_NAME_BYTES] = AUDIT_ACTIVE_NAME;
	int r = log_active_size(audit, &size, err);
	if (r == 0)
		r = tail_read(audit->active_fd, name, size, &active, err);
	if (r == 0 && active.line_end == 0)
		r = head_of_rotated(audit, &older, name, err);
	if (r < 0)
		return r;
	const struct tail *last = active.line_end > 0 ? &active : &older;
	struct audit_head head = {.file_offset = last->line_end};
	struct record record;
	const char *reason = last->line_end > 0 ? record_check(last->line, &record) : NULL;
	if (reason)
		return err_set(err, ERR_DAMAGED, "the last record of %s: %s; envseal audit verify tells more", name,
			       reason);
	if (last->line_end > 0) {
		head.count = record.number;
		memcpy(head.hash, record.hash, DIGEST_BYTES);
	}
	*out = head;
	*out_tail = active;
	active = (struct tail){0};
	return 0;
}

int audit_head_get(struct audit *audit, struct audit_head *out, struct err *err)
{
	_cleanup_log_lock_ int lock = -1;
	_cleanup_tail_ struct tail tail = {0};
	int r = log_lock(audit, LOCK_SH, &lock, err);
	if (r == 0)
		r = log_refresh(audit, err);
	return r < 0 ? r : log_head(audit, &tail, out, err);
}

static int active_rename(const struct audit *audit, const char *name, struct err *err)
{
	int r = renameat2(audit->dir_fd, AUDIT_ACTIVE_NAME, audit->dir_fd, name, RENAME_NOREPLACE);
	struct stat st;
	// Some file systems know no RENAME_NOREPLACE. Under the lock, looking first does as well.
	if (r < 0 && (errno == EINVAL || errno == ENOSYS)) {
		if (fstatat(audit->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			errno = EEXIST;
		else
			r = renameat(audit->dir_fd, AUDIT_ACTIVE_NAME, audit->dir_fd, name);
	}
	if (r < 0 && errno == EEXIST)
		return err_set(err, ERR_DAMAGED,
			       "there is a file %s already, so the audit log cannot be rotated; move it away", name);
	if (r < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot rename the audit log to %s", name);
	return 0;
}

int log_rotate(struct audit *audit, struct err *err)
{
	uint8_t begin[NUMBER_PEEK_BYTES];
	ssize_t n = pread(audit->active_fd, begin, sizeof(begin), 0);
	if (n < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot read the audit log");
	uint64_t first = record_number(span_of(begin, (size_t)n));
	if (first == 0)
		return err_set(err, ERR_DAMAGED, "the first record of %s does not have the form of a record",
			       AUDIT_ACTIVE_NAME);
	char name[AUDIT_NAME_BYTES];
	rotated_name(first, name);
	int r = active_rename(audit, name, err);
	if (r < 0)
		return r;
	// Makes the new file, and with the folder's fsync both names are on disk.
	return log_refresh(audit, err);
}
