/*
 * Replies for people: must never let the daemon, or the client that gave it a
 * reason, write control characters to a terminal.
 */
#include "ctl/out/visible.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "ctl/out/text.h"

struct json_t *
out_visible(const struct out_text *text, const struct json_t *reply)
{
	json_t *copy, *value;
	const char *name;
	char *shown;
	size_t i;

	if (json_is_string(reply)) {
		shown = out_text_visible(
		    json_string_value(reply), text->utf8 ? TEXT_UTF8 : 0);
		copy = json_string(shown);
		free(shown);
		return copy;
	}
	/* A shallow copy, in which each member is replaced. */
	copy = json_copy((json_t *)(uintptr_t)reply);
	json_object_foreach (copy, name, value)
		json_object_set_new(copy, name, out_visible(text, value));
	json_array_foreach (copy, i, value)
		json_array_set_new(copy, i, out_visible(text, value));
	return copy;
}
