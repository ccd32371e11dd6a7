#include "engine/engine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// One assignment of the file, decided.
struct import_item {
	const struct dotenv_entry *entry;
	char *variable;
	char *secret_name;   // NULL for plain and left-out ones
	struct secret *value;
	enum import_choice choice;
	bool is_weak;
};

struct import {
	struct engine *engine;
	const struct engine_import *request;
	struct secret *text;
	struct dotenv dotenv;
	struct import_item *items;
	size_t count;
	int dir_fd;       // folder of the file
	char *dir_path;
	char *base_name;
};

static void import_done(struct import *import)
{
	for (size_t i = 0; i < import->count; i++) {
		free(import->items[i].variable);
		free(import->items[i].secret_name);
		secret_free(import->items[i].value);
	}
	free(import->items);
	dotenv_done(&import->dotenv);
	secret_free(import->text);
	fd_close(&import->dir_fd);
	free(import->dir_path);
	free(import->base_name);
}

static bool word_listed(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static int import_read(struct import *import, struct err *err)
{
	const char *file = import->request->file;
	char brief[200];
	text_brief(span_text(file), brief, sizeof(brief));
	_cleanup_free_ char *copy_dir = strdup(file), *copy_base = strdup(file);
	if (!copy_dir || !copy_base)
		return err_set(err, ERR_MEMORY, "out of memory");
	import->dir_path = strdup(dirname(copy_dir));
	import->base_name = strdup(basename(copy_base));
	if (!import->dir_path || !import->base_name)
		return err_set(err, ERR_MEMORY, "out of memory");
	import->dir_fd = open(import->dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_fd_ int fd = import->dir_fd < 0 ? -1
						 : openat(import->dir_fd, import->base_name,
							  O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INPUT, errno, "cannot open %s", brief);
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_INPUT, "%s is not a regular file", brief);
	int r = secret_read_fd(fd, DOTENV_BYTES_MAX, brief, &import->text, err);
	return r < 0 ? r : dotenv_parse(secret_span(import->text), &import->dotenv, err);
}

static int import_report_problems(struct import *import, struct err *err)
{
	for (size_t i = 0; i < import->dotenv.problem_count; i++)
		import->request->problem(import->request->context, &import->dotenv.problems[i]);
	char brief[200];
	if (import->dotenv.problem_count > 0)
		return err_set(err, ERR_INPUT, "%zu line%s of %s cannot be read; nothing was changed",
			       import->dotenv.problem_count, import->dotenv.problem_count == 1 ? "" : "s",
			       text_brief(span_text(import->request->file), brief, sizeof(brief)));
	return 0;
}

// False when a later line assigns the same variable: the last one counts.
static bool entry_is_last(const struct dotenv *dotenv, size_t index)
{
	for (size_t i = index + 1; i < dotenv->count; i++)
		if (span_is_equal(dotenv->entries[i].variable, dotenv->entries[index].variable))
			return false;
	return true;
}

static int item_name(const struct import *import, struct import_item *item, struct err *err)
{
	const char *prefix = import->request->prefix;
	int r = prefix ? path_join(prefix, item->variable, &item->secret_name, err) : 0;
	if (!prefix)
		item->secret_name = strdup(item->variable);
	if (r == 0 && !item->secret_name)
		r = err_set(err, ERR_MEMORY, "out of memory");
	return r;
}

// Secret, plain or left out: by what the human said, else by how name and value look.
static int item_decide(const struct import *import, struct import_item *item, struct err *err)
{
	const struct engine_import *request = import->request;
	struct span variable = span_text(item->variable), value = secret_span(item->value);
	struct err ignored;
	bool as_secret = word_listed(item->variable, request->as_secret, request->as_secret_count);
	bool as_plain = word_listed(item->variable, request->as_plain, request->as_plain_count);
	bool plain = value.len == 0 || as_plain || (!as_secret && setting_is_plain(variable, value));
	int allowed = plain ? variable_check_plain(item->variable, value, &ignored)
			    : variable_check_secret(item->variable, &ignored);
	item->choice = allowed < 0 ? IMPORT_LEFT_OUT : plain ? IMPORT_PLAIN : IMPORT_SECRET;
	if (item->choice != IMPORT_SECRET)
		return 0;
	int r = item_name(import, item, err);
	if (r == 0)
		r = name_check(item->secret_name, err);
	item->is_weak = redact_value_is_weak(value, NULL);
	return r;
}

static int import_decide(struct import *import, struct err *err)
{
	import->items = calloc(import->dotenv.count + 1, sizeof(*import->items));
	if (!import->items)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < import->dotenv.count; i++) {
		const struct dotenv_entry *entry = &import->dotenv.entries[i];
		if (!entry_is_last(&import->dotenv, i))
			continue;
		struct import_item *item = &import->items[import->count++];
		item->entry = entry;
		item->variable = strndup((const char *)entry->variable.data, entry->variable.len);
		if (!item->variable)
			return err_set(err, ERR_MEMORY, "out of memory");
		int r = secret_new(entry->raw.len, SECRET_LOCK_REQUIRED, &item->value, err);
		if (r < 0)
			return r;
		secret_shorten(item->value, dotenv_decode(entry, secret_data(item->value)));
		r = item_decide(import, item, err);
		if (r < 0)
			return err_prefix(err, "line %u", entry->line);
	}
	return 0;
}

