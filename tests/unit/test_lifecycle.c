/*
 * daemon/lifecycle: every state, every guard, every deadline one
 * second before, at and after; then random policies, wakes and orders in
 * thousands of virtual years, with verifiers that hold their copies as long as
 * they may.  JWKSD_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/lifecycle/lifecycle.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/lifecycle/plan.h"
#include "daemon/lifecycle/reading.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T0 INT64_C(1800000000)

/* From the second in which it is published, or retired, to the deadline. */
enum { HOUR = 3600, DAY = 86400, IPUB = 1 + 60 + DAY + HOUR, IRET = 1 + 7560 };

/* ---- helpers ---- */

static struct lc_env
at(int64_t now)
{
	return (struct lc_env){
	    .now = now, .clock_trusted = true, .serving = true};
}

static struct lc_set
fresh(void)
{
	struct lc_set set;

	memset(&set, 0, sizeof(set));
	jw_policy_init(&set.facts.policy);
	set.facts.next_number = 1;
	return set;
}

/* Every front reads at once what there is. */
static void
apply(struct lc_set *set, const struct lc_step *step, const struct lc_env *env)
{
	lc_apply(set, step, env);
	lc_read(set, env->now + 1);
}

/* Everything that is due, as the keeper does it; returns how many steps. */
static int
settle(struct lc_set *set, struct lc_env env)
{
	int n = 0;

	for (;;) {
		struct lc_step step = lc_next(set, &env);

		if (step.action == LC_NONE || step.due > env.now)
			return n;
		apply(set, &step, &env);
		lc_bury(set);
		if (++n > 100)
			fail_msg("no end: action %d", (int)step.action);
	}
}

/* First start at T0: 1 is active, 2 is its standby, ready at once. */
static struct lc_set
started(void)
{
	struct lc_set set = fresh();

	settle(&set, at(T0));
	return set;
}

/* At T0: 1 retired, 2 active, 3 published and not ready. */
static struct lc_set
rotated(void)
{
	struct lc_set set = started();

	lc_promote(&set, 2, &(struct lc_env){.now = T0});
	settle(&set, at(T0));
	return set;
}

static struct generation *
gen(struct lc_set *set, int64_t number)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->gens[i].number == number)
			return &set->gens[i];
	fail_msg("no generation %lld", (long long)number);
	return NULL;
}

static void
expect_state(struct lc_set *set, int64_t number, enum gen_state state)
{
	assert_string_equal(
	    lc_state_name(lc_state(gen(set, number))), lc_state_name(state));
}

/*
 * The step is not due at deadline - 1, is at the deadline and after; its
 * deadline does not move meanwhile.
 */
static void
expect_due(const struct lc_set *set, enum lc_action action, int64_t number,
    int64_t due)
{
	for (int64_t now = due - 1; now <= due + 1; now++) {
		struct lc_env env = at(now);
		struct lc_step step = lc_next(set, &env);

		assert_int_equal(step.action, action);
		assert_int_equal(step.number, number);
		assert_int_equal(step.due, due);
		assert_int_equal(step.due <= now, now >= due);
		assert_true(step.cause[0] != '\0');
	}
}

/* Nothing of this kind will happen, whenever one asks. */
static void
expect_never(const struct lc_set *set, struct lc_env env, enum lc_action action)
{
	struct lc_set copy = *set;

	env.now += 1000 * DAY;
	for (int i = 0; i < 20; i++) {
		struct lc_step step = lc_next(&copy, &env);

		assert_int_not_equal(step.action, action);
		if (step.action == LC_NONE || step.due > env.now)
			return;
		if (step.action == LC_CREATE)
			env.pairs_coming++;
		else
			lc_apply(&copy, &step, &env);
	}
}

/* ---- states ---- */

static void
state_follows_from_facts_alone(void **state)
{
	static const struct {
		struct generation g;
		enum gen_state is;
		bool published;
	} rows[] = {
	    {{.created_at = 1}, GEN_PENDING, false},
	    {{.created_at = 1, .publish_due = 1, .ready_due = 1}, GEN_PENDING,
		false},
	    {{.published_at = 1}, GEN_PUBLISHED, true},
	    {{.published_at = 1, .ready_due = 1}, GEN_PUBLISHED, true},
	    {{.published_at = 1, .ready_at = 1, .rotate_due = 1}, GEN_READY,
		true},
	    {{.published_at = 1, .ready_at = 1, .activations = 1}, GEN_ACTIVE,
		true},
	    {{.published_at = 1,
		 .ready_at = 1,
		 .activations = 1,
		 .remove_due = 1},
		GEN_ACTIVE, true},
	    {{.published_at = 1,
		 .ready_at = 1,
		 .activations = 1,
		 .retirements = 1,
		 .remove_due = 1},
		GEN_RETIRED, true},
	    {{.published_at = 1, .activations = 2, .retirements = 1},
		GEN_ACTIVE, true},
	    {{.published_at = 1, .retirements = 1, .verify_only = true},
		GEN_RETIRED, true},
	    {{.published_at = 1,
		 .activations = 1,
		 .retirements = 1,
		 .removed_at = 1},
		GEN_REMOVED, false},
	    {{.removed_at = 1}, GEN_REMOVED, false},
	    {{.published_at = 1,
		 .activations = 1,
		 .removed_at = 1,
		 .revoked_at = 1},
		GEN_REVOKED, false},
	    {{.published_at = 1, .activations = 1, .revoked_at = 1},
		GEN_REVOKED, false},
	    {{.revoked_at = 1}, GEN_REVOKED, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(lc_state(&rows[i].g), rows[i].is);
		assert_int_equal(
		    lc_is_published(&rows[i].g), rows[i].published);
	}
}

static void
states_have_the_names_of_the_interfaces(void **state)
{
	static const char *const names[] = {"pending", "published", "ready",
	    "active", "retired", "removed", "revoked"};

	(void)state;
	assert_int_equal(COUNT(names), GEN_STATE_COUNT);
	for (int i = 0; i < GEN_STATE_COUNT; i++)
		assert_string_equal(lc_state_name((enum gen_state)i), names[i]);
	assert_string_equal(lc_state_name(GEN_STATE_COUNT), "?");
}

static void
private_half_is_there_until_destroyed(void **state)
{
	struct generation g = {.created_at = 1};

	(void)state;
	assert_true(lc_has_private(&g));
	g.destroyed_at = 1;
	assert_false(lc_has_private(&g));
	g = (struct generation){.verify_only = true};
	assert_false(lc_has_private(&g));
}

/* ---- first start ---- */

static void
first_start_wants_two_key_pairs_and_waits_for_both(void **state)
{
	struct lc_set set = fresh();
	struct lc_env env = at(T0);

	(void)state;
	assert_int_equal(lc_next(&set, &env).action, LC_CREATE);
	assert_int_equal(lc_next(&set, &env).number, 1);
	env.pairs_coming = 1;
	assert_int_equal(lc_next(&set, &env).action, LC_CREATE);
	env.pairs_coming = 2;
	assert_int_equal(lc_next(&set, &env).action, LC_NONE);
	assert_int_equal(lc_next(&set, &env).due, LC_NEVER);
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 7));
	env.pairs_coming = 1;
	assert_int_equal(lc_next(&set, &env).action, LC_NONE);
	assert_int_equal(set.facts.version, 0);
	env.pairs_coming = 0;
	assert_int_equal(lc_next(&set, &env).action, LC_CREATE);
	assert_int_equal(lc_next(&set, &env).number, 2);
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 9));
	assert_int_equal(lc_next(&set, &env).action, LC_START);
	assert_int_equal(lc_next(&set, &env).due, T0);
	assert_int_equal(set.gens[0].spread, 7);
	assert_int_equal(set.gens[1].spread, 9);
}

