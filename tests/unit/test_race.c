/*
 * Sixteen clients at one store: each with a view of its own that may be old,
 * each rotating, revoking, rolling back, waking, and sending the same request
 * again.  Everything goes through the table of operations below, so that
 * another store can be put under the same test.  JWKSD_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/lifecycle/lifecycle.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/lifecycle/plan.h"
#include "daemon/store/store.h"
#include "tests/unit/place.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T0 INT64_C(1800000000)
#define IDS "(SELECT * FROM audit WHERE request_id IS NOT NULL)"

enum {
	CLIENTS = 16,
	STEPS = 1500,      /* of all clients together */
	THREAD_STEPS = 60, /* of each */
	REQUESTS = 4096,
};

/* ---- what a store must be able to do ---- */

struct operations {
	const char *name;
	void *(*open)(const char *dir);
	void (*close)(void *store);
	enum jw_err (*load)(void *store, store_set_fn *fn, void *arg);
	enum jw_err (*commit)(
	    void *store, const struct store_change *change, int64_t *ret_id);
	enum jw_err (*find)(
	    void *store, const char *id, char **ret_asked, char **ret_outcome);
	/* A number about the audit, from outside, while it is closed. */
	int64_t (*count)(const char *dir, const char *sql);
};

static void
path_of(const char *dir, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/race.db", dir);
}

static void *
sqlite_open(const char *dir)
{
	struct jw_why why = {"", ""};
	struct store *store = NULL;
	char path[128];

	path_of(dir, path, sizeof(path));
	if (store_open(path, NULL, T0, &store, &why) != JW_OK)
		fail_msg("%s", why.text);
	return store;
}

static void
sqlite_close(void *store)
{
	store_close(store);
}

static enum jw_err
sqlite_load(void *store, store_set_fn *fn, void *arg)
{
	return store_load(store, fn, arg);
}

static enum jw_err
sqlite_commit(void *store, const struct store_change *change, int64_t *ret_id)
{
	return store_commit(store, change, ret_id);
}

static enum jw_err
sqlite_find(void *store, const char *id, char **ret_asked, char **ret_outcome)
{
	return store_request_find(store, id, ret_asked, ret_outcome);
}

static int64_t
sqlite_count(const char *dir, const char *sql)
{
	sqlite3_stmt *st = NULL;
	char path[128];
	int64_t value;
	sqlite3 *db;

	path_of(dir, path, sizeof(path));
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	value = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return value;
}

static const struct operations stores[] = {
    {"sqlite", sqlite_open, sqlite_close, sqlite_load, sqlite_commit,
	sqlite_find, sqlite_count},
};

/* ---- the race ---- */

/* What a client believes. */
struct view {
	struct key_set row; /* without keys: they are here */
	struct lc_set set;
	char kids[MODEL_GENERATIONS_MAX][MODEL_KID_SIZE];
};

struct sent {
	char id[16];
	char outcome[64]; /* the first one; empty: none yet */
};

struct race {
	const struct operations *ops;
	void *store;
	char dir[64];
	pthread_mutex_t mutex; /* around each operation, not around two */
	int64_t now;
	int64_t revision;
	int64_t transitions;
	int64_t accepted, conflicts, repeated, kids;
	struct view truth; /* as of the last commit */
	struct sent sent[REQUESTS];
	size_t nsent;
	char strange[128]; /* the first thing that must not be */
};

struct client {
	struct race *race;
	uint64_t random;
	struct view view;
	struct sent *pending; /* unanswered, to be sent again */
	int steps;
};

static uint64_t
draw(struct client *c, uint64_t n)
{
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return (c->random * UINT64_C(2685821657736338717) >> 11) % n;
}

/* Threads must not leave through an assertion. */
static void
complain(struct race *race, const char *what)
{
	if (race->strange[0] == '\0')
		snprintf(race->strange, sizeof(race->strange), "%s", what);
}

