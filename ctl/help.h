/*
 * Help and version, from the table of commands; needs no daemon.
 */
#ifndef JWKSD_CTL_HELP_H
#define JWKSD_CTL_HELP_H

#include "ctl/commands/commands.h"

struct ctl_command;

/* `help [COMMAND]`, and the command `version`. */
cmd_run_fn ctl_help, ctl_version;

/*
 * help.txt, embedded at build.  A section for each command: a line "= NAME",
 * paragraphs, a line "--", and examples.
 */
extern const char *const ctl_help_text;

/* The text of a command's section behind its first line; NULL: none. */
const char *ctl_help_section(const char *name);

/* The help of a command; the overview for NULL. */
enum jw_err ctl_help_command(
    struct ctl *ctl, const struct ctl_command *command);

#endif
