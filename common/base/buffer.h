/*
 * Byte buffers: octets are put in at the end and taken from the front, and are
 * contiguous in memory.  A buffer of zeroes is empty and owns nothing.
 */
#ifndef JWKSD_COMMON_BASE_BUFFER_H
#define JWKSD_COMMON_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* len octets from data + start.  May be read; is changed by these functions. */
struct jw_buffer {
	char *data;
	size_t start, len, room;
};

/* Where n further ones may be written, until the next call here; NULL: no
 * memory, and nothing has changed. */
char *jw_buffer_room(struct jw_buffer *octets, size_t n);
/* n of them have been written there. */
void jw_buffer_put(struct jw_buffer *octets, size_t n);
/* False: no memory, and nothing has changed. */
bool jw_buffer_add(struct jw_buffer *octets, const void *data, size_t n);
/* The first n, of at least as many, are not needed any more. */
void jw_buffer_take(struct jw_buffer *octets, size_t n);
/* Leaves an empty one. */
void jw_buffer_free(struct jw_buffer *octets);

#endif
