/*
 * Varlink: messages, descriptions, checks and the service.
 *
 * Most tests are tables of what must be refused, each row beside the nearest
 * thing that must not be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/varlink.h"
#include "common/wire/varlink_interface.h"
#include "common/wire/varlink_service.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- help ---- */

static json_t *
json(const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (value == NULL)
		fail_msg("test data: %s: %s", text, error.text);
	return value;
}

static void
assert_json(const json_t *value, const char *text)
{
	json_t *wanted = json(text);

	if (!json_equal(value, wanted)) {
		char *got = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		fail_msg("%s is not %s", got, text);
	}
	json_decref(wanted);
}

/* The parsers must not need a byte after the last one. */
static char *
exact_copy(const char *data, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	return copy;
}

static enum jw_err
parse_call(const char *data, size_t len, struct varlink_call *ret_call)
{
	char *copy = exact_copy(data, len);
	enum jw_err err = varlink_call_parse(copy, len, ret_call, NULL);

	free(copy);
	return err;
}

static enum jw_err
parse_reply(const char *data, size_t len, struct varlink_reply *ret_reply)
{
	char *copy = exact_copy(data, len);
	enum jw_err err = varlink_reply_parse(copy, len, ret_reply);

	free(copy);
	return err;
}

static void
assert_call_refused(const char *data, size_t len)
{
	struct varlink_call call, before;

	memset(&call, 0x5a, sizeof(call));
	before = call;
	if (parse_call(data, len, &call) != JW_PROTOCOL)
		fail_msg(
		    "not refused: %.*s", (int)(len < 200 ? len : 200), data);
	assert_memory_equal(&call, &before, sizeof(call));
}

/* ---- messages ---- */

static void
test_call_accepted(void **state)
{
	static const struct {
		const char *text;
		const char *method;
		const char *parameters;
		bool more;
		bool oneway;
	} rows[] = {
	    {"{\"method\":\"a.b.C\"}", "a.b.C", "{}", false, false},
	    {" {\n\"method\" : \"a.b.C\" }\r\n\t", "a.b.C", "{}", false, false},
	    {"{\"method\":\"\"}", "", "{}", false, false},
	    {"{\"method\":\"a.B\",\"parameters\":{}}", "a.B", "{}", false,
		false},
	    {"{\"more\":true,\"method\":\"a.B\"}", "a.B", "{}", true, false},
	    {"{\"oneway\":true,\"more\":false,\"method\":\"a.B\"}", "a.B", "{}",
		false, true},
	    {"{\"method\":\"a.B\",\"upgrade\":false}", "a.B", "{}", false,
		false},
	    {"{\"method\":\"a.B\",\"parameters\":{\"x\":null,\"y\":[1,"
	     "{\"more\":3}]}}",
		"a.B", "{\"x\":null,\"y\":[1,{\"more\":3}]}", false, false},
	    {"{\"method\":\"\\u0061.\\u00dc\\ud83d\\ude00\"}",
		"a.\303\234\360\237\230\200", "{}", false, false},
	    {"{\"method\":\"a.\303\234\"}", "a.\303\234", "{}", false, false},
	    /* null is as good as absent */
	    {"{\"method\":\"a.B\",\"parameters\":null,\"more\":null,"
	     "\"oneway\":null,\"upgrade\":null}",
		"a.B", "{}", false, false},
	    {"{\"method\":\"a.B\",\"more\":true,\"oneway\":null}", "a.B", "{}",
		true, false},
	};
	struct varlink_call call;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    parse_call(rows[i].text, strlen(rows[i].text), &call),
		    JW_OK);
		assert_string_equal(call.method, rows[i].method);
		assert_json(call.parameters, rows[i].parameters);
		assert_int_equal(call.more, rows[i].more);
		assert_int_equal(call.oneway, rows[i].oneway);
		assert_null(call.fault.what);
		varlink_call_done(&call);
		assert_null(call.method);
		varlink_call_done(&call);
	}
	varlink_call_done(NULL);
}

