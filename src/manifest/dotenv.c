#include "manifest/manifest.h"
#include "manifest/manifest_text.h"

#include <stdlib.h>
#include <string.h>

// The reader's place in the text. What a value holds is never copied: entries and problems are places.
struct scan {
	struct dotenv *dotenv;
	size_t entry_capacity;
	size_t problem_capacity;
	bool is_crlf;
	unsigned line;
	const uint8_t *start; // of the line
	const uint8_t *at;
	const uint8_t *end; // of the text
};

void dotenv_done(struct dotenv *dotenv)
{
	free(dotenv->entries);
	free(dotenv->problems);
	*dotenv = (struct dotenv){0};
}

// Makes room for one more element. `what` names the elements in the sentence.
static int array_grow(void **array, size_t count, size_t *capacity, size_t element_bytes, const char *what,
		      struct err *err)
{
	if (count == MANIFEST_ENTRIES_MAX)
		return err_set(err, ERR_LIMIT, "the dotenv file has more than %d %s; split it, or check that it is one",
			       MANIFEST_ENTRIES_MAX, what);
	if (count < *capacity)
		return 0;
	size_t wanted = *capacity ? *capacity * 2 : 16;
	void *grown = reallocarray(*array, wanted, element_bytes);
	if (!grown)
		return err_set(err, ERR_MEMORY, "out of memory for a dotenv file");
	*array = grown;
	*capacity = wanted;
	return 0;
}

static int scan_report(struct scan *s, unsigned line, size_t column, const char *what, struct err *err)
{
	struct dotenv *d = s->dotenv;
	void *problems = d->problems;
	int r = array_grow(&problems, d->problem_count, &s->problem_capacity, sizeof(*d->problems),
			   "lines that cannot be read", err);
	d->problems = problems;
	if (r < 0)
		return r;
	d->problems[d->problem_count++] =
	    (struct dotenv_problem){.line = line, .column = (unsigned)column, .what = what};
	return 0;
}

static int scan_problem(struct scan *s, const uint8_t *at, const char *what, struct err *err)
{
	return scan_report(s, s->line, (size_t)(at - s->start) + 1, what, err);
}

static int scan_add(struct scan *s, const struct dotenv_entry *entry, struct err *err)
{
	struct dotenv *d = s->dotenv;
	void *entries = d->entries;
	int r = array_grow(&entries, d->count, &s->entry_capacity, sizeof(*d->entries), "assignments", err);
	d->entries = entries;
	if (r < 0)
		return r;
	d->entries[d->count++] = *entry;
	return 0;
}

static bool byte_is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

// True at \n, at \r\n, at the end of the text, and at a \r that is its last byte.
static bool scan_is_line_end(const struct scan *s, const uint8_t *at)
{
	if (at < s->end && *at == '\r')
		at++;
	else if (at < s->end)
		return *at == '\n';
	return at == s->end || *at == '\n';
}

static const uint8_t *scan_skip_blanks(const struct scan *s, const uint8_t *at)
{
	while (at < s->end && byte_is_blank(*at))
		at++;
	return at;
}

static const uint8_t *scan_find_line_end(const struct scan *s, const uint8_t *at)
{
	while (!scan_is_line_end(s, at))
		at++;
	return at;
}

// Steps over `export` and the blanks behind it, unless it is a variable of that name.
static void scan_skip_export(struct scan *s)
{
	struct span word = SPAN_LITERAL("export");
	if (!span_has_prefix(span_of(s->at, (size_t)(s->end - s->at)), word))
		return;
	const uint8_t *behind = s->at + word.len;
	const uint8_t *name = scan_skip_blanks(s, behind);
	if (name > behind && name < s->end && *name != '=')
		s->at = name;
}

