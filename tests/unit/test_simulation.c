/*
 * The promise itself: the real decisions of the lifecycle, in
 * virtual time, against the worst verifiers that jwksd-lifecycle(7) allows.
 * Then the same world with one rule taken away at a time, to show that the test
 * would notice.  JWKSD_SEED repeats a run, JWKSD_ROUNDS sets its length.
 *
 * True time has parts of seconds; the daemon sees whole ones alone.  Within one
 * part: first tokens end, then the daemon commits, then copies are fetched,
 * then tokens are signed and checked.
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

#include "daemon/lifecycle/clock_guard.h"
#include "daemon/lifecycle/lifecycle.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/lifecycle/outage.h"
#include "daemon/lifecycle/plan.h"
#include "daemon/lifecycle/reading.h"
#include "daemon/lifecycle/time_correction.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T0 INT64_C(1800000000)
#define FOREVER INT64_MAX

enum {
	TICKS = 4,       /* of one second: true time is counted in them */
	EVENTS = 500,    /* of one world */
	LIVES = 1024,    /* keys of one world */
	TOKENS = 6000,   /* of one world */
	EPOCHS = 128,    /* policies of one world */
	OUTAGES = 128,   /* of one world */
	GAPS = 32,       /* of one world */
	FETCHES = 48,    /* of one verifier */
	VERIFIERS = 512, /* of one world */
	PAIRS = 16,
	CHANGES = 64,
	LATE = 30, /* seconds that a wake may be late */
	ROUNDING = 16,
	DEFAULT_ROUNDS = 3000,
	WEAK_ROUNDS = 120,
};

/* Rules that a test takes away. */
struct weakness {
	const char *name;
	bool immediate;    /* a rotation takes a fresh key at once */
	bool no_gate;      /* a standby counts as ready when published */
	bool no_outage;    /* an outage restarts nothing */
	bool extend;       /* it only prolongs the wait by its own length */
	bool no_copies;    /* longer cache times are forgotten */
	bool no_tokens;    /* longer token lifetimes are forgotten */
	bool no_drain;     /* signatures in flight are forgotten */
	bool no_skew;      /* the leeway of verifiers is forgotten */
	bool no_exp;       /* what a key really signed is forgotten */
	bool no_new_clock; /* nothing restarts when a clock is right again */
	bool no_grace;     /* every gap counts as a restart of seconds */
	bool no_guard;     /* every clock is believed */
	bool blind;        /* the ends of waits do not need a front */
	bool no_known;     /* any key that signed before may sign again */
	bool no_tombs;     /* a name that is added again is a new one */
	bool no_late;      /* a commit counts from when it was made */
	bool no_ceil;      /* seconds are rounded down */
	bool no_read;      /* what is committed counts as read */
	bool one_level;    /* no shared cache counts */
};

/* A key, as verifiers know it. */
struct life {
	int64_t published;
	int64_t gone;
	int64_t retired;
	int64_t drain; /* signatures in flight end at retired + drain (ticks) */
	int64_t ttl;   /* of what was in flight then */
	bool exposed;  /* an operator was told that its tokens are rejected */
};

/* The name has no key set: 404. */
struct gap {
	int64_t from, to;
};

struct token {
	int64_t number;
	int64_t signed_at;
	int64_t end; /* exp; in the end with the leeway */
	int64_t cut; /* its key set was removed then: 0: it was not */
};

struct epoch {
	int64_t from;
	int64_t floor; /* no replica serves anything older at `from` */
	struct jw_policy policy;
};

struct outage {
	int64_t down, up;
	bool waits; /* the backlog holds requests until `up` */
};

struct fetch {
	int64_t at;
	int64_t content; /* what was current then is in the copy */
	int64_t usable;  /* no verifier uses it later */
};

struct verifier {
	int64_t until; /* later it is out of sight */
	size_t count;
	struct fetch fetches[FETCHES];
};

/* What is wrong with the world at the moment. */
enum trouble {
	FINE,
	FRONT_CRASH,   /* the port is closed */
	FRONT_RESTART, /* behind an open listener */
	KEEPER_CRASH,  /* the front serves on */
	BOTH_CRASH,
	STOP,
	KEEPER_AND_FRONT, /* the front fails while the keeper is away */
	TROUBLE_COUNT
};

struct pair {
	int64_t done;
	int32_t alg;
};

struct world {
	uint64_t random;
	struct weakness weak;
	bool records; /* the signer keeps max_exp */

	int64_t started; /* the first version */
	int64_t now;     /* true time */
	int64_t offset;  /* of the daemon's wall clock */
	int64_t offset_until;
	struct lc_set set;
	struct lc_clock_guard clock;
	struct lc_outage servable;
	char servable_text[SERVABLE_TEXT_SIZE];
	bool frozen;
	enum trouble trouble;
	int64_t trouble_until;
	int64_t reported;    /* what a front will say: serving since */
	int64_t front_since; /* what the present one says, by the wall clock */
	int64_t read_until;  /* then every front has read what was sent */
	bool withdrawing;    /* a removal may not have been read */
	/* A commit of unknown outcome: there, and nobody knows it yet. */
	int64_t doubt_until; /* 0: there is none */
	struct lc_set unknown;
	struct pair pairs[PAIRS];
	int npairs;
	int64_t next_order;

	/* Nobody interferes until then: a plan is held against the truth. */
	int64_t quiet_until;
	struct lc_change planned[CHANGES], happened[CHANGES];
	size_t nplanned, nhappened;

	struct life lives[LIVES];
	struct token tokens[TOKENS];
	struct epoch epochs[EPOCHS];
	struct outage outages[OUTAGES];
	struct gap gaps[GAPS];
	struct verifier verifiers[VERIFIERS];
	size_t ntokens, nepochs, noutages, nverifiers, ngaps;
	struct key_set_facts removed; /* the last of the name */
	int64_t retimed_at;           /* by the wall clock */
};

struct tally {
	uint64_t checks, rejections, worlds, rotations, plans;
};

static struct world world; /* 2 MB: too large for a stack */

/* ---- chance ---- */

static uint64_t
draw(struct world *w)
{
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return w->random * UINT64_C(2685821657736338717);
}

/* Both ends included. */
static int64_t
between(struct world *w, int64_t low, int64_t high)
{
	return high <= low ? low
			   : low + (int64_t)((draw(w) >> 11) %
					     (uint64_t)(high - low + 1));
}

static bool
chance(struct world *w, int percent)
{
	return between(w, 0, 99) < percent;
}

/* From 0 to high, of any magnitude; the ends often. */
static int32_t
some(struct world *w, int32_t high)
{
	if (chance(w, 25))
		return chance(w, 50) ? 0 : high;
	return (int32_t)between(w, 0, high >> between(w, 0, 8));
}

