// Random rules over a tiny world, and random requests: what must hold of every decision; and any bytes as JSON.
//
// property_policy [CASES]; the seed is PROPERTY_SEED, or a fixed one. A case is named by its own seed, which replays
// it: PROPERTY_SEED=<that> property_policy 1.
#include "dice.h"
#include "policy_oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#define CASES_DEFAULT 3000
#else
#define CASES_DEFAULT 20000
#endif
#define RULES_MOST 10
#define SECRETS_MOST 3
#define BOOT_A "01234567-89ab-cdef-0123-456789abcdef"
#define BOOT_B "11234567-89ab-cdef-0123-456789abcdef"
#define SEED_STEP 0x9e3779b97f4a7c15u

struct world {
	struct dice dice;
	struct rule rules[RULES_MOST + 1];
	size_t count;
	struct program program, interpreter;
	const char *tags[2];
	struct policy_secret secrets[SECRETS_MOST];
	char *argv[4];
	const char *kept[3];
	struct rule_sandbox sandbox; // that the request asks for
	uint8_t script_digest[DIGEST_BYTES];
	struct policy_request request;
};

static char *pick_from(struct dice *dice, const char *const words[], size_t count)
{
	char *out;
	memcpy(&out, &words[dice_below(dice, count)], sizeof(out));
	return out;
}
#define PICK(dice, ...)                                                                                                \
	pick_from(dice, (const char *const[]){__VA_ARGS__}, ARRAY_COUNT(((const char *const[]){__VA_ARGS__})))

static bool one_in(struct dice *dice, size_t n)
{
	return dice_below(dice, n) == 0;
}

// ------------------------------------------------------------------------------------------------------- the world

static char *copy(const char *text)
{
	char *out = strdup(text);
	if (!out)
		abort();
	return out;
}

static void list_add(struct text_list *list, const char *text)
{
	char **items = reallocarray(list->items, list->count + 1, sizeof(*items));
	if (!items)
		abort();
	list->items = items;
	list->items[list->count++] = copy(text);
}

static const char *path_pick(struct dice *dice)
{
	return PICK(dice, "/usr/bin/tool", "/usr/bin/tool", "/usr/bin/tool", "/home/u/run.sh", "/usr/bin/python3");
}

static void rule_bind(struct dice *dice, struct rule *rule)
{
	rule->program.kind = (enum rule_binding_kind)dice_below(dice, 3);
	if (rule->effect == RULE_ALLOW && rule->program.kind == RULE_BINDING_ANY)
		rule->program.kind = RULE_BINDING_SYSTEM;
	if (rule->program.kind == RULE_BINDING_ANY)
		return;
	rule->program.path = copy(path_pick(dice));
	if (rule->program.kind == RULE_BINDING_EXACT)
		memset(rule->program.digest, (int)dice_below(dice, 2), DIGEST_BYTES);
	if (!one_in(dice, 8))
		return;
	rule->interpreter = (struct rule_binding){.kind = RULE_BINDING_SYSTEM, .path = copy("/usr/bin/dash")};
}

static void rule_run(struct dice *dice, struct rule *rule)
{
	bool is_allow = rule->effect == RULE_ALLOW;
	if (is_allow && one_in(dice, 3))
		list_add(&rule->environment, PICK(dice, "CC", "LD_PRELOAD"));
	if ((is_allow && rule->argv_mode != RULE_ARGV_EXACT) || !one_in(dice, 4))
		return;
	rule->script = (struct rule_binding){.kind = RULE_BINDING_EXACT, .path = copy(PICK(dice, "/w/a", "/w/b"))};
	memset(rule->script.digest, (int)dice_below(dice, 2), DIGEST_BYTES);
}

static void paths_make(struct dice *dice, struct text_list *list)
{
	list_add(list, PICK(dice, "/", "/w", "/w/a", "/w/ab"));
	if (one_in(dice, 3) && strcmp(list->items[0], "/srv") != 0)
		list_add(list, "/srv");
}

