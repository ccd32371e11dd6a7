// Levels and what they demand, the sealed setting, and the configuration file: what each gives, and that none weakens
// the other.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

static const enum security_level levels[] = {SECURITY_STANDARD, SECURITY_HARDENED, SECURITY_LOCKDOWN};

// -------------------------------------------------------------------------------------------------------------- levels

static void test_words(void **state)
{
	(void)state;
	enum security_level level = SECURITY_STANDARD;
	enum guard_action action = GUARD_NOTE;
	for (size_t i = 0; i < ARRAY_COUNT(levels); i++) {
		assert_true(security_level_parse(security_level_name(levels[i]), &level));
		assert_int_equal(level, levels[i]);
	}
	for (int i = GUARD_NOTE; i <= GUARD_DENY; i++) {
		assert_true(guard_action_parse(guard_action_name((enum guard_action)i), &action));
		assert_int_equal(action, i);
	}
	static const char *const none[] = {"", "Standard", "standard ", "lock", "lockdowns", "DENY", "no"};
	for (size_t i = 0; i < ARRAY_COUNT(none); i++)
		assert_false(security_level_parse(none[i], &level) || guard_action_parse(none[i], &action));
	assert_int_equal(level, SECURITY_LOCKDOWN); // written on success only
	assert_int_equal(action, GUARD_DENY);
}

static void test_demands(void **state)
{
	(void)state;
	const struct security_demands *standard = security_demands(SECURITY_STANDARD);
	const struct security_demands *hardened = security_demands(SECURITY_HARDENED);
	const struct security_demands *lockdown = security_demands(SECURITY_LOCKDOWN);
	assert_true(standard->factor == FACTOR_PASSPHRASE && hardened->factor == FACTOR_PASSPHRASE_AND_CODE);
	assert_true(standard->rules_allow && hardened->rules_allow && !lockdown->rules_allow);
	assert_true(standard->option_approves && !hardened->option_approves && !lockdown->option_approves);
	assert_true(standard->unredacted == PERMIT_ON_REQUEST && hardened->unredacted == PERMIT_NEVER &&
		    lockdown->unredacted == PERMIT_NEVER);
	assert_true(standard->degrade == PERMIT_ON_REQUEST && hardened->degrade == PERMIT_BY_RULE &&
		    lockdown->degrade == PERMIT_NEVER);
	assert_true(standard->unshielded == PERMIT_ON_REQUEST && hardened->unshielded == PERMIT_BY_RULE &&
		    lockdown->unshielded == PERMIT_NEVER);
	assert_true(standard->tier == SANDBOX_STANDARD && hardened->tier == SANDBOX_HARDENED &&
		    lockdown->tier == SANDBOX_LOCKDOWN);
	assert_true(standard->environment == ENVIRONMENT_FILTERED && hardened->environment == ENVIRONMENT_ALLOWED);
	static const enum guard_action actions[][4] = {
		{GUARD_NOTE, GUARD_NOTE, GUARD_NOTE, GUARD_WARN},
		{GUARD_NOTE, GUARD_NOTE, GUARD_WARN, GUARD_ASK},
		{GUARD_NOTE, GUARD_NOTE, GUARD_ASK, GUARD_DENY},
	};
	for (size_t i = 0; i < ARRAY_COUNT(levels); i++)
		assert_memory_equal(security_demands(levels[i])->actions, actions[i], sizeof(actions[i]));
}

// In no column does a stronger level demand less.
static void test_levels_only_grow(void **state)
{
	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_COUNT(levels); i++) {
		const struct security_demands *weak = security_demands(levels[i]), *strong = security_demands(levels[i + 1]);
		assert_true(weak->tier <= strong->tier && weak->factor <= strong->factor);
		assert_true(weak->unredacted <= strong->unredacted && weak->by_path <= strong->by_path);
		assert_true(weak->unshielded <= strong->unshielded && weak->degrade <= strong->degrade);
		assert_true(weak->keep_env <= strong->keep_env && weak->rules_allow >= strong->rules_allow);
		assert_true(weak->option_approves >= strong->option_approves && weak->environment <= strong->environment);
		for (size_t s = 0; s <= FINDING_BAD; s++)
			assert_true(weak->actions[s] <= strong->actions[s]);
	}
}

