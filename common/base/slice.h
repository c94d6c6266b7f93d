/*
 * Where a member's value stands in the text of a JSON object, so that it can
 * be passed on octet for octet: no parser and printer in between changes the
 * order of members, a number or an escape.  Pure; nothing is copied.
 */
#ifndef JWKSD_COMMON_BASE_SLICE_H
#define JWKSD_COMMON_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>

/* A piece of a text, which stays the property of another; no NUL ends it. */
struct jw_slice {
	const char *at; /* NULL: there is no such piece */
	size_t len;
};

bool jw_slice_is(struct jw_slice slice, const char *word);
/* In any case of ASCII letters. */
bool jw_slice_is_nocase(struct jw_slice slice, const char *word);

/*
 * A walk over the members of the outermost object of any octets whatsoever.
 * Strings and brackets are followed, everything between them is taken as it
 * is: whether a value is JSON is for a parser to say.
 */
struct jw_span_walk {
	const char *text;
	size_t len;
	size_t at;
	bool begun;
};

/* False: no object begins here. */
bool jw_span_open(const char *text, size_t len, struct jw_span_walk *ret_walk);
/* The next member, its name with the quotes.  False: there is none. */
bool jw_span_next(struct jw_span_walk *walk, struct jw_slice *ret_name,
    struct jw_slice *ret_value);
/* After the last member: did the object end there, and the text with it? */
bool jw_span_ended(struct jw_span_walk *walk);
/* Does a name with its quotes mean this word (ASCII), however written? */
bool jw_span_is(const struct jw_slice *name, const char *word);

/*
 * The value of the member called name (ASCII; escapes in the text's own names
 * are understood) of the outermost object.  The text is one that a parser has
 * accepted, without duplicate members: of other octets some span inside the
 * text, or false, comes back.  False: there is no such member.
 */
bool jw_span_member(
    const char *text, size_t len, const char *name, struct jw_slice *ret_span);

#endif
