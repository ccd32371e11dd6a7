#include "redact_oracle.h"

#include <stdlib.h>
#include <string.h>

static void *must(void *ptr)
{
	if (!ptr)
		abort();
	return ptr;
}

void oracle_needles_done(struct oracle_needles *needles)
{
	for (size_t i = 0; i < needles->count; i++)
		free((void *)(uintptr_t)needles->list[i].bytes.data);
	free(needles->list);
	needles->list = NULL;
	needles->count = 0;
}

void oracle_needles_add(struct oracle_needles *needles, struct needle needle)
{
	uint8_t *copy = must(malloc(needle.bytes.len));
	memcpy(copy, needle.bytes.data, needle.bytes.len);
	needle.bytes.data = copy;
	needles->list = must(reallocarray(needles->list, needles->count + 1, sizeof(needle)));
	needles->list[needles->count++] = needle;
}

static int take_needle(void *context, const struct needle *needle, struct err *err)
{
	(void)err;
	oracle_needles_add(context, *needle);
	return 0;
}

void oracle_needles_add_value(struct oracle_needles *needles, struct span value, uint32_t index)
{
	_cleanup_secret_ struct secret *room = NULL;
	struct err err;
	if (secret_new(form_room_bytes(value.len), SECRET_LOCK_PREFERRED, &room, &err) != 0 ||
	    form_each_needle(value, index, room, take_needle, needles, &err) != 0)
		abort();
}

// ----------------------------------------------------------------------------------------------------------- results

void oracle_result_init(struct oracle_result *result, size_t stream_bytes)
{
	*result = (struct oracle_result){.text = BUF_INIT((size_t)1 << 32), .length = stream_bytes};
	result->shown = must(calloc(stream_bytes + 1, 1));
}

void oracle_result_done(struct oracle_result *result)
{
	buf_done(&result->text);
	free(result->leaks);
	free(result->shown);
	*result = (struct oracle_result){0};
}

static void result_text(struct oracle_result *result, struct span text)
{
	struct err err;
	if (buf_append(&result->text, text, &err) != 0)
		abort();
}

static void result_leak(struct oracle_result *result, const struct redact_leak *leak)
{
	result->leaks = must(reallocarray(result->leaks, result->leak_count + 1, sizeof(*leak)));
	memset(&result->leaks[result->leak_count], 0, sizeof(*leak));
	result->leaks[result->leak_count++] = *leak;
}

static int recorder_write(void *context, struct span bytes, struct err *err)
{
	struct oracle_result *result = context;
	(void)err;
	result_text(result, bytes);
	if (!result->mask_next && result->position + bytes.len > result->length) {
		result->wrong = "the length: more is shown than there was";
	} else if (!result->mask_next) {
		memset(result->shown + result->position, 1, bytes.len);
		result->position += bytes.len;
	}
	result->mask_next = false;
	return 0;
}

// Each byte of the stream is given out once and in order, as itself or under a mask; a mask may have several leaks.
static void recorder_leak(void *context, const struct redact_leak *leak)
{
	struct oracle_result *result = context;
	uint64_t end = leak->offset + leak->len;
	if (leak->len == 0 || (result->mask_next ? end != result->position : leak->offset != result->position))
		result->wrong = "the place of a leak: it is empty or not where the stream is";
	result->mask_next = true;
	result->position = end;
	result_leak(result, leak);
}

struct redact_sink oracle_recorder(struct oracle_result *result)
{
	return (struct redact_sink){recorder_write, recorder_leak, result};
}

const char *oracle_compare(const struct oracle_result *want, const struct oracle_result *got)
{
	if (got->wrong)
		return got->wrong;
	if (want->leak_count != got->leak_count)
		return "the number of leaks";
	for (size_t i = 0; i < want->leak_count; i++) {
		const struct redact_leak *w = &want->leaks[i];
		const struct redact_leak *g = &got->leaks[i];
		if (w->offset != g->offset || w->len != g->len)
			return "the place of a leak";
		if (w->value_index != g->value_index || w->form != g->form || w->partial != g->partial)
			return "the secret, form or partiality of a leak";
	}
	if (want->position != got->position || want->length != got->length)
		return "the length";
	if (memcmp(want->shown, got->shown, want->length) != 0)
		return "which bytes are shown";
	return span_is_equal(buf_span(&want->text), buf_span(&got->text)) ? NULL : "the text";
}

// ------------------------------------------------------------------------------------------------------------- views

