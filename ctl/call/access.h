/*
 * Which users may use a socket, as its file and its directories say.
 *
 * Each socket of the daemon has a group of its own, and [access] may name
 * others: only the file knows.  A hint that named the group of control.sock
 * for sign.sock would give a backend every right over keys, and no signature.
 */
#ifndef JWKSD_CTL_CALL_ACCESS_H
#define JWKSD_CTL_CALL_ACCESS_H

#include <stddef.h>

#include "common/base/err.h"

enum { ACCESS_SIZE = 80 };

/*
 * The group whose members may write to the socket: its name, or its number
 * where it has none.  "root" where no group may or nothing can be seen.
 */
const char *call_access_group(const char *path, char buf[ACCESS_SIZE]);

/*
 * Hint at what would let the caller connect to path: the group of the socket,
 * or the directory that is in the way.
 */
void call_access_hint(const char *path, struct jw_why *why);

#endif