static void
first_version_holds_signer_and_ready_standby(void **state)
{
	struct lc_set set = started();
	struct generation *one = gen(&set, 1), *two = gen(&set, 2);

	(void)state;
	assert_int_equal(set.count, 2);
	assert_int_equal(set.facts.version, 1);
	assert_int_equal(set.facts.version_at, T0);
	assert_int_equal(set.facts.next_number, 3);
	expect_state(&set, 1, GEN_ACTIVE);
	expect_state(&set, 2, GEN_READY);
	assert_int_equal(one->published_at, T0);
	assert_int_equal(one->activated_at, T0);
	assert_int_equal(one->activations, 1);
	assert_int_equal(one->retirements, 0);
	assert_int_equal(one->rotate_due, T0 + 30 * DAY);
	assert_int_equal(two->published_at, T0);
	assert_int_equal(two->ready_at, T0);
	assert_int_equal(two->ready_due, T0);
	assert_int_equal(two->activations, 0);
	assert_int_equal(settle(&set, at(T0)), 0);
}

static void
first_start_follows_the_standby_count(void **state)
{
	(void)state;
	for (int n = 1; n <= 3; n++) {
		struct lc_set set = fresh();

		set.facts.policy.standby_count = n;
		assert_int_equal(settle(&set, at(T0)), n + 2);
		assert_int_equal(lc_count(&set, GEN_ACTIVE), 1);
		assert_int_equal(lc_count(&set, GEN_READY), n);
		assert_int_equal(lc_active(&set)->number, 1);
		assert_int_equal(set.facts.version, 1);
	}
}

/* Neither a frozen mode, nor the clock, nor a missing front holds it up. */
static void
first_start_waits_for_nobody(void **state)
{
	struct lc_set set = fresh();

	(void)state;
	set.facts.policy.mode = JW_MODE_FROZEN;
	set.facts.frozen = true;
	settle(&set, (struct lc_env){.now = T0});
	expect_state(&set, 1, GEN_ACTIVE);
	expect_state(&set, 2, GEN_READY);
}

static void
removed_key_set_does_nothing(void **state)
{
	struct lc_set set = started(), empty = fresh();
	struct lc_env env = at(T0 + 365 * DAY);

	(void)state;
	set.facts.removed_at = T0;
	empty.facts.removed_at = T0;
	assert_int_equal(lc_next(&set, &env).action, LC_NONE);
	assert_int_equal(lc_next(&empty, &env).action, LC_NONE);
}

/* ---- T1 ---- */

static void
missing_standby_is_created_once(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);

	(void)state;
	lc_promote(&set, 2, &env);
	assert_int_equal(lc_next(&set, &env).action, LC_CREATE);
	assert_int_equal(lc_next(&set, &env).number, 3);
	assert_int_equal(lc_next(&set, &env).due, env.now);
	env.pairs_coming = 1;
	assert_int_not_equal(lc_next(&set, &env).action, LC_CREATE);
	set.facts.policy.standby_count = 2;
	assert_int_equal(lc_next(&set, &env).action, LC_CREATE);
	env.pairs_coming = 2;
	assert_int_not_equal(lc_next(&set, &env).action, LC_CREATE);
	set.facts.policy.standby_count = 1;
	env.pairs_coming = 0;
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	assert_int_equal(lc_next(&set, &env).action, LC_PUBLISH);
}

static void
new_generation_has_its_number_for_ever(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);

	(void)state;
	assert_true(lc_add(&set, &env, JW_ALG_RS256, 42));
	assert_int_equal(set.facts.next_number, 4);
	assert_int_equal(gen(&set, 3)->created_at, T0 + 5);
	assert_int_equal(gen(&set, 3)->publish_due, T0 + 5);
	assert_int_equal(gen(&set, 3)->alg, JW_ALG_RS256);
	assert_int_equal(gen(&set, 3)->spread, 42);
	gen(&set, 3)->revoked_at = T0 + 6;
	lc_bury(&set);
	assert_int_equal(set.count, 2);
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	assert_int_equal(gen(&set, 4)->number, 4);
}

static void
no_more_generations_than_there_is_room_for(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);
	int64_t next;

	(void)state;
	while (set.count < MODEL_GENERATIONS_MAX)
		assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	next = set.facts.next_number;
	assert_false(lc_add(&set, &env, JW_ALG_ES256, 0));
	assert_int_equal(set.count, MODEL_GENERATIONS_MAX);
	assert_int_equal(set.facts.next_number, next);
	/* All retired: a standby is missing, but there is no room for one. */
	for (size_t i = 2; i < set.count; i++) {
		set.gens[i].published_at = T0;
		set.gens[i].retirements = 1;
		set.gens[i].verify_only = true;
		set.gens[i].retired_at = T0;
	}
	set.gens[1] = set.gens[2];
	set.gens[1].number = 2;
	expect_never(&set, (struct lc_env){.now = T0}, LC_CREATE);
}

/* ---- T2 ---- */

static void
pending_is_published_at_its_time(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);

	(void)state;
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	gen(&set, 3)->publish_due = T0 + 100;
	expect_due(&set, LC_PUBLISH, 3, T0 + 100);
	settle(&set, at(T0 + 99));
	expect_state(&set, 3, GEN_PENDING);
	settle(&set, at(T0 + 103));
	expect_state(&set, 3, GEN_PUBLISHED);
	assert_int_equal(gen(&set, 3)->published_at, T0 + 103);
	assert_int_equal(gen(&set, 3)->absent_until, T0 + 104);
	assert_int_equal(gen(&set, 3)->ready_due, T0 + 103 + IPUB);
	assert_int_equal(set.facts.version, 2);
}

/* Also held by nothing: more keys in the set harm nobody. */
static void
publication_is_held_by_neither_mode_nor_clock(void **state)
{
	struct lc_set set = started();
	struct lc_env env = {.now = T0 + 5};

	(void)state;
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	set.facts.frozen = true;
	assert_int_equal(lc_next(&set, &env).action, LC_PUBLISH);
}

static void
publication_stops_at_max_published_keys(void **state)
{
	struct lc_set set = rotated();
	struct lc_env env = at(T0 + 5);

	(void)state;
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	set.facts.policy.max_published_keys = 3;
	expect_never(&set, (struct lc_env){.now = T0}, LC_PUBLISH);
	set.facts.policy.max_published_keys = 4;
	assert_int_equal(lc_next(&set, &env).action, LC_PUBLISH);
	/* A removed one makes room. */
	set.facts.policy.max_published_keys = 3;
	gen(&set, 1)->removed_at = T0;
	assert_int_equal(lc_next(&set, &env).action, LC_PUBLISH);
}

static void
verify_only_retires_as_it_is_published(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);

	(void)state;
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	gen(&set, 3)->verify_only = true;
	settle(&set, env);
	expect_state(&set, 3, GEN_RETIRED);
	assert_int_equal(gen(&set, 3)->activations, 0);
	/* It has no private half to destroy, and goes when no token can be. */
	expect_due(&set, LC_REMOVE, 3, T0 + 5 + IRET);
}

static void
verify_only_never_signs(void **state)
{
	struct lc_set set = fresh();
	struct lc_env env = at(T0);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	gen(&set, 1)->verify_only = true;
	settle(&set, env);
	expect_state(&set, 1, GEN_RETIRED);
	expect_state(&set, 2, GEN_ACTIVE);
	expect_state(&set, 3, GEN_READY);
	assert_int_equal(lc_standby(&set)->number, 3);
}

/* ---- T3 ---- */

static void
published_is_ready_when_old_copies_have_expired(void **state)
{
	struct lc_set set = rotated();

	(void)state;
	expect_state(&set, 3, GEN_PUBLISHED);
	/* Meanwhile the predecessor goes its way. */
	settle(&set, at(T0 + IRET));
	expect_due(&set, LC_READY, 3, T0 + IPUB);
	settle(&set, at(T0 + IPUB - 1));
	expect_state(&set, 3, GEN_PUBLISHED);
	settle(&set, at(T0 + IPUB));
	expect_state(&set, 3, GEN_READY);
	assert_int_equal(gen(&set, 3)->ready_at, T0 + IPUB);
}

