// What somebody who wants a wrong rule, or none to be read, might write: each with its whole sentence.
#include "rule_scene.h"

struct hostile {
	const char *text;
	const char *sentence; // NULL: it is sound
};

static void assert_refused(struct span json, bool is_set, const char *sentence, int code)
{
	_cleanup_rule_ struct rule rule = {0};
	_cleanup_rules_ struct rule_set set = {0};
	struct err err = {0};
	int r = is_set ? rules_parse(json, &set, &err) : rule_parse(json, &rule, &err);
	int wanted = sentence ? code : 0;
	if (r != wanted || (sentence && strcmp(err.text, sentence) != 0))
		fail_msg("%.*s\ngave %d: %s\nwanted %d: %s", (int)(json.len < 300 ? json.len : 300),
			 (const char *)json.data, r, err.text, wanted, sentence ? sentence : "");
	// Nothing is handed out that was read before the error.
	if (sentence)
		assert_true(!rule.secrets.items && !rule.program.path && !set.rules && set.count == 0);
}

static void assert_all_refused(const struct hostile cases[], size_t count, bool is_set)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_buf_ struct buf json;
		assert_refused(scene_json(cases[i].text, &json), is_set, cases[i].sentence, ERR_INPUT);
	}
}

static void test_fields_that_are_not_known(void **state)
{
	(void)state;
	static const struct hostile cases[] = {
		{DENY("a", "'*'", ",'created ':1"), "rule a: the field 'created ' is not known"},
		{DENY("a", "'*'", ",'Id':1"), "rule a: the field 'Id' is not known"},
		{DENY("a", "'*'", ",'':1"), "rule a: the field '' is not known"},
		{DENY("a", "'*'", ",'__proto__':{}"), "rule a: the field '__proto__' is not known"},
		{DENY("a", "'*'", ",'\\u001b[2J':1"), "rule a: the field '\\x1b[2J' is not known"},
		{"{'colour':1}", "rule 1: the field 'colour' is not known"},
		{RULE("a", "deny", "'*'", "{'binding':'any','owner':1}", ANY_ARGV, ""),
		 "rule a: the field 'program' holds 'owner', which is not known"},
		{RULE("a", "deny", "'*'", "{'binding':'system','path':'/x','interpreter':{'interpreter':{}}}", ANY_ARGV,
		      ""),
		 "rule a: the field 'program.interpreter' holds 'interpreter', which is not known"},
		{RULE("a", "deny", "'*'", ANY_PROGRAM, "{'mode':'any','shell':true}", ""),
		 "rule a: the field 'argv' holds 'shell', which is not known"},
		{DENY("a", "'*'", ",'script':{'path':'/x','digest':'" DIGEST_A "','size':1}"),
		 "rule a: the field 'script' holds 'size', which is not known"},
		{DENY("a", "'*'", ",'until':{'boot':'" BOOT "','milliseconds':1,'seconds':1}"),
		 "rule a: the field 'until' holds 'seconds', which is not known"},
	};
	assert_all_refused(cases, ARRAY_COUNT(cases), false);
}

static void test_fields_that_stand_twice(void **state)
{
	(void)state;
	static const struct hostile cases[] = {
		{DENY("a", "'*'", ",'effect':'allow'"),
		 "line 1, column 121 of the rules: duplicate object key near '\"effect\"'"},
		{DENY("a", "'*'", ",'\\u0069d':'b'"),
		 "line 1, column 122 of the rules: duplicate object key near '\"\\\\u0069d\"'"},
	};
	static const struct hostile sets[] = {
		{"{'rules':[],'version':1,'version':1}",
		 "line 1, column 33 of the rules: duplicate object key near '\"version\"'"},
		{"{'rules':[" DENY("a", "'*'", "") "," ALLOW("a", "'x'", "") "],'version':1}",
		 "rule a: the field 'id' is another rule's too"},
	};
	assert_all_refused(cases, ARRAY_COUNT(cases), false);
	assert_all_refused(sets, ARRAY_COUNT(sets), true);
}

#define EXPIRES(number) DENY("a", "'*'", ",'expires':" number)
#define USES(number) ALLOW("a", "'*'", ",'uses':" number)

