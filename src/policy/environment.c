#include "policy/path.h"
#include "policy/steering.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void environment_done(struct environment *environment)
{
	char **lists[] = {environment->entries, environment->dropped, environment->path_dropped};
	size_t counts[] = {environment->count, environment->dropped_count, environment->path_dropped_count};
	for (size_t l = 0; l < ARRAY_COUNT(lists); l++) {
		for (size_t i = 0; i < counts[l]; i++)
			free(lists[l][i]);
		free(lists[l]);
	}
	free(environment->path);
	*environment = (struct environment){0};
}

// Appends a copy to a NULL-terminated list.
static int list_add(char ***list, size_t *count, struct span text, struct err *err)
{
	char *copy = strndup((const char *)text.data, text.len);
	char **grown = copy ? reallocarray(*list, *count + 2, sizeof(*grown)) : NULL;
	if (!grown) {
		free(copy);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	grown[(*count)++] = copy;
	grown[*count] = NULL;
	*list = grown;
	return 0;
}

static bool list_has(char *const *list, size_t count, struct span text)
{
	for (size_t i = 0; i < count; i++)
		if (span_is_equal(span_text(list[i]), text))
			return true;
	return false;
}

static int list_add_once(char ***list, size_t *count, struct span text, struct err *err)
{
	return list_has(*list, *count, text) ? 0 : list_add(list, count, text, err);
}

static bool is_kept(struct span name, const char *const keep[], size_t keep_count)
{
	for (size_t i = 0; i < keep_count; i++)
		if (span_is_equal(span_text(keep[i]), name))
			return true;
	return false;
}

static bool has_variable(const struct environment *environment, struct span name)
{
	for (size_t i = 0; i < environment->count; i++) {
		struct span entry = span_text(environment->entries[i]);
		if (entry.len > name.len && entry.data[name.len] == '=' && span_has_prefix(entry, name))
			return true;
	}
	return false;
}

static bool entry_is_roots(struct span entry)
{
	char path[PATH_MAX];
	struct stat st;
	if (entry.len >= sizeof(path))
		return false;
	memcpy(path, entry.data, entry.len);
	path[entry.len] = 0;
	return stat(path, &st) == 0 && st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int path_clean(struct environment *environment, enum environment_mode mode, const char *path, struct err *err)
{
	char **good = NULL;
	size_t good_count = 0;
	_cleanup_buf_ struct buf joined = BUF_INIT(1u << 20);
	int r = 0;
	for (const char *at = path; r == 0 && at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		struct span entry = span_of(at, strcspn(at, ":"));
		if (list_has(good, good_count, entry))
			continue;
		if (!path_entry_is_safe(entry) || (mode == ENVIRONMENT_ALLOWED && !entry_is_roots(entry))) {
			r = list_add_once(&environment->path_dropped, &environment->path_dropped_count, entry, err);
			continue;
		}
		r = list_add(&good, &good_count, entry, err);
		if (r == 0 && joined.len > 0)
			r = buf_append_byte(&joined, ':', err);
		if (r == 0)
			r = buf_append(&joined, entry, err);
	}
	for (size_t i = 0; i < good_count; i++)
		free(good[i]);
	free(good);
	if (r == 0) {
		environment->path = strdup(joined.len > 0 ? buf_text(&joined) : PATH_DEFAULT);
		r = environment->path ? 0 : err_set(err, ERR_MEMORY, "out of memory");
	}
	return r;
}

static int path_add(struct environment *environment, enum environment_mode mode, const char *path, struct err *err)
{
	_cleanup_buf_ struct buf entry = BUF_INIT(1u << 21);
	int r = path_clean(environment, mode, path, err);
	if (r == 0)
		r = buf_printf(&entry, err, "PATH=%s", environment->path);
	return r < 0 ? r : list_add(&environment->entries, &environment->count, buf_span(&entry), err);
}

// What programs need to know of the user and the terminal, and what steers none of them in its plain shape.
static bool is_allowed(struct span name)
{
	static const char *const names[] = {"COLUMNS", "HOME", "LANG", "LC_ALL", "LINES",
					    "LOGNAME", "SHELL", "TERM", "TZ", "USER"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (span_is_equal(span_text(names[i]), name))
			return true;
	return false;
}

static bool passes_by_mode(enum environment_mode mode, struct span name, struct span value)
{
	bool is_fit = mode == ENVIRONMENT_ALLOWED ? is_allowed(name) : !variable_is_steering(name);
	return is_fit && variable_has_plain_shape(name, value);
}

static int variable_add(struct environment *environment, enum environment_mode mode, struct span entry,
			const char *const keep[], size_t keep_count, struct err *err)
{
	const uint8_t *equals = memchr(entry.data, '=', entry.len);
	struct span name = span_of(entry.data, equals ? (size_t)(equals - entry.data) : entry.len);
	// What stands there without a '=' is not a name, and not fit for a log.
	if (!equals)
		name = SPAN_LITERAL("(entry without a name)");
	struct span value = equals ? span_of(equals + 1, entry.len - name.len - 1) : span_of("", 0);
	bool own = span_has_prefix(name, SPAN_LITERAL("ENVSEAL_"));
	bool kept = is_kept(name, keep, keep_count) && !own;
	bool passes = equals && variable_is_valid(name) && !has_variable(environment, name) &&
		      (kept || passes_by_mode(mode, name, value));
	if (passes)
		return list_add(&environment->entries, &environment->count, entry, err);
	return list_add_once(&environment->dropped, &environment->dropped_count, name, err);
}

static int name_compare(const void *a, const void *b)
{
	char *const *left = a, *const *right = b;
	return strcmp(*left, *right);
}

// What was given is not repeated: it may be a value that was typed where a name belongs, as in -s NAME=VALUE.
static int variable_name_refuse(struct err *err)
{
	return err_set(err, ERR_USAGE, "what was given cannot be the name of a variable: letters, digits and '_', no digit first");
}

static int keep_check(const char *const keep[], size_t keep_count, struct err *err)
{
	for (size_t i = 0; i < keep_count; i++) {
		char brief[64];
		struct span name = span_text(keep[i]);
		text_brief(name, brief, sizeof(brief));
		if (!variable_is_valid(name))
			return variable_name_refuse(err);
		if (span_has_prefix(name, SPAN_LITERAL("ENVSEAL_")) || span_is_equal(name, SPAN_LITERAL("PATH")))
			return err_set(err, ERR_USAGE, "%s cannot be kept as it is: %s", brief,
				       brief[0] == 'P' ? "it is always cleaned; name the program by its path instead"
						       : "envseal's own variables are for envseal only");
	}
	return 0;
}

int environment_build(enum environment_mode mode, char *const envp[], const char *const keep[], size_t keep_count,
		      struct environment *out, struct err *err)
{
	_cleanup_(environment_done) struct environment environment = {0};
	const char *path = NULL;
	int r = keep_check(keep, keep_count, err);
	for (size_t i = 0; r == 0 && envp[i]; i++) {
		if (strncmp(envp[i], "PATH=", 5) != 0)
			r = variable_add(&environment, mode, span_text(envp[i]), keep, keep_count, err);
		else if (path)
			r = list_add_once(&environment.dropped, &environment.dropped_count, SPAN_LITERAL("PATH"), err);
		else
			path = envp[i] + 5;
	}
	// The caller's PATH has no say where nothing of the caller's is taken over.
	if (!path || mode == ENVIRONMENT_ALLOWED)
		path = PATH_DEFAULT;
	if (r == 0)
		r = path_add(&environment, mode, path, err);
	if (r < 0)
		return r;
	if (environment.dropped_count > 1)
		qsort(environment.dropped, environment.dropped_count, sizeof(char *), name_compare);
	*out = environment;
	environment = (struct environment){0};
	return 0;
}

static int variable_refuse(struct span name, struct err *err)
{
	char brief[64];
	return err_set(err, ERR_USAGE, "the variable %s steers how programs run, so nothing is put into it; choose "
				       "another name, or set it yourself and keep it with --keep-env",
		       text_brief(name, brief, sizeof(brief)));
}

static int variable_check_name(struct span name, struct err *err)
{
	if (!variable_is_valid(name))
		return variable_name_refuse(err);
	if (span_is_equal(name, SPAN_LITERAL("PATH")) || span_is_equal(name, SPAN_LITERAL("HOME")))
		return variable_refuse(name, err);
	return 0;
}

int variable_check_secret(const char *name, struct err *err)
{
	struct span text = span_text(name);
	int r = variable_check_name(text, err);
	if (r < 0)
		return r;
	// Variables that must have a plain shape are none for a secret either; "%/" is a value that none of them may
	// have.
	bool steering = variable_is_steering(text) && !variable_is_credential(text);
	return steering || !variable_has_plain_shape(text, SPAN_LITERAL("%/")) ? variable_refuse(text, err) : 0;
}

int variable_check_plain(const char *name, struct span value, struct err *err)
{
	struct span text = span_text(name);
	int r = variable_check_name(text, err);
	if (r < 0)
		return r;
	return variable_is_steering(text) || !variable_has_plain_shape(text, value) ? variable_refuse(text, err) : 0;
}
