#include "approve/approve.h"

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
		r = text_printable(span_text(text), out, err);
	return r == 0 ? buf_append_byte(out, '\n', err) : r;
}

static int row_list(const char *label, const char *const *names, size_t count, struct buf *out, struct err *err)
{
	int r = count > 0 ? row_label(label, out, err) : 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (i > 0)
			r = buf_append_text(out, ", ", err);
		if (r == 0)
			r = text_printable(span_text(names[i]), out, err);
	}
	return r == 0 && count > 0 ? buf_append_byte(out, '\n', err) : r;
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
	for (const char *at = argument; r == 0 && *at; at++)
		r = *at == '\'' ? buf_append_text(out, "\\'", err) : text_printable(span_of(at, 1), out, err);
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

static int row_asker(const struct approval *approval, struct buf *out, struct err *err)
{
	int r = row_label("asked by", out, err);
	if (r == 0)
		r = text_printable(span_text(approval->asker_name), out, err);
	return r == 0 ? buf_printf(out, err, " (process %d)\n", approval->asker_pid) : r;
}

static int row_program(const struct approval *approval, struct buf *out, struct err *err)
{
	int r = row_label("program", out, err);
	if (r == 0)
		r = text_printable(span_text(approval->program_path), out, err);
	if (r == 0)
		r = buf_printf(out, err, "  (%s)\n", approval->program_kind);
	if (r == 0)
		r = row_text("digest", approval->program_digest, out, err);
	if (r == 0 && approval->interpreter_path)
		r = row_text("run by", approval->interpreter_path, out, err);
	return r;
}

int approval_format(const struct approval *approval, struct buf *out, struct err *err)
{
	int r = buf_printf(out, err, "envseal: a program asks for secrets (%s)\n", approval->action);
	if (r == 0)
		r = row_asker(approval, out, err);
	if (r == 0)
		r = row_list("secrets", approval->secrets, approval->secret_count, out, err);
	if (r == 0)
		r = row_program(approval, out, err);
	if (r == 0)
		r = row_arguments(approval->argv, out, err);
	if (r == 0)
		r = row_text("directory", approval->directory, out, err);
	if (r == 0)
		r = row_list("kept", approval->kept, approval->kept_count, out, err);
	if (r == 0)
		r = row_list("dropped", approval->dropped, approval->dropped_count, out, err);
	return r;
}
