/*
 * common/wire/json_slice.c: the octets of a member are found as a parser would
 * find its value, and nothing outside a text is looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/wire/json_slice.h"

/* In memory of exactly its length, for the address sanitizer.  The caller
 * frees; NULL: there is no such member. */
static char *
find(const char *text, size_t len, const char *name)
{
	char *copy = malloc(len + (len == 0)), *value = NULL;
	struct jw_slice slice;

	assert_non_null(copy);
	memcpy(copy, text, len);
	if (varlink_json_find(copy, len, name, &slice)) {
		assert_true(
		    slice.at >= copy && slice.at + slice.len <= copy + len);
		value = strndup(slice.at, slice.len);
		assert_non_null(value);
	}
	free(copy);
	return value;
}

static void
values_are_found_as_they_stand(void **state)
{
	static const struct {
		const char *text, *value;
	} rows[] = {
	    {"{\"claims\":{}}", "{}"},
	    {" { \"a\" : 1 , \"claims\" : { \"b\" : 2 } } ", "{ \"b\" : 2 }"},
	    {"{\"claims\":[1,{\"x\":\"]}\"}],\"z\":1}", "[1,{\"x\":\"]}\"}]"},
	    {"{\"claims\":1e3}", "1e3"},
	    {"{\"claims\":-0.10 }", "-0.10"},
	    {"{\"claims\":true,\"b\":1}", "true"},
	    {"{\"claims\":\"a\\\"b\\\\\"}", "\"a\\\"b\\\\\""},
	    {"{\"a\":\"\\\\\",\"claims\":2}", "2"},
	    {"{\"a\":{\"claims\":1},\"claims\":2}", "2"},
	    {"{\"a\":\"\\\"claims\\\":3\",\"claims\":2}", "2"},
	    {"{\"a\":[\"claims\",{\"claims\":5}],\"claims\":2}", "2"},
	    {"{\"\\u0063laims\":4}", "4"},
	    {"{\"\\u0063\\u006C\\u0061\\u0069\\u006d\\u0073\":5}", "5"},
	    {"{\"claims\\u0000\":1,\"claims\":6}", "6"},
	    {"{\"claim\":1,\"claimss\":2,\"claims\":7}", "7"},
	    {"{\"\xc3\xa9\":1,\"claims\":{\"\xc3\xa9\":\"\xc3\xa9\"}}",
		"{\"\xc3\xa9\":\"\xc3\xa9\"}"},
	    {"{\"claims\"\t:\r\n{\"a\":123456789012345678901234567890}}",
		"{\"a\":123456789012345678901234567890}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *value =
		    find(rows[i].text, strlen(rows[i].text), "claims");

		assert_non_null(value);
		assert_string_equal(value, rows[i].value);
		free(value);
	}
}

static void
what_is_not_there_is_not_found(void **state)
{
	static const char *const rows[] = {
	    "",
	    " ",
	    "{",
	    "{}",
	    "{\"claims\"",
	    "{\"claims\":",
	    "{\"claims\":{",
	    "{\"claims\":\"",
	    "{\"claims\":\"\\",
	    "{\"claims\" 1}",
	    "[1]",
	    "\"claims\"",
	    "{\"a\":{\"claims\":1}}",
	    "{\"Claims\":1}",
	    "{\"claim\\u0173\":1}",
	    "{\"claim\\ns\":1}",
	    "{\"claims\\u00\":1}",
	    "{\"a\":1 \"claims\":2}",
	    "{\"a\":1,,\"claims\":2}",
	    "{\"claims\":}",
	    "{\"claims\":,}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_null(find(rows[i], strlen(rows[i]), "claims"));
}

/* Every beginning of a text, and the text with each octet spoilt. */
static void
broken_texts_end_somewhere(void **state)
{
	static const char text[] = "{\"a\":[\"x\\u0041\",{}],\"\\u0063laims\":"
				   "{\"exp\":1,\"b\":[true,null]}}";
	static const char spoils[] = "\"\\{}[]:,\0 u";
	char copy[sizeof(text)];

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++)
		free(find(text, len, "claims"));
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		for (size_t j = 0; j < sizeof(spoils); j++) {
			memcpy(copy, text, sizeof(text));
			copy[i] = spoils[j];
			free(find(copy, sizeof(text) - 1, "claims"));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_found_as_they_stand),
	    cmocka_unit_test(what_is_not_there_is_not_found),
	    cmocka_unit_test(broken_texts_end_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
