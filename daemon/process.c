/*
 * The process and its surroundings: directories, limits, the event loop.
 *
 * Must never accept a directory in which others could put a socket or a
 * database in place of the daemon's.
 */
#include "daemon/process.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config.h"
#include "daemon/control.h"

enum { SLICE_USEC = 1000 };

/* ---- directories ---- */

static enum jw_err
make_directory(const char *path, mode_t mode, struct jw_why *why)
{
	struct stat st;

	if (mkdir(path, mode) != 0 && errno != EEXIST) {
		jw_why_set(why, "%s: %s", path, strerror(errno));
		jw_why_hint(why, "create it, writable by the user who runs "
				 "jwksd, or choose another one in [daemon]");
		return JW_IO;
	}
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		jw_why_set(why, "%s: is not a directory", path);
		return JW_IO;
	}
	/* Who may write there could put a socket or a database of their own
	 * in our place. */
	if ((st.st_uid == 0 || st.st_uid == geteuid()) &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return JW_OK;
	jw_why_set(why, "%s: others than the daemon may write there", path);
	jw_why_hint(why, "it must belong to the daemon's user or root, and be "
			 "writable by its owner alone: chmod go-w");
	return JW_PERMISSION_DENIED;
}

enum jw_err
process_directories(const struct jw_config *config, struct jw_why *why)
{
	const struct rlimit none = {0, 0};
	enum jw_err err;

	setrlimit(RLIMIT_CORE, &none);
	umask(027);
	err = make_directory(config->runtime_directory, 0750, why);
	umask(077);
	if (err == JW_OK)
		err = make_directory(config->state_directory, 0700, why);
	return err;
}

/* ---- limits and the event loop ---- */

/* A connection to sign.sock takes one. */
int
process_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
}

/*
 * A moment for those that yield, then a look at who else is there.  Not a
 * number of callbacks: each look costs as much as there are connections with
 * something to say.
 */
struct event_base *
process_event_base(void)
{
	const struct timeval slice = {0, SLICE_USEC};
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL && event_config_set_max_dispatch_interval(
				  config, &slice, -1, CONTROL_LAST) == 0)
		base = event_base_new_with_config(config);
	if (base != NULL &&
	    event_base_priority_init(base, CONTROL_PRIORITIES) != 0) {
		event_base_free(base);
		base = NULL;
	}
	if (config != NULL)
		event_config_free(config);
	return base;
}
