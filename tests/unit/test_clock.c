/*
 * daemon/lifecycle/lc_clock_guard.c: which jumps are noticed, when a new time
 * is believed, and what is remembered over a restart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "daemon/lifecycle/clock_guard.h"

#define T0 INT64_C(1800000000)

#define BOOT "12345678-9abc-def0-1234-56789abcdef0"

/* Started at boot-time 1000. */
static struct lc_clock_guard
started(void)
{
	struct lc_clock_guard guard = {.started = false};

	assert_true(lc_clock_check(&guard, T0, 1000));
	return guard;
}

static void
first_look_is_believed(void **state)
{
	struct lc_clock_guard guard = {.started = false};

	(void)state;
	assert_true(lc_clock_check(&guard, 1, 5));
	assert_true(guard.started);
	assert_true(guard.trusted);
}

static void
jump_beyond_two_minutes_is_noticed(void **state)
{
	static const struct {
		int64_t jump;
		bool trusted;
	} rows[] = {
	    {0, true},
	    {119, true},
	    {120, true},
	    {121, false},
	    {86400, false},
	    {-120, true},
	    {-121, false},
	    {-T0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lc_clock_guard guard = started();

		assert_int_equal(
		    lc_clock_check(&guard, T0 + 30 + rows[i].jump, 1030),
		    rows[i].trusted);
		assert_int_equal(guard.trusted, rows[i].trusted);
	}
}

/* A day asleep passes on both clocks. */
static void
suspend_is_no_jump(void **state)
{
	struct lc_clock_guard guard = started();

	(void)state;
	assert_true(lc_clock_check(&guard, T0 + 86400, 1000 + 86400));
}

static void
new_time_is_believed_after_ten_stable_minutes(void **state)
{
	struct lc_clock_guard guard = started();
	int64_t jump = 400 * INT64_C(86400);

	(void)state;
	assert_false(lc_clock_check(&guard, T0 + jump, 1000));
	assert_false(lc_clock_check(&guard, T0 + jump + 599, 1599));
	assert_true(lc_clock_check(&guard, T0 + jump + 600, 1600));
	assert_true(lc_clock_check(&guard, T0 + jump + 630, 1630));
	/* And back again is a jump too. */
	assert_false(lc_clock_check(&guard, T0 + 660, 1660));
}

static void
another_jump_starts_the_wait_again(void **state)
{
	struct lc_clock_guard guard = started();

	(void)state;
	assert_false(lc_clock_check(&guard, T0 + 10000, 1000));
	assert_false(lc_clock_check(&guard, T0 + 20500, 1500));
	assert_false(lc_clock_check(&guard, T0 + 20600 + 499, 1600 + 499));
	assert_true(lc_clock_check(&guard, T0 + 20600 + 500, 1600 + 500));
}

/* Also when it jumped to where it had been. */
static void
jump_there_and_back_takes_ten_minutes(void **state)
{
	struct lc_clock_guard guard = started();

	(void)state;
	assert_false(lc_clock_check(&guard, T0 + 10000, 1000));
	assert_false(lc_clock_check(&guard, T0 + 30, 1030));
	assert_false(lc_clock_check(&guard, T0 + 629, 1629));
	assert_true(lc_clock_check(&guard, T0 + 630, 1630));
}

/* One adjustment of `step` seconds every `every` seconds; is it trusted? */
static bool
creep(struct lc_clock_guard *guard, int64_t every, int64_t step, int64_t count)
{
	int64_t boot = guard->since, wall = boot + guard->offset;

	for (int64_t i = 0; i < count; i++) {
		boot += every;
		wall += every + step;
		if (!lc_clock_check(guard, wall, boot))
			return false;
	}
	return true;
}

/* An honest clock for ten years, looked at often and seldom. */
static void
drift_is_followed(void **state)
{
	static const int64_t ways[][2] = {
	    {2000, 1}, {2000, -1}, {20000, 10}, {200000, 100}, {86400, -43}};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct lc_clock_guard guard = started();

		assert_true(creep(&guard, ways[i][0], ways[i][1],
		    10 * 365 * INT64_C(86400) / ways[i][0]));
	}
}

