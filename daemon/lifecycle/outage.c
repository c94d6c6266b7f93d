/*
 * Distinguishes an outage from a restart.  Must never count an outage as a
 * restart: in doubt keys wait longer than they have to, and no verifier rejects
 * a token.
 */
#include "daemon/lifecycle/outage.h"

#include <inttypes.h>
#include <stdio.h>

static bool
was_servable(const struct lc_outage *before, int64_t now, int64_t reported)
{
	/* No version was ever served: no verifier has an old copy. */
	if (before->since == 0)
		return true;
	if (reported == SERVABLE_REFUSED)
		return false;
	if (reported != 0 && reported <= before->until)
		return true;
	/* Rounded up: the end may have come early in its second, and the next
	 * begin late. */
	return before->clean && before->listening && now >= before->until &&
	       (reported != 0 ? reported : now) - before->until + 1 <=
		   SERVABLE_GRACE;
}

int64_t
lc_outage_begin(struct lc_outage *servable, int64_t now, int64_t reported)
{
	bool outage = !was_servable(servable, now, reported);
	int64_t began = reported > 0 && reported < now ? reported : now;
	int64_t resumed = began + 1; /* the next whole second */

	if (outage)
		servable->since = resumed;
	else if (servable->since == 0)
		servable->since = now;
	servable->until = now;
	servable->serving = true;
	servable->clean = false;
	servable->listening = false;
	return outage ? resumed : 0;
}

void
lc_outage_end(struct lc_outage *servable, int64_t now, bool listening)
{
	if (!servable->serving)
		return;
	servable->serving = false;
	servable->until = now;
	servable->clean = true;
	servable->listening = listening;
}

void
lc_outage_format(const struct lc_outage *servable, char *ret_text)
{
	snprintf(ret_text, SERVABLE_TEXT_SIZE, "%" PRId64 " %" PRId64 " %d %d",
	    servable->since, servable->until, servable->clean,
	    servable->listening);
}

bool
lc_outage_parse(const char *text, struct lc_outage *ret_servable)
{
	struct lc_outage servable = {0};
	int clean, listening;

	if (sscanf(text, "%" SCNd64 " %" SCNd64 " %d %d", &servable.since,
		&servable.until, &clean, &listening) != 4 ||
	    servable.since < 0 || servable.until < servable.since - 1)
		return false;
	servable.clean = clean != 0;
	servable.listening = listening != 0;
	*ret_servable = servable;
	return true;
}