static enum jw_err
take_view(struct key_set *take_set, void *arg)
{
	struct view *view = arg;

	view->row = *take_set;
	view->set.facts = take_set->facts;
	view->set.count = take_set->nkeys;
	for (size_t i = 0; i < take_set->nkeys; i++) {
		view->set.gens[i] = take_set->keys[i].facts;
		memcpy(view->kids[i], take_set->keys[i].kid, MODEL_KID_SIZE);
	}
	store_set_done(take_set);
	view->row.keys = NULL;
	view->row.nkeys = 0;
	return JW_OK;
}

static void
refresh(struct client *c)
{
	struct race *race = c->race;

	pthread_mutex_lock(&race->mutex);
	if (race->ops->load(race->store, take_view, &c->view) != JW_OK)
		complain(race, "a view does not load");
	if (c->view.row.revision != race->revision)
		complain(race, "a revision is another than the last commit's");
	if (c->view.set.facts.version > 0 &&
	    lc_count(&c->view.set, GEN_ACTIVE) != 1)
		complain(race, "not exactly one key signs");
	pthread_mutex_unlock(&race->mutex);
}

/* Forward only, against what the last commit left. */
static void
check_forward(struct race *race, const struct lc_set *after)
{
	for (size_t i = 0; i < after->count; i++) {
		const struct generation *is = &after->gens[i];
		const struct generation *was =
		    lc_find(&race->truth.set, is->number);
		bool back;

		if (was == NULL)
			continue;
		back = lc_state(was) == GEN_RETIRED &&
		       lc_state(is) == GEN_ACTIVE &&
		       is->activations == was->activations + 1;
		if (lc_state(is) < lc_state(was) && !back)
			complain(race, "a state went back");
		if (is->activations < was->activations ||
		    is->retirements < was->retirements)
			complain(race, "a fact is gone");
	}
}

/* ---- one commit ---- */

struct edit {
	struct lc_set after;
	struct lc_change changes[MODEL_GENERATIONS_MAX];
	struct generation updated[MODEL_GENERATIONS_MAX];
	struct store_audit audit[MODEL_GENERATIONS_MAX + 1];
	struct key created;
	struct store_new_key new_key;
	struct store_change change;
	struct store_request request;
	struct sent *sent; /* NULL: nobody asked */
};

static const char *
kid_of(const struct client *c, const struct edit *edit, int64_t number)
{
	for (size_t i = 0; i < c->view.set.count; i++)
		if (c->view.set.gens[i].number == number)
			return c->view.kids[i];
	return edit->created.kid;
}

static void
draft(struct client *c, struct edit *edit, const char *event)
{
	size_t n = lc_diff(
	    &c->view.set, &edit->after, edit->changes, MODEL_GENERATIONS_MAX);
	struct store_change *change = &edit->change;

	if (event != NULL)
		edit->audit[change->naudit++] =
		    (struct store_audit){.event = event, .cause = "a race"};
	for (size_t i = 0; i < n; i++) {
		const struct lc_change *to = &edit->changes[i];

		edit->audit[change->naudit++] = (struct store_audit){
		    .generation = to->number,
		    .kid = kid_of(c, edit, to->number),
		    .event = lc_state_name(to->to),
		    .from_state = to->has_from ? lc_state_name(to->from) : NULL,
		    .to_state = lc_state_name(to->to),
		    .cause = "a race",
		};
	}
	for (size_t i = 0; i < edit->after.count; i++) {
		const struct generation *is = &edit->after.gens[i];
		const struct generation *was =
		    lc_find(&c->view.set, is->number);

		if (was != NULL && !lc_same(was, is))
			edit->updated[change->nupdated++] = *is;
	}
	change->set = &c->view.row;
	change->facts = &edit->after.facts;
	change->now = c->race->now;
	change->updated = edit->updated;
	change->audit = edit->audit;
	change->actor = (struct store_actor){1, 1, 1};
	change->reason = "a race";
}

/* The first outcome of a request is the only one. */
static void
keep_outcome(struct race *race, const struct edit *edit)
{
	struct sent *sent = edit->sent;

	if (sent == NULL)
		return;
	if (sent->outcome[0] != '\0')
		complain(race, "a request was done twice");
	snprintf(
	    sent->outcome, sizeof(sent->outcome), "%s", edit->request.outcome);
}