static void
test_call_refused(void **state)
{
	static const char *const rows[] = {
	    /* not one JSON object */
	    "",
	    " ",
	    "null",
	    "3",
	    "\"method\"",
	    "[]",
	    "[{\"method\":\"a.B\"}]",
	    "{",
	    "}",
	    "{}{}",
	    "{\"method\":\"a.B\"",
	    "{\"method\":\"a.B\"}}",
	    "{\"method\":\"a.B\"} x",
	    "{\"method\":\"a.B\"},",
	    "{\"method\":\"a.B\",}",
	    "{method:\"a.B\"}",
	    "{'method':'a.B'}",
	    "\357\273\277{\"method\":\"a.B\"}",
	    "{\"method\":\"a.B\"} // no",
	    "{\"method\":\"a.B\\",
	    "{\"method\":\"a.B",
	    "{\"method\":\"a\tB\"}",
	    /* brackets that do not fit */
	    "{\"method\":\"a.B\",\"parameters\":{\"x\":[}",
	    "{\"method\":\"a.B\",\"parameters\":{}}}",
	    /* duplicates, in any spelling */
	    "{\"method\":\"a.B\",\"parameters\":{},\"parameters\":{}}",
	    "{\"method\":\"a.B\",\"more\":null,\"more\":true}",
	    "{\"method\":\"a.B\",\"method\":\"a.B\"}",
	    "{\"method\":\"a.B\",\"m\\u0065thod\":\"a.B\"}",
	    /* members */
	    "{\"method\":\"a.B\",\"params\":{}}",
	    "{\"method\":\"a.B\",\"Method\":\"a.B\"}",
	    "{\"method\":\"a.B\",\"\":1}",
	    "{\"method\":\"a.B\",\"continues\":false}",
	    "{\"method\":\"a.B\",\"error\":\"a.C\"}",
	    "{\"method\":\"a.B\",\"fds\":[]}",
	    /* types */
	    "{\"method\":null}",
	    "{\"method\":1}",
	    "{\"method\":[\"a.B\"]}",
	    "{\"method\":\"a.B\",\"parameters\":[]}",
	    "{\"method\":\"a.B\",\"parameters\":\"{}\"}",
	    "{\"method\":\"a.B\",\"more\":1}",
	    "{\"method\":\"a.B\",\"more\":\"true\"}",
	    "{\"method\":\"a.B\",\"oneway\":0}",
	    "{\"method\":\"a.B\",\"upgrade\":0}",
	    /* no method */
	    "{}",
	    "{\"parameters\":{}}",
	    "{\"more\":true}",
	    /* what cannot be */
	    "{\"method\":\"a.B\",\"more\":true,\"oneway\":true}",
	    "{\"method\":\"a.B\",\"upgrade\":true}",
	    /* NUL and other nasty bytes */
	    "{\"method\":\"a.B\\u0000\"}",
	    "{\"method\":\"a.\377\"}",
	    "{\"method\":\"a.\303\"}",
	    "{\"method\":\"a.\300\200\"}",
	    "{\"method\":\"a.\355\240\200\"}",
	    "{\"method\":\"a.\364\220\200\200\"}",
	    "{\"method\":\"a.\\ud800\"}",
	    "{\"method\":\"a.\\udc00x\"}",
	    "{\"method\":\"a.\\x41\"}",
	    "{\"method\":\"a.\\u12\"}",
	    "{\"m\377thod\":\"a.B\"}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_call_refused(rows[i], strlen(rows[i]));
	assert_int_equal(varlink_call_parse(NULL, 0, NULL, NULL), JW_PROTOCOL);
}

/* What is wrong inside the parameters is told, and concerns this call only. */
static void
test_call_faults(void **state)
{
	static const struct {
		const char *parameters;
		const char *parameter;
		const char *member;
		const char *what;
	} rows[] = {
	    {"{\"x\":NaN}", "x", "", "not JSON"},
	    {"{\"x\":1e999}", "x", "", "too large"},
	    {"{\"x\":-1e999}", "x", "", "too large"},
	    {"{\"x\":01}", "x", "", "not JSON"},
	    {"{\"x\":+1}", "x", "", "not JSON"},
	    {"{\"x\":-}", "x", "", "not JSON"},
	    {"{\"x\":1,}", "", "", "not JSON"},
	    {"{\"x\" 1}", "", "", "not JSON"},
	    {"{x}", "", "", "not JSON"},
	    {"{\"x\":1,\"x\":1}", "x", "", "twice"},
	    {"{\"x\":1,\"\\u0078\":1}", "x", "", "twice"},
	    {"{\"x\":[[{\"z\":1,\"z\":2}]]}", "x", "", "one name"},
	    {"{\"x\":{\"z\":1,\"z\":2}}", "x", "z", "twice"},
	    {"{\"y\":1,\"x\":{\"y\":1,\"z\":\"a\\u0000\"}}", "x", "z", "NUL"},
	    {"{\"x\":\"\\u0000\"}", "x", "", "NUL"},
	    {"{\"\\u0000\":1}", "", "", "NUL"},
	    {"{\"x\":{\"\\u0000\":1}}", "x", "", "NUL"},
	    {"{\"x\":\"\\ud83d\"}", "x", "", "surrogate"},
	    {"{\"x\":\"\\udc00\"}", "x", "", "surrogate"},
	    {"{\"x\":\"\\ud83dx\"}", "x", "", "surrogate"},
	    {"{\"x\":\"\377\"}", "x", "", "UTF-8"},
	    {"{\"x\":\"\355\240\200\"}", "x", "", "UTF-8"},
	    {"{\"x\":\"a\nb\"}", "x", "", "not JSON"},
	    {"{\"x\":\"\\q\"}", "x", "", "not JSON"},
	};
	struct varlink_call call;
	char text[256];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text),
		    "{\"parameters\":%s,\"method\":\"a.B\",\"more\":true}",
		    rows[i].parameters);
		assert_int_equal(parse_call(text, strlen(text), &call), JW_OK);
		assert_string_equal(call.method, "a.B");
		assert_true(call.more);
		assert_json(call.parameters, "{}");
		if (call.fault.what == NULL ||
		    strstr(call.fault.what, rows[i].what) == NULL)
			fail_msg("%s: %s", text, call.fault.what);
		assert_string_equal(call.fault.parameter, rows[i].parameter);
		assert_string_equal(call.fault.member, rows[i].member);
		varlink_call_done(&call);
	}
}

/* The reason of a refusal, for the log of the daemon. */
static void
test_call_why(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} rows[] = {
	    {"x", "not a JSON object"},
	    {"{\"method\":\"a.B\"", "not one whole JSON object"},
	    {"{\"parameters\":{}}", "there is no \"method\""},
	    {"{\"method\":7}", "\"method\" is not a string"},
	    {"{\"method\":\"a.B\",\"parameters\":[]}",
		"\"parameters\" is not an object"},
	    {"{\"method\":\"a.B\",\"more\":1}",
		"\"more\" is not true or false"},
	    {"{\"method\":\"a.B\",\"method\":\"a.B\"}",
		"two members \"method\""},
	    {"{\"method\":\"a.B\",\"x\":1}", "none of Varlink's"},
	    {"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}", "at once"},
	    {"{\"method\":\"a.B\",\"upgrade\":true}", "not offered"},
	};
	struct varlink_call call;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct jw_why why = {"", ""};

		assert_int_equal(varlink_call_parse(rows[i].text,
				     strlen(rows[i].text), &call, &why),
		    JW_PROTOCOL);
		if (strstr(why.text, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].text, why.text);
	}
}

static void
test_raw_nul(void **state)
{
	static const char inside[] = "{\"method\":\"a\0B\"}";
	static const char between[] = "{\0\"method\":\"a.B\"}";
	static const char after[] = "{\"method\":\"a.B\"}\0";

	(void)state;
	assert_call_refused(inside, sizeof(inside) - 1);
	assert_call_refused(between, sizeof(between) - 1);
	assert_call_refused(after, sizeof(after) - 1);
}

/* Every single byte put in place of every byte: never a crash. */
static void
test_every_byte(void **state)
{
	char text[] = "{\"method\":\"a.B\",\"parameters\":{\"x\":-12.5e3,"
		      "\"\\u00e9\":[true,null]},\"oneway\":true}";
	const size_t len = sizeof(text) - 1;
	struct varlink_call call;
	size_t accepted = 0;

	(void)state;
	for (size_t i = 0; i < len; i++) {
		char saved = text[i];

		for (int byte = 0; byte < 256; byte++) {
			text[i] = (char)byte;
			if (parse_call(text, len, &call) == JW_OK) {
				accepted += call.fault.what == NULL;
				varlink_call_done(&call);
			}
		}
		text[i] = saved;
		assert_call_refused(text, i);
	}
	assert_in_range(accepted, len, len * 128);
}

