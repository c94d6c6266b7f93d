/*
 * daemon/keeper on a real store with clocks that the test turns: first
 * start, the schedule, restarts, and disks that fail on purpose (fdatasync()
 * here stands before the C library's).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"
#include "daemon/crypto/envelope.h"
#include "daemon/crypto/keys.h"
#include "daemon/keeper/fronts.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"
#include "daemon/keeper/refusals.h"
#include "daemon/keeper/room.h"
#include "daemon/keeper/sign.h"
#include "daemon/keeper/state.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/store/ballast.h"
#include "daemon/store/refusal.h"
#include "tests/unit/place.h"

#define T0 INT64_C(1800000000)

enum { HOUR = 3600, DAY = 86400, IPUB = 60 + DAY + HOUR, NEWS_MAX = 64 };

/* ---- the world, which the test turns ---- */

static int64_t wall_time, boot_time;
static int failing_syncs;
static int passing_syncs; /* before those */
static bool disk_full;
static int disk_full_errno = ENOSPC; /* or that of a quota */
/* A file that holds room: the disk is full while it is larger than that. */
static char held_path[128];
static int64_t held_most;

static int64_t
wall(void)
{
	return wall_time;
}

static int64_t
boot(void)
{
	return boot_time;
}

int
fdatasync(int fd)
{
	if (failing_syncs > 0 && passing_syncs > 0) {
		passing_syncs--;
	} else if (failing_syncs > 0) {
		failing_syncs--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static ssize_t
short_pwrite(int fd, const void *buf, size_t len, off_t at)
{
	struct stat st;

	if (disk_full || (held_path[0] != '\0' && stat(held_path, &st) == 0 &&
			     st.st_size > held_most)) {
		errno = disk_full_errno;
		return -1;
	}
	return pwrite(fd, buf, len, at);
}

static void
install_short_disk(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)short_pwrite);
	vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)short_pwrite);
}

/* ---- the fixture ---- */

struct news {
	int64_t number;
	enum gen_state to;
	bool document_changed;
	char order[16];
	char kid[MODEL_KID_SIZE];
};

struct fixture {
	char dir[64];
	char path[96];
	struct event_base *base;
	struct envelope_kek *kek;
	struct keeper *keeper;
	struct jw_policy policy;
	struct keeper_observer observer;
	bool slow_fronts; /* read nothing */
	char world[16];   /* the last order for every key set */
	struct news news[NEWS_MAX];
	size_t nnews;
	int commits;
};

static void
on_news(const struct keeper_news *news, void *arg)
{
	struct fixture *fix = arg;

	fix->commits++;
	if (news->set == NULL)
		snprintf(fix->world, sizeof(fix->world), "%s", news->order);
	for (size_t i = 0; i < news->count; i++) {
		struct news *n = &fix->news[fix->nnews++ % NEWS_MAX];

		n->number = news->changes[i].number;
		n->to = news->changes[i].to;
		n->document_changed = news->document_changed;
		assert_int_equal(news->changes[i].time, wall_time);
		assert_non_null(news->changes[i].cause);
		snprintf(n->order, sizeof(n->order), "%s",
		    news->order == NULL ? "" : news->order);
		snprintf(n->kid, sizeof(n->kid), "%s", news->keys[i]->kid);
	}
}

static struct envelope_kek *
make_kek(uint8_t fill)
{
	uint8_t bytes[ENVELOPE_KEK_SIZE];
	struct envelope_kek *kek = NULL;

	memset(bytes, fill, sizeof(bytes));
	assert_int_equal(crypto_kek_from_bytes(bytes, &kek), JW_OK);
	return kek;
}

static enum jw_err
try_open(struct fixture *fix, const struct envelope_kek *kek)
{
	struct keeper_options options = {
	    .base = fix->base,
	    .store_path = fix->path,
	    .kek = kek,
	    .policy = &fix->policy,
	    .wall = wall,
	    .boot = boot,
	};
	struct jw_why why = {"", ""};
	enum jw_err err;

	if (store_open(fix->path, NULL, wall_time, &options.take_store, &why) !=
	    JW_OK)
		fail_msg("%s", why.text);
	fix->keeper = NULL;
	err = keeper_new(&options, &fix->keeper, &why);
	if (err != JW_OK)
		assert_int_not_equal(why.text[0], '\0');
	return err;
}

static void
open_keeper(struct fixture *fix)
{
	assert_int_equal(try_open(fix, fix->kek), JW_OK);
	fix->observer = (struct keeper_observer){.fn = on_news, .arg = fix};
	keeper_observe(fix->keeper, &fix->observer);
}

static int
setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	wall_time = T0;
	boot_time = 1000;
	failing_syncs = 0;
	passing_syncs = 0;
	disk_full = false;
	disk_full_errno = ENOSPC;
	held_path[0] = '\0';
	assert_true(place_make(fix->dir, sizeof(fix->dir)));
	snprintf(fix->path, sizeof(fix->path), "%s/test.db", fix->dir);
	fix->base = event_base_new();
	assert_non_null(fix->base);
	fix->kek = make_kek(7);
	jw_policy_init(&fix->policy);
	fix->policy.algorithm = JW_ALG_EDDSA;
	*state = fix;
	open_keeper(fix);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fix = *state;
	DIR *dir;
	struct dirent *entry;

	keeper_free(fix->keeper);
	crypto_kek_free(fix->kek);
	event_base_free(fix->base);
	dir = opendir(fix->dir);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name,
			    entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	closedir(dir);
	assert_int_equal(rmdir(fix->dir), 0);
	free(fix);
	return 0;
}

