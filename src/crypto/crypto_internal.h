// How a key lies that is kept for long. Not for other folders; tests include it to look at it and to damage it.
#pragma once

#include "crypto/crypto.h"

// What lies in memory for long, nonce and all: a forked process sees the pages, and copies of nothing.
struct shield {
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t sealed[KEY_BYTES + AEAD_TAG_BYTES];
	uint8_t prekey[SHIELDED_PREKEY_BYTES];
};

struct shielded {
	pid_t owner; // who puts it under new pre-keys
	struct secret *shield;
};

static inline struct shield *shield_of(struct shielded *shielded)
{
	return (struct shield *)(void *)secret_data(shielded->shield);
}
