// Forms in which shells and markup quote a text.
#include "redact/forms_kinds.h"


// ------------------------------------------------------------------------------------------------------------ shell

struct shell_style {
	const char *bytes;
	const char *with; // stands for each of these bytes; NULL: a backslash is put in front
};

static const struct shell_style shell_styles[] = {
	{"'", "'\\''"},     // sh, set -x
	{"'", "'\"'\"'"},   // Python's shlex, dash
	{"'", "''"},        // SQL, YAML, PowerShell
	{"\"", "\"\""},     // CSV
	{"\"", "\\\""},     //
	{"$", "$$"},        // make, compose
	{"\"\\", NULL},     //
	{"'\\", NULL},      // fish
	{"\"$`\\", NULL},   // declare -p and export -p of bash
};

static int shell_replace(struct form_run *run, struct span text, const struct shell_style *style, struct err *err)
{
	struct form_pen pen = form_pen(run);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];
		bool listed = byte_is_listed(style->bytes, byte);
		if (listed)
			pen_text(&pen, style->with ? style->with : "\\");
		if (!listed || !style->with)
			pen_byte(&pen, byte);
	}
	return form_give_pen(run, &pen, err);
}

static bool point_is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029 ||
	       point == POINT_INVALID;
}

// Bytes as they stand between $' and '.
static void control_write(struct form_pen *pen, struct span bytes)
{
	static const char letters[] = "\aa\bb\ff\nn\rr\tt\vv";
	for (size_t i = 0; i < bytes.len; i++) {
		const char *letter = letters;
		while (*letter && (uint8_t)*letter != bytes.data[i])
			letter += 2;
		pen_byte(pen, '\\');
		if (*letter)
			pen_byte(pen, (uint8_t)letter[1]);
		else
			pen_number(pen, bytes.data[i], PEN_OCTAL, 3);
	}
}

struct backslash_style {
	const char *special;
	const char *first;       // special where a word begins
	const char *tilde_after; // bytes behind which a word begins for ~
};

// printf %q of bash, which turns to $'...' for controls, and ${(q)} of zsh, which does so for each of them.
static const struct backslash_style backslash_styles[] = {
	{" '\"\\|&;()<>!{}*[?]^$`,", "~#", ":="},
	{" '\"\\|&;()<>{}*[?]^$`#", "=~", ""},
};

static bool backslash_is_needed(const struct backslash_style *style, uint8_t byte, uint8_t before, bool first)
{
	if (byte_is_listed(style->special, byte) || (first && byte_is_listed(style->first, byte)))
		return true;
	return byte == '~' && byte_is_listed(style->tilde_after, before);
}

static int shell_backslash(struct form_run *run, struct span text, const struct backslash_style *style, struct err *err)
{
	struct form_pen pen = form_pen(run);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];
		if (byte < 0x20 || byte == 0x7f) {
			pen_text(&pen, "$'");
			control_write(&pen, span_of(text.data + i, 1));
			pen_byte(&pen, '\'');
			continue;
		}
		if (backslash_is_needed(style, byte, i > 0 ? text.data[i - 1] : 0, i == 0))
			pen_byte(&pen, '\\');
		pen_byte(&pen, byte);
	}
	return form_give_pen(run, &pen, err);
}

// What bash's set -x makes of [[ x == "$V" ]].
static int shell_every(struct form_run *run, struct span text, struct err *err)
{
	struct form_pen pen = form_pen(run);
	while (text.len > 0) {
		uint32_t point;
		size_t used = utf8_next(text, &point);
		pen_byte(&pen, '\\');
		pen_bytes(&pen, span_of(text.data, used));
		text = span_of(text.data + used, text.len - used);
	}
	return form_give_pen(run, &pen, err);
}

