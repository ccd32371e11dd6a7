// bench_identity PATH ROUNDS: what it costs to know which program runs: found, judged, copied and digested, with no
// digest kept ("cold"); and for a system file, with its digest kept ("kept"). One line of JSON: microseconds, medians.
#include "bench.h"
#include "program/digest_cache.h"
#include "program/program.h"

#include <inttypes.h>
#include <stdio.h>

#define ROUNDS_MAX 1000

static int identify(const char *path, struct digest_cache *cache, bool *ret_system, double *ret_us, struct err *err)
{
	_cleanup_program_ struct program *program = NULL;
	double from = now_us();
	int r = program_resolve(path, &(struct program_options){.digest_later = true}, &program, err);
	if (r == 0)
		r = program_digest(program, cache, err);
	if (r < 0)
		return r;
	*ret_us = now_us() - from;
	*ret_system = program->is_system;
	return 0;
}

// Of a system file.
static int kept_measure(const char *path, uint64_t rounds, double *out_us, struct err *err)
{
	double samples[ROUNDS_MAX], ignored_us;
	struct digest_cache cache = {0};
	bool is_system = false;
	int r = identify(path, &cache, &is_system, &ignored_us, err);
	if (r == 0 && cache.count == 0)
		return err_set(err, ERR_INPUT, "the file is too small or too new for its digest to be kept");
	for (uint64_t i = 0; r == 0 && i < rounds; i++)
		r = identify(path, &cache, &is_system, &samples[i], err);
	if (r == 0)
		*out_us = median(samples, rounds);
	return r;
}

static int bench(const char *path, const char *rounds_text, struct err *err)
{
	double samples[ROUNDS_MAX], kept_us = 0;
	bool is_system = false;
	uint64_t rounds;
	int r = text_parse_u64(rounds_text, "ROUNDS", 1, ROUNDS_MAX, &rounds, err);
	if (r == 0)
		r = cipher_start(err);
	for (uint64_t i = 0; r == 0 && i < rounds; i++)
		r = identify(path, NULL, &is_system, &samples[i], err);
	if (r == 0 && is_system)
		r = kept_measure(path, rounds, &kept_us, err);
	if (r < 0)
		return r;
	printf("{\"is_system\": %s, \"cold_us\": %.0f", is_system ? "true" : "false", median(samples, rounds));
	if (is_system)
		printf(", \"kept_us\": %.0f", kept_us);
	puts("}");
	return 0;
}

int main(int argc, char **argv)
{
	struct err err = {0};
	if (argc != 3) {
		fputs("usage: bench_identity PATH ROUNDS\n", stderr);
		return 2;
	}
	if (bench(argv[1], argv[2], &err) == 0)
		return 0;
	fprintf(stderr, "bench_identity: %s\n", err.text);
	return 1;
}
