// The strings in a JSON document.
#include "redact/forms_kinds.h"

#include <string.h>

#define JSON_DEPTH_MAX 512
// A document in a string of a document, and so on.
#define JSON_NESTED_MAX 3

static struct span span_skip(struct span text, size_t bytes)
{
	return span_of(text.data + bytes, text.len - bytes);
}

static struct span skip_space(struct span text)
{
	while (text.len > 0 && byte_is_space(text.data[0]))
		text = span_skip(text, 1);
	return text;
}

// Cuts a string off *rest, which begins with its quote, and gives what is between the quotes. False when it has no end.
static bool take_string(struct span *rest, struct span *ret_inner)
{
	size_t end = 1;
	while (end < rest->len && rest->data[end] != '"')
		end += rest->data[end] == '\\' ? 2 : 1;
	if (end >= rest->len)
		return false;
	*ret_inner = span_of(rest->data + 1, end - 1);
	*rest = span_skip(*rest, end + 1);
	return true;
}

// --------------------------------------------------------------------------------------------- is it a document at all

enum json_wants {
	JSON_VALUE,
	JSON_VALUE_OR_END, // of an array
	JSON_KEY,
	JSON_KEY_OR_END, // of an object
	JSON_COLON,
	JSON_COMMA_OR_END,
	JSON_NOTHING,
};

struct json_walk {
	struct span rest;
	enum json_wants wants;
	size_t depth;
	bool is_object[JSON_DEPTH_MAX]; // by depth
};

static bool walk_open(struct json_walk *walk, bool is_object)
{
	if (walk->depth == JSON_DEPTH_MAX)
		return false;
	walk->is_object[walk->depth++] = is_object;
	walk->wants = is_object ? JSON_KEY_OR_END : JSON_VALUE_OR_END;
	walk->rest = span_skip(walk->rest, 1);
	return true;
}

static bool walk_close(struct json_walk *walk, bool is_object)
{
	if (walk->depth == 0 || walk->is_object[walk->depth - 1] != is_object)
		return false;
	walk->depth--;
	walk->wants = walk->depth > 0 ? JSON_COMMA_OR_END : JSON_NOTHING;
	walk->rest = span_skip(walk->rest, 1);
	return true;
}

// A number, true, false, null: told by their bytes only, which is enough to tell documents from other texts.
static bool walk_word(struct json_walk *walk)
{
	size_t len = 0;
	while (len < walk->rest.len && (byte_is_word(walk->rest.data[len]) || (walk->rest.data[len] != 0 &&
	       strchr("+-.", walk->rest.data[len]))))
		len++;
	struct span word = span_of(walk->rest.data, len);
	bool number = len > 0 && (word.data[0] == '-' || (word.data[0] >= '0' && word.data[0] <= '9'));
	walk->rest = span_skip(walk->rest, len);
	return number || span_is_equal(word, SPAN_LITERAL("true")) || span_is_equal(word, SPAN_LITERAL("false")) ||
	       span_is_equal(word, SPAN_LITERAL("null"));
}

static bool walk_value(struct json_walk *walk)
{
	uint8_t byte = walk->rest.data[0];
	if (byte == '{' || byte == '[')
		return walk_open(walk, byte == '{');
	struct span inner;
	walk->wants = JSON_COMMA_OR_END;
	return byte == '"' ? take_string(&walk->rest, &inner) : walk_word(walk);
}

static bool walk_step(struct json_walk *walk)
{
	uint8_t byte = walk->rest.data[0];
	bool in_object = walk->depth > 0 && walk->is_object[walk->depth - 1];
	struct span inner;
	switch (walk->wants) {
	case JSON_VALUE_OR_END:
		return byte == ']' ? walk_close(walk, false) : walk_value(walk);
	case JSON_VALUE:
		return walk_value(walk);
	case JSON_KEY_OR_END:
		if (byte == '}')
			return walk_close(walk, true);
		walk->wants = JSON_COLON;
		return byte == '"' && take_string(&walk->rest, &inner);
	case JSON_KEY:
		walk->wants = JSON_COLON;
		return byte == '"' && take_string(&walk->rest, &inner);
	case JSON_COLON:
		walk->wants = JSON_VALUE;
		walk->rest = span_skip(walk->rest, 1);
		return byte == ':';
	case JSON_COMMA_OR_END:
		if (byte != ',')
			return walk_close(walk, byte == '}') && (byte == '}' || byte == ']');
		walk->wants = in_object ? JSON_KEY : JSON_VALUE;
		walk->rest = span_skip(walk->rest, 1);
		return true;
	case JSON_NOTHING:
		return false;
	}
	return false;
}

