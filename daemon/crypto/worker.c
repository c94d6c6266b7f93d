/*
 * A small pool of threads with one queue each way.  The mutex guards the
 * queues and nothing else; an eventfd wakes the event loop.  Threads block
 * every signal: those belong to the loop.
 */
#include "daemon/crypto/worker.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"

enum { GATHER_NS = 1000000 };

struct job {
	STAILQ_ENTRY(job) link;
	crypto_worker_run_fn *run;
	crypto_worker_done_fn *done;
	crypto_worker_done_fn *drop;
	void *arg;
};

STAILQ_HEAD(job_list, job);

/* The waiting jobs of one share; freed with its last job. */
struct share {
	TAILQ_ENTRY(share) link;
	uint64_t number;
	size_t count;
	struct job_list jobs;
};

TAILQ_HEAD(share_list, share);

struct crypto_worker_pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct share_list todo; /* the first has the next turn */
	struct job_list ended;
	bool stop;
	bool woken;          /* the event loop has been woken for `ended` */
	int64_t first_ended; /* when the first job of `ended` was put there */
	size_t pending;      /* known to the event loop alone */
	int nice_level;
	int ends_at_once;
	int event_fd;
	struct event *event;
	pthread_t *threads;
	int nthreads;
};

/* Wake the event loop for `ended`.  Needs the lock. */
static void
wake_loop(struct crypto_worker_pool *pool)
{
	if (pool->woken || STAILQ_EMPTY(&pool->ended))
		return;
	pool->woken = true;
	eventfd_write(pool->event_fd, 1);
}

/* Needs the lock.  NULL: no job of the share waits. */
static struct share *
crypto_find_share(const struct crypto_worker_pool *pool, uint64_t number)
{
	struct share *share;

	TAILQ_FOREACH (share, &pool->todo, link)
		if (share->number == number)
			break;
	return share;
}

/* Give a share its next turn: after all others, or first if it is urgent. Needs
 * the lock. */
static void
put_share(struct crypto_worker_pool *pool, struct share *share)
{
	if (share->number == WORKER_URGENT)
		TAILQ_INSERT_HEAD(&pool->todo, share, link);
	else
		TAILQ_INSERT_TAIL(&pool->todo, share, link);
}

/* Take a job out of its share, and free a share without jobs.  Needs the lock.
 */
static void
take_job(struct crypto_worker_pool *pool, struct share *share, struct job *job)
{
	assert(share->count > 0);
	STAILQ_REMOVE(&share->jobs, job, job, link);
	TAILQ_REMOVE(&pool->todo, share, link);
	if (--share->count == 0)
		free(share);
	else
		put_share(pool, share);
}

/* The event loop is woken before a thread sleeps: no finished job stays
 * unreported. */
static struct job *
next_job(struct crypto_worker_pool *pool)
{
	struct job *job = NULL;
	struct share *share;

	pthread_mutex_lock(&pool->lock);
	while (!pool->stop && TAILQ_EMPTY(&pool->todo)) {
		wake_loop(pool);
		pthread_cond_wait(&pool->wake, &pool->lock);
	}
	share = pool->stop ? NULL : TAILQ_FIRST(&pool->todo);
	if (share != NULL) {
		job = STAILQ_FIRST(&share->jobs);
		take_job(pool, share, job);
	}
	pthread_mutex_unlock(&pool->lock);
	return job;
}

static void
end_job(struct crypto_worker_pool *pool, struct job *job)
{
	int64_t now = pool->ends_at_once > 1 ? jw_clock_monotonic_ns() : 0;

	pthread_mutex_lock(&pool->lock);
	if (STAILQ_EMPTY(&pool->ended))
		pool->first_ended = now;
	STAILQ_INSERT_TAIL(&pool->ended, job, link);
	if (pool->ends_at_once == 1 || now - pool->first_ended >= GATHER_NS)
		wake_loop(pool);
	pthread_mutex_unlock(&pool->lock);
}

static void *
work(void *arg)
{
	struct crypto_worker_pool *pool = arg;
	struct job *job;

	if (pool->nice_level != 0)
		setpriority(
		    PRIO_PROCESS, (id_t)syscall(SYS_gettid), pool->nice_level);
	while ((job = next_job(pool)) != NULL) {
		job->run(job->arg);
		end_job(pool, job);
	}
	return NULL;
}

/* At most ends_at_once of them, so that other events have their turn. */
static void
take_ended(struct crypto_worker_pool *pool, struct job_list *ret_jobs)
{
	struct job *job;

	pthread_mutex_lock(&pool->lock);
	for (int i = 0; i < pool->ends_at_once; i++) {
		job = STAILQ_FIRST(&pool->ended);
		if (job == NULL)
			break;
		STAILQ_REMOVE_HEAD(&pool->ended, link);
		STAILQ_INSERT_TAIL(ret_jobs, job, link);
	}
	pool->woken = false;
	wake_loop(pool);
	pthread_mutex_unlock(&pool->lock);
}

static void
put_back(struct crypto_worker_pool *pool, struct job_list *jobs)
{
	if (STAILQ_EMPTY(jobs))
		return;
	pthread_mutex_lock(&pool->lock);
	STAILQ_CONCAT(jobs, &pool->ended);
	STAILQ_CONCAT(&pool->ended, jobs);
	wake_loop(pool);
	pthread_mutex_unlock(&pool->lock);
}

static void
on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct job_list jobs = STAILQ_HEAD_INITIALIZER(jobs);
	struct crypto_worker_pool *pool = arg;
	struct job *job;
	eventfd_t value;

	(void)what;
	eventfd_read(fd, &value);
	take_ended(pool, &jobs);
	/* The loop was broken because the store is gone: start no further call.
	 */
	while ((job = STAILQ_FIRST(&jobs)) != NULL &&
	       !event_base_got_break(event_get_base(pool->event))) {
		assert(pool->pending > 0);
		STAILQ_REMOVE_HEAD(&jobs, link);
		pool->pending--;
		job->done(job->arg);
		free(job);
	}
	put_back(pool, &jobs);
}

