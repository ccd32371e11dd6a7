// The key that is kept: held and let go, opened for each use, and what a worker does with it for whoever asks.
#include "rule_scene.h"
#include "vault_fixture.h"

#include "engine/desk.h"
#include "engine/rules.h"

#include <signal.h>

#define PASSPHRASE "quiet otter maps lemon stairs"

static char notices[4096];

static void notice_keep(const char *sentence)
{
	size_t used = strlen(notices);
	snprintf(notices + used, sizeof(notices) - used, "%s\n", sentence);
}

static struct engine_unlock unlock_with(const char *passphrase)
{
	static char path[400];
	struct engine_unlock unlock = ENGINE_UNLOCK_TERMINAL;
	snprintf(path, sizeof(path), "%s/passphrase", dir);
	file_store(path, span_text(passphrase));
	unlock.passphrase_file = path;
	return unlock;
}

// What would fail if anybody tried to read it.
static struct engine_unlock unlock_none(void)
{
	struct engine_unlock unlock = ENGINE_UNLOCK_TERMINAL;
	unlock.passphrase_file = "/nonexistent/passphrase";
	return unlock;
}

static void value_store(struct engine *engine, const char *name, const char *value, bool locked, uint8_t *out_digest)
{
	char path[400];
	struct vault_entry entry;
	snprintf(path, sizeof(path), "%s/value", dir);
	file_store(path, span_text(value));
	struct engine_set request = {.unlock = unlock_with(PASSPHRASE), .name = name, .source = ENGINE_FROM_FILE, .file = path,
				     .meta = VAULT_META_UNCHANGED, .replace = true, .locked = locked, .out_digest = out_digest,
				     .allow_weak = true};
	if (engine_set(engine, &request, &entry, &err) < 0)
		fail_msg("set: %s", err.text);
}

static struct engine *engine_make(void)
{
	struct engine *engine = NULL;
	struct passphrase_score score;
	notices[0] = 0;
	assert_int_equal(setenv("ENVSEAL_HOME", vault_dir, 1), 0);
	assert_int_equal(engine_new(notice_keep, &engine, &err), 0);
	struct engine_init request = {.unlock = unlock_with(PASSPHRASE), .pwhash = "interactive"};
	assert_int_equal(engine_init(engine, &request, &score, &err), 0);
	value_store(engine, "TOKEN", "a value of some length", false, NULL);
	return engine;
}

static void hold(struct engine *engine)
{
	struct engine_hold request = {.unlock = unlock_with(PASSPHRASE), .for_seconds = 28800, .idle_seconds = 1800};
	if (engine_hold(engine, &request, &err) < 0)
		fail_msg("hold: %s", err.text);
}

static int take_last(void *context, json_t *record)
{
	json_t **last = context;
	json_decref(*last);
	*last = json_incref(record);
	return 0;
}

// NULL: there is none of that kind.
static json_t *record_last(struct engine *engine, const char *kind)
{
	json_t *last = NULL;
	struct audit_filter filter = {.kind = kind};
	assert_int_equal(engine_audit_query(engine, &filter, take_last, &last, &err), 0);
	return last;
}

static void assert_record(struct engine *engine, const char *kind, const char *member, const char *text)
{
	json_auto_t *record = record_last(engine, kind);
	if (!record || !json_string_value(json_object_get(record, member)))
		fail_msg("no %s with %s", kind, member);
	assert_string_equal(json_string_value(json_object_get(record, member)), text);
}

static uint32_t failures_counted(struct engine *engine)
{
	_cleanup_session_ struct session session = {0};
	struct vault_failures failures;
	assert_int_equal(session_open(engine, &session, &err), 0);
	assert_int_equal(vault_failures_get(session.vault, &failures, &err), 0);
	return failures.count;
}

static int open_with(struct engine *engine, struct engine_unlock unlock)
{
	_cleanup_session_ struct session session = {0};
	return session_open_unlocked(engine, &unlock, &session, &err);
}

// ------------------------------------------------------------------------------------------------------ holding, letting go

