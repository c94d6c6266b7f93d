/*
 * org.jwksd.publish: hands the finished documents to the HTTP fronts, first
 * all of them, then every change.  A front that reads slowly is fed as fast
 * as it reads.
 */
#ifndef JWKSD_DAEMON_PUBLISH_H
#define JWKSD_DAEMON_PUBLISH_H

#include <stddef.h>

#include "common/err.h"

struct keeper;
struct publish;
struct varlink_service;

/*
 * Follows the keeper.  complete (may be NULL) is called each time a front
 * that knew nothing before (no servingSince) has been sent everything.
 */
enum jw_err publish_new(struct keeper *keeper, void (*complete)(void *arg),
    void *arg, struct publish **ret_publish);
void publish_free(struct publish *publish);

/* Offer the interface; the context of its verbs is the struct publish. */
enum jw_err publish_offer(struct varlink_service *service, struct jw_why *why);

/* Fronts that have been sent everything. */
size_t publish_fronts(const struct publish *publish);

#endif