static void
small_steps_add_up_to_a_jump(void **state)
{
	static const int64_t ways[][3] = {
	    {0, 110, 850},
	    {1, -110, 850},
	    {30, 1, 130},
	    {30, -1, 130},
	    {1000, 1, 260},
	    {1000, -1, 260},
	    {3600, 60, 4},
	    {1900, 1, 86400 * 90 / 1900},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct lc_clock_guard guard = started();

		assert_false(creep(&guard, ways[i][0], ways[i][1], ways[i][2]));
		assert_true(guard.doubted);
	}
}

/* The parts of seconds differ: whole ones go to and fro at each look. */
static void
the_rounding_of_two_clocks_is_no_movement(void **state)
{
	struct lc_clock_guard guard = started();

	(void)state;
	for (int64_t i = 0; i < 100000; i++)
		assert_true(
		    lc_clock_check(&guard, T0 + i / 10 + i % 2, 1000 + i / 10));
}

static void
adjustments_within_two_minutes_are_none(void **state)
{
	static const int64_t steps[] = {60, -60, -60, 100, 60, -100};
	struct lc_clock_guard guard = started();
	int64_t wall = T0;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		wall += steps[i];
		assert_true(lc_clock_check(&guard, wall, 1000));
	}
}

/* Steps between two starts count on from what was written down. */
static void
small_steps_over_restarts_add_up(void **state)
{
	struct lc_clock_guard guard = started();
	char text[CLOCK_TEXT_SIZE];
	int64_t wall = T0;
	bool trusted = true;

	(void)state;
	for (int i = 0; i < 4 && trusted; i++) {
		assert_true(lc_clock_format(&guard, BOOT, text));
		guard = (struct lc_clock_guard){.started = false};
		assert_true(lc_clock_parse(&guard, BOOT, text));
		wall += 50;
		trusted = lc_clock_check(&guard, wall, 1000);
	}
	assert_false(trusted);
}

/* And months of drift between them are none. */
static void
drift_over_a_restart_is_followed(void **state)
{
	struct lc_clock_guard guard = started(), again = {.started = false};
	int64_t months = 200 * INT64_C(86400);
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	assert_true(lc_clock_format(&guard, BOOT, text));
	assert_true(lc_clock_parse(&again, BOOT, text));
	assert_true(
	    lc_clock_check(&again, T0 + months + months / 2000, 1000 + months));
	assert_false(lc_clock_check(
	    &again, T0 + months + months / 2000 + 121, 1000 + months));
}

static void
operator_may_accept(void **state)
{
	struct lc_clock_guard guard = started();

	(void)state;
	assert_false(lc_clock_check(&guard, T0 + 10000, 1000));
	lc_clock_accept(&guard, T0 + 10001, 1001);
	assert_true(lc_clock_check(&guard, T0 + 10031, 1031));
	assert_false(lc_clock_check(&guard, T0 + 61, 1061));
}

static void
restart_remembers_within_one_boot(void **state)
{
	struct lc_clock_guard guard = started(), again = {.started = false};
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	assert_true(lc_clock_format(&guard, BOOT, text));
	lc_clock_parse(&again, BOOT, text);
	assert_true(again.started);
	assert_true(again.trusted);
	assert_int_equal(again.offset, guard.offset);
	assert_false(lc_clock_check(&again, T0 + 10000, 1000));
	again = (struct lc_clock_guard){.started = false};
	lc_clock_parse(&again, BOOT, text);
	assert_true(lc_clock_check(&again, T0 + 60, 1060));
}

static void
text_without_sense_is_not_remembered(void **state)
{
	static const char *const rows[] = {"", " ", "x", "x 1",
	    "00000000-0000-0000-0000-000000000000 5",
	    "00000000-0000-0000-0000-0000000000000000000000000 5"};
	struct lc_clock_guard guard = started();
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lc_clock_guard again = {.started = false};

		lc_clock_parse(&again, BOOT, rows[i]);
		assert_false(again.started);
	}
	assert_true(lc_clock_format(&guard, BOOT, text));
	assert_false(lc_clock_parse(&guard, "", text));
	*strchr(text, ' ') = '\0';
	guard = (struct lc_clock_guard){.started = false};
	lc_clock_parse(&guard, BOOT, text);
	assert_false(guard.started);
}