static int import_check_choices(const struct import *import, struct err *err)
{
	const struct engine_import *request = import->request;
	const struct {
		const char *const *words;
		size_t count;
	} lists[] = {{request->as_secret, request->as_secret_count}, {request->as_plain, request->as_plain_count}};
	for (size_t l = 0; l < ARRAY_COUNT(lists); l++)
		for (size_t w = 0; w < lists[l].count; w++) {
			bool found = false;
			char brief[64];
			for (size_t i = 0; i < import->count; i++)
				found = found || strcmp(import->items[i].variable, lists[l].words[w]) == 0;
			if (!found)
				return err_set(err, ERR_USAGE, "the file does not assign the variable %s",
					       text_brief(span_text(lists[l].words[w]), brief, sizeof(brief)));
			if (l == 0 && word_listed(lists[l].words[w], request->as_plain, request->as_plain_count))
				return err_set(err, ERR_USAGE, "%s is named by --secret and by --plain; give one of them",
					       text_brief(span_text(lists[l].words[w]), brief, sizeof(brief)));
		}
	return 0;
}

static void import_show(const struct import *import)
{
	for (size_t i = 0; i < import->count; i++) {
		const struct import_item *item = &import->items[i];
		struct import_line line = {.line = item->entry->line, .variable = item->variable, .secret = item->secret_name,
					   .choice = item->choice, .is_weak = item->is_weak};
		import->request->line(import->request->context, &line);
	}
}

// Weak values are named all at once, so that one look settles them.
static int import_check_weak(const struct import *import, struct err *err)
{
	if (import->request->allow_weak)
		return 0;
	for (size_t i = 0; i < import->count; i++)
		if (import->items[i].choice == IMPORT_SECRET && import->items[i].is_weak)
			return err_set(err, ERR_INPUT,
				       "the value of %s (line %u) is too short or too uniform to be masked reliably; take it as a "
				       "plain setting with --plain %s, or accept such values with --allow-weak",
				       import->items[i].variable, import->items[i].entry->line, import->items[i].variable);
	return 0;
}

// Stores one value; an equal one that is there already is left alone.
static int item_store(struct session *session, const struct engine_import *request, struct import_item *item,
		      struct err *err)
{
	_cleanup_secret_ struct secret *present = NULL;
	int r = vault_reveal(session->vault, item->secret_name, 0, &present, err);
	if (r == 0 && secret_is_equal(secret_span(present), secret_span(item->value))) {
		item->choice = IMPORT_UNCHANGED;
		return 0;
	}
	if (r == 0 && !request->replace)
		return err_set(err, ERR_EXISTS, "%s exists with another value (line %u); nothing was changed; --force stores new "
						"versions, --prefix stores under other names", item->secret_name, item->entry->line);
	if (r < 0 && r != ERR_NOT_FOUND)
		return r;
	return vault_put(session->vault, item->secret_name, secret_span(item->value), &VAULT_META_UNCHANGED, item->is_weak,
			 true, err);
}

static int import_store(struct import *import, struct session *session, struct err *err)
{
	json_t *names = json_array();
	int r = names ? session_begin(session, err) : err_set(err, ERR_MEMORY, "out of memory");
	size_t stored = 0;
	for (size_t i = 0; r == 0 && i < import->count; i++) {
		struct import_item *item = &import->items[i];
		if (item->choice != IMPORT_SECRET)
			continue;
		r = item_store(session, import->request, item, err);
		if (r == 0 && item->choice == IMPORT_SECRET) {
			json_array_append_new(names, json_string(item->secret_name));
			stored++;
		}
	}
	if (r < 0 || stored == 0) {
		json_decref(names);
		session_rollback(session);
		return r;
	}
	return session_commit(session, "import", json_pack("{s:o}", "secrets", names), err);
}

// The manifest as it will be; fails before anything is stored when it could not be written.
static int import_manifest(const struct import *import, struct buf *out, struct err *err)
{
	_cleanup_buf_ struct buf existing = BUF_INIT(MANIFEST_BYTES_MAX);
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ struct manifest_addition *additions = calloc(import->count + 1, sizeof(*additions));
	if (!additions)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = path_join(import->dir_path, MANIFEST_FILE_NAME, &path, err);
	if (r == 0)
		r = file_read_text(path, &existing, err);
	if (r < 0 && r != ERR_NOT_FOUND)
		return r;
	size_t count = 0;
	for (size_t i = 0; i < import->count; i++) {
		const struct import_item *item = &import->items[i];
		if (item->choice != IMPORT_LEFT_OUT)
			additions[count++] = (struct manifest_addition){.variable = item->variable, .secret = item->secret_name,
									.text = secret_span(item->value)};
	}
	return manifest_merge(buf_span(&existing), path, additions, count, out, err);
}

