/*
 * daemon/lifecycle/operator_order.c: `rotate` in every situation, its outcome
 * and the numbers of its exposure by the formulas of the timing rules, and an
 * unchanged set after every refusal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/lifecycle/operator_order.h"
#include "daemon/lifecycle/plan.h"
#include "daemon/lifecycle/reading.h"

#define T0 INT64_C(1800000000)

/* IPUB: from the second in which it is published to the deadline. */
enum { HOUR = 3600, DAY = 86400, IPUB = 1 + 60 + DAY + HOUR };

static struct lc_env
at(int64_t now)
{
	return (struct lc_env){
	    .now = now, .clock_trusted = true, .serving = true};
}

static void
settle(struct lc_set *set, int64_t now)
{
	struct lc_env env = at(now);
	struct lc_step step = lc_next(set, &env);

	for (int i = 0; i < 50 && step.due <= now; i++) {
		lc_apply(set, &step, &env);
		lc_read(set, now + 1);
		lc_bury(set);
		step = lc_next(set, &env);
	}
}

/* 1 is active, 2 is ready. */
static struct lc_set
with_ready(void)
{
	struct lc_set set;

	memset(&set, 0, sizeof(set));
	jw_policy_init(&set.facts.policy);
	set.facts.next_number = 1;
	settle(&set, T0);
	return set;
}

/* 1 is retired, 2 is active, and no standby has been made. */
static struct lc_set
with_none(void)
{
	struct lc_set set = with_ready();
	struct lc_env env = at(T0);

	lc_promote(&set, 2, &env);
	return set;
}

static struct lc_set
with_pending(void)
{
	struct lc_set set = with_none();
	struct lc_env env = at(T0);

	lc_add(&set, &env, JW_ALG_ES256, 0);
	return set;
}

/* 3 was published at T0. */
static struct lc_set
with_published(void)
{
	struct lc_set set = with_none();

	settle(&set, T0);
	return set;
}

static enum gen_state
state_of(const struct lc_set *set, int64_t number)
{
	const struct generation *gen = lc_find(set, number);

	assert_non_null(gen);
	return lc_state(gen);
}

/* The order at T0 + 10 holds. */
static struct lc_outcome
accept(struct lc_set *set, struct lc_rotate order)
{
	struct lc_env env = at(T0 + 10);
	struct lc_outcome out;

	memset(&out, 0x5a, sizeof(out));
	assert_int_equal(lc_rotate(set, &env, &order, &out), JW_OK);
	assert_non_null(out.cause);
	assert_true(out.cause[0] != '\0');
	assert_int_equal(out.actual, 0);
	assert_int_equal(out.ready_at, 0);
	assert_null(out.frozen_by);
	return out;
}

/* It does not, and nothing has changed. */
static struct lc_outcome
refuse(struct lc_set *set, struct lc_rotate order, enum jw_err err)
{
	struct lc_env env = at(T0 + 10);
	struct lc_set was = *set;
	struct lc_outcome out;

	memset(&out, 0x5a, sizeof(out));
	assert_int_equal(lc_rotate(set, &env, &order, &out), err);
	assert_memory_equal(set, &was, sizeof(was));
	assert_int_equal(out.activated, 0);
	assert_int_equal(out.retired, 0);
	assert_int_equal(out.scheduled_for, 0);
	assert_false(out.exposed);
	return out;
}

static void
expect_promoted(const struct lc_set *set, const struct lc_outcome *out,
    int64_t activated, int64_t retired)
{
	assert_int_equal(out->activated, activated);
	assert_int_equal(out->retired, retired);
	assert_int_equal(out->scheduled_for, 0);
	assert_int_equal(state_of(set, activated), GEN_ACTIVE);
	assert_int_equal(state_of(set, retired), GEN_RETIRED);
	assert_int_equal(set->facts.wanted_at, 0);
	assert_int_equal(lc_count(set, GEN_ACTIVE), 1);
}

/* ---- as soon as it is safe ---- */

static void
ready_standby_signs_at_once(void **state)
{
	struct lc_set set = with_ready();
	struct lc_outcome out;

	(void)state;
	set.facts.wanted_at = T0 + DAY;
	out = accept(&set, (struct lc_rotate){.now = false});
	expect_promoted(&set, &out, 2, 1);
	assert_false(out.exposed);
	assert_string_equal(out.cause, "the standby was ready");
	assert_int_equal(set.facts.version, 2);
	assert_int_equal(lc_find(&set, 1)->retired_at, T0 + 10);
}

