/*
 * What is due when: a priority queue of items embedded in their owners.
 * Costs grow with what changes, not with what exists.
 */
#ifndef JWKSD_COMMON_BASE_DEADLINE_HEAP_H
#define JWKSD_COMMON_BASE_DEADLINE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct agenda_item {
	int64_t due;
	size_t place; /* 1-based; 0: not in the agenda */
};

struct agenda {
	struct agenda_item **items;
	size_t count;
	size_t room;
};

void agenda_done(struct agenda *agenda);

/* Put an item in, or move it, to `due`.  Without memory the process ends
 * (memory.h). */
void agenda_set(struct agenda *agenda, struct agenda_item *item, int64_t due);
/* Take it out; nothing if it is not in. */
void agenda_remove(struct agenda *agenda, struct agenda_item *item);
/* The earliest; NULL when empty. */
struct agenda_item *agenda_first(const struct agenda *agenda);

#endif
