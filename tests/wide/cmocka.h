/*
 * As much of cmocka's interface as the tests of pure modules use, in one
 * header: for a machine whose cmocka is not installed, such as the 32-bit side
 * of a 64-bit one.  Its output is read by tests/run like cmocka's.
 */
#ifndef JWKSD_TESTS_WIDE_CMOCKA_H
#define JWKSD_TESTS_WIDE_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*run)(void **state);
	int (*setup)(void **state);
	int (*teardown)(void **state);
};

#define cmocka_unit_test(function)              \
	{                                       \
#function, function, NULL, NULL \
	}
#define cmocka_unit_test_setup_teardown(function, setup, teardown) \
	{                                                          \
#function, function, setup, teardown               \
	}

static inline void
wide_fail(const char *what, const char *file, int line)
{
	printf("%s:%d: error: %s\n", file, line, what);
	exit(1);
}

static inline int
wide_run(const struct CMUnitTest *tests, size_t count)
{
	void *state = NULL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < count; i++) {
		printf("[ RUN      ] %s\n", tests[i].name);
		if (tests[i].setup != NULL && tests[i].setup(&state) != 0)
			wide_fail("setup", tests[i].name, 0);
		tests[i].run(&state);
		if (tests[i].teardown != NULL)
			(void)tests[i].teardown(&state);
		printf("[       OK ] %s\n", tests[i].name);
	}
	return 0;
}

#define cmocka_run_group_tests(tests, setup, teardown) \
	wide_run(tests, sizeof(tests) / sizeof((tests)[0]))

#define WIDE_ASSERT(condition, text) \
	((condition) ? (void)0 : wide_fail(text, __FILE__, __LINE__))
#define assert_true(value) WIDE_ASSERT(value, #value)
#define assert_false(value) WIDE_ASSERT(!(value), "not " #value)
#define assert_null(value) WIDE_ASSERT((value) == NULL, #value)
#define assert_non_null(value) WIDE_ASSERT((value) != NULL, #value)
/* Neither side may lose bits: cmocka itself compares unsigned long long. */
#define assert_int_equal(a, b) \
	WIDE_ASSERT((long long)(a) == (long long)(b), #a " == " #b)
#define assert_int_not_equal(a, b) \
	WIDE_ASSERT((long long)(a) != (long long)(b), #a " != " #b)
#define assert_in_range(value, low, high)                        \
	WIDE_ASSERT((long long)(value) >= (long long)(low) &&    \
			(long long)(value) <= (long long)(high), \
	    #value)
#define assert_string_equal(a, b) WIDE_ASSERT(strcmp(a, b) == 0, #a " == " #b)
#define assert_string_not_equal(a, b) \
	WIDE_ASSERT(strcmp(a, b) != 0, #a " != " #b)
#define assert_memory_equal(a, b, size) \
	WIDE_ASSERT(memcmp(a, b, size) == 0, #a " == " #b)
#define assert_ptr_equal(a, b) \
	WIDE_ASSERT((const void *)(a) == (const void *)(b), #a " == " #b)
#define fail() wide_fail("fail", __FILE__, __LINE__)
#define fail_msg(...) (printf(__VA_ARGS__), wide_fail("", __FILE__, __LINE__))
#define print_message(...) printf(__VA_ARGS__)

#endif