bool json_is_document(struct span text)
{
	struct json_walk walk = {.rest = span_trim(text), .wants = JSON_VALUE};
	if (walk.rest.len == 0 || (walk.rest.data[0] != '{' && walk.rest.data[0] != '['))
		return false;
	bool good = true;
	while (good && walk.rest.len > 0) {
		good = walk_step(&walk);
		walk.rest = skip_space(walk.rest);
	}
	return good && walk.wants == JSON_NOTHING;
}

// ----------------------------------------------------------------------------------------------------------- decoding

// The number of \uXXXX at the start of the text; negative when there is none.
static int32_t unit_at(struct span text)
{
	if (text.len < 6 || text.data[0] != '\\' || text.data[1] != 'u')
		return -1;
	int32_t unit = 0;
	for (size_t i = 2; i < 6; i++) {
		int digit = hex_digit(text.data[i]);
		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static void utf8_write(struct form_pen *pen, uint32_t point)
{
	if (point < 0x80) {
		pen_byte(pen, (uint8_t)point);
		return;
	}
	static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};
	unsigned more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
	pen_byte(pen, (uint8_t)(leads[more] | point >> 6 * more));
	while (more-- > 0)
		pen_byte(pen, (uint8_t)(0x80 | (point >> 6 * more & 0x3f)));
}

// Decodes the escape at the start of the text and returns its length.
static size_t decode_escape(struct span text, struct form_pen *pen)
{
	static const char letters[] = "b\bf\fn\nr\rt\t";
	int32_t unit = unit_at(text);
	if (unit < 0) {
		const char *letter = text.len > 1 && text.data[1] ? strchr(letters, text.data[1]) : NULL;
		// Only every other byte is a letter; the controls between them are no letters of an escape.
		bool known = letter && (letter - letters) % 2 == 0;
		pen_byte(pen, known ? (uint8_t)letter[1] : text.data[text.len > 1]);
		return text.len > 1 ? 2 : 1;
	}
	int32_t low = unit >= 0xd800 && unit < 0xdc00 ? unit_at(span_skip(text, 6)) : -1;
	if (low >= 0xdc00 && low < 0xe000) {
		utf8_write(pen, 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
		return 12;
	}
	utf8_write(pen, unit >= 0xd800 && unit < 0xe000 ? 0xfffd : (uint32_t)unit);
	return 6;
}

static void decode_string(struct span text, struct form_pen *pen)
{
	while (text.len > 0) {
		size_t used = 1;
		if (text.data[0] == '\\')
			used = decode_escape(text, pen);
		else
			pen_byte(pen, text.data[0]);
		text = span_skip(text, used);
	}
}

// ------------------------------------------------------------------------------------------------------------- leaves

// The start of a document in the room of the run, and how much of the room is used.
struct leaf_scan {
	struct span text;
	size_t used;
	unsigned nested;
};

static int leaf_scan(struct form_run *run, struct leaf_scan scan, struct err *err);

static int leaf_give(struct form_run *run, const struct leaf_scan *scan, struct span written, struct err *err)
{
	struct form_pen pen = form_pen_behind(run, scan->used);
	decode_string(written, &pen);
	if (pen.is_full)
		return form_give(run, written, err);
	struct span text = span_of(pen.data, pen.len);
	struct leaf_scan inner = {text, scan->used + pen.len, scan->nested + 1};
	int r = form_give(run, text, err);
	if (r == 0)
		r = form_give(run, written, err);
	if (r == 0)
		r = pem_give(run, text, inner.used, err);
	if (r != 0)
		return r;
	if (json_is_document(text))
		return inner.nested < JSON_NESTED_MAX ? leaf_scan(run, inner, err) : 0;
	return lines_give(run, text, err);
}

// Reads over everything between strings, so that a document that is cut, has comments or is one of many is no
// failure. A string before a colon is a name.
static int leaf_scan(struct form_run *run, struct leaf_scan scan, struct err *err)
{
	struct span rest = scan.text;
	int r = 0;
	while (rest.len > 0 && r == 0) {
		struct span inner;
		const uint8_t *quote = memchr(rest.data, '"', rest.len);
		if (!quote)
			return 0;
		rest = span_skip(rest, (size_t)(quote - rest.data));
		if (!take_string(&rest, &inner))
			return 0;
		struct span next = skip_space(rest);
		if (next.len == 0 || next.data[0] != ':')
			r = leaf_give(run, &scan, inner, err);
	}
	return r;
}

int form_leaf(struct form_run *run, struct span text, struct err *err)
{
	struct span document = span_trim(text);
	uint8_t first = document.len > 0 ? document.data[0] : 0;
	if (first != '{' && first != '[' && first != '"')
		return 0;
	return leaf_scan(run, (struct leaf_scan){.text = document}, err);
}
