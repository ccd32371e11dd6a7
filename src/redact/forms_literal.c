// String literals of C and its relatives, shells included where they use the same escapes.
#include "redact/forms_kinds.h"


enum literal_rest { REST_OCTAL, REST_HEX, REST_HEX_UPPER, REST_BRACES };
enum literal_wide {
	WIDE_KEEP,        // they stand for themselves; controls among them do not
	WIDE_BYTES,       // each byte by its number
	WIDE_POINTS,      // \xNN, \uNNNN, \UNNNNNNNN
	WIDE_POINTS_LONG, // never \xNN
	WIDE_PRINTED,     // those that can be printed stand for themselves, others as in WIDE_POINTS
	WIDE_PRINTED_LONG,
};

struct literal_style {
	const char *quoted;  // gets a backslash in front
	const char *letters; // controls with an escape of their own, each followed by its letter
	enum literal_rest rest;
	enum literal_wide wide;
	bool nul;       // is \0
	bool every;     // every byte is escaped
	bool is_bare;   // numbers and letters stand without quoting of backslashes: od -c
};

#define LETTERS_C "\aa\bb\ff\nn\rr\tt\vv"
#define LETTERS_PYTHON "\nn\rr\tt"
#define LETTERS_NODE "\bb\ff\nn\rr\tt"
#define LETTERS_YAML LETTERS_C "\x1b" "e"
#define LETTERS_BASH LETTERS_C "\x1b" "E"

static const struct literal_style literal_styles[] = {
	{"\"\\", LETTERS_C, REST_OCTAL, WIDE_KEEP, false, false, false},
	{"\"\\", LETTERS_C, REST_OCTAL, WIDE_BYTES, false, false, false},      // git's names
	{"\"\\", LETTERS_C, REST_HEX, WIDE_PRINTED_LONG, false, false, false}, // Go's %q
	{"\"\\", LETTERS_C, REST_HEX, WIDE_POINTS_LONG, false, false, false},  // Go's %+q
	{"\\", LETTERS_PYTHON, REST_HEX, WIDE_PRINTED, false, false, false},   // Python's repr
	{"'\\", LETTERS_PYTHON, REST_HEX, WIDE_PRINTED, false, false, false},  //
	{"\\", LETTERS_PYTHON, REST_HEX, WIDE_BYTES, false, false, false},     // of bytes
	{"'\\", LETTERS_PYTHON, REST_HEX, WIDE_BYTES, false, false, false},    //
	{"\\", LETTERS_PYTHON, REST_HEX, WIDE_POINTS, false, false, false},    // Python's ascii
	{"'\\", LETTERS_PYTHON, REST_HEX, WIDE_POINTS, false, false, false},   //
	{"\\", LETTERS_NODE, REST_HEX_UPPER, WIDE_KEEP, false, false, false},  // Node's inspect
	{"'\\", LETTERS_NODE, REST_HEX_UPPER, WIDE_KEEP, false, false, false}, //
	{"\"\\", LETTERS_PYTHON, REST_BRACES, WIDE_PRINTED, true, false, false}, // Rust's {:?}
	{"\"'\\", LETTERS_PYTHON, REST_BRACES, WIDE_POINTS, false, false, false}, // Rust's escape_default
	{"\"\\", LETTERS_YAML, REST_HEX_UPPER, WIDE_KEEP, true, false, false}, // YAML
	{"\"\\", LETTERS_YAML, REST_HEX_UPPER, WIDE_POINTS, true, false, false},
	{"\"\\$@", LETTERS_C "\x1b" "e", REST_OCTAL, WIDE_BYTES, true, false, false}, // Perl's Dumper
	{"", LETTERS_C, REST_OCTAL, WIDE_BYTES, true, false, true},                // od -c
	{"", "", REST_HEX, WIDE_BYTES, false, true, false},
	{"", "", REST_HEX_UPPER, WIDE_BYTES, false, true, false},
	{"", "", REST_OCTAL, WIDE_BYTES, false, true, false},
};

// $'...' of bash, as printf %q, declare -p and set -x write it, and the same in the locale C; fish's string escape.
static const struct literal_style literal_bash[] = {
	{"'\\", LETTERS_BASH, REST_OCTAL, WIDE_KEEP, false, false, false},
	{"'\\", LETTERS_BASH, REST_OCTAL, WIDE_BYTES, false, false, false},
	{" #$%&*()[]{}|;'\"<>?~\\", LETTERS_YAML, REST_HEX, WIDE_KEEP, false, false, false},
};

// Unicode characters that Python, Go and Rust do not print as themselves: controls, odd spaces, marks of direction,
// private use. Not all of them, but those that text has by accident.
static bool point_is_printed(uint32_t point)
{
	static const struct {
		uint32_t first;
		uint32_t last;
	} hidden[] = {{0x80, 0xa0}, {0xad, 0xad}, {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f},
		      {0x3000, 0x3000}, {0xe000, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0x10ffff}};
	size_t i = 0;
	while (i < ARRAY_COUNT(hidden) && (point < hidden[i].first || point > hidden[i].last))
		i++;
	return i == ARRAY_COUNT(hidden);
}

