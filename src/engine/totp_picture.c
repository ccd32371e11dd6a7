#include "engine/totp.h"

// Widest code with two characters a module, and blocks of three bytes, with colours on each line.
#define PICTURE_BYTES_MAX (1u << 16)

// The program that draws (qr_program.c), as bytes of this one: libqrencode is there as a shared library alone, which a
// program without a loader cannot have, and it keeps copies of what it draws on its heap.
extern const uint8_t qr_program_start[];
extern const uint64_t qr_program_bytes;

int totp_picture(const struct secret *uri, bool in_blocks, struct secret **out, struct err *err)
{
	const struct helper helper = {"envseal-qr", "the program that draws QR codes", qr_program_start, qr_program_bytes};
	_cleanup_secret_ struct secret *picture = NULL;
	int r = helper_run(&helper, in_blocks ? "blocks" : NULL, secret_span(uri), PICTURE_BYTES_MAX, &picture, err);
	if (r < 0)
		return r;
	if (secret_len(picture) == 0)
		return err_set(err, ERR_SYSTEM, "the program that draws QR codes drew nothing");
	*out = TAKE_PTR(picture);
	return 0;
}