static enum jw_err
start_threads(struct crypto_worker_pool *pool, int threads)
{
	sigset_t all, old;
	int rc = 0;

	pool->threads = jw_zalloc((size_t)threads * sizeof(*pool->threads));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (rc == 0 && pool->nthreads < threads) {
		rc = pthread_create(
		    &pool->threads[pool->nthreads], NULL, work, pool);
		if (rc == 0)
			pool->nthreads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = rc;
	return rc == 0 ? JW_OK : jw_err_errno(rc);
}

enum jw_err
crypto_worker_pool_new(struct event_base *base, int threads, int nice_level,
    int ends_at_once, struct crypto_worker_pool **ret_pool)
{
	struct crypto_worker_pool *pool = jw_zalloc(sizeof(*pool));
	enum jw_err err = JW_NO_MEMORY;
	int error;

	TAILQ_INIT(&pool->todo);
	STAILQ_INIT(&pool->ended);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	pool->nice_level = nice_level;
	pool->ends_at_once = ends_at_once;
	pool->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->event_fd < 0)
		err = jw_err_errno(errno);
	else
		pool->event = event_new(
		    base, pool->event_fd, EV_READ | EV_PERSIST, on_ended, pool);
	if (pool->event != NULL && event_add(pool->event, NULL) == 0)
		err = start_threads(pool, threads);
	error = errno;
	if (err != JW_OK)
		crypto_worker_pool_free(pool);
	else
		*ret_pool = pool;
	errno = error;
	return err;
}

/* Find or make a share.  Needs the lock.  NULL: no memory. */
static struct share *
need_share(struct crypto_worker_pool *pool, uint64_t number)
{
	struct share *share = crypto_find_share(pool, number);

	if (share != NULL)
		return share;
	share = calloc(1, sizeof(*share));
	if (share == NULL)
		return NULL;
	share->number = number;
	STAILQ_INIT(&share->jobs);
	put_share(pool, share);
	return share;
}

static bool
put_job(struct crypto_worker_pool *pool, uint64_t number, struct job *job)
{
	struct share *share;

	pthread_mutex_lock(&pool->lock);
	share = need_share(pool, number);
	if (share != NULL) {
		STAILQ_INSERT_TAIL(&share->jobs, job, link);
		share->count++;
		pthread_cond_signal(&pool->wake);
	}
	pthread_mutex_unlock(&pool->lock);
	return share != NULL;
}

enum jw_err
crypto_worker_submit(struct crypto_worker_pool *pool, uint64_t share,
    crypto_worker_run_fn *run, crypto_worker_done_fn *done,
    crypto_worker_done_fn *drop, void *arg)
{
	struct job *job = malloc(sizeof(*job));

	if (job == NULL)
		return JW_NO_MEMORY;
	job->run = run;
	job->done = done;
	job->drop = drop;
	job->arg = arg;
	if (!put_job(pool, share, job)) {
		free(job);
		return JW_NO_MEMORY;
	}
	pool->pending++;
	return JW_OK;
}

/* Needs the lock.  NULL: no job of the share has this arg. */
static struct job *
find_job(const struct share *share, const void *arg)
{
	struct job *job;

	STAILQ_FOREACH (job, &share->jobs, link)
		if (job->arg == arg)
			return job;
	return NULL;
}

/* Take the waiting job with this arg out of its share; NULL: no such job waits.
 */
static struct job *
take_waiting(struct crypto_worker_pool *pool, const void *arg)
{
	struct job *job = NULL;
	struct share *share;

	pthread_mutex_lock(&pool->lock);
	share = TAILQ_FIRST(&pool->todo);
	for (; share != NULL; share = TAILQ_NEXT(share, link)) {
		job = find_job(share, arg);
		if (job != NULL)
			break;
	}
	if (job != NULL)
		take_job(pool, share, job);
	pthread_mutex_unlock(&pool->lock);
	return job;
}

bool
crypto_worker_cancel(struct crypto_worker_pool *pool, const void *arg)
{
	struct job *job = take_waiting(pool, arg);

	if (job == NULL)
		return false;
	assert(pool->pending > 0);
	pool->pending--;
	job->drop(job->arg);
	free(job);
	return true;
}

size_t
crypto_worker_waiting(struct crypto_worker_pool *pool, uint64_t share)
{
	const struct share *found;
	size_t count;

	pthread_mutex_lock(&pool->lock);
	found = crypto_find_share(pool, share);
	count = found == NULL ? 0 : found->count;
	pthread_mutex_unlock(&pool->lock);
	return count;
}

static void
drop_all(struct job_list *list)
{
	struct job *job;

	while ((job = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		job->drop(job->arg);
		free(job);
	}
}

static void
drop_shares(struct crypto_worker_pool *pool)
{
	struct share *share;

	while ((share = TAILQ_FIRST(&pool->todo)) != NULL) {
		TAILQ_REMOVE(&pool->todo, share, link);
		drop_all(&share->jobs);
		free(share);
	}
}

void
crypto_worker_pool_free(struct crypto_worker_pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->nthreads; i++)
		pthread_join(pool->threads[i], NULL);
	drop_shares(pool);
	drop_all(&pool->ended);
	if (pool->event != NULL)
		event_free(pool->event);
	if (pool->event_fd >= 0)
		close(pool->event_fd);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
}

size_t
crypto_worker_pending(const struct crypto_worker_pool *pool)
{
	return pool->pending;
}
