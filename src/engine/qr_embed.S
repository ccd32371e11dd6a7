// The program that draws QR codes, as data (totp_picture.c says why).
#include "qr_program.h"
	.section .rodata
	.global qr_program_start
	.global qr_program_bytes
	.balign 16
qr_program_start:
	.incbin QR_PROGRAM
qr_program_end:
	.balign 8
qr_program_bytes:
	.quad qr_program_end - qr_program_start
	.section .note.GNU-stack,"",@progbits
