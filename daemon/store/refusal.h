/*
 * Rows of the audit for calls that changed nothing, because they were refused.
 */
#ifndef JWKSD_DAEMON_STORE_REFUSAL_H
#define JWKSD_DAEMON_STORE_REFUSAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "daemon/store/change.h"

struct store;

/* One call, or several alike.  All texts but event and cause may be NULL. */
struct store_refusal {
	int64_t at; /* of the first of them; so is all that follows */
	struct store_actor actor;
	const char *event;
	const char *cause;
	const char *method;  /* the qualified name */
	const char *outcome; /* the qualified name of the error */
	const char *key_set;
	int64_t generation; /* 0: none was named */
	const char *kid;
	const char *request_id;
	const char *reason;
	int64_t count;
};

/* All in one transaction.  Errors are store_commit()'s. */
enum jw_err store_audit_refusals(
    struct store *store, const struct store_refusal *rows, size_t count);

#endif
