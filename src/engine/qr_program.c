// The program inside envseal that draws QR codes: reads a text from standard input and writes its picture to standard output,
// in half blocks, black and white, where the argument is "blocks", else in ASCII. Light modules are ink: terminals are dark.
#include <qrencode.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// As in secmem.h.
#define TEXT_BYTES_MAX 4096
// Light modules around the code. The standard wants four; on a screen two do, and a larger code does not fit.
#define MARGIN 2

static bool is_light(const QRcode *code, int x, int y)
{
	if (x < -MARGIN || y < -MARGIN || x >= code->width + MARGIN || y >= code->width + MARGIN)
		return false;
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return true;
	return (code->data[y * code->width + x] & 1) == 0;
}

static void print_blocks(const QRcode *code)
{
	static const char *const blocks[] = {" ", "\u2584", "\u2580", "\u2588"};
	for (int y = -MARGIN; y < code->width + MARGIN; y += 2) {
		fputs("\033[40;97m", stdout);
		for (int x = -MARGIN; x < code->width + MARGIN; x++)
			fputs(blocks[2 * is_light(code, x, y) + is_light(code, x, y + 1)], stdout);
		fputs("\033[0m\n", stdout);
	}
}

static void print_ascii(const QRcode *code)
{
	for (int y = -MARGIN; y < code->width + MARGIN; y++) {
		for (int x = -MARGIN; x < code->width + MARGIN; x++)
			fputs(is_light(code, x, y) ? "##" : "  ", stdout);
		fputc('\n', stdout);
	}
}

int main(int argc, char **argv)
{
	static char text[TEXT_BYTES_MAX + 1];
	size_t len = 0;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	for (ssize_t n; len < TEXT_BYTES_MAX && (n = read(STDIN_FILENO, text + len, TEXT_BYTES_MAX - len)) > 0;)
		len += (size_t)n;
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	if (!code)
		return 1;
	if (argc > 1 && strcmp(argv[1], "blocks") == 0)
		print_blocks(code);
	else
		print_ascii(code);
	return fflush(stdout) == 0 ? 0 : 1;
}
