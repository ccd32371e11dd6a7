// seal: providers that wrap the root key. Each key slot of a vault is one provider's sealed blob; any one slot opens the
// vault, and each can be revoked alone (as LUKS does). For now there is one provider: passphrase (Argon2id).
#pragma once

#include "crypto/crypto.h"

// Parameter caps, checked on reading a slot before anything is allocated (architecture.md).
#define PWHASH_MEMORY_BYTES_MIN (64ull << 20)
#define PWHASH_MEMORY_BYTES_MAX (1ull << 30)
#define PWHASH_PASSES_MAX 16

// Names and figures of libsodium's presets; CALIBRATED measures this machine for about 0.5 s of work, at least 64 MiB.
enum pwhash_preset { PWHASH_CALIBRATED, PWHASH_INTERACTIVE, PWHASH_MODERATE, PWHASH_SENSITIVE };
// "interactive", "moderate", "sensitive"; ERR_USAGE otherwise.
int pwhash_preset_parse(const char *name, enum pwhash_preset *out, struct err *err);

// Wraps `root_key` (KEY_BYTES) so that the passphrase opens it; the slot's blob (parameters, salt, nonce, sealed key) is
// appended to `out`. `vault_id` is bound in as associated data.
int seal_passphrase_wrap(const struct secret *root_key, const struct secret *passphrase, enum pwhash_preset preset,
			 const uint8_t vault_id[16], struct buf *out, struct err *err);
// Opens a blob. ERR_PASSPHRASE when it does not open, ERR_DAMAGED when the blob does not parse or its parameters are
// outside the caps.
int seal_passphrase_unwrap(struct span blob, const struct secret *passphrase, const uint8_t vault_id[16],
			   struct secret **out_root_key, struct err *err);

// zxcvbn's estimate for a new passphrase.
struct passphrase_score {
	int score;          // 0 (too guessable) to 4 (very unguessable), zxcvbn's bands at 10^3, 10^6, 10^8, 10^10 guesses
	double guesses_log10;
};
#define PASSPHRASE_SCORE_MIN 3 // below: refused without --allow-weak
#define PASSPHRASE_BYTES_MAX 1024
int passphrase_estimate(const struct secret *passphrase, struct passphrase_score *out, struct err *err);
