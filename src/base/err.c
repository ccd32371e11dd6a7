#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct err_row {
	int code;
	const char *name;
	int exit_status;
	int run_status;
};

// The one table of errors. run_status is what run, inject and pipe exit with (product.md, "Exit status").
static const struct err_row err_rows[] = {
	{0, "ok", 0, 0},
	{ERR_NO, "no", 1, 125},
	{ERR_USAGE, "usage", 2, 125},
	{ERR_NO_VAULT, "no-vault", 3, 125},
	{ERR_LOCKED, "locked", 4, 125},
	{ERR_DENIED, "denied", 4, 125},
	{ERR_UNSAFE, "unsafe", 4, 125},
	{ERR_PASSPHRASE, "wrong-passphrase", 5, 125},
	{ERR_DAMAGED, "damaged", 6, 125},
	{ERR_NOT_FOUND, "not-found", 1, 125},
	{ERR_EXISTS, "exists", 1, 125},
	{ERR_INPUT, "bad-input", 2, 125},
	{ERR_LIMIT, "limit", 2, 125},
	{ERR_SYSTEM, "system", 1, 125},
	{ERR_MEMORY, "memory", 1, 125},
	{ERR_NO_EXEC, "not-executable", 126, 126},
	{ERR_NO_PROGRAM, "program-not-found", 127, 127},
	{ERR_INTERRUPTED, "interrupted", 4, 125},
};

static const struct err_row *err_row_find(int code)
{
	for (size_t i = 0; i < ARRAY_COUNT(err_rows); i++)
		if (err_rows[i].code == code)
			return &err_rows[i];
	return NULL;
}

int err_exit_status(int code)
{
	const struct err_row *row = err_row_find(code);
	return row ? row->exit_status : 1;
}

int err_run_status(int code)
{
	const struct err_row *row = err_row_find(code);
	return row ? row->run_status : 125;
}

const char *err_name(int code)
{
	const struct err_row *row = err_row_find(code);
	return row ? row->name : "unknown";
}

__attribute__((format(printf, 4, 0)))
static int err_vset(struct err *err, int code, int sys_errno, const char *format, va_list args)
{
	err->code = code;
	err->sys_errno = sys_errno;
	int len = vsnprintf(err->text, sizeof(err->text), format, args);
	if (len >= 0 && sys_errno != 0 && (size_t)len < sizeof(err->text)) {
		const char *what = strerrordesc_np(sys_errno);
		snprintf(err->text + len, sizeof(err->text) - (size_t)len, ": %s", what ? what : "unknown error");
	}
	return code;
}

// In parentheses: base.h makes macros of these names for clang's analyzer.
int (err_set)(struct err *err, enum err_code code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	err_vset(err, code, 0, format, args);
	va_end(args);
	return code;
}

int (err_set_errno)(struct err *err, enum err_code code, int sys_errno, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	err_vset(err, code, sys_errno, format, args);
	va_end(args);
	return code;
}

int (err_prefix)(struct err *err, const char *format, ...)
{
	char old[ERR_TEXT_BYTES];
	memcpy(old, err->text, sizeof(old));
	va_list args;
	va_start(args, format);
	int len = vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	if (len >= 0 && (size_t)len < sizeof(err->text)) {
		// Cutting an overlong sentence is the contract of ERR_TEXT_BYTES.
		size_t room = sizeof(err->text) - (size_t)len;
		snprintf(err->text + len, room, ": %.*s", (int)(room > 3 ? room - 3 : 0), old);
	}
	return err->code;
}
