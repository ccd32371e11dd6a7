#include "manifest/manifest.h"
#include "manifest/manifest_text.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_BRIEF_BYTES 200

// One line under the reader, and what was read before it.
struct parser {
	struct manifest *manifest;
	size_t capacity;
	const char *label;
	const char *profile;
	unsigned line;
	const uint8_t *start; // of the line
	const uint8_t *at;
	const uint8_t *end; // behind the line, without its line end
};

void manifest_done(struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++) {
		free(manifest->entries[i].variable);
		free(manifest->entries[i].secret);
		free(manifest->entries[i].text);
	}
	for (size_t i = 0; i < manifest->profile_count; i++)
		free(manifest->profiles[i]);
	free(manifest->entries);
	free(manifest->profiles);
	free(manifest->path);
	*manifest = (struct manifest){0};
}

static int parser_refuse(const struct parser *p, const uint8_t *at, const char *what, struct err *err)
{
	char brief[LABEL_BRIEF_BYTES];
	return err_set(err, ERR_INPUT, "%s, line %u, column %zu: %s",
		       text_brief(span_text(p->label), brief, sizeof(brief)), p->line, (size_t)(at - p->start) + 1,
		       what);
}

static int parser_out_of_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "out of memory for a manifest");
}

static bool byte_is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

static void parser_skip_blanks(struct parser *p)
{
	while (p->at < p->end && byte_is_blank(*p->at))
		p->at++;
}

// Takes everything up to a blank or `stop`.
static struct span parser_take_word(struct parser *p, uint8_t stop)
{
	const uint8_t *start = p->at;
	while (p->at < p->end && !byte_is_blank(*p->at) && *p->at != stop)
		p->at++;
	return span_of(start, (size_t)(p->at - start));
}

// Behind a value or a section only blanks and a comment may follow.
static int parser_expect_line_end(struct parser *p, struct err *err)
{
	parser_skip_blanks(p);
	if (p->at == p->end || *p->at == '#')
		return 0;
	return parser_refuse(p, p->at, "there is more behind the value; put text in quotes, or a '#' before a comment",
			     err);
}

static int span_to_text(struct span span, char **out, struct err *err)
{
	char *text = malloc(span.len + 1);
	if (!text)
		return parser_out_of_memory(err);
	if (span.len > 0)
		memcpy(text, span.data, span.len);
	text[span.len] = 0;
	*out = text;
	return 0;
}

// Reads "text" with its escapes, from the opening quote.
static int parser_take_text(struct parser *p, char **out, struct err *err)
{
	const uint8_t *open = p->at++;
	_cleanup_free_ char *text = malloc((size_t)(p->end - open));
	if (!text)
		return parser_out_of_memory(err);
	size_t len = 0;
	for (; p->at < p->end && *p->at != '"'; p->at++) {
		char byte = (char)*p->at;
		if (byte == '\\') {
			p->at++;
			if (p->at == p->end || !strchr("\"\\nt", *p->at))
				return parser_refuse(p, p->at - 1,
						     "the escapes are \\\" \\\\ \\n and \\t; write a backslash as \\\\",
						     err);
			byte = *p->at == 'n' ? '\n' : *p->at == 't' ? '\t' : (char)*p->at;
		}
		text[len++] = byte;
	}
	if (p->at == p->end)
		return parser_refuse(p, open, "the text is not closed; end it with a '\"' on the same line", err);
	p->at++;
	text[len] = 0;
	*out = TAKE_PTR(text);
	return 0;
}

static int parser_take_secret(struct parser *p, char **out, struct err *err)
{
	if (p->at == p->end || *p->at == '#')
		return parser_refuse(p, p->at, "there is no secret's name; for an empty text write \"\"", err);
	const uint8_t *start = p->at;
	struct span name = parser_take_word(p, 0);
	if (!name_is_valid(name))
		return parser_refuse(
		    p, start,
		    "this cannot be the name of a secret (letters, digits, '.', '_', '-', parts joined by "
		    "'/'); put plain text in double quotes",
		    err);
	return span_to_text(name, out, err);
}

