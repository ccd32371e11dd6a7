// RFC 6238, Appendix B (https://www.rfc-editor.org/rfc/rfc6238#appendix-B), the rows for SHA-1.
#pragma once

#include <stdint.h>

static const char totp_vector_key[] = "12345678901234567890";

static const struct {
	int64_t time;
	const char *code;
} totp_vectors[] = {
	{59, "94287082"},         {1111111109, "07081804"}, {1111111111, "14050471"},
	{1234567890, "89005924"}, {2000000000, "69279037"}, {20000000000, "65353130"},
};
