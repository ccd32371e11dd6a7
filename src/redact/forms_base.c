// Forms that spell bits: base64, base32, hexadecimal digits.
#include "redact/forms_kinds.h"


#define BASE64_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

struct base {
	const char *letters;
	unsigned bits; // in a letter
};

static const struct base bases[] = {
	{BASE64_LETTERS "+/", 6}, {BASE64_LETTERS "-_", 6}, {"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 5}};

// The letters that depend on the value alone when `before` bytes (modulo the group) stand in front of it: those whose
// bits all lie within the value. They need no padding and are the same whatever the neighbours are.
static void base_core(struct span value, unsigned before, const struct base *base, struct form_pen *pen)
{
	size_t skip = 8 * (size_t)before;
	size_t first = (skip + base->bits - 1) / base->bits;
	size_t end = 8 * (before + value.len) / base->bits;
	for (size_t c = first; c < end; c++) {
		size_t bit = base->bits * c - skip;
		unsigned pair = (unsigned)value.data[bit / 8] << 8;
		if (bit % 8 + base->bits > 8)
			pair |= value.data[bit / 8 + 1];
		pen_byte(pen, (uint8_t)base->letters[pair >> (16 - base->bits - bit % 8) & ((1u << base->bits) - 1)]);
	}
}

static int base_each(struct form_run *run, struct span text, const struct base *base, unsigned group, struct err *err)
{
	int r = 0;
	for (unsigned before = 0; before < group && r == 0; before++) {
		struct form_pen pen = form_pen(run);
		base_core(text, before, base, &pen);
		r = form_give_pen(run, &pen, err);
	}
	return r;
}

void form_base64_core(struct span value, unsigned before, struct form_pen *pen)
{
	base_core(value, before, &bases[0], pen);
}

int form_base64(struct form_run *run, struct span text, struct err *err)
{
	return base_each(run, text, &bases[0], 3, err);
}

int form_base64url(struct form_run *run, struct span text, struct err *err)
{
	return base_each(run, text, &bases[1], 3, err);
}

int form_base32(struct form_run *run, struct span text, struct err *err)
{
	return base_each(run, text, &bases[2], 5, err);
}

// ----------------------------------------------------------------------------------------------------- hexadecimal

// Plain digits are what is left of most dumps without their white space; a colon stands between bytes in openssl's
// output, a dash in .NET's; `xxd -i` writes 0x in front and a comma behind, and Go's %#v leaves zeros out.
static const struct hex_style {
	const char *before;
	const char *between;
	unsigned width;
} hex_styles[] = {{"", "", 2}, {"", ":", 2}, {"", "-", 2}, {"0x", ",", 2}, {"0x", ",", 1}};

static int hex_each(struct form_run *run, struct span text, enum pen_base base, struct err *err)
{
	// Large values come as plain digits only, which keeps the room for them small.
	size_t styles = text.len > REDACT_ALL_FORMS_BYTES_MAX ? 1 : ARRAY_COUNT(hex_styles);
	int r = 0;
	for (size_t s = 0; s < styles && r == 0; s++) {
		struct form_pen pen = form_pen(run);
		for (size_t i = 0; i < text.len; i++) {
			pen_text(&pen, i > 0 ? hex_styles[s].between : "");
			pen_text(&pen, hex_styles[s].before);
			pen_number(&pen, text.data[i], base, hex_styles[s].width);
		}
		r = form_give_pen(run, &pen, err);
	}
	return r;
}

int form_hex(struct form_run *run, struct span text, struct err *err)
{
	return hex_each(run, text, PEN_HEX, err);
}

int form_hex_upper(struct form_run *run, struct span text, struct err *err)
{
	return hex_each(run, text, PEN_HEX_UPPER, err);
}
