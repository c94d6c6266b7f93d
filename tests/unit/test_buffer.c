/*
 * common/base/buffer.c against a plain copy of what went in and out, and how
 * much it moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/buffer.h"

enum { STEPS = 20000, PIECE = 3000, MODEL = STEPS * PIECE };

static void
what_went_in_comes_out(void **state)
{
	struct jw_buffer octets = {NULL, 0, 0, 0};
	char piece[PIECE], *model = malloc(MODEL);
	size_t first = 0, last = 0, n;
	unsigned seed = 7;

	(void)state;
	assert_non_null(model);
	for (int i = 0; i < STEPS; i++) {
		n = (size_t)rand_r(&seed) % sizeof(piece);
		if (rand_r(&seed) % 2 == 0) {
			for (size_t j = 0; j < n; j++)
				piece[j] = (char)rand_r(&seed);
			assert_true(jw_buffer_add(&octets, piece, n));
			memcpy(model + last, piece, n);
			last += n;
		} else {
			n = n > octets.len ? octets.len : n;
			jw_buffer_take(&octets, n);
			first += n;
		}
		assert_int_equal(octets.len, last - first);
		if (octets.len > 0)
			assert_memory_equal(octets.data + octets.start,
			    model + first, octets.len);
	}
	jw_buffer_free(&octets);
	assert_null(octets.data);
	free(model);
}

static void
room_is_written_in_place(void **state)
{
	struct jw_buffer octets = {NULL, 0, 0, 0};
	char *at = jw_buffer_room(&octets, 10);

	(void)state;
	assert_non_null(at);
	memcpy(at, "0123456789", 10);
	assert_int_equal(octets.len, 0);
	jw_buffer_put(&octets, 4);
	assert_int_equal(octets.len, 4);
	assert_memory_equal(octets.data + octets.start, "0123", 4);
	assert_ptr_equal(jw_buffer_room(&octets, 6), at + 4);
	jw_buffer_free(&octets);
}

/* A queue that never empties stays as large as what is in it asks for. */
static void
long_use_takes_no_more_memory(void **state)
{
	struct jw_buffer octets = {NULL, 0, 0, 0};
	size_t moves = 0;
	const char *seen = NULL;

	(void)state;
	assert_true(jw_buffer_add(&octets, "0123456789", 10));
	for (int i = 0; i < 100000; i++) {
		assert_true(jw_buffer_add(&octets, "0123456789", 10));
		jw_buffer_take(&octets, 10);
		moves += octets.data + octets.start < seen;
		seen = octets.data + octets.start;
	}
	assert_true(octets.room <= 2048);
	assert_true(moves < 100000 / 50);
	jw_buffer_free(&octets);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_went_in_comes_out),
	    cmocka_unit_test(room_is_written_in_place),
	    cmocka_unit_test(long_use_takes_no_more_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
