// Any bytes as a program's file are refused, or are a binary, or a script: then its interpreter is an absolute path, and
// interpreter and argument hold all of the first line but the blanks around them.
#include "program/program_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_refused(int r, const struct err *err)
{
	require(r == ERR_NO_EXEC && err->code == r);
	for (const char *at = err->text; *at; at++)
		require(*at >= 0x20 && *at < 0x7f);
}

static void require_text(const char *text, struct span line)
{
	struct span word = span_text(text);
	require(word.len > 0 && memmem(line.data, line.len, word.data, word.len) && !memchr(word.data, '\n', word.len));
	require(!strchr(" \t", word.data[0]) && !strchr(" \t", word.data[word.len - 1]));
}

static void check_line(const char *interpreter, const char *argument, struct span line)
{
	require(interpreter[0] == '/' && !strpbrk(interpreter, " \t"));
	require_text(interpreter, line);
	if (argument)
		require_text(argument, line);
	// Nothing of the line is lost but blanks.
	size_t kept = 2 + strlen(interpreter) + (argument ? strlen(argument) : 0), blanks = 0;
	for (size_t i = 0; i < line.len; i++)
		blanks += line.data[i] == ' ' || line.data[i] == '\t';
	for (const char *at = argument; at && *at; at++)
		blanks -= *at == ' ' || *at == '\t';
	require(kept + blanks == line.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err;
	_cleanup_fd_ int fd = memfd_create("fuzz", MFD_CLOEXEC);
	require(fd >= 0 && fd_write_all(fd, span_of(data, len), "the script", &err) == 0);
	_cleanup_free_ char *interpreter = NULL, *argument = NULL;
	int r = script_parse(fd, "/fuzz", &interpreter, &argument, &err);
	if (r < 0) {
		require_refused(r, &err);
		return 0;
	}
	require(format_check(fd, "/fuzz", &err) == 0);
	require((interpreter == NULL) == span_has_prefix(span_of(data, len), SPAN_LITERAL("\177ELF")));
	const uint8_t *end = memchr(data, '\n', len);
	if (interpreter)
		check_line(interpreter, argument, span_of(data, end ? (size_t)(end - data) : len));
	return 0;
}
