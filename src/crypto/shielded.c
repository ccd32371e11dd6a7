#include "crypto/crypto_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// While its owner puts it under a new pre-key, a forked process may read half of either: that does not verify, and it looks
// again. The owner copies 16 KiB meanwhile; a hundred looks cover that it is not scheduled in the middle of it.
#define SHIELDED_LOOKS 100
#define SHIELDED_LOOK_NS 1000000L

// For the length of a call.
struct shield_making {
	uint8_t wrap[KEY_BYTES];
	struct shield shield;
};

struct shield_opening {
	uint8_t key[KEY_BYTES]; // first: what is left in the end
	uint8_t wrap[KEY_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t sealed[KEY_BYTES + AEAD_TAG_BYTES];
};

// Keyed by its own beginning, which digest_bytes is not: mac_bytes is what wipes the stack behind itself.
static void wrap_derive(const struct shield *shield, uint8_t out[KEY_BYTES])
{
	mac_bytes(shield->prekey, span_of(shield->prekey, sizeof(shield->prekey)), out);
}

// Made aside and put there at once, so that what another process can see half of is short.
static int shield_renew(struct shielded *shielded, const struct secret *key, struct err *err)
{
	_cleanup_secret_ struct secret *memory = NULL;
	int r = secret_new(sizeof(struct shield_making), SECRET_LOCK_REQUIRED, &memory, err);
	if (r < 0)
		return r;
	struct shield_making *making = (struct shield_making *)(void *)secret_data(memory);
	struct shield *fresh = &making->shield;
	rng_fill(fresh->prekey, sizeof(fresh->prekey));
	rng_fill(fresh->nonce, sizeof(fresh->nonce));
	wrap_derive(fresh, making->wrap);
	aead_seal(making->wrap, fresh->nonce, secret_span(key), span_of("", 0), fresh->sealed);
	memcpy(shield_of(shielded), fresh, sizeof(*fresh));
	return 0;
}

int shielded_new(const struct secret *key, struct shielded **out, struct err *err)
{
	if (secret_len(key) != KEY_BYTES)
		return err_set(err, ERR_USAGE, "a key of %zu bytes cannot be kept", secret_len(key));
	struct shielded *shielded = calloc(1, sizeof(*shielded));
	if (!shielded)
		return err_set(err, ERR_MEMORY, "out of memory");
	shielded->owner = getpid();
	int r = secret_new(sizeof(struct shield), SECRET_LOCK_REQUIRED, &shielded->shield, err);
	if (r == 0)
		r = shield_renew(shielded, key, err);
	if (r < 0) {
		shielded_free(shielded);
		return r;
	}
	*out = shielded;
	return 0;
}

// From a copy: what changed between the check of the tag and the decryption would open to another key. Half of a
// pre-key does not verify; it need not be copied.
static int shield_open(struct shielded *shielded, struct secret *memory, struct err *err)
{
	const struct shield *shield = shield_of(shielded);
	struct shield_opening *opening = (struct shield_opening *)(void *)secret_data(memory);
	memcpy(opening->nonce, shield->nonce, sizeof(opening->nonce));
	memcpy(opening->sealed, shield->sealed, sizeof(opening->sealed));
	wrap_derive(shield, opening->wrap);
	return aead_open(opening->wrap, opening->nonce, span_of(opening->sealed, sizeof(opening->sealed)), span_of("", 0),
			 opening->key, err);
}

int shielded_open(struct shielded *shielded, struct secret **out, struct err *err)
{
	_cleanup_secret_ struct secret *key = NULL;
	bool is_owner = shielded->owner == getpid();
	// In one piece of memory, which costs more to get than all that is done in it.
	int r = secret_new(sizeof(struct shield_opening), SECRET_LOCK_REQUIRED, &key, err);
	if (r < 0)
		return r;
	r = shield_open(shielded, key, err);
	for (int look = 1; r == ERR_DAMAGED && !is_owner && look < SHIELDED_LOOKS; look++) {
		nanosleep(&(struct timespec){.tv_nsec = SHIELDED_LOOK_NS}, NULL);
		r = shield_open(shielded, key, err);
	}
	if (r == ERR_DAMAGED)
		return err_set(err, ERR_DAMAGED, "the key that is kept in memory does not open any more; lock, and unlock again");
	secret_shorten(key, KEY_BYTES);
	if (r == 0 && is_owner)
		r = shield_renew(shielded, key, err);
	if (r == 0)
		*out = TAKE_PTR(key);
	return r;
}

void shielded_adopt(struct shielded *shielded)
{
	shielded->owner = getpid();
}

void shielded_forget(struct shielded *shielded)
{
	if (!shielded)
		return;
	secret_forget(shielded->shield);
	free(shielded);
}

struct shielded *shielded_free(struct shielded *shielded)
{
	if (shielded) {
		secret_free(shielded->shield);
		free(shielded);
	}
	return NULL;
}
