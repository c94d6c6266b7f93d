/*
 * Reports of starts: to the journal as events, else to standard error in the
 * form FILE:LINE: MESSAGE, as compilers have it, so that editors can go there.
 */
#include "daemon/report.h"

#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>

#include "common/base/log.h"
#include "common/config/config.h"

static void
print_mistake(const struct jw_config_error *error)
{
	if (jw_log_is_journal())
		jw_log_event(JW_LOG_ERROR,
		    &(const struct jw_log_about){.event = JW_EVENT_BAD_CONFIG},
		    "%s:%d: %s", error->file, error->line, error->message);
	else if (error->line == 0 && error->file[0] == '\0')
		fprintf(stderr, "jwksd: %s\n", error->message);
	else
		fprintf(stderr, "%s:%d: %s\n", error->file, error->line,
		    error->message);
}

int
daemon_report_status(enum jw_err err)
{
	/* At start a full disk has a status of its own: that of a refused
	 * request, EX_TEMPFAIL, says that another daemon has the database. */
	return err == JW_NO_SPACE ? EX_CANTCREAT : jw_err_exit(err);
}

int
daemon_report(const struct jw_config_errors *mistakes, enum jw_err err,
    const struct jw_why *why)
{
	for (size_t i = 0; i < mistakes->count; i++)
		print_mistake(&mistakes->rows[i]);
	if (err == JW_OK || err == JW_USAGE)
		return jw_err_exit(err);
	/* With JW_BAD_CONFIG alone every mistake has been named already. */
	if (err != JW_BAD_CONFIG || why->text[0] != '\0')
		jw_log_event(JW_LOG_ERROR,
		    &(const struct jw_log_about){
			.event = JW_EVENT_REFUSED_TO_START},
		    "%s", why->text[0] != '\0' ? why->text : jw_err_text(err));
	if (why->hint[0] != '\0')
		jw_log(JW_LOG_ERROR, "hint: %s", why->hint);
	return daemon_report_status(err);
}
