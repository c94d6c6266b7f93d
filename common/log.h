/*
 * One line of log on standard error.
 *
 * The only global of the project lives here: the level.  Under systemd
 * (JOURNAL_STREAM names our standard error) each line begins with <N>, so that
 * the journal knows its priority; elsewhere with the program's name.  A line
 * is written with one write(2), control bytes in it are replaced by '?', and
 * it never fails the caller.
 */
#ifndef JWKSD_COMMON_LOG_H
#define JWKSD_COMMON_LOG_H

#include <stdbool.h>

enum jw_log_level {
	JW_LOG_ERROR,
	JW_LOG_WARNING,
	JW_LOG_NOTICE,
	JW_LOG_INFO,
	JW_LOG_DEBUG,
};

/* program is kept, not copied; called once, first thing in main(). */
void jw_log_init(const char *program);
void jw_log_set_level(enum jw_log_level level);

/* "error", "warning", "notice", "info" or "debug"; false for other words. */
bool jw_log_level_parse(const char *word, enum jw_log_level *ret_level);

void jw_log(enum jw_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
