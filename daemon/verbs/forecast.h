/*
 * What will happen to many key sets, as one list in the order of time: the
 * plans (plan.h) of all of them, computed one step at a time and merged.
 *
 * Pure, and a picture: what happens to a key set after it was added does not
 * change the list.  Takes the room of the facts of the key sets that still
 * have something to come (less than 1 KiB for one of three generations), and
 * none for what is to come, however far that reaches.  Without memory the
 * process ends (memory.h).
 */
#ifndef JWKSD_DAEMON_VERBS_FORECAST_H
#define JWKSD_DAEMON_VERBS_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lifecycle/lifecycle.h"
#include "daemon/lifecycle/model.h"
#include "daemon/lifecycle/plan.h"

struct verbs_forecast;

/* One step of one key set; some steps have no change to tell. */
struct verbs_forecast_step {
	char key_set[MODEL_NAME_SIZE];
	int64_t set_id;
	struct lc_change changes[MODEL_GENERATIONS_MAX];
	size_t count;
};

struct verbs_forecast *verbs_forecast_new(void);
void verbs_forecast_free(struct verbs_forecast *outlook);

/* Add what happens to a key set until `until` (inclusive), as seen with env;
 * view is copied. */
void verbs_forecast_add(struct verbs_forecast *outlook, const char *key_set,
    int64_t set_id, const struct lc_set *view, const struct lc_env *env,
    int64_t until);

/* The earliest step that is left.  False: there is none, *ret_step is as it
 * was. */
bool verbs_forecast_next(
    struct verbs_forecast *outlook, struct verbs_forecast_step *ret_step);
/* Is there nothing left? */
bool verbs_forecast_is_empty(const struct verbs_forecast *outlook);

#endif