/* Unless somebody else was faster. */
static void
commit(struct client *c, struct edit *edit, const char *event)
{
	struct race *race = c->race;
	int64_t id, held = c->view.row.revision;
	enum jw_err err;

	draft(c, edit, event);
	pthread_mutex_lock(&race->mutex);
	err = race->ops->commit(race->store, &edit->change, &id);
	if (err == JW_OK) {
		if (held != race->revision)
			complain(race, "an old view was committed");
		race->revision++;
		race->accepted++;
		race->transitions +=
		    (int64_t)edit->change.naudit - (event != NULL);
		keep_outcome(race, edit);
		check_forward(race, &edit->after);
		if (race->ops->load(race->store, take_view, &race->truth) !=
			JW_OK ||
		    race->truth.row.revision != race->revision)
			complain(race, "a commit is not one revision");
	} else if (err == JW_CONFLICT) {
		race->conflicts++;
		if (held == race->revision && edit->change.request == NULL)
			complain(race, "a fresh view was refused");
	} else {
		complain(race, "a commit failed");
	}
	pthread_mutex_unlock(&race->mutex);
}

/* ---- what clients do ---- */

static struct lc_env
env_of(struct client *c)
{
	return (struct lc_env){
	    .now = c->race->now,
	    .clock_trusted = true,
	    .serving = true,
	};
}

static void
create(struct client *c, struct edit *edit, const struct lc_env *env)
{
	struct race *race = c->race;

	pthread_mutex_lock(&race->mutex);
	snprintf(edit->created.kid, MODEL_KID_SIZE, "%043lld",
	    (long long)++race->kids);
	pthread_mutex_unlock(&race->mutex);
	lc_add(&edit->after, env, JW_ALG_ES256, (uint32_t)draw(c, 999));
	edit->created.facts = edit->after.gens[edit->after.count - 1];
	edit->new_key = (struct store_new_key){
	    .key = &edit->created,
	    .sealed = (const uint8_t *)"sealed",
	    .sealed_len = 6,
	};
	edit->change.created = &edit->new_key;
	edit->change.ncreated = 1;
}

/* What the keeper does by itself. */
static void
wake(struct client *c)
{
	struct lc_env env = env_of(c);
	struct lc_step step = lc_next(&c->view.set, &env);
	struct edit edit = {.after = c->view.set};

	if (step.due > env.now)
		return;
	if (step.action == LC_CREATE) {
		char jwk[] = "{\"kty\":\"OKP\"}";

		edit.created.jwk = jwk;
		create(c, &edit, &env);
		commit(c, &edit, NULL);
		return;
	}
	lc_apply(&edit.after, &step, &env);
	commit(c, &edit, NULL);
}

static enum jw_err
decide(struct client *c, struct edit *edit, int verb, struct lc_outcome *out)
{
	struct lc_rotate order = {.now = draw(c, 4) == 0};
	struct lc_env env = env_of(c);
	size_t i;

	if (verb == 0)
		return lc_rotate(&edit->after, &env, &order, out);
	if (verb == 1)
		return lc_rollback(
		    &edit->after, &env, &(struct lc_rollback){0}, out);
	if (edit->after.count == 0)
		return JW_NO_SUCH_KEY;
	i = draw(c, edit->after.count);
	return lc_revoke(
	    &edit->after, &env, edit->after.gens[i].number, false, out);
}

static void
expect_outcome(struct race *race, struct sent *sent, const char *outcome)
{
	if (sent->outcome[0] == '\0')
		complain(race, "an outcome that nobody was told");
	else if (strcmp(sent->outcome, outcome) != 0)
		complain(race, "a request has two outcomes");
	race->repeated++;
}

static bool
is_answered(struct client *c, struct sent *sent)
{
	struct race *race = c->race;
	char *asked = NULL, *outcome = NULL;
	enum jw_err err;

	pthread_mutex_lock(&race->mutex);
	err = race->ops->find(race->store, sent->id, &asked, &outcome);
	if (err == JW_OK)
		expect_outcome(race, sent, outcome);
	else if (err != JW_NO_SUCH_KEY)
		complain(race, "a request cannot be looked up");
	else if (sent->outcome[0] != '\0')
		complain(race, "a request is forgotten");
	pthread_mutex_unlock(&race->mutex);
	free(asked);
	free(outcome);
	return err == JW_OK;
}

