/*
 * Listening sockets from one front to the next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/system/handover.h"

static int
open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void
make_pair(int pair[2])
{
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void
send_and_receive(size_t nfds)
{
	struct sys_handover_offer offer = {1790000000, 42, nfds, {0}}, got;
	int pair[2], before = open_fds();
	size_t i;

	make_pair(pair);
	for (i = 0; i < nfds; i++)
		offer.fds[i] = pair[0];
	assert_int_equal(sys_handover_send(pair[0], &offer), JW_OK);
	assert_int_equal(sys_handover_receive(pair[1], 1000, &got), JW_OK);
	assert_int_equal(got.serving_since, 1790000000);
	assert_int_equal(got.pid, 42);
	assert_int_equal(got.nfds, nfds);
	for (i = 0; i < nfds; i++) {
		assert_true(fcntl(got.fds[i], F_GETFD) & FD_CLOEXEC);
		close(got.fds[i]);
	}
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(open_fds(), before);
}

static void
test_offer(void **state)
{
	(void)state;
	send_and_receive(0);
	send_and_receive(1);
	send_and_receive(HANDOVER_FDS_MAX);
}

static void
test_too_many(void **state)
{
	struct sys_handover_offer offer = {.nfds = HANDOVER_FDS_MAX + 1};
	int pair[2];

	(void)state;
	make_pair(pair);
	assert_int_equal(sys_handover_send(pair[0], &offer), JW_IO);
	close(pair[0]);
	close(pair[1]);
}

static void
test_silence_and_end(void **state)
{
	struct sys_handover_offer got = {.pid = 7};
	int pair[2];

	(void)state;
	make_pair(pair);
	assert_int_equal(sys_handover_receive(pair[1], 20, &got), JW_IO);
	close(pair[0]);
	assert_int_not_equal(sys_handover_receive(pair[1], 20, &got), JW_OK);
	assert_int_equal(got.pid, 7);
	close(pair[1]);
}

static void
test_nobody_there(void **state)
{
	struct sys_handover_offer offer = {0};
	int pair[2];

	(void)state;
	make_pair(pair);
	close(pair[1]);
	assert_int_equal(sys_handover_send(pair[0], &offer), JW_IO);
	close(pair[0]);
}

/* A packet of len octets with a descriptor beside it. */
static void
send_with_fd(int sock, const void *data, size_t len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg;

	memset(&control, 0, sizeof(control));
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &sock, sizeof(int));
	assert_int_equal(sendmsg(sock, &msg, 0), len);
}

static void
test_anything_else(void **state)
{
	char junk[64];
	struct sys_handover_offer got;
	int pair[2], before;
	size_t len;

	(void)state;
	make_pair(pair);
	before = open_fds();
	memset(junk, 0x6a, sizeof(junk));
	for (len = 1; len <= sizeof(junk); len++) {
		send_with_fd(pair[0], junk, len);
		assert_int_equal(
		    sys_handover_receive(pair[1], 1000, &got), JW_PROTOCOL);
	}
	assert_int_equal(open_fds(), before);
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_offer),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_silence_and_end),
	    cmocka_unit_test(test_nobody_there),
	    cmocka_unit_test(test_anything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
