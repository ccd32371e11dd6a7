// bench: what the benchmark programs share.
#pragma once

#include <stdlib.h>
#include <time.h>

static inline double now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

// Of this process.
static inline double cpu_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static inline int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

// Sorts the values.
static inline double median(double *values, size_t count)
{
	qsort(values, count, sizeof(double), compare_doubles);
	return values[count / 2];
}
