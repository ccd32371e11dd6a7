#include "audit/audit_internal.h"

#include <stdlib.h>
#include <string.h>

#define HEX_BYTES (DIGEST_HEX_BYTES - 1)
#define TIME_BYTES 20 // 2026-01-31T12:00:00Z
#define KIND_BYTES_MAX 64
#define PREVIOUS_MARK ",\"prev\":\""
#define HASH_MARK "\",\"hash\":\""
#define END_MARK "\"}"
#define MARK_BYTES(mark) (sizeof(mark) - 1)
#define END_BYTES (MARK_BYTES(PREVIOUS_MARK) + HEX_BYTES + MARK_BYTES(HASH_MARK) + HEX_BYTES + MARK_BYTES(END_MARK))
// From the comma before "hash" to the end of the line: the part that the hash is not over.
#define UNHASHED_BYTES (MARK_BYTES(HASH_MARK) - 1 + HEX_BYTES + MARK_BYTES(END_MARK))

static const char reason_form[] = "it does not have the form of a record";
static const char reason_hash[] = "its hash does not match its content";
static const char reason_json[] = "it is not valid JSON";

static struct span span_drop(struct span s, size_t bytes)
{
	return span_of(s.data + bytes, s.len - bytes);
}

static bool take_mark(struct span *rest, struct span mark)
{
	if (!span_has_prefix(*rest, mark))
		return false;
	*rest = span_drop(*rest, mark.len);
	return true;
}

static bool take_digest(struct span *rest, uint8_t out[DIGEST_BYTES])
{
	struct err ignored;
	if (rest->len < HEX_BYTES || digest_parse_hex(span_of(rest->data, HEX_BYTES), out, &ignored) < 0)
		return false;
	*rest = span_drop(*rest, HEX_BYTES);
	return true;
}

// Decimal without a leading zero, from 1 to what a signed 64-bit number holds (JSON libraries know no more).
static bool take_number(struct span *rest, uint64_t *out)
{
	uint64_t value = 0;
	size_t digits = 0;
	while (digits < rest->len && rest->data[digits] >= '0' && rest->data[digits] <= '9') {
		unsigned digit = rest->data[digits] - '0';
		if (value > ((uint64_t)INT64_MAX - digit) / 10 || (digit == 0 && digits == 0))
			return false;
		value = value * 10 + digit;
		digits++;
	}
	*rest = span_drop(*rest, digits);
	*out = value;
	return digits > 0;
}

static bool take_time(struct span *rest, int64_t *out)
{
	if (rest->len < TIME_BYTES)
		return false;
	char text[TIME_BYTES + 1];
	memcpy(text, rest->data, TIME_BYTES);
	text[TIME_BYTES] = 0;
	struct err ignored;
	if (strlen(text) != TIME_BYTES || clock_parse(text, 0, out, &ignored) < 0)
		return false;
	*rest = span_drop(*rest, TIME_BYTES);
	return true;
}

static bool kind_has_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool take_kind(struct span *rest, struct span *out)
{
	size_t len = 0;
	while (len < rest->len && kind_has_byte(rest->data[len]))
		len++;
	if (len == 0 || len > KIND_BYTES_MAX)
		return false;
	*out = span_of(rest->data, len);
	*rest = span_drop(*rest, len);
	return true;
}

static bool line_is_ascii(struct span line)
{
	// No early exit, so that the compiler can make it a loop over vectors.
	unsigned bad = 0;
	for (size_t i = 0; i < line.len; i++)
		bad |= line.data[i] < 0x20 || line.data[i] > 0x7e;
	return bad == 0;
}

const char *record_scan(struct span line, struct record *out)
{
	if (line.len < END_BYTES || line.len >= AUDIT_LINE_BYTES_MAX || !line_is_ascii(line))
		return reason_form;
	struct record record = {.body = span_of(line.data, line.len - UNHASHED_BYTES)};
	struct span head = span_of(line.data, line.len - END_BYTES);
	struct span end = span_drop(line, head.len);
	bool ok = take_mark(&head, SPAN_LITERAL("{\"seq\":")) && take_number(&head, &record.number) &&
		  take_mark(&head, SPAN_LITERAL(",\"time\":\"")) && take_time(&head, &record.time_s) &&
		  take_mark(&head, SPAN_LITERAL("\",\"kind\":\"")) && take_kind(&head, &record.kind) &&
		  take_mark(&head, SPAN_LITERAL("\"")) && (head.len == 0 || head.data[0] == ',');
	ok = ok && take_mark(&end, SPAN_LITERAL(PREVIOUS_MARK)) && take_digest(&end, record.previous) &&
	     take_mark(&end, SPAN_LITERAL(HASH_MARK)) && take_digest(&end, record.hash) &&
	     take_mark(&end, SPAN_LITERAL(END_MARK));
	if (!ok)
		return reason_form;
	*out = record;
	return NULL;
}

