/*
 * Where the files of the database are, and whether the paths still name the
 * files that are open.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/store/internal.h"
#include "daemon/store/place.h"

bool
store_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

bool
store_is_new(const char *path)
{
	struct stat st;

	return lstat(path, &st) != 0 ||
	       (S_ISREG(st.st_mode) && st.st_size == 0);
}

static bool
file_in_place(struct store *store, struct store_file *file)
{
	char name[PATH_MAX];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", store->path, file->suffix);
	if (lstat(name, &st) != 0) {
		snprintf(store->message, sizeof(store->message),
		    "%.160s has been moved or deleted: nothing is committed "
		    "until it is back",
		    name);
		return false;
	}
	if (st.st_dev != file->device || st.st_ino != file->inode) {
		snprintf(store->message, sizeof(store->message),
		    "%.160s has been replaced by another file: nothing is "
		    "committed until the one that was there is back",
		    name);
		return false;
	}
	if (st.st_size < file->size) {
		snprintf(store->message, sizeof(store->message),
		    "%.160s has been cut short: stop jwksd and restore a "
		    "backup",
		    name);
		return false;
	}
	file->size = st.st_size;
	return true;
}

void
store_look_at_file(const struct store *store, struct store_file *file)
{
	char name[PATH_MAX];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", store->path, file->suffix);
	if (lstat(name, &st) != 0)
		return;
	file->device = st.st_dev;
	file->inode = st.st_ino;
	file->size = st.st_size;
}

void
store_look_at_files(struct store *store)
{
	static const char *const suffixes[FILE_COUNT] = {
	    [FILE_DATABASE] = "",
	    [FILE_LOG] = "-wal",
	    [FILE_LOCK] = ".lock",
	};

	for (size_t i = 0; i < FILE_COUNT; i++) {
		store->files[i].suffix = suffixes[i];
		store_look_at_file(store, &store->files[i]);
	}
}

bool
store_in_place(struct store *store)
{
	for (size_t i = 0; i < FILE_COUNT; i++)
		if (store->files[i].inode != 0 &&
		    !file_in_place(store, &store->files[i]))
			return false;
	return true;
}
