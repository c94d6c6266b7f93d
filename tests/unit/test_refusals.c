/*
 * daemon/keeper/refusals.c: those alike are one row, and the list is bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/err.h"
#include "daemon/keeper/refusals.h"

#define T0 INT64_C(1800000000)

static const char conflict[] = "org.jwksd.keys.Conflict";
static const char frozen[] = "org.jwksd.keys.Frozen";
static const char rotate[] = "org.jwksd.keys.Rotate";

static struct keeper_refusals_entry *
add(struct keeper_refusals *list, int64_t now, int64_t uid, const char *method,
    const char *error)
{
	const struct store_actor actor = {uid, uid + 1, uid + 2};

	return keeper_refusals_add(list, now, &actor, method, error);
}

/* The row of that uid, method and error; there must be exactly one. */
static const struct store_refusal *
find(const struct store_refusal *rows, size_t count, int64_t uid,
    const char *method, const char *error)
{
	const struct store_refusal *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (rows[i].actor.uid != uid ||
		    strcmp(rows[i].method, method) != 0 ||
		    strcmp(rows[i].outcome, error) != 0)
			continue;
		assert_null(found);
		found = &rows[i];
	}
	assert_non_null(found);
	return found;
}

static void
those_alike_are_one_row(void **state)
{
	static struct keeper_refusals list;
	struct store_refusal rows[REFUSALS_MAX + 1];
	struct {
		int64_t uid;
		const char *method, *error;
		int64_t times;
	} calls[] = {
	    {7, rotate, conflict, 3},
	    {7, rotate, frozen, 1},
	    {7, "org.jwksd.keys.Rollback", conflict, 2},
	    {8, rotate, conflict, 5},
	};
	size_t n = sizeof(calls) / sizeof(calls[0]);

	(void)state;
	keeper_refusals_clear(&list);
	for (int round = 0; round < 5; round++)
		for (size_t i = 0; i < n; i++)
			if (round < calls[i].times)
				add(&list, T0 + round, calls[i].uid,
				    calls[i].method, calls[i].error);
	assert_int_equal(keeper_refusals_rows(&list, rows), n);
	for (size_t i = 0; i < n; i++) {
		const struct store_refusal *row = find(
		    rows, n, calls[i].uid, calls[i].method, calls[i].error);

		assert_int_equal(row->count, calls[i].times);
		assert_int_equal(row->at, T0);
		assert_int_equal(row->actor.gid, calls[i].uid + 1);
		assert_int_equal(row->actor.pid, calls[i].uid + 2);
		assert_string_equal(row->event, "refused");
	}
	/* What has been written is not counted again. */
	keeper_refusals_clear(&list);
	assert_int_equal(keeper_refusals_rows(&list, rows), 0);
	assert_non_null(add(&list, T0 + 9, 7, rotate, conflict));
	assert_int_equal(keeper_refusals_rows(&list, rows), 1);
	assert_int_equal(rows[0].count, 1);
	assert_int_equal(rows[0].at, T0 + 9);
}

static void
a_list_that_is_full_counts_on(void **state)
{
	static struct keeper_refusals list;
	struct store_refusal rows[REFUSALS_MAX + 1];

	(void)state;
	keeper_refusals_clear(&list);
	for (int i = 0; i < REFUSALS_MAX + 10; i++)
		add(&list, T0 + i, i, rotate, conflict);
	/* One that has a place keeps it. */
	add(&list, T0, 3, rotate, conflict);
	assert_int_equal(keeper_refusals_rows(&list, rows), REFUSALS_MAX + 1);
	assert_int_equal(rows[3].count, 2);
	assert_int_equal(rows[REFUSALS_MAX].count, 10);
	assert_int_equal(rows[REFUSALS_MAX].at, T0 + REFUSALS_MAX);
	assert_int_equal(rows[REFUSALS_MAX].actor.uid, -1);
	assert_null(rows[REFUSALS_MAX].method);
	keeper_refusals_clear(&list);
	assert_int_equal(keeper_refusals_rows(&list, rows), 0);
}

