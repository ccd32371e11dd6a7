#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Writes the inert form of one byte; returns its length (1 to 4), no NUL.
static size_t text_escape_byte(uint8_t byte, char out[4])
{
	static const char hex[] = "0123456789abcdef";
	static const struct {
		uint8_t byte;
		char letter;
	} named[] = {{'\n', 'n'}, {'\t', 't'}, {'\r', 'r'}, {'\\', '\\'}};
	out[0] = '\\';
	for (size_t i = 0; i < ARRAY_COUNT(named); i++)
		if (byte == named[i].byte) {
			out[1] = named[i].letter;
			return 2;
		}
	if (byte >= 0x20 && byte < 0x7f) {
		out[0] = (char)byte;
		return 1;
	}
	out[1] = 'x';
	out[2] = hex[byte >> 4];
	out[3] = hex[byte & 15];
	return 4;
}

int text_printable(struct span text, struct buf *out, struct err *err)
{
	for (size_t i = 0; i < text.len; i++) {
		char escaped[4];
		size_t len = text_escape_byte(text.data[i], escaped);
		int r = buf_append(out, span_of(escaped, len), err);
		if (r < 0)
			return r;
	}
	return 0;
}

// Whether the inert form and its NUL fit into out_bytes. Stops early: texts can be long.
static bool text_fits(struct span text, size_t out_bytes)
{
	size_t used = 1;
	for (size_t i = 0; i < text.len && used <= out_bytes; i++) {
		char escaped[4];
		used += text_escape_byte(text.data[i], escaped);
	}
	return used <= out_bytes;
}

int text_inert(const char *text, char quote, struct buf *out, struct err *err)
{
	int r = 0;
	for (const char *at = text; r == 0 && *at; at++) {
		if (*at == ' ' && at > text && at[-1] == ' ')
			r = buf_append_text(out, "\\x20", err);
		else if (quote && *at == quote)
			r = buf_printf(out, err, "\\%c", quote);
		else
			r = text_printable(span_of(at, 1), out, err);
	}
	return r;
}

const char *text_brief(struct span text, char *out, size_t out_bytes)
{
	size_t used = 0;
	// What stays free behind the text: the NUL, or "..." and the NUL.
	size_t behind = text_fits(text, out_bytes) ? 1 : 4;
	for (size_t i = 0; i < text.len; i++) {
		char escaped[4];
		size_t len = text_escape_byte(text.data[i], escaped);
		if (used + len + behind > out_bytes) {
			memcpy(out + used, "...", 4);
			return out;
		}
		memcpy(out + used, escaped, len);
		used += len;
	}
	out[used] = 0;
	return out;
}

// One byte of a path as it stands in the quoted word; as text of printf(1) where `is_format` is set.
static size_t path_quote_byte(uint8_t c, bool is_format, char out[5])
{
	if (is_format && (c < 0x20 || c > 0x7e || c == '\'' || c == '\\'))
		return (size_t)snprintf(out, 5, "\\%03o", c);
	if (is_format && c == '%')
		return (size_t)snprintf(out, 5, "%%%%");
	if (c == '\'')
		return (size_t)snprintf(out, 5, "'\\''");
	out[0] = (char)c;
	return 1;
}

const char *path_quote(const char *path, char *out, size_t out_bytes)
{
	bool is_format = false;
	for (const char *at = path; *at; at++)
		is_format = is_format || (uint8_t)*at < 0x20 || (uint8_t)*at > 0x7e;
	const char *before = is_format ? "\"$(printf '" : "'";
	const char *behind = is_format ? "')\"" : "'";
	int begun = snprintf(out, out_bytes, "%s%s", before, path[0] == '-' ? "./" : "");
	size_t used = begun < 0 ? out_bytes : (size_t)begun;
	for (const char *at = path; *at && used < out_bytes; at++) {
		char quoted[5];
		size_t len = path_quote_byte((uint8_t)*at, is_format, quoted);
		if (used + len < out_bytes)
			memcpy(out + used, quoted, len);
		used += len;
	}
	if (used + strlen(behind) < out_bytes)
		memcpy(out + used, behind, strlen(behind) + 1);
	else
		snprintf(out, out_bytes, "PATH");
	return out;
}

bool release_is_before(const char *release, unsigned major, unsigned minor)
{
	char *rest = NULL;
	unsigned long has_major = strtoul(release, &rest, 10);
	unsigned long has_minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
	return has_major < major || (has_major == major && has_minor < minor);
}

int text_parse_u64(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *out, struct err *err)
{
	uint64_t value = 0;
	bool ok = text[0] != 0;
	for (const char *at = text; ok && *at; at++) {
		ok = *at >= '0' && *at <= '9' && !__builtin_mul_overflow(value, 10, &value) &&
		     !__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value);
	}
	if (!ok || value < min || value > max)
		return err_set(err, ERR_USAGE, "%s must be a whole number from %llu to %llu", what, (unsigned long long)min,
			       (unsigned long long)max);
	*out = value;
	return 0;
}

static bool byte_is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool name_is_valid(struct span name)
{
	if (name.len == 0 || name.len > NAME_BYTES_MAX)
		return false;
	size_t in_segment = 0;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];
		if (c == '/') {
			if (in_segment == 0)
				return false;
			in_segment = 0;
			continue;
		}
		bool ok = byte_is_alnum(c) || (in_segment > 0 && (c == '.' || c == '_' || c == '-'));
		if (!ok || ++in_segment > NAME_SEGMENT_BYTES_MAX)
			return false;
	}
	return in_segment > 0;
}

int name_check(const char *name, struct err *err)
{
	if (name_is_valid(span_text(name)))
		return 0;
	// What was given is not repeated: it may be a value that was typed where a name belongs, as in NAME=VALUE.
	return err_set(err, ERR_USAGE,
		       "what was given cannot be the name of a secret: letters, digits, '.', '_' and '-', a letter or digit "
		       "first, '/' between parts");
}

bool variable_is_valid(struct span name)
{
	if (name.len == 0 || name.len > NAME_BYTES_MAX || (name.data[0] >= '0' && name.data[0] <= '9'))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!byte_is_alnum(name.data[i]) && name.data[i] != '_')
			return false;
	return true;
}
