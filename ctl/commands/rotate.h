/*
 * The reply of Rotate, for people.
 */
#ifndef JWKSD_CTL_COMMANDS_ROTATE_H
#define JWKSD_CTL_COMMANDS_ROTATE_H

#include "ctl/call/change.h"
#include "ctl/reply/reply.h"

extern const struct reply_member cmd_rotate_reply[];
call_change_print_fn cmd_rotate_print;

#endif
