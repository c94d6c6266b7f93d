/*
 * Integers in decimal, where printf() would be most of the work.
 */
#ifndef JWKSD_COMMON_BASE_DECIMAL_H
#define JWKSD_COMMON_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

enum { JW_DECIMAL_MAX = 20 }; /* octets of the longest, without a NUL */

/* As PRId64 writes it, without a NUL; how many octets it takes. */
size_t jw_decimal(int64_t value, char *text);

#endif
