/*
 * The mark of a refused start.  Must never follow a link, and never fail a
 * start that is good.
 */
#include "common/system/refusal.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* To what a mark has room for. */
static void
sys_cut(char *to, const char *text)
{
	snprintf(to, REFUSAL_TEXT, "%s", text);
}

static void
read_mark(struct sys_refusal *refusal)
{
	int fd = open(refusal->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return;
	refusal->marked = true;
	n = read(fd, refusal->text, sizeof(refusal->text) - 1);
	refusal->text[n > 0 ? n : 0] = '\0';
	close(fd);
}

static bool
write_mark(struct sys_refusal *refusal, const char *text)
{
	ssize_t len = (ssize_t)strlen(text);
	bool good;
	int fd;

	if (refusal->path[0] == '\0')
		return false;
	fd = open(refusal->path,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	good = write(fd, text, (size_t)len) == len;
	return close(fd) == 0 && good;
}

void
sys_refusal_init(
    struct sys_refusal *refusal, const char *program, const char *directory)
{
	const char *given = getenv("RUNTIME_DIRECTORY");

	memset(refusal, 0, sizeof(*refusal));
	if (given != NULL && given[0] == '/')
		directory = given;
	if (directory == NULL)
		return;
	/* systemd puts colons between several directories. */
	if (snprintf(refusal->path, sizeof(refusal->path), "%.*s/%s.refused",
		(int)strcspn(directory, ":"), directory,
		program) >= (int)sizeof(refusal->path))
		refusal->path[0] = '\0';
	else
		read_mark(refusal);
}

bool
sys_refusal_is_passing(int status)
{
	return status == EX_CANTCREAT || status == EX_IOERR ||
	       status == EX_TEMPFAIL;
}

bool
sys_refusal_stays(struct sys_refusal *refusal, int status, bool waiting)
{
	if (refusal->marked)
		return waiting || sys_refusal_is_passing(status);
	return !write_mark(refusal, "");
}

bool
sys_refusal_note(struct sys_refusal *refusal, const char *text)
{
	char noted[REFUSAL_TEXT];

	sys_cut(noted, text);
	if (strcmp(noted, refusal->text) == 0)
		return false;
	sys_cut(refusal->text, text);
	write_mark(refusal, noted);
	return true;
}

void
sys_refusal_clear(struct sys_refusal *refusal)
{
	if (refusal->path[0] != '\0')
		unlink(refusal->path);
	refusal->marked = false;
	refusal->text[0] = '\0';
}
