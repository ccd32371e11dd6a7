// What a set of rules says to a request: which rules match, which one decides, and the reasons of the others.
#include "rule_scene.h"

// A run of /usr/bin/tool with one secret in TOKEN, that a test changes.
struct scene {
	struct program program, interpreter;
	const char *tags[2];
	struct policy_secret secrets[2];
	char *argv[8];
	uint8_t script_digest[DIGEST_BYTES];
	const char *kept[2];
	struct policy_request request;
	struct policy_verdict verdicts[2];
	struct policy_decision decision;
};

static char *text_of(const char *text)
{
	char *out;
	memcpy(&out, &text, sizeof(out));
	return out;
}

static void scene_init(struct scene *s)
{
	*s = (struct scene){.tags = {"prod", "team:a"}};
	s->program = (struct program){.path = text_of("/usr/bin/tool"), .is_system = true};
	s->interpreter = (struct program){.path = text_of("/usr/bin/dash"), .is_system = true};
	memset(s->program.digest, 0xaa, DIGEST_BYTES);
	memset(s->interpreter.digest, 0xbb, DIGEST_BYTES);
	s->secrets[0] = (struct policy_secret){"db/prod/pass", s->tags, 2, RULE_TO_VARIABLE, "TOKEN"};
	s->secrets[1] = (struct policy_secret){"api/key", NULL, 0, RULE_TO_STDIN, NULL};
	s->argv[0] = text_of("tool");
	s->argv[1] = text_of("-v");
	s->argv[2] = text_of("x");
	s->request = (struct policy_request){.secrets = s->secrets, .secret_count = 1, .program = &s->program,
					     .argv = s->argv, .directory = "/home/u/work/app", .redaction = true,
					     .now = NOW, .boottime_ms = NOW_BOOT_MS, .boot = BOOT,
					     .session = {77, 1234}, .uses = 1};
	s->decision.verdicts = s->verdicts;
}

static enum rule_effect decide(struct scene *s, const struct rule_set *set)
{
	policy_decide(set->rules, set->count, &s->request, &s->decision);
	return s->decision.effect;
}

// By this one rule and nothing else.
static enum policy_reason reason_of(struct scene *s, const char *text)
{
	_cleanup_rules_ struct rule_set set = RULES(text);
	decide(s, &set);
	enum policy_reason chain[1];
	policy_explain(set.rules, 1, &s->request, 0, &s->verdicts[0], chain);
	assert_int_equal(chain[0], s->verdicts[0].reason);
	assert_int_equal(s->verdicts[0].effect, chain[0] == POLICY_DECIDES ? set.rules[0].effect : RULE_ASK);
	assert_true((s->verdicts[0].rule != NULL) == (chain[0] == POLICY_DECIDES));
	return chain[0];
}

static void assert_decides(struct scene *s, struct rule_set set, const char *id)
{
	for (int round = 0; round < 2; round++) {
		decide(s, &set);
		assert_non_null(s->verdicts[0].rule);
		assert_string_equal(s->verdicts[0].rule->id, id);
		for (size_t i = 0; i < set.count / 2; i++) {
			struct rule swapped = set.rules[i];
			set.rules[i] = set.rules[set.count - 1 - i];
			set.rules[set.count - 1 - i] = swapped;
		}
	}
	rules_done(&set);
}

static void test_nothing(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	struct rule_set none = {0};
	assert_int_equal(decide(&s, &none), RULE_ASK);
	assert_null(s.verdicts[0].rule);
	assert_null(s.verdicts[0].nearest);
	_cleanup_rules_ struct rule_set all = RULES(ALLOW("a", "'*'", ""));
	assert_int_equal(decide(&s, &all), RULE_ALLOW);
	s.request.secret_count = 0;
	assert_int_equal(decide(&s, &all), RULE_ASK);
}

