/*
 * Which of several names was meant by one that does not exist: for "did you
 * mean".  Case does not count.
 */
#ifndef JWKSD_COMMON_BASE_NEAREST_H
#define JWKSD_COMMON_BASE_NEAREST_H

#include <stddef.h>

struct jw_nearest {
	const char *wanted; /* what was typed */
	const char *best;   /* NULL: nothing is near */
	size_t distance;
};

/* wanted stays the caller's, and so do candidates. */
void jw_nearest_init(struct jw_nearest *ret_nearest, const char *wanted);

/* A candidate that is nearer than those before it becomes the best. */
void jw_nearest_consider(struct jw_nearest *nearest, const char *candidate);

#endif
