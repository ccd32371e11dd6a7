#include "secmem/secmem.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct secret {
	uint8_t *data;   // first usable byte, at the start of a page
	size_t len;      // what callers see
	size_t capacity; // bytes wiped on free: whole pages
	uint8_t *map;    // the reservation: guard page, pages, guard page
	size_t map_bytes;
	bool is_locked;
};

// Of the process, and here because the library has what is here and nothing of process.c. True from its birth: the one
// state here that is nobody's struct.
static bool is_born_closed;

void process_born_closed(void)
{
	is_born_closed = true;
}

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

void secret_wipe(void *data, size_t len)
{
	if (len > 0)
		explicit_bzero(data, len);
}

// Maps memfd_secret pages over [at, at + bytes). The descriptor is closed before anything is written: while it is open,
// read(2) and process_vm_readv on it could be granted elsewhere.
static bool pages_from_memfd_secret(uint8_t *at, size_t bytes)
{
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = ftruncate(fd, (off_t)bytes) == 0 &&
		  mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == at;
	close(fd);
	return ok;
}

static bool pages_anonymous(uint8_t *at, size_t bytes, bool *ret_locked)
{
	if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		return false;
	if (madvise(at, bytes, MADV_DONTDUMP) < 0)
		return false;
	*ret_locked = mlock(at, bytes) == 0;
	return true;
}

#define LOOK_PAGES 256

// A page that was never touched holds nothing, and to touch it for the wiping costs more than all else: a new page of
// memfd_secret interrupts every processor. What is locked is there or was never touched; of other pages the kernel does
// not tell which are swapped out.
static void pages_wipe(const struct secret *secret)
{
	size_t page = page_bytes();
	uint8_t is_there[LOOK_PAGES];
	for (size_t at = 0; at < secret->capacity; at += LOOK_PAGES * page) {
		uint8_t *from = secret->data + at;
		size_t bytes = secret->capacity - at < LOOK_PAGES * page ? secret->capacity - at : LOOK_PAGES * page;
		bool is_known = secret->is_locked && mincore(from, bytes, is_there) == 0;
		for (size_t i = 0; i < bytes / page; i++)
			if (!is_known || is_there[i] & 1)
				secret_wipe(from + i * page, page);
	}
}

int secret_new(size_t len, enum secret_lock lock, struct secret **out, struct err *err)
{
	size_t page = page_bytes();
	if (len > SIZE_MAX / 2 - 3 * page)
		return err_set(err, ERR_LIMIT, "a secret of %zu bytes is too large", len);
	size_t capacity = len == 0 ? page : (len + page - 1) / page * page;
	struct secret *secret = calloc(1, sizeof(*secret));
	if (!secret)
		return err_set(err, ERR_MEMORY, "out of memory");
	secret->map_bytes = capacity + 2 * page;
	secret->map = mmap(NULL, secret->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (secret->map == MAP_FAILED) {
		free(secret);
		return err_set(err, ERR_MEMORY, "out of memory for %zu secret bytes", len);
	}
	secret->data = secret->map + page;
	secret->len = len;
	secret->capacity = capacity;
	bool is_ordinary = lock == SECRET_LOCK_PREFERRED && is_born_closed;
	secret->is_locked = !is_ordinary && pages_from_memfd_secret(secret->data, capacity);
	bool mapped = secret->is_locked || pages_anonymous(secret->data, capacity, &secret->is_locked);
	if (!mapped || (lock == SECRET_LOCK_REQUIRED && !secret->is_locked)) {
		munmap(secret->map, secret->map_bytes);
		free(secret);
		return err_set(err, ERR_MEMORY,
			       "cannot lock %zu bytes into memory, and unlocked secrets could reach the swap; raise the limit "
			       "(`ulimit -l`, now counted in KiB), then run it again",
			       capacity);
	}
	*out = secret;
	return 0;
}

struct secret *secret_free(struct secret *secret)
{
	if (!secret)
		return NULL;
	pages_wipe(secret);
	munmap(secret->map, secret->map_bytes);
	free(secret);
	return NULL;
}

void secret_forget(struct secret *secret)
{
	if (!secret)
		return;
	munmap(secret->map, secret->map_bytes);
	free(secret);
}

void secret_free_ptr(struct secret **secret)
{
	*secret = secret_free(*secret);
}

uint8_t *secret_data(struct secret *secret)
{
	return secret->data;
}

size_t secret_len(const struct secret *secret)
{
	return secret->len;
}

struct span secret_span(const struct secret *secret)
{
	return span_of(secret->data, secret->len);
}

bool secret_is_locked(const struct secret *secret)
{
	return secret->is_locked;
}

void secret_shorten(struct secret *secret, size_t len)
{
	if (len >= secret->len)
		return;
	secret_wipe(secret->data + len, secret->len - len);
	secret->len = len;
}

int secret_copy(struct span bytes, struct secret **out, struct err *err)
{
	struct secret *copy;
	int r = secret_new(bytes.len, SECRET_LOCK_REQUIRED, &copy, err);
	if (r < 0)
		return r;
	if (bytes.len > 0)
		memcpy(copy->data, bytes.data, bytes.len);
	*out = copy;
	return 0;
}

// Fills `into` until end of file or until it is full; *ret_len is what was read.
static int secret_fill(int fd, struct secret *into, size_t from, const char *what, size_t *ret_len, struct err *err)
{
	size_t used = from;
	while (used < into->len) {
		ssize_t n = read(fd, into->data + used, into->len - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot read %s", what);
		if (n == 0)
			break;
		used += (size_t)n;
	}
	*ret_len = used;
	return 0;
}

int secret_read_fd(int fd, size_t max_bytes, const char *what, struct secret **out, struct err *err)
{
	// Grown by copying into ever larger secrets: locked memory is scarce, so the limit is not taken up front. One byte
	// more than max_bytes is read, to tell "exactly the limit" from "more".
	_cleanup_secret_ struct secret *value = NULL;
	size_t used = 0;
	size_t size = 4096;
	do {
		size = value ? size * 4 : size;
		size = size < max_bytes + 1 ? size : max_bytes + 1;
		_cleanup_secret_ struct secret *larger = NULL;
		int r = secret_new(size, SECRET_LOCK_REQUIRED, &larger, err);
		if (r < 0)
			return r;
		if (used > 0)
			memcpy(larger->data, value->data, used);
		secret_free_ptr(&value);
		value = TAKE_PTR(larger);
		r = secret_fill(fd, value, used, what, &used, err);
		if (r < 0)
			return r;
	} while (used == size && used <= max_bytes);
	if (used > max_bytes)
		return err_set(err, ERR_LIMIT, "%s holds more than %zu bytes", what, max_bytes);
	secret_shorten(value, used);
	*out = TAKE_PTR(value);
	return 0;
}

bool secret_is_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || sodium_memcmp(a.data, b.data, a.len) == 0);
}