static void test_secret(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	static const char *const fit[] = {
		ALLOW("a", "'*'", ""), ALLOW("a", "'db/prod/pass'", ""), ALLOW("a", "'x','db/*'", ""),
		ALLOW("a", "'tag:prod'", ""), ALLOW("a", "'tag:team:*'", ""),
	};
	static const char *const others[] = {
		ALLOW("a", "'db/prod'", ""), ALLOW("a", "'db/prod/passx'", ""), ALLOW("a", "'db/?'", ""),
		ALLOW("a", "'prod'", ""), ALLOW("a", "'tag:pro'", ""),
	};
	for (size_t i = 0; i < ARRAY_COUNT(fit); i++)
		assert_int_equal(reason_of(&s, fit[i]), POLICY_DECIDES);
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		assert_int_equal(reason_of(&s, others[i]), POLICY_OTHER_SECRET);
}

#define TO(more) RULE("a", "allow", "'*'", SYSTEM("/usr/bin/tool"), ANY_ARGV, more)

static void test_delivery(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	assert_int_equal(reason_of(&s, TO(TO_TOKEN)), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, TO(",'deliveries':['variable'],'variables':['TOK*']")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, TO(",'deliveries':['variable'],'variables':['TOKE','TOKENS']")),
			POLICY_OTHER_VARIABLE);
	assert_int_equal(reason_of(&s, TO(",'deliveries':['file'],'variables':['TOKEN']")), POLICY_OTHER_DELIVERY);
	assert_int_equal(reason_of(&s, TO(",'deliveries':['stdin']")), POLICY_OTHER_DELIVERY);
	s.secrets[0].delivery = RULE_TO_FILE;
	assert_int_equal(reason_of(&s, TO(TO_TOKEN)), POLICY_OTHER_DELIVERY);
	assert_int_equal(reason_of(&s, TO(",'deliveries':['file'],'variables':['X']")), POLICY_OTHER_VARIABLE);
	s.secrets[0] = (struct policy_secret){"a", NULL, 0, RULE_TO_STDIN, NULL};
	assert_int_equal(reason_of(&s, TO(",'deliveries':['stdin']")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, TO(TO_TOKEN)), POLICY_OTHER_DELIVERY);
}

static void test_steering_variable(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	static const char *const names[] = {"LD_PRELOAD", "PATH", "PYTHONPATH", "ENVSEAL_HOME", "A=B", ""};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		s.secrets[0].variable = names[i];
		assert_int_equal(reason_of(&s, ALLOW("a", "'*'", "")), POLICY_STEERING_VARIABLE);
		s.secrets[0].delivery = RULE_TO_FILE;
		assert_int_equal(reason_of(&s, ALLOW("a", "'*'", "")), POLICY_STEERING_VARIABLE);
		assert_int_equal(reason_of(&s, DENY("a", "'*'", "")), POLICY_DECIDES);
	}
}

static void test_program(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	const char *exact = RULE("a", "allow", "'*'", EXACT("/usr/bin/tool", DIGEST_A), ANY_ARGV, TO_ANY);
	const char *elsewhere = RULE("a", "allow", "'*'", EXACT("/tmp/tool", DIGEST_A), ANY_ARGV, TO_ANY);
	assert_int_equal(reason_of(&s, exact), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, elsewhere), POLICY_DECIDES);
	s.program.digest[31] ^= 1;
	assert_int_equal(reason_of(&s, exact), POLICY_PROGRAM_CHANGED);
	assert_int_equal(reason_of(&s, elsewhere), POLICY_OTHER_PROGRAM);
	// An upgrade of a system program.
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", "")), POLICY_DECIDES);
	s.program.is_system = false;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", "")), POLICY_PROGRAM_CHANGED);
	scene_init(&s);
	s.program.path = text_of("/usr/bin/tool2");
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", "")), POLICY_OTHER_PROGRAM);
	scene_init(&s);
	s.program.is_by_path = true;
	assert_int_equal(reason_of(&s, exact), POLICY_UNPINNED);
	// The content is approved under another name, and called by one that is open-ended.
	scene_init(&s);
	s.program.path = text_of("/home/u/bin/python3");
	assert_int_equal(reason_of(&s, exact), POLICY_OPEN_ENDED);
}

