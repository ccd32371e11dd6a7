#include "approve/pinentry.h"

#include <stdio.h>
#include <string.h>

#include "approve/ask.h"

static const char *const handed_on[] = {"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR",
					"DBUS_SESSION_BUS_ADDRESS"};
static char path_entry[] = "PATH=" PATH_DEFAULT, lang_entry[] = "LANG=C.UTF-8";

struct display {
	char *entries[ARRAY_COUNT(handed_on) + 3]; // borrowed
};

static char *entry_find(char *const environment[], const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; environment[i]; i++)
		if (strncmp(environment[i], name, len) == 0 && environment[i][len] == '=')
			return environment[i];
	return NULL;
}

static struct display display_of(char *const environment[])
{
	struct display display = {{path_entry, lang_entry}};
	size_t count = 2;
	for (size_t i = 0; i < ARRAY_COUNT(handed_on); i++) {
		char *entry = entry_find(environment, handed_on[i]);
		if (entry)
			display.entries[count++] = entry;
	}
	return display;
}

int pinentry_description(const char *text, struct buf *out, struct err *err)
{
	size_t start = out->len, lines = 0;
	int r = buf_append_text(out, "SETDESC ", err);
	for (const char *at = text; r == 0 && *at; at++) {
		lines += *at == '\n';
		if (*at == '\n' && at[1] == 0)
			break;
		if (*at == '%' || *at == '\n')
			r = buf_printf(out, err, "%%%02X", (unsigned)*at);
		else
			r = buf_append_byte(out, (uint8_t)*at, err);
	}
	if (r == 0 && (lines > PINENTRY_LINES_MAX || out->len - start > PINENTRY_ESCAPED_BYTES_MAX))
		return err_set(err, ERR_DENIED, "this question is longer than a window of pinentry shows; it needs a terminal: "
						"repeat the command in one");
	return r;
}

static int question_set(struct pinentry *pinentry, const char *text, int seconds, struct err *err)
{
	_cleanup_buf_ struct buf description = BUF_INIT(1u << 18);
	char timeout[32];
	snprintf(timeout, sizeof(timeout), "SETTIMEOUT %d", seconds);
	int r = pinentry_description(text, &description, err);
	const char *const lines[] = {timeout, "SETTITLE envseal", "SETOK Approve once", "SETCANCEL Deny",
				     buf_text(&description)};
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(lines); i++)
		r = pinentry_tell(pinentry, lines[i], err);
	return r;
}

static int passphrase_get(struct pinentry *pinentry, const struct approval_needs *needs, struct secret **out,
			  struct err *err)
{
	int r = pinentry_tell(pinentry, "SETPROMPT Passphrase:", err);
	if (r == 0)
		r = pinentry_get(pinentry, needs->passphrase_bytes_max, needs->seconds, out, err);
	if (r == 0 && secret_len(*out) < APPROVAL_PASSPHRASE_BYTES_MIN)
		return err_set(err, ERR_PASSPHRASE, "a single letter is no passphrase; nothing was done");
	return r;
}

static int code_get(struct pinentry *pinentry, const struct approval_needs *needs, struct secret **out, struct err *err)
{
	int r = pinentry_tell(pinentry, "SETPROMPT Code:", err);
	if (r == 0)
		r = pinentry_get(pinentry, APPROVAL_CODE_DIGITS_MAX, needs->seconds, out, err);
	if (r == 0 && !code_is_valid(secret_span(*out)))
		return err_set(err, ERR_PASSPHRASE, CODE_SENTENCE "; nothing was done");
	return r;
}

int pinentry_converse(const struct program *program, char *const environment[], const char *text,
		      const struct approval_needs *needs, struct approval_answer *out, struct err *err)
{
	_cleanup_pinentry_ struct pinentry *pinentry = NULL;
	_cleanup_approval_answer_ struct approval_answer answer = {.choice = APPROVAL_ONCE};
	struct display display = display_of(environment);
	int r = pinentry_start(program, display.entries, &pinentry, err);
	if (r == 0)
		r = question_set(pinentry, text, needs->seconds, err);
	if (r == 0 && !(needs->has_passphrase && needs->wants_code))
		r = passphrase_get(pinentry, needs, &answer.passphrase, err);
	if (r == 0 && needs->wants_code)
		r = code_get(pinentry, needs, &answer.code, err);
	if (r < 0)
		return denial_settle(r, false, out, err);
	*out = answer;
	answer = (struct approval_answer){0};
	return 0;
}

// Whoever can change it would get the passphrase.
static int program_find(const char *path, struct program **out, struct err *err)
{
	char brief[200];
	_cleanup_program_ struct program *program = NULL;
	if (path[0] != '/')
		return err_set(err, ERR_UNSAFE, "pinentry is %s; give its absolute path",
			       text_brief(span_text(path), brief, sizeof(brief)));
	int r = program_resolve(path, &(struct program_options){.path_list = PATH_DEFAULT}, &program, err);
	if (r < 0)
		return r;
	if (!program->is_system || (program->interpreter && !program->interpreter->is_system))
		return err_set(err, ERR_UNSAFE, "%s is not a system file: others than root could change what asks for the passphrase; "
						"name the pinentry of your distribution",
			       text_brief(span_text(program->path), brief, sizeof(brief)));
	*out = TAKE_PTR(program);
	return 0;
}

int pinentry_ask(const struct pinentry_options *options, const struct approval *approval,
		 const struct approval_needs *needs, struct approval_answer *out, struct err *err)
{
	_cleanup_program_ struct program *program = NULL;
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 20), description = BUF_INIT(1u << 20);
	int r = approval_format(approval, &text, err);
	// Before anything is started or shown.
	if (r == 0)
		r = pinentry_description(buf_text(&text), &description, err);
	if (r == 0)
		r = program_find(options->path, &program, err);
	if (r < 0)
		return denial_settle(r, false, out, err);
	return pinentry_converse(program, options->environment, buf_text(&text), needs, out, err);
}
