/*
 * The anchor: a small file outside of the directory of the database that names
 * the database.  Without it, a database that was deleted or emptied would look
 * like a first start, and new keys would take the place of all others.
 *
 * Text, a line `name value` for each fact; lines with other names are for later
 * versions.
 */
#ifndef JWKSD_DAEMON_STORE_ANCHOR_H
#define JWKSD_DAEMON_STORE_ANCHOR_H

#include <stdbool.h>

#include "common/base/err.h"

enum { ANCHOR_UUID_SIZE = 37, ANCHOR_PATH_SIZE = 4096 };

struct store_anchor {
	char uuid[ANCHOR_UUID_SIZE]; /* of the database; empty: none is known */
	char path[ANCHOR_PATH_SIZE]; /* where it was then */
};

/* Read the anchor of a directory; all empty where there is none.  With why:
 * JW_IO, JW_PERMISSION_DENIED (others may write it), JW_CORRUPT. */
enum jw_err store_anchor_read(
    const char *directory, struct store_anchor *ret_anchor, struct jw_why *why);

/*
 * On disk when it returns JW_OK; the directory is made where it is missing.
 * With why: JW_NO_SPACE, JW_IO, JW_PERMISSION_DENIED.
 */
enum jw_err store_anchor_write(const char *directory,
    const struct store_anchor *anchor, struct jw_why *why);

/*
 * JW_DATABASE_GONE with why where the anchor knows a database and store_path
 * names none, or an empty file.
 */
enum jw_err store_anchor_expect(const char *directory,
    const struct store_anchor *anchor, const char *store_path,
    struct jw_why *why);

#endif
