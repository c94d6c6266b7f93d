/*
 * `servingSince` in memory that a front's processes share.
 *
 * Must never hold a lock: a worker may be killed between any two lines.  Only
 * the master reports the end of a worker.
 */
#include "daemon/http/uptime.h"

#include <stdatomic.h>
#include <sys/mman.h>

struct serving {
	_Atomic int64_t since;
	_Atomic int64_t lost_ms; /* nobody serves since then; 0: somebody */
	_Atomic bool elsewhere;  /* an earlier front serves on until we do */
	_Atomic bool refused;
	_Atomic bool up[SERVING_SLOTS];
};

struct serving *
serving_new(bool replaces, int64_t inherited, int64_t now_ms)
{
	struct serving *serving;

	serving = mmap(NULL, sizeof(*serving), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (serving == MAP_FAILED)
		return NULL;
	atomic_store(&serving->since, inherited);
	atomic_store(&serving->elsewhere, inherited != 0);
	if (replaces || inherited != 0)
		atomic_store(&serving->lost_ms, now_ms);
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
	int64_t none = 0;

	if (gap_too_long(serving, now_ms))
		atomic_store(&serving->since, 0);
	atomic_store(&serving->up[slot], true);
	atomic_store(&serving->lost_ms, 0);
	atomic_compare_exchange_strong(&serving->since, &none, wall);
	atomic_store(&serving->elsewhere, false);
	atomic_store(&serving->refused, false);
}

static bool
anybody_serves(const struct serving *serving)
{
	for (size_t i = 0; i < SERVING_SLOTS; i++) {
		if (atomic_load(&serving->up[i]))
			return true;
	}
	return false;
}

void
serving_end(struct serving *serving, size_t slot, int64_t now_ms)
{
	if (atomic_exchange(&serving->up[slot], false) &&
	    !anybody_serves(serving))
		atomic_store(&serving->lost_ms, now_ms);
}

bool
serving_elsewhere(const struct serving *serving)
{
	return atomic_load(&serving->elsewhere);
}

int64_t
serving_since(const struct serving *serving, int64_t now_ms)
{
	if (gap_too_long(serving, now_ms))
		return 0;
	return atomic_load(&serving->since);
}

int64_t
serving_patience(const struct serving *serving, int64_t now_ms)
{
	int64_t lost = atomic_load(&serving->lost_ms);

	if (anybody_serves(serving))
		return SERVING_GAP_MS;
	if (lost == 0 || gap_too_long(serving, now_ms))
		return 0;
	return lost + SERVING_GAP_MS + 1 - now_ms;
}

void
serving_refuse(struct serving *serving)
{
	atomic_store(&serving->refused, true);
	atomic_store(&serving->since, 0);
}

bool
serving_refused(const struct serving *serving)
{
	return atomic_load(&serving->refused);
}
