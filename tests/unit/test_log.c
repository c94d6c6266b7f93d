/*
 * What arrives on standard error: one line, one write, no forged lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"

/* Standard error goes into a socket that keeps one write(2) a packet. */
struct capture {
	int real;
	int end;
};

static int
begin(void **state)
{
	static struct capture capture;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	capture.real = dup(STDERR_FILENO);
	dup2(pair[0], STDERR_FILENO);
	close(pair[0]);
	capture.end = pair[1];
	*state = &capture;
	unsetenv("JOURNAL_STREAM");
	jw_log_init("test");
	jw_log_set_level(JW_LOG_DEBUG);
	return 0;
}

static int
end(void **state)
{
	struct capture *capture = *state;

	dup2(capture->real, STDERR_FILENO);
	close(capture->real);
	close(capture->end);
	return 0;
}

/* The next packet; "" when there is none. */
static const char *
next_line(struct capture *capture)
{
	static char line[8192];
	ssize_t n = recv(capture->end, line, sizeof(line) - 1, MSG_DONTWAIT);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

static void
a_line_has_the_program_and_a_newline(void **state)
{
	jw_log(JW_LOG_INFO, "%s %d", "hello", 7);
	assert_string_equal(next_line(*state), "test: hello 7\n");
	assert_string_equal(next_line(*state), "");
}

static void
the_level_cuts(void **state)
{
	jw_log_set_level(JW_LOG_WARNING);
	jw_log(JW_LOG_NOTICE, "no");
	jw_log(JW_LOG_WARNING, "yes");
	jw_log(JW_LOG_ERROR, "too");
	assert_string_equal(next_line(*state), "test: yes\n");
	assert_string_equal(next_line(*state), "test: too\n");
	assert_string_equal(next_line(*state), "");
}

static void
control_bytes_are_blunted(void **state)
{
	jw_log(JW_LOG_INFO, "a\nb\r\t\x1b[1m\x7f\xc3\xa9");
	assert_string_equal(next_line(*state), "test: a?b???[1m?\xc3\xa9\n");
}

static void
a_long_line_is_cut_and_still_ends(void **state)
{
	char big[9000];
	const char *line;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	jw_log(JW_LOG_INFO, "%s", big);
	line = next_line(*state);
	assert_int_equal(strlen(line), 2047);
	assert_int_equal(line[2046], '\n');
	assert_int_equal(line[2045], 'x');
	assert_string_equal(next_line(*state), "");
}

static void
the_longest_line_keeps_all(void **state)
{
	char big[2041];
	const char *line;

	memset(big, 'x', sizeof(big) - 1);
	big[2040] = '\0';
	big[2039] = 'E';
	jw_log(JW_LOG_INFO, "%s", big);
	line = next_line(*state);
	assert_int_equal(strlen(line), 2047);
	big[2039] = '\0';
	big[2038] = 'E';
	jw_log(JW_LOG_INFO, "%s", big);
	line = next_line(*state);
	assert_string_equal(line + 2043, "xE\n");
}

static struct {
	bool takes;
	int calls;
	int priority;
	char text[64];
	struct jw_log_about about;
} sink;

static bool
sink_take(const char *program, int priority, const char *text,
    const struct jw_log_about *about)
{
	assert_string_equal(program, "test");
	sink.calls++;
	sink.priority = priority;
	snprintf(sink.text, sizeof(sink.text), "%s", text);
	sink.about = *about;
	return sink.takes;
}

static void
be_the_journal(void)
{
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	jw_log_init("test");
}

static void
the_journal_gets_priorities(void **state)
{
	static const char *const lines[] = {
	    "<3>x\n", "<4>x\n", "<5>x\n", "<6>x\n", "<7>x\n"};

	be_the_journal();
	for (int i = JW_LOG_ERROR; i <= JW_LOG_DEBUG; i++) {
		jw_log((enum jw_log_level)i, "x");
		assert_string_equal(next_line(*state), lines[i]);
	}
}

static void
an_inherited_variable_is_no_journal(void **state)
{
	static const char *const streams[] = {"1:2", "", "x", "1", "1:2:3"};
	char stream[64];
	struct stat st;

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		setenv("JOURNAL_STREAM", streams[i], 1);
		jw_log_init("test");
		jw_log(JW_LOG_ERROR, "x");
		assert_string_equal(next_line(*state), "test: x\n");
	}
	/* The right device alone is not enough. */
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino + 1);
	setenv("JOURNAL_STREAM", stream, 1);
	jw_log_init("test");
	jw_log(JW_LOG_ERROR, "x");
	assert_string_equal(next_line(*state), "test: x\n");
	unsetenv("JOURNAL_STREAM");
}