// ls and printf of coreutils: '...' with what cannot be printed in $'...' between.
static int shell_alternate(struct form_run *run, struct span text, bool ascii, struct err *err)
{
	struct form_pen pen = form_pen(run);
	bool escaped = false;
	while (text.len > 0) {
		uint32_t point;
		size_t used = utf8_next(text, &point);
		bool escape = point_is_control(point) || (ascii && point >= 0x80);
		if (escape != escaped)
			pen_text(&pen, escape ? "'$'" : "''");
		escaped = escape;
		if (escape)
			control_write(&pen, span_of(text.data, used));
		else if (point == '\'')
			pen_text(&pen, "'\\''");
		else
			pen_bytes(&pen, span_of(text.data, used));
		text = span_of(text.data + used, text.len - used);
	}
	return form_give_pen(run, &pen, err);
}

// Where bash's set -x quotes a word: sh_contains_shell_metas.
static const struct backslash_style word_style = {"'\"\\|&;()<>!{}*[?]^$`", "~#", ":="};

// What bash puts in front of the word; behind it stands an apostrophe then.
static const char *word_quote(struct span word, bool ascii)
{
	if (word.len == 1 && word.data[0] == '\'')
		return "";
	for (size_t i = 0; i < word.len; i++)
		if (backslash_is_needed(&word_style, word.data[i], i > 0 ? word.data[i - 1] : 0, i == 0))
			return "'";
	while (word.len > 0) {
		uint32_t point;
		size_t used = utf8_next(word, &point);
		if (point_is_control(point) || (ascii && point >= 0x80))
			return "$'";
		word = span_of(word.data + used, word.len - used);
	}
	return "";
}

static void word_write(struct form_pen *pen, struct span word, const char *quote, bool ascii)
{
	if (*quote == '$') {
		form_shell_literal_write(pen, word, ascii);
		return;
	}
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] == '\'')
			pen_text(pen, *quote ? "'\\''" : "\\'");
		else
			pen_byte(pen, word.data[i]);
	}
}

static struct span word_take(struct span *rest)
{
	size_t len = 0;
	while (len < rest->len && !byte_is_listed(" \t\n", rest->data[len]))
		len++;
	struct span word = span_of(rest->data, len);
	len += len < rest->len;
	*rest = span_of(rest->data + len, rest->len - len);
	return word;
}

// What bash's set -x makes of $V without quotes around it: each word is quoted by its own need. The quotes at both ends
// are left out.
static int shell_words(struct form_run *run, struct span text, bool ascii, struct err *err)
{
	struct form_pen pen = form_pen(run);
	const char *quote = NULL;
	while (text.len > 0) {
		struct span word = word_take(&text);
		if (word.len == 0)
			continue;
		const char *before = quote;
		quote = word_quote(word, ascii);
		if (before) {
			pen_text(&pen, *before ? "' " : " ");
			pen_text(&pen, quote);
		}
		word_write(&pen, word, quote, ascii);
	}
	return form_give_pen(run, &pen, err);
}

int form_shell(struct form_run *run, struct span text, struct err *err)
{
	int r = shell_every(run, text, err);
	if (r != 0 || span_is_plain(text))
		return r;
	r = form_shell_literal(run, text, err);
	for (size_t i = 0; i < ARRAY_COUNT(shell_styles) && r == 0; i++)
		r = shell_replace(run, text, &shell_styles[i], err);
	for (size_t i = 0; i < ARRAY_COUNT(backslash_styles) && r == 0; i++)
		r = shell_backslash(run, text, &backslash_styles[i], err);
	if (r == 0)
		r = shell_alternate(run, text, false, err);
	if (r == 0)
		r = shell_alternate(run, text, true, err);
	if (r == 0)
		r = shell_words(run, text, false, err);
	if (r == 0)
		r = shell_words(run, text, true, err);
	return r;
}

// -------------------------------------------------------------------------------------------------------------- xml

enum xml_number { XML_KEPT, XML_DECIMAL, XML_HEX, XML_HEX_UPPER };

static const enum pen_base xml_bases[] = {
	[XML_DECIMAL] = PEN_DECIMAL, [XML_HEX] = PEN_HEX, [XML_HEX_UPPER] = PEN_HEX_UPPER};

struct xml_style {
	const char *greater; // what stands for >, " and '; NULL: itself
	const char *quote;
	const char *apostrophe;
	enum xml_number special; // & < > " ' by number, whatever the texts above say
	enum xml_number control; // newline, carriage return, tab
	enum xml_number wide;    // characters that are not ASCII
	bool every;              // every byte as `special`
};

