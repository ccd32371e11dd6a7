#include "manifest/manifest.h"
#include "manifest/manifest_text.h"

#include <string.h>

static bool byte_is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

// Kinds of lines, as far as the place of new ones depends on them.
enum line_kind { LINE_EMPTY, LINE_COMMENT, LINE_SECTION, LINE_ENTRY };

static enum line_kind line_classify(struct span line)
{
	size_t i = 0;
	while (i < line.len && byte_is_blank(line.data[i]))
		i++;
	if (i == line.len || line.data[i] == '\r' || line.data[i] == '\n')
		return LINE_EMPTY;
	return line.data[i] == '#' ? LINE_COMMENT : line.data[i] == '[' ? LINE_SECTION : LINE_ENTRY;
}

// Where new lines go in a text that has sections: behind the last common line. Comments that stand directly above the
// first section belong to it and stay there. In a text without sections: at the end.
static size_t merge_place(struct span text)
{
	size_t place = text_bom_bytes(text);
	size_t run = 0; // how far the comments reach that stand directly above the present line; 0: there are none
	for (size_t at = place; at < text.len;) {
		const uint8_t *newline = memchr(text.data + at, '\n', text.len - at);
		size_t next = newline ? (size_t)(newline - text.data) + 1 : text.len;
		enum line_kind kind = line_classify(span_of(text.data + at, next - at));
		if (kind == LINE_SECTION)
			return place;
		// A comment block counts as common text once something other than the section follows it.
		if (run > 0 && kind != LINE_COMMENT)
			place = run;
		run = kind == LINE_COMMENT ? next : 0;
		if (kind == LINE_ENTRY)
			place = next;
		at = next;
	}
	return text.len;
}

static int addition_refuse(const struct manifest_addition *addition, const char *what, struct err *err)
{
	char brief[64];
	return err_set(err, ERR_INPUT, "%s cannot be written into a manifest: %s",
		       text_brief(span_text(addition->variable), brief, sizeof(brief)), what);
}

static int addition_check(const struct manifest_addition *addition, struct err *err)
{
	if (!variable_is_valid(span_text(addition->variable)))
		return addition_refuse(addition, "it is no name for an environment variable", err);
	if (addition->secret && !name_is_valid(span_text(addition->secret)))
		return addition_refuse(addition,
				       "the secret's name is not valid; choose another with letters and digits", err);
	if (addition->secret)
		return 0;
	// A carriage return passes the check before a newline, but there is no escape that would bring it back.
	if (text_find_unprintable(addition->text) ||
	    (addition->text.len && memchr(addition->text.data, '\r', addition->text.len)))
		return addition_refuse(addition, "its text is not printable UTF-8; store it as a secret instead", err);
	return 0;
}

static int append_quoted(struct span text, struct buf *out, struct err *err)
{
	int r = buf_append_byte(out, '"', err);
	for (size_t i = 0; r == 0 && i < text.len; i++) {
		uint8_t byte = text.data[i];
		bool escape = byte == '"' || byte == '\\' || byte == '\n' || byte == '\t';
		if (escape)
			r = buf_append_byte(out, '\\', err);
		if (r == 0)
			r = buf_append_byte(out, byte == '\n' ? 'n' : byte == '\t' ? 't' : byte, err);
	}
	return r < 0 ? r : buf_append_byte(out, '"', err);
}

static int append_addition(const struct manifest_addition *addition, const char *line_end, struct buf *out,
			   struct err *err)
{
	int r = buf_append_text(out, addition->variable, err);
	if (r == 0)
		r = buf_append_byte(out, '=', err);
	if (r == 0)
		r = addition->secret ? buf_append_text(out, addition->secret, err)
				     : append_quoted(addition->text, out, err);
	return r < 0 ? r : buf_append_text(out, line_end, err);
}

static bool addition_is_last(const struct manifest_addition *additions, size_t count, size_t index)
{
	for (size_t i = index + 1; i < count; i++)
		if (strcmp(additions[i].variable, additions[index].variable) == 0)
			return false;
	return true;
}

// Appends the lines that are new; *ret_entries grows by their number.
static int append_new(const struct manifest *present, const struct manifest_addition *additions, size_t count,
		      const char *line_end, size_t *ret_entries, struct buf *out, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		int r = addition_check(&additions[i], err);
		if (r < 0)
			return r;
		if (manifest_lookup(present, NULL, additions[i].variable) || !addition_is_last(additions, count, i))
			continue;
		r = append_addition(&additions[i], line_end, out, err);
		if (r < 0)
			return r;
		(*ret_entries)++;
	}
	return 0;
}

// Joins head, new lines and tail, with a line end where the head lacks one and an empty line before a section.
static int append_joined(struct span head, struct span lines, struct span tail, const char *line_end, struct buf *out,
			 struct err *err)
{
	bool is_cut = head.len > text_bom_bytes(head) && head.data[head.len - 1] != '\n';
	int r = buf_append(out, head, err);
	if (r == 0 && is_cut && lines.len > 0)
		r = buf_append_text(out, line_end, err);
	if (r == 0)
		r = buf_append(out, lines, err);
	if (r == 0 && lines.len > 0 && tail.len > 0 && line_classify(tail) != LINE_EMPTY)
		r = buf_append_text(out, line_end, err);
	return r < 0 ? r : buf_append(out, tail, err);
}

int manifest_merge(struct span existing, const char *label, const struct manifest_addition *additions, size_t count,
		   struct buf *out, struct err *err)
{
	_cleanup_manifest_ struct manifest present = {0};
	_cleanup_buf_ struct buf lines = BUF_INIT(MANIFEST_BYTES_MAX);
	_cleanup_buf_ struct buf merged = BUF_INIT(MANIFEST_BYTES_MAX);
	int r = manifest_parse(existing, label, &present, err);
	if (r < 0)
		return r;
	const char *line_end = text_is_crlf(existing) ? "\r\n" : "\n";
	size_t entries = present.count;
	r = append_new(&present, additions, count, line_end, &entries, &lines, err);
	if (r < 0)
		return r;
	if (entries > MANIFEST_ENTRIES_MAX)
		return err_set(err, ERR_LIMIT, "a manifest holds at most %d variables", MANIFEST_ENTRIES_MAX);
	size_t place = merge_place(existing);
	struct span head = place ? span_of(existing.data, place) : span_text("");
	struct span tail = place < existing.len ? span_of(existing.data + place, existing.len - place) : span_text("");
	r = append_joined(head, buf_span(&lines), tail, line_end, &merged, err);
	if (r < 0)
		return r;
	merged.max = out->max;
	*out = merged;
	merged = BUF_INIT(0);
	return 0;
}
