// bench_engine SCENE SECRETS: engines in memory, in turns, over the same text with the same needles, fed in pieces of
// 64 KiB: the filter with and without shadow matching (its output is counted and dropped), Hyperscan in streaming mode,
// and memcpy. One line of JSON with the medians, in GB per second of processor time.
#include "bench.h"
#include "bench_hyperscan.h"
#include "bench_scene.h"
#include "bench_shadow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 7
#define ROUND_US 25000
#define TEXT_BYTES (8 << 20)
#define CHUNK_BYTES 65536
#define SECRETS_MAX 100000

enum engine { ENGINE_COPY, ENGINE_FILTER, ENGINE_PLAIN, ENGINE_HYPERSCAN, ENGINE_COUNT };
static const char *const engine_names[ENGINE_COUNT] = {"memcpy", "filter", "plain", "hyperscan"};

struct contest {
	struct span text;
	struct redactor *redactors[ENGINE_COUNT]; // NULL where the engine does not run
	struct hyperscan *hyperscan;  // NULL where it cannot be had
	struct err no_hyperscan;      // why
	uint64_t found[ENGINE_COUNT];
	uint64_t written;
	double gb_per_s[ENGINE_COUNT];
};

static int sink_write(void *context, struct span bytes, struct err *err)
{
	struct contest *contest = context;
	(void)err;
	contest->written += bytes.len;
	return 0;
}

static void sink_leak(void *context, const struct redact_leak *leak)
{
	uint64_t *found = ((struct contest *)context)->found;
	(void)leak;
	found[ENGINE_FILTER]++;
}

static int scan_filter(struct contest *contest, const struct redactor *redactor, uint64_t *ret_found, struct err *err)
{
	struct redact_sink sink = {sink_write, sink_leak, contest};
	_cleanup_filter_ struct filter *filter = NULL;
	contest->found[ENGINE_FILTER] = contest->written = 0;
	int r = filter_new(redactor, &sink, &filter, err);
	for (size_t at = 0; at < contest->text.len && r == 0; at += CHUNK_BYTES)
		r = filter_feed(filter, span_of(contest->text.data + at, CHUNK_BYTES), err);
	if (r == 0)
		r = filter_end(filter, err);
	*ret_found = contest->found[ENGINE_FILTER];
	return r;
}

static void scan_copy(const struct contest *contest)
{
	static uint8_t room[CHUNK_BYTES];
	for (size_t at = 0; at < contest->text.len; at += CHUNK_BYTES) {
		memcpy(room, contest->text.data + at, CHUNK_BYTES);
		// Keeps the copy: nobody else looks at it.
		__asm__ volatile("" : : "r"(room) : "memory");
	}
}

static int scan(struct contest *contest, enum engine engine, struct err *err)
{
	if (contest->redactors[engine])
		return scan_filter(contest, contest->redactors[engine], &contest->found[engine], err);
	if (engine == ENGINE_COPY) {
		scan_copy(contest);
		return 0;
	}
	if (hyperscan_scan(contest->hyperscan, contest->text, CHUNK_BYTES, &contest->found[engine],
			   &contest->no_hyperscan) < 0)
		contest->hyperscan = hyperscan_free(contest->hyperscan);
	return 0;
}

static bool contest_has(const struct contest *contest, enum engine engine)
{
	if (engine == ENGINE_HYPERSCAN)
		return contest->hyperscan;
	return engine == ENGINE_COPY || contest->redactors[engine];
}

static int contest_run(struct contest *contest, struct err *err)
{
	double samples[ENGINE_COUNT][ROUNDS] = {0};
	for (size_t round = 0; round < ROUNDS; round++) {
		for (enum engine engine = 0; engine < ENGINE_COUNT; engine++) {
			if (!contest_has(contest, engine))
				continue;
			double begin = cpu_us(), spent = 0, passes = 0;
			for (; spent < ROUND_US && contest_has(contest, engine); passes++, spent = cpu_us() - begin) {
				int r = scan(contest, engine, err);
				if (r < 0)
					return r;
			}
			samples[engine][round] = passes * (double)contest->text.len / spent / 1e3;
		}
	}
	for (enum engine engine = 0; engine < ENGINE_COUNT; engine++)
		contest->gb_per_s[engine] = median(samples[engine], ROUNDS);
	return 0;
}

static void contest_print(const struct contest *contest, const char *scene, const struct scene_data *data)
{
	printf("{\"scene\": \"%s\", \"secrets\": %zu, \"needles\": %zu", scene, data->count, data->needle_count);
	for (enum engine engine = 0; engine < ENGINE_COUNT; engine++)
		if (contest_has(contest, engine))
			printf(", \"%s\": {\"gb_per_s\": %.3f, \"found\": %" PRIu64 "}", engine_names[engine],
			       contest->gb_per_s[engine], contest->found[engine]);
	if (contest->hyperscan)
		printf(", \"hyperscan_bytes\": %zu", hyperscan_bytes(contest->hyperscan));
	else
		printf(", \"hyperscan_missing\": \"%s\"", contest->no_hyperscan.text);
	puts("}");
}

static int engines_make(struct contest *contest, const struct scene_data *data, struct err *err)
{
	struct err ignored;
	int r = redactor_new(data->values, data->count, &contest->redactors[ENGINE_FILTER], err);
	if (r == 0)
		r = redactor_new(data->values, data->count, &contest->redactors[ENGINE_PLAIN], err);
	if (r == 0 && shadow_disable(contest->redactors[ENGINE_PLAIN], &ignored) < 0)
		redactor_free_ptr(&contest->redactors[ENGINE_PLAIN]);
	hyperscan_new(data->needles, data->needle_count, &contest->hyperscan, &contest->no_hyperscan);
	return r;
}

static int bench(const char *scene_name, uint64_t count, struct err *err)
{
	const struct scene *scene = scene_find(scene_name);
	_cleanup_scene_ struct scene_data data = {0};
	struct contest contest = {0};
	uint8_t *text = malloc(TEXT_BYTES);
	int r = text ? 0 : err_set(err, ERR_MEMORY, "out of memory");
	if (r == 0)
		r = scene ? scene_open(scene, count, &data, err) : err_set(err, ERR_USAGE, "there is no such scene");
	if (r == 0) {
		scene_write(scene, &data, text, TEXT_BYTES);
		contest.text = span_of(text, TEXT_BYTES);
		r = engines_make(&contest, &data, err);
	}
	if (r == 0)
		r = contest_run(&contest, err);
	if (r == 0)
		contest_print(&contest, scene_name, &data);
	for (enum engine engine = 0; engine < ENGINE_COUNT; engine++)
		redactor_free(contest.redactors[engine]);
	hyperscan_free(contest.hyperscan);
	free(text);
	return r;
}

int main(int argc, char **argv)
{
	struct err err;
	uint64_t count;
	if (argc != 3 || text_parse_u64(argv[2], "SECRETS", 1, SECRETS_MAX, &count, &err) < 0) {
		fprintf(stderr, "usage: bench_engine SCENE SECRETS\n");
		scene_print_names();
		return 2;
	}
	if (bench(argv[1], count, &err) == 0)
		return 0;
	fprintf(stderr, "bench_engine: %s\n", err.text);
	return 1;
}
