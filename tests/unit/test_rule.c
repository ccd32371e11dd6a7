// Rules as data: patterns, what is sound, and the JSON form.
#include "rule_scene.h"

// --------------------------------------------------------------------------------------------------------- patterns

static void test_glob(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{"a", "a", true}, {"a", "b", false}, {"a", "", false}, {"", "", true}, {"", "a", false},
		{"*", "", true},
		{"*", "a/b", true}, {"?", "", false}, {"?", "a", true}, {"?", "ab", false}, {"a*", "a", true},
		{"a*", "abc", true}, {"*c", "abc", true}, {"*c", "abcd", false}, {"a*c", "abbc", true},
		{"a*c", "ac", true},
		{"a*b*c", "a1b2b3c", true}, {"a*b*c", "a1c2b3", false}, {"**", "x", true}, {"*?*", "", false},
		{"*?*", "x", true}, {"db/*/pass", "db/prod/x/pass", true}, {"db/?", "db/", false},
		{"a?c*", "abcde", true},
		{"*aab", "aaab", true}, {"*ab?", "abaabx", true}, {"[a]", "a", false}, {"[a]", "[a]", true},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (rule_glob_matches(cases[i].pattern, cases[i].text) != cases[i].matches)
			fail_msg("%s on %s", cases[i].pattern, cases[i].text);
	assert_int_equal(rule_literal_bytes("db/*?x"), 4);
	assert_true(rule_is_glob("a?") && rule_is_glob("*") && !rule_is_glob("a.b"));
}

