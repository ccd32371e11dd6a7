// program/digest_cache: the digests of large system files, so that node or terraform need not be read for every run.
//
// Pure data; the caller keeps it where nobody else can put a digest (sealed in the vault). An entry is believed as long
// as device, inode, size and both times are those of the file: only root can change a system file, and nobody can set
// the time of its last change (ctime) without setting the clock.
#pragma once

#include "crypto/crypto.h"

#define DIGEST_CACHE_COUNT_MAX 64
#define DIGEST_CACHE_FILE_BYTES_MIN (1u << 20) // smaller files are read as fast
// A file that changed so lately could change again within the clock's grain, and keep its times.
#define DIGEST_CACHE_AGE_SECONDS_MIN 2
#define DIGEST_CACHE_FORMAT 1
// What digest_cache_format makes: format and count, then per entry five integers and the digest.
#define DIGEST_CACHE_BYTES_MAX (2u + DIGEST_CACHE_COUNT_MAX * (5u * 8u + DIGEST_BYTES))

struct digest_cache_entry {
	uint64_t device;
	uint64_t inode;
	uint64_t size;
	uint64_t mtime_ns; // since the epoch
	uint64_t ctime_ns;
	uint8_t digest[DIGEST_BYTES];
};

// Valid when all zeros: empty.
struct digest_cache {
	struct digest_cache_entry entries[DIGEST_CACHE_COUNT_MAX]; // the last used first
	size_t count;
	// An entry was added since it was zeroed or parsed. A mere use does not set it: to write for each run would
	// cost more than the right order is worth.
	bool is_changed;
};

// The digest of the file with this state, or NULL. Points into the cache, until it is changed.
const uint8_t *digest_cache_find(struct digest_cache *cache, const struct stat *st);
// Adds, or replaces what is there for this device and inode; where it is full, the entry goes that was not used for
// longest. `st` is taken after the file was read and `now` (seconds since the epoch) before. Does nothing for a small
// file, and for one whose mtime or ctime is not older than DIGEST_CACHE_AGE_SECONDS_MIN.
void digest_cache_add(struct digest_cache *cache, const struct stat *st, int64_t now,
		      const uint8_t digest[DIGEST_BYTES]);
// ERR_DAMAGED for anything but what digest_cache_format makes.
int digest_cache_parse(struct span bytes, struct digest_cache *out, struct err *err);
// Appends. ERR_LIMIT, ERR_MEMORY.
int digest_cache_format(const struct digest_cache *cache, struct buf *out, struct err *err);