/* Two restarts must not make a jumped clock a trusted one. */
static void
doubts_outlive_restarts(void **state)
{
	struct lc_clock_guard guard = started(), again = {.started = false};
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	assert_false(lc_clock_check(&guard, T0 + 10000, 1000));
	assert_true(guard.doubted);
	assert_true(lc_clock_format(&guard, BOOT, text));
	assert_true(lc_clock_parse(&again, BOOT, text));
	assert_false(lc_clock_check(&again, T0 + 10060, 1060));
	assert_false(lc_clock_check(&again, T0 + 10599, 1599));
	assert_true(lc_clock_check(&again, T0 + 10600, 1600));
	/* Until the rows have been put right. */
	assert_true(again.doubted);
}

/* Of another boot only the doubt counts: ten minutes to prove itself. */
static void
doubts_outlive_a_reboot(void **state)
{
	struct lc_clock_guard guard = {.started = false};

	(void)state;
	assert_false(lc_clock_parse(
	    &guard, BOOT, "00000000-0000-0000-0000-000000000000 5 0 1 7"));
	assert_false(guard.started);
	assert_true(guard.doubted);
	assert_false(lc_clock_check(&guard, T0, 10));
	assert_false(lc_clock_check(&guard, T0 + 599, 609));
	assert_true(lc_clock_check(&guard, T0 + 600, 610));
	guard = (struct lc_clock_guard){.started = false};
	assert_false(lc_clock_parse(
	    &guard, BOOT, "00000000-0000-0000-0000-000000000000 5 1 0 7"));
	assert_true(lc_clock_check(&guard, T0, 10));
}

static void
a_caller_may_doubt(void **state)
{
	struct lc_clock_guard guard = started();

	(void)state;
	lc_clock_doubt(&guard, T0, 1000);
	assert_true(guard.doubted);
	assert_false(lc_clock_check(&guard, T0 + 599, 1599));
	assert_true(lc_clock_check(&guard, T0 + 600, 1600));
}

static void
clocks_of_this_machine_go_on(void **state)
{
	int64_t wall = jw_clock_wall_s(), boot = jw_clock_boot_s();
	char boot_id[JW_BOOT_ID_SIZE];

	(void)state;
	assert_true(wall >= 1);
	assert_true(boot >= 0);
	assert_true(jw_clock_boot_s() >= boot);
	assert_true(jw_clock_suspended_s() >= 0);
	assert_true(jw_clock_boot_id(boot_id));
	assert_int_equal(strlen(boot_id), JW_BOOT_ID_SIZE - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_look_is_believed),
	    cmocka_unit_test(jump_beyond_two_minutes_is_noticed),
	    cmocka_unit_test(suspend_is_no_jump),
	    cmocka_unit_test(new_time_is_believed_after_ten_stable_minutes),
	    cmocka_unit_test(another_jump_starts_the_wait_again),
	    cmocka_unit_test(jump_there_and_back_takes_ten_minutes),
	    cmocka_unit_test(drift_is_followed),
	    cmocka_unit_test(small_steps_add_up_to_a_jump),
	    cmocka_unit_test(the_rounding_of_two_clocks_is_no_movement),
	    cmocka_unit_test(adjustments_within_two_minutes_are_none),
	    cmocka_unit_test(small_steps_over_restarts_add_up),
	    cmocka_unit_test(drift_over_a_restart_is_followed),
	    cmocka_unit_test(operator_may_accept),
	    cmocka_unit_test(restart_remembers_within_one_boot),
	    cmocka_unit_test(text_without_sense_is_not_remembered),
	    cmocka_unit_test(doubts_outlive_restarts),
	    cmocka_unit_test(doubts_outlive_a_reboot),
	    cmocka_unit_test(a_caller_may_doubt),
	    cmocka_unit_test(clocks_of_this_machine_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