static int64_t
span(int64_t seconds)
{
	return seconds * TICKS;
}

/* At any moment of a second. */
static int64_t
fraction(struct world *w)
{
	return between(w, 0, TICKS - 1);
}

static uint64_t
setting(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text == NULL || *text == '\0' ? fallback
					     : strtoull(text, NULL, 0);
}

/* ---- policies ---- */

static int32_t
max32(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

static void
random_times(struct world *w, struct jw_policy *p)
{
	int32_t scale = chance(w, 50) ? 120 : 4000;

	p->cache_max_age = 1 + some(w, scale < 3600 ? scale : 3599);
	p->cache_stale_while_revalidate = some(w, scale);
	p->cache_stale_if_error = some(w, scale);
	p->verifier_max_age =
	    2 * p->cache_max_age +
	    max32(p->cache_stale_while_revalidate, p->cache_stale_if_error) +
	    some(w, scale);
	p->propagation_delay = some(w, scale);
	p->publish_safety =
	    chance(w, 70) || w->weak.no_ceil ? 0 : some(w, scale);
	p->token_max_ttl = 1 + some(w, scale);
	p->clock_skew = some(w, scale);
	p->signer_drain = some(w, scale / 2);
	p->retire_safety = chance(w, 70) ? 0 : some(w, scale);
}

/* Lawful in any case. */
static struct jw_policy
random_policy(struct world *w)
{
	struct jw_why why = {"", ""};
	struct jw_policy p;
	int64_t iret;

	jw_policy_init(&p);
	do {
		random_times(w, &p);
		iret = jw_policy_retire_interval(&p);
		p.algorithm = chance(w, 80) ? JW_ALG_ES256 : JW_ALG_EDDSA;
		p.mode = chance(w, 85)
			     ? JW_MODE_AUTO
			     : (int32_t)between(w, 0, JW_MODE_COUNT - 1);
		p.rotation_period =
		    (int32_t)jw_policy_publish_interval(&p) + 1 + some(w, 8000);
		p.rollback_window =
		    (int32_t)between(w, 1, iret < 100000 ? iret : 100000);
		p.standby_count = chance(w, 70) ? 1 : 1 + some(w, 3);
		p.max_published_keys = (int32_t)between(w, 3, 10);
	} while (jw_policy_check(&p, NULL, &why) != JW_OK);
	if (w->weak.one_level)
		p.verifier_max_age -= p.cache_max_age;
	return p;
}

/* One parameter is another: or all of them. */
static struct jw_policy
changed_policy(struct world *w)
{
	struct jw_policy other = random_policy(w);
	struct jw_policy p = w->set.facts.policy;
	const struct jw_param *params;
	size_t count;
	struct jw_why why = {"", ""};

	if (chance(w, 30))
		return other;
	params = jw_policy_params(&count);
	for (int i = 0; i < 3; i++) {
		const struct jw_param *param =
		    &params[between(w, 0, (int64_t)count - 1)];

		jw_policy_set(&p, param, jw_policy_get(&other, param));
	}
	return jw_policy_check(&p, NULL, &why) == JW_OK ? p : other;
}

/* ---- what must hold after every change ---- */

static void
expect_added_only(int64_t was, int64_t is, const char *what)
{
	if (was != 0 && was != is)
		fail_msg("%s was %lld and is %lld", what, (long long)was,
		    (long long)is);
}

static void
expect_forward(const struct generation *was, const struct generation *is)
{
	enum gen_state a = lc_state(was), b = lc_state(is);

	expect_added_only(was->created_at, is->created_at, "created_at");
	expect_added_only(was->published_at, is->published_at, "published_at");
	expect_added_only(was->ready_at, is->ready_at, "ready_at");
	expect_added_only(was->removed_at, is->removed_at, "removed_at");
	expect_added_only(was->revoked_at, is->revoked_at, "revoked_at");
	expect_added_only(was->destroyed_at, is->destroyed_at, "destroyed_at");
	assert_true(is->activations >= was->activations);
	assert_true(is->retirements >= was->retirements);
	assert_true(is->absent_until >= was->absent_until);
	assert_int_equal(is->alg, was->alg);
	/* A rollback is a new fact. */
	if (a == GEN_RETIRED && b == GEN_ACTIVE)
		assert_int_equal(is->activations, was->activations + 1);
	else
		assert_true(b >= a);
}

static void
expect_sane(const struct world *w, const struct lc_set *before)
{
	size_t index[MODEL_GENERATIONS_MAX], old[MODEL_GENERATIONS_MAX];
	const struct lc_set *set = &w->set;
	size_t n = lc_publication(set, index);
	size_t m = lc_publication(before, old);
	bool same = n == m;

	if (set->facts.removed_at != 0 || before->facts.removed_at != 0)
		return;
	if (lc_awaits(set)) {
		assert_int_equal(lc_count(set, GEN_ACTIVE), 0);
		assert_true(n > 0);
	} else if (set->facts.version > 0) {
		assert_int_equal(lc_count(set, GEN_ACTIVE), 1);
		assert_true(n > 0);
		assert_int_equal(lc_state(&set->gens[index[0]]), GEN_ACTIVE);
	}
	/* No change makes a set larger than it may be. */
	assert_true(n <= m || before->facts.version == 0 ||
		    n <= (size_t)set->facts.policy.max_published_keys);
	for (size_t i = 0; i < n && same; i++)
		same =
		    set->gens[index[i]].number == before->gens[old[i]].number;
	assert_int_equal(
	    set->facts.version, before->facts.version + (same ? 0 : 1));
	assert_true(set->facts.version_at >= before->facts.version_at);
	assert_true(set->facts.next_number >= before->facts.next_number);
	for (size_t i = 0; i < set->count; i++) {
		const struct generation *gen = &set->gens[i];
		const struct generation *was = lc_find(before, gen->number);

		assert_true(i == 0 || gen[-1].number < gen->number);
		assert_true(gen->number < set->facts.next_number);
		if (was != NULL)
			expect_forward(was, gen);
		else
			assert_true(gen->number >= before->facts.next_number);
	}
}

/* ---- history ---- */

static const struct epoch *
epoch_at(const struct world *w, int64_t when)
{
	size_t i = w->nepochs - 1;

	while (i > 0 && w->epochs[i].from > when)
		i--;
	return &w->epochs[i];
}

/* A lag grows no faster than time passes. */
static int64_t
oldest_content(const struct world *w, int64_t when)
{
	const struct epoch *e = epoch_at(w, when);
	int64_t floor = when - span(e->policy.propagation_delay);

	floor = floor > e->floor ? floor : e->floor;
	return floor > w->started ? floor : w->started;
}

static void
begin_epoch(struct world *w, const struct jw_policy *policy)
{
	struct epoch *e = &w->epochs[w->nepochs];

	assert_true(w->nepochs < EPOCHS);
	e->from = w->now;
	e->floor = w->nepochs == 0 ? w->now : oldest_content(w, w->now);
	e->policy = *policy;
	w->nepochs++;
}

static struct life *
life_of(struct world *w, int64_t number)
{
	assert_in_range(number, 1, LIVES - 1);
	return &w->lives[number];
}

static void
record_lives(struct world *w, const struct lc_set *before)
{
	for (size_t i = 0; i < w->set.count; i++) {
		const struct generation *gen = &w->set.gens[i];
		const struct generation *was = lc_find(before, gen->number);
		struct life *life = life_of(w, gen->number);

		if (lc_is_published(gen) && life->published == 0) {
			life->published = w->read_until;
			life->gone = FOREVER;
		}
		if (lc_state(gen) >= GEN_REMOVED && life->gone == FOREVER)
			life->gone = w->set.facts.removed_at != 0
					 ? w->read_until
					 : w->now;
		if (was != NULL && gen->retirements > was->retirements) {
			life->retired = w->now;
			life->drain = span(before->facts.policy.signer_drain);
			life->ttl = before->facts.policy.token_max_ttl;
		}
	}
}

static void
record_changes(struct world *w, const struct lc_set *before)
{
	struct lc_change *to = w->happened + w->nhappened;
	size_t n;

	if (w->quiet_until == 0)
		return;
	n = lc_diff(before, &w->set, to, CHANGES - w->nhappened);
	for (size_t i = 0; i < n; i++)
		to[i].time = w->now / TICKS;
	w->nhappened += n;
}

/* ---- rules taken away ---- */

static void
weaken(struct world *w, const struct lc_set *before)
{
	const struct jw_policy *p = &w->set.facts.policy;

	for (size_t i = 0; i < w->set.count; i++) {
		struct generation *gen = &w->set.gens[i];
		const struct generation *was = lc_find(before, gen->number);
		bool retires = lc_state(gen) == GEN_RETIRED &&
			       (was == NULL || lc_state(was) == GEN_ACTIVE);

		if (w->weak.no_gate && lc_state(gen) == GEN_PUBLISHED)
			gen->ready_due = gen->published_at;
		if (w->weak.no_drain && retires)
			gen->remove_due -= p->signer_drain;
		if (w->weak.no_skew && retires)
			gen->remove_due -= p->clock_skew;
		if (w->weak.no_exp && retires)
			gen->remove_due = gen->retired_at;
	}
}

/* Deadlines as if there had been no other policy. */
static void
forget(struct world *w)
{
	const struct jw_policy *p = &w->set.facts.policy;

	if (w->weak.no_copies)
		w->set.facts.copies_until = 0;
	if (w->weak.no_tokens)
		w->set.facts.tokens_until = 0;
	for (size_t i = 0; i < w->set.count; i++) {
		struct generation *gen = &w->set.gens[i];

		if (w->weak.no_copies)
			gen->ready_due =
			    gen->absent_until + jw_policy_publish_interval(p);
		if (w->weak.no_tokens)
			gen->remove_due =
			    gen->retired_at + jw_policy_retire_interval(p);
	}
}

/* ---- the keeper, as keeper.c does it ---- */

static int64_t
wall(const struct world *w)
{
	return w->now / TICKS + w->offset;
}

static bool
keeper_is_up(const struct world *w)
{
	return w->trouble <= FRONT_RESTART;
}

static struct lc_env
env_of(struct world *w)
{
	return (struct lc_env){
	    .now = wall(w),
	    .clock_trusted = w->clock.trusted,
	    .frozen = w->frozen,
	    .serving = w->servable.serving || w->weak.blind,
	    .pairs_coming = w->npairs,
	};
}

/* How long it takes until the last front has read it. */
static int64_t
reading_time(struct world *w, const struct lc_set *before)
{
	if (before->facts.version == 0 || w->quiet_until != 0 || chance(w, 60))
		return 0;
	if (chance(w, 80))
		return between(w, 0, span(3));
	return span(
	    some(w, (int32_t)jw_policy_publish_interval(&w->set.facts.policy)));
}

static void
send(struct world *w, const struct lc_set *before)
{
	int64_t read;

	if (w->set.facts.version == before->facts.version &&
	    w->set.facts.removed_at == before->facts.removed_at)
		return;
	read = w->now + reading_time(w, before);
	if (read > w->read_until)
		w->read_until = read;
}

/* After every change of the set. */
static void
commit(struct world *w, const struct lc_set *before)
{
	if (before->facts.version == 0 && w->set.facts.version > 0 &&
	    w->started == 0)
		w->started = w->now;
	send(w, before);
	expect_sane(w, before);
	record_lives(w, before);
	record_changes(w, before);
	weaken(w, before);
	lc_bury(&w->set);
}

static bool
has_been_read(const struct world *w)
{
	return w->weak.no_read || (w->now >= w->read_until &&
				      (w->servable.serving || w->weak.blind));
}

/* As they would be if what happened in a second counted from its start. */
static void
round_down(struct lc_set *set, const struct lc_set *before)
{
	for (size_t i = 0; i < set->count; i++) {
		struct generation *gen = &set->gens[i];

		if (gen->absent_until == before->gens[i].absent_until)
			continue;
		gen->absent_until--;
		gen->ready_due = gen->absent_until +
				 jw_policy_publish_interval(&set->facts.policy);
		if (gen->ready_due < set->facts.copies_until)
			gen->ready_due = set->facts.copies_until;
	}
}

/* The keeper learns that every front has read everything. */
static void
take_reading(struct world *w)
{
	struct lc_set before = w->set;

	if (!keeper_is_up(w) || w->doubt_until != 0 || !has_been_read(w))
		return;
	if (w->withdrawing)
		w->removed.withdrawn_at = wall(w) + 1;
	w->withdrawing = false;
	if (!lc_read(&w->set, wall(w) + 1))
		return;
	if (w->weak.no_ceil)
		round_down(&w->set, &before);
	commit(w, &before);
}

static void
order_pair(struct world *w)
{
	assert_true(w->npairs < PAIRS);
	w->pairs[w->npairs].alg = w->set.facts.policy.algorithm;
	w->pairs[w->npairs].done =
	    w->now +
	    (w->quiet_until != 0 || chance(w, 50) ? 0 : some(w, span(60)));
	w->npairs++;
}

static bool
is_still_wanted(struct world *w, int32_t alg)
{
	struct lc_env env = env_of(w);
	struct lc_set view = w->set;

	for (;;) {
		struct lc_step step = lc_next(&view, &env);

		if (step.action == LC_CREATE)
			return view.facts.policy.algorithm == alg;
		if (step.due > env.now)
			return false;
		lc_apply(&view, &step, &env);
		lc_bury(&view);
	}
}

static void
take_pair(struct world *w, int i)
{
	struct pair pair = w->pairs[i];
	struct lc_set before = w->set;
	struct lc_env env;

	w->pairs[i] = w->pairs[--w->npairs];
	if (!is_still_wanted(w, pair.alg))
		return;
	env = env_of(w);
	/* A plan cannot know the jitter of kids to come. */
	assert_true(lc_add(&w->set, &env, pair.alg,
	    w->quiet_until != 0 ? 0 : (uint32_t)draw(w) >> 2));
	commit(w, &before);
}

static void
take_pairs(struct world *w)
{
	for (int i = 0; i < w->npairs && w->doubt_until == 0;)
		if (w->pairs[i].done <= w->now)
			take_pair(w, i);
		else
			i++;
}

/* The commit of what is now in the set fails, and is there all the same. */
static bool
is_lost_from_sight(struct world *w, const struct lc_set *before)
{
	int64_t interval = jw_policy_publish_interval(&w->set.facts.policy);

	if (before->facts.version == 0 || w->trouble != FINE ||
	    w->offset != 0 || !w->clock.trusted || w->quiet_until != 0 ||
	    !chance(w, 4))
		return false;
	w->unknown = w->set;
	w->set = *before;
	w->doubt_until =
	    w->now + 1 + fraction(w) + span(some(w, 2 * (int32_t)interval));
	return true;
}

/* What is there is told, and served, from now on. */
static void
end_doubt(struct world *w)
{
	struct lc_set before = w->set;

	w->doubt_until = 0;
	w->set = w->unknown;
	if (!w->weak.no_late)
		lc_make_late(&w->set, wall(w) + 1);
	commit(w, &before);
}

/* Everything that is due. */
static void
settle(struct world *w, struct tally *tally)
{
	int promotions = 0;

	for (int i = 0; w->doubt_until == 0; i++) {
		struct lc_set before = w->set;
		struct lc_env env = env_of(w);
		struct lc_step step = lc_next(&w->set, &env);

		if (step.due > env.now)
			break;
		if (i > 200)
			fail_msg("no end: action %d", (int)step.action);
		if (step.action == LC_CREATE) {
			order_pair(w);
			take_pairs(w);
			continue;
		}
		assert_true(step.cause[0] != '\0');
		promotions += step.action == LC_PROMOTE;
		lc_apply(&w->set, &step, &env);
		if (is_lost_from_sight(w, &before))
			break;
		commit(w, &before);
		take_reading(w);
	}
	/* However late it is: never a storm. */
	assert_true(promotions <= 1);
	tally->rotations += (uint64_t)promotions;
}

static void
resume(struct world *w, int64_t since, int64_t length)
{
	struct lc_set before = w->set;

	if (w->weak.no_outage)
		return;
	if (!w->weak.extend)
		lc_resume(&w->set, since);
	for (size_t i = 0; i < w->set.count && w->weak.extend; i++)
		w->set.gens[i].ready_due += length / TICKS;
	commit(w, &before);
}

static void
check_clock(struct world *w)
{
	bool was = w->clock.trusted;

	lc_clock_check(&w->clock, wall(w), w->now / TICKS - T0);
	if (w->weak.no_guard)
		w->clock.trusted = true;
	/* Waits that began under a wrong clock may end too early. */
	if (w->clock.trusted && (!was || w->weak.no_guard) &&
	    !w->weak.no_new_clock) {
		w->retimed_at = wall(w) + 1;
		resume(w, w->weak.no_guard ? 0 : wall(w) + 1, 0);
	}
}

static void
serve(struct world *w, int64_t reported, int64_t length)
{
	int64_t resumed = lc_outage_begin(&w->servable, wall(w), reported);

	w->front_since = reported > 0 ? reported : wall(w);
	if (resumed != 0 && !(w->weak.no_grace && length < span(600)))
		resume(w, resumed, length);
	lc_outage_format(&w->servable, w->servable_text);
}

/* ---- signing ---- */

static void
sign(struct world *w, int64_t number, int64_t at, int64_t max_ttl)
{
	int64_t ttl = chance(w, 75) ? max_ttl : between(w, 1, max_ttl);
	int64_t exp = at / TICKS + w->offset + ttl;

	if (w->ntokens == TOKENS || w->quiet_until != 0)
		return;
	/* It counts for max_exp, but whether it is accepted is no promise. */
	for (size_t i = 0; i < w->set.count; i++) {
		struct generation *gen = &w->set.gens[i];
		int64_t mark = (exp + ROUNDING - 1) / ROUNDING * ROUNDING;

		if (gen->number == number && w->records &&
		    w->doubt_until == 0 && gen->max_exp < mark)
			gen->max_exp = mark;
	}
	if (!life_of(w, number)->exposed)
		w->tokens[w->ntokens++] =
		    (struct token){number, at, span(exp), 0};
}

static void
sign_all(struct world *w)
{
	const struct generation *active = lc_active(&w->set);

	if (!keeper_is_up(w) || active == NULL)
		return;
	sign(w, active->number, w->now, w->set.facts.policy.token_max_ttl);
	/* What was in flight when the signer changed. */
	for (size_t i = 0; i < w->set.count; i++) {
		const struct generation *gen = &w->set.gens[i];
		const struct life *life = life_of(w, gen->number);

		if (lc_state(gen) == GEN_RETIRED &&
		    w->now <= life->retired + life->drain)
			sign(w, gen->number, w->now, life->ttl);
	}
}

/* ---- orders ---- */

static void
order_rotation(struct world *w)
{
	struct lc_rotate order = {
	    .now = w->weak.immediate || chance(w, w->weak.no_known ? 60 : 5),
	};
	struct lc_env env = env_of(w);
	struct lc_outcome outcome;
	enum jw_err err;

	if (!order.now && chance(w, 30))
		order.at = wall(w) + between(w, -2, 3000);
	else if (!order.now)
		order.cancel = chance(w, 10);
	err = lc_rotate(&w->set, &env, &order, &outcome);
	if (err == JW_OK && outcome.activated != 0)
		life_of(w, outcome.activated)->exposed =
		    outcome.exposed && !w->weak.immediate;
	if (err == JW_NOT_READY)
		assert_true(outcome.ready_at >= env.now);
	else if (err == JW_FROZEN)
		assert_non_null(outcome.frozen_by);
	else if (err != JW_OK)
		assert_int_equal(err, JW_INVALID_PARAMETER);
}

static void
order_rollback(struct world *w)
{
	struct lc_env env = env_of(w);
	struct lc_outcome outcome;
	struct lc_rollback order = {.now = chance(w, 10)};
	enum jw_err err;

	for (size_t i = 0; i < w->set.count && w->weak.no_known; i++)
		if (lc_is_early(&w->set.gens[i]))
			w->set.gens[i].ready_due = w->set.gens[i].ready_at;
	err = lc_rollback(&w->set, &env, &order, &outcome);
	if (err == JW_OK)
		life_of(w, outcome.activated)->exposed = outcome.exposed;
	else
		assert_int_equal(err, lc_awaits(&w->set)    ? JW_NO_ACTIVE_KEY
				      : err == JW_NOT_READY ? JW_NOT_READY
							    : JW_BAD_STATE);
	if (err == JW_NOT_READY)
		assert_false(order.now);
}

static void
order_policy(struct world *w)
{
	struct jw_policy policy = changed_policy(w);
	struct lc_env env = env_of(w);

	/* What is remembered is as right as the clock. */
	if (w->offset != 0 || !w->clock.trusted || w->nepochs == EPOCHS)
		return;
	lc_set_policy(&w->set, &env, &policy);
	forget(w);
	begin_epoch(w, &policy);
}

static void
order_freeze(struct world *w)
{
	if (chance(w, 50))
		w->frozen = !w->frozen && chance(w, 30);
	else
		w->set.facts.frozen = !w->set.facts.frozen && chance(w, 30);
}

/* Whatever its tokens: those count until then. */
static void
order_removal(struct world *w)
{
	struct lc_env env = env_of(w);
	struct lc_outcome outcome;

	if (w->ngaps == GAPS || w->offset != 0 || !w->clock.trusted ||
	    lc_active(&w->set) == NULL)
		return;
	assert_int_equal(lc_remove_set(&w->set, &env, true, &outcome), JW_OK);
	w->removed = w->set.facts;
	w->withdrawing = true;
	w->gaps[w->ngaps++] = (struct gap){FOREVER, FOREVER};
	for (size_t i = 0; i < w->ntokens; i++)
		if (w->tokens[i].cut == 0)
			w->tokens[i].cut = w->now;
}

/* As keeper_sets.c does it. */
static int64_t
last_served(const struct world *w)
{
	int64_t last = w->removed.withdrawn_at, now = wall(w);

	last = last < w->retimed_at ? w->retimed_at : last;
	if (!w->clock.trusted || !w->servable.serving ||
	    w->removed.withdrawn_at == 0 || last > now + 1)
		last = now + 1;
	if (w->servable.since > last)
		last = w->servable.since;
	return last;
}

static void
order_addition(struct world *w)
{
	struct lc_set set = {.facts.next_number = w->removed.next_number};
	struct lc_env env = env_of(w);
	struct lc_outcome outcome;

	if (w->offset != 0 || !w->clock.trusted || w->nepochs == EPOCHS)
		return;
	set.facts.policy = chance(w, 50) ? w->removed.policy : random_policy(w);
	set.facts.policy.mode = JW_MODE_AUTO;
	if (!w->weak.no_tombs)
		lc_follow(&set, &w->removed, last_served(w));
	for (int i = 0; i <= set.facts.policy.standby_count; i++)
		assert_true(lc_add(&set, &env, set.facts.policy.algorithm, 0));
	assert_int_equal(lc_begin(&set, &env, false, &outcome), JW_OK);
	assert_int_equal(set.facts.version, 1);
	assert_int_equal(outcome.ready_at, lc_signs_at(&set));
	if (w->removed.withdrawn_at == 0 && !w->weak.no_tombs)
		lc_make_unread(&set);
	w->npairs = 0; /* made for the other one */
	w->set = set;
	begin_epoch(w, &set.facts.policy);
}

/* Until it has read of the end, the last front serves what there was. */
static void
note_gap(struct world *w, const struct lc_set *before)
{
	bool was_gone = before->facts.removed_at != 0;
	bool is_gone = w->set.facts.removed_at != 0;

	if (is_gone && !was_gone)
		w->gaps[w->ngaps - 1].from = w->read_until;
	else if (was_gone && !is_gone)
		w->gaps[w->ngaps - 1].to = w->read_until;
}

static void
order(struct world *w)
{
	static void (*const orders[])(struct world *) = {
	    order_rotation,
	    order_rotation,
	    order_rotation,
	    order_rollback,
	    order_policy,
	    order_freeze,
	    order_removal,
	};
	struct lc_set before = w->set;

	if (w->set.facts.version == 0)
		return;
	if (w->set.facts.removed_at != 0)
		order_addition(w);
	else
		orders[w->weak.no_ceil ? 0 : between(w, 0, COUNT(orders) - 1)](
		    w);
	commit(w, &before);
	note_gap(w, &before);
}

/* ---- trouble ---- */

static void
begin_outage(struct world *w, int64_t down, int64_t up, bool waits)
{
	w->outages[w->noutages++] = (struct outage){down, up, waits};
}

static void
begin_trouble(struct world *w)
{
	int64_t interval = jw_policy_publish_interval(&w->set.facts.policy);
	int64_t length = 1 + fraction(w) + span(some(w, 2 * (int32_t)interval));
	bool listening = chance(w, 50);

	w->trouble = (enum trouble)between(w, FINE + 1, TROUBLE_COUNT - 1);
	if (w->trouble == FRONT_RESTART || (listening && chance(w, 70)))
		length = between(w, 1, span(SERVABLE_GRACE + 3));
	if (w->trouble == STOP && chance(w, 5))
		length = span(4 * (int64_t)w->set.facts.policy.rotation_period);
	w->trouble_until = w->now + length;
	w->reported = 0;
	if (w->trouble == FRONT_CRASH || w->trouble == FRONT_RESTART ||
	    w->trouble == STOP) {
		listening = w->trouble == FRONT_RESTART ||
			    (w->trouble == STOP && listening);
		lc_outage_end(&w->servable, wall(w), listening);
		lc_outage_format(&w->servable, w->servable_text);
		begin_outage(w, w->now, w->trouble_until,
		    listening && length <= span(SERVABLE_GRACE));
	} else if (w->trouble == BOTH_CRASH) {
		begin_outage(w, w->now, w->trouble_until, false);
		/* The front is there first, or is told when it began. */
		w->reported =
		    chance(w, 50) ? w->trouble_until / TICKS + w->offset : 0;
	} else if (w->trouble == KEEPER_AND_FRONT) {
		int64_t down = between(w, 0, length - 1);
		int64_t up = between(w, down + 1, length);

		begin_outage(w, w->now + down, w->now + up, false);
		w->reported = (w->now + up) / TICKS + w->offset;
	} else {
		w->reported = w->front_since;
	}
}

static void
end_trouble(struct world *w)
{
	int64_t length = 0;

	if (w->noutages > 0) {
		const struct outage *last = &w->outages[w->noutages - 1];

		length = last->up - last->down;
	}

	if (!keeper_is_up(w)) {
		memset(&w->servable, 0, sizeof(w->servable));
		assert_true(lc_outage_parse(w->servable_text, &w->servable));
		w->npairs = 0; /* generated in vain */
	}
	w->trouble = FINE;
	serve(w, w->reported, length);
}

/*
 * A clock that runs ahead is noticed in time; one that is behind may be
 * believed meanwhile: then everything takes longer.
 */
static void
begin_jump(struct world *w)
{
	if (chance(w, 50)) {
		w->offset = between(w, CLOCK_JUMP + 1, 400 * 86400);
		w->offset_until = w->now + between(w, 1, span(500));
	} else {
		w->offset = -between(w, CLOCK_JUMP + 1, 400 * 86400);
		w->offset_until = w->now + between(w, 1, span(3000));
	}
}

/* ---- plans ---- */

static void
begin_quiet(struct world *w)
{
	struct lc_env env = env_of(w);
	struct lc_set copy = w->set;
	int64_t length = between(w, 0, 12000);

	w->quiet_until = span(wall(w) + length);
	w->nplanned =
	    lc_plan(&copy, env, wall(w) + length, w->planned, CHANGES);
	w->nhappened = 0;
	if (w->nplanned == CHANGES)
		w->quiet_until = 0; /* longer than the list */
}

static void
end_quiet(struct world *w, struct tally *tally)
{
	w->quiet_until = 0;
	assert_int_equal(w->nhappened, w->nplanned);
	for (size_t i = 0; i < w->nplanned; i++) {
		const struct lc_change *a = &w->planned[i];
		const struct lc_change *b = &w->happened[i];

		assert_int_equal(a->time, b->time);
		assert_int_equal(a->number, b->number);
		assert_int_equal(a->has_from, b->has_from);
		assert_int_equal(a->from, b->from);
		assert_int_equal(a->to, b->to);
		assert_true(a->cause[0] != '\0');
	}
	tally->plans++;
}

/* ---- time passes ---- */

static int64_t
jw_min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
next_wake(struct world *w)
{
	struct lc_env env = env_of(w);
	int64_t due = lc_next(&w->set, &env).due;

	if (due == LC_NEVER)
		return FOREVER;
	due = span(due - w->offset);
	if (due < w->now)
		due = w->now;
	return w->quiet_until == 0 && chance(w, 30) && !w->weak.no_ceil
		   ? due + between(w, 0, span(LATE))
		   : due;
}

static int64_t
next_moment(struct world *w)
{
	int64_t next = w->quiet_until != 0 ? w->quiet_until : w->next_order;

	if (w->trouble != FINE)
		next = jw_min64(next, w->trouble_until);
	if (w->offset != 0)
		next = jw_min64(next, w->offset_until);
	if (!keeper_is_up(w))
		return next;
	if (w->doubt_until != 0)
		next = jw_min64(next, w->doubt_until);
	for (int i = 0; i < w->npairs && w->doubt_until == 0; i++)
		next = jw_min64(next, w->pairs[i].done);
	if (!w->clock.trusted || w->offset != 0)
		next = jw_min64(next, w->now + between(w, 1, span(LATE)));
	if (w->read_until > w->now)
		next = jw_min64(next, w->read_until);
	for (size_t i = 0; i < w->set.count; i++) {
		const struct life *life = life_of(w, w->set.gens[i].number);
		int64_t last = life->retired + life->drain;

		if (life->retired != 0 && last > w->now)
			next = jw_min64(next, last);
	}
	return w->doubt_until != 0 ? next : jw_min64(next, next_wake(w));
}

static void
interfere(struct world *w)
{
	bool calm = w->trouble == FINE && w->offset == 0 && w->clock.trusted &&
		    w->doubt_until == 0 && w->read_until <= w->now;

	w->next_order = w->now + 1 + fraction(w) +
			span(some(w, 2 * (int32_t)jw_policy_publish_interval(
					     &w->set.facts.policy)));
	if (calm && w->noutages < OUTAGES && chance(w, 15))
		begin_trouble(w);
	else if (calm && w->records && chance(w, w->weak.no_new_clock ? 40 : 8))
		begin_jump(w);
	else if (calm && w->npairs == 0 && w->weak.name == NULL && chance(w, 8))
		begin_quiet(w);
	else if (keeper_is_up(w) && w->doubt_until == 0)
		order(w);
}

static void
pass_time(struct world *w, struct tally *tally)
{
	int64_t next = next_moment(w);
	const struct generation *active = lc_active(&w->set);

	/* The last moment of a signer, of a clock, of a policy. */
	if (keeper_is_up(w) && active != NULL && next > w->now + 1)
		sign(w, active->number, next - 1,
		    w->set.facts.policy.token_max_ttl);
	if (next > w->now)
		w->now = next;
	if (w->trouble != FINE && w->now >= w->trouble_until)
		end_trouble(w);
	if (w->offset != 0 && w->now >= w->offset_until)
		w->offset = 0;
	if (keeper_is_up(w)) {
		check_clock(w);
		if (w->doubt_until != 0 && w->now >= w->doubt_until)
			end_doubt(w);
		take_pairs(w);
		take_reading(w);
		settle(w, tally);
	}
	if (w->quiet_until != 0 && w->now >= w->quiet_until)
		end_quiet(w, tally);
	sign_all(w);
	if (w->quiet_until == 0 && w->now >= w->next_order)
		interfere(w);
	/* An order may have changed what is due, or who signs. */
	if (w->quiet_until == 0 && keeper_is_up(w)) {
		check_clock(w);
		take_reading(w);
		settle(w, tally);
		sign_all(w);
	}
}

static void
begin_world(struct world *w, uint64_t seed, const struct weakness *weak)
{
	memset(w, 0, offsetof(struct world, verifiers));
	w->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	w->weak = *weak;
	w->ntokens = w->nepochs = w->noutages = w->nverifiers = w->ngaps = 0;
	w->retimed_at = 0;
	w->records = chance(w, 50) && !weak->no_drain && !weak->no_skew &&
		     !weak->no_tokens && !weak->no_exp;
	if (weak->no_new_clock || weak->no_guard)
		w->records = true;
	w->now = span(T0) + fraction(w);
	w->set.facts.next_number = 1;
	w->set.facts.policy = random_policy(w);
	w->set.facts.policy.mode = JW_MODE_AUTO;
	begin_epoch(w, &w->set.facts.policy);
	check_clock(w);
	serve(w, 0, 0);
	w->next_order = w->now + span(60);
}

/* ---- verifiers ---- */

static const struct outage *
outage_at(const struct world *w, int64_t when)
{
	for (size_t i = 0; i < w->noutages; i++)
		if (w->outages[i].down <= when && when < w->outages[i].up)
			return &w->outages[i];
	return NULL;
}

static const struct gap *
gap_at(const struct world *w, int64_t when)
{
	for (size_t i = 0; i < w->ngaps; i++)
		if (w->gaps[i].from <= when && when < w->gaps[i].to)
			return &w->gaps[i];
	return NULL;
}

/*
 * Where there is no key set no copy can be fetched: then the one at hand is
 * used until it is as old as verifiers may let it become.
 */
static void
miss(const struct world *w, struct verifier *v)
{
	struct fetch *last = v->count == 0 ? NULL : &v->fetches[v->count - 1];
	int64_t until;

	if (last == NULL)
		return;
	until = last->at + span(epoch_at(w, last->at)->policy.verifier_max_age);
	if (until < last->usable)
		last->usable = until;
}

static int64_t
lagging_content(struct world *w, int64_t at)
{
	int64_t floor = oldest_content(w, at);

	return chance(w, 60) ? floor : between(w, floor, at);
}

enum found { COPY, NOTHING, FAILURE };

/* What the URL says.  A backlog makes it late. */
static enum found
ask(struct world *w, int64_t *at, struct fetch *ret_copy)
{
	const struct outage *outage = outage_at(w, *at);
	int64_t content;

	/* Before the first version: 500, and no-store. */
	if (*at < w->started || (outage != NULL && !outage->waits))
		return FAILURE;
	if (outage != NULL)
		*at = outage->up;
	content = lagging_content(w, *at);
	*ret_copy =
	    (struct fetch){.at = *at, .content = content, .usable = FOREVER};
	return gap_at(w, content) != NULL ? NOTHING : COPY;
}

/* One copy of the set; false: the fetch fails. */
static bool
fetch(struct world *w, struct verifier *v, int64_t *at)
{
	enum found found = ask(w, at, &v->fetches[v->count]);

	if (found == NOTHING)
		miss(w, v);
	v->count += found == COPY;
	return found == COPY;
}

/* Reads again a period later, whatever came of it. */
static void
poll(struct world *w, struct verifier *v, int64_t at, bool longest)
{
	int64_t start = at;

	while (v->count < FETCHES && at < w->now && at - start < span(40000)) {
		int64_t max = 0;

		fetch(w, v, &at);
		max = span(epoch_at(w, at)->policy.verifier_max_age);
		at += longest ? max : between(w, (max + 7) / 8, max);
	}
	v->until = at;
}

static int32_t
larger_stale(const struct jw_policy *p)
{
	return max32(p->cache_stale_while_revalidate, p->cache_stale_if_error);
}

/* Obeys the headers; in an outage until stale-if-error is over. */
static void
follow(struct world *w, struct verifier *v, int64_t at)
{
	while (v->count < FETCHES && at < w->now) {
		const struct outage *outage;
		const struct jw_policy *p;
		struct fetch *f;

		if (!fetch(w, v, &at)) {
			const struct gap *gap = gap_at(w, at);

			outage = outage_at(w, at);
			at = (outage != NULL       ? outage->up
				 : at < w->started ? w->started
				 : gap != NULL && gap->to != FOREVER ? gap->to
								     : at + 1) +
			     between(w, 0, span(5));
			continue;
		}
		f = &v->fetches[v->count - 1];
		p = &epoch_at(w, f->content)->policy;
		f->usable = at + span(p->cache_max_age + larger_stale(p));
		at += span(p->cache_max_age) +
		      between(w, 0, span(p->cache_stale_while_revalidate));
		if (outage_at(w, at) == NULL)
			f->usable =
			    f->at + span(p->cache_max_age +
					 p->cache_stale_while_revalidate);
	}
	v->until = at;
}

/* Of the shared cache; the verifier's own takes it for a fresh one. */
static int64_t
end_of_copy(struct world *w, const struct fetch *copy)
{
	const struct jw_policy *p = &epoch_at(w, copy->content)->policy;

	return copy->at +
	       span(p->cache_max_age + (chance(w, 70) ? larger_stale(p) : 0));
}

/* Obeys the headers, behind a shared cache that does so and tells no Age. */
static void
follow_behind(struct world *w, struct verifier *v, int64_t at)
{
	struct fetch shared, *f;
	int64_t end = 0;

	while (v->count < FETCHES && at < w->now) {
		enum found found = at < end ? COPY : ask(w, &at, &shared);

		if (found == NOTHING)
			miss(w, v);
		if (found != COPY) {
			at += between(w, 1, span(5));
			continue;
		}
		if (at >= end)
			end = end_of_copy(w, &shared);
		f = &v->fetches[v->count++];
		*f = (struct fetch){.at = at, .content = shared.content};
		at += span(epoch_at(w, f->content)->policy.cache_max_age);
		f->usable = at;
	}
	v->until = at;
}

static void
add_verifier(struct world *w, int64_t at)
{
	struct verifier *v = &w->verifiers[w->nverifiers];
	int kind = (int)between(w, 0, 4);

	if (w->nverifiers == VERIFIERS)
		return;
	v->count = 0;
	at = at < span(T0) ? span(T0) : at;
	if (kind == 0)
		follow(w, v, at);
	else if (kind == 1)
		follow_behind(w, v, at);
	else
		poll(w, v, at, kind > 2);
	w->nverifiers += v->count > 0;
}

/* Those that come at the worst moment, and some others. */
static void
populate(struct world *w)
{
	for (int64_t i = 1; i < w->set.facts.next_number; i++) {
		int64_t published = w->lives[i].published;
		int64_t delay;

		if (published == 0)
			continue;
		delay = span(epoch_at(w, published)->policy.propagation_delay);
		add_verifier(w, published - 1);
		add_verifier(w, published - 1 + delay);
		if (w->lives[i].gone != FOREVER)
			add_verifier(w, w->lives[i].gone);
	}
	for (size_t i = 0; i < w->noutages; i++) {
		int64_t up = w->outages[i].up;
		const struct jw_policy *p = &epoch_at(w, up)->policy;

		add_verifier(w, up - 1 - span(p->verifier_max_age));
		add_verifier(w, up - 1 - 2 * span(p->verifier_max_age));
	}
	for (size_t i = 1; i < w->nepochs; i++) {
		add_verifier(w, w->epochs[i].from - 1);
		add_verifier(
		    w, w->epochs[i].from - 1 +
			   span(w->epochs[i - 1].policy.propagation_delay));
	}
	for (int i = 0; i < 40; i++)
		add_verifier(w, between(w, span(T0), w->now));
}

/* The copy in use; what is fetched at the end of a token comes too late. */
static const struct fetch *
copy_at(const struct verifier *v, int64_t when, bool before)
{
	size_t low = 0, high = v->count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (v->fetches[mid].at < when ||
		    (!before && v->fetches[mid].at == when))
			low = mid + 1;
		else
			high = mid;
	}
	return low == 0 ? NULL : &v->fetches[low - 1];
}

