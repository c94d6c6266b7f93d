/*
 * `servingSince` in memory that a front's processes share.
 *
 * Must never hold a lock: a worker may be killed between any two lines.  Only
 * the master reports the end of a worker.
 */
#include "daemon/http/serving.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

struct serving {
	_Atomic int64_t since;
	_Atomic int64_t lost_ms; /* nobody serves since then; 0: somebody */
	_Atomic int64_t inherited;
	_Atomic bool up[SERVING_SLOTS];
};

struct serving *
serving_new(int64_t inherited)
{
	struct serving *serving;

	serving = mmap(NULL, sizeof(*serving), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (serving == MAP_FAILED)
		return NULL;
	atomic_store(&serving->inherited, inherited);
	return serving;
}

void
serving_free(struct serving *serving)
{
	if (serving != NULL)
		munmap(serving, sizeof(*serving));
}

static bool
gap_too_long(const struct serving *serving, int64_t now_ms)
{
	int64_t lost = atomic_load(&serving->lost_ms);

	return lost != 0 && now_ms - lost > SERVING_GAP_MS;
}

void
serving_begin(
    struct serving *serving, size_t slot, int64_t wall, int64_t now_ms)
{
	int64_t none = 0, first;

	if (gap_too_long(serving, now_ms))
		atomic_store(&serving->since, 0);
	atomic_store(&serving->up[slot], true);
	atomic_store(&serving->lost_ms, 0);
	first = atomic_exchange(&serving->inherited, 0);
	if (first == 0)
		first = wall;
	atomic_compare_exchange_strong(&serving->since, &none, first);
}

void
serving_end(struct serving *serving, size_t slot, int64_t now_ms)
{
	size_t i;

	if (!atomic_exchange(&serving->up[slot], false))
		return;
	for (i = 0; i < SERVING_SLOTS; i++) {
		if (atomic_load(&serving->up[i]))
			return;
	}
	atomic_store(&serving->lost_ms, now_ms);
}

bool
serving_elsewhere(const struct serving *serving)
{
	return atomic_load(&serving->inherited) != 0;
}

int64_t
serving_since(const struct serving *serving, int64_t now_ms)
{
	if (gap_too_long(serving, now_ms))
		return 0;
	return atomic_load(&serving->since);
}
