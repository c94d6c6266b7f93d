/*
 * Reads JSON by its quotes and brackets.  Must never read outside the text or
 * loop without end, whatever its octets are; must never accept as plain a text
 * that a parser of all of JSON refuses.
 */
#include "common/wire/json_slice.h"

#include <endian.h>

enum { DIGITS_MAX = 18 }; /* of an integer that fits into 64 bits for sure */

void
varlink_json_begin(
    struct varlink_json *ret_json, const char *text, size_t len, bool is_plain)
{
	*ret_json = (struct varlink_json){text, text + len, 0, is_plain};
}

/* Behind the blanks here, of which there are mostly none. */
static inline char
peek(struct varlink_json *json)
{
	for (; json->at < json->end; json->at++) {
		const char c = *json->at;

		if ((unsigned char)c > ' ' ||
		    (c != ' ' && c != '\t' && c != '\n' && c != '\r'))
			return c;
	}
	return '\0';
}

char
varlink_json_peek(struct varlink_json *json)
{
	return peek(json);
}

bool
varlink_json_ended(struct varlink_json *json)
{
	peek(json);
	return json->at == json->end;
}

/* Blanks, and then c, which is not NUL. */
static bool
take(struct varlink_json *json, char c)
{
	if (peek(json) != c)
		return false;
	json->at++;
	return true;
}

/* ---- strings ---- */

#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

/*
 * The first octet from at on that a plain string does not hold: its closing
 * quote, a backslash, a control octet or no ASCII.  Eight at a time: the
 * lowest top bit that is left belongs to the first such octet: borrows and
 * carries change only the bits above.
 */
static const char *
skip_plain_octets(const char *at, const char *end)
{
	uint64_t word;

	for (; (size_t)(end - at) >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		word = le64toh(word);
		word = (word | (word - EACH(' ')) | (word + EACH(1)) |
			   ((word ^ EACH('"')) - EACH(1)) |
			   ((word ^ EACH('\\')) - EACH(1))) &
		       EACH(0x80);
		if (word != 0)
			return at + __builtin_ctzll(word) / 8;
	}
	for (; at < end; at++) {
		const unsigned char c = (unsigned char)*at;

		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
			break;
	}
	return at;
}

/* From its opening quote here to behind its closing one. */
static bool
skip_string(struct varlink_json *json)
{
	const char *at = skip_plain_octets(json->at + 1, json->end);

	while (at < json->end && *at != '"') {
		if (json->is_plain)
			return false;
		at += *at == '\\' && at + 1 < json->end ? 2 : 1;
		at = skip_plain_octets(at, json->end);
	}
	json->at = at < json->end ? at + 1 : json->end;
	return at < json->end;
}

/* ---- other values ---- */

struct jw_slice
varlink_json_token(struct varlink_json *json)
{
	const char *start = json->at;

	if (start < json->end && *start == '"') {
		skip_string(json);
	} else if (start < json->end) {
		while (json->at<json->end && * json->at> ' ' &&
		       strchr(",:{}[]\"", *json->at) == NULL)
			json->at++;
		json->at += json->at == start;
	}
	return (struct jw_slice){start, (size_t)(json->at - start)};
}

/* To behind the bracket that closes the one here. */
static bool
skip_nested(struct varlink_json *json, size_t *ret_deepest)
{
	size_t depth = 0;

	*ret_deepest = 0;
	do {
		struct jw_slice token = varlink_json_token(json);

		if (token.len == 0)
			return false;
		if (token.at[0] == '{' || token.at[0] == '[')
			depth++;
		else if ((token.at[0] == '}' || token.at[0] == ']') &&
			 depth > 0)
			depth--;
		if (depth > *ret_deepest)
			*ret_deepest = depth;
	} while (depth > 0);
	return true;
}

size_t
varlink_json_depth(const char *text, size_t len)
{
	struct varlink_json json;
	size_t deepest;

	varlink_json_begin(&json, text, len, false);
	varlink_json_peek(&json);
	skip_nested(&json, &deepest);
	return deepest;
}

static bool
take_word(struct varlink_json *json, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(json->end - json->at) < len ||
	    memcmp(json->at, word, len) != 0)
		return false;
	json->at += len;
	return true;
}

/* Not a fraction, an exponent, or a number that may be too large. */
static bool
take_plain_integer(struct varlink_json *json)
{
	const char *first = json->at + (*json->at == '-'), *at = first;

	while (at < json->end && *at >= '0' && *at <= '9')
		at++;
	json->at = at;
	return at > first && at - first <= DIGITS_MAX &&
	       (*first != '0' || at - first == 1) &&
	       (at == json->end || (*at != '.' && *at != 'e' && *at != 'E'));
}

static bool skip_value(struct varlink_json *json);

static bool
skip_plain_object(struct varlink_json *json)
{
	struct varlink_json_object object;
	struct jw_slice name;

	if (!varlink_json_open(json, &object))
		return false;
	while (varlink_json_name(json, &object, &name))
		if (!skip_value(json))
			return false;
	return varlink_json_close(json);
}

static bool
skip_plain_array(struct varlink_json *json)
{
	if (json->depth == JSON_PLAIN_DEPTH)
		return false;
	json->at++;
	json->depth++;
	if (peek(json) != ']') {
		do {
			if (!skip_value(json))
				return false;
		} while (take(json, ','));
	}
	json->depth--;
	return take(json, ']');
}

