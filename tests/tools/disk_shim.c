/*
 * LD_PRELOAD for tests: a disk that fails.  The file that JWKSD_TEST_DISK
 * names holds two int64_t for fsync() and fdatasync() and two for pwrite():
 * how many calls pass, and how many fail with EIO after those.  It may change
 * at any time, and counts down.  As on Linux, what a failed sync did not write
 * may still be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct faults {
	int64_t pass;
	int64_t fail;
};

static volatile struct faults *faults; /* of syncs, and of writes */

__attribute__((constructor)) static void
map_faults(void)
{
	const char *path = getenv("JWKSD_TEST_DISK");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *map = MAP_FAILED;

	if (fd >= 0)
		map = mmap(NULL, 2 * sizeof(*faults), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	close(fd);
	faults = map;
}

/* Only files count: of a directory, SQLite does not ask. */
static int
fails(volatile struct faults *kind, int fd)
{
	struct stat st;

	if (kind->fail <= 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	if (kind->pass > 0) {
		kind->pass--;
		return 0;
	}
	kind->fail--;
	errno = EIO;
	return 1;
}

int
fsync(int fd)
{
	return fails(&faults[0], fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return fails(&faults[0], fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	return fails(&faults[1], fd) ? -1
				     : syscall(SYS_pwrite64, fd, data, len, at);
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
	return pwrite64(fd, data, len, at);
}
