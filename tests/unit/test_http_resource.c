/*
 * Which app a Host names, entity tags, dates, preflights.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "daemon/http/resource.h"

static struct jw_slice
text(const char *word)
{
	return (struct jw_slice){word, strlen(word)};
}

static struct http_request
head_with(const char *name, const char *value)
{
	struct http_request request = {.nfields = 1};

	request.fields[0].name = text(name);
	request.fields[0].value = text(value);
	return request;
}

static void
test_app(void **state)
{
	static const struct {
		const char *authority;
		const char *domain;
		enum jw_err err;
		const char *app;
	} rows[] = {
	    {"x.y", NULL, JW_OK, "default"},
	    {NULL, NULL, JW_OK, "default"},
	    {"[::1]:7517", NULL, JW_OK, "default"},
	    {"", NULL, JW_INVALID_PARAMETER, NULL},
	    {":80", NULL, JW_INVALID_PARAMETER, NULL},
	    {"a:80:80", NULL, JW_INVALID_PARAMETER, NULL},
	    {"a:65536", NULL, JW_INVALID_PARAMETER, NULL},
	    {"a:000080", NULL, JW_INVALID_PARAMETER, NULL},
	    {"a..", NULL, JW_INVALID_PARAMETER, NULL},
	    {"[::1]x", NULL, JW_INVALID_PARAMETER, NULL},
	    {"Acme.S.test", "s.test", JW_OK, "acme"},
	    {"acme.s.test.:1", "s.test", JW_OK, "acme"},
	    {"s.test", "s.test", JW_OK, "default"},
	    {"S.Test.:80", "s.test", JW_OK, "default"},
	    {"b.acme.s.test", "s.test", JW_NO_SUCH_KEY_SET, NULL},
	    {"acme.s.testy", "s.test", JW_OK, "default"},
	    {"xs.test", "s.test", JW_OK, "default"},
	    {"acme.xs.test", "s.test", JW_OK, "default"},
	    {"localhost:1", "s.test", JW_OK, "default"},
	    {"127.0.0.1", "s.test", JW_OK, "default"},
	    {"[::1]", "s.test", JW_OK, "default"},
	    {NULL, "s.test", JW_OK, "default"},
	    {".s.test", "s.test", JW_INVALID_PARAMETER, NULL},
	    {"-.s.test", "s.test", JW_INVALID_PARAMETER, NULL},
	};
	struct http_request request = {.path = text("/.well-known/jwks.json")};
	struct jw_slice path;
	char app[RESOURCE_APP_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		request.authority.at = NULL;
		if (rows[i].authority != NULL)
			request.authority = text(rows[i].authority);
		assert_int_equal(
		    http_resource_find(&request, rows[i].domain, app, &path),
		    rows[i].err);
		if (rows[i].app == NULL)
			continue;
		assert_string_equal(app, rows[i].app);
		assert_true(jw_slice_is(path, "/.well-known/jwks.json"));
	}
}

/* An app has a path of its own, whatever the Host; the Host is valid. */
static void
test_app_in_path(void **state)
{
	static const struct {
		const char *authority, *path;
		enum jw_err err;
		const char *app, *rest;
	} rows[] = {
	    {"x", "/a/.well-known/jwks.json", JW_OK, "a",
		"/.well-known/jwks.json"},
	    {"b.s.test", "/a/.well-known/n-jwks.json", JW_OK, "a",
		"/.well-known/n-jwks.json"},
	    {"c.b.s.test", "/a/.well-known/x", JW_OK, "a", "/.well-known/x"},
	    {"c.b.s.test", "/a/b/.well-known/x", JW_NO_SUCH_KEY_SET, NULL,
		NULL},
	    {NULL, "/a/.well-known/", JW_OK, "a", "/.well-known/"},
	    {"b.s.test", "/A/.well-known/x", JW_OK, "A", "/.well-known/x"},
	    {"b.s.test", "/a/.well-known", JW_OK, "b", "/a/.well-known"},
	    {"b.s.test", "//.well-known/x", JW_OK, "b", "//.well-known/x"},
	    {"b.s.test", "/.well-known/a/.well-known/x", JW_OK, "b",
		"/.well-known/a/.well-known/x"},
	    {"b.s.test", "/", JW_OK, "b", "/"},
	    {"b.s.test", "*", JW_OK, "b", "*"},
	    {"b..s", "/a/.well-known/x", JW_INVALID_PARAMETER, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request request = {.path = text(rows[i].path)};
		struct jw_slice path;
		char app[RESOURCE_APP_SIZE];

		if (rows[i].authority != NULL)
			request.authority = text(rows[i].authority);
		assert_int_equal(
		    http_resource_find(&request, "s.test", app, &path),
		    rows[i].err);
		if (rows[i].err != JW_OK)
			continue;
		assert_string_equal(app, rows[i].app);
		assert_true(jw_slice_is(path, rows[i].rest));
	}
}

static void
test_longest_app_in_path(void **state)
{
	char target[128], app[RESOURCE_APP_SIZE];
	struct http_request request = {0};
	struct jw_slice path;

	(void)state;
	snprintf(target, sizeof(target), "/%063d/.well-known/x", 1);
	request.path = text(target);
	assert_int_equal(http_resource_find(&request, NULL, app, &path), JW_OK);
	assert_int_equal(strlen(app), 63);
	snprintf(target, sizeof(target), "/%064d/.well-known/x", 1);
	request.path = text(target);
	assert_int_equal(http_resource_find(&request, NULL, app, &path), JW_OK);
	assert_string_equal(app, "default");
	assert_true(jw_slice_is(path, target));
}

static void
test_longest_label(void **state)
{
	char name[80], app[RESOURCE_APP_SIZE];
	struct jw_slice path;
	struct http_request request = {.path = text("/")};

	(void)state;
	memset(name, 'a', 64);
	memcpy(name + 63, ".s.test", sizeof(".s.test"));
	request.authority = text(name);
	assert_int_equal(
	    http_resource_find(&request, "s.test", app, &path), JW_OK);
	assert_int_equal(strlen(app), 63);
	memcpy(name + 63, "a.s.test", sizeof("a.s.test"));
	request.authority = text(name);
	assert_int_equal(http_resource_find(&request, "s.test", app, &path),
	    JW_INVALID_PARAMETER);
}

static void
test_longest_name(void **state)
{
	char name[256], app[RESOURCE_APP_SIZE];
	struct jw_slice path;
	struct http_request request = {.path = text("/")};

	(void)state;
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	request.authority = (struct jw_slice){name, 253};
	assert_int_equal(http_resource_find(&request, NULL, app, &path), JW_OK);
	request.authority.len = 255;
	assert_int_equal(http_resource_find(&request, NULL, app, &path),
	    JW_INVALID_PARAMETER);
}

static void
test_etags(void **state)
{
	static const struct {
		const char *value;
		bool match;
	} rows[] = {
	    {"\"x\"", true},
	    {"W/\"x\"", true},
	    {"*", true},
	    {"\"a\", \"x\"", true},
	    {",, \"a,\\\" ,\"x\"", true},
	    {"\"a\"\"x\"", true},
	    {"w/\"x\"", false},
	    {"x", false},
	    {"\"x", false},
	    {"\"X\"", false},
	    {"\"\"", false},
	    {"", false},
	    {"**", false},
	    {"a, \"x\"", false},
	    {"W/", false},
	};
	struct http_request request;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		request = head_with("If-None-Match", rows[i].value);
		assert_int_equal(
		    http_resource_not_modified(&request, "\"x\"", 100, 200),
		    rows[i].match);
	}
}

