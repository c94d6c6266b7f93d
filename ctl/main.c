/*
 * jwksctl: the command line of a jwksd.  Start order only.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/begin.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "ctl/call/context.h"
#include "ctl/complete.h"

#define DEFAULT_SOCKET "/run/jwksd/control.sock"

static const char *
socket_path(const struct ctl_line *line)
{
	const char *path = ctl_line_value(line, "socket");

	if (path == NULL)
		path = getenv("JWKSCTL_SOCKET");
	return path != NULL && *path != '\0' ? path : DEFAULT_SOCKET;
}

static enum jw_err
take_globals(struct ctl *ctl)
{
	const char *style = ctl_line_value(&ctl->line, "time");

	ctl->socket = socket_path(&ctl->line);
	ctl->json = ctl_line_flag(&ctl->line, "json");
	ctl->quiet = ctl_line_flag(&ctl->line, "quiet");
	ctl->yes = ctl_line_flag(&ctl->line, "yes");
	if (ctl_line_flag(&ctl->line, "no-color"))
		ctl->text.colour = false;
	if (style != NULL && !out_text_times_parse(style, &ctl->text.times)) {
		jw_why_set(&ctl->why,
		    "--time: \"%s\" is none of relative, iso and unix", style);
		return JW_USAGE;
	}
	return JW_OK;
}

static enum jw_err
ctl_run(struct ctl *ctl)
{
	if (ctl_line_flag(&ctl->line, "help"))
		return ctl_help(ctl);
	if (ctl_line_flag(&ctl->line, "version"))
		return ctl_version(ctl);
	return ctl->line.command->run(ctl);
}

static void
ctl_report_line(const struct ctl *ctl, const char *prefix, const char *line)
{
	char *shown = out_text_visible(line, ctl->text.utf8 ? TEXT_UTF8 : 0);

	fprintf(stderr, "%s%s\n", prefix, shown != NULL ? shown : "");
	free(shown);
}

/* The exit status, after saying why it is not 0. */
static int
ctl_finish(const struct ctl *ctl, enum jw_err err)
{
	if (err == JW_OK && ctl->declined) {
		ctl_report_line(ctl, "jwksctl: ", "nothing was changed");
		return EXIT_FAILURE;
	}
	if (err == JW_OK || (err == JW_IO && ctl->reader_gone))
		return EXIT_SUCCESS;
	ctl_report_line(ctl, "jwksctl: ",
	    ctl->why.text[0] != '\0' ? ctl->why.text : jw_err_text(err));
	if (ctl->why.hint[0] != '\0')
		ctl_report_line(ctl, "hint: ", ctl->why.hint);
	return jw_err_exit(err);
}

int
main(int argc, char *argv[])
{
	struct ctl ctl = {0};
	enum jw_err err;

	jw_begin_process();
	jw_log_init("jwksctl");
	varlink_json_init();
	setlocale(LC_CTYPE, "");
	out_text_init(&ctl.text);
	if (argc > 1 && strcmp(argv[1], COMPLETE_COMMAND) == 0) {
		ctl.socket = socket_path(&ctl.line);
		ctl_complete(
		    &ctl, (const char *const *)argv + 2, (size_t)argc - 2);
		return EXIT_SUCCESS;
	}
	err = ctl_line_parse(argc, argv, &ctl.line, &ctl.why);
	if (err == JW_OK)
		err = take_globals(&ctl);
	if (err == JW_OK)
		err = ctl_run(&ctl);
	return ctl_finish(&ctl, err);
}
