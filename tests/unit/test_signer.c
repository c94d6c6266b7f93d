/*
 * daemon/crypto/signer.c with real keys: who is kept and who goes, what a queue
 * takes, and what becomes of a signature whose key is forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/crypto/keys.h"
#include "daemon/crypto/signer.h"

enum { ROOM = 3, QUEUE = 4, HEAP = 1024 * 1024, KIDS = 5 };

struct fixture {
	struct event_base *base;
	struct crypto_signer *signer;
	char kids[KIDS][KEYS_KID_SIZE];
	struct keys_pair *pair; /* a second copy of the last one kept */
	int done, dropped, conflicts, wrong;
};

static int
setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	fix->base = event_base_new();
	assert_non_null(fix->base);
	assert_int_equal(
	    crypto_signer_new(fix->base, 1, ROOM, 2 * QUEUE, &fix->signer),
	    JW_OK);
	*state = fix;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fix = *state;

	crypto_signer_free(fix->signer);
	crypto_free(fix->pair);
	event_base_free(fix->base);
	free(fix);
	return 0;
}

static struct crypto_signer_key *
keep(struct fixture *fix, int i, enum jw_alg alg, int64_t set_id)
{
	struct keys_pair *pair = NULL;
	struct crypto_signer_key *key;
	uint8_t *der = NULL;
	size_t len;

	assert_int_equal(crypto_generate(alg, 2048, NULL, &pair), JW_OK);
	memcpy(fix->kids[i], crypto_kid(pair), KEYS_KID_SIZE);
	crypto_free(fix->pair);
	fix->pair = NULL;
	assert_int_equal(crypto_private_export(pair, &der, &len), JW_OK);
	assert_int_equal(
	    crypto_private_import(alg, der, len, &fix->pair), JW_OK);
	crypto_private_free(der, len);
	key = crypto_signer_keep(fix->signer, set_id, pair);
	assert_non_null(key);
	return key;
}

static void
on_done(enum jw_err err, const uint8_t *signature, size_t len, void *arg)
{
	struct fixture *fix = arg;

	fix->done++;
	fix->conflicts += err == JW_CONFLICT;
	if (err == JW_OK)
		fix->wrong += crypto_verify(fix->pair, "text", 4, signature,
				  len) != JW_OK;
}

static void
on_drop(void *arg)
{
	struct fixture *fix = arg;

	fix->dropped++;
}

static enum jw_err
sign(struct fixture *fix, struct crypto_signer_key *key)
{
	return crypto_signer_sign(
	    fix->signer, key, 7, "text", 4, NULL, on_done, on_drop, fix);
}

static void
note_job(enum jw_err err, const uint8_t *signature, size_t len, void *arg)
{
	struct fixture *fix = arg;

	(void)signature;
	fix->done++;
	fix->conflicts += err == JW_CONFLICT;
	fix->wrong += err == JW_OK && len != 0;
}

static void
pump(struct fixture *fix, int done)
{
	while (fix->done < done)
		assert_int_equal(event_base_loop(fix->base, EVLOOP_ONCE), 0);
}

static bool
is_first_set(int64_t set_id, const char *kid, void *arg)
{
	(void)kid;
	(void)arg;
	return set_id == 1;
}

static void
longest_unused_key_goes_first(void **state)
{
	struct fixture *fix = *state;

	for (int i = 0; i < ROOM; i++)
		keep(fix, i, JW_ALG_ES256, 1);
	assert_non_null(crypto_signer_find(fix->signer, fix->kids[0]));
	keep(fix, 3, JW_ALG_ES256, 1);
	assert_null(crypto_signer_find(fix->signer, fix->kids[1]));
	assert_non_null(crypto_signer_find(fix->signer, fix->kids[0]));
	assert_non_null(crypto_signer_find(fix->signer, fix->kids[2]));
	assert_non_null(crypto_signer_find(fix->signer, fix->kids[3]));
	assert_null(crypto_signer_find(fix->signer, ""));
}

static void
quick_ones_are_signed_at_once(void **state)
{
	static const enum jw_alg quick[] = {
	    JW_ALG_ES256, JW_ALG_EDDSA, JW_ALG_ED25519};
	struct fixture *fix = *state;

	for (int i = 0; i < 3; i++) {
		struct crypto_signer_key *key = keep(fix, i, quick[i], 1);

		assert_int_equal(sign(fix, key), JW_OK);
		assert_int_equal(fix->done, i + 1);
	}
	assert_int_equal(fix->wrong + fix->conflicts + fix->dropped, 0);
}

