#include "redact_world.h"

#include "redact_dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[WORLD_NAME_COUNT] = {"A", "B/b", "C", "D.d", "E", "F-f"};
static const char *const alphabets[] = {
	"a-b1", "ab", "-a", "a1", "a\n-b", "a b", "a \n\t", "[]A", "+=/x", "m[3\033a", "0a:f ", "a|>b"};

static void world_letters(const struct world *w, struct dice *dice, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)w->alphabet[dice_below(dice, w->letters)];
}

static bool is_space(uint8_t byte)
{
	return byte == ' ' || (byte >= 0x09 && byte <= 0x0d);
}

static struct span trimmed(struct span text)
{
	struct span rest = text;
	while (rest.len > 0 && is_space(rest.data[0]))
		rest = span_of(rest.data + 1, rest.len - 1);
	while (rest.len > 0 && is_space(rest.data[rest.len - 1]))
		rest.len--;
	return rest.len > 0 ? rest : text;
}

// Adds a needle as the table of forms would: trimmed, and sometimes with its twin.
static void world_needle(struct world *w, struct dice *dice, struct needle needle)
{
	uint8_t bytes[128];
	struct needle twin = needle;
	needle.bytes = trimmed(needle.bytes);
	size_t len = 0;
	for (size_t i = 0; i < needle.bytes.len; i++)
		if (!is_space(needle.bytes.data[i]))
			bytes[len++] = needle.bytes.data[i];
	needle.has_twin = !needle.weak && len > 0 && len < needle.bytes.len && dice_below(dice, 2) == 0;
	twin.bytes = span_of(bytes, len);
	oracle_needles_add(&w->needles, needle);
	if (needle.has_twin)
		oracle_needles_add(&w->needles, twin);
}

static struct needle needle_kind(struct dice *dice, struct span bytes)
{
	return (struct needle){.bytes = bytes,
			       .value = (uint32_t)dice_below(dice, WORLD_NAME_COUNT),
			       .form = (enum redact_form)dice_below(dice, REDACT_FORM_COUNT),
			       .weak = dice_below(dice, 3) == 0};
}

static void world_needles(struct world *w, struct dice *dice)
{
	uint8_t bytes[40];
	size_t count = 1 + dice_below(dice, dice_below(dice, 8) == 0 ? 8 : 4);
	for (size_t i = 0; i < count; i++) {
		size_t len = 1 + dice_below(dice, dice_below(dice, 5) == 0 ? 30 : 7);
		size_t period = 1 + dice_below(dice, len);
		world_letters(w, dice, bytes, len);
		for (size_t at = period; at < len && dice_below(dice, 3) == 0; at++)
			bytes[at] = bytes[at - period];
		world_needle(w, dice, needle_kind(dice, span_of(bytes, len)));
	}
}

// Texts and their bytes in digits, for the columns of dumps.
static void world_needles_of_dumps(struct world *w, struct dice *dice)
{
	uint8_t bytes[12];
	char digits[64];
	size_t count = 1 + dice_below(dice, 3);
	for (size_t i = 0; i < count; i++) {
		size_t len = 1 + dice_below(dice, sizeof(bytes));
		world_letters(w, dice, bytes, len);
		struct needle needle = needle_kind(dice, span_of(bytes, len));
		if (dice_below(dice, 2) == 0)
			world_needle(w, dice, needle);
		dump_digits(dice, span_of(bytes, len), digits);
		needle.bytes = span_text(digits);
		needle.weak = false;
		world_needle(w, dice, needle);
	}
}

static void world_new_redactor(struct world *w)
{
	struct err err;
	if (redactor_new_needles(w->needles.list, w->needles.count, names, WORLD_NAME_COUNT, &w->redactor, &err) != 0)
		abort();
}

// Values in all their forms.
static void world_values(struct world *w, struct dice *dice)
{
	uint8_t bytes[2][24];
	struct redact_value values[2];
	size_t count = dice_below(dice, 2) + 1;
	for (size_t i = 0; i < count; i++) {
		size_t len = dice_below(dice, 24);
		for (size_t at = 0; at < len; at++)
			bytes[i][at] = (uint8_t)dice_next(dice);
		if (len > 0 && dice_below(dice, 3) == 0)
			bytes[i][len - 1] = '\n';
		if (i > 0 && dice_below(dice, 4) == 0) {
			len = values[0].value.len;
			memcpy(bytes[i], bytes[0], len);
		}
		values[i] = (struct redact_value){names[i], span_of(bytes[i], len)};
		oracle_needles_add_value(&w->needles, values[i].value, (uint32_t)i);
	}
	struct err err;
	if (redactor_new(values, count, &w->redactor, &err) != 0)
		abort();
}

