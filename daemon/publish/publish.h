/*
 * org.jwksd.publish: sends the finished documents to the HTTP fronts, first
 * all of them, then every change, as fast as each front reads.
 */
#ifndef JWKSD_DAEMON_PUBLISH_PUBLISH_H
#define JWKSD_DAEMON_PUBLISH_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct event_base;
struct keeper;
struct publish;
struct varlink_service;

/*
 * Follows the keeper, in base.  listener_stays: while no front runs, the
 * socket that fronts accept from stays open, and clients wait in its backlog.
 */
struct publish *publish_new(
    struct event_base *base, struct keeper *keeper, bool listener_stays);
void publish_free(struct publish *publish);

/* org.jwksd.publish; the context of its verbs is the struct publish. */
extern const struct varlink_service publish_service;

/* The fronts are about to end; listener_stays as above. */
void publish_stop(struct publish *publish, bool listener_stays);

/* How many processes of fronts serve: each has read `complete`. */
size_t publish_fronts(const struct publish *publish);

#endif
