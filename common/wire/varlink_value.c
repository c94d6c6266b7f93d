/*
 * Jansson's parser behind the limits that it does not have.
 *
 * The octets come from a peer: nothing may recurse without a bound, and every
 * refusal has words for the peer.
 */
#include "common/wire/varlink_value.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/wire/json_slice.h"
#include "common/wire/varlink.h"

/* Digits of an integer that may lie beyond int64. */
enum { LONG_INTEGER = 19 };

static bool
is_beyond_int64(const char *token, size_t len)
{
	bool negative = token[0] == '-';
	const char *limit =
	    negative ? "9223372036854775808" : "9223372036854775807";

	token += negative;
	len -= negative;
	for (size_t i = 0; i < len; i++)
		if (token[i] < '0' || token[i] > '9')
			return false;
	return len > LONG_INTEGER ||
	       (len == LONG_INTEGER && memcmp(token, limit, len) > 0);
}

/*
 * A copy with every integer beyond int64 written as a real: Jansson refuses
 * the whole text for one such integer, but it is one ill-typed parameter.
 */
static char *
widen_integers(const char *text, size_t len, size_t *ret_len)
{
	char *copy = jw_alloc(len + len / LONG_INTEGER * 2 + 1), *at = copy;
	struct varlink_json json;

	varlink_json_begin(&json, text, len, false);
	while (json.at < json.end) {
		struct jw_slice token = varlink_json_token(&json);

		memcpy(at, token.at, token.len);
		at += token.len;
		if (is_beyond_int64(token.at, token.len)) {
			memcpy(at, "e0", 2);
			at += 2;
		}
	}
	*ret_len = (size_t)(at - copy);
	return copy;
}

/* The fault of a text, in words for the peer that sent it. */
static const char *
words(const json_error_t *error)
{
	static const struct {
		enum json_error_code code;
		const char *text;
	} rows[] = {
	    {json_error_null_character, "holds a NUL character (\\u0000)"},
	    {json_error_null_byte_in_key, "holds a NUL character (\\u0000)"},
	    {json_error_invalid_utf8, "is not UTF-8"},
	    {json_error_numeric_overflow,
		"holds a number that is too large for a double"},
	    {json_error_duplicate_key, "has two members of one name"},
	    {json_error_out_of_memory, "does not fit into memory"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (json_error_code(error) == rows[i].code)
			return rows[i].text;
	/* The one message of Jansson's that has no code of its own. */
	if (strstr(error->text, "Unicode") != NULL)
		return "holds half of a surrogate pair (\\ud800 to \\udfff)";
	return "is not JSON";
}

static json_t *
varlink_load(const char *text, size_t len, json_error_t *error)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
	json_t *value = json_loadb(text, len, flags, error);
	size_t wide_len;
	char *wide;

	if (value != NULL ||
	    json_error_code(error) != json_error_numeric_overflow)
		return value;
	wide = widen_integers(text, len, &wide_len);
	value = json_loadb(wide, wide_len, flags, error);
	free(wide);
	return value;
}

struct json_t *
varlink_value(
    const char *text, size_t len, size_t depth_max, const char **ret_what)
{
	json_error_t error;
	const char *what = NULL;
	json_t *value = NULL;

	if (text == NULL || len >= VARLINK_MESSAGE_MAX)
		what = "is longer than 256 KiB";
	/* Jansson recurses 2048 deep, and that limit is not ours to set. */
	else if (varlink_json_depth(text, len) > depth_max)
		what = "is nested deeper than a message may be (32 levels)";
	else
		value = varlink_load(text, len, &error);
	if (what == NULL && value == NULL)
		what = words(&error);
	if (value == NULL && ret_what != NULL)
		*ret_what = what;
	return value;
}

struct json_t *
varlink_object(
    const char *text, size_t len, size_t depth_max, const char **ret_what)
{
	json_t *value = varlink_value(text, len, depth_max, ret_what);

	if (value == NULL || json_is_object(value))
		return value;
	json_decref(value);
	if (ret_what != NULL)
		*ret_what = "is not a JSON object";
	return NULL;
}
