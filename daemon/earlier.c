/*
 * The fronts of earlier keepers.  They serve until ours does, and then all of
 * them go, however many a series of crashes has left.  Must never end one
 * that belongs to a living keeper: only the holder of the database binds.
 */
#include "daemon/earlier.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/system/handover.h"

enum {
	SLOTS = 16,
	OFFER_WAIT_MS = 2000,
	BACKLOG = 8,
	NAME_MAX_SIZE = sizeof("/front.15.sock"),
};

/* One path, and who is there. */
struct slot {
	const struct daemon_earlier *earlier;
	int fd;      /* to the front; -1: none */
	bool taken;  /* somebody is, even if without an answer */
	int64_t pid; /* for the log */
	struct event *event;
};

struct daemon_earlier {
	struct event_base *base;
	char *directory;
	struct slot slots[SLOTS];
	size_t own;
	bool bound;
};

static void
slot_path(
    const struct daemon_earlier *earlier, size_t i, struct sockaddr_un *sa)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (i == 0)
		snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/front.sock",
		    earlier->directory);
	else
		snprintf(sa->sun_path, sizeof(sa->sun_path),
		    "%s/front.%zu.sock", earlier->directory, i);
}

static int
seqpacket_socket(void)
{
	return socket(
	    AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void
unlink_slot(const struct daemon_earlier *earlier, size_t i)
{
	struct sockaddr_un sa;

	slot_path(earlier, i, &sa);
	unlink(sa.sun_path);
}

/* ---- asking ---- */

/* Add what one offers to what all offer; what does not fit is closed. */
static void
add_offer(struct sys_handover_offer *all, const struct sys_handover_offer *one)
{
	if (one->serving_since != 0 &&
	    (all->serving_since == 0 ||
		one->serving_since < all->serving_since))
		all->serving_since = one->serving_since;
	for (size_t i = 0; i < one->nfds; i++) {
		if (all->nfds < HANDOVER_FDS_MAX)
			all->fds[all->nfds++] = one->fds[i];
		else
			close(one->fds[i]);
	}
}

/* Whoever else may write in the directory could listen there. */
static bool
is_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	jw_log(JW_LOG_WARNING,
	    "a front of uid %u offers its listeners: none is taken",
	    (unsigned)peer.uid);
	return false;
}

static void
ask(struct daemon_earlier *earlier, size_t i, struct sys_handover_offer *all)
{
	struct slot *slot = &earlier->slots[i];
	struct sys_handover_offer offer;
	struct sockaddr_un sa;
	int fd = seqpacket_socket();

	if (fd < 0)
		return;
	slot_path(earlier, i, &sa);
	slot->taken =
	    connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0;
	if (!slot->taken || !is_ours(fd) ||
	    sys_handover_receive(fd, OFFER_WAIT_MS, &offer) != JW_OK) {
		close(fd);
		return;
	}
	slot->fd = fd;
	slot->pid = offer.pid;
	add_offer(all, &offer);
}

enum jw_err
daemon_earlier_new(struct event_base *base, const char *runtime_directory,
    struct daemon_earlier **ret_earlier, struct sys_handover_offer *ret_offer,
    struct jw_why *why)
{
	struct daemon_earlier *earlier;

	if (strlen(runtime_directory) + NAME_MAX_SIZE >
	    sizeof(((struct sockaddr_un *)0)->sun_path)) {
		jw_why_set(why, "%s: the path is too long for a socket",
		    runtime_directory);
		return JW_IO;
	}
	earlier = calloc(1, sizeof(*earlier));
	if (earlier == NULL)
		return JW_NO_MEMORY;
	earlier->base = base;
	earlier->directory = strdup(runtime_directory);
	for (size_t i = 0; i < SLOTS; i++)
		earlier->slots[i] = (struct slot){.earlier = earlier, .fd = -1};
	if (earlier->directory == NULL) {
		daemon_earlier_free(earlier);
		return JW_NO_MEMORY;
	}
	memset(ret_offer, 0, sizeof(*ret_offer));
	for (size_t i = 0; i < SLOTS; i++)
		ask(earlier, i, ret_offer);
	*ret_earlier = earlier;
	return JW_OK;
}

/* ---- a path of our own ---- */

static void
daemon_forget(struct slot *slot)
{
	if (slot->event != NULL)
		event_free(slot->event);
	slot->event = NULL;
	if (slot->fd >= 0)
		close(slot->fd);
	slot->fd = -1;
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct slot *slot = arg;

	(void)fd;
	(void)what;
	if (slot != &slot->earlier->slots[slot->earlier->own])
		unlink_slot(
		    slot->earlier, (size_t)(slot - slot->earlier->slots));
	jw_log(JW_LOG_INFO, "the earlier front (pid %lld) has ended",
	    (long long)slot->pid);
	daemon_forget(slot);
}

static enum jw_err
daemon_watch(struct daemon_earlier *earlier)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &earlier->slots[i];

		if (slot->fd < 0)
			continue;
		slot->event =
		    event_new(earlier->base, slot->fd, EV_READ, on_end, slot);
		if (slot->event == NULL || event_add(slot->event, NULL) != 0)
			return JW_NO_MEMORY;
		jw_log(JW_LOG_NOTICE,
		    "the front of an earlier keeper (pid %lld) serves on: it "
		    "will be replaced",
		    (long long)slot->pid);
	}
	return JW_OK;
}

