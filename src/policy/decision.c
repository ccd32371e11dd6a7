#include "policy/policy.h"

#include <string.h>

// The keys of the total order, the first one first, the larger the more specific; the id decides what they leave open.
enum rank_key { RANK_PROGRAM, RANK_ARGV, RANK_PREFIX, RANK_PATTERN, RANK_LITERAL, RANK_DIRECTORY, RANK_ASK, RANK_KEYS };

struct rank {
	size_t keys[RANK_KEYS];
};

// Secrets that are decided in one walk over the rules: reading those from memory is what a decision costs.
#define SECRETS_AT_ONCE 16

// One secret of a request, what every rule asks of it and costs a look into a table, and the best rule so far.
struct question {
	const struct policy_request *request;
	const struct policy_secret *secret;
	bool is_steering;   // the variable
	bool is_open_ended; // the program
	struct rank best;   // of the verdict's rule
};

enum pattern_kind { PATTERN_TAG, PATTERN_NAME, PATTERN_EXACT };

static int rank_compare(const struct rank *a, const struct rule *rule_a, const struct rank *b,
			const struct rule *rule_b)
{
	for (size_t i = 0; i < RANK_KEYS; i++)
		if (a->keys[i] != b->keys[i])
			return a->keys[i] > b->keys[i] ? 1 : -1;
	return strcmp(rule_b->id, rule_a->id);
}

static size_t directory_depth(const char *directory)
{
	if (!directory)
		return 0;
	size_t depth = 1;
	for (const char *at = directory; *at; at++)
		depth += *at == '/' && at[1];
	return depth;
}

static void rank_fill(const struct rule *rule, struct rank *rank)
{
	rank->keys[RANK_PROGRAM] = rule->program.kind;
	rank->keys[RANK_ARGV] = rule->argv_mode;
	rank->keys[RANK_PREFIX] = rule->argv_mode == RULE_ARGV_PREFIX ? rule->arguments.count : 0;
	rank->keys[RANK_DIRECTORY] = directory_depth(rule->directory);
	rank->keys[RANK_ASK] = rule->effect != RULE_ALLOW;
}

// ------------------------------------------------------------------------------------------------------ the secret

static bool pattern_matches(const char *pattern, const struct policy_secret *secret)
{
	size_t prefix = strlen(RULE_TAG_PREFIX);
	if (strncmp(pattern, RULE_TAG_PREFIX, prefix) != 0)
		return rule_glob_matches(pattern, secret->name);
	for (size_t i = 0; i < secret->tag_count; i++)
		if (rule_glob_matches(pattern + prefix, secret->tags[i]))
			return true;
	return false;
}

// The most specific pattern that fits goes into the rank.
static bool secret_matches(const struct rule *rule, const struct policy_secret *secret, struct rank *rank)
{
	bool matches = false;
	for (size_t i = 0; i < rule->secrets.count; i++) {
		const char *pattern = rule->secrets.items[i];
		if (!pattern_matches(pattern, secret))
			continue;
		bool is_tag = strncmp(pattern, RULE_TAG_PREFIX, strlen(RULE_TAG_PREFIX)) == 0;
		size_t kind = is_tag ? PATTERN_TAG : rule_is_glob(pattern) ? PATTERN_NAME : PATTERN_EXACT;
		size_t literal = rule_literal_bytes(pattern);
		bool is_better = !matches || kind > rank->keys[RANK_PATTERN] ||
				 (kind == rank->keys[RANK_PATTERN] && literal > rank->keys[RANK_LITERAL]);
		if (is_better) {
			rank->keys[RANK_PATTERN] = kind;
			rank->keys[RANK_LITERAL] = literal;
		}
		matches = true;
	}
	return matches;
}

static bool variable_matches(const struct rule *rule, const struct policy_secret *secret)
{
	if (rule->variables.count == 0 || secret->delivery == RULE_TO_STDIN)
		return true;
	for (size_t i = 0; i < rule->variables.count; i++)
		if (secret->variable && rule_glob_matches(rule->variables.items[i], secret->variable) &&
		    (!rule->is_paired || pattern_matches(rule->secrets.items[i], secret)))
			return true;
	return false;
}

static bool is_open_ended(const struct program *program)
{
	return program_has_open_ended(program);
}

