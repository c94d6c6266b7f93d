/*
 * Rows of the audit that belong to no change.
 */
#ifndef JWKSD_DAEMON_KEEPER_AUDIT_H
#define JWKSD_DAEMON_KEEPER_AUDIT_H

#include <stddef.h>

#include "common/base/err.h"

struct keeper;
struct store_refusal;

/*
 * JW_NO_SPACE: the disk is full, and nothing was written.  JW_STORE_FAILED:
 * nothing was written either; it is worth another try.  JW_OUTCOME_UNKNOWN:
 * as keeper_commit().
 */
enum jw_err keeper_audit_refusals(
    struct keeper *keeper, const struct store_refusal *rows, size_t count);

#endif