// The larger the odds, the less there is in it.
static void sandbox_make(struct dice *dice, size_t odds, struct rule_sandbox *sandbox)
{
	sandbox->tier = (enum sandbox_tier)dice_below(dice, 3);
	if (sandbox->tier == SANDBOX_LOCKDOWN)
		sandbox->network = (enum sandbox_network)dice_below(dice, 4);
	if (sandbox->network == SANDBOX_NETWORK_ALLOW)
		list_add(&sandbox->endpoints, PICK(dice, "a:1", "[::1]:2"));
	if (one_in(dice, odds))
		paths_make(dice, &sandbox->readable);
	if (one_in(dice, odds))
		paths_make(dice, &sandbox->writable);
	sandbox->is_unshielded = one_in(dice, odds);
	sandbox->is_degradable = one_in(dice, odds);
}

static void rule_until(struct dice *dice, struct rule *rule)
{
	rule->created = 100;
	rule->made = (enum rule_made)dice_below(dice, 2);
	rule->expires = one_in(dice, 4) ? 200 + (int64_t)dice_below(dice, 100) : 0;
	if (one_in(dice, 4))
		strcpy(rule->boot, PICK(dice, BOOT_A, BOOT_B));
	if (rule->expires && one_in(dice, 2)) {
		strcpy(rule->until.boot, rule->boot[0] ? rule->boot : PICK(dice, BOOT_A, BOOT_B));
		rule->until.milliseconds = 1 + (int64_t)dice_below(dice, 100);
	}
	if (rule->boot[0] && one_in(dice, 2))
		rule->session = (struct rule_session){1 + (int64_t)dice_below(dice, 2), dice_below(dice, 2)};
	if (rule->effect != RULE_ALLOW)
		return;
	sandbox_make(dice, 2, &rule->sandbox);
	rule->redaction = one_in(dice, 4);
	rule->is_counted = one_in(dice, 4);
	rule->uses_left = rule->is_counted ? dice_below(dice, 3) : 0;
}

// Sound by the way it is made, but for open-ended programs.
static void rule_make(struct dice *dice, size_t number, struct rule *rule)
{
	static const enum rule_effect effects[] = {RULE_ALLOW, RULE_ALLOW, RULE_ALLOW, RULE_ASK, RULE_DENY};
	*rule = (struct rule){.effect = effects[dice_below(dice, ARRAY_COUNT(effects))]};
	snprintf(rule->id, sizeof(rule->id), "r%zu", number);
	for (size_t i = 1 + dice_below(dice, 2); i > 0; i--)
		list_add(&rule->secrets, PICK(dice, "*", "db/*", "db/a", "db/?", "api", "tag:x", "tag:*", "*a*"));
	rule_bind(dice, rule);
	rule->argv_mode = (enum rule_argv_mode)dice_below(dice, 3);
	if (rule->program.path && program_is_open_ended(rule->program.path))
		rule->argv_mode = RULE_ARGV_EXACT;
	for (size_t i = 0; rule->argv_mode != RULE_ARGV_ANY && i < 1 + dice_below(dice, 3); i++)
		list_add(&rule->arguments, i == 0 ? "tool" : PICK(dice, "a", "b"));
	rule->deliveries = rule->effect == RULE_ALLOW || one_in(dice, 2) ? RULE_TO_VARIABLE | RULE_TO_STDIN : 0;
	if (rule->effect == RULE_ALLOW || one_in(dice, 3))
		list_add(&rule->variables, PICK(dice, "*", "TOKEN", "T*"));
	rule->is_paired = one_in(dice, 3) && rule->variables.count > 0;
	while (rule->is_paired && rule->variables.count < rule->secrets.count)
		list_add(&rule->variables, PICK(dice, "*", "TOKEN", "T*"));
	if (one_in(dice, 3))
		rule->directory = copy(PICK(dice, "/", "/w", "/w/a", "/w/b"));
	rule_run(dice, rule);
	rule_until(dice, rule);
}