/* Another user that is refused at the same time is still named. */
static void
a_uid_has_its_share_of_the_list(void **state)
{
	static struct keeper_refusals list;
	struct store_refusal rows[REFUSALS_MAX + 1];
	char method[16];

	(void)state;
	keeper_refusals_clear(&list);
	for (int i = 0; i < 100; i++) {
		snprintf(method, sizeof(method), "m%d", i);
		add(&list, T0 + i, 7, method, conflict);
	}
	assert_non_null(add(&list, T0, 8, rotate, conflict));
	assert_int_equal(
	    keeper_refusals_rows(&list, rows), REFUSALS_OF_UID + 2);
	assert_int_equal(rows[REFUSALS_OF_UID].actor.uid, 7);
	assert_int_equal(rows[REFUSALS_OF_UID].count, 100 - REFUSALS_OF_UID);
	assert_null(rows[REFUSALS_OF_UID].method);
	assert_null(rows[REFUSALS_OF_UID].outcome);
	assert_int_equal(rows[REFUSALS_OF_UID + 1].actor.uid, 8);
}

static void
a_call_that_the_caller_may_not_make_is_denied(void **state)
{
	static struct keeper_refusals list;
	struct store_refusal rows[REFUSALS_MAX + 1];

	(void)state;
	keeper_refusals_clear(&list);
	add(&list, T0, 7, "org.jwksd.keys.Status",
	    jw_err_wire(JW_PERMISSION_DENIED));
	assert_int_equal(keeper_refusals_rows(&list, rows), 1);
	assert_string_equal(rows[0].event, "denied");
	assert_true(keeper_refusals_is_denied(rows[0].outcome));
	assert_false(keeper_refusals_is_denied(conflict));
}

static void
a_long_method_is_alike_to_itself(void **state)
{
	static struct keeper_refusals list;
	char method[200];

	(void)state;
	keeper_refusals_clear(&list);
	memset(method, 'm', sizeof(method));
	method[sizeof(method) - 1] = '\0';
	assert_non_null(add(&list, T0, 7, method, conflict));
	assert_null(add(&list, T0, 7, method, conflict));
	assert_int_equal(list.count, 1);
	assert_int_equal(strlen(list.list[0].method), REFUSAL_METHOD_SIZE - 1);
}

static void
only_names_get_into_names(void **state)
{
	static struct keeper_refusals list;
	const char *kid = "AZaz09-_";
	struct {
		const char *key, *key_set, *kid;
		int64_t generation;
	} cases[] = {
	    {"default#12", "default", "", 12},
	    {"acme/stepup#1", "acme/stepup", "", 1},
	    {kid, "", kid, 0},
	    {"default#", "default", "", 0},
	    {"default#-3", "default", "", 0},
	    {"default#0", "default", "", 0},
	    {"default#3x", "default", "", 0},
	    {"../#3", "", "", 0},
	    {"#3", "", "", 0},
	    {"with blank", "", "", 0},
	    {"0123456789012345678901234567890123456789012345", "", "", 0},
	    {"", "", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct keeper_refusals_entry *entry;

		keeper_refusals_clear(&list);
		entry = add(&list, T0, 7, rotate, conflict);
		keeper_refusals_name_key(entry, cases[i].key);
		assert_string_equal(entry->key_set, cases[i].key_set);
		assert_string_equal(entry->kid, cases[i].kid);
		assert_int_equal(entry->generation, cases[i].generation);
	}
}

static void
what_is_not_named_is_null(void **state)
{
	static struct keeper_refusals list;
	struct store_refusal rows[REFUSALS_MAX + 1];
	struct keeper_refusals_entry *entry;

	(void)state;
	keeper_refusals_clear(&list);
	entry = add(&list, T0, 7, rotate, conflict);
	assert_int_equal(keeper_refusals_rows(&list, rows), 1);
	assert_null(rows[0].key_set);
	assert_null(rows[0].kid);
	assert_null(rows[0].request_id);
	assert_null(rows[0].reason);
	assert_int_equal(rows[0].generation, 0);
	snprintf(entry->request_id, sizeof(entry->request_id), "id");
	snprintf(entry->reason, sizeof(entry->reason), "why");
	keeper_refusals_name_key_set(entry, "a/b", 3);
	assert_int_equal(keeper_refusals_rows(&list, rows), 1);
	assert_string_equal(rows[0].key_set, "a/b");
	assert_string_equal(rows[0].request_id, "id");
	assert_string_equal(rows[0].reason, "why");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(those_alike_are_one_row),
	    cmocka_unit_test(a_list_that_is_full_counts_on),
	    cmocka_unit_test(a_uid_has_its_share_of_the_list),
	    cmocka_unit_test(a_call_that_the_caller_may_not_make_is_denied),
	    cmocka_unit_test(a_long_method_is_alike_to_itself),
	    cmocka_unit_test(only_names_get_into_names),
	    cmocka_unit_test(what_is_not_named_is_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
