/*
 * Where the files of the database are: before it is opened, and while it is.
 */
#ifndef JWKSD_DAEMON_STORE_PLACE_H
#define JWKSD_DAEMON_STORE_PLACE_H

#include <stdbool.h>

struct store;

/* Is there nothing at path, or an empty file? */
bool store_is_new(const char *path);

/*
 * Do the paths of the database, its log and its lock still name the files that
 * are open?  If not, store_message() says which one does not, and every commit
 * ends with JW_STORE_FAILED until they do again.
 */
bool store_in_place(struct store *store);

#endif
