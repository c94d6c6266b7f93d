/*
 * Says, once, that every key set has an active key: to the log and to the
 * service manager.
 */
#ifndef JWKSD_DAEMON_READY_H
#define JWKSD_DAEMON_READY_H

#include <stdbool.h>

#include "daemon/keeper/news.h"

struct keeper;

struct daemon_ready {
	struct keeper_observer observer;
	struct keeper *keeper;
	bool is_said;
};

/* At once, or when it becomes so.  ready outlives the keeper. */
void daemon_ready_watch(struct daemon_ready *ready, struct keeper *keeper);

#endif