static void
explain(const struct world *w, const struct token *token, int64_t when,
    const struct fetch *copy)
{
	const struct life *life = &w->lives[token->number];
	const struct {
		const char *what;
		int64_t at;
	} story[] = {
	    {"rejected", when},
	    {"signed", token->signed_at},
	    {"valid until", token->end},
	    {"copy fetched", copy->at},
	    {"copy of", copy->content},
	    {"key published", life->published},
	    {"key retired", life->retired},
	    {"key gone", life->gone},
	};

	for (size_t i = 0; i < COUNT(story); i++)
		print_message("%s at tick +%lld\n", story[i].what,
		    story[i].at == 0 || story[i].at == FOREVER
			? -1
			: (long long)(story[i].at - span(T0)));
}

static void
check_token(struct world *w, const struct token *token,
    const struct verifier *v, int64_t when, struct tally *tally)
{
	bool last = when == token->end && when > token->signed_at;
	const struct fetch *copy = copy_at(v, when, last);
	const struct life *life = &w->lives[token->number];

	if (copy == NULL || when > copy->usable || when >= w->now ||
	    when >= v->until)
		return;
	tally->checks++;
	if (life->published <= copy->content && copy->content < life->gone)
		return;
	if (tally->rejections++ == 0 && w->weak.name == NULL)
		explain(w, token, when, copy);
}

