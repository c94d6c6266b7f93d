/*
 * A binary heap with back-pointers, so that an item can be moved where it
 * stands.  Owns the array, never the items.
 */
#include "common/base/deadline_heap.h"

#include <stdlib.h>

#include "common/base/memory.h"

void
jw_deadlines_done(struct jw_deadlines *agenda)
{
	free(agenda->items);
	agenda->items = NULL;
	agenda->count = agenda->room = 0;
}

static void
jw_put(struct jw_deadlines *agenda, size_t place, struct jw_deadline *item)
{
	agenda->items[place - 1] = item;
	item->place = place;
}

static void
sift_up(struct jw_deadlines *agenda, struct jw_deadline *item)
{
	size_t place = item->place;

	while (place > 1 && agenda->items[place / 2 - 1]->due > item->due) {
		jw_put(agenda, place, agenda->items[place / 2 - 1]);
		place /= 2;
	}
	jw_put(agenda, place, item);
}

static void
sift_down(struct jw_deadlines *agenda, struct jw_deadline *item)
{
	size_t place = item->place, child;

	while ((child = place * 2) <= agenda->count) {
		if (child < agenda->count &&
		    agenda->items[child]->due < agenda->items[child - 1]->due)
			child++;
		if (agenda->items[child - 1]->due >= item->due)
			break;
		jw_put(agenda, place, agenda->items[child - 1]);
		place = child;
	}
	jw_put(agenda, place, item);
}

void
jw_deadlines_set(
    struct jw_deadlines *agenda, struct jw_deadline *item, int64_t due)
{
	item->due = due;
	if (item->place == 0) {
		if (agenda->count == agenda->room) {
			size_t room = agenda->room == 0 ? 16 : agenda->room * 2;

			agenda->items = jw_realloc(
			    agenda->items, room * sizeof(*agenda->items));
			agenda->room = room;
		}
		jw_put(agenda, ++agenda->count, item);
	}
	sift_up(agenda, item);
	sift_down(agenda, item);
}

void
jw_deadlines_remove(struct jw_deadlines *agenda, struct jw_deadline *item)
{
	size_t place = item->place;
	struct jw_deadline *last;

	if (place == 0)
		return;
	last = agenda->items[--agenda->count];
	item->place = 0;
	if (last == item)
		return;
	jw_put(agenda, place, last);
	sift_up(agenda, last);
	sift_down(agenda, last);
}

struct jw_deadline *
jw_deadlines_first(const struct jw_deadlines *agenda)
{
	return agenda->count == 0 ? NULL : agenda->items[0];
}
