// The relay, as data (outside.h says why).
#include "relay_program.h"
	.section .rodata
	.global relay_program_start
	.global relay_program_bytes
	.balign 16
relay_program_start:
	.incbin RELAY_PROGRAM
relay_program_end:
	.balign 8
relay_program_bytes:
	.quad relay_program_end - relay_program_start
	.section .note.GNU-stack,"",@progbits
