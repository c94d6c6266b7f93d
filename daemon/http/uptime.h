/*
 * Since when this front has been able to answer with documents, without a
 * gap (`servingSince`): a few words in memory that the supervisor shares with
 * its workers.  A worker or a front that is replaced within UPTIME_GAP_MS
 * leaves no gap, since clients wait in the backlog meanwhile: a worker without
 * documents accepts no client as long as http_uptime_patience() says so.
 */
#ifndef JWKSD_HTTP_UPTIME_H
#define JWKSD_HTTP_UPTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	UPTIME_GAP_MS = 10000,
	UPTIME_SLOTS = 64, /* workers of one front */
};

struct http_uptime;

/* replaces: a front before this one has been serving up to now. */
struct http_uptime *http_uptime_new(bool replaces, int64_t now_ms);
void http_uptime_free(struct http_uptime *uptime);

/* The worker in slot has its first full set; wall seconds, monotonic ms. */
void http_uptime_begin(
    struct http_uptime *uptime, size_t slot, int64_t wall, int64_t now_ms);
/* The worker in slot has ended. */
void http_uptime_end(struct http_uptime *uptime, size_t slot, int64_t now_ms);
/* Seconds since the epoch; 0: not serving. */
int64_t http_uptime_since(const struct http_uptime *uptime, int64_t now_ms);

/* How many milliseconds a worker without documents has to let clients wait
 * before it may answer 500; 0: it may. */
int64_t http_uptime_patience(const struct http_uptime *uptime, int64_t now_ms);
/* A worker answers 500 for want of documents: a gap, however short. */
void http_uptime_refuse(struct http_uptime *uptime);
/* A worker did, and none has begun to serve since. */
bool http_uptime_refused(const struct http_uptime *uptime);

#endif
