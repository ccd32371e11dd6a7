#include "audit/audit_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

// Keeps aside what a crash left after the last whole record, then cuts it off: in this order, so that it is never lost.
static int torn_cut(const struct audit *audit, const struct tail *tail, uint64_t number, struct err *err)
{
	if (tail->torn.len == 0)
		return 0;
	int r = torn_keep(audit, number, tail->torn, err);
	if (r < 0)
		return r;
	if (ftruncate(audit->active_fd, (off_t)tail->line_end) < 0 || fdatasync(audit->active_fd) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot cut off the half-written end of the audit log");
	return 0;
}

static int file_sync(int fd, struct err *err)
{
	return fdatasync(fd) < 0 ? err_set_errno(err, ERR_SYSTEM, errno, "cannot write the audit log to disk") : 0;
}

static int line_write(int fd, struct span line, uint64_t end, bool waits, struct err *err)
{
	int r = fd_write_all(fd, line, "the audit log", err);
	if (r == 0 && waits)
		r = file_sync(fd, err);
	// A record that was not acknowledged must not stand: the caller will not do what it tells of.
	if (r < 0 && ftruncate(fd, (off_t)end) < 0)
		return err_prefix(err, "the audit log could not be cut back");
	return r;
}

// Under the exclusive lock: brings the log into a state to append to.
static int append_prepare(struct audit *audit, struct audit_head *head, uint64_t *active_end, struct err *err)
{
	_cleanup_tail_ struct tail tail = {0};
	int r = log_refresh(audit, err);
	if (r == 0)
		r = log_head(audit, &tail, head, err);
	if (r == 0)
		r = torn_cut(audit, &tail, head->count + 1, err);
	if (r == 0)
		*active_end = tail.line_end;
	return r;
}

// Takes the exclusive lock and brings the log into a state to append to. *out_lock is the caller's in every case.
static int append_begin(struct audit *audit, int *out_lock, struct audit_head *head, uint64_t *active_end, struct err *err)
{
	if (!audit->is_writable)
		return err_set(err, ERR_USAGE, "the audit log was opened for reading only");
	int r = log_lock(audit, LOCK_EX, out_lock, err);
	return r < 0 ? r : append_prepare(audit, head, active_end, err);
}

static int record_append(struct audit *audit, const char *kind, json_t *fields, bool waits, struct audit_head *out_head,
			 struct err *err)
{
	_cleanup_log_lock_ int lock = -1;
	struct audit_head head = {0};
	uint64_t end = 0;
	int r = append_begin(audit, &lock, &head, &end, err);
	if (r < 0)
		return r;
	_cleanup_buf_ struct buf line = {0};
	uint8_t hash[DIGEST_BYTES];
	r = record_make(kind, fields, &head, torn_size(audit, head.count + 1), &line, hash, err);
	if (r == 0 && end > 0 && end + line.len > AUDIT_FILE_BYTES_MAX) {
		r = log_rotate(audit, err);
		end = 0;
	}
	if (r == 0)
		r = line_write(audit->active_fd, buf_span(&line), end, waits, err);
	if (r < 0)
		return r;
	*out_head = (struct audit_head){.count = head.count + 1, .file_offset = end + line.len};
	memcpy(out_head->hash, hash, DIGEST_BYTES);
	return 0;
}

int audit_append(struct audit *audit, const char *kind, json_t *fields, struct audit_head *out_head, struct err *err)
{
	return record_append(audit, kind, fields, true, out_head, err);
}

int audit_append_soon(struct audit *audit, const char *kind, json_t *fields, struct audit_head *out_head, struct err *err)
{
	return record_append(audit, kind, fields, false, out_head, err);
}

int audit_sync(struct audit *audit, struct err *err)
{
	return audit->active_fd < 0 ? 0 : file_sync(audit->active_fd, err);
}

int audit_rotate(struct audit *audit, struct err *err)
{
	_cleanup_log_lock_ int lock = -1;
	struct audit_head head = {0};
	uint64_t end = 0;
	int r = append_begin(audit, &lock, &head, &end, err);
	if (r < 0 || end == 0)
		return r;
	return log_rotate(audit, err);
}
