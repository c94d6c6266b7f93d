/*
 * getgrnam(3) returns the same for a group that is not there and for one that
 * there was no memory to read; where a second database is asked after the one
 * that could not be read, errno says nothing either.
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