static void
published_standby_is_scheduled_for_its_ready_time(void **state)
{
	struct lc_set set = with_published();
	struct lc_outcome out = accept(&set, (struct lc_rotate){.now = false});

	(void)state;
	assert_int_equal(out.scheduled_for, T0 + IPUB);
	assert_int_equal(out.activated, 0);
	assert_int_equal(out.retired, 0);
	assert_false(out.exposed);
	assert_int_equal(set.facts.wanted_at, T0 + 10);
	assert_int_equal(lc_scheduled_for(&set), T0 + IPUB);
	assert_int_equal(set.facts.version, with_published().facts.version);
	settle(&set, T0 + IPUB - 1);
	assert_int_equal(state_of(&set, 2), GEN_ACTIVE);
	settle(&set, T0 + IPUB);
	assert_int_equal(state_of(&set, 3), GEN_ACTIVE);
	assert_int_equal(set.facts.wanted_at, 0);
}

static void
missing_standby_is_scheduled_as_well(void **state)
{
	struct lc_set sets[] = {with_none(), with_pending()};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct lc_outcome out =
		    accept(&sets[i], (struct lc_rotate){.now = false});

		assert_int_equal(out.scheduled_for, T0 + 10 + IPUB);
		settle(&sets[i], T0 + 10);
		assert_int_equal(lc_scheduled_for(&sets[i]), T0 + 10 + IPUB);
		settle(&sets[i], T0 + 10 + IPUB);
		assert_int_equal(state_of(&sets[i], 3), GEN_ACTIVE);
	}
}

/* Out of impatience nothing comes sooner, nor later. */
static void
asking_again_moves_nothing(void **state)
{
	struct lc_set set = with_published(), once;
	struct lc_env later = at(T0 + 500);
	struct lc_rotate order = {.now = false};
	struct lc_outcome out, again;

	(void)state;
	out = accept(&set, order);
	once = set;
	assert_int_equal(lc_rotate(&set, &later, &order, &again), JW_OK);
	assert_memory_equal(&set, &once, sizeof(set));
	assert_int_equal(again.scheduled_for, out.scheduled_for);
}

static void
asking_brings_a_later_schedule_forward(void **state)
{
	struct lc_set set = with_published();
	struct lc_outcome out;

	(void)state;
	set.facts.wanted_at = T0 + 9 * DAY;
	out = accept(&set, (struct lc_rotate){.now = false});
	assert_int_equal(set.facts.wanted_at, T0 + 10);
	assert_int_equal(out.scheduled_for, T0 + IPUB);
}

static void
manual_mode_obeys_an_operator(void **state)
{
	struct lc_set set = with_ready();
	struct lc_outcome out;

	(void)state;
	set.facts.policy.mode = JW_MODE_MANUAL;
	out = accept(&set, (struct lc_rotate){.now = false});
	expect_promoted(&set, &out, 2, 1);
	settle(&set, T0 + 10);
	accept(&set, (struct lc_rotate){.now = false});
	settle(&set, T0 + 10 + IPUB);
	assert_int_equal(state_of(&set, 3), GEN_ACTIVE);
}

/* ---- now ---- */

static void
now_with_a_ready_standby_exposes_nobody(void **state)
{
	struct lc_set set = with_ready();
	struct lc_outcome out = accept(&set, (struct lc_rotate){.now = true});

	(void)state;
	expect_promoted(&set, &out, 2, 1);
	assert_false(out.exposed);
}

static void
now_says_who_may_reject_until_when(void **state)
{
	struct lc_set set = with_published();
	struct lc_outcome out = accept(&set, (struct lc_rotate){.now = true});
	const struct lc_exposure *e = &out.exposure;

	(void)state;
	expect_promoted(&set, &out, 3, 2);
	assert_true(out.exposed);
	assert_string_equal(out.cause, "an operator would not wait");
	/* The last copies without it were served until T0 + 1 + D. */
	assert_int_equal(
	    e->reject_new_tokens.honours_cache_control, T0 + 61 + 300);
	assert_int_equal(
	    e->reject_new_tokens.polls_within_max_age, T0 + 61 + DAY);
	assert_int_equal(e->reject_new_tokens.never_expires, 0);
	assert_int_equal(e->until, T0 + 61 + DAY);
	assert_int_equal(e->accept_old_tokens.honours_cache_control, 0);
	assert_int_equal(e->accept_old_tokens.polls_within_max_age, 0);
	assert_int_equal(e->accept_old_tokens.never_expires, 0);
}

