/*
 * common/base/deadline_heap.c against a plain search of the minimum.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "common/base/deadline_heap.h"

enum { ITEMS = 300, TURNS = 20000 };

static void
empty_has_no_first(void **state)
{
	struct jw_deadlines agenda = {.items = NULL};
	struct jw_deadline item = {.place = 0};

	(void)state;
	assert_null(jw_deadlines_first(&agenda));
	jw_deadlines_remove(&agenda, &item);
	assert_int_equal(agenda.count, 0);
	jw_deadlines_done(&agenda);
	jw_deadlines_done(&agenda);
}

static void
earliest_is_first(void **state)
{
	static const int64_t dues[] = {50, 20, 70, 20, INT64_MAX, -3, 0};
	struct jw_deadlines agenda = {.items = NULL};
	struct jw_deadline items[7] = {{.place = 0}};
	int64_t last = INT64_MIN;

	(void)state;
	for (int i = 0; i < 7; i++)
		jw_deadlines_set(&agenda, &items[i], dues[i]);
	for (int i = 0; i < 7; i++) {
		struct jw_deadline *first = jw_deadlines_first(&agenda);

		assert_true(first->due >= last);
		last = first->due;
		jw_deadlines_remove(&agenda, first);
		assert_int_equal(first->place, 0);
	}
	assert_int_equal(last, INT64_MAX);
	assert_null(jw_deadlines_first(&agenda));
	jw_deadlines_done(&agenda);
}

static void
item_moves_where_it_stands(void **state)
{
	struct jw_deadlines agenda = {.items = NULL};
	struct jw_deadline items[3] = {{.place = 0}};

	(void)state;
	for (int i = 0; i < 3; i++)
		jw_deadlines_set(&agenda, &items[i], 10 * (i + 1));
	jw_deadlines_set(&agenda, &items[2], 5);
	assert_ptr_equal(jw_deadlines_first(&agenda), &items[2]);
	jw_deadlines_set(&agenda, &items[2], 15);
	assert_ptr_equal(jw_deadlines_first(&agenda), &items[0]);
	jw_deadlines_set(&agenda, &items[0], 99);
	assert_ptr_equal(jw_deadlines_first(&agenda), &items[2]);
	assert_int_equal(agenda.count, 3);
	jw_deadlines_done(&agenda);
}

static struct jw_deadline *
minimum(struct jw_deadline *items)
{
	struct jw_deadline *best = NULL;

	for (int i = 0; i < ITEMS; i++)
		if (items[i].place != 0 &&
		    (best == NULL || items[i].due < best->due))
			best = &items[i];
	return best;
}

static void
random_changes_keep_the_order(void **state)
{
	struct jw_deadlines agenda = {.items = NULL};
	struct jw_deadline *items = calloc(ITEMS, sizeof(*items));
	unsigned seed = 4711;

	(void)state;
	assert_non_null(items);
	for (int i = 0; i < TURNS; i++) {
		struct jw_deadline *item = &items[rand_r(&seed) % ITEMS];
		struct jw_deadline *best;

		if (rand_r(&seed) % 3 == 0)
			jw_deadlines_remove(&agenda, item);
		else
			jw_deadlines_set(&agenda, item, rand_r(&seed) % 1000);
		best = minimum(items);
		if (best == NULL)
			assert_null(jw_deadlines_first(&agenda));
		else
			assert_int_equal(
			    jw_deadlines_first(&agenda)->due, best->due);
		for (size_t p = 0; p < agenda.count; p++) {
			assert_int_equal(agenda.items[p]->place, p + 1);
			if (p > 0)
				assert_true(agenda.items[(p - 1) / 2]->due <=
					    agenda.items[p]->due);
		}
	}
	jw_deadlines_done(&agenda);
	free(items);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty_has_no_first),
	    cmocka_unit_test(earliest_is_first),
	    cmocka_unit_test(item_moves_where_it_stands),
	    cmocka_unit_test(random_changes_keep_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
