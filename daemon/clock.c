/*
 * The clock guard, and the one place of the keeper that reads a clock.  A
 * jump must never by itself make a key ready, promote or remove one.
 */
#include "daemon/clock.h"

#include <stdlib.h>
#include <time.h>

void
clock_accept(struct clock_guard *guard, int64_t wall, int64_t boot)
{
	guard->started = true;
	guard->trusted = true;
	guard->offset = wall - boot;
	guard->stable_since = boot;
}

bool
clock_check(struct clock_guard *guard, int64_t wall, int64_t boot)
{
	int64_t offset = wall - boot;

	if (!guard->started) {
		clock_accept(guard, wall, boot);
		return true;
	}
	if (llabs(offset - guard->offset) > CLOCK_JUMP) {
		guard->trusted = false;
		guard->offset = offset;
		guard->stable_since = boot;
	} else if (!guard->trusted &&
		   boot - guard->stable_since >= CLOCK_STABLE_FOR) {
		clock_accept(guard, wall, boot);
	} else if (guard->trusted) {
		/* Follow drift, or it would add up to a jump in years. */
		guard->offset = offset;
	}
	return guard->trusted;
}

static int64_t
seconds(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec;
}

int64_t
clock_wall(void)
{
	int64_t now = seconds(CLOCK_REALTIME);

	return now < 1 ? 1 : now;
}

int64_t
clock_boot(void)
{
	return seconds(CLOCK_BOOTTIME);
}