static struct sent *
new_request(struct race *race)
{
	struct sent *sent = NULL;

	pthread_mutex_lock(&race->mutex);
	if (race->nsent < REQUESTS) {
		sent = &race->sent[race->nsent++];
		snprintf(sent->id, sizeof(sent->id), "r%zu", race->nsent);
	}
	pthread_mutex_unlock(&race->mutex);
	return sent;
}

/* Somebody's request, old or new: clients share ids on purpose. */
static struct sent *
choose_request(struct client *c)
{
	struct race *race = c->race;
	struct sent *sent;

	if (c->pending != NULL && draw(c, 2) == 0)
		return c->pending;
	if (draw(c, 3) != 0)
		return new_request(race);
	pthread_mutex_lock(&race->mutex);
	sent = race->nsent == 0 ? NULL : &race->sent[draw(c, race->nsent)];
	pthread_mutex_unlock(&race->mutex);
	return sent;
}

static void
ask(struct client *c)
{
	static const char *const verbs[] = {"rotate", "rollback", "revoke"};
	int verb = (int)draw(c, COUNT(verbs));
	struct edit edit = {.after = c->view.set};
	struct sent *sent = choose_request(c);
	struct lc_outcome out;
	char outcome[64];

	if (sent == NULL || is_answered(c, sent))
		return;
	c->pending = sent;
	if (decide(c, &edit, verb, &out) != JW_OK)
		return; /* a refusal changes nothing, and is not kept */
	snprintf(outcome, sizeof(outcome), "{\"%s\":%lld,\"by\":%d}",
	    verbs[verb], (long long)out.activated, (int)draw(c, 1000000));
	edit.request =
	    (struct store_request){sent->id, verbs[verb], "{}", outcome};
	edit.change.request = &edit.request;
	edit.sent = sent;
	commit(c, &edit, verbs[verb]);
}

static void
act(struct client *c)
{
	uint64_t what = draw(c, 10);

	pthread_mutex_lock(&c->race->mutex);
	c->race->now += (int64_t)draw(c, 3);
	pthread_mutex_unlock(&c->race->mutex);
	/* Now and then on an old view. */
	if (draw(c, 3) != 0)
		refresh(c);
	if (what < 5)
		wake(c);
	else
		ask(c);
}

/* ---- around it ---- */

static struct key_set_facts
quick_facts(void)
{
	struct key_set_facts facts = {.next_number = 1};
	struct jw_why why = {"", ""};
	struct jw_policy *p = &facts.policy;

	jw_policy_init(p);
	p->cache_max_age = 1;
	p->cache_stale_while_revalidate = p->cache_stale_if_error = 0;
	p->verifier_max_age = 3;
	p->propagation_delay = p->publish_safety = 0;
	p->token_max_ttl = 20;
	p->clock_skew = p->signer_drain = p->retire_safety = 0;
	p->rollback_window = 20;
	p->rotation_period = 30;
	p->standby_count = 2;
	assert_int_equal(jw_policy_check(p, NULL, &why), JW_OK);
	return facts;
}

static void
begin(struct race *race, const struct operations *ops, struct client *clients,
    uint64_t seed)
{
	struct key_set row = {.name = "default"};
	struct key_set_facts facts = quick_facts();
	struct store_audit audit = {.event = "keyset", .cause = "a race"};
	struct store_change change = {.set = &row,
	    .facts = &facts,
	    .now = T0,
	    .audit = &audit,
	    .naudit = 1,
	    .actor = {-1, -1, -1}};
	int64_t id;

	memset(race, 0, sizeof(*race));
	assert_true(place_make(race->dir, sizeof(race->dir)));
	pthread_mutex_init(&race->mutex, NULL);
	race->ops = ops;
	race->now = T0;
	race->store = ops->open(race->dir);
	assert_int_equal(ops->commit(race->store, &change, &id), JW_OK);
	race->revision = 1;
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.race = race,
		    .random = seed * 1000 + (uint64_t)i + 1,
		    .steps = THREAD_STEPS};
		refresh(&clients[i]);
	}
}