static void test_script(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	const char *bare = RULE("a", "allow", "'*'", EXACT("/usr/bin/tool", DIGEST_A), ANY_ARGV, TO_ANY);
	const char *bound = RULE("a", "allow", "'*'",
			"{'binding':'exact','digest':'" DIGEST_A "','path':'/s','interpreter':"
				 SYSTEM("/usr/bin/dash") "}", ANY_ARGV, TO_ANY);
	assert_int_equal(reason_of(&s, bound), POLICY_INTERPRETER_CHANGED);
	s.program.interpreter = &s.interpreter;
	assert_int_equal(reason_of(&s, bound), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, bare), POLICY_INTERPRETER_CHANGED);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", "")), POLICY_DECIDES);
	s.interpreter.is_system = false;
	assert_int_equal(reason_of(&s, bound), POLICY_INTERPRETER_CHANGED);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", "")), POLICY_INTERPRETER_CHANGED);
	const char *denied = RULE("a", "deny", "'*'", EXACT("/usr/bin/tool", DIGEST_A), ANY_ARGV, "");
	assert_int_equal(reason_of(&s, denied), POLICY_DECIDES);
	s.interpreter.is_by_path = true;
	assert_int_equal(reason_of(&s, bound), POLICY_UNPINNED);
	scene_init(&s);
	s.program.interpreter = &s.interpreter;
	s.interpreter.path = text_of("/usr/bin/env");
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", "")), POLICY_INTERPRETER_BY_PATH);
}

#define CALLED(mode, ...) RULE("a", "allow", "'*'", SYSTEM("/usr/bin/tool"), ARGV(mode, __VA_ARGS__), TO_ANY)

static void test_arguments(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	assert_int_equal(reason_of(&s, CALLED("exact", "'tool','-v','x'")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, CALLED("exact", "'tool','-v'")), POLICY_OTHER_ARGUMENTS);
	assert_int_equal(reason_of(&s, CALLED("exact", "'tool','-v','x',''")), POLICY_OTHER_ARGUMENTS);
	assert_int_equal(reason_of(&s, CALLED("exact", "'tool','-v','y'")), POLICY_OTHER_ARGUMENTS);
	assert_int_equal(reason_of(&s, CALLED("exact", "'./tool','-v','x'")), POLICY_OTHER_ARGUMENTS);
	assert_int_equal(reason_of(&s, CALLED("prefix", "'tool'")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, CALLED("prefix", "'tool','-v','x'")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, CALLED("prefix", "'tool','-'")), POLICY_OTHER_ARGUMENTS);
	assert_int_equal(reason_of(&s, CALLED("prefix", "'tool','-v','x','y'")), POLICY_OTHER_ARGUMENTS);
	s.argv[0] = NULL;
	assert_int_equal(reason_of(&s, CALLED("prefix", "'tool'")), POLICY_OTHER_ARGUMENTS);
}

#define RUNS(effect, more)                                                                                             \
	RULE("a", effect, "'*'", SYSTEM("/usr/bin/tool"), ARGV("exact", "'tool','-v','x'"), TO_ANY more)

static void test_script_that_is_run(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	const char *allow = RUNS("allow", SCRIPT("/w/x", DIGEST_B)), *none = RUNS("allow", "");
	assert_int_equal(reason_of(&s, allow), POLICY_OTHER_SCRIPT);
	assert_int_equal(reason_of(&s, none), POLICY_DECIDES);
	memset(s.script_digest, 0xbb, DIGEST_BYTES);
	s.request.script_path = "/w/x";
	assert_int_equal(reason_of(&s, allow), POLICY_OTHER_SCRIPT); // without a digest it is as good as unread
	s.request.script_digest = s.script_digest;
	assert_int_equal(reason_of(&s, allow), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, none), POLICY_OTHER_SCRIPT);
	s.request.script_path = "/tmp/x";
	assert_int_equal(reason_of(&s, allow), POLICY_OTHER_SCRIPT);
	s.request.script_path = "/w/x";
	s.script_digest[31] ^= 1;
	assert_int_equal(reason_of(&s, allow), POLICY_SCRIPT_CHANGED);
	s.script_digest[31] ^= 1;
	s.request.script_is_unread = true;
	assert_int_equal(reason_of(&s, allow), POLICY_OTHER_SCRIPT);
	s.request.script_path = NULL;
	assert_int_equal(reason_of(&s, none), POLICY_OTHER_SCRIPT);
}