json_t *record_parse(struct span line)
{
	json_t *json = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
	if (json && !json_is_object(json)) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static bool line_is_json(struct span line)
{
	if (line_is_plain_json(line))
		return true;
	json_t *json = record_parse(line);
	json_decref(json);
	return json != NULL;
}

const char *record_check(struct span line, struct record *out)
{
	struct record record;
	const char *reason = record_scan(line, &record);
	if (reason)
		return reason;
	uint8_t hash[DIGEST_BYTES];
	digest_bytes(record.body, hash);
	if (!digest_is_equal(hash, record.hash))
		return reason_hash;
	if (!line_is_json(line))
		return reason_json;
	*out = record;
	return NULL;
}

uint64_t record_number(struct span line)
{
	uint64_t number;
	if (!take_mark(&line, SPAN_LITERAL("{\"seq\":")) || !take_number(&line, &number) ||
	    !take_mark(&line, SPAN_LITERAL(",")))
		return 0;
	return number;
}

static int kind_check(const char *kind, struct err *err)
{
	struct span rest = span_text(kind);
	struct span ignored;
	if (take_kind(&rest, &ignored) && rest.len == 0)
		return 0;
	return err_set(err, ERR_INPUT, "the kind of an audit record must be 1 to %d of a-z, 0-9, '.', '_' and '-'",
		       KIND_BYTES_MAX);
}

static int fields_check(json_t *fields, struct err *err)
{
	static const char *const own[] = {"seq", "time", "kind", "torn_bytes", "prev", "hash"};
	if (!json_is_object(fields))
		return err_set(err, ERR_INPUT, "the fields of an audit record must be a JSON object");
	for (size_t i = 0; i < ARRAY_COUNT(own); i++)
		if (json_object_get(fields, own[i]))
			return err_set(err, ERR_INPUT,
				       "the audit log sets the field '%s' itself; give yours another name", own[i]);
	return 0;
}

// The record without its hash as JSON text (malloc'd), or NULL.
static char *record_dump(const char *kind, json_t *fields, const struct audit_head *head, const char *time,
			 uint64_t torn_bytes)
{
	char previous[DIGEST_HEX_BYTES];
	digest_hex(head->hash, previous);
	const uint64_t seq = head->count + 1;
	json_auto_t *record = json_object();
	bool ok = json_object_set_new(record, "seq", json_integer((json_int_t)seq)) == 0 &&
		  json_object_set_new(record, "time", json_string(time)) == 0 &&
		  json_object_set_new(record, "kind", json_string(kind)) == 0 &&
		  json_object_update(record, fields) == 0 &&
		  (torn_bytes == 0 ||
		   json_object_set_new(record, "torn_bytes", json_integer((json_int_t)torn_bytes)) == 0) &&
		  json_object_set_new(record, "prev", json_string(previous)) == 0;
	return ok ? json_dumps(record, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
}

static int line_finish(struct span body, struct buf *line, uint8_t out_hash[DIGEST_BYTES], struct err *err)
{
	char hash[DIGEST_HEX_BYTES];
	digest_bytes(body, out_hash);
	digest_hex(out_hash, hash);
	int r = buf_append(line, body, err);
	if (r == 0)
		r = buf_printf(line, err, ",\"hash\":\"%s\"}\n", hash);
	if (r == ERR_LIMIT)
		return err_set(err, ERR_LIMIT,
			       "the audit record would be longer than %u bytes; shorten the command line it tells of",
			       AUDIT_LINE_BYTES_MAX);
	return r;
}

static int head_check(const struct audit_head *head, struct err *err)
{
	if (head->count < INT64_MAX)
		return 0;
	return err_set(err, ERR_LIMIT, "the audit log has no numbers left; move its files away to begin a new one");
}

int record_make(const char *kind, json_t *fields, const struct audit_head *head, uint64_t torn_bytes,
		struct buf *out_line, uint8_t out_hash[DIGEST_BYTES], struct err *err)
{
	int r = kind_check(kind, err);
	if (r == 0)
		r = fields_check(fields, err);
	if (r == 0)
		r = head_check(head, err);
	if (r < 0)
		return r;
	char time[CLOCK_TEXT_BYTES];
	clock_format(clock_now(), time);
	_cleanup_free_ char *text = record_dump(kind, fields, head, time, torn_bytes);
	if (!text)
		return err_set(err, ERR_INPUT,
			       "the audit record cannot be written as JSON: a field is no JSON value, or no memory");
	_cleanup_buf_ struct buf line = BUF_INIT(AUDIT_LINE_BYTES_MAX);
	uint8_t hash[DIGEST_BYTES];
	// Without the closing brace: "hash" comes before it.
	r = line_finish(span_of(text, strlen(text) - 1), &line, hash, err);
	if (r < 0)
		return r;
	// What a JSON library writes it may refuse to read (a NUL in a string, deep nesting), and the log must verify.
	struct record ignored;
	const char *reason = record_check(span_of(line.data, line.len - 1), &ignored);
	if (reason)
		return err_set(err, ERR_INPUT, "the audit record could not be read back: %s", reason);
	*out_line = line;
	line = BUF_INIT(0);
	memcpy(out_hash, hash, DIGEST_BYTES);
	return 0;
}