static void the_key_is_held_and_let_go(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	assert_false(engine_is_holding(engine));
	hold(engine);
	assert_true(engine_is_holding(engine));
	json_auto_t *record = record_last(engine, "broker.unlock");
	assert_int_equal(json_integer_value(json_object_get(record, "for")), 28800);
	assert_int_equal(json_integer_value(json_object_get(record, "idle")), 1800);
	struct engine_hold again = {.unlock = unlock_with(PASSPHRASE)};
	assert_int_equal(engine_hold(engine, &again, &err), ERR_EXISTS);
	for (int i = 0; i < 3; i++)
		assert_int_equal(open_with(engine, unlock_none()), 0);
	assert_int_equal(engine_release(engine, "idle", &err), 0);
	assert_false(engine_is_holding(engine));
	assert_record(engine, "broker.lock", "reason", "idle");
	assert_int_equal(open_with(engine, unlock_none()), ERR_USAGE);
	assert_int_equal(engine_release(engine, "idle", &err), ERR_LOCKED);
}

static void a_wrong_passphrase_is_counted(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	struct engine_hold request = {.unlock = unlock_with("quiet otter maps lemon stair")};
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(engine_hold(engine, &request, &err), ERR_PASSPHRASE);
		assert_int_equal(failures_counted(engine), i);
	}
	assert_int_equal(engine_hold(engine, &request, &err), ERR_DENIED);
	assert_false(engine_is_holding(engine));
	assert_null(record_last(engine, "broker.unlock"));
}

