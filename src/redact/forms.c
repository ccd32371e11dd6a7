#include "redact/forms_kinds.h"

#include <string.h>

// The table of forms.
struct form {
	const char *name;
	size_t minimum;         // needles shorter than this are not watched
	bool is_large;          // made for large values too
	bool is_whole;          // of the value as it is only: white space at its end does not matter
	form_generate generate;
	const char *absent; // why the generator may give nothing at all
};

static int form_raw(struct form_run *run, struct span text, struct err *err);

#define ENCODED REDACT_ENCODED_BYTES_MIN
static const struct form forms[REDACT_FORM_COUNT] = {
	[REDACT_FORM_RAW] = {"raw", 1, true, true, form_raw, NULL},
	[REDACT_FORM_LINE] = {"line", ENCODED, true, true, form_line, "the value has one line, or is a JSON document"},
	[REDACT_FORM_BASE64] = {"base64", ENCODED, true, false, form_base64, NULL},
	[REDACT_FORM_BASE64URL] = {"base64url", ENCODED, true, false, form_base64url, NULL},
	[REDACT_FORM_BASE32] = {"base32", ENCODED, false, false, form_base32, NULL},
	[REDACT_FORM_HEX] = {"hex", ENCODED, true, false, form_hex, NULL},
	[REDACT_FORM_HEX_UPPER] = {"HEX", ENCODED, true, false, form_hex_upper, NULL},
	[REDACT_FORM_PERCENT] = {"percent", ENCODED, false, false, form_percent, NULL},
	[REDACT_FORM_JSON] = {"json", ENCODED, false, false, form_json, "no byte of the value needs escaping"},
	[REDACT_FORM_C] = {"c", ENCODED, false, false, form_c, NULL},
	[REDACT_FORM_SHELL] = {"shell", ENCODED, false, false, form_shell, NULL},
	[REDACT_FORM_XML] = {"xml", ENCODED, false, false, form_xml, NULL},
	[REDACT_FORM_UTF16LE] = {"utf16le", ENCODED, false, false, form_utf16le, NULL},
	[REDACT_FORM_UTF16BE] = {"utf16be", ENCODED, false, false, form_utf16be, NULL},
	[REDACT_FORM_REVERSED] = {"reversed", ENCODED, false, false, form_reversed, NULL},
	[REDACT_FORM_OCTAL] = {"octal", ENCODED, false, false, form_octal, NULL},
	[REDACT_FORM_DECIMAL] = {"decimal", ENCODED, false, false, form_decimal, NULL},
	[REDACT_FORM_WORDS] = {"words", ENCODED, false, false, form_words, NULL},
	[REDACT_FORM_DUMP] = {"dump", ENCODED, false, true, form_dump, NULL},
	[REDACT_FORM_PEM] = {"pem", ENCODED, true, true, form_pem, "the value holds no PEM block"},
	[REDACT_FORM_LEAF] = {"leaf", ENCODED, true, true, form_leaf, "the value is no JSON document with strings"},
	[REDACT_FORM_URL] = {"url", ENCODED, false, true, form_url, "the value holds no URL with a password"},
};

const char *redact_form_name(enum redact_form form)
{
	return forms[form].name;
}

bool redact_value_is_weak(struct span value, const char **ret_reason)
{
	struct span text = span_trim(value);
	if (text.len == 0)
		text = value;
	const char *reason = NULL;
	if (text.len < REDACT_VALUE_BYTES_MIN)
		reason = "it is shorter than 8 bytes";
	else if (!span_is_varied(text))
		reason = "it has fewer than 4 different bytes";
	if (reason && ret_reason)
		*ret_reason = reason;
	return reason != NULL;
}

// -------------------------------------------------------------------------------------------------------- the run

// Two sums of 64 bits over the bytes of a needle; never both 0.
struct fingerprint {
	uint64_t a;
	uint64_t b;
};

// What became of the needles of one form.
struct form_tally {
	size_t given;
	size_t repeated;
	size_t dull;
	size_t tried;
};