// What takes an exponential matcher longer than the world will last.
static void test_glob_that_backtracks(void **state)
{
	(void)state;
	char pattern[RULE_PATTERN_BYTES_MAX + 1] = {0}, text[RULE_PATTERN_BYTES_MAX + 1] = {0};
	for (size_t i = 0; i + 2 < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[sizeof(pattern) - 2] = 'b';
	memset(text, 'a', sizeof(text) - 1);
	assert_false(rule_glob_matches(pattern, text));
}

// ------------------------------------------------------------------------------------------------------------- JSON

static void assert_same_text(const char *text)
{
	_cleanup_buf_ struct buf json, out = BUF_INIT(RULE_BYTES_MAX);
	struct span wanted = scene_json(text, &json);
	_cleanup_rule_ struct rule rule = scene_rule(text);
	struct err err;
	assert_int_equal(rule_format(&rule, &out, &err), 0);
	assert_string_equal(buf_text(&out), (const char *)wanted.data);
}

static void test_round_trip(void **state)
{
	(void)state;
	assert_same_text("{'argv':{'mode':'any'},'created':1,'effect':'deny','id':'a','program':{'binding':'any'},"
			 "'secrets':['*']}");
	assert_same_text(
		"{'argv':{'arguments':['tool','-c','select 1;\\n','\\u00E9'],'mode':'exact'},'boot':'" BOOT
		"','created':1700000000,'deliveries':['variable','file'],'directory':'/home/u/work','effect':'allow',"
		"'environment':['LD_LIBRARY_PATH','HTTPS_PROXY'],'expires':1900000000,'id':'deploy.1','made':'prompt',"
		"'program':{'binding':'exact','digest':'" DIGEST_A "','interpreter':{'binding':'system','path':"
		"'/usr/bin/dash'},'path':'/home/u/work/deploy.sh'},'redaction':true,'script':{'digest':'" DIGEST_B
		"','path':'/home/u/work/x.py'},'secrets':['db/*','tag:team:?'],'session':{'pid':12,'start':345},"
		"'tier':'lockdown','until':{'boot':'" BOOT "','milliseconds':9007199254740991},'uses':0,"
		"'variables':['DB_*','TOKEN']}");
	assert_same_text(
		"{'argv':{'mode':'any'},'created':1,'degrade':true,'deliveries':['variable'],'effect':'allow','endpoints':"
		"['example.com:443','[::1]:80'],'id':'a','network':'allow','program':{'binding':'system','path':'/usr/bin/tool'},"
		"'read':['/home/u/.aws'],'secrets':['*'],'shield':false,'tier':'lockdown','variables':['T'],"
		"'write':['/srv/data','/srv/other']}");
	assert_same_text("{'argv':{'mode':'any'},'created':1,'deliveries':['stdin'],'effect':'allow','id':'a','network':'none',"
			 "'program':{'binding':'system','path':'/usr/bin/tool'},'secrets':['*'],'tier':'lockdown'}");
}

// What is the default is not written.
static void test_sandbox_defaults(void **state)
{
	(void)state;
	_cleanup_rule_ struct rule rule = scene_rule(ALLOW("a", "'*'", ",'shield':true,'degrade':false,'tier':'standard'"));
	_cleanup_rule_ struct rule plain = scene_rule(ALLOW("a", "'*'", ""));
	_cleanup_buf_ struct buf out = BUF_INIT(RULE_BYTES_MAX), wanted = BUF_INIT(RULE_BYTES_MAX);
	struct err err;
	assert_int_equal(rule_format(&rule, &out, &err), 0);
	assert_int_equal(rule_format(&plain, &wanted, &err), 0);
	assert_string_equal(buf_text(&out), buf_text(&wanted));
}

static void test_set(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf json, out = BUF_INIT(RULES_BYTES_MAX);
	_cleanup_rules_ struct rule_set set = {0};
	struct err err;
	const char *text = "{'version':1,'rules':[" DENY("b", "'*'", "") "," DENY("a", "'*'", "") "]}";
	assert_int_equal(rules_parse(scene_json(text, &json), &set, &err), 0);
	assert_int_equal(set.count, 2);
	assert_string_equal(set.rules[0].id, "a");
	assert_int_equal(rules_format(&set, &out, &err), 0);
	assert_non_null(strstr(buf_text(&out), "\"version\":1}"));
	_cleanup_rules_ struct rule_set empty = {0};
	assert_int_equal(rules_parse(SPAN_LITERAL("{\"rules\":[],\"version\":1}"), &empty, &err), 0);
	assert_int_equal(empty.count, 0);
}

struct refusal {
	const char *text;
	const char *says; // words of the sentence, the rule and the field among them
};

static void assert_refusals(const struct refusal *cases, size_t count, bool is_set)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_buf_ struct buf json;
		struct rule rule = {0};
		struct rule_set set = {0};
		struct err err = {0};
		struct span span = scene_json(cases[i].text, &json);
		int r = is_set ? rules_parse(span, &set, &err) : rule_parse(span, &rule, &err);
		if ((r != ERR_INPUT && r != ERR_LIMIT) || !strstr(err.text, cases[i].says))
			fail_msg("%s\ngave %d: %s\nwanted: %s", cases[i].text, r, err.text, cases[i].says);
		for (const char *at = err.text; *at; at++)
			assert_in_range(*at, 0x20, 0x7e);
	}
}

