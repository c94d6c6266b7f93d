/*
 * Deadlines of connections, servingSince and restarts, on a clock of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/http/limits.h"
#include "daemon/http/supervisor.h"
#include "daemon/http/uptime.h"

static const struct http_limits *const limits = &http_limits_default;

static void
test_documented_values(void **state)
{
	(void)state;
	assert_int_equal(limits->header_bytes, 8192);
	assert_int_equal(LIMIT_HEADER_LINES, 64);
	assert_int_equal(limits->first_ms, 10000);
	assert_int_equal(limits->request_ms, 10000);
	assert_int_equal(limits->idle_ms, 75000);
	assert_int_equal(limits->life_ms, 3600000);
	assert_int_equal(limits->requests, 100000);
}

static void
test_first_request(void **state)
{
	struct http_pace pace;

	(void)state;
	http_pace_init(&pace, 1000);
	assert_int_equal(http_pace_deadline(&pace, limits), 11000);
	/* octets buy no time */
	http_pace_enter(&pace, PACE_REQUEST, 9000);
	assert_int_equal(http_pace_deadline(&pace, limits), 11000);
	http_pace_enter(&pace, PACE_REQUEST, 10000);
	assert_int_equal(http_pace_deadline(&pace, limits), 11000);
}

static void
test_later_request(void **state)
{
	struct http_pace pace;

	(void)state;
	http_pace_init(&pace, 0);
	http_pace_enter(&pace, PACE_REQUEST, 1);
	http_pace_enter(&pace, PACE_REPLY, 2);
	assert_int_equal(
	    http_pace_deadline(&pace, limits), 2 + limits->reply_ms);
	http_pace_enter(&pace, PACE_IDLE, 100);
	assert_int_equal(http_pace_deadline(&pace, limits), 75100);
	http_pace_enter(&pace, PACE_REQUEST, 70000);
	assert_int_equal(http_pace_deadline(&pace, limits), 80000);
	http_pace_enter(&pace, PACE_REQUEST, 79000);
	assert_int_equal(http_pace_deadline(&pace, limits), 80000);
}

static void
test_last_answer(void **state)
{
	struct http_pace pace;

	(void)state;
	http_pace_init(&pace, 0);
	pace.requests = 99998;
	http_pace_enter(&pace, PACE_REPLY, 5);
	assert_false(http_pace_last(&pace, limits, 5));
	http_pace_enter(&pace, PACE_IDLE, 5);
	http_pace_enter(&pace, PACE_REPLY, 5);
	assert_int_equal(pace.requests, 100000);
	assert_true(http_pace_last(&pace, limits, 5));
	http_pace_init(&pace, 7);
	assert_false(http_pace_last(&pace, limits, 3600006));
	assert_true(http_pace_last(&pace, limits, 3600007));
}

static void
test_backoff(void **state)
{
	int64_t wait = 0, i;

	(void)state;
	assert_int_equal(wait = http_limits_backoff(wait, 20, 1000), 20);
	assert_int_equal(wait = http_limits_backoff(wait, 20, 1000), 40);
	for (i = 0; i < 100; i++)
		wait = http_limits_backoff(wait, 20, 1000);
	assert_int_equal(wait, 1000);
}

static void
test_restart_delay(void **state)
{
	(void)state;
	assert_int_equal(http_supervisor_delay(0, 1000), 0);
	assert_int_equal(http_supervisor_delay(1000, 60000), 0);
	assert_int_equal(http_supervisor_delay(0, 10), 20);
	assert_int_equal(http_supervisor_delay(20, 999), 40);
	assert_int_equal(http_supervisor_delay(1000, 0), 1000);
}

static void
test_serving_from_first_set(void **state)
{
	struct http_uptime *uptime = http_uptime_new(false, 50);

	(void)state;
	assert_int_equal(http_uptime_since(uptime, 1), 0);
	http_uptime_begin(uptime, 0, 1790000000, 100);
	assert_int_equal(http_uptime_since(uptime, 200), 1790000000);
	http_uptime_begin(uptime, 1, 1790000500, 600);
	assert_int_equal(http_uptime_since(uptime, 600), 1790000000);
	http_uptime_free(uptime);
	http_uptime_free(NULL);
}

