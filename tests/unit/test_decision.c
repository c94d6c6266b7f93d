/*
 * lc_next() over every state, event, boundary and circumstance at once, held
 * against a table of jwksd-lifecycle(7) that shares no line with the code; then
 * what each step leaves behind, and what every order does in every state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "daemon/lifecycle/lifecycle.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/lifecycle/plan.h"
#include "daemon/lifecycle/reading.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW INT64_C(1800000000)
#define PAST (NOW - 5000000)

/* The defaults of jwksd-lifecycle(7), worked out by hand. */
enum {
	IPUB = 90060,
	IRET = 7560,
	PERIOD = 2592000,
	ROLLBACK = 3600,
	AFTER_EXP = 3900, /* skew and margin */
	SPREAD = 12345,   /* less than 2 % of the period */
	ACTIVE = 1,
	SUBJECT = 2,
	COMPANION = 3,
	TRAP = 77,
};

/* What the generation in question is. */
enum subject {
	NOBODY,
	PENDING,
	PENDING_VERIFY_ONLY,
	PUBLISHED,
	READY,
	RETIRED,
	DESTROYED,
	REMOVED,
	REVOKED,
	SUBJECT_COUNT
};

/* One combination. */
struct situation {
	int subject;
	int active;     /* 0: none; else its period ends at NOW + active - 2 */
	int deadline;   /* of the subject: NOW + deadline - 1 */
	int wanted;     /* 0: no; else NOW + wanted - 2 */
	int mode;       /* enum jw_mode */
	int frozen;     /* 1: the set, 2: all of them, 3: both */
	int distrusted; /* the clock */
	int deaf;       /* no front serves */
	int blank;      /* no version yet */
	int coming;     /* key pairs */
	int other_alg;  /* of the subject */
	int full;       /* not one key more may be published */
	int late_exp;   /* what it signed outlives its interval */
	int companion;  /* another pending one */
};

/* How many values each member has, in order. */
static const int sizes[] = {
    SUBJECT_COUNT, 4, 3, 4, JW_MODE_COUNT, 4, 2, 2, 2, 3, 2, 2, 2, 2};

_Static_assert(sizeof(struct situation) == sizeof(sizes), "a size for each");

static bool
next_situation(struct situation *s)
{
	int *digits = (int *)s;

	for (size_t i = 0; i < COUNT(sizes); i++) {
		if (++digits[i] < sizes[i])
			return true;
		digits[i] = 0;
	}
	return false;
}

/*
 * Nobody signs, and nothing was published, before the first version; and what
 * a subject does not have makes no difference.
 */
static bool
makes_sense(const struct situation *s)
{
	bool lives = s->subject != NOBODY && s->subject < REMOVED;
	bool retired = s->subject == RETIRED || s->subject == DESTROYED;

	if ((!lives && (s->deadline != 0 || s->other_alg)) ||
	    (!retired && s->late_exp) || (retired && s->other_alg))
		return false;
	return !s->blank || (s->active == 0 && (s->subject <= 2 || !lives));
}

/* ---- the rows of a situation ---- */

static struct generation
row_of_subject(const struct situation *s)
{
	int64_t due = NOW + s->deadline - 1;
	struct generation g = {
	    .number = SUBJECT,
	    .created_at = PAST,
	    .publish_due = due,
	    .spread = SPREAD,
	    .alg = s->other_alg ? JW_ALG_RS256 : JW_ALG_ES256,
	    .verify_only = s->subject == PENDING_VERIFY_ONLY,
	};

	if (s->subject >= PUBLISHED) {
		g.published_at = g.absent_until = PAST;
		g.ready_due = due;
	}
	if (s->subject >= READY)
		g.ready_at = PAST;
	if (s->subject >= RETIRED) {
		g.activations = g.retirements = 1;
		g.activated_at = g.ready_due = PAST;
		g.retired_at = NOW - 100;
		g.destroy_due = due + 20;
		g.remove_due = due + 10;
		g.max_exp = s->late_exp ? NOW + 60 - AFTER_EXP : 0;
	}
	if (s->subject >= DESTROYED)
		g.destroyed_at = NOW - 10;
	g.removed_at = s->subject == REMOVED ? NOW - 5 : 0;
	g.revoked_at = s->subject == REVOKED ? NOW - 5 : 0;
	return g;
}

/* Behind the last row lies one that nobody may look at. */
static void
set_trap(const struct situation *s, struct lc_set *set)
{
	static const enum subject kinds[] = {
	    PENDING, PUBLISHED, READY, RETIRED, READY};
	size_t kind = (size_t)(s->subject + s->active + s->deadline +
			       s->wanted + s->mode + s->coming) %
		      COUNT(kinds);
	struct situation trap = {.subject = (int)kinds[kind]};
	struct generation *gen = &set->gens[set->count];

	*gen = row_of_subject(&trap);
	gen->number = TRAP;
	gen->activations += kind + 1 == COUNT(kinds);
}

static void
build(const struct situation *s, struct lc_set *ret_set)
{
	bool published = s->subject >= PUBLISHED && s->subject < REMOVED;

	memset(ret_set, 0, sizeof(*ret_set));
	jw_policy_init(&ret_set->facts.policy);
	ret_set->facts.policy.mode = s->mode;
	if (s->full)
		ret_set->facts.policy.max_published_keys =
		    (s->active != 0) + published;
	ret_set->facts.next_number = 10;
	ret_set->facts.version = s->blank ? 0 : 7;
	ret_set->facts.version_at = PAST;
	ret_set->facts.wanted_at = s->wanted == 0 ? 0 : NOW + s->wanted - 2;
	ret_set->facts.frozen = (s->frozen & 1) != 0;
	if (s->active != 0)
		ret_set->gens[ret_set->count++] = (struct generation){
		    .number = ACTIVE,
		    .created_at = PAST,
		    .published_at = PAST,
		    .ready_at = PAST,
		    .activated_at = PAST,
		    .activations = 1,
		    .alg = JW_ALG_ES256,
		    .rotate_due = NOW + s->active - 2,
		};
	if (s->subject != NOBODY)
		ret_set->gens[ret_set->count++] = row_of_subject(s);
	if (s->companion)
		ret_set->gens[ret_set->count++] = (struct generation){
		    .number = COMPANION,
		    .created_at = PAST,
		    .publish_due = NOW + 3,
		    .alg = JW_ALG_ES256,
		};
	set_trap(s, ret_set);
}

static struct lc_env
env_of(const struct situation *s)
{
	return (struct lc_env){
	    .now = NOW,
	    .clock_trusted = !s->distrusted,
	    .frozen = (s->frozen & 2) != 0,
	    .serving = !s->deaf,
	    .pairs_coming = s->coming,
	};
}

/* ---- jwksd-lifecycle(7) as a table ---- */

