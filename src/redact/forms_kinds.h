// forms_kinds: what the table in forms.c and the generators in forms_*.c share, private to them.
//
// A generator writes each needle with a pen into the room of the run, or points at bytes of the value, and gives it.
// Whether a needle is long enough, new, and has a twin is decided in one place, form_give.
#pragma once

#include "redact/forms.h"

#include <string.h>

struct form_run;

// Gives the needles of one form of `text`. Returns what form_give returned.
typedef int (*form_generate)(struct form_run *run, struct span text, struct err *err);

// Trims, judges and hands on one needle. Non-zero stops.
int form_give(struct form_run *run, struct span bytes, struct err *err);

// Writes within bounds: what does not fit marks the pen as full, and a full pen gives nothing.
struct form_pen {
	uint8_t *data;
	size_t len;
	size_t max;
	bool is_full;
};

// A pen at the start of the run's room, and one behind the first `used` bytes of it.
struct form_pen form_pen(const struct form_run *run);
struct form_pen form_pen_behind(const struct form_run *run, size_t used);
int form_give_pen(struct form_run *run, const struct form_pen *pen, struct err *err);

static inline void pen_byte(struct form_pen *pen, uint8_t byte)
{
	if (pen->len < pen->max)
		pen->data[pen->len++] = byte;
	else
		pen->is_full = true;
}

static inline void pen_text(struct form_pen *pen, const char *text)
{
	for (; *text; text++)
		pen_byte(pen, (uint8_t)*text);
}

static inline void pen_bytes(struct form_pen *pen, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		pen_byte(pen, bytes.data[i]);
}

enum pen_base { PEN_OCTAL, PEN_DECIMAL, PEN_HEX, PEN_HEX_UPPER };
void pen_number_any(struct form_pen *pen, uint32_t number, enum pen_base base, unsigned width);

// At least `width` digits, which is 8 at the most.
static inline void pen_number(struct form_pen *pen, uint32_t number, enum pen_base base, unsigned width)
{
	// Two digits of a byte are most of what is ever written.
	if ((base == PEN_HEX || base == PEN_HEX_UPPER) && width == 2 && number < 256 && pen->max - pen->len >= 2) {
		const char *digits = base == PEN_HEX ? "0123456789abcdef" : "0123456789ABCDEF";
		pen->data[pen->len] = (uint8_t)digits[number >> 4];
		pen->data[pen->len + 1] = (uint8_t)digits[number & 15];
		pen->len += 2;
	} else {
		pen_number_any(pen, number, base, width);
	}
}

// Lists hold neither word bytes, which values are mostly made of, nor NUL.
static inline bool byte_is_listed(const char *list, uint32_t byte)
{
	return byte > 0 && byte < 0x80 && !byte_is_word((uint8_t)byte) && strchr(list, (int)byte) != NULL;
}

int hex_digit(uint8_t byte); // -1 when it is none

struct span span_trim(struct span text); // without white space at both ends
bool span_is_varied(struct span text);   // has 4 different bytes
bool span_is_plain(struct span text);    // letters, digits and -._ only: no form quotes or escapes them by need
// Cuts the first line off *rest, without its newline.
struct span span_take_line(struct span *rest);

// The character at the start of `text`, which is not empty: its bytes, and in *ret_point its number. Bytes that are no
// UTF-8 come one by one, with POINT_INVALID.
#define POINT_INVALID UINT32_MAX
size_t utf8_next(struct span text, uint32_t *ret_point);
bool utf8_is_valid(struct span text);

// forms_base.c
void form_base64_core(struct span value, unsigned before, struct form_pen *pen);
int form_base64(struct form_run *run, struct span text, struct err *err);
int form_base64url(struct form_run *run, struct span text, struct err *err);
int form_base32(struct form_run *run, struct span text, struct err *err);
int form_hex(struct form_run *run, struct span text, struct err *err);
int form_hex_upper(struct form_run *run, struct span text, struct err *err);

// forms_escape.c, forms_literal.c
int form_percent(struct form_run *run, struct span text, struct err *err);
int form_json(struct form_run *run, struct span text, struct err *err);
int form_c(struct form_run *run, struct span text, struct err *err);
int form_shell_literal(struct form_run *run, struct span text, struct err *err); // $'...' of bash
void form_shell_literal_write(struct form_pen *pen, struct span text, bool ascii); // one text in it; ascii: in the locale C

// forms_quote.c
int form_shell(struct form_run *run, struct span text, struct err *err);
int form_xml(struct form_run *run, struct span text, struct err *err);

// forms_dump.c
int form_utf16le(struct form_run *run, struct span text, struct err *err);
int form_utf16be(struct form_run *run, struct span text, struct err *err);
int form_reversed(struct form_run *run, struct span text, struct err *err);
int form_octal(struct form_run *run, struct span text, struct err *err);
int form_decimal(struct form_run *run, struct span text, struct err *err);
int form_words(struct form_run *run, struct span text, struct err *err);
int form_dump(struct form_run *run, struct span text, struct err *err);

// forms_structure.c, forms_json.c
int form_line(struct form_run *run, struct span text, struct err *err);
int form_pem(struct form_run *run, struct span text, struct err *err);
int form_url(struct form_run *run, struct span text, struct err *err);
int form_leaf(struct form_run *run, struct span text, struct err *err);
// The lines of a text that has several, but for the first and last ones of PEM blocks; and the bodies of these blocks,
// which leaves the first `used` bytes of the run's room alone.
int lines_give(struct form_run *run, struct span text, struct err *err);
int pem_give(struct form_run *run, struct span text, size_t used, struct err *err);
bool json_is_document(struct span text); // an object or an array, and nothing else