#define GAP_MAX 512
#define NEEDLE_MAX 65536
#define KEPT_MAX 4096

// Some bytes of the stream, each with its place there. `broken[i]`: nothing goes on from before byte i.
struct row {
	uint8_t *bytes;
	size_t *places;
	uint8_t *broken; // has count + 1
	size_t count;
};

enum { ROW_STREAM, ROW_CLEAN, ROW_LOOSE, ROW_DUMP, ROW_TEXT, ROW_COUNT };

struct rows {
	struct row row[ROW_COUNT];
	uint32_t *sequence; // by byte of the stream: the number of the escape sequence it belongs to, 0 for none
};

static void row_add(struct row *row, uint8_t byte, size_t place)
{
	if (row->count > 0 && place - row->places[row->count - 1] - 1 > GAP_MAX)
		row->broken[row->count] = 1;
	row->bytes[row->count] = byte;
	row->places[row->count++] = place;
}

static bool is_space(uint8_t byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

// Returns where the sequence that begins with the ESC at `from` ends.
static size_t sequence_end(struct span s, size_t from)
{
	size_t limit = s.len - from < GAP_MAX ? s.len : from + GAP_MAX;
	size_t i = from + 1;
	if (i == limit)
		return i;
	uint8_t kind = s.data[i];
	if (kind != 0 && strchr("]PX^_", kind)) {
		for (i++; i < limit; i++) {
			if (s.data[i] == 0x07 || s.data[i] == 0x18 || s.data[i] == 0x1a)
				return i + 1;
			if (s.data[i] != 0x1b)
				continue;
			while (i < limit && s.data[i] == 0x1b)
				i++;
			if (i == limit)
				return i;
			return s.data[i] == '\\' ? i + 1 : i - 1;
		}
		return i;
	}
	if (kind == '[') {
		for (i++; i < limit && s.data[i] >= 0x20 && s.data[i] <= 0x3f; i++)
			;
		return i < limit && s.data[i] >= 0x40 && s.data[i] <= 0x7e ? i + 1 : i;
	}
	while (i < limit && s.data[i] >= 0x20 && s.data[i] <= 0x2f)
		i++;
	return i < limit && s.data[i] >= 0x30 && s.data[i] <= 0x7e ? i + 1 : i;
}

static bool is_hex(uint8_t byte)
{
	return byte != 0 && strchr("0123456789abcdefABCDEF", byte) != NULL;
}

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static void rows_break_dump(struct rows *rows)
{
	rows->row[ROW_DUMP].broken[rows->row[ROW_DUMP].count] = 1;
	rows->row[ROW_TEXT].broken[rows->row[ROW_TEXT].count] = 1;
}

// The data and text of a dump line from `i` on, up to its newline or the end.
static size_t rows_dump_data(struct rows *rows, size_t i, bool has_colon)
{
	const struct row *clean = &rows->row[ROW_CLEAN];
	size_t digits = 0;
	size_t blanks = 1;
	for (; i < clean->count && clean->bytes[i] != '\n'; i++) {
		uint8_t byte = clean->bytes[i];
		if (is_blank(byte)) {
			blanks++;
			continue;
		}
		bool is_bar = (byte == '|' || byte == '>') && blanks != 3;
		if (digits > 0 && blanks >= 2 && (has_colon || is_bar)) {
			size_t left = digits / 2;
			for (i += !has_colon; i < clean->count && clean->bytes[i] != '\n'; i++)
				if (left > 0 && left--)
					row_add(&rows->row[ROW_TEXT], clean->bytes[i], clean->places[i]);
			return i;
		}
		row_add(&rows->row[ROW_DUMP], byte, clean->places[i]);
		digits++;
		blanks = 0;
	}
	return i;
}

static void rows_dump(struct rows *rows)
{
	const struct row *clean = &rows->row[ROW_CLEAN];
	for (size_t i = 0; i < clean->count; i++) { // at the beginning of a line
		size_t digits = i;
		while (digits < clean->count && is_hex(clean->bytes[digits]) && digits - i < 17)
			digits++;
		size_t count = digits - i;
		i = digits;
		if (i == clean->count && count <= 16)
			return; // not known yet
		bool is_dump = count >= 6 && count <= 16;
		bool has_colon = is_dump && clean->bytes[i] == ':';
		i += has_colon;
		if (has_colon && i == clean->count)
			return;
		if (is_dump && is_blank(clean->bytes[i])) {
			i = rows_dump_data(rows, i + 1, has_colon);
			continue;
		}
		rows_break_dump(rows);
		while (i < clean->count && clean->bytes[i] != '\n')
			i++;
	}
}

static void rows_make(struct rows *rows, struct span stream)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		rows->row[i] = (struct row){must(malloc(stream.len + 1)), must(calloc(stream.len + 1, sizeof(size_t))),
					    must(calloc(stream.len + 2, 1)), 0};
	rows->sequence = must(calloc(stream.len + 1, sizeof(*rows->sequence)));
	uint32_t number = 0;
	for (size_t i = 0; i < stream.len;) {
		if (stream.data[i] != 0x1b) {
			row_add(&rows->row[ROW_CLEAN], stream.data[i], i);
			i++;
			continue;
		}
		number++;
		for (size_t end = sequence_end(stream, i); i < end; i++)
			rows->sequence[i] = number;
	}
	struct row *stream_row = &rows->row[ROW_STREAM];
	for (size_t i = 0; i < stream.len; i++) {
		stream_row->bytes[i] = stream.data[i];
		stream_row->places[i] = i;
	}
	stream_row->count = stream.len;
	const struct row *clean = &rows->row[ROW_CLEAN];
	for (size_t i = 0; i < clean->count; i++)
		if (!is_space(clean->bytes[i]))
			row_add(&rows->row[ROW_LOOSE], clean->bytes[i], clean->places[i]);
	rows_dump(rows);
	// What is too far from the end of the stream cannot go on.
	for (size_t i = ROW_CLEAN; i < ROW_COUNT; i++) {
		struct row *row = &rows->row[i];
		if (row->count > 0 && stream.len - row->places[row->count - 1] - 1 > GAP_MAX)
			row->broken[row->count] = 1;
	}
}