// ------------------------------------------------------------------------------------------------------ sealed setting

static struct security parsed(const char *text)
{
	struct security security;
	struct err err = {0};
	if (security_parse(span_text(text), &security, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return security;
}

static void test_setting_round_trip(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{\"findings\":{},\"level\":\"standard\",\"version\":1}",
		"{\"findings\":{\"core-pattern\":\"note\"},\"level\":\"hardened\",\"version\":1}",
		"{\"findings\":{\"core-limit\":\"deny\",\"swap\":\"ask\",\"tracer\":\"warn\"},\"level\":\"lockdown\",\"version\":1}",
	};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct security security = parsed(texts[i]);
		_cleanup_buf_ struct buf out = BUF_INIT(SECURITY_BYTES_MAX);
		struct err err = {0};
		assert_int_equal(security.level, levels[i]);
		assert_int_equal(security_format(&security, &out, &err), 0);
		assert_string_equal(buf_text(&out), texts[i]);
	}
	// In any order, with blanks.
	struct security security = parsed(" {\"version\":1,\n\"level\":\"standard\","
					  "\"findings\":{\"swap\":\"ask\",\"core-limit\":\"note\"}} ");
	assert_string_equal(security.findings.rows[0].id, "core-limit");
	assert_string_equal(security.findings.rows[1].id, "swap");
	// The largest there is: every finding.
	struct finding_kind kind;
	struct err err = {0};
	for (size_t i = 0; finding_kind_at(i, &kind); i++)
		assert_int_equal(security_override_put(&security.findings, span_text(kind.id), GUARD_DENY, &err), 0);
	_cleanup_buf_ struct buf out = BUF_INIT(SECURITY_BYTES_MAX);
	assert_int_equal(security_format(&security, &out, &err), 0);
	assert_int_equal(parsed(buf_text(&out)).findings.count, security.findings.count);
}

static void test_setting_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *says;
	} cases[] = {
		{"", "line 1"}, {"{", "line 1"}, {"[]", "not an object"}, {"null", "line 1"}, {"\xff", "line 1"},
		{"{}", "'version'"},
		{"{\"level\":\"standard\",\"version\":1}", "'findings' is missing"},
		{"{\"findings\":{},\"version\":1}", "'level'"},
		{"{\"findings\":{},\"level\":\"standard\"}", "'version'"},
		{"{\"findings\":{},\"level\":\"standard\",\"version\":2}", "'version'"},
		{"{\"findings\":{},\"level\":\"standard\",\"version\":1.0}", "'version'"},
		{"{\"findings\":{},\"level\":\"Standard\",\"version\":1}", "'level'"},
		{"{\"findings\":{},\"level\":1,\"version\":1}", "'level'"},
		{"{\"findings\":[],\"level\":\"standard\",\"version\":1}", "'findings' must be"},
		{"{\"findings\":{\"swap\":\"never\"},\"level\":\"standard\",\"version\":1}", "note, warn, ask or deny"},
		{"{\"findings\":{\"swap\":1},\"level\":\"standard\",\"version\":1}", "note, warn, ask or deny"},
		{"{\"findings\":{\"swop\":\"ask\"},\"level\":\"standard\",\"version\":1}", "nearest is 'swap'"},
		{"{\"findings\":{\"swap\":\"ask\",\"swap\":\"ask\"},\"level\":\"standard\",\"version\":1}", "line 1"},
		{"{\"extra\":1,\"findings\":{},\"level\":\"standard\",\"version\":1}", "not known"},
		{"{\"findings\":{},\"level\":\"standard\",\"version\":1} x", "line 1"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct security security = {.level = SECURITY_LOCKDOWN};
		struct err err = {0};
		int r = security_parse(span_text(cases[i].text), &security, &err);
		if (r != ERR_INPUT || !strstr(err.text, cases[i].says))
			fail_msg("%s gave %d: %s", cases[i].text, r, err.text);
		assert_int_equal(security.level, SECURITY_LOCKDOWN);
	}
	static char large[SECURITY_BYTES_MAX + 2];
	struct security security;
	struct err err = {0};
	memset(large, ' ', sizeof(large));
	assert_int_equal(security_parse(span_of(large, SECURITY_BYTES_MAX + 1), &security, &err), ERR_LIMIT);
}

