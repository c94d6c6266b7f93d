/*
 * LD_PRELOAD for tests: records what a process does to its files, and what it
 * asks to be synced, so that a test can build the disk as a cut of the power
 * would leave it.
 *
 * Paths that begin with JWKSD_TEST_RECORD_ROOT are recorded in the file
 * JWKSD_TEST_RECORD_LOG: for each operation a struct entry, then `path_len`
 * octets of path, then `data_len` octets of data.  An operation and its entry
 * are one step for the other threads, and the entry is there before the
 * operation returns: what was acknowledged later was recorded earlier.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum op { CREATE = 1, WRITE, TRUNCATE, SYNC, UNLINK, RENAME, LINK, MKDIR };

struct entry {
	int64_t ns; /* CLOCK_MONOTONIC */
	uint64_t inode;
	int64_t offset; /* or the new length */
	uint32_t op, path_len, data_len, zero;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root;
static int log_fd = -1;

__attribute__((constructor)) static void
start(void)
{
	const char *path = getenv("JWKSD_TEST_RECORD_LOG");

	root = getenv("JWKSD_TEST_RECORD_ROOT");
	if (root == NULL || path == NULL)
		return;
	log_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	/* Far from the numbers that a daemon passes on. */
	log_fd = fcntl(log_fd, F_DUPFD_CLOEXEC, 200);
}

/* A sanitizer makes directories before its own mutexes work. */
static void
begin(void)
{
	if (log_fd >= 0)
		pthread_mutex_lock(&lock);
}

static void
end(void)
{
	if (log_fd >= 0)
		pthread_mutex_unlock(&lock);
}

static bool
is_ours(const char *path)
{
	return log_fd >= 0 && strncmp(path, root, strlen(root)) == 0;
}

static bool
path_of(int fd, char *path)
{
	char link_name[40];
	ssize_t len;

	if (log_fd < 0 || fd == log_fd)
		return false;
	snprintf(link_name, sizeof(link_name), "/proc/self/fd/%d", fd);
	/* NOLINTNEXTLINE(readability-suspicious-call-argument) */
	len = readlink(link_name, path, PATH_MAX - 1);
	if (len <= 0)
		return false;
	path[len] = '\0';
	return is_ours(path);
}

static void
note(enum op op, const char *path, uint64_t inode, int64_t offset,
    const void *data, size_t len)
{
	struct entry entry = {.op = (uint32_t)op,
	    .inode = inode,
	    .offset = offset,
	    .path_len = (uint32_t)strlen(path),
	    .data_len = (uint32_t)len};
	struct timespec now;
	struct iovec parts[3] = {{&entry, sizeof(entry)},
	    {(void *)(uintptr_t)path, entry.path_len},
	    {(void *)(uintptr_t)data, len}};
	int error = errno;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	entry.ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	if (syscall(SYS_writev, log_fd, parts, 3) < 0)
		abort();
	errno = error;
}

static uint64_t
inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* ---- files ---- */

static int
do_open(int at, const char *path, int flags, mode_t mode)
{
	char full[PATH_MAX];
	bool creates = (flags & O_CREAT) != 0, existed = false;
	int fd;

	begin();
	if (creates)
		existed = faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	fd = (int)syscall(SYS_openat, at, path, flags, mode);
	if (fd >= 0 && path_of(fd, full)) {
		if (creates && !existed)
			note(CREATE, full, inode_of(fd), 0, NULL, 0);
		if ((flags & O_TRUNC) != 0)
			note(TRUNCATE, full, inode_of(fd), 0, NULL, 0);
	}
	end();
	return fd;
}

#define MODE(flags, mode)                             \
	if (((flags) & (O_CREAT | O_TMPFILE)) != 0) { \
		va_list args;                         \
		va_start(args, flags);                \
		(mode) = va_arg(args, mode_t);        \
		va_end(args);                         \
	}

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE(flags, mode)
	return do_open(AT_FDCWD, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE(flags, mode)
	return do_open(AT_FDCWD, path, flags, mode);
}

