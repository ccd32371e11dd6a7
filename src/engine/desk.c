#include "engine/desk.h"

#include "engine/question.h"
#include "engine/totp.h"

#include <string.h>
#include <unistd.h>

void desk_message(const struct desk_question *question, const struct desk_answer *answer, uint8_t out[DESK_MESSAGE_BYTES])
{
	uint8_t *at = memcpy(out, DESK_TITLE, sizeof(DESK_TITLE));
	at += sizeof(DESK_TITLE);
	memcpy(at, question->nonce, DESK_NONCE_BYTES);
	at += DESK_NONCE_BYTES;
	digest_bytes(question->approval, at);
	at += DIGEST_BYTES;
	at[0] = (uint8_t)answer->verdict;
	at[1] = answer->choice;
	at[2] = answer->takes_values;
}

static int desk_voucher(struct vault *vault, const struct desk_question *question, const struct desk_answer *answer,
			uint8_t out[DIGEST_BYTES], struct err *err)
{
	uint8_t message[DESK_MESSAGE_BYTES];
	desk_message(question, answer, message);
	return vault_voucher(vault, span_of(message, sizeof(message)), out, err);
}

// ---------------------------------------------------------------------------------------------------------- who asks

static bool is_offered(const struct approval *approval, const struct desk_answer *answer)
{
	bool has_choice = answer->choice == APPROVAL_ONCE ||
			  (answer->choice < APPROVAL_CHOICE_COUNT && (approval->choices & 1u << answer->choice) != 0);
	return has_choice && (!answer->takes_values || approval->offers_values);
}

static int answer_judge(struct session *session, const struct approval *approval, const struct desk_question *question,
			const struct desk_answer *answer, bool *out, struct err *err)
{
	uint8_t voucher[DIGEST_BYTES];
	*out = answer->verdict == DESK_DENIED || (answer->verdict == DESK_COOL_DOWN && approval->offers_cool_down);
	if (answer->verdict != DESK_APPROVED)
		return 0;
	int r = desk_voucher(session->vault, question, answer, voucher, err);
	if (r == 0)
		*out = digest_is_equal(voucher, answer->voucher) && is_offered(approval, answer);
	return r;
}

static int answer_take(const struct desk_answer *answer, struct approval_answer *out, struct err *err)
{
	if (answer->verdict == DESK_APPROVED) {
		*out = (struct approval_answer){.choice = answer->choice, .takes_values = answer->takes_values};
		return 0;
	}
	*out = (struct approval_answer){.is_denied = true, .cools_down = answer->verdict == DESK_COOL_DOWN};
	return err_set(err, ERR_DENIED, "denied at the console; nothing was done");
}

static int nobody_answered(struct err *err)
{
	return err_set(err, ERR_DENIED, "nobody approved this in %d seconds; nothing was done. A human answers with `envseal approve`, "
					"in a terminal of their own", DESK_WAIT_SECONDS);
}

static int answers_wait(struct session *session, const struct approval *approval, const struct desk_question *question,
			struct approval_answer *out, struct err *err)
{
	const struct engine_desk *desk = session->engine->client->desk;
	int64_t end = clock_monotonic_ms() + (int64_t)DESK_WAIT_SECONDS * 1000;
	for (unsigned tries = 0; tries < DESK_TRIES; tries++) {
		struct desk_answer answer = {0};
		bool is_valid = false;
		int64_t left = (end - clock_monotonic_ms() + 999) / 1000;
		int r = left > 0 ? desk->ask(desk->context, question, (int)left, &answer, err) : ERR_NO;
		if (r == ERR_NO)
			return nobody_answered(err);
		if (r == 0)
			r = answer_judge(session, approval, question, &answer, &is_valid, err);
		if (r < 0)
			return r;
		desk->judge(desk->context, is_valid);
		if (is_valid)
			return answer_take(&answer, out, err);
	}
	return err_set(err, ERR_DENIED, "%d answers came that are not vouched for by this vault's passphrase; nothing was done",
		       DESK_TRIES);
}

int desk_ask(struct session *session, const struct approval *approval, struct approval_answer *out, struct err *err)
{
	_cleanup_buf_ struct buf bytes = BUF_INIT(APPROVAL_WIRE_BYTES_MAX);
	struct desk_question question;
	int r = approval_write(approval, &bytes, err);
	if (r < 0)
		return r;
	rng_fill(question.nonce, sizeof(question.nonce));
	question.approval = buf_span(&bytes);
	*out = (struct approval_answer){0};
	return answers_wait(session, approval, &question, out, err);
}

// --------------------------------------------------------------------------------------------------------- by pinentry

