#include "redact_oracle.h"

#include "redact_lanes.h"

#include <stdlib.h>
#include <string.h>

#define SHADOW_NEEDLE_MAX 65536
#define KEPT_BYTES_MAX 4096
#define GAP_MAX 512
#define EXPOSURE_BYTES_MAX 3
#define END_BYTES_MIN 6

// Bytes first .. first + len - 1 of a lane.
struct match {
	const struct needle *needle;
	enum lane_kind lane;
	size_t first;
	size_t len;
	size_t from; // in the stream
	size_t to;
	bool cut;
};

struct view {
	const struct oracle_needles *needles;
	struct span stream;
	bool more_may_come;
	bool has_clean; // the lane CLEAN counts for strong needles
	struct lanes lanes;
	struct match *matches;
	size_t match_count;
	size_t match_cap;
	uint8_t *covered; // by byte of the stream: by a match of any lane
	uint8_t *plain;   // by a match of the lane PLAIN
	uint8_t *joined;  // in one match with the byte behind it
};

static void view_add(struct view *v, const struct needle *needle, enum lane_kind kind, size_t first, size_t len)
{
	const size_t *offset = v->lanes.list[kind].offset;
	struct match match = {needle, kind, first, len, offset[first], offset[first + len - 1] + 1, false};
	match.cut = len < needle->bytes.len;
	if (v->match_count == v->match_cap) {
		v->match_cap = 2 * v->match_cap + 8;
		v->matches = must(reallocarray(v->matches, v->match_cap, sizeof(match)));
	}
	v->matches[v->match_count++] = match;
	memset(v->covered + match.from, 1, match.to - match.from);
	memset(v->joined + match.from, 1, match.to - match.from - 1);
	if (kind == LANE_PLAIN)
		memset(v->plain + match.from, 1, len);
}

static bool is_word(uint8_t byte)
{
	return byte != 0 && strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", byte) != NULL;
}

static bool is_white_space(uint8_t c)
{
	return c == ' ' || (c >= 0x09 && c <= 0x0d);
}

