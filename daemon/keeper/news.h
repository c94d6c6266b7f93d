/*
 * Notifications about each commit.
 */
#ifndef JWKSD_DAEMON_KEEPER_NEWS_H
#define JWKSD_DAEMON_KEEPER_NEWS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/lifecycle/plan.h"

struct keeper;
struct keeper_set;

/*
 * Sent after each commit. `changes` has count of them; `order` is the event of
 * an order ("scheduled", ...) or NULL.  For an order for every key set
 * ("frozen", "thawed") set is NULL, and all else is empty.
 */
struct keeper_news {
	struct keeper_set *set;
	const struct lc_change *changes;
	size_t count;
	const struct key *const *keys; /* one for each change */
	const char *order;
	bool document_changed; /* the published bytes or their headers */
	bool is_new;           /* the key set; others may have begun with it */
};

struct keeper_observer {
	void (*fn)(const struct keeper_news *news, void *arg);
	void *arg;
	struct keeper_observer *next;
};

/* An observer is the caller's, and outlives this. */
void keeper_observe(struct keeper *keeper, struct keeper_observer *observer);
void keeper_unobserve(struct keeper *keeper, struct keeper_observer *observer);

#endif