static struct question question_make(const struct policy_request *request, const struct policy_secret *secret)
{
	struct err ignored;
	bool is_fit = secret->delivery == RULE_TO_STDIN ||
		      (secret->variable && variable_check_secret(secret->variable, &ignored) == 0);
	return (struct question){.request = request, .secret = secret, .is_steering = !is_fit,
				 .is_open_ended = is_open_ended(request->program)};
}

// POLICY_DECIDES where everything fits: here, and below.
static enum policy_reason secret_reason(const struct rule *rule, const struct question *question, struct rank *rank)
{
	const struct policy_secret *secret = question->secret;
	if (!secret_matches(rule, secret, rank))
		return POLICY_OTHER_SECRET;
	if (rule->deliveries && !(rule->deliveries & secret->delivery))
		return POLICY_OTHER_DELIVERY;
	if (!variable_matches(rule, secret))
		return POLICY_OTHER_VARIABLE;
	return rule->effect == RULE_ALLOW && question->is_steering ? POLICY_STEERING_VARIABLE : POLICY_DECIDES;
}

// ----------------------------------------------------------------------------------------------------- the program

static enum policy_reason binding_reason(const struct rule_binding *binding, const struct program *program)
{
	bool is_same_path = strcmp(binding->path, program->path) == 0;
	bool is_same_content = memcmp(binding->digest, program->digest, DIGEST_BYTES) == 0;
	if (binding->kind == RULE_BINDING_SYSTEM ? is_same_path && program->is_system : is_same_content)
		return POLICY_DECIDES;
	return is_same_path ? POLICY_PROGRAM_CHANGED : POLICY_OTHER_PROGRAM;
}

static bool interpreter_matches(const struct rule *rule, const struct program *interpreter)
{
	if (rule->interpreter.kind != RULE_BINDING_ANY)
		return interpreter && binding_reason(&rule->interpreter, interpreter) == POLICY_DECIDES;
	// A system script may be given another system interpreter by an upgrade. What an allow says nothing of, it does
	// not allow.
	return rule->effect != RULE_ALLOW || !interpreter ||
	       (rule->program.kind == RULE_BINDING_SYSTEM && interpreter->is_system);
}

static bool arguments_match(const struct rule *rule, char *const argv[])
{
	if (rule->argv_mode == RULE_ARGV_ANY)
		return true;
	size_t i = 0;
	for (; i < rule->arguments.count; i++)
		if (!argv[i] || strcmp(argv[i], rule->arguments.items[i]) != 0)
			return false;
	return rule->argv_mode == RULE_ARGV_PREFIX || !argv[i];
}

static enum policy_reason script_reason(const struct rule *rule, const struct policy_request *request)
{
	const struct rule_binding *script = &rule->script;
	bool is_allow = rule->effect == RULE_ALLOW;
	bool is_unread = request->script_is_unread || (request->script_path && !request->script_digest);
	if (script->kind == RULE_BINDING_ANY)
		return is_allow && (request->script_path || is_unread) ? POLICY_OTHER_SCRIPT : POLICY_DECIDES;
	bool is_same_path = request->script_path && strcmp(script->path, request->script_path) == 0;
	bool is_same_content = request->script_path && !is_unread &&
			       memcmp(script->digest, request->script_digest, DIGEST_BYTES) == 0;
	// Neither an edit nor a copy gets a script past what asks or denies.
	if (!is_allow)
		return is_same_path || is_same_content ? POLICY_DECIDES : POLICY_OTHER_SCRIPT;
	if (!is_same_path || is_unread)
		return POLICY_OTHER_SCRIPT;
	return is_same_content ? POLICY_DECIDES : POLICY_SCRIPT_CHANGED;
}

static bool kept_match(const struct rule *rule, const struct policy_request *request)
{
	// No rule names more, so that no request makes the walk long by naming one again and again.
	if (request->kept_count > RULE_ENVIRONMENT_MAX)
		return false;
	for (size_t i = 0; i < request->kept_count; i++)
		if (!text_list_has(&rule->environment, request->kept[i]))
			return false;
	return true;
}

