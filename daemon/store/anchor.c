/*
 * The file of the anchor: read, and written as a whole under a temporary name.
 * Must never treat an anchor that cannot be read as absent.
 */
#include "daemon/store/anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/directory.h"

#define HEAD "# Which database jwksd has had; see jwksd(8), --new-database.\n"

enum { LINE_MAX_SIZE = ANCHOR_PATH_SIZE + 32 };

static void
name_file(const char *directory, const char *suffix, char ret_name[PATH_MAX])
{
	snprintf(ret_name, PATH_MAX, "%s/anchor%s", directory, suffix);
}

static enum jw_err
no_access(const char *name, struct jw_why *why)
{
	jw_why_set(why, "%s: %s", name, strerror(errno));
	if (errno == ENOSPC || errno == EDQUOT)
		return JW_NO_SPACE;
	jw_why_hint(why, "the daemon must be able to read and write there, or "
			 "[store] anchor must name another directory");
	return JW_IO;
}

/* ---- reading ---- */

/* The value of a line that begins with name and a blank, without the line
 * feed. */
static bool
store_take_value(
    const char *line, const char *name, char *ret_value, size_t size)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len) != 0 || line[len] != ' ')
		return false;
	snprintf(ret_value, size, "%.*s", (int)strcspn(line + len + 1, "\n"),
	    line + len + 1);
	return true;
}

static enum jw_err
read_lines(FILE *f, const char *name, struct store_anchor *ret_anchor,
    struct jw_why *why)
{
	char line[LINE_MAX_SIZE];

	while (fgets(line, sizeof(line), f) != NULL)
		if (!store_take_value(line, "uuid", ret_anchor->uuid,
			sizeof(ret_anchor->uuid)))
			store_take_value(line, "path", ret_anchor->path,
			    sizeof(ret_anchor->path));
	if (ferror(f))
		return no_access(name, why);
	if (strlen(ret_anchor->uuid) == ANCHOR_UUID_SIZE - 1)
		return JW_OK;
	jw_why_set(why, "%s: does not say which database it belongs to", name);
	jw_why_hint(why, "if [store] path names the right database, start once "
			 "with --new-database, which writes this file anew");
	return JW_CORRUPT;
}

static enum jw_err
anchor_open_file(const char *directory, const char *name, FILE **ret_file,
    struct jw_why *why)
{
	struct stat st;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return JW_OK;
	if (fd < 0 || fstat(fd, &st) != 0)
		goto failed;
	if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		jw_why_set(
		    why, "%s: others than the daemon may write it", name);
		jw_why_hint(why,
		    "let it belong to the daemon's user alone: "
		    "chown, and chmod go-w %s",
		    directory);
		close(fd);
		return JW_PERMISSION_DENIED;
	}
	*ret_file = fdopen(fd, "r");
	if (*ret_file != NULL)
		return JW_OK;
failed:
	if (fd >= 0)
		close(fd);
	return no_access(name, why);
}

enum jw_err
store_anchor_read(
    const char *directory, struct store_anchor *ret_anchor, struct jw_why *why)
{
	char name[PATH_MAX];
	FILE *f = NULL;
	enum jw_err err;

	memset(ret_anchor, 0, sizeof(*ret_anchor));
	name_file(directory, "", name);
	err = anchor_open_file(directory, name, &f, why);
	if (err != JW_OK || f == NULL)
		return err;
	err = jw_directory_check(directory, why);
	if (err == JW_OK)
		err = read_lines(f, name, ret_anchor, why);
	fclose(f);
	return err;
}

/* ---- writing ---- */

static bool
write_lines(const char *name, const struct store_anchor *anchor)
{
	int fd = open(
	    name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	char text[sizeof(HEAD) + 2 * LINE_MAX_SIZE];
	bool ok = false;
	int len;

	if (fd < 0)
		return false;
	len = snprintf(text, sizeof(text), HEAD "uuid %s\npath %s\n",
	    anchor->uuid, anchor->path);
	ok = write(fd, text, (size_t)len) == len && fsync(fd) == 0;
	return close(fd) == 0 && ok;
}

enum jw_err
store_anchor_write(const char *directory, const struct store_anchor *anchor,
    struct jw_why *why)
{
	char name[PATH_MAX], temporary[PATH_MAX];
	enum jw_err err = jw_directory_make(directory, 0700, "store", why);

	if (err != JW_OK)
		return err;
	name_file(directory, "", name);
	name_file(directory, ".new", temporary);
	if (write_lines(temporary, anchor) && rename(temporary, name) == 0 &&
	    jw_directory_sync_of(name))
		return JW_OK;
	err = no_access(name, why);
	unlink(temporary);
	return err;
}

/* ---- what it says about a database ---- */

enum jw_err
store_anchor_expect(const char *directory, const struct store_anchor *anchor,
    const char *store_path, struct jw_why *why)
{
	struct stat st;
	bool there = lstat(store_path, &st) == 0;

	if (anchor->uuid[0] == '\0' || (there && st.st_size > 0))
		return JW_OK;
	jw_why_set(why, "%s: %s, but database %s has been at %s", store_path,
	    there ? "is empty" : "no database is there", anchor->uuid,
	    anchor->path);
	jw_why_hint(why,
	    "put it back or restore a backup; to begin with new keys, start "
	    "once with --new-database, or remove %s/anchor",
	    directory);
	return JW_DATABASE_GONE;
}
