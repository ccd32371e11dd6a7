#include <string.h>

#include "approve/ask.h"
#include "approve/choice.h"
#include "approve/page.h"
#include "approve/prompt.h"

#define PAGE_MORE "-- more: space shows the rest, q denies --"
#define CHOICE_PROMPT_BYTES_MAX 1024
// More than APPROVAL_CODE_DIGITS_MAX, so that a long line is no code rather than the end of the question.
#define CODE_BYTES_MAX 64

void approval_answer_done(struct approval_answer *answer)
{
	secret_free_ptr(&answer->passphrase);
	secret_free_ptr(&answer->code);
}

int denied_at_prompt(struct err *err)
{
	return err_set(err, ERR_NO, "denied at the prompt; nothing was done");
}

int denial_settle(int r, bool cools_down, struct approval_answer *out, struct err *err)
{
	bool is_denied = r == ERR_NO;
	if (is_denied)
		r = err->code = ERR_DENIED;
	if (r == ERR_DENIED) {
		out->is_denied = is_denied;
		out->cools_down = cools_down;
	}
	return r;
}

bool code_is_valid(struct span code)
{
	for (size_t i = 0; i < code.len; i++)
		if (!byte_is_digit(code.data[i]))
			return false;
	return code.len >= APPROVAL_CODE_DIGITS_MIN && code.len <= APPROVAL_CODE_DIGITS_MAX;
}

// ------------------------------------------------------------------------------------------------------------- pages

static int page_wait(struct prompt *prompt, struct err *err)
{
	for (;;) {
		uint8_t key = 0;
		int r = prompt_key(prompt, PAGE_MORE, &key, err);
		struct err ignored;
		terminal_print(prompt->terminal, SPAN_LITERAL("\n"), &ignored);
		if (r < 0)
			return r;
		if (key == 'q' || key == 'Q' || key == KEY_END)
			return denied_at_prompt(err);
		if (key == ' ')
			return 0;
	}
}

// One page from `text` on; *ret_len is what of it has been read. A window that is not what it was while the page stood in
// it may have shown less of it, so that the page counts as not read.
static int page_show(struct prompt *prompt, struct span text, size_t *ret_len, struct err *err)
{
	struct window window = window_of(prompt->terminal->fd);
	size_t len = page_len(text, window);
	prompt->shown = span_of(text.data, len);
	int r = terminal_print(prompt->terminal, prompt->shown, err);
	if (r == 0 && len < text.len && text.data[len - 1] != '\n')
		r = terminal_print(prompt->terminal, SPAN_LITERAL("\n"), err);
	*ret_len = len;
	if (r < 0 || len == text.len)
		return r;
	r = page_wait(prompt, err);
	struct window now = window_of(prompt->terminal->fd);
	if (now.rows != window.rows || now.columns != window.columns)
		*ret_len = 0;
	return r;
}

static int pages_show(struct prompt *prompt, struct span text, struct err *err)
{
	int r = 0;
	while (r == 0 && text.len > 0) {
		size_t len = 0;
		r = page_show(prompt, text, &len, err);
		text = span_of(text.data + len, text.len - len);
	}
	return r;
}

// ------------------------------------------------------------------------------------------------------------ answers

static int line_ask(struct prompt *prompt, const char *text, size_t max_bytes, struct secret **out, struct err *err)
{
	_cleanup_secret_ struct secret *line = NULL;
	size_t len = 0;
	int r = secret_new(max_bytes, SECRET_LOCK_REQUIRED, &line, err);
	if (r == 0)
		r = prompt_line(prompt, text, line, &len, err);
	if (r < 0)
		return r;
	if (len == 0)
		return denied_at_prompt(err);
	secret_shorten(line, len);
	*out = TAKE_PTR(line);
	return 0;
}

