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
#include "common/base/slice.h"
#include "daemon/http/limits.h"

struct http_request_field {
	struct jw_slice name;
	struct jw_slice value; /* without blanks around it */
};

enum http_request_method { HEAD_GET, HEAD_HEAD, HEAD_OPTIONS, HEAD_OTHER };

struct http_request {
	enum http_request_method method;
	int minor;                 /* of HTTP/1.x: 0 or 1 */
	struct jw_slice authority; /* of the target or Host; at NULL: none */
	struct jw_slice path;      /* undecoded, without query; or "*" */
	bool keep_alive;           /* the client would like another one */
	bool has_body;             /* HEAD_OTHER only: refused elsewhere */
	size_t nfields;
	struct http_request_field fields[LIMIT_HEAD_LINES];
};

/* How far the octets of a head were looked at; all zero in the beginning. */
struct http_request_scan {
	size_t skipped; /* empty lines before the request line */
	size_t seen;
	size_t lines;
	size_t line_start;
};

enum http_request_status { HEAD_MORE, HEAD_DONE, HEAD_BAD };

/*
 * Look at the octets that came since the last call (data always begins with
 * the first one).  HEAD_DONE: a head is data + skipped, up to data + seen.
 * HEAD_BAD: it can not become a sound one: a control octet, CR or LF alone,
 * more than head_bytes or LIMIT_HEAD_LINES.
 */
enum http_request_status http_request_scan(struct http_request_scan *scan,
    const char *data, size_t len, size_t head_bytes);

/*
 * Parse a head that was scanned.  ret_head points into data.
 * JW_PROTOCOL: answer 400 and close.
 */
enum jw_err http_request_parse(
    const char *data, size_t len, struct http_request *ret_head);

/* Does a refused request have the method HEAD, so no body may follow? */
bool http_request_is_head(const char *data, size_t len);

/* The field after `after` with this name (any case); NULL: none (left). */
const struct http_request_field *http_request_next(
    const struct http_request *head, const char *name,
    const struct http_request_field *after);

/* Without the blanks around it. */
struct jw_slice http_request_trim(struct jw_slice text);
/* tchar of RFC 9110 section 5.6.2 */
bool http_request_is_token(struct jw_slice text);
/*
 * Take the next element of a comma-separated list (RFC 9110 section 5.6.1)
 * off *rest; empty elements are passed over.  False at the end.
 */
bool http_request_list_next(
    struct jw_slice *rest, struct jw_slice *ret_element);

#endif
