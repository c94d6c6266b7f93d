/*
 * Which name was meant.
 *
 * Two typing mistakes are near; a beginning is as clear as one.  Pure; must
 * never suggest something that has little to do with what was typed.
 */
#include <stdint.h>
#include <string.h>

#include "common/base/nearest.h"

enum { NAME_MAX_LEN = 32, DISTANCE_NEAR = 2 };

static size_t
jw_least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's jw_distance; SIZE_MAX for a name longer than any of ours. */
static size_t
jw_distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], blen = strlen(b);

	if (blen > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= blen; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < blen; j++) {
			size_t above = row[j + 1];

			row[j + 1] = jw_least(
			    diagonal + (a[i] != b[j]), above + 1, row[j] + 1);
			diagonal = above;
		}
	}
	return row[blen];
}

void
jw_nearest_init(struct jw_nearest *ret_nearest, const char *wanted)
{
	ret_nearest->wanted = wanted;
	ret_nearest->best = NULL;
	ret_nearest->distance = DISTANCE_NEAR + 1;
}

void
jw_nearest_consider(struct jw_nearest *nearest, const char *candidate)
{
	const char *wanted = nearest->wanted;
	size_t d = jw_distance(candidate, wanted);

	/* "rot" is no typing mistake, but as clear. */
	if (strlen(wanted) >= 2 &&
	    strncmp(candidate, wanted, strlen(wanted)) == 0)
		d = 1;
	if (d < nearest->distance) {
		nearest->best = candidate;
		nearest->distance = d;
	}
}
