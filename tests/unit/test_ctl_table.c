/*
 * Tables fit the terminal, and say what they are to say.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "ctl/out/table.h"
#include "ctl/out/text.h"
#include "ctl/out/timeline.h"

#define NOW INT64_C(1795468589) /* 2026-11-23T21:16:29Z */
#define KID "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

static const struct out_text plain = {.now = NOW};

/* Characters of the longest line. */
static size_t
widest(const char *text)
{
	size_t best = 0, width = 0;

	for (; *text != '\0'; text++) {
		width = *text == '\n' ? 0 : width + ((*text & 0xc0) != 0x80);
		if (width > best)
			best = width;
	}
	return best;
}

static size_t
count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

static json_t *
sample_key(const char *key_set, const char *state)
{
	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, "
			 "s:I, s:I}",
	    "kid", KID, "keySet", key_set, "generation", 12, "alg", "ES256",
	    "state", state, "createdAt", (json_int_t)(NOW - 100000),
	    "publishedAt", (json_int_t)(NOW - 90000), "readyAt",
	    (json_int_t)(NOW + 90060), "activatedAt", (json_int_t)(NOW - 7200),
	    "rotateAt", (json_int_t)(NOW + 2588400), "retiredAt",
	    (json_int_t)(NOW - 60), "removeAt", (json_int_t)(NOW + 7500));
}

static char *
render_keys(const struct out_text *text, json_t *keys, bool whole)
{
	struct jw_why why = {0};
	char *out = NULL;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	assert_int_equal(
	    out_timeline_keys(text, keys, whole, file, &why), JW_OK);
	fclose(file);
	json_decref(keys);
	return out;
}

static char *
render_changes(const struct out_text *text, const json_t *changes)
{
	struct jw_why why = {0};
	char *out = NULL;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	assert_int_equal(
	    out_timeline_changes(text, changes, file, &why), JW_OK);
	fclose(file);
	return out;
}

static void
test_keys(void **state)
{
	char *out;

	(void)state;
	out = render_keys(&plain,
	    json_pack("[o, o]", sample_key("default", "active"),
		sample_key("default", "published")),
	    false);
	assert_int_equal(count_lines(out), 3);
	assert_int_equal(out[strlen(out) - 1], '\n');
	assert_non_null(strstr(out, "NzbLsXh8uDCc "));
	assert_null(strstr(out, "NzbLsXh8uDCcd"));
	assert_non_null(
	    strstr(out, "active     2h ago     rotates in 29d 23h"));
	assert_non_null(strstr(out, "published  1d 1h ago  ready in 1d 1h"));
	free(out);
	out = render_keys(
	    &plain, json_pack("[o]", sample_key("d", "retired")), true);
	assert_non_null(strstr(out, KID));
	assert_non_null(strstr(out, "removed in 2h 5min"));
	free(out);
}

static void
test_no_keys(void **state)
{
	char *out;

	(void)state;
	out = render_keys(&plain, json_array(), false);
	assert_string_equal(out, "");
	free(out);
}

static void
test_keys_fit_80_columns(void **state)
{
	static const char *const states[] = {"pending", "published", "ready",
	    "active", "retired", "removed", "revoked"};
	struct out_text text = {.now = NOW, .width = 80};

	(void)state;
	for (int times = TEXT_RELATIVE; times <= TEXT_UNIX; times++) {
		json_t *keys = json_array();
		char *out;

		text.times = (enum out_text_times)times;
		for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
			json_array_append_new(
			    keys, sample_key("default", states[i]));
		out = render_keys(&text, keys, false);
		assert_true(widest(out) <= 80);
		assert_int_equal(count_lines(out), 8);
		assert_non_null(strstr(out, "default "));
		assert_non_null(strstr(out, "NzbLsXh8"));
		free(out);
	}
}

/* Nothing is cut where a program may read. */
static void
test_keys_in_a_pipe(void **state)
{
	struct out_text text = {.now = NOW, .times = TEXT_ISO};
	char *out;

	(void)state;
	out = render_keys(&text,
	    json_pack("[o]",
		sample_key("a-session-service/with-a-long-name", "active")),
	    true);
	assert_true(widest(out) > 80);
	assert_non_null(strstr(out, "a-session-service/with-a-long-name  "));
	assert_non_null(strstr(out, KID "  ES256  active  2026-11-23T19:16:29Z"
					"  2026-12-23T20:16:29Z"));
	free(out);
}

static void
test_colour(void **state)
{
	struct out_text text = {.now = NOW, .width = 80, .colour = true};
	char *out;

	(void)state;
	out = render_keys(
	    &text, json_pack("[o]", sample_key("default", "active")), false);
	assert_non_null(strstr(out, "\033[1;32mactive"));
	free(out);
	text.colour = false;
	out = render_keys(
	    &text, json_pack("[o]", sample_key("default", "active")), false);
	assert_null(strchr(out, '\033'));
	free(out);
}

static const char long_cause[] =
    "every copy of the key set that lacks this key has expired by then, as "
    "verifier_max_age, propagation_delay and publish_safety say";