// Neither an edit nor a copy of the script gets past them.
static void test_script_that_is_denied(void **state)
{
	(void)state;
	static const char *const rules[] = {RUNS("deny", SCRIPT("/w/x", DIGEST_B)),
					    RUNS("ask", SCRIPT("/w/x", DIGEST_B))};
	for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
		struct scene s;
		scene_init(&s);
		assert_int_equal(reason_of(&s, rules[i]), POLICY_OTHER_SCRIPT);
		s.request.script_path = "/w/x";
		assert_int_equal(reason_of(&s, rules[i]), POLICY_DECIDES);
		s.request.script_digest = s.script_digest;
		assert_int_equal(reason_of(&s, rules[i]), POLICY_DECIDES);
		s.request.script_path = "/tmp/x";
		assert_int_equal(reason_of(&s, rules[i]), POLICY_OTHER_SCRIPT);
		memset(s.script_digest, 0xbb, DIGEST_BYTES);
		assert_int_equal(reason_of(&s, rules[i]), POLICY_DECIDES);
		assert_int_equal(reason_of(&s, RUNS("deny", "")), POLICY_DECIDES);
		s.request.script_is_unread = true;
		assert_int_equal(reason_of(&s, rules[i]), POLICY_OTHER_SCRIPT);
		assert_int_equal(reason_of(&s, RUNS("deny", "")), POLICY_DECIDES);
	}
}

static void test_kept_variables(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	s.kept[0] = "LD_PRELOAD";
	s.kept[1] = "CC";
	s.request.kept = s.kept;
	const char *one = ALLOW("a", "'*'", ",'environment':['LD_PRELOAD']");
	assert_int_equal(reason_of(&s, one), POLICY_DECIDES);
	s.request.kept_count = 1;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", "")), POLICY_KEPT_VARIABLE);
	assert_int_equal(reason_of(&s, one), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'environment':['LD_PRELOA','LD_PRELOADS']")),
			 POLICY_KEPT_VARIABLE);
	s.request.kept_count = 2;
	assert_int_equal(reason_of(&s, one), POLICY_KEPT_VARIABLE);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'environment':['CC','CXX','LD_PRELOAD']")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, DENY("a", "'*'", "")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ASK("a", "'*'", "")), POLICY_DECIDES);
	const char *many[RULE_ENVIRONMENT_MAX + 1];
	for (size_t i = 0; i < ARRAY_COUNT(many); i++)
		many[i] = "LD_PRELOAD";
	s.request.kept = many;
	s.request.kept_count = RULE_ENVIRONMENT_MAX;
	assert_int_equal(reason_of(&s, one), POLICY_DECIDES);
	s.request.kept_count++;
	assert_int_equal(reason_of(&s, one), POLICY_KEPT_VARIABLE);
}

static void test_directory(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'directory':'/home/u/work'")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'directory':'/home/u/work/app'")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'directory':'/'")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'directory':'/home/u/work/ap'")), POLICY_OTHER_DIRECTORY);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'directory':'/home/u/work/app/x'")), POLICY_OTHER_DIRECTORY);
}

static void test_conditions(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	s.request.redaction = false;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'redaction':true")), POLICY_NO_REDACTION);
}

// A tier that is asked for is not made a stronger one by a rule; where none is, the rule's is what the run gets.
static void test_tier(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	struct rule_sandbox asked = {.tier = SANDBOX_HARDENED};
	s.request.sandbox = &asked;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'tier':'lockdown'")), POLICY_DECIDES);
	s.request.names_tier = true;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'tier':'lockdown'")), POLICY_WEAKER_TIER);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'tier':'hardened'")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", "")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, DENY("a", "'*'", "")), POLICY_DECIDES);
}

