#include "engine/cool_down.h"

#include <string.h>

static bool has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text), suffix_len = strlen(suffix);
	return len >= suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

void cool_down_add(struct cool_down *cool_down, const char *kind, bool by_human, int64_t time)
{
	if (has_suffix(kind, ".intent"))
		cool_down->denials = 0;
	if (!has_suffix(kind, ".denied") || !by_human)
		return;
	cool_down->denials++;
	cool_down->last = time;
}

void cool_down_demand(struct cool_down *cool_down, int64_t time)
{
	cool_down->is_demanded = true;
	cool_down->demanded = time;
}

static int64_t seconds_left(int64_t since, int64_t span, int64_t now)
{
	int64_t left = since + span - now;
	if (left <= 0)
		return 0;
	// A clock that was set back must not lengthen it.
	return left < span ? left : span;
}

static int64_t demand_left(const struct cool_down *cool_down, int64_t now)
{
	return cool_down->is_demanded ? seconds_left(cool_down->demanded, COOL_DOWN_DEMANDED_SECONDS, now) : 0;
}

int64_t cool_down_left(const struct cool_down *cool_down, int64_t now)
{
	bool is_row = cool_down->denials >= COOL_DOWN_DENIALS;
	int64_t row = is_row ? seconds_left(cool_down->last, COOL_DOWN_WAIT_SECONDS, now) : 0;
	int64_t demand = demand_left(cool_down, now);
	return row > demand ? row : demand;
}

static int record_take(void *context, json_t *record)
{
	const char *kind = json_string_value(json_object_get(record, "kind"));
	const char *time = json_string_value(json_object_get(record, "time"));
	int64_t seconds = 0;
	struct err ignored;
	if (!kind || !time || clock_parse(time, 0, &seconds, &ignored) < 0)
		return 0;
	cool_down_add(context, kind, json_is_true(json_object_get(record, "by_human")), seconds);
	if (json_is_true(json_object_get(record, "cool_down")))
		cool_down_demand(context, seconds);
	return 0;
}

int cool_down_check(struct engine *engine, struct err *err)
{
	_cleanup_audit_ struct audit *audit = NULL;
	struct cool_down cool_down = {0};
	struct err ignored;
	int64_t now = clock_now();
	struct audit_filter filter = {.since = now - COOL_DOWN_SECONDS};
	if (audit_open_existing(engine->home.state_dir, &audit, &ignored) == 0)
		audit_query(audit, &filter, record_take, &cool_down, &ignored);
	int64_t left = cool_down_left(&cool_down, now);
	if (left == 0)
		return 0;
	if (demand_left(&cool_down, now) > 0)
		return err_set(err, ERR_DENIED, "a human wants not to be asked for now; try again in %lld second%s", (long long)left,
			       left == 1 ? "" : "s");
	return err_set(err, ERR_DENIED, "%u requests were denied in a row, so nothing is asked for now; try again in %lld second%s",
		       cool_down.denials, (long long)left, left == 1 ? "" : "s");
}