static json_t *
sample_changes(void)
{
	return json_pack("[{s:I, s:s, s:i, s:s, s:s, s:s, s:s}, "
			 "{s:I, s:s, s:s, s:s}]",
	    "time", (json_int_t)(NOW + 90060), "keySet", "default",
	    "generation", 3, "kid", KID, "from", "published", "to", "ready",
	    "cause", long_cause, "time", (json_int_t)(NOW + 2588400), "keySet",
	    "default", "to", "pending", "cause", "no standby");
}

/* Each word of the cause is whole, in order, in the last column. */
static void
check_words(const char *out)
{
	char copy[sizeof(long_cause)];
	char *rest = NULL;
	const char *at = out;

	strcpy(copy, long_cause);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		at = strstr(at, word);
		assert_non_null(at);
		at += strlen(word);
		assert_true(*at == ' ' || *at == '\n');
	}
}

static void
test_changes(void **state)
{
	struct out_text text = {.now = NOW, .width = 80};
	json_t *changes = sample_changes();
	char *out;

	(void)state;
	for (int times = TEXT_RELATIVE; times <= TEXT_UNIX; times++) {
		text.times = (enum out_text_times)times;
		out = render_changes(&text, changes);
		assert_true(widest(out) <= 80);
		assert_non_null(
		    strstr(out, "default    3  published -> ready"));
		assert_non_null(strstr(out, "default    -  new -> pending"));
		check_words(out);
		free(out);
	}
	out = render_changes(&plain, changes);
	assert_int_equal(count_lines(out), 3);
	assert_non_null(strstr(out, long_cause));
	free(out);
	json_decref(changes);
}

static void
test_changes_fit_any_width(void **state)
{
	struct out_text text = {.now = NOW};
	json_t *changes = sample_changes();
	char *out;

	(void)state;
	for (text.width = 70; text.width < 200; text.width++) {
		out = render_changes(&text, changes);
		assert_true(widest(out) <= (size_t)text.width);
		check_words(out);
		free(out);
	}
	json_decref(changes);
}

static enum jw_err
given_row(const struct out_text *text, const void *rows, size_t index,
    struct out_table_row *ret_row, struct jw_why *why)
{
	const char *const *cells = rows;

	(void)text;
	(void)why;
	for (size_t i = 0; i < 3 && cells[3 * index + i] != NULL; i++)
		ret_row->cells[i] = cells[3 * index + i];
	return JW_OK;
}

/* count rows of three cells */
static char *
render_rows(const struct out_table_column *columns, const char *const *cells,
    size_t count, int width)
{
	const struct out_table table = {columns, cells, count, given_row};
	struct out_text text = {.width = width};
	struct jw_why why;
	char *out = NULL;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	assert_int_equal(out_table_print(&text, &table, file, &why), JW_OK);
	fclose(file);
	return out;
}

static void
test_a_word_that_cannot_break(void **state)
{
	static const struct out_table_column columns[] = {
	    {"A", 0, 0},
	    {"B", TABLE_WRAP, 0},
	    {NULL, 0, 0},
	};
	const char *const cells[] = {
	    "x", "0123456789012345678901234567890123456789 y z", NULL};
	char *out = render_rows(columns, cells, 1, 24);

	(void)state;
	assert_string_equal(
	    out, "A  B\nx  0123456789012345678901234567890123456789\n   y z\n");
	free(out);
}

static void
check_table(int width, const char *expected)
{
	static const struct out_table_column columns[] = {
	    {"NAME", TABLE_CUT, 0},
	    {"N", TABLE_RIGHT, 0},
	    {"PATH", TABLE_CUT, 5},
	    {NULL, 0, 0},
	};
	const char *const cells[] = {"caf\xc3\xa9-house", "123", "/abcdefgh"};
	char *out = render_rows(columns, cells, 0, width);

	assert_string_equal(out, "");
	free(out);
	out = render_rows(columns, cells, 1, width);
	assert_string_equal(out, expected);
	free(out);
}

/* Gaps become narrow first; then the widest columns that may be cut. */
static void
test_cut(void **state)
{
	(void)state;
	check_table(0, "NAME          N  PATH\n"
		       "caf\xc3\xa9-house  123  /abcd\n");
	check_table(22, "NAME          N  PATH\n"
			"caf\xc3\xa9-house  123  /abcd\n");
	check_table(20, "NAME         N PATH\ncaf\xc3\xa9-house 123 /abcd\n");
	check_table(15, "NAME     N PATH\ncaf\xc3\xa9-h 123 /abc\n");
	check_table(12, "NAME   N PATH\ncaf\xc3\xa9 123 /abc\n");
}

static void
test_nonsense(void **state)
{
	struct jw_why why = {0};
	json_t *keys = json_pack("[{s:s}]", "kid", KID);
	char *out = NULL;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	(void)state;
	assert_int_equal(
	    out_timeline_keys(&plain, keys, false, file, &why), JW_PROTOCOL);
	assert_non_null(strstr(why.text, "keySet"));
	assert_int_equal(
	    out_timeline_changes(&plain, keys, file, &why), JW_PROTOCOL);
	fclose(file);
	assert_string_equal(out, "");
	free(out);
	json_decref(keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_no_keys),
	    cmocka_unit_test(test_keys_fit_80_columns),
	    cmocka_unit_test(test_keys_in_a_pipe),
	    cmocka_unit_test(test_colour),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_changes_fit_any_width),
	    cmocka_unit_test(test_a_word_that_cannot_break),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_nonsense),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
