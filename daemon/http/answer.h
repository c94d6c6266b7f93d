/*
 * The answers of the front, as rows of two tables: status lines with bodies,
 * and header lines with the answers that have them.
 */
#ifndef JWKSD_HTTP_ANSWER_H
#define JWKSD_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/http/request.h"
#include "daemon/http/resource.h"

struct http_document;
struct http_documents;
struct evhttp_request;

enum http_answer_kind {
	ANSWER_DOCUMENT,     /* 200 */
	ANSWER_NOT_MODIFIED, /* 304 */
	ANSWER_OPTIONS,      /* 204 */
	ANSWER_BAD_REQUEST,  /* 400 */
	ANSWER_NOT_FOUND,    /* 404 */
	ANSWER_NOT_ALLOWED,  /* 405 */
	ANSWER_NO_DOCUMENTS, /* 500 */
};

struct http_answer {
	enum http_answer_kind kind;
	bool head;  /* to HEAD: without the body */
	bool close; /* the connection is closed afterwards */
	bool old;   /* to HTTP/1.0, which needs Connection: keep-alive */
	struct http_document *document; /* with a reference; 200 and 304 only */
	char *allow_headers;            /* of a preflight, or NULL */
	int64_t now;                    /* as Date says it, in seconds */
	char date[RESOURCE_DATE_SIZE];
};

/*
 * Decide about a parsed request.  documents NULL: none are known yet.  domain
 * as for http_resource_find().  Release with http_answer_done().
 */
void http_answer_decide(const struct http_request *request,
    const struct http_documents *documents, const char *domain,
    struct http_answer *ret_answer);
/* For a request that could not be parsed: 400, and the connection closes. */
void http_answer_refuse(bool head_only, struct http_answer *ret_answer);
void http_answer_done(struct http_answer *answer);

/* Hand the answer to evhttp, which owns request from then on. */
void http_answer_send(
    const struct http_answer *answer, struct evhttp_request *request);

#endif
