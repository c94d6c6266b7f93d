/*
 * common/serve/turns.c: who gets how much of the time of the loop, with a clock
 * that only the turns move.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/serve/turns.h"

enum { US = 1000, MS = 1000 * US, MANY = 40 };

static int64_t now_ns = INT64_C(1000000000);
static bool clock_is_ours;

/* In the place of the C library's, while a test says so. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	if (!clock_is_ours)
		return timespec_get(ts, TIME_UTC) == 0 ? -1 : 0;
	*ts = (struct timespec){now_ns / 1000000000, now_ns % 1000000000};
	return 0;
}

struct fixture {
	struct event_base *base;
	struct serve_turns *turns;
	int order[1000];
	size_t norder;
};

struct client {
	struct serve_turn turn;
	struct fixture *fix;
	int number;
	int64_t cost;
	int ran;
	int wants; /* further turns */
	bool joins_again;
	uid_t uid;
};

static const int a_socket, another_socket;

static void
run(void *arg)
{
	struct client *client = arg;
	struct fixture *fix = client->fix;

	client->ran++;
	if (fix->norder < 1000)
		fix->order[fix->norder++] = client->number;
	now_ns += client->cost;
	if (client->joins_again) {
		serve_turn_leave(&client->turn);
		assert_int_equal(serve_turn_join(&client->turn, fix->turns,
				     &a_socket, client->uid, run, client),
		    JW_OK);
	}
	if (client->wants-- > 0)
		serve_turn_ask(&client->turn);
}

static void
join(struct fixture *fix, struct client *client, const int *socket, uid_t uid)
{
	client->fix = fix;
	client->uid = uid;
	assert_int_equal(serve_turn_join(&client->turn, fix->turns, socket, uid,
			     run, client),
	    JW_OK);
}

