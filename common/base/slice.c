/*
 * A walk over the text of a JSON object, from member to member of its
 * outermost level.
 *
 * A value is found by its quotes and brackets alone; whether it is JSON is for
 * a parser to say.  Must never look outside the text or go round in circles,
 * whatever stands there.
 */
#include "common/base/slice.h"

#include <string.h>
#include <strings.h>

bool
jw_slice_is(struct jw_slice slice, const char *word)
{
	return slice.len == strlen(word) &&
	       memcmp(slice.at, word, slice.len) == 0;
}

bool
jw_slice_is_nocase(struct jw_slice slice, const char *word)
{
	return slice.len == strlen(word) &&
	       strncasecmp(slice.at, word, slice.len) == 0;
}

static void
jw_skip_blanks(struct jw_span_walk *walk)
{
	while (walk->at < walk->len && walk->text[walk->at] != '\0' &&
	       strchr(" \t\r\n", walk->text[walk->at]) != NULL)
		walk->at++;
}

static bool
skip_char(struct jw_span_walk *walk, char c)
{
	jw_skip_blanks(walk);
	if (walk->at >= walk->len || walk->text[walk->at] != c)
		return false;
	walk->at++;
	return true;
}

/* From the opening quote to behind the closing one. */
static bool
skip_string(struct jw_span_walk *walk)
{
	const char *text = walk->text;
	size_t len = walk->len, at;

	if (!skip_char(walk, '"'))
		return false;
	for (at = walk->at; at < len && text[at] != '"'; at++)
		at += text[at] == '\\';
	if (at >= len)
		return false;
	walk->at = at + 1;
	return true;
}

/* To behind the bracket that closes the one here. */
static bool
skip_nested(struct jw_span_walk *walk)
{
	size_t depth = 0;

	while (walk->at < walk->len) {
		char c = walk->text[walk->at];

		if (c == '"') {
			if (!skip_string(walk))
				return false;
			continue;
		}
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		walk->at++;
		if (depth == 0)
			return true;
	}
	return false;
}

/* A number or a word. */
static bool
jw_skip_plain(struct jw_span_walk *walk)
{
	size_t start = walk->at;

	while (walk->at < walk->len && walk->text[walk->at] != '\0' &&
	       strchr(" \t\r\n,}]", walk->text[walk->at]) == NULL)
		walk->at++;
	return walk->at > start;
}

static bool
skip_value(struct jw_span_walk *walk)
{
	jw_skip_blanks(walk);
	if (walk->at >= walk->len)
		return false;
	if (walk->text[walk->at] == '"')
		return skip_string(walk);
	if (walk->text[walk->at] == '{' || walk->text[walk->at] == '[')
		return skip_nested(walk);
	return jw_skip_plain(walk);
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

/* The character at s and how many octets it takes; -1: no ASCII character
 * that could stand in a name of ours. */
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

/* Does the string between the quotes mean name? */
static bool
jw_is_name(const char *s, size_t len, const char *name)
{
	size_t at = 0, taken;

	for (; *name != '\0'; name++) {
		if (at >= len ||
		    read_char(s + at, len - at, &taken) != (unsigned char)*name)
			return false;
		at += taken;
	}
	return at == len;
}

bool
jw_span_is(const struct jw_slice *name, const char *word)
{
	return name->len >= 2 && jw_is_name(name->at + 1, name->len - 2, word);
}

bool
jw_span_open(const char *text, size_t len, struct jw_span_walk *ret_walk)
{
	*ret_walk = (struct jw_span_walk){text, len, 0, false};
	return skip_char(ret_walk, '{');
}

static bool
take_span(struct jw_span_walk *walk, bool (*skip)(struct jw_span_walk *walk),
    struct jw_slice *ret_span)
{
	size_t start;

	jw_skip_blanks(walk);
	start = walk->at;
	if (!skip(walk))
		return false;
	*ret_span = (struct jw_slice){walk->text + start, walk->at - start};
	return true;
}

/* A member that is none leaves the walk where the object did not end. */
bool
jw_span_next(struct jw_span_walk *walk, struct jw_slice *ret_name,
    struct jw_slice *ret_value)
{
	struct jw_span_walk ahead = *walk;

	if (ahead.begun && !skip_char(&ahead, ','))
		return false;
	if (!take_span(&ahead, skip_string, ret_name) ||
	    !skip_char(&ahead, ':') ||
	    !take_span(&ahead, skip_value, ret_value))
		return false;
	ahead.begun = true;
	*walk = ahead;
	return true;
}

bool
jw_span_ended(struct jw_span_walk *walk)
{
	if (!skip_char(walk, '}'))
		return false;
	jw_skip_blanks(walk);
	return walk->at == walk->len;
}

bool
jw_span_member(
    const char *text, size_t len, const char *name, struct jw_slice *ret_span)
{
	struct jw_span_walk walk;
	struct jw_slice found, value;

	if (!jw_span_open(text, len, &walk))
		return false;
	while (jw_span_next(&walk, &found, &value)) {
		if (jw_span_is(&found, name)) {
			*ret_span = value;
			return true;
		}
	}
	return false;
}
