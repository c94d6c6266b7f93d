/*
 * Ends a process that is out of memory, and allocators that do so.  Must then
 * not allocate, nor take a lock that another thread may hold.
 */
#include "common/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"

void
jw_out_of_memory(size_t size)
{
	static const char ending[] =
	    "this process ends, so that no answer is less than the truth";

	if (size == 0)
		jw_log(JW_LOG_ERROR, "out of memory: %s", ending);
	else
		jw_log(JW_LOG_ERROR,
		    "out of memory (%zu octets were asked for): %s", size,
		    ending);
	_exit(jw_err_exit(JW_NO_MEMORY));
}

void *
jw_alloc(size_t size)
{
	void *memory = malloc(size);

	if (memory == NULL && size > 0)
		jw_out_of_memory(size);
	return memory;
}

void *
jw_realloc(void *old, size_t size)
{
	void *memory = realloc(old, size);

	if (memory == NULL && size > 0)
		jw_out_of_memory(size);
	return memory;
}

void *
jw_zalloc(size_t size)
{
	return memset(jw_alloc(size), 0, size);
}

char *
jw_strdup(const char *s)
{
	size_t size = s == NULL ? 0 : strlen(s) + 1;

	return s == NULL ? NULL : memcpy(jw_alloc(size), s, size);
}

char *
jw_asprintf(const char *fmt, ...)
{
	char *text;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		jw_out_of_memory(strlen(fmt));
	return text;
}
