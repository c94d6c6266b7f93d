/*
 * Any text as a duration and as a moment: what is accepted lies in range and
 * comes back the same after it has been written.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_duration(const char *text)
{
	char buf[JW_DURATION_SIZE];
	struct jw_why why;
	int64_t seconds, back;

	if (jw_duration_parse(text, &seconds, &why) != JW_OK)
		return;
	if (seconds < 0 || seconds > INT64_C(3155760000) ||
	    jw_duration_parse(jw_duration_format(seconds, buf), &back, NULL) !=
		JW_OK ||
	    back != seconds) {
		abort();
	}
}

static void
try_time(const char *text)
{
	char buf[JW_TIME_SIZE];
	struct jw_why why;
	int64_t when, back;

	if (jw_time_parse(text, 1790000000, &when, &why) != JW_OK)
		return;
	if (when < 0 || when > INT64_C(253402300799) ||
	    jw_time_parse(jw_time_format(when, buf), 0, &back, NULL) != JW_OK ||
	    back != when) {
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	try_duration(text);
	try_time(text);
	free(text);
	return 0;
}