// What a line of one byte asks for: the answer is changed, or it is denied. *out says it.
static int choice_switch(const struct approval *approval, uint8_t letter, struct approval_answer *answer, struct buf *out,
			 struct err *err)
{
	switch (choice_of(approval, letter, &answer->choice)) {
	case CHOICE_DENY:
		return denied_at_prompt(err);
	case CHOICE_COOL_DOWN:
		answer->cools_down = true;
		return denied_at_prompt(err);
	case CHOICE_SWITCH:
		return choice_becomes(approval, answer->choice, out, err);
	case CHOICE_VALUES:
		answer->takes_values = !answer->takes_values;
		return 0;
	case CHOICE_NONE:
		break;
	}
	return buf_append_text(out, "that is none of the choices\n", err);
}

// A sentence between two prompts. What is shown again after a stop stays the question.
static int remark_show(struct prompt *prompt, const struct buf *remark, struct err *err)
{
	struct span question = prompt->shown;
	int r = pages_show(prompt, buf_span(remark), err);
	prompt->shown = question;
	return r;
}

static int choice_line(struct prompt *prompt, const struct approval *approval, const char *what, size_t max_bytes,
		       const struct approval_answer *answer, struct secret **out, struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(CHOICE_PROMPT_BYTES_MAX);
	int r = choice_prompt(approval, answer, what, &text, err);
	return r == 0 ? line_ask(prompt, buf_text(&text), max_bytes, out, err) : r;
}

// Asks for the passphrase or, with is_code, for the code, until what is typed is one.
static int choice_ask(struct prompt *prompt, const struct approval *approval, bool is_code, size_t max_bytes,
		      struct approval_answer *answer, struct secret **out, struct err *err)
{
	for (;;) {
		_cleanup_buf_ struct buf remark = BUF_INIT(APPROVAL_BYTES_MAX);
		_cleanup_secret_ struct secret *line = NULL;
		int r = choice_line(prompt, approval, is_code ? "Code" : "Passphrase", max_bytes, answer, &line, err);
		if (r < 0)
			return r;
		bool is_short = secret_len(line) < APPROVAL_PASSPHRASE_BYTES_MIN;
		if (!is_short && (!is_code || code_is_valid(secret_span(line)))) {
			*out = TAKE_PTR(line);
			return 0;
		}
		if (is_short)
			r = choice_switch(approval, secret_data(line)[0], answer, &remark, err);
		else
			r = buf_append_text(&remark, CODE_SENTENCE "\n", err);
		if (r == 0)
			r = remark_show(prompt, &remark, err);
		if (r < 0)
			return r;
	}
}

static int code_ask(struct prompt *prompt, struct secret **out, struct err *err)
{
	const char *text = "Code: ";
	for (;;) {
		_cleanup_secret_ struct secret *line = NULL;
		int r = line_ask(prompt, text, CODE_BYTES_MAX, &line, err);
		if (r < 0)
			return r;
		if (code_is_valid(secret_span(line))) {
			*out = TAKE_PTR(line);
			return 0;
		}
		text = CODE_SENTENCE "\nCode: ";
	}
}

static int answer_ask(struct prompt *prompt, const struct approval *approval, const struct approval_needs *needs,
		      struct approval_answer *answer, struct err *err)
{
	if (needs->has_passphrase && needs->wants_code)
		return choice_ask(prompt, approval, true, CODE_BYTES_MAX, answer, &answer->code, err);
	int r = choice_ask(prompt, approval, false, needs->passphrase_bytes_max, answer, &answer->passphrase, err);
	return r == 0 && needs->wants_code ? code_ask(prompt, &answer->code, err) : r;
}

int approval_ask(struct terminal *terminal, const struct approval *approval, const struct approval_needs *needs,
		 struct approval_answer *out, struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 20);
	_cleanup_approval_answer_ struct approval_answer answer = {.choice = APPROVAL_ONCE};
	_cleanup_prompt_ struct prompt prompt = PROMPT_NONE;
	int r = approval_format(approval, &text, err);
	if (r == 0)
		r = prompt_begin(terminal, needs->seconds, &prompt, err);
	if (r == 0)
		r = pages_show(&prompt, buf_span(&text), err);
	if (r == 0)
		r = answer_ask(&prompt, approval, needs, &answer, err);
	if (r < 0)
		return denial_settle(r, answer.cools_down, out, err);
	*out = answer;
	answer = (struct approval_answer){0};
	return 0;
}