/* A call whose parameters nest so deep that the whole is `depth` deep. */
static char *
nested_call(size_t depth, const char *open, const char *close)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fputs("{\"method\":\"a.B\",\"parameters\":{\"x\":", f);
	for (size_t i = 2; i < depth; i++)
		fputs(open, f);
	fputs("1", f);
	for (size_t i = 2; i < depth; i++)
		fputs(close, f);
	fputs("}}", f);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* Depth is that of what is open, not a count of what has been opened. */
static void
test_many_side_by_side(void **state)
{
	static const char call[] = "{\"method\":\"a.B\",\"parameters\":{\"x\":["
				   "[],[],[],[],[],[],[],[],[],[],[],[],"
				   "{},{},{},{},{},{},{},{},{},{},{},{},"
				   "[[]],[[]],[[]],[[]],[[]],[[]]]}}";
	struct varlink_call parsed;

	(void)state;
	assert_int_equal(parse_call(call, sizeof(call) - 1, &parsed), JW_OK);
	assert_null(parsed.fault.what);
	varlink_call_done(&parsed);
}

static void
test_depth(void **state)
{
	static const struct {
		const char *open;
		const char *close;
	} rows[] = {{"[", "]"}, {"{\"x\":", "}"}, {"[{\"[\\\"\":", "}]"}};
	static const size_t bombs[] = {
	    VARLINK_DEPTH_MAX + 1, 2047, 2049, 20000};
	struct varlink_call call;
	char *text;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t fine =
		    i < 2 ? VARLINK_DEPTH_MAX : VARLINK_DEPTH_MAX / 2 + 1;

		text = nested_call(fine, rows[i].open, rows[i].close);
		assert_int_equal(parse_call(text, strlen(text), &call), JW_OK);
		varlink_call_done(&call);
		free(text);
		for (size_t j = 0; j < COUNT(bombs); j++) {
			text =
			    nested_call(bombs[j], rows[i].open, rows[i].close);
			assert_int_equal(
			    parse_call(text, strlen(text), &call), JW_OK);
			assert_string_equal(call.fault.parameter, "x");
			assert_non_null(strstr(call.fault.what, "deeper"));
			varlink_call_done(&call);
			free(text);
			text = nested_call(bombs[j], rows[i].open, "");
			assert_call_refused(text, strlen(text));
			free(text);
		}
	}
}

/* Brackets in strings are no depth, however the string is quoted. */
static void
test_depth_in_strings(void **state)
{
	static const char text[] =
	    "{\"method\":\"a.B\",\"parameters\":{\"x\":\"\\\\\\\""
	    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\\\","
	    "\"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\":\"]]]\"}}";
	struct varlink_call call;

	(void)state;
	assert_int_equal(parse_call(text, sizeof(text) - 1, &call), JW_OK);
	assert_int_equal(json_object_size(call.parameters), 2);
	varlink_call_done(&call);
}

static void
test_integers(void **state)
{
	static const struct {
		const char *number;
		bool is_integer;
		const char *string; /* as it stands in a string: untouched */
	} rows[] = {
	    {"0", true, "0"},
	    {"-0", true, "-0"},
	    {"9223372036854775807", true, "9223372036854775807"},
	    {"9223372036854775808", false, "9223372036854775808"},
	    {"-9223372036854775808", true, "-9223372036854775808"},
	    {"-9223372036854775809", false, "-9223372036854775809"},
	    {"10000000000000000000", false, "10000000000000000000"},
	    {"123456789012345678901234567890", false,
		"123456789012345678901234567890"},
	    {"1.0", false, "1.0"},
	    {"1e2", false, "12345678901234567890 \\\" 12345678901234567890"},
	};
	struct varlink_call call;
	char text[512];
	json_t *n, *wanted;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		/* The second number makes sure that both ways are taken. */
		for (size_t both = 0; both < 2; both++) {
			snprintf(text, sizeof(text),
			    "{\"method\":\"a.B\",\"parameters\":{\"n\":%s,"
			    "\"s\":\"%s\",\"big\":%s,\"small\":[7]}}",
			    rows[i].number, rows[i].string,
			    both ? "99999999999999999999" : "1");
			assert_int_equal(
			    parse_call(text, strlen(text), &call), JW_OK);
			n = json_object_get(call.parameters, "n");
			assert_int_equal(
			    json_is_integer(n), rows[i].is_integer);
			if (json_is_integer(n))
				assert_true(json_integer_value(n) ==
					    strtoll(rows[i].number, NULL, 10));
			else
				assert_true(json_real_value(n) ==
					    strtod(rows[i].number, NULL));
			n = json_object_get(call.parameters, "small");
			assert_int_equal(
			    json_integer_value(json_array_get(n, 0)), 7);
			snprintf(text, sizeof(text), "{\"s\":\"%s\"}",
			    rows[i].string);
			wanted = json(text);
			assert_true(
			    json_equal(json_object_get(call.parameters, "s"),
				json_object_get(wanted, "s")));
			json_decref(wanted);
			varlink_call_done(&call);
		}
	}
}

/* Every limit of widening at once: as many long integers as there is room. */
static void
test_many_long_integers(void **state)
{
	struct varlink_call call;
	char *text = malloc(VARLINK_MESSAGE_MAX);
	size_t used, count = 0;

	(void)state;
	assert_non_null(text);
	used = (size_t)sprintf(
	    text, "{\"method\":\"a.B\",\"parameters\":{\"x\":[1");
	while (used < VARLINK_MESSAGE_MAX - 64) {
		used += (size_t)sprintf(text + used, ",9223372036854775808");
		count++;
	}
	used += (size_t)sprintf(text + used, "]}}");
	assert_int_equal(parse_call(text, used, &call), JW_OK);
	assert_int_equal(
	    json_array_size(json_object_get(call.parameters, "x")), count + 1);
	varlink_call_done(&call);
	free(text);
}

static void
test_message_size(void **state)
{
	static const char head[] =
	    "{\"method\":\"a.B\",\"parameters\":{\"x\":\"";
	static const char tail[] = "\"}}";
	size_t max = VARLINK_MESSAGE_MAX - 1;
	char *text = malloc(max + 1), *again;
	struct varlink_call call;
	size_t again_len;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', max + 1);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + max - sizeof(tail) + 1, tail, sizeof(tail) - 1);
	assert_int_equal(parse_call(text, max, &call), JW_OK);
	again = varlink_call_format(
	    call.method, call.parameters, call.more, call.oneway, &again_len);
	assert_non_null(again);
	assert_int_equal(again_len, VARLINK_MESSAGE_MAX);
	assert_memory_equal(again, text, max);
	free(again);
	varlink_call_done(&call);

	text[max] = ' ';
	assert_call_refused(text, max + 1);
	free(text);
}

