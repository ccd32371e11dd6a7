// Rules and requests in few words. JSON is written with ' for ".
#pragma once

#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BOOT "01234567-89ab-cdef-0123-456789abcdef"
#define BOOT_OTHER "11234567-89ab-cdef-0123-456789abcdef"
#define DIGEST_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define NOW 1800000000
#define NOW_BOOT_MS 5000000

static inline struct span scene_json(const char *text, struct buf *out)
{
	struct err err;
	*out = BUF_INIT(RULES_BYTES_MAX + 1);
	assert_int_equal(buf_append_text(out, text, &err), 0);
	for (size_t i = 0; i < out->len; i++)
		if (out->data[i] == '\'')
			out->data[i] = '"';
	return buf_span(out);
}

static inline struct rule scene_rule(const char *text)
{
	_cleanup_buf_ struct buf json;
	struct rule rule;
	struct err err;
	if (rule_parse(scene_json(text, &json), &rule, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return rule;
}

// A set in the order of the texts, which ends with NULL.
static inline struct rule_set scene_rules(const char *const texts[])
{
	struct rule_set set = {0};
	while (texts[set.count])
		set.count++;
	set.rules = calloc(set.count + 1, sizeof(*set.rules));
	for (size_t i = 0; i < set.count; i++)
		set.rules[i] = scene_rule(texts[i]);
	return set;
}
#define RULES(...) scene_rules((const char *const[]){__VA_ARGS__, NULL})

// The parts that a rule always has, and some that many have.
#define RULE(id, effect, secrets, program, argv, more)                                                                 \
	"{'id':'" id "','effect':'" effect "','secrets':[" secrets "],'program':" program ",'argv':" argv                 \
	",'created':1700000000" more "}"
#define ANY_PROGRAM "{'binding':'any'}"
#define SYSTEM(path) "{'binding':'system','path':'" path "'}"
#define EXACT(path, digest) "{'binding':'exact','path':'" path "','digest':'" digest "'}"
#define ANY_ARGV "{'mode':'any'}"
#define ARGV(mode, ...) "{'mode':'" mode "','arguments':[" __VA_ARGS__ "]}"
#define TO_TOKEN ",'deliveries':['variable'],'variables':['TOKEN']"
#define SCRIPT(path, digest) ",'script':{'path':'" path "','digest':'" digest "'}"
#define UNTIL(boot, milliseconds) ",'until':{'boot':'" boot "','milliseconds':" milliseconds "}"
#define TO_ANY ",'deliveries':['variable','file','stdin'],'variables':['*']"
// An allow for /usr/bin/tool with any arguments.
#define ALLOW(id, secrets, more) RULE(id, "allow", secrets, SYSTEM("/usr/bin/tool"), ANY_ARGV, TO_ANY more)
#define DENY(id, secrets, more) RULE(id, "deny", secrets, ANY_PROGRAM, ANY_ARGV, more)
#define ASK(id, secrets, more) RULE(id, "ask", secrets, ANY_PROGRAM, ANY_ARGV, more)