static bool
skip_plain_value(struct varlink_json *json)
{
	switch (*json->at) {
	case '{':
		return skip_plain_object(json);
	case '[':
		return skip_plain_array(json);
	case 't':
		return take_word(json, "true");
	case 'f':
		return take_word(json, "false");
	case 'n':
		return take_word(json, "null");
	default:
		return take_plain_integer(json);
	}
}

static bool
skip_value(struct varlink_json *json)
{
	const char first = peek(json);
	size_t deepest;

	if (first == '\0')
		return false;
	if (first == '"')
		return skip_string(json);
	if (json->is_plain)
		return skip_plain_value(json);
	if (first == '{' || first == '[')
		return skip_nested(json, &deepest);
	return strchr(",:}]", first) == NULL &&
	       varlink_json_token(json).len > 0;
}

/* ---- objects ---- */

bool
varlink_json_open(
    struct varlink_json *json, struct varlink_json_object *ret_object)
{
	ret_object->count = 0;
	if (json->is_plain && json->depth == JSON_PLAIN_DEPTH)
		return false;
	json->depth++;
	return take(json, '{');
}

bool
varlink_json_close(struct varlink_json *json)
{
	json->depth--;
	return take(json, '}');
}

static bool
read_name(struct varlink_json *json, struct jw_slice *ret_name)
{
	if (peek(json) != '"')
		return false;
	ret_name->at = json->at + 1;
	if (!skip_string(json))
		return false;
	ret_name->len = (size_t)(json->at - ret_name->at) - 1;
	return take(json, ':');
}

/* A parser refuses two members of one name. */
static bool
is_new(const struct varlink_json_object *object, const struct jw_slice *name)
{
	if (object->count == JSON_PLAIN_MEMBERS)
		return false;
	/* The analyzer does not see that the names of a plain text are kept. */
	for (size_t i = 0; i < object->count; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.*) */
		if (object->names[i].len == name->len &&
		    memcmp(object->names[i].at, name->at, name->len) == 0)
			return false;
	return true;
}

bool
varlink_json_name(struct varlink_json *json, struct varlink_json_object *object,
    struct jw_slice *ret_name)
{
	const char *start = json->at;

	if ((object->count > 0 && !take(json, ',')) ||
	    !read_name(json, ret_name) ||
	    (json->is_plain && !is_new(object, ret_name))) {
		/* At a comma, or at no bracket: the object does not end. */
		json->at = start;
		return false;
	}
	if (json->is_plain)
		object->names[object->count] = *ret_name;
	object->count++;
	return true;
}

bool
varlink_json_value(struct varlink_json *json, struct jw_slice *ret_value)
{
	peek(json);
	ret_value->at = json->at;
	if (!skip_value(json))
		return false;
	ret_value->len = (size_t)(json->at - ret_value->at);
	return true;
}

bool
varlink_json_member(struct varlink_json *json,
    struct varlink_json_object *object, struct jw_slice *ret_name,
    struct jw_slice *ret_value)
{
	const char *start = json->at;

	if (!varlink_json_name(json, object, ret_name))
		return false;
	if (varlink_json_value(json, ret_value))
		return true;
	json->at = start;
	return false;
}

bool
varlink_json_find(
    const char *text, size_t len, const char *name, struct jw_slice *ret_value)
{
	struct varlink_json json;
	struct varlink_json_object object;
	struct jw_slice found, value;

	varlink_json_begin(&json, text, len, false);
	if (!varlink_json_open(&json, &object))
		return false;
	while (varlink_json_member(&json, &object, &found, &value)) {
		if (varlink_json_is(found, name)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/* ---- slices ---- */

bool
varlink_json_string(struct jw_slice value, struct jw_slice *ret_inside)
{
	if (value.len < 2 || value.at[0] != '"')
		return false;
	*ret_inside = (struct jw_slice){value.at + 1, value.len - 2};
	return true;
}

bool
varlink_json_integer(struct jw_slice value, int64_t *ret_value)
{
	size_t i = value.len > 0 && value.at[0] == '-';
	int64_t number = 0;

	if (value.len == i || value.len - i > DIGITS_MAX)
		return false;
	for (size_t at = i; at < value.len; at++) {
		if (value.at[at] < '0' || value.at[at] > '9')
			return false;
		number = number * 10 + (value.at[at] - '0');
	}
	*ret_value = i == 1 ? -number : number;
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The character at s and how many octets it takes; -1: not an ASCII character
 * that could be in a name of ours. */
static int
read_char(const char *s, size_t len, size_t *ret_taken)
{
	int value = 0;

	*ret_taken = 1;
	if (s[0] != '\\')
		return (unsigned char)s[0];
	if (len < 6 || s[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(s[i]);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	*ret_taken = 6;
	return value < 0x80 ? value : -1;
}

bool
varlink_json_is(struct jw_slice name, const char *word)
{
	size_t at = 0, taken;

	for (; *word != '\0'; word++) {
		if (at >= name.len || read_char(name.at + at, name.len - at,
					  &taken) != (unsigned char)*word)
			return false;
		at += taken;
	}
	return at == name.len;
}
