/*
 * Ask before something dangerous.
 */
#ifndef JWKSD_CTL_CALL_CONFIRM_H
#define JWKSD_CTL_CALL_CONFIRM_H

#include "common/base/err.h"

struct ctl;

/* Is there --yes, or a terminal to ask on?  JW_USAGE with ctl->why if not. */
enum jw_err call_confirm_possible(struct ctl *ctl, const char *what);

/*
 * Print "question [y/N] " and wait for an answer, or go on with --yes.  Any
 * answer but yes sets ctl->declined.
 */
void call_confirm(struct ctl *ctl, const char *question);

#endif
