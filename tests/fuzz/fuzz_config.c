// Any bytes as the configuration file and as the sealed setting: refused in printable words, or sound; and what the
// file forces is never less than what was there.
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_refused(int r, const struct err *err)
{
	require((r == ERR_INPUT || r == ERR_LIMIT) && err->code == r);
	for (const char *at = err->text; *at; at++)
		require(*at >= 0x20 && *at < 0x7f);
}

static void require_sound(const struct security_overrides *overrides)
{
	struct finding_kind kind;
	for (size_t i = 0; i < overrides->count; i++) {
		require(finding_kind_find(span_text(overrides->rows[i].id), &kind));
		require(overrides->rows[i].action <= GUARD_DENY);
		require(i == 0 || strcmp(overrides->rows[i - 1].id, overrides->rows[i].id) < 0);
	}
}

static void check_file(struct span text)
{
	struct security_floor floor = {0};
	struct err err = {0};
	int r = security_floor_parse(text, "/etc/envseal/envseal.conf", &floor, &err);
	if (r < 0) {
		require_refused(r, &err);
		require(r == ERR_INPUT);
		return;
	}
	require(floor.level <= SECURITY_LOCKDOWN && (floor.pinentry[0] == 0 || floor.pinentry[0] == '/'));
	require_sound(&floor.findings);
	struct security before = {.level = SECURITY_HARDENED}, after = before;
	struct finding_kind kind;
	security_raise(&after, &floor);
	require(after.level >= before.level && after.level >= floor.level);
	for (size_t i = 0; finding_kind_at(i, &kind); i++)
		require(guard_action_worst(&after, &kind) >= guard_action_worst(&before, &kind));
}

static void check_setting(struct span text)
{
	struct security first = {0}, again = {0};
	_cleanup_buf_ struct buf written = BUF_INIT(SECURITY_BYTES_MAX), same = BUF_INIT(SECURITY_BYTES_MAX);
	struct err err = {0};
	int r = security_parse(text, &first, &err);
	if (r < 0) {
		require_refused(r, &err);
		return;
	}
	require(first.level <= SECURITY_LOCKDOWN);
	require_sound(&first.findings);
	require(security_format(&first, &written, &err) == 0);
	require(security_parse(buf_span(&written), &again, &err) == 0 && security_format(&again, &same, &err) == 0);
	require(span_is_equal(buf_span(&written), buf_span(&same)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	check_file(span_of(data, len));
	check_setting(span_of(data, len));
	return 0;
}
