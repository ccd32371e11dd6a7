// The stored set of rules: in chunks, with ids, without grants that ended; and rules made of a plan.
#include "rule_scene.h"
#include "vault_fixture.h"

#include "engine/rules.h"

#define PASSPHRASE "quiet otter maps lemon stairs"

static void notice_none(const char *sentence)
{
	(void)sentence;
}

static struct engine *engine_make(struct engine_unlock *unlock)
{
	static char path[400];
	struct engine *engine = NULL;
	struct passphrase_score score;
	snprintf(path, sizeof(path), "%s/passphrase", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, PASSPHRASE "\n", strlen(PASSPHRASE) + 1), strlen(PASSPHRASE) + 1);
	close(fd);
	*unlock = ENGINE_UNLOCK_TERMINAL;
	unlock->passphrase_file = path;
	assert_int_equal(setenv("ENVSEAL_HOME", vault_dir, 1), 0);
	assert_int_equal(engine_new(notice_none, &engine, &err), 0);
	struct engine_init request = {.unlock = *unlock, .pwhash = "interactive"};
	assert_int_equal(engine_init(engine, &request, &score, &err), 0);
	return engine;
}

// -------------------------------------------------------------------------------------------------------------- chunks

// Of denies, in the order of their ids.
static struct rule_set set_make(size_t count)
{
	struct rule_set set = {.rules = calloc(count, sizeof(*set.rules)), .count = count};
	for (size_t i = 0; i < count; i++) {
		set.rules[i] = scene_rule(DENY("x", "'db/*'", ""));
		snprintf(set.rules[i].id, sizeof(set.rules[i].id), "rule.%05zu", i);
	}
	return set;
}

static void set_store(struct engine *engine, const struct engine_unlock *unlock, struct rule_set *set)
{
	_cleanup_session_ struct session session = {0};
	assert_int_equal(session_open_unlocked(engine, unlock, &session, &err), 0);
	assert_int_equal(session_begin(&session, &err), 0);
	assert_int_equal(session_rules_store(&session, set, &err), 0);
	assert_int_equal(session_commit(&session, "policy.import", json_object(), &err), 0);
}

// What is stored, as text, and in how many chunks.
static size_t set_stored(struct engine *engine, const struct engine_unlock *unlock, struct rule_set *out)
{
	_cleanup_session_ struct session session = {0};
	size_t chunks = 0;
	assert_int_equal(session_open_unlocked(engine, unlock, &session, &err), 0);
	assert_int_equal(session_rules_load(&session, out, &err), 0);
	for (size_t i = 0; i < RULES_BYTES_MAX / VAULT_SETTING_BYTES_MAX; i++) {
		_cleanup_buf_ struct buf text = BUF_INIT(VAULT_SETTING_BYTES_MAX);
		char key[32];
		snprintf(key, sizeof(key), "rules/%zu", i);
		assert_int_equal(vault_setting_get(session.vault, key, &text, &err), 0);
		chunks += text.len > 0;
	}
	return chunks;
}

static void assert_stored(struct engine *engine, const struct engine_unlock *unlock, size_t count)
{
	_cleanup_rules_ struct rule_set wanted = set_make(count);
	_cleanup_rules_ struct rule_set found = {0};
	_cleanup_buf_ struct buf before = BUF_INIT(RULES_BYTES_MAX);
	_cleanup_buf_ struct buf after = BUF_INIT(RULES_BYTES_MAX);
	set_store(engine, unlock, &wanted);
	size_t chunks = set_stored(engine, unlock, &found);
	assert_int_equal(rules_format(&wanted, &before, &err), 0);
	assert_int_equal(rules_format(&found, &after, &err), 0);
	assert_int_equal(found.count, count);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	size_t bytes = count == 0 ? 0 : before.len;
	assert_int_equal(chunks, (bytes + VAULT_SETTING_BYTES_MAX - 1) / VAULT_SETTING_BYTES_MAX);
}

static void sets_of_all_sizes_are_kept(void **state)
{
	(void)state;
	struct engine_unlock unlock;
	_cleanup_engine_ struct engine *engine = engine_make(&unlock);
	static const size_t counts[] = {0, 1, 2000, RULES_COUNT_MAX, 700, 1, 0};
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++)
		assert_stored(engine, &unlock, counts[i]);
}

// ------------------------------------------------------------------------------------------------------------- ends, ids

static struct rule_clock clock_of(void)
{
	return (struct rule_clock){.now = NOW, .boottime_ms = NOW_BOOT_MS, .boot = BOOT};
}