static void
now_with_a_pending_one_publishes_it_too(void **state)
{
	struct lc_set set = with_pending();
	struct lc_outcome out = accept(&set, (struct lc_rotate){.now = true});

	(void)state;
	expect_promoted(&set, &out, 3, 2);
	assert_true(out.exposed);
	assert_int_equal(lc_find(&set, 3)->published_at, T0 + 10);
	assert_int_equal(out.exposure.reject_new_tokens.honours_cache_control,
	    T0 + 11 + 60 + 300);
	assert_int_equal(out.exposure.until, T0 + 11 + 60 + DAY);
}

static void
expect_times(const struct lc_times *times, int64_t headers, int64_t polls)
{
	assert_int_equal(times->honours_cache_control, headers);
	assert_int_equal(times->polls_within_max_age, polls);
}

/* Each class of verifier is held up by its own copies alone. */
static void
exposure_counts_copies_from_before_a_policy_change(void **state)
{
	struct lc_set set = with_published();
	struct lc_outcome out;

	(void)state;
	set.facts.copies_until = T0 + 9 * DAY;
	set.facts.cached_until = T0 + 2 * DAY;
	set.facts.polled_until = T0 + 3 * DAY;
	out = accept(&set, (struct lc_rotate){.now = true});
	assert_int_equal(out.exposure.until, T0 + 3 * DAY);
	expect_times(
	    &out.exposure.reject_new_tokens, T0 + 2 * DAY, T0 + 3 * DAY);
}

/* What a revocation says an instant after another policy. */
static void
revoke_after(
    const char *parameter, int32_t value, int64_t headers, int64_t polls)
{
	struct lc_set set = with_ready();
	struct lc_env env = at(T0 + 10);
	struct jw_policy p = set.facts.policy;
	struct lc_outcome out;

	jw_policy_set(&p, jw_policy_param_snake(parameter), value);
	lc_set_policy(&set, &env, &p);
	env.now++;
	assert_int_equal(lc_revoke(&set, &env, 1, true, &out), JW_OK);
	expect_times(&out.exposure.accept_old_tokens, T0 + 12 + headers,
	    T0 + 12 + polls);
	assert_int_equal(
	    out.exposure.until, T0 + 12 + (headers > polls ? headers : polls));
}

/*
 * The cache time counts for those who honour it, the age for those who poll,
 * and nothing else for either.
 */
static void
a_policy_is_remembered_by_whom_it_concerns(void **state)
{
	(void)state;
	revoke_after("rotation_period", 90 * DAY, 60 + 300, 60 + DAY);
	revoke_after("publish_safety", 1, 60 + 300, 60 + DAY);
	revoke_after("token_max_ttl", 60, 60 + 300, 60 + DAY);
	revoke_after("cache_stale_if_error", 0, 60 + 300, 60 + DAY);
	revoke_after("cache_max_age", 100, 59 + 300, 60 + DAY);
	revoke_after("cache_max_age", 900, 60 + 900, 60 + DAY);
	revoke_after("verifier_max_age", 2 * 3600, 60 + 300, 59 + DAY);
	revoke_after("verifier_max_age", 2 * DAY, 60 + 300, 60 + 2 * DAY);
	revoke_after("propagation_delay", 0, 300, DAY);
	revoke_after("propagation_delay", 100, 100 + 300, 100 + DAY);
}

/* A memory outlives further changes, and grows with the delay alone. */
static void
a_memory_of_one_class_is_kept(void **state)
{
	struct lc_set set = with_ready();
	struct lc_env env = at(T0 + 10);
	struct jw_policy p = set.facts.policy;

	(void)state;
	p.cache_max_age = 100;
	p.verifier_max_age = 3 * 3600;
	lc_set_policy(&set, &env, &p);
	assert_int_equal(set.facts.cached_until, T0 + 11 + 60 + 300);
	assert_int_equal(set.facts.polled_until, T0 + 11 + 60 + DAY);
	env.now += 5;
	p.cache_max_age = 90;
	p.verifier_max_age = 2 * 3600;
	lc_set_policy(&set, &env, &p);
	assert_int_equal(set.facts.cached_until, T0 + 11 + 60 + 300);
	assert_int_equal(set.facts.polled_until, T0 + 11 + 60 + DAY);
	p.propagation_delay += 7;
	lc_set_policy(&set, &env, &p);
	assert_int_equal(set.facts.cached_until, T0 + 11 + 67 + 300);
	assert_int_equal(set.facts.polled_until, T0 + 11 + 67 + DAY);
}