static void
test_reply_accepted(void **state)
{
	static const struct {
		const char *text;
		const char *parameters;
		const char *error;
		bool continues;
	} rows[] = {
	    {"{}", "{}", NULL, false},
	    {"{\"parameters\":{\"a\":null}}", "{\"a\":null}", NULL, false},
	    {"{\"continues\":true}", "{}", NULL, true},
	    {"{\"error\":\"a.B\"}", "{}", "a.B", false},
	    {"{\"error\":\"a.B\",\"continues\":false,\"parameters\":"
	     "{\"a\":1}}",
		"{\"a\":1}", "a.B", false},
	};
	struct varlink_reply reply;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    parse_reply(rows[i].text, strlen(rows[i].text), &reply),
		    JW_OK);
		assert_json(reply.parameters, rows[i].parameters);
		assert_int_equal(reply.continues, rows[i].continues);
		if (rows[i].error == NULL)
			assert_null(reply.error);
		else
			assert_string_equal(reply.error, rows[i].error);
		varlink_reply_done(&reply);
		varlink_reply_done(&reply);
	}
	varlink_reply_done(NULL);
}

static void
test_reply_refused(void **state)
{
	static const char *const rows[] = {
	    "",
	    "[]",
	    "{",
	    "{}}",
	    "{\"method\":\"a.B\"}",
	    "{\"more\":false}",
	    "{\"parameters\":null}",
	    "{\"parameters\":[]}",
	    "{\"error\":null}",
	    "{\"error\":{}}",
	    "{\"error\":\"a\\u0000\"}",
	    "{\"continues\":1}",
	    "{\"error\":\"a.B\",\"continues\":true}",
	    "{\"parameters\":{},\"parameters\":{}}",
	    "{\"parameters\":{\"a\":{\"b\":1,\"b\":1}}}",
	    "{\"parameters\":{\"a\":\"\377\"}}",
	    "{\"parameters\":{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	};
	struct varlink_reply reply;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (parse_reply(rows[i], strlen(rows[i]), &reply) !=
		    JW_PROTOCOL)
			fail_msg("not refused: %s", rows[i]);
}

static void
test_format(void **state)
{
	json_t *parameters = json("{\"b\":[1,\"\303\234/\\u0001\"],\"a\":{}}");
	char *text;
	size_t len;

	(void)state;
	text = varlink_call_format("a.B", parameters, true, false, &len);
	assert_string_equal(text,
	    "{\"method\":\"a.B\",\"more\":true,\"parameters\":"
	    "{\"b\":[1,\"\303\234/\\u0001\"],\"a\":{}}}");
	assert_int_equal(len, strlen(text) + 1);
	free(text);
	text = varlink_call_format("a.\"B", NULL, false, true, &len);
	assert_string_equal(text, "{\"method\":\"a.\\\"B\",\"oneway\":true}");
	assert_int_equal(len, strlen(text) + 1);
	free(text);
	text = varlink_reply_format(NULL, NULL, false, &len);
	assert_string_equal(text, "{}");
	assert_int_equal(len, 3);
	free(text);
	text = varlink_reply_format(NULL, parameters, true, &len);
	assert_string_equal(text, "{\"continues\":true,\"parameters\":"
				  "{\"b\":[1,\"\303\234/\\u0001\"],\"a\":{}}}");
	assert_int_equal(len, strlen(text) + 1);
	free(text);
	text = varlink_reply_format(NULL, parameters, false, &len);
	assert_string_equal(
	    text, "{\"parameters\":{\"b\":[1,\"\303\234/\\u0001\"],\"a\":{}}}");
	free(text);
	text = varlink_reply_format("a.E", parameters, false, &len);
	assert_non_null(strstr(text, "\"error\":\"a.E\""));
	free(text);
	assert_int_equal(parameters->refcount, 1);
	json_decref(parameters);

	assert_null(varlink_call_format("a.\377", NULL, false, false, &len));
	parameters = json("[1]");
	assert_null(varlink_reply_format(NULL, parameters, false, &len));
	json_decref(parameters);
}

static void
test_round_trip(void **state)
{
	static const char *const rows[] = {
	    "{}",
	    "{\"a\":9223372036854775807,\"b\":-1,\"c\":0.1,\"d\":1e300}",
	    "{\"\":\"\",\" \":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u001f\"}",
	    "{\"a\":\"\360\237\230\200 \342\200\250 \303\234 \\u007f\"}",
	    "{\"a\":[[],{},[{}],null,true,false]}",
	};
	struct varlink_call call;
	struct varlink_reply reply;
	json_t *parameters;
	char *text;
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		parameters = json(rows[i]);
		text = varlink_call_format(
		    "org.x.Y", parameters, i & 1, !(i & 1), &len);
		assert_int_equal(parse_call(text, len - 1, &call), JW_OK);
		assert_string_equal(call.method, "org.x.Y");
		assert_true(json_equal(call.parameters, parameters));
		assert_int_equal(call.more, i & 1);
		assert_int_equal(call.oneway, !(i & 1));
		varlink_call_done(&call);
		free(text);

		text = varlink_reply_format(
		    i & 1 ? "org.x.E" : NULL, parameters, !(i & 1), &len);
		assert_int_equal(parse_reply(text, len - 1, &reply), JW_OK);
		assert_int_equal(reply.error != NULL, i & 1);
		assert_true(json_equal(reply.parameters, parameters));
		assert_int_equal(reply.continues, !(i & 1));
		varlink_reply_done(&reply);
		free(text);
		json_decref(parameters);
	}
}

/* ---- descriptions ---- */

extern const struct varlink_interface varlink_org_example_all,
    varlink_org_example_small;

