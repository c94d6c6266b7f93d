/*
 * Add every key set of a file that is not there yet.
 */
#ifndef JWKSD_CTL_COMMANDS_KEYSET_BULK_H
#define JWKSD_CTL_COMMANDS_KEYSET_BULK_H

#include "common/base/err.h"

struct ctl;

/*
 * `keyset add --from PATH`: nothing is sent unless the whole file is
 * understood and every policy in it holds.  Can be repeated at any time: what
 * is there already counts.  JW_OK when all are there as the file says;
 * JW_CONFLICT when one is there with another policy; what the daemon said of
 * the first that could not be made; with ctl->why.
 */
enum jw_err cmd_keyset_bulk_add(struct ctl *ctl, const char *path);

#endif