static void grants_end(void **state)
{
	(void)state;
	struct rule_clock clock = clock_of();
	static const struct {
		const char *more;
		bool is_grant, is_over;
	} rows[] = {
		{"", false, false},
		{",'expires':1800000001", true, false},
		{",'expires':1800000000", true, true},
		{",'expires':1900000000" UNTIL(BOOT, "5000001"), true, false},
		{",'expires':1900000000" UNTIL(BOOT, "5000000"), true, true},
		{",'expires':1900000000" UNTIL(BOOT_OTHER, "1"), true, false},
		{",'boot':'" BOOT "'", true, false},
		{",'boot':'" BOOT_OTHER "'", true, true},
		{",'uses':1", true, false},
		{",'uses':0", true, true},
		{",'boot':'" BOOT "','session':{'pid':4194304,'start':1}", true, true},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char text[1000];
		snprintf(text, sizeof(text), RULE("a", "allow", "'*'", SYSTEM("/usr/bin/tool"), ANY_ARGV, TO_ANY "%s"), rows[i].more);
		_cleanup_rule_ struct rule rule = scene_rule(text);
		if (rule_is_grant(&rule) != rows[i].is_grant || rule_is_over(&rule, &clock) != rows[i].is_over)
			fail_msg("%s: %d %d", rows[i].more, rule_is_grant(&rule), rule_is_over(&rule, &clock));
	}
}

static void what_ended_is_dropped(void **state)
{
	(void)state;
	struct engine_unlock unlock;
	_cleanup_engine_ struct engine *engine = engine_make(&unlock);
	_cleanup_rules_ struct rule_set set = RULES(ALLOW("a", "'*'", ",'expires':1700000001"), ALLOW("b", "'*'", ""),
						    ALLOW("c", "'*'", ",'uses':0"), ALLOW("d", "'*'", ",'uses':2"));
	_cleanup_rules_ struct rule_set found = {0};
	set_store(engine, &unlock, &set);
	assert_int_equal(set.count, 2);
	assert_int_equal(set_stored(engine, &unlock, &found), 1);
	assert_int_equal(found.count, 2);
	assert_string_equal(found.rules[0].id, "b");
	assert_string_equal(found.rules[1].id, "d");
}

static int add(struct rule_set *set, const char *text, const char *id)
{
	struct rule_clock clock = clock_of();
	_cleanup_rule_ struct rule rule = scene_rule(text);
	snprintf(rule.id, sizeof(rule.id), "%s", id);
	return rules_add(set, &rule, &clock, &err);
}

static void ids_are_chosen_and_sorted(void **state)
{
	(void)state;
	_cleanup_rules_ struct rule_set set = {0};
	assert_int_equal(add(&set, DENY("x", "'*'", ""), ""), 0);
	assert_int_equal(add(&set, DENY("x", "'*'", ""), "rule-3"), 0);
	assert_int_equal(add(&set, DENY("x", "'*'", ""), ""), 0);
	assert_int_equal(add(&set, DENY("x", "'*'", ""), ""), 0);
	assert_int_equal(add(&set, DENY("x", "'*'", ",'expires':1900000000"), ""), 0);
	assert_int_equal(add(&set, DENY("x", "'*'", ""), "rule-3"), ERR_EXISTS);
	assert_int_equal(add(&set, DENY("x", "'*'", ",'expires':1800000000"), "late"), ERR_INPUT);
	static const char *const ids[] = {"grant-1", "rule-1", "rule-2", "rule-3", "rule-4"};
	assert_int_equal(set.count, ARRAY_COUNT(ids));
	for (size_t i = 0; i < set.count; i++)
		assert_string_equal(set.rules[i].id, ids[i]);
	assert_false(rules_remove(&set, "late"));
	assert_true(rules_remove(&set, "rule-2"));
	assert_false(rules_remove(&set, "rule-2"));
	assert_int_equal(add(&set, DENY("x", "'*'", ""), ""), 0);
	assert_string_equal(set.rules[2].id, "rule-2");
}

static void there_is_room_for_so_many(void **state)
{
	(void)state;
	_cleanup_rules_ struct rule_set set = set_make(RULES_COUNT_MAX);
	assert_int_equal(add(&set, DENY("x", "'*'", ""), "more"), ERR_LIMIT);
	assert_true(rules_remove(&set, "rule.00007"));
	assert_int_equal(add(&set, DENY("x", "'*'", ""), "more"), 0);
	assert_string_equal(set.rules[0].id, "more");
}

// ------------------------------------------------------------------------------------------------------ made of a plan

struct made {
	struct program program, interpreter;
	struct plan_secret secrets[3];
	struct plan plan;
	struct rule_terms terms;
	struct rule rules[RULES_MADE_MAX];
	size_t count;
};

static void made_init(struct made *m)
{
	static char *argv[] = {"tool", "-v", NULL}, *found[] = {"/usr/bin/tool", "-v", NULL};
	*m = (struct made){.secrets = {{.name = "a", .variable = "A", .delivery = EXEC_TO_VARIABLE},
				       {.name = "b", .variable = "B", .delivery = EXEC_TO_FILE},
				       {.name = "c", .variable = "C", .delivery = EXEC_TO_VARIABLE}}};
	m->program = (struct program){.path = "/usr/bin/tool", .name = "/usr/bin/tool", .is_system = true};
	m->interpreter = (struct program){.path = "/home/u/sh", .name = "/home/u/sh"};
	memset(m->program.digest, 0xaa, DIGEST_BYTES);
	m->plan = (struct plan){.program = &m->program, .secrets = m->secrets, .secret_count = 3, .argv = argv, .found_argv = found,
				.directory = "/home/u"};
	m->terms = (struct rule_terms){.effect = RULE_ALLOW, .argv_mode = RULE_ARGV_EXACT, .directory = "/home/u", .redaction = true,
				       .from_prompt = true};
}

