/*
 * The greater and the lesser of two numbers: times, counts of octets.
 */
#ifndef JWKSD_COMMON_BASE_INT64_H
#define JWKSD_COMMON_BASE_INT64_H

#include <stdint.h>

static inline int64_t
jw_max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static inline int64_t
jw_min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

#endif
