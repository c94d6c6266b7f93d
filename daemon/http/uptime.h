/*
 * Since when this front has been able to answer with documents, without a
 * gap (`servingSince`): a few words in memory that the master shares with its
 * workers.  A process or front that is replaced within SERVING_GAP_MS leaves
 * no gap, since clients wait in the backlog meanwhile: whoever has no
 * documents accepts nobody as long as serving_patience() says so.
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

struct serving;

/*
 * replaces: a front before this one has been serving up to now.  inherited:
 * since when (seconds since the epoch), if it serves on until this one does;
 * 0: it does not.  NULL when there is no memory.
 */
struct serving *serving_new(bool replaces, int64_t inherited, int64_t now_ms);
void serving_free(struct serving *serving);

/* The worker in slot has its first full set; wall seconds, monotonic ms. */
void serving_begin(
    struct serving *serving, size_t slot, int64_t wall, int64_t now_ms);
/* The worker in slot has ended. */
void serving_end(struct serving *serving, size_t slot, int64_t now_ms);
/* An earlier front serves, and this one has yet to begin. */
bool serving_elsewhere(const struct serving *serving);
/* Seconds since the epoch; 0: not serving. */
int64_t serving_since(const struct serving *serving, int64_t now_ms);

/* How long a worker without documents has to let clients wait; 0: no more. */
int64_t serving_patience(const struct serving *serving, int64_t now_ms);
/* It answers without documents now: that is a gap, however short. */
void serving_refuse(struct serving *serving);
/* Somebody does, and nobody has begun to serve since. */
bool serving_refused(const struct serving *serving);

#endif
