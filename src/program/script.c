#include "program/program_internal.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The kernel looks at 256 bytes (BINPRM_BUF_SIZE): a line and its newline.
#define HEAD_BYTES (PROGRAM_SCRIPT_LINE_BYTES_MAX + 1)

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

// The rest of the line behind "#!", as fs/binfmt_script.c reads it: blanks, a path, blanks, one argument to the line's
// end.
static int line_split(char *line, const char *path, char **out_interpreter, char **out_argument, struct err *err)
{
	size_t len = strlen(line);
	if (len > 0 && line[len - 1] == '\r')
		return program_refuse(path, "its first line ends in a carriage return (Windows line ends); convert it, "
					    "as with sed -i 's/\\r$//'", err);
	while (len > 0 && is_blank(line[len - 1]))
		line[--len] = 0;
	while (is_blank(*line))
		line++;
	char *argument = line + strcspn(line, " \t");
	while (is_blank(*argument))
		*argument++ = 0;
	if (line[0] != '/')
		return program_refuse(path, "its first line must name an interpreter by an absolute path "
					    "(#!/usr/bin/env python3)", err);
	_cleanup_free_ char *interpreter = strdup(line);
	_cleanup_free_ char *copy = argument[0] ? strdup(argument) : NULL;
	if (!interpreter || (argument[0] && !copy))
		return err_set(err, ERR_MEMORY, "out of memory");
	*out_interpreter = TAKE_PTR(interpreter);
	*out_argument = TAKE_PTR(copy);
	return 0;
}

enum format { FORMAT_ELF, FORMAT_SCRIPT };

// `head` is NUL-terminated at *ret_len.
static int head_read(int fd, const char *path, char head[HEAD_BYTES + 1], size_t *ret_len, enum format *ret_format,
		     struct err *err)
{
	char brief[BRIEF_BYTES];
	ssize_t len = pread(fd, head, HEAD_BYTES, 0);
	if (len < 0)
		return err_set_errno(err, ERR_NO_EXEC, errno, "cannot read %s",
				     text_brief(span_text(path), brief, sizeof(brief)));
	head[len] = 0;
	*ret_len = (size_t)len;
	bool is_elf = len >= 4 && memcmp(head, "\177ELF", 4) == 0;
	if (is_elf && (size_t)len < sizeof(Elf32_Ehdr))
		return program_refuse(path, "it is a binary that was cut short", err);
	if (is_elf)
		*ret_format = FORMAT_ELF;
	else if (len >= 2 && memcmp(head, "#!", 2) == 0)
		*ret_format = FORMAT_SCRIPT;
	else
		return program_refuse(path, "it is neither a binary for Linux nor a script; a script must begin with a "
					    "line such as #!/bin/sh", err);
	return 0;
}

int format_check(int fd, const char *path, struct err *err)
{
	char head[HEAD_BYTES + 1];
	size_t len;
	enum format format;
	return head_read(fd, path, head, &len, &format, err);
}

int script_parse(int fd, const char *path, char **out_interpreter, char **out_argument, struct err *err)
{
	char head[HEAD_BYTES + 1];
	size_t len = 0;
	enum format format = FORMAT_ELF;
	int r = head_read(fd, path, head, &len, &format, err);
	if (r < 0)
		return r;
	if (format == FORMAT_ELF) {
		*out_interpreter = NULL;
		*out_argument = NULL;
		return 0;
	}
	char *end = memchr(head, '\n', len);
	// The kernel would cut the line here, perhaps within the argument.
	if (!end && len == HEAD_BYTES)
		return program_refuse(path, "its first line is longer than 255 bytes", err);
	size_t line_len = end ? (size_t)(end - head) : len;
	if (memchr(head, 0, line_len))
		return program_refuse(path, "its first line holds a NUL byte", err);
	head[line_len] = 0;
	return line_split(head + 2, path, out_interpreter, out_argument, err);
}