static void
restart(struct fixture *fix)
{
	keeper_free(fix->keeper);
	open_keeper(fix);
}

static struct keeper_set *
set_of(const struct fixture *fix)
{
	struct keeper_set *set = keeper_find(fix->keeper, "default");

	assert_non_null(set);
	return set;
}

static bool
is_idle(const struct fixture *fix)
{
	const struct keeper_set *first = keeper_first_due(fix->keeper);

	return event_base_got_break(fix->base) ||
	       (set_of(fix)->pairs_coming == 0 &&
		   (first == NULL || first->item.due > wall_time));
}

/* Fronts read at once, but for those of a test. */
static void
read_all(const struct fixture *fix)
{
	if (!fix->slow_fronts && keeper_is_unread(fix->keeper))
		keeper_read(fix->keeper);
}

/* Everything that is due by now. */
static void
run(struct fixture *fix)
{
	keeper_start(fix->keeper);
	event_base_loop(fix->base, EVLOOP_NONBLOCK);
	read_all(fix);
	for (int i = 0; !is_idle(fix); i++) {
		if (i > 20000)
			fail_msg("it is never done");
		event_base_loop(fix->base, EVLOOP_NONBLOCK);
		read_all(fix);
		usleep(500);
	}
}

static void
pass(struct fixture *fix, int64_t seconds)
{
	wall_time += seconds;
	boot_time += seconds;
	run(fix);
}

static enum gen_state
state_of(const struct fixture *fix, int64_t number)
{
	const struct keeper_set *set = set_of(fix);

	for (size_t i = 0; i < set->row.nkeys; i++)
		if (set->row.keys[i].facts.number == number)
			return lc_state(&set->row.keys[i].facts);
	return GEN_REMOVED;
}

static void
expect_states(const struct fixture *fix, const char *words)
{
	char text[256] = "";

	for (size_t i = 0; i < set_of(fix)->row.nkeys; i++) {
		const struct generation *g = &set_of(fix)->row.keys[i].facts;
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%lld:%s",
		    len == 0 ? "" : " ", (long long)g->number,
		    lc_state_name(lc_state(g)));
	}
	assert_string_equal(text, words);
}

/* Memory is what the disk says. */
static enum jw_err
compare_set(struct key_set *row, void *arg)
{
	const struct fixture *fix = arg;
	const struct keeper_set *set = set_of(fix);

	assert_int_equal(row->id, set->row.id);
	assert_int_equal(row->revision, set->row.revision);
	assert_int_equal(row->facts.version, set->row.facts.version);
	assert_int_equal(row->facts.wanted_at, set->row.facts.wanted_at);
	assert_int_equal(row->nkeys, set->row.nkeys);
	for (size_t i = 0; i < row->nkeys; i++) {
		struct generation g = row->keys[i].facts;

		g.spread = set->row.keys[i].facts.spread;
		assert_memory_equal(&g, &set->row.keys[i].facts, sizeof(g));
		assert_string_equal(row->keys[i].kid, set->row.keys[i].kid);
		assert_string_equal(row->keys[i].jwk, set->row.keys[i].jwk);
		assert_int_equal(
		    lc_spread(row->keys[i].kid), set->row.keys[i].facts.spread);
	}
	store_set_done(row);
	return JW_OK;
}

static void
expect_same_as_disk(struct fixture *fix)
{
	assert_int_equal(
	    store_load(fix->keeper->store, compare_set, fix), JW_OK);
}

/* ---- first start ---- */

static void
first_start_makes_signer_and_standby(void **state)
{
	struct fixture *fix = *state;
	char *body = NULL;
	json_t *json, *list;

	assert_false(keeper_is_ready(fix->keeper));
	assert_int_equal(keeper_count(fix->keeper), 1);
	assert_int_equal(
	    keeper_render(set_of(fix), NULL, &body), JW_NO_ACTIVE_KEY);
	run(fix);
	assert_true(keeper_is_ready(fix->keeper));
	expect_states(fix, "1:active 2:ready");
	assert_int_equal(set_of(fix)->row.facts.version, 1);
	assert_int_equal(keeper_render(set_of(fix), NULL, &body), JW_OK);
	json = json_loads(body, 0, NULL);
	list = json_object_get(json, "keys");
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(json_string_value(json_object_get(
					json_array_get(list, i), "kid")),
		    set_of(fix)->row.keys[i].kid);
	json_decref(json);
	free(body);
	expect_same_as_disk(fix);
}

static void
observers_hear_of_every_commit(void **state)
{
	static const struct {
		int64_t number;
		enum gen_state to;
		bool changed;
	} rows[] = {
	    {1, GEN_PENDING, false},
	    {2, GEN_PENDING, false},
	    {1, GEN_ACTIVE, true},
	    {2, GEN_READY, true},
	};
	struct fixture *fix = *state;

	run(fix);
	assert_int_equal(fix->commits, 3);
	assert_int_equal(fix->nnews, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(fix->news[i].number, rows[i].number);
		assert_int_equal(fix->news[i].to, rows[i].to);
		assert_int_equal(
		    fix->news[i].document_changed, rows[i].changed);
		assert_string_equal(fix->news[i].order, "");
		assert_string_equal(fix->news[i].kid,
		    set_of(fix)->row.keys[rows[i].number - 1].kid);
	}
	keeper_unobserve(fix->keeper, &fix->observer);
	pass(fix, 30 * DAY);
	assert_int_equal(fix->nnews, 4);
	keeper_unobserve(fix->keeper, &fix->observer);
}

