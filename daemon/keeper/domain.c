/*
 * One line in the store: the domain that is in force, and since when.  Must
 * never stop a key set from signing: copies of another key set are reported, no
 * more.
 */
#include "daemon/keeper/domain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "daemon/document/jwks.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/operator_order.h"

enum { LINE_SIZE = 320 }; /* a domain has 253 characters at most */

static const char name[] = "domain";
static const char catch_all[] = "default";

/* The key set that answered at the URL before; NULL: none, or it is the
 * same. */
static const struct keeper_set *
answered_before(const struct keeper *keeper, const char *key_set)
{
	char app[MODEL_NAME_SIZE], path[MODEL_NAME_SIZE];
	char other[sizeof(catch_all) + MODEL_NAME_SIZE];

	document_location(key_set, app, path);
	if (strcmp(app, catch_all) == 0)
		return NULL;
	snprintf(
	    other, sizeof(other), "%s%s", catch_all, key_set + strlen(app));
	return keeper_find(keeper, other);
}

static bool
expose(const struct keeper *keeper, const char *key_set, int64_t since,
    int64_t now, struct lc_exposure *ret_exposure)
{
	const struct keeper_set *before = answered_before(keeper, key_set);
	struct lc_set view;

	if (since == 0 || before == NULL || before->row.facts.version == 0)
		return false;
	keeper_view(before, &view);
	memset(ret_exposure, 0, sizeof(*ret_exposure));
	lc_expose_copies(&view, since, ret_exposure);
	return ret_exposure->until > now;
}

bool
keeper_expose_url(const struct keeper *keeper, const char *key_set, int64_t now,
    struct lc_exposure *ret_exposure)
{
	return expose(keeper, key_set, keeper->domain_since, now, ret_exposure);
}

static bool
expose_all(const struct keeper *keeper, int64_t since, int64_t now,
    struct lc_exposure *ret_exposure)
{
	struct lc_exposure one;
	bool any = false;

	for (size_t i = 0; i < keeper->nsets; i++) {
		if (!expose(
			keeper, keeper->sets[i]->row.name, since, now, &one))
			continue;
		if (!any || one.until > ret_exposure->until)
			*ret_exposure = one;
		any = true;
	}
	return any;
}

bool
keeper_expose_domain(
    const struct keeper *keeper, int64_t now, struct lc_exposure *ret_exposure)
{
	return expose_all(keeper, now + 1, now, ret_exposure);
}

bool
keeper_expose_urls(
    const struct keeper *keeper, int64_t now, struct lc_exposure *ret_exposure)
{
	return keeper_domain_is_new(keeper, now) &&
	       expose_all(keeper, keeper->domain_since, now, ret_exposure);
}

bool
keeper_domain_is_new(const struct keeper *keeper, int64_t now)
{
	return now < keeper->domain_until;
}

static void
keep(struct keeper *keeper, const char *domain)
{
	char line[LINE_SIZE];

	snprintf(
	    line, sizeof(line), "%" PRId64 " %s", keeper->domain_since, domain);
	if (store_meta_set(keeper->store, name, line) != JW_OK)
		jw_log(JW_LOG_ERROR, "%s is not kept: %s", name,
		    store_message(keeper->store));
}

/* Until no verifier has a copy: the latest end among all key sets that answered
 * before. */
static void
note_end(struct keeper *keeper)
{
	struct lc_exposure e;

	keeper->domain_until = 0;
	for (size_t i = 0; i < keeper->nsets && keeper->domain_since != 0;
	     i++) {
		struct lc_set view;

		keeper_view(keeper->sets[i], &view);
		memset(&e, 0, sizeof(e));
		lc_expose_copies(&view, keeper->domain_since, &e);
		if (e.until > keeper->domain_until)
			keeper->domain_until = e.until;
	}
}

void
keeper_note_domain(struct keeper *keeper, const char *domain)
{
	const char *is = domain == NULL ? "" : domain;
	char *line = NULL, *was = NULL;
	int64_t since = 0;
	enum jw_err err = store_meta_get(keeper->store, name, &line);

	if (err == JW_OK) {
		since = strtoll(line, &was, 10);
		was += *was == ' ';
	}
	keeper->domain_since = since;
	if (was != NULL && strcmp(was, is) != 0)
		keeper->domain_since =
		    domain == NULL ? 0 : keeper_now(keeper) + 1;
	if (was == NULL || strcmp(was, is) != 0)
		keep(keeper, is);
	note_end(keeper);
	free(line);
}