static void
ready_waits_for_each_part_of_ipub(void **state)
{
	static const char *const parts[] = {
	    "propagation_delay", "verifier_max_age", "publish_safety"};

	(void)state;
	for (size_t i = 0; i < COUNT(parts); i++) {
		struct lc_set set = started();
		const struct jw_param *p = jw_policy_param_snake(parts[i]);
		struct lc_env env = at(T0);

		jw_policy_set(&set.facts.policy, p,
		    jw_policy_get(&set.facts.policy, p) + 17);
		lc_promote(&set, 2, &env);
		settle(&set, env);
		assert_int_equal(gen(&set, 3)->ready_due, T0 + IPUB + 17);
	}
}

/* However late that is: until then it counts as absent. */
static void
ready_waits_until_every_front_has_read(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);
	struct lc_step publish = {LC_PUBLISH, 3, T0 + 5, ""};

	(void)state;
	lc_promote(&set, 2, &env);
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	assert_false(lc_is_unread(&set));
	lc_apply(&set, &publish, &env);
	assert_true(lc_is_unread(&set));
	assert_int_equal(lc_absent_until(gen(&set, 3)), T0 + 6);
	expect_never(&set, at(T0 + 9 * DAY), LC_READY);
	/* Outages and clocks do not make it read. */
	assert_true(lc_resume(&set, T0 + DAY));
	assert_true(lc_is_unread(&set));
	assert_true(lc_read(&set, T0 + 3 * DAY));
	assert_false(lc_is_unread(&set));
	assert_int_equal(gen(&set, 3)->absent_until, T0 + 3 * DAY);
	assert_int_equal(gen(&set, 3)->ready_due, T0 + 3 * DAY + IPUB - 1);
	/* It is read once. */
	assert_false(lc_read(&set, T0 + 4 * DAY));
	assert_int_equal(gen(&set, 3)->absent_until, T0 + 3 * DAY);
}

/* One that signs before that stays early, whatever the clock says. */
static void
an_early_key_is_known_when_it_was_read(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);

	(void)state;
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	lc_promote(&set, 3, &env);
	assert_true(lc_is_early(gen(&set, 3)));
	assert_true(lc_is_unread(&set));
	env.now = T0 + 9 * DAY;
	assert_false(lc_is_known(&set, &env, gen(&set, 3)));
	expect_never(&set, env, LC_KNOWN);
	assert_true(lc_read(&set, T0 + 6));
	assert_true(lc_is_known(&set, &env, gen(&set, 3)));
}

/* Published long ago, and read by none: its time is not over. */
static void
an_unread_key_is_early_at_any_time(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);
	struct lc_step publish = {LC_PUBLISH, 3, T0 + 5, ""};

	(void)state;
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	lc_apply(&set, &publish, &env);
	env.now = T0 + 9 * DAY;
	lc_promote(&set, 3, &env);
	assert_true(lc_is_early(gen(&set, 3)));
	assert_false(lc_is_known(&set, &env, gen(&set, 3)));
}

/* What an earlier set of the name left is served until the new one is read. */
static void
an_earlier_set_is_served_until_then(void **state)
{
	struct lc_set set = fresh();
	struct key_set_facts was = set.facts;
	struct lc_env env = at(T0);
	struct lc_step start = {LC_START, 0, T0, ""};
	struct lc_step publish = {LC_PUBLISH, 3, T0, ""};

	(void)state;
	was.policy.verifier_max_age += 1000;
	lc_follow(&set, &was, T0 + 1);
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	lc_apply(&set, &start, &env);
	assert_false(lc_is_unread(&set));
	assert_int_equal(lc_signs_at(&set), T0 + IPUB + 1000);
	lc_make_unread(&set);
	assert_true(lc_is_unread(&set));
	expect_never(&set, at(T0 + 9 * DAY), LC_READY);
	assert_true(lc_read(&set, T0 + 1 + DAY));
	assert_int_equal(set.facts.follows_at, T0 + 1 + DAY);
	assert_int_equal(lc_signs_at(&set), T0 + DAY + IPUB + 1000);
	/* That was the earlier one's end; later versions move nothing. */
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	lc_apply(&set, &publish, &env);
	assert_true(lc_read(&set, T0 + 2 * DAY));
	assert_int_equal(set.facts.follows_at, T0 + 1 + DAY);
	assert_int_equal(lc_signs_at(&set), T0 + DAY + IPUB + 1000);
}

static void
ready_waits_for_copies_from_before_a_policy_change(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0);

	(void)state;
	set.facts.copies_until = T0 + IPUB + 1;
	lc_promote(&set, 2, &env);
	settle(&set, env);
	assert_int_equal(gen(&set, 3)->ready_due, T0 + IPUB + 1);
	set = started();
	set.facts.copies_until = T0 + IPUB - 1;
	lc_promote(&set, 2, &env);
	settle(&set, env);
	assert_int_equal(gen(&set, 3)->ready_due, T0 + IPUB);
}

static void
ready_is_held_while_frozen_distrusted_or_not_served(void **state)
{
	struct lc_set set = rotated();
	struct lc_env env = at(T0);

	(void)state;
	env.clock_trusted = false;
	expect_never(&set, env, LC_READY);
	env = at(T0);
	env.serving = false;
	expect_never(&set, env, LC_READY);
	env = at(T0);
	set.facts.frozen = true;
	expect_never(&set, env, LC_READY);
	set.facts.frozen = false;
	set.facts.policy.mode = JW_MODE_FROZEN;
	expect_never(&set, env, LC_READY);
	set.facts.policy.mode = JW_MODE_MANUAL;
	settle(&set, at(T0 + IPUB));
	expect_state(&set, 3, GEN_READY);
}

/* ---- T4 ---- */

static void
rotation_happens_at_the_end_of_the_period(void **state)
{
	struct lc_set set = started();
	int64_t due = T0 + 30 * DAY;

	(void)state;
	expect_due(&set, LC_PROMOTE, 2, due);
	settle(&set, at(due - 1));
	expect_state(&set, 1, GEN_ACTIVE);
	settle(&set, at(due));
	expect_state(&set, 1, GEN_RETIRED);
	expect_state(&set, 2, GEN_ACTIVE);
	expect_state(&set, 3, GEN_PUBLISHED);
	assert_int_equal(gen(&set, 1)->retired_at, due);
	assert_int_equal(gen(&set, 1)->destroy_due, due + 1 + HOUR);
	assert_int_equal(gen(&set, 1)->remove_due, due + IRET);
	assert_int_equal(gen(&set, 2)->activated_at, due);
	assert_int_equal(gen(&set, 2)->rotate_due, due + 30 * DAY);
	assert_int_equal(gen(&set, 2)->ready_at, T0);
}

static void
rotation_waits_for_a_ready_standby(void **state)
{
	struct lc_set set = rotated();
	struct lc_env env = at(T0 + 60 * DAY);

	(void)state;
	gen(&set, 3)->ready_due = T0 + 90 * DAY;
	settle(&set, env);
	expect_state(&set, 2, GEN_ACTIVE);
	assert_string_equal(lc_overdue(&set, &env), "the standby is not ready");
	settle(&set, at(T0 + 90 * DAY));
	expect_state(&set, 3, GEN_ACTIVE);
}

static void
rotation_is_held_while_frozen_or_distrusted_or_manual(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0);

	(void)state;
	env.clock_trusted = false;
	expect_never(&set, env, LC_PROMOTE);
	env.clock_trusted = true;
	set.facts.frozen = true;
	expect_never(&set, env, LC_PROMOTE);
	set.facts.frozen = false;
	set.facts.policy.mode = JW_MODE_FROZEN;
	set.facts.wanted_at = T0;
	expect_never(&set, env, LC_PROMOTE);
	set.facts.wanted_at = 0;
	set.facts.policy.mode = JW_MODE_MANUAL;
	expect_never(&set, env, LC_PROMOTE);
	set.facts.wanted_at = T0 + 9;
	expect_due(&set, LC_PROMOTE, 2, T0 + 9);
	assert_string_equal(
	    lc_next(&set, &env).cause, "an operator asked for it");
	env.clock_trusted = false;
	expect_never(&set, env, LC_PROMOTE);
}