static void
private_halves_are_sealed_for_their_rows(void **state)
{
	struct fixture *fix = *state;
	struct store *store = fix->keeper->store;

	run(fix);
	for (int64_t n = 1; n <= 2; n++) {
		const struct key *key = &set_of(fix)->row.keys[n - 1];
		struct crypto_envelope_row row = {
		    .database_uuid = store_uuid(store),
		    .key_set = "default",
		    .kid = key->kid,
		    .generation = n,
		    .alg = "EdDSA",
		};
		struct keys_pair *public = NULL, *pair = NULL;
		uint8_t *blob = NULL;
		size_t len = 0;

		assert_int_equal(store_sealed(store, 1, n, &blob, &len), JW_OK);
		assert_int_equal(crypto_from_jwk(JW_ALG_EDDSA, key->jwk,
				     strlen(key->jwk), &public, NULL),
		    JW_OK);
		assert_int_equal(
		    crypto_unseal(fix->kek, &row, crypto_spki_hash(public),
			blob, len, &pair),
		    JW_OK);
		assert_string_equal(crypto_kid(pair), key->kid);
		crypto_free(pair);
		crypto_free(public);
		free(blob);
	}
}

static void
restart_changes_nothing(void **state)
{
	struct fixture *fix = *state;
	char kids[2][MODEL_KID_SIZE];
	int64_t revision;

	run(fix);
	for (int i = 0; i < 2; i++)
		strcpy(kids[i], set_of(fix)->row.keys[i].kid);
	revision = set_of(fix)->row.revision;
	fix->commits = 0;
	restart(fix);
	assert_true(keeper_is_ready(fix->keeper));
	run(fix);
	expect_states(fix, "1:active 2:ready");
	assert_int_equal(fix->commits, 0);
	assert_int_equal(set_of(fix)->row.revision, revision);
	for (int i = 0; i < 2; i++)
		assert_string_equal(kids[i], set_of(fix)->row.keys[i].kid);
	expect_same_as_disk(fix);
}

/* The key pairs are wanted again; none is forgotten, none made twice. */
static void
restart_amid_the_first_start_goes_on(void **state)
{
	struct fixture *fix = *state;

	keeper_start(fix->keeper);
	for (int i = 0; i < 20000 && set_of(fix)->row.nkeys == 0; i++) {
		event_base_loop(fix->base, EVLOOP_NONBLOCK);
		usleep(200);
	}
	restart(fix);
	run(fix);
	assert_int_equal(set_of(fix)->row.nkeys, 2);
	assert_true(keeper_is_ready(fix->keeper));
	expect_same_as_disk(fix);
}

static void
wrong_key_encryption_key_is_refused(void **state)
{
	struct fixture *fix = *state;
	struct envelope_kek *other = make_kek(8);

	run(fix);
	keeper_free(fix->keeper);
	assert_int_equal(try_open(fix, other), JW_BAD_KEK);
	assert_null(fix->keeper);
	crypto_kek_free(other);
	open_keeper(fix);
	assert_true(keeper_is_ready(fix->keeper));
}

static void
key_sets_are_found(void **state)
{
	struct fixture *fix = *state;
	char name[300];

	memset(name, 'x', sizeof(name));
	name[299] = '\0';
	assert_ptr_equal(keeper_at(fix->keeper, 0), set_of(fix));
	assert_ptr_equal(keeper_by_id(fix->keeper, 1), set_of(fix));
	assert_null(keeper_at(fix->keeper, 1));
	assert_null(keeper_by_id(fix->keeper, 0));
	assert_null(keeper_by_id(fix->keeper, 2));
	assert_null(keeper_find(fix->keeper, "defaul"));
	assert_null(keeper_find(fix->keeper, ""));
	assert_null(keeper_find(fix->keeper, name));
}

/* ---- the schedule ---- */

static void
whole_life_by_the_clock(void **state)
{
	struct fixture *fix = *state;
	uint8_t *blob = NULL;
	size_t len;
	int64_t due;

	run(fix);
	keeper_serving(fix->keeper, 0);
	due = set_of(fix)->row.keys[0].facts.rotate_due;
	assert_true(due <= T0 + 30 * DAY && due >= T0 + 29 * DAY);
	pass(fix, due - 1 - wall_time);
	expect_states(fix, "1:active 2:ready");
	pass(fix, 1);
	expect_states(fix, "1:retired 2:active 3:published");
	expect_same_as_disk(fix);
	pass(fix, 1 + HOUR);
	assert_int_equal(store_sealed(fix->keeper->store, 1, 1, &blob, &len),
	    JW_NO_SUCH_KEY);
	pass(fix, 7560 - HOUR);
	expect_states(fix, "2:active 3:published");
	assert_int_equal(state_of(fix, 1), GEN_REMOVED);
	restart(fix);
	expect_states(fix, "2:active 3:published");
	run(fix);
	keeper_serving(fix->keeper, due);
	pass(fix, due + 1 + IPUB - wall_time - 1);
	expect_states(fix, "2:active 3:published");
	pass(fix, 1);
	expect_states(fix, "2:active 3:ready");
	expect_same_as_disk(fix);
}

static void
nothing_becomes_ready_that_nobody_serves(void **state)
{
	struct fixture *fix = *state;

	run(fix);
	keeper_serving(fix->keeper, 0);
	pass(fix, 30 * DAY);
	expect_states(fix, "1:retired 2:active 3:published");
	keeper_not_serving(fix->keeper, false);
	pass(fix, 5 * DAY);
	expect_states(fix, "2:active 3:published");
	/* The wait begins anew, when the front does: in a second. */
	keeper_serving(fix->keeper, 0);
	pass(fix, IPUB);
	expect_states(fix, "2:active 3:published");
	pass(fix, 1);
	expect_states(fix, "2:active 3:ready");
}