static int make(struct made *m)
{
	struct rule_clock clock = clock_of();
	return rules_make(&m->plan, &m->terms, &clock, m->rules, &m->count, &err);
}

static void made_done(struct made *m)
{
	for (size_t i = 0; i < m->count; i++)
		rule_done(&m->rules[i]);
	m->count = 0;
}

static void assert_made(struct made *m, size_t index, const char *id, const char *text)
{
	_cleanup_rule_ struct rule wanted = scene_rule(text);
	_cleanup_buf_ struct buf before = BUF_INIT(RULES_BYTES_MAX);
	_cleanup_buf_ struct buf after = BUF_INIT(RULES_BYTES_MAX);
	snprintf(m->rules[index].id, sizeof(m->rules[index].id), "%s", id);
	assert_int_equal(rule_format(&wanted, &before, &err), 0);
	assert_int_equal(rule_format(&m->rules[index], &after, &err), 0);
	assert_int_equal(buf_append_byte(&before, 0, &err) + buf_append_byte(&after, 0, &err), 0);
	assert_string_equal(after.data, before.data);
}

#define TO_A ",'deliveries':['variable'],'variables':['A']"
#define MADE(more) ",'created':1800000000,'directory':'/home/u','made':'prompt','redaction':true" more "}"
#define MADE_RULE(program, secrets, more)                                                                               \
	"{'id':'x','effect':'allow','secrets':[" secrets "],'program':" program ",'argv':" ARGV("exact", "'/usr/bin/tool','-v'") MADE(more)

static void a_rule_for_each_delivery(void **state)
{
	(void)state;
	struct made m;
	made_init(&m);
	assert_int_equal(make(&m), 0);
	assert_int_equal(m.count, 2);
	assert_made(&m, 0, "x", MADE_RULE(SYSTEM("/usr/bin/tool"), "'a','c'",
		",'deliveries':['variable'],'variables':['A','C'],'paired':true"));
	assert_made(&m, 1, "x", MADE_RULE(SYSTEM("/usr/bin/tool"), "'b'", ",'deliveries':['file'],'variables':['B']"));
	made_done(&m);
}

static void a_copy_is_bound_by_its_content(void **state)
{
	(void)state;
	struct made m;
	made_init(&m);
	m.plan.secret_count = 1;
	m.program.is_system = false;
	assert_int_equal(make(&m), 0);
	assert_int_equal(m.count, 1);
	assert_made(&m, 0, "x", MADE_RULE(EXACT("/usr/bin/tool", DIGEST_A), "'a'", TO_A));
	made_done(&m);
	// Nothing pins what is run by path, its interpreter neither; and what cannot be read cannot be named.
	m.program.is_by_path = true;
	assert_int_equal(make(&m), ERR_DENIED);
	m.program.is_by_path = false;
	m.program.interpreter = &m.interpreter;
	m.interpreter.is_by_path = true;
	assert_int_equal(make(&m), ERR_DENIED);
	m.interpreter.is_by_path = false;
	m.plan.script.is_unread = true;
	assert_int_equal(make(&m), ERR_DENIED);
}

static void ends_are_of_both_clocks(void **state)
{
	(void)state;
	struct made m;
	made_init(&m);
	m.plan.secret_count = 1;
	m.terms.seconds = 60;
	assert_int_equal(make(&m), 0);
	assert_made(&m, 0, "x", MADE_RULE(SYSTEM("/usr/bin/tool"), "'a'", TO_A ",'expires':1800000060" UNTIL(BOOT, "5060000")));
	made_done(&m);
	m.terms.seconds = 0;
	m.terms.session = (struct rule_session){77, 1234};
	assert_int_equal(make(&m), 0);
	assert_made(&m, 0, "x", MADE_RULE(SYSTEM("/usr/bin/tool"), "'a'",
		TO_A ",'boot':'" BOOT "','session':{'pid':77,'start':1234}"));
	made_done(&m);
}

int main(void)
{
#define dir_test(function) cmocka_unit_test_setup_teardown(function, dir_setup, dir_teardown)
	const struct CMUnitTest tests[] = {
		dir_test(sets_of_all_sizes_are_kept),
		cmocka_unit_test(grants_end),
		dir_test(what_ended_is_dropped),
		cmocka_unit_test(ids_are_chosen_and_sorted),
		cmocka_unit_test(there_is_room_for_so_many),
		cmocka_unit_test(a_rule_for_each_delivery),
		cmocka_unit_test(a_copy_is_bound_by_its_content),
		cmocka_unit_test(ends_are_of_both_clocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