/* Copies of an earlier key set of the name, under its own times. */
static void
a_memory_is_inherited_by_name(void **state)
{
	struct lc_set set = with_ready();
	struct key_set_facts was = set.facts;

	(void)state;
	lc_follow(&set, &was, T0 + 5);
	assert_int_equal(set.facts.cached_until, 0);
	assert_int_equal(set.facts.polled_until, 0);
	was.policy.cache_max_age += 1;
	lc_follow(&set, &was, T0 + 5);
	assert_int_equal(set.facts.cached_until, T0 + 5 + 60 + 301);
	assert_int_equal(set.facts.polled_until, 0);
	was.policy.verifier_max_age += 1;
	was.cached_until = T0 + DAY;
	lc_follow(&set, &was, T0 + 5);
	assert_int_equal(set.facts.cached_until, T0 + DAY);
	assert_int_equal(set.facts.polled_until, T0 + 5 + 60 + DAY + 1);
	set.facts.policy.propagation_delay += 10;
	was.polled_until = T0 + 2 * DAY;
	lc_follow(&set, &was, T0 + 5);
	assert_int_equal(set.facts.cached_until, T0 + DAY + 10);
	assert_int_equal(set.facts.polled_until, T0 + 2 * DAY + 10);
}

/* Those that end sooner than today's copies shorten nothing. */
static void
exposure_is_never_shorter_than_todays_copies(void **state)
{
	struct lc_set set = with_published();
	struct lc_outcome out;

	(void)state;
	set.facts.cached_until = T0 + 20;
	set.facts.polled_until = T0 + 20;
	out = accept(&set, (struct lc_rotate){.now = true});
	assert_int_equal(out.exposure.until, T0 + 61 + DAY);
	assert_int_equal(out.exposure.reject_new_tokens.honours_cache_control,
	    T0 + 61 + 300);
}

static void
now_without_any_standby_waits_for_its_key_pair(void **state)
{
	struct lc_set set = with_none();
	struct lc_outcome out =
	    refuse(&set, (struct lc_rotate){.now = true}, JW_NOT_READY);

	(void)state;
	assert_int_equal(out.ready_at, T0 + 10);
}

/* However often: never more keys than verifiers take. */
static void
now_never_overfills_the_set(void **state)
{
	struct lc_set set = with_ready();
	struct lc_rotate order = {.now = true};
	struct lc_env env = at(T0 + 10);
	struct lc_outcome out;
	size_t index[MODEL_GENERATIONS_MAX];
	enum jw_err err = JW_OK;
	int n = 0;

	(void)state;
	while (err == JW_OK && n++ < 20) {
		err = lc_rotate(&set, &env, &order, &out);
		settle(&set, env.now);
		assert_true(lc_publication(&set, index) <=
			    (size_t)set.facts.policy.max_published_keys);
	}
	assert_int_equal(err, JW_NOT_READY);
	/* There is room again when the first of the retired is gone. */
	assert_int_equal(out.ready_at, T0 + 11 + 7560);
	settle(&set, out.ready_at - 1);
	env.now = out.ready_at - 1;
	assert_int_equal(lc_rotate(&set, &env, &order, &out), JW_NOT_READY);
	env.now++;
	settle(&set, env.now);
	assert_int_equal(lc_rotate(&set, &env, &order, &out), JW_OK);
}

/* ---- at ---- */

static void
at_must_lie_ahead(void **state)
{
	struct lc_set ready = with_ready(), not = with_published();

	(void)state;
	refuse(&ready, (struct lc_rotate){.at = T0}, JW_INVALID_PARAMETER);
	refuse(&ready, (struct lc_rotate){.at = T0 + 10}, JW_INVALID_PARAMETER);
	refuse(&not, (struct lc_rotate){.at = T0 + 10}, JW_INVALID_PARAMETER);
	accept(&ready, (struct lc_rotate){.at = T0 + 11});
}