// What an allow wants of any run.
static enum policy_reason pinned_reason(const struct rule *rule, const struct question *question)
{
	if (!kept_match(rule, question->request))
		return POLICY_KEPT_VARIABLE;
	const struct program *program = question->request->program, *interpreter = program->interpreter;
	if (rule->argv_mode != RULE_ARGV_EXACT && question->is_open_ended)
		return POLICY_OPEN_ENDED;
	if (program->is_by_path || (interpreter && interpreter->is_by_path))
		return POLICY_UNPINNED;
	return interpreter && program_path_is_env(interpreter->path) ? POLICY_INTERPRETER_BY_PATH : POLICY_DECIDES;
}

static bool directory_matches(const char *directory, const char *asked)
{
	return !directory || path_is_below(asked, directory);
}

// An allow ends by the first of its ends, so that neither clock set back lengthens it; what asks or denies by the last
// that counts, so that neither set forward shortens it.
static bool has_expired(const struct rule *rule, const struct policy_request *request)
{
	bool by_clock = rule->expires && request->now >= rule->expires;
	bool counts = rule->until.boot[0] && request->boot && strcmp(rule->until.boot, request->boot) == 0;
	if (!counts)
		return by_clock;
	bool by_boot = request->boottime_ms >= rule->until.milliseconds;
	return rule->effect == RULE_ALLOW ? by_clock || by_boot : by_clock && by_boot;
}

static enum policy_reason until_reason(const struct rule *rule, const struct policy_request *request)
{
	// A deny or an ask holds on when the clock is set back.
	if (rule->effect == RULE_ALLOW && rule->expires && request->now < rule->created)
		return POLICY_CLOCK_BACK;
	if (has_expired(rule, request))
		return POLICY_EXPIRED;
	if (rule->is_counted && rule->uses_left < (request->uses ? request->uses : 1))
		return POLICY_USED_UP;
	if (rule->boot[0] && (!request->boot || strcmp(rule->boot, request->boot) != 0))
		return POLICY_OTHER_BOOT;
	bool is_session = rule->session.pid == request->session.pid && rule->session.start == request->session.start;
	return rule->session.pid && !is_session ? POLICY_OTHER_SESSION : POLICY_DECIDES;
}

// A deny, or an ask, holds in any.
static enum policy_reason sandbox_reason(const struct rule *rule, const struct policy_request *request)
{
	const struct rule_sandbox *asked = request->sandbox;
	if (rule->effect != RULE_ALLOW || !asked)
		return POLICY_DECIDES;
	if (request->names_tier && asked->tier < rule->sandbox.tier)
		return POLICY_WEAKER_TIER;
	return rule_sandbox_covers(&rule->sandbox, asked) ? POLICY_DECIDES : POLICY_OTHER_SANDBOX;
}

static enum policy_reason request_reason(const struct rule *rule, const struct question *question)
{
	const struct policy_request *request = question->request;
	bool is_any = rule->program.kind == RULE_BINDING_ANY;
	enum policy_reason bound = is_any ? POLICY_DECIDES : binding_reason(&rule->program, request->program);
	if (bound == POLICY_OTHER_PROGRAM)
		return bound;
	if (!directory_matches(rule->directory, request->directory))
		return POLICY_OTHER_DIRECTORY;
	if (!arguments_match(rule, request->argv))
		return POLICY_OTHER_ARGUMENTS;
	enum policy_reason script = script_reason(rule, request);
	if (script == POLICY_OTHER_SCRIPT)
		return script;
	enum policy_reason pinned = rule->effect == RULE_ALLOW ? pinned_reason(rule, question) : POLICY_DECIDES;
	if (pinned != POLICY_DECIDES)
		return pinned;
	if (bound != POLICY_DECIDES)
		return bound;
	if (!interpreter_matches(rule, request->program->interpreter))
		return POLICY_INTERPRETER_CHANGED;
	if (script != POLICY_DECIDES)
		return script;
	enum policy_reason sandbox = sandbox_reason(rule, request);
	if (sandbox != POLICY_DECIDES)
		return sandbox;
	if (rule->redaction && !request->redaction)
		return POLICY_NO_REDACTION;
	return until_reason(rule, request);
}

// --------------------------------------------------------------------------------------------------------- deciding

