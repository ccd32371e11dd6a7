// Any text either parses into a manifest whose parts are valid, or is refused with a sentence that is printable. What
// parses can be merged with, and what was merged is read back. Input: text, and behind its last NUL the text of one
// addition (the parser refuses NULs, so nothing is lost to it).
#include "manifest/manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_printable(const struct err *err)
{
	for (const char *at = err->text; *at; at++)
		require(*at >= 0x20 && *at < 0x7f);
}

static void require_valid(const struct manifest *m)
{
	require(m->count <= MANIFEST_ENTRIES_MAX && m->profile_count <= MANIFEST_PROFILES_MAX);
	for (size_t i = 0; i < m->count; i++) {
		const struct manifest_entry *entry = &m->entries[i];
		require(variable_is_valid(span_text(entry->variable)));
		require((entry->secret == NULL) != (entry->text == NULL));
		require(!entry->secret || name_is_valid(span_text(entry->secret)));
		require(!entry->text || !strchr(entry->text, 0x1b));
		require(!entry->profile || manifest_has_profile(m, entry->profile));
		require(manifest_lookup(m, entry->profile, entry->variable) == entry);
		require(i == 0 || m->entries[i - 1].line < entry->line);
	}
}

static void require_same(const struct manifest_entry *a, const struct manifest_entry *b)
{
	require(a && b && (a->secret == NULL) == (b->secret == NULL));
	require(strcmp(a->secret ? a->secret : a->text, b->secret ? b->secret : b->text) == 0);
}

static void require_merge(struct span text, struct span addition_text, const struct manifest *before)
{
	_cleanup_buf_ struct buf merged = BUF_INIT(MANIFEST_BYTES_MAX);
	_cleanup_manifest_ struct manifest after = {0};
	struct err err = {0};
	struct manifest_addition additions[] = {{.variable = "A", .text = addition_text},
						{.variable = "B", .secret = "b/c"}};
	if (manifest_merge(text, "fuzz", additions, ARRAY_COUNT(additions), &merged, &err) < 0) {
		require(err.code == ERR_INPUT || err.code == ERR_LIMIT);
		require_printable(&err);
		return;
	}
	require(manifest_parse(buf_span(&merged), "fuzz", &after, &err) == 0);
	require_valid(&after);
	for (size_t i = 0; i < before->count; i++)
		require_same(&before->entries[i],
			     manifest_lookup(&after, before->entries[i].profile, before->entries[i].variable));
	require(manifest_lookup(&after, NULL, "B") != NULL);
	if (manifest_lookup(before, NULL, "A"))
		return;
	const struct manifest_entry *added = manifest_lookup(&after, NULL, "A");
	require(added && added->text && span_is_equal(span_text(added->text), addition_text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_manifest_ struct manifest m = {0};
	struct err err = {0};
	const uint8_t *nul = len > 0 ? memrchr(data, 0, len) : NULL;
	struct span text = span_of(data, nul ? (size_t)(nul - data) : len);
	struct span addition = nul ? span_of(nul + 1, len - text.len - 1) : span_text("x");
	if (manifest_parse(text, "fuzz", &m, &err) < 0) {
		require(err.code == ERR_INPUT || err.code == ERR_LIMIT);
		require_printable(&err);
		return 0;
	}
	require_valid(&m);
	require_merge(text, addition, &m);
	return 0;
}
