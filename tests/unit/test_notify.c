/*
 * Descriptors by name, and what a service manager is told.
 *
 * Each case runs in a child, because descriptors begin at 3 and the variables
 * name the process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/system/notify.h"

#define CHECK(condition)                                                    \
	do {                                                                \
		if (!(condition)) {                                         \
			fprintf(                                            \
			    stderr, "line %d: %s\n", __LINE__, #condition); \
			_exit(1);                                           \
		}                                                           \
	} while (0)

static void
in_child(void (*body)(void))
{
	pid_t pid;
	int status = -1;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A blocking socket at just that number. */
static void
put_socket(int fd)
{
	int other = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(other >= 0);
	if (other != fd) {
		CHECK(dup2(other, fd) == fd);
		close(other);
	}
}

/* Descriptors 3 to 2 + n are blocking sockets, handed over under names. */
static void
hand_over(int n, const char *names)
{
	char text[32];

	for (int fd = 3; fd < 3 + n; fd++)
		put_socket(fd);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof(text), "%d", n);
	setenv("LISTEN_FDS", text, 1);
	if (names != NULL)
		setenv("LISTEN_FDNAMES", names, 1);
}

static void
nothing_handed_over(void)
{
	struct sys_notify_fds *fds = NULL;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	CHECK(sys_notify_fds_take(&fds, NULL) == JW_OK);
	CHECK(fds != NULL);
	CHECK(sys_notify_fds_next(fds, "control") == -1);
	sys_notify_fds_free(fds);
	sys_notify_fds_free(NULL);
}