// Each way to ask for more openness, a rule that has as much, and one that falls short.
static void test_openness(void **state)
{
	(void)state;
	static char path[] = "/srv/data", *paths[] = {path};
	const struct text_list list = {paths, 1};
	const struct {
		struct rule_sandbox asked;
		const char *has;
		const char *lacks;
	} rows[] = {
		{{.readable = list}, ",'read':['/srv/data']", ",'write':['/srv/data']"},
		{{.readable = list}, ",'read':['/etc','/srv']", ",'read':['/srv/dat']"},
		{{.writable = list}, ",'write':['/']", ",'write':['/srv/data/x']"},
		{{.writable = list}, ",'write':['/srv/data']", ",'write':['/srv/database']"},
		{{.network = SANDBOX_NETWORK_LOOPBACK}, ",'tier':'lockdown','network':'loopback'", ",'tier':'lockdown'"},
		{{.network = SANDBOX_NETWORK_LOOPBACK}, ",'tier':'lockdown','network':'loopback'",
		 ",'tier':'lockdown','network':'none'"},
		{{.network = SANDBOX_NETWORK_ALLOW}, ",'tier':'lockdown','network':'allow','endpoints':['a.example:443']",
		 ",'tier':'lockdown','network':'loopback'"},
		{{.is_unshielded = true}, ",'shield':false", ",'degrade':true"},
		{{.is_degradable = true}, ",'degrade':true", ",'shield':false"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct scene s;
		scene_init(&s);
		s.request.sandbox = &rows[i].asked;
		char has[400], lacks[400];
		snprintf(has, sizeof(has), ALLOW("a", "'*'", "%s"), rows[i].has);
		snprintf(lacks, sizeof(lacks), ALLOW("a", "'*'", "%s"), rows[i].lacks);
		assert_int_equal(reason_of(&s, has), POLICY_DECIDES);
		assert_int_equal(reason_of(&s, lacks), POLICY_OTHER_SANDBOX);
		assert_int_equal(reason_of(&s, ALLOW("a", "'*'", "")), POLICY_OTHER_SANDBOX);
		assert_int_equal(reason_of(&s, DENY("a", "'*'", "")), POLICY_DECIDES);
		assert_int_equal(reason_of(&s, ASK("a", "'*'", "")), POLICY_DECIDES);
	}
}

static void test_endpoints(void **state)
{
	(void)state;
	static char first[] = "a.example:443", second[] = "b.example:443", *both[] = {first, second};
	struct rule_sandbox asked = {.network = SANDBOX_NETWORK_ALLOW, .endpoints = {both, 1}};
	struct scene s;
	scene_init(&s);
	s.request.sandbox = &asked;
#define REACHES(endpoints) ALLOW("a", "'*'", ",'tier':'lockdown','network':'allow','endpoints':[" endpoints "]")
	assert_int_equal(reason_of(&s, REACHES("'a.example:443'")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, REACHES("'a.example:80'")), POLICY_OTHER_SANDBOX);
	asked.endpoints.count = 2;
	assert_int_equal(reason_of(&s, REACHES("'a.example:443'")), POLICY_OTHER_SANDBOX);
	assert_int_equal(reason_of(&s, REACHES("'b.example:443','c.example:1','a.example:443'")), POLICY_DECIDES);
}

#define SESSION(boot, pid, start) ",'boot':'" boot "','session':{'pid':" pid ",'start':" start "}"

static void test_until(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'expires':1800000001")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'expires':1800000000")), POLICY_EXPIRED);
	assert_int_equal(reason_of(&s, DENY("a", "'*'", ",'expires':1800000000")), POLICY_EXPIRED);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'uses':1")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'uses':0")), POLICY_USED_UP);
	s.request.uses = 0;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'uses':0")), POLICY_USED_UP);
	s.request.uses = 2;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'uses':1")), POLICY_USED_UP);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'boot':'" BOOT_OTHER "'")), POLICY_OTHER_BOOT);
	s.request.uses = 1;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", SESSION(BOOT, "77", "1234"))), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", SESSION(BOOT, "77", "1235"))), POLICY_OTHER_SESSION);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", SESSION(BOOT, "78", "1234"))), POLICY_OTHER_SESSION);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", SESSION(BOOT_OTHER, "77", "1234"))), POLICY_OTHER_BOOT);
	s.request.boot = NULL;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'boot':'" BOOT "'")), POLICY_OTHER_BOOT);
	s.request.now = 1699999999;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'expires':1800000001")), POLICY_CLOCK_BACK);
	assert_int_equal(reason_of(&s, DENY("a", "'*'", ",'expires':1800000001")), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ASK("a", "'*'", ",'expires':1800000001")), POLICY_DECIDES);
}

