/*
 * What the keeper needs of the system before it can do anything: directories
 * that only it may write, locked memory, and descriptors.
 */
#ifndef JWKSD_DAEMON_PROCESS_H
#define JWKSD_DAEMON_PROCESS_H

#include "common/base/err.h"

struct jw_config;

/*
 * No core dumps, no zombies; the runtime and the state directory, made where
 * they are missing, and the directory of the database; the heap of private
 * keys, to be released with crypto_done(); descriptors.  With why: JW_IO,
 * JW_NO_SPACE, or JW_PERMISSION_DENIED for a directory that others may write.
 */
enum jw_err daemon_process_prepare(
    const struct jw_config *config, struct jw_why *why);

/* Raise the limit of descriptors as far as it goes. */
void daemon_process_raise_files(void);

#endif
