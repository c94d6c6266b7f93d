/*
 * Reads from refused connections, up to limits of time and octets.
 *
 * Must never look at what it reads.
 */
#include "daemon/http/linger.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/timeval.h"

struct linger_client {
	LIST_ENTRY(linger_client) link;
	struct http_lingering *owner;
	struct event *readable;
	struct event *over; /* not restarted by what is read */
	int fd;
	size_t octets;
};

struct http_lingering {
	struct event_base *base;
	const struct http_limits *limits;
	void (*gone)(void *arg);
	void *arg;
	LIST_HEAD(linger_list, linger_client) all;
	size_t count;
};

static void
linger_end(struct linger_client *client)
{
	LIST_REMOVE(client, link);
	client->owner->count--;
	event_free(client->readable);
	event_free(client->over);
	close(client->fd);
	free(client);
}

static void
on_over(evutil_socket_t fd, short what, void *arg)
{
	struct linger_client *client = arg;
	struct http_lingering *lingering = client->owner;

	(void)fd;
	(void)what;
	linger_end(client);
	lingering->gone(lingering->arg);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct linger_client *client = arg;
	char waste[8192];
	ssize_t n = recv(fd, waste, sizeof(waste), MSG_DONTWAIT);

	if (n > 0)
		client->octets += (size_t)n;
	if (n <= 0 || client->octets >= LIMIT_LINGER_BYTES)
		on_over(fd, what, client);
}

struct http_lingering *
http_linger_new(struct event_base *base, const struct http_limits *limits,
    void (*gone)(void *arg), void *arg)
{
	struct http_lingering *lingering = jw_zalloc(sizeof(*lingering));

	lingering->base = base;
	lingering->limits = limits;
	lingering->gone = gone;
	lingering->arg = arg;
	LIST_INIT(&lingering->all);
	return lingering;
}

void
http_linger_free(struct http_lingering *lingering)
{
	struct linger_client *client, *next;

	if (lingering == NULL)
		return;
	for (client = LIST_FIRST(&lingering->all); client; client = next) {
		next = LIST_NEXT(client, link);
		linger_end(client);
	}
	free(lingering);
}

static void
linger_start(struct http_lingering *lingering, int fd)
{
	struct linger_client *client = jw_alloc(sizeof(*client));
	struct timeval wait = jw_timeval_ms(lingering->limits->linger_ms);

	*client = (struct linger_client){
	    .owner = lingering,
	    .fd = fd,
	    .readable = event_new(
		lingering->base, fd, EV_READ | EV_PERSIST, on_readable, client),
	    .over = evtimer_new(lingering->base, on_over, client),
	};
	event_add(client->readable, NULL);
	evtimer_add(client->over, &wait);
	LIST_INSERT_HEAD(&lingering->all, client, link);
	lingering->count++;
}

void
http_linger_add(struct http_lingering *lingering, int fd)
{
	int copy = -1;

	if (lingering->count < LIMIT_LINGERING)
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy >= 0)
		linger_start(lingering, copy);
}

size_t
http_linger_count(const struct http_lingering *lingering)
{
	return lingering->count;
}