static void test_numbers(void **state)
{
	(void)state;
	static const struct hostile cases[] = {
		{EXPIRES("1e308"), "rule a: the field 'expires' must be a whole number"},
		{EXPIRES("1800000000.0"), "rule a: the field 'expires' must be a whole number"},
		{EXPIRES("1e309"), "line 1, column 128 of the rules: real number overflow near '1e309'"},
		{EXPIRES("-0"), "rule a: the field 'expires' must not be 0"},
		{EXPIRES("-1"), "rule a: the field 'expires' must not be negative"},
		{EXPIRES("9223372036854775807"),
		 "rule a: the field 'expires' must be seconds since 1970, after 'created' and before the year 10000"},
		{EXPIRES("9223372036854775808"),
		 "line 1, column 142 of the rules: too big integer near '9223372036854775808'"},
		{EXPIRES("-9223372036854775809"),
		 "line 1, column 143 of the rules: too big negative integer near '-9223372036854775809'"},
		{USES("-0"), NULL}, {USES("1000000"), NULL},
		{USES("1.0"), "rule a: the field 'uses' must be a whole number"},
		{USES("true"), "rule a: the field 'uses' must be a whole number"},
		{USES("null"), "rule a: the field 'uses' must be a whole number"},
		{USES("9223372036854775807"), "rule a: the field 'uses' must be from 0 to 1000000"},
		{USES("01"), "line 1, column 207 of the rules: invalid token near '0'"},
		{USES("+1"), "line 1, column 207 of the rules: invalid token near '+'"},
		{USES("0x1"), "line 1, column 208 of the rules: '}' expected near 'x'"},
		{USES("NaN"), "line 1, column 209 of the rules: invalid token near 'NaN'"},
		{DENY("a", "'*'", ",'boot':'" BOOT "','session':{'pid':4294967297,'start':1}"),
		 "rule a: the field 'session' must hold the number and the start time of a process"},
	};
	static const struct hostile sets[] = {
		{"{'rules':[],'version':1.0}", "the field 'version' must be a whole number"},
		{"{'rules':[],'version':4294967297}",
		 "the field 'version' is not 1; these rules are for another version of envseal"},
	};
	assert_all_refused(cases, ARRAY_COUNT(cases), false);
	assert_all_refused(sets, ARRAY_COUNT(sets), true);
}

static void test_characters(void **state)
{
	(void)state;
	static const struct hostile cases[] = {
		{DENY("a", "'a\\u0000b'", ""),
		 "line 1, column 47 of the rules: \\\\u0000 is not allowed without JSON_ALLOW_NUL "
		 "near '\"a\\\\u0000b\"'"},
		{DENY("a\\u0000b", "'*'", ""),
		 "line 1, column 16 of the rules: \\\\u0000 is not allowed without JSON_ALLOW_NUL "
		 "near '\"a\\\\u0000b\"'"},
		{DENY("a", "'*'", ",'a\\u0000b':1"),
		 "line 1, column 123 of the rules: NUL byte in object key not supported near '\"a\\\\u0000b\"'"},
		{DENY("a", "'\xff'", ""), "line 1, column 38 of the rules: unable to decode byte 0xff near '\"'"},
		// A '/' in two bytes; half a pair; beyond the last character; what a BOM would hide.
		{DENY("a", "'\xc0\xaf'", ""), "line 1, column 38 of the rules: unable to decode byte 0xc0 near '\"'"},
		{DENY("a", "'\xed\xa0\x80'", ""),
		 "line 1, column 38 of the rules: unable to decode byte 0xed near '\"'"},
		{DENY("a", "'\\ud800'", ""),
		 "line 1, column 45 of the rules: invalid Unicode '\\\\uD800' near '\"\\\\ud800\"'"},
		{DENY("a", "'\xf4\x90\x80\x80'", ""),
		 "line 1, column 38 of the rules: unable to decode byte 0xf4 near '\"'"},
		{"\xef\xbb\xbf{}", "line 1, column 1 of the rules: '[' or '{' expected near '\\xef\\xbb\\xbf'"},
		{DENY("a", "'a\tb'", ""), "line 1, column 39 of the rules: control character 0x9 near '\"a'"},
		{DENY("a", "'a\\tb'", ""),
		 "rule a: the field 'secrets' must hold names or tag:TAG of letters, digits, '.', '_', '-', with '*' "
		 "for any text and '?' for one character"},
		{DENY("a\\n", "'*'", ""),
		 "a rule: the field 'id' must be 1 to 64 letters, digits, '.', '_' and '-', a letter or digit first"},
		{DENY("a", "'*'", ",'directory':'/a\\u0007'"),
		 "rule a: the field 'directory' holds control characters"},
		{DENY("a", "'*'", ",'directory':'/a\\u007f'"),
		 "rule a: the field 'directory' holds control characters"},
		{DENY("a", "'*'", ",'directory':'/a\\u0085'"),
		 "rule a: the field 'directory' holds control characters"},
		{DENY("a", "'*'", ",'directory':'/\xc3\xa9'"), NULL},
		{RULE("a", "deny", "'*'", ANY_PROGRAM, ARGV("exact", "'\\r'"), ""),
		 "rule a: the field 'argv.arguments' holds control characters"},
		{RULE("a", "deny", "'*'", ANY_PROGRAM, ARGV("exact", "'\\u009b'"), ""),
		 "rule a: the field 'argv.arguments' holds control characters"},
		{DENY("a", "'*'", ",'variables':['A\\u001b']"),
		 "rule a: the field 'variables' must hold names of variables, with '*' for any text and '?' for one "
		 "character"},
	};
	assert_all_refused(cases, ARRAY_COUNT(cases), false);
	assert_refused(SPAN_LITERAL("{\"id\":\"a\0b\"}"), false,
		       "line 1, column 8 of the rules: control character 0x0 near '\"a'", ERR_INPUT);
	assert_refused(SPAN_LITERAL("{}\0"), false,
		       "line 1, column 3 of the rules: end of file expected near end of file", ERR_INPUT);
}

