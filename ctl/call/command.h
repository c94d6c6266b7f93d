/*
 * The commands of jwksctl, one row each, and the command line.
 *
 * To add a command: a row in command.c that names its function, and the
 * function (declared below).  Parsing, help and the tests follow the row.
 */
#ifndef JWKSD_CTL_CALL_COMMAND_H
#define JWKSD_CTL_CALL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct ctl;

/* A row of an option table; the table ends with name == NULL. */
struct ctl_option {
	const char *name;  /* "at": --at */
	const char *value; /* what help calls its value; NULL: a flag */
	const char *help;
	char letter; /* 'q': -q; 0: none */
};

typedef enum jw_err ctl_run_fn(struct ctl *ctl);

struct ctl_command {
	const char *name;      /* "list", or "keyset list" */
	const char *arguments; /* for help: "[KEYSET]" */
	const char *summary;   /* one line of the overview */
	const char *details;   /* paragraphs for `help NAME` */
	const char *examples;  /* lines for `help NAME` */
	const char *method;    /* of org.jwksd.keys; NULL: none */
	const struct ctl_option *options;
	size_t min_args, max_args;
	ctl_run_fn *run;
};

enum { CTL_ARGS_MAX = 20, CTL_GIVEN_MAX = 32 };

/* A command line that has been understood; the strings are argv's. */
struct ctl_line {
	const struct ctl_command *command;
	const char *args[CTL_ARGS_MAX];
	size_t nargs;
	struct {
		const struct ctl_option *option;
		const char *value; /* "" for a flag */
	} given[CTL_GIVEN_MAX];
	size_t ngiven;
};

/* Rows in the order of the overview; NULL past the last. */
const struct ctl_command *ctl_command_at(size_t index);
/* NULL for an unknown name. */
const struct ctl_command *ctl_command_find(const char *name);
/* Is "keyset list" one of "keyset"?  Is there any of name? */
bool ctl_command_in_group(const struct ctl_command *command, const char *group);
bool ctl_command_is_group(const char *name);
/* The options that every command takes. */
const struct ctl_option *ctl_global_options(void);

/*
 * Understand a command line.  Options stand before or after the command and
 * its arguments; "--" ends them.  command may be NULL when --help or --version
 * was given.  JW_USAGE with why.
 */
enum jw_err ctl_line_parse(int argc, char *const argv[],
    struct ctl_line *ret_line, struct jw_why *why);

/* The value of an option, "" for a flag; NULL when it was not given. */
const char *ctl_line_value(const struct ctl_line *line, const char *name);
bool ctl_line_flag(const struct ctl_line *line, const char *name);

/* Set why to "unknown command", with the nearest name as the hint. */
void ctl_command_unknown(const char *name, struct jw_why *why);

/* The functions behind the rows, by file. */
ctl_run_fn cmd_status, cmd_list, cmd_show, cmd_plan, cmd_jwks; /* look.c */
ctl_run_fn cmd_rotate;                                         /* rotate.c */
ctl_run_fn cmd_rollback;                                       /* rollback.c */
ctl_run_fn cmd_revoke;                                         /* revoke.c */
ctl_run_fn cmd_freeze, cmd_thaw, cmd_clock, cmd_clock_accept;  /* freeze.c */
ctl_run_fn cmd_keyset_list, cmd_keyset_show, cmd_keyset_set;   /* keyset.c */
ctl_run_fn cmd_keyset_add, cmd_keyset_remove; /* keyset_edit.c */
ctl_run_fn cmd_watch;                         /* watch.c */
ctl_run_fn cmd_call, cmd_introspect;          /* raw.c */
ctl_run_fn ctl_help, ctl_version;             /* help.c */
ctl_run_fn cmd_sign, cmd_verify;              /* sign.c */
ctl_run_fn cmd_reload;                        /* reload.c */

#endif