static void
taken_by_name(void)
{
	struct sys_notify_fds *fds;

	hand_over(4, "http:control:http:sign");
	CHECK(sys_notify_fds_take(&fds, NULL) == JW_OK);
	CHECK(getenv("LISTEN_PID") == NULL);
	CHECK(getenv("LISTEN_FDS") == NULL);
	CHECK(getenv("LISTEN_FDNAMES") == NULL);
	for (int fd = 3; fd < 7; fd++) {
		CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
		CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	CHECK(sys_notify_fds_next(fds, "control") == 4);
	CHECK(sys_notify_fds_next(fds, "control") == -1);
	CHECK(sys_notify_fds_next(fds, "http") == 3);
	CHECK(sys_notify_fds_next(fds, "http") == 5);
	CHECK(sys_notify_fds_next(fds, "http") == -1);
	CHECK(sys_notify_fds_next(fds, "htt") == -1);
	sys_notify_fds_free(fds);
	CHECK(fcntl(3, F_GETFD) >= 0);
	CHECK(fcntl(4, F_GETFD) >= 0);
	CHECK(fcntl(5, F_GETFD) >= 0);
	CHECK(fcntl(6, F_GETFD) == -1 && errno == EBADF);
}

static void
unnamed_and_wrong(void)
{
	struct sys_notify_fds *fds = NULL;

	hand_over(1, NULL);
	CHECK(sys_notify_fds_take(&fds, NULL) == JW_OK);
	CHECK(sys_notify_fds_next(fds, "unknown") == 3);
	sys_notify_fds_free(fds);
	/* Three names for one descriptor. */
	fds = NULL;
	hand_over(1, "a:b:c");
	CHECK(sys_notify_fds_take(&fds, NULL) == JW_IO);
	CHECK(fds == NULL);
	/* A descriptor that is not there. */
	hand_over(1, "a");
	close(3);
	CHECK(sys_notify_fds_take(&fds, NULL) == JW_IO);
	CHECK(errno == EBADF);
	CHECK(fds == NULL);
}

static void
left_over(void)
{
	struct sys_notify_fds *fds;

	hand_over(3, "a:b:c");
	CHECK(sys_notify_fds_take(&fds, NULL) == JW_OK);
	CHECK(sys_notify_fds_next(fds, "b") == 4);
	CHECK(strcmp(sys_notify_fds_left(fds, 0), "a") == 0);
	CHECK(strcmp(sys_notify_fds_left(fds, 1), "c") == 0);
	CHECK(sys_notify_fds_left(fds, 2) == NULL);
	sys_notify_fds_free(fds);
}

/* What an execve(2) would inherit can be taken again. */
static void
passed_on(void)
{
	struct sys_notify_fds *fds;

	hand_over(2, "a:b");
	CHECK(sys_notify_fds_take(&fds, NULL) == JW_OK);
	CHECK(sys_notify_fds_next(fds, "b") == 4);
	CHECK(sys_notify_fds_pass_on(fds) == JW_OK);
	CHECK((fcntl(3, F_GETFD) & FD_CLOEXEC) == 0);
	CHECK((fcntl(4, F_GETFD) & FD_CLOEXEC) == 0);
	CHECK(sys_notify_fds_take(&fds, NULL) == JW_OK);
	CHECK(sys_notify_fds_next(fds, "a") == 3);
	CHECK(sys_notify_fds_next(fds, "b") == 4);
}

static void
failure_is_named(void)
{
	struct sys_notify_fds *fds = NULL;
	struct jw_why why = {"", ""};

	hand_over(1, "a:b:c");
	CHECK(sys_notify_fds_take(&fds, &why) == JW_IO);
	CHECK(strstr(why.text, "LISTEN_FDS") != NULL);
	why = (struct jw_why){"", ""};
	hand_over(2, "first:second");
	close(4);
	CHECK(sys_notify_fds_take(&fds, &why) == JW_IO);
	CHECK(strstr(why.text, "LISTEN_FDS") != NULL);
}

static int
bound_socket(int family, int type, bool listens)
{
	struct sockaddr_storage sa = {.ss_family = (sa_family_t)family};
	int fd = socket(family, type, 0);

	CHECK(fd >= 0);
	CHECK(bind(fd, (const struct sockaddr *)&sa,
		  family == AF_UNIX ? sizeof(sa_family_t)
				    : sizeof(struct sockaddr_in)) == 0);
	CHECK(!listens || listen(fd, 1) == 0);
	return fd;
}

static void
sockets_are_checked(void)
{
	static const struct {
		int family, type;
		bool listens, unix_fits, any_fits;
	} rows[] = {
	    {AF_UNIX, SOCK_STREAM, true, true, true},
	    {AF_UNIX, SOCK_STREAM, false, false, false},
	    {AF_UNIX, SOCK_SEQPACKET, true, false, false},
	    {AF_UNIX, SOCK_DGRAM, false, false, false},
	    {AF_INET, SOCK_STREAM, true, false, true},
	    {AF_INET, SOCK_STREAM, false, false, false},
	    {AF_INET, SOCK_DGRAM, false, false, false},
	};
	struct jw_why why;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int fd =
		    bound_socket(rows[i].family, rows[i].type, rows[i].listens);

		why = (struct jw_why){"", ""};
		CHECK(sys_notify_check_socket(fd, "sign", NOTIFY_UNIX, &why) ==
		      (rows[i].unix_fits ? JW_OK : JW_BAD_CONFIG));
		CHECK((strstr(why.text, "\"sign\"") == NULL) ==
		      rows[i].unix_fits);
		CHECK(sys_notify_check_socket(fd, "http", NOTIFY_UNIX_OR_INET,
			  NULL) == (rows[i].any_fits ? JW_OK : JW_BAD_CONFIG));
		close(fd);
	}
	CHECK(sys_notify_check_socket(
		  STDIN_FILENO, "sign", NOTIFY_UNIX, NULL) == JW_BAD_CONFIG);
}

static void
meant_for_another(void)
{
	struct sys_notify_fds *fds;

	hand_over(1, "a");
	setenv("LISTEN_PID", "1", 1);
	CHECK(sys_notify_fds_take(&fds, NULL) == JW_OK);
	CHECK(sys_notify_fds_next(fds, "a") == -1);
	CHECK(getenv("LISTEN_FDS") == NULL);
	sys_notify_fds_free(fds);
}

