// A filter from standard input to standard output with N made-up secrets of 20 to 64 bytes, in all forms: what `run`
// does to a program's output, and nothing else. `bench_filter N [SEED]`; compare it with cat on the same pipes.
#include "redact/redact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_BYTES 65536
#define PIPE_BYTES (1 << 20)
#define SECRETS_MAX 100000
#define SECRET_BYTES_LEAST 20
#define SECRET_BYTES_MOST 64
#define SEED_DEFAULT 1

static uint64_t rand_next(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15u;
	uint64_t z = *state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

struct bench_secrets {
	struct redact_value *values;
	uint8_t *bytes;
	char (*names)[32];
};

static void secrets_make(struct bench_secrets *s, size_t count, uint64_t seed)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	s->values = calloc(count + 1, sizeof(*s->values));
	s->bytes = calloc(count + 1, SECRET_BYTES_MOST);
	s->names = calloc(count + 1, sizeof(*s->names));
	if (!s->values || !s->bytes || !s->names)
		abort();
	for (size_t i = 0; i < count; i++) {
		uint8_t *value = s->bytes + i * SECRET_BYTES_MOST;
		size_t len = SECRET_BYTES_LEAST + rand_next(&seed) % (SECRET_BYTES_MOST - SECRET_BYTES_LEAST + 1);
		for (size_t at = 0; at < len; at++)
			value[at] = (uint8_t)letters[rand_next(&seed) % (sizeof(letters) - 1)];
		snprintf(s->names[i], sizeof(s->names[i]), "SECRET_%zu", i);
		s->values[i] = (struct redact_value){s->names[i], span_of(value, len)};
	}
}

static int sink_write(void *context, struct span bytes, struct err *err)
{
	(void)context;
	return fd_write_all(STDOUT_FILENO, bytes, "standard output", err);
}

static int bench_pump(const struct redactor *redactor, struct err *err)
{
	static uint8_t bytes[READ_BYTES];
	struct redact_sink sink = {.write = sink_write};
	_cleanup_filter_ struct filter *filter = NULL;
	int r = filter_new(redactor, &sink, &filter, err);
	while (r == 0) {
		ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot read standard input");
		if (n == 0)
			return filter_end(filter, err);
		r = filter_feed(filter, span_of(bytes, (size_t)n), err);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct err err;
	uint64_t count, seed = SEED_DEFAULT;
	if (argc < 2 || text_parse_u64(argv[1], "N", 0, SECRETS_MAX, &count, &err) < 0 ||
	    (argc > 2 && text_parse_u64(argv[2], "SEED", 0, UINT64_MAX, &seed, &err) < 0)) {
		fprintf(stderr, "usage: bench_filter N [SEED]\n");
		return 2;
	}
	// Only pipes have a size to set, and an unprivileged user may be refused: it is no more than a wish.
	(void)fcntl(STDIN_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
	(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
	struct bench_secrets secrets;
	secrets_make(&secrets, count, seed);
	_cleanup_redactor_ struct redactor *redactor = NULL;
	int r = redactor_new(secrets.values, count, &redactor, &err);
	if (r == 0)
		r = bench_pump(redactor, &err);
	free(secrets.values);
	free(secrets.bytes);
	free(secrets.names);
	if (r != 0)
		fprintf(stderr, "bench_filter: %s\n", err.text);
	return err_exit_status(r);
}
