// audit: the append-only, hash-chained log. One JSON object a line; format: docs/format-audit.md.
//
// Invariants
//  - Each record carries its number, the hash of the one before and its own (BLAKE2b-256); one write(2) per record,
//    under a lock that all processes share, and fdatasync before audit_append returns (but see audit_append_soon).
//  - The log holds names and digests, never values; callers hand in text that is already printable.
//  - A chain alone does not show a cut tail: the vault anchors count and hash under its MAC (struct audit_head there
//    and back), and audit_verify compares.
#pragma once

#include <jansson.h>

#include "crypto/crypto.h"

#define AUDIT_LINE_BYTES_MAX (256u << 10)
// The active file is rotated when a record would take it beyond this.
#define AUDIT_FILE_BYTES_MAX (16u << 20)

struct audit_head {
	uint64_t count;             // records ever written; 0: none
	uint8_t hash[DIGEST_BYTES]; // of the last one; zeros when none
	uint64_t file_offset;       // where it ends in the file that holds it; rotation moves no record within its file
};

struct audit;

// Opens (and makes) the log in the state folder. ERR_UNSAFE for wrong owner, mode or kind of file.
int audit_open(const char *dir, struct audit **out, struct err *err);
// Opens for reading only; ERR_NOT_FOUND when there is no log yet.
int audit_open_existing(const char *dir, struct audit **out, struct err *err);
struct audit *audit_close(struct audit *audit);
void audit_close_ptr(struct audit **audit);
#define _cleanup_audit_ _cleanup_(audit_close_ptr)

// Appends one record: {"seq", "time", "kind", …fields…, "prev", "hash"}. `fields` is an object (borrowed; its members
// keep their order). Blocks for the lock and the disk. A tail that a crash left half written is kept aside, and the
// record after it says so; a last whole record that does not verify is ERR_DAMAGED: nothing is appended to a broken
// chain. ERR_LIMIT when the record would exceed AUDIT_LINE_BYTES_MAX; ERR_SYSTEM for a full disk (nothing is left half
// written where the kernel lets it be cut off again).
int audit_append(struct audit *audit, const char *kind, json_t *fields, struct audit_head *out_head, struct err *err);
// The same without waiting for the disk: every process sees the record, and it is on disk with the next one, or with
// audit_sync. Behind a power cut it may be missing, or torn.
int audit_append_soon(struct audit *audit, const char *kind, json_t *fields, struct audit_head *out_head, struct err *err);
// What this handle has appended is on disk.
int audit_sync(struct audit *audit, struct err *err);
int audit_head_get(struct audit *audit, struct audit_head *out, struct err *err);

// Fast check at each unlock: the log still holds record `anchor->count` with that hash (found by the hint or by walking
// back), and the records behind it chain up to the head. O(records since the anchor). ERR_DAMAGED says which record and
// why. `ret_unanchored` gets the number of records behind the anchor.
int audit_check_anchor(struct audit *audit, const struct audit_head *anchor, uint64_t *ret_unanchored, struct err *err);

struct audit_report {
	uint64_t records;
	uint64_t files;
	uint64_t unanchored; // records behind the anchor, written while the vault was locked or cut off by a crash
	uint64_t torn_bytes; // behind the last whole record, half written by a crash; the next append keeps them aside
};
// Reads every file of the log from the first record. ERR_DAMAGED names file, record and reason: bad JSON, wrong number,
// wrong previous hash, wrong own hash, missing records, tail cut before the anchor. `anchor` may be NULL: chain only.
int audit_verify(struct audit *audit, const struct audit_head *anchor, struct audit_report *out, struct err *err);

struct audit_filter {
	const char *secret;  // records that name this secret; NULL: any
	const char *program; // path of the program, or its last component; NULL: any
	const char *kind;    // "run" matches "run.intent" and "run.outcome"; NULL: any
	int64_t since;       // seconds, inclusive; 0: from the beginning
	int64_t until;       // seconds, inclusive; 0: to the end
	const struct audit_head *after; // only records behind this one, read from its file_offset where that is right; NULL: all
};
// Calls `each` for every matching record (borrowed), oldest first. Records that do not parse are ERR_DAMAGED. No lock
// is held meanwhile. A negative return of `each` ends the query and is returned; `err` is then as `each` left it.
// `filter` may be NULL: every record.
int audit_query(struct audit *audit, const struct audit_filter *filter, int (*each)(void *context, json_t *record),
		void *context, struct err *err);
// Closes the active file under its final name and starts a new one that carries the chain on.
int audit_rotate(struct audit *audit, struct err *err);
// Moves every file of the log into a folder audit-aside-TIME beside it: the way on from a chain that is broken. The
// next record begins a new chain. ERR_SYSTEM.
int audit_set_aside(struct audit *audit, struct err *err);
