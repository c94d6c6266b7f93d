/*
 * One line of log on standard error.
 *
 * The only global of the project lives here: the level.  Under systemd
 * (JOURNAL_STREAM names our standard error) each line begins with <N>, so that
 * the journal knows its priority; elsewhere with the program's name.  A line
 * is written with one write(2), control bytes in it are replaced by '?', and
 * it never fails the caller.
 */
#ifndef JWKSD_COMMON_BASE_LOG_H
#define JWKSD_COMMON_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/event.h"

enum jw_log_level {
	JW_LOG_ERROR,
	JW_LOG_WARNING,
	JW_LOG_NOTICE,
	JW_LOG_INFO,
	JW_LOG_DEBUG,
};

/* program is kept, not copied; called once, first thing in main(). */
void jw_log_init(const char *program);
/* Standard error is the journal. */
bool jw_log_is_journal(void);
void jw_log_set_level(enum jw_log_level level);

const char *jw_log_level_name(enum jw_log_level level);
/* "error", "warning", "notice", "info" or "debug"; false for other words. */
bool jw_log_level_parse(const char *word, enum jw_log_level *ret_level);

void jw_log(enum jw_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The fields of a line, for a log that keeps fields; NULL and 0: none. */
struct jw_log_about {
	enum jw_event event;
	const char *key_set;
	const char *kid;
	int64_t generation;
	const char *state;
	bool by_user; /* uid says whose order it was */
	int64_t uid;
};

/* The same line, with its fields where the log keeps fields. */
void jw_log_event(enum jw_log_level level, const struct jw_log_about *about,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Where events go when standard error is the journal: text is one line
 * without its end, priority syslog(3)'s.  False: it is written as a plain
 * line after all.  Set once, in main().
 */
typedef bool jw_log_sink_fn(const char *program, int priority, const char *text,
    const struct jw_log_about *about);
void jw_log_set_sink(jw_log_sink_fn *sink);

#endif
