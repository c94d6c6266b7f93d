/*
 * `servingSince` in memory that a front's processes share.
 *
 * Must never hold a lock: a worker may be killed between any two lines.  Only
 * the master reports the end of a worker.
 */
#include "daemon/http/uptime.h"

#include <stdatomic.h>
#include <sys/mman.h>

struct http_uptime {
	_Atomic int64_t since;
	_Atomic int64_t lost_ms; /* nobody serves since then; 0: somebody */
	_Atomic bool elsewhere;  /* an earlier front serves on until we do */
	_Atomic bool refused;
	_Atomic bool up[SERVING_SLOTS];
};

struct http_uptime *
http_uptime_new(bool replaces, int64_t inherited, int64_t now_ms)
{
	struct http_uptime *serving;

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
http_uptime_free(struct http_uptime *serving)
{
	if (serving != NULL)
		munmap(serving, sizeof(*serving));
}

static bool
gap_too_long(const struct http_uptime *serving, int64_t now_ms)
{
	int64_t lost = atomic_load(&serving->lost_ms);

	return lost != 0 && now_ms - lost > SERVING_GAP_MS;
}

void
http_uptime_begin(
    struct http_uptime *serving, size_t slot, int64_t wall, int64_t now_ms)
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
anybody_serves(const struct http_uptime *serving)
{
	for (size_t i = 0; i < SERVING_SLOTS; i++) {
		if (atomic_load(&serving->up[i]))
			return true;
	}
	return false;
}

void
http_uptime_end(struct http_uptime *serving, size_t slot, int64_t now_ms)
{
	if (atomic_exchange(&serving->up[slot], false) &&
	    !anybody_serves(serving))
		atomic_store(&serving->lost_ms, now_ms);
}

bool
http_uptime_elsewhere(const struct http_uptime *serving)
{
	return atomic_load(&serving->elsewhere);
}

int64_t
http_uptime_since(const struct http_uptime *serving, int64_t now_ms)
{
	if (gap_too_long(serving, now_ms))
		return 0;
	return atomic_load(&serving->since);
}

int64_t
http_uptime_patience(const struct http_uptime *serving, int64_t now_ms)
{
	int64_t lost = atomic_load(&serving->lost_ms);

	if (anybody_serves(serving))
		return SERVING_GAP_MS;
	if (lost == 0 || gap_too_long(serving, now_ms))
		return 0;
	return lost + SERVING_GAP_MS + 1 - now_ms;
}

void
http_uptime_refuse(struct http_uptime *serving)
{
	atomic_store(&serving->refused, true);
	atomic_store(&serving->since, 0);
}

bool
http_uptime_refused(const struct http_uptime *serving)
{
	return atomic_load(&serving->refused);
}
