// bench_broker latency ROUNDS -- ENVSEAL-COMMAND...: starts the command and, in turns, what stands behind its second "--" alone;
//              one line of JSON: medians and 99th percentiles, microseconds.
// bench_broker rate SECONDS PARALLEL -- COMMAND...: starts it again and again, so many at a time: how many ended per second.
// bench_broker burst COUNT -- COMMAND...: so many at once: how long until the last has ended.
// A command that does not end with 0 counts as failed.
#include "base/base.h"
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_MAX 100000

static pid_t start(char *const argv[])
{
	pid_t pid = fork();
	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static bool is_success(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static double once_us(char *const argv[], uint64_t *ret_failed)
{
	int status = 0;
	double began = now_us();
	pid_t pid = start(argv);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !is_success(status))
		++*ret_failed;
	return now_us() - began;
}

static char *const *inner_of(char *const argv[])
{
	while (*argv && strcmp(*argv, "--") != 0)
		argv++;
	return *argv ? argv + 1 : argv;
}

static int latency(uint64_t rounds, char *const argv[])
{
	uint64_t failed = 0;
	_cleanup_free_ double *outer = calloc(rounds, sizeof(*outer));
	_cleanup_free_ double *plain = calloc(rounds, sizeof(*plain));
	for (uint64_t i = 0; outer && plain && i < rounds; i++) {
		outer[i] = once_us(argv, &failed);
		plain[i] = once_us(inner_of(argv), &failed);
	}
	if (!outer || !plain)
		return 1;
	double outer_middle = median(outer, rounds), plain_middle = median(plain, rounds);
	printf("{\"p50_us\": %.0f, \"p99_us\": %.0f, \"plain_p50_us\": %.0f, \"plain_p99_us\": %.0f, \"failed\": %" PRIu64 "}\n",
	       outer_middle, outer[rounds * 99 / 100], plain_middle, plain[rounds * 99 / 100], failed);
	return 0;
}

static void ended(uint64_t *running, uint64_t *done, uint64_t *failed)
{
	int status = 0;
	if (waitpid(-1, &status, 0) < 0)
		return;
	--*running;
	++*done;
	*failed += !is_success(status);
}

static int rate(uint64_t seconds, uint64_t parallel, char *const argv[])
{
	uint64_t running = 0, done = 0, failed = 0;
	double began = now_us();
	while (now_us() - began < (double)seconds * 1e6) {
		while (running < parallel && start(argv) > 0)
			running++;
		ended(&running, &done, &failed);
	}
	while (running > 0)
		ended(&running, &done, &failed);
	printf("{\"per_s\": %.1f, \"failed\": %" PRIu64 "}\n", (double)done * 1e6 / (now_us() - began), failed);
	return 0;
}

static int burst(uint64_t count, char *const argv[])
{
	uint64_t running = 0, done = 0, failed = 0;
	double began = now_us();
	for (uint64_t i = 0; i < count; i++) {
		bool ok = start(argv) > 0;
		running += ok;
		failed += !ok;
	}
	while (running > 0)
		ended(&running, &done, &failed);
	printf("{\"seconds\": %.3f, \"failed\": %" PRIu64 "}\n", (now_us() - began) / 1e6, failed);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t first = 0, second = 0;
	struct err err;
	int numbers = argc > 1 && strcmp(argv[1], "rate") == 0 ? 2 : 1;
	bool ok = argc > numbers + 3 && strcmp(argv[numbers + 2], "--") == 0 &&
		  text_parse_u64(argv[2], "N", 1, COUNT_MAX, &first, &err) == 0 &&
		  (numbers == 1 || text_parse_u64(argv[3], "N", 1, COUNT_MAX, &second, &err) == 0);
	char *const *command = argv + numbers + 3;
	if (ok && strcmp(argv[1], "latency") == 0)
		return latency(first, command);
	if (ok && numbers == 2)
		return rate(first, second, command);
	if (ok && strcmp(argv[1], "burst") == 0)
		return burst(first, command);
	fputs("usage: bench_broker latency ROUNDS | rate SECONDS PARALLEL | burst COUNT -- COMMAND...\n", stderr);
	return 2;
}