struct expected {
	enum lc_action action;
	int64_t number;
	int64_t due;
};

static bool
is_held(const struct situation *s)
{
	return s->frozen != 0 || s->distrusted || s->mode == JW_MODE_FROZEN;
}

static bool
is_a_signer_to_be(const struct situation *s)
{
	return s->subject == PENDING || s->subject == PUBLISHED ||
	       s->subject == READY;
}

/* Of the wanted algorithm it is the standby; else only while alone. */
static bool
is_the_standby(const struct situation *s)
{
	return is_a_signer_to_be(s) && !(s->other_alg && s->companion);
}

static int64_t
expect_promotion(const struct situation *s)
{
	int64_t due = LC_NEVER;

	if (s->blank || !is_the_standby(s) || s->subject == PENDING)
		return LC_NEVER;
	/* I9 */
	if (s->active == 0)
		return NOW;
	if (s->subject != READY || is_held(s))
		return LC_NEVER;
	if (s->mode == JW_MODE_AUTO)
		due = NOW + s->active - 2;
	if (s->wanted != 0 && NOW + s->wanted - 2 < due)
		due = NOW + s->wanted - 2;
	return due;
}

/* One active, one standby. */
static int64_t
expect_creation(const struct situation *s)
{
	int have = (is_a_signer_to_be(s) && !s->other_alg) + s->companion;

	return have + s->coming < 1 + s->blank ? NOW : LC_NEVER;
}

static int64_t
expect_removal(const struct situation *s)
{
	int64_t due = NOW + s->deadline - 1 + 10;

	if (is_held(s))
		return LC_NEVER;
	/* A standby that nobody wants any more. */
	if (s->subject == PUBLISHED || s->subject == READY)
		return s->other_alg && s->active != 0 ? NOW : LC_NEVER;
	if (s->subject != RETIRED && s->subject != DESTROYED)
		return LC_NEVER;
	return s->late_exp ? NOW + 60 : due;
}

static size_t
expectations(const struct situation *s, struct expected *e)
{
	bool pending =
	    s->subject == PENDING || s->subject == PENDING_VERIFY_ONLY;
	bool room = !s->full && !s->blank;
	bool held = is_held(s);
	int64_t due = NOW + s->deadline - 1;
	size_t n = 0;

	e[n++] = (struct expected){LC_START, 10,
	    s->blank && s->subject == PENDING && s->companion ? NOW : LC_NEVER};
	e[n++] = (struct expected){LC_PROMOTE, SUBJECT, expect_promotion(s)};
	e[n++] = (struct expected){
	    LC_PUBLISH, SUBJECT, pending && room ? due : LC_NEVER};
	e[n++] = (struct expected){
	    LC_PUBLISH, COMPANION, s->companion && room ? NOW + 3 : LC_NEVER};
	e[n++] = (struct expected){LC_CREATE, 10, expect_creation(s)};
	e[n++] = (struct expected){LC_READY, SUBJECT,
	    s->subject == PUBLISHED && !held && !s->deaf ? due : LC_NEVER};
	e[n++] = (struct expected){LC_DESTROY, SUBJECT,
	    s->subject == RETIRED && !held ? due + 20 : LC_NEVER};
	e[n++] = (struct expected){LC_REMOVE, SUBJECT, expect_removal(s)};
	return n;
}

static void
show(const struct situation *s)
{
	print_message("subject %d active %d deadline %d wanted %d mode %d "
		      "frozen %d distrusted %d deaf %d blank %d coming %d "
		      "other_alg %d full %d late_exp %d companion %d\n",
	    s->subject, s->active, s->deadline, s->wanted, s->mode, s->frozen,
	    s->distrusted, s->deaf, s->blank, s->coming, s->other_alg, s->full,
	    s->late_exp, s->companion);
}

/* The earliest; of several at once the one that comes first. */
static void
expect_decision(const struct situation *s, const struct lc_step *step)
{
	struct expected e[8], best = {LC_NONE, 0, LC_NEVER};
	size_t n = expectations(s, e);

	for (size_t i = 0; i < n; i++)
		if (e[i].due < best.due)
			best = e[i];
	if (step->action == best.action && step->number == best.number &&
	    step->due == best.due)
		return;
	show(s);
	fail_msg("expected action %d of %lld at %+lld, is %d of %lld at %+lld",
	    (int)best.action, (long long)best.number,
	    (long long)(best.due - NOW), (int)step->action,
	    (long long)step->number, (long long)(step->due - NOW));
}

/* Why a promotion happens. */
static const char *
expect_cause(const struct situation *s)
{
	int64_t due = NOW + s->active - 2;

	if (s->active == 0)
		return "no key signs";
	return s->mode == JW_MODE_AUTO &&
		       (s->wanted == 0 || due <= NOW + s->wanted - 2)
		   ? "rotation is due"
		   : "an operator asked for it";
}

/* ---- what a step leaves behind ---- */

static void
expect_promoted(const struct situation *s, const struct lc_set *set)
{
	const struct generation *g = lc_find(set, SUBJECT);

	assert_int_equal(lc_state(g), GEN_ACTIVE);
	assert_int_equal(g->activated_at, NOW);
	assert_int_equal(g->rotate_due, NOW + PERIOD - SPREAD);
	assert_int_equal(g->activations, 1);
	assert_int_equal(g->destroy_due, 0);
	assert_int_equal(g->remove_due, 0);
	/* What holds a wait ends none. */
	if (s->subject == PUBLISHED && (is_held(s) || s->deaf) &&
	    g->ready_due <= NOW)
		assert_int_equal(g->ready_at, g->ready_due - 1);
	else
		assert_int_equal(g->ready_at, s->subject == READY ? PAST : NOW);
	assert_int_equal(set->facts.wanted_at, 0);
	if (s->active == 0)
		return;
	g = lc_find(set, ACTIVE);
	assert_int_equal(lc_state(g), GEN_RETIRED);
	assert_int_equal(g->retired_at, NOW);
	assert_int_equal(g->retirements, 1);
	assert_int_equal(g->destroy_due, NOW + 1 + ROLLBACK);
	assert_int_equal(g->remove_due, NOW + 1 + IRET);
}

static void
expect_published(const struct situation *s, const struct generation *g)
{
	assert_int_equal(g->published_at, NOW);
	/* Its wait begins when every front has read it. */
	assert_int_equal(g->absent_until, 0);
	if (s->subject == PENDING_VERIFY_ONLY && g->number == SUBJECT) {
		assert_int_equal(lc_state(g), GEN_RETIRED);
		assert_int_equal(g->retired_at, NOW);
		assert_int_equal(g->retirements, 1);
		assert_int_equal(g->activations, 0);
		assert_int_equal(g->remove_due, NOW + 1 + IRET);
		return;
	}
	assert_int_equal(lc_state(g), GEN_PUBLISHED);
	assert_int_equal(g->ready_due, NOW + 1 + IPUB);
}

