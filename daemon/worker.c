/*
 * A small pool of threads with one queue each way.  The mutex guards the
 * queues and nothing else; an eventfd wakes the event loop.  Threads block
 * every signal: those belong to the loop.
 */
#include "daemon/worker.h"

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

struct job {
	STAILQ_ENTRY(job) link;
	worker_run_fn *run;
	worker_done_fn *done;
	worker_done_fn *drop;
	void *arg;
};

STAILQ_HEAD(job_list, job);

struct worker_pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job_list todo;
	struct job_list ended;
	int idle; /* threads that wait */
	bool stop;
	size_t pending; /* the loop's own, as what follows */
	int at_once;
	int nice_level;
	int event_fd;
	struct event *event;
	pthread_t *threads;
	int nthreads;
};

static struct job *
next_job(struct worker_pool *pool)
{
	struct job *job;

	pthread_mutex_lock(&pool->lock);
	while (!pool->stop && STAILQ_EMPTY(&pool->todo)) {
		pool->idle++;
		pthread_cond_wait(&pool->wake, &pool->lock);
		pool->idle--;
	}
	job = pool->stop ? NULL : STAILQ_FIRST(&pool->todo);
	if (job != NULL)
		STAILQ_REMOVE_HEAD(&pool->todo, link);
	pthread_mutex_unlock(&pool->lock);
	return job;
}

/* The first one wakes the loop for all that come until it looks. */
static void
end_job(struct worker_pool *pool, struct job *job)
{
	bool first;

	pthread_mutex_lock(&pool->lock);
	first = STAILQ_EMPTY(&pool->ended);
	STAILQ_INSERT_TAIL(&pool->ended, job, link);
	pthread_mutex_unlock(&pool->lock);
	if (first)
		(void)eventfd_write(pool->event_fd, 1);
}

static void *
work(void *arg)
{
	struct worker_pool *pool = arg;
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

/* NULL: there is none.  ret_more: there are others. */
static struct job *
take_ended(struct worker_pool *pool, bool *ret_more)
{
	struct job *job;

	pthread_mutex_lock(&pool->lock);
	job = STAILQ_FIRST(&pool->ended);
	if (job != NULL)
		STAILQ_REMOVE_HEAD(&pool->ended, link);
	*ret_more = !STAILQ_EMPTY(&pool->ended);
	pthread_mutex_unlock(&pool->lock);
	return job;
}

static void
on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct worker_pool *pool = arg;
	struct job *job;
	eventfd_t value;
	bool more = true;

	(void)what;
	(void)eventfd_read(fd, &value);
	/* What was to end the loop ends it. */
	for (int i = 0; more && i < pool->at_once &&
			!event_base_got_break(event_get_base(pool->event));
	     i++) {
		job = take_ended(pool, &more);
		if (job == NULL)
			return;
		pool->pending--;
		job->done(job->arg);
		free(job);
	}
	if (more)
		(void)eventfd_write(fd, 1);
}

static enum jw_err
start_threads(struct worker_pool *pool, int threads)
{
	sigset_t all, old;
	int rc = 0;

	pool->threads = calloc((size_t)threads, sizeof(*pool->threads));
	if (pool->threads == NULL)
		return JW_NO_MEMORY;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (rc == 0 && pool->nthreads < threads) {
		rc = pthread_create(
		    &pool->threads[pool->nthreads], NULL, work, pool);
		if (rc == 0)
			pool->nthreads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc == 0 ? JW_OK : JW_IO;
}

enum jw_err
worker_pool_new(struct event_base *base, int threads, int nice_level,
    struct worker_pool **ret_pool)
{
	struct worker_pool *pool = calloc(1, sizeof(*pool));
	enum jw_err err = JW_IO;

	if (pool == NULL)
		return JW_NO_MEMORY;
	STAILQ_INIT(&pool->todo);
	STAILQ_INIT(&pool->ended);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	pool->nice_level = nice_level;
	pool->at_once = 1;
	pool->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->event_fd >= 0)
		pool->event = event_new(
		    base, pool->event_fd, EV_READ | EV_PERSIST, on_ended, pool);
	if (pool->event != NULL && event_add(pool->event, NULL) == 0)
		err = start_threads(pool, threads);
	if (err != JW_OK)
		worker_pool_free(pool);
	else
		*ret_pool = pool;
	return err;
}

enum jw_err
worker_submit(struct worker_pool *pool, worker_run_fn *run,
    worker_done_fn *done, worker_done_fn *drop, void *arg)
{
	struct job *job = malloc(sizeof(*job));
	bool wake;

	if (job == NULL)
		return JW_NO_MEMORY;
	job->run = run;
	job->done = done;
	job->drop = drop;
	job->arg = arg;
	pool->pending++;
	pthread_mutex_lock(&pool->lock);
	STAILQ_INSERT_TAIL(&pool->todo, job, link);
	wake = pool->idle > 0;
	pthread_mutex_unlock(&pool->lock);
	if (wake)
		pthread_cond_signal(&pool->wake);
	return JW_OK;
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

void
worker_pool_free(struct worker_pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->nthreads; i++)
		pthread_join(pool->threads[i], NULL);
	drop_all(&pool->todo);
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

void
worker_end_at_once(struct worker_pool *pool, int jobs)
{
	pool->at_once = jobs;
}

size_t
worker_pending(const struct worker_pool *pool)
{
	return pool->pending;
}