// A strong needle with white space in it is found in CLEAN alone, unless its twin stands for it in LOOSE, where at most
// GAP_MAX bytes may be left out between two others.
static bool needs_clean(const struct needle *needle)
{
	size_t run = 0;
	size_t longest = 0;
	for (size_t i = 0; i < needle->bytes.len; i++) {
		run = is_white_space(needle->bytes.data[i]) ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return !needle->weak && (longest > GAP_MAX || (longest > 0 && !needle->has_twin));
}

// CLEAN is of no use for strong needles when LOOSE has the matches of all of them.
static bool is_set_of(const struct view *v, const struct needle *needle, enum lane_kind kind)
{
	if (kind == LANE_PLAIN)
		return true;
	if (needle->weak)
		return kind == LANE_CLEAN;
	return kind != LANE_CLEAN || v->has_clean;
}

static bool is_looked_for(const struct view *v, const struct needle *needle, enum lane_kind kind)
{
	bool is_short = needle->weak || kind == LANE_PLAIN || needle->bytes.len <= SHADOW_NEEDLE_MAX;
	return is_short && is_set_of(v, needle, kind);
}

static bool fits_left(const struct needle *needle, const struct lane *lane, size_t first)
{
	bool is_alone = first == 0 || lane->segment[first - 1] != lane->segment[first];
	return !needle->weak || is_alone || !is_word(lane->bytes[first - 1]);
}

enum fit { FITS, WAITS, FITS_NOT };

static enum fit fit_right(const struct view *v, const struct needle *needle, const struct lane *lane, size_t last)
{
	bool is_last = last + 1 == lane->count;
	size_t next = is_last ? lane->segment_now : lane->segment[last + 1];
	if (!needle->weak || next != lane->segment[last])
		return FITS;
	if (is_last)
		return v->more_may_come ? WAITS : FITS;
	return is_word(lane->bytes[last + 1]) ? FITS_NOT : FITS;
}

static bool stands_at(const struct needle *needle, const struct lane *lane, size_t first)
{
	size_t last = first + needle->bytes.len - 1;
	return last < lane->count && lane->segment[first] == lane->segment[last] &&
	       memcmp(lane->bytes + first, needle->bytes.data, needle->bytes.len) == 0;
}

static void view_find(struct view *v, const struct needle *needle, enum lane_kind kind)
{
	const struct lane *lane = &v->lanes.list[kind];
	size_t len = needle->bytes.len;
	for (size_t first = 0; first + len <= lane->count; first++) {
		const uint8_t *next = memchr(lane->bytes + first, needle->bytes.data[0], lane->count - first);
		if (!next)
			return;
		first = (size_t)(next - lane->bytes);
		if (stands_at(needle, lane, first) && fits_left(needle, lane, first) &&
		    fit_right(v, needle, lane, first + len - 1) == FITS)
			view_add(v, needle, kind, first, len);
	}
}

static void view_init(struct view *v, const struct oracle_needles *needles, struct span stream, bool more_may_come)
{
	*v = (struct view){.needles = needles, .stream = stream, .more_may_come = more_may_come};
	for (size_t i = 0; i < needles->count; i++)
		v->has_clean |= needs_clean(&needles->list[i]);
	lanes_read(&v->lanes, stream, needles->plain_only);
	v->covered = must(calloc(stream.len + 1, 1));
	v->plain = must(calloc(stream.len + 1, 1));
	v->joined = must(calloc(stream.len + 1, 1));
	for (enum lane_kind kind = 0; kind < LANE_COUNT; kind++)
		for (size_t i = 0; i < needles->count; i++)
			if (is_looked_for(v, &needles->list[i], kind))
				view_find(v, &needles->list[i], kind);
}

static void view_done(struct view *v)
{
	lanes_done(&v->lanes);
	free(v->matches);
	free(v->covered);
	free(v->plain);
	free(v->joined);
}

// ------------------------------------------------------------------------------------- the end of what has been read

// Whether the last `len` bytes of the lane are a proper prefix of the needle. Needles that are too long for a lane
// count with the prefixes that are not.
static bool is_prefix(const struct view *v, const struct needle *needle, enum lane_kind kind, size_t len)
{
	const struct lane *lane = &v->lanes.list[kind];
	if (len >= needle->bytes.len || len > lane->count - lane->tail)
		return false;
	const uint8_t *suffix = lane->bytes + lane->count - len;
	if (suffix[0] != needle->bytes.data[0] || memcmp(suffix, needle->bytes.data, len) != 0)
		return false;
	if (kind != LANE_PLAIN && !needle->weak && len > SHADOW_NEEDLE_MAX)
		return false;
	return is_set_of(v, needle, kind) && fits_left(needle, lane, lane->count - len);
}

// The longest such prefix of fewer than `limit` bytes; 0 when there is none.
static size_t prefix_under(const struct view *v, const struct needle *needle, enum lane_kind kind, size_t limit)
{
	const struct lane *lane = &v->lanes.list[kind];
	size_t most = limit < needle->bytes.len ? limit - 1 : needle->bytes.len - 1;
	most = most < lane->count ? most : lane->count;
	for (size_t at = lane->count - most; at < lane->count; at++) {
		const uint8_t *next = memchr(lane->bytes + at, needle->bytes.data[0], lane->count - at);
		if (!next)
			return 0;
		at = (size_t)(next - lane->bytes);
		if (is_prefix(v, needle, kind, lane->count - at))
			return lane->count - at;
	}
	return 0;
}

// The rule for the end of the stream, for each lane and each of the two sets of needles.
static void view_find_end(struct view *v, enum lane_kind kind, bool weak)
{
	const struct lane *lane = &v->lanes.list[kind];
	struct cut {
		const struct needle *first;
		size_t shortest;
	} *cuts = must(calloc(lane->count + 1, sizeof(*cuts))); // by length
	for (size_t i = 0; i < v->needles->count; i++) {
		const struct needle *needle = &v->needles->list[i];
		size_t len = needle->weak == weak ? prefix_under(v, needle, kind, SIZE_MAX) : 0;
		for (; len > 0; len = prefix_under(v, needle, kind, len)) {
			struct cut *cut = &cuts[len];
			if (!cut->first || needle->bytes.len < cut->shortest)
				cut->shortest = needle->bytes.len;
			cut->first = cut->first ? cut->first : needle;
		}
	}
	size_t len = lane->count;
	while (len > 0 && (!cuts[len].first || (len < END_BYTES_MIN && len * 2 < cuts[len].shortest)))
		len--;
	if (len > 0)
		view_add(v, cuts[len].first, kind, lane->count - len, len);
	free(cuts);
}

static void view_init_whole(struct view *v, const struct oracle_needles *needles, struct span stream)
{
	view_init(v, needles, stream, false);
	for (enum lane_kind kind = 0; kind < LANE_COUNT; kind++) {
		view_find_end(v, kind, false);
		view_find_end(v, kind, true);
	}
}

static bool waits(const struct view *v, const struct needle *needle, enum lane_kind kind)
{
	const struct lane *lane = &v->lanes.list[kind];
	size_t len = needle->bytes.len;
	return needle->weak && is_looked_for(v, needle, kind) && len <= lane->count &&
	       stands_at(needle, lane, lane->count - len) && fits_left(needle, lane, lane->count - len) &&
	       fit_right(v, needle, lane, lane->count - 1) == WAITS;
}

// What one lane holds for one needle.
static void look_at_needle(const struct view *v, const struct needle *needle, enum lane_kind kind, size_t *hold_from,
			   bool *can_show)
{
	const struct lane *lane = &v->lanes.list[kind];
	size_t longest = 0;
	for (size_t len = prefix_under(v, needle, kind, SIZE_MAX); len > 0; len = prefix_under(v, needle, kind, len)) {
		longest = len > longest ? len : longest;
		if (len > EXPOSURE_BYTES_MAX || 4 * len > needle->bytes.len)
			*can_show = false;
	}
	if (waits(v, needle, kind)) {
		longest = needle->bytes.len;
		*can_show = false;
	}
	if (longest > 0 && lane->offset[lane->count - longest] < *hold_from)
		*hold_from = lane->offset[lane->count - longest];
}

void oracle_look(const struct oracle_needles *needles, struct span stream, size_t settled, struct oracle_look *out)
{
	struct view v;
	view_init(&v, needles, stream, true);
	size_t from = stream.len;
	*out = (struct oracle_look){.can_show = true};
	for (enum lane_kind kind = 0; kind < LANE_COUNT; kind++)
		for (size_t i = 0; i < needles->count; i++)
			look_at_needle(&v, &needles->list[i], kind, &from, &out->can_show);
	for (size_t i = from > settled ? from : settled; i < stream.len; i++)
		out->held += !v.covered[i];
	while (from > 0 && v.joined[from - 1])
		from--;
	out->settled = from;
	view_done(&v);
}

// -------------------------------------------------------------------------------------------------------------- masks

struct found {
	bool is_found;
	struct redact_leak leak;
	size_t longest;
};

static size_t count_black(struct span text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.len; i++)
		count += !is_white_space(text.data[i]);
	return count;
}

