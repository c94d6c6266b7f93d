/*
 * Every limit of the front in one table, and the deadlines of a connection that
 * follow from them.  Pure; times are milliseconds of a monotonic clock that the
 * caller reads.
 */
#ifndef JWKSD_HTTP_LIMITS_H
#define JWKSD_HTTP_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LIMIT_HEADER_LINES = 64,        /* header lines of one request */
	LIMIT_LINGER_BYTES = 64 * 1024, /* read and dropped after a refusal */
	LIMIT_LINGERING = 64,           /* refused connections still read */
	LIMIT_CONNECTIONS = 65536,      /* of one process, at most */
	LIMIT_SPARE_FDS = 32,           /* descriptors for other things */
};

struct http_limits {
	size_t header_bytes;    /* request line and header lines */
	int64_t first_ms;       /* accept until the first whole request */
	int64_t request_ms;     /* first octet until the whole of a request */
	int64_t idle_ms;        /* between two requests */
	int64_t reply_ms;       /* until the client has taken an answer */
	int64_t life_ms;        /* of a connection; one more answer after it */
	int64_t requests;       /* of a connection; the last one says so */
	int64_t linger_ms;      /* reading on after a refusal */
	int64_t evict_ms;       /* idle so long, it may be closed at the cap */
	int64_t pause_ms;       /* without accept(2) after it has failed */
	int64_t warm_ms;        /* for the first documents, before a 500 */
	int64_t stop_ms;        /* to finish what is being written */
	int64_t stop_silent_ms; /* the same for a first request to come */
	int64_t reconnect_min_ms; /* to the keeper */
	int64_t reconnect_max_ms;
};

extern const struct http_limits http_limits_default;

/* What a connection is waiting for. */
enum http_pace_phase { PACE_IDLE, PACE_REQUEST, PACE_REPLY };

struct http_pace {
	enum http_pace_phase phase;
	int64_t born;
	int64_t since; /* the phase began */
	int64_t requests;
};

void http_pace_init(struct http_pace *pace, int64_t now);
/* Enter a phase; entering the present one again changes nothing. */
void http_pace_enter(
    struct http_pace *pace, enum http_pace_phase phase, int64_t now);
/* When the connection is closed, unless it enters another phase before. */
int64_t http_pace_deadline(
    const struct http_pace *pace, const struct http_limits *limits);
/* Must the answer that begins now be the connection's last? */
bool http_pace_last(const struct http_pace *pace,
    const struct http_limits *limits, int64_t now);

/* The wait after `last`: twice as long, at least minimum, at most maximum. */
int64_t http_limits_backoff(int64_t last, int64_t minimum, int64_t maximum);

#endif