static void verdict_take(struct policy_verdict *verdict, struct question *question, const struct rule *rule,
			 const struct rank *rank)
{
	bool is_deny = rule->effect == RULE_DENY;
	bool is_stricter = is_deny && verdict->effect != RULE_DENY;
	bool is_weaker = !is_deny && verdict->effect == RULE_DENY;
	bool is_better = !verdict->rule || is_stricter || rank_compare(rank, rule, &question->best, verdict->rule) > 0;
	if (is_weaker || !is_better)
		return;
	*verdict = (struct policy_verdict){.effect = rule->effect, .rule = rule, .reason = POLICY_DECIDES};
	question->best = *rank;
}

static void nearest_take(struct policy_verdict *verdict, const struct rule *rule, enum policy_reason reason)
{
	bool is_nearer = !verdict->nearest || reason > verdict->reason ||
			 (reason == verdict->reason && strcmp(rule->id, verdict->nearest->id) < 0);
	if (verdict->rule || !is_nearer)
		return;
	verdict->nearest = rule;
	verdict->reason = reason;
}

// One rule for all secrets: what it says of the request is the same for each, and looked at when one of them needs it.
static void rule_apply(const struct rule *rule, struct question questions[], size_t count,
		       struct policy_verdict verdicts[])
{
	enum policy_reason request_says = POLICY_REASON_COUNT;
	for (size_t i = 0; i < count; i++) {
		struct rank rank = {0};
		enum policy_reason reason = secret_reason(rule, &questions[i], &rank);
		if (reason == POLICY_DECIDES && request_says == POLICY_REASON_COUNT)
			request_says = request_reason(rule, &questions[i]);
		if (reason == POLICY_DECIDES)
			reason = request_says;
		if (reason != POLICY_DECIDES) {
			nearest_take(&verdicts[i], rule, reason);
			continue;
		}
		rank_fill(rule, &rank);
		verdict_take(&verdicts[i], &questions[i], rule, &rank);
	}
}

static void secrets_decide(const struct rule rules[], size_t rule_count, const struct policy_request *request,
			   const struct policy_secret secrets[], size_t count, struct policy_verdict verdicts[])
{
	struct question questions[SECRETS_AT_ONCE];
	for (size_t i = 0; i < count; i++) {
		questions[i] = question_make(request, &secrets[i]);
		verdicts[i] = (struct policy_verdict){.effect = RULE_ASK, .reason = POLICY_OTHER_SECRET};
	}
	for (size_t i = 0; i < rule_count; i++)
		rule_apply(&rules[i], questions, count, verdicts);
}

static int strictness(enum rule_effect effect)
{
	return effect == RULE_DENY ? 2 : effect == RULE_ASK;
}

void policy_decide(const struct rule rules[], size_t count, const struct policy_request *request,
		   struct policy_decision *out)
{
	for (size_t i = 0; i < request->secret_count; i += SECRETS_AT_ONCE) {
		size_t left = request->secret_count - i;
		size_t now = left < SECRETS_AT_ONCE ? left : SECRETS_AT_ONCE;
		secrets_decide(rules, count, request, request->secrets + i, now, out->verdicts + i);
	}
	out->effect = request->secret_count > 0 ? RULE_ALLOW : RULE_ASK;
	out->decisive = 0;
	for (size_t i = 0; i < request->secret_count; i++) {
		if (strictness(out->verdicts[i].effect) <= strictness(out->effect))
			continue;
		out->effect = out->verdicts[i].effect;
		out->decisive = i;
	}
}

void policy_explain(const struct rule rules[], size_t count, const struct policy_request *request, size_t secret,
		    const struct policy_verdict *verdict, enum policy_reason out[])
{
	struct question question = question_make(request, &request->secrets[secret]);
	for (size_t i = 0; i < count; i++) {
		struct rank ignored = {0};
		out[i] = secret_reason(&rules[i], &question, &ignored);
		if (out[i] == POLICY_DECIDES)
			out[i] = request_reason(&rules[i], &question);
		if (out[i] != POLICY_DECIDES || &rules[i] == verdict->rule)
			continue;
		bool is_overruled = verdict->effect == RULE_DENY && rules[i].effect != RULE_DENY;
		out[i] = is_overruled ? POLICY_OVERRULED : POLICY_LESS_SPECIFIC;
	}
}