static void test_form(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{"", "line 1"}, {"[]", "rule 1: it is not an object"}, {"{", "line 1"},
		{"{}", "rule 1: the field 'id' is missing"},
		{"\xff", "line 1"},
		{DENY("a", "'*'", ",'extra':1"), "rule a: the field 'extra' is not known"},
		{DENY("a", "'*'", ",'\\u001b[2J':1"), "is not known"},
		{DENY("a", "'*'", ",'effect':'allow'"), "'\"effect\"'"},
		{DENY("a", "'*'", ",'uses':'1'"), "rule a: the field 'uses' must be a whole"},
		{DENY("a", "'*'", ",'expires':1e10"), "rule a: the field 'expires' must be a whole"},
		{DENY("a", "'*'", ",'expires':0"), "'expires' must not be 0"},
		{DENY("a", "'*'", ",'expires':-1"), "'expires' must not be negative"},
		{DENY("a", "'*'", ",'expires':99999999999999999999"), "too big"},
		{DENY("a", "'*'", ",'redaction':1"), "rule a: the field 'redaction'"},
		{DENY("a", "'*'", ",'directory':[]"), "rule a: the field 'directory' must be text"},
		{DENY("a", "'*'", ",'tier':'none'"), "rule a: the field 'tier'"},
		{DENY("a", "'*'", ",'deliveries':[]"), "rule a: the field 'deliveries'"},
		{DENY("a", "'*'", ",'deliveries':['file','file']"), "twice"},
		{DENY("a", "'*'", ",'deliveries':['mail']"), "rule a: the field 'deliveries'"},
		{DENY("a", "'*'", ",'variables':[]"), "rule a: the field 'variables' is empty"},
		{DENY("a", "'*'", ",'boot':''"), "rule a: the field 'boot' is empty"},
		{DENY("a", "'*'", ",'session':{'pid':0,'start':1}"), "'session.pid'"},
		{DENY("a", "'*'", ",'session':{'pid':1}"), "'session.start' is missing"},
		{DENY("a", "'*'", ",'session':{'pid':1,'start':1,'x':1}"), "'session' holds 'x'"},
		{DENY("a", "'*'", ",'script':'/x'"), "rule a: the field 'script' must be an object"},
		{DENY("a", "'*'", ",'script':{'digest':'" DIGEST_A "'}"), "rule a: the field 'script.path' is missing"},
		{DENY("a", "'*'", ",'script':{'path':'/x'}"), "rule a: the field 'script' must hold a 'digest'"},
		{DENY("a", "'*'", SCRIPT("/x", "AA")), "rule a: the field 'script' must hold a 'digest'"},
		{DENY("a", "'*'", ",'script':{'binding':'any'}"), "rule a: the field 'script' holds 'binding'"},
		{ALLOW("a", "'*'", ",'environment':'CC'"), "rule a: the field 'environment' must be a list of text"},
		{ALLOW("a", "'*'", ",'environment':[]"), "rule a: the field 'environment' is empty"},
		{ALLOW("a", "'*'", ",'environment':[1]"), "rule a: the field 'environment' must be text"},
		{DENY("a", "'*'", ",'until':5"), "rule a: the field 'until' must be an object"},
		{DENY("a", "'*'", ",'until':{'milliseconds':5}"), "rule a: the field 'until.boot' is missing"},
		{DENY("a", "'*'", ",'until':{'boot':'" BOOT "'}"), "'until.milliseconds' is missing"},
		{DENY("a", "'*'", UNTIL(BOOT, "1.0")), "'until.milliseconds' must be a whole number"},
		{DENY("a", "'*'", UNTIL(BOOT, "-1")), "'until.milliseconds' must not be negative"},
		{DENY("a", "'*'", UNTIL("", "1")), "'until.boot' is empty"},
		{DENY("a", "'*'", ",'until':{'boot':'" BOOT "','milliseconds':1,'x':1}"), "'until' holds 'x'"},
		{DENY("a", "'*'", ",'made':'agent'"), "rule a: the field 'made' is none of the words"},
		{DENY("a", "'*'", ",'made':1"), "rule a: the field 'made' must be text"},
		{DENY("a", "1", ""), "rule a: the field 'secrets' must be text"},
		{RULE("a", "permit", "'*'", ANY_PROGRAM, ANY_ARGV, ""), "rule a: the field 'effect'"},
		{RULE("a", "deny", "'*'", "'tool'", ANY_ARGV, ""), "rule a: the field 'program' must be an object"},
		{RULE("a", "deny", "'*'", "{'binding':'any','path':'/x'}", ANY_ARGV, ""),
		 "rule a: the field 'program'"},
		{RULE("a", "deny", "'*'", "{'binding':'system'}", ANY_ARGV, ""),
		 "rule a: the field 'program' is missing"},
		{RULE("a", "deny", "'*'", "{'binding':'system','path':'/x','digest':'" DIGEST_A "'}", ANY_ARGV, ""),
		 "'digest'"},
		{RULE("a", "deny", "'*'", "{'binding':'exact','path':'/x'}", ANY_ARGV, ""), "'digest'"},
		{RULE("a", "deny", "'*'", EXACT("/x", "AA"), ANY_ARGV, ""), "'digest'"},
		{RULE("a", "deny", "'*'", "{'binding':'system','path':'/x','interpreter':{'binding':'any'}}", ANY_ARGV,
		 ""),
		 "'program.interpreter'"},
		{RULE("a", "deny", "'*'", ANY_PROGRAM, "{'mode':'some'}", ""), "rule a: the field 'argv.mode'"},
		{RULE("a", "deny", "'*'", ANY_PROGRAM, "{'mode':'any','arguments':[]}", ""), "'argv.arguments'"},
		{RULE("a", "deny", "'*'", ANY_PROGRAM, "{'mode':'exact'}", ""),
		 "rule a: the field 'argv.arguments' is missing"},
		{RULE("a", "deny", "'*'", ANY_PROGRAM, "{'mode':'exact','arguments':['a\\u0000']}", ""), "\\u0000"},
		{RULE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "deny", "'*'",
		 ANY_PROGRAM, ANY_ARGV, ""),
		 "'id' is too long"},
	};
	assert_refusals(cases, ARRAY_COUNT(cases), false);
}

