/*
 * The command line of jwksd.
 */
#ifndef JWKSD_DAEMON_ARGUMENTS_H
#define JWKSD_DAEMON_ARGUMENTS_H

#include <stdbool.h>

#include "common/base/err.h"

struct daemon_arguments {
	const char *config_file; /* NULL: the default */
	bool check_only;
	bool new_database; /* use whatever database is at the path, or none */
};

/* --version prints it and exits.  JW_USAGE with why, after the usage has been
 * printed. */
enum jw_err daemon_arguments_parse(int argc, char **argv,
    struct daemon_arguments *ret_arguments, struct jw_why *why);

#endif
