// secmem: the only memory in which secret bytes live, and the hardening of the process that holds them.
//
// Invariants
//  - A struct secret has a fixed size, inaccessible guard pages on both sides, is kept out of core dumps, and is wiped
//    when freed. It never grows in place and is never copied by this folder's callers except into another secret.
//  - Memory comes from memfd_secret(2) where the kernel has it (its descriptor is closed at once, so the pages can be
//    reached only through this mapping, not even by the kernel's direct map), else from anonymous pages with mlock(2).
//    Tables and blocks (SECRET_LOCK_PREFERRED) of a process that was born closed are always the latter: each page of
//    memfd_secret interrupts every processor, which was a third of what a broker's worker did.
//  - Pages of memfd_secret are shared with a forked child: what the child writes, wipes or frees is gone for its parent
//    too. A child leaves by exec or _exit and frees no secret it did not make itself.
#pragma once

#include "base/base.h"

// Largest value the vault takes, in bytes (product.md).
#define SECRET_VALUE_BYTES_MAX (1u << 20)

struct secret;

// Whether pages that cannot be kept out of swap are an error. Keys, passphrases and values: REQUIRED. Tables derived
// from values, which can be larger than RLIMIT_MEMLOCK allows: PREFERRED, and secret_is_locked says what became of it.
enum secret_lock { SECRET_LOCK_REQUIRED, SECRET_LOCK_PREFERRED };

// `len` zero bytes; 0 is allowed. ERR_MEMORY when no memory can be had, or none can be locked (the sentence names the
// limit and `ulimit -l`).
int secret_new(size_t len, enum secret_lock lock, struct secret **out, struct err *err);
// Wipes and frees. NULL is allowed; always returns NULL.
struct secret *secret_free(struct secret *secret);
void secret_free_ptr(struct secret **secret);
#define _cleanup_secret_ _cleanup_(secret_free_ptr)

// For a forked child: takes the pages out of this process and leaves what is in them to the parent. NULL is allowed.
void secret_forget(struct secret *secret);

uint8_t *secret_data(struct secret *secret);
size_t secret_len(const struct secret *secret);
struct span secret_span(const struct secret *secret); // borrowed; ends with the secret
bool secret_is_locked(const struct secret *secret);
// Makes the secret shorter; the bytes cut off are wiped at once. `len` above the present length is a no-op.
void secret_shorten(struct secret *secret, size_t len);
int secret_copy(struct span bytes, struct secret **out, struct err *err);
// Reads until end of file, at most max_bytes (more is ERR_LIMIT). Never through stdio; every intermediate copy is wiped.
// Blocks. `what` names the source in sentences.
int secret_read_fd(int fd, size_t max_bytes, const char *what, struct secret **out, struct err *err);
// Compares in constant time for equal lengths; different lengths are unequal at once (a length is not hidden here).
bool secret_is_equal(struct span a, struct span b);
void secret_wipe(void *data, size_t len);

// To be called first in main, before anything is read. Makes the process undumpable (which also closes /proc/self/mem,
// environ and ptrace to the same user), sets RLIMIT_CORE to 1 byte (0 would still feed a piped core_pattern: core(5)),
// core-dump filter to 0. Does not allocate. ERR_UNSAFE when a tracer is attached; ERR_SYSTEM when the kernel refuses.
int process_harden(struct err *err);
// For a child, which was forked from a process that is hardened already and has memory of its own: nobody can have
// opened that before it was closed, as whoever starts envseal can with its own (docs/decisions.md, D27).
void process_born_closed(void);
// uid-independent: true when /proc/self/status names a tracer. False when /proc is not mounted.
bool process_is_traced(void);

// --- programs of envseal's own, for libraries that copy secret bytes about and do not wipe them, or that cannot be linked
// in: their copies end with a process that lives for milliseconds.

struct helper {
	const char *name;     // of the process
	const char *what;     // for sentences: "the program that scores passphrases"
	const uint8_t *start; // an ELF file, embedded so that nobody can put another in its place
	uint64_t bytes;
};
// What a pipe takes without a reader.
#define HELPER_INPUT_BYTES_MAX 4096
// Runs it from a sealed-off memory file, undumpable, with `input` on standard input, an empty environment and, unless NULL,
// one argument. `out` is what it wrote, at most max_bytes (more is ERR_LIMIT). Blocks. ERR_SYSTEM when it cannot be started
// (a library of it is missing, say) or does not end with status 0.
int helper_run(const struct helper *helper, const char *word, struct span input, size_t max_bytes, struct secret **out,
	       struct err *err);
