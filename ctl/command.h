/*
 * The table of jwksctl's commands and options.
 *
 * To add a command: a row in command.c, a section in help.txt, and its
 * function in ctl/commands.  Parsing, help, completion and the tests follow
 * the row.
 */
#ifndef JWKSD_CTL_COMMAND_H
#define JWKSD_CTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl/commands/commands.h"

struct jw_why;

struct ctl_option {
	unsigned bit;      /* in ctl_command.options; 0: of every command */
	const char *name;  /* "at": --at */
	const char *value; /* what help calls its value; NULL: a flag */
	const char *help;
	char letter; /* 'q': -q; 0: none */
};

struct ctl_command {
	const char *name;      /* "list", or "keyset list" */
	const char *arguments; /* for help: "[KEYSET]" */
	const char *summary;   /* one line of the overview */
	const char *method;    /* of org.jwksd.keys; NULL: none */
	unsigned options;      /* bits of the rows that it takes */
	size_t min_arguments, max_arguments;
	cmd_run_fn *run;
};

/* Rows in the order of the overview; NULL past the last. */
const struct ctl_command *ctl_command_at(size_t index);
/* NULL for an unknown name. */
const struct ctl_command *ctl_command_find(const char *name);
/* Is "keyset list" one of "keyset"?  Is there any of name? */
bool ctl_command_in_group(const struct ctl_command *command, const char *group);
bool ctl_command_is_group(const char *name);
/* Set why to "there is no command", with the nearest name as the hint. */
void ctl_command_unknown(const char *name, struct jw_why *why);

/*
 * Every option; the table ends with name == NULL.  A name may have several
 * rows, for commands that explain it differently: all of them take a value, or
 * none does.
 */
const struct ctl_option *ctl_options(void);
/* Does the command take it?  With command NULL: does any? */
bool ctl_option_applies(
    const struct ctl_option *option, const struct ctl_command *command);

#endif
