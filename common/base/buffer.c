/*
 * A queue of octets in one piece of memory.  Must never move more octets than
 * are put in: a client that sends single octets must not cost a copy for each.
 */
#include "common/base/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 1024 };

char *
jw_buffer_room(struct jw_buffer *octets, size_t n)
{
	size_t need = octets->len + n, room = octets->room * 2;
	char *data;

	if (octets->room - octets->start >= need)
		return octets->data + octets->start + octets->len;
	if (octets->room >= need && octets->start >= octets->len) {
		memcpy(octets->data, octets->data + octets->start, octets->len);
		octets->start = 0;
		return octets->data + octets->len;
	}
	if (room < need)
		room = need < ROOM_MIN ? ROOM_MIN : need;
	data = malloc(room);
	if (data == NULL)
		return NULL;
	if (octets->len > 0)
		memcpy(data, octets->data + octets->start, octets->len);
	free(octets->data);
	octets->data = data;
	octets->start = 0;
	octets->room = room;
	return data + octets->len;
}

void
jw_buffer_put(struct jw_buffer *octets, size_t n)
{
	octets->len += n;
}

bool
jw_buffer_add(struct jw_buffer *octets, const void *data, size_t n)
{
	char *at = jw_buffer_room(octets, n);

	if (at == NULL)
		return false;
	memcpy(at, data, n);
	octets->len += n;
	return true;
}

void
jw_buffer_take(struct jw_buffer *octets, size_t n)
{
	octets->len -= n;
	octets->start = octets->len == 0 ? 0 : octets->start + n;
}

void
jw_buffer_free(struct jw_buffer *octets)
{
	free(octets->data);
	*octets = (struct jw_buffer){NULL, 0, 0, 0};
}
