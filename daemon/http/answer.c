/*
 * Decides on an answer and sends it.
 *
 * Must never reflect a target or Host, never send a length that differs from
 * the body, and never answer 500 once documents are known.
 */
#include "daemon/http/answer.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "daemon/http/documents.h"
#include "daemon/http/resource.h"

struct answer_status {
	int code;
	const char *reason;
	const char *body; /* NULL: the document's, or none */
	bool has_body;
};

#define PROBLEM(name) "{\"code\":\"" name "\",\"type\":\"" name "\"}"

static const struct answer_status statuses[] = {
    [ANSWER_DOCUMENT] = {200, "OK", NULL, true},
    [ANSWER_NOT_MODIFIED] = {304, "Not Modified", NULL, false},
    [ANSWER_OPTIONS] = {204, "No Content", NULL, false},
    [ANSWER_BAD_REQUEST] = {400, "Bad Request", PROBLEM("bad_request"), true},
    [ANSWER_NOT_FOUND] = {404, "Not Found", PROBLEM("not_found"), true},
    [ANSWER_NOT_ALLOWED] = {405, "Method Not Allowed",
	PROBLEM("method_not_allowed"), true},
    [ANSWER_NO_DOCUMENTS] = {500, "Internal Server Error", PROBLEM("internal"),
	true},
};

#define ON(kind) (1U << (kind))
enum {
	ON_200 = ON(ANSWER_DOCUMENT),
	ON_304 = ON(ANSWER_NOT_MODIFIED),
	ON_204 = ON(ANSWER_OPTIONS),
	ON_405 = ON(ANSWER_NOT_ALLOWED),
	ON_500 = ON(ANSWER_NO_DOCUMENTS),
	ON_PROBLEM =
	    ON(ANSWER_BAD_REQUEST) | ON(ANSWER_NOT_FOUND) | ON_405 | ON_500,
	ON_BODY = ON_200 | ON_PROBLEM,
	ON_ALL = ON_BODY | ON_304 | ON_204,
};

static const char *
cache_control(const struct http_answer *answer)
{
	return answer->document->cache_control;
}

static const char *
etag(const struct http_answer *answer)
{
	return answer->document->etag;
}

static const char *
last_modified(const struct http_answer *answer)
{
	/* RFC 9110 section 8.8.2.1: never later than the answer itself. */
	return answer->document->last_modified <= answer->now
		   ? answer->document->modified_text
		   : answer->date;
}

static const char *
allow_headers(const struct http_answer *answer)
{
	return answer->allow_headers;
}

static const char *
connection(const struct http_answer *answer)
{
	if (answer->close)
		return "close";
	return answer->old ? "keep-alive" : NULL;
}

/* A header line with a fixed value, or with the value that a function returns;
 * NULL leaves the line out. */
struct answer_line {
	unsigned on;
	const char *name;
	const char *value;
	const char *(*value_of)(const struct http_answer *answer);
};

static const char methods[] = "GET, HEAD, OPTIONS";

static const struct answer_line lines[] = {
    {ON_BODY, "Content-Type", "application/json", NULL},
    {ON_200 | ON_304, "Cache-Control", NULL, cache_control},
    {ON_PROBLEM, "Cache-Control", "no-store", NULL},
    {ON_200 | ON_304, "ETag", NULL, etag},
    {ON_200 | ON_304, "Last-Modified", NULL, last_modified},
    {ON_ALL, "Access-Control-Allow-Origin", "*", NULL},
    {ON_200 | ON_304, "Access-Control-Expose-Headers", "ETag", NULL},
    {ON_200 | ON_304, "Cross-Origin-Resource-Policy", "cross-origin", NULL},
    {ON_BODY, "X-Content-Type-Options", "nosniff", NULL},
    {ON_204 | ON_405, "Allow", methods, NULL},
    {ON_204, "Access-Control-Allow-Methods", methods, NULL},
    {ON_204, "Access-Control-Allow-Headers", NULL, allow_headers},
    {ON_204, "Access-Control-Max-Age", "86400", NULL},
    {ON_204, "Vary", "Access-Control-Request-Headers", NULL},
    {ON_500, "Retry-After", "1", NULL},
    {ON_ALL, "Connection", NULL, connection},
};

