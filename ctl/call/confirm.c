/*
 * Ask before something dangerous.
 *
 * Must never let something dangerous happen without --yes or a "y" on a
 * terminal.
 */
#include "ctl/call/confirm.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "ctl/call/context.h"

enum jw_err
call_confirm_possible(struct ctl *ctl, const char *what)
{
	if (ctl->yes || (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)))
		return JW_OK;
	jw_why_set(&ctl->why,
	    "%s can make verifiers reject tokens, and there is no terminal to "
	    "ask on",
	    what);
	jw_why_hint(&ctl->why,
	    "look at what would happen with --dry-run, then add --yes");
	return JW_USAGE;
}

void
call_confirm(struct ctl *ctl, const char *question)
{
	char answer[16] = "";

	if (ctl->yes)
		return;
	fprintf(stderr, "%s [y/N] ", question);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) == NULL)
		fputc('\n', stderr);
	answer[strcspn(answer, "\r\n")] = '\0';
	ctl->declined =
	    strcasecmp(answer, "y") != 0 && strcasecmp(answer, "yes") != 0;
}