void world_init(struct world *world, uint64_t seed)
{
	struct dice dice = {seed};
	*world = (struct world){.alphabet = alphabets[dice_below(&dice, ARRAY_COUNT(alphabets))]};
	world->letters = 1 + dice_below(&dice, strlen(world->alphabet));
	world->needles = (struct oracle_needles){.names = names, .value_count = WORLD_NAME_COUNT};
	if (dice_below(&dice, 100) == 0) {
		world_values(world, &dice);
	} else {
		if (dice_below(&dice, 4) == 0)
			world_needles_of_dumps(world, &dice);
		else
			world_needles(world, &dice);
		world_new_redactor(world);
	}
	world->needles.plain_only = dice_below(&dice, 10) == 0;
	if (world->needles.plain_only)
		redactor_disable_shadow(world->redactor);
}

void world_done(struct world *world)
{
	redactor_free(world->redactor);
	oracle_needles_done(&world->needles);
}

// Long runs of one byte are counted.
void bytes_tell(const char *label, struct span bytes)
{
	printf("%s \"", label);
	for (size_t i = 0; i < bytes.len;) {
		uint8_t c = bytes.data[i];
		bool is_plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
		size_t run = 1;
		while (i + run < bytes.len && bytes.data[i + run] == c)
			run++;
		run = run < 40 ? 1 : run;
		printf(is_plain ? "%c" : "\\%03o", c);
		if (run > 1)
			printf("\"*%zu\"", run);
		i += run;
	}
	printf("\"\n");
}

void world_tell(const struct world *world)
{
	for (size_t i = 0; i < world->needles.count; i++) {
		const struct needle *needle = &world->needles.list[i];
		char label[64];
		snprintf(label, sizeof(label), "needle %s %s%s%s", names[needle->value], redact_form_name(needle->form),
			 needle->weak ? " weak" : "", needle->has_twin ? " has-twin" : "");
		bytes_tell(label, needle->bytes);
	}
	printf("%s\n", world->needles.plain_only ? "the lane PLAIN alone" : "all lanes");
}

// ------------------------------------------------------------------------------------------------------------- streams

static void add(struct buf *stream, const void *bytes, size_t len)
{
	struct err err;
	if (buf_append(stream, span_of(bytes, len), &err) != 0)
		abort();
}

static void add_text(struct buf *stream, const char *text)
{
	add(stream, text, strlen(text));
}

static struct span any_needle(const struct world *w, struct dice *dice)
{
	if (w->needles.count == 0)
		return SPAN_LITERAL("none");
	return w->needles.list[dice_below(dice, w->needles.count)].bytes;
}

static void add_letters(const struct world *w, struct dice *dice, struct buf *stream)
{
	uint8_t bytes[4];
	size_t len = 1 + dice_below(dice, sizeof(bytes));
	world_letters(w, dice, bytes, len);
	add(stream, bytes, len);
}

static void add_needle(const struct world *w, struct dice *dice, struct buf *stream)
{
	struct span needle = any_needle(w, dice);
	size_t from = dice_below(dice, 8) ? 0 : dice_below(dice, needle.len);
	size_t len = dice_below(dice, 2) ? needle.len : dice_below(dice, needle.len + 1);
	len = len < needle.len - from ? len : needle.len - from;
	add(stream, needle.data + from, len);
}

static void add_space(struct dice *dice, struct buf *stream)
{
	static const char *const spaces[] = {
		" ", " ", "\n", "\r\n", "\t", "  ", "\r", "\v", "\f", "\n\n", "\n    ", " \n "};
	add_text(stream, spaces[dice_below(dice, ARRAY_COUNT(spaces))]);
}