/* However long it takes: the wait begins when the last front has read it. */
static void
waits_begin_when_every_front_has_read(void **state)
{
	struct fixture *fix = *state;

	run(fix);
	keeper_serving(fix->keeper, 0);
	fix->slow_fronts = true;
	pass(fix, 30 * DAY);
	expect_states(fix, "1:retired 2:active 3:published");
	assert_int_equal(set_of(fix)->row.keys[2].facts.absent_until, 0);
	assert_true(keeper_is_unread(fix->keeper));
	pass(fix, 5 * DAY);
	expect_states(fix, "2:active 3:published");
	/* Nor does a restart make it read. */
	restart(fix);
	run(fix);
	keeper_serving(fix->keeper, T0);
	assert_true(keeper_is_unread(fix->keeper));
	pass(fix, 5 * DAY);
	expect_states(fix, "2:active 3:published");
	fix->slow_fronts = false;
	run(fix);
	assert_false(keeper_is_unread(fix->keeper));
	assert_int_equal(
	    set_of(fix)->row.keys[1].facts.absent_until, wall_time + 1);
	expect_same_as_disk(fix);
	/* It is known from then on, whatever comes. */
	fix->slow_fronts = true;
	restart(fix);
	run(fix);
	keeper_serving(fix->keeper, T0);
	pass(fix, IPUB);
	expect_states(fix, "2:active 3:published");
	pass(fix, 1);
	expect_states(fix, "2:active 3:ready");
}

/* What could not be sent has not been read. */
static void
what_is_unsent_is_unread(void **state)
{
	struct fixture *fix = *state;

	run(fix);
	keeper_serving(fix->keeper, 0);
	set_of(fix)->unsent = true;
	fix->slow_fronts = true;
	pass(fix, 30 * DAY);
	keeper_read(fix->keeper);
	assert_true(keeper_is_unread(fix->keeper));
	set_of(fix)->unsent = false;
	keeper_read(fix->keeper);
	assert_false(keeper_is_unread(fix->keeper));
}

/* A disk that fails meanwhile does not make it later, nor sooner. */
static void
when_it_was_read_is_not_lost(void **state)
{
	struct fixture *fix = *state;
	int64_t read_at;

	run(fix);
	keeper_serving(fix->keeper, 0);
	fix->slow_fronts = true;
	pass(fix, 30 * DAY);
	expect_states(fix, "1:retired 2:active 3:published");
	disk_full = true;
	keeper_read(fix->keeper);
	read_at = wall_time + 1;
	for (int i = 0; i < 5; i++)
		pass(fix, 100);
	assert_int_equal(set_of(fix)->row.keys[2].facts.absent_until, 0);
	disk_full = false;
	pass(fix, 61);
	assert_int_equal(set_of(fix)->row.keys[2].facts.absent_until, read_at);
	expect_same_as_disk(fix);
}

static void
clock_jump_rotates_nothing_until_it_is_stable(void **state)
{
	struct fixture *fix = *state;

	run(fix);
	assert_true(keeper_clock_trusted(fix->keeper));
	wall_time += 400 * DAY;
	boot_time += 30;
	run(fix);
	assert_false(keeper_clock_trusted(fix->keeper));
	expect_states(fix, "1:active 2:ready");
	pass(fix, 599);
	expect_states(fix, "1:active 2:ready");
	pass(fix, 1);
	assert_true(keeper_clock_trusted(fix->keeper));
	expect_states(fix, "1:retired 2:active 3:published");
	pass(fix, 60);
	expect_states(fix, "1:retired 2:active 3:published");
}

static void
clock_jump_amid_a_restart_is_noticed(void **state)
{
	struct fixture *fix = *state;

	run(fix);
	keeper_free(fix->keeper);
	wall_time += 400 * DAY;
	boot_time += 30;
	open_keeper(fix);
	run(fix);
	assert_false(keeper_clock_trusted(fix->keeper));
	expect_states(fix, "1:active 2:ready");
	assert_int_equal(keeper_accept_clock(fix->keeper,
			     &(struct keeper_commit){
				 .actor = {1, 2, 3}, .reason = "it is right"}),
	    JW_OK);
	run(fix);
	expect_states(fix, "1:retired 2:active 3:published");
}

static void
freeze_outlives_a_restart(void **state)
{
	struct fixture *fix = *state;
	const struct keeper_commit how = {.actor = {1, 2, 3}};

	run(fix);
	assert_int_equal(keeper_freeze_all(fix->keeper, true, &how), JW_OK);
	assert_true(keeper_is_frozen(fix->keeper));
	pass(fix, 40 * DAY);
	expect_states(fix, "1:active 2:ready");
	restart(fix);
	assert_true(keeper_is_frozen(fix->keeper));
	run(fix);
	expect_states(fix, "1:active 2:ready");
	assert_int_equal(keeper_freeze_all(fix->keeper, false, &how), JW_OK);
	run(fix);
	expect_states(fix, "1:retired 2:active 3:published");
}

/* ---- orders ---- */

/* A plain rotate, committed with a request. */
static enum jw_err
rotate(struct fixture *fix, const char *id)
{
	struct lc_rotate order = {.now = false};
	struct store_request request = {id, "m", "asked", "outcome"};
	struct keeper_commit how = {
	    .event = "rotate",
	    .actor = {1, 2, 3},
	    .request = &request,
	};
	struct lc_outcome outcome;
	struct keeper_edit edit;

	keeper_edit_begin(fix->keeper, set_of(fix), &edit);
	assert_int_equal(
	    lc_rotate(&edit.after, &edit.env, &order, &outcome), JW_OK);
	how.cause = outcome.cause;
	return keeper_commit(fix->keeper, &edit, &how);
}