static int manifest_add(struct parser *p, struct manifest_entry *entry, struct err *err)
{
	struct manifest *m = p->manifest;
	if (m->count == MANIFEST_ENTRIES_MAX)
		return err_set(err, ERR_LIMIT, "a manifest holds at most %d variables", MANIFEST_ENTRIES_MAX);
	if (m->count == p->capacity) {
		size_t capacity = p->capacity ? p->capacity * 2 : 16;
		struct manifest_entry *entries = reallocarray(m->entries, capacity, sizeof(*entries));
		if (!entries)
			return parser_out_of_memory(err);
		m->entries = entries;
		p->capacity = capacity;
	}
	m->entries[m->count++] = *entry;
	*entry = (struct manifest_entry){0};
	return 0;
}

static void entry_done(struct manifest_entry *entry)
{
	free(entry->variable);
	free(entry->secret);
	free(entry->text);
}

static int parser_assignment(struct parser *p, struct err *err)
{
	_cleanup_(entry_done) struct manifest_entry entry = {
	    .profile = p->profile, .line = p->line, .column = (unsigned)(p->at - p->start) + 1};
	const uint8_t *start = p->at;
	struct span variable = parser_take_word(p, '=');
	if (!variable_is_valid(variable))
		return parser_refuse(
		    p, start, "this cannot be an environment variable: letters, digits and '_', no digit first", err);
	parser_skip_blanks(p);
	if (p->at == p->end || *p->at != '=')
		return parser_refuse(p, p->at,
				     "a '=' must follow the variable: VARIABLE=secret-name or VARIABLE=\"text\"", err);
	p->at++;
	parser_skip_blanks(p);
	int r = span_to_text(variable, &entry.variable, err);
	if (r == 0 && p->at < p->end && *p->at == '"')
		r = parser_take_text(p, &entry.text, err);
	else if (r == 0)
		r = parser_take_secret(p, &entry.secret, err);
	if (r == 0)
		r = parser_expect_line_end(p, err);
	return r < 0 ? r : manifest_add(p, &entry, err);
}

static const char *manifest_profile(const struct manifest *manifest, const char *profile)
{
	for (size_t i = 0; i < manifest->profile_count; i++)
		if (strcmp(manifest->profiles[i], profile) == 0)
			return manifest->profiles[i];
	return NULL;
}

static int manifest_add_profile(struct parser *p, struct span name, struct err *err)
{
	struct manifest *m = p->manifest;
	_cleanup_free_ char *profile = NULL;
	int r = span_to_text(name, &profile, err);
	if (r < 0)
		return r;
	p->profile = manifest_profile(m, profile);
	if (p->profile)
		return 0;
	if (m->profile_count == MANIFEST_PROFILES_MAX)
		return err_set(err, ERR_LIMIT, "a manifest holds at most %d profiles", MANIFEST_PROFILES_MAX);
	char **profiles = reallocarray(m->profiles, m->profile_count + 1, sizeof(*profiles));
	if (!profiles)
		return parser_out_of_memory(err);
	m->profiles = profiles;
	p->profile = m->profiles[m->profile_count++] = TAKE_PTR(profile);
	return 0;
}

static int parser_section(struct parser *p, struct err *err)
{
	const uint8_t *open = p->at++;
	parser_skip_blanks(p);
	const uint8_t *start = p->at;
	struct span name = parser_take_word(p, ']');
	if (!name_is_valid(name) || memchr(name.data, '/', name.len))
		return parser_refuse(p, start, "this cannot be a profile's name: letters, digits, '.', '_' and '-'",
				     err);
	parser_skip_blanks(p);
	if (p->at == p->end || *p->at != ']')
		return parser_refuse(p, open, "the section's name is not closed; write [name]", err);
	p->at++;
	int r = parser_expect_line_end(p, err);
	return r < 0 ? r : manifest_add_profile(p, name, err);
}

static int parser_line(struct parser *p, struct err *err)
{
	parser_skip_blanks(p);
	if (p->at == p->end || *p->at == '#')
		return 0;
	return *p->at == '[' ? parser_section(p, err) : parser_assignment(p, err);
}

// Moves to the next line of the text, which ends at `text_end`. False when there is none.
static bool parser_next_line(struct parser *p, const uint8_t **rest, const uint8_t *text_end)
{
	if (*rest == text_end)
		return false;
	p->start = p->at = *rest;
	const uint8_t *newline = memchr(p->start, '\n', (size_t)(text_end - p->start));
	p->end = newline ? newline : text_end;
	*rest = newline ? newline + 1 : text_end;
	if (newline && p->end > p->start && p->end[-1] == '\r')
		p->end--;
	p->line++;
	return true;
}

