#include "redact_dump.h"

#include <stdio.h>
#include <stdlib.h>

struct style {
	const char *offset; // format
	const char *byte;
	size_t group;        // bytes without a blank between
	size_t half;         // two blanks after this many bytes; 0: nowhere
	const char *before;  // the text column; NULL: there is none
	const char *after;
	const char *last;    // format of the last line, with the length
};

static const struct style styles[] = {
	{"%08zx: ", "%02x", 2, 0, "  ", "", NULL},
	{"%08zx: ", "%02X", 1, 0, "  ", "", NULL},
	{"%08zx:", " %02x", 1, 0, "  ", "", NULL},
	{"%08zx  ", "%02x", 1, 8, "  |", "|", "%08zx\n"},
	{"%07zo ", "%02x", 1, 0, "  >", "<", "%07zo\n"},
	{"%07zo ", "%03o", 1, 0, NULL, "", "%07zo\n"},
	{"%07zx ", "%02x", 2, 0, NULL, "", "%07zx\n"},
	{"%07zo ", "%03o", 1, 0, "  >", "<", "%07zo\n"},
	{"%07zo ", "%3c", 1, 0, NULL, "", "%07zo\n"},
	{"%07zo ", "%3c", 1, 0, "  >", "<", "%07zo\n"},
	{"%06zx ", "%3u", 1, 0, NULL, "", NULL},
	{"%05zx ", "%02x", 1, 0, "  |", "|", NULL},
};

static void add_text(struct buf *out, const char *text)
{
	struct err err;
	if (buf_append_text(out, text, &err) != 0)
		abort();
}

// The formats stand in the table above.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void add_size(struct buf *out, const char *format, size_t number)
{
	char text[32];
	snprintf(text, sizeof(text), format, number);
	add_text(out, text);
}

static size_t byte_print(char *text, size_t room, const char *format, uint8_t byte)
{
	return (size_t)snprintf(text, room, format, byte);
}
#pragma GCC diagnostic pop

void dump_digits(struct dice *dice, struct span data, char *out)
{
	static const char *const formats[] = {"%02x", "%02x", "%02X", "%03o"};
	const char *format = formats[dice_below(dice, ARRAY_COUNT(formats))];
	for (size_t i = 0; i < data.len; i++)
		out += byte_print(out, 4, format, data.data[i]);
	*out = '\0';
}

static void add_line(const struct style *style, struct span data, size_t offset, size_t width, struct buf *out)
{
	char text[8];
	add_size(out, style->offset, offset);
	for (size_t i = 0; i < width; i++) {
		size_t len = byte_print(text, sizeof(text), style->byte, i < data.len ? data.data[i] : 0);
		if (i > 0 && i % style->group == 0)
			add_text(out, " ");
		if (style->half > 0 && i == style->half)
			add_text(out, " ");
		if (i >= data.len && !style->before)
			break;
		for (size_t at = 0; i >= data.len && at < len; at++)
			text[at] = ' ';
		add_text(out, text);
	}
	add_text(out, style->before ? style->before : "");
	for (size_t i = 0; style->before && i < data.len; i++) {
		uint8_t c = data.data[i];
		add_text(out, (char[]){(char)(c < 0x20 || c > 0x7e ? '.' : c), '\0'});
	}
	add_text(out, style->after);
	add_text(out, "\n");
}

void dump_add(struct dice *dice, struct span data, struct buf *out)
{
	const struct style *style = &styles[dice_below(dice, ARRAY_COUNT(styles))];
	size_t width = dice_below(dice, 3) == 0 ? 16 : 1 + dice_below(dice, 9);
	size_t base = 16 * dice_below(dice, 5);
	if (out->len > 0 && dice_below(dice, 4))
		add_text(out, "\n");
	for (size_t at = 0; at < data.len; at += width) {
		size_t len = data.len - at < width ? data.len - at : width;
		add_line(style, span_of(data.data + at, len), base + at, width, out);
		if (dice_below(dice, 20) == 0)
			add_text(out, "*\n");
	}
	if (style->last)
		add_size(out, style->last, base + data.len);
}

void dump_add_made(struct dice *dice, struct span data, struct buf *out)
{
	static const char *const starts[] = {"00000010: ", "000010:\t", "0000000 ", "12345678  ", "0123456789abcdef: ",
					     "0123456789abcdef0 ", "00001 ", "00000a\r"};
	static const char *const between[] = {" ", "", "", "  ", "\t", "   ", "  |", "  >", "   |", "    |",
					      "       |", "           >", "\033[m"};
	static const char *const ends[] = {"\n", "\n", "|\n", "\r\n", ""};
	if (dice_below(dice, 4))
		add_text(out, "\n");
	add_text(out, starts[dice_below(dice, ARRAY_COUNT(starts))]);
	for (size_t i = 0; i < data.len; i++) {
		struct err err;
		if (buf_append_byte(out, data.data[i], &err) != 0)
			abort();
		if (dice_below(dice, 3) == 0)
			add_text(out, between[dice_below(dice, ARRAY_COUNT(between))]);
	}
	add_text(out, ends[dice_below(dice, ARRAY_COUNT(ends))]);
}
