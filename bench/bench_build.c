// bench_build SECRETS: makes the tables for the secrets of the scene "clean", in all forms; one line of JSON with the
// median time and the memory they take.
#include "bench.h"
#include "bench_scene.h"

#include <inttypes.h>
#include <stdio.h>

#define ROUNDS 7
#define SECRETS_MAX 100000

static int build_once(const struct scene_data *data, double *out_us, size_t *out_bytes, struct err *err)
{
	_cleanup_redactor_ struct redactor *redactor = NULL;
	double begin = now_us();
	int r = redactor_new(data->values, data->count, &redactor, err);
	*out_us = now_us() - begin;
	if (r == 0)
		*out_bytes = redactor_bytes(redactor);
	return r;
}

static int build(uint64_t count, struct err *err)
{
	_cleanup_scene_ struct scene_data data = {0};
	double us[ROUNDS];
	size_t bytes = 0, needle_bytes = 0;
	int r = scene_open(scene_find("clean"), count, &data, err);
	for (size_t i = 0; i < ROUNDS && r == 0; i++)
		r = build_once(&data, &us[i], &bytes, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < data.needle_count; i++)
		needle_bytes += data.needles[i].len;
	printf("{\"secrets\": %" PRIu64 ", \"needles\": %zu, \"needle_bytes\": %zu, \"build_ms\": %.3f, "
	       "\"bytes\": %zu}\n",
	       count, data.needle_count, needle_bytes, median(us, ROUNDS) / 1e3, bytes);
	return 0;
}

int main(int argc, char **argv)
{
	struct err err;
	uint64_t count;
	if (argc != 2 || text_parse_u64(argv[1], "SECRETS", 0, SECRETS_MAX, &count, &err) < 0) {
		fprintf(stderr, "usage: bench_build SECRETS\n");
		return 2;
	}
	if (build(count, &err) == 0)
		return 0;
	fprintf(stderr, "bench_build: %s\n", err.text);
	return 1;
}
