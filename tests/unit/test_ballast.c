/*
 * daemon/store/ballast.c: what it says that it holds, the disk really has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/ballast.h"
#include "tests/unit/place.h"

struct fixture {
	char dir[256];
	char path[300];
	struct store_ballast *ballast;
};

static int
setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	assert_true(place_make(fix->dir, sizeof(fix->dir)));
	snprintf(fix->path, sizeof(fix->path), "%s/ballast", fix->dir);
	fix->ballast = store_ballast_new(fix->path);
	*state = fix;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fix = *state;

	store_ballast_free(fix->ballast);
	unlink(fix->path);
	rmdir(fix->dir);
	free(fix);
	return 0;
}

/* Another daemon finds what this one left. */
static void
again(struct fixture *fix)
{
	store_ballast_free(fix->ballast);
	fix->ballast = store_ballast_new(fix->path);
}

static void
expect_held(const struct fixture *fix, int64_t size)
{
	struct stat st;

	assert_int_equal(store_ballast_size(fix->ballast), size);
	assert_int_equal(stat(fix->path, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_true((int64_t)st.st_blocks * 512 >= size);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
it_grows_and_is_given_up_in_steps(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(store_ballast_size(fix->ballast), 0);
	assert_false(store_ballast_release(fix->ballast));
	assert_int_equal(access(fix->path, F_OK), -1);
	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_STEP), JW_OK);
	expect_held(fix, BALLAST_STEP);
	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_SIZE), JW_OK);
	expect_held(fix, BALLAST_SIZE);
	again(fix);
	expect_held(fix, BALLAST_SIZE);
	for (int64_t left = BALLAST_SIZE; left > 0;) {
		left -= BALLAST_STEP;
		assert_true(store_ballast_release(fix->ballast));
		expect_held(fix, left);
	}
	assert_false(store_ballast_release(fix->ballast));
	again(fix);
	assert_int_equal(store_ballast_size(fix->ballast), 0);
}

static void
what_the_disk_has_not_does_not_count(void **state)
{
	struct fixture *fix = *state;
	int fd = open(fix->path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	/* As a copy that leaves out what is empty. */
	assert_int_equal(ftruncate(fd, BALLAST_SIZE), 0);
	close(fd);
	again(fix);
	assert_int_equal(store_ballast_size(fix->ballast), 0);
	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_SIZE), JW_OK);
	expect_held(fix, BALLAST_SIZE);
	/* Part of a step is none, and more than all is not asked for. */
	assert_int_equal(truncate(fix->path, BALLAST_STEP + 7), 0);
	again(fix);
	assert_int_equal(store_ballast_size(fix->ballast), BALLAST_STEP);
	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_SIZE), JW_OK);
	expect_held(fix, BALLAST_SIZE);
}

static void
one_that_is_deleted_or_cut_is_made_anew(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_SIZE), JW_OK);
	assert_int_equal(unlink(fix->path), 0);
	assert_int_equal(store_ballast_size(fix->ballast), 0);
	assert_false(store_ballast_release(fix->ballast));
	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_SIZE), JW_OK);
	expect_held(fix, BALLAST_SIZE);
	assert_int_equal(truncate(fix->path, BALLAST_STEP), 0);
	assert_int_equal(store_ballast_size(fix->ballast), BALLAST_STEP);
	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_SIZE), JW_OK);
	expect_held(fix, BALLAST_SIZE);
}

static void
it_holds_nothing_that_can_be_compressed(void **state)
{
	struct fixture *fix = *state;
	static unsigned char data[BALLAST_SIZE];
	size_t counts[256] = {0};
	int fd;

	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_SIZE), JW_OK);
	fd = open(fix->path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, data, sizeof(data)), sizeof(data));
	close(fd);
	for (size_t i = 0; i < sizeof(data); i++)
		counts[data[i]]++;
	for (size_t i = 0; i < 256; i++)
		assert_true(counts[i] < sizeof(data) / 64);
	/* No two blocks alike. */
	for (size_t i = 1; i < sizeof(data) / 4096; i++)
		assert_true(memcmp(data, data + i * 4096, 4096) != 0);
}

static void
one_that_cannot_be_written_is_as_it_was(void **state)
{
	struct fixture *fix = *state;
	struct rlimit limit, less;

	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_STEP), JW_OK);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	less = limit;
	less.rlim_cur = 2 * BALLAST_STEP;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_SIZE), JW_IO);
	assert_int_equal(errno, EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	expect_held(fix, BALLAST_STEP);
}

static void
no_link_and_no_directory_is_followed(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(symlink("elsewhere", fix->path), 0);
	again(fix);
	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_SIZE), JW_IO);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(unlink(fix->path), 0);
	assert_int_equal(mkdir(fix->path, 0700), 0);
	again(fix);
	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_SIZE), JW_IO);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(rmdir(fix->path), 0);
	assert_int_equal(mkfifo(fix->path, 0600), 0);
	again(fix);
	assert_int_equal(store_ballast_grow(fix->ballast, BALLAST_SIZE), JW_IO);
	assert_int_equal(store_ballast_size(fix->ballast), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(it_grows_and_is_given_up_in_steps),
	    TEST(what_the_disk_has_not_does_not_count),
	    TEST(one_that_is_deleted_or_cut_is_made_anew),
	    TEST(it_holds_nothing_that_can_be_compressed),
	    TEST(one_that_cannot_be_written_is_as_it_was),
	    TEST(no_link_and_no_directory_is_followed),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
