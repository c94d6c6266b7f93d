/*
 * A binary heap whose items know their places, so that an item can be moved
 * without a search.  Owns the array, never the items.
 */
#include "common/base/deadline_heap.h"

#include <stdlib.h>

#include "common/base/memory.h"

void
jw_deadlines_done(struct jw_deadlines *heap)
{
	free(heap->items);
	heap->items = NULL;
	heap->count = heap->room = 0;
}

static void
jw_put(struct jw_deadlines *heap, size_t place, struct jw_deadline *item)
{
	heap->items[place - 1] = item;
	item->place = place;
}

static void
sift_up(struct jw_deadlines *heap, struct jw_deadline *item)
{
	size_t place = item->place;

	while (place > 1 && heap->items[place / 2 - 1]->due > item->due) {
		jw_put(heap, place, heap->items[place / 2 - 1]);
		place /= 2;
	}
	jw_put(heap, place, item);
}

static void
sift_down(struct jw_deadlines *heap, struct jw_deadline *item)
{
	size_t place = item->place, child;

	while ((child = place * 2) <= heap->count) {
		if (child < heap->count &&
		    heap->items[child]->due < heap->items[child - 1]->due)
			child++;
		if (heap->items[child - 1]->due >= item->due)
			break;
		jw_put(heap, place, heap->items[child - 1]);
		place = child;
	}
	jw_put(heap, place, item);
}

void
jw_deadlines_set(
    struct jw_deadlines *heap, struct jw_deadline *item, int64_t due)
{
	item->due = due;
	if (item->place == 0) {
		if (heap->count == heap->room) {
			size_t room = heap->room == 0 ? 16 : heap->room * 2;

			heap->items = jw_realloc(
			    heap->items, room * sizeof(*heap->items));
			heap->room = room;
		}
		jw_put(heap, ++heap->count, item);
	}
	sift_up(heap, item);
	sift_down(heap, item);
}

void
jw_deadlines_remove(struct jw_deadlines *heap, struct jw_deadline *item)
{
	size_t place = item->place;
	struct jw_deadline *last;

	if (place == 0)
		return;
	last = heap->items[--heap->count];
	item->place = 0;
	if (last == item)
		return;
	jw_put(heap, place, last);
	sift_up(heap, last);
	sift_down(heap, last);
}

struct jw_deadline *
jw_deadlines_first(const struct jw_deadlines *heap)
{
	return heap->count == 0 ? NULL : heap->items[0];
}
