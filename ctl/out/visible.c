/*
 * Replies for people: must never let the daemon, or the client that gave it a
 * reason, write control characters to a terminal.
 */
#include "ctl/out/visible.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "ctl/out/text.h"

static json_t *
visible_string(const struct out_text *text, const json_t *value)
{
	char *s = out_text_visible(
	    json_string_value(value), text->utf8 ? TEXT_UTF8 : 0);
	json_t *copy = s != NULL ? json_string(s) : NULL;

	free(s);
	return copy;
}

struct json_t *
out_visible(const struct out_text *text, const struct json_t *reply)
{
	json_t *copy, *value;
	const char *name;
	size_t i;
	int failed = 0;

	if (json_is_string(reply))
		return visible_string(text, reply);
	/* A shallow copy, in which each member is replaced. */
	copy = json_copy((json_t *)(uintptr_t)reply);
	json_object_foreach (copy, name, value)
		failed |=
		    json_object_set_new(copy, name, out_visible(text, value));
	json_array_foreach (copy, i, value)
		failed |= json_array_set_new(copy, i, out_visible(text, value));
	if (failed == 0)
		return copy;
	json_decref(copy);
	return NULL;
}