static void
test_tables(void **state)
{
	static const struct varlink_interface *const all =
	    &varlink_org_example_all;
	static const char *const names[] = {"Plain", "Bare", "Next", "Shapes"};
	const struct varlink_field *field;

	(void)state;
	assert_string_equal(all->name, "org.example.all");
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_string_equal(all->methods[i].name, names[i]);
		assert_ptr_equal(
		    varlink_method_find(all, names[i]), &all->methods[i]);
	}
	assert_null(all->methods[COUNT(names)].name);
	assert_null(varlink_method_find(all, "plain"));
	assert_null(varlink_method_find(all, ""));
	assert_null(varlink_method_find(all, "Wrong"));
	assert_null(varlink_method_find(all, "Point"));
	assert_string_equal(all->errors[0].name, "Wrong");
	assert_string_equal(all->errors[1].name, "Empty");
	assert_null(all->errors[2].name);
	field = &all->methods[3].input[3];
	assert_string_equal(field->name, "lines");
	assert_string_equal(field->type, "[]Line");
	assert_int_equal(field->kind, VARLINK_STRUCT);
	assert_true(field->is_array && field->is_optional);
	assert_string_equal(field->fields[1].type, "[]Point");
	assert_true(field->fields[1].is_array);
	assert_false(field->fields[1].is_optional);
	assert_null(field[1].name);
	assert_null(all->methods[1].input->name);
	assert_non_null(strstr(all->text, "\"quoted\", \\ and \?\?=\n  #"));
}

/* ---- checks ---- */

struct fit {
	const char *method;
	const char *parameters;
	const char *name; /* NULL: it fits */
};

static void
assert_fit(enum jw_err err, const struct fit *row, const char *name)
{
	if (row->name == NULL && err != JW_OK)
		fail_msg("%s %s: %s", row->method, row->parameters, name);
	if (row->name == NULL) {
		assert_string_equal(name, "untouched");
		return;
	}
	if (err != JW_INVALID_PARAMETER || strcmp(name, row->name) != 0)
		fail_msg("%s %s: %d, '%s' instead of '%s'", row->method,
		    row->parameters, err, name, row->name);
}

static void
check_rows(const struct varlink_interface *interface, const struct fit *rows,
    size_t count, bool is_input)
{
	char name[VARLINK_NAME_SIZE];

	for (size_t i = 0; i < count; i++) {
		json_t *parameters = json(rows[i].parameters);
		const struct varlink_method *method =
		    varlink_method_find(interface, rows[i].method);

		assert_non_null(method);
		strcpy(name, "untouched");
		assert_fit(varlink_fields_check(
			       is_input ? method->input : method->output,
			       parameters, name),
		    &rows[i], name);
		json_decref(parameters);
	}
}

#define PLAIN(b, i, s, o) "{\"b\":" b ",\"i\":" i ",\"s\":" s ",\"o\":" o "}"

static void
test_check_types(void **state)
{
	static const struct fit rows[] = {
	    {"Plain", PLAIN("true", "1", "\"\"", "{}"), NULL},
	    {"Plain", PLAIN("false", "-1", "\"x\"", "{\"a\":[1]}"), NULL},
	    {"Plain", PLAIN("1", "1", "\"\"", "{}"), "b"},
	    {"Plain", PLAIN("\"true\"", "1", "\"\"", "{}"), "b"},
	    {"Plain", PLAIN("null", "1", "\"\"", "{}"), "b"},
	    {"Plain", PLAIN("true", "1.0", "\"\"", "{}"), "i"},
	    {"Plain", PLAIN("true", "1e3", "\"\"", "{}"), "i"},
	    {"Plain", PLAIN("true", "\"1\"", "\"\"", "{}"), "i"},
	    {"Plain", PLAIN("true", "true", "\"\"", "{}"), "i"},
	    {"Plain", PLAIN("true", "1", "1", "{}"), "s"},
	    {"Plain", PLAIN("true", "1", "[\"\"]", "{}"), "s"},
	    {"Plain", PLAIN("true", "1", "\"\"", "[]"), "o"},
	    {"Plain", PLAIN("true", "1", "\"\"", "\"{}\""), "o"},
	    {"Plain", PLAIN("true", "1", "\"\"", "null"), "o"},
	    {"Plain", "{}", "b"},
	    {"Plain", "{\"b\":true,\"i\":1,\"s\":\"\"}", "o"},
	    {"Plain", "{\"b\":true,\"B\":true}", "B"},
	    {"Plain", "{\"\":1}", ""},
	    {"Bare", "{}", NULL},
	    {"Bare", "{\"x\":null}", "x"},
	    {"Bare", "{\"\\n\":1}", "\n"},
	};

	(void)state;
	check_rows(&varlink_org_example_all, rows, COUNT(rows), true);
}

#define POINT "{\"x\":1,\"y\":2}"
#define SHAPES(rest) "{\"points\":[]," rest "}"
#define LINE(line) SHAPES("\"line\":" line)

static void
test_check_nested(void **state)
{
	static const struct fit rows[] = {
	    {"Shapes", "{\"points\":[]}", NULL},
	    {"Shapes", "{\"points\":[" POINT "," POINT "]}", NULL},
	    {"Shapes", SHAPES("\"words\":null,\"line\":null"), NULL},
	    {"Shapes", SHAPES("\"words\":[]"), NULL},
	    {"Shapes", SHAPES("\"words\":[\"a\",\"b\"]"), NULL},
	    {"Shapes", SHAPES("\"words\":[\"a\",1]"), "words.1"},
	    {"Shapes", SHAPES("\"words\":[null]"), "words.0"},
	    {"Shapes", SHAPES("\"words\":{}"), "words"},
	    {"Shapes", SHAPES("\"words\":\"a\""), "words"},
	    {"Shapes", LINE("{\"name\":\"a\",\"points\":[" POINT "]}"), NULL},
	    {"Shapes", LINE("{\"name\":\"a\",\"points\":[" POINT ",{}]}"),
		"line.points.1.x"},
	    {"Shapes", LINE("{\"name\":\"a\"}"), "line.points"},
	    {"Shapes", LINE("{\"name\":null,\"points\":[]}"), "line.name"},
	    {"Shapes", LINE("{\"\":1}"), "line."},
	    {"Shapes", LINE("{\"name\":\"a\",\"points\":[],\"x\":1}"),
		"line.x"},
	    {"Shapes", LINE("[]"), "line"},
	    {"Shapes", SHAPES("\"lines\":[{\"name\":\"a\",\"points\":[]}]"),
		NULL},
	    {"Shapes",
		SHAPES("\"lines\":[{\"name\":\"a\",\"points\":[]},"
		       "{\"name\":\"b\",\"points\":[{\"x\":1,\"y\":2,"
		       "\"colour_of_it\":3}]}]"),
		"lines.1.points.0.colour_of_it"},
	    {"Shapes", "{\"points\":[" POINT ",{\"x\":1}]}", "points.1.y"},
	    {"Shapes", "{\"points\":[{\"x\":1,\"y\":null}]}", "points.0.y"},
	    {"Shapes",
		"{\"points\":[{\"x\":1,\"y\":2,\"colour_of_it\":\"red\"},"
		"{\"x\":1,\"y\":2,\"colour_of_it\":null}]}",
		NULL},
	    {"Shapes", "{\"points\":[null]}", "points.0"},
	    {"Shapes", "{\"points\":[[]]}", "points.0"},
	    {"Shapes", "{\"points\":{}}", "points"},
	    {"Shapes", "{\"points\":null}", "points"},
	};
	static const struct fit outputs[] = {
	    {"Shapes", "{\"point\":" POINT "}", NULL},
	    {"Shapes", "{\"point\":{}}", "point.x"},
	    {"Shapes", "{\"point\":null}", "point"},
	    {"Shapes", "{\"point\":[" POINT "]}", "point"},
	    {"Shapes", "{}", "point"},
	    {"Next", "{}", NULL},
	    {"Next", "{\"type\":null}", NULL},
	    {"Next", "{\"type\":\"x\"}", NULL},
	    {"Next", "{\"type\":1}", "type"},
	    {"Plain", "{}", NULL},
	    {"Plain", "{\"b\":true}", "b"},
	};

	(void)state;
	check_rows(&varlink_org_example_all, rows, COUNT(rows), true);
	check_rows(&varlink_org_example_all, outputs, COUNT(outputs), false);
}