static void
expect_start(const struct lc_set *set)
{
	const struct generation *g = lc_find(set, SUBJECT);

	assert_int_equal(lc_state(g), GEN_ACTIVE);
	assert_int_equal(g->rotate_due, NOW + PERIOD - SPREAD);
	g = lc_find(set, COMPANION);
	assert_int_equal(lc_state(g), GEN_READY);
	assert_int_equal(g->ready_at, NOW);
	assert_int_equal(set->facts.version, 1);
}

static void
expect_created(const struct lc_set *before, const struct lc_set *set)
{
	const struct generation *g = &set->gens[set->count - 1];

	assert_int_equal(set->count, before->count + 1);
	assert_int_equal(g->number, before->facts.next_number);
	assert_int_equal(set->facts.next_number, before->facts.next_number + 1);
	assert_int_equal(lc_state(g), GEN_PENDING);
	assert_int_equal(g->created_at, NOW);
	assert_int_equal(g->publish_due, NOW);
	assert_int_equal(g->alg, JW_ALG_ES256);
	assert_true(lc_has_private(g));
}

static void
expect_done(const struct situation *s, const struct lc_set *before,
    const struct lc_set *set, const struct lc_step *step)
{
	const struct generation *g = lc_find(set, step->number);
	/* Of the published bytes; a lone key that begins to sign is no news. */
	bool changes = step->action != LC_CREATE && step->action != LC_READY &&
		       step->action != LC_DESTROY &&
		       (step->action != LC_PROMOTE || s->active != 0);

	if (step->action == LC_START)
		expect_start(set);
	else if (step->action == LC_PROMOTE)
		expect_promoted(s, set);
	else if (step->action == LC_PUBLISH)
		expect_published(s, g);
	else if (step->action == LC_CREATE)
		expect_created(before, set);
	else if (step->action == LC_READY)
		assert_int_equal(g->ready_at, NOW);
	else
		assert_int_equal(
		    g->destroyed_at, s->subject == DESTROYED ? NOW - 10 : NOW);
	if (step->action == LC_REMOVE)
		assert_int_equal(g->removed_at, NOW);
	assert_int_equal(
	    set->facts.version, before->facts.version + (changes ? 1 : 0));
	assert_int_equal(set->facts.version_at, changes ? NOW : PAST);
	assert_int_equal(set->facts.next_number,
	    before->facts.next_number + (step->action == LC_CREATE));
	/* Nothing else has changed, nor what lies behind. */
	if (step->action != LC_CREATE)
		assert_true(lc_same(
		    &before->gens[before->count], &set->gens[before->count]));
	for (size_t i = 0; i < before->count; i++) {
		const struct generation *was = &before->gens[i];

		if (step->action == LC_START || was->number == step->number ||
		    (step->action == LC_PROMOTE && was->number == ACTIVE))
			continue;
		assert_true(lc_same(was, &set->gens[i]));
	}
}

static void
every_situation_has_its_step(void **state)
{
	struct situation s = {0};
	size_t decided = 0;

	(void)state;
	do {
		struct lc_set set, before;
		struct lc_env env = env_of(&s);
		struct lc_step step;

		if (!makes_sense(&s))
			continue;
		build(&s, &set);
		before = set;
		step = lc_next(&set, &env);
		assert_memory_equal(&set, &before, sizeof(set));
		expect_decision(&s, &step);
		decided++;
		if (step.action == LC_NONE) {
			assert_int_equal(step.cause[0], '\0');
			continue;
		}
		assert_int_not_equal(step.cause[0], '\0');
		if (step.action == LC_PROMOTE)
			assert_string_equal(step.cause, expect_cause(&s));
		if (step.due <= NOW) {
			lc_apply(&set, &step, &env);
			expect_done(&s, &before, &set, &step);
		}
	} while (next_situation(&s));
	print_message("%zu situations\n", decided);
	assert_true(decided > 300000);
}

/* A key set that is gone never does anything. */
static void
a_removed_key_set_rests(void **state)
{
	struct situation s = {0};

	(void)state;
	do {
		struct lc_set set;
		struct lc_env env = env_of(&s);

		if (!makes_sense(&s) || s.full || s.coming)
			continue;
		build(&s, &set);
		set.facts.removed_at = NOW - 1;
		assert_int_equal(lc_next(&set, &env).action, LC_NONE);
		assert_int_equal(lc_next(&set, &env).due, LC_NEVER);
	} while (next_situation(&s));
}

/* ---- orders, in every situation ---- */

/* The dimensions that orders look at. */
static bool
matters(const struct situation *s)
{
	return makes_sense(s) && !s->coming && !s->late_exp && !s->other_alg &&
	       s->active <= 1;
}

/* When the standby could sign; with the room that it may have to wait for. */
static int64_t
expect_ready_time(const struct situation *s)
{
	int64_t leaves = NOW + s->deadline - 1 + 10;

	if (s->subject == READY)
		return PAST;
	if (s->subject == PUBLISHED)
		return NOW + s->deadline - 1;
	if (s->full && (s->subject == RETIRED || s->subject == DESTROYED))
		return leaves + 1 + IPUB;
	return NOW + 1 + IPUB;
}

static enum jw_err
expect_rotate(const struct situation *s, const struct lc_rotate *order)
{
	bool has = is_a_signer_to_be(s) || s->companion;
	bool visible = s->subject == PUBLISHED || s->subject == READY;

	if (s->active == 0)
		return JW_NO_ACTIVE_KEY;
	if (order->cancel)
		return JW_OK;
	if (s->frozen || s->mode == JW_MODE_FROZEN)
		return JW_FROZEN;
	if (order->now)
		return has && (visible || !s->full) ? JW_OK : JW_NOT_READY;
	if (order->at != 0 && order->at <= NOW)
		return JW_INVALID_PARAMETER;
	if (order->at != 0 && s->subject != READY &&
	    order->at < expect_ready_time(s))
		return JW_NOT_READY;
	return JW_OK;
}

