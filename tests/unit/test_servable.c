/*
 * Outage or restart, on a clock of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/servable.h"

/* Served since 1000, and told that it ended at 2000 with a listener open. */
static struct servable
ended(void)
{
	struct servable servable = {0};

	assert_int_equal(servable_begin(&servable, 1000, 0), 0);
	servable_end(&servable, 2000, true);
	return servable;
}

static void
nothing_was_ever_handed_out(void **state)
{
	struct servable servable = {0};

	(void)state;
	assert_int_equal(servable_begin(&servable, 1000, SERVABLE_REFUSED), 0);
	assert_int_equal(servable.since, 1000);
}

static void
a_backlog_may_wait(void **state)
{
	struct servable servable = ended();

	(void)state;
	assert_int_equal(servable_begin(&servable, 2010, 0), 0);
	assert_int_equal(servable.since, 1000);
	servable = ended();
	assert_int_equal(servable_begin(&servable, 2011, 0), 2011);
	assert_int_equal(servable.since, 2011);
	servable = ended();
	servable.listening = false;
	assert_int_equal(servable_begin(&servable, 2001, 0), 2001);
}

static void
whoever_served_on_left_no_outage(void **state)
{
	struct servable servable = ended();

	(void)state;
	servable.clean = false;
	assert_int_equal(servable_begin(&servable, 9000, 1500), 0);
	servable = ended();
	servable.clean = false;
	assert_int_equal(servable_begin(&servable, 9000, 5000), 5000);
}

/* However short it was: it is a time in which nobody could read the set. */
static void
refused_clients_were_an_outage(void **state)
{
	struct servable servable = ended();

	(void)state;
	assert_int_equal(
	    servable_begin(&servable, 2002, SERVABLE_REFUSED), 2002);
	assert_int_equal(servable.since, 2002);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_was_ever_handed_out),
	    cmocka_unit_test(a_backlog_may_wait),
	    cmocka_unit_test(whoever_served_on_left_no_outage),
	    cmocka_unit_test(refused_clients_were_an_outage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
