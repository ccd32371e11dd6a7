// A question at the desk: what of the answers that come by way of others counts, and what a human's console makes of it.
#include "vault_fixture.h"

#include <pty.h>

#include "engine/cool_down.h"
#include "engine/desk.h"
#include "engine/question.h"

#define PASSPHRASE "quiet otter maps lemon stairs"
#define ASKS_MAX 16

static char notices[4096];

static void notice_keep(const char *sentence)
{
	size_t len = strlen(notices);
	snprintf(notices + len, sizeof(notices) - len, "%s\n", sentence);
}

static void file_make(const char *path, const char *content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

// ----------------------------------------------------------------------------------------------------- a desk in the test

// What comes back, step by step; the last one again and again.
enum act {
	VOUCHED,       // as the console does it
	UNVOUCHED,
	OF_OTHER_NONCE,
	OF_OTHER_BYTES,
	OF_OTHER_CHOICE,
	OF_OTHER_VALUES,
	OF_NOTHING, // a verdict that is none
	SAYS_NO,
	SAYS_NO_TO_ALL,
	LATE,
	LOCKED,
	GONE,
	FULL
};

struct fake {
	struct session *session;
	const enum act *acts;
	size_t act_count, asked, judged;
	uint8_t choice;
	bool takes_values, is_watched;
	uint8_t nonces[ASKS_MAX][DESK_NONCE_BYTES];
	int seconds[ASKS_MAX];
	bool verdicts[ASKS_MAX];
	struct approval_copy *shown;
};

static bool fake_watched(void *context)
{
	return ((struct fake *)context)->is_watched;
}

static void vouch(struct fake *fake, const struct desk_question *question, struct desk_answer *answer)
{
	uint8_t message[DESK_MESSAGE_BYTES];
	desk_message(question, answer, message);
	assert_int_equal(vault_voucher(fake->session->vault, span_of(message, sizeof(message)), answer->voucher, &err), 0);
}

static void answer_fake(struct fake *fake, enum act act, const struct desk_question *question, struct desk_answer *out)
{
	struct desk_question other = *question;
	uint8_t bytes[] = "other";
	*out = (struct desk_answer){.verdict = DESK_APPROVED, .choice = fake->choice, .takes_values = fake->takes_values};
	if (act == OF_OTHER_NONCE)
		other.nonce[DESK_NONCE_BYTES - 1] ^= 1;
	if (act == OF_OTHER_BYTES)
		other.approval = span_of(bytes, sizeof(bytes));
	if (act == OF_OTHER_CHOICE)
		out->choice ^= 1;
	if (act == OF_OTHER_VALUES)
		out->takes_values ^= 1;
	if (act != UNVOUCHED)
		vouch(fake, &other, out);
	if (act == OF_OTHER_CHOICE)
		out->choice ^= 1;
	if (act == OF_OTHER_VALUES)
		out->takes_values ^= 1;
	if (act == OF_NOTHING)
		out->verdict = 77;
	if (act == SAYS_NO)
		*out = (struct desk_answer){.verdict = DESK_DENIED};
	if (act == SAYS_NO_TO_ALL)
		*out = (struct desk_answer){.verdict = DESK_COOL_DOWN};
}

static int fake_ask(void *context, const struct desk_question *question, int seconds, struct desk_answer *out,
		    struct err *ask_err)
{
	struct fake *fake = context;
	size_t i = fake->asked++;
	assert_true(i < ASKS_MAX);
	enum act act = fake->acts[i < fake->act_count ? i : fake->act_count - 1];
	memcpy(fake->nonces[i], question->nonce, DESK_NONCE_BYTES);
	fake->seconds[i] = seconds;
	fake->shown = approval_copy_free(fake->shown);
	assert_int_equal(approval_read(question->approval, &fake->shown, &err), 0);
	if (act == LATE)
		return err_set(ask_err, ERR_NO, "late");
	if (act == LOCKED)
		return err_set(ask_err, ERR_DENIED, "locked");
	if (act == GONE)
		return err_set(ask_err, ERR_INTERRUPTED, "gone");
	if (act == FULL)
		return err_set(ask_err, ERR_LIMIT, "full");
	answer_fake(fake, act, question, out);
	return 0;
}

static void fake_judge(void *context, bool is_valid)
{
	struct fake *fake = context;
	fake->verdicts[fake->judged++] = is_valid;
}

struct stage {
	struct engine *engine;
	struct session session;
	struct fake fake;
	struct engine_desk desk;
	struct engine_client client;
	struct engine_unlock unlock;
	char passphrase_path[400];
};

static void secret_store(struct stage *stage, const char *name)
{
	char path[400];
	struct vault_entry *entry = calloc(1, sizeof(*entry));
	snprintf(path, sizeof(path), "%s/value", dir);
	file_make(path, "hunter2hunter2hunter2");
	struct engine_set set = {.unlock = stage->unlock, .name = name, .source = ENGINE_FROM_FILE, .file = path, .allow_weak = true,
				 .meta = VAULT_META_UNCHANGED};
	assert_int_equal(engine_set(stage->engine, &set, entry, &err), 0);
	free(entry);
}

static void stage_make(struct stage *stage)
{
	struct passphrase_score score;
	*stage = (struct stage){.unlock = ENGINE_UNLOCK_TERMINAL};
	snprintf(stage->passphrase_path, sizeof(stage->passphrase_path), "%s/passphrase", dir);
	file_make(stage->passphrase_path, PASSPHRASE "\n");
	stage->unlock.passphrase_file = stage->passphrase_path;
	assert_int_equal(setenv("ENVSEAL_HOME", vault_dir, 1), 0);
	unsetenv("DISPLAY");
	unsetenv("WAYLAND_DISPLAY");
	notices[0] = 0;
	assert_int_equal(engine_new(notice_keep, &stage->engine, &err), 0);
	struct engine_init init = {.unlock = stage->unlock, .pwhash = "interactive"};
	assert_int_equal(engine_init(stage->engine, &init, &score, &err), 0);
	secret_store(stage, "TOKEN");
	assert_int_equal(session_open_unlocked(stage->engine, &stage->unlock, &stage->session, &err), 0);
	stage->fake = (struct fake){.session = &stage->session, .is_watched = true};
	stage->desk = (struct engine_desk){fake_watched, fake_ask, fake_judge, &stage->fake};
	stage->client = (struct engine_client){.pid = getpid(), .environment = environ, .desk = &stage->desk};
	stage->engine->client = &stage->client;
}

static void stage_done(struct stage *stage)
{
	session_done(&stage->session);
	approval_copy_free(stage->fake.shown);
	engine_free(stage->engine);
}

static void acts_set(struct fake *fake, const enum act *acts, size_t count)
{
	fake->acts = acts;
	fake->act_count = count;
	fake->asked = fake->judged = 0;
}
#define ACTS(fake, ...) \
	acts_set(fake, (const enum act[]){__VA_ARGS__}, sizeof((const enum act[]){__VA_ARGS__}) / sizeof(enum act))

static const struct ancestry askers = {.items = {{4711, "bash"}}, .count = 1};

static struct approval sample(void)
{
	static const char *const secrets[] = {"TOKEN as $TOKEN"};
	static char *argv[] = {"true", NULL};
	return (struct approval){.action = "run", .askers = &askers, .secrets = secrets, .secret_count = 1,
				 .program_path = "/usr/bin/true", .program_kind = "a system file", .program_digest = "00", .argv = argv,
				 .directory = "/", .level = "standard", .offers_cool_down = true,
				 .choices = 1u << APPROVAL_ONCE | 1u << APPROVAL_SESSION};
}

static int ask(struct stage *stage, const struct approval *approval, struct approval_answer *out)
{
	*out = (struct approval_answer){.choice = APPROVAL_ALWAYS};
	err.text[0] = 0;
	return desk_put(&stage->session, approval, false, out, &err);
}

// ------------------------------------------------------------------------------------------------------------ the answers

static void test_an_approval(void **state)
{
	(void)state;
	struct stage stage;
	struct approval_answer answer;
	struct approval approval = sample();
	stage_make(&stage);
	static const uint8_t choices[] = {APPROVAL_ONCE, APPROVAL_SESSION};
	for (size_t i = 0; i < ARRAY_COUNT(choices); i++) {
		stage.fake.choice = choices[i];
		ACTS(&stage.fake, VOUCHED);
		assert_int_equal(ask(&stage, &approval, &answer), 0);
		assert_int_equal(answer.choice, choices[i]);
		assert_false(answer.takes_values || answer.is_denied || answer.cools_down);
		assert_true(stage.fake.asked == 1 && stage.fake.judged == 1 && stage.fake.verdicts[0]);
		assert_int_equal(stage.fake.seconds[0], DESK_WAIT_SECONDS);
	}
	approval.offers_values = stage.fake.takes_values = true;
	ACTS(&stage.fake, VOUCHED);
	assert_int_equal(ask(&stage, &approval, &answer), 0);
	assert_true(answer.takes_values);
	assert_non_null(strstr(notices, "waiting for approval (envseal approve)\n"));
	stage_done(&stage);
}

static void test_a_no(void **state)
{
	(void)state;
	struct stage stage;
	struct approval_answer answer;
	struct approval approval = sample();
	stage_make(&stage);
	ACTS(&stage.fake, SAYS_NO);
	assert_int_equal(ask(&stage, &approval, &answer), ERR_DENIED);
	assert_true(answer.is_denied && !answer.cools_down && stage.fake.verdicts[0]);
	assert_non_null(strstr(err.text, "denied at the console"));
	ACTS(&stage.fake, SAYS_NO_TO_ALL);
	assert_int_equal(ask(&stage, &approval, &answer), ERR_DENIED);
	assert_true(answer.is_denied && answer.cools_down && stage.fake.verdicts[0]);
	stage_done(&stage);
}

// One that is not vouched for, or for another question or choice, is told so, and the human can answer again.
static void test_what_does_not_count(void **state)
{
	(void)state;
	struct stage stage;
	struct approval_answer answer;
	struct approval approval = sample();
	approval.offers_values = true;
	stage_make(&stage);
	static const enum act acts[] = {UNVOUCHED, OF_OTHER_NONCE, OF_OTHER_BYTES, OF_OTHER_CHOICE, OF_OTHER_VALUES, OF_NOTHING};
	for (size_t i = 0; i < ARRAY_COUNT(acts); i++) {
		ACTS(&stage.fake, acts[i], VOUCHED);
		assert_int_equal(ask(&stage, &approval, &answer), 0);
		assert_true(stage.fake.asked == 2 && stage.fake.judged == 2);
		assert_true(!stage.fake.verdicts[0] && stage.fake.verdicts[1]);
		assert_memory_equal(stage.fake.nonces[0], stage.fake.nonces[1], DESK_NONCE_BYTES);
		ACTS(&stage.fake, acts[i]);
		assert_int_equal(ask(&stage, &approval, &answer), ERR_DENIED);
		assert_false(answer.is_denied || answer.cools_down);
		assert_int_equal(stage.fake.asked, DESK_TRIES);
		assert_int_equal(stage.fake.judged, DESK_TRIES);
	}
	stage_done(&stage);
}

static void test_what_was_not_offered(void **state)
{
	(void)state;
	struct stage stage;
	struct approval_answer answer;
	struct approval approval = sample();
	stage_make(&stage);
	static const uint8_t choices[] = {APPROVAL_TIME, APPROVAL_ALWAYS, APPROVAL_CHOICE_COUNT, 31, 32, 33, 255};
	for (size_t i = 0; i < ARRAY_COUNT(choices); i++) {
		stage.fake.choice = choices[i];
		ACTS(&stage.fake, VOUCHED);
		assert_int_equal(ask(&stage, &approval, &answer), ERR_DENIED);
		assert_false(answer.is_denied || stage.fake.verdicts[0]);
	}
	stage.fake.choice = APPROVAL_ONCE;
	stage.fake.takes_values = true;
	ACTS(&stage.fake, VOUCHED);
	assert_int_equal(ask(&stage, &approval, &answer), ERR_DENIED);
	approval.offers_cool_down = false;
	ACTS(&stage.fake, SAYS_NO_TO_ALL);
	assert_int_equal(ask(&stage, &approval, &answer), ERR_DENIED);
	assert_false(answer.is_denied || answer.cools_down);
	stage_done(&stage);
}

static uint8_t replayed[DIGEST_BYTES];

static int replay_ask(void *context, const struct desk_question *question, int seconds, struct desk_answer *out,
		      struct err *ask_err)
{
	struct fake *fake = context;
	int r = fake_ask(context, question, seconds, out, ask_err);
	if (fake->asked == 1 && replayed[0] == 0)
		memcpy(replayed, out->voucher, sizeof(replayed));
	else
		memcpy(out->voucher, replayed, sizeof(replayed));
	return r;
}

// The same question word by word, asked another time.
static void test_an_answer_is_for_one_question(void **state)
{
	(void)state;
	struct stage stage;
	struct approval_answer answer;
	struct approval approval = sample();
	uint8_t nonce[DESK_NONCE_BYTES];
	stage_make(&stage);
	stage.desk.ask = replay_ask;
	do { // a voucher may begin with the 0 that stands for none here
		memset(replayed, 0, sizeof(replayed));
		ACTS(&stage.fake, VOUCHED);
		assert_int_equal(ask(&stage, &approval, &answer), 0);
	} while (replayed[0] == 0);
	memcpy(nonce, stage.fake.nonces[0], sizeof(nonce));
	ACTS(&stage.fake, VOUCHED);
	assert_int_equal(ask(&stage, &approval, &answer), ERR_DENIED);
	assert_memory_not_equal(stage.fake.nonces[0], nonce, sizeof(nonce));
	stage_done(&stage);
}

static void test_nobody_there(void **state)
{
	(void)state;
	struct stage stage;
	struct approval_answer answer;
	struct approval approval = sample();
	stage_make(&stage);
	ACTS(&stage.fake, LATE);
	assert_int_equal(ask(&stage, &approval, &answer), ERR_DENIED);
	assert_non_null(strstr(err.text, "nobody approved this in 120 seconds"));
	assert_false(answer.is_denied || answer.cools_down);
	ACTS(&stage.fake, LOCKED);
	assert_int_equal(ask(&stage, &approval, &answer), ERR_DENIED);
	assert_string_equal(err.text, "locked");
	assert_false(answer.is_denied || answer.cools_down);
	// Neither a console nor a display: the question waits all the same.
	stage.fake.is_watched = false;
	notices[0] = 0;
	ACTS(&stage.fake, UNVOUCHED, LATE);
	assert_int_equal(ask(&stage, &approval, &answer), ERR_DENIED);
	assert_string_equal(notices, "waiting for approval (envseal approve)\n");
	ACTS(&stage.fake, GONE);
	assert_int_equal(ask(&stage, &approval, &answer), ERR_INTERRUPTED);
	ACTS(&stage.fake, FULL);
	assert_int_equal(ask(&stage, &approval, &answer), ERR_LIMIT);
	assert_int_equal(stage.fake.judged, 0);
	stage_done(&stage);
}

// ------------------------------------------------------------------------------------------------------------------ a run

static int again(struct stage *stage, const struct plan *plan, struct consent *consent)
{
	struct security security = {.level = SECURITY_STANDARD};
	struct notes notes = {0};
	*consent = CONSENT_INIT;
	return consent_again(&stage->session, plan, &security, &notes, false, consent, &err);
}

static void run_is_asked(struct stage *stage, const struct plan *plan)
{
	struct consent consent;
	stage->fake.choice = APPROVAL_TIME;
	ACTS(&stage->fake, VOUCHED);
	assert_int_equal(again(stage, plan, &consent), 0);
	assert_true(consent.is_given && consent.is_informed && consent.choice == APPROVAL_TIME && consent.turn == -1);
	const struct approval *shown = approval_of(stage->fake.shown);
	assert_string_equal(shown->secrets[0], "TOKEN as $TOKEN");
	assert_string_equal(shown->reason, "to test");
	assert_string_equal(shown->level, "standard");
	assert_true(shown->offers_cool_down);
	assert_int_equal(shown->askers->items[0].pid, getppid());
}

static void test_a_run(void **state)
{
	(void)state;
	struct stage stage;
	struct consent consent;
	static char *argv[] = {"/bin/true", NULL}, *environment[] = {"PATH=/usr/bin:/bin", NULL};
	static const char *const secrets[] = {"TOKEN"};
	struct exec_inherited inherited = {0};
	struct engine_run request = {.secrets = secrets, .secret_count = 1, .argv = argv, .environment = environment,
				     .inherited = &inherited, .reason = "to test"};
	stage_make(&stage);
	_cleanup_plan_ struct plan plan = {0};
	assert_int_equal(plan_build(stage.engine, &request, &plan, &err), 0);
	run_is_asked(&stage, &plan);
	ACTS(&stage.fake, SAYS_NO);
	assert_int_equal(again(&stage, &plan, &consent), ERR_DENIED);
	assert_true(consent.is_shown && !consent.cools_down && !consent.is_given);
	ACTS(&stage.fake, SAYS_NO_TO_ALL);
	assert_int_equal(again(&stage, &plan, &consent), ERR_DENIED);
	assert_true(consent.is_shown && consent.cools_down);
	// What no human said is not recorded as if.
	static const enum act silent[] = {LATE, LOCKED, UNVOUCHED, GONE};
	for (size_t i = 0; i < ARRAY_COUNT(silent); i++) {
		ACTS(&stage.fake, silent[i]);
		assert_int_equal(again(&stage, &plan, &consent), silent[i] == GONE ? ERR_INTERRUPTED : ERR_DENIED);
		assert_false(consent.is_shown || consent.cools_down || consent.is_given);
	}
	stage_done(&stage);
}

struct found {
	size_t denied, by_human, demanded;
};

static int denial_count(void *context, json_t *record)
{
	struct found *found = context;
	if (strcmp(json_string_value(json_object_get(record, "kind")), "secret.denied") != 0)
		return 0;
	found->denied++;
	found->by_human += json_is_true(json_object_get(record, "by_human"));
	found->demanded += json_is_true(json_object_get(record, "cool_down"));
	assert_string_equal(json_string_value(json_array_get(json_object_get(record, "secrets"), 0)), "TOKEN");
	return 0;
}

static struct found denials(struct stage *stage)
{
	struct found found = {0};
	assert_int_equal(audit_query(stage->session.audit, NULL, denial_count, &found, &err), 0);
	return found;
}

static int change(struct stage *stage)
{
	struct change change = {.action = "replace the value of", .subject = "TOKEN"};
	notes_add(&change.notes, "it was stored by process 4711");
	int r = consent_change(&stage->session, &change, &err);
	notes_done(&change.notes);
	return r;
}

static void test_a_change(void **state)
{
	(void)state;
	struct stage stage;
	stage_make(&stage);
	ACTS(&stage.fake, VOUCHED);
	assert_int_equal(change(&stage), 0);
	const struct approval *shown = approval_of(stage.fake.shown);
	assert_string_equal(shown->action, "replace the value of");
	assert_string_equal(shown->secrets[0], "TOKEN");
	assert_string_equal(shown->notes[0], "it was stored by process 4711");
	assert_true(!shown->program_path && !shown->argv && shown->choices == 1u << APPROVAL_ONCE);
	assert_int_equal(denials(&stage).denied, 0);
	stage.fake.choice = APPROVAL_ALWAYS;
	assert_int_equal(change(&stage), ERR_DENIED);
	stage.fake.choice = APPROVAL_ONCE;
	ACTS(&stage.fake, LATE);
	assert_int_equal(change(&stage), ERR_DENIED);
	ACTS(&stage.fake, SAYS_NO);
	assert_int_equal(change(&stage), ERR_DENIED);
	ACTS(&stage.fake, SAYS_NO_TO_ALL);
	assert_int_equal(change(&stage), ERR_DENIED);
	struct found found = denials(&stage);
	assert_true(found.denied == 4 && found.by_human == 2 && found.demanded == 1);
	// From now on nobody is asked.
	ACTS(&stage.fake, VOUCHED);
	assert_int_equal(change(&stage), ERR_DENIED);
	assert_non_null(strstr(err.text, "a human wants not to be asked for now"));
	assert_int_equal(stage.fake.asked, 0);
	stage_done(&stage);
}

// ------------------------------------------------------------------------------------------------------------- a passphrase

static struct secret *secret_of(const char *text)
{
	struct secret *secret = NULL;
	assert_int_equal(secret_new(strlen(text), SECRET_LOCK_REQUIRED, &secret, &err), 0);
	memcpy(secret_data(secret), text, strlen(text));
	return secret;
}

static void test_a_passphrase_is_judged(void **state)
{
	(void)state;
	struct stage stage;
	struct vault_failures failures = {0};
	stage_make(&stage);
	_cleanup_secret_ struct secret *right = secret_of(PASSPHRASE), *wrong = secret_of(PASSPHRASE "x");
	assert_int_equal(session_passphrase_judge(&stage.session, right, &err), 0);
	assert_int_equal(session_passphrase_judge(&stage.session, wrong, &err), ERR_PASSPHRASE);
	assert_int_equal(vault_begin(stage.session.vault, &err), 0);
	assert_int_equal(vault_failures_get(stage.session.vault, &failures, &err), 0);
	vault_rollback(stage.session.vault);
	assert_int_equal(failures.count, 1);
	// The session goes on as it was.
	assert_true(vault_is_unlocked(stage.session.vault));
	assert_int_equal(session_begin(&stage.session, &err), 0);
	assert_int_equal(session_commit(&stage.session, "secret.tag", json_object(), &err), 0);
	stage_done(&stage);
}

// ------------------------------------------------------------------------------------------------------------- the console

struct console {
	int result, says;
	struct desk_answer answer;
	char text[ERR_TEXT_BYTES];
};

static _Noreturn void console_child(const struct desk_question *question, int report_fd)
{
	struct console console = {0};
	struct err own = {0};
	struct engine *engine = NULL;
	alarm(60);
	console.result = engine_new(notice_keep, &engine, &own);
	if (console.result == 0)
		console.result = engine_answer(engine, question, &console.answer, &own);
	memcpy(console.text, own.text, sizeof(console.text));
	engine_free(engine);
	_exit(write(report_fd, &console, sizeof(console)) == sizeof(console) ? 0 : 1);
}

// Types each of the keys when what is before it was shown.
static struct console console_run(const struct desk_question *question, const char *const turns[][2], size_t count)
{
	static char seen[1u << 16];
	struct console console;
	size_t len = 0;
	int report[2], master = -1, status = 0;
	assert_int_equal(pipe(report), 0);
	fflush(NULL);
	pid_t child = forkpty(&master, NULL, NULL, NULL);
	assert_true(child >= 0);
	if (child == 0)
		console_child(question, report[1]);
	close(report[1]);
	for (size_t i = 0; i < count; i++) {
		len = 0;
		for (seen[0] = 0; !strstr(seen, turns[i][0]); seen[len] = 0) {
			ssize_t n = read(master, seen + len, sizeof(seen) - 1 - len);
			if (n <= 0)
				fail_msg("no \"%s\" in: %s", turns[i][0], seen);
			len += (size_t)n;
		}
		assert_int_equal(write(master, turns[i][1], strlen(turns[i][1])), strlen(turns[i][1]));
	}
	assert_int_equal(read(report[0], &console, sizeof(console)), sizeof(console));
	assert_int_equal(waitpid(child, &status, 0), child);
	close(master);
	close(report[0]);
	return console;
}
#define CONSOLE(question, ...) \
	console_run(question, (const char *const[][2]){__VA_ARGS__}, \
		    sizeof((const char *const[][2]){__VA_ARGS__}) / sizeof(const char *[2]))

static void vouched_for(struct stage *stage, const struct desk_question *question, const struct console *console)
{
	struct desk_answer answer = console->answer;
	assert_int_equal(console->result, 0);
	vouch(&stage->fake, question, &answer);
	assert_memory_equal(answer.voucher, console->answer.voucher, DIGEST_BYTES);
}

static void test_the_console(void **state)
{
	(void)state;
	struct stage stage;
	struct approval approval = sample();
	_cleanup_buf_ struct buf bytes = BUF_INIT(APPROVAL_WIRE_BYTES_MAX);
	struct desk_question question = {.nonce = {1, 2, 3}};
	stage_make(&stage);
	assert_int_equal(approval_write(&approval, &bytes, &err), 0);
	question.approval = buf_span(&bytes);
	struct console console = CONSOLE(&question, {"to approve once: ", PASSPHRASE "\r"});
	assert_true(console.answer.verdict == DESK_APPROVED && console.answer.choice == APPROVAL_ONCE);
	vouched_for(&stage, &question, &console);
	console = CONSOLE(&question, {"to approve once: ", "s\r"}, {"for this session: ", PASSPHRASE "\r"});
	assert_true(console.answer.verdict == DESK_APPROVED && console.answer.choice == APPROVAL_SESSION);
	vouched_for(&stage, &question, &console);
	console = CONSOLE(&question, {"to approve once: ", "d\r"});
	assert_true(console.result == 0 && console.answer.verdict == DESK_DENIED);
	console = CONSOLE(&question, {"x: deny all for a while", "x\r"});
	assert_true(console.result == 0 && console.answer.verdict == DESK_COOL_DOWN);
	console = CONSOLE(&question, {"to approve once: ", "\x03"});
	assert_int_equal(console.result, ERR_INTERRUPTED);
	console = CONSOLE(&question, {"to approve once: ", PASSPHRASE "x\r"});
	assert_int_equal(console.result, ERR_PASSPHRASE);
	assert_int_equal(console.answer.verdict, 0);
	stage_done(&stage);
}

// The question may say that no code is wanted, or that one is: the vault decides in the end.
static void test_the_console_and_codes(void **state)
{
	(void)state;
	struct stage stage;
	struct approval approval = sample();
	_cleanup_buf_ struct buf bytes = BUF_INIT(APPROVAL_WIRE_BYTES_MAX);
	struct desk_question question = {.nonce = {1}};
	stage_make(&stage);
	approval.level = "hardened";
	assert_int_equal(approval_write(&approval, &bytes, &err), 0);
	question.approval = buf_span(&bytes);
	struct console console = CONSOLE(&question, {"to approve once: ", PASSPHRASE "\r"}, {"Code: ", "123456\r"});
	assert_int_equal(console.result, ERR_DENIED); // there are none
	assert_int_equal(session_begin(&stage.session, &err), 0);
	assert_int_equal(vault_setting_put(stage.session.vault, "security",
					   span_text("{\"findings\":{},\"level\":\"hardened\",\"version\":1}"), &err), 0);
	assert_int_equal(session_commit(&stage.session, "security.set", json_object(), &err), 0);
	approval.level = "standard";
	bytes.len = 0;
	assert_int_equal(approval_write(&approval, &bytes, &err), 0);
	question.approval = buf_span(&bytes);
	console = CONSOLE(&question, {"to approve once: ", PASSPHRASE "\r"});
	assert_int_equal(console.result, ERR_DENIED);
	assert_int_equal(console.answer.verdict, 0);
	stage_done(&stage);
}

static void test_what_is_no_question(void **state)
{
	(void)state;
	struct stage stage;
	struct desk_answer answer = {0};
	static char *words[10000];
	struct approval approval = sample();
	_cleanup_buf_ struct buf bytes = BUF_INIT(APPROVAL_WIRE_BYTES_MAX);
	stage_make(&stage);
	struct desk_question question = {.approval = SPAN_LITERAL("nothing")};
	assert_int_equal(engine_answer(stage.engine, &question, &answer, &err), ERR_INPUT);
	// It can be read as one, and is more than can be shown.
	for (size_t i = 0; i + 1 < ARRAY_COUNT(words); i++)
		words[i] = "x";
	approval.argv = words;
	assert_int_equal(approval_write(&approval, &bytes, &err), 0);
	question.approval = buf_span(&bytes);
	assert_int_equal(engine_answer(stage.engine, &question, &answer, &err), ERR_INPUT);
	assert_int_equal(err.code, ERR_INPUT);
	stage_done(&stage);
}

int main(void)
{
#define desk_test(function) cmocka_unit_test_setup_teardown(function, dir_setup, dir_teardown)
	const struct CMUnitTest tests[] = {
		desk_test(test_an_approval),
		desk_test(test_a_no),
		desk_test(test_what_does_not_count),
		desk_test(test_what_was_not_offered),
		desk_test(test_an_answer_is_for_one_question),
		desk_test(test_nobody_there),
		desk_test(test_a_run),
		desk_test(test_a_change),
		desk_test(test_a_passphrase_is_judged),
		desk_test(test_the_console),
		desk_test(test_the_console_and_codes),
		desk_test(test_what_is_no_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