/* A larger leeway of verifiers holds for tokens that are still valid. */
static int64_t
end_of(const struct world *w, const struct token *token)
{
	const struct epoch *e = epoch_at(w, token->signed_at);
	int64_t exp = token->end, end = exp + span(e->policy.clock_skew);

	for (e++; e < w->epochs + w->nepochs; e++)
		if (e->from < end && exp + span(e->policy.clock_skew) > end)
			end = exp + span(e->policy.clock_skew);
	return end;
}

static void
check_tokens(struct world *w, struct tally *tally)
{
	for (size_t i = 0; i < w->ntokens; i++) {
		struct token *token = &w->tokens[i];

		token->end = end_of(w, token);
		if (token->cut != 0 && token->cut < token->end)
			token->end = token->cut;
		if (token->end < token->signed_at)
			continue;
		for (int j = 0; j < 40; j++) {
			const struct verifier *v = &w->verifiers[between(
			    w, 0, (int64_t)w->nverifiers - 1)];
			int64_t when = between(w, token->signed_at, token->end);

			check_token(w, token, v, token->signed_at, tally);
			check_token(w, token, v, token->end, tally);
			check_token(w, token, v, when, tally);
		}
	}
}

static void
live(uint64_t seed, const struct weakness *weak, struct tally *tally)
{
	struct world *w = &world;

	begin_world(w, seed, weak);
	for (int i = 0; i < EVENTS && w->ntokens < TOKENS; i++) {
		if (w->set.facts.next_number > LIVES - PAIRS)
			break;
		pass_time(w, tally);
	}
	populate(w);
	check_tokens(w, tally);
	tally->worlds++;
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- tests ---- */

static uint64_t first_seed;

static struct tally
run(uint64_t rounds, const struct weakness *weak)
{
	struct tally tally = {0};

	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t before = tally.rejections;

		live(first_seed + i, weak, &tally);
		if (tally.rejections > before && weak->name == NULL)
			print_message("world %llu rejects; JWKSD_SEED=%llu "
				      "JWKSD_ROUNDS=1 repeats it\n",
			    (unsigned long long)i,
			    (unsigned long long)first_seed + i);
	}
	return tally;
}

