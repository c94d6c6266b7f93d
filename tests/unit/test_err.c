/*
 * Every failure has words, an exit status and at most one wire name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "common/base/err.h"

static void
every_value_has_a_row(void **state)
{
	(void)state;
	for (int i = 0; i < JW_ERR_COUNT; i++) {
		assert_non_null(jw_err_text((enum jw_err)i));
		assert_true(strlen(jw_err_text((enum jw_err)i)) > 0);
		if (i != JW_OK)
			assert_in_range(jw_err_exit((enum jw_err)i), 64, 78);
	}
	assert_int_equal(jw_err_exit(JW_OK), 0);
}

static void
system_calls_that_find_no_room(void **state)
{
	(void)state;
	assert_int_equal(jw_err_errno(ENOSPC), JW_NO_SPACE);
	assert_int_equal(jw_err_errno(EDQUOT), JW_NO_SPACE);
	assert_int_equal(jw_err_errno(ENOMEM), JW_NO_MEMORY);
	assert_int_equal(jw_err_errno(EACCES), JW_IO);
}

static void
wire_names_go_both_ways(void **state)
{
	int named = 0;

	(void)state;
	for (int i = 0; i < JW_ERR_COUNT; i++) {
		const char *wire = jw_err_wire((enum jw_err)i);

		if (wire != NULL) {
			assert_int_equal(jw_err_from_wire(wire), i);
			named++;
		}
	}
	assert_int_equal(named, JW_EXPECTED_MORE);
	assert_string_equal(
	    jw_err_wire(JW_CONFLICT), "org.jwksd.keys.Conflict");
	assert_string_equal(jw_err_wire(JW_PERMISSION_DENIED),
	    "org.varlink.service.PermissionDenied");
	assert_null(jw_err_wire(JW_OK));
	assert_null(jw_err_wire(JW_NO_MEMORY));
}

static void
strangers_are_errors(void **state)
{
	(void)state;
	assert_int_equal(jw_err_from_wire("org.jwksd.keys.No"), JW_PROTOCOL);
	assert_int_equal(jw_err_from_wire(""), JW_PROTOCOL);
	assert_int_equal(jw_err_from_wire(NULL), JW_PROTOCOL);
	assert_string_equal(
	    jw_err_text((enum jw_err)1000), jw_err_text(JW_BUG));
	assert_int_equal(
	    jw_err_exit((enum jw_err)JW_ERR_COUNT), jw_err_exit(JW_BUG));
}

static void
exit_statuses_are_the_documented_ones(void **state)
{
	static const struct {
		enum jw_err err;
		int status;
	} rows[] = {
	    {JW_USAGE, 64},
	    {JW_INVALID_PARAMETER, 64},
	    {JW_BAD_KEY, 65},
	    {JW_NO_SUCH_KEY, 65},
	    {JW_UNREACHABLE, 69},
	    {JW_BUG, 70},
	    {JW_CONFLICT, 75},
	    {JW_NOT_READY, 75},
	    {JW_FROZEN, 75},
	    {JW_NO_SPACE, 75},
	    {JW_OUTCOME_UNKNOWN, 75},
	    {JW_PERMISSION_DENIED, 77},
	    {JW_BAD_CONFIG, 78},
	    {JW_LOCKED, 75},
	    {JW_NEWER_SCHEMA, 78},
	    {JW_FOREIGN_FILE, 65},
	    {JW_SYMLINK, 77},
	    {JW_CORRUPT, 76},
	    {JW_BAD_KEK, 72},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(jw_err_exit(rows[i].err), rows[i].status);
}

static void
each_refusal_has_its_own_status(void **state)
{
	static const enum jw_err refusals[] = {JW_LOCKED, JW_NEWER_SCHEMA,
	    JW_FOREIGN_FILE, JW_SYMLINK, JW_CORRUPT, JW_BAD_KEK};
	size_t n = sizeof(refusals) / sizeof(refusals[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(
			    jw_err_exit(refusals[i]), jw_err_exit(refusals[j]));
		}
	}
}

static void
why_truncates_and_takes_null(void **state)
{
	struct jw_why why;
	char big[2000];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	jw_why_set(NULL, "%s", big);
	jw_why_hint(NULL, "%s", big);

	strcpy(why.hint, "of another failure");
	jw_why_set(&why, "%s", big);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	assert_string_equal(why.hint, "");
	jw_why_hint(&why, "%s", big);
	assert_int_equal(strlen(why.hint), sizeof(why.hint) - 1);
	jw_why_set(&why, "%d of %s", 1, "2");
	assert_string_equal(why.text, "1 of 2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_value_has_a_row),
	    cmocka_unit_test(system_calls_that_find_no_room),
	    cmocka_unit_test(wire_names_go_both_ways),
	    cmocka_unit_test(strangers_are_errors),
	    cmocka_unit_test(exit_statuses_are_the_documented_ones),
	    cmocka_unit_test(each_refusal_has_its_own_status),
	    cmocka_unit_test(why_truncates_and_takes_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