static void
expect_rotated(const struct situation *s, const struct lc_rotate *order,
    const struct lc_set *before, const struct lc_set *set,
    const struct lc_outcome *o)
{
	bool at_once = order->now || (order->at == 0 && s->subject == READY);

	if (order->cancel) {
		assert_int_equal(set->facts.wanted_at, 0);
		assert_int_equal(o->activated, 0);
		return;
	}
	assert_non_null(o->cause);
	if (at_once) {
		int64_t number = is_a_signer_to_be(s) ? SUBJECT : COMPANION;

		assert_int_equal(o->activated, number);
		assert_int_equal(o->retired, ACTIVE);
		assert_int_equal(lc_active(set)->number, number);
		assert_int_equal(lc_state(lc_find(set, ACTIVE)), GEN_RETIRED);
		assert_int_equal(o->exposed, s->subject != READY);
		return;
	}
	assert_int_equal(o->activated, 0);
	assert_string_equal(o->cause,
	    order->at != 0 ? "an operator asked for that time"
			   : "copies of the set without the standby may live "
			     "until then");
	assert_int_equal(o->scheduled_for,
	    order->at != 0 ? order->at : expect_ready_time(s));
	assert_int_equal(lc_active(set)->number, ACTIVE);
	if (order->at != 0)
		assert_int_equal(set->facts.wanted_at, order->at);
	else if (s->wanted == 1 || s->wanted == 2)
		assert_int_equal(set->facts.wanted_at, before->facts.wanted_at);
	else
		assert_int_equal(set->facts.wanted_at, NOW);
}

static void
rotate_in(const struct situation *s, const struct lc_rotate *order)
{
	struct lc_env env = env_of(s);
	struct lc_outcome outcome;
	struct lc_set set, before;
	enum jw_err err, expected = expect_rotate(s, order);

	build(s, &set);
	before = set;
	memset(&outcome, 0xa5, sizeof(outcome));
	err = lc_rotate(&set, &env, order, &outcome);
	if (err != expected) {
		show(s);
		fail_msg("now %d at %+lld cancel %d: expected %d, is %d",
		    order->now, (long long)(order->at - NOW), order->cancel,
		    (int)expected, (int)err);
	}
	if (err != JW_OK)
		assert_memory_equal(&set, &before, sizeof(set));
	else
		expect_rotated(s, order, &before, &set, &outcome);
	if (err == JW_NOT_READY && !order->now)
		assert_int_equal(outcome.ready_at, expect_ready_time(s));
	else if (err == JW_NOT_READY)
		assert_true(outcome.ready_at >= NOW);
	assert_int_equal(err == JW_FROZEN, outcome.frozen_by != NULL);
}

static void
every_rotation_has_its_outcome(void **state)
{
	struct situation s = {0};

	(void)state;
	do {
		int64_t ready = expect_ready_time(&s);
		const struct lc_rotate orders[] = {
		    {.now = true},
		    {.cancel = true},
		    {.at = 0},
		    {.at = NOW - 1},
		    {.at = NOW},
		    {.at = NOW + 1},
		    {.at = ready - 1},
		    {.at = ready},
		    {.at = ready + 1},
		};

		if (!matters(&s))
			continue;
		for (size_t i = 0; i < COUNT(orders); i++)
			rotate_in(&s, &orders[i]);
	} while (next_situation(&s));
}

static void
only_the_expected_signer_is_rotated(void **state)
{
	struct situation s = {.subject = READY, .active = 3};
	struct lc_env env = env_of(&s);
	struct lc_outcome outcome;
	struct lc_set set;

	(void)state;
	for (int64_t number = 0; number < 4; number++) {
		struct lc_rotate order = {.expects = true, .expected = number};
		enum jw_err err;

		build(&s, &set);
		err = lc_rotate(&set, &env, &order, &outcome);
		assert_int_equal(err, number == ACTIVE ? JW_OK : JW_CONFLICT);
		assert_int_equal(outcome.actual, number == ACTIVE ? 0 : ACTIVE);
		build(&s, &set);
		set.gens[1] = row_of_subject(
		    &(struct situation){.subject = RETIRED, .deadline = 1});
		err = lc_rollback(&set, &env,
		    &(struct lc_rollback){.expects = true, .expected = number},
		    &outcome);
		assert_int_equal(err, number == ACTIVE ? JW_OK : JW_CONFLICT);
		assert_int_equal(outcome.actual, ACTIVE);
	}
}

/* Until the window has ended for sure; frozen or not. */
static void
every_rollback_has_its_outcome(void **state)
{
	struct situation s = {0};

	(void)state;
	do {
		for (int64_t now = NOW - 1; now <= NOW + 1; now++) {
			struct lc_env env = env_of(&s);
			struct lc_outcome o;
			struct lc_set set, before;
			enum jw_err err;
			bool can;

			if (!matters(&s))
				continue;
			build(&s, &set);
			/* The window ends at NOW. */
			for (size_t i = 0; i < set.count; i++)
				set.gens[i].destroy_due = NOW;
			before = set;
			env.now = now;
			/* A clock that is not trusted ends no window. */
			can = s.subject == RETIRED &&
			      (now < NOW || !env.clock_trusted);
			memset(&o, 0xa5, sizeof(o));
			err = lc_rollback(
			    &set, &env, &(struct lc_rollback){0}, &o);
			assert_false(o.exposed);
			assert_int_equal(o.scheduled_for, 0);
			assert_int_equal(o.ready_at, 0);
			assert_int_equal(o.flush_at, 0);
			assert_null(o.frozen_by);
			assert_int_equal(err, s.active == 0 ? JW_NO_ACTIVE_KEY
					      : can         ? JW_OK
							    : JW_BAD_STATE);
			if (err != JW_OK) {
				assert_memory_equal(&set, &before, sizeof(set));
				continue;
			}
			assert_int_equal(o.activated, SUBJECT);
			assert_int_equal(o.retired, ACTIVE);
			assert_string_equal(o.cause, "an operator rolled back");
			assert_int_equal(
			    lc_state(lc_find(&set, SUBJECT)), GEN_ACTIVE);
			assert_int_equal(
			    lc_state(lc_find(&set, ACTIVE)), GEN_RETIRED);
			assert_int_equal(lc_find(&set, SUBJECT)->remove_due, 0);
			assert_int_equal(
			    lc_find(&set, SUBJECT)->destroy_due, 0);
		}
	} while (next_situation(&s));
}

/* ---- revoke ---- */

static enum jw_err
expect_revoke(const struct situation *s, int64_t number, bool force)
{
	bool published = s->subject >= PUBLISHED && s->subject < REMOVED;
	bool heir = is_a_signer_to_be(s) || s->companion;

	if ((number == ACTIVE && s->active == 0) ||
	    (number == SUBJECT && s->subject == NOBODY) ||
	    (number == COMPANION && !s->companion))
		return JW_NO_SUCH_KEY;
	if (number == ACTIVE)
		return s->subject == READY ||
			       ((heir || s->subject == RETIRED) && force)
			   ? JW_OK
			   : JW_NOT_READY;
	if (number == COMPANION)
		return JW_OK;
	if (s->subject >= REMOVED)
		return JW_BAD_STATE;
	return published && s->active == 0 ? JW_NOT_READY : JW_OK;
}

