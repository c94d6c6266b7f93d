/*
 * daemon/publish/strays.c with real processes: each counts until it has ended
 * or is back, and no other one is taken for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "daemon/publish/strays.h"

/* One that lives until it is told to end. */
static pid_t
begin(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void
end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
it_counts_until_it_has_ended(void **state)
{
	struct publish_strays strays = {.count = 0};
	pid_t pid = begin();

	(void)state;
	assert_false(publish_strays_any(&strays, 0));
	publish_strays_add(&strays, pid, 0);
	assert_true(publish_strays_any(&strays, 0));
	assert_true(publish_strays_any(&strays, STRAYS_WAIT_MS + 1));
	assert_true(publish_strays_any(&strays, STRAYS_WARN_MS + 1));
	end(pid);
	assert_false(publish_strays_any(&strays, STRAYS_WARN_MS + 1));
	assert_int_equal(strays.count, 0);
}

static void
it_counts_until_it_is_back(void **state)
{
	struct publish_strays strays = {.count = 0};
	pid_t first = begin(), second = begin();

	(void)state;
	publish_strays_add(&strays, first, 0);
	publish_strays_add(&strays, second, 0);
	publish_strays_add(&strays, second, 0);
	assert_int_equal(strays.count, 2);
	publish_strays_remove(&strays, first);
	publish_strays_remove(&strays, first);
	assert_true(publish_strays_any(&strays, 0));
	publish_strays_remove(&strays, second);
	assert_false(publish_strays_any(&strays, 0));
	publish_strays_add(&strays, second, 0);
	publish_strays_done(&strays);
	end(first);
	end(second);
}

static void
one_that_cannot_be_seen_is_waited_for(void **state)
{
	struct publish_strays strays = {.count = 0};

	(void)state;
	publish_strays_add(&strays, 0, 100);
	publish_strays_remove(&strays, 0);
	assert_true(publish_strays_any(&strays, 100 + STRAYS_WAIT_MS - 1));
	assert_false(publish_strays_any(&strays, 100 + STRAYS_WAIT_MS));
}

/* More than there is room for: then all of them have to go. */
static void
none_is_forgotten_for_lack_of_room(void **state)
{
	struct publish_strays strays = {.count = 0};

	(void)state;
	for (int i = 0; i <= STRAYS_MAX; i++)
		publish_strays_add(&strays, 0, i == 0 ? 0 : 1000);
	assert_int_equal(strays.count, STRAYS_MAX);
	assert_true(strays.overflown);
	assert_true(publish_strays_any(&strays, STRAYS_WAIT_MS));
	assert_false(publish_strays_any(&strays, 1000 + STRAYS_WAIT_MS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_counts_until_it_has_ended),
	    cmocka_unit_test(it_counts_until_it_is_back),
	    cmocka_unit_test(one_that_cannot_be_seen_is_waited_for),
	    cmocka_unit_test(none_is_forgotten_for_lack_of_room),
	};

	jw_log_set_level(JW_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
