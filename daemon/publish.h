/*
 * org.jwksd.publish: hands the finished documents to the HTTP fronts, first
 * all of them, then every change.  A front that reads slowly is fed as fast
 * as it reads.
 */
#ifndef JWKSD_DAEMON_PUBLISH_H
#define JWKSD_DAEMON_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct keeper;
struct publish;
struct varlink_service;

/*
 * Follows the keeper.  inherited: since when the front that new ones take
 * over from has been serving; 0: there is none.  complete (may be NULL) is
 * called each time a front that knew nothing before (no servingSince) has been
 * sent everything.
 */
enum jw_err publish_new(struct keeper *keeper, int64_t inherited,
    void (*complete)(void *arg, int64_t pid), void *arg,
    struct publish **ret_publish);
void publish_free(struct publish *publish);

/* Offer the interface; the context of its verbs is the struct publish. */
enum jw_err publish_offer(struct varlink_service *service, struct jw_why *why);

/* The fronts end from now on, and their listener stays open or does not. */
void publish_stop(struct publish *publish, bool listening);

/* Fronts that have been sent everything. */
size_t publish_fronts(const struct publish *publish);

#endif
