#include "engine/selftest.h"

#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
static const char marks[] = "ABCDEFGHIJKLMabcdefghijklm0123456789\"'\\$%&<>+/=?#*!;|{}[]()~ ^,";

static int append_from(struct buf *out, const char *alphabet, size_t count, struct err *err)
{
	size_t choices = strlen(alphabet);
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		uint32_t number;
		rng_fill(&number, sizeof(number));
		r = buf_append_byte(out, (uint8_t)alphabet[number % choices], err);
	}
	return r;
}

static int append_letters(struct buf *out, size_t count, struct err *err)
{
	return append_from(out, letters, count, err);
}

static int make_letters(struct buf *out, struct err *err)
{
	return append_letters(out, 24, err);
}

static int make_eight(struct buf *out, struct err *err)
{
	// Four letters that differ in any case: fewer would make the value a weak one.
	int r = buf_append_text(out, "q7Zk", err);
	return r == 0 ? append_letters(out, 4, err) : r;
}

static int make_large(struct buf *out, struct err *err)
{
	return append_letters(out, 4096, err);
}

static int make_special(struct buf *out, struct err *err)
{
	int r = append_letters(out, 2, err);
	if (r == 0)
		r = append_from(out, marks, 18, err);
	if (r == 0)
		r = buf_append_text(out, "\"\\'", err);
	return r == 0 ? append_letters(out, 2, err) : r;
}

static int make_lines(struct buf *out, struct err *err)
{
	int r = 0;
	for (int line = 0; r == 0 && line < 3; line++) {
		r = append_letters(out, 16, err);
		if (r == 0 && line < 2)
			r = buf_append_byte(out, '\n', err);
	}
	return r;
}

static int make_pem(struct buf *out, struct err *err)
{
	int r = buf_append_text(out, "-----BEGIN PRIVATE KEY-----\n", err);
	for (int line = 0; r == 0 && line < 3; line++) {
		r = append_letters(out, 64, err);
		if (r == 0)
			r = buf_append_byte(out, '\n', err);
	}
	return r == 0 ? buf_append_text(out, "-----END PRIVATE KEY-----\n", err) : r;
}

struct part {
	const char *text;
	size_t letters; // behind it
};

static int append_parts(struct buf *out, const struct part *parts, size_t count, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = buf_append_text(out, parts[i].text, err);
		if (r == 0)
			r = append_letters(out, parts[i].letters, err);
	}
	return r;
}

static int make_json(struct buf *out, struct err *err)
{
	static const struct part parts[] = {
		{"{\"user\": \"", 12}, {"\", \"password\": \"", 8}, {"\\n\\u00e9\\\"", 8}, {"\"}", 0}};
	return append_parts(out, parts, ARRAY_COUNT(parts), err);
}

static int make_url(struct buf *out, struct err *err)
{
	static const struct part parts[] = {{"https://checks:", 10}, {"%40%2F", 10}, {"@db.example/shop", 0}};
	return append_parts(out, parts, ARRAY_COUNT(parts), err);
}

// Characters of two, three and four bytes among letters.
static int make_utf8(struct buf *out, struct err *err)
{
	static const char *const pieces[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x94\x91", "\xd0\xb6"};
	int r = 0;
	for (size_t i = 0; r == 0 && i < 8; i++) {
		r = append_letters(out, 2, err);
		if (r == 0)
			r = buf_append_text(out, pieces[i % ARRAY_COUNT(pieces)], err);
	}
	return r;
}

static int make_bytes(struct buf *out, struct err *err)
{
	uint8_t bytes[32];
	rng_fill(bytes, sizeof(bytes));
	// White space at the ends is no part of what is looked for.
	bytes[0] = 0xfe;
	bytes[sizeof(bytes) - 1] = 0x01;
	return buf_append(out, span_of(bytes, sizeof(bytes)), err);
}

const struct selftest_kind selftest_kinds[] = {
	{"letters", make_letters}, {"8 bytes", make_eight}, {"special characters", make_special},
	{"several lines", make_lines}, {"PEM", make_pem}, {"JSON", make_json}, {"URL", make_url},
	{"UTF-8", make_utf8}, {"bytes", make_bytes}, {"4 KiB", make_large},
};
const size_t selftest_kind_count = ARRAY_COUNT(selftest_kinds);
