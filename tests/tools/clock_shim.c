/*
 * LD_PRELOAD for tests: sets the clocks of one process.  The file that
 * JWKSD_TEST_CLOCK names holds three int64_t, seconds to add to the wall
 * clock, to CLOCK_BOOTTIME and to CLOCK_MONOTONIC; it may change at any time.
 * The first alone is a jump, the first two are a suspend of the machine, all
 * three are time that passes.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct offsets {
	int64_t wall;
	int64_t boot;
	int64_t monotonic;
};

static const volatile struct offsets *offsets;

__attribute__((constructor)) static void
map_offsets(void)
{
	const char *path = getenv("JWKSD_TEST_CLOCK");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *map = MAP_FAILED;

	if (fd >= 0)
		map =
		    mmap(NULL, sizeof(*offsets), PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	close(fd);
	offsets = map;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	long rc = syscall(SYS_clock_gettime, id, ts);

	if (rc != 0 || offsets == NULL)
		return (int)rc;
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		ts->tv_sec += offsets->wall;
	else if (id == CLOCK_BOOTTIME)
		ts->tv_sec += offsets->boot;
	else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
		ts->tv_sec += offsets->monotonic;
	return 0;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *ret)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (ret != NULL)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}