static void rows_done(struct rows *rows)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		free(rows->row[i].bytes);
		free(rows->row[i].places);
		free(rows->row[i].broken);
	}
	free(rows->sequence);
}

// ------------------------------------------------------------------------------------------------------------ oracle

struct match {
	size_t from;
	size_t to;
	const struct needle *needle;
	size_t len;
	const struct row *row;
	size_t at; // in the row
	bool cut;
};

struct matches {
	struct rows rows;
	bool needs_clean;
	struct match *list;
	size_t count;
	uint8_t *covered;        // by byte
	uint8_t *joined;         // by byte: in one match with the byte behind it
	uint8_t *stream_covered; // by byte: in a match in the stream itself
};

static void matches_done(struct matches *m)
{
	rows_done(&m->rows);
	free(m->list);
	free(m->covered);
	free(m->joined);
	free(m->stream_covered);
}

static void matches_add(struct matches *m, const struct needle *needle, size_t row_number, size_t at, size_t len)
{
	const struct row *row = &m->rows.row[row_number];
	struct match match = {row->places[at], row->places[at + len - 1] + 1, needle, len, row, at, len < needle->bytes.len};
	m->list = must(reallocarray(m->list, m->count + 1, sizeof(match)));
	m->list[m->count++] = match;
	memset(m->covered + match.from, 1, match.to - match.from);
	memset(m->joined + match.from, 1, match.to - match.from - 1);
	if (row_number == ROW_STREAM)
		memset(m->stream_covered + match.from, 1, match.to - match.from);
}

static bool is_word(uint8_t byte)
{
	return byte != 0 && strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", byte) != NULL;
}

// Without white space is enough, where every needle is looked for without its own too.
static bool find_needs_clean(const struct oracle_needles *needles)
{
	for (size_t i = 0; i < needles->count; i++) {
		const struct needle *needle = &needles->list[i];
		struct span s = needle->bytes;
		size_t run = 0;
		bool is_long = false;
		bool has_space = false;
		for (size_t at = 0; at < s.len; at++) {
			run = is_space(s.data[at]) ? run + 1 : 0;
			is_long = is_long || run > GAP_MAX;
			has_space = has_space || run > 0;
		}
		bool has_edge = is_space(s.data[0]) || is_space(s.data[s.len - 1]);
		if (!needle->weak && has_space && (!needle->has_twin || has_edge || is_long))
			return true;
	}
	return false;
}

static bool row_applies(const struct oracle_needles *needles, const struct matches *m, const struct needle *needle,
			size_t row)
{
	if (row == ROW_STREAM)
		return true;
	if (needles->no_shadow)
		return false;
	if (needle->weak)
		return row == ROW_CLEAN;
	return needle->bytes.len <= NEEDLE_MAX && (row != ROW_CLEAN || m->needs_clean);
}