#define ENDS(boot, milliseconds) ",'expires':1800000001" UNTIL(boot, milliseconds)

static void test_until_in_this_boot(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ENDS(BOOT, "5000001"))), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ENDS(BOOT, "5000000"))), POLICY_EXPIRED);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ENDS(BOOT_OTHER, "5000000"))), POLICY_DECIDES);
	// What asks and denies ends when both have passed.
	assert_int_equal(reason_of(&s, DENY("a", "'*'", ENDS(BOOT, "5000000"))), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, ASK("a", "'*'", ENDS(BOOT, "5000000"))), POLICY_DECIDES);
	s.request.now = NOW + 1;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ENDS(BOOT, "5000001"))), POLICY_EXPIRED);
	assert_int_equal(reason_of(&s, DENY("a", "'*'", ENDS(BOOT, "5000001"))), POLICY_DECIDES);
	assert_int_equal(reason_of(&s, DENY("a", "'*'", ENDS(BOOT, "5000000"))), POLICY_EXPIRED);
	assert_int_equal(reason_of(&s, ASK("a", "'*'", ENDS(BOOT_OTHER, "5000001"))), POLICY_EXPIRED);
	s.request.boot = NULL;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ENDS(BOOT, "5000001"))), POLICY_EXPIRED);
	// The clock set back, and the boot clock shifted to before its start.
	scene_init(&s);
	s.request.now = NOW - 1000;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ENDS(BOOT, "5000000"))), POLICY_EXPIRED);
	s.request.now = NOW + 1;
	s.request.boottime_ms = -5;
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ENDS(BOOT, "5000000"))), POLICY_EXPIRED);
}

static void test_made(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	assert_int_equal(reason_of(&s, ALLOW("a", "'*'", ",'made':'prompt'")), POLICY_DECIDES);
	assert_decides(&s, RULES(ALLOW("b", "'*'", ",'made':'prompt'"), ALLOW("a", "'*'", ",'made':'command'")), "a");
	assert_decides(&s, RULES(ALLOW("b", "'*'", ""), ALLOW("a", "'*'", ",'made':'prompt'")), "a");
}

// Each of these fails at two places; the one that is looked at first is named.
static void test_order_of_looking(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	s.kept[0] = "CC";
	s.request.kept = s.kept;
	s.request.kept_count = 1;
	s.request.script_path = "/w/y";
	s.request.script_digest = s.script_digest;
	assert_int_equal(reason_of(&s, CALLED("exact", "'x'")), POLICY_OTHER_ARGUMENTS);
	assert_int_equal(reason_of(&s, RUNS("allow", SCRIPT("/w/x", DIGEST_B))), POLICY_OTHER_SCRIPT);
	s.request.script_path = "/w/x";
	s.program.is_by_path = true;
	assert_int_equal(reason_of(&s, RUNS("allow", SCRIPT("/w/x", DIGEST_B))), POLICY_KEPT_VARIABLE);
	s.request.kept_count = 0;
	s.program.is_by_path = false;
	s.program.interpreter = &s.interpreter;
	s.interpreter.is_system = false;
	assert_int_equal(reason_of(&s, RUNS("allow", SCRIPT("/w/x", DIGEST_B))), POLICY_INTERPRETER_CHANGED);
	s.interpreter.is_system = true;
	assert_int_equal(reason_of(&s, RUNS("allow", SCRIPT("/w/x", DIGEST_B) ",'tier':'lockdown'")),
			 POLICY_SCRIPT_CHANGED);
}

