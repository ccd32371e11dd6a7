// bench_source BYTES: writes that many bytes of made-up log text to standard output, in blocks of 64 KiB, as the
// producer of a benchmark's pipe.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES 65536
#define PIPE_BYTES (1 << 20)

static void block_fill(char block[BLOCK_BYTES])
{
	uint32_t state = 12345;
	size_t at = 0;
	while (at < BLOCK_BYTES) {
		char line[160];
		state = state * 1664525u + 1013904223u;
		int len = snprintf(line, sizeof(line), "2026-01-31T12:%02u:%02uZ INFO request id=%08x path=/api/v1/items/%u status=%u\n",
				   state >> 8 & 31, state >> 13 & 31, state, state >> 20, 200 + (state >> 28));
		size_t take = (size_t)len < BLOCK_BYTES - at ? (size_t)len : BLOCK_BYTES - at;
		memcpy(block + at, line, take);
		at += take;
	}
}

int main(int argc, char **argv)
{
	static char block[BLOCK_BYTES];
	uint64_t left = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	block_fill(block);
	// The pipe is as large as envseal makes those of the programs it starts.
	fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
	while (left > 0) {
		ssize_t n = write(STDOUT_FILENO, block, left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES);
		if (n < 0)
			return 1;
		left -= (uint64_t)n;
	}
	return 0;
}
