#include "redact/forms.h"

#include <string.h>

#define BASE64_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

#define DIFFERENT_BYTES_MIN 4

// Writes variant `variant` of the value and returns its length; 0 when it would only repeat what an earlier form gives.
typedef size_t (*form_generate)(struct span value, unsigned variant, uint8_t *out);

struct form {
	const char *name;
	size_t minimum; // needles shorter than this are not watched
	unsigned variants;
	form_generate generate;
};

static size_t form_raw(struct span value, unsigned variant, uint8_t *out)
{
	(void)variant;
	memcpy(out, value.data, value.len);
	return value.len;
}

// The characters that depend on the value alone when `before` bytes (modulo 3) stand in front of it: those whose six
// bits all lie within the value. They need no padding and are the same whatever the neighbours are.
static size_t form_base64_core(struct span value, unsigned before, const char *letters, uint8_t *out)
{
	size_t skip = 8 * (size_t)before;
	size_t first = (skip + 5) / 6;
	size_t end = 8 * (before + value.len) / 6;
	size_t len = 0;
	for (size_t c = first; c < end; c++) {
		size_t bit = 6 * c - skip;
		unsigned pair = (unsigned)value.data[bit / 8] << 8;
		if (bit % 8 > 2)
			pair |= value.data[bit / 8 + 1];
		out[len++] = (uint8_t)letters[pair >> (10 - bit % 8) & 63];
	}
	return len;
}

static size_t form_base64(struct span value, unsigned variant, uint8_t *out)
{
	return form_base64_core(value, variant, BASE64_LETTERS "+/", out);
}

static size_t form_base64url(struct span value, unsigned variant, uint8_t *out)
{
	size_t len = form_base64_core(value, variant, BASE64_LETTERS "-_", out);
	return memchr(out, '-', len) || memchr(out, '_', len) ? len : 0;
}

static size_t form_hex_digits(struct span value, const char *digits, uint8_t *out)
{
	for (size_t i = 0; i < value.len; i++) {
		out[2 * i] = (uint8_t)digits[value.data[i] >> 4];
		out[2 * i + 1] = (uint8_t)digits[value.data[i] & 15];
	}
	return 2 * value.len;
}

static size_t form_hex(struct span value, unsigned variant, uint8_t *out)
{
	(void)variant;
	return form_hex_digits(value, "0123456789abcdef", out);
}

static size_t form_hex_upper(struct span value, unsigned variant, uint8_t *out)
{
	(void)variant;
	size_t len = form_hex_digits(value, "0123456789ABCDEF", out);
	size_t i = 0;
	while (i < len && out[i] <= '9')
		i++;
	return i < len ? len : 0;
}

static const struct form forms[REDACT_FORM_COUNT] = {
	[REDACT_FORM_RAW] = {"raw", 1, 1, form_raw},
	[REDACT_FORM_BASE64] = {"base64", REDACT_ENCODED_BYTES_MIN, 3, form_base64},
	[REDACT_FORM_BASE64URL] = {"base64url", REDACT_ENCODED_BYTES_MIN, 3, form_base64url},
	[REDACT_FORM_HEX] = {"hex", REDACT_ENCODED_BYTES_MIN, 1, form_hex},
	[REDACT_FORM_HEX_UPPER] = {"HEX", REDACT_ENCODED_BYTES_MIN, 1, form_hex_upper},
};

const char *redact_form_name(enum redact_form form)
{
	return forms[form].name;
}

bool redact_value_is_weak(struct span value, const char **ret_reason)
{
	bool seen[256] = {false};
	size_t different = 0;
	for (size_t i = 0; i < value.len && different < DIFFERENT_BYTES_MIN; i++) {
		different += !seen[value.data[i]];
		seen[value.data[i]] = true;
	}
	secret_wipe(seen, sizeof(seen));
	const char *reason = NULL;
	if (value.len < REDACT_VALUE_BYTES_MIN)
		reason = "it is shorter than 8 bytes";
	else if (different < DIFFERENT_BYTES_MIN)
		reason = "it has fewer than 4 different bytes";
	if (reason && ret_reason)
		*ret_reason = reason;
	return reason != NULL;
}

bool needle_is_word(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
	       byte == '_';
}

// The value without its last newline; all of it when it ends in none.
static struct span value_trim(struct span value)
{
	struct span rest = value;
	if (rest.len > 0 && rest.data[rest.len - 1] == '\n')
		rest.len--;
	if (rest.len < value.len && rest.len > 0 && rest.data[rest.len - 1] == '\r')
		rest.len--;
	return rest;
}

struct form_run {
	enum redact_form form;
	uint32_t index;
	uint8_t *room;
	needle_take take;
	void *context;
};

static int form_run_text(const struct form_run *run, struct span text, struct err *err)
{
	const struct form *form = &forms[run->form];
	bool weak = redact_value_is_weak(text, NULL);
	if (text.len == 0 || (weak && run->form != REDACT_FORM_RAW))
		return 0;
	for (unsigned variant = 0; variant < form->variants; variant++) {
		size_t len = form->generate(text, variant, run->room);
		if (len < form->minimum)
			continue;
		struct needle needle = {span_of(run->room, len), run->index, run->form, weak};
		int r = run->take(run->context, &needle, err);
		if (r != 0)
			return r;
	}
	return 0;
}

// Hexadecimal digits need the most room but for the shortest values, where base64 rounds up.
size_t form_room_bytes(size_t value_bytes)
{
	return 2 * value_bytes + 4;
}

int form_each_needle(struct span value, uint32_t index, struct secret *room, needle_take take, void *context,
		     struct err *err)
{
	// A value that is printed through $(...) or `echo -n` has lost its newline before it is encoded, so the
	// trimmed text goes through every form. Its needles are mostly prefixes of the full ones and cost the matcher
	// next to nothing.
	struct span trimmed = value_trim(value);
	struct form_run run = {.index = index, .room = secret_data(room), .take = take, .context = context};
	int r = 0;
	for (unsigned form = 0; form < REDACT_FORM_COUNT && r == 0; form++) {
		run.form = (enum redact_form)form;
		r = form_run_text(&run, value, err);
		if (r == 0 && trimmed.len < value.len)
			r = form_run_text(&run, trimmed, err);
	}
	return r;
}
