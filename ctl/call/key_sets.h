/*
 * Key sets, for commands that are about something else: one by its name, a
 * number of its policy, and notes on what stops or waits.
 */
#ifndef JWKSD_CTL_CALL_KEY_SETS_H
#define JWKSD_CTL_CALL_KEY_SETS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct ctl;
struct json_t;

/*
 * The KeySet of that name; the caller drops it.  JW_NO_SUCH_KEY_SET with
 * ctl->why (and on standard output with --json), and what call_method_each()
 * returns.
 */
enum jw_err call_key_sets_find(
    struct ctl *ctl, const char *name, struct json_t **ret_key_set);

/* A number of a key set's policy; false, without a message, for none. */
bool call_key_sets_parameter(struct ctl *ctl, const char *key_set,
    const char *parameter, int64_t *ret_value);

/*
 * For people, on standard error: what stops or waits in a key set (NULL: in
 * any).  Prints nothing when the daemon does not answer, or with --json and -q.
 */
void call_key_sets_note(struct ctl *ctl, const char *key_set);

#endif
