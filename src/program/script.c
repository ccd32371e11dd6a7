#include "program/program_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int refuse(const char *path, const char *why, struct err *err)
{
	char brief[200];
	return err_set(err, ERR_NO_EXEC, "%s cannot be executed: %s", text_brief(span_text(path), brief, sizeof(brief)), why);
}

// The rest of the line behind "#!", as fs/binfmt_script.c reads it: blanks, a path, blanks, one argument to the line's end.
static int line_split(char *line, const char *path, char **out_interpreter, char **out_argument, struct err *err)
{
	size_t len = strlen(line);
	if (len > 0 && line[len - 1] == '\r')
		return refuse(path, "its first line ends in a carriage return (Windows line ends); convert it, as with `sed -i "
				    "'s/\\r$//'`", err);
	while (len > 0 && is_blank(line[len - 1]))
		line[--len] = 0;
	while (is_blank(*line))
		line++;
	char *end = line + strcspn(line, " \t");
	char *argument = end;
	while (is_blank(*argument))
		*argument++ = 0;
	if (line[0] != '/')
		return refuse(path, "its first line must name an interpreter by an absolute path (#!/usr/bin/env python3)", err);
	_cleanup_free_ char *interpreter = strdup(line);
	_cleanup_free_ char *copy = argument[0] ? strdup(argument) : NULL;
	if (!interpreter || (argument[0] && !copy))
		return err_set(err, ERR_MEMORY, "out of memory");
	*out_interpreter = TAKE_PTR(interpreter);
	*out_argument = TAKE_PTR(copy);
	return 0;
}

int script_parse(int fd, const char *path, char **out_interpreter, char **out_argument, struct err *err)
{
	char head[PROGRAM_SCRIPT_LINE_BYTES_MAX + 1];
	ssize_t len = pread(fd, head, sizeof(head) - 1, 0);
	if (len < 0)
		return err_set_errno(err, ERR_NO_EXEC, errno, "cannot read the program");
	head[len] = 0;
	if (len >= 4 && memcmp(head, "\177ELF", 4) == 0) {
		*out_interpreter = NULL;
		*out_argument = NULL;
		return 0;
	}
	if (len < 2 || head[0] != '#' || head[1] != '!')
		return refuse(path, "it is neither a binary for Linux nor a script that begins with #! and its interpreter", err);
	char *end = strchr(head, '\n');
	if (!end && len == PROGRAM_SCRIPT_LINE_BYTES_MAX)
		return refuse(path, "its first line is longer than 255 bytes", err);
	if (end)
		*end = 0;
	return line_split(head + 2, path, out_interpreter, out_argument, err);
}