// The needle's first `len` bytes stand at `at`.
static bool row_has(const struct row *row, size_t at, const struct needle *needle, size_t len)
{
	if (memcmp(row->bytes + at, needle->bytes.data, len) != 0)
		return false;
	for (size_t i = 1; i < len; i++)
		if (row->broken[at + i])
			return false;
	return true;
}

static bool fits_left(const struct needle *needle, const struct row *row, size_t at)
{
	return !needle->weak || at == 0 || row->broken[at] || !is_word(row->bytes[at - 1]);
}

static bool fits_right(const struct needle *needle, const struct row *row, size_t to, bool more_may_come)
{
	if (!needle->weak || row->broken[to])
		return true;
	return to == row->count ? !more_may_come : !is_word(row->bytes[to]);
}

static void matches_find(struct matches *m, const struct oracle_needles *needles, struct span stream,
			 bool more_may_come)
{
	*m = (struct matches){.covered = must(calloc(stream.len + 1, 1)), .joined = must(calloc(stream.len + 1, 1)),
			      .stream_covered = must(calloc(stream.len + 1, 1))};
	rows_make(&m->rows, stream);
	m->needs_clean = find_needs_clean(needles);
	for (size_t i = 0; i < needles->count * ROW_COUNT; i++) {
		const struct needle *needle = &needles->list[i / ROW_COUNT];
		const struct row *row = &m->rows.row[i % ROW_COUNT];
		size_t len = needle->bytes.len;
		if (!row_applies(needles, m, needle, i % ROW_COUNT))
			continue;
		for (size_t at = 0; at + len <= row->count; at++)
			if (row->bytes[at] == needle->bytes.data[0] && row_has(row, at, needle, len) &&
			    fits_left(needle, row, at) && fits_right(needle, row, at + len, more_may_come))
				matches_add(m, needle, i % ROW_COUNT, at, len);
	}
}

static bool row_holds(const struct row *row, const struct needle *needle, size_t len)
{
	return len <= row->count && !row->broken[row->count] && row_has(row, row->count - len, needle, len) &&
	       fits_left(needle, row, row->count - len);
}

// The rule for the end of the stream.
static void matches_find_end(struct matches *m, const struct oracle_needles *needles, size_t number, bool weak)
{
	const struct row *row = &m->rows.row[number];
	for (size_t len = number == ROW_STREAM || weak || row->count < NEEDLE_MAX ? row->count : NEEDLE_MAX; len > 0; len--) {
		const struct needle *first = NULL;
		size_t shortest = SIZE_MAX;
		for (size_t i = 0; i < needles->count; i++) {
			const struct needle *needle = &needles->list[i];
			if (needle->weak != weak || len >= needle->bytes.len || !row_holds(row, needle, len))
				continue;
			first = first ? first : needle;
			shortest = needle->bytes.len < shortest ? needle->bytes.len : shortest;
		}
		if (first && (len >= 6 || len * 2 >= shortest)) {
			matches_add(m, first, number, row->count - len, len);
			return;
		}
	}
}

static void matches_find_all(struct matches *m, const struct oracle_needles *needles, struct span stream)
{
	matches_find(m, needles, stream, false);
	for (size_t row = 0; row < ROW_COUNT; row++) {
		if (row == ROW_STREAM || (!needles->no_shadow && (row != ROW_CLEAN || m->needs_clean)))
			matches_find_end(m, needles, row, false);
		if (row == ROW_STREAM || (row == ROW_CLEAN && !needles->no_shadow))
			matches_find_end(m, needles, row, true);
	}
}

struct found {
	bool is_found;
	struct redact_leak leak;
	size_t longest;
};

// The escape bytes that the mask of from..to keeps: those in no match of the stream itself, as many as there is room for
// from the end on, but a run of one sequence only as a whole.
static void mask_add_escapes(const struct matches *m, struct span stream, size_t from, size_t to,
			     struct oracle_result *out)
{
	size_t begin = to;
	size_t kept = 0;
	const uint32_t *sequence = m->rows.sequence;
	for (size_t i = to; i > from;) {
		size_t end = i--;
		if (!sequence[i] || m->stream_covered[i])
			continue;
		while (i > from && sequence[i - 1] == sequence[i] && !m->stream_covered[i - 1])
			i--;
		kept += end - i;
		if (kept > KEPT_MAX)
			break;
		begin = i;
	}
	for (size_t i = begin; i < to; i++)
		if (sequence[i] && !m->stream_covered[i])
			result_text(out, span_of(stream.data + i, 1));
}

