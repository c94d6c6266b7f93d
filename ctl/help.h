/*
 * Help and version, from the table of commands; needs no daemon.
 */
#ifndef JWKSD_CTL_HELP_H
#define JWKSD_CTL_HELP_H

#include "ctl/commands/commands.h"

struct ctl_command;

/* `help [COMMAND]`, and the command `version`. */
cmd_run_fn ctl_help, ctl_version;

/* The help of a command; the overview for NULL. */
enum jw_err ctl_help_command(
    struct ctl *ctl, const struct ctl_command *command);

#endif
