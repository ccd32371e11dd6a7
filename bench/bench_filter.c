// bench_filter [-s SCENE] [-p] [-r FD] SECRETS: a filter from standard input to standard output with the secrets of a
// scene (bench_scene.h) in all forms: what `run` does to a program's output, and nothing else; compare it with cat on
// the same pipes. As in `run`, small pieces of output are gathered, and written when a read has been filtered. -p: without shadow matching. -r: writes a line to FD when it is ready to read, and at the end one
// line of JSON: what the work since then took.
#include "bench.h"
#include "bench_scene.h"
#include "bench_shadow.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536
#define PIPE_BYTES (1 << 20)
#define SECRETS_MAX 100000
#define GATHERED_BYTES (2 * READ_BYTES)

struct pump {
	const struct scene *scene;
	uint64_t secrets;
	uint64_t report_fd; // STDIN_FILENO: nobody is told
	bool is_plain;
	uint64_t read_bytes;
	uint64_t written_bytes;
	uint64_t leaks;
	uint8_t gathered[GATHERED_BYTES];
	size_t gathered_len;
};

static int pump_parse(int argc, char **argv, struct pump *out, struct err *err)
{
	out->scene = scene_find("clean");
	int option, r = 0;
	while (r == 0 && (option = getopt(argc, argv, "s:r:p")) != -1) {
		if (option == 's' && !(out->scene = scene_find(optarg)))
			r = err_set(err, ERR_USAGE, "there is no such scene");
		else if (option == 'r')
			r = text_parse_u64(optarg, "FD", 3, 1000, &out->report_fd, err);
		else if (option == 'p')
			out->is_plain = true;
		else if (option == '?')
			r = err_set(err, ERR_USAGE, "unknown option");
	}
	if (r == 0 && argc - optind != 1)
		r = err_set(err, ERR_USAGE, "SECRETS is missing");
	return r < 0 ? r : text_parse_u64(argv[optind], "SECRETS", 0, SECRETS_MAX, &out->secrets, err);
}

static int pump_write(struct pump *pump, struct span bytes, struct err *err)
{
	pump->written_bytes += bytes.len;
	return fd_write_all(STDOUT_FILENO, bytes, "standard output", err);
}

static int pump_flush(struct pump *pump, struct err *err)
{
	struct span gathered = span_of(pump->gathered, pump->gathered_len);
	pump->gathered_len = 0;
	return gathered.len > 0 ? pump_write(pump, gathered, err) : 0;
}

static int sink_write(void *context, struct span bytes, struct err *err)
{
	struct pump *pump = context;
	bool is_large = bytes.len >= GATHERED_BYTES / 4;
	int r = is_large || pump->gathered_len + bytes.len > GATHERED_BYTES ? pump_flush(pump, err) : 0;
	if (r < 0 || is_large)
		return r < 0 ? r : pump_write(pump, bytes, err);
	memcpy(pump->gathered + pump->gathered_len, bytes.data, bytes.len);
	pump->gathered_len += bytes.len;
	return 0;
}

static void sink_leak(void *context, const struct redact_leak *leak)
{
	struct pump *pump = context;
	(void)leak;
	pump->leaks++;
}

static int pump_run(struct pump *pump, const struct redactor *redactor, struct err *err)
{
	static _Alignas(4096) uint8_t bytes[READ_BYTES];
	struct redact_sink sink = {sink_write, sink_leak, pump};
	_cleanup_filter_ struct filter *filter = NULL;
	int r = filter_new(redactor, &sink, &filter, err);
	while (r == 0) {
		ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot read standard input");
		if (n == 0)
			break;
		pump->read_bytes += (uint64_t)n;
		r = filter_feed(filter, span_of(bytes, (size_t)n), err);
		if (r == 0)
			r = pump_flush(pump, err);
	}
	if (r == 0)
		r = filter_end(filter, err);
	return r == 0 ? pump_flush(pump, err) : r;
}

static int pump_report(struct pump *pump, const struct redactor *redactor, struct err *err)
{
	if (pump->report_fd == STDIN_FILENO)
		return pump_run(pump, redactor, err);
	int fd = (int)pump->report_fd;
	char line[256];
	int r = fd_write_all(fd, SPAN_LITERAL("ready\n"), "the report", err);
	double begin = cpu_us();
	if (r == 0)
		r = pump_run(pump, redactor, err);
	double spent = cpu_us() - begin;
	int len = snprintf(line, sizeof(line),
			   "{\"cpu_us\": %.0f, \"read\": %" PRIu64 ", \"written\": %" PRIu64
			   ", \"leaks\": %" PRIu64 "}\n",
			   spent, pump->read_bytes, pump->written_bytes, pump->leaks);
	return r < 0 ? r : fd_write_all(fd, span_of(line, (size_t)len), "the report", err);
}

int main(int argc, char **argv)
{
	struct err err;
	static struct pump pump;
	_cleanup_scene_ struct scene_data data = {0};
	_cleanup_redactor_ struct redactor *redactor = NULL;
	int r = pump_parse(argc, argv, &pump, &err);
	// Only pipes have a size to set, and an unprivileged user may be refused: it is no more than a wish.
	(void)fcntl(STDIN_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
	(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
	if (r == 0)
		r = scene_open(pump.scene, pump.secrets, &data, &err);
	if (r == 0)
		r = redactor_new(data.values, data.count, &redactor, &err);
	if (r == 0 && pump.is_plain)
		r = shadow_disable(redactor, &err);
	if (r == 0)
		r = pump_report(&pump, redactor, &err);
	if (r != 0)
		fprintf(stderr, "bench_filter: %s\n", err.text);
	if (r == ERR_USAGE)
		scene_print_names();
	return err_exit_status(r);
}