static void request_run(struct world *world)
{
	struct dice *dice = &world->dice;
	struct policy_request *request = &world->request;
	request->kept = world->kept;
	request->kept_count = one_in(dice, 5) ? 1 + dice_below(dice, 2) : 0;
	for (size_t i = 0; i < request->kept_count; i++)
		world->kept[i] = PICK(dice, "CC", "LD_PRELOAD");
	request->boottime_ms = (int64_t)dice_below(dice, 120) - 10;
	request->script_is_unread = one_in(dice, 20);
	if (!one_in(dice, 4))
		return;
	request->script_path = PICK(dice, "/w/a", "/w/b");
	request->script_digest = world->script_digest;
	memset(world->script_digest, (int)dice_below(dice, 2), DIGEST_BYTES);
}

static void request_make(struct world *world)
{
	struct dice *dice = &world->dice;
	world->program = (struct program){.path = pick_from(dice, (const char *const[]){path_pick(dice)}, 1),
					  .is_system = !one_in(dice, 4), .is_by_path = one_in(dice, 8)};
	memset(world->program.digest, (int)dice_below(dice, 2), DIGEST_BYTES);
	world->interpreter = (struct program){.path = PICK(dice, "/usr/bin/dash", "/usr/bin/env"), .is_system = true};
	world->program.interpreter = one_in(dice, 3) ? &world->interpreter : NULL;
	world->tags[0] = PICK(dice, "x", "y");
	for (size_t i = 0; i < SECRETS_MOST; i++)
		world->secrets[i] = (struct policy_secret){
			.name = PICK(dice, "db/a", "db/bc", "api"),
			.tags = world->tags, .tag_count = dice_below(dice, 2),
			.delivery = one_in(dice, 6) ? RULE_TO_FILE : RULE_TO_VARIABLE,
			.variable = PICK(dice, "TOKEN", "TOKEN", "TOKEN", "TOKEN", "KEY", "LD_PRELOAD")};
	world->argv[0] = PICK(dice, "tool", "tool", "x");
	world->argv[1] = PICK(dice, "a", "b", NULL);
	world->argv[2] = world->argv[1] ? PICK(dice, "a", "b", NULL) : NULL;
	if (one_in(dice, 4))
		sandbox_make(dice, 4, &world->sandbox);
	world->request = (struct policy_request){
		.secrets = world->secrets, .secret_count = one_in(dice, 2) ? 1 : 1 + dice_below(dice, SECRETS_MOST),
		.program = &world->program, .argv = world->argv, .directory = PICK(dice, "/w", "/w/a", "/w/a/c", "/wx"),
		.sandbox = &world->sandbox, .names_tier = one_in(dice, 3), .redaction = !one_in(dice, 4),
		.now = 80 + (int64_t)dice_below(dice, 200), .boot = PICK(dice, BOOT_A, BOOT_A, BOOT_B),
		.session = {1 + (int64_t)dice_below(dice, 2), dice_below(dice, 2)}, .uses = 1};
}

static void world_make(struct world *world, uint64_t seed)
{
	*world = (struct world){.dice = {seed}};
	world->count = dice_below(&world->dice, RULES_MOST + 1);
	for (size_t i = 0; i < world->count; i++)
		rule_make(&world->dice, i, &world->rules[i]);
	request_make(world);
	request_run(world);
}

// ------------------------------------------------------------------------------------------------------ properties

struct answer {
	struct policy_verdict verdicts[SECRETS_MOST];
	struct policy_decision decision;
};

static void decide(const struct world *world, const struct rule *rules, size_t count, struct answer *answer)
{
	answer->decision.verdicts = answer->verdicts;
	policy_decide(rules, count, &world->request, &answer->decision);
}

static bool is_same_rule(const struct rule *a, const struct rule *b)
{
	return a && b ? strcmp(a->id, b->id) == 0 : a == b;
}

static bool is_same(const struct world *world, const struct answer *a, const struct answer *b)
{
	for (size_t i = 0; i < world->request.secret_count; i++)
		if (a->verdicts[i].effect != b->verdicts[i].effect || a->verdicts[i].reason != b->verdicts[i].reason ||
		    !is_same_rule(a->verdicts[i].rule, b->verdicts[i].rule) ||
		    !is_same_rule(a->verdicts[i].nearest, b->verdicts[i].nearest))
			return false;
	return a->decision.effect == b->decision.effect && a->decision.decisive == b->decision.decisive;
}