static void
at_is_never_before_ready(void **state)
{
	struct lc_set set = with_published();
	struct lc_outcome out;

	(void)state;
	out =
	    refuse(&set, (struct lc_rotate){.at = T0 + IPUB - 1}, JW_NOT_READY);
	assert_int_equal(out.ready_at, T0 + IPUB);
	out = accept(&set, (struct lc_rotate){.at = T0 + IPUB});
	assert_int_equal(out.scheduled_for, T0 + IPUB);
	set = with_none();
	out =
	    refuse(&set, (struct lc_rotate){.at = T0 + 9 + IPUB}, JW_NOT_READY);
	assert_int_equal(out.ready_at, T0 + 10 + IPUB);
	accept(&set, (struct lc_rotate){.at = T0 + 10 + IPUB});
}

static void
at_schedules_even_with_a_ready_standby(void **state)
{
	struct lc_set set = with_ready();
	struct lc_outcome out =
	    accept(&set, (struct lc_rotate){.at = T0 + DAY});

	(void)state;
	assert_int_equal(out.scheduled_for, T0 + DAY);
	assert_int_equal(out.activated, 0);
	assert_string_equal(out.cause, "an operator asked for that time");
	assert_int_equal(state_of(&set, 1), GEN_ACTIVE);
	accept(&set, (struct lc_rotate){.at = T0 + 2 * DAY});
	assert_int_equal(set.facts.wanted_at, T0 + 2 * DAY);
	settle(&set, T0 + 2 * DAY - 1);
	assert_int_equal(state_of(&set, 1), GEN_ACTIVE);
	settle(&set, T0 + 2 * DAY);
	assert_int_equal(state_of(&set, 2), GEN_ACTIVE);
}

/* ---- cancel, expects, freezes ---- */

static void
cancel_takes_a_schedule_back(void **state)
{
	struct lc_set set = with_published(), was = set;
	struct lc_outcome out;

	(void)state;
	accept(&set, (struct lc_rotate){.now = false});
	out = accept(&set, (struct lc_rotate){.cancel = true});
	assert_memory_equal(&set, &was, sizeof(set));
	assert_int_equal(out.scheduled_for, 0);
	/* Nothing to take back: nothing happens. */
	accept(&set, (struct lc_rotate){.cancel = true});
	assert_memory_equal(&set, &was, sizeof(set));
}

static void
cancel_is_possible_while_frozen(void **state)
{
	struct lc_set set = with_published();

	(void)state;
	accept(&set, (struct lc_rotate){.now = false});
	set.facts.frozen = true;
	accept(&set, (struct lc_rotate){.cancel = true});
	assert_int_equal(set.facts.wanted_at, 0);
}

static void
another_active_generation_is_a_conflict(void **state)
{
	static const struct lc_rotate orders[] = {
	    {.expects = true, .expected = 2},
	    {.expects = true, .expected = 0},
	    {.expects = true, .expected = 2, .now = true},
	    {.expects = true, .expected = 2, .cancel = true},
	    {.expects = true, .expected = 2, .at = T0 + DAY},
	};
	struct lc_set set = with_ready();

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct lc_outcome out = refuse(&set, orders[i], JW_CONFLICT);

		assert_int_equal(out.actual, 1);
	}
	accept(&set, (struct lc_rotate){.expects = true, .expected = 1});
	refuse(&set, (struct lc_rotate){.expects = true, .expected = 1},
	    JW_CONFLICT);
}

static void
frozen_refuses_every_rotation_and_says_by_whom(void **state)
{
	static const struct lc_rotate orders[] = {
	    {.now = false}, {.now = true}, {.at = T0 + DAY}};

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct lc_set set = with_ready();
		struct lc_outcome out;

		set.facts.frozen = true;
		out = refuse(&set, orders[i], JW_FROZEN);
		assert_string_equal(
		    out.frozen_by, "an operator froze the key set");
		set.facts.frozen = false;
		set.facts.policy.mode = JW_MODE_FROZEN;
		out = refuse(&set, orders[i], JW_FROZEN);
		assert_string_equal(
		    out.frozen_by, "the key set's mode is frozen");
	}
}

