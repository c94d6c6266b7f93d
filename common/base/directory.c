/*
 * Directories of the daemon, made and checked.  Must never accept one in which
 * others could put a file of theirs in place of the daemon's.
 */
#include "common/base/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum jw_err
jw_directory_check(const char *path, struct jw_why *why)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		jw_why_set(why, "%s: %s", path, strerror(errno));
		jw_why_hint(why, "the directory must exist, and belong to the "
				 "daemon's user or root");
		return JW_IO;
	}
	if (!S_ISDIR(st.st_mode))
		return jw_fail(JW_IO, why, "%s: is not a directory", path);
	if ((st.st_uid == 0 || st.st_uid == geteuid()) &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return JW_OK;
	jw_why_set(why, "%s: others than the daemon may write there", path);
	jw_why_hint(why, "it must belong to the daemon's user or root, and be "
			 "writable by its owner alone: chmod go-w");
	return JW_PERMISSION_DENIED;
}

enum jw_err
jw_directory_make(
    const char *path, mode_t mode, const char *section, struct jw_why *why)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return jw_directory_check(path, why);
	jw_why_set(why, "%s: %s", path, strerror(errno));
	if (errno == ENOSPC || errno == EDQUOT)
		return JW_NO_SPACE;
	jw_why_hint(why,
	    "create it, writable by the user who runs jwksd, or choose another "
	    "one in [%s]",
	    section);
	return JW_IO;
}

bool
jw_directory_sync_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	bool synced;
	int fd, error;

	snprintf(parent, sizeof(parent), "%.*s",
	    slash == NULL ? 1 : (int)(slash - path) + 1,
	    slash == NULL ? "." : path);
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	synced = fsync(fd) == 0;
	error = errno;
	close(fd);
	errno = error;
	return synced;
}
