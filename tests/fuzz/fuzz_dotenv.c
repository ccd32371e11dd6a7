// Any bytes parse into places inside the text, in order, each with a decoded value no longer than its raw one. What
// passes for a plain setting can be written into a manifest and is read back exactly.
#include "manifest/manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_inside(struct span part, const uint8_t *data, size_t len)
{
	require(part.data >= data && part.len <= len && part.data + part.len <= data + len);
}

static void require_writable(struct span variable, struct span value)
{
	_cleanup_buf_ struct buf text = BUF_INIT(MANIFEST_BYTES_MAX);
	_cleanup_manifest_ struct manifest m = {0};
	struct err err = {0};
	char name[NAME_BYTES_MAX + 1];
	memcpy(name, variable.data, variable.len);
	name[variable.len] = 0;
	struct manifest_addition addition = {.variable = name, .text = value};
	require(manifest_merge(span_text(""), "fuzz", &addition, 1, &text, &err) == 0);
	require(manifest_parse(buf_span(&text), "fuzz", &m, &err) == 0 && m.count == 1);
	require(span_is_equal(span_text(m.entries[0].text), value));
}

static void require_entry(const struct dotenv_entry *entry, const uint8_t *data, size_t len)
{
	require(variable_is_valid(entry->variable));
	require_inside(entry->variable, data, len);
	require_inside(entry->raw, data, len);
	require(!memchr(entry->raw.data, 0, entry->raw.len));
	// Exactly as long as promised, so that a byte too many is seen.
	_cleanup_free_ uint8_t *decoded = malloc(entry->raw.len ? entry->raw.len : 1);
	require(decoded != NULL);
	size_t decoded_len = dotenv_decode(entry, decoded);
	require(decoded_len <= entry->raw.len);
	require(entry->quote != DOTENV_PLAIN || !memchr(decoded, '\n', decoded_len));
	struct span value = span_of(decoded, decoded_len);
	if (setting_is_plain(entry->variable, value))
		require_writable(entry->variable, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_dotenv_ struct dotenv dotenv = {0};
	struct err err = {0};
	if (dotenv_parse(span_of(data, len), &dotenv, &err) < 0) {
		require(err.code == ERR_LIMIT);
		return 0;
	}
	unsigned lines = 1;
	for (size_t i = 0; i < len; i++)
		lines += data[i] == '\n';
	for (size_t i = 0; i < dotenv.count; i++) {
		require_entry(&dotenv.entries[i], data, len);
		require(dotenv.entries[i].line >= 1 && dotenv.entries[i].line <= lines);
		require(i == 0 || dotenv.entries[i - 1].line < dotenv.entries[i].line);
	}
	for (size_t i = 0; i < dotenv.problem_count; i++) {
		require(dotenv.problems[i].line >= 1 && dotenv.problems[i].line <= lines &&
			dotenv.problems[i].column >= 1);
		require(i == 0 || dotenv.problems[i - 1].line < dotenv.problems[i].line);
	}
	return 0;
}