static void
nothing_to_rotate_without_an_active_key(void **state)
{
	static const struct lc_rotate orders[] = {{.now = false}, {.now = true},
	    {.cancel = true}, {.expects = true, .expected = 1},
	    {.at = T0 + DAY}};
	struct lc_set set;

	(void)state;
	memset(&set, 0, sizeof(set));
	jw_policy_init(&set.facts.policy);
	set.facts.next_number = 1;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		refuse(&set, orders[i], JW_NO_ACTIVE_KEY);
}

static void
new_algorithm_is_waited_for(void **state)
{
	struct lc_set set = with_ready();
	struct lc_outcome out;

	(void)state;
	set.facts.policy.algorithm = JW_ALG_EDDSA;
	settle(&set, T0);
	out = accept(&set, (struct lc_rotate){.now = false});
	assert_int_equal(out.scheduled_for, T0 + IPUB);
	settle(&set, T0 + IPUB);
	assert_int_equal(state_of(&set, 3), GEN_ACTIVE);
	assert_int_equal(lc_find(&set, 3)->alg, JW_ALG_EDDSA);
}

/* ---- the end of a key set ---- */

enum { SKEW = 300, SAFETY = HOUR };

static struct generation *
of(struct lc_set *set, int64_t number)
{
	size_t i = 0;

	while (i < set->count && set->gens[i].number != number)
		i++;
	assert_true(i < set->count);
	return &set->gens[i];
}

static enum jw_err
remove_set(
    struct lc_set *set, int64_t now, bool force, struct lc_outcome *ret_outcome)
{
	struct lc_env env = at(now);

	memset(ret_outcome, 0x5a, sizeof(*ret_outcome));
	return lc_remove_set(set, &env, force, ret_outcome);
}

/* It goes: every generation with it, and its private key with that. */
static void
assert_gone(const struct lc_set *set, int64_t now)
{
	assert_int_equal(set->facts.removed_at, now);
	assert_int_equal(set->facts.wanted_at, 0);
	assert_true(set->count > 0);
	for (size_t i = 0; i < set->count; i++) {
		assert_int_equal(set->gens[i].removed_at, now);
		assert_true(set->gens[i].destroyed_at != 0);
		assert_false(lc_has_private(&set->gens[i]));
	}
}

static void
assert_unexposed(const struct lc_outcome *out)
{
	static const struct lc_exposure none;

	assert_false(out->exposed);
	assert_memory_equal(&out->exposure, &none, sizeof(none));
	assert_int_equal(out->ready_at, 0);
	assert_int_equal(out->scheduled_for, 0);
	assert_string_equal(out->cause, "an operator removed the key set");
}

static void
assert_exposed_until(const struct lc_outcome *out, int64_t until)
{
	assert_true(out->exposed);
	assert_int_equal(out->exposure.until, until);
	assert_int_equal(
	    out->exposure.reject_new_tokens.honours_cache_control, until);
	assert_int_equal(
	    out->exposure.reject_new_tokens.polls_within_max_age, until);
	assert_int_equal(out->exposure.reject_new_tokens.never_expires, 0);
	assert_int_equal(out->ready_at, 0);
}

/* Refused a second before `end`, but for force; done at `end` by itself. */
static void
assert_removable_from(const struct lc_set *set, int64_t end)
{
	struct lc_set tried = *set;
	struct lc_outcome out;

	assert_int_equal(
	    remove_set(&tried, end - 1, false, &out), JW_NOT_READY);
	assert_int_equal(out.ready_at, end);
	assert_false(out.exposed);
	assert_null(out.cause);
	assert_memory_equal(&tried, set, sizeof(tried));
	assert_int_equal(remove_set(&tried, end - 1, true, &out), JW_OK);
	assert_exposed_until(&out, end);
	assert_gone(&tried, end - 1);
	tried = *set;
	assert_int_equal(remove_set(&tried, end, false, &out), JW_OK);
	assert_unexposed(&out);
	assert_gone(&tried, end);
	tried = *set;
	assert_int_equal(remove_set(&tried, end, true, &out), JW_OK);
	assert_unexposed(&out);
}

