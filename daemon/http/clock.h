/*
 * The one place of the front that reads a clock.
 */
#ifndef JWKSD_HTTP_CLOCK_H
#define JWKSD_HTTP_CLOCK_H

#include <stdint.h>

/* Milliseconds of a clock that only goes forward. */
int64_t http_clock_ms(void);
/* Seconds since the epoch. */
int64_t http_clock_wall(void);

#endif