static void test_deny_wins(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	assert_decides(&s,
			RULES(DENY("z", "'tag:*'", ""),
					ALLOW("a", "'db/prod/pass'", ",'directory':'/home/u/work/app'")), "z");
	assert_int_equal(s.decision.effect, RULE_DENY);
	// The more specific one of two is named.
	assert_decides(&s, RULES(DENY("a", "'*'", ""), DENY("z", "'db/*'", ""), ALLOW("b", "'*'", "")), "z");
}

static void test_specificity(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	const char *system = ALLOW("m", "'*'", "");
	assert_decides(&s, RULES(ASK("a", "'db/prod/pass'", ""), system), "m");
	assert_decides(&s, RULES(system, RULE("z", "ask", "'*'", EXACT("/usr/bin/tool", DIGEST_A), ANY_ARGV, "")), "z");
	assert_decides(&s, RULES(ALLOW("b", "'db/prod/pass'", ""), CALLED("prefix", "'tool'")), "a");
	assert_decides(&s, RULES(RULE("z", "ask", "'*'", SYSTEM("/usr/bin/tool"), ARGV("prefix", "'tool','-v'"), ""),
				 CALLED("prefix", "'tool'")), "z");
	assert_decides(&s, RULES(RULE("z", "ask", "'*'", SYSTEM("/usr/bin/tool"), ARGV("exact", "'tool','-v','x'"), ""),
				 CALLED("prefix", "'tool','-v','x'")), "z");
	assert_decides(&s, RULES(ALLOW("a", "'db/*'", ",'directory':'/home/u/work'"), ALLOW("z", "'db/prod/pass'", "")),
			"z");
	assert_decides(&s, RULES(ALLOW("a", "'db/*'", ""), ALLOW("z", "'db/prod/*'", "")), "z");
	assert_decides(&s, RULES(ALLOW("a", "'tag:team:a'", ""), ALLOW("z", "'*'", "")), "z");
	assert_decides(&s, RULES(ALLOW("a", "'tag:prod'", ""), ALLOW("z", "'tag:team:*'", "")), "z");
	assert_decides(&s, RULES(ALLOW("a", "'db/*'", ""), ALLOW("z", "'*','db/prod/*','tag:prod'", "")), "z");
	assert_decides(&s, RULES(ALLOW("a", "'*'", ""), ALLOW("z", "'*'", ",'directory':'/'")), "z");
	assert_decides(&s,
			RULES(ALLOW("a", "'*'", ",'directory':'/home/u'"),
					ALLOW("z", "'*'", ",'directory':'/home/u/work'")), "z");
	// Ask before allow; the id at last.
	assert_decides(&s, RULES(ALLOW("a", "'*'", ""), RULE("z", "ask", "'*'", SYSTEM("/usr/bin/tool"), ANY_ARGV, "")),
			"z");
	assert_decides(&s, RULES(ALLOW("b", "'*'", ""), ALLOW("a", "'*'", "")), "a");
}

static void test_each_secret(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	s.request.secret_count = 2;
	_cleanup_rules_ struct rule_set one = RULES(ALLOW("a", "'db/*'", ""));
	assert_int_equal(decide(&s, &one), RULE_ASK);
	assert_int_equal(s.decision.decisive, 1);
	assert_int_equal(s.verdicts[0].effect, RULE_ALLOW);
	_cleanup_rules_ struct rule_set both = RULES(ALLOW("a", "'db/*'", ""), ALLOW("b", "'api/*'", ""));
	assert_int_equal(decide(&s, &both), RULE_ALLOW);
	_cleanup_rules_ struct rule_set denied = RULES(DENY("a", "'db/*'", ""), ALLOW("b", "'api/*'", ""));
	assert_int_equal(decide(&s, &denied), RULE_DENY);
	assert_int_equal(s.decision.decisive, 0);
}

