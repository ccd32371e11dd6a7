#include "audit/audit_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int snapshot_take(struct audit *audit, struct snapshot *out, struct err *err)
{
	_cleanup_log_lock_ int lock = -1;
	_cleanup_snapshot_ struct snapshot snapshot = SNAPSHOT_INIT;
	_cleanup_tail_ struct tail tail = {0};
	uint64_t size;
	int r = log_lock(audit, LOCK_SH, &lock, err);
	if (r == 0)
		r = log_refresh(audit, err);
	if (r == 0)
		r = rotated_list(audit, &snapshot.rotated, err);
	if (r == 0)
		r = log_active_size(audit, &size, err);
	if (r == 0)
		r = tail_read(audit->active_fd, AUDIT_ACTIVE_NAME, size, &tail, err);
	if (r < 0)
		return r;
	snapshot.active_end = tail.line_end;
	snapshot.torn_bytes = tail.torn.len;
	// A descriptor of its own: another process, or `each` itself, may rotate meanwhile.
	if (audit->active_fd >= 0)
		snapshot.active_fd = fcntl(audit->active_fd, F_DUPFD_CLOEXEC, 0);
	if (audit->active_fd >= 0 && snapshot.active_fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot keep the audit log open");
	*out = snapshot;
	snapshot = SNAPSHOT_INIT;
	return 0;
}

void snapshot_done(struct snapshot *snapshot)
{
	rotated_done(&snapshot->rotated);
	fd_close(&snapshot->active_fd);
}

static int walk_lines(struct lines *lines, struct place *place, walk_each each, void *context, struct err *err)
{
	for (;;) {
		struct span line;
		int r = lines_next(lines, &line, err);
		if (r < 0 || !line.data)
			return r;
		place->end_offset = lines_offset(lines);
		r = each(context, place, line, err);
		if (r < 0)
			return r;
		place->line += place->line > 0;
	}
}

static int walk_file(int fd, struct place place, uint64_t start, uint64_t end, walk_each each, void *context,
		     struct err *err)
{
	if (start > end || (place.file_first > 0 && end == 0))
		return err_set(err, ERR_DAMAGED, "file %s ends before the record that it should hold", place.file);
	_cleanup_lines_ struct lines lines = {0};
	int r = lines_init(&lines, fd, place.file, start, end, err);
	return r < 0 ? r : walk_lines(&lines, &place, each, context, err);
}

static int walk_rotated(const struct audit *audit, uint64_t first, uint64_t start, walk_each each, void *context,
			struct err *err)
{
	char name[AUDIT_NAME_BYTES];
	rotated_name(first, name);
	_cleanup_fd_ int fd = -1;
	uint64_t size;
	int r = rotated_open(audit, first, &fd, &size, err);
	if (r < 0)
		return r;
	struct place place = {.file = name, .file_first = first, .line = start == 0};
	return walk_file(fd, place, start, size, each, context, err);
}

int snapshot_walk(const struct audit *audit, const struct snapshot *snapshot, size_t index, uint64_t offset,
		  walk_each each, void *context, struct err *err)
{
	for (; index < snapshot->rotated.count; index++, offset = 0) {
		int r = walk_rotated(audit, snapshot->rotated.first[index], offset, each, context, err);
		if (r < 0)
			return r;
	}
	if (snapshot->active_fd < 0)
		return 0;
	struct place place = {.file = AUDIT_ACTIVE_NAME, .line = offset == 0};
	return walk_file(snapshot->active_fd, place, offset, snapshot->active_end, each, context, err);
}

// The number of the first record of the active file; 0 when it has none.
static uint64_t active_first(const struct snapshot *snapshot)
{
	uint8_t begin[32];
	ssize_t n = snapshot->active_end > 0 ? pread(snapshot->active_fd, begin, sizeof(begin), 0) : 0;
	return n > 0 ? record_number(span_of(begin, (size_t)n)) : 0;
}

size_t snapshot_find(const struct snapshot *snapshot, uint64_t number)
{
	size_t index = snapshot->rotated.count;
	uint64_t first = active_first(snapshot);
	if (first > 0 && number >= first)
		return index;
	while (index > 0 && snapshot->rotated.first[index - 1] > number)
		index--;
	return index > 0 ? index - 1 : 0;
}

bool snapshot_hint_is_right(const struct audit *audit, const struct snapshot *snapshot, size_t index,
			    const struct audit_head *head)
{
	struct err ignored;
	_cleanup_fd_ int opened = -1;
	int fd = snapshot->active_fd;
	uint64_t size = snapshot->active_end;
	if (index < snapshot->rotated.count) {
		if (rotated_open(audit, snapshot->rotated.first[index], &opened, &size, &ignored) < 0)
			return false;
		fd = opened;
	}
	_cleanup_tail_ struct tail tail = {0};
	struct record record;
	return fd >= 0 && head->file_offset > 0 && head->file_offset <= size &&
	       tail_read(fd, "", head->file_offset, &tail, &ignored) == 0 && tail.torn.len == 0 &&
	       !record_check(tail.line, &record) && record.number == head->count &&
	       digest_is_equal(record.hash, head->hash);
}
