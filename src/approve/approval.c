#include "approve/approve.h"

#include <stdio.h>
#include <string.h>

#define APPROVAL_LABEL_COLUMNS 12

static int row_label(const char *label, struct buf *out, struct err *err)
{
	return buf_printf(out, err, "  %-*s", APPROVAL_LABEL_COLUMNS, label);
}

static int row_text(const char *label, const char *text, struct buf *out, struct err *err)
{
	int r = row_label(label, out, err);
	if (r == 0)
		r = text_inert(text, 0, out, err);
	return r == 0 ? buf_append_byte(out, '\n', err) : r;
}

// At most max_bytes of names, and then how many more there are: with `more`, which nobody named.
static int row_list(const char *label, const char *const *names, size_t count, size_t more, size_t max_bytes, struct buf *out,
		    struct err *err)
{
	size_t total = count + more;
	int r = total > 0 ? row_label(label, out, err) : 0;
	size_t start = out->len;
	for (size_t i = 0; r == 0 && i < total; i++) {
		if (i > 0)
			r = buf_append_text(out, ", ", err);
		if (r == 0 && (i == count || out->len - start > max_bytes)) {
			r = buf_printf(out, err, "and %zu more (--explain names them)", total - i);
			break;
		}
		if (r == 0)
			r = text_inert(names[i], 0, out, err);
	}
	return r == 0 && total > 0 ? buf_append_byte(out, '\n', err) : r;
}

static bool is_plain_word(const char *text)
{
	for (const char *at = text; *at; at++)
		if (*at <= ' ' || *at > '~' || strchr("\\'\"`$*?()[]{}<>|&;#!", *at))
			return false;
	return text[0] != 0;
}

// One argument, in quotes unless it is a plain word, so that blanks at its ends and the borders between arguments show.
static int argument_format(const char *argument, struct buf *out, struct err *err)
{
	if (is_plain_word(argument))
		return buf_append_text(out, argument, err);
	int r = buf_append_byte(out, '\'', err);
	// A quote inside is escaped too, or one argument could be made to look like two.
	if (r == 0)
		r = text_inert(argument, '\'', out, err);
	return r == 0 ? buf_append_byte(out, '\'', err) : r;
}

static int row_arguments(char *const argv[], struct buf *out, struct err *err)
{
	int r = row_label("command", out, err);
	size_t start = out->len;
	for (size_t i = 0; r == 0 && argv[i]; i++) {
		if (i > 0)
			r = buf_append_byte(out, ' ', err);
		if (r == 0)
			r = argument_format(argv[i], out, err);
	}
	if (r == 0 && out->len - start > APPROVAL_ARGUMENTS_BYTES_MAX)
		return err_set(err, ERR_DENIED, "the command is %zu bytes long, more than can be read and approved at a prompt; put it "
						"into a script file and run that", out->len - start);
	return r == 0 ? buf_append_byte(out, '\n', err) : r;
}

// A name is what a process says of itself, so it is quoted like an argument: one that holds an arrow is still one.
static int row_askers(const struct ancestry *askers, struct buf *out, struct err *err)
{
	int r = row_label("asked by", out, err);
	size_t shown = askers->count < ANCESTRY_SHOWN_MAX ? askers->count : ANCESTRY_SHOWN_MAX;
	for (size_t i = 0; r == 0 && i < shown; i++) {
		if (i > 0)
			r = buf_append_text(out, " <- ", err);
		if (r == 0)
			r = argument_format(askers->items[i].name, out, err);
		if (r == 0)
			r = buf_printf(out, err, " (%d)", askers->items[i].pid);
	}
	if (r == 0 && shown < askers->count)
		r = buf_append_text(out, " <- ...", err);
	if (r == 0)
		r = buf_append_byte(out, '\n', err);
	if (r == 0 && askers->agent)
		r = row_label("agent", out, err);
	if (r == 0 && askers->agent)
		r = text_inert(askers->agent, 0, out, err);
	if (r == 0 && askers->agent)
		r = buf_append_text(out, " (an AI agent, by its name, started this)\n", err);
	return r;
}

static int row_reason(const char *reason, struct buf *out, struct err *err)
{
	char cut[APPROVAL_REASON_BYTES_MAX + sizeof("...")];
	if (!reason)
		return 0;
	bool is_long = strlen(reason) > APPROVAL_REASON_BYTES_MAX;
	snprintf(cut, sizeof(cut), "%.*s%s", APPROVAL_REASON_BYTES_MAX, reason, is_long ? "..." : "");
	return row_text("reason", cut, out, err);
}

