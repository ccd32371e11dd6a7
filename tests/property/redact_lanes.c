#include "redact_lanes.h"

#include <stdlib.h>
#include <string.h>

#define GAP_MAX 512
#define SEQUENCE_MAX 512
#define OFFSET_DIGITS_MIN 6
#define OFFSET_DIGITS_MAX 16
#define ESCAPE 0x1b

static void lane_init(struct lane *lane, size_t stream_bytes)
{
	*lane = (struct lane){0};
	lane->bytes = must(malloc(stream_bytes + 1));
	lane->offset = must(malloc((stream_bytes + 1) * sizeof(size_t)));
	lane->segment = must(malloc((stream_bytes + 1) * sizeof(size_t)));
}

static void lane_break_at_gap(struct lane *lane, size_t offset)
{
	if (lane->count > 0 && offset - lane->offset[lane->count - 1] - 1 > GAP_MAX)
		lane->segment_now++;
}

static void lane_add(struct lane *lane, uint8_t byte, size_t offset)
{
	lane->bytes[lane->count] = byte;
	lane->offset[lane->count] = offset;
	lane->segment[lane->count] = lane->segment_now;
	lane->count++;
}

static void lane_add_near(struct lane *lane, uint8_t byte, size_t offset)
{
	lane_break_at_gap(lane, offset);
	lane_add(lane, byte, offset);
}

static void lane_end(struct lane *lane)
{
	lane->tail = lane->count;
	while (lane->tail > 0 && lane->segment[lane->tail - 1] == lane->segment_now)
		lane->tail--;
}

// -------------------------------------------------------------------------------------------------- escape sequences

enum escape {
	GROUND,
	ESC,
	ESC_INTERMEDIATE,
	CSI,
	STRING,
	STRING_ESC,
	BEGINS,       // the byte begins a sequence
	ENDS,         // the byte is the last of the sequence
	ENDED_BEFORE, // the byte is none of the sequence
};

