/*
 * ShowKey, and which key a name means.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/look_up.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/verbs.h"

enum { MATCHES_MAX = 8 };

/* Keys that a name might mean. */
struct matches {
	struct keeper *keeper;
	int64_t number; /* 0: any */
	struct verbs_found *found;
	struct varlink_rows kids;
};

static bool
match(int64_t set_id, const struct key *key, void *arg)
{
	struct matches *m = arg;

	if (m->number != 0 && m->number != key->facts.number)
		return true;
	if (m->kids.count == 0) {
		m->found->set = keeper_by_id(m->keeper, set_id);
		m->found->key = *key;
		m->found->key.jwk = jw_strdup(key->jwk);
		m->found->key.reason = jw_strdup(key->reason);
	}
	varlink_rows_add_string(&m->kids, "%s", key->kid);
	return m->kids.count < MATCHES_MAX;
}

/* "KEYSET#GENERATION" */
static enum jw_err
find_by_number(struct verbs *verbs, const char *name, const char *hash,
    struct matches *matches)
{
	char key_set[MODEL_NAME_SIZE];
	struct keeper_set *set;
	char *end;

	if (hash - name >= MODEL_NAME_SIZE)
		return JW_OK;
	snprintf(key_set, sizeof(key_set), "%.*s", (int)(hash - name), name);
	set = keeper_find(verbs->keeper, key_set);
	matches->number = strtoll(hash + 1, &end, 10);
	if (set == NULL || *end != '\0' || matches->number <= 0)
		return JW_OK;
	return keeper_each_key(
	    verbs->keeper, set->row.id, INT64_MAX, match, matches);
}

void
verbs_found_done(struct verbs_found *found)
{
	free(found->key.jwk);
	free(found->key.reason);
}

bool
verbs_find_key(struct serve_call *call, struct verbs *verbs, const char *name,
    struct verbs_found *ret_found)
{
	const char *hash = strrchr(name, '#');
	struct matches m = {.keeper = verbs->keeper, .found = ret_found};
	struct verbs_fault fault = {.key = name};
	enum jw_err err;

	memset(ret_found, 0, sizeof(*ret_found));
	if (hash != NULL)
		err = find_by_number(verbs, name, hash, &m);
	else
		err = keeper_find_kid(verbs->keeper, name, match, &m);
	if (err == JW_OK && m.kids.count == 1) {
		varlink_rows_done(&m.kids);
		return true;
	}
	verbs_found_done(ret_found);
	if (err != JW_OK) {
		varlink_rows_done(&m.kids);
		verbs_store_failed(call, verbs, err, NULL);
	} else if (m.kids.count == 0) {
		verbs_fail(call, JW_NO_SUCH_KEY, &fault);
	} else {
		fault.matches = m.kids;
		verbs_fail(call, JW_AMBIGUOUS_KEY, &fault);
	}
	return false;
}

void
verbs_show_key(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_look_request *asked = request;
	struct verbs_show_key_reply reply;
	struct verbs_found found;
	struct lc_set view = {.count = 0};

	if (!verbs_find_key(call, context, asked->key, &found))
		return;
	if (found.set != NULL)
		keeper_view(found.set, &view);
	reply.key = (struct verbs_key_row){
	    .key_set = found.set == NULL ? "(removed)" : found.set->row.name,
	    .key = &found.key,
	    .set = &view,
	    .with_jwk = true,
	};
	verbs_reply(call, &reply);
	verbs_found_done(&found);
}
