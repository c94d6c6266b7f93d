/*
 * daemon/keeper/disk.c: when a disk is short of room, and when it is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/keeper/disk.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static void
what_is_wanted(void **state)
{
	static const struct {
		int64_t total, database, wanted;
	} rows[] = {
	    /* A large disk: a fixed amount, or what the database needs. */
	    {1000 * GIB, MIB, 32 * MIB},
	    {1000 * GIB, 16 * MIB, 32 * MIB},
	    {1000 * GIB, 100 * MIB, 200 * MIB},
	    /* A small one: a tenth of it. */
	    {100 * MIB, MIB, 10 * MIB},
	    {100 * MIB, 50 * MIB, 10 * MIB},
	    /* But never so little that nothing would warn of a full one. */
	    {2 * MIB, 4 * KIB, 512 * KIB},
	    {0, 0, 512 * KIB},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct keeper_disk room = {rows[i].total, 0, rows[i].database};

		assert_int_equal(keeper_disk_wanted(&room), rows[i].wanted);
	}
}

static void
levels_end_above_where_they_began(void **state)
{
	static const struct {
		int64_t left;
		enum keeper_disk_level before, level;
	} rows[] = {
	    {10 * MIB, ROOM_FINE, ROOM_FINE},
	    {10 * MIB - 1, ROOM_FINE, ROOM_SHORT},
	    {10 * MIB, ROOM_SHORT, ROOM_SHORT},
	    {25 * MIB / 2 - 1, ROOM_SHORT, ROOM_SHORT},
	    {25 * MIB / 2, ROOM_SHORT, ROOM_FINE},
	    {ROOM_LEAST, ROOM_SHORT, ROOM_SHORT},
	    {ROOM_LEAST, ROOM_FINE, ROOM_SHORT},
	    {ROOM_LEAST - 1, ROOM_SHORT, ROOM_FULL},
	    {ROOM_LEAST - 1, ROOM_FINE, ROOM_FULL},
	    {0, ROOM_FINE, ROOM_FULL},
	    {2 * ROOM_LEAST - 1, ROOM_FULL, ROOM_FULL},
	    {2 * ROOM_LEAST, ROOM_FULL, ROOM_SHORT},
	    {25 * MIB / 2, ROOM_FULL, ROOM_FINE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct keeper_disk room = {100 * MIB, rows[i].left, MIB};

		assert_int_equal(
		    keeper_disk_level(&room, rows[i].before), rows[i].level);
	}
}

static void
sizes_for_people(void **state)
{
	char text[ROOM_TEXT_SIZE];

	(void)state;
	assert_string_equal(keeper_disk_text(0, text), "0 KiB");
	assert_string_equal(keeper_disk_text(300 * KIB + 5, text), "300 KiB");
	assert_string_equal(keeper_disk_text(10 * MIB - 1, text), "10239 KiB");
	assert_string_equal(keeper_disk_text(10 * MIB, text), "10 MiB");
	assert_string_equal(
	    keeper_disk_text(INT64_MAX, text), "8796093022207 MiB");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_wanted),
	    cmocka_unit_test(levels_end_above_where_they_began),
	    cmocka_unit_test(sizes_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