static void
a_set_that_never_signed_goes_at_once(void **state)
{
	struct lc_set set = with_ready();
	struct lc_outcome out;

	(void)state;
	set.facts.wanted_at = T0 + DAY;
	set.facts.tokens_until = T0 + DAY; /* of tokens that never were */
	set.gens[0].destroyed_at = T0 - 7; /* stays when it was */
	assert_int_equal(remove_set(&set, T0 + 5, false, &out), JW_OK);
	assert_unexposed(&out);
	assert_gone(&set, T0 + 5);
	assert_int_equal(set.gens[0].destroyed_at, T0 - 7);
	assert_int_equal(set.gens[1].destroyed_at, T0 + 5);
}

static void
a_set_stays_while_its_tokens_may_be_valid(void **state)
{
	struct lc_set set = with_ready();

	(void)state;
	of(&set, 1)->max_exp = T0 + 900;
	assert_removable_from(&set, T0 + 900 + SKEW + SAFETY);
	of(&set, 1)->max_exp = 1;
	of(&set, 2)->max_exp = T0 + 800;
	assert_removable_from(&set, T0 + 800 + SKEW + SAFETY);
	of(&set, 1)->max_exp = T0 + 801;
	assert_removable_from(&set, T0 + 801 + SKEW + SAFETY);
}

static void
a_set_stays_until_its_retired_keys_may_go(void **state)
{
	struct lc_set set = with_none();
	int64_t due = lc_find(&set, 1)->remove_due;

	(void)state;
	assert_int_equal(state_of(&set, 1), GEN_RETIRED);
	assert_true(due > T0 + 10);
	assert_removable_from(&set, due);
	of(&set, 2)->max_exp = due; /* later, with skew and safety */
	assert_removable_from(&set, due + SKEW + SAFETY);
	of(&set, 2)->max_exp = T0;
	assert_removable_from(&set, due);
	/* Of keys that are gone already no deadline counts. */
	of(&set, 1)->removed_at = T0;
	assert_removable_from(&set, T0 + SKEW + SAFETY);
}

static void
rows_behind_the_last_are_nothing(void **state)
{
	struct lc_set set = with_ready();
	struct generation *behind = &set.gens[set.count];
	struct lc_env env = at(T0 + 5);
	struct lc_outcome out;

	(void)state;
	*behind = set.gens[0];
	behind->number = 9;
	behind->max_exp = behind->remove_due = T0 + DAY;
	behind->destroyed_at = 0;
	assert_int_equal(lc_revoke(&set, &env, 9, true, &out), JW_NO_SUCH_KEY);
	assert_int_equal(remove_set(&set, T0 + 5, false, &out), JW_OK);
	assert_int_equal(behind->removed_at, 0);
	assert_int_equal(behind->destroyed_at, 0);
	assert_int_equal(behind->revoked_at, 0);
}

static void
an_older_policys_tokens_hold_a_set(void **state)
{
	struct lc_set set = with_ready();
	struct jw_policy lower = set.facts.policy;
	struct lc_env env = at(T0 + 10);
	int64_t iret = jw_policy_retire_interval(&lower);

	(void)state;
	lower.clock_skew = lower.retire_safety = lower.token_max_ttl = 1;
	lc_set_policy(&set, &env, &lower);
	of(&set, 1)->max_exp = T0 + 900;
	assert_removable_from(&set, T0 + 11 + iret);
}

/* ---- keys that signed before they were ready ---- */

/* 3 signed by --now at T0 + 10; then 2 again, from T0 + 20. */
static struct lc_set
with_early(void)
{
	struct lc_set set = with_published();
	struct lc_rollback order = {.now = false};
	struct lc_env env = at(T0 + 20);
	struct lc_outcome out;

	accept(&set, (struct lc_rotate){.now = true});
	assert_int_equal(lc_rollback(&set, &env, &order, &out), JW_OK);
	assert_int_equal(out.activated, 2);
	assert_false(out.exposed);
	return set;
}

