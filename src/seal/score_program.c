// The program inside envseal that scores a passphrase: reads it from standard input, writes zxcvbn's bits of entropy, a
// double, to standard output.
#include <sys/prctl.h>
#include <unistd.h>
#include <zxcvbn.h>

// As in seal.h: zxcvbn's time grows with the square of the length.
#define SCORED_BYTES_MAX 100

int main(void)
{
	// Words that anybody who attacks this vault would try first.
	const char *user_words[] = {"envseal", "vault", "passphrase", NULL};
	char text[SCORED_BYTES_MAX + 1];
	size_t len = 0;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	for (ssize_t n; len < SCORED_BYTES_MAX && (n = read(STDIN_FILENO, text + len, SCORED_BYTES_MAX - len)) > 0;)
		len += (size_t)n;
	// zxcvbn ends at a NUL; another control byte weighs the same and hides nothing behind it.
	for (size_t i = 0; i < len; i++)
		text[i] = text[i] ? text[i] : '\x01';
	text[len] = 0;
	double bits = ZxcvbnMatch(text, user_words, NULL);
	return write(STDOUT_FILENO, &bits, sizeof(bits)) == (ssize_t)sizeof(bits) ? 0 : 1;
}