static void
operator_and_schedule_whichever_is_sooner(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0);
	int64_t due = T0 + 30 * DAY;

	(void)state;
	set.facts.wanted_at = T0 + DAY;
	expect_due(&set, LC_PROMOTE, 2, T0 + DAY);
	assert_string_equal(
	    lc_next(&set, &env).cause, "an operator asked for it");
	set.facts.wanted_at = due - 1;
	expect_due(&set, LC_PROMOTE, 2, due - 1);
	set.facts.wanted_at = due;
	assert_string_equal(lc_next(&set, &env).cause, "rotation is due");
	set.facts.wanted_at = due + 1;
	expect_due(&set, LC_PROMOTE, 2, due);
	assert_string_equal(lc_next(&set, &env).cause, "rotation is due");
	settle(&set, at(due));
	assert_int_equal(set.facts.wanted_at, 0);
}

static void
nobody_signs_means_at_once(void **state)
{
	struct lc_set set = started();
	struct lc_env env = {.now = T0 + 5};

	(void)state;
	gen(&set, 1)->revoked_at = T0 + 5;
	lc_bury(&set);
	set.facts.frozen = true;
	set.facts.policy.mode = JW_MODE_FROZEN;
	assert_int_equal(lc_next(&set, &env).action, LC_PROMOTE);
	assert_int_equal(lc_next(&set, &env).number, 2);
	assert_string_equal(lc_next(&set, &env).cause, "no key signs");
	settle(&set, env);
	expect_state(&set, 2, GEN_ACTIVE);
}

static void
promotion_of_what_is_not_published_publishes_it(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);

	(void)state;
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	lc_promote(&set, 3, &env);
	expect_state(&set, 3, GEN_ACTIVE);
	expect_state(&set, 1, GEN_RETIRED);
	expect_state(&set, 2, GEN_READY);
	assert_int_equal(gen(&set, 3)->published_at, T0 + 5);
	assert_int_equal(gen(&set, 3)->absent_until, 0);
	assert_int_equal(gen(&set, 3)->ready_at, T0 + 5);
	assert_int_equal(set.facts.version, 2);
}

static void
after_a_long_stop_one_rotation_and_no_storm(void **state)
{
	struct lc_set set = started();
	int64_t later = T0 + 400 * DAY;

	(void)state;
	set.facts.policy.standby_count = 2;
	settle(&set, at(T0 + IPUB));
	settle(&set, at(later));
	assert_int_equal(lc_active(&set)->number, 2);
	assert_int_equal(lc_active(&set)->activated_at, later);
	/* Nobody was without the old key for a second. */
	expect_state(&set, 1, GEN_RETIRED);
	assert_int_equal(gen(&set, 1)->retired_at, later);
	settle(&set, at(later + DAY));
	assert_int_equal(lc_active(&set)->number, 2);
}

static void
clock_that_runs_back_undoes_nothing(void **state)
{
	struct lc_set set = rotated(), was = set;

	(void)state;
	settle(&set, (struct lc_env){.now = T0 - 400 * DAY, .serving = true});
	assert_memory_equal(&set, &was, sizeof(set));
	settle(&set, at(T0 - 400 * DAY));
	assert_memory_equal(&set, &was, sizeof(set));
}

/* ---- the end of a generation ---- */

static void
private_half_goes_when_the_rollback_window_ends(void **state)
{
	struct lc_set set = rotated();
	struct lc_env env = at(T0);

	(void)state;
	expect_due(&set, LC_DESTROY, 1, T0 + 1 + HOUR);
	env.clock_trusted = false;
	expect_never(&set, env, LC_DESTROY);
	settle(&set, at(T0 + 1 + HOUR));
	assert_int_equal(gen(&set, 1)->destroyed_at, T0 + 1 + HOUR);
	expect_state(&set, 1, GEN_RETIRED);
	assert_int_equal(set.facts.version, rotated().facts.version);
}

static void
retired_is_removed_when_no_token_can_carry_it(void **state)
{
	struct lc_set set = rotated();
	int64_t version;

	(void)state;
	settle(&set, at(T0 + 1 + HOUR));
	version = set.facts.version;
	expect_due(&set, LC_REMOVE, 1, T0 + IRET);
	settle(&set, at(T0 + IRET - 1));
	expect_state(&set, 1, GEN_RETIRED);
	settle(&set, at(T0 + IRET));
	assert_null(lc_find(&set, 1));
	assert_int_equal(set.facts.version, version + 1);
}

static void
removal_waits_for_each_part_of_iret(void **state)
{
	static const char *const parts[] = {
	    "signer_drain", "token_max_ttl", "clock_skew", "retire_safety"};

	(void)state;
	for (size_t i = 0; i < COUNT(parts); i++) {
		struct lc_set set = started();
		const struct jw_param *p = jw_policy_param_snake(parts[i]);

		jw_policy_set(&set.facts.policy, p,
		    jw_policy_get(&set.facts.policy, p) + 17);
		lc_promote(&set, 2, &(struct lc_env){.now = T0});
		settle(&set, at(T0 + 1 + HOUR));
		expect_due(&set, LC_REMOVE, 1, T0 + IRET + 17);
	}
}

static void
removal_waits_for_the_largest_exp(void **state)
{
	struct lc_set set = rotated();

	(void)state;
	settle(&set, at(T0 + 1 + HOUR));
	gen(&set, 1)->max_exp = T0 + 2 * HOUR;
	expect_due(&set, LC_REMOVE, 1, T0 + 2 * HOUR + 300 + HOUR);
	gen(&set, 1)->max_exp = T0 + 60;
	expect_due(&set, LC_REMOVE, 1, T0 + IRET);
}

static void
removal_is_never_shortened_by_a_change_of_policy(void **state)
{
	struct lc_set set = rotated();

	(void)state;
	settle(&set, at(T0 + 1 + HOUR));
	set.facts.policy.token_max_ttl = 60;
	set.facts.policy.retire_safety = 0;
	expect_due(&set, LC_REMOVE, 1, T0 + IRET);
	/* Nor that of a key that signed under the old one before. */
	set = started();
	set.facts.tokens_until = T0 + IRET + 99;
	lc_promote(&set, 2, &(struct lc_env){.now = T0});
	settle(&set, at(T0 + 1 + HOUR));
	expect_due(&set, LC_REMOVE, 1, T0 + IRET + 99);
}

static void
removal_is_held_while_frozen_or_distrusted(void **state)
{
	struct lc_set set = rotated();
	struct lc_env env = at(T0);

	(void)state;
	env.clock_trusted = false;
	expect_never(&set, env, LC_REMOVE);
	env.clock_trusted = true;
	set.facts.frozen = true;
	expect_never(&set, env, LC_REMOVE);
	set.facts.frozen = false;
	set.facts.policy.mode = JW_MODE_MANUAL;
	settle(&set, at(T0 + IRET));
	assert_null(lc_find(&set, 1));
}

static void
removal_takes_the_private_half_along(void **state)
{
	struct lc_set set = rotated();
	struct lc_step step = {LC_REMOVE, 1, T0 + IRET, ""};

	(void)state;
	lc_apply(&set, &step, &(struct lc_env){.now = T0 + IRET});
	assert_int_equal(gen(&set, 1)->removed_at, T0 + IRET);
	assert_int_equal(gen(&set, 1)->destroyed_at, T0 + IRET);
	expect_state(&set, 1, GEN_REMOVED);
	set = rotated();
	gen(&set, 1)->destroyed_at = T0 + 1 + HOUR;
	lc_apply(&set, &step, &(struct lc_env){.now = T0 + IRET});
	assert_int_equal(gen(&set, 1)->destroyed_at, T0 + 1 + HOUR);
}

/* ---- publication and version ---- */

