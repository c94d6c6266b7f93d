/*
 * The changes between two rows of one key set, as the commits between them
 * would have reported them.  For commits that were not reported: those whose
 * outcome was unknown and that are in the store.  Pure.
 */
#ifndef JWKSD_DAEMON_KEEPER_DIFFERENCE_H
#define JWKSD_DAEMON_KEEPER_DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lifecycle/model.h"
#include "daemon/lifecycle/plan.h"

/* Living ones and those that are removed or revoked in the later row. */
enum { DIFFERENCE_MAX = 2 * MODEL_GENERATIONS_MAX };

struct keeper_difference {
	struct lc_change changes[DIFFERENCE_MAX];
	const struct key *keys[DIFFERENCE_MAX]; /* of the later row */
	size_t count;
	const char *order; /* the order's event; NULL without one */
	bool document_changed;
	bool starts_wait; /* published a key, or ended one's signing */
};

/* Cache-Control counts: the document is sent with it. */
bool keeper_difference_in_document(
    const struct key_set_facts *before, const struct key_set_facts *after);

/*
 * From before (NULL: there was no such key set) to after, which has every
 * generation of before, the removed and revoked ones with their last facts.
 * The changes get the time `now` and the cause (kept as a pointer).
 */
void keeper_difference_make(const struct key_set *before,
    const struct key_set *after, int64_t now, const char *cause,
    struct keeper_difference *ret_difference);

#endif
