// Forms in which a programming language or a document writes a text: percent, JSON, and the string literals of C and its
// relatives. Each is a table of the ways in which common tools differ; ways that come out the same for a value are made
// once, by form_give.
#include "redact/forms_kinds.h"


// Letters, digits, and what stands for itself in all of these forms.
bool span_is_plain(struct span text)
{
	size_t i = 0;
	while (i < text.len && (byte_is_word(text.data[i]) || text.data[i] == '-' || text.data[i] == '.'))
		i++;
	return i == text.len;
}

// ---------------------------------------------------------------------------------------------------------- percent

struct percent_style {
	const char *keep; // besides letters, digits and _; NULL: every byte is escaped
	bool plus;        // for a space
};

static const struct percent_style percent_styles[] = {
	{"-.~", false},                  // RFC 3986 unreserved: curl, most languages
	{"-.~", true},                   // forms: Python's quote_plus, Go
	{"-.~/", false},                 // Python's quote
	{"-.~!'()*", false},             // encodeURIComponent
	{"-.~!'()*", true},              //
	{"-.~/", true},                  //
	{"*-.", true},                   // URLSearchParams, Java
	{"-.", true},                    // PHP's urlencode
	{"-.~!'()*;,/?:@&=+$#", false},  // encodeURI
	{"-.~$&+,;=", false},            // userinfo in Go
	{"-.~$&+:=@", false},            // a path segment in Go
	{"-.~!$%&'()*+,", false},        // userinfo in URL of JavaScript and Rust
	{NULL, false},
};

static bool percent_keeps(const struct percent_style *style, uint8_t byte)
{
	if (!style->keep)
		return false;
	return byte_is_word(byte) || byte_is_listed(style->keep, byte);
}

static void percent_write(struct span text, const struct percent_style *style, bool upper, struct form_pen *pen)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];
		if (percent_keeps(style, byte)) {
			pen_byte(pen, byte);
		} else if (style->plus && byte == ' ') {
			pen_byte(pen, '+');
		} else {
			pen_byte(pen, '%');
			pen_number(pen, byte, upper ? PEN_HEX_UPPER : PEN_HEX, 2);
		}
	}
}

int form_percent(struct form_run *run, struct span text, struct err *err)
{
	bool plain = span_is_plain(text);
	int r = 0;
	for (size_t i = 0; i < 2 * ARRAY_COUNT(percent_styles) && r == 0; i++) {
		const struct percent_style *style = &percent_styles[i / 2];
		if (plain && style->keep)
			continue;
		struct form_pen pen = form_pen(run);
		percent_write(text, style, i % 2 == 0, &pen);
		r = form_give_pen(run, &pen, err);
	}
	return r;
}

// ------------------------------------------------------------------------------------------------------------- JSON

struct json_style {
	const char *numbered; // characters written as \uXXXX, besides controls
	bool slash;           // as \/
	bool ascii;           // everything else is numbered
	bool no_letters;      // \b and \f are numbered
	bool del;             // is numbered
	bool separators;      // U+2028 and U+2029 are numbered
	bool upper;
};

static const struct json_style json_styles[] = {
	{.numbered = ""},                                                          // JavaScript
	{.numbered = "", .del = true},                                             // jq
	{.numbered = "", .ascii = true, .del = true},                              // Python
	{.numbered = "", .ascii = true},                                           // Perl
	{.numbered = "", .slash = true},                                           //
	{.numbered = "", .slash = true, .ascii = true},                            // PHP
	{.numbered = "<>&", .separators = true},                                   // Go
	{.numbered = "<>&", .separators = true, .no_letters = true},               // Go before 1.22
	{.numbered = "<>&'", .separators = true},                                  //
	{.numbered = "<>&'=", .separators = true},                                 // Gson
	{.numbered = "<>&'", .ascii = true},                                       //
	{.numbered = "<>&'", .ascii = true, .upper = true},                        //
	{.numbered = "<>&'+`\"", .ascii = true, .del = true, .upper = true},       // .NET
};

static void json_byte(struct form_pen *pen, const struct json_style *style, bool twice, uint8_t byte)
{
	if (twice && (byte == '"' || byte == '\\' || (style->slash && byte == '/')))
		pen_byte(pen, '\\');
	pen_byte(pen, byte);
}

static void json_number(struct form_pen *pen, const struct json_style *style, bool twice, uint32_t unit)
{
	json_byte(pen, style, twice, '\\');
	pen_byte(pen, 'u');
	pen_number(pen, unit, style->upper ? PEN_HEX_UPPER : PEN_HEX, 4);
}

static bool json_is_numbered(const struct json_style *style, uint32_t point)
{
	if (point == 0x7f)
		return style->del;
	if (point >= 0x80)
		return style->ascii || (style->separators && (point == 0x2028 || point == 0x2029));
	return point < 0x20 || byte_is_listed(style->numbered, point);
}

// The letter of a short escape, or 0.
static uint8_t json_letter(const struct json_style *style, uint32_t point)
{
	switch (point) {
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	case '\b':
		return style->no_letters ? 0 : 'b';
	case '\f':
		return style->no_letters ? 0 : 'f';
	case '/':
		return style->slash ? '/' : 0;
	case '"':
		return byte_is_listed(style->numbered, '"') ? 0 : '"';
	case '\\':
		return '\\';
	default:
		return 0;
	}
}

static void json_write(struct span text, const struct json_style *style, bool twice, struct form_pen *pen)
{
	while (text.len > 0) {
		uint32_t point;
		size_t used = utf8_next(text, &point);
		uint8_t letter = json_letter(style, point);
		if (letter) {
			json_byte(pen, style, twice, '\\');
			json_byte(pen, style, twice, letter);
		} else if (point == POINT_INVALID && style->ascii) {
			// How Python keeps such a byte of an environment variable (PEP 383).
			json_number(pen, style, twice, 0xdc00u + text.data[0]);
		} else if (point == POINT_INVALID || !json_is_numbered(style, point)) {
			for (size_t i = 0; i < used; i++)
				json_byte(pen, style, twice, text.data[i]);
		} else if (point < 0x10000) {
			json_number(pen, style, twice, point);
		} else {
			json_number(pen, style, twice, 0xd800 + ((point - 0x10000) >> 10));
			json_number(pen, style, twice, 0xdc00 + ((point - 0x10000) & 0x3ff));
		}
		text = span_of(text.data + used, text.len - used);
	}
}

int form_json(struct form_run *run, struct span text, struct err *err)
{
	if (span_is_plain(text))
		return 0;
	int r = 0;
	for (size_t i = 0; i < 2 * ARRAY_COUNT(json_styles) && r == 0; i++) {
		struct form_pen pen = form_pen(run);
		json_write(text, &json_styles[i / 2], i % 2 == 1, &pen);
		r = form_give_pen(run, &pen, err);
	}
	return r;
}
