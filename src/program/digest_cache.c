#include "program/digest_cache.h"

#include <string.h>

// Wraps around for years that no file has: two times that differ stay different but by a chance of 2^-64.
static uint64_t time_ns(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

static struct digest_cache_entry entry_of(const struct stat *st)
{
	return (struct digest_cache_entry){.device = st->st_dev, .inode = st->st_ino, .size = (uint64_t)st->st_size,
					   .mtime_ns = time_ns(&st->st_mtim), .ctime_ns = time_ns(&st->st_ctim)};
}

static bool is_same_file(const struct digest_cache_entry *a, const struct digest_cache_entry *b)
{
	return a->device == b->device && a->inode == b->inode;
}

static bool is_same_state(const struct digest_cache_entry *a, const struct digest_cache_entry *b)
{
	return is_same_file(a, b) && a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

// The entry's index; cache->count when there is none.
static size_t file_index(const struct digest_cache *cache, const struct digest_cache_entry *file)
{
	size_t i = 0;
	while (i < cache->count && !is_same_file(&cache->entries[i], file))
		i++;
	return i;
}

// Puts `entry` in front; what stands at `index` goes.
static void entry_put(struct digest_cache *cache, size_t index, struct digest_cache_entry entry)
{
	memmove(cache->entries + 1, cache->entries, index * sizeof(entry));
	cache->entries[0] = entry;
}

const uint8_t *digest_cache_find(struct digest_cache *cache, const struct stat *st)
{
	struct digest_cache_entry file = entry_of(st);
	size_t i = file_index(cache, &file);
	if (i == cache->count || !is_same_state(&cache->entries[i], &file))
		return NULL;
	entry_put(cache, i, cache->entries[i]);
	return cache->entries[0].digest;
}

static bool is_old_enough(const struct timespec *time, int64_t now)
{
	return time->tv_sec < now - DIGEST_CACHE_AGE_SECONDS_MIN;
}

void digest_cache_add(struct digest_cache *cache, const struct stat *st, int64_t now,
		      const uint8_t digest[DIGEST_BYTES])
{
	if (st->st_size < (off_t)DIGEST_CACHE_FILE_BYTES_MIN || !is_old_enough(&st->st_mtim, now) ||
	    !is_old_enough(&st->st_ctim, now))
		return;
	struct digest_cache_entry file = entry_of(st);
	memcpy(file.digest, digest, DIGEST_BYTES);
	size_t i = file_index(cache, &file);
	if (i == cache->count && cache->count < DIGEST_CACHE_COUNT_MAX)
		cache->count++;
	entry_put(cache, i < cache->count ? i : cache->count - 1, file);
	cache->is_changed = true;
}

// ----------------------------------------------------------------------------------------------------------- format

static bool entry_read(struct reader *reader, struct digest_cache *cache)
{
	struct digest_cache_entry entry = {.device = reader_u64(reader)};
	entry.inode = reader_u64(reader);
	entry.size = reader_u64(reader);
	entry.mtime_ns = reader_u64(reader);
	entry.ctime_ns = reader_u64(reader);
	reader_bytes(reader, entry.digest, DIGEST_BYTES);
	if (reader->failed || entry.size < DIGEST_CACHE_FILE_BYTES_MIN || file_index(cache, &entry) < cache->count)
		return false;
	cache->entries[cache->count++] = entry;
	return true;
}

int digest_cache_parse(struct span bytes, struct digest_cache *out, struct err *err)
{
	struct digest_cache cache = {0};
	struct reader reader = reader_of(bytes);
	bool ok = reader_u8(&reader) == DIGEST_CACHE_FORMAT;
	size_t count = reader_u8(&reader);
	ok = ok && count <= DIGEST_CACHE_COUNT_MAX;
	while (ok && cache.count < count)
		ok = entry_read(&reader, &cache);
	if (!ok || !reader_end(&reader))
		return err_set(err, ERR_DAMAGED, "the kept digests of programs do not parse");
	*out = cache;
	return 0;
}

static int entry_write(const struct digest_cache_entry *entry, struct buf *out, struct err *err)
{
	const uint64_t fields[] = {entry->device, entry->inode, entry->size, entry->mtime_ns, entry->ctime_ns};
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(fields); i++)
		r = writer_u64(out, fields[i], err);
	return r < 0 ? r : buf_append(out, span_of(entry->digest, DIGEST_BYTES), err);
}

int digest_cache_format(const struct digest_cache *cache, struct buf *out, struct err *err)
{
	int r = writer_u8(out, DIGEST_CACHE_FORMAT, err);
	if (r == 0)
		r = writer_u8(out, (uint8_t)cache->count, err);
	for (size_t i = 0; r == 0 && i < cache->count; i++)
		r = entry_write(&cache->entries[i], out, err);
	return r;
}
