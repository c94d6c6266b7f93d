/*
 * daemon/keeper/difference.c: what two rows tell is what the commits between
 * them told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "daemon/keeper/difference.h"
#include "daemon/lifecycle/reading.h"

#define T0 INT64_C(1800000000)

static const char cause[] = "because";

/* A row whose keys are those of a set. */
struct row {
	struct key_set row;
	struct key keys[DIFFERENCE_MAX];
};

static void
fill(struct row *row, const struct lc_set *set)
{
	memset(row, 0, sizeof(*row));
	row->row.facts = set->facts;
	row->row.nkeys = set->count;
	row->row.keys = row->keys;
	for (size_t i = 0; i < set->count; i++) {
		row->keys[i].facts = set->gens[i];
		snprintf(row->keys[i].kid, MODEL_KID_SIZE, "kid-%d",
		    (int)set->gens[i].number);
	}
}

static void
new_set(struct lc_set *set)
{
	*set = (struct lc_set){.facts.next_number = 1};
	jw_policy_init(&set->facts.policy);
}

/* The next step at its time; false: there is none. */
static bool
step(struct lc_set *set, struct lc_env *env)
{
	struct lc_step next = lc_next(set, env);

	if (next.action == LC_NONE)
		return false;
	if (next.due > env->now)
		env->now = next.due;
	lc_apply(set, &next, env);
	lc_read(set, env->now + 1);
	return true;
}

static struct lc_env
world(void)
{
	return (struct lc_env){
	    .now = T0,
	    .clock_trusted = true,
	    .serving = true,
	};
}

/* Two years: every transition there is, each as its commit told it. */
static void
every_step_is_told_as_by_its_commit(void **state)
{
	static struct row before, after;
	struct lc_change told[MODEL_GENERATIONS_MAX];
	struct lc_env env = world();
	struct keeper_difference d;
	struct lc_set set, was;
	int steps = 0, seen[GEN_STATE_COUNT] = {0};

	(void)state;
	new_set(&set);
	for (; env.now < T0 + INT64_C(730) * 86400; steps++) {
		size_t n;

		lc_bury(&set);
		was = set;
		assert_true(step(&set, &env));
		n = lc_diff(&was, &set, told, MODEL_GENERATIONS_MAX);
		fill(&before, &was);
		fill(&after, &set);
		keeper_difference_make(
		    &before.row, &after.row, env.now, cause, &d);
		assert_int_equal(d.count, n);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(d.changes[i].number, told[i].number);
			assert_int_equal(
			    d.changes[i].has_from, told[i].has_from);
			if (told[i].has_from)
				assert_int_equal(
				    d.changes[i].from, told[i].from);
			assert_int_equal(d.changes[i].to, told[i].to);
			assert_int_equal(d.changes[i].time, env.now);
			assert_ptr_equal(d.changes[i].cause, cause);
			assert_int_equal(
			    d.keys[i]->facts.number, told[i].number);
			seen[told[i].to]++;
		}
		assert_int_equal(
		    d.document_changed, was.facts.version != set.facts.version);
		assert_null(d.order);
	}
	assert_in_range(steps, 100, 1000);
	for (int i = GEN_PENDING; i <= GEN_REMOVED; i++)
		assert_true(seen[i] > 0);
}

static void
what_starts_a_wait(void **state)
{
	static struct row before, after;
	struct lc_env env = world();
	struct keeper_difference d;
	struct lc_set set, was;
	struct lc_step next;

	(void)state;
	new_set(&set);
	while (env.now < T0 + INT64_C(100) * 86400) {
		lc_bury(&set);
		was = set;
		next = lc_next(&set, &env);
		assert_true(step(&set, &env));
		fill(&before, &was);
		fill(&after, &set);
		keeper_difference_make(
		    &before.row, &after.row, env.now, cause, &d);
		assert_int_equal(d.starts_wait, next.action == LC_START ||
						    next.action == LC_PUBLISH ||
						    next.action == LC_PROMOTE);
	}
}

static void
orders_leave_their_event(void **state)
{
	static struct row before, after;
	struct lc_env env = world();
	struct keeper_difference d;
	struct lc_set set;

	(void)state;
	new_set(&set);
	for (int i = 0; i < 3; i++)
		step(&set, &env);
	fill(&before, &set);
	fill(&after, &set);
	keeper_difference_make(&before.row, &after.row, T0, cause, &d);
	assert_null(d.order);
	assert_int_equal(d.count, 0);
	assert_false(d.document_changed);
	after.row.facts.wanted_at = T0 + 5;
	keeper_difference_make(&before.row, &after.row, T0, cause, &d);
	assert_string_equal(d.order, "scheduled");
	keeper_difference_make(&after.row, &before.row, T0, cause, &d);
	assert_null(d.order);
	fill(&after, &set);
	after.row.facts.frozen = true;
	keeper_difference_make(&before.row, &after.row, T0, cause, &d);
	assert_string_equal(d.order, "frozen");
	assert_false(d.document_changed);
	keeper_difference_make(&after.row, &before.row, T0, cause, &d);
	assert_string_equal(d.order, "thawed");
	fill(&after, &set);
	after.row.facts.policy.retire_safety++;
	keeper_difference_make(&before.row, &after.row, T0, cause, &d);
	assert_string_equal(d.order, "policy");
	assert_false(d.document_changed);
	after.row.facts.policy.cache_max_age++;
	keeper_difference_make(&before.row, &after.row, T0, cause, &d);
	assert_true(d.document_changed);
	after.row.facts.removed_at = T0;
	keeper_difference_make(&before.row, &after.row, T0, cause, &d);
	assert_string_equal(d.order, "removed");
	assert_true(d.document_changed);
	keeper_difference_make(NULL, &before.row, T0, cause, &d);
	assert_string_equal(d.order, "keyset");
	assert_true(d.document_changed);
	assert_int_equal(d.count, set.count);
	assert_false(d.changes[0].has_from);
}

/* Two full rows that have nothing in common. */
static void
there_is_room_for_everything(void **state)
{
	static struct row before, after;
	static struct lc_set set;
	struct keeper_difference d;

	(void)state;
	new_set(&set);
	set.count = MODEL_GENERATIONS_MAX;
	for (int i = 0; i < MODEL_GENERATIONS_MAX; i++)
		set.gens[i] = (struct generation){
		    .number = i + 1, .created_at = T0, .published_at = T0};
	fill(&before, &set);
	fill(&after, &set);
	after.row.nkeys = DIFFERENCE_MAX;
	for (int i = 0; i < DIFFERENCE_MAX; i++) {
		after.keys[i].facts = set.gens[i % MODEL_GENERATIONS_MAX];
		after.keys[i].facts.number = i + 1;
		if (i < MODEL_GENERATIONS_MAX)
			after.keys[i].facts.revoked_at = T0 + 1;
	}
	keeper_difference_make(&before.row, &after.row, T0 + 1, cause, &d);
	assert_int_equal(d.count, DIFFERENCE_MAX);
	assert_int_equal(d.changes[0].to, GEN_REVOKED);
	assert_int_equal(d.changes[DIFFERENCE_MAX - 1].to, GEN_PUBLISHED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_step_is_told_as_by_its_commit),
	    cmocka_unit_test(what_starts_a_wait),
	    cmocka_unit_test(orders_leave_their_event),
	    cmocka_unit_test(there_is_room_for_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
