// The lines that dump programs print: `OFFSET: data  text` of xxd, `OFFSET  data  |text|` of hexdump and od.
#include "redact/shadow.h"
#include "redact/survey.h"

#include <string.h>

#define OFFSET_DIGITS_MIN 6 // od -A x
#define OFFSET_DIGITS_MAX 16
// od -c and hexdump -c print each byte in so many columns, a single character at the end of them.
#define CELL_COLUMNS 4

static bool is_hex_digit(uint8_t byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static int dump_break(struct shadow *s, struct err *err)
{
	int r = breaks_add(&s->dump.view.breaks, s->dump.view.bytes.len, err);
	return r == 0 ? breaks_add(&s->text.view.breaks, s->text.view.bytes.len, err) : r;
}

static int dump_enter(struct shadow *s, enum dump_state state, bool is_broken, struct err *err)
{
	bool has_colon = s->line.state == DUMP_COLON;
	s->line = (struct dump_line){.state = state, .has_colon = has_colon, .is_even = true, .blanks = state == DUMP_DATA};
	return is_broken ? dump_break(s, err) : 0;
}

static int dump_offset(struct shadow *s, uint8_t byte, struct err *err)
{
	bool is_offset = s->line.digits >= OFFSET_DIGITS_MIN;
	if (is_hex_digit(byte) && s->line.digits < OFFSET_DIGITS_MAX) {
		s->line.digits++;
		return 0;
	}
	if (byte == ':' && is_offset)
		return dump_enter(s, DUMP_COLON, false, err);
	if (is_blank(byte) && is_offset)
		return dump_enter(s, DUMP_DATA, false, err);
	return dump_enter(s, byte == '\n' ? DUMP_OFFSET : DUMP_OTHER, true, err);
}

static int dump_keep(struct column *column, const struct view *clean, uint64_t base, size_t i, struct err *err)
{
	return column_add(column, i, base + view_place(clean, i), span_of(clean->bytes.data + i, 1), err);
}

static int dump_text(struct shadow *s, uint64_t base, size_t i, struct err *err)
{
	if (s->line.left == 0)
		return 0;
	s->line.left--;
	if (byte_is_space(s->clean.view.bytes.data[i]))
		return 0;
	return dump_keep(&s->text, &s->clean.view, base, i, err);
}

// A bar that od -c prints as data is the end of a cell, and such lines have no group of two digits, or four.
static bool dump_begins_text(const struct dump_line *line, uint8_t byte)
{
	if (line->digits == 0 || line->blanks < 2)
		return false;
	if (line->has_colon)
		return true;
	bool is_cell = line->blanks % CELL_COLUMNS == CELL_COLUMNS - 1;
	return (byte == '|' || byte == '>') && (line->is_even || !is_cell);
}

static int dump_data(struct shadow *s, uint64_t base, size_t i, struct err *err)
{
	uint8_t byte = s->clean.view.bytes.data[i];
	if (is_blank(byte)) {
		s->line.is_even &= s->line.digits % 2 == 0;
		s->line.blanks++;
		return 0;
	}
	if (dump_begins_text(&s->line, byte)) {
		s->line.state = DUMP_TEXT;
		s->line.left = s->line.digits / 2;
		return s->line.has_colon ? dump_text(s, base, i, err) : 0;
	}
	s->line.is_even &= is_hex_digit(byte);
	s->line.digits++;
	s->line.blanks = 0;
	return dump_keep(&s->dump, &s->clean.view, base, i, err);
}

static int dump_step(struct shadow *s, uint64_t base, size_t i, struct err *err)
{
	uint8_t byte = s->clean.view.bytes.data[i];
	switch (s->line.state) {
	case DUMP_OFFSET:
		return dump_offset(s, byte, err);
	case DUMP_COLON:
		if (is_blank(byte))
			return dump_enter(s, DUMP_DATA, false, err);
		return dump_enter(s, byte == '\n' ? DUMP_OFFSET : DUMP_OTHER, true, err);
	case DUMP_DATA:
		return byte == '\n' ? dump_enter(s, DUMP_OFFSET, false, err) : dump_data(s, base, i, err);
	case DUMP_TEXT:
		return byte == '\n' ? dump_enter(s, DUMP_OFFSET, false, err) : dump_text(s, base, i, err);
	case DUMP_OTHER:
		break;
	}
	return byte == '\n' ? dump_enter(s, DUMP_OFFSET, false, err) : 0;
}

static int dump_read(struct shadow *s, uint64_t base, size_t from, struct err *err)
{
	struct span bytes = s->clean.view.bytes;
	int r = 0;
	for (size_t i = from; i < bytes.len && r == 0; i++) {
		if (s->line.state == DUMP_OTHER) {
			const uint8_t *end = memchr(bytes.data + i, '\n', bytes.len - i);
			if (!end)
				break;
			i = (size_t)(end - bytes.data);
		}
		r = dump_step(s, base, i, err);
	}
	return r;
}

bool shadow_is_plain_text(const struct shadow *shadow, struct span bytes)
{
	bool begins_line = shadow->line.state == DUMP_OFFSET && shadow->line.digits == 0;
	return (begins_line || shadow->line.state == DUMP_OTHER) && bytes.len >= 64 && survey_is_plain(bytes, begins_line);
}

// Then it is enough to know how the last line begins. It has no data yet: that would have been seen.
static int dump_skip(struct shadow *s, uint64_t base, struct err *err)
{
	struct span bytes = s->clean.view.bytes;
	const uint8_t *end = memrchr(bytes.data, '\n', bytes.len);
	if (!end) {
		s->line = (struct dump_line){.state = DUMP_OTHER};
		return dump_break(s, err);
	}
	s->line = (struct dump_line){.state = DUMP_OFFSET};
	int r = dump_break(s, err);
	return r == 0 ? dump_read(s, base, (size_t)(end - bytes.data) + 1, err) : r;
}

int shadow_read_dump(struct shadow *shadow, uint64_t base, bool is_plain_text, struct err *err)
{
	struct column *dump = &shadow->dump;
	struct column *text = &shadow->text;
	dump->view.breaks.count = text->view.breaks.count = 0;
	dump->view.bytes.len = text->view.bytes.len = 0;
	if (is_plain_text || shadow_is_plain_text(shadow, shadow->clean.view.bytes))
		return dump_skip(shadow, base, err);
	size_t len = shadow->clean.view.bytes.len;
	column_prepare(dump, len);
	column_prepare(text, len);
	int r = dump_read(shadow, base, 0, err);
	if (r < 0)
		return r;
	column_finish(dump);
	column_finish(text);
	return 0;
}