static void
publication_is_active_then_coming_then_gone_newest_first(void **state)
{
	static const struct {
		enum gen_state state;
		size_t place; /* 1-based; 0: not published */
	} rows[] = {
	    {GEN_RETIRED, 6},
	    {GEN_RETIRED, 5},
	    {GEN_ACTIVE, 1},
	    {GEN_REMOVED, 0},
	    {GEN_READY, 4},
	    {GEN_PUBLISHED, 3},
	    {GEN_READY, 2},
	    {GEN_PENDING, 0},
	    {GEN_REVOKED, 0},
	};
	struct lc_set set = fresh();
	size_t index[MODEL_GENERATIONS_MAX];

	(void)state;
	set.count = COUNT(rows);
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum gen_state s = rows[i].state;

		set.gens[i] = (struct generation){
		    .number = (int64_t)i + 1,
		    .published_at = s != GEN_PENDING,
		    .ready_at = s == GEN_READY,
		    .activations = s == GEN_ACTIVE || s == GEN_RETIRED,
		    .retirements = s == GEN_RETIRED,
		    .removed_at = s == GEN_REMOVED,
		    .revoked_at = s == GEN_REVOKED,
		};
		assert_int_equal(lc_state(&set.gens[i]), s);
	}
	assert_int_equal(lc_publication(&set, index), 6);
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].place != 0)
			assert_int_equal(index[rows[i].place - 1], i);
	assert_int_equal(lc_count(&set, GEN_RETIRED), 2);
	assert_int_equal(lc_count(&set, GEN_PENDING), 1);
	lc_bury(&set);
	assert_int_equal(set.count, 7);
	assert_int_equal(set.gens[3].number, 5);
}

static void
version_moves_with_the_published_bytes_alone(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);

	(void)state;
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 0));
	assert_int_equal(set.facts.version, 1);
	settle(&set, env); /* published */
	assert_int_equal(set.facts.version, 2);
	assert_int_equal(set.facts.version_at, T0 + 5);
	settle(&set, at(T0 + 5 + IPUB)); /* ready: the same bytes */
	expect_state(&set, 3, GEN_READY);
	assert_int_equal(set.facts.version, 2);
	env.now = T0 + 5 + IPUB;
	lc_promote(&set, 2, &env);
	assert_int_equal(set.facts.version, 3);
	settle(&set, at(env.now + HOUR)); /* destroyed */
	assert_int_equal(set.facts.version, 3);
	settle(&set, at(env.now + IRET)); /* removed */
	assert_int_equal(set.facts.version, 4);
	assert_int_equal(set.facts.version_at, env.now + IRET);
}

static void
version_at_never_runs_back(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 - 9999);

	(void)state;
	lc_promote(&set, 2, &env);
	assert_int_equal(set.facts.version, 2);
	assert_int_equal(set.facts.version_at, T0 + 1);
}

static void
touch_compares_what_is_published(void **state)
{
	struct lc_set before = started(), after = before;
	struct lc_env env = at(T0 + 7);

	(void)state;
	after.facts.policy.rotation_period++;
	lc_touch(&before, &after, &env);
	assert_int_equal(after.facts.version, 1);
	after.gens[1].revoked_at = T0 + 7;
	lc_touch(&before, &after, &env);
	assert_int_equal(after.facts.version, 2);
	assert_int_equal(after.facts.version_at, T0 + 7);
}

/* ---- jitter ---- */

static void
jitter_only_shortens_and_by_two_percent_at_most(void **state)
{
	static const int32_t periods[] = {1, 49, 50, 51, 1000, 30 * DAY};
	static const uint32_t spreads[] = {
	    0, 1, 2, 51840, 51841, 12345678, UINT32_MAX};

	(void)state;
	for (size_t p = 0; p < COUNT(periods); p++)
		for (size_t s = 0; s < COUNT(spreads); s++) {
			struct lc_set set = fresh();
			struct lc_env env = at(T0);
			int64_t early;

			set.facts.policy.rotation_period = periods[p];
			lc_add(&set, &env, JW_ALG_ES256, spreads[s]);
			lc_add(&set, &env, JW_ALG_ES256, 0);
			settle(&set, env);
			early = T0 + periods[p] - gen(&set, 1)->rotate_due;
			assert_true(early >= 0);
			assert_true(early <= periods[p] / 50);
			assert_int_equal(early,
			    spreads[s] % (uint32_t)(periods[p] / 50 + 1));
		}
}

static void
spread_comes_from_the_kid_alone(void **state)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789-_";
	int buckets[8] = {0};
	char kid[6] = "AAAAA";

	(void)state;
	assert_int_equal(lc_spread(""), 0);
	assert_int_equal(lc_spread("AAAAAzzz"), 0);
	assert_int_equal(lc_spread("AAAAB"), 1);
	assert_int_equal(lc_spread("_____x"), (1u << 30) - 1);
	assert_int_equal(lc_spread("_____"), lc_spread("_____yyyyy"));
	assert_int_equal(lc_spread("B!"), 64);
	/* Every character counts, and evenly. */
	for (int i = 0; i < 64; i++)
		for (int j = 0; j < 64; j++) {
			kid[3] = set[i];
			kid[4] = set[j];
			assert_int_equal(lc_spread(kid), i * 64 + j);
			buckets[lc_spread(kid) % 8]++;
		}
	for (int i = 0; i < 8; i++)
		assert_int_equal(buckets[i], 512);
}

/* ---- a change of algorithm ---- */

static void
new_algorithm_comes_through_the_standby(void **state)
{
	struct lc_set set = started();
	int64_t t = T0 + DAY;

	(void)state;
	set.facts.policy.algorithm = JW_ALG_EDDSA;
	settle(&set, at(t));
	expect_state(&set, 1, GEN_ACTIVE);
	expect_state(&set, 2, GEN_READY);
	expect_state(&set, 3, GEN_PUBLISHED);
	assert_int_equal(gen(&set, 3)->alg, JW_ALG_EDDSA);
	/* The old standby is ready, but the next to sign is the new one. */
	assert_int_equal(lc_standby(&set)->number, 3);
	settle(&set, at(t + IPUB));
	expect_state(&set, 3, GEN_READY);
	expect_state(&set, 2, GEN_READY);
	settle(&set, at(T0 + 30 * DAY));
	expect_state(&set, 3, GEN_ACTIVE);
	expect_state(&set, 1, GEN_RETIRED);
	/* What never signed is not needed any more. */
	assert_null(lc_find(&set, 2));
	assert_int_equal(lc_count(&set, GEN_PUBLISHED), 1);
}

static void
obsolete_standby_leaves_with_its_cause(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);
	struct lc_step step;

	(void)state;
	set.facts.policy.algorithm = JW_ALG_EDDSA;
	settle(&set, at(T0 + IPUB));
	env.now = T0 + 2 * IPUB;
	lc_promote(&set, 3, &env);
	env.pairs_coming = 1;
	step = lc_next(&set, &env);
	assert_int_equal(step.action, LC_REMOVE);
	assert_int_equal(step.number, 2);
	assert_string_equal(step.cause, "its algorithm is no longer wanted");
	env.clock_trusted = false;
	assert_int_not_equal(lc_next(&set, &env).action, LC_REMOVE);
	env.clock_trusted = true;
	set.facts.frozen = true;
	assert_int_not_equal(lc_next(&set, &env).action, LC_REMOVE);
}

/* Until the new one signs, the old standby is the reserve. */
static void
old_standby_stays_while_the_old_algorithm_signs(void **state)
{
	struct lc_set set = started();

	(void)state;
	set.facts.policy.algorithm = JW_ALG_EDDSA;
	settle(&set, at(T0 + 29 * DAY));
	expect_state(&set, 2, GEN_READY);
	assert_int_equal(set.count, 3);
}

/* However often it changes: the set never fills up with reserves. */
static void
many_changes_of_algorithm_do_not_block_each_other(void **state)
{
	struct lc_set set = started();

	(void)state;
	for (int alg = 0; alg < JW_ALG_COUNT; alg++) {
		set.facts.policy.algorithm = alg;
		settle(&set, at(T0 + alg));
		assert_int_equal(lc_count(&set, GEN_PENDING), 0);
		assert_int_equal(lc_standby(&set)->alg, alg);
	}
	settle(&set, at(T0 + 29 * DAY));
	/* The reserve of the algorithm that signs is not among those. */
	expect_state(&set, 2, GEN_READY);
	assert_int_equal(set.count, 3);
	settle(&set, at(T0 + 30 * DAY));
	assert_int_equal(lc_active(&set)->alg, JW_ALG_COUNT - 1);
}

