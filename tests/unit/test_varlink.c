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
#include "common/wire/varlink_struct.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { VERBS_MAX = 40 };

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

static struct varlink_interface *
description(const char *text)
{
	struct varlink_interface *interface = NULL;
	struct jw_why why = {"", ""};

	if (varlink_interface_parse(text, &interface, &why) != JW_OK)
		fail_msg("%s", why.text);
	return interface;
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

static const char everything[] =
    "# What this is.\n"
    "interface org.example.all-things.x1\n"
    "\n"
    "# Far above: not the method's.\n"
    "\n"
    "# First line,\n"
    "#second line.\n"
    "#\n"
    "  #  last line\n"
    "  method Plain(b: bool, i: int, f: float, s: string, o: object) -> ()\n"
    "method Bare ( ) -> ( ) # beside it\n"
    "method Next() -> (type: ?string)\n"
    "\n"
    "type Point (x: int, y: int, colour: ?string)\n"
    "type Tree (name: string, kids: []Tree)\n"
    "# one\r\n"
    "method Shapes(\r\n"
    "  points: []Point, # why\n"
    "  maybe: ?[]?int,\n"
    "  inner: (kind: string, deep: [][][]string),\n"
    "  tree: ?Tree\n"
    ") -> (colour: string)\n"
    "error Wrong (where: (x: int), tree: ?Tree)\n"
    "error Empty ()";

static void
test_description(void **state)
{
	static const char *const names[] = {
	    "Plain",
	    "Bare",
	    "Next",
	    "Shapes",
	};
	struct varlink_interface *interface = description(everything);
	const struct varlink_method *method;

	(void)state;
	assert_string_equal(
	    varlink_interface_name(interface), "org.example.all-things.x1");
	for (size_t i = 0; i < COUNT(names); i++) {
		method = varlink_interface_method_at(interface, i);
		assert_non_null(method);
		assert_string_equal(varlink_method_name(method), names[i]);
		assert_ptr_equal(
		    varlink_interface_method(interface, names[i]), method);
	}
	assert_null(varlink_interface_method_at(interface, COUNT(names)));
	assert_null(varlink_interface_method_at(interface, SIZE_MAX));
	assert_null(varlink_interface_method(interface, "plain"));
	assert_null(varlink_interface_method(interface, ""));
	assert_null(varlink_interface_method(interface, "Wrong"));
	assert_null(varlink_interface_method(interface, "Point"));
	assert_string_equal(varlink_interface_error_at(interface, 0), "Wrong");
	assert_string_equal(varlink_interface_error_at(interface, 1), "Empty");
	assert_null(varlink_interface_error_at(interface, 2));
	varlink_interface_free(interface);
	varlink_interface_free(NULL);
}

static void
test_description_refused(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} rows[] = {
	    {"", "line 1: expected 'interface', found the end"},
	    {"# c\n\n", "line 3: expected 'interface', found the end"},
	    {"\n\nmethod A() -> ()",
		"line 3: expected 'interface', found 'method'"},
	    {"interfaces a.b",
		"line 1: expected 'interface', found 'interfaces'"},
	    {"interface", "line 1: expected the interface's name, found "
			  "the end"},
	    {"interface 1a.b", "line 1: expected the interface's name, "
			       "found '1a'"},
	    {"interface a", "line 1: 'a' is no interface name"},
	    {"interface a..b", "line 1: 'a..b' is no interface name"},
	    {"interface a.b.", "line 1: 'a.b.' is no interface name"},
	    {"interface a.-b", "line 1: 'a.-b' is no interface name"},
	    {"interface a-.b", "line 1: 'a-.b' is no interface name"},
	    {"interface a.b_c", "line 1: expected 'type', 'method' or "
				"'error', found '_c'"},
	    {"interface a.b\n\nfoo", "line 3: expected 'type', 'method' "
				     "or 'error', found 'foo'"},
	    {"interface a.b\n;", "line 2: expected 'type', 'method' or "
				 "'error', found ';'"},
	    {"interface a.b\n\377",
		"line 2: expected 'type', 'method' or 'error', found "
		"byte 0xff"},
	    {"interface a.b\ninterface a.c", "line 2: expected 'type'"},
	    {"interface a.b\nmethod", "line 2: expected a name like "
				      "'Name', found the end"},
	    {"interface a.b\nmethod a() -> ()",
		"line 2: expected a name like 'Name', found 'a'"},
	    {"interface a.b\nmethodA() -> ()",
		"line 2: expected 'type', 'method' or 'error', found "
		"'methodA'"},
	    {"interface a.b\nmethod A_B() -> ()",
		"line 2: expected '(', found '_B'"},
	    {"interface a.b\nmethod A", "line 2: expected '(', found the end"},
	    {"interface a.b\nmethod A(\n",
		"line 3: expected a field's name, found the end"},
	    {"interface a.b\nmethod A()",
		"line 2: expected '->', found the end"},
	    {"interface a.b\nmethod A() - > ()",
		"line 2: expected '->', found '-'"},
	    {"interface a.b\nmethod A() ->",
		"line 2: expected '(', found the end"},
	    {"interface a.b\nmethod A() -> int",
		"line 2: expected '(', found 'int'"},
	    {"interface a.b\nmethod A(x) -> ()",
		"line 2: expected ':', found ')'"},
	    {"interface a.b\nmethod A() -> (\nx, y)",
		"line 3: expected ':', found ','"},
	    {"interface a.b\nerror A (x)", "line 2: expected ':', found ')'"},
	    {"interface a.b\nerror A", "line 2: expected '(', found the end"},
	    {"interface a.b\ntype A int", "line 2: expected '(', found 'int'"},
	    {"interface a.b\ntype A (x: int,\n)",
		"line 3: expected a field's name, found ')'"},
	    {"interface a.b\ntype A (x: int y: int)",
		"line 2: expected ')', found 'y'"},
	    {"interface a.b\ntype A (x: int, y)",
		"line 2: expected ':', found ')'"},
	    {"interface a.b\ntype A (x, y: int)",
		"line 2: expected ':', found ','"},
	    {"interface a.b\ntype A (x int)",
		"line 2: expected ':', found 'int'"},
	    {"interface a.b\ntype A (x:)",
		"line 2: expected a type, found ')'"},
	    {"interface a.b\ntype A (x: integer)",
		"line 2: expected a type, found 'integer'"},
	    {"interface a.b\ntype A (x: ??int)", "line 2: '?' twice"},
	    {"interface a.b\ntype A (x: ? ?int)", "line 2: '?' twice"},
	    {"interface a.b\ntype A (x: [int]int)",
		"line 2: expected a type, found '['"},
	    {"interface a.b\ntype A (x: [)",
		"line 2: expected a type, found '['"},
	    {"interface a.b\ntype A (1x: int)",
		"line 2: expected a field's name, found '1x'"},
	    {"interface a.b\ntype A (x__y: int)",
		"line 2: 'x__y' has an underscore too many"},
	    {"interface a.b\ntype A (x_: int)",
		"line 2: 'x_' has an underscore too many"},
	    {"interface a.b\ntype A (x: int,\n x: bool)",
		"line 3: 'x' a second time"},
	    {"interface a.b\ntype A (x: int)\ntype A ()",
		"line 3: 'A' is declared a second time"},
	    {"interface a.b\nmethod A() -> ()\nmethod A() -> ()",
		"line 3: 'A' is declared a second time"},
	    {"interface a.b\nerror A ()\nerror A ()",
		"line 3: 'A' is declared a second time"},
	    {"interface a.b\nerror A ()\nmethod A() -> ()",
		"line 3: 'A' is declared a second time"},
	    {"interface a.b\ntype A (x: int)\n\nmethod B(\n a: []?C) -> "
	     "()\n",
		"line 5: there is no type 'C'"},
	    {"interface a.b\nerror E ()\ntype A (x: E)",
		"line 3: there is no type 'E'"},
	};
	struct varlink_interface *interface;
	struct jw_why why;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		interface = NULL;
		memset(&why, 0, sizeof(why));
		assert_int_equal(
		    varlink_interface_parse(rows[i].text, &interface, &why),
		    JW_INVALID_PARAMETER);
		assert_null(interface);
		if (strncmp(why.text, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("'%s': %s", rows[i].text, why.text);
		assert_int_equal(
		    varlink_interface_parse(rows[i].text, &interface, NULL),
		    JW_INVALID_PARAMETER);
	}
}

/* Cut anywhere, a description is refused or sound, and never read past. */
static void
test_description_cut(void **state)
{
	size_t sound = 0;

	(void)state;
	for (size_t len = 0; len < sizeof(everything); len++) {
		struct varlink_interface *interface = NULL;
		char *text = strndup(everything, len);

		assert_non_null(text);
		if (varlink_interface_parse(text, &interface, NULL) == JW_OK)
			sound++;
		varlink_interface_free(interface);
		free(text);
	}
	assert_in_range(sound, 5, sizeof(everything) - 1);
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
    size_t count,
    enum jw_err (*check)(const struct varlink_method *, const json_t *, char *))
{
	char name[VARLINK_NAME_SIZE];

	for (size_t i = 0; i < count; i++) {
		json_t *parameters = json(rows[i].parameters);
		const struct varlink_method *method =
		    varlink_interface_method(interface, rows[i].method);

		assert_non_null(method);
		strcpy(name, "untouched");
		assert_fit(check(method, parameters, name), &rows[i], name);
		json_decref(parameters);
	}
}

#define PLAIN(b, i, f, s, o) \
	"{\"b\":" b ",\"i\":" i ",\"f\":" f ",\"s\":" s ",\"o\":" o "}"
#define SHAPES(rest)                                           \
	"{\"points\":[],\"inner\":{\"kind\":\"a\",\"deep\":[]" \
	"}" rest "}"
#define INNER(inner) "{\"points\":[],\"inner\":" inner "}"

static void
test_check_types(void **state)
{
	static const struct fit rows[] = {
	    {"Plain", PLAIN("true", "1", "1.5", "\"\"", "{}"), NULL},
	    {"Plain", PLAIN("false", "-1", "1", "\"x\"", "{\"a\":[1]}"), NULL},
	    {"Plain", PLAIN("1", "1", "1.5", "\"\"", "{}"), "b"},
	    {"Plain", PLAIN("\"true\"", "1", "1.5", "\"\"", "{}"), "b"},
	    {"Plain", PLAIN("null", "1", "1.5", "\"\"", "{}"), "b"},
	    {"Plain", PLAIN("true", "1.0", "1.5", "\"\"", "{}"), "i"},
	    {"Plain", PLAIN("true", "1e3", "1.5", "\"\"", "{}"), "i"},
	    {"Plain", PLAIN("true", "\"1\"", "1.5", "\"\"", "{}"), "i"},
	    {"Plain", PLAIN("true", "true", "1.5", "\"\"", "{}"), "i"},
	    {"Plain", PLAIN("true", "1", "\"1\"", "\"\"", "{}"), "f"},
	    {"Plain", PLAIN("true", "1", "1.5", "1", "{}"), "s"},
	    {"Plain", PLAIN("true", "1", "1.5", "[\"\"]", "{}"), "s"},
	    {"Plain", PLAIN("true", "1", "1.5", "\"\"", "[]"), "o"},
	    {"Plain", PLAIN("true", "1", "1.5", "\"\"", "\"{}\""), "o"},
	    {"Plain", PLAIN("true", "1", "1.5", "\"\"", "null"), "o"},
	    {"Plain", "{}", "b"},
	    {"Plain", "{\"b\":true,\"i\":1,\"f\":1,\"s\":\"\"}", "o"},
	    {"Plain", "{\"b\":true,\"B\":true}", "B"},
	    {"Plain", "{\"\":1}", ""},
	    {"Bare", "{}", NULL},
	    {"Bare", "{\"x\":null}", "x"},
	    {"Bare", "{\"\\n\":1}", "\n"},
	};
	struct varlink_interface *interface = description(everything);

	(void)state;
	check_rows(interface, rows, COUNT(rows), varlink_method_check_input);
	varlink_interface_free(interface);
}

static void
test_check_nested(void **state)
{
	static const struct fit rows[] = {
	    {"Shapes", SHAPES(""), NULL},
	    {"Shapes", SHAPES(",\"maybe\":null,\"tree\":null"), NULL},
	    {"Shapes", SHAPES(",\"maybe\":[1,null]"), NULL},
	    {"Shapes", SHAPES(",\"maybe\":[1,\"\"]"), "maybe.1"},
	    {"Shapes", SHAPES(",\"maybe\":{}"), "maybe"},
	    {"Shapes",
		SHAPES(",\"tree\":{\"name\":\"a\",\"kids\":[{\"name\":"
		       "\"b\",\"kids\":[]}]}"),
		NULL},
	    {"Shapes",
		SHAPES(",\"tree\":{\"name\":\"a\",\"kids\":[{\"name\":"
		       "\"b\",\"kids\":[{\"name\":1}]}]}"),
		"tree.kids.0.kids.0.name"},
	    {"Shapes", SHAPES(",\"tree\":{\"name\":\"a\"}"), "tree.kids"},
	    {"Shapes", SHAPES(",\"tree\":{\"\":1}"), "tree."},
	    {"Shapes", INNER("{\"kind\":0,\"deep\":[]}"), "inner.kind"},
	    {"Shapes", INNER("{\"kind\":\"b\"}"), "inner.deep"},
	    {"Shapes", INNER("{\"kind\":\"b\",\"deep\":[[[\"v\"]],[]]}"), NULL},
	    {"Shapes", INNER("{\"kind\":\"b\",\"deep\":[[],[[\"v\",1]]]}"),
		"inner.deep.1.0.1"},
	    {"Shapes", INNER("{\"kind\":\"b\",\"deep\":[{}]}"), "inner.deep.0"},
	    {"Shapes", INNER("{\"kind\":\"b\",\"deep\":[],\"x\":1}"),
		"inner.x"},
	    {"Shapes", INNER("[]"), "inner"},
	    {"Shapes", INNER("null"), "inner"},
	    {"Shapes", "{\"points\":[{\"x\":1,\"y\":2},{\"x\":1}]}",
		"points.1.y"},
	    {"Shapes", "{\"points\":[{\"x\":1,\"y\":2,\"colour\":7}]}",
		"points.0.colour"},
	    {"Shapes",
		"{\"points\":[{\"x\":1,\"y\":2,\"colour\":\"red\"},"
		"{\"x\":1,\"y\":2,\"colour\":null},{\"a.b\":1}]}",
		"points.2.a.b"},
	    {"Shapes", "{\"points\":[null]}", "points.0"},
	    {"Shapes", "{\"points\":{}}", "points"},
	};
	static const struct fit outputs[] = {
	    {"Shapes", "{\"colour\":\"light_green\"}", NULL},
	    {"Shapes", "{\"colour\":1}", "colour"},
	    {"Shapes", "{\"colour\":null}", "colour"},
	    {"Shapes", "{}", "colour"},
	    {"Next", "{}", NULL},
	    {"Next", "{\"type\":null}", NULL},
	    {"Next", "{\"type\":\"x\"}", NULL},
	    {"Next", "{\"type\":1}", "type"},
	    {"Plain", "{}", NULL},
	    {"Plain", "{\"b\":true}", "b"},
	};
	struct varlink_interface *interface = description(everything);

	(void)state;
	check_rows(interface, rows, COUNT(rows), varlink_method_check_input);
	check_rows(
	    interface, outputs, COUNT(outputs), varlink_method_check_output);
	varlink_interface_free(interface);
}

static void
test_check_edges(void **state)
{
	struct varlink_interface *interface = description(everything);
	const struct varlink_method *plain, *bare;
	char name[VARLINK_NAME_SIZE] = "untouched";
	json_t *list = json("[]");

	(void)state;
	plain = varlink_interface_method(interface, "Plain");
	bare = varlink_interface_method(interface, "Bare");
	assert_int_equal(varlink_method_check_input(bare, NULL, name), JW_OK);
	assert_string_equal(name, "untouched");
	assert_int_equal(varlink_method_check_input(plain, NULL, name),
	    JW_INVALID_PARAMETER);
	assert_string_equal(name, "b");
	assert_int_equal(
	    varlink_method_check_input(
		varlink_interface_method(interface, "Next"), NULL, NULL),
	    JW_OK);
	assert_int_equal(
	    varlink_method_check_output(
		varlink_interface_method(interface, "Next"), NULL, NULL),
	    JW_OK);
	assert_int_equal(
	    varlink_method_check_input(bare, list, NULL), JW_INVALID_PARAMETER);
	json_decref(list);
	varlink_interface_free(interface);
}

/* A name is cut where a character begins, whichever byte is the 128th. */
static void
test_check_long_names(void **state)
{
	struct varlink_interface *interface = description(everything);
	const struct varlink_method *shapes =
	    varlink_interface_method(interface, "Shapes");
	char key[200 * 4 + 8], name[VARLINK_NAME_SIZE];
	json_t *parameters, *check;

	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		memset(key, 'k', shift);
		key[shift] = '\0';
		for (size_t i = 0; i < 100; i++)
			strcat(key, "\360\237\230\200");
		parameters =
		    json_pack("{s:[], s:{s:i}}", "points", "inner", key, 1);
		assert_non_null(parameters);
		memset(name, 'N', sizeof(name));
		assert_int_equal(
		    varlink_method_check_input(shapes, parameters, name),
		    JW_INVALID_PARAMETER);
		assert_in_range(strnlen(name, sizeof(name)),
		    VARLINK_NAME_SIZE - 4, VARLINK_NAME_SIZE - 1);
		assert_memory_equal(name, "inner.", 6);
		assert_memory_equal(name + 6, key, strlen(name) - 6);
		check = json_string(name);
		assert_non_null(check);
		json_decref(check);
		json_decref(parameters);
	}
	varlink_interface_free(interface);
}