static void test_form_of_set(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{"[]", "must be an object"}, {"{'version':1}", "'rules'"}, {"{'rules':[]}", "'version' is missing"},
		{"{'rules':[],'version':2}", "'version'"}, {"{'rules':{},'version':1}", "'rules'"},
		{"{'rules':[],'version':1,'more':1}", "'more'"},
		{"{'rules':[1],'version':1}", "rule 1"},
		{"{'rules':[" DENY("a", "'*'", "") ",{}],'version':1}", "rule 2: the field 'id'"},
		{"{'rules':[" DENY("a", "'*'", "") "," DENY("a", "'x'", "") "],'version':1}", "rule a: the field 'id'"},
		{"{'rules':[" DENY("a", "'*'", "") "," ALLOW("b", "'x'", ",'directory':'x'") "],'version':1}",
		 "rule b: the field 'directory'"},
	};
	assert_refusals(cases, ARRAY_COUNT(cases), true);
}

// ---------------------------------------------------------------------------------------------------------- soundness

static void test_sound(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{DENY("a b", "'*'", ""), "a rule: the field 'id'"}, {DENY("a/b", "'*'", ""), "'id'"},
		{DENY("\\u001b", "'*'", ""), "'id'"}, {DENY("a", "", ""), "rule a: the field 'secrets' is empty"},
		{DENY("a", "'a\\nb'", ""), "rule a: the field 'secrets'"}, {DENY("a", "'tag:'", ""), "'secrets'"},
		{DENY("a", "'[ab]'", ""), "'secrets'"}, {DENY("a", "'/x'", ""), "'secrets'"},
		{DENY("a", "''", ""), "'secrets'"},
		{RULE("a", "allow", "'*'", ANY_PROGRAM, ANY_ARGV, TO_ANY), "rule a: the field 'program'"},
		{RULE("a", "deny", "'*'", SYSTEM("tool"), ANY_ARGV, ""), "rule a: the field 'program.path'"},
		{RULE("a", "deny", "'*'", SYSTEM("/usr/../tool"), ANY_ARGV, ""), "'program.path'"},
		{RULE("a", "deny", "'*'", SYSTEM("/usr//tool"), ANY_ARGV, ""), "'program.path'"},
		{RULE("a", "deny", "'*'", SYSTEM("/usr/\\u0007"), ANY_ARGV, ""), "'program.path' holds control"},
		{RULE("a", "deny", "'*'", SYSTEM("/usr/\\u009b"), ANY_ARGV, ""), "'program.path' holds control"},
		{RULE("a", "deny", "'*'", "{'binding':'any','interpreter':" SYSTEM("/bin/sh") "}", ANY_ARGV, ""),
		 "'program'"},
		{RULE("a", "allow", "'*'", "{'binding':'system','path':'/x','interpreter':" SYSTEM("/usr/bin/env") "}",
		 ANY_ARGV, TO_ANY),
		 "'program.interpreter.path' is env"},
		{RULE("a", "allow", "'*'", SYSTEM("/usr/bin/python3.11"), ANY_ARGV, TO_ANY),
		 "rule a: the field 'argv.mode'"},
		{RULE("a", "allow", "'*'", EXACT("/home/u/bin/node18", DIGEST_A), ANY_ARGV, TO_ANY), "'argv.mode'"},
		{RULE("a", "allow", "'*'", SYSTEM("/usr/bin/find"), ARGV("prefix", "'find','.'"), TO_ANY),
		 "'argv.mode'"},
		{RULE("a", "deny", "'*'", ANY_PROGRAM, ARGV("exact", ""), ""), "rule a: the field 'argv.arguments'"},
		{RULE("a", "deny", "'*'", ANY_PROGRAM, ARGV("exact", "'\\u001b'"), ""),
		 "'argv.arguments' holds control"},
		{RULE("a", "allow", "'*'", SYSTEM("/t"), ANY_ARGV, ""), "rule a: the field 'deliveries'"},
		{RULE("a", "allow", "'*'", SYSTEM("/t"), ANY_ARGV, ",'deliveries':['file']"),
		 "rule a: the field 'variables'"},
		{DENY("a", "'*'", ",'deliveries':['stdin'],'variables':['X']"), "'variables'"},
		{DENY("a", "'*'", ",'variables':['1X']"), "'variables'"},
		{DENY("a", "'*'", ",'variables':['A B']"), "'variables'"},
		{DENY("a", "'*'", ",'directory':'work'"), "rule a: the field 'directory'"},
		{DENY("a", "'*'", ",'directory':'/work/'"), "'directory'"},
		{DENY("a", "'*'", ",'directory':'/./x'"), "'directory'"},
		{DENY("a", "'*'", SCRIPT("x", DIGEST_A)), "rule a: the field 'script.path' must be an absolute path"},
		{DENY("a", "'*'", SCRIPT("/a/../x", DIGEST_A)), "'script.path' must be an absolute path"},
		{DENY("a", "'*'", SCRIPT("/\\u001bx", DIGEST_A)), "'script.path' holds control"},
		{ALLOW("a", "'*'", SCRIPT("/x", DIGEST_A)), "'argv.mode' must be 'exact' beside 'script'"},
		{RULE("a", "allow", "'*'", SYSTEM("/t"), ARGV("prefix", "'t'"), TO_ANY SCRIPT("/x", DIGEST_A)),
		 "'argv.mode' must be 'exact' beside 'script'"},
		{ALLOW("a", "'*'", ",'environment':['LD_*']"), "'environment' must hold names of variables"},
		{ALLOW("a", "'*'", ",'environment':['']"), "'environment' must hold names of variables"},
		{ALLOW("a", "'*'", ",'environment':['1A']"), "'environment' must hold names of variables"},
		{ALLOW("a", "'*'", ",'environment':['A=B']"), "'environment' must hold names of variables"},
		{ALLOW("a", "'*'", ",'environment':['CC\\u0007']"), "'environment' must hold names of variables"},
		{ALLOW("a", "'*'", ",'environment':['CC','CXX','CC']"), "'environment' names one twice"},
		{ALLOW("a", "'*'", ",'environment':['PATH']"), "'environment' names PATH or one of envseal's own"},
		{ALLOW("a", "'*'", ",'environment':['ENVSEAL_HOME']"), "'environment' names PATH or one of envseal's"},
		{DENY("a", "'*'", ",'environment':['CC']"), "rule a: the field 'effect' must be 'allow'"},
		{ASK("a", "'*'", ",'environment':['CC']"), "rule a: the field 'effect' must be 'allow'"},
		{DENY("a", "'*'", UNTIL(BOOT, "1")), "rule a: the field 'until' needs 'expires'"},
		{DENY("a", "'*'", ",'expires':1900000000" UNTIL(BOOT, "0")), "'until.milliseconds' must be from 1"},
		{DENY("a", "'*'", ",'expires':1900000000" UNTIL(BOOT, "9007199254740992")),
		 "'until.milliseconds' must be from 1"},
		{DENY("a", "'*'", ",'expires':1900000000" UNTIL("x", "1")), "'until.boot' must be a boot id"},
		{DENY("a", "'*'", ",'expires':1900000000,'boot':'" BOOT_OTHER "'" UNTIL(BOOT, "1")),
		 "'until.boot' is another than 'boot'"},
		{DENY("a", "'*'", ",'tier':'hardened'"), "rule a: the field 'effect'"},
		{DENY("a", "'*'", ",'read':['/a']"), "rule a: the field 'effect'"},
		{ASK("a", "'*'", ",'write':['/a']"), "'effect'"}, {DENY("a", "'*'", ",'shield':false"), "'effect'"},
		{ASK("a", "'*'", ",'degrade':true"), "'effect'"}, {DENY("a", "'*'", ",'network':'none'"), "'effect'"},
		{ALLOW("a", "'*'", ",'network':'none'"), "the field 'network' needs the tier 'lockdown'"},
		{ALLOW("a", "'*'", ",'tier':'hardened','network':'loopback'"), "the field 'network' needs"},
		{ALLOW("a", "'*'", ",'tier':'lockdown','network':'host'"), "rule a: the field 'network' is none of"},
		{ALLOW("a", "'*'", ",'tier':'lockdown','network':'allow'"), "rule a: the field 'endpoints' must stand beside"},
		{ALLOW("a", "'*'", ",'tier':'lockdown','network':'loopback','endpoints':['a:1']"), "'endpoints' must stand"},
		{ALLOW("a", "'*'", ",'tier':'lockdown','network':'allow','endpoints':['a']"), "'endpoints' must hold HOST:PORT"},
		{ALLOW("a", "'*'", ",'tier':'lockdown','network':'allow','endpoints':[]"), "'endpoints' is empty"},
		{ALLOW("a", "'*'", ",'read':['a']"), "rule a: the field 'read' must be an absolute path"},
		{ALLOW("a", "'*'", ",'write':['/a/../b']"), "rule a: the field 'write' must be an absolute path"},
		{ALLOW("a", "'*'", ",'write':['/a','/b','/a']"), "rule a: the field 'write' names one twice"},
		{ALLOW("a", "'*'", ",'read':[]"), "rule a: the field 'read' is empty"},
		{ALLOW("a", "'*'", ",'read':'/a'"), "rule a: the field 'read' must be a list"},
		{ALLOW("a", "'*'", ",'shield':0"), "rule a: the field 'shield' must be true or false"},
		{ALLOW("a", "'*'", ",'degrade':'yes'"), "rule a: the field 'degrade' must be true or false"},
		{ASK("a", "'*'", ",'redaction':true"), "'effect'"}, {DENY("a", "'*'", ",'uses':3"), "'effect'"},
		{ALLOW("a", "'*'", ",'uses':1000001"), "rule a: the field 'uses'"},
		{DENY("a", "'*'", ",'expires':1700000000"), "rule a: the field 'expires'"},
		{DENY("a", "'*'", ",'expires':253402300800"), "'expires'"},
		{DENY("a", "'*'", ",'boot':'x'"), "rule a: the field 'boot'"},
		{DENY("a", "'*'", ",'session':{'pid':1,'start':1}"), "rule a: the field 'session' needs 'boot'"},
		{DENY("a", "'*'", ",'boot':'" BOOT "','session':{'pid':4194305,'start':1}"), "'session'"},
	};
	assert_refusals(cases, ARRAY_COUNT(cases), false);
}