static const char *check_order(struct world *world, const struct answer *before)
{
	struct rule shuffled[RULES_MOST];
	struct answer after;
	memcpy(shuffled, world->rules, sizeof(shuffled));
	for (size_t i = world->count; i > 1; i--) {
		size_t other = dice_below(&world->dice, i);
		struct rule rule = shuffled[other];
		shuffled[other] = shuffled[i - 1];
		shuffled[i - 1] = rule;
	}
	decide(world, shuffled, world->count, &after);
	return is_same(world, before, &after) ? NULL : "the order of the rules matters";
}

static const char *check_added_deny(struct world *world, const struct answer *before)
{
	struct answer after;
	struct rule *added = &world->rules[world->count];
	do {
		rule_done(added);
		rule_make(&world->dice, world->count, added);
	} while (added->effect != RULE_DENY);
	decide(world, world->rules, world->count + 1, &after);
	for (size_t i = 0; i < world->request.secret_count; i++)
		if (after.verdicts[i].effect != before->verdicts[i].effect && after.verdicts[i].effect != RULE_DENY)
			return "an added deny does something other than to deny";
	return after.decision.effect == RULE_ALLOW && before->decision.effect != RULE_ALLOW
		       ? "an added deny allows"
		       : NULL;
}

// One more variable that is kept takes an allow away or changes nothing.
static const char *check_kept(struct world *world, const struct answer *before)
{
	struct answer after;
	world->kept[world->request.kept_count++] = PICK(&world->dice, "CC", "LD_PRELOAD", "BASH_ENV");
	decide(world, world->rules, world->count, &after);
	world->request.kept_count--;
	for (size_t i = 0; i < world->request.secret_count; i++)
		if (before->verdicts[i].effect != RULE_ALLOW && after.verdicts[i].effect != before->verdicts[i].effect)
			return "a variable that is kept does more than to take an allow away";
	return after.decision.effect == RULE_ALLOW && before->decision.effect != RULE_ALLOW ? "a kept variable allows"
											    : NULL;
}

// A script of which no rule knows the content is never allowed, and what denies by its path denies it still.
static const char *check_edited_script(struct world *world, const struct answer *before)
{
	struct answer after;
	struct policy_request was = world->request;
	uint8_t edited[DIGEST_BYTES] = {77};
	world->request.script_path = was.script_path ? was.script_path : "/w/a";
	world->request.script_digest = edited;
	decide(world, world->rules, world->count, &after);
	world->request = was;
	if (was.secret_count > 0 && after.decision.effect == RULE_ALLOW)
		return "a script that was edited is allowed";
	for (size_t i = 0; was.script_path && i < was.secret_count; i++) {
		const struct rule *rule = before->verdicts[i].rule;
		bool names = rule && (!rule->script.path || strcmp(rule->script.path, was.script_path) == 0);
		if (before->verdicts[i].effect == RULE_DENY && names && after.verdicts[i].effect != RULE_DENY)
			return "an edit of the script escapes a deny";
	}
	return NULL;
}

// Setting one clock back never brings to life what has ended by the other.
static const char *check_clocks(struct world *world)
{
	struct policy_request was = world->request;
	const char *wrong = NULL;
	for (size_t i = 0; i < world->count && !wrong; i++) {
		const struct rule *rule = &world->rules[i];
		struct answer answer;
		if (rule->effect != RULE_ALLOW || !rule->until.boot[0])
			continue;
		bool is_first = one_in(&world->dice, 2);
		world->request.boot = rule->until.boot;
		world->request.now = is_first ? rule->expires : 150;
		world->request.boottime_ms = is_first ? -1 : rule->until.milliseconds;
		decide(world, rule, 1, &answer);
		if (answer.decision.effect == RULE_ALLOW)
			wrong = "a clock that was set back lengthens a rule";
	}
	world->request = was;
	return wrong;
}

