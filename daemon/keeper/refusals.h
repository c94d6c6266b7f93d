/*
 * Refused calls that are yet to be written into the audit: bounded whatever
 * clients do.  Calls that are alike (uid, method, error) at the same time are
 * one row, with their number; all calls of a uid beyond its share are one row,
 * and when the list is full all further calls are one row.
 */
#ifndef JWKSD_DAEMON_KEEPER_REFUSALS_H
#define JWKSD_DAEMON_KEEPER_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "daemon/lifecycle/model.h"
#include "daemon/store/change.h"
#include "daemon/store/refusal.h"

struct keeper;

enum {
	REFUSALS_MAX = 64,
	REFUSALS_OF_UID = 16,
	REFUSAL_METHOD_SIZE = 64,
	REFUSAL_REQUEST_ID_SIZE = 129,
	REFUSAL_REASON_SIZE = 513,
};

/* The first of some that are alike.  Empty texts and 0: not named. */
struct keeper_refusals_entry {
	int64_t at;
	struct store_actor actor;
	const char *error; /* qualified; static text; "": different ones */
	int64_t count;
	int64_t generation;
	char method[REFUSAL_METHOD_SIZE]; /* qualified */
	char key_set[MODEL_NAME_SIZE];
	char kid[MODEL_KID_SIZE];
	char request_id[REFUSAL_REQUEST_ID_SIZE];
	char reason[REFUSAL_REASON_SIZE];
};

/* All zero: empty. */
struct keeper_refusals {
	struct keeper_refusals_entry list[REFUSALS_MAX];
	size_t count;
	int64_t others; /* calls for which there was no place */
	int64_t others_at;
};

/* Is the error that of a call that the caller may not make? */
bool keeper_refusals_is_denied(const char *error);

/*
 * Count one more call.  NULL: it is counted with others.  Else its new entry,
 * whose key_set, generation, kid, request_id and reason are still to be
 * filled in.
 */
struct keeper_refusals_entry *keeper_refusals_add(
    struct keeper_refusals *refusals, int64_t now,
    const struct store_actor *actor, const char *method, const char *error);

/* The rows for the audit; the texts are those of refusals. */
size_t keeper_refusals_rows(const struct keeper_refusals *refusals,
    struct store_refusal ret_rows[REFUSALS_MAX + 1]);

/* All of them are written, or given up. */
void keeper_refusals_clear(struct keeper_refusals *refusals);

/* The key that a call names: KEYSET#GENERATION, or the beginning of a kid.  Any
 * other text is left out: no other text of a client gets into a name. */
void keeper_refusals_name_key(
    struct keeper_refusals_entry *entry, const char *key);
void keeper_refusals_name_key_set(
    struct keeper_refusals_entry *entry, const char *name, size_t len);

/*
 * Write rows into the audit.  JW_NO_SPACE: the disk is full, and nothing was
 * written.  JW_STORE_FAILED: nothing was written either; it is worth another
 * try.  JW_OUTCOME_UNKNOWN: as keeper_commit().
 */
enum jw_err keeper_audit_refusals(
    struct keeper *keeper, const struct store_refusal *rows, size_t count);

#endif