static void test_chain(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	_cleanup_rules_ struct rule_set set = RULES(ALLOW("a", "'*'", ""), DENY("b", "'*'", ""),
			DENY("c", "'db/*'", ""),
						    ALLOW("d", "'x'", ""));
	enum policy_reason chain[4];
	decide(&s, &set);
	policy_explain(set.rules, 4, &s.request, 0, &s.verdicts[0], chain);
	assert_int_equal(chain[0], POLICY_OVERRULED);
	assert_int_equal(chain[1], POLICY_LESS_SPECIFIC);
	assert_int_equal(chain[2], POLICY_DECIDES);
	assert_int_equal(chain[3], POLICY_OTHER_SECRET);
	for (enum policy_reason reason = 0; reason < POLICY_REASON_COUNT; reason++)
		assert_true(strlen(policy_reason_name(reason)) > 0 && strlen(policy_reason_text(reason)) > 0);
}

// "It asks again, and says what changed."
static void test_nearest(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	s.program.digest[0] ^= 1;
	_cleanup_rules_ struct rule_set set = RULES(
		ALLOW("a", "'x'", ""), RULE("b", "allow", "'*'", EXACT("/usr/bin/tool", DIGEST_A), ANY_ARGV, TO_ANY),
		ALLOW("c", "'*'", ",'directory':'/elsewhere'"));
	assert_int_equal(decide(&s, &set), RULE_ASK);
	assert_string_equal(s.verdicts[0].nearest->id, "b");
	assert_int_equal(s.verdicts[0].reason, POLICY_PROGRAM_CHANGED);
}

// Each secret into its own variable: none may take the other's.
static void test_pairs(void **state)
{
	(void)state;
	struct rule_set set = RULES(RULE("pair", "allow", "'a','b','tag:x'", SYSTEM("/usr/bin/tool"), ANY_ARGV,
					 ",'deliveries':['variable'],'paired':true,'variables':['A','B','X_*']"));
	static const char *const tags[] = {"x"};
	const struct {
		const char *name, *variable;
		size_t tag_count;
		enum rule_effect effect;
	} cases[] = {{"a", "A", 0, RULE_ALLOW}, {"b", "B", 0, RULE_ALLOW}, {"a", "B", 0, RULE_ASK}, {"b", "A", 0, RULE_ASK},
		     {"c", "X_1", 1, RULE_ALLOW}, {"c", "A", 1, RULE_ASK}, {"a", "X_1", 1, RULE_ALLOW}, {"a", "X_1", 0, RULE_ASK}};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct policy_secret secret = {.name = cases[i].name, .tags = tags, .tag_count = cases[i].tag_count,
					       .delivery = RULE_TO_VARIABLE, .variable = cases[i].variable};
		struct program program = {.path = (char[]){"/usr/bin/tool"}, .name = (char[]){"/usr/bin/tool"}, .is_system = true};
		char *argv[] = {"tool", NULL};
		struct policy_request request = {.secrets = &secret, .secret_count = 1, .program = &program, .argv = argv,
						 .directory = "/w", .redaction = true, .now = NOW, .boot = BOOT, .uses = 1};
		struct policy_verdict verdict;
		struct policy_decision decision = {.verdicts = &verdict};
		policy_decide(set.rules, set.count, &request, &decision);
		assert_int_equal(decision.effect, cases[i].effect);
		if (decision.effect == RULE_ASK)
			assert_int_equal(verdict.reason, POLICY_OTHER_VARIABLE);
	}
	rules_done(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing), cmocka_unit_test(test_secret), cmocka_unit_test(test_delivery),
		cmocka_unit_test(test_steering_variable), cmocka_unit_test(test_program), cmocka_unit_test(test_script),
		cmocka_unit_test(test_arguments), cmocka_unit_test(test_directory), cmocka_unit_test(test_conditions), cmocka_unit_test(test_tier), cmocka_unit_test(test_openness),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_until), cmocka_unit_test(test_deny_wins), cmocka_unit_test(test_specificity),
		cmocka_unit_test(test_script_that_is_run), cmocka_unit_test(test_script_that_is_denied),
		cmocka_unit_test(test_kept_variables), cmocka_unit_test(test_until_in_this_boot),
		cmocka_unit_test(test_made), cmocka_unit_test(test_order_of_looking),
		cmocka_unit_test(test_each_secret), cmocka_unit_test(test_chain), cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_nearest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
