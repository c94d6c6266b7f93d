/*
 * Since when this front has been able to answer with documents, without a
 * gap (`servingSince`): a few words in memory that the master shares with its
 * workers.  A process or front that is replaced within SERVING_GAP_MS leaves
 * no gap, since clients wait in the backlog meanwhile: whoever has no
 * documents accepts nobody as long as http_uptime_patience() says so.
 */
#ifndef JWKSD_HTTP_SERVING_H
#define JWKSD_HTTP_SERVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SERVING_GAP_MS = 10000,
	SERVING_SLOTS = 64, /* workers of one front */
};

struct http_uptime;

/*
 * replaces: a front before this one has been serving up to now.  inherited:
 * since when (seconds since the epoch), if it serves on until this one does;
 * 0: it does not.  NULL when there is no memory.
 */
struct http_uptime *http_uptime_new(
    bool replaces, int64_t inherited, int64_t now_ms);
void http_uptime_free(struct http_uptime *serving);

/* The worker in slot has its first full set; wall seconds, monotonic ms. */
void http_uptime_begin(
    struct http_uptime *serving, size_t slot, int64_t wall, int64_t now_ms);
/* The worker in slot has ended. */
void http_uptime_end(struct http_uptime *serving, size_t slot, int64_t now_ms);
/* An earlier front serves, and this one has yet to begin. */
bool http_uptime_elsewhere(const struct http_uptime *serving);
/* Seconds since the epoch; 0: not serving. */
int64_t http_uptime_since(const struct http_uptime *serving, int64_t now_ms);

/* How long a worker without documents has to let clients wait; 0: no more. */
int64_t http_uptime_patience(const struct http_uptime *serving, int64_t now_ms);
/* It answers without documents now: that is a gap, however short. */
void http_uptime_refuse(struct http_uptime *serving);
/* Somebody does, and nobody has begun to serve since. */
bool http_uptime_refused(const struct http_uptime *serving);

#endif