static enum pen_base literal_base(const struct literal_style *style)
{
	return style->rest == REST_HEX_UPPER ? PEN_HEX_UPPER : PEN_HEX;
}

static void literal_number(struct form_pen *pen, const struct literal_style *style, uint8_t byte)
{
	static const char *const before[] = {
		[REST_OCTAL] = "\\", [REST_HEX] = "\\x", [REST_HEX_UPPER] = "\\x", [REST_BRACES] = "\\u{"};
	if (!style->is_bare)
		pen_text(pen, before[style->rest]);
	if (style->rest == REST_OCTAL)
		pen_number(pen, byte, PEN_OCTAL, 3);
	else
		pen_number(pen, byte, literal_base(style), style->rest == REST_BRACES ? 1 : 2);
	if (style->rest == REST_BRACES)
		pen_byte(pen, '}');
}

static void literal_byte(struct form_pen *pen, const struct literal_style *style, uint8_t byte)
{
	const char *letter = style->letters;
	while (*letter && (uint8_t)*letter != byte)
		letter += 2;
	bool is_named = (byte == 0 && style->nul) || *letter;
	if (style->every || (!is_named && (byte < 0x20 || byte >= 0x7f))) {
		literal_number(pen, style, byte);
	} else if (is_named) {
		pen_byte(pen, '\\');
		pen_byte(pen, byte == 0 && style->nul ? '0' : (uint8_t)letter[1]);
	} else {
		if (byte_is_listed(style->quoted, byte))
			pen_byte(pen, '\\');
		pen_byte(pen, byte);
	}
}

static void literal_point(struct form_pen *pen, const struct literal_style *style, uint32_t point)
{
	bool is_long = style->wide == WIDE_POINTS_LONG || style->wide == WIDE_PRINTED_LONG;
	unsigned width = point < 0x100 && !is_long ? 2 : point < 0x10000 ? 4 : 8;
	bool braces = style->rest == REST_BRACES;
	pen_text(pen, braces ? "\\u{" : width == 2 ? "\\x" : width == 4 ? "\\u" : "\\U");
	pen_number(pen, point, literal_base(style), braces ? 1 : width);
	if (braces)
		pen_byte(pen, '}');
}

static bool literal_shows(const struct literal_style *style, uint32_t point)
{
	if (style->wide == WIDE_KEEP)
		return point >= 0xa0 && point != 0x2028 && point != 0x2029;
	return (style->wide == WIDE_PRINTED || style->wide == WIDE_PRINTED_LONG) && point_is_printed(point);
}

// One character that is not ASCII, or a byte of none.
static void literal_wide(struct form_pen *pen, const struct literal_style *style, struct span bytes, uint32_t point)
{
	// Tools that write octal numbers know bytes only.
	bool by_bytes = style->wide == WIDE_BYTES || (style->wide == WIDE_KEEP && style->rest == REST_OCTAL);
	if (point != POINT_INVALID && literal_shows(style, point)) {
		pen_bytes(pen, bytes);
	} else if (point != POINT_INVALID && !by_bytes) {
		literal_point(pen, style, point);
	} else {
		for (size_t i = 0; i < bytes.len; i++)
			literal_byte(pen, style, bytes.data[i]);
	}
}

static void literal_write(struct span text, const struct literal_style *style, bool surrogates, struct form_pen *pen)
{
	while (text.len > 0) {
		uint32_t point;
		size_t used = utf8_next(text, &point);
		if (point < 0x80)
			literal_byte(pen, style, text.data[0]);
		else if (surrogates && point == POINT_INVALID)
			literal_point(pen, style, 0xdc00u + text.data[0]);
		else
			literal_wide(pen, style, span_of(text.data, used), point);
		text = span_of(text.data + used, text.len - used);
	}
}

static int literal_each(struct form_run *run, struct span text, const struct literal_style *styles, size_t count,
			struct err *err)
{
	bool plain = span_is_plain(text);
	bool broken = !utf8_is_valid(text);
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		const struct literal_style *style = &styles[i];
		if (plain && !style->every)
			continue;
		struct form_pen pen = form_pen(run);
		literal_write(text, style, false, &pen);
		r = form_give_pen(run, &pen, err);
		// How Python keeps bytes that are no UTF-8 in a string (PEP 383).
		if (r != 0 || !broken || (style->wide != WIDE_PRINTED && style->wide != WIDE_POINTS))
			continue;
		pen = form_pen(run);
		literal_write(text, style, true, &pen);
		r = form_give_pen(run, &pen, err);
	}
	return r;
}

int form_c(struct form_run *run, struct span text, struct err *err)
{
	return literal_each(run, text, literal_styles, ARRAY_COUNT(literal_styles), err);
}

int form_shell_literal(struct form_run *run, struct span text, struct err *err)
{
	return literal_each(run, text, literal_bash, ARRAY_COUNT(literal_bash), err);
}

void form_shell_literal_write(struct form_pen *pen, struct span text, bool ascii)
{
	literal_write(text, &literal_bash[ascii], false, pen);
}
