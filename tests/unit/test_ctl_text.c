/*
 * Times, colours, and text that must not steer a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/out/text.h"

#define NOW INT64_C(1795468589) /* 2026-11-23T21:16:29Z */

static void
check_visible(const char *in, unsigned flags, const char *expected)
{
	char *out = out_text_visible(in, flags);

	assert_non_null(out);
	assert_string_equal(out, expected);
	free(out);
}

static void
test_visible_ascii(void **state)
{
	(void)state;
	check_visible("", 0, "");
	check_visible("default#2 \"x\" \\ ~", 0, "default#2 \"x\" \\ ~");
	check_visible("a\nb\tc\rd", 0, "a\\nb\\tc\\rd");
	check_visible("a\nb\tc\rd", TEXT_LINES, "a\nb\tc\\rd");
	check_visible("\033[31m\a\x7f\x01", TEXT_UTF8 | TEXT_LINES,
	    "\\x1b[31m\\x07\\x7f\\x01");
}

static void
test_visible_utf8(void **state)
{
	(void)state;
	check_visible("\xc3\xa9", TEXT_UTF8, "\xc3\xa9");
	check_visible("\xc3\xa9", 0, "\\u00e9");
	check_visible("\xf0\x9f\x94\x91", TEXT_UTF8, "\xf0\x9f\x94\x91");
	check_visible("\xf0\x9f\x94\x91", 0, "\\u1f511");
	/* C1, direction, zero width, byte order mark */
	check_visible("\xc2\x9b", TEXT_UTF8, "\\u009b");
	check_visible("\xe2\x80\xae", TEXT_UTF8, "\\u202e");
	check_visible("\xe2\x81\xa6", TEXT_UTF8, "\\u2066");
	check_visible("\xe2\x80\x8b", TEXT_UTF8, "\\u200b");
	check_visible("\xef\xbb\xbf", TEXT_UTF8, "\\ufeff");
	check_visible("\xf4\x8f\xbf\xbf", 0, "\\u10ffff");
}

static void
test_visible_not_utf8(void **state)
{
	(void)state;
	check_visible("\xff", TEXT_UTF8, "\\xff");
	check_visible("\x9b", TEXT_UTF8, "\\x9b");
	check_visible("\xc3", TEXT_UTF8, "\\xc3");
	check_visible("\xc3(", TEXT_UTF8, "\\xc3(");
	check_visible("\xe2\x80", TEXT_UTF8, "\\xe2\\x80");
	check_visible("\xc0\x9b", TEXT_UTF8, "\\xc0\\x9b");
	check_visible("\xed\xa0\x80", TEXT_UTF8, "\\xed\\xa0\\x80");
	check_visible("\xf4\x90\x80\x80", TEXT_UTF8, "\\xf4\\x90\\x80\\x80");
}

/* Whatever the octets, the result holds nothing below a blank. */
static void
test_visible_any_octets(void **state)
{
	char in[64];
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)round % (sizeof(in) - 1);
		char *out;

		for (size_t i = 0; i < len; i++) {
			seed = seed * 1103515245 + 12345;
			in[i] = (char)(seed >> 16 | 1);
		}
		in[len] = '\0';
		out = out_text_visible(in, round % 2 ? TEXT_UTF8 : 0);
		assert_non_null(out);
		for (size_t i = 0; out[i] != '\0'; i++) {
			unsigned char c = (unsigned char)out[i];

			assert_true(c >= 0x20 && c != 0x7f);
			assert_true(round % 2 || c < 0x7f);
		}
		free(out);
	}
}

static void
test_times(void **state)
{
	struct out_text text = {.now = NOW};
	char buf[TEXT_TIME_SIZE];

	(void)state;
	text.times = TEXT_UNIX;
	assert_string_equal(out_text_time(&text, NOW, buf), "1795468589");
	assert_string_equal(out_text_moment(&text, NOW, buf), "1795468589");
	text.times = TEXT_ISO;
	assert_string_equal(
	    out_text_time(&text, NOW, buf), "2026-11-23T21:16:29Z");
	assert_string_equal(
	    out_text_moment(&text, NOW, buf), "2026-11-23T21:16:29Z");
	text.times = TEXT_RELATIVE;
	assert_string_equal(out_text_time(&text, NOW + 90060, buf), "in 1d 1h");
	assert_string_equal(out_text_time(&text, NOW - 60, buf), "1min ago");
	assert_string_equal(out_text_moment(&text, NOW + 3600, buf),
	    "2026-11-23T22:16:29Z (in 1h)");
}

static void
test_styles(void **state)
{
	enum out_text_times times = TEXT_ISO;

	(void)state;
	assert_true(out_text_times_parse("unix", &times));
	assert_int_equal(times, TEXT_UNIX);
	assert_true(out_text_times_parse("relative", &times));
	assert_int_equal(times, TEXT_RELATIVE);
	assert_true(out_text_times_parse("iso", &times));
	assert_int_equal(times, TEXT_ISO);
	assert_false(out_text_times_parse("is", &times));
	assert_false(out_text_times_parse("", &times));
	assert_int_equal(times, TEXT_ISO);
}

static void
test_colours(void **state)
{
	static const char *const states[] = {"pending", "published", "ready",
	    "active", "retired", "removed", "revoked"};
	struct out_text text = {.colour = true};

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		text.colour = true;
		assert_non_null(out_text_state_colour(&text, states[i]));
		text.colour = false;
		assert_null(out_text_state_colour(&text, states[i]));
	}
	text.colour = true;
	assert_null(out_text_state_colour(&text, "resting"));
}

static void
test_arrow(void **state)
{
	struct out_text text = {0};

	(void)state;
	assert_string_equal(out_text_arrow(&text), " -> ");
	text.utf8 = true;
	assert_string_equal(out_text_arrow(&text), " \xe2\x86\x92 ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_visible_ascii),
	    cmocka_unit_test(test_visible_utf8),
	    cmocka_unit_test(test_visible_not_utf8),
	    cmocka_unit_test(test_visible_any_octets),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_styles),
	    cmocka_unit_test(test_colours),
	    cmocka_unit_test(test_arrow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
