#include "guard/guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

const char *guard_variable(const struct guard_source *source, const char *name)
{
	size_t len = strlen(name);
	for (char *const *entry = source->environment; entry && *entry; entry++)
		if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=' && (*entry)[len + 1])
			return *entry + len + 1;
	return NULL;
}

const char *guard_variable_set(const struct guard_source *source, const char *const names[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (guard_variable(source, names[i]))
			return names[i];
	return NULL;
}

bool guard_path_next(const char **rest, struct span *out)
{
	if (!*rest)
		return false;
	size_t len = strcspn(*rest, ":");
	*out = span_of(*rest, len);
	*rest = (*rest)[len] ? *rest + len + 1 : NULL;
	return true;
}

static const struct guard_check *check_at(size_t index)
{
	const struct {
		const struct guard_check *checks;
		size_t count;
	} tables[] = {
		{guard_process_checks, guard_process_check_count},
		{guard_memory_checks, guard_memory_check_count},
		{guard_kernel_checks, guard_kernel_check_count},
		{guard_namespace_checks, guard_namespace_check_count},
		{guard_terminal_checks, guard_terminal_check_count},
		{guard_input_checks, guard_input_check_count},
		{guard_files_checks, guard_files_check_count},
	};
	for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
		if (index < tables[i].count)
			return &tables[i].checks[index];
		index -= tables[i].count;
	}
	return NULL;
}

bool finding_kind_at(size_t index, struct finding_kind *out)
{
	const struct guard_check *check = check_at(index);
	if (check)
		*out = (struct finding_kind){check->id, check->worst};
	return check != NULL;
}

bool finding_kind_find(struct span id, struct finding_kind *out)
{
	struct finding_kind kind;
	for (size_t i = 0; finding_kind_at(i, &kind); i++)
		if (span_is_equal(span_text(kind.id), id)) {
			*out = kind;
			return true;
		}
	return false;
}

static bool check_is_wanted(const struct guard_check *check, const struct guard_source *source)
{
	const struct finding_kind kind = {check->id, check->worst};
	return !source->is_wanted || source->is_wanted(source->wanted_context, &kind);
}

int guard_check(const struct guard_source *given, int (*each)(void *context, const struct finding *finding),
		void *context)
{
	struct guard_source source = given ? *given : (struct guard_source){0};
	source.proc = source.proc ? source.proc : "/proc";
	source.sys = source.sys ? source.sys : "/sys";
	source.etc = source.etc ? source.etc : "/etc";
	source.dev = source.dev ? source.dev : "/dev";
	source.environment = source.environment ? source.environment : environ;
	int r = 0;
	const struct guard_check *check;
	for (size_t i = 0; r == 0 && (check = check_at(i)); i++) {
		if (!check_is_wanted(check, &source))
			continue;
		struct finding finding = {.id = check->id, .category = check->category};
		check->run(&source, &finding);
		r = each(context, &finding);
	}
	return r;
}
