/*
 * Host names, entity tags and dates of requests.
 *
 * Must never let an octet of the client into an answer, but for the header
 * names of a preflight that are tokens.
 */
#include "daemon/http/resource.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/label.h"

static struct jw_slice
first_label(struct jw_slice name)
{
	const char *dot = memchr(name.at, '.', name.len);

	if (dot != NULL)
		name.len = (size_t)(dot - name.at);
	return name;
}

/* The octets that an IPv6 address may have: which one it is does not matter. */
static bool
is_v6(struct jw_slice literal)
{
	static const char octets[] = "0123456789abcdefABCDEF:.";

	if (literal.len < 4 || literal.at[0] != '[' ||
	    literal.at[literal.len - 1] != ']')
		return false;
	for (size_t i = 1; i < literal.len - 1; i++) {
		if (memchr(octets, literal.at[i], sizeof(octets) - 1) == NULL)
			return false;
	}
	return memchr(literal.at, ':', literal.len) != NULL;
}

static bool
is_port(struct jw_slice port)
{
	unsigned long value = 0;

	if (port.len > 5)
		return false;
	for (size_t i = 0; i < port.len; i++) {
		if (port.at[i] < '0' || port.at[i] > '9')
			return false;
		value = value * 10 + (unsigned long)(port.at[i] - '0');
	}
	return value <= 65535;
}

/* The colon that begins a port comes after the bracket of [v6]. */
static bool
drop_port(struct jw_slice *host)
{
	struct jw_slice port = {host->at + host->len, 0};
	size_t i = host->len;

	while (i > 0 && host->at[i - 1] != ':' && host->at[i - 1] != ']')
		i--;
	if (i == 0 || host->at[i - 1] == ']')
		return true;
	port.len = host->len - i;
	port.at = host->at + i;
	host->len = i - 1;
	return is_port(port);
}

/* RFC 9110 4.2: host [ ":" port ], nothing else. */
static bool
parse_authority(struct jw_slice authority, struct jw_slice *ret_name)
{
	struct jw_slice name = authority;

	if (!drop_port(&name))
		return false;
	if (!is_v6(name)) {
		if (name.len > 0 && name.at[name.len - 1] == '.')
			name.len--;
		if (!jw_is_host_name(name.at, name.len, JW_LABEL_HOST))
			return false;
	}
	*ret_name = name;
	return true;
}

static void
copy_lower(struct jw_slice text, char *ret_copy)
{
	size_t i;

	for (i = 0; i < text.len; i++) {
		ret_copy[i] = text.at[i];
		if (text.at[i] >= 'A' && text.at[i] <= 'Z')
			ret_copy[i] = (char)(text.at[i] + ('a' - 'A'));
	}
	ret_copy[i] = '\0';
}

/* Is name "LABELS.domain"?  Then *ret_labels becomes LABELS. */
static bool
is_under(struct jw_slice name, const char *domain, struct jw_slice *ret_labels)
{
	size_t len = strlen(domain);
	struct jw_slice tail = name;

	if (name.len < len + 2)
		return false;
	tail.at += name.len - len;
	tail.len = len;
	if (tail.at[-1] != '.' || !jw_slice_is_nocase(tail, domain))
		return false;
	ret_labels->at = name.at;
	ret_labels->len = name.len - len - 1;
	return true;
}

static enum jw_err
app_of_host(struct jw_slice name, const char *domain, char *ret_app)
{
	struct jw_slice labels;

	if (domain == NULL || !is_under(name, domain, &labels)) {
		memcpy(ret_app, "default", sizeof("default"));
		return JW_OK;
	}
	if (first_label(labels).len != labels.len)
		return JW_NO_SUCH_KEY_SET;
	copy_lower(labels, ret_app);
	return JW_OK;
}

/* "/APP/.well-known/...": APP, and the path behind it. */
static bool
app_of_path(struct jw_slice path, char *ret_app, struct jw_slice *ret_path)
{
	static const char well_known[] = "/.well-known/";
	const size_t len = sizeof(well_known) - 1;
	const char *slash;
	size_t app_len;

	if (path.len < 2 || path.at[0] != '/')
		return false;
	slash = memchr(path.at + 1, '/', path.len - 1);
	if (slash == NULL)
		return false;
	app_len = (size_t)(slash - path.at - 1);
	if (app_len == 0 || app_len >= RESOURCE_APP_SIZE ||
	    path.len - app_len - 1 < len || memcmp(slash, well_known, len) != 0)
		return false;
	memcpy(ret_app, path.at + 1, app_len);
	ret_app[app_len] = '\0';
	ret_path->at = slash;
	ret_path->len = path.len - app_len - 1;
	return true;
}

