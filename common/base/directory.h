/*
 * Directories whose files the daemon trusts: only root and the user of the
 * daemon may write there.
 */
#ifndef JWKSD_COMMON_BASE_DIRECTORY_H
#define JWKSD_COMMON_BASE_DIRECTORY_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/err.h"

/* Is it a directory that only root or the daemon's user may write?  With why:
 * JW_IO, or JW_PERMISSION_DENIED. */
enum jw_err jw_directory_check(const char *path, struct jw_why *why);

/*
 * Make it where it is missing, and check it.  section names the part of the
 * configuration that says where it is.  With why: JW_NO_SPACE, and
 * jw_directory_check()'s.
 */
enum jw_err jw_directory_make(
    const char *path, mode_t mode, const char *section, struct jw_why *why);

/* Sync the directory of a file to the disk, so that its name is there after a
 * loss of power.  False with errno. */
bool jw_directory_sync_of(const char *path);

#endif