static void
no_valid_token_is_ever_rejected(void **state)
{
	static const struct weakness none = {.name = NULL};
	uint64_t rounds =
	    setting("JWKSD_ROUNDS", DEFAULT_ROUNDS / setting("JWKSD_SLOW", 1));
	double start = seconds();
	struct tally tally = run(rounds, &none);

	(void)state;
	print_message("%llu worlds, %llu rotations, %llu plans, %llu token "
		      "checks, %llu rejected, %.1f s; JWKSD_SEED=%llu\n",
	    (unsigned long long)tally.worlds,
	    (unsigned long long)tally.rotations,
	    (unsigned long long)tally.plans, (unsigned long long)tally.checks,
	    (unsigned long long)tally.rejections, seconds() - start,
	    (unsigned long long)first_seed);
	assert_int_equal(tally.rejections, 0);
	/* It did look. */
	assert_true(tally.checks > 5000 * rounds);
	if (rounds >= 50)
		assert_true(
		    tally.rotations > 10 * rounds && tally.plans > rounds / 4);
}

static const struct weakness weaknesses[] = {
    {.name = "immediate use of a fresh key", .immediate = true},
    {.name = "a standby without an age gate", .no_gate = true},
    {.name = "waits end without a front", .blind = true},
    {.name = "no outage rule", .no_outage = true},
    {.name = "waits extended, not restarted", .extend = true},
    {.name = "every gap counts as a restart", .no_grace = true},
    {.name = "no memory of longer cache times", .no_copies = true},
    {.name = "no memory of longer lifetimes", .no_tokens = true},
    {.name = "drain forgotten", .no_drain = true},
    {.name = "skew forgotten", .no_skew = true},
    {.name = "retirement without an interval", .no_exp = true},
    {.name = "a name that is added again is new", .no_tombs = true},
    {.name = "a rollback to any key", .no_known = true},
    {.name = "a late commit is not late", .no_late = true},
    {.name = "seconds rounded down", .no_ceil = true},
    {.name = "what is committed counts as read", .no_read = true},
    {.name = "shared caches do not count", .one_level = true},
    {.name = "every clock is believed", .no_guard = true},
    {.name = "nothing restarts with a right clock", .no_new_clock = true},
};

static void
every_rule_is_needed(void **state)
{
	uint64_t rounds = setting(
	    "JWKSD_WEAK_ROUNDS", WEAK_ROUNDS / setting("JWKSD_SLOW", 1));

	(void)state;
	if (rounds == 0)
		skip();
	for (size_t i = 0; i < COUNT(weaknesses); i++) {
		struct tally tally = run(rounds, &weaknesses[i]);

		print_message("%-36s %9llu of %9llu rejected\n",
		    weaknesses[i].name, (unsigned long long)tally.rejections,
		    (unsigned long long)tally.checks);
		if (tally.rejections == 0)
			fail_msg("%s goes unnoticed", weaknesses[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_valid_token_is_ever_rejected),
	    cmocka_unit_test(every_rule_is_needed),
	};

	first_seed = setting("JWKSD_SEED", (uint64_t)time(NULL));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
