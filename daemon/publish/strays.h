/*
 * Fronts whose connection has ended and whose process lives: until they
 * connect again they may serve what they had been sent.
 */
#ifndef JWKSD_DAEMON_PUBLISH_STRAYS_H
#define JWKSD_DAEMON_PUBLISH_STRAYS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	STRAYS_MAX = 64,
	/* How long a process counts that is not visible in this pid namespace:
	 * a front connects again sooner. */
	STRAYS_WAIT_MS = 5000,
	STRAYS_WARN_MS = 10000,
};

struct publish_stray {
	int64_t pid;
	int pidfd; /* -1: the process is not visible here */
	int64_t since_ms;
	bool is_logged; /* that it is waited for */
};

struct publish_strays {
	struct publish_stray list[STRAYS_MAX];
	int count;
	bool overflown; /* more than fit; until the table is empty again */
};

/* The connection of this process (0: not visible here) has ended, at a time of
 * the monotonic clock. */
void publish_strays_add(
    struct publish_strays *strays, int64_t pid, int64_t now_ms);
/* The process has connected again, and has read everything. */
void publish_strays_remove(struct publish_strays *strays, int64_t pid);
/* Is there any?  Removes those whose process has ended, and logs those that are
 * there for STRAYS_WARN_MS. */
bool publish_strays_any(struct publish_strays *strays, int64_t now_ms);
void publish_strays_done(struct publish_strays *strays);

#endif