static void test_overrides(void **state)
{
	(void)state;
	struct security_overrides overrides = {0};
	struct err err = {0};
	assert_int_equal(security_override_put(&overrides, SPAN_LITERAL("swap"), GUARD_ASK, &err), 0);
	assert_int_equal(security_override_put(&overrides, SPAN_LITERAL("core-limit"), GUARD_WARN, &err), 0);
	assert_int_equal(security_override_put(&overrides, SPAN_LITERAL("swap"), GUARD_DENY, &err), 0);
	assert_int_equal(overrides.count, 2);
	assert_int_equal(security_override_find(&overrides, "swap")->action, GUARD_DENY);
	assert_null(security_override_find(&overrides, "tracer"));
	assert_int_equal(security_override_drop(&overrides, SPAN_LITERAL("core-limit"), &err), 0);
	assert_int_equal(security_override_drop(&overrides, SPAN_LITERAL("core-limit"), &err), 0);
	assert_int_equal(overrides.count, 1);
	assert_string_equal(overrides.rows[0].id, "swap");
	static const struct {
		const char *id, *nearest;
	} cases[] = {{"core-patern", "'core-pattern'"}, {"usernamespace", "'user-namespace'"}, {"", "the nearest is '"},
		     {"SWAP", "the nearest is '"}, {"ptrace", "'"},
		     {"a-name-that-is-longer-than-any-finding-could-ever-be-and-then-some-more", "the nearest is '"}};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(security_override_put(&overrides, span_text(cases[i].id), GUARD_ASK, &err), ERR_INPUT);
		if (!strstr(err.text, cases[i].nearest))
			fail_msg("%s: %s", cases[i].id, err.text);
		assert_int_equal(security_override_drop(&overrides, span_text(cases[i].id), &err), ERR_INPUT);
	}
	assert_int_equal(overrides.count, 1);
}

// ---------------------------------------------------------------------------------------------- the configuration file

static int floor_code(const char *text, size_t len, struct security_floor *out, struct err *err)
{
	int r = security_floor_parse(span_of(text, len), "/etc/x.conf", out, err);
	for (const char *at = err->text; r < 0 && *at; at++)
		assert_in_range(*at, 0x20, 0x7e);
	return r;
}

