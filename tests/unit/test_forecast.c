/*
 * daemon/verbs/forecast.c: a merge of plans is each of them, in the order of
 * time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "daemon/verbs/forecast.h"

#define T0 INT64_C(1800000000)
#define DAY INT64_C(86400)

enum { SETS = 40, CHANGES = 4000 };

static struct lc_env
world(void)
{
	return (struct lc_env){
	    .now = T0,
	    .clock_trusted = true,
	    .serving = true,
	    .pairs_coming = 1,
	};
}

/* Key sets that rotate at different rates; set 7 never does. */
static void
make_set(int n, struct lc_set *ret_set)
{
	*ret_set = (struct lc_set){.facts.next_number = 1};
	jw_policy_init(&ret_set->facts.policy);
	ret_set->facts.policy.rotation_period = (int32_t)((5 + n) * DAY);
	ret_set->facts.frozen = n == 7;
}

static struct verbs_forecast *
merge(int64_t until)
{
	struct verbs_forecast *forecast = verbs_forecast_new();
	struct lc_env env = world();
	struct lc_set set;
	char name[16];

	for (int n = 0; n < SETS; n++) {
		make_set(n, &set);
		snprintf(name, sizeof(name), "set%d", n);
		verbs_forecast_add(forecast, name, n + 1, &set, &env, until);
	}
	return forecast;
}

static void
merged_is_each_in_the_order_of_time(void **state)
{
	static struct lc_change own[SETS][CHANGES];
	static struct verbs_forecast_step step;
	size_t counts[SETS], at[SETS] = {0}, total = 0;
	int64_t until = T0 + 200 * DAY, last = 0;
	struct verbs_forecast *forecast = merge(until);
	struct lc_set set;

	(void)state;
	for (int n = 0; n < SETS; n++) {
		make_set(n, &set);
		counts[n] = lc_plan(&set, world(), until, own[n], CHANGES);
		assert_true(counts[n] < CHANGES);
		total += counts[n];
	}
	assert_true(total > 1000);
	while (verbs_forecast_next(forecast, &step)) {
		size_t n = (size_t)step.set_id - 1;
		char name[16];

		snprintf(name, sizeof(name), "set%zu", n);
		assert_string_equal(step.key_set, name);
		for (size_t i = 0; i < step.count; i++, at[n]++) {
			struct lc_change *c = &own[n][at[n]];

			assert_true(at[n] < counts[n]);
			assert_true(step.changes[i].time >= last);
			last = step.changes[i].time;
			assert_int_equal(last, c->time);
			assert_int_equal(step.changes[i].number, c->number);
			assert_int_equal(step.changes[i].to, c->to);
			assert_string_equal(step.changes[i].cause, c->cause);
		}
	}
	for (int n = 0; n < SETS; n++)
		assert_int_equal(at[n], counts[n]);
	assert_true(verbs_forecast_is_empty(forecast));
	verbs_forecast_free(forecast);
}

/* What is far ahead takes neither room nor time before it is asked for. */
static void
far_ahead_is_not_computed_before(void **state)
{
	static struct verbs_forecast_step step;
	struct verbs_forecast *forecast = merge(INT64_C(253402300799));

	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_true(verbs_forecast_next(forecast, &step));
	assert_false(verbs_forecast_is_empty(forecast));
	verbs_forecast_free(forecast);
}

static void
nothing_to_come(void **state)
{
	static struct verbs_forecast_step step;
	struct verbs_forecast *forecast = merge(T0 - 1);

	(void)state;
	assert_true(verbs_forecast_is_empty(forecast));
	assert_false(verbs_forecast_next(forecast, &step));
	verbs_forecast_free(forecast);
	verbs_forecast_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(merged_is_each_in_the_order_of_time),
	    cmocka_unit_test(far_ahead_is_not_computed_before),
	    cmocka_unit_test(nothing_to_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
