/*
 * What the keeper needs of the system before it can do anything: directories
 * that only it may write, and descriptors.
 */
#ifndef JWKSD_DAEMON_PROCESS_H
#define JWKSD_DAEMON_PROCESS_H

#include "common/base/err.h"

struct jw_config;

/*
 * No core dumps; the runtime and the state directory, made where they are
 * missing, and the directory of the database.  With why: JW_IO, JW_NO_SPACE, or
 * JW_PERMISSION_DENIED for a directory that others may write.
 */
enum jw_err daemon_process_directories(
    const struct jw_config *config, struct jw_why *why);

/* Raise the limit of descriptors as far as it goes; 0: it is not known. */
int daemon_process_raise_files(void);

#endif