static bool import_has_left_out(const struct import *import)
{
	for (size_t i = 0; i < import->count; i++)
		if (import->items[i].choice == IMPORT_LEFT_OUT)
			return true;
	return false;
}

// Appends to a secret that is large enough.
static void rest_append(struct secret *rest, size_t *len, struct span bytes)
{
	if (bytes.len > 0)
		memcpy(secret_data(rest) + *len, bytes.data, bytes.len);
	*len += bytes.len;
}

// The lines that were left out, as they stood. They are settings, but a proxy's URL may hold a password.
static int import_rest(const struct import *import, struct secret **out, struct err *err)
{
	// Never longer than the file, but for "=" and the line end of each entry.
	_cleanup_secret_ struct secret *rest = NULL;
	int r = secret_new(secret_len(import->text) + 4 * import->count, SECRET_LOCK_REQUIRED, &rest, err);
	if (r < 0)
		return r;
	size_t len = 0;
	for (size_t i = 0; i < import->count; i++) {
		const struct import_item *item = &import->items[i];
		if (item->choice != IMPORT_LEFT_OUT)
			continue;
		// The quote itself stands in the text right before what it encloses.
		struct span raw = item->entry->raw;
		struct span quote = span_of(raw.data - 1, item->entry->quote == DOTENV_PLAIN ? 0 : 1);
		rest_append(rest, &len, item->entry->variable);
		rest_append(rest, &len, SPAN_LITERAL("="));
		rest_append(rest, &len, quote);
		rest_append(rest, &len, raw);
		rest_append(rest, &len, quote);
		rest_append(rest, &len, SPAN_LITERAL("\n"));
	}
	secret_shorten(rest, len);
	*out = TAKE_PTR(rest);
	return 0;
}

static int import_rewrite(const struct import *import, struct import_result *result, struct err *err)
{
	if (import_has_left_out(import)) {
		_cleanup_secret_ struct secret *rest = NULL;
		int r = import_rest(import, &rest, err);
		return r < 0 ? r : file_replace(import->dir_fd, import->base_name, secret_span(rest), 0600, err);
	}
	if (unlinkat(import->dir_fd, import->base_name, 0) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "the values are stored, but the file cannot be removed");
	result->file_removed = true;
	return 0;
}

static void import_count(const struct import *import, struct import_result *result)
{
	size_t *counters[] = {[IMPORT_SECRET] = &result->stored, [IMPORT_PLAIN] = &result->plain,
			      [IMPORT_UNCHANGED] = &result->unchanged, [IMPORT_LEFT_OUT] = &result->left_out};
	for (size_t i = 0; i < import->count; i++)
		(*counters[import->items[i].choice])++;
}

static int import_apply(struct import *import, struct import_result *out, struct err *err)
{
	_cleanup_buf_ struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
	_cleanup_session_ struct session session = {0};
	int r = import_manifest(import, &manifest, err);
	if (r == 0)
		r = session_open_unlocked(import->engine, &import->request->unlock, &session, err);
	if (r == 0)
		r = import_store(import, &session, err);
	if (r < 0)
		return r;
	struct import_result result = {0};
	import_count(import, &result);
	// Names only, made to be committed to a repository: readable like any other source file.
	r = file_replace(import->dir_fd, MANIFEST_FILE_NAME, buf_span(&manifest), 0644, err);
	if (r < 0)
		return err_prefix(err, "the values are stored, but the manifest %s/%s is not", import->dir_path, MANIFEST_FILE_NAME);
	result.manifest_written = true;
	if (import->request->rewrite)
		r = import_rewrite(import, &result, err);
	if (r == 0)
		*out = result;
	return r;
}

int engine_import(struct engine *engine, const struct engine_import *request, struct import_result *out, struct err *err)
{
	_cleanup_(import_done) struct import import = {.engine = engine, .request = request, .dir_fd = -1};
	int r = import_read(&import, err);
	if (r == 0)
		r = import_report_problems(&import, err);
	if (r == 0)
		r = import_decide(&import, err);
	if (r == 0)
		r = import_check_choices(&import, err);
	if (r < 0)
		return r;
	import_show(&import);
	r = import_check_weak(&import, err);
	if (r < 0)
		return r;
	if (!request->dry_run)
		return import_apply(&import, out, err);
	struct import_result result = {0};
	import_count(&import, &result);
	*out = result;
	return 0;
}
