/*
 * The clocks as the front asks for them.
 *
 * Must never be called by a pure module: those take `now`.
 */
#include "daemon/http/clock.h"

#include "common/base/clock.h"

int64_t
http_clock_ms(void)
{
	return jw_clock_monotonic_ms();
}

int64_t
http_clock_wall(void)
{
	return jw_clock_wall_s();
}
