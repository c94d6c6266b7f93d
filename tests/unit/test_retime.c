/*
 * Waits start anew when the clock is believed again, each by its length; no
 * time that never was holds a key for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/config/policy.h"
#include "daemon/lifecycle/time_correction.h"

#define NOW INT64_C(1800000000)

enum { DAY = 86400, JUMP = 400 * DAY };

static struct lc_set
one(struct generation gen)
{
	struct lc_set set = {.count = 1};

	jw_policy_init(&set.facts.policy);
	set.facts.version = 1;
	set.gens[0] = gen;
	set.gens[0].number = 1;
	return set;
}

static struct generation
published(int64_t at, int64_t wait)
{
	return (struct generation){
	    .created_at = at,
	    .published_at = at,
	    .absent_until = at + 1,
	    .ready_due = at + 1 + wait,
	};
}

static struct generation
active(int64_t at)
{
	struct generation gen = published(at - DAY, 0);

	gen.ready_at = at;
	gen.activated_at = at;
	gen.activations = 1;
	gen.rotate_due = at + 30 * DAY;
	return gen;
}

static struct generation
retired(int64_t at, int64_t hold)
{
	struct generation gen = active(at - DAY);

	gen.retirements = 1;
	gen.retired_at = at;
	gen.remove_due = at + 1 + hold;
	gen.destroy_due = at + 1 + 3600;
	return gen;
}

static void
published_waits_in_full(void **state)
{
	const int64_t when[] = {NOW - JUMP, NOW - 5, NOW, NOW + JUMP, 1};
	struct lc_set set;
	int64_t wait;

	(void)state;
	for (size_t i = 0; i < sizeof(when) / sizeof(when[0]); i++) {
		set = one(published(when[i], 1));
		wait = jw_policy_publish_interval(&set.facts.policy);
		assert_true(lc_retime(&set, NOW));
		assert_int_equal(set.gens[0].absent_until, NOW + 1);
		assert_int_equal(set.gens[0].ready_due, NOW + 1 + wait);
		assert_int_equal(set.gens[0].published_at, when[i]);
	}
}

/* An older policy's wait, still in progress. */
static void
a_longer_wait_stays_longer(void **state)
{
	struct lc_set set = one(published(NOW - JUMP, 7 * DAY));

	(void)state;
	assert_true(lc_retime(&set, NOW));
	assert_int_equal(set.gens[0].ready_due, NOW + 1 + 7 * DAY);
	set = one(retired(NOW - JUMP, 7 * DAY));
	assert_true(lc_retime(&set, NOW));
	assert_int_equal(set.gens[0].remove_due, NOW + 1 + 7 * DAY);
}

static void
retired_stays_in_full(void **state)
{
	const int64_t when[] = {NOW - JUMP, NOW - 5, NOW, NOW + JUMP, 1};
	struct lc_set set;
	int64_t hold;

	(void)state;
	for (size_t i = 0; i < sizeof(when) / sizeof(when[0]); i++) {
		set = one(retired(when[i], 1));
		hold = jw_policy_retire_interval(&set.facts.policy);
		assert_true(lc_retime(&set, NOW));
		assert_int_equal(set.gens[0].remove_due, NOW + 1 + hold);
		assert_int_equal(set.gens[0].destroy_due,
		    NOW + 1 + set.facts.policy.rollback_window);
		assert_int_equal(set.gens[0].retired_at, when[i]);
	}
}

static void
a_destroyed_key_is_not_destroyed_again(void **state)
{
	struct generation gen = retired(NOW - JUMP, 1);
	struct lc_set set;

	(void)state;
	gen.destroyed_at = NOW - JUMP + 3600;
	set = one(gen);
	assert_true(lc_retime(&set, NOW));
	assert_int_equal(set.gens[0].destroy_due, gen.destroy_due);
}

static void
the_signer_signs_no_longer_than_a_period(void **state)
{
	struct lc_set set = one(active(NOW + JUMP));

	(void)state;
	assert_true(lc_retime(&set, NOW));
	assert_int_equal(set.gens[0].rotate_due, NOW + 30 * DAY);
	set = one(active(NOW - DAY));
	assert_false(lc_retime(&set, NOW));
	assert_int_equal(set.gens[0].rotate_due, NOW + 29 * DAY);
	/* Due is due: one rotation. */
	set = one(active(NOW - JUMP));
	assert_false(lc_retime(&set, NOW));
}

static void
a_pending_one_is_not_put_off_for_ever(void **state)
{
	struct lc_set set = one((struct generation){
	    .created_at = NOW + JUMP, .publish_due = NOW + JUMP});

	(void)state;
	assert_true(lc_retime(&set, NOW));
	assert_int_equal(set.gens[0].publish_due, NOW);
	/* One that is to wait. */
	set = one(
	    (struct generation){.created_at = NOW, .publish_due = NOW + DAY});
	assert_false(lc_retime(&set, NOW));
}

static void
the_ready_and_the_dead_stay(void **state)
{
	struct generation gen = published(NOW - JUMP, 1);
	struct lc_set set;

	(void)state;
	gen.ready_at = NOW - JUMP + 1;
	set = one(gen);
	assert_false(lc_retime(&set, NOW));
	gen = retired(NOW - JUMP, 1);
	gen.removed_at = gen.destroyed_at = NOW - 5;
	set = one(gen);
	assert_false(lc_retime(&set, NOW));
	set.count = 0;
	assert_false(lc_retime(&set, NOW));
}

static void
the_latest_fact(void **state)
{
	struct lc_set set = one(active(NOW));

	(void)state;
	assert_int_equal(lc_latest_fact(&set), NOW);
	set.gens[0].created_at = NOW + 1;
	assert_int_equal(lc_latest_fact(&set), NOW + 1);
	set.gens[0].published_at = NOW + 2;
	assert_int_equal(lc_latest_fact(&set), NOW + 2);
	set.gens[0].ready_at = NOW + 3;
	assert_int_equal(lc_latest_fact(&set), NOW + 3);
	set.gens[0].activated_at = NOW + 4;
	assert_int_equal(lc_latest_fact(&set), NOW + 4);
	set.gens[0].retired_at = NOW + 5;
	assert_int_equal(lc_latest_fact(&set), NOW + 5);
	set.facts.version_at = NOW + 6;
	assert_int_equal(lc_latest_fact(&set), NOW + 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published_waits_in_full),
	    cmocka_unit_test(a_longer_wait_stays_longer),
	    cmocka_unit_test(retired_stays_in_full),
	    cmocka_unit_test(a_destroyed_key_is_not_destroyed_again),
	    cmocka_unit_test(the_signer_signs_no_longer_than_a_period),
	    cmocka_unit_test(a_pending_one_is_not_put_off_for_ever),
	    cmocka_unit_test(the_ready_and_the_dead_stay),
	    cmocka_unit_test(the_latest_fact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
