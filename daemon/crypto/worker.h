/*
 * Threads for what takes long: generating key pairs (and signing).  Jobs run
 * on a thread of the pool; their ends run on the event loop.  Jobs that wait
 * belong to shares, whose turns come one after the other: a share with many
 * jobs delays the jobs of another by one of its own.
 */
#ifndef JWKSD_DAEMON_CRYPTO_WORKER_H
#define JWKSD_DAEMON_CRYPTO_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct event_base;
struct crypto_worker_pool;

/* On a thread of the pool.  Must not touch what the loop touches. */
typedef void crypto_worker_run_fn(void *arg);
/* On the event loop, in the order in which jobs end. */
typedef void crypto_worker_done_fn(void *arg);

/*
 * threads of them at the given nice level (0: as the process).  The ends of at
 * most ends_at_once jobs run in one turn of the loop.  Where that is more than
 * one and jobs wait, ends are told together, for every wakeup of the loop
 * interrupts a thread: as soon as no job waits; otherwise with the first job
 * that ends a millisecond later.  JW_IO with errno, JW_NO_MEMORY.
 */
enum jw_err crypto_worker_pool_new(struct event_base *base, int threads,
    int nice_level, int ends_at_once, struct crypto_worker_pool **ret_pool);

/* A share is a number, of a user say; this one goes before all others. */
#define WORKER_URGENT UINT64_MAX

/*
 * Queue a job.  Exactly one of `done` and `drop` is called for it: drop when
 * the pool is freed first.  JW_NO_MEMORY: neither.
 */
enum jw_err crypto_worker_submit(struct crypto_worker_pool *pool,
    uint64_t share, crypto_worker_run_fn *run, crypto_worker_done_fn *done,
    crypto_worker_done_fn *drop, void *arg);

/*
 * Drop the job with this arg if it still waits; false: no such job waits (a
 * thread may be at it, and `done` will be called).
 */
bool crypto_worker_cancel(struct crypto_worker_pool *pool, const void *arg);

/*
 * Ends the threads: waits for jobs that run, drops those that wait or have
 * ended unseen.
 */
void crypto_worker_pool_free(struct crypto_worker_pool *pool);

/* Jobs of a share that wait. */
size_t crypto_worker_waiting(struct crypto_worker_pool *pool, uint64_t share);

/* Jobs that run or wait, or whose end has not been told. */
size_t crypto_worker_pending(const struct crypto_worker_pool *pool);

#endif