static void
test_dates(void **state)
{
	static const char moment[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	char buf[RESOURCE_DATE_SIZE];
	struct http_request request = head_with("If-Modified-Since", moment);
	int64_t when = 0;

	(void)state;
	assert_string_equal(http_resource_date_format(784111777, buf), moment);
	assert_true(http_resource_date_parse(text(moment), &when));
	assert_int_equal(when, 784111777);
	assert_true(http_resource_date_parse(
	    text("Sunday, 06-Nov-94 08:49:37 GMT"), &when));
	assert_int_equal(when, 784111777);
	assert_true(
	    http_resource_date_parse(text("Sun Nov  6 08:49:37 1994"), &when));
	assert_int_equal(when, 784111777);
	assert_false(http_resource_date_parse(text("784111777"), &when));
	assert_false(http_resource_date_parse(text(""), &when));
	assert_true(http_resource_not_modified(
	    &request, "\"x\"", 784111777, 784111778));
	assert_false(http_resource_not_modified(
	    &request, "\"x\"", 784111778, 784111779));
	/* the next version may still be made in this second, or was already */
	assert_false(http_resource_not_modified(
	    &request, "\"x\"", 784111777, 784111777));
	assert_false(http_resource_not_modified(
	    &request, "\"x\"", 784111777, 784111776));
}

static void
test_etag_rules_over_date(void **state)
{
	struct http_request request = head_with("If-None-Match", "\"y\"");

	(void)state;
	request.nfields = 2;
	request.fields[1].name = text("If-Modified-Since");
	request.fields[1].value = text("Sun, 06 Nov 2094 08:49:37 GMT");
	assert_false(http_resource_not_modified(&request, "\"x\"", 1, 2));
}

static void
test_preflight(void **state)
{
	static const char name[] = "Access-Control-Request-Headers";
	struct http_request request = head_with(name, "a, b:c, d\x80, x-E ,,");
	char names[RESOURCE_ALLOW_SIZE], many[4000];

	(void)state;
	assert_true(http_resource_preflight(&request, names));
	assert_string_equal(names, "a, x-E");
	request = head_with(name, " ,(");
	assert_false(http_resource_preflight(&request, names));
	memset(many, 'a', sizeof(many));
	many[sizeof(many) - 1] = '\0';
	many[100] = ',';
	request = head_with(name, many);
	assert_true(http_resource_preflight(&request, names));
	assert_int_equal(strlen(names), 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_app),
	    cmocka_unit_test(test_app_in_path),
	    cmocka_unit_test(test_longest_app_in_path),
	    cmocka_unit_test(test_longest_label),
	    cmocka_unit_test(test_longest_name),
	    cmocka_unit_test(test_etags),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_etag_rules_over_date),
	    cmocka_unit_test(test_preflight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