static void
test_check_error(void **state)
{
	static const struct fit rows[] = {
	    {"Empty", "{}", NULL},
	    {"Empty", "{\"x\":1}", "x"},
	    {"Wrong", "{\"where\":{\"x\":1}}", NULL},
	    {"Wrong", "{\"where\":{\"x\":\"1\"}}", "where.x"},
	    {"Wrong", "{}", "where"},
	};
	struct varlink_interface *interface = description(everything);
	char name[VARLINK_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *parameters = json(rows[i].parameters);

		strcpy(name, "untouched");
		assert_fit(varlink_error_check(
			       interface, rows[i].method, parameters, name),
		    &rows[i], name);
		json_decref(parameters);
	}
	assert_int_equal(
	    varlink_error_check(interface, "Plain", NULL, name), JW_BUG);
	assert_int_equal(
	    varlink_error_check(interface, "Nope", NULL, name), JW_BUG);
	varlink_interface_free(interface);
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
check_ours(const char *name, size_t methods, size_t errors)
{
	const char *text = varlink_text(name), *at = text;
	struct varlink_interface *interface;
	const struct varlink_method *method;
	char declared[VARLINK_NAME_SIZE];
	size_t n = 0;

	assert_non_null(text);
	interface = description(text);
	assert_string_equal(varlink_interface_name(interface), name);
	for (; next_declared(&at, "method", declared); n++) {
		method = varlink_interface_method_at(interface, n);
		assert_non_null(method);
		assert_string_equal(varlink_method_name(method), declared);
		assert_ptr_equal(
		    varlink_interface_method(interface, declared), method);
	}
	assert_null(varlink_interface_method_at(interface, n));
	assert_in_range(n, methods, VERBS_MAX);
	at = text;
	for (n = 0; next_declared(&at, "error", declared); n++) {
		assert_string_equal(
		    varlink_interface_error_at(interface, n), declared);
	}
	assert_null(varlink_interface_error_at(interface, n));
	assert_in_range(n, errors, VERBS_MAX);
	varlink_interface_free(interface);
}

static void
test_ours(void **state)
{
	(void)state;
	check_ours("org.jwksd.keys", 8, 15);
	check_ours("org.jwksd.publish", 1, 0);
	assert_null(varlink_text("org.jwksd.nothing"));
	assert_null(varlink_text(""));
}

/* Each error with a wire name of keys is declared, and the other way round. */
static void
test_our_errors(void **state)
{
	static const char prefix[] = "org.jwksd.keys.";
	struct varlink_interface *interface =
	    description(varlink_text("org.jwksd.keys"));
	char wire[VARLINK_NAME_SIZE * 2];
	const char *name;
	size_t declared = 0, known = 0;

	(void)state;
	for (; (name = varlink_interface_error_at(interface, declared));
	     declared++) {
		snprintf(wire, sizeof(wire), "%s%s", prefix, name);
		assert_int_not_equal(jw_err_from_wire(wire), JW_PROTOCOL);
	}
	for (int err = 0; err < JW_ERR_COUNT; err++) {
		name = jw_err_wire((enum jw_err)err);
		if (name != NULL &&
		    strncmp(name, prefix, sizeof(prefix) - 1) == 0)
			known++;
	}
	assert_int_equal(known, declared);
	varlink_interface_free(interface);
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
	struct varlink_interface *interface =
	    description(varlink_text("org.jwksd.keys"));

	(void)state;
	check_rows(
	    interface, inputs, COUNT(inputs), varlink_method_check_input);
	check_rows(
	    interface, outputs, COUNT(outputs), varlink_method_check_output);
	varlink_interface_free(interface);
}

/* ---- the service ---- */

static const char small_text[] = "interface org.example.small\n"
				 "method One(n: ?int) -> ()\n"
				 "method Two() -> (s: string)\n"
				 "method Three(o: object) -> ()\n";

static const struct varlink_verb small_verbs[] = {
    {.method = "Three"},
    {.method = "One", .flags = VARLINK_MORE},
    {.method = "Two", .flags = VARLINK_MORE | VARLINK_NEEDS_MORE},
};

static struct varlink_service *
small_service(void)
{
	struct varlink_service *service =
	    varlink_service_new("Vendor", "Product", "1.2", "https://u");
	struct jw_why why = {"", ""};

	assert_non_null(service);
	if (varlink_service_add(service, small_text, small_verbs,
		COUNT(small_verbs), &why) != JW_OK)
		fail_msg("%s", why.text);
	return service;
}

/* Each differs from the description in one member. */
struct pair {
	int64_t n;
	struct varlink_maybe_int maybe;
	const char *s;
};
static const struct varlink_layout layouts[] = {
    VARLINK_LAYOUT(pair, VARLINK_MEMBER(pair, "n", n, varlink_int)),
    VARLINK_LAYOUT(pair, VARLINK_MEMBER(pair, "s", s, varlink_string),
	VARLINK_MEMBER(pair, "m", maybe, varlink_maybe_int)),
    VARLINK_LAYOUT(pair, VARLINK_MEMBER(pair, "s", n, varlink_int)),
    VARLINK_LAYOUT(pair, VARLINK_MEMBER(pair, "n", n, varlink_maybe_int)),
    {NULL, 0, sizeof(struct pair)},
};
static const struct varlink_verb misfits[] = {
    {.method = "One", .request = &layouts[0]},
    {.method = "Two", .reply = &layouts[1]},
    {.method = "Two", .reply = &layouts[2]},
    {.method = "One", .request = &layouts[3]},
    {.method = "Three", .request = &layouts[4]},
};

static void
test_service_add(void **state)
{
	static const struct varlink_verb unknown[] = {{.method = "One"},
	    {.method = "Two"}, {.method = "Three"}, {.method = "Four"}};
	static const struct varlink_verb doubled[] = {{.method = "One"},
	    {.method = "Two"}, {.method = "Two"}, {.method = "Three"}};
	static const struct {
		const char *text;
		const struct varlink_verb *verbs;
		size_t count;
		const char *why;
	} rows[] = {
	    {small_text, unknown, 2, "org.example.small.Three has no verb"},
	    {small_text, unknown, 0, "org.example.small.One has no verb"},
	    {small_text, unknown, 4,
		"org.example.small describes no method for the verb Four"},
	    {small_text, doubled, 3, "org.example.small.Two has two verbs"},
	    {small_text, doubled, 4, "org.example.small.Two has two verbs"},
	    {small_text, &misfits[0], 1,
		"org.example.small.One: the verb's \"n\" is not"},
	    {small_text, &misfits[1], 1,
		"org.example.small.Two: the verb's \"m\" is not"},
	    {small_text, &misfits[2], 1,
		"org.example.small.Two: the verb's \"s\" is not"},
	    {small_text, &misfits[3], 1,
		"org.example.small.One: the verb's \"n\" is not"},
	    {small_text, &misfits[4], 1,
		"org.example.small.Three: the verb's \"o\" is not"},
	    {"interface org.x\nmethod", NULL, 0, "line 2: expected"},
	    {"# \377\ninterface org.x", NULL, 0,
		"the description of org.x is not UTF-8"},
	    {"interface org.varlink.service", NULL, 0,
		"org.varlink.service is offered twice"},
	    {NULL, NULL, 0, "there is no description"},
	};
	struct varlink_service *service =
	    varlink_service_new("v", "p", "1", "u");
	struct jw_why why;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		memset(&why, 0, sizeof(why));
		assert_int_equal(varlink_service_add(service, rows[i].text,
				     rows[i].verbs, rows[i].count, &why),
		    JW_BUG);
		if (strncmp(why.text, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s", why.text);
	}
	assert_int_equal(
	    varlink_service_add(service, small_text, unknown, 3, NULL), JW_OK);
	assert_int_equal(
	    varlink_service_add(service, small_text, unknown, 3, NULL), JW_BUG);
	varlink_service_free(service);
	varlink_service_free(NULL);
}

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
		"{\"vendor\":\"Vendor\",\"product\":\"Product\","
		"\"version\":\"1.2\",\"url\":\"https://u\","
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
	struct varlink_service *service = small_service();
	const struct varlink_verb *verb;
	struct varlink_call call;
	json_t *parameters;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    parse_call(rows[i].call, strlen(rows[i].call), &call),
		    JW_OK);
		assert_int_equal(
		    varlink_service_resolve(service, &call, &verb, &parameters),
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
	varlink_service_free(service);
}

/* What the service says about an interface; free() it. */
static char *
described(const struct varlink_service *service, const char *name)
{
	json_t *parameters, *reply;
	const struct varlink_verb *verb;
	char method[] = "org.varlink.service.GetInterfaceDescription";
	struct varlink_call call = {.method = method};
	char *text;

	parameters = json_pack("{s:s}", "interface", name);
	call.parameters = parameters;
	assert_int_equal(
	    varlink_service_resolve(service, &call, &verb, &reply), JW_OK);
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
	struct varlink_service *service = small_service();
	struct varlink_interface *own;
	char wire[VARLINK_NAME_SIZE];
	char *text = described(service, "org.example.small");

	(void)state;
	assert_string_equal(text, small_text);
	free(text);
	text = described(service, "org.varlink.service");
	own = description(text);
	assert_string_equal(varlink_interface_name(own), "org.varlink.service");
	assert_non_null(varlink_interface_method(own, "GetInfo"));
	assert_null(varlink_interface_method_at(own, 2));
	for (size_t i = 0; i < COUNT(errors); i++) {
		json_t *parameters = json(members[i]);

		assert_string_equal(
		    varlink_interface_error_at(own, i), errors[i]);
		assert_int_equal(
		    varlink_error_check(own, errors[i], parameters, NULL),
		    JW_OK);
		snprintf(
		    wire, sizeof(wire), "org.varlink.service.%s", errors[i]);
		assert_int_not_equal(jw_err_from_wire(wire), JW_PROTOCOL);
		json_decref(parameters);
	}
	assert_null(varlink_interface_error_at(own, COUNT(errors)));
	varlink_interface_free(own);
	free(text);
	varlink_service_free(service);
}

/* The reply to the longest call has to fit a message as well. */
static void
test_long_names_are_cut(void **state)
{
	struct varlink_service *service = small_service();
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
		    varlink_service_resolve(service, &call, &verb, &parameters);
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
	varlink_service_free(service);
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
	    cmocka_unit_test(test_description),
	    cmocka_unit_test(test_description_refused),
	    cmocka_unit_test(test_description_cut),
	    cmocka_unit_test(test_check_types),
	    cmocka_unit_test(test_check_nested),
	    cmocka_unit_test(test_check_edges),
	    cmocka_unit_test(test_check_long_names),
	    cmocka_unit_test(test_check_error),
	    cmocka_unit_test(test_ours),
	    cmocka_unit_test(test_our_errors),
	    cmocka_unit_test(test_our_checks),
	    cmocka_unit_test(test_service_add),
	    cmocka_unit_test(test_resolve),
	    cmocka_unit_test(test_introspection),
	    cmocka_unit_test(test_long_names_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