int
openat(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE(flags, mode)
	return do_open(at, path, flags, mode);
}

int
openat64(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE(flags, mode)
	return do_open(at, path, flags, mode);
}

int
mkostemp(char *path, int flags)
{
	int (*real)(char *, int);
	int fd;

	*(void **)&real = dlsym(RTLD_NEXT, "mkostemp");
	begin();
	fd = real(path, flags);
	if (fd >= 0 && is_ours(path))
		note(CREATE, path, inode_of(fd), 0, NULL, 0);
	end();
	return fd;
}

static ssize_t
do_write(int fd, const void *data, size_t len, int64_t offset)
{
	char path[PATH_MAX];
	ssize_t done;

	if (!path_of(fd, path))
		return offset < 0
			   ? syscall(SYS_write, fd, data, len)
			   : syscall(SYS_pwrite64, fd, data, len, offset);
	begin();
	if (offset < 0) {
		done = syscall(SYS_write, fd, data, len);
		offset = lseek(fd, 0, SEEK_CUR) - (done > 0 ? done : 0);
	} else {
		done = syscall(SYS_pwrite64, fd, data, len, offset);
	}
	if (done > 0)
		note(WRITE, path, inode_of(fd), offset, data, (size_t)done);
	end();
	return done;
}

ssize_t
write(int fd, const void *data, size_t len)
{
	return do_write(fd, data, len, -1);
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t offset)
{
	return do_write(fd, data, len, offset);
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
	return do_write(fd, data, len, offset);
}

static int
do_truncate(int fd, int64_t len)
{
	char path[PATH_MAX];
	int rc;

	begin();
	rc = (int)syscall(SYS_ftruncate, fd, len);
	if (rc == 0 && path_of(fd, path))
		note(TRUNCATE, path, inode_of(fd), len, NULL, 0);
	end();
	return rc;
}

int
ftruncate(int fd, off_t len)
{
	return do_truncate(fd, len);
}

int
ftruncate64(int fd, off64_t len)
{
	return do_truncate(fd, len);
}

/* What the test builds is as if the disk were slow: nothing is synced. */
static int
do_sync(int fd, long number)
{
	char path[PATH_MAX];
	int rc = 0;

	if (!path_of(fd, path))
		return (int)syscall(number, fd);
	begin();
	note(SYNC, path, inode_of(fd), 0, NULL, 0);
	end();
	return rc;
}

int
fsync(int fd)
{
	return do_sync(fd, SYS_fsync);
}

int
fdatasync(int fd)
{
	return do_sync(fd, SYS_fdatasync);
}

/* ---- names ---- */

static int
do_unlink(int at, const char *path, int flags)
{
	int rc;

	begin();
	rc = (int)syscall(SYS_unlinkat, at, path, flags);
	if (rc == 0 && is_ours(path))
		note(UNLINK, path, 0, 0, NULL, 0);
	end();
	return rc;
}

int
unlink(const char *path)
{
	return do_unlink(AT_FDCWD, path, 0);
}

int
unlinkat(int at, const char *path, int flags)
{
	return do_unlink(at, path, flags);
}

int
rename(const char *from, const char *to)
{
	int rc;

	begin();
	rc = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
	if (rc == 0 && is_ours(to))
		note(RENAME, from, 0, 0, to, strlen(to));
	end();
	return rc;
}

int
link(const char *from, const char *to)
{
	int rc;

	begin();
	rc = (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
	if (rc == 0 && is_ours(to))
		note(LINK, from, 0, 0, to, strlen(to));
	end();
	return rc;
}

int
mkdir(const char *path, mode_t mode)
{
	int rc;

	begin();
	rc = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
	if (rc == 0 && is_ours(path))
		note(MKDIR, path, 0, 0, NULL, 0);
	end();
	return rc;
}
