/*
 * A priority queue of deadlines, which are embedded in their owners.  A change
 * costs the logarithm of their number.
 */
#ifndef JWKSD_COMMON_BASE_DEADLINE_HEAP_H
#define JWKSD_COMMON_BASE_DEADLINE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct jw_deadline {
	int64_t due;
	size_t place; /* 1-based; 0: not in the heap */
};

struct jw_deadlines {
	struct jw_deadline **items;
	size_t count;
	size_t room;
};

void jw_deadlines_done(struct jw_deadlines *heap);

/* Put an item in, or move it, to `due`.  Without memory the process ends
 * (memory.h). */
void jw_deadlines_set(
    struct jw_deadlines *heap, struct jw_deadline *item, int64_t due);
/* Take it out; nothing if it is not in. */
void jw_deadlines_remove(struct jw_deadlines *heap, struct jw_deadline *item);
/* The earliest; NULL when empty. */
struct jw_deadline *jw_deadlines_first(const struct jw_deadlines *heap);

#endif
