/*
 * What a start that fails says, and its exit status.
 */
#ifndef JWKSD_DAEMON_REPORT_H
#define JWKSD_DAEMON_REPORT_H

#include "common/base/err.h"

struct jw_config_errors;

/* Of a start that ended with err. */
int daemon_report_status(enum jw_err err);

/* Log every mistake of the configuration, and why.  Returns the exit status. */
int daemon_report(const struct jw_config_errors *mistakes, enum jw_err err,
    const struct jw_why *why);

#endif
