// bench_source [-s SCENE] [-n SECRETS] [-b BLOCK] [-g] [-r FD] BYTES: writes BYTES bytes of a scene's text
// (bench_scene.h) to standard output in writes of BLOCK bytes, as the producer of a benchmark's pipe. With -g it first
// writes one newline, waits for a byte on standard input, and after the text for the end of standard input, so that
// what starts it can look at what surrounds it before and after; -r writes a newline to FD too at that point.
#include "bench_scene.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// The text repeats after this many bytes.
#define TEXT_BYTES (1 << 20)
#define PIPE_BYTES (1 << 20)
#define BLOCK_BYTES 65536
#define SECRETS_MAX 100000

struct source {
	const struct scene *scene;
	uint64_t secrets;
	uint64_t block;
	uint64_t bytes;
	uint64_t report_fd; // STDIN_FILENO: nobody is told
	bool is_gated;
};

static int source_parse(int argc, char **argv, struct source *out, struct err *err)
{
	*out = (struct source){.scene = scene_find("clean"), .block = BLOCK_BYTES};
	int option, r = 0;
	while (r == 0 && (option = getopt(argc, argv, "s:n:b:gr:")) != -1) {
		if (option == 's' && !(out->scene = scene_find(optarg)))
			r = err_set(err, ERR_USAGE, "there is no such scene");
		else if (option == 'n')
			r = text_parse_u64(optarg, "SECRETS", 0, SECRETS_MAX, &out->secrets, err);
		else if (option == 'b')
			r = text_parse_u64(optarg, "BLOCK", 1, TEXT_BYTES, &out->block, err);
		else if (option == 'r')
			r = text_parse_u64(optarg, "FD", 3, 1000, &out->report_fd, err);
		else if (option == 'g')
			out->is_gated = true;
		else if (option == '?')
			r = err_set(err, ERR_USAGE, "unknown option");
	}
	if (r == 0 && argc - optind != 1)
		r = err_set(err, ERR_USAGE, "BYTES is missing");
	return r < 0 ? r : text_parse_u64(argv[optind], "BYTES", 0, UINT64_MAX, &out->bytes, err);
}

static int source_write(const struct source *source, const uint8_t *text, struct err *err)
{
	size_t at = 0;
	for (uint64_t left = source->bytes; left > 0;) {
		size_t take = source->block < left ? (size_t)source->block : (size_t)left;
		take = take < TEXT_BYTES - at ? take : TEXT_BYTES - at;
		int r = fd_write_all(STDOUT_FILENO, span_of(text + at, take), "standard output", err);
		if (r < 0)
			return r;
		left -= take;
		at = (at + take) % TEXT_BYTES;
	}
	return 0;
}

// False at the end of standard input.
static bool source_wait(void)
{
	char byte;
	ssize_t n;
	do
		n = read(STDIN_FILENO, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

static int source_run(const struct source *source, struct err *err)
{
	static uint8_t text[TEXT_BYTES];
	_cleanup_scene_ struct scene_data data = {0};
	int r = scene_open(source->scene, source->secrets, &data, err);
	if (r < 0)
		return r;
	scene_write(source->scene, &data, text, sizeof(text));
	// The pipe is as large as envseal makes those of the programs it starts.
	(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
	if (!source->is_gated)
		return source_write(source, text, err);
	r = fd_write_all(STDOUT_FILENO, SPAN_LITERAL("\n"), "standard output", err);
	if (r == 0 && source->report_fd != STDIN_FILENO)
		r = fd_write_all((int)source->report_fd, SPAN_LITERAL("\n"), "the report", err);
	if (r < 0 || !source_wait())
		return r;
	r = source_write(source, text, err);
	while (r == 0 && source_wait())
		;
	return r;
}

int main(int argc, char **argv)
{
	struct err err;
	struct source source;
	int r = source_parse(argc, argv, &source, &err);
	if (r == 0)
		r = source_run(&source, &err);
	if (r < 0)
		fprintf(stderr, "bench_source: %s\n", err.text);
	if (r == ERR_USAGE)
		scene_print_names();
	return err_exit_status(r);
}