static void
loop(struct fixture *fix)
{
	event_base_loop(fix->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static int
setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	fix->base = event_base_new();
	assert_non_null(fix->base);
	assert_int_equal(serve_turns_new(fix->base, &fix->turns), JW_OK);
	clock_is_ours = true;
	*state = fix;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fix = *state;

	clock_is_ours = false;
	serve_turns_free(fix->turns);
	event_base_free(fix->base);
	free(fix);
	return 0;
}

/* ---- tests ---- */

static void
asking_twice_is_one_turn(void **state)
{
	struct fixture *fix = *state;
	struct client client = {.cost = US};

	join(fix, &client, &a_socket, 1);
	serve_turn_ask(&client.turn);
	serve_turn_ask(&client.turn);
	loop(fix);
	assert_int_equal(client.ran, 1);
	client.wants = 3;
	serve_turn_ask(&client.turn);
	loop(fix);
	assert_int_equal(client.ran, 5);
	serve_turn_leave(&client.turn);
}

/* The loop looks at its descriptors after a millisecond. */
static void
loop_comes_between(void **state)
{
	struct fixture *fix = *state;
	struct client client = {.cost = 300 * US, .wants = 1000};

	join(fix, &client, &a_socket, 1);
	serve_turn_ask(&client.turn);
	loop(fix);
	assert_int_equal(client.ran, 4);
	loop(fix);
	assert_int_equal(client.ran, 8);
	serve_turn_leave(&client.turn);
	loop(fix);
	assert_int_equal(client.ran, 8);
}

static void
turn_is_over_after_its_time(void **state)
{
	struct fixture *fix = *state;
	struct client client = {.cost = US};

	join(fix, &client, &a_socket, 1);
	serve_turn_ask(&client.turn);
	loop(fix);
	assert_false(serve_turns_over(fix->turns));
	now_ns += MS;
	assert_true(serve_turns_over(fix->turns));
	serve_turn_leave(&client.turn);
}

/* How many turns others have before that one's. */
static int
turns_before(struct fixture *fix, struct client *client)
{
	fix->norder = 0;
	client->ran = 0;
	serve_turn_ask(&client->turn);
	for (int i = 0; i < 100 && client->ran == 0; i++)
		loop(fix);
	assert_int_equal(client->ran, 1);
	for (size_t i = 0; i < fix->norder; i++)
		if (fix->order[i] == client->number)
			return (int)i;
	return -1;
}

/* Another user, another socket, another connection. */
static void
newcomer_is_next(void **state)
{
	static const struct {
		const int *socket;
		uid_t uid;
		bool joins_again;
		int most;
	} rows[] = {
	    {&a_socket, 2, false, 1},
	    {&another_socket, 1, false, 1},
	    {&a_socket, 1, false, 2},
	    /* The others are new connections each time. */
	    {&a_socket, 2, true, 1},
	    {&a_socket, 1, true, 2},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *fix = *state;
		struct client many[MANY], one = {.number = -1, .cost = 50 * US};

		for (int n = 0; n < MANY; n++) {
			many[n] = (struct client){
			    .number = n,
			    .cost = 5 * MS,
			    .wants = 100000,
			    .joins_again = rows[i].joins_again,
			};
			join(fix, &many[n], &a_socket, 1);
			serve_turn_ask(&many[n].turn);
		}
		join(fix, &one, rows[i].socket, rows[i].uid);
		for (int n = 0; n < 3 * MANY; n++)
			loop(fix);
		for (int n = 0; n < 20; n++)
			assert_true(turns_before(fix, &one) <= rows[i].most);
		serve_turn_leave(&one.turn);
		for (int n = 0; n < MANY; n++)
			serve_turn_leave(&many[n].turn);
	}
}

/* Turns of any length: the time is what is shared. */
static void
time_is_shared_evenly(void **state)
{
	struct fixture *fix = *state;
	struct client few = {.number = 0, .cost = 4 * MS, .wants = 1 << 30};
	struct client often = {.number = 1, .cost = MS / 4, .wants = 1 << 30};
	struct client third = {.number = 2, .cost = MS / 4, .wants = 1 << 30};
	int64_t few_ns, often_ns, third_ns;

	join(fix, &few, &a_socket, 1);
	join(fix, &often, &a_socket, 2);
	join(fix, &third, &a_socket, 2);
	serve_turn_ask(&few.turn);
	serve_turn_ask(&often.turn);
	serve_turn_ask(&third.turn);
	for (int i = 0; i < 2000; i++)
		loop(fix);
	few_ns = few.ran * few.cost;
	often_ns = often.ran * often.cost;
	third_ns = third.ran * third.cost;
	assert_true(few_ns > 100 * MS);
	assert_true(few_ns < often_ns + third_ns + 10 * MS);
	assert_true(few_ns > often_ns + third_ns - 10 * MS);
	assert_true(often_ns < third_ns + 2 * MS);
	assert_true(third_ns < often_ns + 2 * MS);
	serve_turn_leave(&few.turn);
	serve_turn_leave(&often.turn);
	serve_turn_leave(&third.turn);
}

/* Of the time that was left unused little is saved up. */
static void
idle_share_saves_nothing(void **state)
{
	struct fixture *fix = *state;
	struct client busy = {.number = 0, .cost = MS, .wants = 1 << 30};
	struct client late = {.number = 1, .cost = MS};

	join(fix, &busy, &a_socket, 1);
	join(fix, &late, &a_socket, 2);
	serve_turn_ask(&busy.turn);
	for (int i = 0; i < 200; i++)
		loop(fix);
	fix->norder = 0;
	late.wants = 20;
	serve_turn_ask(&late.turn);
	for (int i = 0; i < 20; i++)
		loop(fix);
	assert_true(late.ran >= 9);
	assert_true(late.ran <= 14);
	serve_turn_leave(&busy.turn);
	serve_turn_leave(&late.turn);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    TEST(asking_twice_is_one_turn),
	    TEST(loop_comes_between),
	    TEST(turn_is_over_after_its_time),
	    TEST(newcomer_is_next),
	    TEST(time_is_shared_evenly),
	    TEST(idle_share_saves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
