/*
 * Reads requests: evhttp sees only request lines that conn.c wrote.
 *
 * Must never guess: what is not plainly HTTP/1.0 or HTTP/1.1 is JW_PROTOCOL.
 * Must never allocate, nor look at an octet past len.
 */
#include "daemon/http/request.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* RFC 3986: pchar, and "/" and "?" that a path or query may have. */
static bool
is_target(char c)
{
	return is_alpha(c) || is_digit(c) ||
	       is_one_of(c, "-._~!$&'()*+,;=:@/?%");
}

struct jw_slice
http_request_trim(struct jw_slice text)
{
	while (text.len > 0 && is_blank(text.at[0])) {
		text.at++;
		text.len--;
	}
	while (text.len > 0 && is_blank(text.at[text.len - 1]))
		text.len--;
	return text;
}

bool
http_request_is_token(struct jw_slice text)
{

	for (size_t i = 0; i < text.len; i++) {
		if (!is_alpha(text.at[i]) && !is_digit(text.at[i]) &&
		    !is_one_of(text.at[i], "!#$%&'*+-.^_`|~"))
			return false;
	}
	return text.len > 0;
}

bool
http_request_list_next(struct jw_slice *rest, struct jw_slice *ret_element)
{
	struct jw_slice element;
	const char *comma;

	while (rest->len > 0) {
		element = *rest;
		comma = memchr(rest->at, ',', rest->len);
		if (comma != NULL)
			element.len = (size_t)(comma - rest->at);
		rest->at += element.len;
		rest->len -= element.len;
		if (comma != NULL) {
			rest->at++;
			rest->len--;
		}
		element = http_request_trim(element);
		if (element.len > 0) {
			*ret_element = element;
			return true;
		}
	}
	return false;
}

/* Cut *rest at the first octet c: the part before c is returned, *rest becomes
 * the part after c. */
static bool
http_cut(struct jw_slice *rest, char c, struct jw_slice *ret_before)
{
	const char *at = memchr(rest->at, c, rest->len);

	if (at == NULL)
		return false;
	ret_before->at = rest->at;
	ret_before->len = (size_t)(at - rest->at);
	rest->at = at + 1;
	rest->len -= ret_before->len + 1;
	return true;
}

/* A line ends with CR LF; neither CR nor LF is anywhere else. */
static bool
is_sound(const char *data, size_t at)
{
	unsigned char c = (unsigned char)data[at];

	if (at > 0 && data[at - 1] == '\r')
		return c == '\n';
	return c == '\r' || c == '\t' || (c >= 0x20 && c != 0x7f);
}

static enum http_request_status
end_line(struct http_request_scan *scan)
{
	size_t len = scan->seen - scan->line_start;

	if (len == 2 && scan->lines == 0) {
		/* RFC 9112 2.2: ignore empty lines before a request. */
		scan->skipped = scan->seen;
		scan->line_start = scan->seen;
		return REQUEST_INCOMPLETE;
	}
	if (len == 2)
		return REQUEST_WHOLE;
	scan->lines++;
	scan->line_start = scan->seen;
	return scan->lines > LIMIT_HEADER_LINES + 1 ? REQUEST_BAD
						    : REQUEST_INCOMPLETE;
}

enum http_request_status
http_request_scan(struct http_request_scan *scan, const char *data, size_t len,
    size_t header_bytes)
{
	enum http_request_status status = REQUEST_INCOMPLETE;

	while (status == REQUEST_INCOMPLETE && scan->seen < len) {
		if (scan->seen >= header_bytes || !is_sound(data, scan->seen))
			return REQUEST_BAD;
		scan->seen++;
		if (data[scan->seen - 1] == '\n')
			status = end_line(scan);
	}
	return status;
}

static enum http_request_method
method_of(struct jw_slice text)
{
	static const char *const names[] = {"GET", "HEAD", "OPTIONS"};

	for (size_t i = 0; i < REQUEST_OTHER; i++) {
		if (jw_slice_is(text, names[i]))
			return (enum http_request_method)i;
	}
	return REQUEST_OTHER;
}

static bool
parse_version(struct jw_slice text, int *ret_minor)
{
	if (text.len != 8 || memcmp(text.at, "HTTP/1.", 7) != 0 ||
	    !is_digit(text.at[7]))
		return false;
	/* RFC 9110 2.5: read a later minor version as 1.1. */
	*ret_minor = text.at[7] == '0' ? 0 : 1;
	return true;
}

static bool
is_target_text(struct jw_slice text)
{

	for (size_t i = 0; i < text.len; i++) {
		if (!is_target(text.at[i]))
			return false;
		if (text.at[i] == '%' &&
		    (text.len - i < 3 || !is_hex(text.at[i + 1]) ||
			!is_hex(text.at[i + 2])))
			return false;
	}
	return text.len > 0;
}

static size_t
scheme_len(struct jw_slice target)
{
	if (target.len > 7 && strncasecmp(target.at, "http://", 7) == 0)
		return 7;
	if (target.len > 8 && strncasecmp(target.at, "https://", 8) == 0)
		return 8;
	return 0;
}

static void
drop_query(struct jw_slice *path)
{
	const char *query = memchr(path->at, '?', path->len);

	if (query != NULL)
		path->len = (size_t)(query - path->at);
}

