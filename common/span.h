/*
 * Where a member's value stands in the text of a JSON object, so that it can
 * be passed on octet for octet: no parser and printer in between changes the
 * order of members, a number or an escape.  Pure; nothing is copied.
 */
#ifndef JWKSD_COMMON_SPAN_H
#define JWKSD_COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

struct jw_span {
	const char *at; /* into the text; not NUL-terminated */
	size_t len;     /* without blanks around the value */
};

/*
 * The value of the member called name (ASCII; escapes in the text's own names
 * are understood) of the outermost object.  The text is one that a parser has
 * accepted, without duplicate members: of other octets some span inside the
 * text, or false, comes back.  False: there is no such member.
 */
bool jw_span_member(
    const char *text, size_t len, const char *name, struct jw_span *ret_span);

#endif
