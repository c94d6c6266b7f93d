/*
 * Reads refused connections to a bounded end.
 *
 * Must never look at what it reads, and never keep a client longer than its
 * limits say.
 */
#include "daemon/http/linger.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/timeval.h"

struct lingerer {
	LIST_ENTRY(lingerer) link;
	struct lingerers *owner;
	struct event *readable;
	struct event *over; /* of its own: octets must not buy time */
	int fd;
	size_t octets;
};

struct lingerers {
	struct event_base *base;
	const struct http_limits *limits;
	void (*gone)(void *arg);
	void *arg;
	LIST_HEAD(lingerer_list, lingerer) all;
	size_t count;
};

static void
end(struct lingerer *lingerer)
{
	LIST_REMOVE(lingerer, link);
	lingerer->owner->count--;
	event_free(lingerer->readable);
	event_free(lingerer->over);
	close(lingerer->fd);
	free(lingerer);
}

static void
on_over(evutil_socket_t fd, short what, void *arg)
{
	struct lingerer *lingerer = arg;
	struct lingerers *linger = lingerer->owner;

	(void)fd;
	(void)what;
	end(lingerer);
	linger->gone(linger->arg);
}

static void
http_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct lingerer *lingerer = arg;
	char waste[8192];
	ssize_t n = recv(fd, waste, sizeof(waste), MSG_DONTWAIT);

	if (n > 0)
		lingerer->octets += (size_t)n;
	if (n <= 0 || lingerer->octets >= LIMIT_LINGER_BYTES)
		on_over(fd, what, lingerer);
}

struct lingerers *
http_linger_new(struct event_base *base, const struct http_limits *limits,
    void (*gone)(void *arg), void *arg)
{
	struct lingerers *linger = calloc(1, sizeof(*linger));

	if (linger == NULL)
		return NULL;
	linger->base = base;
	linger->limits = limits;
	linger->gone = gone;
	linger->arg = arg;
	LIST_INIT(&linger->all);
	return linger;
}

void
http_linger_free(struct lingerers *linger)
{
	struct lingerer *lingerer, *next;

	if (linger == NULL)
		return;
	for (lingerer = LIST_FIRST(&linger->all); lingerer; lingerer = next) {
		next = LIST_NEXT(lingerer, link);
		end(lingerer);
	}
	free(linger);
}

/* libevent's allocations end the process when they fail. */
static void
start(struct lingerers *linger, struct lingerer *lingerer)
{
	struct timeval wait = jw_timeval_ms(linger->limits->linger_ms);

	lingerer->owner = linger;
	lingerer->readable = event_new(linger->base, lingerer->fd,
	    EV_READ | EV_PERSIST, http_on_readable, lingerer);
	lingerer->over = evtimer_new(linger->base, on_over, lingerer);
	event_add(lingerer->readable, NULL);
	evtimer_add(lingerer->over, &wait);
	LIST_INSERT_HEAD(&linger->all, lingerer, link);
	linger->count++;
}

void
http_linger_add(struct lingerers *linger, int fd)
{
	struct lingerer *lingerer;

	if (linger->count >= LIMIT_LINGERERS)
		return;
	lingerer = calloc(1, sizeof(*lingerer));
	if (lingerer == NULL)
		return;
	lingerer->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (lingerer->fd < 0)
		free(lingerer);
	else
		start(linger, lingerer);
}

size_t
http_linger_count(const struct lingerers *linger)
{
	return linger->count;
}