static void
revoke_in(const struct situation *s, int64_t number, bool force)
{
	struct lc_env env = env_of(s);
	struct lc_set set, before;
	struct lc_outcome o;
	enum jw_err err;
	const struct generation *was;

	build(s, &set);
	before = set;
	memset(&o, 0xa5, sizeof(o));
	err = lc_revoke(&set, &env, number, force, &o);
	if (err != expect_revoke(s, number, force)) {
		show(s);
		fail_msg("revoke %lld, force %d: %d", (long long)number, force,
		    (int)err);
	}
	if (err != JW_OK) {
		assert_memory_equal(&set, &before, sizeof(set));
		if (err == JW_NOT_READY && number == ACTIVE)
			assert_int_equal(
			    o.ready_at, is_a_signer_to_be(s) || s->companion
					    ? expect_ready_time(s)
					    : NOW);
		return;
	}
	was = lc_find(&before, number);
	assert_int_equal(lc_find(&set, number)->revoked_at, NOW);
	assert_int_equal(lc_find(&set, number)->destroyed_at,
	    was->destroyed_at != 0 ? was->destroyed_at : NOW);
	assert_int_equal(
	    set.facts.version, before.facts.version + lc_is_published(was));
	assert_int_equal(o.flush_at, lc_is_published(was) ? NOW + 2160 : 0);
	assert_true(o.exposed);
	assert_int_equal(lc_count(&set, GEN_ACTIVE), s->active != 0);
	if (number == ACTIVE)
		assert_int_equal(lc_active(&set)->number, o.activated);
	assert_int_equal(o.retired, 0);
}

static void
every_revocation_has_its_outcome(void **state)
{
	struct situation s = {0};

	(void)state;
	do {
		if (!matters(&s))
			continue;
		for (int64_t number = 0; number <= COMPANION + 1; number++) {
			if (number == 0 || number > COMPANION) {
				struct lc_env env = env_of(&s);
				struct lc_outcome o;
				struct lc_set set;

				build(&s, &set);
				assert_int_equal(
				    lc_revoke(&set, &env, number, true, &o),
				    JW_NO_SUCH_KEY);
				continue;
			}
			revoke_in(&s, number, false);
			revoke_in(&s, number, true);
		}
	} while (next_situation(&s));
}

/* ---- outages and policies ---- */

static void
an_outage_restarts_only_what_waits(void **state)
{
	struct situation s = {0};

	(void)state;
	do {
		struct lc_set set, before;
		bool waits = s.subject == PUBLISHED;

		if (!matters(&s))
			continue;
		build(&s, &set);
		before = set;
		assert_int_equal(lc_resume(&set, NOW), waits);
		for (size_t i = 0; i < set.count; i++) {
			if (set.gens[i].number == SUBJECT && waits) {
				assert_int_equal(set.gens[i].absent_until, NOW);
				assert_int_equal(
				    set.gens[i].ready_due, NOW + IPUB);
			} else {
				assert_true(
				    lc_same(&set.gens[i], &before.gens[i]));
			}
		}
	} while (next_situation(&s));
}

/* ---- what no situation above holds ---- */

static void
steps_that_are_not_there_change_nothing(void **state)
{
	struct situation s = {.subject = RETIRED, .active = 3};
	const struct lc_step steps[] = {
	    {LC_NONE, ACTIVE, NOW, ""},
	    {LC_PUBLISH, 99, NOW, ""},
	    {LC_PUBLISH, TRAP, NOW, ""},
	    {LC_REMOVE, 99, NOW, ""},
	    {LC_ACTION_COUNT, SUBJECT, NOW, ""},
	};
	struct lc_env env = env_of(&s);
	struct lc_set set, before;

	(void)state;
	build(&s, &set);
	before = set;
	for (size_t i = 0; i < COUNT(steps); i++) {
		lc_apply(&set, &steps[i], &env);
		assert_memory_equal(&set, &before, sizeof(set));
	}
	assert_string_equal(lc_state_name(GEN_STATE_COUNT), "?");
	assert_null(lc_find(&set, 99));
	assert_null(lc_find(&set, TRAP));
	assert_non_null(lc_find(&set, ACTIVE));
}

/* What was revoked or imported before the first start never signs. */
static void
a_start_takes_the_first_that_can_sign(void **state)
{
	struct situation s = {.subject = REVOKED, .blank = 1, .companion = 1};
	struct lc_step step;
	struct lc_env env;
	struct lc_set set;

	(void)state;
	build(&s, &set);
	env = env_of(&s);
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 5));
	set.gens[set.count - 1].verify_only = true;
	assert_int_equal(lc_next(&set, &env).action, LC_CREATE);
	assert_true(lc_add(&set, &env, JW_ALG_ES256, 7));
	step = lc_next(&set, &env);
	assert_int_equal(step.action, LC_START);
	lc_apply(&set, &step, &env);
	assert_int_equal(lc_state(lc_find(&set, SUBJECT)), GEN_REVOKED);
	assert_int_equal(lc_active(&set)->number, COMPANION);
	assert_int_equal(lc_state(lc_find(&set, 10)), GEN_RETIRED);
	assert_int_equal(lc_find(&set, 10)->remove_due, NOW + 1 + IRET);
	assert_int_equal(lc_state(lc_find(&set, 11)), GEN_READY);
	assert_int_equal(lc_find(&set, 11)->ready_due, NOW);
	assert_int_equal(set.facts.version, 1);
}

/* Active, then ready and published, then retired, each newest first. */
static void
the_order_of_publication(void **state)
{
	static const struct {
		enum subject state;
		int64_t number;
		size_t place;
	} keys[] = {
	    {RETIRED, 2, 6},
	    {READY, 3, 4},
	    {PENDING, 4, 99},
	    {PUBLISHED, 5, 3},
	    {RETIRED, 8, 5},
	    {REVOKED, 9, 99},
	    {PUBLISHED, 11, 2},
	    {READY, 12, 1},
	};
	const struct situation s = {.subject = NOBODY, .active = 3};
	size_t index[MODEL_GENERATIONS_MAX];
	struct lc_set set;

	(void)state;
	build(&s, &set);
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct situation key = {.subject = keys[i].state};

		set.gens[set.count] = row_of_subject(&key);
		set.gens[set.count++].number = keys[i].number;
	}
	assert_int_equal(lc_publication(&set, index), 7);
	assert_int_equal(set.gens[index[0]].number, ACTIVE);
	for (size_t i = 0; i < COUNT(keys); i++)
		if (keys[i].place < 99)
			assert_int_equal(set.gens[index[keys[i].place]].number,
			    keys[i].number);
}