static const char *check_removed(struct world *world, const struct answer *before)
{
	if (world->count == 0)
		return NULL;
	struct rule rest[RULES_MOST];
	struct answer after;
	size_t out = dice_below(&world->dice, world->count);
	memcpy(rest, world->rules, sizeof(rest));
	rest[out] = rest[world->count - 1];
	decide(world, rest, world->count - 1, &after);
	for (size_t i = 0; i < world->request.secret_count; i++) {
		const struct policy_verdict *was = &before->verdicts[i], *is = &after.verdicts[i];
		bool is_others = !is_same_rule(was->rule, &world->rules[out]);
		if (is_others && (was->effect != is->effect || !is_same_rule(was->rule, is->rule)))
			return "a rule that did not decide, removed, changes the decision";
	}
	return NULL;
}

// What no allow may ever come to, however the rules stand.
static const char *check_allowed(const struct world *world, const struct answer *answer)
{
	const struct policy_request *request = &world->request;
	const struct program *program = request->program;
	if (answer->decision.effect == RULE_ALLOW && request->script_is_unread)
		return "allowed a script that could not be read";
	for (size_t i = 0; i < request->secret_count; i++) {
		const struct rule *rule = answer->verdicts[i].rule;
		if (!rule && answer->verdicts[i].effect != RULE_ASK)
			return "decided without a rule";
		if (answer->verdicts[i].effect != RULE_ALLOW)
			continue;
		bool is_dead = (rule->expires && (request->now >= rule->expires || request->now < rule->created)) ||
			       (rule->is_counted && rule->uses_left == 0) ||
			       (rule->boot[0] && strcmp(rule->boot, request->boot) != 0) ||
			       (rule->session.pid && rule->session.pid != request->session.pid);
		bool is_weaker = request->names_tier && request->sandbox->tier < rule->sandbox.tier;
		bool is_open = (request->sandbox->writable.count > 0 && rule->sandbox.writable.count == 0) ||
			       (request->sandbox->is_degradable && !rule->sandbox.is_degradable);
		if (is_dead || is_weaker || is_open || (rule->redaction && !request->redaction))
			return "allowed by a rule that does not hold";
		if (strcmp(request->secrets[i].variable, "LD_PRELOAD") == 0 || program->is_by_path)
			return "allowed what never is";
		if (program_is_open_ended(program->path) && rule->argv_mode != RULE_ARGV_EXACT)
			return "allowed an open-ended program other arguments";
	}
	return NULL;
}

static const char *check_chain(const struct world *world, const struct answer *answer)
{
	enum policy_reason chain[RULES_MOST];
	for (size_t s = 0; s < world->request.secret_count; s++) {
		const struct policy_verdict *verdict = &answer->verdicts[s];
		policy_explain(world->rules, world->count, &world->request, s, verdict, chain);
		for (size_t i = 0; i < world->count; i++) {
			bool decides = &world->rules[i] == verdict->rule;
			if (decides != (chain[i] == POLICY_DECIDES))
				return "the chain names another rule";
			if (!verdict->rule && chain[i] > verdict->reason)
				return "the chain has a nearer rule";
			bool matches = chain[i] == POLICY_LESS_SPECIFIC || chain[i] == POLICY_OVERRULED;
			if ((matches || decides) !=
			    oracle_matches(&world->rules[i], &world->request, &world->request.secrets[s]))
				return "a rule matches otherwise than the page says";
			if (matches && oracle_is_ahead(&world->rules[i], verdict->rule, &world->request.secrets[s]))
				return "a more specific rule does not decide";
		}
	}
	return NULL;
}

static const char *check_round_trip(const struct world *world)
{
	_cleanup_buf_ struct buf first = BUF_INIT(RULES_BYTES_MAX), second = BUF_INIT(RULES_BYTES_MAX);
	_cleanup_rules_ struct rule_set parsed = {0};
	struct rule copies[RULES_MOST];
	struct err err;
	memcpy(copies, world->rules, sizeof(copies));
	struct rule_set set = {copies, world->count};
	struct answer before, after;
	if (rules_format(&set, &first, &err) < 0 || rules_parse(buf_span(&first), &parsed, &err) < 0 ||
	    rules_format(&parsed, &second, &err) < 0) {
		printf("%s\n", err.text);
		return "a rule cannot be written and read";
	}
	if (!span_is_equal(buf_span(&first), buf_span(&second)))
		return "what was read is written otherwise";
	decide(world, world->rules, world->count, &before);
	decide(world, parsed.rules, parsed.count, &after);
	return is_same(world, &before, &after) ? NULL : "what was read decides otherwise";
}

