/*
 * One line on standard error for each message.
 *
 * The only mutable globals of the project: set up once in main(), and the
 * level again on reload.  Must never fail, block for long, allocate, change
 * errno, or let a byte of a client's input forge a line of its own.
 */
#include "common/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Below PIPE_BUF: lines of several processes on one pipe never mix. */
enum { LINE_SIZE = 2048 };

static const struct {
	const char *word;
	int priority; /* of syslog(3), which the journal wants */
} levels[] = {
    [JW_LOG_ERROR] = {"error", 3},
    [JW_LOG_WARNING] = {"warning", 4},
    [JW_LOG_NOTICE] = {"notice", 5},
    [JW_LOG_INFO] = {"info", 6},
    [JW_LOG_DEBUG] = {"debug", 7},
};

static struct {
	const char *program;
	enum jw_log_level level;
	bool journal;
	jw_log_sink_fn *sink;
} logger = {"jwksd", JW_LOG_INFO, false, NULL};

/*
 * The variable alone proves nothing: it is inherited by children whose
 * standard error has been redirected since.
 */
static bool
stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;
	char end;

	if (text == NULL ||
	    sscanf(text, "%ju:%ju%c", &device, &inode, &end) != 2 ||
	    fstat(STDERR_FILENO, &st) != 0)
		return false;
	return st.st_dev == device && st.st_ino == inode;
}

void
jw_log_init(const char *program)
{
	logger.program = program;
	logger.journal = stderr_is_journal();
}

bool
jw_log_is_journal(void)
{
	return logger.journal;
}

void
jw_log_set_level(enum jw_log_level level)
{
	logger.level = level;
}

void
jw_log_set_sink(jw_log_sink_fn *sink)
{
	logger.sink = sink;
}

const char *
jw_log_level_name(enum jw_log_level level)
{
	return levels[level].word;
}

bool
jw_log_level_parse(const char *word, enum jw_log_level *ret_level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i].word, word) == 0) {
			*ret_level = (enum jw_log_level)i;
			return true;
		}
	}
	return false;
}

static void
blunt(char *line)
{
	for (; *line != '\0'; line++)
		if ((unsigned char)*line < 0x20 || *line == 0x7f)
			*line = '?';
}

static size_t
begin_line(enum jw_log_level level, char *line)
{
	int len;

	if (logger.journal)
		len = snprintf(line, LINE_SIZE, "<%d>", levels[level].priority);
	else
		len = snprintf(line, LINE_SIZE, "%.64s: ", logger.program);
	return len > 0 ? (size_t)len : 0;
}

static void
write_line(const char *line, size_t len)
{
	ssize_t n;

	do {
		n = write(STDERR_FILENO, line, len);
	} while (n < 0 && errno == EINTR);
}

static bool
sunk(
    enum jw_log_level level, const char *text, const struct jw_log_about *about)
{
	return about != NULL && logger.journal && logger.sink != NULL &&
	       logger.sink(logger.program, levels[level].priority, text, about);
}

static void __attribute__((format(printf, 3, 0)))
log_line(enum jw_log_level level, const struct jw_log_about *about,
    const char *fmt, va_list args)
{
	int saved = errno;
	char line[LINE_SIZE];
	size_t start, len;

	start = begin_line(level, line);
	line[start] = '\0';
	errno = saved; /* for %m */
	vsnprintf(line + start, sizeof(line) - start, fmt, args);
	blunt(line);
	len = strlen(line);
	if (!sunk(level, line + start, about)) {
		/* The end of a line that is too long goes, its newline does
		 * not. */
		if (len == sizeof(line) - 1)
			len--;
		line[len++] = '\n';
		write_line(line, len);
	}
	errno = saved;
}

void
jw_log(enum jw_log_level level, const char *fmt, ...)
{
	va_list args;

	if (level > logger.level)
		return;
	va_start(args, fmt);
	log_line(level, NULL, fmt, args);
	va_end(args);
}

void
jw_log_event(enum jw_log_level level, const struct jw_log_about *about,
    const char *fmt, ...)
{
	va_list args;

	if (level > logger.level)
		return;
	va_start(args, fmt);
	log_line(level, about, fmt, args);
	va_end(args);
}