static void
order_is_kept_with_its_outcome(void **state)
{
	struct fixture *fix = *state;
	char *asked = NULL, *outcome = NULL;

	run(fix);
	fix->nnews = 0;
	assert_int_equal(rotate(fix, "id-1"), JW_OK);
	assert_int_equal(fix->nnews, 2);
	assert_int_equal(fix->news[0].number, 2);
	assert_int_equal(fix->news[0].to, GEN_ACTIVE);
	assert_int_equal(fix->news[1].number, 1);
	assert_int_equal(fix->news[1].to, GEN_RETIRED);
	assert_string_equal(fix->news[0].order, "rotate");
	assert_true(fix->news[0].document_changed);
	assert_int_equal(
	    store_request_find(fix->keeper->store, "id-1", &asked, &outcome),
	    JW_OK);
	assert_string_equal(outcome, "outcome");
	free(asked);
	free(outcome);
	expect_same_as_disk(fix);
	/* The same id a second time changes nothing. */
	assert_int_equal(rotate(fix, "id-1"), JW_CONFLICT);
	assert_int_equal(set_of(fix)->row.facts.wanted_at, 0);
	expect_same_as_disk(fix);
	run(fix);
	expect_states(fix, "1:retired 2:active 3:published");
}

static bool
remembers_request(struct fixture *fix, const char *id)
{
	char *asked = NULL, *outcome = NULL;
	enum jw_err err =
	    store_request_find(fix->keeper->store, id, &asked, &outcome);

	free(asked);
	free(outcome);
	assert_true(err == JW_OK || err == JW_NO_SUCH_KEY);
	return err == JW_OK;
}