struct form_run {
	enum redact_form form;
	uint32_t index;
	bool is_weak; // the value
	needle_take take;
	void *context;
	uint8_t *text; // where needles are written
	uint8_t *twin; // as large
	size_t text_bytes;
	struct fingerprint *seen; // open addressing; a power of two
	size_t seen_places;
	size_t seen_count;
	struct form_tally *tally; // per form, or NULL
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static struct fingerprint fingerprint_of(struct span bytes)
{
	struct fingerprint f = {0x9e3779b97f4a7c15u ^ bytes.len, 0xc2b2ae3d27d4eb4fu + bytes.len};
	for (size_t i = 0; i < bytes.len; i += 8) {
		uint64_t word = 0;
		memcpy(&word, bytes.data + i, bytes.len - i < 8 ? bytes.len - i : 8);
		f.a = rotate(f.a ^ word * 0x87c37b91114253d5u, 31) * 0x4cf5ad432745937fu;
		f.b = rotate(f.b + word * 0xff51afd7ed558ccdu, 27) * 0xc4ceb9fe1a85ec53u + 0x52dce729u;
	}
	f.a ^= f.a >> 29;
	f.b ^= f.b >> 32;
	f.b |= f.a == 0;
	return f;
}

// Whether the needle is the first with its bytes; it is remembered then. Fingerprints of 128 bits stand for the bytes,
// which would need many times the memory: by chance no two differing needles of one value ever share one.
static bool seen_add(struct form_run *run, struct span bytes)
{
	struct fingerprint f = fingerprint_of(bytes);
	size_t place = f.a & (run->seen_places - 1);
	for (; run->seen[place].a | run->seen[place].b; place = (place + 1) & (run->seen_places - 1))
		if (run->seen[place].a == f.a && run->seen[place].b == f.b)
			return false;
	// A full set would never end the search above. What it cannot hold is made again, which costs only time.
	if (run->seen_count + 1 < run->seen_places) {
		run->seen[place] = f;
		run->seen_count++;
	}
	return true;
}

// Writes the needle without its white space; empty when that is too little to be watched.
static struct span run_dense(struct form_run *run, struct span bytes)
{
	size_t len = 0;
	for (size_t i = 0; i < bytes.len; i++)
		if (!byte_is_space(bytes.data[i]))
			run->twin[len++] = bytes.data[i];
	struct span dense = span_of(run->twin, len);
	return len >= REDACT_ENCODED_BYTES_MIN && span_is_varied(dense) ? dense : span_of(NULL, 0);
}

// Writes the twin of a strong needle; empty when there is none that is watched.
static struct span run_twin(struct form_run *run, const struct needle *needle)
{
	if (needle->weak || !span_has_space(needle->bytes))
		return span_of(NULL, 0);
	struct span twin = run_dense(run, needle->bytes);
	return twin.len > 0 && seen_add(run, twin) ? twin : span_of(NULL, 0);
}

// Whether a needle of the present form is worth watching and new.
static bool run_wants(struct form_run *run, struct span bytes)
{
	struct form_tally spare = {0};
	struct form_tally *tally = run->tally ? &run->tally[run->form] : &spare;
	tally->tried++;
	if (bytes.len < forms[run->form].minimum)
		return false;
	if (run->form != REDACT_FORM_RAW && !span_is_varied(bytes)) {
		tally->dull++;
		return false;
	}
	bool is_new = seen_add(run, bytes);
	tally->repeated += !is_new;
	tally->given += is_new;
	return is_new;
}

int form_give(struct form_run *run, struct span bytes, struct err *err)
{
	struct span text = span_trim(bytes);
	if (text.len == 0 && run->form == REDACT_FORM_RAW)
		text = bytes;
	if (text.len == 0 || !run_wants(run, text))
		return 0;
	struct needle needle = {.bytes = text, .value = run->index, .form = run->form};
	needle.weak = run->form == REDACT_FORM_RAW && run->is_weak;
	struct span twin = run_twin(run, &needle);
	needle.has_twin = twin.len > 0;
	int r = run->take(run->context, &needle, err);
	if (r != 0 || twin.len == 0)
		return r;
	if (run->tally)
		run->tally[run->form].given++;
	needle.bytes = twin;
	needle.has_twin = false;
	return run->take(run->context, &needle, err);
}

struct form_pen form_pen(const struct form_run *run)
{
	return form_pen_behind(run, 0);
}

struct form_pen form_pen_behind(const struct form_run *run, size_t used)
{
	return (struct form_pen){.data = run->text + used, .max = run->text_bytes - used};
}

int form_give_pen(struct form_run *run, const struct form_pen *pen, struct err *err)
{
	return pen->is_full ? 0 : form_give(run, span_of(pen->data, pen->len), err);
}

// As a terminal shows it, which ends lines by CR LF. Where there is a twin, that finds it.
static int raw_give_lines(struct form_run *run, struct span text, struct err *err)
{
	if (run_dense(run, text).len > 0)
		return 0;
	struct form_pen pen = form_pen(run);
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\n' && i > 0 && text.data[i - 1] != '\r')
			pen_byte(&pen, '\r');
		pen_byte(&pen, text.data[i]);
	}
	return form_give_pen(run, &pen, err);
}

