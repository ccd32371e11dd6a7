#include "manifest/manifest_text.h"

#include <string.h>

size_t text_bom_bytes(struct span text)
{
	struct span bom = SPAN_LITERAL("\xef\xbb\xbf");
	return span_has_prefix(text, bom) ? bom.len : 0;
}

bool text_is_crlf(struct span text)
{
	bool found = false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != '\n')
			continue;
		if (i == 0 || text.data[i - 1] != '\r')
			return false;
		found = true;
	}
	return found;
}

// Reads one code point; returns its length in bytes, 0 when there is none (RFC 3629: shortest form, no surrogates).
static size_t utf8_read(struct span text, uint32_t *ret_point)
{
	uint8_t first = text.data[0];
	size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
	if (len == 0 || len > text.len)
		return 0;
	uint32_t point = len == 1 ? first : first & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((text.data[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text.data[i] & 0x3f);
	}
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return len;
}

static bool point_is_printable(uint32_t point)
{
	// Controls; then what reorders, breaks or hides text (Unicode 15: Bidi_Control, Zl, Zp, BOM, tags).
	static const struct {
		uint32_t first;
		uint32_t last;
	} refused[] = {
	    {0x00, 0x08},     {0x0a, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},
	    {0x061c, 0x061c}, {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e},
	    {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};
	for (size_t i = 0; i < ARRAY_COUNT(refused); i++)
		if (point >= refused[i].first && point <= refused[i].last)
			return false;
	return true;
}

const uint8_t *text_find_unprintable(struct span text)
{
	while (text.len > 0) {
		uint32_t point = 0;
		size_t len = utf8_read(text, &point);
		bool is_line_end = point == '\n' || (point == '\r' && text.len > 1 && text.data[1] == '\n');
		if (len == 0 || (!is_line_end && !point_is_printable(point)))
			return text.data;
		text = span_of(text.data + len, text.len - len);
	}
	return NULL;
}
