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

#include "daemon/http/route.h"

static struct head_text
text(const char *word)
{
	return (struct head_text){word, strlen(word)};
}

static struct head
head_with(const char *name, const char *value)
{
	struct head head = {.nfields = 1};

	head.fields[0].name = text(name);
	head.fields[0].value = text(value);
	return head;
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
	    {"s.test", "s.test", JW_NO_SUCH_KEY_SET, NULL},
	    {"b.acme.s.test", "s.test", JW_NO_SUCH_KEY_SET, NULL},
	    {"acme.s.testy", "s.test", JW_NO_SUCH_KEY_SET, NULL},
	    {"[::1]", "s.test", JW_NO_SUCH_KEY_SET, NULL},
	    {NULL, "s.test", JW_NO_SUCH_KEY_SET, NULL},
	    {"-.s.test", "s.test", JW_INVALID_PARAMETER, NULL},
	};
	struct head head = {0};
	char app[ROUTE_APP_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		head.authority.at = NULL;
		if (rows[i].authority != NULL)
			head.authority = text(rows[i].authority);
		assert_int_equal(
		    route_app(&head, rows[i].domain, app), rows[i].err);
		if (rows[i].app != NULL)
			assert_string_equal(app, rows[i].app);
	}
}

static void
test_longest_label(void **state)
{
	char name[80], app[ROUTE_APP_SIZE];
	struct head head = {0};

	(void)state;
	memset(name, 'a', 64);
	memcpy(name + 63, ".s.test", sizeof(".s.test"));
	head.authority = text(name);
	assert_int_equal(route_app(&head, "s.test", app), JW_OK);
	assert_int_equal(strlen(app), 63);
	memcpy(name + 63, "a.s.test", sizeof("a.s.test"));
	head.authority = text(name);
	assert_int_equal(route_app(&head, "s.test", app), JW_INVALID_PARAMETER);
}

static void
test_longest_name(void **state)
{
	char name[256], app[ROUTE_APP_SIZE];
	struct head head = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(name); i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	head.authority = (struct head_text){name, 253};
	assert_int_equal(route_app(&head, NULL, app), JW_OK);
	head.authority.len = 255;
	assert_int_equal(route_app(&head, NULL, app), JW_INVALID_PARAMETER);
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
	struct head head;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		head = head_with("If-None-Match", rows[i].value);
		assert_int_equal(route_not_modified(&head, "\"x\"", 100, 200),
		    rows[i].match);
	}
}

static void
test_dates(void **state)
{
	static const char moment[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	char buf[ROUTE_DATE_SIZE];
	struct head head = head_with("If-Modified-Since", moment);
	int64_t when = 0;

	(void)state;
	assert_string_equal(route_date_format(784111777, buf), moment);
	assert_true(route_date_parse(text(moment), &when));
	assert_int_equal(when, 784111777);
	assert_true(
	    route_date_parse(text("Sunday, 06-Nov-94 08:49:37 GMT"), &when));
	assert_int_equal(when, 784111777);
	assert_true(route_date_parse(text("Sun Nov  6 08:49:37 1994"), &when));
	assert_int_equal(when, 784111777);
	assert_false(route_date_parse(text("784111777"), &when));
	assert_false(route_date_parse(text(""), &when));
	assert_true(route_not_modified(&head, "\"x\"", 784111777, 784111778));
	assert_false(route_not_modified(&head, "\"x\"", 784111778, 784111779));
	/* the next version may still be made in this second, or was already */
	assert_false(route_not_modified(&head, "\"x\"", 784111777, 784111777));
	assert_false(route_not_modified(&head, "\"x\"", 784111777, 784111776));
}

static void
test_etag_rules_over_date(void **state)
{
	struct head head = head_with("If-None-Match", "\"y\"");

	(void)state;
	head.nfields = 2;
	head.fields[1].name = text("If-Modified-Since");
	head.fields[1].value = text("Sun, 06 Nov 2094 08:49:37 GMT");
	assert_false(route_not_modified(&head, "\"x\"", 1, 2));
}

static void
test_preflight(void **state)
{
	static const char name[] = "Access-Control-Request-Headers";
	struct head head = head_with(name, "a, b:c, d\x80, x-E ,,");
	char names[ROUTE_ALLOW_SIZE], many[4000];

	(void)state;
	assert_true(route_preflight(&head, names));
	assert_string_equal(names, "a, x-E");
	head = head_with(name, " ,(");
	assert_false(route_preflight(&head, names));
	memset(many, 'a', sizeof(many));
	many[sizeof(many) - 1] = '\0';
	many[100] = ',';
	head = head_with(name, many);
	assert_true(route_preflight(&head, names));
	assert_int_equal(strlen(names), 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_app),
	    cmocka_unit_test(test_longest_label),
	    cmocka_unit_test(test_longest_name),
	    cmocka_unit_test(test_etags),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_etag_rules_over_date),
	    cmocka_unit_test(test_preflight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
