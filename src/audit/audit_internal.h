// What the files of audit share. The lines of a log are described in docs/format-audit.md.
//
// Invariants
//  - Whole lines never change once they are written; only what stands behind the last line end may be cut off, and only
//    under the exclusive lock. So a snapshot, taken under the lock, can be read without it.
//  - Descriptors of the log are read by pread only: their own offset means nothing.
#pragma once

#include <dirent.h>

#include "audit/audit.h"
#include "base/base.h"

#define AUDIT_ACTIVE_NAME "audit.jsonl"
#define AUDIT_LOCK_NAME "audit.lock"
// "audit-torn-", 20 digits, ".part" and the NUL is the longest.
#define AUDIT_NAME_BYTES 48

struct audit {
	char *dir;
	int dir_fd;
	int lock_fd;   // -1: read only, in a folder where the lock file can neither be found nor made
	int active_fd; // -1: there is no active file (read only)
	bool is_writable;
};

// ---------------------------------------------------------------------------------------------------------- record.c

struct record {
	uint64_t number;
	int64_t time_s;
	struct span kind; // these two are borrowed from the line
	struct span body; // what the hash is over
	uint8_t previous[DIGEST_BYTES];
	uint8_t hash[DIGEST_BYTES];
};

// A reason that completes "record 17: …", or NULL when there is nothing to object to. `line` is without its line end.
const char *record_scan(struct span line, struct record *out);  // the fixed parts only
const char *record_check(struct span line, struct record *out); // and its own hash, and that it is JSON
// NULL when the line is no JSON object.
json_t *record_parse(struct span line);
// The number at the head of a line of which the end may be missing; 0 when there is none.
uint64_t record_number(struct span line);
// Makes the whole line, its end included, of the record behind `head`. ERR_INPUT for a kind or fields that no record
// can hold, ERR_LIMIT when it gets too long.
int record_make(const char *kind, json_t *fields, const struct audit_head *head, uint64_t torn_bytes,
		struct buf *out_line, uint8_t out_hash[DIGEST_BYTES], struct err *err);

// ----------------------------------------------------------------------------------------------------------- plain.c

// True only for a line that record_parse would take; false says nothing.
bool line_is_plain_json(struct span line);

// ----------------------------------------------------------------------------------------------------------- lines.c

// The last whole line of a file, and what a crash left behind it.
struct tail {
	uint8_t *window;
	struct span line;  // borrowed from the window, without its line end; empty when the file has none
	struct span torn;  // likewise
	uint64_t line_end; // offset behind the last line end; 0 when the file has none
};

// Reads backwards from `size`, no further than the line needs. ERR_DAMAGED when no record can end like this.
int tail_read(int fd, const char *name, uint64_t size, struct tail *out, struct err *err);
void tail_done(struct tail *tail);
#define _cleanup_tail_ _cleanup_(tail_done)

// Reads the lines of a file forwards, through a buffer of fixed size.
struct lines {
	int fd;
	const char *name; // for sentences
	uint64_t offset;  // of the next byte to read from the file
	uint64_t end;
	uint8_t *block;
	size_t at;
	size_t have;
};

int lines_init(struct lines *lines, int fd, const char *name, uint64_t start, uint64_t end, struct err *err);
void lines_done(struct lines *lines);
#define _cleanup_lines_ _cleanup_(lines_done)
// The next line without its end, borrowed until the next call; data is NULL behind the last one. ERR_DAMAGED for a line
// longer than AUDIT_LINE_BYTES_MAX or without an end.
int lines_next(struct lines *lines, struct span *out, struct err *err);
// Offset of the end of the line that lines_next gave last.
uint64_t lines_offset(const struct lines *lines);

// ----------------------------------------------------------------------------------------------------------- files.c

// Numbers of the first records of the rotated files, ascending.
struct rotated {
	uint64_t *first;
	size_t count;
};

// The folder opened anew, for readdir.
int log_list(const struct audit *audit, DIR **out, struct err *err);
void dir_close_ptr(DIR **dir);
// Whether this is the name of a file with records, whole or torn.
bool is_record_file(const char *name);
int rotated_list(const struct audit *audit, struct rotated *out, struct err *err);
void rotated_done(struct rotated *rotated);
#define _cleanup_rotated_ _cleanup_(rotated_done)
void rotated_name(uint64_t first, char out[AUDIT_NAME_BYTES]);
int rotated_open(const struct audit *audit, uint64_t first, int *out_fd, uint64_t *out_size, struct err *err);
// Appends what a crash left half written to the side file of record `number`, and waits for the disk.
int torn_keep(const struct audit *audit, uint64_t number, struct span torn, struct err *err);
// Bytes in that side file; 0 when there is none.
uint64_t torn_size(const struct audit *audit, uint64_t number);

// ------------------------------------------------------------------------------------------------------------- log.c

// Takes the lock that all processes share (LOCK_SH or LOCK_EX); blocks. *out_fd is for _cleanup_log_lock_ to give back.
int log_lock(const struct audit *audit, int operation, int *out_fd, struct err *err);
void log_unlock(int *fd);
#define _cleanup_log_lock_ _cleanup_(log_unlock)
// Under the lock: makes active_fd the file that now has the active name, and checks it.
int log_refresh(struct audit *audit, struct err *err);
int log_active_size(const struct audit *audit, uint64_t *out, struct err *err);
// Under the lock: the last record, verified, of the active file or else of the newest rotated one.
int log_head(const struct audit *audit, struct tail *out_tail, struct audit_head *out, struct err *err);
// Under the exclusive lock, with an active file that ends in a whole record.
int log_rotate(struct audit *audit, struct err *err);

// -------------------------------------------------------------------------------------------------------- snapshot.c

struct snapshot {
	struct rotated rotated;
	int active_fd;       // -1: none
	uint64_t active_end; // behind its last whole line
	uint64_t torn_bytes;
};

int snapshot_take(struct audit *audit, struct snapshot *out, struct err *err);
void snapshot_done(struct snapshot *snapshot);
#define _cleanup_snapshot_ _cleanup_(snapshot_done)
#define SNAPSHOT_INIT ((struct snapshot){.active_fd = -1})

// The file that should hold record `number` (rotated.count: the active one).
size_t snapshot_find(const struct snapshot *snapshot, uint64_t number);

// Whether the record of `head` ends in file `index` at the offset that was kept with it.
bool snapshot_hint_is_right(const struct audit *audit, const struct snapshot *snapshot, size_t index,
			    const struct audit_head *head);

// Where a line stands.
struct place {
	const char *file;
	uint64_t file_first; // the number in the file's name; 0: the active file
	uint64_t line;       // from 1; 0: not known, the walk began inside the file
	uint64_t end_offset;
};

typedef int (*walk_each)(void *context, const struct place *place, struct span line, struct err *err);
// Calls `each` for every line from `offset` of file `index` on (rotated.count: the active file). A negative return ends
// the walk and is returned.
int snapshot_walk(const struct audit *audit, const struct snapshot *snapshot, size_t index, uint64_t offset,
		  walk_each each, void *context, struct err *err);
