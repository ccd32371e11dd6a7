// engine/totp: the second factor: a code of six digits that an app on the human's phone makes (RFC 6238, SHA-1, 30 s).
//
// Invariants
//  - The key lives in secret memory and in the sealed setting `totp` (docs/format-vault.md), and is shown once, on the
//    controlling terminal.
//  - A try is counted, and the count is on disk, before the code is compared: whoever kills envseal in between has spent it.
//  - No code is taken twice, and none from before one that was taken.
#pragma once

#include "engine/backoff.h"
#include "engine/engine_internal.h"

#define TOTP_SETTING "totp"
#define TOTP_KEY_BYTES 20
#define TOTP_DIGITS 6
#define TOTP_CODE_BYTES (TOTP_DIGITS + 1) // with NUL
#define TOTP_STEP_SECONDS 30
// Clocks may differ by so many steps, either way.
#define TOTP_WINDOW_STEPS 1
// From so many wrong codes in a row on each locks codes for so long.
#define TOTP_TRIES 5
#define TOTP_LOCK_SECONDS 900
#define TOTP_RECOVERY_LETTERS 20
// Longest answer that is read for a code or a recovery code, blanks in it included.
#define TOTP_ANSWER_BYTES_MAX 64

// Lives in a struct secret; totp_of gives it.
struct totp {
	uint8_t key[TOTP_KEY_BYTES];
	int64_t created;
	uint64_t last_step;          // of the last code that was taken
	struct vault_failures tries; // since then, in a row; counted before each is compared
	uint8_t recovery[DIGEST_BYTES];
};
struct totp *totp_of(struct secret *secret);

// --- totp.c: pure

// With a random key; everything else is zero.
int totp_new(struct secret **out, struct err *err);
// The bytes of the setting.
int totp_encode(const struct totp *totp, struct secret **out, struct err *err);
int totp_decode(struct span bytes, struct secret **out, struct err *err); // ERR_DAMAGED

uint64_t totp_step_at(int64_t now);
int totp_code(const struct totp *totp, uint64_t step, char out[TOTP_CODE_BYTES], struct err *err);
enum totp_verdict { TOTP_WRONG, TOTP_USED, TOTP_RIGHT };
// Compares six digits with the codes of the window around `step`, in constant time. *ret_step is set for TOTP_RIGHT.
int totp_match(const struct totp *totp, struct span digits, uint64_t step, enum totp_verdict *out, uint64_t *ret_step,
	       struct err *err);
// Seconds until codes are looked at again; 0: now. By both clocks, as in backoff.h.
int64_t totp_lock_left(const struct totp *totp, const struct backoff_clock *clock);
// Whether the clock stands so far before the last code that none can be taken.
bool totp_is_before_last(const struct totp *totp, uint64_t step);

// --- totp_text.c: what is shown and typed, in secret memory

// Room for text in the secret's own bytes: a buf that never allocates, and is not to be done.
struct buf buf_over(struct secret *secret);
// Base32, in groups of four.
int totp_key_text(const struct totp *totp, struct secret **out, struct err *err);
// otpauth://totp/envseal:USER@HOST?…; bytes of the two that are not printable become '_', and long ones are cut.
int totp_uri(const struct totp *totp, const char *user, const char *host, struct secret **out, struct err *err);
// A new recovery code, in groups of five, and what is kept of it.
int totp_recovery_make(struct secret **out, uint8_t out_digest[DIGEST_BYTES], struct err *err);
// Whatever its case, with or without blanks and dashes.
int totp_recovery_matches(const struct totp *totp, const struct secret *typed, bool *out, struct err *err);
// Without blanks. ERR_PASSPHRASE unless six digits are left: such an answer is no guess.
int totp_digits(const struct secret *typed, struct secret **out, struct err *err);

// --- totp_session.c. The session is unlocked, and outside of a transaction.

int session_totp_is_set(struct session *session, bool *out, struct err *err);
// Takes the code that was typed. Writes twice: that there is a try, and what became of it. ERR_PASSPHRASE for a wrong or used
// code; ERR_DENIED when codes are locked, or none is set up, or the clock stands before the last code.
int session_totp_check(struct session *session, const struct secret *typed, struct err *err);
// The same for the recovery code, which is not counted: nobody guesses a hundred bits.
int session_totp_recover(struct session *session, const struct secret *typed, struct err *err);
// NULL when none is set up.
int session_totp_load(struct session *session, struct secret **out, struct err *err);
int session_totp_store(struct session *session, const struct totp *totp, struct err *err); // in a transaction

// --- totp_screen.c

// Shows recovery code, key and picture, and reads codes until one proves that the app has the key; its step becomes the last
// one. Nothing of it stays on a terminal that has an alternate screen. ERR_DENIED for a no, ERR_PASSPHRASE after
// TOTP_PROOF_TRIES wrong codes.
#define TOTP_PROOF_TRIES 3
int totp_prove(struct terminal *terminal, struct totp *totp, const struct secret *recovery, struct err *err);

// --- totp_picture.c

// The URI as a QR code for a terminal, lines of text; light modules are ink. ERR_SYSTEM when the program that draws it cannot
// be started, which is so where the shared libqrencode is not installed.
int totp_picture(const struct secret *uri, bool in_blocks, struct secret **out, struct err *err);
