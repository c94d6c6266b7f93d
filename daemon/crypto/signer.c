/*
 * Unsealed keys and the threads that sign.  P-256 and Ed25519 take less time
 * than a way to another thread and back, and are signed at once; everything
 * else would hold up the loop.  Must never let go of a key that a thread is
 * signing with.
 */
#include "daemon/crypto/signer.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/memory.h"
#include "daemon/crypto/keys.h"
#include "daemon/crypto/worker.h"

enum { BUCKETS = 1024, ENDS_AT_ONCE = 16 };

struct crypto_signer_key {
	TAILQ_ENTRY(crypto_signer_key) by_use;
	LIST_ENTRY(crypto_signer_key) in_bucket;
	struct keys_pair *pair;
	int64_t set_id;
	int users; /* references, counted by the event loop alone; the signer
		      has one */
	atomic_bool forgotten; /* also read by threads */
};

TAILQ_HEAD(key_list, crypto_signer_key);
LIST_HEAD(bucket, crypto_signer_key);

struct crypto_signer {
	struct crypto_worker_pool *threads;
	size_t keys_max, jobs_max;
	struct key_list by_use; /* the most recently used first */
	struct bucket buckets[BUCKETS];
	size_t count;
};

struct job {
	struct crypto_signer_key *key;
	const void *data;
	size_t len;
	const atomic_bool *gone;
	crypto_signer_done_fn *done;
	void (*drop)(void *arg);
	void *arg;
	enum jw_err err;
	size_t signature_len;
	uint8_t signature[KEYS_SIGNATURE_MAX];
};

/* ---- keys ---- */

/* A kid is the text of a hash: four characters of it are random enough. */
static struct bucket *
bucket_of(struct crypto_signer *signer, const char *kid)
{
	unsigned n = 0;

	for (int i = 0; i < 4 && kid[i] != '\0'; i++)
		n = n * 67 + (unsigned char)kid[i];
	return &signer->buckets[n % BUCKETS];
}

static void
release(struct crypto_signer_key *key)
{
	assert(key->users > 0);
	if (--key->users > 0)
		return;
	crypto_free(key->pair);
	free(key);
}

static void
crypto_forget(struct crypto_signer *signer, struct crypto_signer_key *key)
{
	assert(signer->count > 0);
	TAILQ_REMOVE(&signer->by_use, key, by_use);
	LIST_REMOVE(key, in_bucket);
	signer->count--;
	release(key);
}

static struct crypto_signer_key *
crypto_look_up(struct crypto_signer *signer, const char *kid)
{
	struct crypto_signer_key *key;

	LIST_FOREACH (key, bucket_of(signer, kid), in_bucket)
		if (strcmp(crypto_kid(key->pair), kid) == 0)
			return key;
	return NULL;
}

struct crypto_signer_key *
crypto_signer_find(struct crypto_signer *signer, const char *kid)
{
	struct crypto_signer_key *key = crypto_look_up(signer, kid);

	if (key == NULL || key == TAILQ_FIRST(&signer->by_use))
		return key;
	TAILQ_REMOVE(&signer->by_use, key, by_use);
	TAILQ_INSERT_HEAD(&signer->by_use, key, by_use);
	return key;
}

struct crypto_signer_key *
crypto_signer_keep(
    struct crypto_signer *signer, int64_t set_id, struct keys_pair *take_pair)
{
	struct crypto_signer_key *key = calloc(1, sizeof(*key));

	if (key == NULL) {
		crypto_free(take_pair);
		return NULL;
	}
	while (signer->count >= signer->keys_max)
		crypto_forget(signer, TAILQ_LAST(&signer->by_use, key_list));
	key->pair = take_pair;
	key->set_id = set_id;
	key->users = 1;
	atomic_init(&key->forgotten, false);
	TAILQ_INSERT_HEAD(&signer->by_use, key, by_use);
	LIST_INSERT_HEAD(
	    bucket_of(signer, crypto_kid(take_pair)), key, in_bucket);
	signer->count++;
	assert(signer->count <= signer->keys_max);
	return key;
}