static const struct xml_style xml_styles[] = {
	{"&gt;", NULL, NULL, 0, 0, 0, false},
	{NULL, NULL, NULL, 0, 0, 0, false},
	{"&gt;", "&quot;", NULL, 0, 0, 0, false},
	{"&gt;", "&quot;", "&apos;", 0, 0, 0, false},
	{"&gt;", "&quot;", "&#39;", 0, 0, 0, false},               // Django, JavaScript
	{"&gt;", "&quot;", "&#x27;", 0, 0, 0, false},              // Python's html.escape
	{"&gt;", "&quot;", "&#039;", 0, 0, 0, false},              // PHP
	{"&gt;", "&#34;", "&#39;", 0, 0, 0, false},                // Go's html, Jinja
	{"&gt;", "&#34;", "&#39;", 0, XML_HEX_UPPER, 0, false},    // Go's xml
	{"&gt;", "&quot;", NULL, 0, XML_DECIMAL, 0, false},        // attributes: libxml2
	{NULL, "&quot;", NULL, 0, XML_HEX_UPPER, 0, false},        // canonical XML
	{"&gt;", NULL, NULL, 0, 0, XML_DECIMAL, false},            // Python's xmlcharrefreplace
	{"&gt;", "&quot;", NULL, 0, XML_DECIMAL, XML_DECIMAL, false},
	{"&gt;", "&quot;", "&#x27;", 0, 0, XML_DECIMAL, false},
	{"&gt;", "&quot;", NULL, 0, 0, XML_HEX_UPPER, false},
	{NULL, NULL, NULL, XML_DECIMAL, 0, 0, false},
	{NULL, NULL, NULL, XML_HEX, 0, 0, false},
	{NULL, NULL, NULL, XML_HEX_UPPER, 0, 0, false},
	{NULL, NULL, NULL, XML_DECIMAL, 0, 0, true},
	{NULL, NULL, NULL, XML_HEX, 0, 0, true},
	{NULL, NULL, NULL, XML_HEX_UPPER, 0, 0, true},
};

static void xml_number(struct form_pen *pen, enum xml_number number, uint32_t point)
{
	pen_text(pen, number == XML_DECIMAL ? "&#" : "&#x");
	pen_number(pen, point, xml_bases[number], 1);
	pen_byte(pen, ';');
}

static const char *xml_entity(const struct xml_style *style, uint32_t point)
{
	switch (point) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return style->greater;
	case '"':
		return style->quote;
	case '\'':
		return style->apostrophe;
	default:
		return NULL;
	}
}

static enum xml_number xml_number_of(const struct xml_style *style, uint32_t point)
{
	if (point >= 0x80)
		return point == POINT_INVALID ? XML_KEPT : style->wide;
	if (point == '\n' || point == '\r' || point == '\t')
		return style->control;
	return byte_is_listed("&<>\"'", point) ? style->special : XML_KEPT;
}

static void xml_write(struct span text, const struct xml_style *style, struct form_pen *pen)
{
	while (text.len > 0) {
		uint32_t point = text.data[0];
		size_t used = style->every ? 1 : utf8_next(text, &point);
		enum xml_number number = style->every ? style->special : xml_number_of(style, point);
		const char *entity = number == XML_KEPT ? xml_entity(style, point) : NULL;
		if (number != XML_KEPT)
			xml_number(pen, number, point);
		else if (entity)
			pen_text(pen, entity);
		for (size_t i = 0; i < used && number == XML_KEPT && !entity; i++)
			pen_byte(pen, text.data[i]);
		text = span_of(text.data + used, text.len - used);
	}
}

int form_xml(struct form_run *run, struct span text, struct err *err)
{
	bool plain = span_is_plain(text);
	int r = 0;
	for (size_t i = 0; i < ARRAY_COUNT(xml_styles) && r == 0; i++) {
		if (plain && !xml_styles[i].every)
			continue;
		struct form_pen pen = form_pen(run);
		xml_write(text, &xml_styles[i], &pen);
		r = form_give_pen(run, &pen, err);
	}
	return r;
}
