// Looks for copies of a secret in this process's own writable memory: what a wrapper or a library forgot to wipe.
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "secmem/secmem.h"

#define RESIDUE_WINDOW_BYTES 4096
#define RESIDUE_NEEDLE_BYTES 8
// A sanitizer's shadow is larger, and holds no data.
#define RESIDUE_REGION_BYTES_MAX (64ul << 20)

// How often any 8 consecutive bytes of the secret stand in the window.
static inline size_t residue_count_window(const uint8_t *window, size_t len, struct span secret)
{
	size_t hits = 0;
	// Most pages were never used; a sanitizer has thousands of them.
	if (window[0] == 0 && memcmp(window, window + 1, len - 1) == 0)
		return 0;
	for (size_t at = 0; at + RESIDUE_NEEDLE_BYTES <= len; at++)
		for (size_t from = 0; from + RESIDUE_NEEDLE_BYTES <= secret.len; from++)
			hits += window[at] == secret.data[from] &&
				memcmp(window + at, secret.data + from, RESIDUE_NEEDLE_BYTES) == 0;
	return hits;
}

static inline bool valgrind_is_here(void)
{
	const char *preload = getenv("LD_PRELOAD");
	return preload && strstr(preload, "vgpreload");
}

// Whether this process can look at its memory, and it is its own alone: valgrind keeps the program's registers in it.
static inline bool residue_is_countable(void)
{
	return access("/proc/self/mem", R_OK) == 0 && !valgrind_is_here();
}

// Counts copies outside of the secret's own pages, in words of 8 bytes at any place. The secret must be random enough
// not to stand there by chance. SIZE_MAX when the memory cannot be read.
static inline size_t residue_count(const struct secret *secret)
{
	// The window is a secret too: it holds what it finds, so it must be wiped, and must not be searched.
	_cleanup_secret_ struct secret *window = NULL;
	struct err err;
	FILE *maps = fopen("/proc/self/maps", "re");
	_cleanup_fd_ int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	if (!maps || memory < 0 || secret_new(RESIDUE_WINDOW_BYTES, SECRET_LOCK_REQUIRED, &window, &err) < 0)
		return SIZE_MAX;
	size_t hits = 0;
	bool is_readable = false;
	unsigned long own = (uintptr_t)secret_span(secret).data, at_window = (uintptr_t)secret_data(window), from, to;
	char line[512];
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 || !strstr(line, " rw") || to - from > RESIDUE_REGION_BYTES_MAX ||
		    (own >= from && own < to) || (at_window >= from && at_window < to))
			continue;
		is_readable = true;
		for (; from < to; from += RESIDUE_WINDOW_BYTES) {
			ssize_t n = pread(memory, secret_data(window), RESIDUE_WINDOW_BYTES, (off_t)from);
			if (n > 0)
				hits += residue_count_window(secret_data(window), (size_t)n, secret_span(secret));
		}
	}
	fclose(maps);
	return is_readable ? hits : SIZE_MAX;
}
