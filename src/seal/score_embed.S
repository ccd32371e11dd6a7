// The program that scores passphrases, as data (estimate.c says why).
#include "score_program.h"
	.section .rodata
	.global score_program_start
	.global score_program_bytes
	.balign 16
score_program_start:
	.incbin SCORE_PROGRAM
score_program_end:
	.balign 8
score_program_bytes:
	.quad score_program_end - score_program_start
	.section .note.GNU-stack,"",@progbits
