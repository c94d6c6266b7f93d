/*
 * The reserve of room.  Must never be a hole, nor octets that a file system
 * can compress: then it would hold nothing.
 */
#include "daemon/store/ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"

struct store_ballast {
	char *path;
	int64_t size;
};

enum { BLOCK = 4096 };

static int
ballast_open_file(const struct store_ballast *ballast, int flags)
{
	return open(ballast->path,
	    O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);
}

static bool
is_regular(int fd, struct stat *ret_st)
{
	if (fstat(fd, ret_st) != 0)
		return false;
	errno = S_ISREG(ret_st->st_mode) ? 0 : EINVAL;
	return S_ISREG(ret_st->st_mode);
}

struct store_ballast *
store_ballast_new(const char *path)
{
	struct store_ballast *ballast = jw_zalloc(sizeof(*ballast));
	struct stat st;

	ballast->path = jw_strdup(path);
	/* A copy may be all holes: it is written again. */
	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (int64_t)st.st_blocks * 512 >= st.st_size)
		ballast->size = st.st_size / BALLAST_STEP * BALLAST_STEP;
	if (ballast->size > BALLAST_SIZE)
		ballast->size = BALLAST_SIZE;
	return ballast;
}

void
store_ballast_free(struct store_ballast *ballast)
{
	if (ballast == NULL)
		return;
	free(ballast->path);
	free(ballast);
}

const char *
store_ballast_path(const struct store_ballast *ballast)
{
	return ballast->path;
}

int64_t
store_ballast_size(struct store_ballast *ballast)
{
	struct stat st;
	int64_t size = 0;

	/* An administrator in need of room may have deleted it. */
	if (lstat(ballast->path, &st) == 0 && S_ISREG(st.st_mode))
		size = st.st_size / BALLAST_STEP * BALLAST_STEP;
	if (ballast->size > size)
		ballast->size = size;
	return ballast->size;
}

static bool
fill(int fd, int64_t from, int64_t to)
{
	uint8_t block[BLOCK];
	ssize_t n = 0;

	for (size_t at = 0; at < sizeof(block); at += (size_t)n)
		if ((n = getrandom(block + at, sizeof(block) - at, 0)) <= 0)
			return false;
	for (int64_t at = from; at < to; at += (int64_t)sizeof(block)) {
		/* Else they would be the same for one that looks for that. */
		memcpy(block, &at, sizeof(at));
		n = pwrite(fd, block, sizeof(block), at);
		if (n != (ssize_t)sizeof(block)) {
			if (n >= 0)
				errno = ENOSPC;
			return false;
		}
	}
	return fdatasync(fd) == 0;
}

enum jw_err
store_ballast_grow(struct store_ballast *ballast, int64_t size)
{
	int64_t before = store_ballast_size(ballast);
	int fd = ballast_open_file(ballast, O_CREAT), error;
	struct stat st;
	bool done;

	if (fd < 0)
		return jw_err_errno(errno);
	done = is_regular(fd, &st) && ftruncate(fd, before) == 0 &&
	       fill(fd, before, size);
	error = errno;
	if (done)
		ballast->size = size;
	else if (is_regular(fd, &st) && ftruncate(fd, before) != 0)
		ballast->size = 0; /* how much it holds is not known */
	close(fd);
	errno = error;
	return done ? JW_OK : jw_err_errno(error);
}

bool
store_ballast_release(struct store_ballast *ballast)
{
	int64_t size = store_ballast_size(ballast) - BALLAST_STEP;
	struct stat st;
	bool done;
	int fd;

	if (size < 0)
		return false;
	/* Whatever comes of it, it is not tried for this piece again. */
	ballast->size = size;
	fd = ballast_open_file(ballast, 0);
	if (fd < 0)
		return false;
	/* File systems with a log give blocks back when that is written. */
	done = is_regular(fd, &st) && ftruncate(fd, size) == 0;
	if (done)
		fsync(fd);
	close(fd);
	return done;
}