static void test_ends(void **state)
{
	(void)state;
	static const struct hostile cases[] = {
		{DENY("a", "'*'", "") "x", "line 1, column 114 of the rules: end of file expected near 'x'"},
		{DENY("a", "'*'", "") "{}", "line 1, column 114 of the rules: end of file expected near '{'"},
		{"{'id':'a',}", "line 1, column 11 of the rules: string or '}' expected near '}'"},
		{"// a\n{}", "line 1, column 1 of the rules: '[' or '{' expected near '/'"},
		{"'a'", "line 1, column 3 of the rules: '[' or '{' expected near '\"a\"'"},
		{" " DENY("a", "'*'", "") "\n", NULL},
	};
	static const struct hostile sets[] = {
		{"{'rules':[null],'version':1}", "rule 1: it is not an object"},
		{"{'rules':[" DENY("a", "'*'", "") ",[]],'version':1}", "rule 2: it is not an object"},
	};
	assert_all_refused(cases, ARRAY_COUNT(cases), false);
	assert_all_refused(sets, ARRAY_COUNT(sets), true);
	const char *nothing = "line 1, column 0 of the rules: '[' or '{' expected near end of file";
	assert_refused(SPAN_LITERAL(""), false, nothing, ERR_INPUT);
	assert_refused((struct span){0}, false, nothing, ERR_INPUT);
	assert_refused((struct span){0}, true, nothing, ERR_INPUT);
}

// Not a byte of stack for each.
static void test_depth(void **state)
{
	(void)state;
	_cleanup_free_ char *text = malloc(RULE_BYTES_MAX);
	assert_non_null(text);
	memset(text, '[', RULE_BYTES_MAX);
	const char *sentence = "line 1, column 2049 of the rules: maximum parsing depth reached near '['";
	assert_refused(span_of(text, RULE_BYTES_MAX), false, sentence, ERR_INPUT);
	assert_refused(span_of(text, RULE_BYTES_MAX), true, sentence, ERR_INPUT);
	memcpy(text, "{\"id\":", 6);
	assert_refused(span_of(text, RULE_BYTES_MAX), false,
		       "line 1, column 2054 of the rules: maximum parsing depth reached near '['", ERR_INPUT);
}

static void list_text(struct buf *out, const char *begin, const char *item, size_t count, const char *end)
{
	struct err err;
	*out = BUF_INIT(RULES_BYTES_MAX + 2);
	assert_int_equal(buf_append_text(out, begin, &err), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(buf_printf(out, &err, "%s%s", i ? "," : "", item), 0);
	assert_int_equal(buf_append_text(out, end, &err), 0);
	for (size_t i = 0; i < out->len; i++)
		if (out->data[i] == '\'')
			out->data[i] = '"';
}

#define LIST_TEXT(field, before) "{'id':'a','effect':'deny','created':1,'program':" ANY_PROGRAM before ",'" field "':["

static void test_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *begin, *item, *end;
		size_t count;
		const char *sentence;
	} cases[] = {
		{LIST_TEXT("secrets", ",'argv':" ANY_ARGV), "'x'", "]}", RULE_SECRETS_MAX + 1,
		 "rule a: the field 'secrets' has too many members (64 at most)"},
		{LIST_TEXT("variables", ",'secrets':['*'],'argv':" ANY_ARGV), "'X'", "]}", RULE_VARIABLES_MAX + 1,
		 "rule a: the field 'variables' has too many members (64 at most)"},
		{LIST_TEXT("environment", ",'secrets':['*'],'argv':" ANY_ARGV), "'X'", "]}", RULE_ENVIRONMENT_MAX + 1,
		 "rule a: the field 'environment' has too many members (64 at most)"},
		{"{'id':'a','effect':'deny','created':1,'program':" ANY_PROGRAM
		 ",'secrets':['*'],'argv':{'mode':'exact','arguments':[", "'x'", "]}}", RULE_ARGUMENTS_MAX + 1,
		 "rule a: the field 'argv.arguments' has too many members (256 at most)"},
		{"", " ", "", RULE_BYTES_MAX, "the rules are too long (262144 bytes at most)"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		_cleanup_buf_ struct buf json;
		list_text(&json, cases[i].begin, cases[i].item, cases[i].count, cases[i].end);
		assert_refused(buf_span(&json), false, cases[i].sentence, ERR_LIMIT);
	}
	_cleanup_buf_ struct buf many, longer;
	list_text(&many, "{'version':1,'rules':[", "1", RULES_COUNT_MAX + 1, "]}");
	assert_refused(buf_span(&many), true, "too many rules (16384 at most)", ERR_LIMIT);
	list_text(&longer, "", "", RULES_BYTES_MAX + 2, "");
	assert_refused(buf_span(&longer), true, "the rules are too long (16777216 bytes at most)", ERR_LIMIT);
}

