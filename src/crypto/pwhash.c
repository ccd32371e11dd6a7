#include "crypto/crypto.h"

#include <errno.h>
#include <sodium.h>

_Static_assert(PWHASH_SALT_BYTES == crypto_pwhash_SALTBYTES, "length of a salt");

// More than the frames of Argon2id, which hold a few blocks of 1 KiB and the hash state that swallowed the passphrase.
#define PWHASH_STACK_BYTES 32768

int pwhash_derive(struct span passphrase, const uint8_t salt[PWHASH_SALT_BYTES], uint64_t passes, uint64_t memory_bytes,
		  uint8_t out[KEY_BYTES], struct err *err)
{
	if (passes < crypto_pwhash_OPSLIMIT_MIN || passes > crypto_pwhash_OPSLIMIT_MAX ||
	    memory_bytes < crypto_pwhash_MEMLIMIT_MIN || memory_bytes > crypto_pwhash_MEMLIMIT_MAX)
		return err_set(err, ERR_LIMIT, "Argon2id cannot run with %llu passes over %llu bytes",
			       (unsigned long long)passes, (unsigned long long)memory_bytes);
	uint8_t key[KEY_BYTES];
	const char *text = passphrase.len > 0 ? (const char *)passphrase.data : "";
	int r = crypto_pwhash(key, KEY_BYTES, text, passphrase.len, salt, passes, (size_t)memory_bytes,
			      crypto_pwhash_ALG_ARGON2ID13);
	sodium_stackzero(PWHASH_STACK_BYTES);
	if (r != 0)
		return err_set(err, ERR_MEMORY, "%llu MiB of memory for the passphrase hash cannot be had; free some, or raise "
						"`ulimit -v`",
			       (unsigned long long)(memory_bytes >> 20));
	for (size_t i = 0; i < KEY_BYTES; i++)
		out[i] = key[i];
	secret_wipe(key, sizeof(key));
	return 0;
}