static void
standby_is_of_the_algorithm_then_most_advanced(void **state)
{
	struct lc_set set = fresh();

	(void)state;
	assert_null(lc_standby(&set));
	set.count = 4;
	for (size_t i = 0; i < 4; i++)
		set.gens[i] = (struct generation){
		    .number = (int64_t)i + 1, .alg = JW_ALG_ES256};
	assert_int_equal(lc_standby(&set)->number, 1);
	set.gens[1].published_at = T0;
	assert_int_equal(lc_standby(&set)->number, 2);
	set.gens[2].published_at = set.gens[2].ready_at = T0;
	assert_int_equal(lc_standby(&set)->number, 3);
	set.facts.policy.algorithm = JW_ALG_RS256;
	set.gens[3].alg = JW_ALG_RS256;
	assert_int_equal(lc_standby(&set)->number, 4);
	set.gens[3].verify_only = true;
	assert_int_equal(lc_standby(&set)->number, 3);
	set.gens[2].destroyed_at = T0;
	assert_int_equal(lc_standby(&set)->number, 2);
}

/* ---- what is told ---- */

static void
ready_time_says_what_is_known(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 5);

	(void)state;
	assert_int_equal(lc_ready_time(&set, &env), T0);
	lc_promote(&set, 2, &env);
	assert_int_equal(lc_ready_time(&set, &env), T0 + 5 + IPUB);
	env.now += 10;
	assert_int_equal(lc_ready_time(&set, &env), T0 + 15 + IPUB);
	lc_add(&set, &env, JW_ALG_ES256, 0);
	env.now += 10;
	assert_int_equal(lc_ready_time(&set, &env), T0 + 25 + IPUB);
	settle(&set, env);
	env.now += 10;
	assert_int_equal(lc_ready_time(&set, &env), T0 + 25 + IPUB);
}

static void
scheduled_for_is_when_it_will_happen(void **state)
{
	struct lc_set set = rotated();

	(void)state;
	assert_int_equal(lc_scheduled_for(&set), 0);
	set.facts.wanted_at = T0 + 1;
	assert_int_equal(lc_scheduled_for(&set), T0 + IPUB);
	settle(&set, at(T0 + IPUB - 1));
	expect_state(&set, 2, GEN_ACTIVE);
	settle(&set, at(T0 + IPUB));
	expect_state(&set, 3, GEN_ACTIVE);
	assert_int_equal(lc_scheduled_for(&set), 0);
	set = rotated();
	set.facts.wanted_at = T0 + 2 * IPUB;
	assert_int_equal(lc_scheduled_for(&set), T0 + 2 * IPUB);
}

static void
overdue_says_why(void **state)
{
	struct lc_set set = started();
	struct lc_env env = at(T0 + 30 * DAY - 1);

	(void)state;
	assert_null(lc_overdue(&set, &env));
	env.now++;
	assert_null(lc_overdue(&set, &env));
	env.clock_trusted = false;
	assert_string_equal(lc_overdue(&set, &env), "the clock is not trusted");
	set.facts.policy.mode = JW_MODE_MANUAL;
	assert_string_equal(lc_overdue(&set, &env), "the mode is manual");
	set.facts.frozen = true;
	assert_string_equal(lc_overdue(&set, &env), "rotation is frozen");
	env.now--;
	assert_null(lc_overdue(&set, &env));
	set = fresh();
	assert_null(lc_overdue(&set, &env));
	set = started();
	gen(&set, 2)->revoked_at = T0;
	lc_bury(&set);
	env = at(T0 + 30 * DAY);
	assert_string_equal(lc_overdue(&set, &env), "the standby is not ready");
}

static void
mode_in_force_is_frozen_whatever_the_policy_says(void **state)
{
	struct lc_set set = fresh();

	(void)state;
	assert_int_equal(lc_mode(&set), JW_MODE_AUTO);
	set.facts.policy.mode = JW_MODE_MANUAL;
	assert_int_equal(lc_mode(&set), JW_MODE_MANUAL);
	set.facts.frozen = true;
	assert_int_equal(lc_mode(&set), JW_MODE_FROZEN);
}

static void
differences_are_told_signer_first(void **state)
{
	struct lc_set before = started(), after = before;
	struct lc_change c[8];
	struct lc_env env = at(T0 + 5);

	(void)state;
	assert_int_equal(lc_diff(&before, &after, c, 8), 0);
	lc_promote(&after, 2, &env);
	lc_add(&after, &env, JW_ALG_ES256, 0);
	assert_int_equal(lc_diff(&before, &after, c, 8), 3);
	assert_int_equal(c[0].number, 2);
	assert_true(c[0].has_from);
	assert_int_equal(c[0].from, GEN_READY);
	assert_int_equal(c[0].to, GEN_ACTIVE);
	assert_int_equal(c[1].number, 1);
	assert_int_equal(c[1].from, GEN_ACTIVE);
	assert_int_equal(c[1].to, GEN_RETIRED);
	assert_int_equal(c[2].number, 3);
	assert_false(c[2].has_from);
	assert_int_equal(c[2].to, GEN_PENDING);
	c[1].number = -1;
	assert_int_equal(lc_diff(&before, &after, c, 1), 1);
	assert_int_equal(c[0].number, 2);
	assert_int_equal(c[0].to, GEN_ACTIVE);
	assert_int_equal(c[1].number, -1);
	assert_int_equal(lc_diff(&before, &after, c, 2), 2);
	assert_int_equal(c[0].number, 2);
	assert_int_equal(c[1].number, 1);
	assert_int_equal(lc_diff(&before, &after, c, 0), 0);
}

/* ---- plan ---- */

static void
plan_tells_a_whole_cycle(void **state)
{
	static const struct {
		int64_t time, number;
		enum gen_state to;
	} rows[] = {
	    {30 * DAY, 2, GEN_ACTIVE},
	    {30 * DAY, 1, GEN_RETIRED},
	    {30 * DAY, 3, GEN_PENDING},
	    {30 * DAY, 3, GEN_PUBLISHED},
	    {30 * DAY + IRET, 1, GEN_REMOVED},
	    {30 * DAY + IPUB, 3, GEN_READY},
	    {60 * DAY, 3, GEN_ACTIVE},
	    {60 * DAY, 2, GEN_RETIRED},
	    {60 * DAY, 4, GEN_PENDING},
	    {60 * DAY, 4, GEN_PUBLISHED},
	};
	struct lc_set set = started(), scratch = set;
	struct lc_env env = at(T0 + 5);
	struct lc_change c[32];
	size_t n;

	(void)state;
	env.pairs_coming = 3; /* none of the future's business */
	n = lc_plan(&scratch, env, T0 + 60 * DAY, c, COUNT(c));
	assert_int_equal(n, COUNT(rows));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(c[i].time, T0 + rows[i].time);
		assert_int_equal(c[i].number, rows[i].number);
		assert_int_equal(c[i].to, rows[i].to);
		assert_non_null(c[i].cause);
	}
	scratch = set;
	assert_int_equal(
	    lc_plan(&scratch, env, T0 + 30 * DAY - 1, c, COUNT(c)), 0);
	scratch = set;
	c[3].time = -7;
	assert_int_equal(lc_plan(&scratch, env, T0 + 60 * DAY, c, 3), 3);
	assert_int_equal(c[3].time, -7);
	scratch = set;
	assert_int_equal(lc_plan(&scratch, env, T0 + 60 * DAY, c, 0), 0);
	/* Tombstones on the way are left behind. */
	scratch = set;
	assert_int_equal(
	    lc_plan(&scratch, env, LC_NEVER - 1, c, COUNT(c)), COUNT(c));
	for (size_t i = 0; i < scratch.count; i++)
		assert_true(lc_state(&scratch.gens[i]) < GEN_REMOVED);
	env.clock_trusted = false;
	scratch = set;
	assert_int_equal(lc_plan(&scratch, env, T0 + 999 * DAY, c, 32), 0);
}

/* ---- random lives ---- */

struct random {
	uint64_t state;
};

static uint64_t
draw(struct random *r, uint64_t below)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (r->state * UINT64_C(0x2545f4914f6cdd1d) >> 16) % below;
}