static bool byte_is_variable(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

// Reads the variable and its '='. *ret_ok tells whether there is an assignment; else the problem is noted.
static int scan_variable(struct scan *s, struct span *ret_variable, bool *ret_ok, struct err *err)
{
	const uint8_t *start = s->at;
	while (s->at < s->end && byte_is_variable(*s->at))
		s->at++;
	struct span variable = span_of(start, (size_t)(s->at - start));
	const uint8_t *sign = scan_skip_blanks(s, s->at);
	if (sign < s->end && *sign == ':' && variable.len > 0)
		return scan_problem(s, sign, "':' where '=' is needed (this looks like YAML)", err);
	if (variable.len == 0 && sign < s->end && *sign == '=')
		return scan_problem(s, sign, "no name before '='", err);
	if (sign == s->at && !scan_is_line_end(s, sign) && *sign != '=')
		return scan_problem(s, sign, "a name holds only letters, digits and '_'", err);
	if (sign == s->end || *sign != '=')
		return scan_problem(s, sign, "a name without '='", err);
	if (variable.data[0] >= '0' && variable.data[0] <= '9')
		return scan_problem(s, start, "a name cannot begin with a digit", err);
	if (!variable_is_valid(variable))
		return scan_problem(s, start, "the name is too long (255 bytes at most)", err);
	s->at = scan_skip_blanks(s, sign + 1);
	*ret_variable = variable;
	*ret_ok = true;
	return 0;
}

// The quote that ends the value, or NULL.
static const uint8_t *scan_find_quote(const struct scan *s, const uint8_t *at, uint8_t quote)
{
	for (; at < s->end && *at != quote; at++)
		if (quote == '"' && *at == '\\' && at + 1 < s->end)
			at++;
	return at < s->end ? at : NULL;
}

static int scan_quoted(struct scan *s, struct dotenv_entry *entry, bool *ret_ok, struct err *err)
{
	static const char not_closed[] = "a quote opens here and is not closed";
	const uint8_t *open = s->at;
	const uint8_t *close = scan_find_quote(s, open + 1, *open);
	if (!close) {
		s->at = scan_find_line_end(s, open);
		return scan_problem(s, open, not_closed, err);
	}
	entry->quote = *open == '"' ? DOTENV_DOUBLE : DOTENV_SINGLE;
	entry->raw = span_of(open + 1, (size_t)(close - open) - 1);
	const uint8_t *behind = scan_skip_blanks(s, close + 1);
	bool is_clean = scan_is_line_end(s, behind) || *behind == '#';
	bool is_one_line = !memchr(open, '\n', (size_t)(close - open));
	// More likely a quote somebody forgot to close, which the next one has closed, than a value of several lines.
	if (!is_clean && !is_one_line) {
		s->at = scan_find_line_end(s, open);
		return scan_problem(s, open, not_closed, err);
	}
	s->at = scan_find_line_end(s, behind);
	if (!is_clean)
		return scan_problem(s, behind, "text behind the closing quote", err);
	*ret_ok = true;
	return 0;
}

static int scan_bare(struct scan *s, struct dotenv_entry *entry, bool *ret_ok, struct err *err)
{
	const uint8_t *start = s->at;
	const uint8_t *line_end = scan_find_line_end(s, start);
	const uint8_t *end = start;
	while (end < line_end && !(*end == '#' && byte_is_blank(end[-1])))
		end++;
	while (end > start && byte_is_blank(end[-1]))
		end--;
	s->at = line_end;
	const uint8_t *cr = memchr(start, '\r', (size_t)(end - start));
	if (cr)
		return scan_problem(s, cr, "a carriage return within the line", err);
	entry->quote = DOTENV_PLAIN;
	entry->raw = span_of(start, (size_t)(end - start));
	*ret_ok = true;
	return 0;
}

// Counts the lines that begin between `s->start` and `at`, and makes the last one the present one.
static void scan_count_lines(struct scan *s, const uint8_t *at)
{
	const uint8_t *newline;
	while ((newline = memchr(s->start, '\n', (size_t)(at - s->start)))) {
		s->start = newline + 1;
		s->line++;
	}
}

static int scan_assignment(struct scan *s, struct err *err)
{
	struct dotenv_entry entry = {.line = s->line, .is_crlf = s->is_crlf};
	bool ok = false;
	int r = scan_variable(s, &entry.variable, &ok, err);
	if (r < 0 || !ok) {
		s->at = scan_find_line_end(s, s->at);
		return r;
	}
	ok = false;
	bool is_quoted = s->at < s->end && (*s->at == '"' || *s->at == '\'' || *s->at == '`');
	r = is_quoted ? scan_quoted(s, &entry, &ok, err) : scan_bare(s, &entry, &ok, err);
	if (r < 0 || !ok)
		return r;
	const uint8_t *nul = entry.raw.len > 0 ? memchr(entry.raw.data, 0, entry.raw.len) : NULL;
	if (!nul)
		return scan_add(s, &entry, err);
	scan_count_lines(s, nul);
	return scan_problem(s, nul, "a NUL byte, which no environment variable can hold", err);
}

static int scan_line(struct scan *s, struct err *err)
{
	s->at = scan_skip_blanks(s, s->at);
	if (scan_is_line_end(s, s->at))
		return 0;
	if (*s->at == '#') {
		s->at = scan_find_line_end(s, s->at);
		return 0;
	}
	scan_skip_export(s);
	return scan_assignment(s, err);
}

// Steps over the line end at which reading stopped.
static void scan_finish_line(struct scan *s)
{
	if (s->at < s->end && *s->at == '\r')
		s->at++;
	if (s->at < s->end)
		s->at++;
	scan_count_lines(s, s->at);
}

int dotenv_parse(struct span text, struct dotenv *out, struct err *err)
{
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	if (text.len > DOTENV_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "the dotenv file is larger than %u bytes", DOTENV_BYTES_MAX);
	size_t bom = text_bom_bytes(text);
	struct span body = bom < text.len ? span_of(text.data + bom, text.len - bom) : span_text("");
	struct scan s = {.dotenv = &dotenv,
			 .is_crlf = text_is_crlf(body),
			 .line = 1,
			 .start = body.data,
			 .at = body.data,
			 .end = body.data + body.len};
	int r = 0;
	if (span_has_prefix(body, SPAN_LITERAL("\xff\xfe")) || span_has_prefix(body, SPAN_LITERAL("\xfe\xff"))) {
		r = scan_report(&s, 1, 1, "the file is UTF-16; save it as UTF-8", err);
		s.at = s.end;
	}
	while (r == 0 && s.at < s.end) {
		r = scan_line(&s, err);
		scan_finish_line(&s);
	}
	if (r < 0)
		return r;
	*out = dotenv;
	dotenv = (struct dotenv){0};
	return 0;
}

// What a backslash and this byte stand for; 0: they stand for themselves.
static uint8_t escape_decode(uint8_t byte)
{
	static const struct {
		uint8_t letter;
		uint8_t byte;
	} escapes[] = {{'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'\\', '\\'}, {'"', '"'}, {'$', '$'}};
	for (size_t i = 0; i < ARRAY_COUNT(escapes); i++)
		if (escapes[i].letter == byte)
			return escapes[i].byte;
	return 0;
}

size_t dotenv_decode(const struct dotenv_entry *entry, uint8_t *out)
{
	struct span raw = entry->raw;
	size_t len = 0;
	for (size_t i = 0; i < raw.len; i++) {
		uint8_t byte = raw.data[i];
		uint8_t next = i + 1 < raw.len ? raw.data[i + 1] : 0;
		uint8_t escaped = entry->quote == DOTENV_DOUBLE && byte == '\\' ? escape_decode(next) : 0;
		if (escaped) {
			out[len++] = escaped;
			i++;
			continue;
		}
		if (entry->quote != DOTENV_PLAIN && entry->is_crlf && byte == '\r' && next == '\n')
			continue;
		out[len++] = byte;
	}
	return len;
}