static void
every_fact_makes_a_difference(void **state)
{
	static const size_t fields[] = {
	    offsetof(struct generation, number),
	    offsetof(struct generation, created_at),
	    offsetof(struct generation, published_at),
	    offsetof(struct generation, ready_at),
	    offsetof(struct generation, activated_at),
	    offsetof(struct generation, retired_at),
	    offsetof(struct generation, removed_at),
	    offsetof(struct generation, revoked_at),
	    offsetof(struct generation, destroyed_at),
	    offsetof(struct generation, absent_until),
	    offsetof(struct generation, max_exp),
	    offsetof(struct generation, publish_due),
	    offsetof(struct generation, ready_due),
	    offsetof(struct generation, rotate_due),
	    offsetof(struct generation, destroy_due),
	    offsetof(struct generation, remove_due),
	    offsetof(struct generation, activations),
	    offsetof(struct generation, retirements),
	    offsetof(struct generation, alg),
	    offsetof(struct generation, spread),
	    offsetof(struct generation, verify_only),
	};
	struct generation a;

	(void)state;
	memset(&a, 0, sizeof(a));
	for (size_t i = 0; i < COUNT(fields); i++) {
		struct generation b = a;

		((char *)&b)[fields[i]] = 1;
		assert_false(lc_same(&a, &b));
		assert_true(lc_same(&b, &b));
	}
}

/* The most advanced; of the wanted algorithm among those. */
static void
the_best_heir_follows_a_revoked_signer(void **state)
{
	static const struct {
		enum subject state;
		int32_t alg;
	} heirs[] = {
	    {PENDING, JW_ALG_RS256},
	    {PENDING, JW_ALG_ES256},
	    {PUBLISHED, JW_ALG_RS256},
	    {PUBLISHED, JW_ALG_ES256},
	    {READY, JW_ALG_RS256},
	    {READY, JW_ALG_ES256},
	};
	const struct situation s = {.subject = NOBODY, .active = 3};
	struct lc_env env = env_of(&s);

	(void)state;
	for (size_t i = 0; i < COUNT(heirs); i++)
		for (size_t j = 0; j < COUNT(heirs); j++) {
			struct lc_outcome o;
			struct lc_set set;

			build(&s, &set);
			for (size_t k = 0; k < 2; k++) {
				size_t h = k == 0 ? i : j;
				struct situation heir = {
				    .subject = heirs[h].state, .deadline = 2};

				set.gens[set.count] = row_of_subject(&heir);
				set.gens[set.count].alg = heirs[h].alg;
				set.gens[set.count++].number = 20 + (int)k;
			}
			/* The signer is the last of the rows. */
			set.gens[3] = set.gens[0];
			memmove(&set.gens[0], &set.gens[1],
			    3 * sizeof(set.gens[0]));
			assert_int_equal(
			    lc_revoke(&set, &env, ACTIVE, true, &o), JW_OK);
			/* Of equals, the elder. */
			assert_int_equal(o.activated, j > i ? 21 : 20);
		}
}

/* Only the elder of equals in time may be passed over. */
static void
the_last_signer_is_rolled_back_to(void **state)
{
	const struct situation s = {.subject = NOBODY, .active = 3};
	const struct situation retired = {.subject = RETIRED, .deadline = 1};
	struct lc_env env = env_of(&s);

	(void)state;
	for (int64_t shift = -1; shift <= 1; shift++)
		for (size_t first = 0; first < 2; first++) {
			struct lc_outcome o;
			struct lc_set set;

			build(&s, &set);
			/* The signer of today is the last of the rows. */
			set.gens[2] = set.gens[0];
			set.gens[2].number = 30;
			for (size_t i = 0; i < 2; i++) {
				set.gens[i] = row_of_subject(&retired);
				set.gens[i].number = 20 + (int64_t)i;
			}
			set.gens[first].retired_at += shift;
			set.count = 3;
			assert_int_equal(lc_rollback(&set, &env,
					     &(struct lc_rollback){0}, &o),
			    JW_OK);
			assert_int_equal(o.retired, 30);
			assert_int_equal(o.activated,
			    shift == 0
				? 21
				: 20 + (int64_t)((shift > 0) ? first
							     : 1 - first));
		}
}

/* A standby that is ready may sign at any time, were its clock ahead. */
static void
a_ready_standby_takes_any_time(void **state)
{
	const struct situation s = {.subject = READY, .active = 3};
	struct lc_rotate order = {.at = NOW + 1};
	struct lc_env env = env_of(&s);
	struct lc_outcome o;
	struct lc_set set;

	(void)state;
	build(&s, &set);
	set.gens[1].ready_at = NOW + 100;
	assert_int_equal(lc_rotate(&set, &env, &order, &o), JW_OK);
	assert_int_equal(o.scheduled_for, NOW + 1);
}

/* Room comes when enough of the retired have left. */
static void
room_comes_when_enough_have_left(void **state)
{
	static const struct {
		int32_t max;
		int64_t when;
	} rows[] = {{6, 0}, {5, 0}, {4, 10}, {3, 20}, {2, 30}, {1, 0}};
	static const int64_t leaves[] = {30, 10, 20};
	const struct situation s = {.subject = NOBODY, .active = 3};
	struct lc_env env = env_of(&s);
	struct lc_set set;

	(void)state;
	build(&s, &set);
	for (size_t i = 0; i < COUNT(leaves); i++) {
		struct situation retired = {.subject = DESTROYED};
		struct generation *gen = &set.gens[set.count++];

		*gen = row_of_subject(&retired);
		gen->number = 20 + (int64_t)i;
		gen->remove_due = NOW + leaves[i];
	}
	/* The signer is the last of the rows. */
	set.gens[4] = set.gens[0];
	memmove(&set.gens[0], &set.gens[1], 4 * sizeof(set.gens[0]));
	set_trap(&s, &set);
	for (size_t i = 0; i < COUNT(rows); i++) {
		set.facts.policy.max_published_keys = rows[i].max;
		assert_int_equal(lc_room_time(&set, &env), NOW + rows[i].when);
		/* What should have left long ago leaves now. */
		env.now = NOW + 1000;
		assert_int_equal(lc_room_time(&set, &env), NOW + 1000);
		env.now = NOW;
	}
}

/* A copy of the set before, at any place but the first. */
static void
any_other_key_is_another_version(void **state)
{
	const struct situation s = {.subject = READY, .active = 3};
	struct lc_env env = env_of(&s);
	struct lc_set before, after;

	(void)state;
	build(&s, &before);
	after = before;
	lc_touch(&before, &after, &env);
	assert_int_equal(after.facts.version, before.facts.version);
	after.gens[1].number = 9;
	lc_touch(&before, &after, &env);
	assert_int_equal(after.facts.version, before.facts.version + 1);
}

