/*
 * common/base/decimal.c writes what printf() writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/decimal.h"

static void
expect(int64_t value)
{
	char text[JW_DECIMAL_MAX], wanted[JW_DECIMAL_MAX + 1];
	int len = snprintf(wanted, sizeof(wanted), "%" PRId64, value);

	assert_int_equal(jw_decimal(value, text), len);
	assert_memory_equal(text, wanted, (size_t)len);
}

static void
same_as_printf(void **state)
{
	int64_t power = 1;

	(void)state;
	expect(0);
	expect(INT64_MAX);
	expect(INT64_MIN);
	for (int i = 0; i < 18; i++, power *= 10) {
		expect(power);
		expect(power - 1);
		expect(-power);
		expect(1 - power);
		expect(power / 3 * 7);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_as_printf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
