/*
 * Groups of the system by name.
 */
#ifndef JWKSD_COMMON_BASE_GROUP_H
#define JWKSD_COMMON_BASE_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * False: there is no such group, or name is NULL, or the system's databases
 * cannot be read (errno is not 0 then); *ret_gid is as it was.  Without memory
 * the process ends (memory.h), or the group is looked up a second time: it may
 * exist.
 */
bool jw_group_find(const char *name, gid_t *ret_gid);

#endif