enum jw_err
http_resource_find(const struct http_request *request, const char *domain,
    char *ret_app, struct jw_slice *ret_path)
{
	struct jw_slice name = {"", 0};

	if (request->authority.at != NULL &&
	    !parse_authority(request->authority, &name))
		return JW_INVALID_PARAMETER;
	if (app_of_path(request->path, ret_app, ret_path))
		return JW_OK;
	*ret_path = request->path;
	return app_of_host(name, domain, ret_app);
}

/* entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE; commas may be inside. */
static bool
next_tag(struct jw_slice *rest, struct jw_slice *ret_opaque)
{
	const char *end;

	while (rest->len > 0 && strchr(" \t,", rest->at[0]) != NULL) {
		rest->at++;
		rest->len--;
	}
	if (rest->len >= 2 && memcmp(rest->at, "W/", 2) == 0) {
		rest->at += 2;
		rest->len -= 2;
	}
	if (rest->len < 2 || rest->at[0] != '"')
		return false;
	end = memchr(rest->at + 1, '"', rest->len - 1);
	if (end == NULL)
		return false;
	ret_opaque->at = rest->at;
	ret_opaque->len = (size_t)(end + 1 - rest->at);
	rest->len -= ret_opaque->len;
	rest->at = end + 1;
	return true;
}

static bool
matches(struct jw_slice value, const char *etag)
{
	struct jw_slice opaque;

	if (jw_slice_is(value, "*"))
		return true;
	while (next_tag(&value, &opaque)) {
		if (jw_slice_is(opaque, etag))
			return true;
	}
	return false;
}

bool
http_resource_not_modified(const struct http_request *request, const char *etag,
    int64_t last_modified, int64_t now)
{
	const struct http_request_field *field;
	int64_t since;

	field = http_request_next(request, "If-None-Match", NULL);
	if (field == NULL) {
		field = http_request_next(request, "If-Modified-Since", NULL);
		return field != NULL &&
		       http_request_next(request, "If-Modified-Since", field) ==
			   NULL &&
		       http_resource_date_parse(field->value, &since) &&
		       last_modified <= since && last_modified < now;
	}
	for (; field;
	     field = http_request_next(request, "If-None-Match", field)) {
		if (matches(field->value, etag))
			return true;
	}
	return false;
}

static void
add_name(struct jw_slice name, char *names, size_t *len)
{
	size_t glue = *len == 0 ? 0 : 2;

	if (*len + glue + name.len >= RESOURCE_ALLOW_SIZE)
		return;
	memcpy(names + *len, ", ", glue);
	memcpy(names + *len + glue, name.at, name.len);
	*len += glue + name.len;
	names[*len] = '\0';
}

bool
http_resource_preflight(const struct http_request *request, char *ret_names)
{
	static const char header[] = "Access-Control-Request-Headers";
	const struct http_request_field *field = NULL;
	struct jw_slice rest, element;
	size_t len = 0;

	while ((field = http_request_next(request, header, field)) != NULL) {
		rest = field->value;
		while (http_request_list_next(&rest, &element)) {
			if (http_request_is_token(element))
				add_name(element, ret_names, &len);
		}
	}
	return len > 0;
}

char *
http_resource_date_format(int64_t when, char *buf)
{
	static const char epoch[] = "Thu, 01 Jan 1970 00:00:00 GMT";
	struct tm tm;

	if (!jw_time_split(when, &tm)) {
		memcpy(buf, epoch, sizeof(epoch));
		return buf;
	}
	/* The names are English, since no program of ours calls setlocale(3).
	 */
	strftime(buf, RESOURCE_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return buf;
}

bool
http_resource_date_parse(struct jw_slice text, int64_t *ret_when)
{
	static const char *const forms[] = {
	    "%a, %d %b %Y %H:%M:%S GMT",
	    "%A, %d-%b-%y %H:%M:%S GMT",
	    "%a %b %e %H:%M:%S %Y",
	};
	char copy[48];
	const char *end;
	struct tm tm;

	if (text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		memset(&tm, 0, sizeof(tm));
		end = strptime(copy, forms[i], &tm);
		if (end != NULL && *end == '\0')
			return jw_time_join(&tm, ret_when);
	}
	return false;
}
