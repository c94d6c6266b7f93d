/*
 * Names of key sets: APP, or APP/NAME.  Each part is a lower-case label as in
 * DNS (RFC 1035 2.3.1): APP is the first label of a host name, NAME a part of
 * a path.
 */
#ifndef JWKSD_COMMON_BASE_LABEL_H
#define JWKSD_COMMON_BASE_LABEL_H

#include "common/base/err.h"

/* JW_INVALID_PARAMETER with why: which part, and what would be right. */
enum jw_err jw_key_set_name_check(const char *name, struct jw_why *why);

#endif
