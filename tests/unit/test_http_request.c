/*
 * Request heads: what is read how, and that nothing else is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http/request.h"

#define HOST "Host: a\r\n"

static enum http_request_status
scan_all(const char *text, struct http_request_scan *scan)
{
	memset(scan, 0, sizeof(*scan));
	return http_request_scan(scan, text, strlen(text), 8192);
}

/* Scan and parse a copy that ends where it ends, for the sanitizers. */
static enum jw_err
parse(const char *text, struct http_request *ret_request)
{
	static char *copy;
	struct http_request_scan scan;
	size_t len = strlen(text);

	free(copy);
	copy = malloc(len + 1);
	memcpy(copy, text, len);
	copy = realloc(copy, len);
	memset(&scan, 0, sizeof(scan));
	if (http_request_scan(&scan, copy, len, 8192) != REQUEST_WHOLE)
		return JW_BUG;
	return http_request_parse(
	    copy + scan.skipped, scan.seen - scan.skipped, ret_request);
}

static void
test_scan_in_pieces(void **state)
{
	static const char text[] = "\r\nGET / HTTP/1.1\r\nX: y\r\n\r\nGET";
	struct http_request_scan scan = {0};

	(void)state;
	for (size_t len = 0; len < 26; len++)
		assert_int_equal(http_request_scan(&scan, text, len, 8192),
		    REQUEST_INCOMPLETE);
	assert_int_equal(
	    http_request_scan(&scan, text, 29, 8192), REQUEST_WHOLE);
	assert_int_equal(scan.skipped, 2);
	assert_int_equal(scan.seen, 26);
}

static void
test_scan_refuses(void **state)
{
	static const char *const rows[] = {"GET / HTTP/1.1\n", "\n", "\r\r",
	    "GET\r/", "GET \x01", "GET \x7f", "\x16\x03\x01"};
	struct http_request_scan scan;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(scan_all(rows[i], &scan), REQUEST_BAD);
	memset(&scan, 0, sizeof(scan));
	assert_int_equal(
	    http_request_scan(&scan, "GET\0", 4, 8192), REQUEST_BAD);
}

static void
test_scan_limits(void **state)
{
	struct http_request_scan scan = {0};
	char text[200];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(
	    http_request_scan(&scan, text, 100, 100), REQUEST_INCOMPLETE);
	assert_int_equal(http_request_scan(&scan, text, 101, 100), REQUEST_BAD);
	memset(&scan, 0, sizeof(scan));
	memcpy(text + 96, "\r\n\r\n", 4);
	assert_int_equal(
	    http_request_scan(&scan, text, 200, 100), REQUEST_WHOLE);
}

static void
test_scan_lines(void **state)
{
	struct http_request_scan scan = {0};
	char text[600] = "GET\r\n";
	size_t i, len = 5;

	(void)state;
	for (i = 0; i < LIMIT_HEADER_LINES; i++) {
		memcpy(text + len, "a:\r\n", 4);
		len += 4;
	}
	assert_int_equal(
	    http_request_scan(&scan, text, len, 8192), REQUEST_INCOMPLETE);
	memcpy(text + len, "a:\r\n", 4);
	assert_int_equal(
	    http_request_scan(&scan, text, len + 4, 8192), REQUEST_BAD);
}

static void
test_parse(void **state)
{
	struct http_request request = {0};

	(void)state;
	assert_int_equal(parse("GET /p?q HTTP/1.1\r\nHost: A:1\r\nX:\t y \r\n"
			       "x: z\r\n\r\n",
			     &request),
	    JW_OK);
	assert_int_equal(request.method, REQUEST_GET);
	assert_int_equal(request.minor, 1);
	assert_true(jw_slice_is(request.path, "/p"));
	assert_true(jw_slice_is(request.authority, "A:1"));
	assert_true(request.keep_alive);
	assert_int_equal(request.nfields, 3);
	assert_ptr_equal(
	    http_request_next(&request, "X", NULL), &request.fields[1]);
	assert_true(jw_slice_is(request.fields[1].value, "y"));
	assert_ptr_equal(http_request_next(&request, "X", &request.fields[1]),
	    &request.fields[2]);
	assert_null(http_request_next(&request, "X", &request.fields[2]));
}

