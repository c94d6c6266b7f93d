/*
 * The coming changes of many key sets in the order of time: the plans (plan.h)
 * of all of them, computed one step at a time and merged.
 *
 * Pure.  A key set is copied when it is added: its later changes do not change
 * the forecast.  Only key sets with a coming change take memory (less than
 * 1 KiB for one of three generations), coming changes none, however far ahead
 * the forecast reaches.  Without memory the process ends (memory.h).
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

/* One step of one key set; some steps change no state. */
struct verbs_forecast_step {
	char key_set[MODEL_NAME_SIZE];
	int64_t set_id;
	struct lc_change changes[MODEL_GENERATIONS_MAX];
	size_t count;
};

struct verbs_forecast *verbs_forecast_new(void);
void verbs_forecast_free(struct verbs_forecast *forecast);

/* Add the changes of a key set until `until` (inclusive), planned with env;
 * view is copied. */
void verbs_forecast_add(struct verbs_forecast *forecast, const char *key_set,
    int64_t set_id, const struct lc_set *view, const struct lc_env *env,
    int64_t until);

/* The earliest step that is left.  False: there is none, and *ret_step is not
 * written. */
bool verbs_forecast_next(
    struct verbs_forecast *forecast, struct verbs_forecast_step *ret_step);
/* Is no step left? */
bool verbs_forecast_is_empty(const struct verbs_forecast *forecast);

#endif
