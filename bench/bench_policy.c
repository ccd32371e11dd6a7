// bench_policy COUNT: a decision about a request of one and of eight secrets over COUNT rules, parsed from their JSON;
// one line of JSON: microseconds of processor time (medians) for rules of a human's kind, for rules that all fit but for
// their end, for the chain of reasons, and for reading the rules. "Human": a rule is for one program and a few secrets.
#include "bench.h"
#include "policy/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 101
#define ROUNDS_PARSE 5
#define SECRETS 8

static int human_add(struct buf *json, uint64_t i, struct err *err)
{
	return buf_printf(json, err,
			  "%s{\"id\":\"rule-%" PRIu64 "\",\"effect\":\"%s\",\"created\":1700000000,\"secrets\":"
			  "[\"team-%" PRIu64 "/db/*\",\"team-%" PRIu64 "/api/key\"],\"program\":{\"binding\":\"system\",\"path\":"
			  "\"/usr/bin/tool-%" PRIu64 "\"},\"argv\":{\"mode\":\"prefix\",\"arguments\":[\"tool-%" PRIu64
			  "\",\"run\"]},\"deliveries\":[\"variable\"],\"variables\":[\"DB_*\",\"TOKEN\"],"
			  "\"directory\":\"/home/someone/work/team-%" PRIu64 "\"}",
			  i ? "," : "", i, i % 7 ? "allow" : "deny", i % 50, i % 50, i % 300, i % 300, i % 50);
}

// Everything fits, the secrets by a pattern that is tried at each place, and at last the rule has expired.
static int nearly_add(struct buf *json, uint64_t i, struct err *err)
{
	return buf_printf(json, err,
			  "%s{\"id\":\"rule-%" PRIu64 "\",\"effect\":\"allow\",\"created\":1700000000,\"expires\":1700000001,"
			  "\"secrets\":[\"*d*b*p\"],\"program\":{\"binding\":\"system\",\"path\":\"/usr/bin/tool-7\"},"
			  "\"argv\":{\"mode\":\"exact\",\"arguments\":[\"tool-7\",\"run\",\"now\"]},\"deliveries\":[\"variable\"],"
			  "\"variables\":[\"*\"],\"directory\":\"/home/someone/work\"}",
			  i ? "," : "", i);
}

static int rules_make(uint64_t count, int (*add)(struct buf *, uint64_t, struct err *), struct rule_set *out,
		      double *out_us, struct err *err)
{
	_cleanup_buf_ struct buf json = BUF_INIT(RULES_BYTES_MAX);
	double samples[ROUNDS_PARSE];
	int r = buf_append_text(&json, "{\"version\":1,\"rules\":[", err);
	for (uint64_t i = 0; r == 0 && i < count; i++)
		r = add(&json, i, err);
	if (r == 0)
		r = buf_append_text(&json, "]}", err);
	for (size_t i = 0; r == 0 && i < ROUNDS_PARSE; i++) {
		rules_done(out);
		double from = cpu_us();
		r = rules_parse(buf_span(&json), out, err);
		samples[i] = cpu_us() - from;
	}
	*out_us = r == 0 ? median(samples, ROUNDS_PARSE) : 0;
	return r;
}

static double decide_us(const struct rule_set *set, const struct policy_request *request)
{
	struct policy_verdict verdicts[SECRETS];
	struct policy_decision decision = {.verdicts = verdicts};
	double samples[ROUNDS];
	for (size_t i = 0; i < ROUNDS; i++) {
		double from = cpu_us();
		policy_decide(set->rules, set->count, request, &decision);
		samples[i] = cpu_us() - from;
	}
	return median(samples, ROUNDS);
}

static double explain_us(const struct rule_set *set, const struct policy_request *request, enum policy_reason *chain)
{
	struct policy_verdict verdict = {.effect = RULE_ASK};
	double samples[ROUNDS];
	for (size_t i = 0; i < ROUNDS; i++) {
		double from = cpu_us();
		policy_explain(set->rules, set->count, request, 0, &verdict, chain);
		samples[i] = cpu_us() - from;
	}
	return median(samples, ROUNDS);
}

static int bench(uint64_t count, struct err *err)
{
	_cleanup_rules_ struct rule_set human = {0}, nearly = {0};
	_cleanup_free_ enum policy_reason *chain = calloc(count, sizeof(*chain));
	double parse_us, ignored;
	int r = chain ? rules_make(count, human_add, &human, &parse_us, err) : err_set(err, ERR_MEMORY, "out of memory");
	if (r == 0)
		r = rules_make(count, nearly_add, &nearly, &ignored, err);
	if (r < 0)
		return r;
	char path[] = "/usr/bin/tool-7", name[] = "tool-7", run[] = "run", now[] = "now";
	char *argv[] = {name, run, now, NULL};
	const struct program program = {.path = path, .is_system = true};
	struct policy_secret secrets[SECRETS];
	for (size_t i = 0; i < SECRETS; i++)
		secrets[i] = (struct policy_secret){"team-7/db/production-app", NULL, 0, RULE_TO_VARIABLE,
						    "DB_PASSWORD"};
	struct policy_request request = {.secrets = secrets, .secret_count = 1, .program = &program, .argv = argv,
					 .directory = "/home/someone/work/team-7/app", .now = 1800000000, .boot = "",
					 .uses = 1};
	double human_us = decide_us(&human, &request), nearly_us = decide_us(&nearly, &request);
	double chain_us = explain_us(&human, &request, chain);
	request.secret_count = SECRETS;
	printf("{\"rules\": %" PRIu64 ", \"decide_us\": %.1f, \"decide_nearly_us\": %.1f, \"decide_8_us\": %.1f, "
	       "\"explain_us\": %.1f, \"parse_us\": %.0f}\n",
	       count, human_us, nearly_us, decide_us(&human, &request), chain_us, parse_us);
	return 0;
}

int main(int argc, char **argv)
{
	struct err err = {0};
	uint64_t count;
	if (argc != 2) {
		fprintf(stderr, "usage: bench_policy COUNT\n");
		return 2;
	}
	int r = text_parse_u64(argv[1], "COUNT", 1, RULES_COUNT_MAX, &count, &err);
	if (r == 0)
		r = bench(count, &err);
	if (r < 0) {
		fprintf(stderr, "bench_policy: %s\n", err.text);
		return 1;
	}
	return 0;
}
