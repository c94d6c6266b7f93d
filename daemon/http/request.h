/*
 * An HTTP/1 request: request line and header lines (RFC 9112).  Stricter than
 * the RFC asks for: what two readers could read in two ways is refused.  Pure;
 * a client may send any octets.
 */
#ifndef JWKSD_HTTP_REQUEST_H
#define JWKSD_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "daemon/http/limits.h"

struct http_request_field {
	struct jw_slice name;
	struct jw_slice value; /* without blanks around it */
};

enum http_request_method {
	REQUEST_GET,
	REQUEST_HEAD,
	REQUEST_OPTIONS,
	REQUEST_OTHER
};

struct http_request {
	enum http_request_method method;
	int minor;                 /* of HTTP/1.x: 0 or 1 */
	struct jw_slice authority; /* of the target or Host; at NULL: none */
	struct jw_slice path;      /* undecoded, without query; or "*" */
	bool keep_alive;           /* the client may send another request */
	bool has_body;             /* only with REQUEST_OTHER */
	size_t nfields;
	struct http_request_field fields[LIMIT_HEADER_LINES];
};

/* How far the octets of a request have been scanned; begins as zeros. */
struct http_request_scan {
	size_t skipped; /* empty lines before the request line */
	size_t seen;
	size_t lines;
	size_t line_start;
};

enum http_request_status { REQUEST_INCOMPLETE, REQUEST_WHOLE, REQUEST_BAD };

/*
 * Scan the octets that came since the last call; data always begins with the
 * first octet.  REQUEST_WHOLE: the request is data + skipped, up to data +
 * seen.  REQUEST_BAD: it has a control octet, CR or LF alone, or more than
 * header_bytes or LIMIT_HEADER_LINES.
 */
enum http_request_status http_request_scan(struct http_request_scan *scan,
    const char *data, size_t len, size_t header_bytes);

/*
 * Parse a request that was scanned.  ret_request points into data.
 * JW_PROTOCOL: answer 400 and close.
 */
enum jw_err http_request_parse(
    const char *data, size_t len, struct http_request *ret_request);

/* Does a refused request have the method HEAD, so no body may follow? */
bool http_request_is_head(const char *data, size_t len);

/* The field after `after` (NULL: the first) with this name in any case; NULL:
 * there is no further one. */
const struct http_request_field *http_request_next(
    const struct http_request *request, const char *name,
    const struct http_request_field *after);

/* Without the blanks around it. */
struct jw_slice http_request_trim(struct jw_slice text);
/* tchar of RFC 9110 section 5.6.2 */
bool http_request_is_token(struct jw_slice text);
/*
 * Take the next element of a comma-separated list (RFC 9110 section 5.6.1)
 * off *rest; empty elements are skipped.  False: there is no further one.
 */
bool http_request_list_next(
    struct jw_slice *rest, struct jw_slice *ret_element);

#endif
