// redact: copies standard input to standard output with secrets masked, and tells on standard error what was found.
//
//	redact [-e VARIABLE | -f NAME=FILE]...
//
// -e masks the value of a variable of the environment, -f the content of a file. Values are never arguments: every user
// of the machine can read those.
//
//	cc redact.c -o redact $(pkg-config --cflags --libs envseal)
//	make test 2>&1 | ./redact -e NPM_TOKEN -f DEPLOY_KEY=/run/secrets/deploy_key
#include <envseal/redact.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// How long standard input must be silent before what is held may be shown.
#define QUIET_MS 20
#define READ_BYTES 65536

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "redact: %s: %s\n", what, why);
	return -1;
}

// ---------------------------------------------------------------------------------------------------------- values

static int add_variable(struct envseal_values *values, const char *name)
{
	const char *value = getenv(name);
	if (!value)
		return complain(name, "there is no such variable");
	struct envseal_error error;
	if (envseal_values_add(values, name, value, strlen(value), &error) < 0)
		return complain(name, error.text);
	return 0;
}

// Fills `room` from the file, not through stdio, whose buffer would keep a copy. Returns the length, or -1.
static ssize_t read_file(const char *path, unsigned char *room, size_t room_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	size_t len = 0;
	ssize_t got = 1;
	while (got != 0 && len < room_bytes) {
		got = read(fd, room + len, room_bytes - len);
		if (got < 0 && errno != EINTR)
			break;
		len += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	return got < 0 ? -1 : (ssize_t)len;
}

// `option` is NAME=FILE. Sentences leave the file out, in case somebody wrote a value in its place.
static int add_file(struct envseal_values *values, const char *option)
{
	char name[ENVSEAL_NAME_BYTES_MAX + 1] = "";
	const char *equals = strchr(option, '=');
	if (!equals || (size_t)(equals - option) >= sizeof(name))
		return complain("-f", "wants NAME=FILE");
	memcpy(name, option, (size_t)(equals - option));
	// One byte more than the limit, so that a longer file is refused and not cut.
	size_t room_bytes = ENVSEAL_VALUE_BYTES_MAX + 1;
	unsigned char *room = malloc(room_bytes);
	if (!room)
		return complain(name, "out of memory");
	struct envseal_error error;
	ssize_t len = read_file(equals + 1, room, room_bytes);
	int r = len < 0 ? complain(name, "its file cannot be read") : 0;
	if (r == 0 && envseal_values_add(values, name, room, (size_t)len, &error) < 0)
		r = complain(name, error.text);
	// The library has its own copy in locked memory.
	explicit_bzero(room, room_bytes);
	free(room);
	return r;
}

static int collect_values(struct envseal_values *values, int argc, char **argv)
{
	int option;
	while ((option = getopt(argc, argv, "e:f:")) != -1) {
		int r = -1;
		if (option == 'e')
			r = add_variable(values, optarg);
		else if (option == 'f')
			r = add_file(values, optarg);
		if (r < 0)
			return -1;
	}
	return optind == argc ? 0 : complain("usage", "redact [-e VARIABLE | -f NAME=FILE]...");
}

// ---------------------------------------------------------------------------------------------------------- stream

static int write_output(void *context, const void *bytes, size_t len)
{
	(void)context;
	for (const char *at = bytes; len > 0;) {
		ssize_t wrote = write(STDOUT_FILENO, at, len);
		if (wrote < 0 && errno != EINTR)
			return complain("standard output", strerror(errno));
		at += wrote > 0 ? wrote : 0;
		len -= wrote > 0 ? (size_t)wrote : 0;
	}
	return 0;
}

static void tell_leak(void *context, const struct envseal_leak *leak)
{
	(void)context;
	fprintf(stderr, "leak: %s as %s at byte %" PRIu64 ", %" PRIu64 " bytes%s\n", leak->name, leak->form,
		leak->offset, leak->len, leak->partial ? ", in part" : "");
}

// True when nothing has come for a moment, and something held could be shown meanwhile.
static int is_quiet(const struct envseal_stream *stream)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	return envseal_stream_can_show(stream) && poll(&input, 1, QUIET_MS) == 0;
}

static int copy_stream(struct envseal_stream *stream, struct envseal_error *error)
{
	static unsigned char bytes[READ_BYTES];
	for (;;) {
		if (is_quiet(stream) && envseal_stream_quiet(stream, error) < 0)
			return -1;
		ssize_t got = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return complain("standard input", strerror(errno));
		if (got == 0)
			return envseal_stream_end(stream, error);
		if (envseal_stream_feed(stream, bytes, (size_t)got, error) < 0)
			return -1;
	}
}

static int redact_input(const struct envseal_redactor *redactor)
{
	struct envseal_sink sink = {.size = sizeof(sink), .write = write_output, .leak = tell_leak};
	struct envseal_stream *stream = NULL;
	struct envseal_error error = {.code = ENVSEAL_OK};
	int r = envseal_stream_new(redactor, &sink, &stream, &error);
	if (r == 0)
		r = copy_stream(stream, &error);
	// What the callback or read complained of has been said already.
	if (r < 0 && error.code != ENVSEAL_OK && error.code != ENVSEAL_ERR_STOPPED)
		complain("redaction", error.text);
	envseal_stream_free(stream);
	return r;
}

int main(int argc, char **argv)
{
	struct envseal_values *values = NULL;
	struct envseal_redactor *redactor = NULL;
	struct envseal_error error;
	int r = envseal_values_new(&values, &error);
	if (r < 0)
		complain("values", error.text);
	else if (collect_values(values, argc, argv) < 0)
		r = 2;
	else if ((r = envseal_redactor_new(values, &redactor, &error)) < 0)
		complain("tables", error.text);
	// From here on only the tables are needed.
	envseal_values_free(values);
	if (r == 0)
		r = redact_input(redactor);
	envseal_redactor_free(redactor);
	return r < 0 ? 1 : r;
}
