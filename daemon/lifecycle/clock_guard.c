/*
 * The guard of the wall clock.  A jump must never by itself make a key ready,
 * promote or remove one.
 */
#include "daemon/lifecycle/clock_guard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"

static void
lc_look(struct lc_clock_guard *guard, bool trusted, int64_t wall, int64_t boot)
{
	guard->started = true;
	guard->trusted = trusted;
	guard->offset = wall - boot;
	guard->since = boot;
}

/*
 * Follow honest drift, and nothing that is faster: a clock that is moved in
 * many small steps leaves the trusted offset behind.
 */
static void
follow_drift(struct lc_clock_guard *guard, int64_t offset, int64_t boot)
{
	int64_t away = offset - guard->offset;
	int64_t most = (boot - guard->since) / CLOCK_DRIFT;

	if (away == 0) {
		guard->since = boot;
		return;
	}
	if (most <= 0)
		return;
	if (llabs(away) <= most) {
		guard->offset = offset;
		guard->since = boot;
		return;
	}
	guard->offset += away > 0 ? most : -most;
	guard->since += most * CLOCK_DRIFT;
}

void
lc_clock_accept(struct lc_clock_guard *guard, int64_t wall, int64_t boot)
{
	lc_look(guard, true, wall, boot);
}

void
lc_clock_doubt(struct lc_clock_guard *guard, int64_t wall, int64_t boot)
{
	lc_look(guard, false, wall, boot);
	guard->doubted = true;
}

bool
lc_clock_check(struct lc_clock_guard *guard, int64_t wall, int64_t boot)
{
	int64_t offset = wall - boot;

	if (!guard->started)
		lc_look(guard, !guard->doubted, wall, boot);
	else if (guard->trusted)
		follow_drift(guard, offset, boot);
	if (llabs(offset - guard->offset) > CLOCK_JUMP)
		lc_clock_doubt(guard, wall, boot);
	else if (!guard->trusted && boot - guard->since >= CLOCK_STABLE_FOR)
		lc_clock_accept(guard, wall, boot);
	return guard->trusted;
}

bool
lc_clock_format(
    const struct lc_clock_guard *guard, const char *boot_id, char *ret_text)
{
	if (*boot_id == '\0')
		return false;
	snprintf(ret_text, CLOCK_TEXT_SIZE, "%s %" PRId64 " %d %d %" PRId64,
	    boot_id, guard->offset, guard->trusted, guard->doubted,
	    guard->since);
	return true;
}

bool
lc_clock_parse(
    struct lc_clock_guard *guard, const char *boot_id, const char *text)
{
	char known[JW_BOOT_ID_SIZE];
	int64_t offset, since;
	int trusted, doubted;

	if (*boot_id == '\0' ||
	    sscanf(text, "%36s %" SCNd64 " %d %d %" SCNd64, known, &offset,
		&trusted, &doubted, &since) != 5)
		return false;
	guard->doubted = doubted != 0;
	if (strcmp(boot_id, known) != 0)
		return false;
	guard->started = true;
	guard->trusted = trusted != 0;
	guard->offset = offset;
	guard->since = since;
	return true;
}
