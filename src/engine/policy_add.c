#include "engine/enclosure.h"
#include "engine/policy_set.h"
#include "engine/policy_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// A rule that is being made.
struct addition {
	struct engine *engine;
	const struct engine_policy_add *request;
	struct policy_specs specs;
	struct plan plan; // of the program; empty where the rule is for any
	struct rule_terms terms;
	struct rule_secret secrets[RULE_SECRETS_MAX];
	struct rule_sandbox sandbox;
	char *directory; // owned
	struct rule_clock clock;
	struct rule made[RULES_MADE_MAX];
	size_t made_count;
	char ids[RULES_MADE_MAX][RULE_ID_BYTES_MAX + 1]; // that they have in the set
};

static void addition_done(struct addition *addition)
{
	rules_made_done(addition->made, addition->made_count);
	policy_specs_done(&addition->specs);
	plan_done(&addition->plan);
	rule_sandbox_done(&addition->sandbox);
	free(addition->directory);
}

// -------------------------------------------------------------------------------------------------------------- terms

static int word_choose(const char *word, const char *const words[], size_t count, const char *option, size_t *out,
		       struct err *err)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0) {
			*out = i;
			return 0;
		}
	return err_set(err, ERR_USAGE, "%s wants %s, %s or %s", option, words[0], words[1], words[2]);
}

static int argv_choose(struct addition *addition, struct err *err)
{
	const char *word = addition->request->argv_mode;
	size_t mode = RULE_ARGV_EXACT;
	if (word && !addition->request->argv)
		return err_set(err, ERR_USAGE, "--argv is about the arguments of a program; name one behind --");
	int r = word ? word_choose(word, rule_argv_names, ARRAY_COUNT(rule_argv_names), "--argv", &mode, err) : 0;
	addition->terms.argv_mode = (enum rule_argv_mode)mode;
	return r;
}

static int sandbox_choose(struct addition *addition, struct err *err)
{
	addition->terms.sandbox = &addition->sandbox;
	return enclosure_read(&addition->request->sandbox, &addition->sandbox, err);
}