static void
nobody_listens(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	sys_notify_ready("all is well");
	sys_notify_ready(NULL);
	sys_notify_status("%d", 1);
	sys_notify_reloading();
	sys_notify_stopping();
	sys_notify_extend_timeout(5);
	sys_notify_watchdog();
	CHECK(sys_notify_watchdog_interval() == 0);
	/* Nor when the manager is gone. */
	setenv("NOTIFY_SOCKET", "@jwksd-test-nobody-is-here", 1);
	sys_notify_ready("all is well");
	sys_notify_status("%d", 1);
	sys_notify_watchdog();
}

/* A service manager's end, under an abstract name of the kernel's choice. */
static int
manager(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(address);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char name[64];

	CHECK(fd >= 0);
	CHECK(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	snprintf(name, sizeof(name), "@%.*s",
	    (int)(len - sizeof(sa_family_t) - 1), address.sun_path + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static const char *
hear(int fd)
{
	static char text[2048];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
the_manager_is_told(void)
{
	int fd = manager();
	char big[2000];

	sys_notify_ready("serving 1 key set");
	CHECK(strcmp(hear(fd), "READY=1\nSTATUS=serving 1 key set") == 0);
	sys_notify_status("%d of %d", 2, 3);
	CHECK(strcmp(hear(fd), "STATUS=2 of 3") == 0);
	sys_notify_status("a\nSTOPPING=1");
	CHECK(strcmp(hear(fd), "STATUS=a STOPPING=1") == 0);
	sys_notify_stopping();
	CHECK(strcmp(hear(fd), "STOPPING=1") == 0);
	sys_notify_extend_timeout(4000000000u);
	CHECK(strcmp(hear(fd), "EXTEND_TIMEOUT_USEC=4000000000000000") == 0);
	sys_notify_watchdog();
	CHECK(strcmp(hear(fd), "WATCHDOG=1") == 0);
	sys_notify_watchdog_within(600);
	CHECK(strcmp(hear(fd), "WATCHDOG_USEC=600000000") == 0);
	sys_notify_reloading();
	CHECK(strncmp(hear(fd), "RELOADING=1\nMONOTONIC_USEC=", 27) == 0);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	sys_notify_status("%s", big);
	CHECK(strlen(hear(fd)) == strlen("STATUS=") + 511);
}

static void
the_watchdog_wants_half(void)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	CHECK(sys_notify_watchdog_interval() == 15000000);
	setenv("WATCHDOG_PID", "1", 1);
	CHECK(sys_notify_watchdog_interval() == 0);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "nonsense", 1);
	CHECK(sys_notify_watchdog_interval() == 0);
}

/* cmocka knows each case by the name of its wrapper. */
#define CASE(name)                            \
	static void test_##name(void **state) \
	{                                     \
		(void)state;                  \
		in_child(name);               \
	}

CASE(nothing_handed_over)
CASE(taken_by_name)
CASE(unnamed_and_wrong)
CASE(left_over)
CASE(passed_on)
CASE(failure_is_named)
CASE(sockets_are_checked)
CASE(meant_for_another)
CASE(nobody_listens)
CASE(the_manager_is_told)
CASE(the_watchdog_wants_half)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_handed_over),
	    cmocka_unit_test(test_taken_by_name),
	    cmocka_unit_test(test_unnamed_and_wrong),
	    cmocka_unit_test(test_left_over),
	    cmocka_unit_test(test_passed_on),
	    cmocka_unit_test(test_failure_is_named),
	    cmocka_unit_test(test_sockets_are_checked),
	    cmocka_unit_test(test_meant_for_another),
	    cmocka_unit_test(test_nobody_listens),
	    cmocka_unit_test(test_the_manager_is_told),
	    cmocka_unit_test(test_the_watchdog_wants_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
