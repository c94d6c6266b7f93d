/*
 * An integer as text, from its last digit on.  Must write the smallest one
 * as well, which has no opposite.
 */
#include "common/base/decimal.h"

#include <string.h>

size_t
jw_decimal(int64_t value, char *text)
{
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char digits[JW_DECIMAL_MAX];
	size_t at = sizeof(digits), len;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		digits[--at] = '-';
	len = sizeof(digits) - at;
	memcpy(text, digits + at, len);
	return len;
}
