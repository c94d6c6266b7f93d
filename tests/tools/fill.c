/*
 * fill DATABASE KEK COUNT DUE SPAN SECONDS: a database with COUNT key sets
 * (fewer when SECONDS are over: it prints how many) under the
 * policy below, each with a retired, an active and a ready generation.  The
 * active ones rotate within SPAN seconds before DUE (seconds since the
 * epoch), spread by their kids as the lifecycle spreads them.  For benches;
 * makes the KEK where there is none.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/config/policy.h"
#include "daemon/crypto/envelope.h"
#include "daemon/crypto/keys.h"
#include "daemon/lifecycle/lifecycle.h"
#include "daemon/store/store.h"

enum { GENERATIONS = 3, SECURE_HEAP = 1024 * 1024 };

/* What a bench fills may be lost with the power: SQLite finds these. */
int
fsync(int fd)
{
	(void)fd;
	return 0;
}

int
fdatasync(int fd)
{
	(void)fd;
	return 0;
}

struct filler {
	struct store *store;
	struct envelope_kek *kek;
	struct jw_policy policy;
	int64_t now;
	int64_t due;
};

static void
check(enum jw_err err, const char *what)
{
	if (err == JW_OK)
		return;
	fprintf(stderr, "fill: %s: %s\n", what, jw_err_text(err));
	exit(1);
}

/* A key that signs since a period before its turn to go. */
static void
set_facts(const struct filler *f, struct generation *gen)
{
	int64_t period = f->policy.rotation_period;
	int64_t since = f->due - period;

	gen->created_at = gen->published_at = gen->absent_until =
	    gen->publish_due = gen->ready_due = gen->ready_at = since - period;
	gen->alg = f->policy.algorithm;
	if (gen->number < 3) {
		gen->activations = 1;
		gen->activated_at = gen->number == 1 ? since - period : since;
	}
	if (gen->number == 1) {
		gen->retirements = 1;
		gen->retired_at = since;
		gen->destroy_due = since + f->policy.rollback_window;
		gen->remove_due = f->due + period;
		if (gen->destroy_due <= f->now)
			gen->destroyed_at = gen->destroy_due;
	}
	if (gen->number == 2)
		gen->rotate_due =
		    since + period - gen->spread % (period / 50 + 1);
}

static void
make_key(const struct filler *f, const char *name, int64_t number,
    struct key *ret_key, struct store_new_key *ret_new)
{
	struct keys_pair *pair = NULL;
	struct crypto_envelope_row row = {
	    .database_uuid = store_uuid(f->store),
	    .key_set = name,
	    .kid = ret_key->kid,
	    .generation = number,
	    .alg = jw_alg_name(f->policy.algorithm),
	};
	uint8_t *sealed = NULL;

	check(crypto_generate((enum jw_alg)f->policy.algorithm,
		  f->policy.rsa_bits, NULL, &pair),
	    "a key pair");
	memset(ret_key, 0, sizeof(*ret_key));
	snprintf(ret_key->kid, sizeof(ret_key->kid), "%s", crypto_kid(pair));
	ret_key->jwk = strdup(crypto_public_jwk(pair));
	ret_key->facts.number = number;
	ret_key->facts.spread = lc_spread(ret_key->kid);
	set_facts(f, &ret_key->facts);
	*ret_new = (struct store_new_key){.key = ret_key};
	if (ret_key->facts.destroyed_at == 0)
		check(crypto_seal(
			  f->kek, &row, pair, &sealed, &ret_new->sealed_len),
		    "an envelope");
	ret_new->sealed = sealed;
	crypto_free(pair);
}

/* A key set before it is written. */
struct draft {
	const struct filler *filler;
	struct key_set row;
	struct key keys[GENERATIONS];
	struct store_new_key created[GENERATIONS];
};

static void *
make_draft(void *arg)
{
	struct draft *d = arg;

	for (int i = 0; i < GENERATIONS; i++)
		make_key(
		    d->filler, d->row.name, i + 1, &d->keys[i], &d->created[i]);
	return NULL;
}

