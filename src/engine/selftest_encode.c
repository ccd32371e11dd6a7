#include "engine/selftest.h"

#include <string.h>

// Every form here is written a second time, and as simply as it can be: that is what it is for.

void specimen_done(struct specimen *specimen)
{
	buf_done(&specimen->text);
}

static int specimen_whole(struct specimen *out, int r)
{
	out->from = 0;
	out->to = out->text.len;
	return r;
}

static int encode_raw(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	(void)variant;
	return specimen_whole(out, buf_append(&out->text, value, err));
}

static int encode_reversed(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	(void)variant;
	int r = 0;
	for (size_t i = value.len; r == 0 && i > 0; i--)
		r = buf_append_byte(&out->text, value.data[i - 1], err);
	return specimen_whole(out, r);
}

// ------------------------------------------------------------------------------------------------------ bits by digits

// Digits of `bits` bits each, of the value behind `before` other bytes and with one more behind it. What the value alone
// determines are the digits that have no bit of the others.
static int encode_digits(struct span value, size_t before, unsigned bits, const char *alphabet, struct specimen *out,
			 struct err *err)
{
	uint32_t window = 0;
	unsigned held = 0;
	int r = 0;
	for (size_t i = 0; r == 0 && i < before + value.len + 1; i++) {
		uint8_t byte = i < before || i == before + value.len ? 'x' : value.data[i - before];
		window = window << 8 | byte;
		held += 8;
		for (; r == 0 && held >= bits; held -= bits)
			r = buf_append_byte(&out->text, (uint8_t)alphabet[window >> (held - bits) & ((1u << bits) - 1)], err);
	}
	out->from = (8 * before + bits - 1) / bits;
	out->to = 8 * (before + value.len) / bits;
	return r;
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define BASE64 LETTERS "abcdefghijklmnopqrstuvwxyz0123456789"

static int encode_base64(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	return encode_digits(value, variant, 6, BASE64 "+/", out, err);
}

static int encode_base64url(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	return encode_digits(value, variant, 6, BASE64 "-_", out, err);
}

static int encode_base32(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	return encode_digits(value, variant, 5, LETTERS "234567", out, err);
}

static int encode_hex(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	(void)variant;
	return specimen_whole(out, encode_digits(value, 0, 4, "0123456789abcdef", out, err));
}

static int encode_hex_upper(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	(void)variant;
	return specimen_whole(out, encode_digits(value, 0, 4, "0123456789ABCDEF", out, err));
}

// ----------------------------------------------------------------------------------------------------- byte by byte

static bool is_letter(uint8_t byte)
{
	return memchr(BASE64, byte, sizeof(BASE64) - 1) != NULL;
}

// Each byte through a format for numbers, or as it is when `keep` has it.
static int encode_bytes(struct span value, const char *format, const char *keep, struct specimen *out, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < value.len; i++) {
		uint8_t byte = value.data[i];
		bool kept = keep && (is_letter(byte) || (byte != 0 && strchr(keep, byte)));
		if (kept)
			r = buf_append_byte(&out->text, byte, err);
		else
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			r = buf_printf(&out->text, err, format, byte);
#pragma GCC diagnostic pop
	}
	return specimen_whole(out, r);
}

static int encode_percent(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	static const struct {
		const char *format, *keep;
	} variants[] = {{"%%%02X", "-._~"}, {"%%%02x", "-._~"}, {"%%%02X", NULL}, {"%%%02X", "-._~!'()*"}};
	return encode_bytes(value, variants[variant].format, variants[variant].keep, out, err);
}

static int encode_c(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	static const char *const formats[] = {"\\x%02x", "\\x%02X", "\\%03o"};
	return encode_bytes(value, formats[variant], NULL, out, err);
}

static int encode_xml(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	static const char *const formats[] = {"&#%u;", "&#x%x;"};
	// References name characters, and a byte is one only in ASCII.
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] >= 0x80)
			return 0;
	return encode_bytes(value, formats[variant], NULL, out, err);
}

static int encode_octal(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	(void)variant;
	return encode_bytes(value, "%03o", NULL, out, err);
}

// The shortest JSON string: only what must be escaped is.
static int encode_json(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	(void)variant;
	int r = 0;
	for (size_t i = 0; r == 0 && i < value.len; i++) {
		uint8_t byte = value.data[i];
		if (byte == '"' || byte == '\\')
			r = buf_printf(&out->text, err, "\\%c", byte);
		else if (byte == '\n')
			r = buf_append_text(&out->text, "\\n", err);
		else if (byte < 0x20 || byte >= 0x80)
			return 0; // several ways to write it: the tables' own needles cover them
		else
			r = buf_append_byte(&out->text, byte, err);
	}
	return specimen_whole(out, r);
}

static int encode_utf16(struct span value, bool big, struct specimen *out, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < value.len; i++) {
		if (value.data[i] >= 0x80)
			return 0;
		uint8_t unit[2] = {big ? 0 : value.data[i], big ? value.data[i] : 0};
		r = buf_append(&out->text, span_of(unit, sizeof(unit)), err);
	}
	return specimen_whole(out, r);
}

static int encode_utf16le(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	(void)variant;
	return encode_utf16(value, false, out, err);
}

static int encode_utf16be(struct span value, unsigned variant, struct specimen *out, struct err *err)
{
	(void)variant;
	return encode_utf16(value, true, out, err);
}

const struct selftest_encoder selftest_encoders[] = {
	{"raw", 1, encode_raw}, {"base64", 3, encode_base64}, {"base64url", 3, encode_base64url},
	{"base32", 5, encode_base32}, {"hex", 1, encode_hex}, {"HEX", 1, encode_hex_upper},
	{"percent", 4, encode_percent}, {"json", 1, encode_json}, {"c", 3, encode_c},
	{"xml", 2, encode_xml}, {"utf16le", 1, encode_utf16le}, {"utf16be", 1, encode_utf16be},
	{"reversed", 1, encode_reversed}, {"octal", 1, encode_octal},
};
const size_t selftest_encoder_count = ARRAY_COUNT(selftest_encoders);
