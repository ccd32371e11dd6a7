#include "engine/selftest.h"

#include <string.h>

// Blanks and brackets are in no form of a value at its ends, and let nothing run on into it.
#define BEFORE "value [ "
#define BEHIND " ] end\n"
#define COLOUR "\x1b[31m"
#define COLOUR_EVERY 3
#define COLUMNS 76

static bool is_white(uint8_t byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

int layout_strip(struct span text, struct buf *out, struct err *err)
{
	const size_t colour_len = sizeof(COLOUR) - 1;
	int r = 0;
	for (size_t i = 0; r == 0 && i < text.len; i++) {
		if (span_has_prefix(span_of(text.data + i, text.len - i), SPAN_LITERAL(COLOUR)))
			i += colour_len - 1;
		else if (!is_white(text.data[i]))
			r = buf_append_byte(out, text.data[i], err);
	}
	return r;
}

static int layout_between(enum selftest_layout layout, size_t at, size_t column, struct buf *out, struct err *err)
{
	if (layout == LAYOUT_COLOURED && at % COLOUR_EVERY == COLOUR_EVERY - 1)
		return buf_append_text(out, COLOUR, err);
	if (layout == LAYOUT_WRAPPED && column % COLUMNS == 0)
		return buf_append_byte(out, '\n', err);
	return 0;
}

int layout_apply(enum selftest_layout layout, const struct specimen *in, struct specimen *out, struct err *err)
{
	size_t len = in->text.len;
	int r = 0;
	// Short texts go over the edge of the first line by half.
	size_t indent = layout == LAYOUT_WRAPPED && len < 2 * COLUMNS ? COLUMNS - len % COLUMNS / 2 - 8 : 0;
	for (size_t i = 0; r == 0 && i < indent; i++)
		r = buf_append_byte(&out->text, '~', err);
	if (r == 0)
		r = buf_append_text(&out->text, BEFORE, err);
	size_t first_column = out->text.len;
	for (size_t i = 0; r == 0 && i < len; i++) {
		if (i == in->from)
			out->from = out->text.len;
		r = buf_append_byte(&out->text, in->text.data[i], err);
		if (i + 1 == in->to)
			out->to = out->text.len;
		if (r == 0 && i + 1 < len)
			r = layout_between(layout, i, first_column + i + 1, &out->text, err);
	}
	return r == 0 ? buf_append_text(&out->text, BEHIND, err) : r;
}

static int dump_line(const uint8_t *data, size_t len, size_t offset, bool canonical, struct buf *out, struct err *err)
{
	int r = buf_printf(out, err, canonical ? "%08zx " : "%08zx:", offset);
	for (size_t i = 0; r == 0 && i < 16; i++) {
		if (canonical || i % 2 == 0)
			r = buf_append_byte(out, ' ', err);
		if (r == 0 && canonical && i == 8)
			r = buf_append_byte(out, ' ', err);
		if (r == 0)
			r = i < len ? buf_printf(out, err, "%02x", data[i]) : buf_append_text(out, "  ", err);
	}
	if (r == 0)
		r = buf_append_text(out, canonical ? "  |" : "  ", err);
	for (size_t i = 0; r == 0 && i < len; i++)
		r = buf_append_byte(out, data[i] >= 0x20 && data[i] < 0x7f ? data[i] : '.', err);
	return r == 0 ? buf_append_text(out, canonical ? "|\n" : "\n", err) : r;
}

int layout_dump(struct span value, bool canonical, struct specimen *out, struct err *err)
{
	int r = 0;
	for (size_t at = 0; r == 0 && at < value.len; at += 16) {
		size_t len = value.len - at < 16 ? value.len - at : 16;
		r = dump_line(value.data + at, len, at, canonical, &out->text, err);
	}
	out->from = 0;
	out->to = out->text.len;
	return r;
}