// Each secret with a match in from..to, by value. The form is that of the longest match; white space does not count.
static void found_fill(struct found *found, const struct view *v, size_t from, size_t to)
{
	for (size_t i = 0; i < v->match_count; i++) {
		const struct match *match = &v->matches[i];
		struct found *f = &found[match->needle->value];
		if (match->from < from || match->from >= to)
			continue;
		size_t len = count_black(span_of(match->needle->bytes.data, match->len));
		if (!f->is_found || len > f->longest ||
		    (len == f->longest && match->needle->form < f->leak.form)) {
			f->leak.form = match->needle->form;
			f->longest = len;
		}
		f->leak.partial |= match->cut;
		f->leak.offset = from;
		f->leak.len = to - from;
		f->leak.value_index = match->needle->value;
		f->is_found = true;
	}
}

static void mask_add(const struct view *v, size_t from, size_t to, struct oracle_result *out)
{
	const struct oracle_needles *needles = v->needles;
	struct found *found = must(calloc(needles->value_count, sizeof(*found)));
	const char *before = "[ENVSEAL:REDACTED ";
	found_fill(found, v, from, to);
	for (size_t value = 0; value < needles->value_count; value++) {
		const struct redact_leak *leak = &found[value].leak;
		if (!found[value].is_found)
			continue;
		oracle_result_leak(out, leak);
		oracle_result_text(out, span_text(before));
		oracle_result_text(out, span_text(needles->names[value]));
		if (leak->form != REDACT_FORM_RAW) {
			oracle_result_text(out, span_text(" "));
			oracle_result_text(out, span_text(redact_form_name(leak->form)));
		}
		before = ", ";
	}
	oracle_result_text(out, span_text("]"));
	free(found);
}

static bool is_kept(const struct view *v, size_t at)
{
	return v->lanes.sequence[at] != 0 && !v->plain[at];
}

// The escapes of from..to that stay. Where there are too many, the first ones go, in runs.
static void kept_add(const struct view *v, size_t from, size_t to, struct oracle_result *out)
{
	size_t kept = 0;
	for (size_t i = from; i < to; i++)
		kept += is_kept(v, i);
	for (size_t i = from; i < to;) {
		size_t end = i;
		while (end < to && is_kept(v, end) && v->lanes.sequence[end] == v->lanes.sequence[i])
			end++;
		if (kept <= KEPT_BYTES_MAX)
			oracle_result_text(out, span_of(v->stream.data + i, end - i));
		else
			kept -= end - i;
		i = end > i ? end : i + 1;
	}
}

void oracle_run(const struct oracle_needles *needles, struct span stream, struct oracle_result *out)
{
	struct view v;
	view_init_whole(&v, needles, stream);
	oracle_result_init(out, stream.len);
	for (size_t i = 0; i < stream.len;) {
		size_t end = i + 1;
		if (!v.covered[i]) {
			out->shown[i] = 1;
			oracle_result_text(out, span_of(stream.data + i, 1));
		} else {
			while (v.joined[end - 1])
				end++;
			mask_add(&v, i, end, out);
			kept_add(&v, i, end, out);
		}
		i = end;
	}
	out->position = stream.len;
	view_done(&v);
}

bool oracle_budget_is_kept(const struct oracle_needles *needles, struct span stream, const struct oracle_result *got)
{
	struct view v;
	view_init_whole(&v, needles, stream);
	bool ok = !got->wrong && got->position == stream.len;
	for (size_t i = 0; i < v.match_count; i++) {
		const struct match *match = &v.matches[i];
		const size_t *offset = v.lanes.list[match->lane].offset;
		size_t shown = 0;
		for (size_t at = match->first; at < match->first + match->len; at++)
			shown += got->shown[offset[at]];
		ok = ok && shown <= EXPOSURE_BYTES_MAX && 4 * shown <= match->needle->bytes.len;
	}
	for (size_t i = 0; i < stream.len; i++)
		ok = ok && (v.covered[i] || got->shown[i]);
	view_done(&v);
	return ok;
}
