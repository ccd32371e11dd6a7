// The program that makes lockdown's fresh folders, as data (outside.h says why).
#include "trees_program.h"
	.section .rodata
	.global trees_program_start
	.global trees_program_bytes
	.balign 16
trees_program_start:
	.incbin TREES_PROGRAM
trees_program_end:
	.balign 8
trees_program_bytes:
	.quad trees_program_end - trees_program_start
	.section .note.GNU-stack,"",@progbits
