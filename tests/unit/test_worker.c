/*
 * daemon/crypto/worker.c: each job runs once off the loop and ends once on it.
 * Meant for the thread sanitizer too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/crypto/worker.h"

enum { JOBS = 2000 };

struct fixture {
	struct event_base *base;
	struct crypto_worker_pool *pool;
	pthread_t loop;
	atomic_int running;
	atomic_int together; /* at most at the same time */
	atomic_bool gate;    /* jobs wait until it opens */
	int ended;
	int dropped;
};

struct job {
	struct fixture *fix;
	int number; /* written by the thread, read by the loop */
	int runs;
	int ends;
	int nice_level;
	bool signals_blocked;
};

static int
setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	fix->base = event_base_new();
	assert_non_null(fix->base);
	fix->loop = pthread_self();
	*state = fix;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fix = *state;

	crypto_worker_pool_free(fix->pool);
	event_base_free(fix->base);
	free(fix);
	return 0;
}

static void
nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
}

static void
run(void *arg)
{
	struct job *job = arg;
	struct fixture *fix = job->fix;
	int now = atomic_fetch_add(&fix->running, 1) + 1;
	int most = atomic_load(&fix->together);
	sigset_t mask;

	while (now > most &&
	       !atomic_compare_exchange_weak(&fix->together, &most, now))
		continue;
	while (!atomic_load(&fix->gate))
		nap();
	assert_false(pthread_equal(pthread_self(), fix->loop));
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	job->signals_blocked = sigismember(&mask, SIGTERM) == 1 &&
			       sigismember(&mask, SIGCHLD) == 1;
	job->nice_level = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
	job->runs++;
	job->number += 1000000;
	atomic_fetch_sub(&fix->running, 1);
}

static void
done(void *arg)
{
	struct job *job = arg;

	assert_true(pthread_equal(pthread_self(), job->fix->loop));
	job->ends++;
	if (++job->fix->ended % 500 == 0 || job->fix->ended == 1)
		event_base_loopbreak(job->fix->base);
}

static void
drop(void *arg)
{
	struct job *job = arg;

	job->fix->dropped++;
	job->ends += 100;
}

static void
wait_for(struct fixture *fix, int ended)
{
	event_base_loopexit(fix->base, &(struct timeval){.tv_sec = 20});
	while (fix->ended < ended)
		if (event_base_loop(fix->base, EVLOOP_ONCE) != 0 ||
		    event_base_got_exit(fix->base))
			fail_msg("%d of %d jobs ended", fix->ended, ended);
}

static void
every_job_runs_once_and_ends_once(void **state)
{
	struct fixture *fix = *state;
	struct job *jobs = calloc(JOBS, sizeof(*jobs));

	assert_non_null(jobs);
	atomic_store(&fix->gate, true);
	assert_int_equal(
	    crypto_worker_pool_new(fix->base, 4, 0, 1, &fix->pool), JW_OK);
	for (int i = 0; i < JOBS; i++) {
		jobs[i].fix = fix;
		jobs[i].number = i;
		assert_int_equal(crypto_worker_submit(
				     fix->pool, 0, run, done, drop, &jobs[i]),
		    JW_OK);
	}
	wait_for(fix, JOBS);
	assert_int_equal(crypto_worker_pending(fix->pool), 0);
	for (int i = 0; i < JOBS; i++) {
		assert_int_equal(jobs[i].runs, 1);
		assert_int_equal(jobs[i].ends, 1);
		assert_int_equal(jobs[i].number, 1000000 + i);
		assert_true(jobs[i].signals_blocked);
	}
	free(jobs);
}

static void
loop_is_free_while_jobs_run(void **state)
{
	struct fixture *fix = *state;
	struct job jobs[3] = {{.fix = fix}, {.fix = fix}, {.fix = fix}};

	assert_int_equal(
	    crypto_worker_pool_new(fix->base, 2, 0, 1, &fix->pool), JW_OK);
	for (int i = 0; i < 3; i++)
		crypto_worker_submit(fix->pool, 0, run, done, drop, &jobs[i]);
	assert_int_equal(crypto_worker_pending(fix->pool), 3);
	while (atomic_load(&fix->running) < 2)
		event_base_loop(fix->base, EVLOOP_NONBLOCK);
	for (int i = 0; i < 20; i++) {
		event_base_loop(fix->base, EVLOOP_NONBLOCK);
		nap();
	}
	/* Two threads: the third waits. */
	assert_int_equal(atomic_load(&fix->together), 2);
	assert_int_equal(fix->ended, 0);
	atomic_store(&fix->gate, true);
	wait_for(fix, 3);
	assert_int_equal(crypto_worker_pending(fix->pool), 0);
}