void
crypto_signer_sweep(
    struct crypto_signer *signer, crypto_signer_stay_fn *may_stay, void *arg)
{
	struct crypto_signer_key *key = TAILQ_FIRST(&signer->by_use), *next;

	for (; key != NULL; key = next) {
		next = TAILQ_NEXT(key, by_use);
		if (may_stay(key->set_id, crypto_kid(key->pair), arg))
			continue;
		atomic_store(&key->forgotten, true);
		crypto_forget(signer, key);
	}
}

/* ---- signatures ---- */

static void
job_run(void *arg)
{
	struct job *job = arg;

	if (atomic_load(&job->key->forgotten) ||
	    (job->gone != NULL && atomic_load(job->gone)))
		job->err = JW_CONFLICT;
	else
		job->err = crypto_sign(job->key->pair, job->data, job->len,
		    job->signature, &job->signature_len);
}

static void
job_done(void *arg)
{
	struct job *job = arg;

	release(job->key);
	job->done(job->err, job->signature, job->signature_len, job->arg);
	free(job);
}

static void
job_drop(void *arg)
{
	struct job *job = arg;

	release(job->key);
	job->drop(job->arg);
	free(job);
}

/* A user may have as many waiting signatures as there are places left, so that
 * another user always finds some. */
static bool
crypto_has_place(const struct crypto_signer *signer, uid_t uid)
{
	size_t taken = crypto_worker_pending(signer->threads);

	return taken < signer->jobs_max &&
	       crypto_worker_waiting(signer->threads, uid) <
		   signer->jobs_max - taken;
}

static enum jw_err
sign_on_thread(struct crypto_signer *signer, uid_t uid, const struct job *draft)
{
	struct job *job;
	enum jw_err err;

	if (!crypto_has_place(signer, uid))
		return JW_OVERLOADED;
	job = malloc(sizeof(*job));
	if (job == NULL)
		return JW_NO_MEMORY;
	memcpy(job, draft, offsetof(struct job, signature));
	job->key->users++;
	err = crypto_worker_submit(
	    signer->threads, uid, job_run, job_done, job_drop, job);
	if (err != JW_OK) {
		job->key->users--;
		free(job);
	}
	return err;
}

enum jw_err
crypto_signer_sign(struct crypto_signer *signer, struct crypto_signer_key *key,
    uid_t uid, const void *data, size_t len, const atomic_bool *gone,
    crypto_signer_done_fn *done, void (*drop)(void *arg), void *arg)
{
	uint8_t signature[KEYS_SIGNATURE_MAX];
	struct job job = {
	    .key = key,
	    .data = data,
	    .len = len,
	    .gone = gone,
	    .done = done,
	    .drop = drop,
	    .arg = arg,
	};
	size_t signature_len = 0;
	enum jw_err err;

	if (!crypto_is_quick(key->pair))
		return sign_on_thread(signer, uid, &job);
	err = crypto_sign(key->pair, data, len, signature, &signature_len);
	done(err, signature, signature_len, arg);
	return JW_OK;
}

/* ---- start and end ---- */

enum jw_err
crypto_signer_new(struct event_base *base, int threads, size_t keys_max,
    size_t jobs_max, struct crypto_signer **ret_signer)
{
	struct crypto_signer *signer = jw_zalloc(sizeof(*signer));
	enum jw_err err;

	TAILQ_INIT(&signer->by_use);
	signer->keys_max = keys_max;
	signer->jobs_max = jobs_max;
	err = crypto_worker_pool_new(
	    base, threads, 0, ENDS_AT_ONCE, &signer->threads);
	if (err != JW_OK)
		crypto_signer_free(signer);
	else
		*ret_signer = signer;
	return err;
}

void
crypto_signer_free(struct crypto_signer *signer)
{
	struct crypto_signer_key *key;

	if (signer == NULL)
		return;
	crypto_worker_pool_free(signer->threads);
	while ((key = TAILQ_FIRST(&signer->by_use)) != NULL)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): off the list */
		crypto_forget(signer, key);
	free(signer);
}