// Damaged JSON is refused in printable words, or is sound.
static const char *check_damage(struct world *world)
{
	_cleanup_buf_ struct buf text = BUF_INIT(RULES_BYTES_MAX);
	_cleanup_rules_ struct rule_set parsed = {0};
	struct err err = {0};
	struct rule_set set = {world->rules, world->count};
	if (rules_format(&set, &text, &err) < 0)
		return "a rule cannot be written";
	for (size_t i = 1 + dice_below(&world->dice, 4); i > 0; i--)
		text.data[dice_below(&world->dice, text.len)] = (uint8_t)dice_next(&world->dice);
	size_t len = one_in(&world->dice, 4) ? dice_below(&world->dice, text.len) : text.len;
	if (rules_parse(span_of(text.data, len), &parsed, &err) == 0) {
		for (size_t i = 0; i < parsed.count; i++)
			if (rule_check(&parsed.rules[i], &err) < 0)
				return "what was read is not sound";
		return NULL;
	}
	for (const char *at = err.text; *at; at++)
		if (*at < 0x20 || *at > 0x7e)
			return "a sentence is not printable";
	return err.code == ERR_INPUT || err.code == ERR_LIMIT ? NULL : "refused with a code that says nothing";
}

static const char *check_glob(struct dice *dice)
{
	char pattern[8] = {0}, text[10] = {0};
	for (size_t i = dice_below(dice, sizeof(pattern)); i-- > 0;)
		pattern[i] = "ab?**"[dice_below(dice, 5)];
	for (size_t i = dice_below(dice, sizeof(text)); i-- > 0;)
		text[i] = "ab"[dice_below(dice, 2)];
	return rule_glob_matches(pattern, text) == oracle_glob(pattern, text) ? NULL : "a pattern";
}

static const char *case_run(uint64_t seed, size_t effects[3])
{
	struct world world;
	struct answer answer;
	world_make(&world, seed);
	decide(&world, world.rules, world.count, &answer);
	effects[answer.decision.effect]++;
	const char *wrong = check_order(&world, &answer);
	wrong = wrong ? wrong : check_allowed(&world, &answer);
	wrong = wrong ? wrong : check_chain(&world, &answer);
	wrong = wrong ? wrong : check_removed(&world, &answer);
	wrong = wrong ? wrong : check_kept(&world, &answer);
	wrong = wrong ? wrong : check_edited_script(&world, &answer);
	wrong = wrong ? wrong : check_clocks(&world);
	wrong = wrong ? wrong : check_round_trip(&world);
	wrong = wrong ? wrong : check_damage(&world);
	wrong = wrong ? wrong : check_glob(&world.dice);
	wrong = wrong ? wrong : check_added_deny(&world, &answer);
	for (size_t i = 0; i <= world.count; i++)
		rule_done(&world.rules[i]);
	rule_sandbox_done(&world.sandbox);
	return wrong;
}

int main(int argc, char **argv)
{
	const char *given = getenv("PROPERTY_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 20260131;
	size_t cases = argc > 1 ? strtoull(argv[1], NULL, 10) : CASES_DEFAULT, effects[3] = {0};
	printf("seed %" PRIu64 ", %zu cases\n", seed, cases);
	for (size_t i = 0; i < cases; i++, seed += SEED_STEP) {
		const char *wrong = case_run(seed, effects);
		if (!wrong)
			continue;
		printf("PROPERTY_SEED=%" PRIu64 " property_policy 1: %s\n", seed, wrong);
		return 1;
	}
	printf("asked %zu, allowed %zu, denied %zu\n", effects[RULE_ASK], effects[RULE_ALLOW], effects[RULE_DENY]);
	// Where nothing is ever allowed nothing is shown.
	return cases < 1000 || effects[RULE_ALLOW] > 0 ? 0 : 1;
}
