/*
 * The limits of the front and the deadlines of connections.
 *
 * Must never read a clock: tests run it on a clock of their own.
 */
#include "daemon/http/limits.h"

#include <assert.h>

const struct http_limits http_limits_default = {
    .header_bytes = 8192,
    .first_ms = 10 * 1000,
    .request_ms = 10 * 1000,
    .idle_ms = 75 * 1000,
    .reply_ms = 30 * 1000,
    .life_ms = 3600 * 1000,
    .requests = 100000,
    .linger_ms = 1000,
    .evict_ms = 1000,
    .pause_ms = 100,
    .warm_ms = 1000,
    .stop_ms = 2000,
    .stop_silent_ms = 500,
    .reconnect_min_ms = 20,
    .reconnect_max_ms = 1000,
};

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void
http_pace_init(struct http_pace *pace, int64_t now)
{
	pace->phase = PACE_IDLE;
	pace->born = now;
	pace->since = now;
	pace->requests = 0;
}

void
http_pace_enter(struct http_pace *pace, enum http_pace_phase phase, int64_t now)
{
	if (pace->phase == phase)
		return;
	/* A connection is idle again only after an answer. */
	assert(phase != PACE_IDLE || pace->phase == PACE_REPLY);
	if (phase == PACE_REPLY)
		pace->requests++;
	pace->phase = phase;
	pace->since = now;
}

int64_t
http_pace_deadline(
    const struct http_pace *pace, const struct http_limits *limits)
{
	const int64_t longest[] = {
	    [PACE_IDLE] = limits->idle_ms,
	    [PACE_REQUEST] = limits->request_ms,
	    [PACE_REPLY] = limits->reply_ms,
	};
	int64_t deadline = pace->since + longest[pace->phase];

	/* A new connection gets no more time for sending slowly. */
	if (pace->requests == 0)
		deadline = earlier(deadline, pace->born + limits->first_ms);
	return deadline;
}

bool
http_pace_last(
    const struct http_pace *pace, const struct http_limits *limits, int64_t now)
{
	return pace->requests >= limits->requests ||
	       now - pace->born >= limits->life_ms;
}

int64_t
http_limits_backoff(int64_t last, int64_t minimum, int64_t maximum)
{
	if (last < minimum)
		return minimum;
	return earlier(last * 2, maximum);
}
