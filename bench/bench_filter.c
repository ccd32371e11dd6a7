// bench_filter [-s SCENE] [-p] [-r FD] SECRETS: a filter from standard input to standard output with the secrets of a
// scene (bench_scene.h) in all forms: what `run` does to a program's output, and nothing else; compare it with cat on
// the same pipes. As in `run`, output is gathered into whole pages while there is more to read. -p: without shadow matching. -r: writes a line to FD when it is ready to read, and at the end one
// line of JSON: what the work since then took.
#include "bench.h"
#include "bench_scene.h"
#include "bench_shadow.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define READ_BYTES 65536
#define PIPE_BYTES (1 << 20)
#define SECRETS_MAX 100000

struct pump {
	const struct scene *scene;
	uint64_t secrets;
	uint64_t report_fd; // STDIN_FILENO: nobody is told
	bool is_plain;
	uint64_t read_bytes;
	uint64_t written_bytes;
	uint64_t leaks;
	struct gather gather;
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

static int pump_write(void *context, struct span bytes, struct err *err)
{
	struct pump *pump = context;
	pump->written_bytes += bytes.len;
	return fd_write_all(STDOUT_FILENO, bytes, "standard output", err);
}

static int sink_write(void *context, struct span bytes, struct err *err)
{
	struct pump *pump = context;
	return gather_add(&pump->gather, bytes, err);
}

static void sink_leak(void *context, const struct redact_leak *leak)
{
	struct pump *pump = context;
	(void)leak;
	pump->leaks++;
}

// Nothing to read: what waits is written before the next byte is waited for.
static int pump_wait(struct pump *pump, struct err *err)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	int r = gather_flush(&pump->gather, err);
	if (r == 0 && poll(&input, 1, -1) < 0 && errno != EINTR)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot wait for standard input");
	return r;
}

static int pump_feed(struct pump *pump, struct filter *filter, struct span bytes, struct err *err)
{
	pump->read_bytes += bytes.len;
	int r = filter_feed(filter, bytes, err);
	return r == 0 ? gather_pages(&pump->gather, err) : r;
}

static int pump_run(struct pump *pump, const struct redactor *redactor, struct err *err)
{
	static _Alignas(GATHER_PAGE_BYTES) uint8_t room[GATHER_PAGE_BYTES + READ_BYTES];
	uint8_t *block = room + GATHER_PAGE_BYTES;
	struct redact_sink sink = {sink_write, sink_leak, pump};
	_cleanup_filter_ struct filter *filter = NULL;
	int r = gather_init(&pump->gather, pump_write, pump, block, err);
	if (r == 0)
		r = filter_new(redactor, &sink, &filter, err);
	while (r == 0) {
		ssize_t n = read(STDIN_FILENO, block, READ_BYTES);
		if (n == 0)
			break;
		if (n > 0)
			r = pump_feed(pump, filter, span_of(block, (size_t)n), err);
		else if (errno == EAGAIN || errno == EINTR)
			r = pump_wait(pump, err);
		else
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot read standard input");
	}
	if (r == 0)
		r = filter_end(filter, err);
	return r == 0 ? gather_flush(&pump->gather, err) : r;
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
	(void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
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
