// Random numbers that a seed repeats.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline uint64_t dice_next(struct dice *dice)
{
	dice->state += 0x9e3779b97f4a7c15u;
	uint64_t z = dice->state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline size_t dice_below(struct dice *dice, size_t n)
{
	return (size_t)(dice_next(dice) % n);
}