static uint64_t
seed(void)
{
	const char *text = getenv("JWKSD_SEED");
	uint64_t value = text != NULL ? strtoull(text, NULL, 10)
				      : (uint64_t)time(NULL) * 2 + 1;

	print_message("JWKSD_SEED=%llu\n", (unsigned long long)value);
	return value == 0 ? 1 : value;
}

static int32_t
upto(struct random *r, int32_t low, int32_t high)
{
	return low + (int32_t)draw(r, (uint64_t)(high - low) + 1);
}

/* A policy that is accepted: of seconds, or of hours and days. */
static struct jw_policy
random_policy(struct random *r)
{
	struct jw_policy p;
	int32_t unit;

	do {
		jw_policy_init(&p);
		unit = draw(r, 2) == 0 ? 1 : 600;
		p.cache_stale_while_revalidate = upto(r, 0, 3);
		p.cache_stale_if_error = upto(r, 0, 3);
		p.cache_max_age = upto(r, 1, 5);
		p.verifier_max_age = unit * upto(r, 8, 60);
		p.propagation_delay = unit * upto(r, 0, 5);
		p.publish_safety = unit * upto(r, 0, 3);
		p.token_max_ttl = unit * upto(r, 1, 60);
		p.clock_skew = unit * upto(r, 0, 5);
		p.signer_drain = unit * upto(r, 0, 3);
		p.retire_safety = unit * upto(r, 0, 3);
		p.rollback_window = unit * upto(r, 0, 10);
		p.standby_count = upto(r, 1, 3);
		p.max_published_keys = 10;
		p.rotation_period = unit * upto(r, 20, 300);
	} while (jw_policy_check(&p, NULL, NULL) != JW_OK);
	return p;
}

/* What was published and who signed, since when. */
struct version {
	int64_t time;
	size_t count;
	int64_t numbers[16];
};
struct crypto_signer {
	int64_t time;
	int64_t number;
};
struct history {
	size_t nversions, nsigners;
	struct version versions[4096];
	struct crypto_signer signers[2048];
};

static void
record(struct history *h, const struct lc_set *set, int64_t now)
{
	size_t index[MODEL_GENERATIONS_MAX];
	const struct generation *active = lc_active(set);
	struct version v = {.time = now};

	if (h->nversions == COUNT(h->versions) ||
	    h->nsigners == COUNT(h->signers) || set->facts.version == 0)
		return;
	v.count = lc_publication(set, index);
	assert_in_range(v.count, 1, 10);
	for (size_t i = 0; i < v.count; i++)
		v.numbers[i] = set->gens[index[i]].number;
	h->versions[h->nversions++] = v;
	if (h->nsigners == 0 ||
	    h->signers[h->nsigners - 1].number != active->number)
		h->signers[h->nsigners++] =
		    (struct crypto_signer){now, active->number};
}

static bool
was_published(const struct history *h, int64_t when, int64_t number)
{
	size_t low = 0, high = h->nversions;

	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (h->versions[mid].time <= when)
			low = mid;
		else
			high = mid;
	}
	for (size_t i = 0; i < h->versions[low].count; i++)
		if (h->versions[low].numbers[i] == number)
			return true;
	return false;
}

/*
 * One token, one verifier: the copy is `age` old and came from a replica that
 * lags by `lag`.  Before the first version there was no copy.
 */
static void
verify(const struct history *h, int64_t number, int64_t now, int64_t age,
    int64_t lag)
{
	int64_t seen = now - age - lag;

	if (seen < h->versions[0].time)
		seen = h->versions[0].time;
	if (!was_published(h, seen, number))
		fail_msg("a token of generation %lld is rejected at %lld by a "
			 "copy %lld s old of a replica %lld s behind",
		    (long long)number, (long long)now, (long long)age,
		    (long long)lag);
}

/*
 * Worst cases: first and last moment of a signer, every edge of a copy.  At
 * exp itself a token is no longer valid (RFC 7519 section 4.1.4).
 */
static size_t
verify_all(const struct history *h, const struct jw_policy *p, int64_t end)
{
	size_t n = 0;

	for (size_t i = 0; i + 1 < h->nsigners; i++) {
		int64_t from = h->signers[i].time;
		int64_t to = h->signers[i + 1].time + p->signer_drain;
		const int64_t moments[] = {from, from + 1,
		    from + p->verifier_max_age, to,
		    to + p->token_max_ttl + p->clock_skew - 1};
		const int64_t ages[] = {
		    0, 1, p->verifier_max_age - 1, p->verifier_max_age};
		const int64_t lags[] = {0, p->propagation_delay};

		for (size_t m = 0; m < COUNT(moments); m++)
			for (size_t a = 0; a < COUNT(ages); a++)
				for (size_t l = 0; l < COUNT(lags); l++) {
					if (moments[m] > end ||
					    (m == 2 && moments[m] > to))
						continue;
					verify(h, h->signers[i].number,
					    moments[m], ages[a], lags[l]);
					n++;
				}
	}
	return n;
}

/* What holds after every single step. */
static void
check_step(const struct lc_set *before, const struct lc_set *set)
{
	assert_true(set->count <= MODEL_GENERATIONS_MAX);
	assert_true(lc_count(set, GEN_ACTIVE) <= 1);
	if (before->facts.version > 0)
		assert_int_equal(lc_count(set, GEN_ACTIVE), 1);
	assert_true(set->facts.version_at >= before->facts.version_at);
	assert_in_range(set->facts.version - before->facts.version, 0, 1);
	for (size_t i = 0; i < before->count; i++) {
		const struct generation *was = &before->gens[i];
		const struct generation *is = lc_find(set, was->number);

		assert_non_null(is);
		assert_true(lc_state(is) >= lc_state(was));
		assert_true(is->ready_at >= was->ready_at);
		assert_true(lc_state(is) != GEN_ACTIVE || lc_has_private(is));
	}
}

struct life {
	struct random *random;
	struct lc_set set;
	struct lc_env env;
	struct history *history;
	size_t rotations;
	size_t steps;
	int64_t last_promotion;
};

static void
live_step(struct life *life, const struct lc_step *step)
{
	struct lc_set before = life->set;

	if (step->action == LC_CREATE) {
		assert_true(lc_add(&life->set, &life->env,
		    life->set.facts.policy.algorithm,
		    (uint32_t)draw(life->random, 1 << 30)));
		if (life->set.facts.version > 0 && draw(life->random, 4) == 0)
			life->set.gens[life->set.count - 1].publish_due +=
			    upto(life->random, 0, 20);
	} else {
		apply(&life->set, step, &life->env);
	}
	check_step(&before, &life->set);
	if (step->action == LC_PROMOTE) {
		life->rotations++;
		/* Never a storm: one a moment at most. */
		assert_int_not_equal(life->last_promotion, life->env.now);
		life->last_promotion = life->env.now;
	}
	if (life->set.facts.version != before.facts.version)
		record(life->history, &life->set, life->env.now);
	lc_bury(&life->set);
	life->steps++;
}

static void
live_wake(struct life *life)
{
	for (;;) {
		struct lc_step step = lc_next(&life->set, &life->env);

		if (step.due > life->env.now)
			return;
		live_step(life, &step);
		assert_true(life->steps < 10000000);
	}
}

/* A plain rotate, as often as an impatient operator likes. */
static void
live_order(struct life *life)
{
	struct lc_rotate order = {.now = false};
	struct lc_set before = life->set;
	struct lc_outcome outcome;

	if (draw(life->random, 4) == 0)
		order.at = life->env.now + upto(life->random, 1, 5000);
	if (lc_rotate(&life->set, &life->env, &order, &outcome) != JW_OK)
		return;
	check_step(&before, &life->set);
	assert_false(outcome.exposed);
	if (life->set.facts.version != before.facts.version)
		record(life->history, &life->set, life->env.now);
}

