/*
 * The head of an HTTP/1 request: request line and header lines (RFC 9112).
 * Stricter than the RFC asks for: what two readers could read in two ways is
 * refused.  Pure; any octets whatsoever may come in.
 */
#ifndef JWKSD_HTTP_HEAD_H
#define JWKSD_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "daemon/http/limits.h"

/* A piece of the octets that were parsed; not NUL-terminated. */
struct head_text {
	const char *at;
	size_t len;
};

struct head_field {
	struct head_text name;
	struct head_text value; /* without blanks around it */
};

enum head_method { HEAD_GET, HEAD_HEAD, HEAD_OPTIONS, HEAD_OTHER };

struct head {
	enum head_method method;
	int minor;                  /* of HTTP/1.x: 0 or 1 */
	struct head_text authority; /* of the target or Host; at NULL: none */
	struct head_text path;      /* undecoded, without query; or "*" */
	bool keep_alive;            /* the client would like another one */
	bool has_body;              /* HEAD_OTHER only: refused elsewhere */
	size_t nfields;
	struct head_field fields[LIMIT_HEAD_LINES];
};

/* How far the octets of a head were looked at; all zero in the beginning. */
struct head_scan {
	size_t skipped; /* empty lines before the request line */
	size_t seen;
	size_t lines;
	size_t line_start;
};

enum head_status { HEAD_MORE, HEAD_DONE, HEAD_BAD };

/*
 * Look at the octets that came since the last call (data always begins with
 * the first one).  HEAD_DONE: a head is data + skipped, up to data + seen.
 * HEAD_BAD: it can not become a sound one: a control octet, CR or LF alone,
 * more than head_bytes or LIMIT_HEAD_LINES.
 */
enum head_status head_scan(
    struct head_scan *scan, const char *data, size_t len, size_t head_bytes);

/*
 * Parse a head that was scanned.  ret_head points into data.
 * JW_PROTOCOL: answer 400 and close.
 */
enum jw_err head_parse(const char *data, size_t len, struct head *ret_head);

/* Does a refused request have the method HEAD, so no body may follow? */
bool head_is_head(const char *data, size_t len);

/* The field after `after` with this name (any case); NULL: none (left). */
const struct head_field *head_next(
    const struct head *head, const char *name, const struct head_field *after);

bool head_text_is(struct head_text text, const char *word);
bool head_text_is_nocase(struct head_text text, const char *word);
struct head_text head_trim(struct head_text text);
/* tchar of RFC 9110 section 5.6.2 */
bool head_is_token(struct head_text text);
/*
 * Take the next element of a comma-separated list (RFC 9110 section 5.6.1)
 * off *rest; empty elements are passed over.  False at the end.
 */
bool head_list_next(struct head_text *rest, struct head_text *ret_element);

#endif