static enum escape escape_next(enum escape state, uint8_t c)
{
	if (state == STRING_ESC)
		return c == '\\' ? ENDS : STRING_ESC;
	if (state == STRING && c == ESCAPE)
		return STRING_ESC;
	if (state == STRING)
		return c == 0x07 || c == 0x18 || c == 0x1a ? ENDS : STRING;
	if (c == ESCAPE)
		return BEGINS;
	if (state == ESC && c == '[')
		return CSI;
	if (state == ESC && (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_'))
		return STRING;
	if ((state == ESC || state == ESC_INTERMEDIATE) && c >= 0x20 && c <= 0x2f)
		return ESC_INTERMEDIATE;
	if ((state == ESC || state == ESC_INTERMEDIATE) && c >= 0x30 && c <= 0x7e)
		return ENDS;
	if (state == CSI && c >= 0x20 && c <= 0x3f)
		return CSI;
	if (state == CSI && c >= 0x40 && c <= 0x7e)
		return ENDS;
	return ENDED_BEFORE;
}

// Gives each byte the number of its sequence.
static void sequences_read(size_t *sequence, struct span stream)
{
	enum escape state = GROUND;
	size_t number = 0;
	size_t len = 0;
	for (size_t i = 0; i < stream.len; i++) {
		uint8_t c = stream.data[i];
		if (state == STRING_ESC && c != '\\' && c != ESCAPE) {
			// The string has ended, and the escape byte was the first of another sequence.
			sequence[i - 1] = ++number;
			len = 1;
			state = ESC;
		}
		state = escape_next(state, c);
		if (state == BEGINS) {
			number++;
			len = 0;
			state = ESC;
		}
		if (state == ENDED_BEFORE) {
			state = GROUND;
			continue;
		}
		sequence[i] = number;
		len++;
		if (state == ENDS || len == SEQUENCE_MAX)
			state = GROUND;
	}
}

// -------------------------------------------------------------------------------------------------------- dump lines

enum dump_state { OFFSET, COLON, DATA, TEXT, OTHER };

struct dump {
	enum dump_state state;
	bool has_colon;     // xxd's lines; else those of hexdump and od
	size_t offset_digits;
	size_t digits;
	size_t group;       // bytes of the last group of data
	bool has_odd;       // some group before it is no even number of hexadecimal digits
	bool has_other;     // some byte of data is none
	size_t blanks;
	size_t left;        // of the text column
	struct lane *data;
	struct lane *text;
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_white_space(uint8_t c)
{
	return c == ' ' || (c >= 0x09 && c <= 0x0d);
}

static bool is_hex_digit(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void dump_line(struct dump *d)
{
	d->state = OFFSET;
	d->offset_digits = 0;
}

static void dump_break(struct dump *d)
{
	d->data->segment_now++;
	d->text->segment_now++;
}

static void dump_data(struct dump *d, bool has_colon)
{
	d->state = DATA;
	d->has_colon = has_colon;
	d->digits = 0;
	d->group = 0;
	d->has_odd = d->has_other = false;
	d->blanks = 1;
}

static void dump_read_offset(struct dump *d, uint8_t c)
{
	if (is_hex_digit(c) && d->offset_digits < OFFSET_DIGITS_MAX) {
		d->offset_digits++;
		return;
	}
	if (c == ':' && d->offset_digits >= OFFSET_DIGITS_MIN) {
		d->state = COLON;
		return;
	}
	if (is_blank(c) && d->offset_digits >= OFFSET_DIGITS_MIN) {
		dump_data(d, false);
		return;
	}
	dump_break(d);
	d->state = OTHER;
}

static void dump_read_text(struct dump *d, uint8_t c, size_t offset)
{
	if (d->left > 0 && !is_white_space(c))
		lane_add_near(d->text, c, offset);
	d->left -= d->left > 0;
}

static bool dump_is_text_mark(const struct dump *d, uint8_t c)
{
	if (d->has_colon || (c != '|' && c != '>'))
		return false;
	bool is_of_hex = !d->has_other && !d->has_odd && d->group % 2 == 0;
	return is_of_hex || d->blanks % 4 != 3;
}

static void dump_read_data(struct dump *d, uint8_t c, size_t offset)
{
	if (is_blank(c)) {
		d->blanks++;
		return;
	}
	bool may_be_text = d->digits > 0 && d->blanks >= 2;
	if (may_be_text && (d->has_colon || dump_is_text_mark(d, c))) {
		d->state = TEXT;
		d->left = d->digits / 2;
		if (d->has_colon)
			dump_read_text(d, c, offset);
		return;
	}
	if (d->blanks > 0) {
		d->has_odd |= d->group % 2 == 1;
		d->group = 0;
	}
	d->has_other |= !is_hex_digit(c);
	d->group++;
	d->digits++;
	d->blanks = 0;
	lane_add_near(d->data, c, offset);
}

static void dump_read(struct dump *d, uint8_t c, size_t offset)
{
	if (c == '\n') {
		if (d->state == OFFSET || d->state == COLON)
			dump_break(d);
		dump_line(d);
	} else if (d->state == OFFSET) {
		dump_read_offset(d, c);
	} else if (d->state == COLON && is_blank(c)) {
		dump_data(d, true);
	} else if (d->state == COLON) {
		dump_break(d);
		d->state = OTHER;
	} else if (d->state == DATA) {
		dump_read_data(d, c, offset);
	} else if (d->state == TEXT) {
		dump_read_text(d, c, offset);
	}
}

// ----------------------------------------------------------------------------------------------------------- all lanes

static void lanes_read_shadow(struct lanes *lanes, struct span stream)
{
	struct lane *list = lanes->list;
	struct dump dump = {.data = &list[LANE_DUMP], .text = &list[LANE_TEXT]};
	sequences_read(lanes->sequence, stream);
	dump_line(&dump);
	for (size_t i = 0; i < stream.len; i++) {
		uint8_t c = stream.data[i];
		if (lanes->sequence[i] != 0)
			continue;
		lane_add_near(&list[LANE_CLEAN], c, i);
		if (!is_white_space(c))
			lane_add_near(&list[LANE_LOOSE], c, i);
		dump_read(&dump, c, i);
	}
	for (size_t i = LANE_PLAIN + 1; i < LANE_COUNT; i++)
		lane_break_at_gap(&list[i], stream.len);
}

void lanes_read(struct lanes *lanes, struct span stream, bool plain_only)
{
	for (size_t i = 0; i < LANE_COUNT; i++)
		lane_init(&lanes->list[i], stream.len);
	lanes->sequence = must(calloc(stream.len + 1, sizeof(size_t)));
	for (size_t i = 0; i < stream.len; i++)
		lane_add(&lanes->list[LANE_PLAIN], stream.data[i], i);
	if (!plain_only)
		lanes_read_shadow(lanes, stream);
	for (size_t i = 0; i < LANE_COUNT; i++)
		lane_end(&lanes->list[i]);
}

void lanes_done(struct lanes *lanes)
{
	for (size_t i = 0; i < LANE_COUNT; i++) {
		free(lanes->list[i].bytes);
		free(lanes->list[i].offset);
		free(lanes->list[i].segment);
	}
	free(lanes->sequence);
}
