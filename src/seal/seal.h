// seal: providers that wrap the root key. Each key slot of a vault is one provider's sealed blob; any one slot opens
// the vault, and each can be revoked alone (as LUKS does). For now there is one provider: passphrase (Argon2id).
//
// Blob of the passphrase provider, SEAL_PASSPHRASE_BYTES long, integers little-endian:
//   u8 version (1), u8 provider (1), u64 passes, u64 memory in bytes, salt (16), nonce (24), sealed root key (32 + 16)
// The sealed part is XChaCha20-Poly1305 under Argon2id(passphrase, salt, passes, memory); its associated data is
// everything before the nonce, and the vault's id.
#pragma once

#include "crypto/crypto.h"

// Parameter caps, checked on reading a slot before anything is allocated (architecture.md).
#define PWHASH_MEMORY_BYTES_MIN (64ull << 20)
#define PWHASH_MEMORY_BYTES_MAX (1ull << 30)
#define PWHASH_PASSES_MAX 16

#define SEAL_PASSPHRASE_BYTES 106

// Names and figures of libsodium's presets; CALIBRATED measures this machine for about 0.5 s of work, at least 64 MiB.
enum pwhash_preset { PWHASH_CALIBRATED, PWHASH_INTERACTIVE, PWHASH_MODERATE, PWHASH_SENSITIVE };
// "interactive", "moderate", "sensitive"; ERR_USAGE otherwise.
int pwhash_preset_parse(const char *name, enum pwhash_preset *out, struct err *err);

// What one derivation costs.
struct pwhash_cost {
	uint64_t passes;
	uint64_t memory_bytes; // a whole number of KiB
};
// The cost of a preset. CALIBRATED runs the interactive one once (a tenth of a second, more on slow machines) and
// blocks for that long.
int pwhash_cost_of(enum pwhash_preset preset, struct pwhash_cost *out, struct err *err);
// The pure half of CALIBRATED: the interactive preset took `elapsed_us` of processor time, and `available_bytes` of
// memory are free. As much memory (64, 128 or 256 MiB, at most a quarter of what is free) as leaves two passes, then
// passes up to about 0.5 s. Never less than the interactive preset.
struct pwhash_cost pwhash_cost_choose(uint64_t elapsed_us, uint64_t available_bytes);

// Wraps `root_key` (KEY_BYTES) so that the passphrase opens it; the slot's blob (parameters, salt, nonce, sealed key)
// is appended to `out`. `vault_id` is bound in as associated data. ERR_INPUT for an empty passphrase, ERR_LIMIT for one
// above PASSPHRASE_BYTES_MAX. Blocks for one derivation, CALIBRATED for one more.
int seal_passphrase_wrap(const struct secret *root_key, const struct secret *passphrase, enum pwhash_preset preset,
			 const uint8_t vault_id[16], struct buf *out, struct err *err);
// Opens a blob. ERR_PASSPHRASE when it does not open, ERR_DAMAGED when the blob does not parse or its parameters are
// outside the caps. A blob whose salt, nonce or sealed bytes were changed cannot be told from a wrong passphrase.
int seal_passphrase_unwrap(struct span blob, const struct secret *passphrase, const uint8_t vault_id[16],
			   struct secret **out_root_key, struct err *err);

// zxcvbn's estimate for a new passphrase.
struct passphrase_score {
	int score;          // 0 (too guessable) to 4 (very unguessable), zxcvbn's bands at 10^3, 10^6, 10^8, 10^10 guesses
	double guesses_log10;
};
#define PASSPHRASE_SCORE_MIN 3 // below: refused without --allow-weak
#define PASSPHRASE_BYTES_MAX 1024
// Bytes that count for the score: zxcvbn's work grows with the square of the length, and its own detail ends there.
#define PASSPHRASE_SCORED_BYTES_MAX 100
// Runs zxcvbn in a forked child and waits for it. ERR_SYSTEM when the child cannot be made or dies.
int passphrase_estimate(const struct secret *passphrase, struct passphrase_score *out, struct err *err);
