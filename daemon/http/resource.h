/*
 * What a parsed request asks for: which app and path, whether the copy that
 * the client has is still good, which headers a preflight names.  Pure.
 */
#ifndef JWKSD_HTTP_RESOURCE_H
#define JWKSD_HTTP_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "daemon/http/request.h"

enum {
	RESOURCE_APP_SIZE = 64,    /* one label of a name, and NUL */
	RESOURCE_DATE_SIZE = 32,   /* an IMF-fixdate, and NUL */
	RESOURCE_ALLOW_SIZE = 512, /* of a preflight's header names */
};

/*
 * The app and the path of the document that a request asks for.  A target of
 * the form "/APP/.well-known/..." names its app, whatever the Host is; the
 * path is then what follows "/APP".  Otherwise the Host decides: one label
 * under domain (compared without case) is the app, in lower case; the domain
 * itself, every name and address that is not under it, and a missing Host are
 * "default".  domain NULL: every Host is "default".
 * JW_INVALID_PARAMETER: the Host is not a valid name (answer 400).
 * JW_NO_SUCH_KEY_SET: several labels under domain (404).
 * ret_app has room for RESOURCE_APP_SIZE; ret_path points into the
 * request.
 */
enum jw_err http_resource_find(const struct http_request *request,
    const char *domain, char *ret_app, struct jw_slice *ret_path);

/*
 * RFC 9110 section 13.1: If-None-Match in any number of lines, compared
 * weakly with etag (with its quotes); without it If-Modified-Since, which
 * never confirms a version of this second: another one may share it.
 */
bool http_resource_not_modified(const struct http_request *request,
    const char *etag, int64_t last_modified, int64_t now);

/*
 * The names in Access-Control-Request-Headers that are tokens, separated by
 * ", " in ret_names (RESOURCE_ALLOW_SIZE); as many as fit.  False: none.
 */
bool http_resource_preflight(
    const struct http_request *request, char *ret_names);

/* IMF-fixdate; buf has RESOURCE_DATE_SIZE; returns buf. */
char *http_resource_date_format(int64_t when, char *buf);
/* Any of the three forms of RFC 9110 section 5.6.7. */
bool http_resource_date_parse(struct jw_slice text, int64_t *ret_when);

#endif