static void
threads_are_as_nice_as_asked(void **state)
{
	struct fixture *fix = *state;
	struct job job = {.fix = fix};
	int before = getpriority(PRIO_PROCESS, 0);

	atomic_store(&fix->gate, true);
	assert_int_equal(
	    crypto_worker_pool_new(fix->base, 1, 19, 1, &fix->pool), JW_OK);
	crypto_worker_submit(fix->pool, 0, run, done, drop, &job);
	wait_for(fix, 1);
	assert_int_equal(job.nice_level, 19);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
}

static void
forgotten_jobs_are_dropped_once(void **state)
{
	struct fixture *fix = *state;
	struct job jobs[10];

	assert_int_equal(
	    crypto_worker_pool_new(fix->base, 1, 0, 1, &fix->pool), JW_OK);
	for (int i = 0; i < 10; i++) {
		jobs[i] = (struct job){.fix = fix};
		crypto_worker_submit(fix->pool, 0, run, done, drop, &jobs[i]);
	}
	while (atomic_load(&fix->running) < 1)
		nap();
	atomic_store(&fix->gate, true);
	crypto_worker_pool_free(fix->pool);
	fix->pool = NULL;
	/* What ran is waited for; nobody hears of an end. */
	assert_int_equal(fix->ended, 0);
	assert_int_equal(fix->dropped, 10);
	assert_int_equal(jobs[0].runs, 1);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(jobs[i].ends, 100);
		assert_in_range(jobs[i].runs, 0, 1);
	}
}

