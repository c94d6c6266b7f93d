/*
 * A binary heap with back-pointers, so that an item can be moved where it
 * stands.  Owns the array, never the items.
 */
#include "common/base/deadline_heap.h"

#include <stdlib.h>

#include "common/base/memory.h"

void
agenda_done(struct agenda *agenda)
{
	free(agenda->items);
	agenda->items = NULL;
	agenda->count = agenda->room = 0;
}

static void
put(struct agenda *agenda, size_t place, struct agenda_item *item)
{
	agenda->items[place - 1] = item;
	item->place = place;
}

static void
sift_up(struct agenda *agenda, struct agenda_item *item)
{
	size_t place = item->place;

	while (place > 1 && agenda->items[place / 2 - 1]->due > item->due) {
		put(agenda, place, agenda->items[place / 2 - 1]);
		place /= 2;
	}
	put(agenda, place, item);
}

static void
sift_down(struct agenda *agenda, struct agenda_item *item)
{
	size_t place = item->place, child;

	while ((child = place * 2) <= agenda->count) {
		if (child < agenda->count &&
		    agenda->items[child]->due < agenda->items[child - 1]->due)
			child++;
		if (agenda->items[child - 1]->due >= item->due)
			break;
		put(agenda, place, agenda->items[child - 1]);
		place = child;
	}
	put(agenda, place, item);
}

void
agenda_set(struct agenda *agenda, struct agenda_item *item, int64_t due)
{
	item->due = due;
	if (item->place == 0) {
		if (agenda->count == agenda->room) {
			size_t room = agenda->room == 0 ? 16 : agenda->room * 2;

			agenda->items = memory_more(
			    agenda->items, room * sizeof(*agenda->items));
			agenda->room = room;
		}
		put(agenda, ++agenda->count, item);
	}
	sift_up(agenda, item);
	sift_down(agenda, item);
}

void
agenda_remove(struct agenda *agenda, struct agenda_item *item)
{
	size_t place = item->place;
	struct agenda_item *last;

	if (place == 0)
		return;
	last = agenda->items[--agenda->count];
	item->place = 0;
	if (last == item)
		return;
	put(agenda, place, last);
	sift_up(agenda, last);
	sift_down(agenda, last);
}

struct agenda_item *
agenda_first(const struct agenda *agenda)
{
	return agenda->count == 0 ? NULL : agenda->items[0];
}