static void test_steering_variables(void **state)
{
	(void)state;
	static const char *const names[] = {"LD_PRELOAD", "LD_*", "PATH", "PYTHONPATH", "NODE_OPTIONS", "ENVSEAL_X",
			"BASH_ENV",
					    "HOME", "LC_ALL", "DYLD*", "LD_?"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		char text[500];
		bool is_other = strncmp(names[i], "DYLD", 4) == 0; // of another system: no harm here
		snprintf(text, sizeof(text), RULE("a", "allow", "'*'", SYSTEM("/t"), ANY_ARGV,
						  ",'deliveries':['variable'],'variables':['OK','%s']"), names[i]);
		_cleanup_buf_ struct buf json;
		_cleanup_rule_ struct rule rule = {0};
		struct err err = {0};
		int r = rule_parse(scene_json(text, &json), &rule, &err);
		if (r != (is_other ? 0 : ERR_INPUT))
			fail_msg("%s gave %d: %s", names[i], r, err.text);
	}
	_cleanup_rule_ struct rule deny = scene_rule(DENY("a", "'*'", ",'variables':['LD_*']"));
	assert_int_equal(deny.variables.count, 1);
}

static void test_limits(void **state)
{
	(void)state;
	_cleanup_rule_ struct rule rule = scene_rule(DENY("a", "'*'", ""));
	struct err err;
	_cleanup_free_ char *longer = malloc(RULE_ARGUMENTS_BYTES_MAX + 2);
	memset(longer, 'x', RULE_ARGUMENTS_BYTES_MAX + 1);
	longer[RULE_ARGUMENTS_BYTES_MAX + 1] = 0;
	char *items[RULE_ARGUMENTS_MAX + 1];
	for (size_t i = 0; i < ARRAY_COUNT(items); i++)
		items[i] = longer;
	struct rule changed = rule;
	changed.argv_mode = RULE_ARGV_EXACT;
	changed.arguments = (struct text_list){items, 1};
	assert_int_equal(rule_check(&changed, &err), ERR_LIMIT);
	longer[1] = 0;
	changed.arguments.count = ARRAY_COUNT(items);
	assert_int_equal(rule_check(&changed, &err), ERR_LIMIT);
	changed.arguments.count--;
	assert_int_equal(rule_check(&changed, &err), 0);
	changed = rule;
	changed.secrets = (struct text_list){items, RULE_SECRETS_MAX + 1};
	assert_int_equal(rule_check(&changed, &err), ERR_LIMIT);
	longer[1] = 'x';
	changed.secrets.count = 1;
	longer[RULE_PATTERN_BYTES_MAX + 1] = 0;
	assert_int_equal(rule_check(&changed, &err), ERR_LIMIT);
	assert_int_equal(rule_parse(span_of(longer, RULE_BYTES_MAX + 1), &changed, &err), ERR_LIMIT);
}

