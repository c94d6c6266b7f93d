/*
 * `servingSince` in memory that a front's processes share.
 *
 * Must never hold a lock: a worker may be killed between any two lines.  Only
 * the supervisor reports the end of a worker.
 */
#include "daemon/http/uptime.h"

#include <assert.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "common/base/memory.h"

struct http_uptime {
	_Atomic int64_t since;
	_Atomic int64_t lost_ms; /* no worker serves since then; 0: one does */
	_Atomic bool refused;
	_Atomic bool up[UPTIME_SLOTS];
};

struct http_uptime *
http_uptime_new(bool replaces, int64_t now_ms)
{
	struct http_uptime *uptime;

	uptime = mmap(NULL, sizeof(*uptime), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (uptime == MAP_FAILED)
		jw_out_of_memory(sizeof(*uptime));
	if (replaces)
		atomic_store(&uptime->lost_ms, now_ms);
	return uptime;
}

void
http_uptime_free(struct http_uptime *uptime)
{
	if (uptime != NULL)
		munmap(uptime, sizeof(*uptime));
}

static bool
gap_too_long(const struct http_uptime *uptime, int64_t now_ms)
{
	int64_t lost = atomic_load(&uptime->lost_ms);

	return lost != 0 && now_ms - lost > UPTIME_GAP_MS;
}

void
http_uptime_begin(
    struct http_uptime *uptime, size_t slot, int64_t wall, int64_t now_ms)
{
	int64_t none = 0;

	assert(slot < UPTIME_SLOTS && !atomic_load(&uptime->up[slot]));
	if (gap_too_long(uptime, now_ms))
		atomic_store(&uptime->since, 0);
	atomic_store(&uptime->up[slot], true);
	atomic_store(&uptime->lost_ms, 0);
	atomic_compare_exchange_strong(&uptime->since, &none, wall);
	atomic_store(&uptime->refused, false);
}

static bool
any_serves(const struct http_uptime *uptime)
{
	for (size_t i = 0; i < UPTIME_SLOTS; i++) {
		if (atomic_load(&uptime->up[i]))
			return true;
	}
	return false;
}

void
http_uptime_end(struct http_uptime *uptime, size_t slot, int64_t now_ms)
{
	if (atomic_exchange(&uptime->up[slot], false) && !any_serves(uptime))
		atomic_store(&uptime->lost_ms, now_ms);
}

int64_t
http_uptime_since(const struct http_uptime *uptime, int64_t now_ms)
{
	if (gap_too_long(uptime, now_ms))
		return 0;
	return atomic_load(&uptime->since);
}

int64_t
http_uptime_patience(const struct http_uptime *uptime, int64_t now_ms)
{
	int64_t lost = atomic_load(&uptime->lost_ms);

	if (any_serves(uptime))
		return UPTIME_GAP_MS;
	if (lost == 0 || gap_too_long(uptime, now_ms))
		return 0;
	return lost + UPTIME_GAP_MS + 1 - now_ms;
}

void
http_uptime_refuse(struct http_uptime *uptime)
{
	atomic_store(&uptime->refused, true);
	atomic_store(&uptime->since, 0);
}

bool
http_uptime_refused(const struct http_uptime *uptime)
{
	return atomic_load(&uptime->refused);
}
