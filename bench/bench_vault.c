// bench_vault DIR COUNT PASSPHRASE: makes a vault of COUNT secrets in DIR, in one transaction, and measures it; one
// line of JSON: stores per second, and microseconds (medians) for opening, unlocking below the passphrase's own cost,
// one value, and a list, locked and unlocked. With COUNT 10 and 100000 the first three must cost the same.
#include "bench.h"
#include "vault/vault_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 15
#define COUNT_MAX 1000000

struct figures {
	double stores_per_s;
	double open_us;
	double unlock_us;
	double reveal_us;
	double list_us;
	double list_unlocked_us;
};

static const char *name_of(uint64_t number, char out[64])
{
	snprintf(out, 64, "bench/group-%" PRIu64 "/secret-%" PRIu64, number % 97, number);
	return out;
}

static int fill(struct vault *vault, uint64_t count, struct err *err)
{
	char name[64], value[64];
	int r = vault_begin(vault, err);
	for (uint64_t i = 0; r == 0 && i < count; i++) {
		snprintf(value, sizeof(value), "value-of-secret-%" PRIu64 "-0123456789abcdef", i);
		r = vault_put(vault, name_of(i, name), span_text(value), NULL, false, false, err);
	}
	return r < 0 ? r : vault_commit(vault, NULL, err);
}

static int count_entry(void *context, const struct vault_entry *entry)
{
	uint64_t *count = context;
	*count += entry->version > 0;
	return 0;
}

static int list(struct vault *vault, uint64_t expected, double *out_us, struct err *err)
{
	uint64_t count = 0;
	double from = now_us();
	int r = vault_list(vault, count_entry, &count, err);
	*out_us = now_us() - from;
	return r == 0 && count != expected ? err_set(err, ERR_NO, "the list is short") : r;
}

// One round of what a run does, in a fresh process's state apart from the page cache.
static int measure_once(const char *dir, const struct secret *root, uint64_t count, struct figures *out,
			struct err *err)
{
	_cleanup_vault_ struct vault *vault = NULL;
	_cleanup_secret_ struct secret *value = NULL;
	char name[64];
	double from = now_us();
	int r = vault_open(dir, &vault, err);
	out->open_us = now_us() - from;
	if (r == 0)
		r = list(vault, count, &out->list_us, err);
	from = now_us();
	if (r == 0)
		r = vault_unlock_with_root_key(vault, root, err);
	out->unlock_us = now_us() - from;
	from = now_us();
	if (r == 0)
		r = vault_reveal(vault, name_of(count / 2, name), 0, &value, err);
	out->reveal_us = now_us() - from;
	return r < 0 ? r : list(vault, count, &out->list_unlocked_us, err);
}

static int measure(const char *dir, const struct secret *root, uint64_t count, struct figures *out, struct err *err)
{
	double samples[5][ROUNDS];
	for (size_t i = 0; i < ROUNDS; i++) {
		struct figures once = {0};
		int r = measure_once(dir, root, count, &once, err);
		if (r < 0)
			return r;
		samples[0][i] = once.open_us;
		samples[1][i] = once.unlock_us;
		samples[2][i] = once.reveal_us;
		samples[3][i] = once.list_us;
		samples[4][i] = once.list_unlocked_us;
	}
	out->open_us = median(samples[0], ROUNDS);
	out->unlock_us = median(samples[1], ROUNDS);
	out->reveal_us = median(samples[2], ROUNDS);
	out->list_us = median(samples[3], ROUNDS);
	out->list_unlocked_us = median(samples[4], ROUNDS);
	return 0;
}

// As vault_create, but keeps the root key, so that the passphrase's own cost stays out of the account.
static int bench(const char *dir, uint64_t count, const char *passphrase_text, struct figures *out, struct err *err)
{
	_cleanup_secret_ struct secret *passphrase = NULL;
	_cleanup_secret_ struct secret *root = NULL;
	_cleanup_buf_ struct buf slot = BUF_INIT(VAULT_SLOT_BYTES_MAX);
	_cleanup_vault_ struct vault *vault = NULL;
	uint8_t id[VAULT_ID_BYTES];
	int r = cipher_start(err);
	if (r == 0)
		r = secret_copy(span_text(passphrase_text), &passphrase, err);
	if (r == 0)
		r = secret_new(KEY_BYTES, SECRET_LOCK_REQUIRED, &root, err);
	if (r < 0)
		return r;
	rng_fill(secret_data(root), KEY_BYTES);
	rng_fill(id, sizeof(id));
	r = seal_passphrase_wrap(root, passphrase, PWHASH_INTERACTIVE, id, &slot, err);
	if (r == 0)
		r = vault_create_with_root_key(dir, root, id, buf_span(&slot), &vault, err);
	double from = now_us();
	if (r == 0)
		r = fill(vault, count, err);
	out->stores_per_s = (double)count / (now_us() - from) * 1e6;
	vault_close_ptr(&vault);
	return r < 0 ? r : measure(dir, root, count, out, err);
}

int main(int argc, char **argv)
{
	struct err err = {0};
	struct figures f = {0};
	uint64_t count = 0;
	if (argc != 4) {
		fprintf(stderr, "usage: bench_vault DIR COUNT PASSPHRASE\n");
		return 2;
	}
	int r = text_parse_u64(argv[2], "COUNT", 1, COUNT_MAX, &count, &err);
	if (r == 0)
		r = bench(argv[1], count, argv[3], &f, &err);
	if (r < 0) {
		fprintf(stderr, "bench_vault: %s\n", err.text);
		return 1;
	}
	printf("{\"secrets\": %" PRIu64
	       ", \"stores_per_s\": %.0f, \"open_us\": %.0f, \"unlock_us\": %.0f, \"reveal_us\": %.0f, "
	       "\"list_us\": %.0f, \"list_unlocked_us\": %.0f}\n",
	       count, f.stores_per_s, f.open_us, f.unlock_us, f.reveal_us, f.list_us, f.list_unlocked_us);
	return 0;
}