static int form_raw(struct form_run *run, struct span text, struct err *err)
{
	int r = form_give(run, text, err);
	struct span shown = span_trim(text);
	bool has_lines = shown.len > 0 && memchr(shown.data, '\n', shown.len);
	return r != 0 || !has_lines ? r : raw_give_lines(run, shown, err);
}

// ------------------------------------------------------------------------------------------------- all forms of a value

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

// The longest needles of small values escape every byte, and the escapes again; large values have hexadecimal digits
// at the most, or something out of a document behind a part of it.
static size_t text_room(size_t value_bytes)
{
	size_t small = value_bytes < REDACT_ALL_FORMS_BYTES_MAX ? value_bytes : REDACT_ALL_FORMS_BYTES_MAX;
	return (8 * small > 2 * value_bytes ? 8 * small : 2 * value_bytes) + 64;
}

// Twice as many places as needles: about 150 of the whole value, and of its parts two for every 9 bytes and their twins.
static size_t seen_places(size_t value_bytes)
{
	size_t places = 512;
	while (places < value_bytes)
		places *= 2;
	return places;
}

size_t form_room_bytes(size_t value_bytes)
{
	return 2 * text_room(value_bytes) + seen_places(value_bytes) * sizeof(struct fingerprint);
}

static void run_prepare(struct form_run *run, size_t value_bytes, struct secret *room)
{
	// Secret memory begins at a page, so the set is aligned.
	run->seen = (struct fingerprint *)(void *)secret_data(room);
	run->seen_places = seen_places(value_bytes);
	run->text = secret_data(room) + run->seen_places * sizeof(struct fingerprint);
	run->text_bytes = text_room(value_bytes);
	run->twin = run->text + run->text_bytes;
	memset(run->seen, 0, run->seen_places * sizeof(struct fingerprint));
}

static bool form_is_made(const struct form *form, struct span value)
{
	return form->is_large || value.len <= REDACT_ALL_FORMS_BYTES_MAX;
}

static int run_all(struct form_run *run, struct span value, struct secret *room, struct err *err)
{
	if (value.len == 0)
		return 0;
	run_prepare(run, value.len, room);
	run->is_weak = redact_value_is_weak(value, NULL);
	// A value that is printed through $(...) or `echo -n` has lost its newline before it is encoded, so the
	// trimmed text goes through every form. Its needles are mostly prefixes of the full ones and cost the matcher
	// next to nothing.
	struct span trimmed = value_trim(value);
	int r = 0;
	for (unsigned i = 0; i < REDACT_FORM_COUNT && r == 0; i++) {
		const struct form *form = &forms[i];
		if (!form_is_made(form, value))
			continue;
		run->form = (enum redact_form)i;
		r = form->generate(run, value, err);
		if (r == 0 && !form->is_whole && trimmed.len < value.len)
			r = form->generate(run, trimmed, err);
	}
	return r;
}

int form_each_needle(struct span value, uint32_t index, struct secret *room, needle_take take, void *context,
		     struct err *err)
{
	struct form_run run = {.index = index, .take = take, .context = context};
	return run_all(&run, value, room, err);
}

// ---------------------------------------------------------------------------------------------------------- coverage

static int coverage_take(void *context, const struct needle *needle, struct err *err)
{
	(void)context;
	(void)needle;
	(void)err;
	return 0;
}

static const char *coverage_reason(const struct form *form, const struct form_tally *tally, struct span value)
{
	if (tally->given > 0)
		return NULL;
	if (value.len == 0)
		return "the value is empty";
	if (!form_is_made(form, value))
		return "the value is larger than 64 KiB; as a whole it is not found wrapped, coloured or dumped either";
	if (tally->tried == 0 && form->absent)
		return form->absent;
	if (tally->repeated > 0)
		return "it would repeat an earlier form";
	if (tally->dull > 0)
		return "it would have fewer than 4 different bytes";
	return "it would be shorter than 8 bytes";
}

int redact_coverage(struct span value, struct redact_coverage out[REDACT_FORM_COUNT], struct err *err)
{
	_cleanup_secret_ struct secret *room = NULL;
	int r = secret_new(form_room_bytes(value.len), SECRET_LOCK_PREFERRED, &room, err);
	if (r < 0)
		return r;
	struct form_tally tally[REDACT_FORM_COUNT] = {0};
	struct form_run run = {.take = coverage_take, .tally = tally};
	r = run_all(&run, value, room, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < REDACT_FORM_COUNT; i++)
		out[i] = (struct redact_coverage){(enum redact_form)i, tally[i].given,
						  coverage_reason(&forms[i], &tally[i], value)};
	return 0;
}