static void
an_event_goes_to_the_journal_with_its_fields(void **state)
{
	const struct jw_log_about about = {
	    .event = JW_EVENT_ACTIVATED, .key_set = "default", .generation = 2};

	memset(&sink, 0, sizeof(sink));
	jw_log_set_sink(sink_take);
	jw_log_event(JW_LOG_NOTICE, &about, "a%d", 1);
	assert_string_equal(next_line(*state), "test: a1\n");
	assert_int_equal(sink.calls, 0); /* standard error is a file */
	be_the_journal();
	sink.takes = true;
	jw_log_event(JW_LOG_NOTICE, &about, "b%d\n", 2);
	assert_string_equal(next_line(*state), "");
	assert_string_equal(sink.text, "b2?");
	assert_int_equal(sink.priority, 5);
	assert_string_equal(sink.about.key_set, "default");
	assert_int_equal(sink.about.generation, 2);
	jw_log(JW_LOG_NOTICE, "plain");
	assert_string_equal(next_line(*state), "<5>plain\n");
	jw_log_event(JW_LOG_DEBUG + 1, &about, "beyond the level");
	assert_int_equal(sink.calls, 1);
	sink.takes = false;
	jw_log_event(JW_LOG_ERROR, &about, "c");
	assert_string_equal(next_line(*state), "<3>c\n");
	jw_log_set_sink(NULL);
	unsetenv("JOURNAL_STREAM");
}

static void
every_event_has_an_id_of_its_own(void **state)
{
	(void)state;
	assert_null(jw_event_id(JW_EVENT_NONE));
	for (int i = 1; i < JW_EVENT_COUNT; i++) {
		const char *id = jw_event_id((enum jw_event)i);

		assert_non_null(id);
		assert_int_equal(strspn(id, "0123456789abcdef"), 32);
		assert_int_equal(strlen(id), 32);
		for (int j = 1; j < i; j++) {
			assert_string_not_equal(
			    id, jw_event_id((enum jw_event)j));
		}
	}
}

static void
errno_stays_and_can_be_shown(void **state)
{
	errno = ENOENT;
	jw_log(JW_LOG_INFO, "%m");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(
	    next_line(*state), "test: No such file or directory\n");
}

static void
a_closed_standard_error_does_no_harm(void **state)
{
	(void)state;
	close(STDERR_FILENO);
	errno = EAGAIN;
	jw_log(JW_LOG_ERROR, "nobody hears");
	assert_int_equal(errno, EAGAIN);
}

static void
levels_are_words(void **state)
{
	static const char *const words[] = {
	    "error", "warning", "notice", "info", "debug"};
	enum jw_log_level level = JW_LOG_NOTICE;

	(void)state;
	for (int i = 0; i <= JW_LOG_DEBUG; i++) {
		assert_true(jw_log_level_parse(words[i], &level));
		assert_int_equal(level, i);
	}
	level = JW_LOG_NOTICE;
	assert_false(jw_log_level_parse("Info", &level));
	assert_false(jw_log_level_parse("", &level));
	assert_false(jw_log_level_parse("inf", &level));
	assert_int_equal(level, JW_LOG_NOTICE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_line_has_the_program_and_a_newline),
	    T(the_level_cuts),
	    T(control_bytes_are_blunted),
	    T(a_long_line_is_cut_and_still_ends),
	    T(the_longest_line_keeps_all),
	    T(the_journal_gets_priorities),
	    T(an_inherited_variable_is_no_journal),
	    T(an_event_goes_to_the_journal_with_its_fields),
	    T(every_event_has_an_id_of_its_own),
	    T(errno_stays_and_can_be_shown),
	    T(a_closed_standard_error_does_no_harm),
	    cmocka_unit_test(levels_are_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