// A sentence a row. Only the first has the label, so that a label stands once.
static int row_sentences(const char *label, const char *const *sentences, size_t count, struct buf *out, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = row_text(i == 0 ? label : "", sentences[i], out, err);
	return r;
}

static int row_optional(const char *label, const char *text, struct buf *out, struct err *err)
{
	return text ? row_text(label, text, out, err) : 0;
}

static int row_program(const struct approval *approval, struct buf *out, struct err *err)
{
	int r = row_label("program", out, err);
	if (r == 0)
		r = text_inert(approval->program_path, 0, out, err);
	if (r == 0)
		r = buf_append_text(out, "  (", err);
	if (r == 0)
		r = text_inert(approval->program_kind, 0, out, err);
	if (r == 0)
		r = buf_append_text(out, ")\n", err);
	if (r == 0)
		r = row_text("digest", approval->program_digest, out, err);
	return r == 0 ? row_optional("run by", approval->interpreter_path, out, err) : r;
}

// A path a row: one that holds a comma is still one.
static int rows_sandbox(const struct approval *approval, struct buf *out, struct err *err)
{
	int r = row_optional("tier", approval->tier, out, err);
	if (r == 0)
		r = row_sentences("may read", approval->readable, approval->readable_count, out, err);
	if (r == 0)
		r = row_sentences("may write", approval->writable, approval->writable_count, out, err);
	if (r == 0)
		r = row_optional("network", approval->network, out, err);
	if (r == 0)
		r = row_sentences("may reach", approval->endpoints, approval->endpoint_count, out, err);
	if (r == 0 && approval->is_unshielded)
		r = row_text("shield", "without it: other processes of yours may look into the program", out, err);
	if (r == 0 && approval->is_degradable)
		r = row_text("degrade", "weaker where the kernel cannot give the tier in full", out, err);
	return r;
}

static int rows_environment(const struct approval *approval, struct buf *out, struct err *err)
{
	int r = approval->argv ? row_arguments(approval->argv, out, err) : 0;
	if (r == 0)
		r = row_optional("directory", approval->directory, out, err);
	if (r == 0)
		r = row_list("kept", approval->kept, approval->kept_count, 0, SIZE_MAX, out, err);
	if (r == 0)
		r = row_list("dropped", approval->dropped, approval->dropped_count, approval->dropped_more,
			     APPROVAL_DROPPED_BYTES_MAX, out, err);
	if (r == 0)
		r = row_optional("level", approval->level, out, err);
	return r == 0 ? rows_sandbox(approval, out, err) : r;
}

static int row_title(const struct approval *approval, struct buf *out, struct err *err)
{
	bool is_change = !approval->program_path;
	int r = buf_append_text(out, is_change ? "envseal: a program asks to " : "envseal: a program asks for secrets (", err);
	if (r == 0)
		r = text_inert(approval->action, 0, out, err);
	return r == 0 ? buf_append_text(out, is_change ? "\n" : ")\n", err) : r;
}

static int rows_format(const struct approval *approval, struct buf *out, struct err *err)
{
	int r = row_title(approval, out, err);
	if (r == 0)
		r = row_askers(approval->askers, out, err);
	if (r == 0)
		r = row_reason(approval->reason, out, err);
	if (r == 0)
		r = row_list("secrets", approval->secrets, approval->secret_count, 0, SIZE_MAX, out, err);
	if (r == 0 && approval->program_path)
		r = row_program(approval, out, err);
	if (r == 0)
		r = rows_environment(approval, out, err);
	if (r == 0)
		r = row_sentences("notes", approval->notes, approval->note_count, out, err);
	return r == 0 ? row_sentences("waiting", approval->waiting, approval->waiting_count, out, err) : r;
}

int approval_format(const struct approval *approval, struct buf *out, struct err *err)
{
	size_t start = out->len;
	int r = rows_format(approval, out, err);
	if (r == 0 && out->len - start > APPROVAL_BYTES_MAX)
		return err_set(err, ERR_DENIED, "this request is %zu bytes long, more than can be read and approved at a prompt; "
						"ask for fewer secrets at once, or from a folder with a shorter path",
			       out->len - start);
	return r;
}
