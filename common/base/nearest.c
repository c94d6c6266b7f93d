/*
 * The edit distance between names.
 *
 * Two typing mistakes are near; a beginning is as clear as one mistake.  Pure;
 * must never suggest a name that has little to do with the typed one.
 */
#include "common/base/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_LEN = 32, DISTANCE_NEAR = 2 };

static size_t
lesser(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool
same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/*
 * Insertions, deletions, substitutions and swaps of neighbours; SIZE_MAX for
 * a name longer than any of ours.
 */
static size_t
edit_distance(const char *a, const char *b)
{
	size_t rows[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];
	size_t na = strlen(a), nb = strlen(b);

	if (na > NAME_MAX_LEN || nb > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t i = 0; i <= na; i++) {
		for (size_t j = 0; j <= nb; j++) {
			if (i == 0 || j == 0) {
				rows[i][j] = i + j;
				continue;
			}
			rows[i][j] =
			    lesser(lesser(rows[i - 1][j], rows[i][j - 1]) + 1,
				rows[i - 1][j - 1] + !same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]))
				rows[i][j] =
				    lesser(rows[i][j], rows[i - 2][j - 2] + 1);
		}
	}
	return rows[na][nb];
}

void
jw_nearest_init(struct jw_nearest *ret_nearest, const char *wanted)
{
	*ret_nearest = (struct jw_nearest){
	    .wanted = wanted, .distance = DISTANCE_NEAR + 1};
}

void
jw_nearest_consider(struct jw_nearest *nearest, const char *candidate)
{
	size_t len = strlen(nearest->wanted);
	size_t distance = edit_distance(candidate, nearest->wanted);

	/* "rot" is no typing mistake, but as clear as one. */
	if (distance > 1 && len >= 2 &&
	    strncasecmp(candidate, nearest->wanted, len) == 0)
		distance = 1;
	if (distance < nearest->distance) {
		nearest->best = candidate;
		nearest->distance = distance;
	}
}
