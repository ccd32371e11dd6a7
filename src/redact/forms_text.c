// Bytes, lines and characters: what every generator of forms stands on.
#include "redact/forms_kinds.h"

#include <string.h>

void pen_number_any(struct form_pen *pen, uint32_t number, enum pen_base base, unsigned width)
{
	static const char lower[] = "0123456789abcdef";
	const char *digits = base == PEN_HEX_UPPER ? "0123456789ABCDEF" : lower;
	unsigned bits = base == PEN_OCTAL ? 3 : 4;
	uint8_t text[12];
	size_t at = sizeof(text);
	for (unsigned count = 0; count < width || number > 0; count++) {
		uint32_t rest = base == PEN_DECIMAL ? number / 10 : number >> bits;
		text[--at] = (uint8_t)digits[number - (base == PEN_DECIMAL ? rest * 10 : rest << bits)];
		number = rest;
	}
	pen_bytes(pen, span_of(text + at, sizeof(text) - at));
}

int hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	uint8_t lower = byte | 0x20;
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

struct span span_trim(struct span text)
{
	while (text.len > 0 && byte_is_space(text.data[0]))
		text = span_of(text.data + 1, text.len - 1);
	while (text.len > 0 && byte_is_space(text.data[text.len - 1]))
		text.len--;
	return text;
}

bool span_is_varied(struct span text)
{
	// Plain variables rather than a table of what was seen: nothing to wipe.
	unsigned first = 256, second = 256, third = 256;
	for (size_t i = 0; i < text.len; i++) {
		unsigned byte = text.data[i];
		if (byte == first || byte == second || byte == third)
			continue;
		if (third != 256)
			return true;
		if (first == 256)
			first = byte;
		else if (second == 256)
			second = byte;
		else
			third = byte;
	}
	return false;
}

struct span span_take_line(struct span *rest)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
	struct span line = span_of(rest->data, end ? (size_t)(end - rest->data) : rest->len);
	size_t used = line.len + (end != NULL);
	*rest = span_of(rest->data + used, rest->len - used);
	return line;
}

// How many bytes a character has that begins with `lead`, and the smallest number that needs so many (Unicode 15,
// table 3-7).
static size_t utf8_length(uint8_t lead, uint32_t *ret_least)
{
	*ret_least = lead < 0xe0 ? 0x80 : lead < 0xf0 ? 0x800 : 0x10000;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

size_t utf8_next(struct span text, uint32_t *ret_point)
{
	uint8_t lead = text.data[0];
	*ret_point = lead < 0x80 ? lead : POINT_INVALID;
	uint32_t least;
	size_t len = utf8_length(lead, &least);
	if (lead < 0x80 || len == 0 || len > text.len)
		return 1;
	uint32_t point = lead & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((text.data[i] & 0xc0) != 0x80)
			return 1;
		point = point << 6 | (text.data[i] & 0x3fu);
	}
	if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 1;
	*ret_point = point;
	return len;
}

bool utf8_is_valid(struct span text)
{
	uint32_t point = 0;
	while (text.len > 0 && point != POINT_INVALID) {
		size_t used = utf8_next(text, &point);
		text = span_of(text.data + used, text.len - used);
	}
	return point != POINT_INVALID;
}