static void
test_serving_short_gap(void **state)
{
	struct http_uptime *uptime = http_uptime_new(false, 50);

	(void)state;
	http_uptime_begin(uptime, 0, 1790000000, 100);
	http_uptime_end(uptime, 0, 1000);
	assert_int_equal(http_uptime_since(uptime, 11000), 1790000000);
	http_uptime_begin(uptime, 0, 1790000010, 11000);
	assert_int_equal(http_uptime_since(uptime, 99000), 1790000000);
	http_uptime_free(uptime);
}

static void
test_serving_long_gap(void **state)
{
	struct http_uptime *uptime = http_uptime_new(false, 50);

	(void)state;
	http_uptime_begin(uptime, 0, 1790000000, 100);
	http_uptime_end(uptime, 0, 1000);
	assert_int_equal(http_uptime_since(uptime, 11001), 0);
	http_uptime_begin(uptime, 0, 1790000011, 11001);
	assert_int_equal(http_uptime_since(uptime, 11001), 1790000011);
	http_uptime_free(uptime);
}

/* A worker without documents that dies again does not move the gap. */
static void
test_serving_gap_counts_from_the_last_that_served(void **state)
{
	struct http_uptime *uptime = http_uptime_new(false, 50);

	(void)state;
	http_uptime_begin(uptime, 0, 1790000000, 100);
	http_uptime_begin(uptime, 1, 1790000000, 100);
	http_uptime_end(uptime, 0, 1000);
	assert_int_equal(http_uptime_since(uptime, 50000), 1790000000);
	http_uptime_end(uptime, 1, 60000);
	http_uptime_end(uptime, 0, 64000);
	assert_int_equal(http_uptime_since(uptime, 70000), 1790000000);
	assert_int_equal(http_uptime_since(uptime, 70001), 0);
	http_uptime_free(uptime);
}

/* Clients wait for documents where there had been some, and nowhere else. */
static void
test_patience(void **state)
{
	struct http_uptime *uptime = http_uptime_new(false, 50);

	(void)state;
	assert_int_equal(http_uptime_patience(uptime, 60), 0);
	http_uptime_begin(uptime, 0, 1790000000, 100);
	assert_int_equal(http_uptime_patience(uptime, 90000), UPTIME_GAP_MS);
	http_uptime_end(uptime, 0, 100000);
	assert_int_equal(http_uptime_patience(uptime, 104000), 6001);
	/* not before it is a gap for http_uptime_since() as well */
	assert_int_equal(http_uptime_patience(uptime, 110000), 1);
	assert_int_equal(http_uptime_since(uptime, 110000), 1790000000);
	assert_int_equal(http_uptime_patience(uptime, 110001), 0);
	assert_int_equal(http_uptime_since(uptime, 110001), 0);
	http_uptime_free(uptime);
	uptime = http_uptime_new(true, 50);
	assert_int_equal(http_uptime_since(uptime, 60), 0);
	assert_int_equal(http_uptime_patience(uptime, 1050), 9001);
	http_uptime_free(uptime);
}

static void
test_refusing_is_a_gap(void **state)
{
	struct http_uptime *uptime = http_uptime_new(true, 50);

	(void)state;
	http_uptime_begin(uptime, 0, 1700000000, 52);
	http_uptime_end(uptime, 0, 54);
	assert_int_equal(http_uptime_since(uptime, 56), 1700000000);
	assert_false(http_uptime_refused(uptime));
	http_uptime_refuse(uptime);
	assert_true(http_uptime_refused(uptime));
	assert_int_equal(http_uptime_since(uptime, 60), 0);
	http_uptime_begin(uptime, 0, 1790000000, 70);
	assert_false(http_uptime_refused(uptime));
	assert_int_equal(http_uptime_since(uptime, 80), 1790000000);
	http_uptime_free(uptime);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_documented_values),
	    cmocka_unit_test(test_first_request),
	    cmocka_unit_test(test_later_request),
	    cmocka_unit_test(test_last_answer),
	    cmocka_unit_test(test_backoff),
	    cmocka_unit_test(test_restart_delay),
	    cmocka_unit_test(test_serving_from_first_set),
	    cmocka_unit_test(test_serving_short_gap),
	    cmocka_unit_test(test_serving_long_gap),
	    cmocka_unit_test(test_serving_gap_counts_from_the_last_that_served),
	    cmocka_unit_test(test_patience),
	    cmocka_unit_test(test_refusing_is_a_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