// Order: section, variable, line.
static int entry_compare(const void *left, const void *right)
{
	const struct manifest_entry *const *a = left;
	const struct manifest_entry *const *b = right;
	int order = strcmp((*a)->profile ? (*a)->profile : "", (*b)->profile ? (*b)->profile : "");
	if (order == 0)
		order = strcmp((*a)->variable, (*b)->variable);
	return order != 0 ? order : ((*a)->line > (*b)->line) - ((*a)->line < (*b)->line);
}

// Refuses a variable that is set twice in one section; of several, the first in the file.
static int parser_check_twice(struct parser *p, struct err *err)
{
	const struct manifest *m = p->manifest;
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted
	_cleanup_free_ const struct manifest_entry **sorted = calloc(m->count + 1, sizeof(*sorted));
	if (!sorted)
		return parser_out_of_memory(err);
	for (size_t i = 0; i < m->count; i++)
		sorted[i] = &m->entries[i];
	// NOLINTNEXTLINE(bugprone-sizeof-expression): the same
	qsort(sorted, m->count, sizeof(*sorted), entry_compare);
	const struct manifest_entry *twice = NULL;
	unsigned earlier = 0;
	for (size_t i = 1; i < m->count; i++) {
		// A section's name is kept once, so that equal names are equal pointers.
		bool same = sorted[i]->profile == sorted[i - 1]->profile &&
			    strcmp(sorted[i]->variable, sorted[i - 1]->variable) == 0;
		if (same && (!twice || sorted[i]->line < twice->line)) {
			twice = sorted[i];
			earlier = sorted[i - 1]->line;
		}
	}
	if (!twice)
		return 0;
	char brief[LABEL_BRIEF_BYTES];
	return err_set(
	    err, ERR_INPUT,
	    "%s, line %u, column %u: this variable is set in line %u of the same section already; remove one",
	    text_brief(span_text(p->label), brief, sizeof(brief)), twice->line, twice->column, earlier);
}

// Finds what must not be in the file at all, wherever it stands.
static int parser_check_text(struct parser *p, struct span text, struct err *err)
{
	const uint8_t *bad = text_find_unprintable(text);
	if (!bad)
		return 0;
	const uint8_t *rest = text.data;
	while (rest <= bad && parser_next_line(p, &rest, text.data + text.len))
		;
	return parser_refuse(p, bad, "a control or invisible character, or a byte that is no UTF-8; remove it", err);
}

int manifest_parse(struct span text, const char *label, struct manifest *out, struct err *err)
{
	_cleanup_manifest_ struct manifest manifest = {0};
	char brief[LABEL_BRIEF_BYTES];
	if (text.len > MANIFEST_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "%s is larger than a manifest may be (%u bytes)",
			       text_brief(span_text(label), brief, sizeof(brief)), MANIFEST_BYTES_MAX);
	size_t bom = text_bom_bytes(text);
	struct span body = bom < text.len ? span_of(text.data + bom, text.len - bom) : span_text("");
	struct parser p = {.manifest = &manifest, .label = label};
	int r = parser_check_text(&p, body, err);
	if (r < 0)
		return r;
	const uint8_t *rest = body.data;
	while (r == 0 && parser_next_line(&p, &rest, body.data + body.len))
		r = parser_line(&p, err);
	if (r == 0)
		r = parser_check_twice(&p, err);
	if (r < 0)
		return r;
	*out = manifest;
	manifest = (struct manifest){0};
	return 0;
}

bool manifest_has_profile(const struct manifest *manifest, const char *profile)
{
	return manifest_profile(manifest, profile) != NULL;
}

const struct manifest_entry *manifest_lookup(const struct manifest *manifest, const char *profile, const char *variable)
{
	const struct manifest_entry *common = NULL;
	for (size_t i = 0; i < manifest->count; i++) {
		const struct manifest_entry *entry = &manifest->entries[i];
		if (strcmp(entry->variable, variable) != 0)
			continue;
		if (profile && entry->profile && strcmp(entry->profile, profile) == 0)
			return entry;
		if (!entry->profile)
			common = entry;
	}
	return common;
}