/* In the order of the description. */
enum { PLAIN_METHOD, BARE_METHOD, NEXT_METHOD, SHAPES_METHOD };

static void
test_check_edges(void **state)
{
	const struct varlink_method *methods = varlink_org_example_all.methods;
	char name[VARLINK_NAME_SIZE] = "untouched";
	json_t *list = json("[]");

	(void)state;
	assert_int_equal(
	    varlink_fields_check(methods[BARE_METHOD].input, NULL, name),
	    JW_OK);
	assert_string_equal(name, "untouched");
	assert_int_equal(
	    varlink_fields_check(methods[PLAIN_METHOD].input, NULL, name),
	    JW_INVALID_PARAMETER);
	assert_string_equal(name, "b");
	assert_int_equal(
	    varlink_fields_check(methods[NEXT_METHOD].output, NULL, NULL),
	    JW_OK);
	assert_int_equal(
	    varlink_fields_check(methods[BARE_METHOD].input, list, NULL),
	    JW_INVALID_PARAMETER);
	json_decref(list);
}

/* A name is cut where a character begins, whichever byte is the 128th. */
static void
test_check_long_names(void **state)
{
	const struct varlink_field *fields =
	    varlink_org_example_all.methods[SHAPES_METHOD].input;
	char key[200 * 4 + 8], name[VARLINK_NAME_SIZE];
	json_t *parameters, *check;

	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		memset(key, 'k', shift);
		key[shift] = '\0';
		for (size_t i = 0; i < 100; i++)
			strcat(key, "\360\237\230\200");
		parameters = json_pack("{s:[{s:i}]}", "points", key, 1);
		assert_non_null(parameters);
		memset(name, 'N', sizeof(name));
		assert_int_equal(varlink_fields_check(fields, parameters, name),
		    JW_INVALID_PARAMETER);
		assert_in_range(strnlen(name, sizeof(name)),
		    VARLINK_NAME_SIZE - 4, VARLINK_NAME_SIZE - 1);
		assert_memory_equal(name, "points.0.", 9);
		assert_memory_equal(name + 9, key, strlen(name) - 9);
		check = json_string(name);
		assert_non_null(check);
		json_decref(check);
		json_decref(parameters);
	}
}

static void
test_check_error(void **state)
{
	static const struct fit rows[] = {
	    {"Wrong", "{\"where\":" POINT "}", NULL},
	    {"Wrong", "{\"where\":{\"x\":\"1\"}}", "where.x"},
	    {"Wrong", "{}", "where"},
	    {"Empty", "{}", NULL},
	    {"Empty", "{\"x\":1}", "x"},
	};
	const struct varlink_error *errors = varlink_org_example_all.errors;
	char name[VARLINK_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *parameters = json(rows[i].parameters);

		if (strcmp(errors->name, rows[i].method) != 0)
			errors++;
		strcpy(name, "untouched");
		assert_fit(
		    varlink_fields_check(errors->fields, parameters, name),
		    &rows[i], name);
		json_decref(parameters);
	}
}

/* ---- our own descriptions ---- */

/* The words after `keyword` at the beginning of a line, one after another. */
static bool
next_declared(const char **text, const char *keyword, char *ret_name)
{
	size_t len = strlen(keyword), n;

	while (**text != '\0') {
		const char *line = *text;

		*text += strcspn(line, "\n");
		*text += **text == '\n';
		if (strncmp(line, keyword, len) == 0 && line[len] == ' ') {
			line += len + 1;
			n = strcspn(line, " (");
			assert_in_range(n, 1, VARLINK_NAME_SIZE - 1);
			memcpy(ret_name, line, n);
			ret_name[n] = '\0';
			return true;
		}
	}
	return false;
}

static void
check_ours(const struct varlink_interface *ours, size_t methods, size_t errors)
{
	char declared[VARLINK_NAME_SIZE];
	const char *at = ours->text;
	size_t n = 0;

	for (; next_declared(&at, "method", declared); n++) {
		assert_string_equal(ours->methods[n].name, declared);
		assert_ptr_equal(
		    varlink_method_find(ours, declared), &ours->methods[n]);
	}
	assert_null(ours->methods[n].name);
	assert_int_equal(n, methods);
	at = ours->text;
	for (n = 0; next_declared(&at, "error", declared); n++)
		assert_string_equal(ours->errors[n].name, declared);
	assert_null(ours->errors[n].name);
	assert_int_equal(n, errors);
}

static void
test_ours(void **state)
{
	(void)state;
	check_ours(&varlink_org_jwksd_keys, 18, 16);
	check_ours(&varlink_org_jwksd_publish, 1, 0);
	check_ours(&varlink_org_jwksd_sign, 3, 0);
	check_ours(&varlink_org_varlink_service, 2, 6);
}

/* Each error with a wire name of keys is declared, and the other way round. */
static void
test_our_errors(void **state)
{
	static const char prefix[] = "org.jwksd.keys.";
	const struct varlink_error *e = varlink_org_jwksd_keys.errors;
	char wire[VARLINK_NAME_SIZE * 2];
	const char *name;
	size_t declared = 0, known = 0;

	(void)state;
	for (; e->name != NULL; e++, declared++) {
		snprintf(wire, sizeof(wire), "%s%s", prefix, e->name);
		assert_int_not_equal(jw_err_from_wire(wire), JW_PROTOCOL);
	}
	for (int err = 0; err < JW_ERR_COUNT; err++) {
		name = jw_err_wire((enum jw_err)err);
		if (name != NULL &&
		    strncmp(name, prefix, sizeof(prefix) - 1) == 0)
			known++;
	}
	assert_int_equal(known, declared);
}