// What the key opens tells nobody, and lets nobody try on: the next passphrase tells.
static void wrong_passphrases_wait_for_a_human(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make(), *other = NULL;
	size_t count = 1;
	assert_int_equal(engine_new(notice_keep, &other, &err), 0);
	hold(engine);
	for (uint32_t i = 1; i <= 2; i++) {
		assert_int_equal(open_with(other, unlock_with("wrong")), ERR_PASSPHRASE);
		assert_int_equal(engine_sessions_tidy(engine, &count, &err), 0);
		assert_int_equal(failures_counted(engine), i);
		json_auto_t *record = record_last(engine, "unlock.carried");
		assert_int_equal(json_integer_value(json_object_get(record, "recorded")), i);
	}
	assert_string_equal(notices, "");
	assert_null(record_last(engine, "unlock.told"));
	assert_int_equal(open_with(other, unlock_with(PASSPHRASE)), 0);
	assert_non_null(strstr(notices, "2 wrong passphrases since"));
	assert_int_equal(failures_counted(engine), 0);
	notices[0] = 0;
	assert_int_equal(open_with(other, unlock_with(PASSPHRASE)), 0);
	assert_string_equal(notices, "");
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

// The key goes where nothing can be recorded, too.
static void letting_go_wipes_whatever_comes(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	hold(engine);
	sql_run("DELETE FROM row WHERE kind = 6");
	assert_true(engine_release(engine, "expired", &err) < 0);
	assert_false(engine_is_holding(engine));
}

static int daemon_do(void *context)
{
	struct engine *engine = context;
	engine_hold_here(engine);
	return open_with(engine, unlock_none()) == 0 && engine_release(engine, "terminated", &err) == 0 ? 0 : 1;
}

static void a_forked_process_takes_it_over(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	hold(engine);
	assert_int_equal(child_run(daemon_do, engine), 0);
	assert_record(engine, "broker.lock", "reason", "terminated");
}

// --------------------------------------------------------------------------------------------------------------- workers

struct told {
	struct engine *engine;
	enum approval_choice choice; // of a human who agrees
	int permitted;
	int granted;
	int asked;
	int judged_valid;
};

static void told_permitted(void *context)
{
	((struct told *)context)->permitted++;
}

static void told_granted(void *context, const struct rule_session *session)
{
	(void)session;
	((struct told *)context)->granted++;
}

static bool nobody_watches(void *context)
{
	(void)context;
	return false;
}

static int nobody_answers(void *context, const struct desk_question *question, int seconds, struct desk_answer *out,
			  struct err *why)
{
	(void)question;
	(void)seconds;
	(void)out;
	((struct told *)context)->asked++;
	return err_set(why, ERR_NO, "nobody answered");
}

// What the console does once it has the vault open.
static int somebody_agrees(void *context, const struct desk_question *question, int seconds, struct desk_answer *out,
			   struct err *why)
{
	struct told *told = context;
	uint8_t message[DESK_MESSAGE_BYTES];
	struct desk_answer answer = {.verdict = DESK_APPROVED, .choice = (uint8_t)told->choice};
	_cleanup_session_ struct session session = {0};
	(void)seconds;
	told->asked++;
	desk_message(question, &answer, message);
	int r = session_open_by_key(told->engine, &session, why);
	if (r == 0)
		r = vault_voucher(session.vault, span_of(message, sizeof(message)), answer.voucher, why);
	*out = answer;
	return r;
}

static void judged(void *context, bool is_valid)
{
	((struct told *)context)->judged_valid += is_valid;
}

static bool somebody_watches(void *context)
{
	(void)context;
	return true;
}

static char *environment_of_client[] = {(char *)"PATH=/usr/bin:/bin", (char *)"HOME=/nonexistent", NULL};

// A worker of `engine` for the process that started it, which is the test.
struct worker {
	struct engine *engine;
	struct engine_desk desk;
	struct engine_client client;
	struct told told;
	struct exec_inherited inherited;
};

static void worker_serve(struct worker *worker, struct engine *engine)
{
	*worker = (struct worker){.engine = engine, .told = {.engine = engine}};
	worker->desk = (struct engine_desk){.is_watched = nobody_watches, .ask = nobody_answers, .judge = judged,
					    .context = &worker->told};
	worker->client = (struct engine_client){.pid = getppid(), .environment = environment_of_client, .desk = &worker->desk,
						.permitted = told_permitted, .granted = told_granted, .context = &worker->told};
	sigemptyset(&worker->inherited.mask);
	sigemptyset(&worker->inherited.ignored);
	engine_serve(engine, &worker->client);
}

static void worker_watched(struct worker *worker, struct engine *engine, enum approval_choice choice)
{
	worker_serve(worker, engine);
	worker->told.choice = choice;
	worker->desk.is_watched = somebody_watches;
	worker->desk.ask = somebody_agrees;
}

static const char *const token[] = {"TOKEN"};
static char *argv_true[] = {(char *)"/bin/true", NULL};

static int run(struct worker *worker, enum engine_action action, bool no_wait, int *out_status)
{
	_cleanup_plan_ struct plan plan = {0};
	struct exec_outcome outcome = {.status = -1};
	struct engine_run request = {.action = action, .unlock = unlock_none(), .secrets = token, .secret_count = 1,
				     .no_wait = no_wait, .argv = argv_true, .environment = environment_of_client,
				     .inherited = &worker->inherited};
	int r = plan_build(worker->engine, &request, &plan, &err);
	if (r == 0)
		r = engine_run(worker->engine, &plan, &request.unlock, &outcome, &err);
	*out_status = outcome.status;
	if (r == 0)
		exec_outcome_done(&outcome);
	return r;
}

static void rule_ignore(void *context, const struct engine_rule *rule)
{
	(void)context;
	(void)rule;
}

static void allow_true(struct engine *engine)
{
	struct exec_inherited inherited = {0};
	struct engine_policy_add request = {.unlock = unlock_with(PASSPHRASE), .secrets = token, .secret_count = 1,
					    .argv = argv_true, .environment = environment_of_client, .inherited = &inherited};
	if (engine_policy_add(engine, &request, rule_ignore, NULL, &err) < 0)
		fail_msg("allow: %s", err.text);
}

static int said(int code, const char *words, int line)
{
	fprintf(stderr, "%d: %d: %s, without %s\n", line, code, err.text, words);
	return 1;
}
#define EXPECT(call, code, words)                                                                                      \
	do {                                                                                                           \
		int got_ = (call);                                                                                     \
		if (got_ != (code) || (got_ < 0 && !strstr(err.text, (words))))                                        \
			return said(got_, words, __LINE__);                                                            \
	} while (0)

static int run_by_rule(void *context)
{
	struct worker worker;
	int status = -1;
	worker_serve(&worker, context);
	EXPECT(run(&worker, ENGINE_RUN, false, &status), 0, "");
	return status == 0 && worker.told.permitted == 1 && worker.told.granted == 0 && worker.told.asked == 0 ? 0 : 2;
}

static void a_worker_runs_what_a_rule_allows(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	allow_true(engine);
	hold(engine);
	assert_int_equal(child_run(run_by_rule, engine), 0);
	json_auto_t *intent = record_last(engine, "run.intent");
	const json_t *decision = json_object_get(intent, "decision");
	assert_string_equal(json_string_value(json_object_get(decision, "by")), "rule");
	// Who asks is who started the client.
	assert_int_equal(json_integer_value(json_object_get(json_object_get(intent, "asker"), "pid")), getppid());
	json_auto_t *outcome = record_last(engine, "run.outcome");
	assert_true(json_is_false(json_object_get(outcome, "caller_gone")));
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

static int run_without_rule(void *context)
{
	struct worker worker;
	int status = -1;
	worker_serve(&worker, context);
	EXPECT(run(&worker, ENGINE_RUN, true, &status), ERR_DENIED, "--no-wait asks nobody");
	return worker.told.permitted == 0 && worker.told.asked == 0 ? 0 : 2;
}

static void assert_denied_by_rules(struct engine *engine, const char *kind)
{
	json_auto_t *record = record_last(engine, kind);
	assert_non_null(record);
	assert_string_equal(json_string_value(json_object_get(json_object_get(record, "decision"), "effect")), "ask");
	assert_null(json_object_get(record, "by_human"));
	assert_null(record_last(engine, "run.intent"));
}

static void without_a_rule_and_a_wait_it_is_denied(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	hold(engine);
	assert_int_equal(child_run(run_without_rule, engine), 0);
	assert_denied_by_rules(engine, "run.denied");
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

static void in_direct_mode_too(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	_cleanup_plan_ struct plan plan = {0};
	struct exec_inherited inherited = {0};
	struct exec_outcome outcome;
	struct engine_run request = {.action = ENGINE_RUN, .unlock = unlock_with(PASSPHRASE), .secrets = token,
				     .secret_count = 1, .no_wait = true, .argv = argv_true,
				     .environment = environment_of_client, .inherited = &inherited};
	assert_int_equal(plan_build(engine, &request, &plan, &err), 0);
	assert_int_equal(engine_run(engine, &plan, &request.unlock, &outcome, &err), ERR_DENIED);
	assert_non_null(strstr(err.text, "envseal policy allow"));
	assert_denied_by_rules(engine, "run.denied");
}

// The keeper itself has nobody to ask.
static void where_nobody_can_be_asked_it_is_recorded(void **state)
{
	(void)state;
	struct worker worker = {0};
	int status = -1;
	_cleanup_engine_ struct engine *engine = worker.engine = engine_make();
	hold(engine);
	assert_int_equal(run(&worker, ENGINE_RUN, false, &status), ERR_DENIED);
	assert_non_null(strstr(err.text, "nobody here to ask"));
	json_auto_t *record = record_last(engine, "run.denied");
	assert_non_null(record);
	assert_null(record_last(engine, "run.intent"));
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

static int run_for_a_session(void *context)
{
	struct worker worker;
	int status = -1;
	worker_watched(&worker, context, APPROVAL_SESSION);
	EXPECT(run(&worker, ENGINE_RUN, false, &status), 0, "");
	EXPECT(run(&worker, ENGINE_RUN, false, &status), 0, "");
	const struct told *told = &worker.told;
	return told->permitted == 2 && told->granted == 1 && told->asked == 1 && told->judged_valid == 1 ? 0 : 2;
}

// The session is the client's, which does not lead it.
static int client_of_a_session(void *context)
{
	setsid();
	pid_t pid = fork();
	if (pid == 0)
		_exit(child_run(run_for_a_session, context));
	int status = -1;
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void what_is_granted_for_a_session_is_told(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	size_t count = 0;
	hold(engine);
	assert_int_equal(child_run(client_of_a_session, engine), 0);
	json_auto_t *intent = record_last(engine, "run.intent");
	assert_string_equal(json_string_value(json_object_get(json_object_get(intent, "decision"), "by")), "rule");
	// Its leader has ended.
	assert_int_equal(engine_sessions_tidy(engine, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

static int run_with_a_first_value(void *context)
{
	struct worker worker;
	int status = -1;
	worker_serve(&worker, context);
	EXPECT(run(&worker, ENGINE_RUN, true, &status), ERR_DENIED, "--no-wait");
	EXPECT(run(&worker, ENGINE_RUN, false, &status), ERR_DENIED, "nobody approved");
	worker_watched(&worker, context, APPROVAL_ONCE);
	EXPECT(run(&worker, ENGINE_RUN, false, &status), 0, "");
	return status == 0 && worker.told.asked == 1 && worker.told.permitted == 1 ? 0 : 2;
}

// A value that nobody confirmed is asked about, whatever the rules say.
static void a_first_value_is_taken_at_the_desk(void **state)
{
	(void)state;
	struct engine_unlock unlock = unlock_with(PASSPHRASE);
	_cleanup_engine_ struct engine *engine = engine_make();
	allow_true(engine);
	assert_int_equal(engine_remove(engine, &unlock, token, 1, true, &err), 0);
	value_store(engine, "TOKEN", "left while locked", true, NULL);
	hold(engine);
	assert_int_equal(child_run(run_with_a_first_value, engine), 0);
	json_auto_t *record = record_last(engine, "secret.confirm");
	assert_non_null(record);
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

static int inject_try(void *context)
{
	struct worker worker;
	int status = -1;
	worker_serve(&worker, context);
	EXPECT(run(&worker, ENGINE_INJECT, false, &status), ERR_DENIED, "envseal inject --direct");
	return worker.told.permitted == 0 && worker.told.asked == 0 ? 0 : 2;
}

static void inject_is_refused(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	allow_true(engine);
	hold(engine);
	assert_int_equal(child_run(inject_try, engine), 0);
	json_auto_t *record = record_last(engine, "inject.denied");
	assert_non_null(record);
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

// What would change the vault, or tell of values, is not for whoever asks.
static int others_try(void *context)
{
	struct worker worker;
	worker_serve(&worker, context);
	struct engine *engine = context;
	struct engine_unlock unlock = unlock_none();
	struct coverage_row rows[REDACT_FORM_COUNT];
	struct engine_policy_remove remove = {.unlock = unlock};
	struct engine_confirm confirm = {.unlock = unlock, .names = token, .count = 1};
	struct engine_health health = {.unlock = unlock};
	struct engine_security_set level = {.unlock = unlock, .level = "standard"};
	struct engine_security security;
	uint32_t version;
	EXPECT(engine_rename(engine, &unlock, "TOKEN", "X", &err), ERR_DENIED, "--direct");
	EXPECT(engine_remove(engine, &unlock, token, 1, true, &err), ERR_DENIED, "--direct");
	EXPECT(engine_rollback(engine, &unlock, "TOKEN", 0, &version, &err), ERR_DENIED, "--direct");
	EXPECT(engine_coverage(engine, &unlock, "TOKEN", rows, &err), ERR_DENIED, "--direct");
	EXPECT(engine_health(engine, &health, NULL, NULL, &err), ERR_DENIED, "--direct");
	EXPECT(engine_policy_remove(engine, &remove, rule_ignore, NULL, &err), ERR_DENIED, "--direct");
	EXPECT(engine_security_set(engine, &level, &security, &err), ERR_DENIED, "--direct");
	EXPECT(engine_audit_accept(engine, &unlock, true, &err), ERR_DENIED, "--direct");
	EXPECT(engine_confirm(engine, &confirm, NULL, NULL, &err), ERR_NOT_FOUND, "waits");
	EXPECT(engine_security_show(engine, &unlock, &security, &err), 0, "");
	EXPECT(engine_policy_list(engine, &unlock, false, rule_ignore, NULL, &err), 0, "");
	return 0;
}

static void a_worker_does_no_more(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	hold(engine);
	assert_int_equal(child_run(others_try, engine), 0);
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

// ---------------------------------------------------------------------------------------------------------------- deposits

struct left {
	struct engine *engine;
	const char *name;
	uint8_t digest[DIGEST_BYTES];
	int expected;
};

static int deposit_take(void *context)
{
	const struct left *left = context;
	struct worker worker;
	struct vault_entry entry = {0};
	worker_serve(&worker, left->engine);
	EXPECT(engine_take_deposit(left->engine, left->name, left->digest, &entry, &err), left->expected, left->name);
	return left->expected < 0 || (entry.version == 1 && !entry.is_pending) ? 0 : 2;
}

static struct vault_entry entry_of(struct engine *engine, const char *name)
{
	struct vault_entry entry = {0};
	assert_int_equal(engine_show(engine, name, &entry, &err), 0);
	return entry;
}

static void a_new_value_is_taken(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	struct left left = {.engine = engine, .name = "NEW", .expected = ERR_NOT_FOUND};
	hold(engine);
	assert_int_equal(child_run(deposit_take, &left), 0);
	value_store(engine, "NEW", "something else", true, left.digest);
	left.digest[3] ^= 1;
	assert_int_equal(child_run(deposit_take, &left), 0);
	assert_true(entry_of(engine, "NEW").is_pending);
	left.digest[3] ^= 1;
	left.expected = 0;
	assert_int_equal(child_run(deposit_take, &left), 0);
	assert_record(engine, "secret.confirm", "by", "broker");
	left.expected = ERR_NOT_FOUND;
	assert_int_equal(child_run(deposit_take, &left), 0);
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

// Where it would replace one, nobody having agreed, it is thrown away.
static void a_replacement_wants_a_human(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	struct left left = {.engine = engine, .name = "TOKEN", .expected = ERR_DENIED};
	hold(engine);
	value_store(engine, "TOKEN", "something else", true, left.digest);
	struct vault_entry entry = {0};
	struct worker worker;
	worker_serve(&worker, engine);
	assert_int_equal(engine_take_deposit(engine, "TOKEN", left.digest, &entry, &err), ERR_DENIED);
	engine_serve(engine, NULL);
	assert_record(engine, "secret.discard", "by", "broker");
	assert_null(record_last(engine, "secret.confirm"));
	assert_false(entry_of(engine, "TOKEN").is_pending);
	assert_int_equal(entry_of(engine, "TOKEN").version, 1);
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

static int deposit_replace(void *context)
{
	const struct left *left = context;
	struct worker worker;
	struct vault_entry entry = {0};
	worker_watched(&worker, left->engine, APPROVAL_ONCE);
	EXPECT(engine_take_deposit(left->engine, left->name, left->digest, &entry, &err), 0, "");
	return entry.version == 2 && worker.told.asked == 1 && worker.told.judged_valid == 1 ? 0 : 2;
}

static void a_replacement_that_is_agreed_to_is_taken(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	struct left left = {.engine = engine, .name = "TOKEN"};
	hold(engine);
	value_store(engine, "TOKEN", "something else", true, left.digest);
	assert_int_equal(child_run(deposit_replace, &left), 0);
	assert_record(engine, "secret.confirm", "by", "desk");
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

// -------------------------------------------------------------------------------------------------------------- redaction

static int redact_unasked(void *context)
{
	struct worker worker;
	struct redact_outcome outcome;
	struct engine_redact request = {.unlock = unlock_none(), .secrets = token, .secret_count = 1, .events_fd = -1,
					.inherited = &worker.inherited};
	worker_serve(&worker, context);
	EXPECT(engine_redact(context, &request, &outcome, &err), ERR_DENIED, "nobody approved");
	return worker.told.asked == 1 ? 0 : 2;
}

static void a_filter_is_asked_for(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	hold(engine);
	assert_int_equal(child_run(redact_unasked, engine), 0);
	assert_null(record_last(engine, "redact.intent"));
	assert_int_equal(engine_release(engine, "asked", &err), 0);
}

// ---------------------------------------------------------------------------------------------------------------- sessions

static void rules_put(struct engine *engine, struct rule_set *set)
{
	_cleanup_session_ struct session session = {0};
	struct engine_unlock unlock = unlock_with(PASSPHRASE);
	assert_int_equal(session_open_unlocked(engine, &unlock, &session, &err), 0);
	assert_int_equal(session_begin(&session, &err), 0);
	assert_int_equal(session_rules_store(&session, set, &err), 0);
	assert_int_equal(session_commit(&session, "policy.import", json_object(), &err), 0);
}

static void rules_of_ended_sessions_go(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	_cleanup_rules_ struct rule_set set = RULES(RULE("a", "allow", "'*'", SYSTEM("/usr/bin/tool"), ANY_ARGV, TO_ANY ""),
						    RULE("b", "allow", "'*'", SYSTEM("/usr/bin/tool"), ANY_ARGV, TO_ANY ""),
						    RULE("c", "allow", "'*'", SYSTEM("/usr/bin/tool"), ANY_ARGV, TO_ANY ""));
	struct rule_clock clock = rule_clock_now();
	struct process own, other;
	size_t count = 9;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char byte;
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
	}
	assert_true(process_read("/proc", pid, &other) && process_read("/proc", getpid(), &own));
	set.rules[1].session = (struct rule_session){.pid = pid, .start = other.start};
	set.rules[2].session = (struct rule_session){.pid = getpid(), .start = own.start};
	memcpy(set.rules[1].boot, clock.boot, sizeof(clock.boot));
	memcpy(set.rules[2].boot, clock.boot, sizeof(clock.boot));
	rules_put(engine, &set);
	hold(engine);
	assert_int_equal(engine_sessions_tidy(engine, &count, &err), 0);
	assert_int_equal(count, 0);
	assert_null(record_last(engine, "grant.ended"));
	close(ends[1]);
	close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(engine_sessions_tidy(engine, &count, &err), 0);
	assert_int_equal(count, 1);
	json_auto_t *record = record_last(engine, "grant.ended");
	assert_string_equal(json_string_value(json_array_get(json_object_get(record, "rules"), 0)), "b");
	assert_int_equal(json_array_size(json_object_get(record, "rules")), 1);
	assert_int_equal(engine_release(engine, "asked", &err), 0);
	assert_int_equal(engine_sessions_tidy(engine, &count, &err), ERR_LOCKED);
}

// --------------------------------------------------------------------------------------------------------------- who asks

static void who_asks_is_the_clients_parent(void **state)
{
	(void)state;
	_cleanup_engine_ struct engine *engine = engine_make();
	struct engine_client client = {.pid = getpid(), .environment = environment_of_client};
	assert_int_equal(engine_caller(engine), getpid());
	assert_int_equal(engine_asker(engine), getppid());
	assert_int_equal(setenv("HOME", "/somewhere", 1), 0);
	assert_string_equal(engine_variable(engine, "HOME"), "/somewhere");
	client.pid = getppid();
	struct process parent;
	assert_true(process_read("/proc", getppid(), &parent));
	engine_serve(engine, &client);
	assert_int_equal(engine_caller(engine), getppid());
	assert_int_equal(engine_asker(engine), parent.parent);
	assert_string_equal(engine_variable(engine, "HOME"), "/nonexistent");
	assert_null(engine_variable(engine, "HOM"));
	engine_serve(engine, NULL);
}

#define VAULT_TEST(f) cmocka_unit_test_setup_teardown(f, dir_setup, dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(the_key_is_held_and_let_go),
		VAULT_TEST(a_wrong_passphrase_is_counted),
		VAULT_TEST(wrong_passphrases_wait_for_a_human),
		VAULT_TEST(letting_go_wipes_whatever_comes),
		VAULT_TEST(a_forked_process_takes_it_over),
		VAULT_TEST(a_worker_runs_what_a_rule_allows),
		VAULT_TEST(without_a_rule_and_a_wait_it_is_denied),
		VAULT_TEST(in_direct_mode_too),
		VAULT_TEST(where_nobody_can_be_asked_it_is_recorded),
		VAULT_TEST(what_is_granted_for_a_session_is_told),
		VAULT_TEST(a_first_value_is_taken_at_the_desk),
		VAULT_TEST(inject_is_refused),
		VAULT_TEST(a_worker_does_no_more),
		VAULT_TEST(a_new_value_is_taken),
		VAULT_TEST(a_replacement_wants_a_human),
		VAULT_TEST(a_replacement_that_is_agreed_to_is_taken),
		VAULT_TEST(a_filter_is_asked_for),
		VAULT_TEST(rules_of_ended_sessions_go),
		VAULT_TEST(who_asks_is_the_clients_parent),
	};
	// Nobody is to see a window of a test.
	unsetenv("DISPLAY");
	unsetenv("WAYLAND_DISPLAY");
	if (cipher_start(&err) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