static size_t
live(struct random *r, const struct jw_policy *policy, int64_t length,
    bool orders, struct life *ret_life)
{
	struct history *history = calloc(1, sizeof(*history));
	struct life life = {
	    .random = r, .set = fresh(), .env = at(T0), .history = history};
	int64_t end = T0 + length;
	size_t checks;

	assert_non_null(history);
	life.set.facts.policy = *policy;
	while (life.env.now < end && history->nversions < 4000 &&
	       history->nsigners < 2000) {
		int64_t due;

		/* Mostly on time; sometimes late, distrusted or unserved. */
		life.env.clock_trusted = draw(r, 20) != 0;
		life.env.serving = draw(r, 20) != 0;
		live_wake(&life);
		if (orders && draw(r, 3) == 0) {
			live_order(&life);
			live_wake(&life);
		}
		due = lc_next(&life.set, &life.env).due;
		if (due == LC_NEVER ||
		    due > life.env.now + policy->rotation_period)
			due = life.env.now + policy->rotation_period / 7 + 1;
		if (orders)
			due = life.env.now +
			      (int64_t)draw(
				  r, (uint64_t)(due - life.env.now) + 1);
		life.env.now = due + (draw(r, 3) == 0 ? upto(r, 0, 40) : 0);
		if (life.env.now == life.last_promotion)
			life.env.now++;
	}
	checks = verify_all(history, policy, life.env.now);
	free(history);
	if (ret_life != NULL)
		*ret_life = life;
	return checks;
}

static void
no_verifier_rejects_under_any_policy(void **state)
{
	struct random r = {seed()};
	size_t checks = 0, rotations = 0;

	(void)state;
	for (int i = 0; i < 150; i++) {
		struct jw_policy policy = random_policy(&r);
		struct life life;

		checks += live(&r, &policy,
		    40 * (int64_t)policy.rotation_period, i % 2 == 1, &life);
		rotations += life.rotations;
	}
	print_message("%zu rotations, %zu checks\n", rotations, checks);
	assert_true(rotations > 1500);
	assert_true(checks > 50000);
}

static void
two_thousand_years_of_the_default_policy(void **state)
{
	struct random r = {seed()};
	struct jw_policy policy;
	size_t rotations = 0;

	(void)state;
	jw_policy_init(&policy);
	for (int i = 0; i < 40; i++) {
		struct life life;

		live(&r, &policy, INT64_C(50) * 365 * DAY, false, &life);
		rotations += life.rotations;
	}
	/* 50 years in periods of 29.4 to 30 days, 40 times. */
	assert_in_range(rotations, 40 * 600, 40 * 630);
}

/* Woken late or not: what was planned happens, no sooner, and in order. */
static void
plan_is_what_then_happens(void **state)
{
	struct random r = {seed()};

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct lc_set set = fresh(), scratch;
		struct lc_change plan[64];
		struct lc_env env = at(T0);
		size_t n, at_change = 0;

		set.facts.policy = random_policy(&r);
		settle(&set, env);
		scratch = set;
		n = lc_plan(&scratch, env, LC_NEVER - 1, plan, 60);
		assert_true(n >= 58);
		/* Wakes every so often; a step is done in its own second. */
		while (at_change < n) {
			struct lc_set before = set;
			struct lc_step step = lc_next(&set, &env);
			struct lc_change now[8];
			size_t k;

			if (step.due > env.now) {
				int64_t wait = upto(&r, 1, 30);

				env.now += step.due - env.now < wait
					       ? step.due - env.now
					       : wait;
				continue;
			}
			apply(&set, &step, &env);
			k = lc_diff(&before, &set, now, COUNT(now));
			for (size_t j = 0; j < k && at_change < n; j++) {
				assert_int_equal(plan[at_change].time, env.now);
				assert_int_equal(
				    plan[at_change].number, now[j].number);
				assert_int_equal(plan[at_change].to, now[j].to);
				assert_string_equal(
				    plan[at_change].cause, step.cause);
				at_change++;
			}
			lc_bury(&set);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(state_follows_from_facts_alone),
	    cmocka_unit_test(states_have_the_names_of_the_interfaces),
	    cmocka_unit_test(private_half_is_there_until_destroyed),
	    cmocka_unit_test(
		first_start_wants_two_key_pairs_and_waits_for_both),
	    cmocka_unit_test(first_version_holds_signer_and_ready_standby),
	    cmocka_unit_test(first_start_follows_the_standby_count),
	    cmocka_unit_test(first_start_waits_for_nobody),
	    cmocka_unit_test(removed_key_set_does_nothing),
	    cmocka_unit_test(missing_standby_is_created_once),
	    cmocka_unit_test(new_generation_has_its_number_for_ever),
	    cmocka_unit_test(no_more_generations_than_there_is_room_for),
	    cmocka_unit_test(pending_is_published_at_its_time),
	    cmocka_unit_test(publication_is_held_by_neither_mode_nor_clock),
	    cmocka_unit_test(publication_stops_at_max_published_keys),
	    cmocka_unit_test(verify_only_retires_as_it_is_published),
	    cmocka_unit_test(verify_only_never_signs),
	    cmocka_unit_test(published_is_ready_when_old_copies_have_expired),
	    cmocka_unit_test(ready_waits_for_each_part_of_ipub),
	    cmocka_unit_test(ready_waits_until_every_front_has_read),
	    cmocka_unit_test(an_early_key_is_known_when_it_was_read),
	    cmocka_unit_test(an_unread_key_is_early_at_any_time),
	    cmocka_unit_test(an_earlier_set_is_served_until_then),
	    cmocka_unit_test(
		ready_waits_for_copies_from_before_a_policy_change),
	    cmocka_unit_test(
		ready_is_held_while_frozen_distrusted_or_not_served),
	    cmocka_unit_test(rotation_happens_at_the_end_of_the_period),
	    cmocka_unit_test(rotation_waits_for_a_ready_standby),
	    cmocka_unit_test(
		rotation_is_held_while_frozen_or_distrusted_or_manual),
	    cmocka_unit_test(operator_and_schedule_whichever_is_sooner),
	    cmocka_unit_test(nobody_signs_means_at_once),
	    cmocka_unit_test(promotion_of_what_is_not_published_publishes_it),
	    cmocka_unit_test(after_a_long_stop_one_rotation_and_no_storm),
	    cmocka_unit_test(clock_that_runs_back_undoes_nothing),
	    cmocka_unit_test(private_half_goes_when_the_rollback_window_ends),
	    cmocka_unit_test(retired_is_removed_when_no_token_can_carry_it),
	    cmocka_unit_test(removal_waits_for_each_part_of_iret),
	    cmocka_unit_test(removal_waits_for_the_largest_exp),
	    cmocka_unit_test(removal_is_never_shortened_by_a_change_of_policy),
	    cmocka_unit_test(removal_is_held_while_frozen_or_distrusted),
	    cmocka_unit_test(removal_takes_the_private_half_along),
	    cmocka_unit_test(
		publication_is_active_then_coming_then_gone_newest_first),
	    cmocka_unit_test(version_moves_with_the_published_bytes_alone),
	    cmocka_unit_test(version_at_never_runs_back),
	    cmocka_unit_test(touch_compares_what_is_published),
	    cmocka_unit_test(jitter_only_shortens_and_by_two_percent_at_most),
	    cmocka_unit_test(spread_comes_from_the_kid_alone),
	    cmocka_unit_test(new_algorithm_comes_through_the_standby),
	    cmocka_unit_test(obsolete_standby_leaves_with_its_cause),
	    cmocka_unit_test(old_standby_stays_while_the_old_algorithm_signs),
	    cmocka_unit_test(many_changes_of_algorithm_do_not_block_each_other),
	    cmocka_unit_test(standby_is_of_the_algorithm_then_most_advanced),
	    cmocka_unit_test(ready_time_says_what_is_known),
	    cmocka_unit_test(scheduled_for_is_when_it_will_happen),
	    cmocka_unit_test(overdue_says_why),
	    cmocka_unit_test(mode_in_force_is_frozen_whatever_the_policy_says),
	    cmocka_unit_test(differences_are_told_signer_first),
	    cmocka_unit_test(plan_tells_a_whole_cycle),
	    cmocka_unit_test(no_verifier_rejects_under_any_policy),
	    cmocka_unit_test(two_thousand_years_of_the_default_policy),
	    cmocka_unit_test(plan_is_what_then_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
