// Parts of a value that are secrets of their own: its lines, the body of a PEM block, the password in a URL.
#include "redact/forms_kinds.h"

#include <string.h>

#define PEM_BEGIN SPAN_LITERAL("-----BEGIN ")
#define PEM_END SPAN_LITERAL("-----END ")
#define PEM_DASHES SPAN_LITERAL("-----")

static struct span span_from(struct span text, size_t offset)
{
	return span_of(text.data + offset, text.len - offset);
}

// Offset of the first `part`; the length of the text when there is none.
static size_t span_find(struct span text, struct span part)
{
	const uint8_t *at = text.len > 0 ? memmem(text.data, text.len, part.data, part.len) : NULL;
	return at ? (size_t)(at - text.data) : text.len;
}

// ------------------------------------------------------------------------------------------------------------ lines

int lines_give(struct form_run *run, struct span text, struct err *err)
{
	struct span rest = span_trim(text);
	if (rest.len == 0 || !memchr(rest.data, '\n', rest.len))
		return 0;
	int r = 0;
	while (rest.len > 0 && r == 0) {
		struct span line = span_trim(span_take_line(&rest));
		if (!span_has_prefix(line, PEM_BEGIN) && !span_has_prefix(line, PEM_END))
			r = form_give(run, line, err);
	}
	return r;
}

int form_line(struct form_run *run, struct span text, struct err *err)
{
	// Braces and keys would be masked everywhere; the strings of a document are the form "leaf".
	return json_is_document(text) ? 0 : lines_give(run, text, err);
}

// -------------------------------------------------------------------------------------------------------------- PEM

static bool byte_is_base64(uint8_t byte)
{
	return (byte_is_word(byte) && byte != '_') || byte == '+' || byte == '/' || byte == '=';
}

// Cuts the next run of base64 letters off *rest; empty at the end. Line ends may be escaped, as they are in a variable
// of the environment: then the letter behind the backslash belongs to neither line.
static struct span pem_take_run(struct span *rest)
{
	size_t from = 0;
	while (from < rest->len && !byte_is_base64(rest->data[from])) {
		bool escape = rest->data[from] == '\\' && from + 1 < rest->len;
		bool letter = escape && (rest->data[from + 1] == 'n' || rest->data[from + 1] == 'r');
		from += letter ? 2 : 1;
	}
	size_t to = from;
	while (to < rest->len && byte_is_base64(rest->data[to]))
		to++;
	struct span run = span_of(rest->data + from, to - from);
	*rest = span_from(*rest, to);
	return run;
}

// Headers ("DEK-Info: ...") end with the line that has the last colon: base64 has none.
static struct span pem_skip_headers(struct span body)
{
	const uint8_t *colon = body.len > 0 ? memrchr(body.data, ':', body.len) : NULL;
	if (!colon)
		return body;
	struct span rest = span_from(body, (size_t)(colon - body.data));
	size_t line = span_find(rest, SPAN_LITERAL("\n"));
	size_t escaped = span_find(rest, SPAN_LITERAL("\\n"));
	return span_from(rest, line < escaped ? line : escaped);
}

static int pem_give_body(struct form_run *run, struct span body, size_t used, struct err *err)
{
	struct form_pen pen = form_pen_behind(run, used);
	struct span rest = pem_skip_headers(body);
	int r = 0;
	while (rest.len > 0 && r == 0) {
		struct span line = pem_take_run(&rest);
		for (size_t i = 0; i < line.len; i++)
			pen_byte(&pen, line.data[i]);
		r = form_give(run, line, err);
	}
	return r != 0 ? r : form_give_pen(run, &pen, err);
}

int pem_give(struct form_run *run, struct span text, size_t used, struct err *err)
{
	int r = 0;
	while (r == 0) {
		size_t begin = span_find(text, PEM_BEGIN);
		if (begin == text.len)
			return 0;
		text = span_from(text, begin + PEM_BEGIN.len);
		size_t label = span_find(text, PEM_DASHES);
		if (label == text.len)
			return 0;
		text = span_from(text, label + PEM_DASHES.len);
		size_t end = span_find(text, PEM_END);
		r = pem_give_body(run, span_of(text.data, end), used, err);
		text = span_from(text, end);
	}
	return r;
}

int form_pem(struct form_run *run, struct span text, struct err *err)
{
	return pem_give(run, text, 0, err);
}

// -------------------------------------------------------------------------------------------------------------- URL

static void percent_decode(struct span text, struct form_pen *pen)
{
	for (size_t i = 0; i < text.len; i++) {
		bool escape = text.data[i] == '%' && i + 2 < text.len;
		int high = escape ? hex_digit(text.data[i + 1]) : -1;
		int low = escape ? hex_digit(text.data[i + 2]) : -1;
		bool valid = high >= 0 && low >= 0;
		pen_byte(pen, valid ? (uint8_t)((unsigned)high << 4 | (unsigned)low) : text.data[i]);
		i += valid ? 2 : 0;
	}
}

// "user:password", as it stands in the URL. Basic authentication (RFC 7617) sends the base64 of it, decoded.
static int url_give(struct form_run *run, struct span userinfo, struct err *err)
{
	const uint8_t *colon = userinfo.len > 0 ? memchr(userinfo.data, ':', userinfo.len) : NULL;
	if (!colon)
		return 0;
	size_t user = (size_t)(colon - userinfo.data);
	struct span password = span_from(userinfo, user + 1);
	struct form_pen pen = form_pen(run);
	percent_decode(span_of(userinfo.data, user), &pen);
	pen_byte(&pen, ':');
	size_t from = pen.len;
	percent_decode(password, &pen);
	if (pen.is_full)
		return 0;
	int r = form_give(run, password, err);
	if (r == 0)
		r = form_give(run, span_of(pen.data + from, pen.len - from), err);
	if (r != 0 || password.len == 0)
		return r;
	struct form_pen basic = form_pen_behind(run, pen.len);
	form_base64_core(span_of(pen.data, pen.len), 0, &basic);
	return form_give_pen(run, &basic, err);
}

// What stands between :// and the host; empty when there is no @. The last @ counts, as in the URL standard.
static struct span url_userinfo(struct span text)
{
	size_t end = 0;
	while (end < text.len && text.data[end] != 0 && !strchr("/?#\"<>", text.data[end]) &&
	       !byte_is_space(text.data[end]))
		end++;
	const uint8_t *at = end > 0 ? memrchr(text.data, '@', end) : NULL;
	return span_of(text.data, at ? (size_t)(at - text.data) : 0);
}

int form_url(struct form_run *run, struct span text, struct err *err)
{
	static const struct span mark = SPAN_LITERAL("://");
	int r = 0;
	for (size_t at = span_find(text, mark); at < text.len && r == 0; at = span_find(text, mark)) {
		bool scheme = at > 0 && byte_is_word(text.data[at - 1]);
		text = span_from(text, at + mark.len);
		if (scheme)
			r = url_give(run, url_userinfo(text), err);
	}
	return r;
}
