// Forms that show bytes in another unit or order: UTF-16, reversed, numbers, and the columns of dumps. White space and
// offsets of dumps are gone when these are looked for, so they are plain runs of digits.
#include "redact/forms_kinds.h"

#include <string.h>

// ----------------------------------------------------------------------------------------------------------- UTF-16

static void utf16_unit(struct form_pen *pen, uint32_t unit, bool big)
{
	pen_byte(pen, (uint8_t)(big ? unit >> 8 : unit));
	pen_byte(pen, (uint8_t)(big ? unit : unit >> 8));
}

static int utf16_give(struct form_run *run, struct span text, bool big, struct err *err)
{
	bool valid = utf8_is_valid(text);
	struct form_pen pen = form_pen(run);
	while (text.len > 0) {
		uint32_t point = text.data[0]; // Latin-1
		size_t used = valid ? utf8_next(text, &point) : 1;
		if (point < 0x10000) {
			utf16_unit(&pen, point, big);
		} else {
			utf16_unit(&pen, 0xd800 + ((point - 0x10000) >> 10), big);
			utf16_unit(&pen, 0xdc00 + ((point - 0x10000) & 0x3ff), big);
		}
		text = span_of(text.data + used, text.len - used);
	}
	return form_give_pen(run, &pen, err);
}

int form_utf16le(struct form_run *run, struct span text, struct err *err)
{
	return utf16_give(run, text, false, err);
}

int form_utf16be(struct form_run *run, struct span text, struct err *err)
{
	return utf16_give(run, text, true, err);
}

// --------------------------------------------------------------------------------------------------------- reversed

// Appends the text backwards, by characters or by bytes.
static void reverse_write(struct span text, bool by_bytes, struct form_pen *pen)
{
	for (size_t i = 0; i < text.len; i++)
		pen_byte(pen, text.data[text.len - 1 - i]);
	if (by_bytes || pen->is_full)
		return;
	// Each character has come out with its bytes backwards: they are put right where it stands.
	size_t end = pen->len;
	while (text.len > 0) {
		uint32_t point;
		size_t used = utf8_next(text, &point);
		memcpy(pen->data + end - used, text.data, used);
		end -= used;
		text = span_of(text.data + used, text.len - used);
	}
}

// rev(1) turns each line around.
static int reverse_lines(struct form_run *run, struct span text, struct err *err)
{
	struct form_pen all = form_pen_behind(run, text.len);
	int r = 0;
	while (text.len > 0 && r == 0) {
		struct span line = span_take_line(&text);
		struct form_pen pen = form_pen(run);
		reverse_write(line, false, &pen);
		reverse_write(line, false, &all);
		if (text.len > 0)
			pen_byte(&all, '\n');
		r = form_give_pen(run, &pen, err);
	}
	return r != 0 ? r : form_give_pen(run, &all, err);
}

int form_reversed(struct form_run *run, struct span text, struct err *err)
{
	int r = 0;
	for (unsigned by_bytes = 0; by_bytes < 2 && r == 0; by_bytes++) {
		struct form_pen pen = form_pen(run);
		reverse_write(text, by_bytes == 1, &pen);
		r = form_give_pen(run, &pen, err);
	}
	struct span lines = span_trim(text);
	if (r == 0 && memchr(lines.data, '\n', lines.len))
		r = reverse_lines(run, lines, err);
	return r;
}

// ---------------------------------------------------------------------------------------------------------- numbers

// Little-endian words of 16 bits. Where the value begins in the middle of a word, or ends in one, that word is not
// determined by the value.
static int words_give(struct form_run *run, struct span text, enum pen_base base, unsigned width, struct err *err)
{
	int r = 0;
	for (size_t skip = 0; skip < 2 && r == 0; skip++) {
		struct form_pen pen = form_pen(run);
		for (size_t i = skip; i + 1 < text.len; i += 2)
			pen_number(&pen, text.data[i] | (uint32_t)text.data[i + 1] << 8, base, width);
		r = form_give_pen(run, &pen, err);
	}
	return r;
}

int form_octal(struct form_run *run, struct span text, struct err *err)
{
	struct form_pen pen = form_pen(run);
	for (size_t i = 0; i < text.len; i++)
		pen_number(&pen, text.data[i], PEN_OCTAL, 3);
	int r = form_give_pen(run, &pen, err);
	return r != 0 ? r : words_give(run, text, PEN_OCTAL, 6, err);
}

int form_words(struct form_run *run, struct span text, struct err *err)
{
	return words_give(run, text, PEN_HEX, 4, err);
}

// Lists of numbers: with commas in Python, Rust and JSON, with spaces in Go.
int form_decimal(struct form_run *run, struct span text, struct err *err)
{
	static const char between[] = {',', ' '};
	int r = 0;
	for (size_t b = 0; b < sizeof(between) && r == 0; b++) {
		struct form_pen pen = form_pen(run);
		for (size_t i = 0; i < text.len; i++) {
			if (i > 0)
				pen_byte(&pen, (uint8_t)between[b]);
			pen_number(&pen, text.data[i], PEN_DECIMAL, 1);
		}
		r = form_give_pen(run, &pen, err);
	}
	return r;
}

int form_dump(struct form_run *run, struct span text, struct err *err)
{
	// A newline at the end would come out as a full stop, and take one that ends a sentence behind the value.
	struct span shown = span_trim(text);
	struct form_pen pen = form_pen(run);
	for (size_t i = 0; i < shown.len; i++)
		pen_byte(&pen, shown.data[i] >= 0x20 && shown.data[i] < 0x7f ? shown.data[i] : '.');
	return form_give_pen(run, &pen, err);
}