static void
test_targets(void **state)
{
	static const struct {
		const char *line;
		const char *path; /* NULL: refused */
		const char *authority;
	} rows[] = {
	    {"GET http://b/p?q", "/p", "b"},
	    {"GET HTTPS://b:1/p", "/p", "b:1"},
	    {"GET http://[::1]/p", "/p", "[::1]"},
	    {"GET http://b", "/", "b"},
	    {"GET http://b?/x", "/", "b"},
	    {"OPTIONS http://b", "*", "b"},
	    {"OPTIONS *", "*", "a"},
	    {"GET *", NULL, NULL},
	    {"GET b/p", NULL, NULL},
	    {"GET ftp://b/p", NULL, NULL},
	    {"GET http:/b", NULL, NULL},
	    {"GET /[", NULL, NULL},
	    {"GET /%", NULL, NULL},
	    {"GET /%4", NULL, NULL},
	    {"GET /%4g", NULL, NULL},
	    {"GET /%4a", "/%4a", "a"},
	    {"GET /#", NULL, NULL},
	    {"GET http://b/<", NULL, NULL},
	};
	struct http_request request = {0};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "%s HTTP/1.1\r\n" HOST "\r\n",
		    rows[i].line);
		if (rows[i].path == NULL) {
			assert_int_equal(parse(text, &request), JW_PROTOCOL);
			continue;
		}
		assert_int_equal(parse(text, &request), JW_OK);
		assert_true(jw_slice_is(request.path, rows[i].path));
		assert_true(jw_slice_is(request.authority, rows[i].authority));
	}
}

static void
test_keep_alive(void **state)
{
	static const struct {
		const char *lines;
		int minor;
		bool keep_alive;
	} rows[] = {
	    {"", 1, true},
	    {"", 0, false},
	    {"Connection: close\r\n", 1, false},
	    {"Connection: a, Close ,b\r\n", 1, false},
	    {"Connection: a\r\nConnection: close\r\n", 1, false},
	    {"Connection: closed\r\n", 1, true},
	    {"Connection: keep-alive\r\n", 0, true},
	    {"Connection: keep-alive, close\r\n", 0, false},
	};
	struct http_request request = {0};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
		    "GET / HTTP/1.%d\r\n" HOST "%s\r\n", rows[i].minor,
		    rows[i].lines);
		assert_int_equal(parse(text, &request), JW_OK);
		assert_int_equal(request.keep_alive, rows[i].keep_alive);
	}
}

static void
test_framing(void **state)
{
	static const struct {
		const char *method;
		const char *lines;
		int body; /* -1: refused */
	} rows[] = {
	    {"GET", "Content-Length: 0\r\n", 0},
	    {"GET", "Content-Length: 000\r\n", 0},
	    {"GET", "Content-Length: 1\r\n", -1},
	    {"GET", "Content-Length: 10\r\n", -1},
	    {"GET", "Transfer-Encoding: chunked\r\n", -1},
	    {"OPTIONS", "Content-Length: 1\r\n", -1},
	    {"POST", "Content-Length: 1\r\n", 1},
	    {"POST", "Transfer-Encoding: chunked\r\n", 1},
	    {"POST", "Content-Length: 99999999999999999999999\r\n", 1},
	    {"POST", "Content-Length: 1\r\nContent-Length: 1\r\n", -1},
	    {"POST", "Content-Length: 1, 1\r\n", -1},
	    {"POST", "Content-Length: 1\r\nTransfer-Encoding: x\r\n", -1},
	    {"POST", "", 0},
	};
	struct http_request request = {0};
	char text[160];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\n" HOST "%s\r\n",
		    rows[i].method, rows[i].lines);
		if (rows[i].body < 0) {
			assert_int_equal(parse(text, &request), JW_PROTOCOL);
			continue;
		}
		assert_int_equal(parse(text, &request), JW_OK);
		assert_int_equal(request.has_body, rows[i].body);
	}
}