/* RFC 9112 3.2.2: the authority of the target wins over Host. */
static bool
parse_absolute(struct jw_slice target, struct http_request *request)
{
	size_t scheme = scheme_len(target);
	size_t i = scheme;

	if (scheme == 0)
		return false;
	while (i < target.len && target.at[i] != '/' && target.at[i] != '?')
		i++;
	request->authority.at = target.at + scheme;
	request->authority.len = i - scheme;
	request->path.at = target.at + i;
	request->path.len = target.len - i;
	if (request->path.len == 0 || request->path.at[0] == '?') {
		request->path.at =
		    request->method == REQUEST_OPTIONS ? "*" : "/";
		request->path.len = 1;
	}
	return true;
}

static bool
parse_target(struct jw_slice target, struct http_request *request)
{
	/* Only the authority may have brackets, around an IPv6 address. */
	if (scheme_len(target) == 0 && !is_target_text(target))
		return false;
	if (request->method == REQUEST_OTHER || target.at[0] == '/')
		request->path = target;
	else if (jw_slice_is(target, "*") && request->method == REQUEST_OPTIONS)
		request->path = target;
	else if (!parse_absolute(target, request))
		return false;
	if (!is_target_text(request->path) && request->method != REQUEST_OTHER)
		return false;
	drop_query(&request->path);
	return true;
}

static bool
parse_request_line(struct jw_slice line, struct http_request *request)
{
	struct jw_slice method, target;

	if (!http_cut(&line, ' ', &method) || !http_cut(&line, ' ', &target))
		return false;
	if (!http_request_is_token(method) || target.len == 0)
		return false;
	request->method = method_of(method);
	return parse_version(line, &request->minor) &&
	       parse_target(target, request);
}

static bool
http_parse_field(struct jw_slice line, struct http_request_field *ret_field)
{
	struct jw_slice name;

	/* A name that is a token has no blank: neither one in front, which is
	 * obs-fold, nor one before the colon. */
	if (!http_cut(&line, ':', &name) || !http_request_is_token(name))
		return false;
	ret_field->name = name;
	ret_field->value = http_request_trim(line);
	return true;
}

static bool
parse_fields(struct jw_slice rest, struct http_request *request)
{
	struct jw_slice line;

	while (http_cut(&rest, '\n', &line)) {
		line.len--;
		if (line.len == 0)
			return rest.len == 0;
		if (request->nfields == LIMIT_HEADER_LINES ||
		    !http_parse_field(line, &request->fields[request->nfields]))
			return false;
		request->nfields++;
	}
	return false;
}

const struct http_request_field *
http_request_next(const struct http_request *request, const char *name,
    const struct http_request_field *after)
{
	size_t i = after == NULL ? 0 : (size_t)(after - request->fields) + 1;

	for (; i < request->nfields; i++) {
		if (jw_slice_is_nocase(request->fields[i].name, name))
			return &request->fields[i];
	}
	return NULL;
}

static bool
take_host(struct http_request *request)
{
	const struct http_request_field *host =
	    http_request_next(request, "Host", NULL);

	if (host == NULL)
		return request->minor == 0;
	if (http_request_next(request, "Host", host) != NULL)
		return false;
	if (request->authority.at == NULL)
		request->authority = host->value;
	return true;
}

static bool
is_number(struct jw_slice text, bool *ret_zero)
{
	bool zero = true;

	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.at[i]))
			return false;
		if (text.at[i] != '0')
			zero = false;
	}
	*ret_zero = zero;
	return text.len > 0;
}

/*
 * Two readers must never disagree about where the next request begins.  Methods
 * that are refused anyway may have a body: the connection ends after them.
 */
static bool
take_framing(struct http_request *request)
{
	const struct http_request_field *length, *coding;
	bool zero = true;

	length = http_request_next(request, "Content-Length", NULL);
	coding = http_request_next(request, "Transfer-Encoding", NULL);
	if (length != NULL &&
	    (http_request_next(request, "Content-Length", length) != NULL ||
		coding != NULL || !is_number(length->value, &zero)))
		return false;
	if (coding != NULL && request->minor == 0)
		return false;
	request->has_body = coding != NULL || !zero;
	return !request->has_body || request->method == REQUEST_OTHER;
}

static bool
connection_says(const struct http_request *request, const char *word)
{
	const struct http_request_field *field = NULL;
	struct jw_slice rest, element;

	while (
	    (field = http_request_next(request, "Connection", field)) != NULL) {
		rest = field->value;
		while (http_request_list_next(&rest, &element)) {
			if (jw_slice_is_nocase(element, word))
				return true;
		}
	}
	return false;
}

enum jw_err
http_request_parse(
    const char *data, size_t len, struct http_request *ret_request)
{
	struct jw_slice rest = {data, len}, line;
	struct http_request request;

	memset(&request, 0, sizeof(request));
	if (!http_cut(&rest, '\n', &line) || line.len == 0)
		return JW_PROTOCOL;
	line.len--;
	if (!parse_request_line(line, &request) ||
	    !parse_fields(rest, &request) || !take_host(&request) ||
	    !take_framing(&request))
		return JW_PROTOCOL;
	request.keep_alive =
	    !connection_says(&request, "close") &&
	    (request.minor == 1 || connection_says(&request, "keep-alive"));
	*ret_request = request;
	return JW_OK;
}

bool
http_request_is_head(const char *data, size_t len)
{
	return len >= 5 && memcmp(data, "HEAD ", 5) == 0;
}
