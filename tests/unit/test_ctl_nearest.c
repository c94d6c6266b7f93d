/*
 * Which name was meant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/nearest.h"

static const char *const names[] = {
    "rotation_period", "rollback_window", "mode", "signer_drain"};

static const char *
best(const char *wanted)
{
	struct jw_nearest nearest;

	jw_nearest_init(&nearest, wanted);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		jw_nearest_consider(&nearest, names[i]);
	return nearest.best;
}

static void
test_near(void **state)
{
	(void)state;
	assert_string_equal(best("rotation_period"), "rotation_period");
	assert_string_equal(best("rotation-period"), "rotation_period");
	assert_string_equal(best("rotatoin_period"), "rotation_period");
	assert_string_equal(best("mod"), "mode");
	assert_string_equal(best("model"), "mode");
	assert_string_equal(best("si"), "signer_drain");
	/* The first of two that are equally near. */
	assert_string_equal(best("ro"), "rotation_period");
}

static void
test_far(void **state)
{
	char word[300];

	(void)state;
	assert_null(best("m"));
	assert_null(best("zzzzz"));
	assert_null(best("rotation_peri__xx"));
	memset(word, 'm', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	assert_null(best(word));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_near),
	    cmocka_unit_test(test_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