/* As if there had been so many others. */
static void
bury_requests(struct fixture *fix, int count)
{
	char sql[256];
	sqlite3 *db;

	keeper_free(fix->keeper);
	snprintf(sql, sizeof(sql),
	    "INSERT INTO request (id, at, uid, method, asked, outcome, seq)"
	    " SELECT 'later', at, uid, method, asked, outcome, seq + %d"
	    " FROM request",
	    count);
	assert_int_equal(sqlite3_open(fix->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	open_keeper(fix);
	run(fix);
	keeper_serving(fix->keeper, 0);
}

static void
requests_are_forgotten_after_a_week(void **state)
{
	struct fixture *fix = *state;

	run(fix);
	keeper_serving(fix->keeper, 0);
	assert_int_equal(rotate(fix, "id-1"), JW_OK);
	run(fix);
	bury_requests(fix, 10000);
	/* It wakes, and looks for old ones, when the standby is ready ... */
	pass(fix, IPUB + 60);
	assert_int_equal(state_of(fix, 3), GEN_READY);
	assert_true(remembers_request(fix, "id-1"));
	/* ... and when it is promoted. */
	pass(fix, 30 * DAY);
	assert_int_equal(state_of(fix, 3), GEN_ACTIVE);
	assert_false(remembers_request(fix, "id-1"));
	assert_true(remembers_request(fix, "later"));
}

static void
a_clock_that_jumped_forgets_no_request(void **state)
{
	struct fixture *fix = *state;

	run(fix);
	keeper_serving(fix->keeper, 0);
	assert_int_equal(rotate(fix, "id-1"), JW_OK);
	bury_requests(fix, 10000);
	wall_time += 400 * DAY;
	for (int i = 0; i < 3; i++) {
		boot_time += 2 * DAY;
		wall_time += 2 * DAY + 400;
		run(fix);
		assert_false(keeper_clock_trusted(fix->keeper));
		assert_true(remembers_request(fix, "id-1"));
	}
}

/* ---- failing disks ---- */

static void
unknown_outcome_is_looked_up(void **state)
{
	struct fixture *fix = *state;

	run(fix);
	failing_syncs = 1;
	assert_int_equal(rotate(fix, "id-1"), JW_OUTCOME_UNKNOWN);
	assert_int_equal(failing_syncs, 0);
	assert_false(event_base_got_break(fix->base));
	assert_true(keeper_is_ready(fix->keeper));
	assert_int_equal(keeper_count(fix->keeper), 1);
	expect_same_as_disk(fix);
	run(fix);
	/* Whether it was there or not: the life goes on. */
	keeper_serving(fix->keeper, 0);
	pass(fix, 40 * DAY);
	expect_same_as_disk(fix);
	assert_true(keeper_is_ready(fix->keeper));
	assert_true(state_of(fix, 1) >= GEN_RETIRED);
}

static void
schedule_survives_failing_syncs(void **state)
{
	struct fixture *fix = *state;

	run(fix);
	keeper_serving(fix->keeper, 0);
	for (int i = 1; i <= 12; i++) {
		failing_syncs = i % 4;
		pass(fix, 30 * DAY);
		failing_syncs = 0;
		for (int j = 0; j < 8; j++)
			pass(fix, 61);
		expect_same_as_disk(fix);
		assert_true(keeper_is_ready(fix->keeper));
	}
	assert_true(set_of(fix)->row.facts.next_number > 12);
}

/* The file is still there, and nothing of what was in it. */
static void
destroy(const char *path, const char *suffix)
{
	char name[256], junk[4096];
	struct stat st;
	int fd;

	memset(junk, 'x', sizeof(junk));
	snprintf(name, sizeof(name), "%s%s", path, suffix);
	fd = open(name, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at += (off_t)sizeof(junk))
		assert_true(write(fd, junk, sizeof(junk)) > 0);
	assert_int_equal(close(fd), 0);
}

static void
store_that_is_gone_ends_the_loop(void **state)
{
	struct fixture *fix = *state;

	run(fix);
	destroy(fix->path, "");
	destroy(fix->path, "-wal");
	wall_time += 30 * DAY;
	boot_time += 30 * DAY;
	keeper_start(fix->keeper);
	/* All of them: what only notes something goes on after a failed one,
	 * and the order behind it would then succeed. */
	failing_syncs = INT_MAX;
	for (int i = 0; !event_base_got_break(fix->base); i++) {
		if (i > 20000)
			fail_msg("the loop does not end");
		event_base_loop(fix->base, EVLOOP_NONBLOCK);
		usleep(500);
	}
	failing_syncs = 0;
	assert_int_equal(keeper_count(fix->keeper), 0);
	assert_false(keeper_is_ready(fix->keeper));
	/* What still asks on the way out is no worse off. */
	keeper_not_serving(fix->keeper, true);
}

/* The failed commit is told when the disk has confirmed it, not before. */
static void
late_commit_is_told_to_observers(void **state)
{
	struct fixture *fix = *state;
	const struct keeper_set *set = set_of(fix);
	char *asked = NULL, *outcome = NULL;
	const struct generation *gone;

	run(fix);
	keeper_serving(fix->keeper, 0);
	fix->nnews = 0;
	fix->commits = 0;
	failing_syncs = 2;
	assert_int_equal(rotate(fix, "id-1"), JW_OUTCOME_UNKNOWN);
	assert_int_equal(failing_syncs, 0);
	assert_true(store_in_doubt(fix->keeper->store));
	expect_states(fix, "1:active 2:ready");
	assert_int_equal(fix->commits, 0);
	assert_int_equal(rotate(fix, "id-1"), JW_STORE_FAILED);
	pass(fix, 1);
	assert_false(store_in_doubt(fix->keeper->store));
	assert_ptr_equal(set_of(fix), set);
	assert_true(fix->nnews >= 2);
	assert_int_equal(fix->news[0].number, 2);
	assert_int_equal(fix->news[0].to, GEN_ACTIVE);
	assert_true(fix->news[0].document_changed);
	assert_int_equal(fix->news[1].number, 1);
	assert_int_equal(fix->news[1].to, GEN_RETIRED);
	assert_int_equal(
	    store_request_find(fix->keeper->store, "id-1", &asked, &outcome),
	    JW_OK);
	assert_string_equal(outcome, "outcome");
	free(asked);
	free(outcome);
	pass(fix, 2);
	/* It may have signed until it was told. */
	gone = &set_of(fix)->row.keys[0].facts;
	assert_int_equal(gone->retired_at, T0);
	assert_true(gone->remove_due >=
		    T0 + 2 + jw_policy_retire_interval(&fix->policy));
	expect_same_as_disk(fix);
}

/* Also when the commit that froze them is only found after it failed. */
static void
freezing_everything_is_told(void **state)
{
	struct fixture *fix = *state;
	const struct keeper_commit how = {.cause = "a test"};

	run(fix);
	assert_int_equal(keeper_freeze_all(fix->keeper, true, &how), JW_OK);
	assert_string_equal(fix->world, "frozen");
	failing_syncs = 2;
	assert_int_equal(
	    keeper_freeze_all(fix->keeper, false, &how), JW_OUTCOME_UNKNOWN);
	assert_string_equal(fix->world, "frozen");
	pass(fix, 1);
	assert_false(keeper_is_frozen(fix->keeper));
	assert_string_equal(fix->world, "thawed");
}

/* A key that was published late is waited for as from then. */
static void
late_publication_waits_from_when_it_is_told(void **state)
{
	struct fixture *fix = *state;
	int64_t told = 0;

	run(fix);
	keeper_serving(fix->keeper, 0);
	assert_int_equal(rotate(fix, "id-1"), JW_OK);
	/* The commit that adds the standby passes, not the one that publishes
	 * it. */
	passing_syncs = 1;
	failing_syncs = 1000;
	for (int i = 0; i < 20000; i++) {
		if (store_in_doubt(fix->keeper->store))
			break;
		event_base_loop(fix->base, EVLOOP_NONBLOCK);
		usleep(200);
	}
	expect_states(fix, "1:retired 2:active 3:pending");
	for (int i = 0; i < 6; i++)
		pass(fix, 600);
	expect_states(fix, "1:retired 2:active 3:pending");
	assert_false(event_base_got_break(fix->base));
	failing_syncs = 0;
	fix->nnews = 0;
	for (int i = 0; i < 20 && told == 0; i++) {
		pass(fix, 10);
		if (state_of(fix, 3) == GEN_PUBLISHED)
			told = wall_time;
	}
	assert_int_equal(fix->news[0].number, 3);
	assert_int_equal(fix->news[0].to, GEN_PUBLISHED);
	assert_true(fix->news[0].document_changed);
	assert_true(told >= T0 + 3600);
	pass(fix, told + IPUB - wall_time);
	expect_states(fix, "2:active 3:published");
	pass(fix, 1);
	expect_states(fix, "2:active 3:ready");
	expect_same_as_disk(fix);
}

/* Days of it: nothing is acknowledged, nothing ends, all goes on after. */
static void
disk_that_fails_for_days_is_outlived(void **state)
{
	struct fixture *fix = *state;
	const struct keeper_commit how = {.actor = {1, 2, 3}};
	char *body = NULL;

	run(fix);
	failing_syncs = 100000;
	assert_int_equal(rotate(fix, "id-1"), JW_OUTCOME_UNKNOWN);
	for (int i = 0; i < 50; i++) {
		pass(fix, 3600);
		assert_false(event_base_got_break(fix->base));
		assert_int_equal(rotate(fix, "id-1"), JW_STORE_FAILED);
		assert_int_equal(keeper_freeze_all(fix->keeper, true, &how),
		    JW_STORE_FAILED);
		assert_int_equal(
		    keeper_accept_clock(fix->keeper, &how), JW_STORE_FAILED);
		expect_states(fix, "1:active 2:ready");
		assert_true(keeper_is_ready(fix->keeper));
		assert_int_equal(
		    keeper_render(set_of(fix), NULL, &body), JW_OK);
		free(body);
	}
	/* It was tried every minute at most. */
	assert_in_range(100000 - failing_syncs, 50, 120);
	failing_syncs = 0;
	pass(fix, 61);
	pass(fix, 61);
	assert_true(state_of(fix, 1) == GEN_RETIRED);
	assert_false(keeper_is_frozen(fix->keeper));
	expect_same_as_disk(fix);
}

/* What holds for all key sets is looked up as well. */
static void
late_freeze_and_clock_are_taken_over(void **state)
{
	struct fixture *fix = *state;
	const struct keeper_commit how = {.actor = {1, 2, 3}};

	run(fix);
	failing_syncs = 2;
	assert_int_equal(
	    keeper_freeze_all(fix->keeper, true, &how), JW_OUTCOME_UNKNOWN);
	assert_false(keeper_is_frozen(fix->keeper));
	pass(fix, 1);
	assert_true(keeper_is_frozen(fix->keeper));
	wall_time += 400 * DAY;
	boot_time += 30;
	run(fix);
	assert_false(keeper_clock_trusted(fix->keeper));
	failing_syncs = 2;
	assert_int_equal(
	    keeper_accept_clock(fix->keeper, &how), JW_OUTCOME_UNKNOWN);
	assert_false(keeper_clock_trusted(fix->keeper));
	pass(fix, 8);
	assert_true(keeper_clock_trusted(fix->keeper));
}

static void
a_clock_set_back_prolongs_no_hold(void **state)
{
	struct fixture *fix = *state;

	run(fix);
	disk_full = true;
	pass(fix, 30 * DAY);
	assert_int_equal(set_of(fix)->hold_until, wall_time + 1);
	wall_time -= 400 * DAY;
	boot_time += 30;
	run(fix);
	assert_in_range(set_of(fix)->hold_until, wall_time, wall_time + 60);
}

static void
full_disk_is_tried_again_less_and_less_often(void **state)
{
	static const int waits[] = {1, 2, 4, 8, 16, 32, 60, 60};
	struct fixture *fix = *state;
	char *body = NULL;

	run(fix);
	disk_full = true;
	pass(fix, 30 * DAY);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		expect_states(fix, "1:active 2:ready");
		assert_int_equal(set_of(fix)->hold_until, wall_time + waits[i]);
		assert_int_equal(
		    keeper_render(set_of(fix), NULL, &body), JW_OK);
		free(body);
		pass(fix, waits[i] - 1);
		assert_int_equal(set_of(fix)->hold_until, wall_time + 1);
		pass(fix, 1);
	}
	disk_full = false;
	pass(fix, 60);
	expect_states(fix, "1:retired 2:active 3:published");
	assert_int_equal(set_of(fix)->hold_until, 0);
	assert_int_equal(set_of(fix)->failures, 0);
	expect_same_as_disk(fix);
}

static void
refused_order_changes_nothing_in_memory(void **state)
{
	struct fixture *fix = *state;
	int64_t revision;

	run(fix);
	revision = set_of(fix)->row.revision;
	fix->commits = 0;
	disk_full = true;
	assert_int_equal(rotate(fix, "id-1"), JW_NO_SPACE);
	expect_states(fix, "1:active 2:ready");
	assert_int_equal(set_of(fix)->row.revision, revision);
	assert_int_equal(fix->commits, 0);
	disk_full = false;
	assert_int_equal(rotate(fix, "id-1"), JW_OK);
	assert_int_equal(fix->commits, 1);
	expect_same_as_disk(fix);
}

static enum jw_err
revoke_one(struct fixture *fix, bool urgent)
{
	struct keeper_commit how = {
	    .event = "revoke",
	    .reason = "leaked",
	    .actor = {1, 2, 3},
	    .urgent = urgent,
	};
	struct lc_outcome outcome;
	struct keeper_edit edit;

	keeper_edit_begin(fix->keeper, set_of(fix), &edit);
	assert_int_equal(
	    lc_revoke(&edit.after, &edit.env, 1, false, &outcome), JW_OK);
	how.cause = outcome.cause;
	return keeper_commit(fix->keeper, &edit, &how);
}

static int64_t
reserve_of(const struct fixture *fix)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s.ballast", fix->path);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

static bool
warns(struct fixture *fix, const char *what)
{
	char text[512] = "";
	bool does = keeper_room_warning(fix->keeper, text, sizeof(text));

	assert_int_equal(does, text[0] != '\0');
	return does && strstr(text, what) != NULL;
}

static void
urgent_order_uses_the_reserve(void **state)
{
	struct fixture *fix = *state;

	keeper_keep_room(fix->keeper);
	run(fix);
	assert_int_equal(reserve_of(fix), BALLAST_SIZE);
	assert_false(warns(fix, ""));
	/* Room for what it takes is there once two steps are given up. */
	snprintf(held_path, sizeof(held_path), "%s.ballast", fix->path);
	held_most = BALLAST_SIZE - 2 * BALLAST_STEP;
	for (int i = 0; i < 2; i++) {
		disk_full_errno = i == 0 ? ENOSPC : EDQUOT;
		assert_int_equal(rotate(fix, "id-1"), JW_NO_SPACE);
		assert_int_equal(revoke_one(fix, false), JW_NO_SPACE);
	}
	assert_int_equal(reserve_of(fix), BALLAST_SIZE);
	assert_true(warns(fix, "is full"));
	assert_true(keeper_is_full(fix->keeper));
	fix->nnews = 0;
	assert_int_equal(revoke_one(fix, true), JW_OK);
	assert_int_equal(reserve_of(fix), BALLAST_SIZE - 2 * BALLAST_STEP);
	expect_states(fix, "2:active");
	expect_same_as_disk(fix);
	/* It is made whole again, as soon as there is room. */
	held_path[0] = '\0';
	assert_false(warns(fix, ""));
	pass(fix, 1);
	assert_int_equal(reserve_of(fix), BALLAST_SIZE);
}

static void
urgent_order_may_find_no_reserve(void **state)
{
	struct fixture *fix = *state;

	keeper_keep_room(fix->keeper);
	run(fix);
	disk_full = true;
	assert_int_equal(revoke_one(fix, true), JW_NO_SPACE);
	expect_states(fix, "1:active 2:ready");
	assert_int_equal(reserve_of(fix), 0);
	assert_true(warns(fix, "used up"));
	disk_full = false;
	assert_int_equal(revoke_one(fix, true), JW_OK);
	pass(fix, 60);
	assert_false(warns(fix, ""));
}

static void
refused_calls_leave_the_last_room(void **state)
{
	struct fixture *fix = *state;
	struct store_refusal row = {
	    .at = T0,
	    .event = "refused",
	    .cause = "c",
	    .count = 1,
	};

	keeper_keep_room(fix->keeper);
	run(fix);
	assert_int_equal(keeper_audit_refusals(fix->keeper, &row, 1), JW_OK);
	disk_full = true;
	assert_int_equal(
	    keeper_audit_refusals(fix->keeper, &row, 1), JW_NO_SPACE);
	assert_int_equal(rotate(fix, "id-1"), JW_NO_SPACE);
	disk_full = false;
	/* Known to be full: it is not even tried. */
	assert_int_equal(
	    keeper_audit_refusals(fix->keeper, &row, 1), JW_NO_SPACE);
	assert_int_equal(rotate(fix, "id-1"), JW_OK);
	assert_int_equal(keeper_audit_refusals(fix->keeper, &row, 1), JW_OK);
}

static int64_t
noted_exp(const struct fixture *fix)
{
	const struct key *key = keeper_active(set_of(fix));

	assert_non_null(key);
	return key->facts.max_exp;
}

static void
exp_without_room_is_noted_later(void **state)
{
	struct fixture *fix = *state;
	int64_t exp = T0 + 3000;

	run(fix);
	assert_int_equal(
	    keeper_note_exp(fix->keeper, set_of(fix), T0 + 60), JW_OK);
	disk_full = true;
	for (int i = 0; i < 20; i++)
		assert_int_equal(
		    keeper_note_exp(fix->keeper, set_of(fix), exp - i), JW_OK);
	keeper_note_late(fix->keeper, wall_time + 60);
	assert_int_equal(noted_exp(fix), T0 + 60);
	disk_full = false;
	/* Not at once, but though nothing more is signed. */
	keeper_note_late(fix->keeper, wall_time + 61);
	assert_int_equal(noted_exp(fix), T0 + 60);
	keeper_note_late(fix->keeper, wall_time + 120);
	assert_int_equal(noted_exp(fix), exp);
	expect_same_as_disk(fix);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(first_start_makes_signer_and_standby),
	    TEST(observers_hear_of_every_commit),
	    TEST(private_halves_are_sealed_for_their_rows),
	    TEST(restart_changes_nothing),
	    TEST(restart_amid_the_first_start_goes_on),
	    TEST(wrong_key_encryption_key_is_refused),
	    TEST(key_sets_are_found),
	    TEST(whole_life_by_the_clock),
	    TEST(nothing_becomes_ready_that_nobody_serves),
	    TEST(waits_begin_when_every_front_has_read),
	    TEST(what_is_unsent_is_unread),
	    TEST(when_it_was_read_is_not_lost),
	    TEST(clock_jump_rotates_nothing_until_it_is_stable),
	    TEST(clock_jump_amid_a_restart_is_noticed),
	    TEST(freeze_outlives_a_restart),
	    TEST(order_is_kept_with_its_outcome),
	    TEST(requests_are_forgotten_after_a_week),
	    TEST(a_clock_that_jumped_forgets_no_request),
	    TEST(unknown_outcome_is_looked_up),
	    TEST(schedule_survives_failing_syncs),
	    TEST(late_commit_is_told_to_observers),
	    TEST(freezing_everything_is_told),
	    TEST(late_publication_waits_from_when_it_is_told),
	    TEST(disk_that_fails_for_days_is_outlived),
	    TEST(late_freeze_and_clock_are_taken_over),
	    TEST(store_that_is_gone_ends_the_loop),
	    TEST(a_clock_set_back_prolongs_no_hold),
	    TEST(full_disk_is_tried_again_less_and_less_often),
	    TEST(refused_order_changes_nothing_in_memory),
	    TEST(urgent_order_uses_the_reserve),
	    TEST(urgent_order_may_find_no_reserve),
	    TEST(refused_calls_leave_the_last_room),
	    TEST(exp_without_room_is_noted_later),
	};
	int locked = 0, failed;

	jw_log_set_level(JW_LOG_ERROR);
	install_short_disk();
	if (crypto_init(1 << 20, &locked) != JW_OK)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	crypto_done();
	return failed;
}
