/*
 * A directory of a test's own, where TMPDIR says: tests/run makes that one
 * for each test program and complains of what is left in it.
 */
#ifndef JWKSD_TESTS_UNIT_PLACE_H
#define JWKSD_TESTS_UNIT_PLACE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* False: it cannot be made, or its path does not fit. */
static inline bool
place_make(char *ret_path, size_t size)
{
	const char *parent = getenv("TMPDIR");
	int len = snprintf(ret_path, size, "%s/jwksd-XXXXXX",
	    parent == NULL || *parent == '\0' ? "/tmp" : parent);

	return len > 0 && (size_t)len < size && mkdtemp(ret_path) != NULL;
}

#endif