int session_passphrase_judge(struct session *session, const struct secret *passphrase, struct err *err)
{
	_cleanup_session_ struct session own = {0};
	int r = session_open(session->engine, &own, err);
	return r == 0 ? session_unlock(&own, passphrase, err) : r;
}

// Where a window is open already, this one would hide it: a lock that is taken is no display. *out_answered says that there
// was an answer, whatever it was.
static int display_ask(struct session *session, const struct approval *approval, bool wants_code, bool *out_answered,
		       struct approval_answer *out, struct err *err)
{
	const struct engine *engine = session->engine;
	struct approval_needs needs = {.passphrase_bytes_max = PASSPHRASE_BYTES_MAX, .wants_code = wants_code,
				       .seconds = APPROVAL_WAIT_SECONDS};
	_cleanup_fd_ int folder = -1, turn = -1;
	*out = (struct approval_answer){0};
	*out_answered = false;
	int r = dir_open_private(engine->home.state_dir, true, &folder, err);
	if (r == 0)
		r = approval_lock(folder, engine->home.state_dir, 0, &turn, err);
	if (r == 0)
		r = question_by_pinentry(approval, environ, &needs, out, err);
	*out_answered = r == 0 || (r == ERR_DENIED && out->is_denied);
	if (r == 0)
		r = session_passphrase_judge(session, out->passphrase, err);
	return r == 0 && wants_code ? session_totp_check(session, out->code, err) : r;
}

int desk_put(struct session *session, const struct approval *approval, bool wants_code, struct approval_answer *out,
	     struct err *err)
{
	struct engine *engine = session->engine;
	const struct engine_desk *desk = engine->client->desk;
	bool is_answered = false;
	int r = desk->is_watched(desk->context) ? 0 : display_ask(session, approval, wants_code, &is_answered, out, err);
	if (is_answered)
		return r;
	engine_notice(engine, "waiting for approval (envseal approve)");
	return desk_ask(session, approval, out, err);
}

// -------------------------------------------------------------------------------------------------------- who answers

// A vault is asked for its level only when it is open. Until then the question says what to ask for.
static bool question_wants_code(const struct approval *approval)
{
	enum security_level level = SECURITY_STANDARD;
	if (approval->level)
		security_level_parse(approval->level, &level);
	return security_demands(level)->factor == FACTOR_PASSPHRASE_AND_CODE;
}

static int code_check(struct session *session, const struct approval_answer *answer, struct err *err)
{
	return answer->code ? session_totp_check(session, answer->code, err) : session_factor_check_now(session, err);
}

static int answer_vouch(struct engine *engine, const struct desk_question *question, const struct approval_answer *answer,
			struct desk_answer *out, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	struct desk_answer approved = {.verdict = DESK_APPROVED, .choice = (uint8_t)answer->choice,
				       .takes_values = answer->takes_values};
	int r = session_open(engine, &session, err);
	if (r == 0)
		r = session_unlock(&session, answer->passphrase, err);
	if (r == 0)
		r = code_check(&session, answer, err);
	if (r == 0)
		r = desk_voucher(session.vault, question, &approved, approved.voucher, err);
	if (r == 0)
		*out = approved;
	return r;
}

static int answer_ask(const struct approval *approval, struct approval_answer *out, struct err *err)
{
	_cleanup_terminal_ struct terminal *terminal = NULL;
	struct approval_needs needs = {.passphrase_bytes_max = PASSPHRASE_BYTES_MAX, .wants_code = question_wants_code(approval),
				       .seconds = APPROVAL_WAIT_SECONDS};
	int r = terminal_open("the passphrase that approves this", &terminal, err);
	return r == 0 ? approval_ask(terminal, approval, &needs, out, err) : r;
}

int engine_answer(struct engine *engine, const struct desk_question *question, struct desk_answer *out, struct err *err)
{
	_cleanup_approval_copy_ struct approval_copy *copy = NULL;
	_cleanup_approval_answer_ struct approval_answer answer = {0};
	int r = approval_read(question->approval, &copy, err);
	if (r == 0 && question_check(approval_of(copy), err) < 0)
		r = err->code = ERR_INPUT;
	if (r < 0)
		return r;
	r = answer_ask(approval_of(copy), &answer, err);
	if (r == ERR_DENIED && answer.is_denied) {
		*out = (struct desk_answer){.verdict = answer.cools_down ? DESK_COOL_DOWN : DESK_DENIED};
		return 0;
	}
	// Who was away from the keyboard did not say no.
	if (r == ERR_DENIED)
		return err_set(err, ERR_NO, "nobody answered within %d seconds; the question still waits", APPROVAL_WAIT_SECONDS);
	return r == 0 ? answer_vouch(engine, question, &answer, out, err) : r;
}