static int directory_choose(struct addition *addition, struct err *err)
{
	const struct engine_policy_add *request = addition->request;
	char brief[200];
	struct stat st;
	bool is_any = request->directory ? strcmp(request->directory, "any") == 0 : !request->argv;
	if (is_any)
		return 0;
	const char *path = request->directory ? request->directory : ".";
	text_brief(span_text(path), brief, sizeof(brief));
	addition->directory = realpath(path, NULL);
	if (!addition->directory)
		return err_set_errno(err, ERR_INPUT, errno, "the folder %s cannot be used", brief);
	if (stat(addition->directory, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, ERR_INPUT, "%s is not a folder", brief);
	addition->terms.directory = addition->directory;
	return 0;
}

// Only dates have a '-' in them, and no span has.
static int end_choose(struct addition *addition, struct err *err)
{
	const struct engine_policy_add *request = addition->request;
	int64_t until = 0;
	int r = 0;
	if (request->span) {
		r = clock_parse(request->span, addition->clock.now, &until, err);
		if (r < 0 || strchr(request->span, '-'))
			return err_set(err, ERR_USAGE, "--for wants how long it holds, such as 30m, 8h or 7d");
		addition->terms.seconds = until - addition->clock.now;
	}
	if (request->uses)
		r = text_parse_u64(request->uses, "--uses", 1, RULE_USES_MAX, &addition->terms.uses, err);
	addition->terms.this_boot = request->boot;
	return r;
}

// A prefix too: what may be added to `find .` or `git -C x` is enough.
static int argv_check(const struct addition *addition, struct err *err)
{
	const struct program *program = addition->plan.program;
	char brief[80];
	bool is_open = !addition->request->deny && addition->terms.argv_mode != RULE_ARGV_EXACT &&
		       program_is_open_ended(program->path);
	if (!is_open)
		return 0;
	text_brief(span_text(path_base(program->path)), brief, sizeof(brief));
	return err_set(err, ERR_USAGE, "%s runs or sends whatever its arguments say, so to allow others than these is to "
				       "allow everything; leave --argv out to allow exactly these, or put the work into a "
				       "script and allow that", brief);
}

static int session_choose(struct addition *addition, struct err *err)
{
	if (!addition->request->session)
		return 0;
	addition->terms.session = addition->plan.session;
	if (addition->terms.session.pid != 0)
		return 0;
	return err_set(err, ERR_USAGE, "there is no session here that a rule could end with; take --for or --boot");
}

// --------------------------------------------------------------------------------------------------------------- plan

// Of the plain secrets alone, which go where a run puts them; with none, and for a deny, of the program.
static int plan_make_subject(struct addition *addition, struct err *err)
{
	const struct engine_policy_add *request = addition->request;
	const char *plain[RULE_SECRETS_MAX];
	struct engine_run run = {.action = ENGINE_RUN, .secrets = plain, .keep = request->keep,
				 .keep_count = request->keep_count, .argv = request->argv,
				 .environment = request->environment, .inherited = request->inherited};
	for (size_t i = 0; !request->deny && i < addition->specs.count; i++)
		if (addition->specs.items[i].is_plain)
			plain[run.secret_count++] = addition->specs.items[i].text;
	if (!request->argv)
		return 0;
	return run.secret_count > 0 ? plan_build(addition->engine, &run, &addition->plan, err)
				    : plan_build_subject(addition->engine, &run, &addition->plan, err);
}

static int secrets_check(struct addition *addition, struct err *err)
{
	_cleanup_vault_ struct vault *vault = NULL;
	int r = vault_open(addition->engine->home.data_dir, &vault, err);
	return r < 0 ? r : policy_specs_check(&addition->specs, vault, err);
}

static int terms_make(struct addition *addition, struct err *err)
{
	static int (*const steps[])(struct addition *, struct err *) = {
		argv_choose, sandbox_choose, end_choose, secrets_check, plan_make_subject, directory_choose,
		session_choose,
	};
	const struct engine_policy_add *request = addition->request;
	addition->clock = rule_clock_now();
	int r = policy_specs_parse(request->secrets, request->secret_count, request->deny, &addition->specs, err);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(steps); i++)
		r = steps[i](addition, err);
	if (r < 0)
		return r;
	policy_specs_secrets(&addition->specs, &addition->plan, addition->secrets);
	addition->terms.effect = request->deny ? RULE_DENY : RULE_ALLOW;
	addition->terms.id = request->id;
	addition->terms.secrets = addition->secrets;
	addition->terms.secret_count = addition->specs.count;
	addition->terms.any_program = !request->argv;
	addition->terms.redaction = request->redaction;
	return request->argv ? argv_check(addition, err) : 0;
}

// -------------------------------------------------------------------------------------------------------------- asking

// Before anybody is asked. An id that is still to be chosen is none that a check takes.
static int made_check(struct addition *addition, struct err *err)
{
	int r = 0;
	// The second and third rule have it with a number behind.
	size_t id_bytes_max = addition->made_count > 1 ? RULE_ID_BYTES_MAX - 2 : RULE_ID_BYTES_MAX;
	if (addition->request->id && strlen(addition->request->id) > id_bytes_max)
		return err_set(err, ERR_USAGE, "--id is too long (%zu bytes at most)", id_bytes_max);
	for (size_t i = 0; r == 0 && i < addition->made_count; i++) {
		struct rule copy = addition->made[i];
		if (!copy.id[0])
			memcpy(copy.id, "new", 4);
		r = rule_check_new(&copy, addition->clock.now, err);
	}
	return r;
}

static int made_show(const struct addition *addition, struct err *err)
{
	_cleanup_terminal_ struct terminal *terminal = NULL;
	_cleanup_buf_ struct buf text = BUF_INIT(4 * RULES_MADE_MAX * RULE_BYTES_MAX);
	if (!unlock_is_terminal(&addition->request->unlock))
		return 0;
	int r = terminal_open("the passphrase", &terminal, err);
	if (r == 0)
		r = buf_printf(&text, err, "envseal: from now on these secrets are %s without a question\n",
			       addition->request->deny ? "refused" : "given");
	for (size_t i = 0; r == 0 && i < addition->made_count; i++)
		r = rule_words(&addition->made[i], &text, err);
	if (r == 0 && text.len > RULE_WORDS_BYTES_MAX)
		return err_set(err, ERR_DENIED, "this rule is %zu bytes long, more than can be read and approved at a "
						"prompt; put the command into a script file and allow that", text.len);
	return r < 0 ? r : terminal_print(terminal, buf_span(&text), err);
}

// ------------------------------------------------------------------------------------------------------------- adding