static void
remove_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(path);
}

/* What the audit says, read from outside. */
static void
expect_true_audit(const struct race *race)
{
	const struct operations *ops = race->ops;
	int64_t answered = 0;

	for (size_t i = 0; i < race->nsent; i++)
		answered += race->sent[i].outcome[0] != '\0';
	/* One row for each transition. */
	assert_int_equal(ops->count(race->dir, "SELECT count(*) FROM audit "
					       "WHERE to_state IS NOT NULL"),
	    race->transitions);
	/* Each begins where the one before it ended. */
	assert_int_equal(
	    ops->count(race->dir,
		"SELECT count(*) FROM (SELECT from_state, lag(to_state) OVER "
		"(PARTITION BY generation ORDER BY seq) AS before FROM audit "
		"WHERE to_state IS NOT NULL) WHERE from_state IS NOT before"),
	    0);
	/* At every moment at most one signer. */
	assert_int_equal(
	    ops->count(race->dir,
		"SELECT coalesce(max(n), 0) FROM (SELECT sum("
		"(to_state = 'active') - (from_state IS 'active')) OVER "
		"(ORDER BY at, seq ROWS UNBOUNDED PRECEDING) AS n, seq "
		"FROM audit WHERE to_state IS NOT NULL) WHERE seq IN "
		"(SELECT max(seq) FROM audit GROUP BY at)"),
	    1);
	/* Each request that was answered was done once. */
	assert_int_equal(
	    ops->count(race->dir, "SELECT count(*) FROM request"), answered);
	assert_int_equal(ops->count(race->dir, "SELECT count(*) FROM " IDS
					       " WHERE to_state IS NULL"),
	    answered);
	assert_int_equal(ops->count(race->dir,
			     "SELECT count(DISTINCT request_id) FROM " IDS),
	    answered);
}

static void
end(struct race *race)
{
	race->ops->close(race->store);
	print_message("%s: %lld commits, %lld conflicts, %lld repeated "
		      "requests, %lld transitions\n",
	    race->ops->name, (long long)race->accepted,
	    (long long)race->conflicts, (long long)race->repeated,
	    (long long)race->transitions);
	if (race->strange[0] != '\0')
		fail_msg("%s", race->strange);
	expect_true_audit(race);
	/* It was a race. */
	assert_true(race->accepted > 100);
	assert_true(race->conflicts > 20);
	assert_true(race->repeated > 20);
	pthread_mutex_destroy(&race->mutex);
	remove_directory(race->dir);
}

static struct race race; /* too large for a stack */
static struct client clients[CLIENTS];

static uint64_t
seed_of_run(void)
{
	const char *text = getenv("JWKSD_SEED");
	uint64_t seed = text == NULL || *text == '\0' ? (uint64_t)time(NULL)
						      : strtoull(text, NULL, 0);

	print_message("JWKSD_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static void
interleaved_at_random(void **state)
{
	uint64_t seed = seed_of_run();

	(void)state;
	for (size_t i = 0; i < COUNT(stores); i++) {
		begin(&race, &stores[i], clients, seed);
		for (int n = 0; n < STEPS; n++)
			act(&clients[draw(&clients[0], CLIENTS)]);
		end(&race);
	}
}

static void *
run_client(void *arg)
{
	struct client *c = arg;

	for (int i = 0; i < c->steps; i++)
		act(c);
	return NULL;
}

static void
all_at_once(void **state)
{
	uint64_t seed = seed_of_run();
	pthread_t threads[CLIENTS];

	(void)state;
	for (size_t i = 0; i < COUNT(stores); i++) {
		begin(&race, &stores[i], clients, seed);
		for (int n = 0; n < CLIENTS; n++)
			assert_int_equal(pthread_create(&threads[n], NULL,
					     run_client, &clients[n]),
			    0);
		for (int n = 0; n < CLIENTS; n++)
			pthread_join(threads[n], NULL);
		end(&race);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(interleaved_at_random),
	    cmocka_unit_test(all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
