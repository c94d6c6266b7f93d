/*
 * What several methods share.
 */
#include "daemon/verbs/verbs.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/serve/server.h"
#include "common/wire/varlink_service.h"
#include "daemon/keeper/keeper.h"
#include "daemon/settings/settings.h"
#include "daemon/verbs/methods.h"

void
verbs_reply(struct serve_call *call, const void *reply)
{
	serve_reply(call, varlink_encode(serve_verb(call)->reply, reply));
}

bool
verbs_continue(struct serve_call *call, const void *reply)
{
	return serve_continue(
	    call, varlink_encode(serve_verb(call)->reply, reply));
}

static void
pages_free(struct verbs_pages *pages)
{
	pages->free(pages->list);
	free(pages);
}

static void
on_closed(struct serve_call *call, void *arg)
{
	(void)call;
	pages_free(arg);
}

static void
send_page(struct serve_call *call, void *arg)
{
	struct verbs_pages *pages = arg;
	struct verbs_rows_reply page = {.rows = {NULL, 0}};
	bool in_pages = serve_wants_more(call), is_last = false;
	enum jw_err err =
	    pages->next(pages->list, in_pages, &page.rows, &is_last);

	if (err == JW_OK && !is_last && in_pages) {
		/* Sent only when drained: there is always room. */
		verbs_continue(call, &page);
		return;
	}
	if (err == JW_OK && is_last) {
		verbs_reply(call, &page);
	} else {
		varlink_rows_done(&page.rows);
		if (err == JW_OK)
			verbs_fail(call, JW_EXPECTED_MORE, NULL);
		else
			verbs_store_failed(call, pages->verbs, err, NULL);
	}
	pages_free(pages);
}

void
verbs_send_pages(struct serve_call *call, const struct verbs_pages *take_pages)
{
	struct verbs_pages *pages = jw_alloc(sizeof(*pages));

	*pages = *take_pages;
	if (serve_wants_more(call))
		serve_follow(call, on_closed, send_page, pages);
	send_page(call, pages);
}

const char *
verbs_domain(const struct verbs *verbs)
{
	return verbs->reload == NULL ? NULL : verbs->reload->config->domain;
}

struct keeper_set *
verbs_key_set(
    struct serve_call *call, const struct verbs *verbs, const char *name)
{
	const char *wanted = name == NULL ? "default" : name;
	struct keeper_set *set = keeper_find(verbs->keeper, wanted);

	if (set == NULL)
		verbs_fail(call, JW_NO_SUCH_KEY_SET,
		    &(struct verbs_fault){.key_set = wanted});
	return set;
}

bool
verbs_maybe_key_set(struct serve_call *call, const struct verbs *verbs,
    const char *name, struct keeper_set **ret_set)
{
	*ret_set = name == NULL ? NULL : verbs_key_set(call, verbs, name);
	return name == NULL || *ret_set != NULL;
}

const char *
verbs_kid(const struct keeper_set *set, int64_t number)
{
	for (size_t i = 0; set != NULL && i < set->row.nkeys; i++)
		if (set->row.keys[i].facts.number == number)
			return set->row.keys[i].kid;
	return NULL;
}

bool
verbs_time_ahead(struct serve_call *call, const struct verbs *verbs,
    const char *parameter, const struct varlink_maybe_int *time)
{
	if (!time->given || (time->value >= keeper_now(verbs->keeper) &&
				time->value <= VERBS_TIME_MAX))
		return true;
	verbs_invalid(call, parameter);
	return false;
}