static int same_check(const struct rule_set *set, const struct rule *rule, struct err *err)
{
	for (size_t i = 0; i < set->count; i++)
		if (rule_says_the_same(&set->rules[i], rule))
			return err_set(err, ERR_EXISTS, "rule %s says the same already", set->rules[i].id);
	return 0;
}

static int made_add(struct addition *addition, size_t i, struct rule_set *set, struct err *err)
{
	struct rule *rule = &addition->made[i];
	int r = same_check(set, rule, err);
	if (r < 0)
		return r;
	rules_choose_id(set, rule);
	memcpy(addition->ids[i], rule->id, sizeof(addition->ids[i]));
	return rules_add(set, rule, &addition->clock, err);
}

// Of denies that are for all that a pattern of the new rule stands for: a pattern fits another as if it were a name.
static void pattern_ask(const struct rule_secret *secret, struct policy_secret *out, const char **ret_tag)
{
	size_t prefix = strlen(RULE_TAG_PREFIX);
	bool is_tag = strncmp(secret->pattern, RULE_TAG_PREFIX, prefix) == 0;
	*ret_tag = is_tag ? secret->pattern + prefix : NULL;
	*out = (struct policy_secret){.name = is_tag ? "" : secret->pattern, .tags = ret_tag, .tag_count = is_tag,
				      .delivery = secret->delivery, .variable = secret->variable};
}

static int overruled_tell(const struct addition *addition, const struct rule_set *set, struct vault *vault,
			  struct err *err)
{
	_cleanup_plan_question_ struct plan_question question = {0};
	struct policy_verdict verdicts[ENGINE_SECRETS_MAX];
	const char *tags[RULE_SECRETS_MAX];
	struct policy_decision decision = {.verdicts = verdicts};
	if (addition->request->deny)
		return 0;
	int r = plan_question_make(&addition->plan, vault, &addition->clock, &question, err);
	if (r < 0)
		return r;
	size_t count = question.request.secret_count;
	for (size_t i = 0; i < addition->specs.count; i++)
		if (!addition->specs.items[i].is_plain) {
			pattern_ask(&addition->secrets[i], &question.secrets[count], &tags[i]);
			count++;
		}
	question.request.secret_count = count;
	policy_decide(set->rules, set->count, &question.request, &decision);
	if (decision.effect != RULE_DENY)
		return 0;
	const char *id = verdicts[decision.decisive].rule->id, *name = question.secrets[decision.decisive].name;
	engine_notice(addition->engine, "rule %s still denies %s; a rule that denies overrules all others, and `envseal "
					"policy rm %s` takes it away", id, name[0] ? name : "this", id);
	return 0;
}

static int made_commit(struct addition *addition, struct session *session, struct rule_set *set, engine_rule_fn *each,
		       void *context, struct err *err)
{
	const struct rule *about[RULES_MADE_MAX];
	int r = 0;
	for (size_t i = 0; r == 0 && i < addition->made_count; i++)
		r = made_add(addition, i, set, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < addition->made_count; i++)
		about[i] = rule_with_id(set, addition->ids[i]);
	r = policy_commit(session, set, addition->request->deny ? "policy.deny" : "policy.allow",
			  rules_record_json(about, addition->made_count), err);
	for (size_t i = 0; r == 0 && i < addition->made_count; i++) {
		const struct rule *rule = rule_with_id(set, addition->ids[i]);
		r = rule ? rule_show(rule, "ok", each, context, err) : 0;
	}
	return r < 0 ? r : overruled_tell(addition, set, session->vault, err);
}

int engine_policy_add(struct engine *engine, const struct engine_policy_add *request, engine_rule_fn *each,
		      void *context, struct err *err)
{
	_cleanup_(addition_done) struct addition addition = {.engine = engine, .request = request};
	_cleanup_session_ struct session session = {0};
	_cleanup_rules_ struct rule_set set = {0};
	int r = terms_make(&addition, err);
	if (r == 0)
		r = rules_make(&addition.plan, &addition.terms, &addition.clock, addition.made, &addition.made_count,
			       err);
	if (r == 0)
		r = made_check(&addition, err);
	if (r == 0)
		r = made_show(&addition, err);
	if (r == 0)
		r = policy_begin(engine, &request->unlock, "Passphrase to add this rule: ", &session, &set, err);
	return r < 0 ? r : made_commit(&addition, &session, &set, each, context, err);
}
