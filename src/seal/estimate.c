#include "seal/seal.h"

#include <math.h>
#include <string.h>

// log10(2): zxcvbn answers in bits.
#define LOG10_OF_2 0.30102999566398119521

// The program that scores (score_program.c), as bytes of this one: zxcvbn comes as a static library that cannot be
// linked into a position-independent program, and copies what it scores to its stack and to a heap that it does not wipe.
extern const uint8_t score_program_start[];
extern const uint64_t score_program_bytes;

static int estimate_bits(struct span passphrase, double *out, struct err *err)
{
	const struct helper helper = {"envseal-score", "the program that scores passphrases", score_program_start,
				      score_program_bytes};
	size_t len = passphrase.len < PASSPHRASE_SCORED_BYTES_MAX ? passphrase.len : PASSPHRASE_SCORED_BYTES_MAX;
	_cleanup_secret_ struct secret *answer = NULL;
	double bits = NAN;
	int r = helper_run(&helper, NULL, span_of(passphrase.data, len), sizeof(bits), &answer, err);
	if (r < 0)
		return r;
	if (secret_len(answer) == sizeof(bits))
		memcpy(&bits, secret_data(answer), sizeof(bits));
	if (!isfinite(bits) || bits < 0)
		return err_set(err, ERR_SYSTEM, "the program that scores passphrases ended without an answer; run it again");
	*out = bits;
	return 0;
}

int passphrase_estimate(const struct secret *passphrase, struct passphrase_score *out, struct err *err)
{
	static const double bands[] = {3, 6, 8, 10};
	double bits = 0;
	int r = secret_len(passphrase) > 0 ? estimate_bits(secret_span(passphrase), &bits, err) : 0;
	if (r < 0)
		return r;
	struct passphrase_score score = {.score = 0, .guesses_log10 = bits * LOG10_OF_2};
	for (size_t i = 0; i < ARRAY_COUNT(bands); i++)
		if (score.guesses_log10 >= bands[i])
			score.score++;
	*out = score;
	return 0;
}
