/*
 * The command line of jwksctl.
 */
#ifndef JWKSD_CTL_ARGUMENTS_H
#define JWKSD_CTL_ARGUMENTS_H

#include "common/base/err.h"

struct ctl;
struct ctl_command;
struct ctl_option;

/*
 * Read the whole command line into ctl->arguments.  Options stand before or
 * after the command and its arguments, and no further ones after "--".
 * *ret_command may be NULL when --help or --version was given.  JW_USAGE with
 * ctl->why.  Resets the state of getopt_long().
 */
enum jw_err ctl_arguments_parse(int argc, char *const argv[], struct ctl *ctl,
    const struct ctl_command **ret_command);

/*
 * The same for a line that is not complete: what can be understood of it.
 * *ret_command is NULL where its first words name none; they stay in
 * ctl->arguments then.  Returns the option whose value is to follow; NULL:
 * none.
 */
const struct ctl_option *ctl_arguments_take(int argc, char *const argv[],
    struct ctl *ctl, const struct ctl_command **ret_command);

#endif
