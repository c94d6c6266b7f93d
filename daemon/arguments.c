/*
 * Reads the command line with getopt_long(3).
 */
#include "daemon/arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "jwksd [--config FILE] [--check] [--new-database] [--version]";

enum jw_err
daemon_arguments_parse(int argc, char **argv,
    struct daemon_arguments *ret_arguments, struct jw_why *why)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"check", no_argument, NULL, 'k'},
	    {"new-database", no_argument, NULL, 'n'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'V') {
			puts("jwksd " JWKSD_VERSION);
			exit(0);
		}
		if (c == 'c')
			ret_arguments->config_file = optarg;
		else if (c == 'k')
			ret_arguments->check_only = true;
		else if (c == 'n')
			ret_arguments->new_database = true;
		else
			goto usage;
	}
	if (optind == argc)
		return JW_OK;
usage:
	fprintf(stderr, "usage: %s\n", usage);
	return jw_fail(JW_USAGE, why, "wrong usage: %s", usage);
}
