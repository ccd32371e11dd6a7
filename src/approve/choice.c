#include "approve/choice.h"

#include <inttypes.h>
#include <stdio.h>


#define SPAN_TEXT_BYTES 48

static const struct {
	uint8_t letter;
	const char *name;
	const char *entry;  // in the list; NULL: made of the span
	const char *phrase; // behind "to approve"
} choices[APPROVAL_CHOICE_COUNT] = {
	[APPROVAL_ONCE] = {'o', "once", "once", "once"},
	[APPROVAL_SESSION] = {'s', "session", "this session", "for this session"},
	[APPROVAL_TIME] = {'t', "time", NULL, NULL},
	[APPROVAL_ALWAYS] = {'a', "always", "always (as a rule)", "always"},
};

const char *approval_choice_name(enum approval_choice choice)
{
	return choices[choice].name;
}

// "for 8 hours": in the largest unit that says it exactly.
static const char *span_words(int64_t seconds, char out[SPAN_TEXT_BYTES])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	size_t unit = 0;
	while (unit + 1 < ARRAY_COUNT(units) && (seconds < units[unit].seconds || seconds % units[unit].seconds != 0))
		unit++;
	int64_t count = seconds / units[unit].seconds;
	snprintf(out, SPAN_TEXT_BYTES, "for %" PRId64 " %s%s", count, units[unit].name, count == 1 ? "" : "s");
	return out;
}

static bool is_offered(const struct approval *approval, size_t choice)
{
	return choice == APPROVAL_ONCE || (approval->choices & 1u << choice) != 0;
}

enum choice_kind choice_of(const struct approval *approval, uint8_t letter, enum approval_choice *out)
{
	for (size_t i = 0; i < APPROVAL_CHOICE_COUNT; i++)
		if (letter == choices[i].letter && is_offered(approval, i)) {
			*out = (enum approval_choice)i;
			return CHOICE_SWITCH;
		}
	if (letter == 'c' && approval->offers_values)
		return CHOICE_VALUES;
	if (letter == 'x' && approval->offers_cool_down)
		return CHOICE_COOL_DOWN;
	return letter == 'd' ? CHOICE_DENY : CHOICE_NONE;
}

int choice_prompt(const struct approval *approval, const struct approval_answer *now, const char *what, struct buf *out,
		  struct err *err)
{
	char span[SPAN_TEXT_BYTES];
	span_words(approval->choice_seconds, span);
	int r = 0;
	for (size_t i = 0; r == 0 && i < APPROVAL_CHOICE_COUNT; i++)
		if (i != now->choice && is_offered(approval, i))
			r = buf_printf(out, err, "%c: %s, ", choices[i].letter, choices[i].entry ? choices[i].entry : span);
	if (r == 0 && approval->offers_values)
		r = buf_printf(out, err, "c: %s the new values, ", now->takes_values ? "leave" : "take");
	const char *phrase = choices[now->choice].phrase;
	if (r == 0)
		r = buf_printf(out, err, "d: deny%s\n%s to approve %s%s: ",
			       approval->offers_cool_down ? ", x: deny all for a while" : "", what, phrase ? phrase : span,
			       now->takes_values ? ", and to take the new values" : "");
	return r;
}

int choice_becomes(const struct approval *approval, enum approval_choice choice, struct buf *out, struct err *err)
{
	if (!approval->becomes[choice])
		return 0;
	int r = text_inert(approval->becomes[choice], 0, out, err);
	return r == 0 ? buf_append_byte(out, '\n', err) : r;
}