static void
slow_ones_wait_and_leave_places_to_others(void **state)
{
	struct fixture *fix = *state;
	struct crypto_signer_key *key = keep(fix, 0, JW_ALG_RS256, 1);
	int taken = 0;

	while (sign(fix, key) == JW_OK)
		taken++;
	/* The first may be in a thread already, and wait no longer. */
	assert_in_range(taken, QUEUE, QUEUE + 1);
	assert_int_equal(fix->done, 0);
	/* Another user finds a place. */
	assert_int_equal(crypto_signer_sign(fix->signer, key, 8, "text", 4,
			     NULL, on_done, on_drop, fix),
	    JW_OK);
	pump(fix, taken + 1);
	assert_int_equal(fix->done, taken + 1);
	assert_int_equal(fix->wrong + fix->conflicts + fix->dropped, 0);
	assert_int_equal(sign(fix, key), JW_OK);
	pump(fix, taken + 2);
}

/* The thread may be through with all of them before the sweep: again then. */
static void
forgotten_key_signs_no_more(void **state)
{
	struct fixture *fix = *state;

	keep(fix, 0, JW_ALG_ES256, 1);
	for (int tries = 1; fix->conflicts == 0; tries++) {
		struct crypto_signer_key *key = keep(fix, 1, JW_ALG_RS256, 2);

		assert_true(tries <= 20);
		for (int i = 0; i < QUEUE; i++)
			assert_int_equal(sign(fix, key), JW_OK);
		crypto_signer_sweep(fix->signer, is_first_set, NULL);
		assert_null(crypto_signer_find(fix->signer, fix->kids[1]));
		assert_non_null(crypto_signer_find(fix->signer, fix->kids[0]));
		pump(fix, tries * QUEUE);
	}
	assert_int_equal(fix->wrong + fix->dropped, 0);
}

static void
key_that_had_to_make_room_finishes_its_signatures(void **state)
{
	struct fixture *fix = *state;
	struct crypto_signer_key *key = keep(fix, 0, JW_ALG_PS256, 1);
	struct keys_pair *pair = fix->pair;

	fix->pair = NULL;
	for (int i = 0; i < QUEUE; i++)
		assert_int_equal(sign(fix, key), JW_OK);
	for (int i = 1; i <= ROOM; i++)
		keep(fix, i, JW_ALG_ES256, 1);
	assert_null(crypto_signer_find(fix->signer, fix->kids[0]));
	crypto_free(fix->pair);
	fix->pair = pair;
	pump(fix, QUEUE);
	assert_int_equal(fix->wrong + fix->conflicts + fix->dropped, 0);
}

static void
what_waits_is_dropped_at_the_end(void **state)
{
	struct fixture *fix = *state;
	struct crypto_signer_key *key = keep(fix, 0, JW_ALG_RS256, 1);

	for (int i = 0; i < QUEUE; i++)
		assert_int_equal(sign(fix, key), JW_OK);
	crypto_signer_free(fix->signer);
	fix->signer = NULL;
	assert_int_equal(fix->done + fix->dropped, QUEUE);
	assert_int_equal(fix->dropped, QUEUE);
}

static int
begin(void **state)
{
	int locked;

	(void)state;
	return crypto_init(HEAP, &locked) == JW_OK ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	crypto_done();
	return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* No thread signs for somebody who has left: others wait for it. */
static void
nothing_is_signed_for_who_is_gone(void **state)
{
	struct fixture *fix = *state;
	struct crypto_signer_key *key = keep(fix, 0, JW_ALG_RS256, 1);
	atomic_bool gone;

	atomic_init(&gone, true);
	for (int i = 0; i < QUEUE; i++)
		assert_int_equal(crypto_signer_sign(fix->signer, key, 7, "text",
				     4, &gone, note_job, on_drop, fix),
		    JW_OK);
	pump(fix, QUEUE);
	assert_int_equal(fix->conflicts, QUEUE);
	assert_int_equal(fix->wrong, 0);
	atomic_store(&gone, false);
	assert_int_equal(crypto_signer_sign(fix->signer, key, 7, "text", 4,
			     &gone, note_job, on_drop, fix),
	    JW_OK);
	pump(fix, QUEUE + 1);
	assert_int_equal(fix->wrong, 1);
	fix->wrong = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(longest_unused_key_goes_first),
	    T(quick_ones_are_signed_at_once),
	    T(slow_ones_wait_and_leave_places_to_others),
	    T(forgotten_key_signs_no_more),
	    T(nothing_is_signed_for_who_is_gone),
	    T(key_that_had_to_make_room_finishes_its_signatures),
	    T(what_waits_is_dropped_at_the_end),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
