#include "audit/audit_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct verifier {
	const struct audit_head *anchor; // NULL or count 0: nothing to compare with
	uint64_t count;                  // the last record that verified
	uint8_t hash[DIGEST_BYTES];
	uint64_t files;
	bool has_anchor_passed;
	bool is_begun; // false: the next record is taken as the first link, whatever its number and previous hash
};

static int record_refuse(const struct place *place, uint64_t number, const char *reason, struct err *err)
{
	if (place->line > 0)
		return err_set(err, ERR_DAMAGED, "record %" PRIu64 " (%s line %" PRIu64 "): %s", number, place->file,
			       place->line, reason);
	return err_set(err, ERR_DAMAGED, "record %" PRIu64 " (%s): %s", number, place->file, reason);
}

// A file must begin where the one before it ended.
static int file_check_first(const struct place *place, uint64_t expected, struct err *err)
{
	char missing[AUDIT_NAME_BYTES];
	rotated_name(expected, missing);
	if (place->file_first == 0 || place->file_first == expected)
		return 0;
	if (place->file_first > expected)
		return err_set(err, ERR_DAMAGED, "file %s is missing: %s begins with record %" PRIu64, missing,
			       place->file, place->file_first);
	return err_set(err, ERR_DAMAGED,
		       "file %s begins again with record %" PRIu64 ", where record %" PRIu64 " was expected",
		       place->file, place->file_first, expected);
}

static int number_refuse(const struct place *place, uint64_t number, uint64_t expected, struct err *err)
{
	char text[160];
	char missing[AUDIT_NAME_BYTES];
	rotated_name(expected, missing);
	if (place->line == 1 && place->file_first == 0 && number > expected)
		return err_set(err, ERR_DAMAGED,
			       "file %s is missing, or the head of %s was cut: it begins with record %" PRIu64
			       ", where record %" PRIu64 " was expected",
			       missing, place->file, number, expected);
	snprintf(text, sizeof(text), "number %" PRIu64 " where %" PRIu64 " was expected", number, expected);
	return record_refuse(place, expected, text, err);
}

static int anchor_check_record(struct verifier *verifier, const struct record *record, struct err *err)
{
	const struct audit_head *anchor = verifier->anchor;
	if (!anchor || anchor->count == 0 || record->number != anchor->count)
		return 0;
	if (!digest_is_equal(record->hash, anchor->hash))
		return err_set(err, ERR_DAMAGED,
			       "record %" PRIu64 " is not the one the vault anchored: the log was rewritten",
			       anchor->count);
	verifier->has_anchor_passed = true;
	return 0;
}

// Whether a record, right in itself, follows the one before it.
static int link_check(const struct verifier *verifier, const struct place *place, const struct record *record,
		      struct err *err)
{
	uint64_t expected = verifier->count + 1;
	char text[96] = "the first record must have no previous hash";
	if (!verifier->is_begun)
		return 0;
	if (record->number != expected)
		return number_refuse(place, record->number, expected, err);
	if (digest_is_equal(record->previous, verifier->hash))
		return 0;
	if (verifier->count > 0)
		snprintf(text, sizeof(text), "previous hash does not match record %" PRIu64, verifier->count);
	return record_refuse(place, expected, text, err);
}

static int verify_line(void *context, const struct place *place, struct span line, struct err *err)
{
	struct verifier *verifier = context;
	struct record record;
	int r = 0;
	if (place->line == 1 && verifier->is_begun)
		r = file_check_first(place, verifier->count + 1, err);
	if (r < 0)
		return r;
	verifier->files += place->line == 1;
	const char *reason = record_check(line, &record);
	if (reason && !verifier->is_begun)
		return err_set(err, ERR_DAMAGED, "%s line %" PRIu64 ": %s", place->file, place->line, reason);
	if (reason)
		return record_refuse(place, verifier->count + 1, reason, err);
	r = link_check(verifier, place, &record, err);
	if (r == 0)
		r = anchor_check_record(verifier, &record, err);
	if (r < 0)
		return r;
	verifier->is_begun = true;
	verifier->count = record.number;
	memcpy(verifier->hash, record.hash, DIGEST_BYTES);
	return 0;
}

static int refuse_cut(uint64_t count, uint64_t anchored, struct err *err)
{
	return err_set(err, ERR_DAMAGED,
		       "the log ends at record %" PRIu64 ", but the vault's anchor is at record %" PRIu64
		       ": the tail was cut",
		       count, anchored);
}

int audit_verify(struct audit *audit, const struct audit_head *anchor, struct audit_report *out, struct err *err)
{
	_cleanup_snapshot_ struct snapshot snapshot = SNAPSHOT_INIT;
	int r = snapshot_take(audit, &snapshot, err);
	if (r < 0)
		return r;
	struct verifier verifier = {.anchor = anchor, .is_begun = true};
	r = snapshot_walk(audit, &snapshot, 0, 0, verify_line, &verifier, err);
	if (r < 0)
		return r;
	uint64_t anchored = anchor ? anchor->count : 0;
	if (anchored > verifier.count)
		return refuse_cut(verifier.count, anchored, err);
	*out = (struct audit_report){
		.records = verifier.count,
		.files = verifier.files,
		.unanchored = anchor ? verifier.count - anchored : 0,
		.torn_bytes = snapshot.torn_bytes,
	};
	return 0;
}

int audit_check_anchor(struct audit *audit, const struct audit_head *anchor, uint64_t *ret_unanchored, struct err *err)
{
	struct audit_head head;
	int r = audit_head_get(audit, &head, err);
	if (r < 0)
		return r;
	if (head.count < anchor->count)
		return refuse_cut(head.count, anchor->count, err);
	_cleanup_snapshot_ struct snapshot snapshot = SNAPSHOT_INIT;
	r = snapshot_take(audit, &snapshot, err);
	if (r < 0)
		return r;
	struct verifier verifier = {.anchor = anchor, .is_begun = anchor->count == 0};
	size_t index = anchor->count > 0 ? snapshot_find(&snapshot, anchor->count) : 0;
	uint64_t offset = 0;
	if (anchor->count > 0 && snapshot_hint_is_right(audit, &snapshot, index, anchor)) {
		offset = anchor->file_offset;
		verifier.is_begun = true;
		verifier.has_anchor_passed = true;
		verifier.count = anchor->count;
		memcpy(verifier.hash, anchor->hash, DIGEST_BYTES);
	}
	r = snapshot_walk(audit, &snapshot, index, offset, verify_line, &verifier, err);
	if (r < 0)
		return r;
	if (verifier.count < anchor->count)
		return refuse_cut(verifier.count, anchor->count, err);
	if (anchor->count > 0 && !verifier.has_anchor_passed)
		return err_set(err, ERR_DAMAGED, "record %" PRIu64 ", which the vault anchored, is not in the log",
			       anchor->count);
	*ret_unanchored = verifier.count - anchor->count;
	return 0;
}
