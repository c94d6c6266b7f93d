/*
 * The process and its surroundings: directories, limits, the event loop.
 *
 * Must never accept a directory in which others could put a socket or a
 * database in place of the daemon's.
 */
#include "daemon/process.h"

#include <libgen.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/directory.h"
#include "common/config/config.h"

/* ---- directories ---- */

/* Whoever may write beside the database could put another in its place. */
static enum jw_err
check_store_directory(const char *store_path, struct jw_why *why)
{
	char directory[PATH_MAX];

	snprintf(directory, sizeof(directory), "%s", store_path);
	return jw_directory_check(dirname(directory), why);
}

enum jw_err
daemon_process_directories(const struct jw_config *config, struct jw_why *why)
{
	const struct rlimit none = {0, 0};
	enum jw_err err;

	setrlimit(RLIMIT_CORE, &none);
	umask(027);
	err = jw_directory_make(config->runtime_directory, 0750, "daemon", why);
	umask(077);
	if (err == JW_OK)
		err = jw_directory_make(
		    config->state_directory, 0700, "daemon", why);
	if (err == JW_OK)
		err = check_store_directory(config->store_path, why);
	return err;
}

/* ---- limits and the event loop ---- */

/* A connection to sign.sock takes one. */
int
daemon_process_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
}
