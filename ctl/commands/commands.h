/*
 * The commands of jwksctl: a function for each, a file for each family.
 */
#ifndef JWKSD_CTL_COMMANDS_COMMANDS_H
#define JWKSD_CTL_COMMANDS_COMMANDS_H

#include "common/base/err.h"

struct ctl;

/* Does what the command line asks for; an error is explained in ctl->why. */
typedef enum jw_err cmd_run_fn(struct ctl *ctl);

cmd_run_fn cmd_status, cmd_list, cmd_show, cmd_plan, cmd_jwks; /* status.c */
cmd_run_fn cmd_rotate, cmd_rollback;                           /* rotate.c */
cmd_run_fn cmd_revoke;                                         /* revoke.c */
cmd_run_fn cmd_freeze, cmd_thaw, cmd_clock, cmd_clock_accept;  /* daemon.c */
cmd_run_fn cmd_keyset_list, cmd_keyset_show, cmd_keyset_set;   /* keyset.c */
cmd_run_fn cmd_keyset_add, cmd_keyset_remove;                  /* keyset.c */
cmd_run_fn cmd_watch;                                          /* watch.c */
cmd_run_fn cmd_call, cmd_introspect;                           /* call.c */
cmd_run_fn cmd_sign, cmd_verify;                               /* sign.c */
cmd_run_fn cmd_reload;                                         /* daemon.c */

#endif