static void test_lengths(void **state)
{
	(void)state;
	static const struct {
		const char *begin, *end;
		size_t len;
		const char *sentence;
	} cases[] = {
		{"{'id':'", "'}", RULE_ID_BYTES_MAX + 1, "the field 'id' is too long (64 bytes at most)"},
		{"{'id':'a','effect':'deny','created':1,'program':" ANY_PROGRAM ",'argv':" ANY_ARGV ",'secrets':['",
		 "']}", RULE_PATTERN_BYTES_MAX + 1,
		 "the field 'secrets' has a pattern that is too long (255 bytes at most)"},
		{"{'id':'a','effect':'deny','created':1,'program':" ANY_PROGRAM ",'argv':" ANY_ARGV
		 ",'secrets':['*'],'directory':'/", "'}", RULE_PATH_BYTES_MAX,
		 "the field 'directory' is too long (4095 bytes at most)"},
		{"{'id':'a','effect':'deny','created':1,'program':" ANY_PROGRAM ",'argv':" ANY_ARGV
		 ",'secrets':['*'],'script':{'digest':'" DIGEST_A "','path':'/", "'}}", RULE_PATH_BYTES_MAX,
		 "the field 'script.path' is too long (4095 bytes at most)"},
		{"{'id':'a','effect':'deny','created':1,'program':" ANY_PROGRAM ",'argv':" ANY_ARGV
		 ",'secrets':['*'],'boot':'", "'}", RULE_BOOT_BYTES + 1,
		 "the field 'boot' is too long (36 bytes at most)"},
	};
	static char letters[RULE_PATH_BYTES_MAX + 1];
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		_cleanup_buf_ struct buf json;
		memset(letters, 'x', sizeof(letters));
		letters[cases[i].len] = 0;
		list_text(&json, cases[i].begin, letters, 1, cases[i].end);
		struct rule rule;
		struct err err = {0};
		assert_int_equal(rule_parse(buf_span(&json), &rule, &err), ERR_LIMIT);
		assert_non_null(strstr(err.text, cases[i].sentence));
	}
}

// What only a rule that is added is asked.
static void test_old_and_new(void **state)
{
	(void)state;
	static const struct hostile cases[] = {
		{EXPIRES("1799999999"), "rule a: the field 'expires' lies in the past; give a later time"},
		{EXPIRES("1800000000"), "rule a: the field 'expires' lies in the past; give a later time"},
		{EXPIRES("1800000001"), NULL},
		{USES("0"), "rule a: the field 'uses' is 0; a new rule needs at least one"},
		{"{'id':'a','effect':'deny','created':1800000001,'secrets':['*'],'program':" ANY_PROGRAM
		 ",'argv':" ANY_ARGV "}",
		 "rule a: the field 'created' lies in the future; the clock may have been set back"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		_cleanup_rule_ struct rule rule = scene_rule(cases[i].text);
		struct err err = {0};
		assert_int_equal(rule_check_new(&rule, NOW, &err), cases[i].sentence ? ERR_INPUT : 0);
		if (cases[i].sentence)
			assert_string_equal(err.text, cases[i].sentence);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_that_are_not_known), cmocka_unit_test(test_fields_that_stand_twice),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_characters), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_depth), cmocka_unit_test(test_sizes), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_old_and_new),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
