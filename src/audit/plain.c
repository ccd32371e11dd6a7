#include "audit/audit_internal.h"

#include <string.h>

// Verification would spend most of its time in the JSON parser, which builds a tree that nobody looks at. This
// recognises the JSON that records are made of without building anything. It takes less than the parser takes, never
// more: what it does not know (\u escapes, reals, long integers, many members, deep nesting) it leaves to the parser.

#define PLAIN_DEPTH_MAX 8
#define PLAIN_MEMBERS_MAX 32
// All of these fit in 64 bits.
#define PLAIN_DIGITS_MAX 18

struct scanner {
	const uint8_t *at;
	const uint8_t *end;
};

static bool scan_value(struct scanner *s, int depth);

static bool scan_byte(struct scanner *s, uint8_t byte)
{
	if (s->at == s->end || *s->at != byte)
		return false;
	s->at++;
	return true;
}

static bool scan_word(struct scanner *s, struct span word)
{
	if (!span_has_prefix(span_of(s->at, (size_t)(s->end - s->at)), word))
		return false;
	s->at += word.len;
	return true;
}

static bool byte_is_plain(uint8_t byte)
{
	return byte >= 0x20 && byte <= 0x7e;
}

// A member's name: escapes would give one name several spellings.
static bool scan_name(struct scanner *s, struct span *out)
{
	if (!scan_byte(s, '"'))
		return false;
	const uint8_t *start = s->at;
	while (s->at < s->end && byte_is_plain(*s->at) && *s->at != '"' && *s->at != '\\')
		s->at++;
	*out = span_of(start, (size_t)(s->at - start));
	return out->len > 0 && scan_byte(s, '"');
}

static bool scan_string(struct scanner *s)
{
	if (!scan_byte(s, '"'))
		return false;
	for (; s->at < s->end && *s->at != '"'; s->at++) {
		if (!byte_is_plain(*s->at))
			return false;
		if (*s->at == '\\' && (++s->at == s->end || *s->at == 0 || !strchr("\"\\/bfnrt", *s->at)))
			return false;
	}
	return scan_byte(s, '"');
}

static bool scan_integer(struct scanner *s)
{
	scan_byte(s, '-');
	const uint8_t *start = s->at;
	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	size_t digits = (size_t)(s->at - start);
	bool is_real = s->at < s->end && (*s->at == '.' || *s->at == 'e' || *s->at == 'E');
	return digits > 0 && digits <= PLAIN_DIGITS_MAX && (*start != '0' || digits == 1) && !is_real;
}

static bool scan_array(struct scanner *s, int depth)
{
	if (!scan_byte(s, '['))
		return false;
	if (scan_byte(s, ']'))
		return true;
	do {
		if (!scan_value(s, depth))
			return false;
	} while (scan_byte(s, ','));
	return scan_byte(s, ']');
}

static bool scan_object(struct scanner *s, int depth)
{
	struct span names[PLAIN_MEMBERS_MAX];
	size_t count = 0;
	if (!scan_byte(s, '{'))
		return false;
	if (scan_byte(s, '}'))
		return true;
	do {
		if (count == PLAIN_MEMBERS_MAX || !scan_name(s, &names[count]))
			return false;
		for (size_t i = 0; i < count; i++)
			if (span_is_equal(names[i], names[count]))
				return false;
		count++;
		if (!scan_byte(s, ':') || !scan_value(s, depth))
			return false;
	} while (scan_byte(s, ','));
	return scan_byte(s, '}');
}

static bool scan_value(struct scanner *s, int depth)
{
	if (s->at == s->end || depth == 0)
		return false;
	switch (*s->at) {
	case '{':
		return scan_object(s, depth - 1);
	case '[':
		return scan_array(s, depth - 1);
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, SPAN_LITERAL("true"));
	case 'f':
		return scan_word(s, SPAN_LITERAL("false"));
	case 'n':
		return scan_word(s, SPAN_LITERAL("null"));
	default:
		return scan_integer(s);
	}
}

bool line_is_plain_json(struct span line)
{
	struct scanner scanner = {line.data, line.data + line.len};
	return scan_object(&scanner, PLAIN_DEPTH_MAX) && scanner.at == scanner.end;
}