#define KEY(rest)                                                             \
	"{\"kid\":\"k\",\"keySet\":\"d\",\"generation\":1,\"alg\":\"ES256\"," \
	"\"state\":\"active\",\"createdAt\":1" rest "}"

static void
test_our_checks(void **state)
{
	static const struct fit inputs[] = {
	    {"Status", "{}", NULL},
	    {"Status", "{\"verbose\":true}", "verbose"},
	    {"ListKeys", "{\"keySet\":\"default\",\"all\":true}", NULL},
	    {"ListKeys", "{\"all\":1}", "all"},
	    {"ShowKey", "{}", "key"},
	    {"ShowKey", "{\"key\":null}", "key"},
	    {"Rotate", "{\"at\":null,\"now\":true}", NULL},
	    {"Rotate", "{\"expectGeneration\":1.0}", "expectGeneration"},
	    {"Rotate", "{\"expectGeneration\":9.3e18}", "expectGeneration"},
	};
	static const struct fit outputs[] = {
	    {"ListKeys", "{\"keys\":[" KEY("") "]}", NULL},
	    {"ListKeys", "{\"keys\":[" KEY(",\"jwk\":{\"kty\":\"EC\"}") "]}",
		NULL},
	    {"ListKeys", "{\"keys\":[" KEY(",\"jwk\":\"{}\"") "]}",
		"keys.0.jwk"},
	    {"ListKeys", "{\"keys\":[" KEY("") ",{}]}", "keys.1.kid"},
	    {"ShowKey", "{\"key\":" KEY(",\"d\":\"secret\"") "}", "key.d"},
	    {"ListKeySets",
		"{\"keySets\":[{\"name\":\"d\",\"alg\":\"ES256\","
		"\"path\":\"/\",\"version\":1,\"policy\":{\"rsaBits\":"
		"\"2048\"}}]}",
		"keySets.0.policy.rsaBits"},
	    {"Monitor",
		"{\"event\":\"snapshot\",\"keys\":[" KEY(
		    "") "],\"sequence\":1}",
		NULL},
	    {"Plan",
		"{\"changes\":[{\"time\":1,\"keySet\":\"d\",\"to\":"
		"\"active\",\"cause\":null}]}",
		"changes.0.cause"},
	};

	(void)state;
	check_rows(&varlink_org_jwksd_keys, inputs, COUNT(inputs), true);
	check_rows(&varlink_org_jwksd_keys, outputs, COUNT(outputs), false);
}

/* ---- the service ---- */

static const struct varlink_verb small_verbs[] = {
    {.method = "Three"},
    {.method = "One", .flags = VARLINK_MORE},
    {.method = "Two", .flags = VARLINK_MORE | VARLINK_NEEDS_MORE},
    {.method = NULL},
};

static const struct varlink_service small = {
    &varlink_org_example_small, small_verbs};

static void
test_resolve(void **state)
{
	static const struct {
		const char *call;
		enum jw_err err;
		const char *verb;
		const char *parameters; /* NULL: a verb was found */
	} rows[] = {
	    {"{\"method\":\"org.example.small.One\"}", JW_OK, "One", NULL},
	    {"{\"method\":\"org.example.small.One\",\"more\":true,"
	     "\"parameters\":{\"n\":3}}",
		JW_OK, "One", NULL},
	    {"{\"method\":\"org.example.small.One\",\"oneway\":true,"
	     "\"parameters\":{\"n\":null}}",
		JW_OK, "One", NULL},
	    {"{\"method\":\"org.example.small.Two\",\"more\":true}", JW_OK,
		"Two", NULL},
	    {"{\"method\":\"org.example.small.Three\",\"parameters\":"
	     "{\"o\":{\"a\":1}}}",
		JW_OK, "Three", NULL},
	    {"{\"method\":\"org.example.small.Two\"}", JW_EXPECTED_MORE, NULL,
		"{}"},
	    {"{\"method\":\"org.example.small.Three\"}", JW_INVALID_PARAMETER,
		NULL, "{\"parameter\":\"o\"}"},
	    {"{\"method\":\"org.example.small.One\",\"parameters\":"
	     "{\"n\":9223372036854775808}}",
		JW_INVALID_PARAMETER, NULL, "{\"parameter\":\"n\"}"},
	    {"{\"method\":\"org.example.small.One\",\"parameters\":"
	     "{\"\303\234\":1}}",
		JW_INVALID_PARAMETER, NULL, "{\"parameter\":\"\303\234\"}"},
	    {"{\"method\":\"org.example.small.Four\"}", JW_METHOD_NOT_FOUND,
		NULL, "{\"method\":\"org.example.small.Four\"}"},
	    {"{\"method\":\"org.example.small.one\"}", JW_METHOD_NOT_FOUND,
		NULL, "{\"method\":\"org.example.small.one\"}"},
	    {"{\"method\":\"org.example.small.\"}", JW_METHOD_NOT_FOUND, NULL,
		"{\"method\":\"org.example.small.\"}"},
	    {"{\"method\":\"org.example.smal.One\"}", JW_INTERFACE_NOT_FOUND,
		NULL, "{\"interface\":\"org.example.smal\"}"},
	    {"{\"method\":\"org.example.smallest.One\"}",
		JW_INTERFACE_NOT_FOUND, NULL,
		"{\"interface\":\"org.example.smallest\"}"},
	    {"{\"method\":\"org.example.small\"}", JW_INTERFACE_NOT_FOUND, NULL,
		"{\"interface\":\"org.example\"}"},
	    {"{\"method\":\"One\"}", JW_INTERFACE_NOT_FOUND, NULL,
		"{\"interface\":\"\"}"},
	    {"{\"method\":\"\"}", JW_INTERFACE_NOT_FOUND, NULL,
		"{\"interface\":\"\"}"},
	    {"{\"method\":\".\"}", JW_INTERFACE_NOT_FOUND, NULL,
		"{\"interface\":\"\"}"},
	    {"{\"method\":\"org.varlink.service.GetInfo\"}", JW_OK, NULL,
		"{\"vendor\":\"jwksd\",\"product\":\"jwksd\","
		"\"version\":\"" JWKSD_VERSION
		"\",\"url\":\"https://jwksd.example/\","
		"\"interfaces\":[\"org.varlink.service\","
		"\"org.example.small\"]}"},
	    {"{\"method\":\"org.varlink.service.GetInfo\","
	     "\"parameters\":{\"x\":1}}",
		JW_INVALID_PARAMETER, NULL, "{\"parameter\":\"x\"}"},
	    {"{\"method\":\"org.varlink.service.Get\"}", JW_METHOD_NOT_FOUND,
		NULL, "{\"method\":\"org.varlink.service.Get\"}"},
	    {"{\"method\":\"org.varlink.service."
	     "GetInterfaceDescription\"}",
		JW_INVALID_PARAMETER, NULL, "{\"parameter\":\"interface\"}"},
	    {"{\"method\":\"org.varlink.service.GetInterfaceDescription\","
	     "\"parameters\":{\"interface\":\"org.nope\"}}",
		JW_INTERFACE_NOT_FOUND, NULL, "{\"interface\":\"org.nope\"}"},
	};
	const struct varlink_verb *verb;
	struct varlink_call call;
	json_t *parameters;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    parse_call(rows[i].call, strlen(rows[i].call), &call),
		    JW_OK);
		assert_int_equal(
		    varlink_service_resolve(&small, &call, &verb, &parameters),
		    rows[i].err);
		if (rows[i].verb == NULL) {
			assert_null(verb);
			assert_json(parameters, rows[i].parameters);
		} else {
			assert_non_null(verb);
			assert_string_equal(verb->method, rows[i].verb);
			assert_null(parameters);
		}
		json_decref(parameters);
		varlink_call_done(&call);
	}
}

