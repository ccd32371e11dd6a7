#include "guard/guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

// Files with one line.
#define LINE_BYTES_MAX 4096

const char *finding_severity_name(enum finding_severity severity)
{
	static const char *const names[] = {
		[FINDING_OK] = "ok", [FINDING_NOTE] = "note", [FINDING_WARN] = "warn", [FINDING_BAD] = "bad"};
	return names[severity];
}

void finding_set(struct finding *finding, enum finding_severity severity, const char *remedy, const char *format, ...)
{
	finding->severity = severity;
	snprintf(finding->remedy, sizeof(finding->remedy), "%s", remedy);
	va_list args;
	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
}

void finding_unknown(struct finding *finding, const char *path)
{
	finding_set(finding, FINDING_NOTE, "", "not known: %s cannot be read here", path);
}

bool guard_read(const char *root, const char *path, struct buf *out)
{
	_cleanup_free_ char *full = NULL;
	struct err ignored;
	if (path_join(root, path, &full, &ignored) < 0)
		return false;
	_cleanup_fd_ int fd = open(full, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, out, path, &ignored) < 0)
		return false;
	if (out->len > 0 && out->data[out->len - 1] == '\n')
		out->data[--out->len] = 0;
	return true;
}

bool guard_read_number(const char *root, const char *path, long long *out)
{
	_cleanup_buf_ struct buf text = BUF_INIT(LINE_BYTES_MAX);
	if (!guard_read(root, path, &text))
		return false;
	char *end = NULL;
	errno = 0;
	long long number = strtoll(buf_text(&text), &end, 10);
	if (errno != 0 || end == buf_text(&text) || *end != 0)
		return false;
	*out = number;
	return true;
}

const char *guard_variable_set(const char *const names[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = getenv(names[i]);
		if (value && value[0])
			return names[i];
	}
	return NULL;
}

static int checks_run(const struct guard_check *checks, size_t count, const struct guard_source *source,
		      int (*each)(void *context, const struct finding *finding), void *context)
{
	for (size_t i = 0; i < count; i++) {
		struct finding finding = {.id = checks[i].id, .category = checks[i].category};
		checks[i].run(source, &finding);
		int r = each(context, &finding);
		if (r != 0)
			return r;
	}
	return 0;
}

int guard_check(const struct guard_source *given, int (*each)(void *context, const struct finding *finding),
		void *context)
{
	const struct guard_source source = {
		.proc = given && given->proc ? given->proc : "/proc",
		.sys = given && given->sys ? given->sys : "/sys",
	};
	const struct {
		const struct guard_check *checks;
		size_t count;
	} tables[] = {
		{guard_process_checks, guard_process_check_count},
		{guard_memory_checks, guard_memory_check_count},
		{guard_kernel_checks, guard_kernel_check_count},
		{guard_terminal_checks, guard_terminal_check_count},
	};
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(tables); i++)
		r = checks_run(tables[i].checks, tables[i].count, &source, each, context);
	return r;
}
