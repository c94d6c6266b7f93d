/*
 * Fronts whose connection has ended, and whose process has not: they may
 * serve what they had been sent until they come back.
 */
#ifndef JWKSD_DAEMON_PUBLISH_STRAYS_H
#define JWKSD_DAEMON_PUBLISH_STRAYS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	STRAYS_MAX = 64,
	/* One whose process cannot be seen from here comes back sooner. */
	STRAYS_WAIT_MS = 5000,
	STRAYS_WARN_MS = 10000,
};

struct publish_stray {
	int64_t pid;
	int pidfd; /* -1: its process cannot be seen from here */
	int64_t since_ms;
	bool is_told; /* in the log, that it is waited for */
};

struct publish_strays {
	struct publish_stray list[STRAYS_MAX];
	int count;
	bool overflown; /* until all of them are back */
};

/* The connection of this process (0: it cannot be seen from here) has ended,
 * at a time of the monotonic clock. */
void publish_strays_add(
    struct publish_strays *strays, int64_t pid, int64_t now_ms);
/* It is back, and has read everything. */
void publish_strays_remove(struct publish_strays *strays, int64_t pid);
/* Does any live that is not back?  Forgets those that have ended, and logs
 * those that take long. */
bool publish_strays_any(struct publish_strays *strays, int64_t now_ms);
void publish_strays_done(struct publish_strays *strays);

#endif
