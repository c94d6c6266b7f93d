/*
 * Listening sockets on their way from one front to the next: one fixed packet
 * with descriptors beside it.
 *
 * Must never leak a descriptor that came with a packet it refuses, and never
 * trust a count that the packet states over the one that the kernel counted.
 */
#include "common/system/handover.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFFER_MAGIC = 0x6a776866 };

struct packet {
	uint32_t magic;
	uint32_t nfds;
	int64_t serving_since;
	int64_t pid;
};

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(HANDOVER_FDS_MAX * sizeof(int))];
};

static void
attach(struct msghdr *msg, union control *control,
    const struct sys_handover_offer *offer)
{
	struct cmsghdr *cmsg;
	size_t size = offer->nfds * sizeof(int);

	if (offer->nfds == 0)
		return;
	memset(control, 0, sizeof(*control));
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(size);
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(cmsg), offer->fds, size);
}

/* Take every descriptor that came along, sound packet or not. */
static size_t
detach(struct msghdr *msg, int *fds)
{
	struct cmsghdr *cmsg;
	size_t count = 0, here;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		here = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds + count, CMSG_DATA(cmsg), here * sizeof(int));
		count += here;
	}
	return count;
}

static ssize_t
sys_receive(int sock, int timeout_ms, struct msghdr *msg)
{
	struct pollfd pfd = {.fd = sock, .events = POLLIN};
	int ready;

	do {
		ready = poll(&pfd, 1, timeout_ms);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0)
		errno = ETIMEDOUT;
	if (ready <= 0)
		return -1;
	return recvmsg(sock, msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
}

static void
close_all(const int *fds, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		close(fds[i]);
}

enum jw_err
sys_handover_send(int sock, const struct sys_handover_offer *offer)
{
	struct packet packet = {
	    .magic = OFFER_MAGIC,
	    .nfds = (uint32_t)offer->nfds,
	    .serving_since = offer->serving_since,
	    .pid = offer->pid,
	};
	struct iovec iov = {.iov_base = &packet, .iov_len = sizeof(packet)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control;
	ssize_t n;

	if (offer->nfds > HANDOVER_FDS_MAX) {
		errno = EINVAL;
		return JW_IO;
	}
	attach(&msg, &control, offer);
	do {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(packet) ? JW_OK : JW_IO;
}

enum jw_err
sys_handover_receive(
    int sock, int timeout_ms, struct sys_handover_offer *ret_offer)
{
	struct packet packet = {0};
	struct iovec iov = {.iov_base = &packet, .iov_len = sizeof(packet)};
	union control control;
	struct msghdr msg = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes),
	};
	struct sys_handover_offer offer = {0};
	ssize_t n = sys_receive(sock, timeout_ms, &msg);

	if (n < 0)
		return JW_IO;
	offer.nfds = detach(&msg, offer.fds);
	if (n != (ssize_t)sizeof(packet) || packet.magic != OFFER_MAGIC ||
	    packet.nfds != offer.nfds ||
	    (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		close_all(offer.fds, offer.nfds);
		return JW_PROTOCOL;
	}
	offer.serving_since = packet.serving_since;
	offer.pid = packet.pid;
	*ret_offer = offer;
	return JW_OK;
}
