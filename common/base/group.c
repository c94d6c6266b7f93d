/*
 * getgrnam(3) returns NULL both for a group that does not exist and for one
 * that it had no memory to read; errno tells them apart, but not where a second
 * database is asked after the one that could not be read.
 */
#include "common/base/group.h"

#include <errno.h>
#include <grp.h>

#include "common/base/memory.h"

bool
jw_group_find(const char *name, gid_t *ret_gid)
{
	const struct group *group;

	if (name == NULL)
		return false;
	errno = 0;
	group = getgrnam(name);
	if (group == NULL)
		group = getgrnam(name);
	if (group == NULL && errno == ENOMEM)
		jw_out_of_memory(0);
	if (group == NULL)
		return false;
	*ret_gid = group->gr_gid;
	return true;
}