static void add_escape(struct dice *dice, struct buf *stream)
{
	static const char *const escapes[] = {
		"\033[m", "\033[31m", "\033[1;32m", "\033[K", "\033[?25l", "\033(B", "\033c", "\033]0;a\007",
		"\033]0;\033\\", "\033Pq\033\\", "\033_x\033[1m", "\033", "\033[", "\033[3", "\033]",
		"\033]0;", "\033P", "\033X", "\033(", "\033\033", "\007", "\033\\", "\030", "\032", "m",
		"\033\n", "\033[\n", "\033[\377", "\033]\n\007", "\033]\033\033", "[", "\\", "\033[ !",
		"\033#8", "\033^", "\033]a\033]b\007", "\033]\033\001"};
	add_text(stream, escapes[dice_below(dice, ARRAY_COUNT(escapes))]);
}

static void add_wild(struct dice *dice, struct buf *stream)
{
	static const char *const wild[] = {
		"\377", "\303", "\303\251", "\200", "\033[\302", "\r\n", "[", "_", "*\n", ":", "|"};
	if (dice_below(dice, 4) == 0)
		add(stream, "", 1);
	else
		add_text(stream, wild[dice_below(dice, ARRAY_COUNT(wild))]);
}

// A needle with something between its bytes: wrapped, coloured.
static void add_torn_needle(const struct world *w, struct dice *dice, struct buf *stream)
{
	struct span needle = any_needle(w, dice);
	size_t len = dice_below(dice, 4) ? needle.len : dice_below(dice, needle.len + 1);
	size_t often = 1 + dice_below(dice, 4);
	size_t kind = dice_below(dice, 3);
	for (size_t i = 0; i < len; i++) {
		add(stream, needle.data + i, 1);
		if (dice_below(dice, often) != 0)
			continue;
		if (kind == 0 || (kind == 2 && dice_below(dice, 2)))
			add_space(dice, stream);
		else
			add_escape(dice, stream);
	}
}

// Around the longest gap and the longest sequence.
static void add_gap(struct dice *dice, struct buf *stream)
{
	static const char *const begin[] = {"\033]0;", "\033[", "\033(", "\033Pq", "", "\033[m"};
	static const char fill[] = "  \n;5 x\033a";
	add_text(stream, begin[dice_below(dice, ARRAY_COUNT(begin))]);
	size_t len = (dice_below(dice, 3) ? 500 : 240) + dice_below(dice, 20);
	char byte = fill[dice_below(dice, sizeof(fill) - 1)];
	for (size_t i = 0; i < len; i++)
		add(stream, &byte, 1);
	if (dice_below(dice, 2) == 0)
		add_escape(dice, stream);
}

static void add_dump(const struct world *w, struct dice *dice, struct buf *stream)
{
	_cleanup_buf_ struct buf data = BUF_INIT(1 << 20);
	size_t parts = 1 + dice_below(dice, 3);
	for (size_t i = 0; i < parts; i++) {
		if (dice_below(dice, 2))
			add_letters(w, dice, &data);
		else
			add_needle(w, dice, &data);
	}
	if (dice_below(dice, 2))
		dump_add(dice, buf_span(&data), stream);
	else
		dump_add_made(dice, buf_span(&data), stream);
}

static void add_piece(const struct world *w, struct dice *dice, size_t mood, struct buf *stream)
{
	size_t roll = dice_below(dice, 12);
	if (mood == 1 && roll < 5)
		add_escape(dice, stream);
	else if (mood == 2 && roll < 4)
		add_dump(w, dice, stream);
	else if (mood == 3 && roll < 4)
		add_space(dice, stream);
	else if (mood != 0 && roll < 7)
		add_torn_needle(w, dice, stream);
	else if (roll < 9)
		add_needle(w, dice, stream);
	else if (roll == 9 && mood != 0)
		add_wild(dice, stream);
	else
		add_letters(w, dice, stream);
}

void world_stream(const struct world *world, struct dice *dice, struct buf *stream)
{
	size_t mood = dice_below(dice, 5); // 0: letters and needles; 1: colours; 2: dumps; 3: wrapped; 4: torn
	size_t len = dice_below(dice, dice_below(dice, 16) == 0 ? 400 : 50);
	bool has_gap = dice_below(dice, 50) == 0;
	while (stream->len < len)
		add_piece(world, dice, mood, stream);
	for (size_t i = has_gap ? 1 + dice_below(dice, 3) : 0; i > 0; i--) {
		add_gap(dice, stream);
		add_piece(world, dice, mood, stream);
	}
	// Enough escapes within one match for the oldest to go.
	if (dice_below(dice, 5000) == 0)
		for (size_t i = 0; i < 40; i++) {
			add_gap(dice, stream);
			add_piece(world, dice, 4, stream);
		}
}