/* Another one stays published, wherever its row is. */
static void
the_last_published_key_is_not_revoked(void **state)
{
	static const enum subject others[] = {PENDING, PUBLISHED, RETIRED};
	const struct situation s = {.subject = PUBLISHED};
	struct lc_env env = env_of(&s);

	(void)state;
	for (size_t n = 0; n < 3 * COUNT(others); n++) {
		int kind = (int)others[n % 3];
		struct lc_outcome o;
		struct lc_set set;

		build(&s, &set);
		for (size_t row = 1; row < 4; row++) {
			struct situation other = {
			    .subject = row == 1 + n / 3 ? kind : PENDING};

			set.gens[row] = row_of_subject(&other);
			set.gens[row].number = 20 + (int64_t)row;
		}
		set.count = 4;
		set_trap(&s, &set);
		assert_int_equal(lc_revoke(&set, &env, SUBJECT, true, &o),
		    kind == PENDING ? JW_NOT_READY : JW_OK);
	}
}

/* ---- policies ---- */

/* By how much parameters change, and what becomes of deadlines. */
struct change {
	int32_t lag, age, margin; /* of publication */
	int32_t drain, ttl, skew; /* of retirement */
	int64_t max_exp;          /* NOW + */
	int64_t ready;            /* of a published one: PAST + */
	int64_t copies;           /* NOW + */
	int64_t removal;          /* of a retired one: NOW - 100 + */
	int64_t tokens;           /* NOW + */
};

static void
change_policy(const struct change *c, bool keeps_private)
{
	const struct situation s = {.subject = PUBLISHED, .active = 3};
	struct situation retired = {
	    .subject = keeps_private ? RETIRED : DESTROYED};
	struct lc_env env = env_of(&s);
	struct generation *gen, trap;
	struct jw_policy p;
	struct lc_set set;

	build(&s, &set);
	set.gens[1].ready_due = PAST + IPUB;
	gen = &set.gens[set.count++];
	*gen = row_of_subject(&retired);
	gen->number = 20;
	gen->destroy_due = 5;
	gen->remove_due = gen->retired_at + 1 + IRET;
	gen->max_exp = c->max_exp == 0 ? 0 : NOW + c->max_exp;
	/* It would be remembered, were it looked at. */
	set_trap(&s, &set);
	gen[1].max_exp = NOW + 900000;
	gen[1].absent_until = NOW;
	trap = gen[1];
	p = set.facts.policy;
	p.propagation_delay += c->lag;
	p.verifier_max_age += c->age;
	p.publish_safety += c->margin;
	p.token_max_ttl += c->ttl;
	p.signer_drain += c->drain;
	p.clock_skew += c->skew;
	p.rotation_period += 86400;
	p.rollback_window -= 100;
	lc_set_policy(&set, &env, &p);
	assert_memory_equal(&set.facts.policy, &p, sizeof(p));
	assert_int_equal(set.gens[1].ready_due, PAST + c->ready);
	assert_int_equal(set.facts.copies_until, NOW + 1 + c->copies);
	assert_int_equal(set.facts.tokens_until, NOW + c->tokens);
	assert_int_equal(gen->remove_due, NOW - 99 + c->removal);
	assert_int_equal(
	    gen->destroy_due, keeps_private ? NOW - 99 + ROLLBACK - 100 : 5);
	assert_int_equal(set.gens[0].rotate_due, PAST + PERIOD + 86400);
	assert_true(lc_same(&gen[1], &trap));
}

/* Worked out by hand from "Memory": whatever lives on is waited for. */
static void
no_policy_forgets_the_one_before(void **state)
{
	static const struct change changes[] = {
	    {.ready = IPUB,
		.copies = IPUB,
		.removal = IRET,
		.tokens = 1 + IRET},
	    {.age = -80000,
		.ready = IPUB,
		.copies = IPUB,
		.removal = IRET,
		.tokens = 1 + IRET},
	    {.age = 1000,
		.ready = IPUB + 1000,
		.copies = IPUB,
		.removal = IRET,
		.tokens = 1 + IRET},
	    {.margin = -3600,
		.ready = IPUB,
		.copies = IPUB,
		.removal = IRET,
		.tokens = 1 + IRET},
	    /* Old copies are handed out for longer. */
	    {.lag = 40,
		.age = -80000,
		.ready = IPUB + 40,
		.copies = IPUB + 40,
		.removal = IRET,
		.tokens = 1 + IRET},
	    {.lag = -40,
		.ready = IPUB,
		.copies = IPUB,
		.removal = IRET,
		.tokens = 1 + IRET},
	    {.ttl = -3000,
		.ready = IPUB,
		.copies = IPUB,
		.removal = IRET,
		.tokens = 1 + IRET},
	    {.ttl = 500,
		.drain = 7,
		.ready = IPUB,
		.copies = IPUB,
		.removal = IRET + 507,
		.tokens = 1 + IRET},
	    /* Old tokens are accepted for longer. */
	    {.ttl = -3000,
		.skew = 70,
		.ready = IPUB,
		.copies = IPUB,
		.removal = IRET + 70,
		.tokens = 1 + IRET + 70},
	    {.skew = -70,
		.ready = IPUB,
		.copies = IPUB,
		.removal = IRET,
		.tokens = 1 + IRET},
	    /* What was signed lives on under the leeway of then. */
	    {.max_exp = 20000,
		.skew = -70,
		.ready = IPUB,
		.copies = IPUB,
		.removal = 20000 + AFTER_EXP + 99,
		.tokens = 20000 + AFTER_EXP},
	    {.max_exp = 20000,
		.skew = 70,
		.ready = IPUB,
		.copies = IPUB,
		.removal = 20000 + AFTER_EXP + 70 + 99,
		.tokens = 20000 + AFTER_EXP + 70},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(changes); i++) {
		change_policy(&changes[i], false);
		change_policy(&changes[i], true);
	}
}

/* What is remembered already is not shortened by a later change. */
static void
a_memory_is_never_shortened(void **state)
{
	const struct situation s = {.subject = PUBLISHED, .active = 3};
	struct lc_env env = env_of(&s);
	struct jw_policy p;
	struct lc_set set;

	(void)state;
	build(&s, &set);
	set.facts.copies_until = NOW + 2 * IPUB;
	set.facts.tokens_until = NOW + 2 * IRET;
	p = set.facts.policy;
	lc_set_policy(&set, &env, &p);
	assert_int_equal(set.facts.copies_until, NOW + 2 * IPUB);
	assert_int_equal(set.facts.tokens_until, NOW + 2 * IRET);
	set.gens[0].max_exp = NOW + 3 * IRET;
	lc_set_policy(&set, &env, &p);
	assert_int_equal(set.facts.tokens_until, NOW + 3 * IRET + AFTER_EXP);
	/* Keys that are published, and that retire, from now on. */
	lc_promote(&set, SUBJECT, &env);
	assert_int_equal(
	    lc_find(&set, ACTIVE)->remove_due, NOW + 3 * IRET + AFTER_EXP);
}

/* ---- who is told what, until when ---- */

enum { LAG = 60, HEADERS = 300, AGE = 86400 };

