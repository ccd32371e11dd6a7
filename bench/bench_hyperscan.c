#include "bench_hyperscan.h"

#include <hs.h>
#include <stdlib.h>

struct hyperscan {
	hs_database_t *database;
	hs_scratch_t *scratch;
	uint64_t matches; // of the present scan
};

// As regular expressions in which every byte is escaped: hs_compile_lit_multi takes the same needles, but a scan that
// comes upon some of them then ends with an error (5.4.0).
static void needles_escape(const struct span *needles, size_t count, const char **texts, char *room)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < count; i++) {
		texts[i] = room;
		for (size_t at = 0; at < needles[i].len; at++) {
			*room++ = '\\';
			*room++ = 'x';
			*room++ = digits[needles[i].data[at] >> 4];
			*room++ = digits[needles[i].data[at] & 15];
		}
		*room++ = 0;
	}
}

static int needles_compile(const struct span *needles, size_t count, hs_database_t **out, struct err *err)
{
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++)
		bytes += 4 * needles[i].len + 1;
	_cleanup_free_ char *room = malloc(bytes + 1);
	_cleanup_free_ const char **texts = calloc(count + 1, sizeof(*texts));
	_cleanup_free_ unsigned *ids = calloc(count + 1, sizeof(*ids));
	if (!room || !texts || !ids)
		return err_set(err, ERR_MEMORY, "out of memory");
	needles_escape(needles, count, texts, room);
	for (size_t i = 0; i < count; i++)
		ids[i] = (unsigned)i;
	hs_compile_error_t *error = NULL;
	if (hs_compile_multi(texts, NULL, ids, (unsigned)count, HS_MODE_STREAM, NULL, out, &error) == HS_SUCCESS)
		return 0;
	int r = err_set(err, ERR_NO, "Hyperscan does not take these needles: %s", error->message);
	hs_free_compile_error(error);
	return r;
}

int hyperscan_new(const struct span *needles, size_t count, struct hyperscan **out, struct err *err)
{
	struct hyperscan *h = calloc(1, sizeof(*h));
	if (!h)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = needles_compile(needles, count, &h->database, err);
	if (r == 0 && hs_alloc_scratch(h->database, &h->scratch) != HS_SUCCESS)
		r = err_set(err, ERR_NO, "Hyperscan has no room to work in");
	if (r < 0) {
		hyperscan_free(h);
		return r;
	}
	*out = h;
	return 0;
}

struct hyperscan *hyperscan_free(struct hyperscan *hyperscan)
{
	if (!hyperscan)
		return NULL;
	hs_free_scratch(hyperscan->scratch);
	hs_free_database(hyperscan->database);
	free(hyperscan);
	return NULL;
}

size_t hyperscan_bytes(const struct hyperscan *hyperscan)
{
	size_t bytes = 0;
	hs_database_size(hyperscan->database, &bytes);
	return bytes;
}

static int count_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
	struct hyperscan *hyperscan = context;
	(void)id, (void)from, (void)to, (void)flags;
	hyperscan->matches++;
	return 0;
}

static hs_error_t scan_stream(struct hyperscan *h, hs_stream_t *stream, struct span text, size_t chunk)
{
	hs_error_t error = HS_SUCCESS;
	for (size_t at = 0; at < text.len && error == HS_SUCCESS; at += chunk) {
		size_t len = text.len - at < chunk ? text.len - at : chunk;
		const char *bytes = (const char *)text.data + at;
		error = hs_scan_stream(stream, bytes, (unsigned)len, 0, h->scratch, count_match, h);
	}
	return error;
}

int hyperscan_scan(struct hyperscan *hyperscan, struct span text, size_t chunk, uint64_t *out_matches, struct err *err)
{
	hs_stream_t *stream;
	hyperscan->matches = 0;
	hs_error_t error = hs_open_stream(hyperscan->database, 0, &stream);
	if (error == HS_SUCCESS)
		error = scan_stream(hyperscan, stream, text, chunk);
	if (error == HS_SUCCESS)
		error = hs_close_stream(stream, hyperscan->scratch, count_match, hyperscan);
	if (error != HS_SUCCESS)
		return err_set(err, ERR_NO, "Hyperscan fails on this text with its error %d", error);
	*out_matches = hyperscan->matches;
	return 0;
}
