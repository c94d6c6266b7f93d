/*
 * org.jwksd.publish: hands the finished documents to the HTTP fronts, first
 * all of them, then every change.  A front that reads slowly is fed as fast
 * as it reads.
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
 * A process of the front with this number has read everything, as count
 * of them have that are connected now.
 */
typedef void publish_complete_fn(int64_t number, size_t count, void *arg);

/* Follows the keeper, in base.  complete may be NULL. */
enum jw_err publish_new(struct event_base *base, struct keeper *keeper,
    publish_complete_fn *complete, void *arg, struct publish **ret_publish);
void publish_free(struct publish *publish);

/* Offer the interface; the context of its verbs is the struct publish. */
enum jw_err publish_offer(struct varlink_service *service, struct jw_why *why);

/* The fronts end from now on, and their listener stays open or does not. */
void publish_stop(struct publish *publish, bool listening);

/* Processes of fronts that have read everything. */
size_t publish_fronts(const struct publish *publish);

#endif
