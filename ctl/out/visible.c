/*
 * Replies for people: a daemon, or the client that gave it a reason, must not
 * be able to write control characters to a terminal.
 */
#include <jansson.h>
#include <stdlib.h>

#include "ctl/out/text.h"
#include "ctl/out/visible.h"

static json_t *
visible_string(const json_t *value, unsigned flags)
{
	char *s = out_text_visible(json_string_value(value), flags);
	json_t *copy = s != NULL ? json_string(s) : NULL;

	free(s);
	return copy;
}

static json_t *
visible_object(const json_t *value, unsigned flags)
{
	json_t *copy = json_object();
	const char *name;
	json_t *member;

	/* Jansson iterates over objects that are not const only. */
	json_object_foreach ((json_t *)(uintptr_t)value, name, member) {
		if (json_object_set_new(
			copy, name, out_visible(member, flags)) < 0) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}

static json_t *
visible_array(const json_t *value, unsigned flags)
{
	json_t *copy = json_array();
	size_t i;
	const json_t *item;

	json_array_foreach (value, i, item) {
		if (json_array_append_new(copy, out_visible(item, flags)) < 0) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}

struct json_t *
out_visible(const struct json_t *reply, unsigned flags)
{
	if (json_is_string(reply))
		return visible_string(reply, flags);
	if (json_is_object(reply))
		return visible_object(reply, flags);
	if (json_is_array(reply))
		return visible_array(reply, flags);
	return json_copy((json_t *)(uintptr_t)reply);
}
