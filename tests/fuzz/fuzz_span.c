/*
 * Any octets as a message: a span lies inside them, and where a parser takes
 * them it holds the same value as the parser's member.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/slice.h"
#include "common/wire/varlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
compare(const struct jw_slice *span, const json_t *value)
{
	json_t *found = json_loadb(span->at, span->len, JSON_DECODE_ANY, NULL);

	/* An integer that the parser had to widen is no text of its own. */
	if (found != NULL && json_equal(found, value) != 1)
		abort();
	json_decref(found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct jw_slice span;
	bool found = jw_span_member(text, size, "claims", &span);
	json_t *root = varlink_object_parse(text, size);
	const json_t *value = json_object_get(root, "claims");

	if (found && (span.at < text || span.at + span.len > text + size))
		abort();
	if (root != NULL && found != (value != NULL))
		abort();
	if (root != NULL && found)
		compare(&span, value);
	json_decref(root);
	return 0;
}