/* So long that its end is told, and all before it. */
static void
run_a_moment(void *arg)
{
	(void)arg;
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static void
done_quietly(void *arg)
{
	struct job *job = arg;

	job->ends++;
	job->fix->ended++;
}

/* How many of 16 jobs that have run end in the first turn of the loop. */
static int
ends_in_a_turn(struct fixture *fix, int at_once)
{
	struct job jobs[16], last = {.fix = fix};
	int ended;

	assert_int_equal(
	    crypto_worker_pool_new(fix->base, 1, 0, at_once, &fix->pool),
	    JW_OK);
	for (int i = 0; i < 16; i++) {
		jobs[i] = (struct job){.fix = fix};
		crypto_worker_submit(
		    fix->pool, 0, run_a_moment, done_quietly, drop, &jobs[i]);
	}
	crypto_worker_submit(fix->pool, 0, run, done, drop, &last);
	/* One thread: where the last one runs the others have ended. */
	while (atomic_load(&fix->running) < 1)
		nap();
	event_base_loop(fix->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ended = fix->ended;
	atomic_store(&fix->gate, true);
	wait_for(fix, 17);
	for (int i = 0; i < 16; i++)
		assert_int_equal(jobs[i].ends, 1);
	return ended;
}

static void
jobs_end_one_in_a_turn(void **state)
{
	assert_int_equal(ends_in_a_turn(*state, 1), 1);
}

static void
or_as_many_as_asked(void **state)
{
	assert_int_equal(ends_in_a_turn(*state, 10), 10);
}

static void
done_and_over(void *arg)
{
	struct job *job = arg;

	done_quietly(job);
	event_base_loopbreak(job->fix->base);
}

/* Who ends the loop need not expect another end before it has. */
static void
no_job_ends_after_the_loop(void **state)
{
	struct fixture *fix = *state;
	struct job jobs[16], last = {.fix = fix};
	int ended;

	assert_int_equal(
	    crypto_worker_pool_new(fix->base, 1, 0, 16, &fix->pool), JW_OK);
	for (int i = 0; i < 16; i++) {
		jobs[i] = (struct job){.fix = fix};
		crypto_worker_submit(
		    fix->pool, 0, run_a_moment, done_and_over, drop, &jobs[i]);
	}
	crypto_worker_submit(fix->pool, 0, run, done, drop, &last);
	while (atomic_load(&fix->running) < 1)
		nap();
	event_base_dispatch(fix->base);
	ended = fix->ended;
	atomic_store(&fix->gate, true);
	wait_for(fix, 17);
	assert_int_equal(ended, 1);
}

/* A thread is at a job, and others wait behind it. */
static void
queue_behind(struct fixture *fix, struct job *first)
{
	assert_int_equal(
	    crypto_worker_pool_new(fix->base, 1, 0, 1, &fix->pool), JW_OK);
	crypto_worker_submit(fix->pool, 0, run, done_quietly, drop, first);
	while (atomic_load(&fix->running) < 1)
		nap();
}

static void
done_in_turn(void *arg)
{
	struct job *job = arg;

	done_quietly(job);
	job->number = job->fix->ended;
}

static void
urgent_jobs_go_before_others(void **state)
{
	struct fixture *fix = *state;
	struct job jobs[5];

	for (int i = 0; i < 5; i++)
		jobs[i] = (struct job){.fix = fix};
	queue_behind(fix, &jobs[0]);
	crypto_worker_submit(fix->pool, 0, run, done_in_turn, drop, &jobs[1]);
	crypto_worker_submit(fix->pool, 0, run, done_in_turn, drop, &jobs[2]);
	crypto_worker_submit(
	    fix->pool, WORKER_URGENT, run, done_in_turn, drop, &jobs[3]);
	crypto_worker_submit(
	    fix->pool, WORKER_URGENT, run, done_in_turn, drop, &jobs[4]);
	atomic_store(&fix->gate, true);
	wait_for(fix, 5);
	assert_int_equal(jobs[3].number, 2);
	assert_int_equal(jobs[4].number, 3);
	assert_int_equal(jobs[1].number, 4);
	assert_int_equal(jobs[2].number, 5);
}

static void
shares_take_turns(void **state)
{
	struct fixture *fix = *state;
	struct job jobs[7];

	for (int i = 0; i < 7; i++)
		jobs[i] = (struct job){.fix = fix};
	queue_behind(fix, &jobs[0]);
	for (int i = 1; i <= 4; i++)
		crypto_worker_submit(
		    fix->pool, 1, run, done_in_turn, drop, &jobs[i]);
	crypto_worker_submit(fix->pool, 2, run, done_in_turn, drop, &jobs[5]);
	crypto_worker_submit(fix->pool, 2, run, done_in_turn, drop, &jobs[6]);
	assert_int_equal(crypto_worker_waiting(fix->pool, 1), 4);
	assert_int_equal(crypto_worker_waiting(fix->pool, 2), 2);
	assert_int_equal(crypto_worker_waiting(fix->pool, 3), 0);
	atomic_store(&fix->gate, true);
	wait_for(fix, 7);
	assert_int_equal(jobs[1].number, 2);
	assert_int_equal(jobs[5].number, 3);
	assert_int_equal(jobs[2].number, 4);
	assert_int_equal(jobs[6].number, 5);
	assert_int_equal(jobs[3].number, 6);
	assert_int_equal(jobs[4].number, 7);
	assert_int_equal(crypto_worker_waiting(fix->pool, 1), 0);
}

static void
waiting_jobs_can_be_cancelled(void **state)
{
	struct fixture *fix = *state;
	struct job jobs[4];

	for (int i = 0; i < 4; i++)
		jobs[i] = (struct job){.fix = fix};
	queue_behind(fix, &jobs[0]);
	crypto_worker_submit(fix->pool, 0, run, done_quietly, drop, &jobs[1]);
	crypto_worker_submit(
	    fix->pool, WORKER_URGENT, run, done_quietly, drop, &jobs[2]);
	crypto_worker_submit(fix->pool, 0, run, done_quietly, drop, &jobs[3]);
	assert_false(crypto_worker_cancel(fix->pool, &jobs[0]));
	assert_true(crypto_worker_cancel(fix->pool, &jobs[1]));
	assert_true(crypto_worker_cancel(fix->pool, &jobs[2]));
	assert_false(crypto_worker_cancel(fix->pool, &jobs[2]));
	assert_int_equal(crypto_worker_pending(fix->pool), 2);
	assert_int_equal(fix->dropped, 2);
	atomic_store(&fix->gate, true);
	wait_for(fix, 2);
	assert_int_equal(jobs[1].runs + jobs[2].runs, 0);
	assert_int_equal(jobs[0].runs + jobs[3].runs, 2);
	assert_int_equal(fix->dropped, 2);
}

static void
idle_pool_ends(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(
	    crypto_worker_pool_new(fix->base, 4, 0, 1, &fix->pool), JW_OK);
	crypto_worker_pool_free(fix->pool);
	fix->pool = NULL;
	crypto_worker_pool_free(NULL);
	assert_int_equal(fix->dropped, 0);
}

/* The end of a job may ask for the next. */
static void
done_again(void *arg)
{
	struct job *job = arg;

	if (++job->ends < 50)
		assert_int_equal(crypto_worker_submit(job->fix->pool, 0, run,
				     done_again, drop, job),
		    JW_OK);
	else
		job->fix->ended = 1;
}

static void
end_of_a_job_may_start_another(void **state)
{
	struct fixture *fix = *state;
	struct job job = {.fix = fix};

	atomic_store(&fix->gate, true);
	assert_int_equal(
	    crypto_worker_pool_new(fix->base, 2, 0, 1, &fix->pool), JW_OK);
	crypto_worker_submit(fix->pool, 0, run, done_again, drop, &job);
	wait_for(fix, 1);
	assert_int_equal(job.runs, 50);
	assert_int_equal(job.ends, 50);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_job_runs_once_and_ends_once),
	    TEST(loop_is_free_while_jobs_run),
	    TEST(threads_are_as_nice_as_asked),
	    TEST(forgotten_jobs_are_dropped_once),
	    TEST(jobs_end_one_in_a_turn),
	    TEST(or_as_many_as_asked),
	    TEST(no_job_ends_after_the_loop),
	    TEST(idle_pool_ends),
	    TEST(urgent_jobs_go_before_others),
	    TEST(shares_take_turns),
	    TEST(waiting_jobs_can_be_cancelled),
	    TEST(end_of_a_job_may_start_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
