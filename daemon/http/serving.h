/*
 * Since when this front has been able to answer with documents, without a
 * gap (`servingSince`): a few words in memory that the master shares with its
 * workers.  A process that is replaced within SERVING_GAP_MS leaves no gap,
 * since clients wait in the backlog meanwhile.
 */
#ifndef JWKSD_HTTP_SERVING_H
#define JWKSD_HTTP_SERVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SERVING_GAP_MS = 5000,
	SERVING_SLOTS = 64, /* workers of one front */
};

struct serving;

/*
 * inherited: what an earlier front had reached (seconds since the epoch),
 * counted from the first full set of this one on; 0: none.  NULL when there
 * is no memory.
 */
struct serving *serving_new(int64_t inherited);
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

#endif
