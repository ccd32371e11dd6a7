// Runs a fuzz target once over each file that is named, for compilers without libFuzzer and for the ordinary test run.
#include "base/base.h"

#include <stdio.h>

#define INPUT_BYTES_MAX (1u << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		_cleanup_buf_ struct buf input = BUF_INIT(INPUT_BYTES_MAX);
		struct err err;
		if (file_read_text(argv[i], &input, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		LLVMFuzzerTestOneInput(input.len > 0 ? input.data : (const uint8_t *)"", input.len);
	}
	printf("%d inputs\n", argc - 1);
	return 0;
}
