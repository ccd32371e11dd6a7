// Lines as xxd, hexdump and od write them.
#pragma once

#include "base/base.h"
#include "dice.h"

// The digits of `data` as some dump has them, without anything between; at most 3 a byte, and a NUL.
void dump_digits(struct dice *dice, struct span data, char *out);
// The lines of a whole dump of `data`, in a random style and width.
void dump_add(struct dice *dice, struct span data, struct buf *out);
// One line of the same build whose columns are `data` itself, cut anywhere.
void dump_add_made(struct dice *dice, struct span data, struct buf *out);