/* The first that nobody has; the last when there is none. */
static size_t
free_slot(const struct daemon_earlier *earlier)
{
	size_t i = 0;

	while (i < SLOTS - 1 && earlier->slots[i].taken)
		i++;
	return i;
}

/* Under another name until it listens. */
static enum jw_err
bind_own(const struct daemon_earlier *earlier, int *ret_fd, struct jw_why *why)
{
	struct sockaddr_un own, temporary;
	int fd = seqpacket_socket();
	enum jw_err err;
	mode_t old;
	int rc;

	slot_path(earlier, earlier->own, &own);
	temporary = own;
	snprintf(temporary.sun_path, sizeof(temporary.sun_path), "%s/front.new",
	    earlier->directory);
	unlink(temporary.sun_path);
	old = umask(0177);
	rc = bind(fd, (const struct sockaddr *)&temporary, sizeof(temporary));
	umask(old);
	if (rc == 0 && listen(fd, BACKLOG) == 0 &&
	    rename(temporary.sun_path, own.sun_path) == 0) {
		*ret_fd = fd;
		return JW_OK;
	}
	err = jw_err_errno(errno);
	jw_why_set(why, "%s: %s", own.sun_path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return err;
}

enum jw_err
daemon_earlier_bind(
    struct daemon_earlier *earlier, int *ret_fd, struct jw_why *why)
{
	enum jw_err err;

	for (size_t i = 0; i < SLOTS; i++)
		if (!earlier->slots[i].taken)
			unlink_slot(earlier, i);
	earlier->own = free_slot(earlier);
	err = bind_own(earlier, ret_fd, why);
	if (err != JW_OK)
		return err;
	earlier->bound = true;
	return daemon_watch(earlier);
}

/* ---- the end of them ---- */

static void
tell_all(struct daemon_earlier *earlier, char octet)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &earlier->slots[i];

		if (slot->fd < 0)
			continue;
		if (send(slot->fd, &octet, 1, MSG_NOSIGNAL) != 1)
			daemon_forget(slot);
		if (i != earlier->own)
			unlink_slot(earlier, i);
	}
}

void
daemon_earlier_drain(struct daemon_earlier *earlier)
{
	tell_all(earlier, HANDOVER_DRAIN);
}

void
daemon_earlier_leave(struct daemon_earlier *earlier)
{
	earlier->bound = false;
}

void
daemon_earlier_free(struct daemon_earlier *earlier)
{
	if (earlier == NULL)
		return;
	/* Whoever ends the daemon means the fronts that it replaces as well. */
	if (earlier->bound) {
		tell_all(earlier, HANDOVER_STOP);
		unlink_slot(earlier, earlier->own);
	}
	for (size_t i = 0; i < SLOTS; i++)
		daemon_forget(&earlier->slots[i]);
	free(earlier->directory);
	free(earlier);
}
