/*
 * The end of a process that is out of memory, and allocators that lead there.
 * Must not allocate on that way, nor take a lock that another thread may hold.
 */
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"

void
memory_lack(size_t size)
{
	jw_log(JW_LOG_ERROR,
	    "out of memory (%zu octets were asked for): this process ends, so "
	    "that no answer is less than the truth",
	    size);
	_exit(jw_err_exit(JW_NO_MEMORY));
}

void *
memory_get(size_t size)
{
	void *memory = malloc(size);

	if (memory == NULL && size > 0)
		memory_lack(size);
	return memory;
}

void *
memory_more(void *old, size_t size)
{
	void *memory = realloc(old, size);

	if (memory == NULL && size > 0)
		memory_lack(size);
	return memory;
}

char *
memory_copy(const char *s)
{
	size_t size = s == NULL ? 0 : strlen(s) + 1;

	return s == NULL ? NULL : memcpy(memory_get(size), s, size);
}
