/*
 * Any octets as a message: a slice lies inside them, and where a parser takes
 * them it holds the same value as the parser's member.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/wire/json_slice.h"
#include "common/wire/varlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
compare(const struct jw_slice *slice, const json_t *value)
{
	json_t *found =
	    json_loadb(slice->at, slice->len, JSON_DECODE_ANY, NULL);

	/* An integer that the parser had to widen is no text of its own. */
	if (found != NULL && json_equal(found, value) != 1)
		abort();
	json_decref(found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct jw_slice slice;
	bool found = varlink_json_find(text, size, "claims", &slice);
	json_t *root = varlink_object_parse(text, size);
	const json_t *value = json_object_get(root, "claims");

	if (found && (slice.at < text || slice.at + slice.len > text + size))
		abort();
	if (root != NULL && found != (value != NULL))
		abort();
	if (root != NULL && found)
		compare(&slice, value);
	json_decref(root);
	return 0;
}