static void
decide_document(const struct http_request *request,
    const struct http_documents *documents, const char *app,
    struct jw_slice path, struct http_answer *answer)
{
	struct http_document *document;

	if (documents == NULL) {
		answer->kind = ANSWER_NO_DOCUMENTS;
		return;
	}
	document = http_documents_find(documents, app, path.at, path.len);
	if (document == NULL) {
		answer->kind = ANSWER_NOT_FOUND;
		return;
	}
	answer->document = http_document_ref(document);
	answer->kind = http_resource_not_modified(request, document->etag,
			   document->last_modified, answer->now)
			   ? ANSWER_NOT_MODIFIED
			   : ANSWER_DOCUMENT;
}

static void
decide_options(const struct http_request *request, struct http_answer *answer)
{
	char names[RESOURCE_ALLOW_SIZE];

	answer->kind = ANSWER_OPTIONS;
	if (http_resource_preflight(request, names))
		answer->allow_headers = jw_strdup(names);
}

static void
set_date(struct http_answer *answer)
{
	answer->now = jw_clock_wall_s();
	http_resource_date_format(answer->now, answer->date);
}

void
http_answer_decide(const struct http_request *request,
    const struct http_documents *documents, const char *domain,
    struct http_answer *ret_answer)
{
	struct http_answer answer = {
	    .head = request->method == REQUEST_HEAD,
	    .close = !request->keep_alive || request->has_body,
	    .old = request->minor == 0,
	};
	char app[RESOURCE_APP_SIZE];
	struct jw_slice path;
	enum jw_err err = http_resource_find(request, domain, app, &path);

	set_date(&answer);
	if (err == JW_INVALID_PARAMETER) {
		http_answer_refuse(answer.head, &answer);
	} else if (request->method == REQUEST_OTHER) {
		answer.kind = ANSWER_NOT_ALLOWED;
	} else if (request->method == REQUEST_OPTIONS) {
		decide_options(request, &answer);
	} else if (err != JW_OK && documents != NULL) {
		answer.kind = ANSWER_NOT_FOUND;
	} else {
		decide_document(request, documents, app, path, &answer);
	}
	*ret_answer = answer;
}

void
http_answer_refuse(bool head_only, struct http_answer *ret_answer)
{
	*ret_answer = (struct http_answer){
	    .kind = ANSWER_BAD_REQUEST,
	    .head = head_only,
	    .close = true,
	};
	set_date(ret_answer);
}

void
http_answer_done(struct http_answer *answer)
{
	http_document_unref(answer->document);
	free(answer->allow_headers);
	memset(answer, 0, sizeof(*answer));
}

static void
add_lines(const struct http_answer *answer, struct evkeyvalq *headers)
{
	const struct answer_line *line;
	const char *value;

	evhttp_add_header(headers, "Date", answer->date);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		line = &lines[i];
		if ((line->on & ON(answer->kind)) == 0)
			continue;
		value = line->value_of ? line->value_of(answer) : line->value;
		if (value != NULL)
			evhttp_add_header(headers, line->name, value);
	}
}

static void
add_body(const struct http_answer *answer, struct evhttp_request *request)
{
	const struct answer_status *status = &statuses[answer->kind];
	const char *body = status->body;
	char text[24];
	size_t len;

	if (!status->has_body)
		return;
	if (body == NULL)
		body = answer->document->body;
	len = answer->document != NULL ? answer->document->body_len
				       : strlen(body);
	snprintf(text, sizeof(text), "%zu", len);
	evhttp_add_header(
	    evhttp_request_get_output_headers(request), "Content-Length", text);
	/* evhttp would send a body after HEAD as well. */
	if (!answer->head)
		evbuffer_add(
		    evhttp_request_get_output_buffer(request), body, len);
}

void
http_answer_send(
    const struct http_answer *answer, struct evhttp_request *request)
{
	const struct answer_status *status = &statuses[answer->kind];

	add_lines(answer, evhttp_request_get_output_headers(request));
	add_body(answer, request);
	evhttp_send_reply(request, status->code, status->reason, NULL);
}