static void
test_coding_is_too_new_for_old_version(void **state)
{
	struct http_request request = {0};

	(void)state;
	assert_int_equal(
	    parse("POST / HTTP/1.0\r\nTransfer-Encoding: x\r\n\r\n", &request),
	    JW_PROTOCOL);
}

static void
test_hosts(void **state)
{
	struct http_request request = {0};

	(void)state;
	assert_int_equal(
	    parse("GET / HTTP/1.1\r\n\r\n", &request), JW_PROTOCOL);
	assert_int_equal(parse("GET / HTTP/1.0\r\n" HOST HOST "\r\n", &request),
	    JW_PROTOCOL);
	assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n", &request), JW_OK);
	assert_null(request.authority.at);
	/* a target with a name does not excuse a missing Host */
	assert_int_equal(
	    parse("GET http://a/ HTTP/1.1\r\n\r\n", &request), JW_PROTOCOL);
}

static void
test_lists(void **state)
{
	static const char text[] = " ,a,\tb c ,,d";
	struct jw_slice rest = {text, sizeof(text) - 1}, element;

	(void)state;
	assert_true(http_request_list_next(&rest, &element));
	assert_true(jw_slice_is(element, "a"));
	assert_true(http_request_list_next(&rest, &element));
	assert_true(jw_slice_is(element, "b c"));
	assert_false(http_request_is_token(element));
	assert_true(http_request_list_next(&rest, &element));
	assert_true(jw_slice_is(element, "d"));
	assert_false(http_request_list_next(&rest, &element));
}

/* Whatever comes in, what comes out lies inside of it. */
static void
check_inside(struct jw_slice text, const char *data, size_t len)
{
	if (text.at == NULL || text.len == 0 || text.len == 1)
		return; /* "/" and "*" are constants */
	assert_true(text.at >= data && text.at + text.len <= data + len);
}

static void
test_any_octets(void **state)
{
	static const char *const pieces[] = {"GET ", "HEAD ", "OPTIONS ", "/",
	    "*", "http://", "a", ":", " ", "\t", "\r\n", "\r", "\n",
	    " HTTP/1.1\r\n", " HTTP/1.0\r\n", "Host: a\r\n", ",", "%41",
	    "Content-Length: 0\r\n", "\r\n\r\n", "?", "\x80"};
	char data[512], *exact;
	struct http_request_scan scan;
	struct http_request request = {0};
	size_t len, n, i;

	(void)state;
	srandom(7517);
	for (int round = 0; round < 200000; round++) {
		len = 0;
		for (n = (size_t)random() % 12; n > 0; n--) {
			i = (size_t)random() %
			    (sizeof(pieces) / sizeof(pieces[0]));
			memcpy(data + len, pieces[i], strlen(pieces[i]));
			len += strlen(pieces[i]);
		}
		exact = malloc(len + 1);
		memcpy(exact, data, len);
		memset(&scan, 0, sizeof(scan));
		if (http_request_scan(&scan, exact, len, 8192) ==
			REQUEST_WHOLE &&
		    http_request_parse(exact + scan.skipped,
			scan.seen - scan.skipped, &request) == JW_OK) {
			check_inside(request.path, exact, len);
			check_inside(request.authority, exact, len);
		}
		free(exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scan_in_pieces),
	    cmocka_unit_test(test_scan_refuses),
	    cmocka_unit_test(test_scan_limits),
	    cmocka_unit_test(test_scan_lines),
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_targets),
	    cmocka_unit_test(test_keep_alive),
	    cmocka_unit_test(test_framing),
	    cmocka_unit_test(test_coding_is_too_new_for_old_version),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_any_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