static void test_new(void **state)
{
	(void)state;
	struct err err;
	_cleanup_rule_ struct rule rule = scene_rule(ALLOW("a", "'*'", ",'expires':1800000001,'uses':1"));
	assert_int_equal(rule_check_new(&rule, NOW, &err), 0);
	assert_int_equal(rule_check_new(&rule, NOW + 1, &err), ERR_INPUT);
	assert_string_equal(err.text, "rule a: the field 'expires' lies in the past; give a later time");
	assert_int_equal(rule_check_new(&rule, 1699999999, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "'created'"));
	rule.uses_left = 0;
	assert_int_equal(rule_check(&rule, &err), 0);
	assert_int_equal(rule_check_new(&rule, NOW, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "'uses'"));
}

// Not sound, so not written: what is stored can be read again.
static void test_format_refuses(void **state)
{
	(void)state;
	struct err err;
	_cleanup_buf_ struct buf out = BUF_INIT(RULE_BYTES_MAX);
	_cleanup_rule_ struct rule rule = scene_rule(DENY("a", "'*'", ""));
	char bytes[] = "/\xff", *items[] = {bytes};
	struct rule changed = rule;
	changed.directory = bytes;
	assert_int_equal(rule_format(&changed, &out, &err), ERR_INPUT);
	assert_non_null(strstr(err.text, "'directory' is not UTF-8"));
	changed = rule;
	changed.argv_mode = RULE_ARGV_EXACT;
	changed.arguments = (struct text_list){items, 1};
	assert_int_equal(rule_format(&changed, &out, &err), ERR_INPUT);
	struct rule twice[] = {rule, rule};
	assert_int_equal(rules_format(&(struct rule_set){twice, 2}, &out, &err), ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glob),
		cmocka_unit_test(test_glob_that_backtracks),
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_sandbox_defaults),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_form_of_set),
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_steering_variables),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_format_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
