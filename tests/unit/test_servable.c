/*
 * Outage or restart, on a clock of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/lifecycle/outage.h"

/* Served since 1000, and told that it ended at 2000 with a listener open. */
static struct lc_outage
ended(void)
{
	struct lc_outage servable = {0};

	assert_int_equal(lc_outage_begin(&servable, 1000, 0), 0);
	lc_outage_end(&servable, 2000, true);
	return servable;
}

static void
nothing_was_ever_handed_out(void **state)
{
	struct lc_outage servable = {0};

	(void)state;
	assert_int_equal(lc_outage_begin(&servable, 1000, SERVABLE_REFUSED), 0);
	assert_int_equal(servable.since, 1000);
}

static void
a_backlog_may_wait(void **state)
{
	struct lc_outage servable = ended();

	(void)state;
	assert_int_equal(lc_outage_begin(&servable, 2009, 0), 0);
	assert_int_equal(servable.since, 1000);
	servable = ended();
	/* Ten seconds as they are counted may have been nearly eleven. */
	assert_int_equal(lc_outage_begin(&servable, 2010, 0), 2011);
	assert_int_equal(servable.since, 2011);
	servable = ended();
	servable.listening = false;
	assert_int_equal(lc_outage_begin(&servable, 2001, 0), 2002);
}

static void
whoever_served_on_left_no_outage(void **state)
{
	struct lc_outage servable = ended();

	(void)state;
	servable.clean = false;
	assert_int_equal(lc_outage_begin(&servable, 9000, 1500), 0);
	servable = ended();
	servable.clean = false;
	assert_int_equal(lc_outage_begin(&servable, 9000, 5000), 5001);
}

/* However short it was: it is a time in which nobody could read the set. */
static void
refused_clients_were_an_outage(void **state)
{
	struct lc_outage servable = ended();

	(void)state;
	assert_int_equal(
	    lc_outage_begin(&servable, 2002, SERVABLE_REFUSED), 2003);
	assert_int_equal(servable.since, 2003);
}

/* now, reported -> when an outage ended */
static void
doubt_makes_an_outage(void **state)
{
	static const struct {
		int64_t now, reported, end;
	} rows[] = {
	    {2005, 2005, 0},    /* a new front, soon behind the backlog */
	    {2100, 2009, 0},    /* told late, but it served in time */
	    {2100, 2010, 2011}, /* maybe a second too late */
	    {1999, 0, 2000},    /* before it ended: a clock went back */
	    {2005, 9999, 2006}, /* the future is not to be believed */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lc_outage servable = ended();

		assert_int_equal(
		    lc_outage_begin(&servable, rows[i].now, rows[i].reported),
		    rows[i].end);
		assert_int_equal(
		    servable.since, rows[i].end != 0 ? rows[i].end : 1000);
		assert_int_equal(servable.until, rows[i].now);
		assert_true(servable.serving);
		assert_false(servable.clean);
		assert_false(servable.listening);
	}
}

/* It has read everything before it is told here: it began by then. */
static void
a_front_that_began_later_is_another(void **state)
{
	struct lc_outage servable = {0};

	(void)state;
	assert_int_equal(lc_outage_begin(&servable, 1000, 0), 0);
	assert_int_equal(lc_outage_begin(&servable, 1500, 1000), 0);
	/* It has been known to serve at 1500; this is another one. */
	assert_int_equal(lc_outage_begin(&servable, 1600, 1501), 1502);
	assert_int_equal(lc_outage_begin(&servable, 1700, 1600), 0);
	assert_int_equal(
	    lc_outage_begin(&servable, 1700, SERVABLE_REFUSED), 1701);
	/* Waits run from 1701; between that and its first second is a gap. */
	assert_int_equal(lc_outage_begin(&servable, 1800, 1701), 1702);
}

static void
an_end_is_told_once(void **state)
{
	struct lc_outage servable = ended();

	(void)state;
	lc_outage_end(&servable, 3000, false);
	assert_int_equal(servable.until, 2000);
	assert_true(servable.clean);
	assert_true(servable.listening);
}

static void
remembered_as_text(void **state)
{
	struct lc_outage servable = ended(), back = {0};
	char text[SERVABLE_TEXT_SIZE];

	(void)state;
	lc_outage_format(&servable, text);
	assert_true(lc_outage_parse(text, &back));
	assert_int_equal(back.since, 1000);
	assert_int_equal(back.until, 2000);
	assert_true(back.clean);
	assert_true(back.listening);
	assert_false(back.serving);
	/* Begun in the next second. */
	servable.since = servable.until + 1;
	servable.clean = servable.listening = false;
	lc_outage_format(&servable, text);
	assert_true(lc_outage_parse(text, &back));
	assert_false(back.clean);
	assert_false(back.listening);
}

static void
text_without_sense_changes_nothing(void **state)
{
	static const char *const rows[] = {"", "x", "1", "1 2 1", "1 2 x 1",
	    "-1 2 1 1", "3 1 1 1", "-3 -2 1 1"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lc_outage servable = ended();

		assert_false(lc_outage_parse(rows[i], &servable));
		assert_int_equal(servable.since, 1000);
		assert_int_equal(servable.until, 2000);
		assert_true(servable.clean);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_was_ever_handed_out),
	    cmocka_unit_test(a_backlog_may_wait),
	    cmocka_unit_test(whoever_served_on_left_no_outage),
	    cmocka_unit_test(refused_clients_were_an_outage),
	    cmocka_unit_test(doubt_makes_an_outage),
	    cmocka_unit_test(a_front_that_began_later_is_another),
	    cmocka_unit_test(an_end_is_told_once),
	    cmocka_unit_test(remembered_as_text),
	    cmocka_unit_test(text_without_sense_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
