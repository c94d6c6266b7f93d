/*
 * A piece of a text that has another owner.
 */
#ifndef JWKSD_COMMON_BASE_SLICE_H
#define JWKSD_COMMON_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct jw_slice {
	const char *at; /* NULL: there is none; no NUL ends it */
	size_t len;
};

static inline bool
jw_slice_is(struct jw_slice slice, const char *word)
{
	return slice.len == strlen(word) &&
	       memcmp(slice.at, word, slice.len) == 0;
}

/* The same without the case of ASCII letters. */
static inline bool
jw_slice_is_nocase(struct jw_slice slice, const char *word)
{
	return slice.len == strlen(word) &&
	       strncasecmp(slice.at, word, slice.len) == 0;
}

#endif