static void
a_revocation_says_who_accepts(void **state)
{
	struct situation s = {.subject = READY, .active = 3};
	struct lc_env env = env_of(&s);
	struct lc_outcome o;
	struct lc_set set;

	(void)state;
	for (int64_t old = 0; old <= NOW + 10 * AGE; old += NOW + 10 * AGE) {
		int64_t served = NOW + 1 + LAG;
		int64_t headers = served + HEADERS, age = served + AGE;

		headers = headers > old ? headers : old;
		age = age > old ? age : old;
		build(&s, &set);
		set.facts.copies_until = NOW + 99 * AGE;
		set.facts.cached_until = old;
		set.facts.polled_until = old;
		assert_int_equal(
		    lc_revoke(&set, &env, ACTIVE, false, &o), JW_OK);
		assert_int_equal(
		    o.exposure.accept_old_tokens.honours_cache_control,
		    headers);
		assert_int_equal(
		    o.exposure.accept_old_tokens.polls_within_max_age, age);
		assert_int_equal(
		    o.exposure.accept_old_tokens.never_expires, LC_NEVER);
		assert_int_equal(
		    o.exposure.reject_new_tokens.polls_within_max_age, 0);
		assert_int_equal(o.exposure.until, age);
		assert_string_equal(o.cause, "an operator revoked it");
	}
}

static void
an_early_rotation_says_who_rejects(void **state)
{
	static const enum subject kinds[] = {PENDING, PUBLISHED, READY};
	struct lc_rotate order = {.now = true};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(kinds); i++) {
		struct situation s = {
		    .subject = (int)kinds[i / 2], .active = 3};
		struct lc_env env = env_of(&s);
		int64_t old = i % 2 == 0 ? 0 : NOW + 10 * AGE;
		int64_t from = kinds[i / 2] == PENDING ? NOW + 1 : PAST;
		int64_t headers = from + LAG + HEADERS, age = from + LAG + AGE;
		struct lc_outcome o;
		struct lc_set set;

		headers = headers > old ? headers : old;
		age = age > old ? age : old;
		if (kinds[i / 2] == READY)
			headers = age = 0;
		build(&s, &set);
		set.facts.copies_until = NOW + 99 * AGE;
		set.facts.cached_until = old;
		set.facts.polled_until = old;
		assert_int_equal(lc_rotate(&set, &env, &order, &o), JW_OK);
		assert_int_equal(
		    o.exposure.reject_new_tokens.honours_cache_control,
		    headers);
		assert_int_equal(
		    o.exposure.reject_new_tokens.polls_within_max_age, age);
		assert_int_equal(o.exposure.reject_new_tokens.never_expires, 0);
		assert_int_equal(o.exposure.until, age);
		assert_int_equal(o.exposed, age != 0);
		assert_string_equal(
		    o.cause, age == 0 ? "the standby was ready"
				      : "an operator would not wait");
	}
}

/* Who signs, who stopped, then the rest; a short list keeps the first. */
static void
changes_are_told_in_order(void **state)
{
	static const int64_t numbers[] = {8, 5, 2, 9};
	static const enum gen_state to[] = {
	    GEN_ACTIVE, GEN_RETIRED, GEN_READY, GEN_PENDING};
	struct lc_set before, after;

	(void)state;
	memset(&before, 0, sizeof(before));
	before.count = 3;
	before.gens[0] = (struct generation){.number = 2, .published_at = 1};
	before.gens[1] = (struct generation){
	    .number = 5, .published_at = 1, .activations = 1};
	before.gens[2] =
	    (struct generation){.number = 8, .published_at = 1, .ready_at = 1};
	after = before;
	after.gens[0].ready_at = 2;
	after.gens[1].retirements = 1;
	after.gens[2].activations = 1;
	after.gens[after.count++] = (struct generation){.number = 9};
	for (size_t max = 0; max <= 5; max++) {
		struct lc_change changes[6] = {{.number = 0}};
		size_t n = lc_diff(&before, &after, changes, max);

		assert_int_equal(n, max < 4 ? max : 4);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(changes[i].number, numbers[i]);
			assert_int_equal(changes[i].to, to[i]);
			assert_int_equal(changes[i].has_from, i < 3);
		}
		assert_int_equal(changes[n].number, 0);
	}
}

static void
what_is_late_is_told_why(void **state)
{
	struct situation s = {0};

	(void)state;
	do {
		struct lc_env env = env_of(&s);
		const char *expected = NULL, *is;
		struct lc_set set;

		if (s.active == 0 || s.companion || s.full || s.other_alg ||
		    s.late_exp || !makes_sense(&s))
			continue;
		build(&s, &set);
		if (s.active > 2)
			expected = NULL;
		else if (s.frozen || s.mode == JW_MODE_FROZEN)
			expected = "rotation is frozen";
		else if (s.mode == JW_MODE_MANUAL)
			expected = "the mode is manual";
		else if (s.distrusted)
			expected = "the clock is not trusted";
		else if (s.subject != READY)
			expected = "the standby is not ready";
		is = lc_overdue(&set, &env);
		assert_int_equal(is == NULL, expected == NULL);
		if (is != NULL)
			assert_string_equal(is, expected);
		assert_int_equal(lc_frozen_by(&set, &env) != NULL,
		    s.frozen || s.mode == JW_MODE_FROZEN);
	} while (next_situation(&s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(steps_that_are_not_there_change_nothing),
	    cmocka_unit_test(a_start_takes_the_first_that_can_sign),
	    cmocka_unit_test(the_order_of_publication),
	    cmocka_unit_test(every_fact_makes_a_difference),
	    cmocka_unit_test(the_best_heir_follows_a_revoked_signer),
	    cmocka_unit_test(only_the_expected_signer_is_rotated),
	    cmocka_unit_test(the_last_signer_is_rolled_back_to),
	    cmocka_unit_test(a_ready_standby_takes_any_time),
	    cmocka_unit_test(room_comes_when_enough_have_left),
	    cmocka_unit_test(any_other_key_is_another_version),
	    cmocka_unit_test(a_revocation_says_who_accepts),
	    cmocka_unit_test(an_early_rotation_says_who_rejects),
	    cmocka_unit_test(the_last_published_key_is_not_revoked),
	    cmocka_unit_test(no_policy_forgets_the_one_before),
	    cmocka_unit_test(a_memory_is_never_shortened),
	    cmocka_unit_test(changes_are_told_in_order),
	    cmocka_unit_test(every_situation_has_its_step),
	    cmocka_unit_test(a_removed_key_set_rests),
	    cmocka_unit_test(every_rotation_has_its_outcome),
	    cmocka_unit_test(every_rollback_has_its_outcome),
	    cmocka_unit_test(every_revocation_has_its_outcome),
	    cmocka_unit_test(an_outage_restarts_only_what_waits),
	    cmocka_unit_test(what_is_late_is_told_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
