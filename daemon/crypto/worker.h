/*
 * Threads for work that takes long: generating key pairs, and signing.  Jobs
 * run on a thread of the pool, and are reported on the event loop.  Waiting
 * jobs belong to shares, which take turns: a share with many jobs delays the
 * jobs of another share by one job.
 */
#ifndef JWKSD_DAEMON_CRYPTO_WORKER_H
#define JWKSD_DAEMON_CRYPTO_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct event_base;
struct crypto_worker_pool;

/* On a thread of the pool.  Must not touch memory that the event loop uses. */
typedef void crypto_worker_run_fn(void *arg);
/* On the event loop, in the order in which jobs end. */
typedef void crypto_worker_done_fn(void *arg);

/*
 * nice_level of the threads; 0: as the process.  At most ends_at_once finished
 * jobs are reported in one turn of the event loop.  Where that is more than
 * one, completions are batched: the event loop is woken when no job waits, or
 * with the first job that finishes 1 ms or more after the first unreported one,
 * because each wakeup interrupts a thread.  JW_IO with errno, JW_NO_MEMORY.
 */
enum jw_err crypto_worker_pool_new(struct event_base *base, int threads,
    int nice_level, int ends_at_once, struct crypto_worker_pool **ret_pool);

/* A share is a number, for example of a user; this one goes before all others.
 */
#define WORKER_URGENT UINT64_MAX

/*
 * Queue a job.  Exactly one of `done` and `drop` is called for it: drop when
 * the pool is freed first.  JW_NO_MEMORY: neither.
 */
enum jw_err crypto_worker_submit(struct crypto_worker_pool *pool,
    uint64_t share, crypto_worker_run_fn *run, crypto_worker_done_fn *done,
    crypto_worker_done_fn *drop, void *arg);

/* Drop the job with this arg if it still waits.  False: no such job waits; a
 * thread may be running it, and `done` will be called. */
bool crypto_worker_cancel(struct crypto_worker_pool *pool, const void *arg);

/* Stops the threads: waits for jobs that run, and drops those that wait or are
 * finished and not reported. */
void crypto_worker_pool_free(struct crypto_worker_pool *pool);

/* The number of waiting jobs of a share. */
size_t crypto_worker_waiting(struct crypto_worker_pool *pool, uint64_t share);

/* The number of jobs that wait, run, or are finished and not reported. */
size_t crypto_worker_pending(const struct crypto_worker_pool *pool);

#endif
