/*
 * Waits as libevent takes them.
 *
 * The members of a struct timeval are as wide as the libraries of a machine
 * were built with, 32 bits on some; a wait that does not fit becomes the
 * longest that does, and is not truncated to its low bits.
 */
#ifndef JWKSD_COMMON_BASE_TIMEVAL_H
#define JWKSD_COMMON_BASE_TIMEVAL_H

#include <sys/time.h>

#include <stdint.h>

/* Of so many milliseconds; none when negative, 68 years at most. */
struct timeval jw_timeval_ms(int64_t milliseconds);

#endif