static void
an_early_key_waits_like_a_published_one(void **state)
{
	struct lc_set set = with_early(), was = set;
	struct lc_rollback order = {.now = false};
	int64_t due = lc_find(&set, 3)->ready_due;
	struct lc_env env = at(T0 + 30);
	struct jw_policy longer = set.facts.policy;
	struct lc_outcome out;

	(void)state;
	assert_int_equal(lc_rollback(&set, &env, &order, &out), JW_NOT_READY);
	assert_int_equal(out.ready_at, due);
	assert_memory_equal(&set, &was, sizeof(set));
	assert_true(lc_resume(&set, T0 + 40));
	assert_int_equal(lc_find(&set, 3)->ready_due, due + 39);
	longer.verifier_max_age += 100;
	lc_set_policy(&set, &env, &longer);
	assert_int_equal(lc_find(&set, 3)->ready_due, due + 139);
	env = at(due + 139);
	env.serving = false;
	assert_false(lc_is_known(&set, &env, lc_find(&set, 3)));
	env = at(due + 139);
	env.clock_trusted = false;
	assert_false(lc_is_known(&set, &env, lc_find(&set, 3)));
	env = at(due + 138);
	assert_false(lc_is_known(&set, &env, lc_find(&set, 3)));
	env = at(due + 139);
	assert_true(lc_is_known(&set, &env, lc_find(&set, 3)));
}

static void
a_forced_revocation_prefers_a_known_key(void **state)
{
	struct lc_env env = at(T0 + 20);
	struct lc_set set = with_published();
	struct lc_outcome out;

	(void)state;
	assert_int_equal(lc_revoke(&set, &env, 2, false, &out), JW_NOT_READY);
	assert_int_equal(lc_revoke(&set, &env, 2, true, &out), JW_OK);
	assert_int_equal(out.activated, 1);
	assert_int_equal(
	    out.exposure.reject_new_tokens.polls_within_max_age, 0);
	/* Its window is over: a standby that no verifier knows. */
	set = with_published();
	env = at(lc_find(&set, 1)->destroy_due + 1);
	assert_int_equal(lc_revoke(&set, &env, 2, true, &out), JW_OK);
	assert_int_equal(out.activated, 3);
	/* Not ready itself: the standby as well. */
	set = with_early();
	env = at(T0 + 30);
	assert_int_equal(lc_revoke(&set, &env, 1, true, &out), JW_OK);
	assert_int_equal(lc_revoke(&set, &env, 2, true, &out), JW_OK);
	assert_int_equal(out.activated, 3);
	assert_true(out.exposure.reject_new_tokens.polls_within_max_age > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ready_standby_signs_at_once),
	    cmocka_unit_test(published_standby_is_scheduled_for_its_ready_time),
	    cmocka_unit_test(missing_standby_is_scheduled_as_well),
	    cmocka_unit_test(asking_again_moves_nothing),
	    cmocka_unit_test(asking_brings_a_later_schedule_forward),
	    cmocka_unit_test(manual_mode_obeys_an_operator),
	    cmocka_unit_test(now_with_a_ready_standby_exposes_nobody),
	    cmocka_unit_test(now_says_who_may_reject_until_when),
	    cmocka_unit_test(now_with_a_pending_one_publishes_it_too),
	    cmocka_unit_test(
		exposure_counts_copies_from_before_a_policy_change),
	    cmocka_unit_test(a_policy_is_remembered_by_whom_it_concerns),
	    cmocka_unit_test(a_memory_of_one_class_is_kept),
	    cmocka_unit_test(a_memory_is_inherited_by_name),
	    cmocka_unit_test(exposure_is_never_shorter_than_todays_copies),
	    cmocka_unit_test(now_without_any_standby_waits_for_its_key_pair),
	    cmocka_unit_test(now_never_overfills_the_set),
	    cmocka_unit_test(at_must_lie_ahead),
	    cmocka_unit_test(at_is_never_before_ready),
	    cmocka_unit_test(at_schedules_even_with_a_ready_standby),
	    cmocka_unit_test(cancel_takes_a_schedule_back),
	    cmocka_unit_test(cancel_is_possible_while_frozen),
	    cmocka_unit_test(another_active_generation_is_a_conflict),
	    cmocka_unit_test(frozen_refuses_every_rotation_and_says_by_whom),
	    cmocka_unit_test(nothing_to_rotate_without_an_active_key),
	    cmocka_unit_test(new_algorithm_is_waited_for),
	    cmocka_unit_test(a_set_that_never_signed_goes_at_once),
	    cmocka_unit_test(a_set_stays_while_its_tokens_may_be_valid),
	    cmocka_unit_test(a_set_stays_until_its_retired_keys_may_go),
	    cmocka_unit_test(rows_behind_the_last_are_nothing),
	    cmocka_unit_test(an_older_policys_tokens_hold_a_set),
	    cmocka_unit_test(an_early_key_waits_like_a_published_one),
	    cmocka_unit_test(a_forced_revocation_prefers_a_known_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
