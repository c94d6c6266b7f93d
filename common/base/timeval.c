/*
 * Milliseconds as a struct timeval.  Must never lose a high bit.
 */
#include "common/base/timeval.h"

struct timeval
jw_timeval_ms(int64_t milliseconds)
{
	struct timeval wait = {0, 0};

	if (milliseconds / 1000 > INT32_MAX)
		milliseconds = INT32_MAX * INT64_C(1000);
	if (milliseconds > 0) {
		wait.tv_sec = milliseconds / 1000;
		wait.tv_usec = milliseconds % 1000 * 1000;
	}
	return wait;
}
