/*
 * What came of a Rotate, for people.
 */
#ifndef JWKSD_CTL_COMMANDS_ROTATE_H
#define JWKSD_CTL_COMMANDS_ROTATE_H

#include "ctl/call/change.h"

change_tell_fn rotate_tell;

#endif
