/*
 * Which users may use a socket.  Must never name a group that the file system
 * does not.
 */
#include "ctl/call/access.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *
group_name(gid_t gid, char buf[ACCESS_SIZE])
{
	const struct group *group = getgrgid(gid);

	if (group != NULL)
		snprintf(buf, ACCESS_SIZE, "%s", group->gr_name);
	else
		snprintf(buf, ACCESS_SIZE, "%lu", (unsigned long)gid);
	return buf;
}

static const char *
user_name(uid_t uid, char buf[ACCESS_SIZE])
{
	const struct passwd *user = getpwuid(uid);

	if (user != NULL)
		snprintf(buf, ACCESS_SIZE, "%s", user->pw_name);
	else
		snprintf(buf, ACCESS_SIZE, "the user %lu", (unsigned long)uid);
	return buf;
}

const char *
call_access_group(const char *path, char buf[ACCESS_SIZE])
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IWGRP) != 0)
		return group_name(st.st_gid, buf);
	snprintf(buf, ACCESS_SIZE, "root");
	return buf;
}

/* The first directory on the way to path that the caller may not enter. */
static bool
closed_directory(const char *path, char ret_directory[PATH_MAX])
{
	size_t len = 0;

	while (path[len] != '\0') {
		len += strspn(path + len, "/");
		if (len > 0 && len < PATH_MAX) {
			snprintf(
			    ret_directory, PATH_MAX, "%.*s", (int)len, path);
			if (access(ret_directory, X_OK) != 0 && errno == EACCES)
				return true;
		}
		len += strcspn(path + len, "/");
	}
	return false;
}

/* `right` is "may", or "may enter DIRECTORY", for which a group needs bit. */
static void
hint_right(
    const struct stat *st, mode_t bit, const char *right, struct jw_why *why)
{
	char name[ACCESS_SIZE];

	if ((st->st_mode & bit) != 0) {
		group_name(st->st_gid, name);
		jw_why_hint(why,
		    "the group %s %s: `adduser USER %s`, then log in again",
		    name, right, name);
	} else {
		jw_why_hint(why, "no group %s: only root and %s", right,
		    user_name(st->st_uid, name));
	}
}

void
call_access_hint(const char *path, struct jw_why *why)
{
	char directory[PATH_MAX], right[PATH_MAX + 32];
	struct stat st;

	if (stat(path, &st) == 0) {
		hint_right(&st, S_IWGRP, "may", why);
	} else if (closed_directory(path, directory) &&
		   stat(directory, &st) == 0) {
		snprintf(right, sizeof(right), "may enter %s", directory);
		hint_right(&st, S_IXGRP, right, why);
	} else {
		jw_why_hint(why, "`ls -l` shows whose group may use it");
	}
}