/* What the service says about an interface; free() it. */
static char *
described(const char *name)
{
	json_t *parameters, *reply;
	const struct varlink_verb *verb;
	char method[] = "org.varlink.service.GetInterfaceDescription";
	struct varlink_call call = {.method = method};
	char *text;

	parameters = json_pack("{s:s}", "interface", name);
	call.parameters = parameters;
	assert_int_equal(
	    varlink_service_resolve(&small, &call, &verb, &reply), JW_OK);
	assert_null(verb);
	assert_int_equal(json_object_size(reply), 1);
	text = strdup(json_string_value(json_object_get(reply, "description")));
	json_decref(reply);
	json_decref(parameters);
	return text;
}

static void
test_introspection(void **state)
{
	static const char *const errors[] = {
	    "InterfaceNotFound",
	    "MethodNotFound",
	    "MethodNotImplemented",
	    "InvalidParameter",
	    "PermissionDenied",
	    "ExpectedMore",
	};
	static const char *const members[] = {
	    "{\"interface\":\"x\"}",
	    "{\"method\":\"x\"}",
	    "{\"method\":\"x\"}",
	    "{\"parameter\":\"x\"}",
	    "{}",
	    "{}",
	};
	const struct varlink_interface *own = &varlink_org_varlink_service;
	char wire[VARLINK_NAME_SIZE];
	char *text = described("org.example.small");

	(void)state;
	assert_string_equal(text, varlink_org_example_small.text);
	free(text);
	text = described("org.varlink.service");
	assert_string_equal(text, own->text);
	free(text);
	assert_string_equal(own->name, "org.varlink.service");
	for (size_t i = 0; i < COUNT(errors); i++) {
		json_t *parameters = json(members[i]);

		assert_string_equal(own->errors[i].name, errors[i]);
		assert_int_equal(varlink_fields_check(
				     own->errors[i].fields, parameters, NULL),
		    JW_OK);
		snprintf(
		    wire, sizeof(wire), "org.varlink.service.%s", errors[i]);
		assert_int_not_equal(jw_err_from_wire(wire), JW_PROTOCOL);
		json_decref(parameters);
	}
}

/* The reply to the longest call has to fit a message as well. */
static void
test_long_names_are_cut(void **state)
{
	static const char *const heads[] = {"", "org.example.small.",
	    "org.example.small.One.", "org.varlink.service.x"};
	size_t size = VARLINK_MESSAGE_MAX - 64, len;
	const struct varlink_verb *verb;
	char *method = malloc(size + 1), *text;
	struct varlink_call call = {.method = method};
	json_t *parameters;
	enum jw_err err;

	(void)state;
	assert_non_null(method);
	call.parameters = json("{}");
	for (size_t i = 0; i < COUNT(heads); i++) {
		for (size_t j = 0; j < size; j++)
			method[j] = "\303\234"[j & 1];
		memcpy(method, heads[i], strlen(heads[i]));
		memcpy(method + size - 2, i & 1 ? "ab" : ".b", 3);
		/* An odd head leaves half a character behind it. */
		if (strlen(heads[i]) & 1)
			method[strlen(heads[i])] = '_';
		err =
		    varlink_service_resolve(&small, &call, &verb, &parameters);
		assert_true(err == JW_INTERFACE_NOT_FOUND ||
			    err == JW_METHOD_NOT_FOUND);
		text = varlink_reply_format(
		    jw_err_wire(err), parameters, false, &len);
		assert_non_null(text);
		assert_in_range(len, 128, 512);
		free(text);
		json_decref(parameters);
	}
	json_decref(call.parameters);
	free(method);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_call_accepted),
	    cmocka_unit_test(test_call_refused),
	    cmocka_unit_test(test_call_faults),
	    cmocka_unit_test(test_call_why),
	    cmocka_unit_test(test_raw_nul),
	    cmocka_unit_test(test_every_byte),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_many_side_by_side),
	    cmocka_unit_test(test_depth_in_strings),
	    cmocka_unit_test(test_integers),
	    cmocka_unit_test(test_many_long_integers),
	    cmocka_unit_test(test_message_size),
	    cmocka_unit_test(test_reply_accepted),
	    cmocka_unit_test(test_reply_refused),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_tables),
	    cmocka_unit_test(test_check_types),
	    cmocka_unit_test(test_check_nested),
	    cmocka_unit_test(test_check_edges),
	    cmocka_unit_test(test_check_long_names),
	    cmocka_unit_test(test_check_error),
	    cmocka_unit_test(test_ours),
	    cmocka_unit_test(test_our_errors),
	    cmocka_unit_test(test_our_checks),
	    cmocka_unit_test(test_resolve),
	    cmocka_unit_test(test_introspection),
	    cmocka_unit_test(test_long_names_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
