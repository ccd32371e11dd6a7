#include "face/face.h"

#include <string.h>

_Static_assert(ENVSEAL_ERROR_TEXT_BYTES >= ERR_TEXT_BYTES, "a sentence of a lower layer fits");

const char *envseal_version(void)
{
	return ENVSEAL_VERSION;
}

int face_fail(struct envseal_error *error, enum envseal_code code, const char *text)
{
	if (!error)
		return code;
	size_t len = strnlen(text, sizeof(error->text) - 1);
	*error = (struct envseal_error){.code = code};
	memcpy(error->text, text, len);
	return code;
}

static enum envseal_code code_from_err(int code)
{
	if (code == ERR_MEMORY)
		return ENVSEAL_ERR_MEMORY;
	return code == ERR_LIMIT ? ENVSEAL_ERR_LIMIT : ENVSEAL_ERR_SYSTEM;
}

int face_fail_err(struct envseal_error *error, int code, const struct err *err)
{
	if (code > 0)
		return face_fail(error, ENVSEAL_ERR_STOPPED, "the write callback ended the stream");
	return face_fail(error, code_from_err(code), err->text);
}

int face_check_given(const void *one, const void *other, struct envseal_error *error)
{
	return one && other ? 0 : face_fail(error, ENVSEAL_ERR_INVALID, "an argument is NULL that must not be");
}
