// face: the engine of redact/ as a library of its own. include/envseal/redact.h is its contract and all that is
// exported; this header has what its files share.
//
// Invariants
//  - Nothing of redact/, secmem/ or base/ shows: no type, no error code, no symbol (face.map, and objcopy for the
//    archive).
//  - Nothing here changes the process or reads its environment. No libsodium function that needs sodium_init is used.
//  - What a caller can do wrong without a wild pointer is ENVSEAL_ERR_INVALID, never undefined.
#pragma once

#include <envseal/redact.h>

#include "redact/redact.h"

// A value that was collected. Both are owned by struct envseal_values.
struct face_value {
	char *name;
	struct span bytes; // in one of its blocks
};

// Values lie one behind the other in blocks of secret memory: a block each would take three pages for a token, and
// locked pages are scarce. A block is never moved.
struct envseal_values {
	struct face_value *list;
	size_t count;
	size_t capacity;
	struct secret **blocks;
	size_t block_count;
	size_t block_used; // bytes of the last block
	bool is_locked;    // all blocks are kept out of swap
};

struct envseal_redactor {
	struct redactor *tables;
	char **names; // by value index
	size_t name_count;
	bool is_locked;
};

// Fills *error, if there is one, and returns `code`.
int face_fail(struct envseal_error *error, enum envseal_code code, const char *text);
// The same for an error of a lower layer. Above 0 are the answers of a sink.
int face_fail_err(struct envseal_error *error, int code, const struct err *err);
// ENVSEAL_ERR_INVALID unless both are there.
int face_check_given(const void *one, const void *other, struct envseal_error *error);
// ENVSEAL_ERR_INVALID for no bytes, ENVSEAL_ERR_LIMIT for too many.
int face_check_value(const void *bytes, size_t len, struct envseal_error *error);