static void
name_draft(struct draft *d, const struct filler *f, int64_t place)
{
	memset(d, 0, sizeof(*d));
	d->filler = f;
	if (place == 0)
		snprintf(d->row.name, sizeof(d->row.name), "default");
	else
		snprintf(d->row.name, sizeof(d->row.name), "app%05lld",
		    (long long)place);
}

static void
write_draft(const struct filler *f, struct draft *d)
{
	struct key_set_facts facts = {
	    .policy = f->policy,
	    .next_number = GENERATIONS + 1,
	    .version = 2,
	    .version_at = f->now - 1,
	};
	struct store_audit audit = {.event = "keyset", .cause = "a bench"};
	struct store_change change = {
	    .set = &d->row,
	    .facts = &facts,
	    .now = f->now,
	    .created = d->created,
	    .ncreated = GENERATIONS,
	    .audit = &audit,
	    .naudit = 1,
	    .actor = {-1, -1, -1},
	};
	int64_t id;

	check(store_commit(f->store, &change, &id), store_message(f->store));
	for (int i = 0; i < GENERATIONS; i++) {
		free(d->keys[i].jwk);
		free((void *)(uintptr_t)d->created[i].sealed);
	}
}

/* Two at a time, one of them in a thread: key pairs take longest. */
static int64_t
add_sets(const struct filler *f, int64_t count, time_t until)
{
	struct draft drafts[2];
	pthread_t thread;
	int64_t i;

	for (i = 0; i < count && time(NULL) < until; i += 2) {
		name_draft(&drafts[0], f, i);
		name_draft(&drafts[1], f, i + 1);
		if (pthread_create(&thread, NULL, make_draft, &drafts[1]) != 0)
			check(JW_NO_MEMORY, "a thread");
		make_draft(&drafts[0]);
		pthread_join(thread, NULL);
		write_draft(f, &drafts[0]);
		if (i + 1 < count)
			write_draft(f, &drafts[1]);
	}
	return i < count ? i : count;
}

static void
remember_kek(const struct filler *f)
{
	char hex[2 * ENVELOPE_KEK_ID_SIZE + 1];
	const uint8_t *id = crypto_kek_id(f->kek);

	for (int i = 0; i < ENVELOPE_KEK_ID_SIZE; i++)
		snprintf(hex + (ptrdiff_t)2 * i, 3, "%02x", id[i]);
	check(store_meta_set(f->store, "kek_id", hex), "the KEK's name");
}

/* A life whose jitter, 2 % of the period, is the span. */
static void
set_policy(struct jw_policy *policy, int32_t span)
{
	jw_policy_init(policy);
	policy->rotation_period = span * 50;
	policy->cache_stale_if_error = 0;
	policy->cache_stale_while_revalidate = 0;
	policy->verifier_max_age = 2 * policy->cache_max_age;
	policy->publish_safety = 0;
	policy->token_max_ttl = 300;
	policy->retire_safety = 0;
	policy->rollback_window = 300;
}

int
main(int argc, char **argv)
{
	struct filler f = {.now = time(NULL)};
	struct jw_policy_fault fault;
	struct jw_why why = {"", ""};
	int64_t made;
	int locked;

	if (argc != 7) {
		fputs("usage: fill DATABASE KEK COUNT DUE SPAN SECONDS\n",
		    stderr);
		return 64;
	}
	f.due = strtoll(argv[4], NULL, 10);
	set_policy(&f.policy, (int32_t)strtol(argv[5], NULL, 10));
	check(jw_policy_check(&f.policy, &fault, &why), why.text);
	check(crypto_init(SECURE_HEAP, &locked), "the secure heap");
	check(crypto_kek_load(argv[2], true, &f.kek, &why), why.text);
	check(store_open(argv[1], NULL, f.now, &f.store, &why), why.text);
	remember_kek(&f);
	made = add_sets(
	    &f, strtoll(argv[3], NULL, 10), f.now + strtol(argv[6], NULL, 10));
	store_close(f.store);
	crypto_kek_free(f.kek);
	crypto_done();
	printf("%lld\n", (long long)made);
	return 0;
}