static struct security_floor floor_of(const char *text)
{
	struct security_floor floor = {.level = SECURITY_LOCKDOWN};
	struct err err = {0};
	if (floor_code(text, strlen(text), &floor, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return floor;
}

static void test_file(void **state)
{
	(void)state;
	static const char *const nothing[] = {"", "\n", "# a remark\n; another\n\n", "[security]\n[findings]\n[approval]\n",
					      "  # bl\xc3\xbc\n"};
	for (size_t i = 0; i < ARRAY_COUNT(nothing); i++) {
		struct security_floor floor = floor_of(nothing[i]);
		assert_true(floor.level == SECURITY_STANDARD && floor.findings.count == 0 && !floor.pinentry[0]);
	}
	struct security_floor floor = floor_of("# what this machine wants\n[security]\nlevel = hardened ; as agreed\n\n"
					       "[findings]\n"
					       "swap=deny\ncore-pattern \t=  ask  \n\n[approval]\n"
					       "pinentry = /usr/bin/pinentry-gnome3");
	assert_int_equal(floor.level, SECURITY_HARDENED);
	assert_int_equal(floor.findings.count, 2);
	assert_int_equal(security_override_find(&floor.findings, "swap")->action, GUARD_DENY);
	assert_int_equal(security_override_find(&floor.findings, "core-pattern")->action, GUARD_ASK);
	assert_string_equal(floor.pinentry, "/usr/bin/pinentry-gnome3");
	floor = floor_of("[findings]\nswap = warn\n[security]\nlevel = lockdown\n[findings]\ntracer = deny\n");
	assert_true(floor.level == SECURITY_LOCKDOWN && floor.findings.count == 2);
}

static void test_file_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned line;
		const char *says;
	} cases[] = {
		{"level = hardened\n", 1, "before the first section"},
		{"[security]\nlevel = strict\n", 2, "none of standard"},
		{"[security]\nlevel =\n", 2, "none of standard"},
		{"[security]\nlevel = Hardened\n", 2, "none of standard"},
		{"[security]\nlevel = hardened\nlevel = standard\n", 3, "twice"},
		{"[security]\nlevel = hardened\n[security]\nlevel = hardened\n", 4, "twice"},
		{"[security]\nlevle = hardened\n", 2, "no such key"},
		{"[security]\nLEVEL = hardened\n", 2, "no such key"},
		{"[security]\npinentry = /x\n", 2, "no such key"},
		{"[security]\nlevel\n", 2, "neither"},
		{"\n\n[security\nlevel = hardened\n", 3, "no such section"},
		{"[secrets]\n", 1, "no such section"},
		{"[Security]\n", 1, "no such section"},
		{"[]\n", 1, "no such section"},
		{"[security] level = hardened\n", 1, "no such section"},
		{"[ security ]\n", 1, "no such section"},
		{"[security]\n level = hardened\n", 2, "begins with a blank"},
		{"[security]\nlevel = standard\n\tlevel = hardened\n", 3, "begins with a blank"},
		{"[findings]\nswap = deny\nswap = note\n", 3, "twice"},
		{"[findings]\nswap = never\n", 2, "none of note"},
		{"[findings]\nswop = deny\n", 2, "nearest is 'swap'"},
		{"[findings]\n= deny\n", 2, "no finding of that name"},
		{"[approval]\npinentry = pinentry\n", 2, "no absolute path"},
		{"[approval]\npinentry = /a\npinentry = /b\n", 3, "twice"},
		{"[approval]\nother = /a\n", 2, "no such key"},
		{"[security]\r\nlevel = hardened\r\n", 1, "carriage return"},
		{"[security]\nlevel = hardened\r\n", 2, "carriage return"},
		{"\xef\xbb\xbf[security]\nlevel = hardened\n", 1, "no plain text"},
		{"[security]\nlevel = hardene\xc4\x91\n", 2, "no plain text"},
		{"# \x1b[2J\n", 1, "no plain text"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct security_floor floor = {.level = SECURITY_LOCKDOWN};
		struct err err = {0};
		char head[64];
		snprintf(head, sizeof(head), "/etc/x.conf line %u: ", cases[i].line);
		int r = floor_code(cases[i].text, strlen(cases[i].text), &floor, &err);
		if (r != ERR_INPUT || strncmp(err.text, head, strlen(head)) != 0 || !strstr(err.text, cases[i].says) ||
		    !strstr(err.text, "envseal.conf(5)"))
			fail_msg("case %zu gave %d: %s", i, r, err.text);
		assert_int_equal(floor.level, SECURITY_LOCKDOWN);
	}
}

static void test_file_bounds(void **state)
{
	(void)state;
	static char text[SECURITY_FILE_BYTES_MAX + 2];
	struct security_floor floor;
	struct err err = {0};
	static const char nul[] = "[security]\nlevel = hardened\n\0";
	assert_int_equal(floor_code(nul, sizeof(nul) - 1, &floor, &err), ERR_INPUT);
	static const char cut[] = "[security]\nlevel = lock\0down\n";
	assert_int_equal(floor_code(cut, sizeof(cut) - 1, &floor, &err), ERR_INPUT);
	memset(text, '\n', sizeof(text));
	assert_int_equal(floor_code(text, SECURITY_FILE_BYTES_MAX, &floor, &err), 0);
	assert_int_equal(floor_code(text, SECURITY_FILE_BYTES_MAX + 1, &floor, &err), ERR_INPUT);
	// Of a remark, and of a path: the longest, and one byte more.
	memset(text, '#', SECURITY_LINE_BYTES_MAX);
	assert_int_equal(floor_code(text, SECURITY_LINE_BYTES_MAX, &floor, &err), 0);
	text[SECURITY_LINE_BYTES_MAX] = '#';
	assert_int_equal(floor_code(text, SECURITY_LINE_BYTES_MAX + 1, &floor, &err), ERR_INPUT);
	int head = snprintf(text, sizeof(text), "[approval]\npinentry=/");
	memset(text + head, 'p', SECURITY_LINE_BYTES_MAX - 10);
	assert_int_equal(floor_code(text, 11 + SECURITY_LINE_BYTES_MAX, &floor, &err), 0);
	assert_int_equal(strlen(floor.pinentry), SECURITY_LINE_BYTES_MAX - 9);
	text[11 + SECURITY_LINE_BYTES_MAX] = 'p';
	assert_int_equal(floor_code(text, 12 + SECURITY_LINE_BYTES_MAX, &floor, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "line 2: it is too long"));
}

// ------------------------------------------------------------------------------------------------------------ together

static enum guard_action action(const struct security *security, const char *id, enum finding_severity severity)
{
	const struct finding finding = {.id = id, .severity = severity};
	return guard_action_for(security, &finding);
}

static void test_actions(void **state)
{
	(void)state;
	struct security security = parsed("{\"findings\":{\"swap\":\"note\",\"core-pattern\":\"deny\"},"
					  "\"level\":\"hardened\",\"version\":1}");
	assert_int_equal(action(&security, "tracer", FINDING_BAD), GUARD_ASK);
	assert_int_equal(action(&security, "tracer", FINDING_WARN), GUARD_WARN);
	assert_int_equal(action(&security, "swap", FINDING_WARN), GUARD_NOTE);
	assert_int_equal(action(&security, "core-pattern", FINDING_NOTE), GUARD_DENY);
	// What is as it should be leads to nothing.
	assert_int_equal(action(&security, "core-pattern", FINDING_OK), GUARD_NOTE);
	struct security_floor floor = floor_of("[findings]\nswap = ask\ncore-pattern = note\n");
	security_raise(&security, &floor);
	assert_int_equal(security.level, SECURITY_HARDENED);
	assert_int_equal(action(&security, "swap", FINDING_WARN), GUARD_ASK);
	assert_int_equal(action(&security, "swap", FINDING_OK), GUARD_NOTE);
	assert_int_equal(action(&security, "core-pattern", FINDING_NOTE), GUARD_DENY);
	assert_int_equal(action(&security, "tracer", FINDING_BAD), GUARD_ASK);
}

// Whatever the file says, nothing gets weaker by it, and nothing that it forces is below it.
static void test_file_only_raises(void **state)
{
	(void)state;
	static const char *const sealed[] = {
		"{\"findings\":{},\"level\":\"standard\",\"version\":1}",
		"{\"findings\":{\"tracer\":\"note\"},\"level\":\"standard\",\"version\":1}",
		"{\"findings\":{\"tracer\":\"ask\"},\"level\":\"hardened\",\"version\":1}",
		"{\"findings\":{\"tracer\":\"deny\"},\"level\":\"lockdown\",\"version\":1}",
		"{\"findings\":{\"tracer\":\"warn\"},\"level\":\"lockdown\",\"version\":1}",
	};
	static const char *const words[] = {"note", "warn", "ask", "deny"};
	for (size_t s = 0; s < ARRAY_COUNT(sealed); s++)
		for (size_t l = 0; l < ARRAY_COUNT(levels); l++)
			for (size_t a = 0; a <= ARRAY_COUNT(words); a++) {
				struct security before = parsed(sealed[s]), after = before;
				char text[128];
				int head = snprintf(text, sizeof(text), "[security]\nlevel=%s\n[findings]\n",
						    security_level_name(levels[l]));
				if (a < ARRAY_COUNT(words))
					snprintf(text + head, sizeof(text) - (size_t)head, "tracer=%s\n", words[a]);
				struct security_floor floor = floor_of(text);
				security_raise(&after, &floor);
				assert_true(after.level >= before.level && after.level >= levels[l]);
				for (int v = FINDING_NOTE; v <= FINDING_BAD; v++) {
					enum finding_severity severity = (enum finding_severity)v;
					enum guard_action now = action(&after, "tracer", severity);
					assert_true(now >= action(&before, "tracer", severity));
					assert_true(levels[l] == SECURITY_STANDARD ||
						    now >= security_demands(levels[l])->actions[v]);
					assert_true(a == ARRAY_COUNT(words) || now >= (enum guard_action)a);
				}
			}
}

static void assert_floor(const char *wanted, const char *file, const char *says)
{
	struct security security = parsed(wanted);
	struct security_floor floor = floor_of(file);
	struct err err = {0};
	int r = security_check_floor(&security, &floor, &err);
	assert_int_equal(r, says ? ERR_DENIED : 0);
	if (says && (!strstr(err.text, says) || !strstr(err.text, SECURITY_FILE)))
		fail_msg("%s", err.text);
}

static void test_check_floor(void **state)
{
	(void)state;
	const char *standard = "{\"findings\":{},\"level\":\"standard\",\"version\":1}";
	const char *with_note = "{\"findings\":{\"tracer\":\"note\"},\"level\":\"lockdown\",\"version\":1}";
	const char *with_warn = "{\"findings\":{\"core-pattern\":\"warn\"},\"level\":\"lockdown\",\"version\":1}";
	assert_floor(standard, "", NULL);
	assert_floor(standard, "[security]\nlevel=standard\n", NULL);
	assert_floor(standard, "[security]\nlevel=hardened\n", "the level standard");
	assert_floor(with_note, "", NULL);
	assert_floor(with_note, "[findings]\ntracer=note\n", NULL);
	assert_floor(with_note, "[findings]\ntracer=warn\n", "tracer is weaker than warn");
	assert_floor(with_note, "[security]\nlevel=hardened\n", "tracer is weaker than ask");
	// A finding that is never bad may have more than the level, too.
	assert_floor(with_warn, "[security]\nlevel=lockdown\n", NULL);
	assert_floor(with_warn, "[findings]\ncore-pattern=deny\n", "core-pattern is weaker than deny");
}

static void test_worst(void **state)
{
	(void)state;
	struct security security = {0};
	struct finding_kind kind;
	size_t wanted = 0, all = 0;
	for (; finding_kind_at(all, &kind); all++)
		wanted += guard_action_worst(&security, &kind) > GUARD_NOTE;
	assert_true(wanted >= 3 && wanted < all / 2);
	assert_true(all <= SECURITY_OVERRIDES_MAX);
	assert_true(finding_kind_find(SPAN_LITERAL("screen-recorder"), &kind));
	assert_int_equal(guard_action_worst(&security, &kind), GUARD_NOTE);
	security.floor = floor_of("[findings]\nscreen-recorder = deny\n");
	assert_int_equal(guard_action_worst(&security, &kind), GUARD_DENY);
	assert_int_equal(guard_action_forced(&security.floor, &kind), GUARD_DENY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_demands),
		cmocka_unit_test(test_levels_only_grow),
		cmocka_unit_test(test_setting_round_trip),
		cmocka_unit_test(test_setting_refused),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_refused),
		cmocka_unit_test(test_file_bounds),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_file_only_raises),
		cmocka_unit_test(test_check_floor),
		cmocka_unit_test(test_worst),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