// What stands in the mask of from..to: each secret with a match in it.
static void mask_add(const struct oracle_needles *needles, const struct matches *m, size_t from, size_t to,
		     struct oracle_result *out)
{
	struct found *found = must(calloc(needles->value_count, sizeof(*found)));
	for (size_t i = 0; i < m->count; i++) {
		const struct match *match = &m->list[i];
		struct found *f = &found[match->needle->value];
		if (match->from < from || match->from >= to)
			continue;
		size_t len = 0; // white space does not count
		for (size_t at = 0; at < match->len; at++)
			len += !is_space(match->needle->bytes.data[at]);
		if (!f->is_found || len > f->longest || (len == f->longest && match->needle->form < f->leak.form)) {
			f->leak.form = match->needle->form;
			f->longest = len;
		}
		f->leak.partial |= match->cut;
		f->is_found = true;
	}
	const char *before = "[ENVSEAL:REDACTED ";
	for (size_t value = 0; value < needles->value_count; value++) {
		struct found *f = &found[value];
		if (!f->is_found)
			continue;
		f->leak.offset = from;
		f->leak.len = to - from;
		f->leak.value_index = value;
		result_leak(out, &f->leak);
		result_text(out, span_text(before));
		result_text(out, span_text(needles->names[value]));
		if (f->leak.form != REDACT_FORM_RAW) {
			result_text(out, span_text(" "));
			result_text(out, span_text(redact_form_name(f->leak.form)));
		}
		before = ", ";
	}
	result_text(out, span_text("]"));
	free(found);
}

void oracle_run(const struct oracle_needles *needles, struct span stream, struct oracle_result *out)
{
	struct matches m;
	matches_find_all(&m, needles, stream);
	oracle_result_init(out, stream.len);
	for (size_t i = 0; i < stream.len;) {
		size_t end = i + 1;
		if (!m.covered[i]) {
			out->shown[i] = 1;
			result_text(out, span_of(stream.data + i, 1));
		} else {
			while (m.joined[end - 1])
				end++;
			mask_add(needles, &m, i, end, out);
			mask_add_escapes(&m, stream, i, end, out);
		}
		i = end;
	}
	out->position = stream.len;
	matches_done(&m);
}

size_t oracle_held(const struct oracle_needles *needles, struct span stream)
{
	struct matches m;
	matches_find(&m, needles, stream, true);
	size_t first = stream.len;
	for (size_t i = 0; i < needles->count * ROW_COUNT; i++) {
		const struct needle *needle = &needles->list[i / ROW_COUNT];
		const struct row *row = &m.rows.row[i % ROW_COUNT];
		// A prefix of one that is too long to match may be held all the same.
		bool applies = row_applies(needles, &m, needle, i % ROW_COUNT) ||
			       (!needle->weak && !needles->no_shadow && i % ROW_COUNT != ROW_CLEAN);
		size_t most = needle->weak ? needle->bytes.len : needle->bytes.len - 1;
		if (i % ROW_COUNT != ROW_STREAM && !needle->weak && most > NEEDLE_MAX)
			most = NEEDLE_MAX;
		for (size_t len = most < row->count ? most : row->count; applies && len > 0; len--)
			if (row_holds(row, needle, len)) {
				size_t place = row->places[row->count - len];
				first = place < first ? place : first;
				break;
			}
	}
	size_t held = 0;
	for (size_t i = first; i < stream.len; i++)
		held += !m.covered[i];
	matches_done(&m);
	return held;
}

bool oracle_budget_is_kept(const struct oracle_needles *needles, struct span stream, const struct oracle_result *got)
{
	struct matches m;
	matches_find_all(&m, needles, stream);
	bool ok = !got->wrong && got->position == stream.len;
	for (size_t i = 0; i < m.count; i++) {
		size_t shown = 0;
		for (size_t at = 0; at < m.list[i].len; at++)
			shown += got->shown[m.list[i].row->places[m.list[i].at + at]];
		ok = ok && shown <= 3 && 4 * shown <= m.list[i].needle->bytes.len;
	}
	for (size_t i = 0; i < stream.len; i++)
		ok = ok && (m.covered[i] || got->shown[i]);
	matches_done(&m);
	return ok;
}
