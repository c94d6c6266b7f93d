/*
 * Limits and directories of the process.
 *
 * Must never accept a directory in which others could put a socket or a
 * database in place of the daemon's.
 */
#include "daemon/process.h"

#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/directory.h"
#include "common/base/log.h"
#include "common/config/config.h"
#include "daemon/crypto/keys.h"

enum { SECURE_HEAP = 4 * 1024 * 1024 }; /* 8 KiB for each key that is open */

/* A user who may write there could put another database in its place. */
static enum jw_err
check_store_directory(const char *store_path, struct jw_why *why)
{
	char directory[PATH_MAX];

	snprintf(directory, sizeof(directory), "%s", store_path);
	return jw_directory_check(dirname(directory), why);
}

static enum jw_err
make_directories(const struct jw_config *config, struct jw_why *why)
{
	enum jw_err err;

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

/* A connection to sign.sock takes one. */
void
daemon_process_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

enum jw_err
daemon_process_prepare(const struct jw_config *config, struct jw_why *why)
{
	const struct rlimit none = {0, 0};
	int locked = 0;
	enum jw_err err;

	setrlimit(RLIMIT_CORE, &none);
	/* As process 1 of a container the keeper inherits processes that it did
	 * not start: the kernel then keeps nothing of those that end. */
	signal(SIGCHLD, SIG_IGN);
	err = make_directories(config, why);
	if (err == JW_OK)
		err = crypto_init(SECURE_HEAP, &locked);
	if (err == JW_OK && !locked)
		jw_log(JW_LOG_WARNING, "private keys could be swapped out: "
				       "the memory cannot be locked");
	daemon_process_raise_files();
	return err;
}
