/*
 * The list of refused calls, and its way into the audit.  The requests of a
 * client must decide neither how much memory this takes nor how many rows are
 * written.
 */
#include "daemon/keeper/refusals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/base64url.h"
#include "common/base/err.h"
#include "common/base/label.h"
#include "daemon/keeper/internal.h"

bool
keeper_refusals_is_denied(const char *error)
{
	return strcmp(error, jw_err_wire(JW_PERMISSION_DENIED)) == 0;
}

/* ---- which key ---- */

void
keeper_refusals_name_key_set(
    struct keeper_refusals_entry *entry, const char *name, size_t len)
{
	if (len >= sizeof(entry->key_set))
		return;
	memcpy(entry->key_set, name, len);
	entry->key_set[len] = '\0';
	if (jw_key_set_name_check(entry->key_set, NULL) != JW_OK)
		entry->key_set[0] = '\0';
}

static void
name_kid(struct keeper_refusals_entry *entry, const char *kid)
{
	if (strlen(kid) < sizeof(entry->kid) &&
	    kid[strspn(kid, jw_base64url_alphabet)] == '\0')
		memcpy(entry->kid, kid, strlen(kid) + 1);
}

void
keeper_refusals_name_key(struct keeper_refusals_entry *entry, const char *key)
{
	const char *hash = strrchr(key, '#');
	long long number;
	char *end;

	if (hash == NULL) {
		name_kid(entry, key);
		return;
	}
	keeper_refusals_name_key_set(entry, key, (size_t)(hash - key));
	number = strtoll(hash + 1, &end, 10);
	if (entry->key_set[0] != '\0' && *end == '\0' && number > 0)
		entry->generation = number;
}

/* ---- collecting ---- */

static struct keeper_refusals_entry *
find_alike(struct keeper_refusals *refusals, int64_t uid, const char *method,
    const char *error)
{
	for (size_t i = 0; i < refusals->count; i++) {
		struct keeper_refusals_entry *entry = &refusals->list[i];

		if (entry->actor.uid == uid &&
		    strcmp(entry->error, error) == 0 &&
		    strncmp(entry->method, method, sizeof(entry->method) - 1) ==
			0)
			return entry;
	}
	return NULL;
}

static size_t
count_of(const struct keeper_refusals *refusals, int64_t uid)
{
	size_t count = 0;

	for (size_t i = 0; i < refusals->count; i++)
		count += refusals->list[i].actor.uid == uid;
	return count;
}

/* Further ones in a row that is there already.  False: there is none. */
static bool
count_alike(struct keeper_refusals *refusals, int64_t uid, const char *method,
    const char *error)
{
	struct keeper_refusals_entry *entry =
	    find_alike(refusals, uid, method, error);

	if (entry == NULL)
		return false;
	entry->count++;
	return true;
}

struct keeper_refusals_entry *
keeper_refusals_add(struct keeper_refusals *refusals, int64_t now,
    const struct store_actor *actor, const char *method, const char *error)
{
	bool own = true;
	struct keeper_refusals_entry *entry;

	if (count_alike(refusals, actor->uid, method, error))
		return NULL;
	if (count_of(refusals, actor->uid) >= REFUSALS_OF_UID) {
		own = false;
		method = error = "";
		if (count_alike(refusals, actor->uid, method, error))
			return NULL;
	}
	if (refusals->count == REFUSALS_MAX) {
		if (refusals->others++ == 0)
			refusals->others_at = now;
		return NULL;
	}
	entry = &refusals->list[refusals->count++];
	*entry = (struct keeper_refusals_entry){
	    .at = now,
	    .actor = *actor,
	    .error = error,
	    .count = 1,
	};
	snprintf(entry->method, sizeof(entry->method), "%s", method);
	return own ? entry : NULL;
}

/* ---- writing ---- */

static const char *
text_or_null(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

static const char others_cause[] =
    "more different calls were refused at the same time than get a row each";

static struct store_refusal
keeper_row_of(const struct keeper_refusals_entry *entry)
{
	bool denied = keeper_refusals_is_denied(entry->error);
	bool mixed = entry->error[0] == '\0';

	return (struct store_refusal){
	    .at = entry->at,
	    .actor = entry->actor,
	    .event = denied ? "denied" : "refused",
	    .cause = mixed    ? others_cause
		     : denied ? "the caller may not do that"
			      : "the call was answered with an error",
	    .method = text_or_null(entry->method),
	    .outcome = text_or_null(entry->error),
	    .key_set = text_or_null(entry->key_set),
	    .generation = entry->generation,
	    .kid = text_or_null(entry->kid),
	    .request_id = text_or_null(entry->request_id),
	    .reason = text_or_null(entry->reason),
	    .count = entry->count,
	};
}

size_t
keeper_refusals_rows(const struct keeper_refusals *refusals,
    struct store_refusal ret_rows[REFUSALS_MAX + 1])
{
	size_t count = refusals->count;

	for (size_t i = 0; i < count; i++)
		ret_rows[i] = keeper_row_of(&refusals->list[i]);
	if (refusals->others > 0) {
		ret_rows[count] = (struct store_refusal){
		    .at = refusals->others_at,
		    .actor = {-1, -1, -1},
		    .event = "refused",
		    .cause = others_cause,
		    .count = refusals->others,
		};
		count++;
	}
	return count;
}

void
keeper_refusals_clear(struct keeper_refusals *refusals)
{
	refusals->count = 0;
	refusals->others = 0;
}

enum jw_err
keeper_audit_refusals(
    struct keeper *keeper, const struct store_refusal *rows, size_t count)
{
	enum jw_err err;

	if (keeper->store == NULL || keeper->misplaced ||
	    store_in_doubt(keeper->store))
		return JW_STORE_FAILED;
	/* Scarce room is kept for commits that change something. */
	if (keeper_is_full(keeper) || keeper->room.level != ROOM_FINE)
		return JW_NO_SPACE;
	err = store_audit_refusals(keeper->store, rows, count);
	if (err == JW_OK || err == JW_NO_SPACE)
		return err;
	return keeper_commit_failed(keeper, "refused calls", err);
}
